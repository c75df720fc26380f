//! Everything that the crate's types allow and this library's do not: an error of the crate's kinds, and never a panic.

use portable_sspi::sspi_crate::Ntlm;
use sspi::builders::{ChangePasswordBuilder, FilledInitializeSecurityContext};
use sspi::{
    AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation, EncryptionFlags,
    ErrorKind, SecurityBuffer, SecurityBufferFlags, SecurityBufferRef, SecurityStatus, ServerRequestFlags,
    Sspi, SspiEx, SspiImpl,
};

use crate::conversation::*;

type Ref<'a> = SecurityBufferRef<'a>;

fn pair() -> (Ntlm, Ntlm) {
    established(&Scenario::default()).unwrap()
}

/// A pair whose server has the AUTHENTICATE, and no identity.
fn claimed() -> (Ntlm, Ntlm) {
    let (mut client, mut server) = (Ntlm::new(), Ntlm::new());
    let authenticate = authenticate(&mut client, &mut server, &Scenario::default());
    assert_eq!(accept(&mut server, &mut None, &authenticate).unwrap().0, SecurityStatus::CompleteNeeded);
    (client, server)
}

fn kind<T: std::fmt::Debug>(result: sspi::Result<T>) -> ErrorKind {
    result.unwrap_err().error_type
}

#[test]
fn several_candidates() {
    // One of another name with the client's password, the same name with others: none of them is the client.
    let (_, mut server) = claimed();
    server
        .custom_set_auth_identities(vec![
            identity("mallory", PASSWORD),
            identity(USER, "old"),
            identity(USER, "older"),
        ])
        .unwrap();
    assert_eq!(kind(server.complete_auth_token(&mut [])), ErrorKind::LogonDenied);
    // The challenge is used up.
    assert_eq!(kind(server.custom_set_auth_identity(identity(USER, PASSWORD))), ErrorKind::OutOfSequence);
    assert_eq!(kind(server.complete_auth_token(&mut [])), ErrorKind::OutOfSequence);
    assert!(server.audit_reason().is_some());

    let (_, mut server) = claimed();
    assert_eq!(kind(server.custom_set_auth_identities(Vec::new())), ErrorKind::NoCredentials);
    let nobody = sspi::AuthIdentity {
        username: sspi::Username::new("", None).unwrap(),
        password: String::new().into(),
    };
    server.custom_set_auth_identity(nobody).unwrap();
    assert_eq!(kind(server.complete_auth_token(&mut [])), ErrorKind::UnknownCredentials);
    // An NT hash that is none.
    server.custom_set_auth_identity(identity(USER, "$NTLM$:ééé")).unwrap();
    assert_eq!(kind(server.complete_auth_token(&mut [])), ErrorKind::InvalidToken);
    // What was wrong was the caller's input, so nothing is used up.
    server.custom_set_auth_identities(vec![identity(USER, "old"), identity(USER, PASSWORD)]).unwrap();
    assert_eq!(server.complete_auth_token(&mut []).unwrap(), SecurityStatus::Ok);
}

#[test]
fn no_candidate() {
    let (_, mut server) = claimed();
    assert_eq!(kind(server.complete_auth_token(&mut [])), ErrorKind::LogonDenied);
    let mut empty = [Ref::token_buf(&mut []), Ref::data_buf(&mut [])];
    assert_eq!(kind(server.encrypt_message(EncryptionFlags::empty(), &mut empty)), ErrorKind::LogonDenied);
    assert_eq!(kind(server.query_context_session_key()), ErrorKind::OutOfSequence);
}

