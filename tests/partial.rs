//! Handshakes that are begun in one process and finished in another.
#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::ntlm::{SEALED, accept, complete, going_on, handshake, initialize, sspi};
use common::{key_directory, toy_provider::ToyProvider};
use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AscReq, BlobKind, BlobRefused, ChannelBindings, Clock, DenialReason,
    Error, ExportOptions, FileTime, Misuse, PartialContext, Sspi, SspiConfig,
};

fn export(sspi: &Sspi, context: PartialContext) -> Vec<u8> {
    sspi.export_partial_context(context, &ExportOptions::default()).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> BlobRefused {
    match result {
        Err(Error::BlobRefused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_sides_can_change_their_process_in_the_middle() {
    let directory = key_directory();
    let (here, there) = (sspi(directory.path()), sspi(directory.path()));
    let (mut client, mut server) = handshake(&here, SEALED, |partial| {
        there.import_partial_context(None, &export(&here, partial)).unwrap()
    });
    assert_eq!(server.unwrap(&mut client.wrap(b"there").unwrap()).unwrap(), b"there");
    assert_eq!(client.unwrap(&mut server.wrap(b"back").unwrap()).unwrap(), b"back");
    assert_eq!(server.names().user_name, r"CORP\alice");
}

#[test]
fn a_challenge_is_answered_once() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (client, negotiate) = going_on(initialize(&sspi, SEALED, None, &[]));
    let (server, challenge) = going_on(accept(&sspi, None, &negotiate).unwrap());
    let blob = export(&sspi, server);
    let (_, authenticate) = complete(initialize(&sspi, SEALED, Some(client), &challenge));
    // The wrong answer uses the challenge up as well.
    let partial = sspi.import_partial_context(Some("ntlm"), &blob).unwrap();
    let mut wrong = authenticate.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert!(matches!(accept(&sspi, Some(partial), &wrong), Err(Error::LogonDenied(_))));
    assert_eq!(refusal(sspi.import_partial_context(None, &blob)), BlobRefused::AlreadyImported);
}

#[test]
fn each_kind_is_imported_by_its_own_function() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (_, negotiate) = going_on(initialize(&sspi, SEALED, None, &[]));
    let partial = export(&sspi, going_on(accept(&sspi, None, &negotiate).unwrap()).0);
    let (client, server) = handshake(&sspi, SEALED, |partial| partial);
    let established = sspi.export_security_context(client, &ExportOptions::default()).unwrap();
    let mut many = Vec::new();
    assert_eq!(sspi.export_all([server], &mut many, &ExportOptions::default()).unwrap().exported, 1);

    for (blob, found) in
        [(&established, BlobKind::Context), (&partial, BlobKind::Partial), (&many, BlobKind::Many)]
    {
        let refused = [
            (BlobKind::Context, sspi.import_security_context(None, blob).map(|_| ())),
            (BlobKind::Partial, sspi.import_partial_context(None, blob).map(|_| ())),
            (BlobKind::Many, sspi.import_all(&blob[..]).map(|_| ())),
        ];
        for (expected, result) in refused {
            if expected != found {
                assert_eq!(refusal(result), BlobRefused::WrongKind { expected, found });
            } else {
                result.unwrap();
            }
        }
    }
}

#[test]
fn the_kind_cannot_be_changed_and_a_refusal_uses_nothing_up() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (_, negotiate) = going_on(initialize(&sspi, SEALED, None, &[]));
    let blob = export(&sspi, going_on(accept(&sspi, None, &negotiate).unwrap()).0);
    let kind = BlobRefused::WrongKind { expected: BlobKind::Context, found: BlobKind::Partial };
    assert_eq!(refusal(sspi.import_security_context(None, &blob)), kind);
    let mut faked = blob.clone();
    faked[12] = 0;
    assert_eq!(refusal(sspi.import_security_context(None, &faked)), BlobRefused::Damaged);
    faked[12] = 2;
    faked[88..104].fill(0);
    assert_eq!(refusal(sspi.import_all(&faked[..])), BlobRefused::Damaged);
    sspi.import_partial_context(None, &blob).unwrap();
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (_, negotiate) = going_on(initialize(&sspi, SEALED, None, &[]));
    let blob = export(&sspi, going_on(accept(&sspi, None, &negotiate).unwrap()).0);
    for index in 0..blob.len() {
        let mut changed = blob.clone();
        changed[index] ^= 0x10;
        let refused = refusal(sspi.import_partial_context(None, &changed));
        assert_ne!(refused, BlobRefused::AlreadyImported, "byte {index}");
    }
    sspi.import_partial_context(None, &blob).unwrap();
}

/// A time of day that the test sets.
#[derive(Debug)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> FileTime {
        FileTime(self.0.load(Ordering::Relaxed))
    }
}

