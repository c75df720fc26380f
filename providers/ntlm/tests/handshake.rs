//! Our client against our server: what comes out of a handshake, by the options of both sides.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::messages::{
    self, ALWAYS_SIGN, Authenticate, CHALLENGE_FLAGS, ESS, KEY_128, KEY_EXCH, NEGOTIATE_FLAGS, OEM, SEAL,
    SIGN, TIMESTAMP, UNICODE, u32_at,
};
use common::{Failure, Setup, Token, old_client, send};
use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AscReq, AscRet, AuthIdentity, BlobRefused, ChannelBindings, ContextFlags,
    DenialReason, Entropy, Environment, Error, InitializeRequest, IscReq, IscRet, Misuse, PeerMisbehaved,
    PortableState, Provider, SecurityBuffer, SecurityStatus, Unavailable,
};
use portable_sspi_ntlm::{ServerNames, ServerPolicy};

#[test]
// MS-NLMP:3.4.5.1-ntlmv2
fn messages_are_sealed_and_signed_in_both_directions() {
    let mut pair = Setup::default().handshake().unwrap();
    for message in [&b"one"[..], b"", &[0x55; 5000]] {
        if !message.is_empty() {
            send(&mut pair.client, &mut pair.server, message);
            send(&mut pair.server, &mut pair.client, message);
        }
        let mut token = [0; 16];
        let mut sign = [SecurityBuffer::readonly_with_checksum(message), SecurityBuffer::token(&mut token)];
        pair.client.make_signature(&mut sign).unwrap();
        pair.server.verify_signature(&mut sign).unwrap();
        pair.server.make_signature(&mut sign).unwrap();
        pair.client.verify_signature(&mut sign).unwrap();
    }
    assert!(pair.client.session_key().ct_eq(pair.server.session_key()));
    let protection = IscRet::CONNECTION
        | IscRet::INTEGRITY
        | IscRet::REPLAY_DETECT
        | IscRet::SEQUENCE_DETECT
        | IscRet::CONFIDENTIALITY;
    assert_eq!(pair.client.flags(), ContextFlags::Initiator(protection));
    let protection = AscRet::CONNECTION
        | AscRet::INTEGRITY
        | AscRet::REPLAY_DETECT
        | AscRet::SEQUENCE_DETECT
        | AscRet::CONFIDENTIALITY;
    assert_eq!(pair.server.flags(), ContextFlags::Acceptor(protection));
    for context in [&pair.client, &pair.server] {
        assert_eq!(context.names().user_name, r"CORP\alice");
        assert_eq!(context.target(), Some("HTTP/files.corp.example"));
    }
    let token = pair.server.client_token().unwrap();
    assert_eq!(
        (
            token.user_name.as_str(),
            token.domain_name.as_str(),
            token.workstation.as_str(),
            token.is_anonymous
        ),
        ("alice", "CORP", "DESK", false)
    );
    assert!(pair.client.client_token().is_none());
}

#[test]
fn the_same_chance_and_time_give_the_same_tokens() {
    let tokens = || {
        let mut tokens = Vec::new();
        let pair = Setup::default().handshake_through(|token| match token {
            Token::Negotiate(bytes) | Token::Challenge(bytes) | Token::Authenticate(bytes) => {
                tokens.push(bytes.clone());
            }
        });
        (tokens, *pair.unwrap().server.session_key().expose())
    };
    assert_eq!(tokens(), tokens());
}

#[test]
// MS-NLMP:3.2.5.1.1-nonce
fn another_exchange_has_another_challenge_and_key() {
    let setup = Setup::default();
    let mut challenges = Vec::new();
    let mut run = || {
        let pair = setup.handshake_through(|token| {
            if let Token::Challenge(bytes) = token {
                challenges.push(bytes[24..32].to_vec());
            }
        });
        *pair.unwrap().server.session_key().expose()
    };
    assert_ne!(run(), run());
    assert_ne!(challenges[0], challenges[1]);
}

