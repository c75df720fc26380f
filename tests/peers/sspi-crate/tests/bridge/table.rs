//! The crate's NTLM client in this library's table, in conversation with this library's server and with the crate's.

use std::sync::Arc;

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig};
use portable_sspi::sspi_crate::{Package, PackageConfig};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, ChannelBindings, ContextFlags, CredentialUse, Error,
    ExportOptions, InitializeRequest, IscReq, IscRet, Misuse, PackageCapabilities, PackageInfo,
    PartialContext, Password, Provider, SecretArray, SecurityBuffer, SecurityContext, Sspi, SspiConfig, Step,
};

use crate::conversation::{DOMAIN, PASSWORD, USER, messages, unseal};

static THEIRS: PackageInfo = PackageInfo {
    name: "TheirNTLM",
    comment: "NTLM of the sspi crate",
    capabilities: PackageCapabilities::INTEGRITY.union(PackageCapabilities::PRIVACY),
    version: 1,
    rpc_id: 10,
    max_token: 2888,
};

fn theirs() -> Package<sspi::Ntlm> {
    Package::new(PackageConfig {
        info: &THEIRS,
        client: Some(Arc::new(|| Ok(sspi::Ntlm::new()))),
        server: Some(Arc::new(|| Ok(sspi::Ntlm::new()))),
        network: None,
    })
}

/// Both packages in one table.
fn table() -> Sspi {
    let mut accounts = MemoryAccounts::new();
    accounts.add(USER, DOMAIN, PASSWORD);
    let ours = Ntlm::new(NtlmConfig { accounts: Some(Arc::new(accounts)), ..NtlmConfig::default() });
    Sspi::new(SspiConfig { packages: vec![Arc::new(theirs()), Arc::new(ours)], ..SspiConfig::default() })
        .unwrap()
}

struct Logon<'a> {
    identity: AuthIdentity,
    requirements: IscReq,
    client: Option<&'a ChannelBindings>,
    server: Option<&'a ChannelBindings>,
}

impl Logon<'_> {
    fn with_password(password: &str) -> Self {
        let requirements = IscReq::CONFIDENTIALITY;
        Self { identity: AuthIdentity::new(USER, DOMAIN, password), requirements, client: None, server: None }
    }
}

type Pair = (Box<dyn SecurityContext>, Box<dyn SecurityContext>);

fn log_on(sspi: &Sspi, logon: Logon<'_>) -> Result<Pair, Error> {
    let Logon { identity, requirements, client, server } = logon;
    let outbound = sspi.acquire_credentials_handle("TheirNTLM", AcquireRequest::outbound(identity))?;
    let request = InitializeRequest {
        target_name: Some("HTTP/srv.corp.example"),
        requirements,
        channel_bindings: client,
        token: None,
    };
    let (at_client, token) = continued(sspi.initialize_security_context(&outbound, None, &request)?);
    let inbound = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound())?;
    let accept = AcceptRequest { token: &token, channel_bindings: server, ..AcceptRequest::default() };
    let (at_server, token) = continued(sspi.accept_security_context(&inbound, None, &accept)?);
    let request = InitializeRequest { token: Some(&token), ..request };
    let Step::Complete { context: client, token: Some(token) } =
        sspi.initialize_security_context(&outbound, Some(at_client), &request)?
    else {
        panic!("a client ends with the AUTHENTICATE");
    };
    let accept = AcceptRequest { token: &token, ..accept };
    match sspi.accept_security_context(&inbound, Some(at_server), &accept)? {
        Step::Complete { context: server, .. } => Ok((client, server)),
        step => panic!("{step:?}"),
    }
}

fn continued(step: Step) -> (PartialContext, Vec<u8>) {
    match step {
        Step::ContinueNeeded { context, token } => (context, token),
        step => panic!("{step:?}"),
    }
}

