//! Single use and expiry where things go wrong: processes killed between any two steps, clocks moved, other hosts, a disk
//! that is full or read-only, many importers at once.
//!
//! Kills, counts of system calls and namespaces are Linux' own; they need strace, util-linux and partly root. Where
//! something is missing, a test says so; `PORTABLE_SSPI_REQUIRE_PEERS=1` makes that a failure for root.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::process::{self, Helper, ask, pack};
use common::{context, effective_user, key_directory, skipped, sspi};
use portable_sspi::{BlobRefused, Error, ExportOptions, Sspi, Unavailable};

#[test]
#[ignore = "the helper process of the other tests"]
fn helper_process() {
    process::run();
}

fn export(sspi: &Sspi) -> Result<Vec<u8>, Error> {
    sspi.export_security_context(context(sspi, 1), &ExportOptions::default()).map_err(|failed| failed.error)
}

fn refusal(sspi: &Sspi, blob: &[u8]) -> BlobRefused {
    match sspi.import_security_context(None, blob) {
        Err(Error::BlobRefused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

/// Runs the test `name` again in namespaces of its own, where it may mount things. `true` there.
fn in_own_namespace(name: &str) -> bool {
    const INSIDE: &str = "PORTABLE_SSPI_TEST_NAMESPACE";
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let possible = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    if effective_user() != 0 || !possible.is_ok_and(|status| status.success()) {
        skipped(name, "needs root, and permission to unshare(1) namespaces");
        return false;
    }
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--uts"]).arg(env::current_exe().unwrap());
    inside.args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
    let output = inside.output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

// Many importers.

#[test]
fn sixteen_importers_race_over_a_thousand_blobs() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blobs: Vec<_> = (0..1000).map(|_| export(&sspi).unwrap()).collect();
    let (contested, left) = blobs.split_at(900);
    let places = tempfile::tempdir().unwrap();
    let start = places.path().join("start");
    let input = pack(&[&[text(&start).as_bytes().to_vec()], contested].concat());
    let mut helpers: Vec<_> = (0..16).map(|_| Helper::start("import many", Some(directory.path()))).collect();
    for helper in &mut helpers {
        helper.go(&input);
    }
    for helper in &mut helpers {
        assert_eq!(helper.says(), "ready");
    }
    fs::write(&start, "").unwrap();
    let mut all = Vec::new();
    let mut winners = 0;
    for helper in helpers {
        let got = helper.result();
        winners += usize::from(!got.is_empty());
        all.extend(got.split_whitespace().map(|number| number.parse::<usize>().unwrap()));
    }
    assert_eq!(all.len(), 900, "some imported twice, or never");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 900, "some imported twice");
    assert!(winners > 1, "no race");
    for blob in left {
        sspi.import_security_context(None, blob).unwrap();
    }
    for blob in contested {
        assert_eq!(refusal(&sspi, blob), BlobRefused::AlreadyImported);
    }
}

// Killed.

/// strace, attached to a helper that has yet to begin.
struct Tracer(Child);

impl Tracer {
    fn attach(helper: &Helper, arguments: &[&str]) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["--follow-forks", "--attach", &helper.id().to_string()]).args(arguments);
        let mut strace = strace.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        assert!(first.contains("attached"), "{first}");
        std::thread::spawn(move || said.for_each(drop));
        // It says so of the first thread before it has the others.
        std::thread::sleep(Duration::from_millis(30));
        Self(strace)
    }

    fn finish(mut self) {
        self.0.wait().unwrap();
    }
}

/// Whether processes can be traced here, which also says it if not.
fn can_trace(test: &str) -> bool {
    let traced = Command::new("strace").arg("true").stderr(Stdio::null()).status();
    let possible = traced.is_ok_and(|status| status.success());
    if !possible {
        skipped(test, "needs strace, and permission to trace");
    }
    possible
}