/// sspi facts, rows 29 to 31.
#[test]
// MS-NLMP:3.1.1.2-integrity MS-NLMP:3.1.1.2-confidentiality MS-NLMP:3.1.1.2-key-exchange
// MS-NLMP:3.1.1.2-identify MS-NLMP:3.1.5.1.1-always
fn requirements_decide_the_flags_of_the_negotiate() {
    let offered = |requirements| {
        let (_, negotiate) = Setup { requirements, ..Setup::default() }.start_client();
        u32_at(&negotiate, NEGOTIATE_FLAGS)
    };
    for plain in [
        IscReq::empty(),
        IscReq::CONNECTION,
        IscReq::EXTENDED_ERROR,
        IscReq::MUTUAL_AUTH,
        IscReq::USE_DCE_STYLE,
        IscReq::DELEGATE,
    ] {
        assert_eq!(offered(plain) & (SIGN | SEAL | KEY_EXCH), 0, "{plain:?}");
    }
    for signed in [IscReq::INTEGRITY, IscReq::REPLAY_DETECT, IscReq::SEQUENCE_DETECT] {
        assert_eq!(offered(signed) & (SIGN | SEAL | KEY_EXCH), SIGN | KEY_EXCH, "{signed:?}");
    }
    assert_eq!(offered(IscReq::CONFIDENTIALITY) & SEAL, SEAL);
    for any in [IscReq::empty(), IscReq::CONFIDENTIALITY] {
        let always = UNICODE | ALWAYS_SIGN | ESS | KEY_128;
        assert_eq!(offered(any) & always, always);
    }
}

#[test]
fn requirements_decide_what_the_contexts_do() {
    let plain = Setup { requirements: IscReq::empty(), ..Setup::default() };
    let mut pair = plain.handshake().unwrap();
    assert_eq!(pair.client.flags(), ContextFlags::Initiator(IscRet::CONNECTION));
    assert_eq!(pair.server.flags(), ContextFlags::Acceptor(AscRet::CONNECTION));
    assert!(pair.client.session_key().ct_eq(pair.server.session_key()));
    let error = pair.client.wrap(b"secret").unwrap_err();
    assert_eq!(error.status(), SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION);

    let signing = Setup { requirements: IscReq::INTEGRITY, ..Setup::default() };
    let mut pair = signing.handshake().unwrap();
    assert!(matches!(pair.client.wrap(b"secret"), Err(Error::Misuse(Misuse::NotNegotiated { .. }))));
    let mut token = [0; 16];
    let mut message = [SecurityBuffer::readonly_with_checksum(b"signed"), SecurityBuffer::token(&mut token)];
    pair.client.make_signature(&mut message).unwrap();
    pair.server.verify_signature(&mut message).unwrap();
}

#[test]
fn all_failed_logons_look_the_same() {
    let wrong_password = Setup { password: "wrong", ..Setup::default() }.handshake().unwrap_err();
    let unknown_user = Setup { user: "mallory", ..Setup::default() }.handshake().unwrap_err();
    let unknown_domain = Setup { domain: "OTHER", ..Setup::default() }.handshake().unwrap_err();
    let no_bindings =
        Setup { server_bindings: Some(bindings(1)), ..Setup::default() }.handshake().unwrap_err();
    let (Failure::Server(expected), reason) = (&wrong_password, DenialReason::BadNtResponse) else {
        panic!("{wrong_password:?}")
    };
    for (failure, reason) in [
        (&wrong_password, reason),
        (&unknown_user, DenialReason::UnknownAccount),
        (&unknown_domain, DenialReason::UnknownAccount),
        (&no_bindings, DenialReason::ChannelBindingsMissing),
    ] {
        let Failure::Server(error) = failure else { panic!("{failure:?}") };
        assert_eq!(error.status(), SecurityStatus::SEC_E_LOGON_DENIED);
        assert_eq!(error.to_string(), expected.to_string());
        assert_eq!(format!("{error:?} {error:#?}"), format!("{expected:?} {expected:#?}"));
        let Error::LogonDenied(denied) = error else { panic!("{error:?}") };
        assert_eq!(denied.audit_reason(), reason);
    }
}

fn bindings(certificate: u8) -> ChannelBindings {
    ChannelBindings::tls_server_end_point(&[certificate; 32])
}

