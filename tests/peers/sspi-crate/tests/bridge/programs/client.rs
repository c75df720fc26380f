// A program written for the `sspi` crate, but for the line that imports `Ntlm`, which is where this file is included: logs
// on over a socket, and reads one sealed message.

use std::net::TcpStream;

use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation, SecurityBuffer,
    SecurityBufferRef, SecurityStatus, Sspi, SspiImpl,
};

use crate::programs::frames::{receive, send};

pub(crate) fn run(mut stream: TcpStream, identity: &AuthIdentity) -> Result<Vec<u8>, sspi::Error> {
    let mut ntlm = Ntlm::new();
    log_on(&mut ntlm, identity, &mut stream)?;

    let mut signature = receive(&mut stream)?;
    let mut message = receive(&mut stream)?;
    let mut buffers =
        [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(&mut message)];
    ntlm.decrypt_message(&mut buffers)?;
    Ok(buffers[1].data().to_vec())
}

fn log_on(ntlm: &mut Ntlm, identity: &AuthIdentity, stream: &mut TcpStream) -> Result<(), sspi::Error> {
    let mut credentials = ntlm
        .acquire_credentials_handle()
        .with_credential_use(CredentialUse::Outbound)
        .with_auth_data(identity)
        .execute(ntlm)?;
    let mut input = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
    loop {
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut builder = ntlm
            .initialize_security_context()
            .with_credentials_handle(&mut credentials.credentials_handle)
            .with_context_requirements(ClientRequestFlags::CONFIDENTIALITY | ClientRequestFlags::ALLOCATE_MEMORY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name("greeter")
            .with_input(&mut input)
            .with_output(&mut output);
        let step = ntlm.initialize_security_context_impl(&mut builder)?.resolve_to_result()?;
        if matches!(step.status, SecurityStatus::CompleteNeeded | SecurityStatus::CompleteAndContinue) {
            ntlm.complete_auth_token(&mut output)?;
        }
        send(stream, &output[0].buffer)?;
        if !matches!(step.status, SecurityStatus::ContinueNeeded | SecurityStatus::CompleteAndContinue) {
            return Ok(());
        }
        input[0].buffer = receive(stream)?;
    }
}
