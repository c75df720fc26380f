//! Somebody in the middle, who sees and changes every byte but knows no password.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::messages::{
    ALWAYS_SIGN, Authenticate, CHALLENGE_FLAGS, CHANNEL_BINDINGS, DATAGRAM, ESS, FLAGS, KEY_128, KEY_EXCH,
    NB_COMPUTER, NB_DOMAIN, NEGOTIATE_FLAGS, SEAL, SIGN, TARGET_NAME, TIMESTAMP, UNICODE, VERSION,
    change_flags, edit, set_target_info, target_info, utf16,
};
use common::{Failure, Setup, Token, old_client};
use portable_sspi_core::{
    AscReq, ChannelBindings, DenialReason, Error, IscReq, MalformedToken, PeerMisbehaved, Problem,
    SecurityBuffer,
};
use portable_sspi_ntlm::{ServerNames, ServerPolicy};

/// The attack on AUTHENTICATE, and why the server denies the logon.
#[track_caller]
fn denied_with(setup: &Setup, change: impl Fn(&mut Authenticate)) -> DenialReason {
    let result = setup.handshake_through(|token| {
        if let Token::Authenticate(message) = token {
            edit(message, &change);
        }
    });
    result.unwrap_err().denied()
}

/// The attack on CHALLENGE.
fn with_challenge(setup: &Setup, change: impl Fn(&mut Vec<u8>)) -> Result<(), Failure> {
    let result = setup.handshake_through(|token| {
        if let Token::Challenge(message) = token {
            change(message);
        }
    });
    result.map(drop)
}

/// A change of a CHALLENGE on its way.
type ChallengeChange = dyn Fn(&mut Vec<u8>);

/// A policy that admits clients which send no MIC.
fn without_mic() -> ServerPolicy {
    ServerPolicy { require_mic: false, ..ServerPolicy::default() }
}

/// A logon without protection of messages, which is the one to relay.
fn plain() -> Setup {
    Setup { requirements: IscReq::empty(), ..Setup::default() }
}

fn bindings(certificate: u8) -> ChannelBindings {
    ChannelBindings::tls_server_end_point(&[certificate; 32])
}

/// The payload may stand in any order, but the client's order is under the MIC like all else.
#[test]
// MS-NLMP:2.2.1-any-order
fn a_message_put_together_in_another_order_is_refused() {
    assert_eq!(denied_with(&Setup::default(), |_| {}), DenialReason::MicMismatch);
    // What the other tests take apart and put together is otherwise in order.
    let setup = Setup { server_policy: without_mic(), ..plain() };
    let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
    let mut answer = old_client::authenticate(&at_server.challenge, "alice", "CORP", &Vec::new()).write();
    edit(&mut answer, |_| {});
    assert!(setup.finish(at_server.context, &answer).is_ok());
}

/// CVE-2019-1040: the MIC is taken away, and all that hints at it, so that signing can be taken away too.
#[test]
// MS-NLMP:3.2.5.1.2-mic MS-NLMP:3.2.5.1.2-mic-missing
fn cve_2019_1040_drop_the_mic() {
    for policy in [ServerPolicy::default(), without_mic()] {
        let setup = Setup { server_policy: policy, ..Setup::default() };
        let reason = denied_with(&setup, |message| {
            message.mic = None;
            message.version = None;
            message.flags &= !(SIGN | ALWAYS_SIGN | KEY_EXCH | VERSION);
        });
        assert_eq!(reason, DenialReason::MicMissing);
        let reason = denied_with(&setup, |message| message.mic = None);
        assert_eq!(reason, DenialReason::MicMissing, "and where Version stays");
        let reason = denied_with(&setup, |message| message.mic = Some([0; 16]));
        assert_eq!(reason, DenialReason::MicMismatch);
        // Signing taken out of all that is negotiated.
        let result = setup.handshake_through(|token| match token {
            Token::Negotiate(message) => change_flags(message, NEGOTIATE_FLAGS, 0, SIGN | SEAL | KEY_EXCH),
            Token::Challenge(message) => {
                change_flags(message, CHALLENGE_FLAGS, SIGN | SEAL | KEY_EXCH | KEY_128, 0);
            }
            Token::Authenticate(_) => {}
        });
        assert_eq!(result.unwrap_err().denied(), DenialReason::MicMismatch);
    }
}