#[test]
// MS-NLMP:3.2.5.1.2-bindings MS-NLMP:3.2.5.1.2-bindings-missing
fn channel_bindings_must_fit_where_the_server_has_some() {
    let run = |client: Option<u8>, server: Option<u8>, server_requirements| {
        let setup = Setup {
            client_bindings: client.map(bindings),
            server_bindings: server.map(bindings),
            server_requirements,
            ..Setup::default()
        };
        setup.handshake().map(drop).map_err(Failure::denied)
    };
    let none = AscReq::empty();
    assert_eq!(run(Some(1), Some(1), none), Ok(()));
    assert_eq!(run(Some(1), None, none), Ok(()), "the server knows of no channel");
    assert_eq!(run(None, None, none), Ok(()));
    assert_eq!(run(Some(1), Some(2), none), Err(DenialReason::ChannelBindingsMismatch));
    assert_eq!(run(None, Some(1), none), Err(DenialReason::ChannelBindingsMissing));
    let allowed = AscReq::ALLOW_MISSING_BINDINGS;
    assert_eq!(run(None, Some(1), allowed), Ok(()));
    assert_eq!(run(Some(1), Some(1), allowed), Ok(()));
    assert_eq!(
        run(Some(1), Some(2), allowed),
        Err(DenialReason::ChannelBindingsMismatch),
        "wrong ones never"
    );
}

/// What a relay leaves out of the NEGOTIATE, the server must miss.
#[test]
fn a_server_gets_the_protection_that_it_requires_or_no_session() {
    let run = |client, server| {
        let setup = Setup { requirements: client, server_requirements: server, ..Setup::default() };
        setup.handshake().map(|pair| (pair.server.flags().integrity(), pair.server.flags().confidentiality()))
    };
    let too_weak = |result: Result<_, Failure>, missing| match result {
        Err(Failure::Server(Error::Peer(error))) => {
            assert_eq!(error, PeerMisbehaved::TooWeak { missing });
            assert_eq!(error.status(), SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION);
        }
        other => panic!("{other:?}"),
    };
    too_weak(run(IscReq::empty(), AscReq::INTEGRITY), "SIGN");
    too_weak(run(IscReq::empty(), AscReq::SEQUENCE_DETECT), "SIGN");
    too_weak(run(IscReq::INTEGRITY, AscReq::CONFIDENTIALITY), "SEAL");
    assert_eq!(run(IscReq::INTEGRITY, AscReq::INTEGRITY).unwrap(), (true, false));
    assert_eq!(run(IscReq::CONFIDENTIALITY, AscReq::CONFIDENTIALITY).unwrap(), (true, true));
    assert_eq!(run(IscReq::empty(), AscReq::empty()).unwrap(), (false, false));
}

