//! Clients and servers of every level of age: what they agree on, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::messages::{
    self, ALWAYS_SIGN, Authenticate, CHALLENGE_FLAGS, ESS, KEY_128, KEY_EXCH, LM_KEY, NEGOTIATE_FLAGS, OEM,
    SEAL, SIGN, TARGET_INFO, UNICODE, change_flags, u32_at,
};
use common::old_client::{self, Kind};
use common::{Failure, Pair, Setup, Token, client_level, permissive, send};
use portable_sspi_core::{
    AcquireRequest, AuthIdentity, DenialReason, Error, IscReq, Misuse, PeerMisbehaved, PortableState,
    Provider, SecretArray, SecurityBuffer, SecurityStatus,
};
use portable_sspi_ntlm::{ClientPolicy, LmCompatibilityLevel, NegotiateFlags, Ntlm, ServerPolicy};

fn levels() -> impl Iterator<Item = LmCompatibilityLevel> {
    (0..).map_while(LmCompatibilityLevel::from_number)
}

fn number(level: LmCompatibilityLevel) -> usize {
    levels().position(|other| other == level).unwrap()
}

/// Messages both ways, and after moving both contexts.
fn talk(setup: &Setup, mut pair: Pair) {
    let ntlm = setup.ntlm();
    let moved = |context| {
        let bytes = ntlm.export(context).unwrap().to_bytes();
        ntlm.import(&PortableState::from_bytes(&bytes).unwrap()).unwrap()
    };
    for _ in 0..2 {
        send(&mut pair.client, &mut pair.server, b"a request");
        send(&mut pair.server, &mut pair.client, b"and its answer");
        pair = Pair { client: moved(pair.client), server: moved(pair.server) };
    }
    assert!(pair.client.session_key().ct_eq(pair.server.session_key()));
    assert_eq!(pair.server.names().user_name, r"CORP\alice");
}

/// The NT and LM response that a client sends.
fn responses(setup: &Setup) -> (Vec<u8>, Vec<u8>) {
    let mut seen = None;
    let _ = setup.handshake_through(|token| {
        if let Token::Authenticate(message) = token {
            seen = Some(Authenticate::parse(message));
        }
    });
    let message = seen.unwrap();
    (message.nt, message.lm)
}

#[test]
// MS-NLMP:3.2.5.1.2-kind-by-length
fn every_client_level_against_every_server_level() {
    for (client, server) in levels().flat_map(|client| levels().map(move |server| (client, server))) {
        for strict in [false, true] {
            let mut setup =
                Setup { client_policy: client_level(client), lm_hashes: true, ..Setup::default() };
            // All else is demanded as ever.
            setup.server_policy.level = server;
            if strict {
                setup.client_policy.minimum_flags = ClientPolicy::default().minimum_flags;
            } else {
                setup.server_policy.minimum_flags = NegotiateFlags::empty();
            }
            let case = format!("client {}, server {}, strict {strict}", number(client), number(server));
            let result = setup.handshake();
            match (number(client), number(server)) {
                (0, _) if strict => match result.unwrap_err() {
                    Failure::Server(Error::Peer(PeerMisbehaved::TooWeak { missing })) => {
                        assert_eq!(missing, "EXTENDED_SESSIONSECURITY", "{case}");
                    }
                    other => panic!("{case}: {other:?}"),
                },
                (0..=2, 5) => assert_eq!(result.unwrap_err().denied(), DenialReason::Ntlmv1Refused, "{case}"),
                _ => {
                    let pair = result.unwrap_or_else(|failure| panic!("{case}: {failure:?}"));
                    let name = pair.client.key_info().signature_algorithm_name;
                    let plain = number(client) == 0;
                    assert_eq!(name, if plain { "RSADSI RC4-CRC32" } else { "HMAC-MD5" }, "{case}");
                    // LM_KEY where both still take LM.
                    let weak = plain && number(server) <= 3;
                    assert_eq!(pair.client.key_info().key_size, if weak { 56 } else { 128 }, "{case}");
                    assert_eq!(pair.server.key_info(), pair.client.key_info());
                    talk(&setup, pair);
                }
            }
        }
    }
}