fn sealed_both_ways(one: &mut dyn SecurityContext, other: &mut dyn SecurityContext) {
    for message in messages() {
        let mut wrapped = one.wrap(&message).unwrap();
        assert_eq!(other.unwrap(&mut wrapped).unwrap(), message);
        let mut wrapped = other.wrap(&message).unwrap();
        assert_eq!(one.unwrap(&mut wrapped).unwrap(), message);
    }
}

#[test]
fn sealed() {
    let (mut client, mut server) = log_on(&table(), Logon::with_password(PASSWORD)).unwrap();
    assert_eq!(server.names().user_name, r"CORP\alice");
    assert_eq!(client.names().user_name, r"CORP\alice");
    assert_eq!(client.session_key().expose(), server.session_key().expose());
    assert_eq!(client.key_info().key_size, 128);
    assert_eq!(client.target(), Some("HTTP/srv.corp.example"));
    assert!(client.client_token().is_none());
    // What the crate reports, not what was asked for.
    assert_eq!(client.flags(), ContextFlags::Initiator(IscRet::empty()));
    sealed_both_ways(client.as_mut(), server.as_mut());
}

/// In the form of an NT hash, which the crate writes into the password.
#[test]
fn by_an_nt_hash() {
    // MD4 of the password in UTF-16, from the vectors of the specification: "Password".
    let hash = || SecretArray::new(*b"\xa4\xf4\x9c\x40\x65\x10\xbd\xca\xb6\x82\x4e\xe7\xc3\x0f\xd8\x52");
    let mut accounts = MemoryAccounts::new();
    accounts.add(USER, DOMAIN, "Password");
    let ours = Ntlm::new(NtlmConfig { accounts: Some(Arc::new(accounts)), ..NtlmConfig::default() });
    let config = SspiConfig { packages: vec![Arc::new(theirs()), Arc::new(ours)], ..SspiConfig::default() };
    let identity = AuthIdentity::with_nt_hash(USER, DOMAIN, hash());
    let logon = Logon { identity, ..Logon::with_password("") };
    let (mut client, mut server) = log_on(&Sspi::new(config).unwrap(), logon).unwrap();
    sealed_both_ways(client.as_mut(), server.as_mut());
}

#[test]
fn signed_in_several_parts() {
    let logon = Logon { requirements: IscReq::INTEGRITY, ..Logon::with_password(PASSWORD) };
    let (mut client, mut server) = log_on(&table(), logon).unwrap();
    for _ in 0..3 {
        let (mut one, mut two, mut token) = (*b"one", *b"two", [0; 20]);
        let mut list = [
            SecurityBuffer::readonly(b"not covered"),
            SecurityBuffer::data(&mut one),
            SecurityBuffer::token(&mut token),
            SecurityBuffer::readonly_with_checksum(b" and "),
            SecurityBuffer::data(&mut two),
        ];
        client.make_signature(&mut list).unwrap();
        assert_eq!(list[2].len(), 16);
        let mut token = list[2].bytes().to_vec();
        let mut forged = token.clone();
        forged[4] ^= 1;
        for (token, message, fits) in
            [(&mut forged, b"one and two", false), (&mut token, b"one and two", true)]
        {
            let mut list = [SecurityBuffer::readonly_with_checksum(message), SecurityBuffer::token(token)];
            assert_eq!(server.verify_signature(&mut list).is_ok(), fits);
        }
        let mut token = [0; 16];
        server
            .make_signature(&mut [
                SecurityBuffer::readonly_with_checksum(b"answer"),
                SecurityBuffer::token(&mut token),
            ])
            .unwrap();
        let mut forged = token;
        forged[4] ^= 1;
        for (token, fits) in [(&mut forged, false), (&mut token, true)] {
            let mut list = [SecurityBuffer::readonly_with_checksum(b"answer"), SecurityBuffer::token(token)];
            assert_eq!(client.verify_signature(&mut list).is_ok(), fits);
        }
    }
}

