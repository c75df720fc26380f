//! The example `handoff` tells the whole story, and ends where it cannot; `cargo test` builds it.
#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

#[cfg(target_os = "linux")]
mod common;

use std::path::PathBuf;
use std::process::Command;

/// The test program lies in `deps`, the example beside it in `examples`.
fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(format!("handoff{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn it_tells_the_whole_story() {
    let output = Command::new(example()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let mut rest = &told[..];
    for expected in [
        "started the worker",
        "started the client",
        "AcceptSecurityContext: this is \"alice\"",
        "decrypts \"Who are you?\"",
        "sealed bytes; the context is gone from here",
        "What is refused",
        "the same blob again: refused with SEC_E_CONTEXT_EXPIRED",
        "a blob with one bit changed: refused with SEC_E_INVALID_TOKEN",
        "a good blob under another host's key: refused with SEC_E_NO_CREDENTIALS",
        "and the other way round: refused with SEC_E_NO_CREDENTIALS",
        "a blob whose time is over: refused with SEC_E_CONTEXT_EXPIRED",
        "Everything was as it should be",
    ] {
        let (_, after) = rest.split_once(expected).unwrap_or_else(|| panic!("{expected:?} in {told}"));
        rest = after;
    }
    // Those of the other processes come when they come.
    for expected in [
        "ImportSecurityContext: the session of \"alice\" goes on here",
        "decrypts \"And who are you now?\"",
        "one conversation, two processes at its other end, nothing lost",
    ] {
        assert!(told.contains(expected), "{expected:?} in {told}");
    }
}

/// In a network namespace of its own, where not even the loopback interface is up.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_cannot_connect_is_not_waited_for() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let name = "a_client_that_cannot_connect_is_not_waited_for";
    let possible = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        return common::skipped(name, "needs root, and permission to unshare(1) namespaces");
    }
    let mut process =
        Command::new("unshare").arg("--net").arg(example()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(60) {
            process.kill().unwrap();
            panic!("it waits for a client that has ended");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = process.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("before it connected"), "{told}");
}