/// CVE-2019-1166: MsvAvFlags = 0 is put into the CHALLENGE that the client sees, so that its own flag has no effect.
#[test]
fn cve_2019_1166_drop_the_mic_again() {
    for policy in [ServerPolicy::default(), without_mic()] {
        let setup = Setup { server_policy: policy, ..Setup::default() };
        let inject = |message: &mut Vec<u8>| {
            let mut pairs = target_info(message);
            pairs.push((FLAGS, vec![0; 4]));
            set_target_info(message, &pairs);
        };
        // Our client says once, and rightly, that there is a MIC.
        let mut seen = Vec::new();
        let result = setup.handshake_through(|token| match token {
            Token::Challenge(message) => inject(message),
            Token::Authenticate(message) => edit(message, |message| {
                seen = message.pairs();
                message.mic = None;
            }),
            Token::Negotiate(_) => {}
        });
        assert_eq!(result.unwrap_err().denied(), DenialReason::MicMissing);
        let flags: Vec<_> = seen.iter().filter(|(id, _)| *id == FLAGS).collect();
        assert_eq!(flags, [&(FLAGS, vec![2, 0, 0, 0])]);

        // A client that repeats what it gets, and one that takes the flags it gets for its own.
        for (added, reason) in [
            (vec![(FLAGS, vec![2, 0, 0, 0])], DenialReason::DuplicateAvPair),
            (Vec::new(), DenialReason::MicMissing),
        ] {
            let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
            let mut shown = at_server.challenge.clone();
            inject(&mut shown);
            let answer = old_client::authenticate(&shown, "alice", "CORP", &added);
            match setup.finish(at_server.context, &answer.write()) {
                // Without a MIC policy it is an old client's answer like any other.
                Ok(_) => assert!(!setup.server_policy.require_mic && added.is_empty()),
                Err(error) => assert_eq!(Failure::Server(error).denied(), reason),
            }
        }
    }
}

/// CVE-2019-1338: the response is altered, and the LMv2 response beside it is still right.
#[test]
fn cve_2019_1338_fall_back_to_lm() {
    let setup = Setup { server_policy: without_mic(), ..Setup::default() };
    for change in [
        |answer: &mut Authenticate| {
            let mut pairs = answer.pairs();
            pairs.retain(|(id, _)| *id != FLAGS);
            answer.set_pairs(&pairs);
        },
        |answer: &mut Authenticate| answer.nt[0] ^= 1,
    ] {
        let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
        let mut answer =
            old_client::authenticate(&at_server.challenge, "alice", "CORP", &vec![(FLAGS, vec![0; 4])]);
        assert_eq!(answer.lm.len(), 24);
        change(&mut answer);
        let error = setup.finish(at_server.context, &answer.write()).err().unwrap();
        assert_eq!(Failure::Server(error).denied(), DenialReason::BadNtResponse);
    }
}

/// [MS-NLMP] 3.2.5.1.2 compares the LM response where the NT response does not fit or is not there: with extended session
/// security that accepts any password.
#[test]
fn a_response_taken_away_or_made_an_older_one_is_refused() {
    for policy in [ServerPolicy::default(), without_mic()] {
        let setup = Setup { server_policy: policy, ..Setup::default() };
        let reason = |change: &dyn Fn(&mut Authenticate)| denied_with(&setup, change);
        assert_eq!(reason(&|message| message.nt.clear()), DenialReason::NoNtResponse);
        let zeros = reason(&|message| {
            message.nt.clear();
            message.lm = [[7; 8], [0; 8], [0; 8]].concat();
        });
        assert_eq!(zeros, DenialReason::NoNtResponse);
        assert_eq!(reason(&|message| message.nt.truncate(24)), DenialReason::Ntlmv1Refused);
        let anonymous = reason(&|message| {
            message.nt.clear();
            message.user.clear();
            message.lm = vec![0];
        });
        assert_eq!(anonymous, DenialReason::AnonymousNotAllowed);
        // No user, but a response: no account has an empty name.
        assert_eq!(reason(&|message| message.user.clear()), DenialReason::UnknownAccount);
    }
}

