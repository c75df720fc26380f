//! What was run against what. The tests write it down as they pass; `.ci/interoperability` makes the table of
//! docs/interoperability.md of it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Which side of the handshake the peer was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// The peer logs on to our server.
    Client,
    /// Our client logs on to the peer.
    #[allow(dead_code, reason = "some peers are clients only")]
    Server,
}

/// Writes down that `proven` was seen with a peer. To be called after the assertions: what failed is not written.
pub(crate) fn proven(peer: &str, version: &str, role: Role, proven: &str) {
    write(peer, version, role, "proven", proven);
}

/// Writes down what the peer lacks, or needs of a policy laxer than the default; asserted before, too.
pub(crate) fn noted(peer: &str, version: &str, role: Role, note: &str) {
    write(peer, version, role, "noted", note);
}

fn write(peer: &str, version: &str, role: Role, column: &str, text: &str) {
    let role = match role {
        Role::Client => "client",
        Role::Server => "server",
    };
    // One write, so that lines of tests that run at the same time stay whole.
    let line = format!("{peer}\t{version}\t{role}\t{column}\t{text}\n");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interoperability.tsv");
    OpenOptions::new().create(true).append(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
}
