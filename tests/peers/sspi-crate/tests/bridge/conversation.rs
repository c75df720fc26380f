//! A client and a server of the crate's traits, in one process. Everything here is generic over who implements them.

use portable_sspi::sspi_crate;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation,
    EncryptionFlags, Error, SecurityBuffer, SecurityBufferRef, SecurityStatus, ServerRequestFlags, Sspi,
    SspiEx, Username,
};

pub(crate) const USER: &str = "alice";
pub(crate) const DOMAIN: &str = "CORP";
pub(crate) const PASSWORD: &str = "opensesame";
pub(crate) const SEALED: ClientRequestFlags = ClientRequestFlags::CONFIDENTIALITY;

/// An implementation of NTLM by the crate's traits.
pub(crate) trait Implementation: Sspi + SspiEx + Default + Sized
where
    Self: sspi::SspiImpl<CredentialsHandle = Option<AuthIdentityBuffers>, AuthenticationData = AuthIdentity>,
{
    /// Not in the crate's traits, but the same in both types.
    fn bind(&mut self, token: &[u8]);
}

impl Implementation for sspi::Ntlm {
    fn bind(&mut self, token: &[u8]) {
        self.set_channel_bindings(token);
    }
}

impl Implementation for sspi_crate::Ntlm {
    fn bind(&mut self, token: &[u8]) {
        self.set_channel_bindings(token);
    }
}

/// What is set up, and what happens on the way.
pub(crate) struct Scenario<'a> {
    pub(crate) client_password: &'a str,
    pub(crate) server_password: &'a str,
    pub(crate) requirements: ClientRequestFlags,
    pub(crate) client_bindings: Option<&'a [u8]>,
    pub(crate) server_bindings: Option<&'a [u8]>,
    pub(crate) on_the_way: fn(&mut [u8]),
}

impl Default for Scenario<'_> {
    fn default() -> Self {
        Self {
            client_password: PASSWORD,
            server_password: PASSWORD,
            requirements: SEALED,
            client_bindings: None,
            server_bindings: None,
            on_the_way: |_| {},
        }
    }
}

pub(crate) fn identity(user: &str, password: &str) -> AuthIdentity {
    let username = Username::new(user, Some(DOMAIN)).unwrap();
    AuthIdentity { username, password: password.to_owned().into() }
}

/// One side's credentials.
pub(crate) fn acquire<I: Implementation>(
    side: &mut I,
    usage: CredentialUse,
    password: &str,
) -> Option<AuthIdentityBuffers> {
    let identity = identity(USER, password);
    let builder = side.acquire_credentials_handle().with_credential_use(usage).with_auth_data(&identity);
    builder.execute(side).unwrap().credentials_handle
}

/// A client's step.
pub(crate) fn initialize<I: Implementation>(
    client: &mut I,
    handle: &mut Option<AuthIdentityBuffers>,
    requirements: ClientRequestFlags,
    token: &[u8],
) -> Result<(SecurityStatus, Vec<u8>), Error> {
    let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
    let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let mut builder = client
        .initialize_security_context()
        .with_credentials_handle(handle)
        .with_context_requirements(requirements)
        .with_target_data_representation(DataRepresentation::Native)
        .with_target_name("HTTP/srv.corp.example")
        .with_input(&mut input)
        .with_output(&mut output);
    let status = client.initialize_security_context_impl(&mut builder)?.resolve_to_result()?.status;
    let [output] = output;
    Ok((status, output.buffer))
}

/// A server's step.
pub(crate) fn accept<I: Implementation>(
    server: &mut I,
    handle: &mut Option<AuthIdentityBuffers>,
    token: &[u8],
) -> Result<(SecurityStatus, Vec<u8>), Error> {
    let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
    let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let builder = server
        .accept_security_context()
        .with_credentials_handle(handle)
        .with_context_requirements(ServerRequestFlags::empty())
        .with_target_data_representation(DataRepresentation::Native)
        .with_input(&mut input)
        .with_output(&mut output);
    let status = server.accept_security_context_impl(builder)?.resolve_to_result()?.status;
    let [output] = output;
    Ok((status, output.buffer))
}