/// The system calls on files of a helper that does `role`, by name, and its answer.
fn calls_of(role: &str, directory: &Path, input: &[u8]) -> (Vec<String>, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut helper = Helper::start(role, Some(directory));
    // Not those on memory: allocation depends on more than what is done.
    let tracer = Tracer::attach(&helper, &["-e", "trace=%file,%desc", "-o", text(log.path())]);
    helper.go(input);
    let said = helper.result();
    tracer.finish();
    let log = fs::read_to_string(log.path()).unwrap();
    let names = log.lines().filter_map(|line| {
        let call = line.split_once(' ')?.1.trim_start();
        Some(call.split_once('(')?.0.to_owned())
    });
    let is_name = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (names.filter(is_name).collect(), said)
}

/// Lets a helper do `role` and kills it as it enters its system call `call` for the `number`th time. `None`: it was.
fn killed(call: &str, number: usize, role: &str, directory: &Path, input: &[u8]) -> Option<String> {
    let inject = format!("inject={call}:signal=KILL:when={number}");
    let mut helper = Helper::start(role, Some(directory));
    let tracer = Tracer::attach(&helper, &["-e", &format!("trace={call}"), "-e", &inject]);
    helper.go_unless_killed(input);
    let said = helper.result_unless_killed();
    tracer.finish();
    said
}

/// Each system call by name, with how often it came: strace counts them one by one.
fn steps(calls: &[String]) -> Vec<(&str, usize)> {
    let names: BTreeSet<_> = calls.iter().map(String::as_str).collect();
    let count = |name| calls.iter().filter(|call| *call == name).count();
    names.into_iter().flat_map(|name| (1..=count(name)).map(move |number| (name, number))).collect()
}

#[test]
fn an_exporter_killed_at_any_step_blocks_nothing() {
    if !can_trace("an_exporter_killed_at_any_step_blocks_nothing") {
        return;
    }
    let parent = key_directory();
    // The first export in a directory makes everything.
    let (calls, _) = calls_of("export", &parent.path().join("traced"), &[1]);
    for expected in ["mkdirat", "openat", "fchmod", "write"] {
        assert!(calls.iter().any(|call| call == expected), "{expected} in {calls:?}");
    }
    let mut kills = 0;
    for (index, (call, number)) in steps(&calls).into_iter().enumerate() {
        let directory = parent.path().join(index.to_string());
        let said = killed(call, number, "export", &directory, &[1]);
        kills += usize::from(said.is_none());
        let sspi = sspi(&directory);
        let blob = export(&sspi).unwrap_or_else(|error| panic!("{call} {number}: {error}"));
        assert_eq!(ask("import", &directory, &blob), "imported", "{call} {number}");
        assert_eq!(refusal(&sspi, &blob), BlobRefused::AlreadyImported, "{call} {number}");
    }
    assert!(kills > 30, "{kills} kills in {calls:?}");
}

#[test]
fn an_importer_killed_at_any_step_imports_once_or_leaves_it() {
    if !can_trace("an_importer_killed_at_any_step_imports_once_or_leaves_it") {
        return;
    }
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (calls, said) = calls_of("import", directory.path(), &export(&sspi).unwrap());
    assert_eq!(said, "imported");
    let (mut left, mut used) = (0, 0);
    for (call, number) in steps(&calls) {
        let blob = export(&sspi).unwrap();
        let said = killed(call, number, "import", directory.path(), &blob);
        let next = ask("import", directory.path(), &blob);
        match (said.as_deref(), next.as_str()) {
            // Before its claim: another process can have it.
            (None, "imported") => left += 1,
            // After its claim the context is lost with the process, but never there twice.
            (None, "AlreadyImported") => used += 1,
            (Some("imported"), "AlreadyImported") => {}
            other => panic!("{call} {number}: {other:?}"),
        }
        assert_eq!(ask("import", directory.path(), &blob), "AlreadyImported", "{call} {number}");
    }
    assert!(left > 10 && used > 0, "{left} left, {used} used, {calls:?}");
}

