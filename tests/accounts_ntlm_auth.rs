//! Handshakes that Samba's `ntlm_auth` verifies.
//!
//! Needs the Debian package winbind, or what other systems call it. Where it is missing, each test says so and passes,
//! unless `PORTABLE_SSPI_REQUIRE_PEERS=1` makes that a failure. Helpers that misbehave are in the crate's own tests.

#![cfg(all(unix, feature = "ntlm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]

#[path = "accounts/handshake.rs"]
mod handshake;
#[path = "accounts/samba.rs"]
mod samba;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use handshake::{handshake, log_on};
use portable_sspi::accounts::{NtlmAuthConfig, NtlmAuthHelper};
use portable_sspi::ntlm::{
    ClientPolicy, LmCompatibilityLevel, NegotiateFlags, Ntlm, NtlmConfig, ServerPolicy,
};
use portable_sspi::{AuthIdentity, DenialReason, Error, SecurityStatus, Sspi, SspiConfig, Unavailable};
use samba::PASSWORD;

fn server(program: &Path, directory: &Path, processes: usize, domains: &[&str]) -> Sspi {
    let helper = NtlmAuthHelper::new(NtlmAuthConfig {
        program: program.to_owned(),
        arguments: samba::with_password(directory),
        processes,
        time_limit: Duration::from_secs(60),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
    })
    .unwrap();
    handshake::server(Arc::new(helper))
}

fn denial(result: Result<handshake::Pair, Error>) -> DenialReason {
    match result {
        Err(Error::LogonDenied(denied)) => denied.audit_reason(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_handshake_verified_by_samba() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let server = server(program, directory.path(), 1, &[]);
    for (user, domain, name) in [
        ("alice", "CORP", r"CORP\alice"),
        ("Jürgen", "Übung", r"Übung\Jürgen"),
        ("alice@corp.example", "", "alice@corp.example"),
        ("alice", "", "alice"),
        ("no newline: \u{2028}", "CORP", "CORP\\no newline: \u{2028}"),
    ] {
        let (at_client, at_server) = log_on(&server, user, domain, PASSWORD).unwrap();
        assert_eq!(at_server.names().user_name, name);
        assert!(at_server.session_key().ct_eq(at_client.session_key()));
    }
}

/// With extended session security Samba must be asked with another challenge than the server's; without it, with that.
#[test]
fn ntlmv1_is_verified_where_the_policy_admits_it() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let helper = Arc::new(
        NtlmAuthHelper::new(NtlmAuthConfig {
            program: program.to_owned(),
            arguments: samba::with_password(directory.path()),
            time_limit: Duration::from_secs(60),
            ..NtlmAuthConfig::default()
        })
        .unwrap(),
    );
    // LM_KEY, which 128 bits exclude, would need the LM hash, and the helper tells only the session key.
    let minimum_flags = NegotiateFlags::KEY_128;
    for level in [LmCompatibilityLevel::Level1, LmCompatibilityLevel::Level0] {
        let ntlm = Ntlm::new(NtlmConfig {
            accounts: Some(helper.clone()),
            server_policy: ServerPolicy { level, minimum_flags, ..ServerPolicy::default() },
            client_policy: ClientPolicy { level, minimum_flags, ..ClientPolicy::default() },
            ..NtlmConfig::default()
        });
        let sspi = Sspi::new(SspiConfig { packages: vec![Arc::new(ntlm)], ..SspiConfig::default() }).unwrap();
        let logon = |password| handshake(&sspi, &sspi, Some(AuthIdentity::new("alice", "CORP", password)));
        let (client, server) = logon(PASSWORD).unwrap();
        assert!(client.session_key().ct_eq(server.session_key()), "{level:?}");
        assert_eq!(denial(logon("wrong")), DenialReason::RefusedByAuthority, "{level:?}");
    }
}

#[test]
fn a_wrong_password_is_refused_and_the_next_logon_is_not() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let server = server(program, directory.path(), 1, &[]);
    for _ in 0..3 {
        assert_eq!(denial(log_on(&server, "alice", "CORP", "wrong")), DenialReason::RefusedByAuthority);
        log_on(&server, "alice", "CORP", PASSWORD).unwrap();
    }
}

#[test]
fn a_name_that_samba_would_read_as_another_is_refused() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let server = server(program, directory.path(), 1, &[]);
    for (user, domain) in [
        ("alice\0root", "CORP"),
        ("alice\nUsername: root", "CORP"),
        (r"OTHER\alice", "CORP"),
        ("alice", "CORP\0"),
        ("alice", "CORP\r\nUsername: root"),
    ] {
        assert_eq!(denial(log_on(&server, user, domain, PASSWORD)), DenialReason::UnknownAccount, "{user:?}");
    }
}

#[test]
fn domains_that_are_not_listed_are_refused() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let server = server(program, directory.path(), 1, &["CORP"]);
    let (_, at_server) = log_on(&server, "alice", "corp", PASSWORD).unwrap();
    assert_eq!(at_server.names().user_name, r"CORP\alice");
    assert_eq!(denial(log_on(&server, "alice", "OTHER", PASSWORD)), DenialReason::UnknownAccount);
    // A wrong password is the authority's to refuse, also there.
    assert_eq!(denial(log_on(&server, "alice", "OTHER", "wrong")), DenialReason::RefusedByAuthority);
}

/// Sixteen threads, four processes: each gets the verdict and the key of its own logon.
#[test]
fn many_at_once() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let server = server(program, directory.path(), 4, &[]);
    thread::scope(|scope| {
        for thread in 0..16 {
            let server = &server;
            scope.spawn(move || {
                let user = format!("user{thread}");
                for round in 0..10 {
                    if (thread + round) % 3 == 0 {
                        let denied = log_on(server, &user, "CORP", "wrong");
                        assert_eq!(denial(denied), DenialReason::RefusedByAuthority);
                    } else {
                        // Its messages are unsealed: the key is that of this logon.
                        let (_, at_server) = log_on(server, &user, "CORP", PASSWORD).unwrap();
                        assert_eq!(at_server.names().user_name, format!(r"CORP\{user}"));
                    }
                }
            });
        }
    });
}

#[test]
fn without_winbindd_nobody_is_denied() {
    let Some(program) = samba::ntlm_auth() else { return };
    let directory = tempfile::tempdir().unwrap();
    let helper = NtlmAuthHelper::new(NtlmAuthConfig {
        program: program.to_owned(),
        arguments: samba::without_winbindd(directory.path()),
        time_limit: Duration::from_secs(60),
        ..NtlmAuthConfig::default()
    })
    .unwrap();
    let error = log_on(&handshake::server(Arc::new(helper)), "alice", "CORP", PASSWORD).unwrap_err();
    assert!(matches!(error, Error::Unavailable(Unavailable::Authority { .. })), "{error:?}");
    assert_eq!(error.status(), SecurityStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
}