/// This library's contract holds: what fails leaves the context, and the buffers, as they were.
#[test]
fn a_forged_message_ends_nothing() {
    let (mut client, mut server) = log_on(&table(), Logon::with_password(PASSWORD)).unwrap();
    for _ in 0..3 {
        let wrapped = server.wrap(b"a message").unwrap();
        let mut forged = wrapped.clone();
        forged[18] ^= 1;
        let before = forged.clone();
        assert!(matches!(client.unwrap(&mut forged), Err(Error::Peer(_))));
        assert_eq!(forged, before);
        assert_eq!(client.unwrap(&mut wrapped.clone()).unwrap(), b"a message");
    }
}

#[test]
fn odd_lists_of_buffers() {
    let (mut client, mut server) = log_on(&table(), Logon::with_password(PASSWORD)).unwrap();
    let (mut one, mut two, mut token, mut other) = (*b"one", *b"two", [0; 16], [0; 16]);
    let mut refused = |list: &mut [SecurityBuffer<'_>]| {
        let result = client.encrypt(list);
        assert!(matches!(result, Err(Error::Misuse(_))), "{list:?}: {result:?}");
    };
    refused(&mut []);
    refused(&mut [SecurityBuffer::token(&mut token)]);
    refused(&mut [SecurityBuffer::data(&mut one)]);
    refused(&mut [
        SecurityBuffer::token(&mut token),
        SecurityBuffer::token(&mut other),
        SecurityBuffer::data(&mut one),
    ]);
    refused(&mut [
        SecurityBuffer::token(&mut token),
        SecurityBuffer::data(&mut one),
        SecurityBuffer::data(&mut two),
    ]);
    refused(&mut [SecurityBuffer::token(&mut token[..15]), SecurityBuffer::data(&mut one)]);
    assert_eq!((&one, &two), (b"one", b"two"));
    // Read-only parts, covered or not, stand as they do in this library's own messages.
    let mut list = [
        SecurityBuffer::readonly(b"not covered"),
        SecurityBuffer::readonly_with_checksum(b"covered"),
        SecurityBuffer::data(&mut one),
        SecurityBuffer::token(&mut token),
    ];
    client.encrypt(&mut list).unwrap();
    assert_ne!(list[2].bytes(), b"one");
    let mut list = [
        SecurityBuffer::readonly_with_checksum(b"covered"),
        SecurityBuffer::data(&mut one),
        SecurityBuffer::token(&mut token),
    ];
    server.decrypt(&mut list).unwrap();
    assert_eq!(list[1].bytes(), b"one");
}

#[test]
fn channel_bindings() {
    let [one, two] = [[1; 32], [2; 32]].map(|hash| ChannelBindings::tls_server_end_point(&hash));
    let sspi = table();
    let logon = |client, server| Logon { client, server, ..Logon::with_password(PASSWORD) };
    log_on(&sspi, logon(Some(&one), Some(&one))).unwrap();
    for client in [Some(&two), None] {
        let error = log_on(&sspi, logon(client, Some(&one))).unwrap_err();
        assert!(matches!(error, Error::LogonDenied(_)), "{error}");
    }
}

#[test]
fn a_wrong_password() {
    let error = log_on(&table(), Logon::with_password("wrong")).unwrap_err();
    assert!(matches!(error, Error::LogonDenied(_)), "{error}");
}