#[test]
fn a_blob_outlives_its_killed_exporter() {
    let directory = key_directory();
    let exporter = Command::new(env::current_exe().unwrap())
        .args(["--exact", "helper_process", "--ignored", "--nocapture"])
        .env("PORTABLE_SSPI_TEST_ROLE", "export")
        .env("PORTABLE_SSPI_TEST_DIRECTORY", directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut exporter = exporter.unwrap();
    std::io::Write::write_all(&mut exporter.stdin.take().unwrap(), b"01").unwrap();
    let mut said = BufReader::new(exporter.stdout.take().unwrap()).lines().map(Result::unwrap);
    let blob = said.find_map(|line| {
        let blob = line.split_once("helper: ")?.1.to_owned();
        (blob != "ready").then_some(blob)
    });
    exporter.kill().unwrap();
    exporter.wait().unwrap();
    assert_eq!(ask("import", directory.path(), &hex::decode(blob.unwrap()).unwrap()), "imported");
}

#[test]
fn where_mknod_is_forbidden_a_blob_is_claimed_all_the_same() {
    if !can_trace("where_mknod_is_forbidden_a_blob_is_claimed_all_the_same") {
        return;
    }
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (one, other) = (export(&sspi).unwrap(), export(&sspi).unwrap());
    sspi.import_security_context(None, &other).unwrap();
    for (blob, expected) in [(&one, "imported"), (&one, "AlreadyImported"), (&other, "AlreadyImported")] {
        // As filters of system calls answer.
        let mut helper = Helper::start("import", Some(directory.path()));
        let inject = ["-e", "trace=mknodat", "-e", "inject=mknodat:error=EPERM"];
        let tracer = Tracer::attach(&helper, &inject);
        helper.go(blob);
        assert_eq!(helper.result(), expected);
        tracer.finish();
    }
    assert_eq!(refusal(&sspi, &one), BlobRefused::AlreadyImported);
}

// The number of claims.

/// The system calls of one import.
fn calls_of_an_import(directory: &Path) -> Vec<String> {
    let (calls, said) = calls_of("import", directory, &export(&sspi(directory)).unwrap());
    assert_eq!(said, "imported");
    calls
}

#[test]
fn an_import_costs_the_same_with_thousands_of_claims() {
    if !can_trace("an_import_costs_the_same_with_thousands_of_claims") {
        return;
    }
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let few = calls_of_an_import(directory.path());
    for _ in 0..5000 {
        sspi.import_security_context(None, &export(&sspi).unwrap()).unwrap();
    }
    let many = calls_of_an_import(directory.path());
    assert_eq!(few.len(), many.len(), "{few:?}\n{many:?}");
    assert!(few.iter().any(|call| call == "openat"), "{few:?}");
    assert!(!many.iter().any(|call| call.starts_with("getdents")), "nothing is listed");
}

// Clocks.

// A library is preloaded, which the C compiler of this machine makes for programs of its own kind.
#[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
#[test]
fn the_time_of_day_does_not_matter() {
    let name = "the_time_of_day_does_not_matter";
    let directory = key_directory();
    // Setting the machine's clock would be felt by all; instead, one process is told another time.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/preload/shifted_clock.c");
    let library = directory.path().join("clock.so");
    let shift = 10 * 365 * 86_400;
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let compiled = compile.status();
    if !compiled.is_ok_and(|status| status.success()) {
        return skipped(name, "needs a C compiler");
    }
    let at = |shift: i64, role: &str, input: &[u8]| {
        let mut helper = Helper::start_with(role, Some(directory.path()), |command| {
            command.env("LD_PRELOAD", &library).env("SHIFT", shift.to_string());
        });
        helper.go(input);
        helper.result()
    };
    let ours = sspi(directory.path());
    let now: i64 = at(0, "tell the time", &[]).parse().unwrap();
    for shift in [shift, -shift] {
        let there: i64 = at(shift, "tell the time", &[]).parse().unwrap();
        assert!((there - now - shift).abs() < 60, "{there} {now}: the shift works");

        assert_eq!(at(shift, "import", &export(&ours).unwrap()), "imported");
        let theirs = hex::decode(at(shift, "export", &[1])).unwrap();
        // The preloaded library doesn't reach who asks the kernel directly, so: it is the time since the start that counts.
        let creation = u64::from_le_bytes(theirs[72..80].try_into().unwrap());
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((uptime - Duration::from_millis(creation).as_secs_f64()).abs() < 60.0, "{creation} {uptime}");
        assert_eq!(at(-shift, "import", &theirs), "imported");
        assert_eq!(refusal(&ours, &theirs), BlobRefused::AlreadyImported);

        let options = ExportOptions { lifetime: Duration::from_millis(20), ..ExportOptions::default() };
        let short = ours.export_security_context(context(&ours, 1), &options).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(at(shift, "import", &short), "Expired");
    }
}

#[test]
fn in_a_time_namespace_with_another_clock_nothing_is_imported() {
    let name = "in_a_time_namespace_with_another_clock_nothing_is_imported";
    let directory = key_directory();
    let mut possible = Command::new("unshare");
    possible.args(["--time", "--boottime", "9", "true"]).stderr(Stdio::null());
    if !possible.status().is_ok_and(|status| status.success()) {
        return skipped(name, "needs root, and a kernel with time namespaces");
    }
    let ours = sspi(directory.path());
    // No clock of a namespace may stand below zero, and this machine may have started just now.
    for shift in ["100000", "-2", "1"] {
        let blob = export(&ours).unwrap();
        let mut helper = Helper::start_with("import", Some(directory.path()), |command| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--fork", "--time", "--boottime", shift, "--monotonic", shift]);
            unshare.arg(env::current_exe().unwrap()).args(command.get_args());
            for (name, value) in command.get_envs() {
                unshare.env(name, value.unwrap_or_default());
            }
            unshare.stdin(Stdio::piped()).stdout(Stdio::piped());
            *command = unshare;
        });
        helper.go(&blob);
        assert_eq!(helper.result(), "WrongBoot", "{shift}");
        ours.import_security_context(None, &blob).unwrap();
    }
}

