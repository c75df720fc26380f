//! Rules of [MS-NLMP] that no other test needs by the way. `docs/ms-nlmp.md` lists all that are obeyed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::messages::{
    ALWAYS_SIGN, CHALLENGE_FLAGS, ESS, FLAGS, KEY_128, KEY_EXCH, LM_KEY, NB_COMPUTER, NB_DOMAIN,
    NEGOTIATE_FLAGS, OEM, SEAL, SIGN, TARGET_INFO, TIMESTAMP, UNICODE, change_flags, edit, field,
    set_target_info, target_info, u32_at, utf16,
};
use common::{Setup, Token, old_client, permissive};
use portable_sspi_core::{Error, MalformedToken, Problem, SecurityStatus};
use portable_sspi_ntlm::{ServerNames, ServerPolicy};

const REQUEST_TARGET: u32 = 0x0000_0004;
const NTLM: u32 = 0x0000_0200;
const OEM_WORKSTATION_SUPPLIED: u32 = 0x0000_2000;
const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
const TARGET_TYPE_SERVER: u32 = 0x0002_0000;
const IDENTIFY: u32 = 0x0010_0000;
const KEY_56: u32 = 0x8000_0000;

/// The CHALLENGE that a server answers `offered` with.
fn challenge(setup: &Setup, offered: u32) -> Vec<u8> {
    setup.challenge(&old_client::negotiate(offered)).unwrap().challenge
}

#[test]
// MS-NLMP:2.2.2.1-server-names MS-NLMP:2.2.2.5-unicode-first MS-NLMP:2.2.2.5-always
// MS-NLMP:2.2.2.5-target-type MS-NLMP:2.2.2.5-protection-returned MS-NLMP:2.2.2.5-strength-returned
// MS-NLMP:2.2.2.5-lm-key-excluded MS-NLMP:3.2.5.1.1-target-name
fn what_a_challenge_says() {
    let setup = Setup { server_policy: permissive(), ..Setup::default() };
    let flags = |offered| u32_at(&challenge(&setup, offered), CHALLENGE_FLAGS);
    let always = REQUEST_TARGET | NTLM | ALWAYS_SIGN | TARGET_INFO;
    assert_eq!(flags(UNICODE) & always, always);
    assert_eq!(flags(UNICODE | OEM) & (UNICODE | OEM), UNICODE);
    assert_eq!(flags(OEM) & (UNICODE | OEM), OEM);

    let protection = ESS | SIGN | SEAL | IDENTIFY;
    assert_eq!(flags(UNICODE) & protection, 0);
    for one in [ESS, SIGN, SEAL, IDENTIFY, protection] {
        assert_eq!(flags(UNICODE | one) & protection, one, "{one:#x}");
    }
    let strength = KEY_EXCH | KEY_128 | KEY_56;
    for one in [0, KEY_EXCH, KEY_128, KEY_56, strength] {
        assert_eq!(flags(UNICODE | ESS | SIGN | one) & strength, one, "{one:#x}");
        assert_eq!(flags(UNICODE | ESS | one) & strength, 0, "{one:#x}");
    }
    assert_eq!(flags(UNICODE | SIGN | LM_KEY) & (ESS | LM_KEY), LM_KEY);
    assert_eq!(flags(UNICODE | SIGN | LM_KEY | ESS) & (ESS | LM_KEY), ESS);

    for (server_names, name, computer, target_type) in [
        (Setup::default().server_names, "CORP", "FILES", TARGET_TYPE_DOMAIN),
        (ServerNames::stand_alone("ALONE"), "ALONE", "ALONE", TARGET_TYPE_SERVER),
    ] {
        let message = challenge(&Setup { server_names, ..Setup::default() }, UNICODE);
        let both = TARGET_TYPE_DOMAIN | TARGET_TYPE_SERVER;
        assert_eq!(u32_at(&message, CHALLENGE_FLAGS) & both, target_type);
        assert_eq!(field(&message, 12), utf16(name));
        let pairs = target_info(&message);
        for (id, value) in [(NB_DOMAIN, name), (NB_COMPUTER, computer)] {
            assert_eq!(pairs.iter().filter(|pair| **pair == (id, utf16(value))).count(), 1);
        }
    }
}