/// CVE-2019-1019: a response made for another server, or for none.
#[test]
// MS-NLMP:3.1.5.1.2-names
fn cve_2019_1019_a_response_for_another_server() {
    let setup = Setup { server_policy: without_mic(), ..plain() };
    let renamed = |id: u16, name: &'static str| {
        move |message: &mut Vec<u8>| {
            let mut pairs = target_info(message);
            pairs.iter_mut().filter(|pair| pair.0 == id).for_each(|pair| pair.1 = utf16(name));
            set_target_info(message, &pairs);
        }
    };
    let removed = |ids: &'static [u16]| {
        move |message: &mut Vec<u8>| {
            let mut pairs = target_info(message);
            pairs.retain(|(id, _)| !ids.contains(id));
            set_target_info(message, &pairs);
        }
    };
    let changes: [&ChallengeChange; 7] = [
        &renamed(NB_COMPUTER, "OTHER"),
        &renamed(NB_DOMAIN, "OTHER"),
        // Another case is another value: the pairs must come back as they were sent.
        &renamed(NB_COMPUTER, "files"),
        &removed(&[NB_COMPUTER]),
        &removed(&[NB_COMPUTER, NB_DOMAIN]),
        &removed(&[TIMESTAMP]),
        &removed(&[1, 2, 3, 4, 5, 7]),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let failure = with_challenge(&setup, change).unwrap_err();
        assert_eq!(failure.denied(), DenialReason::TargetInfoMismatch, "change {index}");
    }
    // A client that protects messages does not even answer a server without names.
    let failure = with_challenge(&Setup::default(), removed(&[NB_COMPUTER])).unwrap_err();
    let missing = "MsvAvNbComputerName";
    assert!(
        matches!(failure, Failure::Client(Error::Peer(PeerMisbehaved::MissingTargetName { missing: m })) if m == missing),
        "{failure:?}"
    );
    // A pair that the server never sent.
    let mut server_names = ServerNames::stand_alone("FILES");
    server_names.dns_computer.clear();
    let setup = Setup { server_names, ..setup };
    let failure = with_challenge(&setup, |message| {
        let mut pairs = target_info(message);
        pairs.push((3, utf16("files.evil.example")));
        set_target_info(message, &pairs);
    });
    assert_eq!(failure.unwrap_err().denied(), DenialReason::TargetInfoMismatch);
}

/// The attacker puts the bindings of his own channel to the server into the CHALLENGE, for the client to repeat.
#[test]
// MS-NLMP:3.1.5.1.2-bindings MS-NLMP:3.1.5.1.2-target-name
fn injected_channel_bindings_are_not_repeated() {
    let attackers = bindings(2);
    // Seen on another exchange of the attacker's own.
    let mut hash = Vec::new();
    let own = Setup { client_bindings: Some(attackers.clone()), ..Setup::default() };
    own.handshake_through(|token| {
        if let Token::Authenticate(message) = token {
            let pairs = Authenticate::parse(message).pairs();
            hash = pairs.into_iter().find(|(id, _)| *id == CHANNEL_BINDINGS).unwrap().1;
        }
    })
    .unwrap();

    let inject = |message: &mut Vec<u8>| {
        let mut pairs = target_info(message);
        pairs.insert(0, (CHANNEL_BINDINGS, hash.clone()));
        pairs.insert(0, (TARGET_NAME, utf16("HTTP/evil")));
        set_target_info(message, &pairs);
    };
    for client_bindings in [Some(bindings(1)), None] {
        let mut seen = Vec::new();
        let setup = Setup {
            client_bindings: client_bindings.clone(),
            server_bindings: Some(attackers.clone()),
            server_policy: without_mic(),
            ..Setup::default()
        };
        let result = setup.handshake_through(|token| match token {
            Token::Challenge(message) => inject(message),
            Token::Authenticate(message) => seen = Authenticate::parse(message).pairs(),
            Token::Negotiate(_) => {}
        });
        assert_eq!(result.unwrap_err().denied(), DenialReason::MicMismatch);
        let of = |id| seen.iter().filter(|(i, _)| *i == id).map(|(_, value)| value).collect::<Vec<_>>();
        let [found] = of(CHANNEL_BINDINGS)[..] else { panic!("{seen:?}") };
        assert_ne!(*found, hash);
        assert_eq!(*found == [0; 16], client_bindings.is_none());
        assert_eq!(of(TARGET_NAME), [&utf16("HTTP/files.corp.example")]);

        // A client that repeats what it gets and adds its own.
        let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
        let mut shown = at_server.challenge.clone();
        inject(&mut shown);
        let own = vec![(CHANNEL_BINDINGS, vec![9; 16])];
        let answer = old_client::authenticate(&shown, "alice", "CORP", &own);
        let error = setup.finish(at_server.context, &answer.write()).err().unwrap();
        assert_eq!(Failure::Server(error).denied(), DenialReason::DuplicateAvPair);
    }
}