#[test]
fn names_too_long_to_keep_are_refused() {
    let long = "x".repeat(1025).leak();
    for setup in [Setup { user: long, ..Setup::default() }, Setup { domain: long, ..Setup::default() }] {
        match setup.handshake() {
            Err(Failure::Server(error @ Error::Malformed(_))) => {
                assert!(error.to_string().contains("too large"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// sspi facts, row 34: given at the first step alone.
#[test]
fn channel_bindings_of_the_servers_first_step_count() {
    for (client, expected) in [(1, Ok(())), (2, Err(DenialReason::ChannelBindingsMismatch))] {
        let mut setup = Setup {
            client_bindings: Some(bindings(client)),
            server_bindings: Some(bindings(1)),
            ..Setup::default()
        };
        let (at_client, negotiate) = setup.start_client();
        let at_server = setup.challenge(&negotiate).unwrap();
        let (_, authenticate) = setup.answer(at_client, &at_server.challenge).unwrap();
        setup.server_bindings = None;
        let result = setup.finish(at_server.context, &authenticate);
        assert_eq!(result.map(drop).map_err(|error| Failure::Server(error).denied()), expected);
    }
}

#[test]
fn the_service_name_must_be_the_servers_where_it_has_some() {
    let run = |asked: Option<&'static str>, accepted: &[&str], require_spn| {
        let setup = Setup {
            target_name: asked,
            server_policy: ServerPolicy {
                accepted_spns: accepted.iter().map(|name| (*name).to_owned()).collect(),
                require_spn,
                ..ServerPolicy::default()
            },
            ..Setup::default()
        };
        let pair = setup.handshake().map_err(Failure::denied)?;
        Ok(pair.server.target().map(str::to_owned))
    };
    let ours = &["cifs/files", "HTTP/files"];
    assert_eq!(run(Some("http/FILES"), ours, true), Ok(Some("http/FILES".to_owned())));
    assert_eq!(run(Some("HTTP/other"), ours, false), Err(DenialReason::TargetNameMismatch));
    assert_eq!(run(Some("HTTP/files.evil"), ours, false), Err(DenialReason::TargetNameMismatch));
    assert_eq!(run(None, ours, false), Ok(None));
    assert_eq!(run(None, ours, true), Err(DenialReason::TargetNameMissing));
    assert_eq!(run(Some("HTTP/other"), &[], true), Ok(Some("HTTP/other".to_owned())));
}

#[test]
// MS-NLMP:3.1.5.1.2-untrusted-name MS-NLMP:3.2.5.1.2-untrusted-name
fn a_service_name_from_an_untrusted_source_counts_as_none() {
    let mut setup = Setup {
        requirements: IscReq::INTEGRITY | IscReq::UNVERIFIED_TARGET_NAME,
        target_name: Some("HTTP/files"),
        ..Setup::default()
    };
    assert_eq!(setup.handshake().unwrap().server.target(), None);
    setup.server_policy.accepted_spns = vec!["HTTP/files".to_owned()];
    assert_eq!(setup.handshake().unwrap().server.target(), None);
    setup.server_policy.require_spn = true;
    assert_eq!(setup.handshake().unwrap_err().denied(), DenialReason::TargetNameMissing);
}

#[test]
// MS-NLMP:3.2.5.1.2-names-without-case
fn accounts_are_found_and_named_by_their_own_names() {
    let run = |accounts: &[(&'static str, &'static str)], user, domain| {
        let setup = Setup { accounts: accounts.to_vec(), user, domain, ..Setup::default() };
        let pair = setup.handshake().map_err(Failure::denied)?;
        Ok(pair.server.names().user_name)
    };
    let named = |name: &str| Ok(name.to_owned());
    let unknown = Err(DenialReason::UnknownAccount);
    // An account of the server itself: whatever domain the client writes.
    assert_eq!(run(&[("Alice", "")], "aLICE", ""), named("Alice"));
    assert_eq!(run(&[("Alice", "")], "aLICE", "ANYTHING"), named("Alice"));
    // An account of a domain: that one, or none.
    assert_eq!(run(&[("Alice", "CORP")], "alice", "corp"), named(r"CORP\Alice"));
    assert_eq!(run(&[("Alice", "CORP")], "alice", ""), named(r"CORP\Alice"));
    assert_eq!(run(&[("Alice", "CORP")], "alice", "OTHER"), unknown);
    let both = [("alice", "CORP"), ("alice", "OTHER")];
    assert_eq!(run(&both, "alice", "other"), named(r"OTHER\alice"));
    assert_eq!(run(&both, "alice", ""), unknown, "which of the two");
    // A user principal name stays whole in the hash.
    assert_eq!(run(&[("alice", "corp.example")], "Alice@corp.example", ""), named(r"corp.example\alice"));
    assert_eq!(run(&[("alice@corp.example", "")], "alice@corp.example", ""), named("alice@corp.example"));
    assert_eq!(run(&[("alice", "corp.example")], "alice@evil.example", ""), unknown);
    // Letters beyond ASCII.
    assert_eq!(run(&[("Jürgen", "GÖTTINGEN")], "JÜRGEN", "Göttingen"), named(r"GÖTTINGEN\Jürgen"));
}

#[test]
// MS-NLMP:3.2.5.1.2-lifetime
fn an_answer_that_comes_too_late_is_refused() {
    let run = |seconds| {
        let setup = Setup::default();
        setup
            .handshake_through(|token| {
                if let Token::Authenticate(_) = token {
                    setup.world.pass_seconds(seconds);
                }
            })
            .map(drop)
            .map_err(Failure::denied)
    };
    assert_eq!(run(5 * 60), Ok(()));
    assert_eq!(run(5 * 60 + 1), Err(DenialReason::TimeSkew));
}

/// What curl offers: OEM text, extended session security, no protection of messages.
const OEM_CLIENT: u32 = 0x0008_8206;

fn oem_logon(user: &'static str, require_mic: bool) -> Result<String, Error> {
    let setup = Setup {
        accounts: vec![("alice", "CORP"), ("Jürgen", "CORP")],
        server_policy: ServerPolicy { require_mic, ..ServerPolicy::default() },
        ..Setup::default()
    };
    let at_server = setup.challenge(&old_client::negotiate(OEM_CLIENT))?;
    let flags = u32_at(&at_server.challenge, CHALLENGE_FLAGS);
    assert_eq!(flags & (UNICODE | OEM), OEM);
    assert_eq!(messages::field(&at_server.challenge, 12), b"CORP");
    let mut answer = old_client::authenticate(&at_server.challenge, user, "CORP", &Vec::new());
    if !user.is_ascii() {
        // As ISO 8859-1 has it.
        answer.user = user.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    }
    Ok(setup.finish(at_server.context, &answer.write())?.names().user_name)
}

#[test]
fn a_client_that_speaks_oem_is_admitted_where_the_policy_does_without_mic() {
    assert_eq!(oem_logon("alice", false).unwrap(), r"CORP\alice");
    let refused = oem_logon("alice", true).unwrap_err();
    assert_eq!(Failure::Server(refused).denied(), DenialReason::MicMissing);
    assert!(matches!(oem_logon("Jürgen", false), Err(Error::Malformed(_))), "which code page is not known");
}

#[test]
fn a_server_name_that_oem_cannot_say_shuts_out_oem_clients_alone() {
    let setup = Setup { server_names: ServerNames::stand_alone("BÜRO"), ..Setup::default() };
    let refused = setup.challenge(&old_client::negotiate(OEM_CLIENT)).err().unwrap();
    assert!(matches!(refused, Error::Peer(PeerMisbehaved::TooWeak { missing: "UNICODE" })), "{refused}");
    assert!(setup.handshake().is_ok(), "a client that speaks Unicode is served");
}

#[test]
fn a_client_without_extended_session_security_is_refused_at_once_where_it_matters() {
    let setup = Setup::default();
    let refused = setup.challenge(&old_client::negotiate((OEM_CLIENT & !ESS) | SIGN)).err().unwrap();
    assert_eq!(refused.status(), SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION);
    assert!(setup.challenge(&old_client::negotiate(OEM_CLIENT & !ESS)).is_ok(), "nothing is to be protected");
}

#[test]
fn contexts_go_on_after_export_and_import_in_mid_conversation() {
    let setup =
        Setup { client_bindings: Some(bindings(1)), server_bindings: Some(bindings(1)), ..Setup::default() };
    let ntlm = setup.ntlm();
    let mut pair = setup.handshake().unwrap();
    for round in 0..4 {
        send(&mut pair.client, &mut pair.server, b"a request");
        send(&mut pair.server, &mut pair.client, b"and its answer, which is longer");
        // Left under way while its receiver is moved.
        let mut under_way = pair.client.wrap(b"under way").unwrap();
        if round % 2 == 0 {
            pair.server = moved(&ntlm, pair.server);
        }
        if round > 0 {
            pair.client = moved(&ntlm, pair.client);
        }
        assert_eq!(pair.server.unwrap(&mut under_way).unwrap(), b"under way");
    }
    assert_eq!(pair.server.names().user_name, r"CORP\alice");
    assert_eq!(pair.server.target(), Some("HTTP/files.corp.example"));
    assert!(pair.client.session_key().ct_eq(pair.server.session_key()));
}

fn moved(
    ntlm: &portable_sspi_ntlm::Ntlm,
    context: Box<dyn portable_sspi_core::SecurityContext>,
) -> Box<dyn portable_sspi_core::SecurityContext> {
    let bytes = ntlm.export(context).unwrap().to_bytes();
    ntlm.import(&PortableState::from_bytes(&bytes).unwrap()).unwrap()
}

#[test]
fn a_reset_state_starts_over_and_a_cut_one_is_refused() {
    let setup = Setup::default();
    let ntlm = setup.ntlm();
    let mut pair = setup.handshake().unwrap();
    let first = pair.client.wrap(b"message").unwrap();
    let state = ntlm.export(pair.client).unwrap();
    let mut again = ntlm.import(&ntlm.reset(&state).unwrap()).unwrap();
    assert_eq!(again.wrap(b"message").unwrap(), first);

    let bytes = state.to_bytes();
    let cut = PortableState::from_bytes(&bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(ntlm.import(&cut), Err(Error::BlobRefused(BlobRefused::Damaged))));
}

#[test]
// MS-NLMP:3.1.5.1.2-time MS-NLMP:3.1.5.1.2-no-lm MS-NLMP:3.2.5.1.1-time
fn the_client_repeats_the_servers_time_and_sends_no_lm_response() {
    let setup = Setup::default();
    let mut answer = None;
    let pair = setup.handshake_through(|token| match token {
        // The client's own clock is another minute.
        Token::Challenge(_) => setup.world.pass_seconds(60),
        Token::Authenticate(message) => answer = Some(Authenticate::parse(message)),
        Token::Negotiate(_) => {}
    });
    pair.unwrap();
    let answer = answer.unwrap();
    let (_, time) = answer.pairs().into_iter().find(|(id, _)| *id == TIMESTAMP).unwrap();
    assert_eq!(answer.nt[24..32], time);
    assert_eq!(answer.lm, [0; 24]);
}

/// [MS-NLMP] 3.2.5.1.2, and the two tables for upper case that are in the field.
#[test]
// MS-NLMP:3.2.5.1.2-empty-domain
fn responses_of_clients_that_hash_other_names_are_understood() {
    let run = |hashed_user, hashed_domain| {
        let setup = Setup {
            accounts: vec![("Ionuț", "Corp")],
            server_policy: ServerPolicy { require_mic: false, ..ServerPolicy::default() },
            ..Setup::default()
        };
        let at_server = setup.challenge(&old_client::negotiate(UNICODE | ESS)).unwrap();
        let answer = old_client::authenticate_hashing(
            &at_server.challenge,
            ("Ionuț", "Corp"),
            (hashed_user, hashed_domain),
            &messages::target_info(&at_server.challenge),
        );
        let context = setup.finish(at_server.context, &answer.write());
        context.map(|context| context.names().user_name).map_err(|error| Failure::Server(error).denied())
    };
    for (user, domain) in
        [("IONUȚ", "Corp"), ("IONUȚ", ""), ("IONUȚ", "CORP"), ("IONUț", "Corp"), ("IONUț", "CORP")]
    {
        assert_eq!(run(user, domain), Ok(r"Corp\Ionuț".to_owned()), "{user} {domain}");
    }
    assert_eq!(run("Ionuț", "Corp"), Err(DenialReason::BadNtResponse));
    assert_eq!(run("IONUȚ", "OTHER"), Err(DenialReason::BadNtResponse));
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), Unavailable> {
        Err(Unavailable::Entropy)
    }
}

#[test]
fn without_randomness_nobody_takes_a_step_that_needs_it() {
    let setup = Setup::default();
    let environment = Environment::new(&NoEntropy, &setup.world);
    let (at_client, negotiate) = setup.start_client();
    let at_server = setup.challenge(&negotiate).unwrap();

    let ntlm = setup.ntlm();
    let server = ntlm.acquire(AcquireRequest::inbound()).unwrap();
    let request = AcceptRequest { token: &negotiate, ..AcceptRequest::default() };
    let failed = ntlm.accept(&server, None, &request, &environment);
    assert!(matches!(failed, Err(Error::Unavailable(Unavailable::Entropy))), "{failed:?}");

    let identity = AuthIdentity::new("alice", "CORP", common::PASSWORD);
    let client = ntlm.acquire(AcquireRequest::outbound(identity)).unwrap();
    let request = InitializeRequest {
        requirements: setup.requirements,
        token: Some(&at_server.challenge),
        ..InitializeRequest::default()
    };
    let failed = ntlm.initialize(&client, Some(at_client), &request, &environment);
    assert!(matches!(failed, Err(Error::Unavailable(Unavailable::Entropy))), "{failed:?}");
}