#[test]
fn calls_out_of_order() {
    let message = || [0; 16];
    let (client, server) = pair();
    let ended = {
        let mut ended = Ntlm::new();
        assert_eq!(kind(accept(&mut ended, &mut None, b"not NTLM")), ErrorKind::InvalidToken);
        ended
    };
    for (mut context, is_established) in
        [(Ntlm::new(), false), (ended, false), (client, true), (server, true)]
    {
        let (mut token, mut data) = (message(), message());
        let mut list = [Ref::token_buf(&mut token), Ref::data_buf(&mut data)];
        let results = [
            context.encrypt_message(EncryptionFlags::empty(), &mut list).map(|_| ()),
            context.make_signature(0, &mut list, 0),
            context.verify_signature(&mut list, u32::MAX).map(|_| ()),
            context.decrypt_message(&mut list).map(|_| ()),
            context.complete_auth_token(&mut []).map(|_| ()),
            context.query_context_session_key().map(|_| ()),
        ];
        for (number, result) in results.into_iter().enumerate() {
            match result {
                Err(error) if !is_established => assert_eq!(error.error_type, ErrorKind::OutOfSequence),
                Err(error) => assert!(
                    matches!(number, 2 | 3)
                        && matches!(error.error_type, ErrorKind::MessageAltered | ErrorKind::OutOfSequence),
                    "call {number}: {error}"
                ),
                Ok(()) => assert!(is_established, "call {number}"),
            }
        }
        if is_established {
            let mut handle = acquire(&mut context, CredentialUse::Both, PASSWORD);
            assert_eq!(
                kind(initialize(&mut context, &mut handle, SEALED, b"token")),
                ErrorKind::OutOfSequence
            );
            assert_eq!(kind(accept(&mut context, &mut handle, b"token")), ErrorKind::OutOfSequence);
        }
        context.query_context_sizes().unwrap();
        context.query_context_package_info().unwrap();
        assert_eq!(kind(context.query_context_cert_trust_status()), ErrorKind::UnsupportedFunction);
        assert_eq!(kind(context.query_context_stream_sizes()), ErrorKind::UnsupportedFunction);
        assert_eq!(kind(context.query_context_negotiation_package()), ErrorKind::UnsupportedFunction);
        let change = ChangePasswordBuilder::new();
        let mut output = Vec::new();
        change.with_domain_name("d").with_account_name("a").with_old_password("o").with_new_password("n");
        let change = change.with_output(&mut output).build().unwrap();
        assert_eq!(kind(context.change_password(change)), ErrorKind::UnsupportedFunction);
    }
}

/// A client that turns into a server, or a server into a client, in mid-handshake.
#[test]
fn the_other_role() {
    let mut both = Ntlm::new();
    let mut handle = acquire(&mut both, CredentialUse::Both, PASSWORD);
    let (_, negotiate) = initialize(&mut both, &mut handle, SEALED, &[]).unwrap();
    assert_eq!(kind(accept(&mut both, &mut handle, &negotiate)), ErrorKind::OutOfSequence);
    let mut server = Ntlm::new();
    accept(&mut server, &mut None, &negotiate).unwrap();
    assert_eq!(kind(initialize(&mut server, &mut handle, SEALED, &negotiate)), ErrorKind::OutOfSequence);
    // Each still waits for its own peer.
    assert_eq!(kind(initialize(&mut both, &mut handle, SEALED, &negotiate)), ErrorKind::InvalidToken);
}

#[test]
fn empty_builders() {
    // The crate's `Default` gives a builder that counts as filled and has nothing in it.
    let mut ntlm = Ntlm::new();
    let mut nothing = FilledInitializeSecurityContext::default();
    let result = ntlm.initialize_security_context_impl(&mut nothing).unwrap().resolve_to_result();
    assert_eq!(kind(result), ErrorKind::NoCredentials);

    let mut ntlm = Ntlm::new();
    let mut handle = acquire(&mut ntlm, CredentialUse::Outbound, PASSWORD);
    let mut no_output = FilledInitializeSecurityContext::default();
    no_output.credentials_handle = Some(&mut handle);
    let result = ntlm.initialize_security_context_impl(&mut no_output).unwrap().resolve_to_result();
    assert_eq!(kind(result), ErrorKind::InvalidToken);

    let mut server = Ntlm::new();
    for (input, output) in [
        (None, &mut [][..]),
        (Some(&mut [][..]), &mut [][..]),
        (Some(&mut [SecurityBuffer::new(vec![1], BufferType::Data)][..]), &mut [][..]),
        (Some(&mut [SecurityBuffer::new(vec![1], BufferType::Token)][..]), &mut [][..]),
    ] {
        let mut handle = None;
        let mut builder = server
            .accept_security_context()
            .with_credentials_handle(&mut handle)
            .with_context_requirements(ServerRequestFlags::empty())
            .with_target_data_representation(DataRepresentation::Network)
            .with_output(output);
        builder.input = input;
        builder.credentials_handle = None;
        let result = server.accept_security_context_impl(builder).unwrap().resolve_to_result();
        assert_eq!(kind(result), ErrorKind::InvalidToken);
    }
    // None of that has used the server up.
    let negotiate = initialize(&mut ntlm, &mut handle, SEALED, &[]).unwrap().1;
    assert_eq!(accept(&mut server, &mut None, &negotiate).unwrap().0, SecurityStatus::ContinueNeeded);
    // A second step without a token, or without credentials, has not either.
    assert_eq!(kind(initialize(&mut ntlm, &mut None, SEALED, &negotiate)), ErrorKind::NoCredentials);
}