/// Everything up to the AUTHENTICATE, which the server is still to get.
pub(crate) fn authenticate<C: Implementation, S: Implementation>(
    client: &mut C,
    server: &mut S,
    scenario: &Scenario<'_>,
) -> Vec<u8> {
    if let Some(bindings) = scenario.client_bindings {
        client.bind(bindings);
    }
    if let Some(bindings) = scenario.server_bindings {
        server.bind(bindings);
    }
    let mut handle = acquire(client, CredentialUse::Outbound, scenario.client_password);
    let (status, negotiate) = initialize(client, &mut handle, scenario.requirements, &[]).unwrap();
    assert_eq!(status, SecurityStatus::ContinueNeeded);
    let (status, challenge) = accept(server, &mut None, &negotiate).unwrap();
    assert_eq!(status, SecurityStatus::ContinueNeeded);
    let (status, mut authenticate) =
        initialize(client, &mut handle, scenario.requirements, &challenge).unwrap();
    assert_eq!(status, SecurityStatus::Ok);
    (scenario.on_the_way)(&mut authenticate);
    authenticate
}

/// The whole handshake, as the crate's documentation writes it. The error is the server's.
pub(crate) fn established<C: Implementation, S: Implementation>(
    scenario: &Scenario<'_>,
) -> Result<(C, S), Error> {
    let (mut client, mut server) = (C::default(), S::default());
    let authenticate = authenticate(&mut client, &mut server, scenario);
    let mut handle = acquire(&mut server, CredentialUse::Inbound, scenario.server_password);
    let (status, last) = accept(&mut server, &mut handle, &authenticate)?;
    assert!(last.is_empty());
    if status == SecurityStatus::CompleteNeeded {
        server.complete_auth_token(&mut [])?;
    } else {
        assert_eq!(status, SecurityStatus::Ok);
    }
    Ok((client, server))
}

/// A sealed message: its signature, and the ciphertext.
pub(crate) fn seal(from: &mut impl Sspi, message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut token, mut data) = (vec![0; 16], message.to_vec());
    let mut list = [SecurityBufferRef::token_buf(&mut token), SecurityBufferRef::data_buf(&mut data)];
    assert_eq!(from.encrypt_message(EncryptionFlags::empty(), &mut list).unwrap(), SecurityStatus::Ok);
    (token, data)
}

pub(crate) fn unseal(to: &mut impl Sspi, token: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
    let (mut token, mut data) = (token.to_vec(), data.to_vec());
    let mut list = [SecurityBufferRef::token_buf(&mut token), SecurityBufferRef::data_buf(&mut data)];
    to.decrypt_message(&mut list)?;
    Ok(data)
}

pub(crate) fn sign(from: &mut impl Sspi, message: &[u8], number: u32) -> Vec<u8> {
    let (mut token, mut data) = (vec![0; 16], message.to_vec());
    let mut list = [SecurityBufferRef::token_buf(&mut token), SecurityBufferRef::data_buf(&mut data)];
    from.make_signature(0, &mut list, number).unwrap();
    token
}

pub(crate) fn verify(to: &mut impl Sspi, message: &[u8], token: &[u8], number: u32) -> Result<(), Error> {
    let (mut token, mut data) = (token.to_vec(), message.to_vec());
    let mut list = [SecurityBufferRef::token_buf(&mut token), SecurityBufferRef::data_buf(&mut data)];
    to.verify_signature(&mut list, number).map(|_| ())
}

/// What travels: lengths around the sizes that implementations treat in one piece.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    [1, 15, 16, 17, 255, 256, 1000, 65_536]
        .map(|length| (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect())
        .to_vec()
}

/// All messages, sealed, from one to the other.
pub(crate) fn seal_all(from: &mut impl Sspi, to: &mut impl Sspi) {
    for message in messages() {
        let (token, data) = seal(from, &message);
        assert!(message.len() < 8 || data != message, "it is encrypted");
        assert_eq!(unseal(to, &token, &data).unwrap(), message);
    }
}
