//! Connectionless mode: the CHALLENGE comes first, and each message has its number.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::messages::{
    self, Authenticate, CHALLENGE_FLAGS, DATAGRAM, ESS, KEY_128, KEY_EXCH, SEAL, SIGN, change_flags, edit,
};
use common::{Failure, Setup, Token, client_level};
use portable_sspi_core::{
    AcquireRequest, AscReq, AscRet, AuthIdentity, ContextFlags, DenialReason, Error, InitializeRequest,
    IscReq, IscRet, PeerMisbehaved, PortableState, Provider, SecurityContext, Step,
};
use portable_sspi_ntlm::{LmCompatibilityLevel, ServerPolicy};

fn setup(requirements: IscReq) -> Setup {
    Setup {
        requirements: requirements | IscReq::DATAGRAM,
        server_requirements: AscReq::DATAGRAM,
        ..Setup::default()
    }
}

fn send(from: &mut Box<dyn SecurityContext>, to: &mut Box<dyn SecurityContext>, number: u32) {
    from.set_message_seq_no(number);
    let mut wrapped = from.wrap(b"a datagram").unwrap();
    to.set_message_seq_no(number);
    assert_eq!(to.unwrap(&mut wrapped).unwrap(), b"a datagram");
}

#[test]
// MS-NLMP:3.1.5.2.1-no-lm
fn there_and_back() {
    let setup = setup(IscReq::CONFIDENTIALITY);
    let mut tokens = Vec::new();
    let mut pair = setup
        .handshake_through(|token| match token {
            Token::Negotiate(message) | Token::Challenge(message) | Token::Authenticate(message) => {
                tokens.push(message.clone());
            }
        })
        .unwrap();
    assert!(tokens[0].is_empty(), "there is no NEGOTIATE");
    let answer = Authenticate::parse(&tokens[2]);
    assert!(answer.lm.is_empty() && answer.mic.is_some_and(|mic| mic != [0; 16]));
    assert_eq!(answer.flags & (DATAGRAM | KEY_EXCH | ESS | KEY_128), DATAGRAM | KEY_EXCH | ESS | KEY_128);
    for number in [5, 1, 1000, u32::MAX] {
        send(&mut pair.client, &mut pair.server, number);
        send(&mut pair.server, &mut pair.client, number);
    }
    let flags = IscRet::DATAGRAM | IscRet::INTEGRITY | IscRet::CONFIDENTIALITY;
    assert_eq!(pair.client.flags(), ContextFlags::Initiator(flags));
    let flags = AscRet::DATAGRAM | AscRet::INTEGRITY | AscRet::CONFIDENTIALITY;
    assert_eq!(pair.server.flags(), ContextFlags::Acceptor(flags));
    assert!(pair.client.session_key().ct_eq(pair.server.session_key()));

    let bytes = setup.ntlm().export(pair.server).unwrap().to_bytes();
    pair.server = setup.ntlm().import(&PortableState::from_bytes(&bytes).unwrap()).unwrap();
    send(&mut pair.client, &mut pair.server, 2);
}

#[test]
// MS-NLMP:3.2.5.2.1-offer
fn the_client_chooses_what_is_protected() {
    let flags = |requirements| {
        let pair = setup(requirements).handshake().unwrap();
        (pair.server.flags().integrity(), pair.server.flags().confidentiality())
    };
    assert_eq!(flags(IscReq::empty()), (false, false));
    assert_eq!(flags(IscReq::INTEGRITY), (true, false));
    assert_eq!(flags(IscReq::CONFIDENTIALITY), (true, true));
}

/// The client may also be handed the CHALLENGE at its first step.
#[test]
fn a_client_can_start_with_the_challenge() {
    let setup = setup(IscReq::CONFIDENTIALITY);
    let at_server = setup.challenge(&[]).unwrap();
    let ntlm = setup.ntlm();
    let identity = AuthIdentity::new("alice", "CORP", common::PASSWORD);
    let credentials = ntlm.acquire(AcquireRequest::outbound(identity)).unwrap();
    let request = InitializeRequest {
        requirements: setup.requirements,
        token: Some(&at_server.challenge),
        ..InitializeRequest::default()
    };
    let step = ntlm.initialize(&credentials, None, &request, &setup.world.environment()).unwrap();
    let Step::Complete { context: mut client, token: Some(token) } = step else { panic!("not complete") };
    let mut server = setup.finish(at_server.context, &token).unwrap();
    send(&mut client, &mut server, 1);
}

#[test]
fn older_clients_too_where_the_policy_admits_them() {
    let mut setup = setup(IscReq::CONFIDENTIALITY);
    setup.client_policy = client_level(LmCompatibilityLevel::Level2);
    assert_eq!(setup.handshake().unwrap_err().denied(), DenialReason::Ntlmv1Refused);
    setup.server_policy.level = LmCompatibilityLevel::Level4;
    let mut pair = setup.handshake().unwrap();
    send(&mut pair.client, &mut pair.server, 1);
}