#[test]
// MS-NLMP:3.2.5.1.2-response
fn a_wrong_password_is_refused_at_every_level() {
    for level in levels() {
        let setup = Setup {
            password: "wrong",
            client_policy: client_level(level),
            server_policy: permissive(),
            lm_hashes: true,
            ..Setup::default()
        };
        assert_eq!(setup.handshake().unwrap_err().denied(), DenialReason::BadNtResponse);
        let unknown = Setup { user: "mallory", ..setup };
        assert_eq!(unknown.handshake().unwrap_err().denied(), DenialReason::UnknownAccount);
    }
}

#[test]
// MS-NLMP:3.3.1-no-lm-response
fn what_a_client_sends_at_each_level() {
    let sent = |level, ess: bool, password| {
        let setup = Setup {
            client_policy: client_level(level),
            server_policy: permissive(),
            requirements: IscReq::empty(),
            password,
            ..Setup::default()
        };
        let (at_client, mut negotiate) = setup.start_client();
        if !ess {
            change_flags(&mut negotiate, NEGOTIATE_FLAGS, 0, ESS);
        }
        let mut challenge = setup.challenge(&negotiate).unwrap().challenge;
        messages::set_target_info(&mut challenge, &Vec::new());
        let (_, answer) = setup.answer(at_client, &challenge).unwrap();
        let answer = Authenticate::parse(&answer);
        (answer.nt, answer.lm)
    };
    use LmCompatibilityLevel as L;
    let password = common::PASSWORD;
    for level in [L::Level0, L::Level1, L::Level2] {
        // Without extended session security: LM beside NTLMv1 at 0 and 1, and for passwords that have an LM hash.
        let (nt, lm) = sent(level, false, password);
        assert_eq!(nt.len(), 24);
        assert_eq!(lm == nt, level == L::Level2, "{level:?}");
        let (nt, lm) = sent(level, false, "longer than 14 characters");
        assert_eq!(lm, nt);
        // With it the client's nonce.
        let (nt, lm) = sent(level, true, password);
        assert_eq!((nt.len(), lm[8..] == [0; 16]), (24, level != L::Level0));
    }
    for level in [L::Level3, L::Level4, L::Level5] {
        let (nt, lm) = sent(level, true, password);
        assert!(nt.len() > 24);
        assert_eq!(lm == [0; 24], level != L::Level3, "{level:?}: LMv2 where the server sent no time");
    }
    // With a time, none sends LMv2.
    let setup = Setup { client_policy: client_level(L::Level3), ..Setup::default() };
    assert_eq!(responses(&setup).1, [0; 24]);
}

#[test]
fn an_nt_hash_in_place_of_the_password_has_no_lm_response() {
    let setup = Setup::default();
    let ntlm = Ntlm::new(portable_sspi_ntlm::NtlmConfig {
        client_policy: client_level(LmCompatibilityLevel::Level0),
        ..Default::default()
    });
    let identity = AuthIdentity::with_nt_hash("alice", "CORP", SecretArray::new(old_client::nt_hash()));
    let credentials = ntlm.acquire(AcquireRequest::outbound(identity)).unwrap();
    let request =
        portable_sspi_core::InitializeRequest { requirements: IscReq::CONFIDENTIALITY, ..Default::default() };
    let step = ntlm.initialize(&credentials, None, &request, &setup.world.environment()).unwrap();
    let portable_sspi_core::Step::ContinueNeeded { token, .. } = step else { panic!("complete") };
    assert_eq!(u32_at(&token, NEGOTIATE_FLAGS) & LM_KEY, 0, "no key that this client could not make");
}