#[test]
// MS-NLMP:2.2.1-maximum-length-ignored
fn a_maximum_length_is_not_looked_at() {
    // Of the CHALLENGE, where the MIC covers what the client saw, and of an AUTHENTICATE without one.
    let mut setup = Setup::default();
    let (at_client, _) = setup.start_client();
    let mut message = challenge(&setup, UNICODE | ESS | SIGN | SEAL | KEY_EXCH | KEY_128);
    message[14..16].copy_from_slice(&[0xFF, 0xFF]);
    message[42..44].copy_from_slice(&[0, 0]);
    assert!(setup.answer(at_client, &message).is_ok());

    setup.server_policy = ServerPolicy { require_mic: false, ..ServerPolicy::default() };
    for maximum in [[0, 0], [0xFF, 0xFF]] {
        let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
        let mut answer = old_client::authenticate(&at_server.challenge, "alice", "CORP", &Vec::new()).write();
        for offset in [12, 20, 28, 36, 44, 52] {
            answer[offset + 2..offset + 4].copy_from_slice(&maximum);
        }
        assert!(setup.finish(at_server.context, &answer).is_ok());
    }
}

#[test]
// MS-NLMP:2.2.1.1-ignored-unless-supplied
fn names_of_the_negotiate_count_only_with_their_flags() {
    let setup = Setup::default();
    let (_, mut negotiate) = setup.start_client();
    // A workstation far behind the message.
    negotiate[24..32].copy_from_slice(&[8, 0, 8, 0, 0xFF, 0xFF, 0, 0]);
    assert!(setup.challenge(&negotiate).is_ok());
    change_flags(&mut negotiate, NEGOTIATE_FLAGS, OEM_WORKSTATION_SUPPLIED, 0);
    let error = setup.challenge(&negotiate).err().unwrap();
    assert!(matches!(error, Error::Malformed(_)), "{error:?}");
}

#[test]
// MS-NLMP:2.2.1.2-reserved-ignored
fn reserved_bytes_of_a_challenge_are_ignored() {
    let setup = Setup::default();
    let (at_client, _) = setup.start_client();
    let mut message = challenge(&setup, UNICODE | ESS | SIGN | SEAL | KEY_EXCH | KEY_128);
    assert_eq!(message[32..40], [0; 8]);
    message[32..40].copy_from_slice(&[0xA5; 8]);
    assert!(setup.answer(at_client, &message).is_ok());
}

#[test]
// MS-NLMP:2.2.2.1-lengths
fn av_pairs_of_a_wrong_length_are_refused() {
    for (id, right) in [(FLAGS, 4), (TIMESTAMP, 8), (10, 16)] {
        for length in [0, right - 1, right + 1] {
            let setup = Setup::default();
            let result = setup.handshake_through(|token| {
                if let Token::Challenge(message) = token {
                    let mut pairs = target_info(message);
                    pairs.retain(|(other, _)| *other != id);
                    pairs.push((id, vec![0; length]));
                    set_target_info(message, &pairs);
                }
            });
            let common::Failure::Client(error) = result.unwrap_err() else { panic!("the server's error") };
            assert_eq!(error.status(), SecurityStatus::SEC_E_INVALID_TOKEN, "{id} with {length} bytes");

            let result = setup.handshake_through(|token| {
                if let Token::Authenticate(message) = token {
                    edit(message, |message| message.set_pairs(&vec![(id, vec![0; length])]));
                }
            });
            let common::Failure::Server(error) = result.unwrap_err() else { panic!("the client's error") };
            let Error::Malformed(malformed) = error else { panic!("{error:?}") };
            let expected = Problem::Length { expected: right, found: length };
            assert_eq!(malformed, MalformedToken::new("NTLMv2_CLIENT_CHALLENGE AvPairs", expected));
        }
    }
}