#[test]
fn the_challenge_ages_in_the_blob() {
    let directory = key_directory();
    let clock = Arc::new(SetClock(AtomicU64::new(FileTime::from_unix_seconds(1_800_000_000).0)));
    let mut accounts = MemoryAccounts::new();
    accounts.add("alice", "CORP", "secret");
    let sspi = Sspi::new(SspiConfig {
        packages: vec![Arc::new(Ntlm::new(NtlmConfig {
            accounts: Some(Arc::new(accounts)),
            ..NtlmConfig::default()
        }))],
        host_key: portable_sspi::HostKeyScope::user_directory(directory.path()),
        clock: clock.clone(),
        ..SspiConfig::default()
    })
    .unwrap();
    for (seconds, ages) in [(299, false), (301, true)] {
        let (client, negotiate) = going_on(initialize(&sspi, SEALED, None, &[]));
        let (server, challenge) = going_on(accept(&sspi, None, &negotiate).unwrap());
        let blob = export(&sspi, server);
        let (_, authenticate) = complete(initialize(&sspi, SEALED, Some(client), &challenge));
        clock.0.fetch_add(seconds * 10_000_000, Ordering::Relaxed);
        let partial = sspi.import_partial_context(None, &blob).unwrap();
        match accept(&sspi, Some(partial), &authenticate) {
            Ok(_) => assert!(!ages, "{seconds} seconds"),
            Err(Error::LogonDenied(denied)) => {
                assert!(ages, "{seconds} seconds");
                assert_eq!(denied.audit_reason(), DenialReason::TimeSkew);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn the_channel_bindings_of_the_first_step_travel() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound()).unwrap();
    let bindings = ChannelBindings::tls_server_end_point(&[7; 32]);
    let (client, negotiate) = going_on(initialize(&sspi, SEALED, None, &[]));
    let first =
        AcceptRequest { token: &negotiate, channel_bindings: Some(&bindings), ..AcceptRequest::default() };
    let (server, challenge) = going_on(sspi.accept_security_context(&credentials, None, &first).unwrap());
    let server = sspi.import_partial_context(None, &export(&sspi, server)).unwrap();
    // This client binds to nothing, so the server that goes on must miss it.
    let (_, authenticate) = complete(initialize(&sspi, SEALED, Some(client), &challenge));
    let last =
        AcceptRequest { token: &authenticate, requirements: AscReq::empty(), ..AcceptRequest::default() };
    match sspi.accept_security_context(&credentials, Some(server), &last) {
        Err(Error::LogonDenied(denied)) => {
            assert_eq!(denied.audit_reason(), DenialReason::ChannelBindingsMissing);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_fails_gives_the_context_back() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (client, negotiate) = going_on(initialize(&sspi, SEALED, None, &[]));
    let (mut server, challenge) = going_on(accept(&sspi, None, &negotiate).unwrap());
    let zero = ExportOptions { lifetime: std::time::Duration::ZERO, ..ExportOptions::default() };
    let reset = ExportOptions { reset_new: true, ..ExportOptions::default() };
    for (options, option) in [(zero, "lifetime"), (reset, "reset_new")] {
        let failed = sspi.export_partial_context(server, &options).unwrap_err();
        assert!(
            matches!(failed.error, Error::Misuse(Misuse::BadOption { option: o, .. }) if o == option),
            "{}",
            failed.error
        );
        server = failed.context;
    }
    let foreign = Sspi::new(SspiConfig::default()).unwrap();
    server = foreign.export_partial_context(server, &ExportOptions::default()).unwrap_err().context;
    let (_, authenticate) = complete(initialize(&sspi, SEALED, Some(client), &challenge));
    complete(accept(&sspi, Some(server), &authenticate).unwrap());
}

#[test]
fn a_package_without_partial_contexts_says_so() {
    let directory = key_directory();
    let toy = Sspi::new(SspiConfig {
        packages: vec![Arc::new(ToyProvider::new("Toy"))],
        host_key: portable_sspi::HostKeyScope::user_directory(directory.path()),
        ..SspiConfig::default()
    })
    .unwrap();
    let partial = PartialContext::new("Toy", [1u8; 16]);
    let failed = toy.export_partial_context(partial, &ExportOptions::default()).unwrap_err();
    assert!(matches!(failed.error, Error::Misuse(Misuse::NotSupported { .. })));
    assert_eq!(*failed.context.downcast::<[u8; 16]>().unwrap(), [1; 16]);
}