/// The client talks to the attacker's server and its tokens are handed on: what stops that is the channel, or the name.
#[test]
// MS-NLMP:2.2.2.1-no-bindings
fn a_relayed_logon_fails_by_channel_bindings_or_service_name() {
    let setup = Setup { client_bindings: Some(bindings(1)), server_bindings: Some(bindings(2)), ..plain() };
    assert_eq!(setup.handshake().unwrap_err().denied(), DenialReason::ChannelBindingsMismatch);
    let none = Setup { server_bindings: Some(bindings(2)), ..plain() };
    assert_eq!(none.handshake().unwrap_err().denied(), DenialReason::ChannelBindingsMissing);
    let policy = ServerPolicy { accepted_spns: vec!["ldap/dc".to_owned()], ..ServerPolicy::default() };
    let named = Setup { server_policy: policy, ..plain() };
    assert_eq!(named.handshake().unwrap_err().denied(), DenialReason::TargetNameMismatch);
    // An all-zero hash is no hash, whatever the server's own is.
    let allowed = Setup { server_requirements: AscReq::ALLOW_MISSING_BINDINGS, ..none };
    assert!(allowed.handshake().is_ok());
}

#[test]
// MS-NLMP:2.2.1.3-connection-flags
fn flags_of_the_authenticate_decide_nothing() {
    let flags = [0, !0, UNICODE, SIGN | SEAL | KEY_EXCH | ESS, DATAGRAM];
    for flags in flags {
        // Under a MIC they cannot be changed.
        let reason = denied_with(&Setup::default(), |message| message.flags = flags);
        assert_eq!(reason, DenialReason::MicMismatch, "{flags:#x}");

        // Without one they can, and the CHALLENGE's are those that count.
        let setup = Setup { server_policy: without_mic(), ..Setup::default() };
        let offered = UNICODE | ESS | SIGN | KEY_128;
        let run = |flags: Option<u32>| {
            let at_server = setup.challenge(&old_client::negotiate(offered)).unwrap();
            let mut answer = old_client::authenticate(&at_server.challenge, "alice", "CORP", &Vec::new());
            answer.flags = flags.unwrap_or(answer.flags);
            setup.finish(at_server.context, &answer.write()).unwrap()
        };
        let (mut changed, unchanged) = (run(Some(flags)), run(None));
        assert_eq!(changed.flags(), unchanged.flags(), "{flags:#x}");
        let mut token = [0; 16];
        let mut message = [SecurityBuffer::readonly_with_checksum(b"m"), SecurityBuffer::token(&mut token)];
        changed.make_signature(&mut message).unwrap();
        assert!(changed.wrap(b"m").is_err(), "no confidentiality was negotiated");
    }
}

