//! A whole NTLMv2 handshake, between this library's client and its server.

use std::sync::Arc;

use portable_sspi::ntlm::{AccountDatabase, DefaultIdentity, Ntlm, NtlmConfig, ServerNames};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, CredentialUse, Error, InitializeRequest, IscReq,
    SecurityContext, Sspi, SspiConfig, Step,
};

/// The established contexts, client's first.
pub(crate) type Pair = (Box<dyn SecurityContext>, Box<dyn SecurityContext>);

/// A server that asks `accounts`.
pub(crate) fn server(accounts: Arc<dyn AccountDatabase>) -> Sspi {
    with(NtlmConfig {
        accounts: Some(accounts),
        server_names: ServerNames::stand_alone("FILES"),
        ..NtlmConfig::default()
    })
}

/// A client whose default credentials come from `default`.
pub(crate) fn client(default: Option<Arc<dyn DefaultIdentity>>) -> Sspi {
    with(NtlmConfig { default_identity: default, ..NtlmConfig::default() })
}

fn with(config: NtlmConfig) -> Sspi {
    Sspi::new(SspiConfig { packages: vec![Arc::new(Ntlm::new(config))], ..SspiConfig::default() }).unwrap()
}

/// Logs on to `server` as `user`.
pub(crate) fn log_on(server: &Sspi, user: &str, domain: &str, password: &str) -> Result<Pair, Error> {
    handshake(&client(None), server, Some(AuthIdentity::new(user, domain, password)))
}

/// Logs on to `server`, and proves that both ends have the same keys.
pub(crate) fn handshake(client: &Sspi, server: &Sspi, identity: Option<AuthIdentity>) -> Result<Pair, Error> {
    let acquire = AcquireRequest { credential_use: CredentialUse::Outbound, identity };
    let outbound = client.acquire_credentials_handle("NTLM", acquire)?;
    let inbound = server.acquire_credentials_handle("NTLM", AcquireRequest::inbound())?;
    let request = InitializeRequest { requirements: IscReq::CONFIDENTIALITY, ..InitializeRequest::default() };
    let Step::ContinueNeeded { context: at_client, token: negotiate } =
        client.initialize_security_context(&outbound, None, &request)?
    else {
        panic!("a client waits for the CHALLENGE");
    };
    let accept = AcceptRequest { token: &negotiate, ..AcceptRequest::default() };
    let Step::ContinueNeeded { context: at_server, token: challenge } =
        server.accept_security_context(&inbound, None, &accept)?
    else {
        panic!("a server waits for the AUTHENTICATE");
    };
    let request = InitializeRequest { token: Some(&challenge), ..request };
    let Step::Complete { context: mut at_client, token: Some(authenticate) } =
        client.initialize_security_context(&outbound, Some(at_client), &request)?
    else {
        panic!("a client ends with the AUTHENTICATE");
    };
    let accept = AcceptRequest { token: &authenticate, ..AcceptRequest::default() };
    let Step::Complete { context: mut at_server, .. } =
        server.accept_security_context(&inbound, Some(at_server), &accept)?
    else {
        panic!("a server ends with the AUTHENTICATE");
    };
    let mut sealed = at_client.wrap(b"from the client")?;
    assert_eq!(at_server.unwrap(&mut sealed)?, b"from the client");
    let mut sealed = at_server.wrap(b"from the server")?;
    assert_eq!(at_client.unwrap(&mut sealed)?, b"from the server");
    Ok((at_client, at_server))
}
