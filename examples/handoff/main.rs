//! The main job, end to end: a security context made in one process and used in another.
//!
//! Three processes of one host: a **client** that logs on with NTLM, an **acceptor** that authenticates it, and a
//! **worker** that goes on with the client's conversation. The acceptor exports the security context and hands it to
//! the worker together with the connection; the client never notices. Then the acceptor tries what an attacker would
//! try with the exported context, and is refused each time.
//!
//! `cargo run --example handoff` needs no configuration, and exits with an error if anything is not as it should be.

#![allow(unreachable_pub, reason = "the modules of an example are nobody else's")]

mod acceptor;
mod arrival;
mod client;
mod frames;
#[path = "../http_service/handover/mod.rs"]
mod handover;
mod story;
mod worker;

use std::error::Error;
use std::process::ExitCode;

/// How the client gets its password: not on its command line, which other users could read.
const PASSWORD_VARIABLE: &str = "HANDOFF_PASSWORD";

/// What a part of the story can end in.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (who, outcome) = match arguments.as_slice() {
        [] => ("acceptor", acceptor::run()),
        ["client", address] => ("client", client::run(address)),
        ["worker", way] => ("worker", worker::run(way)),
        _ => ("handoff", Err("usage: handoff".into())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            story::tell(who, &format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}