/// A CHALLENGE that was weakened, or that turns on what the client did not offer.
#[test]
fn a_challenge_that_was_weakened_is_refused_by_the_client() {
    let failure = |setup: &Setup, set, clear| {
        with_challenge(setup, |message| change_flags(message, CHALLENGE_FLAGS, set, clear)).unwrap_err()
    };
    let sealing = Setup::default();
    for (clear, name) in [
        (SIGN, "SIGN"),
        (SEAL, "SEAL"),
        (KEY_128, "KEY_128"),
        (ESS, "EXTENDED_SESSIONSECURITY"),
        (UNICODE, "UNICODE"),
    ] {
        match failure(&sealing, if clear == UNICODE { 2 } else { 0 }, clear) {
            Failure::Client(Error::Peer(PeerMisbehaved::TooWeak { missing })) => assert_eq!(missing, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    for (set, name) in [(SIGN, "SIGN"), (SEAL, "SEAL"), (KEY_EXCH, "KEY_EXCH"), (DATAGRAM, "DATAGRAM")] {
        match failure(&plain(), set, 0) {
            Failure::Client(Error::Peer(PeerMisbehaved::NotOffered { flag })) => assert_eq!(flag, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let neither = failure(&sealing, 0, UNICODE);
    assert!(matches!(neither, Failure::Client(Error::Malformed(_))), "{neither:?}");
}

/// What no policy of the client catches, the MIC does.
#[test]
fn any_other_change_of_the_first_two_messages_breaks_the_mic() {
    // Offers without consequence here, in one direction; the server's answer in the other.
    let setup = Setup { server_policy: without_mic(), ..Setup::default() };
    let result = setup.handshake_through(|token| {
        if let Token::Negotiate(message) = token {
            change_flags(message, NEGOTIATE_FLAGS, 0, VERSION);
        }
    });
    assert_eq!(result.unwrap_err().denied(), DenialReason::MicMismatch);
    for byte in 32..40 {
        let failure = with_challenge(&setup, |message| message[byte] ^= 1).unwrap_err();
        assert_eq!(failure.denied(), DenialReason::MicMismatch, "Reserved, byte {byte}");
    }
    // Weaker keys, which a client may accept whose policy is lax.
    let mut lax = Setup { server_policy: without_mic(), ..Setup::default() };
    lax.client_policy.minimum_flags = portable_sspi_ntlm::NegotiateFlags::empty();
    lax.server_policy.minimum_flags = portable_sspi_ntlm::NegotiateFlags::empty();
    let weakened =
        with_challenge(&lax, |message| change_flags(message, CHALLENGE_FLAGS, 0, KEY_128 | KEY_EXCH));
    let denied = match weakened.unwrap_err() {
        // Without KEY_EXCH the client sends no key.
        Failure::Server(Error::Malformed(MalformedToken { what, .. })) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(denied, "AUTHENTICATE_MESSAGE EncryptedRandomSessionKey");
    let weakened = with_challenge(&lax, |message| change_flags(message, CHALLENGE_FLAGS, 0, KEY_128));
    assert_eq!(weakened.unwrap_err().denied(), DenialReason::MicMismatch);
}

#[test]
// MS-NLMP:3.2.5.1.2-session-key
fn a_session_key_taken_away_or_changed_is_refused() {
    for length in [0, 8, 15] {
        let setup = Setup::default();
        let result = setup.handshake_through(|token| {
            if let Token::Authenticate(message) = token {
                edit(message, |message| message.key.truncate(length));
            }
        });
        match result.unwrap_err() {
            Failure::Server(Error::Malformed(MalformedToken {
                problem: Problem::Length { expected: 16, found },
                ..
            })) => assert_eq!(found, length),
            other => panic!("{other:?}"),
        }
    }
    let reason = denied_with(&Setup::default(), |message| message.key[3] ^= 1);
    assert_eq!(reason, DenialReason::MicMismatch);
}

#[test]
fn an_answer_is_good_for_one_challenge() {
    let setup = Setup::default();
    let mut recorded = (Vec::new(), Vec::new());
    setup
        .handshake_through(|token| match token {
            Token::Negotiate(message) => recorded.0.clone_from(message),
            Token::Authenticate(message) => recorded.1.clone_from(message),
            Token::Challenge(_) => {}
        })
        .unwrap();
    let at_server = setup.challenge(&recorded.0).unwrap();
    let error = setup.finish(at_server.context, &recorded.1).err().unwrap();
    assert_eq!(Failure::Server(error).denied(), DenialReason::BadNtResponse);
}

#[test]
fn names_in_the_authenticate_cannot_be_changed() {
    let setup = Setup {
        accounts: vec![("alice", "CORP"), ("admin", "CORP")],
        server_policy: without_mic(),
        ..Setup::default()
    };
    let reason = |change: &dyn Fn(&mut Authenticate)| denied_with(&setup, change);
    // The same password, but the name is under the proof.
    assert_eq!(reason(&|message| message.user = utf16("admin")), DenialReason::BadNtResponse);
    assert_eq!(reason(&|message| message.domain.clear()), DenialReason::BadNtResponse);
    // Case, where another one is tried as well, and the workstation are not, but are under the MIC.
    assert_eq!(reason(&|message| message.user = utf16("ALICE")), DenialReason::MicMismatch);
    assert_eq!(reason(&|message| message.domain = utf16("corp")), DenialReason::MicMismatch);
    assert_eq!(reason(&|message| message.workstation = utf16("OTHER")), DenialReason::MicMismatch);
}

/// Tokens of the other side, of the other step, or of nothing.
#[test]
// MS-NLMP:2.2-signature MS-NLMP:2.2-message-type
fn tokens_out_of_place_are_malformed() {
    let setup = Setup::default();
    let mut tokens = Vec::new();
    setup
        .handshake_through(|token| match token {
            Token::Negotiate(message) | Token::Challenge(message) | Token::Authenticate(message) => {
                tokens.push(message.clone());
            }
        })
        .unwrap();
    tokens.push(Vec::new());
    tokens.push(b"NTLMSSP".to_vec());
    tokens.push(vec![0; 100]);
    for (index, token) in tokens.iter().enumerate() {
        if index != 0 {
            assert!(matches!(setup.challenge(token), Err(Error::Malformed(_))), "token {index} as NEGOTIATE");
        }
        if index != 1 {
            let (context, _) = setup.start_client();
            assert!(
                matches!(setup.answer(context, token), Err(Error::Malformed(_))),
                "token {index} as CHALLENGE"
            );
        }
        if index != 2 {
            let at_server = setup.challenge(&tokens[0]).unwrap();
            let result = setup.finish(at_server.context, token);
            assert!(matches!(result, Err(Error::Malformed(_))), "token {index} as AUTHENTICATE");
        }
    }
}

/// Form is looked at before the proof: a malformed answer to a right password would say that it is right.
#[test]
fn a_service_name_that_is_no_text_tells_nothing_of_the_password() {
    let setup = Setup { server_policy: without_mic(), ..plain() };
    let unpaired_surrogate = vec![(TARGET_NAME, vec![0x00, 0xD8])];
    for (user, right_password) in [("alice", true), ("alice", false), ("mallory", true)] {
        let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
        let mut message = old_client::authenticate(&at_server.challenge, user, "CORP", &unpaired_surrogate);
        message.nt[0] ^= u8::from(!right_password);
        let error = setup.finish(at_server.context, &message.write()).unwrap_err();
        let expected = MalformedToken::new("MsvAvTargetName", Problem::NotText);
        assert!(matches!(error, Error::Malformed(found) if found == expected), "{user} {error:?}");
    }
}

#[test]
fn a_token_larger_than_the_policy_admits_is_not_looked_at() {
    let setup = Setup::default();
    let (_, mut negotiate) = setup.start_client();
    negotiate.resize(16 * 1024 + 1, 0);
    match setup.challenge(&negotiate) {
        Err(Error::Malformed(MalformedToken { problem: Problem::TooLarge { limit, found }, .. })) => {
            assert_eq!((limit, found), (16 * 1024, 16 * 1024 + 1));
        }
        other => panic!("{:?}", other.map(|c| c.challenge)),
    }
}

/// After the handshake: replays, reflections, reorderings and changes of messages.
#[test]
// MS-NLMP:3.4.4-sequence
fn messages_are_accepted_once_in_order_and_from_the_peer() {
    let mut pair = Setup::default().handshake().unwrap();
    let first = pair.client.wrap(b"first").unwrap();
    let second = pair.client.wrap(b"second").unwrap();
    let refused = |context: &mut Box<dyn portable_sspi_core::SecurityContext>, message: &[u8]| {
        let mut copy = message.to_vec();
        let error = context.unwrap(&mut copy).unwrap_err();
        assert_eq!(copy, message, "the ciphertext is put back");
        error
    };
    let out_of_order = refused(&mut pair.server, &second);
    assert!(
        matches!(out_of_order, Error::Peer(PeerMisbehaved::OutOfSequence { expected: 0, found: 1 })),
        "{out_of_order}"
    );
    let reflected = refused(&mut pair.client, &first);
    assert!(matches!(reflected, Error::Peer(PeerMisbehaved::MessageAltered)), "{reflected}");
    for byte in 0..first.len() {
        let mut changed = first.clone();
        changed[byte] ^= 0x10;
        assert!(matches!(refused(&mut pair.server, &changed), Error::Peer(_)), "byte {byte}");
    }
    let mut taken = first.clone();
    assert_eq!(pair.server.unwrap(&mut taken).unwrap(), b"first", "what failed before does no harm");
    let replayed = refused(&mut pair.server, &first);
    assert!(matches!(replayed, Error::Peer(PeerMisbehaved::OutOfSequence { expected: 1, found: 0 })));
    let mut taken = second.clone();
    assert_eq!(pair.server.unwrap(&mut taken).unwrap(), b"second");
}

#[test]
fn flags_that_no_honest_client_sets_are_refused() {
    let setup = Setup { server_policy: without_mic(), ..plain() };
    for (flags, expected) in [(0, true), (4, true), (1, false), (8, false), (0x8000_0000, false)] {
        let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
        let own = vec![(FLAGS, u32::to_le_bytes(flags).to_vec())];
        let answer = old_client::authenticate(&at_server.challenge, "alice", "CORP", &own);
        match setup.finish(at_server.context, &answer.write()) {
            Ok(_) => assert!(expected, "{flags:#x}"),
            Err(error) => {
                assert_eq!(Failure::Server(error).denied(), DenialReason::TargetInfoMismatch);
                assert!(!expected, "{flags:#x}");
            }
        }
    }
}

#[test]
// MS-NLMP:3.1.5.1.2-mic-announced
fn the_client_keeps_but_one_of_the_servers_av_flags() {
    let mut seen = Vec::new();
    let result = Setup::default().handshake_through(|token| match token {
        Token::Challenge(message) => {
            let mut pairs = target_info(message);
            pairs.push((FLAGS, vec![0xFD; 4]));
            set_target_info(message, &pairs);
        }
        Token::Authenticate(message) => seen = Authenticate::parse(message).pairs(),
        Token::Negotiate(_) => {}
    });
    assert!(result.is_err());
    seen.retain(|(id, _)| *id == FLAGS);
    assert_eq!(seen, [(FLAGS, vec![3, 0, 0, 0])]);
}

/// A part of the payload laid over the place of the MIC: there is then no MIC.
#[test]
// MS-NLMP:2.2.1.3-mic-place
fn a_part_in_the_place_of_the_mic_leaves_none() {
    for field in [12, 20, 28, 36, 44, 52] {
        for offset in [72, 80, 87] {
            let result =
                Setup { server_policy: without_mic(), ..Setup::default() }.handshake_through(|token| {
                    if let Token::Authenticate(message) = token {
                        message[field + 4..field + 8].copy_from_slice(&u32::to_le_bytes(offset));
                    }
                });
            match result.unwrap_err() {
                // The session key and the LM response are under nothing but the MIC.
                failure if matches!(field, 12 | 52) => assert_eq!(failure.denied(), DenialReason::MicMissing),
                Failure::Server(_) => {}
                failure => panic!("{failure:?}"),
            }
        }
    }
}

#[test]
// MS-NLMP:3.2.5.1.1-strength
fn a_client_that_offers_weak_keys_is_refused_at_once() {
    for flags in [SIGN, SEAL, SIGN | SEAL | KEY_EXCH] {
        match Setup::default().challenge(&old_client::negotiate(UNICODE | ESS | flags)) {
            Err(Error::Peer(PeerMisbehaved::TooWeak { missing: "KEY_128" })) => {}
            other => panic!("{:?}", other.map(|at_server| at_server.challenge)),
        }
    }
}
