//! Contexts handed from process to process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::process::{self, Helper, ask};
use common::{context, key_directory, sspi};
use portable_sspi::{
    BlobRefused, Error, ExportFlags, ExportOptions, Misuse, SecurityContext, SecurityStatus, Sspi,
};

#[test]
#[ignore = "the helper process of the other tests"]
fn helper_process() {
    process::run();
}

fn export(sspi: &Sspi, context: Box<dyn SecurityContext>) -> Vec<u8> {
    sspi.export_security_context(context, &ExportOptions::default()).unwrap()
}

fn export_for(sspi: &Sspi, lifetime: Duration) -> Vec<u8> {
    let options = ExportOptions { lifetime, ..ExportOptions::default() };
    sspi.export_security_context(context(sspi, 1), &options).unwrap()
}

fn refusal(sspi: &Sspi, blob: &[u8]) -> BlobRefused {
    match sspi.import_security_context(None, blob) {
        Err(Error::BlobRefused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_process_continues_the_session() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (mut ours, mut peer) = (context(&sspi, 0x5A), context(&sspi, 0x5A));
    // Three messages one way and one the other, so that the positions differ.
    for _ in 0..3 {
        peer.unwrap(&mut ours.wrap(b"to the peer").unwrap()).unwrap();
    }
    ours.unwrap(&mut peer.wrap(b"from the peer").unwrap()).unwrap();

    let answer = ask("import and answer", directory.path(), &export(&sspi, ours));
    let (message, client) = answer.split_once(' ').unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(peer.unwrap(&mut hex::decode(message).unwrap()).unwrap(), b"from the worker");
    assert_eq!(client, r"TOY\alice");
}

#[test]
fn a_context_can_come_back() {
    let directory = key_directory();
    let exported = hex::decode(ask("export", directory.path(), &[7])).unwrap();
    let (sspi, mut peer) = (sspi(directory.path()), context(&sspi(directory.path()), 7));
    let mut ours = sspi.import_security_context(Some("Toy"), &exported).unwrap();
    assert_eq!(peer.unwrap(&mut ours.wrap(b"x").unwrap()).unwrap(), b"x");
}

#[test]
fn of_sixteen_processes_one_imports() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    for round in 0..4 {
        let blob = export(&sspi, context(&sspi, round));
        let mut helpers: Vec<_> = (0..16).map(|_| Helper::start("import", Some(directory.path()))).collect();
        helpers.iter_mut().for_each(|helper| helper.go(&blob));
        let mut answers: Vec<_> = helpers.into_iter().map(Helper::result).collect();
        answers.sort();
        let mut expected = vec!["AlreadyImported"; 15];
        expected.push("imported");
        assert_eq!(answers, expected);
    }
}

#[test]
fn of_sixteen_threads_one_imports() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    for round in 0..50 {
        let blob = export(&sspi, context(&sspi, round));
        let start = std::sync::Barrier::new(16);
        let import = || {
            start.wait();
            sspi.import_security_context(None, &blob).is_ok()
        };
        let imported = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(import)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|ok| *ok).count()
        });
        assert_eq!(imported, 1);
    }
}

#[test]
fn processes_that_start_at_once_make_one_host_key() {
    for _ in 0..4 {
        let parent = key_directory();
        let directory = parent.path().join("made-by-the-first");
        let mut helpers: Vec<_> = (0..16).map(|_| Helper::start("export", Some(&directory))).collect();
        assert!(!directory.exists(), "nothing is written before the first export");
        helpers.iter_mut().for_each(|helper| helper.go(&[9]));
        let blobs: Vec<_> = helpers.into_iter().map(|helper| hex::decode(helper.result()).unwrap()).collect();
        let sspi = sspi(&directory);
        for blob in &blobs {
            sspi.import_security_context(None, blob).unwrap();
        }
        let names = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("temporary")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn the_default_place_needs_no_configuration() {
    let sspi = process::default_sspi();
    let blob = export(&sspi, context(&sspi, 3));
    let start = || {
        Helper::start_with("import", None, |command| {
            // Neither must matter where the key is looked for.
            command.env("TMPDIR", "/nonexistent").env("XDG_RUNTIME_DIR", "/nonexistent").current_dir("/");
        })
    };
    for expected in ["imported", "AlreadyImported"] {
        let mut helper = start();
        helper.go(&blob);
        assert_eq!(helper.result(), expected);
    }
}

#[test]
fn replays_are_refused_here_and_elsewhere() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export(&sspi, context(&sspi, 1));
    sspi.import_security_context(None, &blob).unwrap();
    assert_eq!(refusal(&sspi, &blob), BlobRefused::AlreadyImported);
    assert_eq!(ask("import", directory.path(), &blob), "AlreadyImported");
}

#[test]
fn expired_blobs_are_refused() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export_for(&sspi, Duration::from_millis(30));
    std::thread::sleep(Duration::from_millis(40));
    assert_eq!(refusal(&sspi, &blob), BlobRefused::Expired);
    let in_time = export_for(&sspi, ExportOptions::MAX_LIFETIME);
    sspi.import_security_context(None, &in_time).unwrap();
}

