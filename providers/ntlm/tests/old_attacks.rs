//! Attacks on servers and clients that admit everything: what is given away by policy is given away, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::messages::{
    Authenticate, CHALLENGE_FLAGS, ESS, KEY_EXCH, LM_KEY, NEGOTIATE_FLAGS, SEAL, SIGN, UNICODE, change_flags,
    edit, utf16,
};
use common::old_client::{self, Kind};
use common::{Failure, Setup, Token, client_level, permissive};
use portable_sspi_core::{
    AscReq, ChannelBindings, DenialReason, Error, IscReq, PeerMisbehaved, SecurityStatus,
};
use portable_sspi_ntlm::{
    ChannelBindingPolicy, ClientPolicy, LmCompatibilityLevel, NegotiateFlags, ServerPolicy,
};

fn everything() -> Setup {
    Setup {
        server_policy: permissive(),
        server_requirements: AscReq::ALLOW_NULL_SESSION | AscReq::ALLOW_MISSING_BINDINGS,
        client_policy: client_level(LmCompatibilityLevel::Level1),
        requirements: IscReq::empty(),
        lm_hashes: true,
        ..Setup::default()
    }
}

/// What a server makes of an old client's answer that was changed on its way.
fn verdict(setup: &Setup, offered: u32, kind: Kind, change: impl Fn(&mut Authenticate)) -> Result<(), Error> {
    let at_server = setup.challenge(&old_client::negotiate(UNICODE | offered)).unwrap();
    let mut answer = old_client::authenticate_as(kind, &at_server.challenge);
    change(&mut answer);
    setup.finish(at_server.context, &answer.write()).map(drop)
}

#[track_caller]
fn denied(result: Result<(), Error>) -> DenialReason {
    Failure::Server(result.unwrap_err()).denied()
}