/// Their client through this library's trait, their server through their own calls.
#[test]
fn theirs_on_both_sides() {
    let (sspi, mut server) = (table(), sspi::Ntlm::new());
    let identity = AuthIdentity::new(USER, DOMAIN, PASSWORD);
    let credentials =
        sspi.acquire_credentials_handle("TheirNTLM", AcquireRequest::outbound(identity)).unwrap();
    let request = InitializeRequest { requirements: IscReq::CONFIDENTIALITY, ..InitializeRequest::default() };
    let (context, token) = continued(sspi.initialize_security_context(&credentials, None, &request).unwrap());
    let (_, token) = crate::conversation::accept(&mut server, &mut None, &token).unwrap();
    let request = InitializeRequest { token: Some(&token), ..request };
    let Step::Complete { context: mut client, token: Some(token) } =
        sspi.initialize_security_context(&credentials, Some(context), &request).unwrap()
    else {
        panic!("a client ends with the AUTHENTICATE");
    };
    let mut handle = crate::conversation::acquire(&mut server, sspi::CredentialUse::Inbound, PASSWORD);
    crate::conversation::accept(&mut server, &mut handle, &token).unwrap();
    sspi::Sspi::complete_auth_token(&mut server, &mut []).unwrap();
    let wrapped = client.wrap(b"a message").unwrap();
    assert_eq!(unseal(&mut server, &wrapped[..16], &wrapped[16..]).unwrap(), b"a message");
}

/// The crate keeps its keys to itself, and the context goes on.
#[test]
fn no_export() {
    let (sspi, package) = (table(), theirs());
    let (client, mut server) = log_on(&sspi, Logon::with_password(PASSWORD)).unwrap();
    let failed = sspi.export_security_context(client, &ExportOptions::default()).unwrap_err();
    assert!(matches!(failed.error, Error::Misuse(Misuse::NotSupported { .. })), "{}", failed.error);
    assert!(failed.error.to_string().contains("keys"), "{}", failed.error);
    let mut client = failed.context;
    sealed_both_ways(client.as_mut(), server.as_mut());
    let error = package.export_keeping_original(server.as_ref()).unwrap_err();
    assert!(matches!(error, Error::Misuse(Misuse::ForeignObject)), "{error}");

    let identity = AuthIdentity::new(USER, DOMAIN, PASSWORD);
    let credentials =
        sspi.acquire_credentials_handle("TheirNTLM", AcquireRequest::outbound(identity)).unwrap();
    let request = InitializeRequest::default();
    let (partial, _) = continued(sspi.initialize_security_context(&credentials, None, &request).unwrap());
    let failed = sspi.export_partial_context(partial, &ExportOptions::default()).unwrap_err();
    assert!(matches!(failed.error, Error::Misuse(Misuse::NotSupported { .. })), "{}", failed.error);
}

#[test]
fn what_the_crate_cannot_hold() {
    let package = theirs();
    let outbound = |identity| package.acquire(AcquireRequest::outbound(identity)).map(|_| ()).unwrap_err();
    let surrogate = AuthIdentity::new(USER, DOMAIN, Password::from_utf16(&[0xD800]));
    assert!(matches!(outbound(surrogate), Error::Misuse(Misuse::BadIdentity { .. })));
    let mixed = AuthIdentity::new(r"a\b\c", "x@y", PASSWORD);
    assert!(matches!(outbound(mixed), Error::Misuse(Misuse::BadIdentity { .. })));
    let nobody = AcquireRequest { credential_use: CredentialUse::Outbound, identity: None };
    assert!(matches!(package.acquire(nobody), Err(Error::Misuse(Misuse::NoCredentials))));
    // A server of NTLM is this library's business, whatever the configuration says.
    for identity in [None, Some(AuthIdentity::new(USER, DOMAIN, PASSWORD))] {
        let request = AcquireRequest { credential_use: CredentialUse::Inbound, identity };
        let error = package.acquire(request).unwrap_err();
        assert!(matches!(error, Error::Misuse(Misuse::NotSupported { .. })), "{error}");
    }
    let none: Package<sspi::Ntlm> =
        Package::new(PackageConfig { info: &THEIRS, client: None, server: None, network: None });
    let request = AcquireRequest::outbound(AuthIdentity::new(USER, DOMAIN, PASSWORD));
    assert!(matches!(none.acquire(request), Err(Error::Misuse(Misuse::NotSupported { .. }))));
}
