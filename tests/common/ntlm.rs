//! NTLM at both ends, in one process.

use std::path::Path;
use std::sync::Arc;

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, InitializeRequest, IscReq, PartialContext, SecurityContext,
    Sspi, SspiConfig, Step,
};

/// What a client asks for unless the test is about something else.
pub(crate) const SEALED: IscReq = IscReq::CONFIDENTIALITY;

/// A table with NTLM, which knows one account, and the host key in `directory`.
pub(crate) fn sspi(directory: &Path) -> Sspi {
    let mut accounts = MemoryAccounts::new();
    accounts.add("alice", "CORP", "secret");
    let ntlm = Ntlm::new(NtlmConfig { accounts: Some(Arc::new(accounts)), ..NtlmConfig::default() });
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ntlm)],
        host_key: portable_sspi::HostKeyScope::user_directory(directory),
        ..SspiConfig::default()
    })
    .unwrap()
}

/// A client's step.
pub(crate) fn initialize(
    sspi: &Sspi,
    requirements: IscReq,
    context: Option<PartialContext>,
    token: &[u8],
) -> Step {
    let identity = AuthIdentity::new("alice", "CORP", "secret");
    let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::outbound(identity)).unwrap();
    let request = InitializeRequest { requirements, token: Some(token), ..InitializeRequest::default() };
    sspi.initialize_security_context(&credentials, context, &request).unwrap()
}

/// A server's step.
pub(crate) fn accept(
    sspi: &Sspi,
    context: Option<PartialContext>,
    token: &[u8],
) -> Result<Step, portable_sspi::Error> {
    let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound()).unwrap();
    sspi.accept_security_context(&credentials, context, &AcceptRequest { token, ..AcceptRequest::default() })
}

/// A step that goes on.
pub(crate) fn going_on(step: Step) -> (PartialContext, Vec<u8>) {
    match step {
        Step::ContinueNeeded { context, token } => (context, token),
        Step::Complete { .. } => panic!("complete too early"),
    }
}

/// A step that is the last.
pub(crate) fn complete(step: Step) -> (Box<dyn SecurityContext>, Vec<u8>) {
    match step {
        Step::Complete { context, token } => (context, token.unwrap_or_default()),
        Step::ContinueNeeded { .. } => panic!("not complete"),
    }
}

/// The client's and the server's established contexts; between all steps, both partial contexts go through `between`.
pub(crate) fn handshake(
    sspi: &Sspi,
    requirements: IscReq,
    mut between: impl FnMut(PartialContext) -> PartialContext,
) -> (Box<dyn SecurityContext>, Box<dyn SecurityContext>) {
    let (client, negotiate) = going_on(initialize(sspi, requirements, None, &[]));
    let (server, challenge) = going_on(accept(sspi, None, &negotiate).unwrap());
    let (client, server) = (between(client), between(server));
    let (client, authenticate) = complete(initialize(sspi, requirements, Some(client), &challenge));
    let (server, _) = complete(accept(sspi, Some(server), &authenticate).unwrap());
    (client, server)
}