// Other hosts.

#[test]
fn a_copy_of_the_files_is_worth_nothing_on_another_host() {
    if !in_own_namespace("a_copy_of_the_files_is_worth_nothing_on_another_host") {
        return;
    }
    let directory = key_directory();
    let ours = sspi(directory.path());
    let blob = export(&ours).unwrap();
    let fake = directory.path().join("id");
    let put = |target: &str, content: &str| {
        fs::write(&fake, content).unwrap();
        let copy = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
        fs::copy(&fake, &copy).unwrap();
        run("mount", &["--bind", text(&copy), target]);
    };
    // The very same files of the host key, on a machine with another id; then with another start of it.
    let machine_id = Path::new("/etc/machine-id");
    if machine_id.exists() {
        put("/etc/machine-id", "00112233445566778899aabbccddeeff\n");
        assert_eq!(ask("import", directory.path(), &blob), "WrongHost");
        run("umount", &["/etc/machine-id"]);
    } else {
        skipped("a_copy_of_the_files_is_worth_nothing_on_another_host", "needs /etc/machine-id");
    }
    put("/proc/sys/kernel/random/boot_id", "00112233-4455-6677-8899-aabbccddeeff\n");
    assert_eq!(ask("import", directory.path(), &blob), "WrongBoot");
    run("umount", &["/proc/sys/kernel/random/boot_id"]);
    assert_eq!(ask("import", directory.path(), &blob), "imported");
}

#[test]
fn an_application_s_key_crosses_containers_of_one_host() {
    if !in_own_namespace("an_application_s_key_crosses_containers_of_one_host") {
        return;
    }
    let directory = key_directory();
    let key = "5c".repeat(32);
    let there = |role: &str, input: &[u8]| {
        let mut helper = Helper::start_with(role, Some(directory.path()), |command| {
            command.env(process::SCOPE, format!("key {key}"));
        });
        helper.go(input);
        helper.result()
    };
    let blob = hex::decode(there("export", &[1])).unwrap();
    let id = directory.path().join("id");
    fs::write(&id, "00112233445566778899aabbccddeeff\n").unwrap();
    if Path::new("/etc/machine-id").exists() {
        run("mount", &["--bind", text(&id), "/etc/machine-id"]);
    }
    run("hostname", &["another"]);
    assert_eq!(there("import", &blob), "imported");
    assert_eq!(there("import", &blob), "AlreadyImported");
}

// Disks.

/// A small file system of its own at `path`, with room for so many files.
fn mount_small(path: &Path, files: u32) {
    run("mount", &["-t", "tmpfs", "-o", &format!("size=64k,nr_inodes={files},mode=700"), "none", text(path)]);
}