#[test]
fn blobs_of_another_key_directory_are_refused() {
    let (one, other, never_used) = (key_directory(), key_directory(), key_directory());
    let blob = export_for(&sspi(one.path()), Duration::from_secs(60));
    let there = sspi(other.path());
    export_for(&there, Duration::from_secs(60));
    assert_eq!(refusal(&there, &blob), BlobRefused::HostKeyGone);
    assert_eq!(refusal(&sspi(never_used.path()), &blob), BlobRefused::HostKeyGone);
    let not_there = never_used.path().join("x");
    assert_eq!(refusal(&sspi(&not_there), &blob), BlobRefused::HostKeyGone);
    assert!(
        !not_there.exists() && never_used.path().read_dir().unwrap().next().is_none(),
        "imports make nothing"
    );
}

#[test]
fn a_change_of_any_byte_is_refused_and_uses_nothing_up() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export(&sspi, context(&sspi, 1));
    for index in 0..blob.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut changed = blob.clone();
            changed[index] ^= change;
            let refused = refusal(&sspi, &changed);
            assert_ne!(refused, BlobRefused::AlreadyImported, "byte {index}");
            if index >= 104 {
                assert_eq!(refused, BlobRefused::Damaged, "byte {index}");
            }
        }
    }
    sspi.import_security_context(None, &blob).unwrap();
}

#[test]
fn a_blob_cut_or_lengthened_is_refused() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export(&sspi, context(&sspi, 1));
    for length in 0..blob.len() {
        let expected = if length < 8 { BlobRefused::NotABlob } else { BlobRefused::Damaged };
        assert_eq!(refusal(&sspi, &blob[..length]), expected, "{length}");
    }
    assert_eq!(refusal(&sspi, &[&blob[..], &[0]].concat()), BlobRefused::Damaged);
    sspi.import_security_context(None, &blob).unwrap();
}

#[test]
fn newer_versions_and_other_packages_are_named() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export(&sspi, context(&sspi, 1));
    let with = |offset: usize, bytes: &[u8]| {
        let mut changed = blob.clone();
        changed[offset..offset + bytes.len()].copy_from_slice(bytes);
        changed
    };
    assert_eq!(refusal(&sspi, &with(8, &[2])), BlobRefused::NewerVersion { found: 2, newest: 1 });
    assert_eq!(
        refusal(&sspi, &with(88, b"Kerberos")),
        BlobRefused::UnknownPackage { name: "Kerberos".into() }
    );

    let two = Sspi::new(portable_sspi::SspiConfig {
        packages: vec![
            std::sync::Arc::new(common::toy_provider::ToyProvider::new("Other")),
            std::sync::Arc::new(common::toy_provider::ToyProvider::new("Toy")),
        ],
        host_key: portable_sspi::HostKeyScope::user_directory(directory.path()),
        ..portable_sspi::SspiConfig::default()
    })
    .unwrap();
    let wrong = two.import_security_context(Some("other"), &blob).unwrap_err();
    let expected = BlobRefused::WrongPackage { expected: "Other".into(), found: "Toy".into() };
    assert!(matches!(&wrong, Error::BlobRefused(refused) if *refused == expected), "{wrong:?}");
    let unknown = two.import_security_context(Some("NTLM"), &blob).unwrap_err();
    assert_eq!(unknown.status(), SecurityStatus::SEC_E_SECPKG_NOT_FOUND);
    assert_eq!(two.import_security_context(Some("tOY"), &blob).unwrap().package_info().name, "Toy");
}

#[test]
fn a_failed_export_gives_the_context_back() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (mut ours, mut peer) = (context(&sspi, 1), context(&sspi, 1));
    peer.unwrap(&mut ours.wrap(b"1").unwrap()).unwrap();
    for lifetime in [Duration::ZERO, ExportOptions::MAX_LIFETIME + Duration::from_millis(1)] {
        let failed = sspi
            .export_security_context(ours, &ExportOptions { lifetime, ..ExportOptions::default() })
            .unwrap_err();
        assert!(matches!(failed.error, Error::Misuse(Misuse::BadOption { option: "lifetime", .. })));
        ours = failed.context;
    }
    let foreign = Sspi::new(portable_sspi::SspiConfig::default()).unwrap();
    let failed = foreign.export_security_context(ours, &ExportOptions::default()).unwrap_err();
    assert!(matches!(failed.error, Error::Misuse(Misuse::UnknownPackage { .. })));
    ours = failed.context;
    assert_eq!(peer.unwrap(&mut ours.wrap(b"2").unwrap()).unwrap(), b"2");
}

#[test]
fn raw_flags_are_those_of_sspi_h() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (mut ours, mut peer) = (context(&sspi, 1), context(&sspi, 1));
    ours.wrap(b"lost").unwrap();
    for raw in [0, ExportFlags::RESET_NEW.bits(), 6] {
        let failed = sspi.export_security_context_with_flags(ours, raw).unwrap_err();
        assert!(
            matches!(failed.error, Error::Misuse(Misuse::NotSupported { .. })),
            "{raw}: {}",
            failed.error
        );
        ours = failed.context;
    }
    let blob = sspi.export_security_context_with_flags(ours, 3).unwrap();
    let mut reset = sspi.import_security_context(None, &blob).unwrap();
    assert_eq!(peer.unwrap(&mut reset.wrap(b"again").unwrap()).unwrap(), b"again", "RESET_NEW");
}

