//! A hot restart of 100,000 contexts needs little memory beyond the contexts themselves.
//!
//! A program of its own, since it looks at the memory of the whole process. It also says how much processor time it took, and
//! asserts nothing about that: `cargo test --release --test hot_restart_memory -- --nocapture`.

#![cfg(all(target_os = "linux", feature = "ntlm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::key_directory;
use common::ntlm::{SEALED, handshake, sspi};
use portable_sspi::ntlm::Ntlm;
use portable_sspi::{ExportOptions, Provider, SecurityContext};

const COUNT: usize = 100_000;
const STREAM: &str = "PORTABLE_SSPI_TEST_STREAM";
const CONTEXTS: &str = "PORTABLE_SSPI_TEST_CONTEXTS";
/// Far below the 64 MiB that are promised: the whole stream in memory would not fit.
const LIMIT: usize = 8 * 1024 * 1024;

#[test]
fn a_hundred_thousand_contexts_take_little_memory_more() {
    // Without optimization, cipher states take their time.
    let mid_stream = if cfg!(debug_assertions) { COUNT / 5 } else { COUNT };
    for (name, messages, count) in [("fresh", 0, COUNT), ("mid-stream", 3, mid_stream)] {
        let directory = key_directory();
        let sspi = sspi(directory.path());
        let (mut client, mut server) = handshake(&sspi, SEALED, |partial| partial);
        for _ in 0..messages {
            server.unwrap(&mut client.wrap(b"there").unwrap()).unwrap();
            client.unwrap(&mut server.wrap(b"back").unwrap()).unwrap();
        }
        let ntlm = Ntlm::default();
        let state = ntlm.export(server).unwrap();
        let mut contexts: Vec<Box<dyn SecurityContext>> =
            (0..count).map(|_| ntlm.import(&state).unwrap()).collect();
        let path = directory.path().join("stream");

        let before = forget_peak();
        let file = File::create(&path).unwrap();
        let start = processor_time();
        let exported = sspi.export_all(contexts.drain(..), file, &ExportOptions::default()).unwrap().exported;
        let export_time = processor_time() - start;
        let export_memory = peak() - before;
        assert_eq!(exported, count);

        let import = import_in_a_process_of_its_own(&path, count);
        println!(
            "{name}: {count} contexts of {} bytes; export {export_time:?}, {} KiB more; {import}",
            fs::metadata(&path).unwrap().len() / count as u64,
            export_memory / 1024,
        );
        assert!(export_memory < LIMIT, "{name}: {export_memory} bytes for the export");
    }
}

/// Of its own, because here the memory of the exported contexts is there to be used again.
fn import_in_a_process_of_its_own(stream: &Path, count: usize) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "importer", "--ignored", "--nocapture"])
        .env(STREAM, stream)
        .env(CONTEXTS, count.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    said.lines().find_map(|line| Some(line.split_once("importer: ")?.1.to_owned())).unwrap()
}

#[test]
#[ignore = "the other process of the other test"]
fn importer() {
    let stream = PathBuf::from(env::var_os(STREAM).expect("this is no test of its own"));
    let count: usize = env::var(CONTEXTS).unwrap().parse().unwrap();
    let sspi = sspi(stream.parent().unwrap());
    let file = File::open(stream).unwrap();
    let mut imported = Vec::with_capacity(count);
    forget_peak();
    let start = processor_time();
    imported.extend(sspi.import_all(file).unwrap().map(Result::unwrap));
    let time = processor_time() - start;
    // Beyond the contexts, which are all there now.
    let memory = peak().saturating_sub(now());
    assert_eq!(imported.len(), count);
    imported[count / 2].wrap(b"goes on").unwrap();
    println!("importer: import {time:?}, {} KiB more", memory / 1024);
    assert!(memory < LIMIT, "{memory} bytes for the import");
}

/// What this thread has had of a processor: other programs don't count.
fn processor_time() -> Duration {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
}

/// The process's memory now, in bytes, which is its peak from now on.
fn forget_peak() -> usize {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

fn peak() -> usize {
    status("VmHWM:")
}

fn now() -> usize {
    status("VmRSS:")
}

fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