#[test]
fn odd_credentials() {
    let mut ntlm = Ntlm::new();
    let outbound = ntlm.acquire_credentials_handle().with_credential_use(CredentialUse::Outbound);
    assert_eq!(kind(outbound.execute(&mut ntlm)), ErrorKind::NoCredentials);
    // A server needs none, and a client's are seen at its first step.
    let inbound = ntlm.acquire_credentials_handle().with_credential_use(CredentialUse::Inbound);
    assert!(inbound.execute(&mut ntlm).unwrap().credentials_handle.is_none());
    for (handle, expected) in [
        (None, ErrorKind::NoCredentials),
        (Some(AuthIdentityBuffers::default()), ErrorKind::UnknownCredentials),
        (Some(AuthIdentityBuffers::from_utf8("", "CORP", "secret")), ErrorKind::UnknownCredentials),
        (Some(AuthIdentityBuffers::from_utf8("alice", "CORP", "$NTLM$:00")), ErrorKind::InvalidToken),
    ] {
        let mut handle = handle;
        assert_eq!(kind(initialize(&mut ntlm, &mut handle, SEALED, &[])), expected);
    }
    assert_eq!(kind(ntlm.query_context_names()), ErrorKind::NoCredentials);
    // An anonymous client is one only where it says so.
    let anonymous = ClientRequestFlags::NULL_SESSION;
    let mut ntlm = Ntlm::new();
    assert_eq!(initialize(&mut ntlm, &mut None, anonymous, &[]).unwrap().0, SecurityStatus::ContinueNeeded);
}

/// The identity of the crate's hash form, on both sides.
#[test]
fn nt_hashes_for_passwords() {
    let hash: sspi::NtlmHash = "8119935C5F7FA5F57135620C8073AACA".parse().unwrap();
    let with_hash = || Some(AuthIdentityBuffers::from_utf8_with_hash(USER, DOMAIN, &hash));
    let (mut client, mut server) = (Ntlm::new(), Ntlm::new());
    let (_, negotiate) = initialize(&mut client, &mut with_hash(), SEALED, &[]).unwrap();
    let (_, challenge) = accept(&mut server, &mut None, &negotiate).unwrap();
    let (_, authenticate) = initialize(&mut client, &mut with_hash(), SEALED, &challenge).unwrap();
    assert_eq!(accept(&mut server, &mut with_hash(), &authenticate).unwrap().0, SecurityStatus::Ok);
    seal_all(&mut client, &mut server);
}

#[test]
fn odd_channel_bindings() {
    let step = |bindings: Vec<u8>| {
        let mut server = Ntlm::new();
        let mut client = Ntlm::new();
        let mut handle = acquire(&mut client, CredentialUse::Outbound, PASSWORD);
        let (_, negotiate) = initialize(&mut client, &mut handle, SEALED, &[]).unwrap();
        let mut input = [
            SecurityBuffer::new(bindings, BufferType::ChannelBindings),
            SecurityBuffer::new(negotiate, BufferType::Token),
        ];
        let mut output = [SecurityBuffer::new(vec![0xEE; 10], BufferType::Token)];
        let mut handle = None;
        let builder = server
            .accept_security_context()
            .with_credentials_handle(&mut handle)
            .with_context_requirements(ServerRequestFlags::empty())
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let status = server.accept_security_context_impl(builder).unwrap().resolve_to_result()?.status;
        // What was in the buffer is replaced, not added to.
        assert!(output[0].buffer.starts_with(b"NTLMSSP\0"));
        Ok(status)
    };
    assert_eq!(kind(step(Vec::new())), ErrorKind::InvalidParameter);
    assert_eq!(kind(step(vec![0xFF; 32])), ErrorKind::InvalidParameter);
    assert_eq!(step(vec![0; 32]).unwrap(), SecurityStatus::ContinueNeeded);
}

