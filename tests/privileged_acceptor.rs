//! The example `privileged_acceptor` runs and finds everything as it should be; `cargo test` builds it.
#![cfg(all(unix, feature = "ntlm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::process::Command;

#[test]
fn a_root_acceptor_hands_over_to_a_worker_of_another_user() {
    // Where it cannot, acceptor and worker are the same user.
    let others = common::can_play_other_users("a_root_acceptor_hands_over_to_a_worker_of_another_user");
    // The test program lies in `deps`, the example beside it in `examples`.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let output = Command::new(path.join("examples/privileged_acceptor")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("nothing lost") && told.contains("Everything was as it should be"), "{told}");
    if others {
        for expected in ["the worker, user 61001", "Permission denied", "imported before"] {
            assert!(told.contains(expected), "{expected:?} in {told}");
        }
    }
}