#[test]
fn on_a_full_disk_nothing_is_imported_and_nothing_lost() {
    if !in_own_namespace("on_a_full_disk_nothing_is_imported_and_nothing_lost") {
        return;
    }
    let directory = key_directory();
    mount_small(directory.path(), 12);
    let sspi = sspi(directory.path());
    let blobs: Vec<_> = (0..2).map(|_| export(&sspi).unwrap()).collect();
    let mut fillers: Vec<PathBuf> = Vec::new();
    loop {
        let filler = directory.path().join(format!("filler{}", fillers.len()));
        if fs::write(&filler, "").is_err() {
            break;
        }
        fillers.push(filler);
    }
    for _ in 0..2 {
        match sspi.import_security_context(None, &blobs[0]) {
            Err(Error::Unavailable(Unavailable::HostKey { path, source })) => {
                assert!(path.starts_with(directory.path()));
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
            }
            other => panic!("{other:?}"),
        }
        assert!(ask("import", directory.path(), &blobs[0]).contains("No space left"));
    }
    // One place: one import, by one process.
    fs::remove_file(fillers.pop().unwrap()).unwrap();
    sspi.import_security_context(None, &blobs[0]).unwrap();
    assert_eq!(ask("import", directory.path(), &blobs[0]), "AlreadyImported");
    assert!(ask("import", directory.path(), &blobs[1]).contains("No space left"));

    // Without room for a new window, an export fails with the context given back, and leaves nothing half-made.
    let options = ExportOptions { lifetime: Duration::from_secs(3600), ..ExportOptions::default() };
    let failed = sspi.export_security_context(context(&sspi, 1), &options).unwrap_err();
    assert!(matches!(failed.error, Error::Unavailable(Unavailable::HostKey { .. })), "{}", failed.error);
    let names = || fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!names().any(|name| name.to_string_lossy().starts_with("temporary")));
    for filler in fillers {
        fs::remove_file(filler).unwrap();
    }
    let blob = sspi.export_security_context(failed.context, &options).unwrap();
    for blob in [&blob, &blobs[1]] {
        sspi.import_security_context(None, blob).unwrap();
    }
}

#[test]
fn a_disk_full_of_bytes_leaves_no_short_secret() {
    if !in_own_namespace("a_disk_full_of_bytes_leaves_no_short_secret") {
        return;
    }
    let directory = key_directory();
    mount_small(directory.path(), 100);
    let filler = directory.path().join("filler");
    let mut length = 0;
    while fs::write(&filler, vec![1; length + 4096]).is_ok() {
        length += 4096;
    }
    let sspi = sspi(directory.path());
    let refused = export(&sspi).unwrap_err();
    assert!(matches!(refused, Error::Unavailable(Unavailable::HostKey { .. })), "{refused}");
    fs::remove_file(&filler).unwrap();
    let blob = export(&sspi).unwrap();
    assert_eq!(ask("import", directory.path(), &blob), "imported");
}

#[test]
fn on_a_read_only_file_system_nothing_is_imported_and_nothing_lost() {
    if !in_own_namespace("on_a_read_only_file_system_nothing_is_imported_and_nothing_lost") {
        return;
    }
    let directory = key_directory();
    mount_small(directory.path(), 100);
    let sspi = sspi(directory.path());
    let (blob, used) = (export(&sspi).unwrap(), export(&sspi).unwrap());
    sspi.import_security_context(None, &used).unwrap();
    run("mount", &["-o", "remount,ro", text(directory.path())]);
    let refused = sspi.import_security_context(None, &blob).map(|_| ()).unwrap_err();
    assert!(matches!(refused, Error::Unavailable(Unavailable::HostKey { .. })), "{refused}");
    assert!(ask("import", directory.path(), &blob).contains("Read-only file system"));
    // What is there can still be read, so a used one is told from a new one.
    assert_eq!(ask("import", directory.path(), &used), "AlreadyImported");
    run("mount", &["-o", "remount,rw", text(directory.path())]);
    assert_eq!(ask("import", directory.path(), &blob), "imported");
    assert_eq!(ask("import", directory.path(), &used), "AlreadyImported");
}
