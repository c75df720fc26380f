//! Anonymous logons: admitted where policy and caller both say so, and worth nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::messages::{Authenticate, ESS, KEY_128, KEY_EXCH, SEAL, SIGN, UNICODE, edit, u32_at, utf16};
use common::{Failure, Setup, Token, old_client};
use portable_sspi_core::{
    AcquireRequest, AscReq, AscRet, AuthIdentity, ContextFlags, DenialReason, Error, IscReq, IscRet, Misuse,
    PortableState, Provider, SecurityBuffer,
};
use portable_sspi_ntlm::{ClientPolicy, LmCompatibilityLevel, Ntlm, NtlmConfig, ServerPolicy};

fn setup(by_policy: bool, by_caller: bool) -> Setup {
    Setup {
        requirements: IscReq::NULL_SESSION,
        server_policy: ServerPolicy { allow_anonymous: by_policy, ..ServerPolicy::default() },
        server_requirements: if by_caller { AscReq::ALLOW_NULL_SESSION } else { AscReq::empty() },
        ..Setup::default()
    }
}

#[test]
// MS-NLMP:3.2.5.1.2-anonymous
fn policy_and_caller_must_both_admit_it() {
    for (by_policy, by_caller) in [(false, false), (false, true), (true, false)] {
        let refused = setup(by_policy, by_caller).handshake().unwrap_err();
        assert_eq!(refused.denied(), DenialReason::AnonymousNotAllowed, "{by_policy} {by_caller}");
    }
    setup(true, true).handshake().unwrap();
}

#[test]
fn both_sides_are_told_and_nothing_is_protected() {
    let no_identity =
        Setup { user: "", domain: "", password: "", requirements: IscReq::empty(), ..setup(true, true) };
    for level in [LmCompatibilityLevel::Level1, LmCompatibilityLevel::Level5] {
        for setup in [&setup(true, true), &no_identity] {
            let client_policy = ClientPolicy { level, ..ClientPolicy::default() };
            let setup = Setup {
                user: setup.user,
                domain: setup.domain,
                password: setup.password,
                requirements: setup.requirements,
                client_policy,
                ..common_parts(setup)
            };
            let mut pair = setup.handshake().unwrap();
            assert_eq!(
                pair.client.flags(),
                ContextFlags::Initiator(IscRet::CONNECTION | IscRet::NULL_SESSION)
            );
            assert_eq!(
                pair.server.flags(),
                ContextFlags::Acceptor(AscRet::CONNECTION | AscRet::NULL_SESSION)
            );
            let token = pair.server.client_token().unwrap();
            assert!(token.is_anonymous);
            assert_eq!(pair.server.names().user_name, r"NT AUTHORITY\ANONYMOUS LOGON");
            assert_eq!(pair.client.session_key().expose(), &[0; 16], "which everybody knows");
            assert_eq!(pair.server.session_key().expose(), &[0; 16]);
            assert!(matches!(pair.server.wrap(b"m"), Err(Error::Misuse(Misuse::NotNegotiated { .. }))));
            let moved = setup.ntlm().export(pair.server).unwrap().to_bytes();
            let moved = setup.ntlm().import(&PortableState::from_bytes(&moved).unwrap()).unwrap();
            assert!(moved.client_token().unwrap().is_anonymous);
            assert_eq!(moved.flags(), ContextFlags::Acceptor(AscRet::CONNECTION | AscRet::NULL_SESSION));
        }
    }
}

/// What a copy of a setup takes over besides.
fn common_parts(setup: &Setup) -> Setup {
    Setup {
        server_policy: setup.server_policy.clone(),
        server_requirements: setup.server_requirements,
        ..Setup::default()
    }
}

#[test]
// MS-NLMP:2.2.2.5-anonymous
fn the_message_says_it_by_its_fields() {
    let mut seen = None;
    setup(true, true)
        .handshake_through(|token| {
            if let Token::Authenticate(message) = token {
                seen = Some((u32_at(message, 60), Authenticate::parse(message)));
            }
        })
        .unwrap();
    let (flags, message) = seen.unwrap();
    assert_eq!((message.lm, message.nt, message.user, message.domain), (vec![0], vec![], vec![], vec![]));
    assert_eq!(message.workstation, utf16("DESK"));
    assert_eq!(flags & 0x800, 0x800);
}