#[test]
fn odd_lists_of_buffers() {
    let (mut client, mut server) = pair();
    let encrypt = |client: &mut Ntlm, list: &mut [Ref<'_>]| {
        client.encrypt_message(EncryptionFlags::empty(), list).map(|_| ())
    };
    assert_eq!(kind(encrypt(&mut client, &mut [])), ErrorKind::InvalidToken);
    let (mut a, mut b, mut c) = ([1u8; 16], [2u8; 16], [3u8; 4]);
    assert_eq!(kind(encrypt(&mut client, &mut [Ref::data_buf(&mut a)])), ErrorKind::InvalidToken);
    assert_eq!(kind(encrypt(&mut client, &mut [Ref::token_buf(&mut a)])), ErrorKind::InvalidToken);
    let mut short = [Ref::token_buf(&mut c), Ref::data_buf(&mut a)];
    assert_eq!(kind(encrypt(&mut client, &mut short)), ErrorKind::BufferTooSmall);
    // The list holds its buffers again after an error.
    assert_eq!(short[0].data(), [3; 4]);
    assert_eq!(short[1].data(), [1; 16]);
    let mut twice = [Ref::token_buf(&mut a), Ref::token_buf(&mut b), Ref::data_buf(&mut c)];
    assert_eq!(kind(encrypt(&mut client, &mut twice)), ErrorKind::InvalidToken);
    for flags in [EncryptionFlags::WRAP_NO_ENCRYPT, EncryptionFlags::WRAP_OOB_DATA] {
        let mut list = [Ref::token_buf(&mut a), Ref::data_buf(&mut c)];
        assert_eq!(kind(client.encrypt_message(flags, &mut list)), ErrorKind::UnsupportedFunction);
    }

    // Buffers of types that mean nothing here are left alone; a longer TOKEN is shortened, PADDING emptied, and each DATA
    // buffer encrypted or only signed as its flags say.
    let (mut long, mut clear, mut first, mut second) = ([9u8; 20], *b"in clear", *b"one", *b"two");
    let (mut padding, mut extra) = ([7u8; 8], [8u8; 3]);
    let mut list = [
        Ref::missing_buf(5),
        Ref::with_security_buffer_type(BufferType::Empty).unwrap(),
        Ref::extra_buf(&mut extra),
        Ref::data_buf(&mut clear).with_flags(SecurityBufferFlags::SECBUFFER_READONLY_WITH_CHECKSUM),
        Ref::data_buf(&mut first),
        Ref::token_buf(&mut long),
        Ref::data_buf(&mut second),
        Ref::padding_buf(&mut padding),
    ];
    encrypt(&mut client, &mut list).unwrap();
    assert_eq!(list.iter().map(Ref::buf_len).collect::<Vec<_>>(), [5, 0, 3, 8, 3, 16, 3, 0]);
    assert_eq!(list[3].data(), b"in clear");
    assert_ne!([list[4].data(), list[6].data()].concat(), b"onetwo");
    let mut token = list[5].data().to_vec();
    let mut list = [
        Ref::token_buf(&mut token),
        Ref::data_buf(&mut clear).with_flags(SecurityBufferFlags::SECBUFFER_READONLY_WITH_CHECKSUM),
        Ref::data_buf(&mut first),
        Ref::data_buf(&mut second),
    ];
    server.decrypt_message(&mut list).unwrap();
    assert_eq!([list[2].data(), list[3].data()], [b"one", b"two"]);
}

#[test]
fn streams() {
    let (mut client, mut server) = pair();
    let (token, data) = seal(&mut client, b"in one piece");
    let mut stream = [token, data].concat();
    let ciphertext = stream.clone();

    assert_eq!(kind(server.decrypt_message(&mut [Ref::stream_buf(&mut stream)])), ErrorKind::InvalidToken);
    let mut short = [0; 15];
    let mut list = [Ref::stream_buf(&mut short), Ref::data_buf(&mut [])];
    assert_eq!(kind(server.decrypt_message(&mut list)), ErrorKind::IncompleteMessage);
    assert_eq!(list[0].data().len(), 15);

    // A forged one leaves the stream as it was, and ends nothing.
    let mut forged = ciphertext.clone();
    forged[20] ^= 1;
    let copy = forged.clone();
    let mut list = [Ref::data_buf(&mut []), Ref::stream_buf(&mut forged)];
    assert_eq!(kind(server.decrypt_message(&mut list)), ErrorKind::MessageAltered);
    assert_eq!(list[1].data(), copy);
    assert!(list[0].data().is_empty());

    let mut list = [Ref::stream_buf(&mut stream), Ref::data_buf(&mut [])];
    server.decrypt_message(&mut list).unwrap();
    assert_eq!(list[1].data(), b"in one piece");
    assert!(list[0].data().is_empty());
    // A stream is not for encrypting.
    let mut list = [Ref::stream_buf(&mut stream)];
    assert_eq!(kind(client.encrypt_message(EncryptionFlags::empty(), &mut list)), ErrorKind::InvalidToken);
}

/// Whatever a peer sends to either side gives an error.
#[test]
fn odd_tokens() {
    let (mut client, mut server) = (Ntlm::new(), Ntlm::new());
    let authenticate = authenticate(&mut client, &mut server, &Scenario::default());
    for length in (0..authenticate.len()).step_by(7) {
        let (mut client, mut server) = (Ntlm::new(), Ntlm::new());
        let mut handle = acquire(&mut client, CredentialUse::Outbound, PASSWORD);
        let (_, negotiate) = initialize(&mut client, &mut handle, SEALED, &[]).unwrap();
        accept(&mut server, &mut None, &negotiate).unwrap();
        let error = kind(accept(&mut server, &mut None, &authenticate[..length]));
        assert!(matches!(error, ErrorKind::InvalidToken | ErrorKind::LogonDenied), "{length}: {error:?}");
        assert_eq!(kind(accept(&mut server, &mut None, &authenticate)), ErrorKind::OutOfSequence);
        let error = kind(initialize(&mut client, &mut handle, SEALED, &authenticate[..length]));
        assert_eq!(error, ErrorKind::InvalidToken);
        assert_eq!(kind(initialize(&mut client, &mut handle, SEALED, &negotiate)), ErrorKind::OutOfSequence);
    }
}
