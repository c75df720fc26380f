//! The `sspi` crate's NTLM.

use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation,
    EncryptionFlags, Ntlm, Secret, SecurityBuffer, SecurityBufferRef, SecurityStatus, ServerRequestFlags,
    Sspi, SspiImpl, Username,
};

use crate::{DOMAIN, Implementation, Message, PASSWORD, USER};

/// Client and server of the `sspi` crate.
pub struct Peer {
    outbound: Option<AuthIdentityBuffers>,
    inbound: Option<AuthIdentityBuffers>,
}

/// An established context. The peer takes the sequence numbers of signatures from its caller.
pub struct Context {
    // Boxed, so that what it occupies is all on the heap, where it is counted.
    ntlm: Box<Ntlm>,
    signed: u32,
    verified: u32,
}

impl Context {
    fn new(ntlm: Ntlm) -> Self {
        Self { ntlm: Box::new(ntlm), signed: 0, verified: 0 }
    }
}

impl Implementation for Peer {
    type Client = Ntlm;
    type Server = Ntlm;
    type Context = Context;

    fn new() -> Self {
        let username = Username::new(USER, Some(DOMAIN)).expect("a valid name");
        let identity = AuthIdentity { username, password: Secret::from(PASSWORD.to_owned()) };
        let acquire = |credential_use| {
            let mut ntlm = Ntlm::new();
            let builder = ntlm.acquire_credentials_handle().with_credential_use(credential_use);
            let acquired = builder.with_auth_data(&identity).execute(&mut ntlm).expect("credentials");
            acquired.credentials_handle
        };
        // Its server is told whom it shall meet: it has no list of accounts to look names up in.
        Self { outbound: acquire(CredentialUse::Outbound), inbound: acquire(CredentialUse::Inbound) }
    }

    fn negotiate(&mut self) -> (Ntlm, Vec<u8>) {
        let mut ntlm = Ntlm::new();
        let (status, token) = self.initialize(&mut ntlm, Vec::new());
        assert_eq!(status, SecurityStatus::ContinueNeeded);
        (ntlm, token)
    }

    fn challenge(&mut self, negotiate: Vec<u8>) -> (Ntlm, Vec<u8>) {
        let mut ntlm = Ntlm::new();
        let (status, token) = self.accept_step(&mut ntlm, negotiate);
        assert_eq!(status, SecurityStatus::ContinueNeeded);
        (ntlm, token)
    }

    fn authenticate(&mut self, mut client: Ntlm, challenge: Vec<u8>) -> (Context, Vec<u8>) {
        let (status, token) = self.initialize(&mut client, challenge);
        assert_eq!(status, SecurityStatus::Ok);
        (Context::new(client), token)
    }

    fn accept(&mut self, mut server: Ntlm, authenticate: Vec<u8>) -> Context {
        let (status, _) = self.accept_step(&mut server, authenticate);
        assert_eq!(status, SecurityStatus::CompleteNeeded);
        // Only this computes the keys and checks the MIC.
        server.complete_auth_token(&mut []).expect("the client is accepted");
        Context::new(server)
    }

    fn seal(context: &mut Context, message: &mut Message) {
        let mut buffers = buffers(message);
        context.ntlm.encrypt_message(EncryptionFlags::empty(), &mut buffers).expect("sealed");
    }

    fn unseal(context: &mut Context, message: &mut Message) {
        context.ntlm.decrypt_message(&mut buffers(message)).expect("unsealed");
    }

    fn sign(context: &mut Context, message: &mut Message) {
        context.ntlm.make_signature(0, &mut buffers(message), context.signed).expect("signed");
        context.signed += 1;
    }

    fn verify(context: &mut Context, message: &mut Message) {
        context.ntlm.verify_signature(&mut buffers(message), context.verified).expect("verified");
        context.verified += 1;
    }
}

impl Peer {
    fn initialize(&mut self, ntlm: &mut Ntlm, token: Vec<u8>) -> (SecurityStatus, Vec<u8>) {
        let mut input = [SecurityBuffer::new(token, BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = ntlm
            .initialize_security_context()
            .with_credentials_handle(&mut self.outbound)
            .with_context_requirements(ClientRequestFlags::CONFIDENTIALITY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let step = ntlm.initialize_security_context_impl(&mut builder);
        let status = step.and_then(|mut step| step.resolve_to_result()).expect("the client's step").status;
        let [output] = output;
        (status, output.buffer)
    }

    fn accept_step(&mut self, ntlm: &mut Ntlm, token: Vec<u8>) -> (SecurityStatus, Vec<u8>) {
        let mut input = [SecurityBuffer::new(token, BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let builder = ntlm
            .accept_security_context()
            .with_credentials_handle(&mut self.inbound)
            .with_context_requirements(ServerRequestFlags::CONFIDENTIALITY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let step = ntlm.accept_security_context_impl(builder);
        let status = step.and_then(|mut step| step.resolve_to_result()).expect("the server's step").status;
        let [output] = output;
        (status, output.buffer)
    }
}

fn buffers(message: &mut Message) -> [SecurityBufferRef<'_>; 2] {
    [SecurityBufferRef::token_buf(&mut message.signature), SecurityBufferRef::data_buf(&mut message.data)]
}
