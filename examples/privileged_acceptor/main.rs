//! A privileged acceptor that hands its authenticated clients to an unprivileged worker **of another user**.
//!
//! The acceptor runs as root, since it has to read the accounts; the worker, which reads what clients send, has no rights at
//! all. They share a host key for their group ([`HostKeyScope::Group`](portable_sspi::HostKeyScope)): root exports, the
//! group's members import. Then others try their luck: a user outside the group, and a member for whom the context is
//! not meant.
//!
//! `cargo run --example privileged_acceptor` as root starts processes of users that no account belongs to. Where it
//! cannot, it says so, and shows the same with one user in the part of all. It exits with an error if anything is not as it
//! should be.

#![allow(unreachable_pub, reason = "the modules of an example are nobody else's")]

#[cfg(unix)]
mod acceptor;
#[cfg(unix)]
#[path = "../handoff/arrival.rs"]
mod arrival;
#[cfg(unix)]
#[path = "../handoff/client.rs"]
mod client;
#[cfg(unix)]
#[path = "../handoff/frames.rs"]
mod frames;
#[cfg(unix)]
#[allow(dead_code, reason = "the other examples use the rest")]
#[path = "../http_service/handover/mod.rs"]
mod handover;
#[path = "../handoff/story.rs"]
mod story;
#[cfg(unix)]
mod worker;

use std::error::Error;
use std::process::ExitCode;

/// How the client gets its password: not on its command line, which other users could read.
#[cfg(unix)]
const PASSWORD_VARIABLE: &str = "HANDOFF_PASSWORD";

/// What a part of the story can end in.
type Outcome<T> = Result<T, Box<dyn Error>>;

#[cfg(unix)]
fn run(arguments: &[&str]) -> (&'static str, Outcome<()>) {
    match arguments {
        [] => ("acceptor", acceptor::run()),
        ["client", address] => ("client", client::run(address)),
        ["worker", group, owner, directory] => ("worker", worker::run(group, owner, directory)),
        ["attempt", group, owner, directory] => ("attempt", worker::attempt(group, owner, directory)),
        _ => ("acceptor", Err("usage: privileged_acceptor".into())),
    }
}

#[cfg(not(unix))]
fn run(_: &[&str]) -> (&'static str, Outcome<()>) {
    story::heading("Users have numbers, and groups share files, on Unix only: nothing is shown here");
    ("acceptor", Ok(()))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        (_, Ok(())) => ExitCode::SUCCESS,
        (who, Err(error)) => {
            story::tell(who, &format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}