/// The MIC covers the two messages that there are.
#[test]
fn what_is_changed_on_the_way_is_noticed() {
    let setup = setup(IscReq::CONFIDENTIALITY);
    let denied = |change: &dyn Fn(Token<'_>)| setup.handshake_through(change).unwrap_err().denied();
    let reserved = denied(&|token| {
        if let Token::Challenge(message) = token {
            message[32] ^= 1;
        }
    });
    assert_eq!(reserved, DenialReason::MicMismatch);
    let flags = denied(&|token| {
        if let Token::Authenticate(message) = token {
            change_flags(message, 60, 0, SIGN | SEAL);
        }
    });
    assert_eq!(flags, DenialReason::MicMismatch);
    let dropped = denied(&|token| {
        if let Token::Authenticate(message) = token {
            edit(message, |message| message.mic = None);
        }
    });
    assert_eq!(dropped, DenialReason::MicMissing);
}

#[test]
// MS-NLMP:2.2.1.3-datagram-flags MS-NLMP:3.2.5.2.1-key-exchange
fn a_choice_that_is_too_weak_or_was_not_offered_is_refused() {
    let setup = Setup { server_policy: common::permissive(), ..setup(IscReq::CONFIDENTIALITY) };
    let with = |set, clear| {
        let result = setup.handshake_through(|token| {
            if let Token::Authenticate(message) = token {
                change_flags(message, 60, set, clear);
            }
        });
        match result.unwrap_err() {
            Failure::Server(Error::Peer(PeerMisbehaved::TooWeak { missing: flag })) => flag,
            Failure::Server(Error::Peer(PeerMisbehaved::NotOffered { flag })) => flag,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(0, ESS), "EXTENDED_SESSIONSECURITY", "whatever the policy");
    assert_eq!(with(0, KEY_EXCH), "KEY_EXCH");
    assert_eq!(with(0, DATAGRAM), "DATAGRAM");
    assert_eq!(with(messages::LM_KEY, 0), "LM_KEY");
    let demanding = Setup { server_policy: ServerPolicy::default(), ..setup };
    let result = demanding.handshake_through(|token| {
        if let Token::Authenticate(message) = token {
            change_flags(message, 60, 0, KEY_128);
        }
    });
    match result.unwrap_err() {
        Failure::Server(Error::Peer(PeerMisbehaved::TooWeak { missing })) => assert_eq!(missing, "KEY_128"),
        other => panic!("{other:?}"),
    }
    // An AUTHENTICATE that says nothing of flags.
    let at_server = demanding.challenge(&[]).unwrap();
    let answer = common::old_client::authenticate_as(common::old_client::Kind::NtlmV1, &at_server.challenge);
    assert!(matches!(demanding.finish(at_server.context, &answer.write_old(52)), Err(Error::Malformed(_))));
}

/// Whatever the client's policy: every message would have the same keystream.
#[test]
// MS-NLMP:3.4.3-datagram
fn a_challenge_without_extended_session_security_is_refused_by_the_client() {
    let mut setup = setup(IscReq::CONFIDENTIALITY);
    for level in [LmCompatibilityLevel::Level2, LmCompatibilityLevel::Level5] {
        setup.client_policy = client_level(level);
        for (clear, name) in [(ESS, "EXTENDED_SESSIONSECURITY"), (KEY_EXCH, "KEY_EXCH")] {
            let result = setup.handshake_through(|token| {
                if let Token::Challenge(message) = token {
                    change_flags(message, CHALLENGE_FLAGS, 0, clear);
                }
            });
            match result.unwrap_err() {
                Failure::Client(Error::Peer(PeerMisbehaved::TooWeak { missing })) => {
                    assert_eq!(missing, name)
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn the_modes_do_not_mix() {
    let datagram = setup(IscReq::CONFIDENTIALITY);
    let connection = Setup::default();
    let (_, negotiate) = connection.start_client();
    assert!(matches!(datagram.challenge(&negotiate), Err(Error::Malformed(_))));
    assert!(matches!(connection.challenge(&[]), Err(Error::Malformed(_))));

    let (at_client, _) = connection.start_client();
    let offered = datagram.challenge(&[]).unwrap().challenge;
    let result = connection.answer(at_client, &offered);
    assert!(
        matches!(result, Err(Error::Peer(PeerMisbehaved::NotOffered { flag: "DATAGRAM" }))),
        "{result:?}"
    );
    let (at_client, _) = datagram.start_client();
    let answered = connection.challenge(&negotiate).unwrap().challenge;
    let result = datagram.answer(at_client, &answered);
    assert!(
        matches!(result, Err(Error::Peer(PeerMisbehaved::TooWeak { missing: "DATAGRAM" }))),
        "{result:?}"
    );
    // A NEGOTIATE that asks for it is answered in connection mode.
    let mut asks = negotiate;
    change_flags(&mut asks, messages::NEGOTIATE_FLAGS, DATAGRAM, 0);
    let challenge = connection.challenge(&asks).unwrap().challenge;
    assert_eq!(messages::u32_at(&challenge, CHALLENGE_FLAGS) & DATAGRAM, 0);
}
