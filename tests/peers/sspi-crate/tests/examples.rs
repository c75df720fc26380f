//! The `sspi` crate's own examples, client and server, with their `Ntlm` and with ours, in all four pairs. build.rs makes them.

// Elsewhere the loopback network has one address, and two builds that are tested at once would meet there.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const ADDRESS: &str = env!("PORTABLE_SSPI_EXAMPLES_ADDRESS");
const OURS: [&str; 2] = [
    include_str!(concat!(env!("OUT_DIR"), "/client_ours.rs")),
    include_str!(concat!(env!("OUT_DIR"), "/server_ours.rs")),
];
const THEIRS: [&str; 2] = [
    include_str!(concat!(env!("OUT_DIR"), "/client_theirs.rs")),
    include_str!(concat!(env!("OUT_DIR"), "/server_theirs.rs")),
];

/// Cargo builds the examples beside the tests: `<profile>/examples` and `<profile>/deps`.
fn example(name: &str) -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let program: PathBuf = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built; run `cargo build --examples -p portable-sspi-peer-sspi`",
        program.display()
    );
    Command::new(program)
}

#[test]
fn all_four_pairs_run_to_their_end() {
    for (client, server) in [
        ("client_theirs", "server_theirs"),
        ("client_theirs", "server_ours"),
        ("client_ours", "server_theirs"),
        ("client_ours", "server_ours"),
    ] {
        let mut server_process =
            example(server).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(server_process.stdout.take().unwrap());
        let mut first = String::new();
        said.read_line(&mut first).unwrap();
        if first.trim() != "Started the server." {
            let output = server_process.wait_with_output().unwrap();
            panic!("{server} at {ADDRESS}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let output = example(client).output().unwrap();
        if !output.status.success() {
            // Waiting for a client that does not come would have no end.
            let _ = server_process.kill();
        }
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        let ended = server_process.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let complained =
            [output.stderr, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success() && ended.status.success(), "{client}, {server}: {complained:?}");
        assert!(
            told.contains("Decrypted message: [This is your server speaking!]"),
            "{client}, {server}: {told}"
        );
        assert!(rest.contains("Communication successfully finished."), "{client}, {server}: {rest}");
    }
}

#[test]
fn nothing_but_the_import_is_changed() {
    for (ours, theirs) in OURS.iter().zip(THEIRS) {
        let changed: Vec<_> =
            ours.lines().filter(|line| !theirs.lines().any(|other| other == *line)).collect();
        assert_eq!(changed.len(), 2, "{changed:?}");
        assert_eq!(changed[0], "use portable_sspi::sspi_crate::Ntlm;");
        // The list without one name.
        let before = theirs.lines().find(|line| line.contains(" Ntlm, SecurityBuffer")).unwrap();
        assert_eq!(changed[1], before.replace(" Ntlm,", ""));
        assert_eq!(ours.lines().count(), theirs.lines().count() + 1);
    }
}