/// Controls: what the attacks below change is otherwise admitted.
#[test]
fn what_is_not_changed_is_admitted() {
    for (offered, kind) in [(ESS, Kind::NtlmV1), (0, Kind::NtlmV1), (0, Kind::Lm), (0, Kind::LmV2)] {
        verdict(&everything(), offered, kind, |_| {}).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
}

/// With extended session security the LM field carries a nonce: comparing it proves nothing.
#[test]
fn no_nt_response_or_garbage_with_extended_session_security() {
    let setup = everything();
    let reason = |change: &dyn Fn(&mut Authenticate)| denied(verdict(&setup, ESS, Kind::NtlmV1, change));
    assert_eq!(reason(&|message| message.nt.clear()), DenialReason::NoNtResponse);
    let nonce_and_zeros = reason(&|message| {
        message.nt.clear();
        message.lm = [[0x33; 8], [0; 8], [0; 8]].concat();
    });
    assert_eq!(nonce_and_zeros, DenialReason::NoNtResponse);
    // Nor does a right LM or LMv2 response count there.
    for kind in [Kind::Lm, Kind::LmV2] {
        assert_eq!(denied(verdict(&setup, ESS, kind, |_| {})), DenialReason::NoNtResponse);
    }
    for garbage in [[0; 24], [0xA5; 24]] {
        let reason = reason(&|message| message.nt = garbage.to_vec());
        assert_eq!(reason, DenialReason::BadNtResponse);
    }
    // The response without extended session security, and another nonce.
    let reason_of_lm = reason(&|message| message.lm[7] ^= 1);
    assert_eq!(reason_of_lm, DenialReason::BadNtResponse);
    for length in [0, 7, 8, 23, 25] {
        let result = verdict(&setup, ESS, Kind::NtlmV1, |message| message.lm.resize(length, 0));
        assert!(matches!(result, Err(Error::Malformed(_))), "LM field of {length} bytes: {result:?}");
    }
    for length in [1, 8, 16, 23, 25, 40] {
        let result = verdict(&setup, ESS, Kind::NtlmV1, |message| message.nt.resize(length, 0));
        assert!(matches!(result, Err(Error::Malformed(_))), "NT response of {length} bytes: {result:?}");
    }
}

/// A right LM or LMv2 response beside a wrong NT response.
#[test]
fn lm_is_no_second_chance_after_a_failed_nt_response() {
    let setup = everything();
    let wrong_nt = denied(verdict(&setup, 0, Kind::NtlmV1, |message| message.nt[0] ^= 1));
    assert_eq!(wrong_nt, DenialReason::BadNtResponse, "LM beside it is right");
    let lm_for_nt = denied(verdict(&setup, 0, Kind::NtlmV1, |message| message.nt = message.lm.clone()));
    assert_eq!(lm_for_nt, DenialReason::BadNtResponse);
    for kind in [Kind::Lm, Kind::LmV2] {
        for nt in [vec![0; 24], vec![1; 24]] {
            let reason = denied(verdict(&setup, 0, kind, |message| message.nt = nt.clone()));
            assert_eq!(reason, DenialReason::BadNtResponse);
        }
    }
    // CVE-2019-1338: NTLMv2, altered, with LMv2 that is right.
    let at_server = setup.challenge(&old_client::negotiate(UNICODE)).unwrap();
    let mut answer = old_client::authenticate(&at_server.challenge, "alice", "CORP", &Vec::new());
    answer.nt[0] ^= 1;
    assert_eq!(
        denied(setup.finish(at_server.context, &answer.write()).map(drop)),
        DenialReason::BadNtResponse
    );
}

#[test]
fn a_wrong_lm_or_lmv2_response_alone() {
    let setup = everything();
    for kind in [Kind::Lm, Kind::LmV2] {
        for byte in 0..24 {
            let reason = denied(verdict(&setup, 0, kind, |message| message.lm[byte] ^= 0x80));
            assert_eq!(reason, DenialReason::BadNtResponse, "{kind:?}, byte {byte}");
        }
        assert_eq!(
            denied(verdict(&setup, 0, kind, |message| message.user = utf16("mallory"))),
            DenialReason::UnknownAccount
        );
        for length in [0, 1, 16, 23, 25] {
            let reason = denied(verdict(&setup, 0, kind, |message| message.lm.resize(length, 0)));
            assert_eq!(reason, DenialReason::NoNtResponse, "{length} bytes");
        }
    }
    for zeros in [vec![0; 24], [vec![0x44; 8], vec![0; 16]].concat()] {
        let reason = denied(verdict(&setup, 0, Kind::Lm, |message| message.lm = zeros.clone()));
        assert_eq!(reason, DenialReason::BadNtResponse);
    }
    // The response of the NT hash, which NTLMv1 sends in the LM field, is no LM response.
    let at_server = setup.challenge(&old_client::negotiate(UNICODE)).unwrap();
    let mut answer = old_client::authenticate_as(Kind::NtlmV1, &at_server.challenge);
    answer.lm = std::mem::take(&mut answer.nt);
    assert_eq!(
        denied(setup.finish(at_server.context, &answer.write()).map(drop)),
        DenialReason::BadNtResponse
    );
    // An account that has no LM hash.
    let setup = Setup { lm_hashes: false, ..everything() };
    assert_eq!(denied(verdict(&setup, 0, Kind::Lm, |_| {})), DenialReason::BadNtResponse);
    verdict(&setup, 0, Kind::LmV2, |_| {}).unwrap();
}

#[test]
fn a_key_exchange_without_a_key() {
    let setup = everything();
    for kind in [Kind::NtlmV1, Kind::Lm] {
        for length in [0, 1, 8, 15, 17] {
            let result = verdict(&setup, SIGN | KEY_EXCH, kind, |message| message.key = vec![0; length]);
            assert!(matches!(result, Err(Error::Malformed(_))), "{length} bytes: {result:?}");
        }
        verdict(&setup, SIGN | KEY_EXCH, kind, |message| message.key = vec![0; 16]).unwrap();
    }
}

/// NTLMv1 can carry neither, so what demands them refuses it.
#[test]
fn ntlmv1_where_bindings_or_a_service_name_are_demanded() {
    let bindings = ChannelBindings::tls_server_end_point(&[1; 32]);
    let with = |channel_bindings| Setup {
        server_policy: ServerPolicy { channel_bindings, ..permissive() },
        server_bindings: Some(bindings.clone()),
        ..everything()
    };
    for policy in [ChannelBindingPolicy::Always, ChannelBindingPolicy::WhenSupported] {
        for (offered, kind) in [(ESS, Kind::NtlmV1), (0, Kind::NtlmV1), (0, Kind::Lm), (0, Kind::LmV2)] {
            let reason = denied(verdict(&with(policy), offered, kind, |_| {}));
            assert_eq!(reason, DenialReason::ChannelBindingsNeedNtlmv2);
        }
    }
    verdict(&with(ChannelBindingPolicy::Never), ESS, Kind::NtlmV1, |_| {}).unwrap();
    let mut named = everything();
    named.server_policy.accepted_spns = vec!["HTTP/files".to_owned()];
    verdict(&named, ESS, Kind::NtlmV1, |_| {}).unwrap();
    named.server_policy.require_spn = true;
    assert_eq!(denied(verdict(&named, ESS, Kind::NtlmV1, |_| {})), DenialReason::TargetNameMissing);
}

/// NTLMv2 clients, by the policy about bindings.
#[test]
fn channel_bindings_never_when_supported_and_always() {
    let bindings = |certificate: u8| ChannelBindings::tls_server_end_point(&[certificate; 32]);
    let run = |channel_bindings, client: Option<u8>| {
        let setup = Setup {
            client_bindings: client.map(bindings),
            server_bindings: Some(bindings(1)),
            server_policy: ServerPolicy { channel_bindings, ..ServerPolicy::default() },
            ..Setup::default()
        };
        setup.handshake().map(drop).map_err(Failure::denied)
    };
    use ChannelBindingPolicy as P;
    for policy in [P::Never, P::WhenSupported, P::Always] {
        assert_eq!(run(policy, Some(1)), Ok(()));
    }
    assert_eq!(run(P::Never, Some(2)), Ok(()));
    assert_eq!(run(P::Never, None), Ok(()));
    assert_eq!(run(P::WhenSupported, None), Ok(()));
    assert_eq!(run(P::WhenSupported, Some(2)), Err(DenialReason::ChannelBindingsMismatch));
    assert_eq!(run(P::Always, None), Err(DenialReason::ChannelBindingsMissing));
    assert_eq!(run(P::Always, Some(2)), Err(DenialReason::ChannelBindingsMismatch));
}

#[test]
fn an_old_answer_that_comes_too_late_or_twice() {
    let setup = everything();
    let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
    let answer = old_client::authenticate_as(Kind::NtlmV1, &at_server.challenge).write();
    // To another challenge.
    let another = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
    assert_eq!(denied(setup.finish(another.context, &answer).map(drop)), DenialReason::BadNtResponse);
    setup.world.pass_seconds(5 * 60 + 1);
    assert_eq!(denied(setup.finish(at_server.context, &answer).map(drop)), DenialReason::TimeSkew);
}

/// Nothing of NTLMv1 covers the flags, so whoever is in the middle can take extended session security away; either side's
/// policy notices.
#[test]
fn extended_session_security_taken_away_is_noticed_by_either_policy() {
    let strip = |setup: &Setup| {
        setup.handshake_through(|token| match token {
            Token::Negotiate(message) => change_flags(message, NEGOTIATE_FLAGS, 0, ESS),
            Token::Challenge(message) => change_flags(message, CHALLENGE_FLAGS, 0, ESS),
            Token::Authenticate(_) => {}
        })
    };
    assert!(strip(&everything()).is_ok(), "given away");
    let mut setup = everything();
    setup.client_policy.minimum_flags = NegotiateFlags::EXTENDED_SESSIONSECURITY;
    match strip(&setup).unwrap_err() {
        Failure::Client(Error::Peer(PeerMisbehaved::TooWeak { missing })) => {
            assert_eq!(missing, "EXTENDED_SESSIONSECURITY");
        }
        other => panic!("{other:?}"),
    }
    let mut setup = everything();
    setup.server_policy.minimum_flags = NegotiateFlags::EXTENDED_SESSIONSECURITY;
    assert_eq!(strip(&setup).unwrap_err().denied(), DenialReason::Ntlmv1Refused);
}

/// A server that turns on what makes the client's keys weak.
#[test]
fn a_challenge_that_asks_for_the_lm_key() {
    for policy in [ClientPolicy::default(), client_level(LmCompatibilityLevel::Level2)] {
        let relaxed = ClientPolicy { minimum_flags: NegotiateFlags::UNICODE, ..policy };
        for (flag, name) in [(LM_KEY, "LM_KEY"), (0x0040_0000, "REQUEST_NON_NT_SESSION_KEY")] {
            let setup = Setup {
                requirements: IscReq::CONFIDENTIALITY,
                client_policy: relaxed.clone(),
                ..everything()
            };
            let result = setup.handshake_through(|token| match token {
                Token::Negotiate(message) => change_flags(message, NEGOTIATE_FLAGS, 0, ESS),
                Token::Challenge(message) => change_flags(message, CHALLENGE_FLAGS, flag, 0),
                Token::Authenticate(_) => {}
            });
            match result.unwrap_err() {
                Failure::Client(Error::Peer(PeerMisbehaved::NotOffered { flag })) => assert_eq!(flag, name),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// With NTLMv2, a permissive policy gives away only what it says: the attacks on its AV pairs and MIC fail as ever.
#[test]
fn ntlmv2_is_as_safe_beside_ntlmv1() {
    let setup = Setup { client_policy: ClientPolicy::default(), ..everything() };
    let reason = |change: &dyn Fn(&mut Authenticate)| {
        let result = setup.handshake_through(|token| {
            if let Token::Authenticate(message) = token {
                edit(message, change);
            }
        });
        result.unwrap_err().denied()
    };
    // CVE-2019-1040.
    assert_eq!(reason(&|message| message.mic = None), DenialReason::MicMissing);
    assert_eq!(reason(&|message| message.mic = Some([0; 16])), DenialReason::MicMismatch);
    // CVE-2019-1166.
    let pairs_changed = reason(&|message| {
        let pairs = message.pairs();
        message.set_pairs(&pairs.into_iter().filter(|(id, _)| *id != 6).collect());
    });
    assert_eq!(pairs_changed, DenialReason::BadNtResponse);
    // Made an older response.
    assert_eq!(reason(&|message| message.nt.truncate(24)), DenialReason::BadNtResponse);
    assert_eq!(reason(&|message| message.nt.clear()), DenialReason::NoNtResponse);
}

#[test]
fn all_failed_logons_look_the_same_whatever_their_kind() {
    let setup = everything();
    let strict = Setup { server_policy: ServerPolicy::default(), ..everything() };
    let bound =
        Setup { server_bindings: Some(ChannelBindings::tls_server_end_point(&[1; 32])), ..everything() };
    let failures = [
        verdict(&setup, ESS, Kind::NtlmV1, |message| message.nt[0] ^= 1),
        verdict(&setup, ESS, Kind::NtlmV1, |message| message.user = utf16("mallory")),
        verdict(&setup, 0, Kind::NtlmV1, |message| message.user = utf16("mallory")),
        verdict(&setup, 0, Kind::Lm, |message| message.lm[0] ^= 1),
        verdict(&setup, 0, Kind::LmV2, |message| message.user = utf16("mallory")),
        verdict(&setup, ESS, Kind::NtlmV1, |message| message.nt.clear()),
        verdict(&strict, ESS, Kind::NtlmV1, |_| {}),
        verdict(&strict, 0, Kind::Lm, |_| {}),
        verdict(&bound, ESS, Kind::NtlmV1, |_| {}),
    ];
    let mut shown: Vec<_> = failures
        .into_iter()
        .map(|failure| {
            let error = failure.unwrap_err();
            assert_eq!(error.status(), SecurityStatus::SEC_E_LOGON_DENIED);
            format!("{error} {error:?} {error:#?}")
        })
        .collect();
    shown.dedup();
    assert_eq!(shown.len(), 1);
}

/// What the flags of an old client's AUTHENTICATE say is not looked at either.
#[test]
fn flags_of_an_old_authenticate_decide_nothing() {
    let setup = everything();
    for flags in [0, !0, SIGN | SEAL | KEY_EXCH | ESS] {
        verdict(&setup, 0, Kind::NtlmV1, |message| message.flags = flags).unwrap();
        verdict(&setup, ESS, Kind::NtlmV1, |message| message.flags = flags).unwrap();
    }
}