#[test]
fn keeping_the_original_has_a_name_of_its_own() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let mut ours = context(&sspi, 1);
    ours.wrap(b"1").unwrap();
    let blob =
        sspi.export_security_context_keeping_original(ours.as_ref(), &ExportOptions::default()).unwrap();
    let mut theirs = sspi.import_security_context(None, &blob).unwrap();
    assert_eq!(ours.wrap(b"2").unwrap(), theirs.wrap(b"2").unwrap(), "the two-time pad that is warned of");
}

#[test]
fn no_key_is_in_the_blob() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export(&sspi, context(&sspi, 0xA7));
    assert!(!blob.windows(4).any(|window| window == [0xA7; 4]));
    let again = export(&sspi, context(&sspi, 0xA7));
    assert_ne!(blob[104..], again[104..], "a key for each blob");
}

#[cfg(target_os = "linux")]
#[test]
fn another_user_is_refused() {
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65534;
    if !common::can_play_other_users("another_user_is_refused") {
        return;
    }
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export(&sspi, context(&sspi, 1));
    // Another user must be able to run this program.
    let program_directory = tempfile::Builder::new().permissions(mode(0o755)).tempdir_in("/tmp").unwrap();
    let program = program_directory.path().join("helper");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let as_nobody = |role: &str, input: &[u8]| {
        let mut helper = Helper::start_program(&program, role, Some(directory.path()), |command| {
            command.uid(NOBODY).gid(NOBODY).current_dir("/");
        });
        helper.go(input);
        helper.result()
    };
    assert_eq!(as_nobody("import", &blob), "WrongUser");
    let refused = as_nobody("export", &[1]);
    assert!(refused.contains(directory.path().to_str().unwrap()), "{refused}");
    // Even where he could read everything, it isn't his.
    std::fs::set_permissions(directory.path(), mode(0o777)).unwrap();
    assert!(as_nobody("export", &[1]).contains("belongs to user 0"));
}

#[cfg(target_os = "linux")]
fn mode(mode: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

#[test]
fn the_table_is_checked() {
    let table = |names: &[&'static str], directory: Option<&Path>| {
        Sspi::new(portable_sspi::SspiConfig {
            packages: names
                .iter()
                .map(|name| std::sync::Arc::new(common::toy_provider::ToyProvider::new(name)) as _)
                .collect(),
            host_key: directory.map_or_else(Default::default, portable_sspi::HostKeyScope::user_directory),
            ..portable_sspi::SspiConfig::default()
        })
        .map(|sspi| sspi.enumerate_security_packages().map(|info| info.name).collect::<Vec<_>>())
    };
    assert_eq!(table(&["B", "A"], None).unwrap(), ["B", "A"]);
    assert!(table(&["Toy", "tOY"], None).is_err());
    assert!(table(&["a name with spaces"], None).is_err());
    assert!(table(&["Toy"], Some(Path::new("relative"))).is_err());
}

#[test]
fn a_table_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Sspi>();
}

#[test]
fn a_handshake_runs_under_the_names_of_sspi() {
    use portable_sspi::{AcceptRequest, AcquireRequest, AuthIdentity, InitializeRequest, Step};

    let directory = key_directory();
    let sspi = sspi(directory.path());
    assert_eq!(sspi.query_security_package_info("TOY").unwrap().name, "Toy");
    let identity = AuthIdentity::new("alice", "TOY", "secret");
    let outbound = sspi.acquire_credentials_handle("toy", AcquireRequest::outbound(identity)).unwrap();
    let inbound = sspi.acquire_credentials_handle("toy", AcquireRequest::inbound()).unwrap();
    let first = sspi.initialize_security_context(&outbound, None, &InitializeRequest::default()).unwrap();
    let Step::ContinueNeeded { context: partial, token } = first else { panic!("{first:?}") };
    let request = AcceptRequest { token: &token, ..AcceptRequest::default() };
    let Step::Complete { context: mut server, token } =
        sspi.accept_security_context(&inbound, None, &request).unwrap()
    else {
        panic!("the server is done after one step")
    };
    let request = InitializeRequest { token: token.as_deref(), ..InitializeRequest::default() };
    let last = sspi.initialize_security_context(&outbound, Some(partial), &request).unwrap();
    let Step::Complete { context: mut client, .. } = last else { panic!("{last:?}") };
    assert_eq!(server.unwrap(&mut client.wrap(b"hello").unwrap()).unwrap(), b"hello");
    let foreign = portable_sspi::PartialContext::new("Other", ());
    let refused = sspi.initialize_security_context(&outbound, Some(foreign), &InitializeRequest::default());
    assert!(matches!(refused, Err(Error::Misuse(Misuse::ForeignObject))));
}