/// An old Windows asks for protection under the key that everybody knows, and exchanges another one under it.
#[test]
// MS-NLMP:3.4-anonymous
fn a_client_that_asks_for_protection_gets_none() {
    for lm in [vec![0], Vec::new()] {
        let setup = setup(true, true);
        let offered = UNICODE | ESS | SIGN | SEAL | KEY_EXCH | KEY_128;
        let at_server = setup.challenge(&old_client::negotiate(offered)).unwrap();
        let mut answer = old_client::authenticate(&at_server.challenge, "", "", &Vec::new());
        answer.nt.clear();
        answer.lm = lm;
        let without_key = answer.write();
        answer.key = vec![7; 16];
        let mut server = setup.finish(at_server.context, &answer.write()).unwrap();
        assert_eq!(server.flags(), ContextFlags::Acceptor(AscRet::CONNECTION | AscRet::NULL_SESSION));
        assert!(server.wrap(b"m").is_err());
        // No more than the signature that anybody can make.
        let mut token = [0; 16];
        let mut message = [SecurityBuffer::readonly_with_checksum(b"m"), SecurityBuffer::token(&mut token)];
        server.make_signature(&mut message).unwrap();
        assert_eq!(message[1].bytes(), 1u128.to_le_bytes());
        // Its form counts all the same.
        let at_server = setup.challenge(&old_client::negotiate(offered)).unwrap();
        assert!(matches!(setup.finish(at_server.context, &without_key), Err(Error::Malformed(_))));
    }
}

#[test]
fn our_client_does_not_ask_for_protection_that_it_cannot_have() {
    let ntlm = Ntlm::new(NtlmConfig::default());
    let setup = Setup::default();
    for requirements in [IscReq::INTEGRITY, IscReq::CONFIDENTIALITY, IscReq::REPLAY_DETECT] {
        let credentials =
            ntlm.acquire(AcquireRequest::outbound(AuthIdentity::new("alice", "", "secret"))).unwrap();
        let request = portable_sspi_core::InitializeRequest {
            requirements: requirements | IscReq::NULL_SESSION,
            ..Default::default()
        };
        let result = ntlm.initialize(&credentials, None, &request, &setup.world.environment());
        assert!(matches!(result, Err(Error::Misuse(Misuse::NotSupported { .. }))), "{requirements:?}");
    }
}

#[test]
fn half_an_identity_is_not_nobody() {
    let ntlm = Ntlm::new(NtlmConfig::default());
    for (user, domain, password) in [("", "", "secret"), ("", "CORP", ""), ("", "CORP", "secret")] {
        let result = ntlm.acquire(AcquireRequest::outbound(AuthIdentity::new(user, domain, password)));
        assert!(matches!(result, Err(Error::Misuse(Misuse::BadIdentity { .. }))), "{user} {domain}");
    }
    assert!(ntlm.acquire(AcquireRequest::outbound(AuthIdentity::new("", "", ""))).is_ok());
}

/// Where anonymous logons are admitted, nothing else becomes one.
#[test]
fn a_user_without_a_response_is_a_failed_logon() {
    let with = |change: fn(&mut Authenticate)| {
        let setup = Setup { requirements: IscReq::empty(), ..setup(true, true) };
        let result = setup.handshake_through(|token| {
            if let Token::Authenticate(message) = token {
                edit(message, change);
            }
        });
        result.map(|pair| pair.server.client_token().unwrap().is_anonymous).map_err(Failure::denied)
    };
    let no_response = Err(DenialReason::NoNtResponse);
    assert_eq!(with(|message| message.nt.clear()), no_response);
    assert_eq!(
        with(|message| {
            message.nt.clear();
            message.lm = vec![0];
        }),
        no_response
    );
    assert_eq!(
        with(|message| {
            message.nt.clear();
            message.user.clear();
        }),
        no_response,
        "24 bytes in the LM field are a response"
    );
    assert_eq!(with(|message| message.user.clear()), Err(DenialReason::UnknownAccount));
    // Whoever takes all of it away is nobody, and is called so.
    assert_eq!(
        with(|message| {
            message.nt.clear();
            message.lm.clear();
            message.user.clear();
        }),
        Ok(true)
    );
}
