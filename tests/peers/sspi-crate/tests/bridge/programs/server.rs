// A program written for the `sspi` crate, but for the line that imports `Ntlm`, which is where this file is included:
// accepts one client over a socket, and sends it a sealed greeting. Gives the client's name.

use std::net::TcpStream;

use sspi::{
    AuthIdentity, BufferType, CredentialUse, DataRepresentation, EncryptionFlags, SecurityBuffer,
    SecurityBufferRef, SecurityStatus, ServerRequestFlags, Sspi, SspiImpl,
};

use crate::programs::frames::{receive, send};

pub(crate) fn run(mut stream: TcpStream, identity: &AuthIdentity) -> Result<String, sspi::Error> {
    let mut ntlm = Ntlm::new();
    accept(&mut ntlm, identity, &mut stream)?;

    let name = ntlm.query_context_names()?.username.inner().to_owned();
    let trailer = usize::try_from(ntlm.query_context_sizes()?.security_trailer).unwrap();
    let (mut signature, mut message) = (vec![0; trailer], format!("hello, {name}").into_bytes());
    let mut buffers =
        [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(&mut message)];
    ntlm.encrypt_message(EncryptionFlags::empty(), &mut buffers)?;
    send(&mut stream, buffers[0].data())?;
    send(&mut stream, buffers[1].data())?;
    Ok(name)
}

fn accept(ntlm: &mut Ntlm, identity: &AuthIdentity, stream: &mut TcpStream) -> Result<(), sspi::Error> {
    let mut credentials = ntlm
        .acquire_credentials_handle()
        .with_credential_use(CredentialUse::Inbound)
        .with_auth_data(identity)
        .execute(ntlm)?;
    loop {
        let mut input = vec![SecurityBuffer::new(receive(stream)?, BufferType::Token)];
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let builder = ntlm
            .accept_security_context()
            .with_credentials_handle(&mut credentials.credentials_handle)
            .with_context_requirements(ServerRequestFlags::ALLOCATE_MEMORY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let step = ntlm.accept_security_context_impl(builder)?.resolve_to_result()?;
        if matches!(step.status, SecurityStatus::CompleteNeeded | SecurityStatus::CompleteAndContinue) {
            ntlm.complete_auth_token(&mut output)?;
        }
        if !output[0].buffer.is_empty() {
            send(stream, &output[0].buffer)?;
        }
        if !matches!(step.status, SecurityStatus::ContinueNeeded | SecurityStatus::CompleteAndContinue) {
            return Ok(());
        }
    }
}
