//! The decoder behind the seal. Its input comes from a process of the same user, but a flaw there must not become one
//! here: whatever the bytes, an import ends in a context or a refusal, without a panic and without much memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AuthIdentity, Error, InitializeRequest, IscReq, PortableState, Provider,
    Step,
};
use portable_sspi_ntlm::{MemoryAccounts, Ntlm, NtlmConfig};
use proptest::prelude::*;
use proptest::sample::Index;

use common::World;

fn ntlm() -> Ntlm {
    let mut accounts = MemoryAccounts::new();
    accounts.add("alice", "CORP", "secret");
    Ntlm::new(NtlmConfig { accounts: Some(std::sync::Arc::new(accounts)), ..NtlmConfig::default() })
}

/// The bytes of a client's and a server's partial state, and of their established ones in mid-stream.
fn states(ntlm: &Ntlm) -> [Vec<u8>; 4] {
    let world = World::default();
    let environment = world.environment();
    let client =
        ntlm.acquire(AcquireRequest::outbound(AuthIdentity::new("alice", "CORP", "secret"))).unwrap();
    let server = ntlm.acquire(AcquireRequest::inbound()).unwrap();
    let request = InitializeRequest { requirements: IscReq::CONFIDENTIALITY, ..InitializeRequest::default() };
    let Step::ContinueNeeded { context: at_client, token } =
        ntlm.initialize(&client, None, &request, &environment).unwrap()
    else {
        panic!("no NEGOTIATE")
    };
    let accept = AcceptRequest { token: &token, ..AcceptRequest::default() };
    let Step::ContinueNeeded { context: at_server, token } =
        ntlm.accept(&server, None, &accept, &environment).unwrap()
    else {
        panic!("no CHALLENGE")
    };
    let (at_client, at_server) =
        (ntlm.export_partial(at_client).unwrap(), ntlm.export_partial(at_server).unwrap());
    let partial = ntlm.import_partial(&at_client).unwrap();
    let request = InitializeRequest { token: Some(&token), ..request };
    let Step::Complete { context: mut initiator, token: Some(token) } =
        ntlm.initialize(&client, Some(partial), &request, &environment).unwrap()
    else {
        panic!("no AUTHENTICATE")
    };
    let partial = ntlm.import_partial(&at_server).unwrap();
    let accept = AcceptRequest { token: &token, ..AcceptRequest::default() };
    let Step::Complete { context: mut acceptor, .. } =
        ntlm.accept(&server, Some(partial), &accept, &environment).unwrap()
    else {
        panic!("not accepted")
    };
    acceptor.unwrap(&mut initiator.wrap(b"there").unwrap()).unwrap();
    initiator.unwrap(&mut acceptor.wrap(b"back").unwrap()).unwrap();
    [at_client, at_server, ntlm.export(initiator).unwrap(), ntlm.export(acceptor).unwrap()]
        .map(|state| state.to_bytes().to_vec())
}

/// Imports in every way. What is taken must be whole: it can be used and exported again.
fn import(ntlm: &Ntlm, bytes: &[u8]) {
    let refused = |error| assert!(matches!(error, Error::BlobRefused(_)), "{error}");
    let Ok(state) = PortableState::from_bytes(bytes) else { return };
    match ntlm.import(&state) {
        Ok(mut context) => {
            let _ = (context.names(), context.native_names(), context.key_info(), format!("{context:?}"));
            // Not every context protects messages; none panics.
            let _ = context.wrap(b"message");
            let _ = context.unwrap(&mut [1; 40]);
            let again = ntlm.export(context).unwrap();
            assert!(ntlm.import(&again).is_ok());
        }
        Err(error) => refused(error),
    }
    match ntlm.import_partial(&state) {
        Ok(context) => {
            let again = ntlm.export_partial(context).unwrap();
            assert!(ntlm.import_partial(&again).is_ok());
        }
        Err(error) => refused(error),
    }
    if let Err(error) = ntlm.reset(&state) {
        refused(error);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_states_are_refused_or_whole(
        which in 0usize..4,
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), any::<bool>()), 1..4),
        cut in prop::option::of(any::<Index>()),
        more in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let ntlm = ntlm();
        let mut bytes = states(&ntlm)[which].clone();
        for (at, value, from_start) in changes {
            // Behind the version, and often among the lengths and tags at the start.
            let length = if from_start { bytes.len().min(40) } else { bytes.len() };
            bytes[2 + at.index(length - 2)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend_from_slice(&more);
        import(&ntlm, &bytes);
    }

    #[test]
    fn random_states_are_refused_or_whole(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        import(&ntlm(), &[&[1, 0], &bytes[..]].concat());
    }
}

/// bincode's markers for long integers, as lengths at every place: nothing is allocated that the bytes don't fill.
#[test]
fn huge_lengths_are_refused_at_every_place() {
    let ntlm = ntlm();
    for bytes in states(&ntlm) {
        for place in 2..bytes.len() {
            for marker in [0xFB, 0xFC, 0xFD] {
                let huge = [&bytes[..place], &[marker], &[0xFF; 7], &[0x7F], &bytes[place..]].concat();
                import(&ntlm, &huge);
            }
        }
    }
}