#[test]
fn ntlmv1_carries_no_channel_bindings_so_the_client_does_not_send_it() {
    let setup = Setup {
        client_policy: client_level(LmCompatibilityLevel::Level2),
        server_policy: permissive(),
        client_bindings: Some(portable_sspi_core::ChannelBindings::tls_server_end_point(&[1; 32])),
        ..Setup::default()
    };
    match setup.handshake().unwrap_err() {
        Failure::Client(Error::Misuse(Misuse::NotSupported { .. })) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn message_protection_by_what_was_negotiated() {
    for (requirements, clear, key_size) in [
        (IscReq::INTEGRITY, KEY_128, 128),
        (IscReq::CONFIDENTIALITY, LM_KEY, 128),
        (IscReq::CONFIDENTIALITY, 0, 56),
        (IscReq::CONFIDENTIALITY, 0x8000_0000, 40),
        (IscReq::CONFIDENTIALITY, 0x8000_0000 | KEY_EXCH, 40),
    ] {
        let setup = Setup {
            requirements,
            client_policy: client_level(LmCompatibilityLevel::Level1),
            server_policy: permissive(),
            lm_hashes: true,
            ..Setup::default()
        };
        let lm_key = if key_size == 128 { LM_KEY } else { 0 };
        let result = setup.handshake_through(|token| {
            if let Token::Negotiate(message) = token {
                change_flags(message, NEGOTIATE_FLAGS, 0, ESS | clear | lm_key);
            }
        });
        let mut pair = result.unwrap();
        assert_eq!(pair.client.key_info().key_size, key_size);
        if requirements == IscReq::CONFIDENTIALITY {
            talk(&setup, pair);
        } else {
            let mut token = [0; 16];
            let mut message =
                [SecurityBuffer::readonly_with_checksum(b"m"), SecurityBuffer::token(&mut token)];
            pair.server.make_signature(&mut message).unwrap();
            pair.client.verify_signature(&mut message).unwrap();
        }
    }
}

/// LM_KEY makes keys of 56 bits whatever else is chosen, so who demands 128 does not get them by that flag.
#[test]
fn a_demand_for_128_bits_leaves_no_lm_key() {
    let mut setup = Setup {
        client_policy: client_level(LmCompatibilityLevel::Level0),
        server_policy: permissive(),
        lm_hashes: true,
        ..Setup::default()
    };
    setup.server_policy.minimum_flags = NegotiateFlags::KEY_128;
    assert_eq!(setup.handshake().unwrap().server.key_info().key_size, 128);
    setup.server_policy = permissive();
    setup.client_policy.minimum_flags = NegotiateFlags::KEY_128;
    assert_eq!(setup.handshake().unwrap().server.key_info().key_size, 128);
}

/// A logon of another make's old client, with a header of that length.
fn old_logon(policy: ServerPolicy, kind: Kind, offered: u32, header: usize) -> Result<(), Error> {
    let setup = Setup { server_policy: policy, lm_hashes: true, ..Setup::default() };
    let at_server = setup.challenge(&old_client::negotiate(offered))?;
    let answer = old_client::authenticate_as(kind, &at_server.challenge).write_old(header);
    let context = setup.finish(at_server.context, &answer)?;
    assert_eq!(context.names().user_name, r"CORP\alice");
    Ok(())
}

#[test]
fn lm_or_lmv2_alone_is_admitted_up_to_level_3_and_without_extended_session_security() {
    for level in levels() {
        for kind in [Kind::Lm, Kind::LmV2] {
            let policy = ServerPolicy { level, ..permissive() };
            let result = old_logon(policy.clone(), kind, UNICODE, 64);
            if number(level) <= 3 {
                result.unwrap();
            } else {
                assert_eq!(Failure::Server(result.unwrap_err()).denied(), DenialReason::NoNtResponse);
            }
            let result = old_logon(policy.clone(), kind, UNICODE | ESS, 64);
            assert_eq!(Failure::Server(result.unwrap_err()).denied(), DenialReason::NoNtResponse);
            let demanding =
                ServerPolicy { minimum_flags: NegotiateFlags::EXTENDED_SESSIONSECURITY, ..policy };
            let result = old_logon(demanding, kind, UNICODE, 64);
            assert_eq!(Failure::Server(result.unwrap_err()).denied(), DenialReason::NoNtResponse);
        }
    }
}

/// LMv2 is of NTLMv2: what LM_KEY makes of the LM hash is for LM and NTLMv1.
#[test]
// MS-NLMP:3.4.5.1-ntlmv2
fn lmv2_alone_has_the_key_of_ntlmv2_whatever_the_flags() {
    for offered in [0, SIGN, SIGN | LM_KEY, SIGN | SEAL | LM_KEY] {
        for lm_hashes in [false, true] {
            let setup = Setup { server_policy: permissive(), lm_hashes, ..Setup::default() };
            let at_server = setup.challenge(&old_client::negotiate(UNICODE | offered)).unwrap();
            let answer = old_client::authenticate_as(Kind::LmV2, &at_server.challenge);
            let key = old_client::key_of_lmv2(&answer.lm);
            let context = setup.finish(at_server.context, &answer.write()).unwrap();
            assert_eq!(context.session_key().expose(), &key, "{offered:#x}");
        }
    }
}

#[test]
fn headers_of_every_length_are_read() {
    for header in [52, 64, 72] {
        for offered in [UNICODE, UNICODE | ESS, OEM, OEM | ESS] {
            old_logon(permissive(), Kind::NtlmV1, offered, header).unwrap();
        }
        old_logon(permissive(), Kind::Lm, OEM, header).unwrap();
        old_logon(permissive(), Kind::LmV2, UNICODE, header).unwrap();
    }
    // Without room for a key there is none.
    let setup = Setup { server_policy: permissive(), ..Setup::default() };
    let at_server = setup.challenge(&old_client::negotiate(UNICODE | SIGN | KEY_EXCH)).unwrap();
    let answer = old_client::authenticate_as(Kind::NtlmV1, &at_server.challenge).write_old(52);
    assert!(matches!(setup.finish(at_server.context, &answer), Err(Error::Malformed(_))));
    // A NEGOTIATE that is nothing but its flags, as Windows 9x sends, and one without Version.
    for length in [16, 32] {
        let mut negotiate = old_client::negotiate(UNICODE);
        negotiate.truncate(length);
        assert!(setup.challenge(&negotiate).is_ok(), "{length} bytes");
    }
}

/// A CHALLENGE of another make.
fn challenge(header: usize, flags: u32, target_info: &[u8]) -> Vec<u8> {
    let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
    let name = messages::utf16("OLD");
    let field = |length: usize, offset: usize| {
        let (length, offset) = (u16::try_from(length).unwrap(), u32::try_from(offset).unwrap());
        [&length.to_le_bytes()[..], &length.to_le_bytes(), &offset.to_le_bytes()].concat()
    };
    message.extend(field(name.len(), header));
    message.extend_from_slice(&flags.to_le_bytes());
    message.extend_from_slice(b"nonce of");
    message.extend_from_slice(&[0; 8]);
    message.extend(field(target_info.len(), header + name.len()));
    message.resize(56, 0);
    message.truncate(header);
    [message, name, target_info.to_vec()].concat()
}

#[test]
fn a_challenge_of_an_old_server_is_answered() {
    let setup = Setup { requirements: IscReq::empty(), ..Setup::default() };
    for (header, target_info) in [(32, Vec::new()), (48, Vec::new()), (48, vec![0; 4]), (56, vec![0; 4])] {
        let (at_client, _) = setup.start_client();
        let message = challenge(header, UNICODE | ALWAYS_SIGN | TARGET_INFO, &target_info);
        let (_, answer) = setup.answer(at_client, &message).unwrap();
        let answer = Authenticate::parse(&answer);
        assert!(old_client::proves(&answer.nt, b"nonce of"), "header of {header} bytes");
    }
}

/// Facts about SSPI, rows 36, 63 and 64: no extended session security, no time, nothing to protect.
#[test]
fn a_challenge_without_protection_leads_to_dummy_signatures_and_no_encryption() {
    let setup = Setup { requirements: IscReq::empty(), ..Setup::default() };
    let (at_client, _) = setup.start_client();
    let mut info = Vec::new();
    for id in [2u16, 1] {
        info.extend([id.to_le_bytes(), 6u16.to_le_bytes()].concat());
        info.extend(messages::utf16("OLD"));
    }
    info.extend([0; 4]);
    let (mut client, _) = setup.answer(at_client, &challenge(48, 0xA082_8205, &info)).unwrap();
    assert!(!client.flags().integrity() && !client.flags().confidentiality());
    let mut token = [0xEE; 16];
    let mut message = [SecurityBuffer::readonly_with_checksum(b"any"), SecurityBuffer::token(&mut token)];
    client.make_signature(&mut message).unwrap();
    assert_eq!(message[1].bytes(), 1u128.to_le_bytes());
    client.verify_signature(&mut message).unwrap();
    let error = client.wrap(b"secret").unwrap_err();
    assert_eq!(error.status(), SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

#[test]
fn a_client_speaks_oem_where_its_policy_lets_the_server_choose_that() {
    let run = |user: &'static str, policy: ClientPolicy| {
        let setup = Setup { user, client_policy: policy, server_policy: permissive(), ..Setup::default() };
        let mut seen = Vec::new();
        let result = setup.handshake_through(|token| match token {
            Token::Negotiate(message) => change_flags(message, NEGOTIATE_FLAGS, OEM, UNICODE),
            Token::Challenge(message) => {
                assert_eq!(u32_at(message, CHALLENGE_FLAGS) & (UNICODE | OEM), OEM);
            }
            Token::Authenticate(message) => seen = Authenticate::parse(message).user,
        });
        result.map(|_| seen)
    };
    let relaxed = || client_level(LmCompatibilityLevel::Level2);
    assert_eq!(run("alice", relaxed()).unwrap(), b"alice");
    let unsayable = run("Jürgen", relaxed()).unwrap_err();
    assert!(matches!(unsayable, Failure::Client(Error::Misuse(Misuse::BadOption { .. }))), "{unsayable:?}");
    let demanding = ClientPolicy { minimum_flags: NegotiateFlags::UNICODE, ..relaxed() };
    let refused = run("alice", demanding).unwrap_err();
    assert!(
        matches!(refused, Failure::Client(Error::Peer(PeerMisbehaved::TooWeak { missing: "UNICODE" }))),
        "{refused:?}"
    );
}

#[test]
fn a_demand_for_signing_shuts_out_who_asks_for_none() {
    let plain = || Setup { requirements: IscReq::empty(), ..Setup::default() };
    let mut setup = plain();
    setup.server_policy.minimum_flags |= NegotiateFlags::SIGN;
    match setup.handshake().unwrap_err() {
        Failure::Server(Error::Peer(PeerMisbehaved::TooWeak { missing })) => assert_eq!(missing, "SIGN"),
        other => panic!("{other:?}"),
    }
    let mut setup = plain();
    setup.client_policy.minimum_flags |= NegotiateFlags::SIGN;
    match setup.handshake().unwrap_err() {
        Failure::Client(Error::Peer(PeerMisbehaved::TooWeak { missing })) => assert_eq!(missing, "SIGN"),
        other => panic!("{other:?}"),
    }
    assert!(plain().handshake().is_ok());
    let sealed = u32_at(&Setup::default().start_client().1, NEGOTIATE_FLAGS) & (SIGN | SEAL);
    assert_eq!(sealed, SIGN | SEAL);
}
