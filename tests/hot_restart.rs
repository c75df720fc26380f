//! The example `hot_restart`: a service replaced by a new process under load. The example itself checks every message and
//! exits with an error if anything is off; here it is run, and what it says is looked at.

#![cfg(all(unix, feature = "ntlm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test, a panic is how to fail"
)]

use std::env;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn no_client_notices_that_its_service_is_replaced() {
    let output = Command::new(example()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(complained.is_empty(), "{complained}");
    let restarts: Vec<_> = said.lines().filter(|line| line.starts_with("restart ")).collect();
    assert_eq!(restarts.len(), 4, "{said}");
    for line in restarts {
        // Six clients of each of two processes, and the administrator, keep their sessions; the others come and go.
        let words: Vec<_> = line.split_whitespace().collect();
        let took = words.iter().position(|word| *word == "took").unwrap();
        let sessions: usize = words[took + 1].parse().unwrap();
        assert!((13..=19).contains(&sessions), "{line}");
        assert!(!line.contains("(0 half-way)"), "one handshake is always under way: {line}");
    }
    let last = said.lines().last().unwrap();
    let messages: u64 = last.split(' ').next().unwrap().parse().unwrap();
    assert!(messages > 1_000 && last.ends_with("nothing lost, repeated or out of order"), "{said}");
}

/// Cargo builds the examples beside the tests: `<profile>/examples` and `<profile>/deps`.
fn example() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let example = profile.join("examples").join(format!("hot_restart{}", env::consts::EXE_SUFFIX));
    assert!(example.exists(), "{} is not built; run `cargo build --example hot_restart`", example.display());
    example
}
