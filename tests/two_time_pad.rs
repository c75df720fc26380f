//! What goes wrong with two copies of one context, with real ones: the reason why an export takes its context.
#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::key_directory;
use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, ExportOptions, HostKeyScope, InitializeRequest, IscReq,
    SecurityContext, Sspi, SspiConfig, Step,
};

type Context = Box<dyn SecurityContext>;

/// Of the 16 bytes of an NTLM signature in front of a sealed message.
const SIGNATURE: usize = 16;

fn sspi(directory: &Path) -> Sspi {
    let mut accounts = MemoryAccounts::new();
    accounts.add("alice", "", "secret");
    let ntlm = Ntlm::new(NtlmConfig { accounts: Some(Arc::new(accounts)), ..NtlmConfig::default() });
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ntlm)],
        host_key: HostKeyScope::user_directory(directory),
        ..SspiConfig::default()
    })
    .unwrap()
}

/// A client's context and its server's.
fn pair(sspi: &Sspi) -> (Context, Context) {
    let outbound = AcquireRequest::outbound(AuthIdentity::new("alice", "", "secret"));
    let client = sspi.acquire_credentials_handle("NTLM", outbound).unwrap();
    let server = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound()).unwrap();
    let (mut at_client, mut at_server, mut to_client) = (None, None, Vec::new());
    loop {
        let request = InitializeRequest {
            requirements: IscReq::CONFIDENTIALITY,
            token: Some(&to_client),
            ..InitializeRequest::default()
        };
        let (done, token) =
            match sspi.initialize_security_context(&client, at_client.take(), &request).unwrap() {
                Step::ContinueNeeded { context, token } => {
                    at_client = Some(context);
                    (None, token)
                }
                Step::Complete { context, token } => (Some(context), token.unwrap()),
            };
        let request = AcceptRequest { token: &token, ..AcceptRequest::default() };
        match sspi.accept_security_context(&server, at_server.take(), &request).unwrap() {
            Step::ContinueNeeded { context, token } => {
                at_server = Some(context);
                to_client = token;
            }
            Step::Complete { context, .. } => return (done.unwrap(), context),
        }
    }
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

#[test]
fn two_copies_of_one_context_give_both_messages_away() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (mut original, mut peer) = pair(&sspi);
    peer.unwrap(&mut original.wrap(b"before the copy").unwrap()).unwrap();
    let blob =
        sspi.export_security_context_keeping_original(original.as_ref(), &ExportOptions::default()).unwrap();
    let mut copy = sspi.import_security_context(Some("NTLM"), &blob).unwrap();

    let (p, q) = (b"pay 100 to bob  ", b"attack at dawn !");
    let (of_original, of_copy) = (original.wrap(p).unwrap(), copy.wrap(q).unwrap());
    // All that the eavesdropper has are the two ciphertexts.
    let seen = xor(&of_original[SIGNATURE..], &of_copy[SIGNATURE..]);
    assert_eq!(seen, xor(p, q));
    assert_eq!(xor(&seen, p), q, "a guess at the one is the other");

    // And each passes as the next message: the peer cannot tell which of the two is missing.
    assert_eq!(peer.unwrap(&mut of_copy.clone()).unwrap(), q);
    assert!(peer.unwrap(&mut of_original.clone()).is_err(), "its number is used");
}

#[test]
fn one_after_the_other_uses_no_keystream_twice() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (mut original, mut peer) = pair(&sspi);
    let (p, q) = (b"pay 100 to bob  ", b"attack at dawn !");
    let mut first = original.wrap(p).unwrap();
    let blob = sspi.export_security_context(original, &ExportOptions::default()).unwrap();
    let mut second = sspi.import_security_context(Some("NTLM"), &blob).unwrap().wrap(q).unwrap();
    assert_ne!(xor(&first[SIGNATURE..], &second[SIGNATURE..]), xor(p, q));
    assert_eq!(peer.unwrap(&mut first).unwrap(), p);
    assert_eq!(peer.unwrap(&mut second).unwrap(), q);
}

#[test]
fn reset_new_starts_over_under_the_same_keys() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let (mut original, peer) = pair(&sspi);
    let options = ExportOptions { reset_new: true, ..ExportOptions::default() };
    let (p, q) = (b"pay 100 to bob  ", b"attack at dawn !");
    let of_original = original.wrap(p).unwrap();
    let session_key = original.session_key().duplicate();

    // As Windows documents SECPKG_CONTEXT_EXPORT_RESET_NEW: the new context is as right after the authentication.
    let blob = sspi.export_security_context(original, &options).unwrap();
    let mut reset = sspi.import_security_context(Some("NTLM"), &blob).unwrap();
    assert!(reset.session_key().ct_eq(&session_key));
    let of_reset = reset.wrap(q).unwrap();
    assert_eq!(of_reset[12..16], of_original[12..16], "the sequence number of the first message");
    assert_eq!(xor(&of_original[SIGNATURE..], &of_reset[SIGNATURE..]), xor(p, q), "the same keystream");

    // A peer that starts over as well understands it.
    let blob = sspi.export_security_context(peer, &options).unwrap();
    let mut peer = sspi.import_security_context(Some("NTLM"), &blob).unwrap();
    assert_eq!(peer.unwrap(&mut of_reset.clone()).unwrap(), q);
}
