//! A service with live connections is replaced by a new process, under load, and no client notices.
//!
//! Clients in two processes talk to a service in sealed messages, several of them under way at any time; some keep their
//! connection from the beginning to the end, others log on and off all the time. Meanwhile an administrator, over a
//! sealed session like any other, tells the service to restart, again and again. Each time, the service stops between two
//! messages, starts its successor, passes it all sockets (`SCM_RIGHTS`) and all security contexts in one stream, the
//! handshakes under way as partial contexts, and ends. Each client checks that no message is lost, repeated or out of
//! order, and that the service knows how many it has had.
//!
//! `cargo run --example hot_restart` needs no configuration, and exits with an error if anything is not as it should be.
//! It needs Unix, for passing sockets.

#![allow(unreachable_pub, reason = "the modules of an example are nobody else's")]

#[cfg(unix)]
mod client;
#[cfg(unix)]
#[path = "../handoff/frames.rs"]
mod frames;
#[cfg(unix)]
#[allow(dead_code, reason = "only the passing of descriptors is used here")]
#[path = "../http_service/handover/mod.rs"]
mod handover;
#[cfg(unix)]
mod restart;
#[cfg(unix)]
mod service;
#[cfg(unix)]
mod story;

use std::error::Error;
use std::process::ExitCode;

/// What a part of the story can end in.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[cfg(unix)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (who, outcome) = match arguments.as_slice() {
        [] => ("story", story::run()),
        ["service"] => ("service", service::run_first()),
        ["successor", generation] => ("successor", restart::run_successor(generation)),
        ["clients", address] => ("clients", client::run(address)),
        _ => ("hot_restart", Err("usage: hot_restart".into())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("[{who} {}] FAILED: {error}", std::process::id());
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    let outcome: Outcome<()> =
        Err("this example passes sockets from process to process, which needs Unix".into());
    if let Err(error) = outcome {
        eprintln!("hot_restart: {error}");
    }
    ExitCode::FAILURE
}
