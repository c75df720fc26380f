//! This project's NTLM, through the functions that programs call.

use std::sync::Arc;
use std::time::Duration;

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AuthIdentity, Credentials, ExportOptions, HostKeyScope, InitializeRequest,
    IscReq, PartialContext, SecurityBuffer, SecurityContext, Sspi, SspiConfig, Step,
};
use tempfile::TempDir;

use crate::clock::stopwatch;
use crate::{DOMAIN, Implementation, Message, PASSWORD, Session, USER};

/// Contexts that are handed over together, so that the clock is read once for all.
const ABREAST: usize = 32;

/// Client and server of `portable-sspi`.
pub struct Ours {
    sspi: Sspi,
    outbound: Credentials,
    inbound: Credentials,
    // Holds the host key and the record of imports; removed when the benchmark ends.
    _host_key: TempDir,
}

impl Implementation for Ours {
    type Client = PartialContext;
    type Server = PartialContext;
    type Context = Box<dyn SecurityContext>;

    fn new() -> Self {
        let host_key = host_key_directory();
        let mut accounts = MemoryAccounts::new();
        accounts.add(USER, DOMAIN, PASSWORD);
        let ntlm = Ntlm::new(NtlmConfig {
            accounts: Some(Arc::new(accounts)),
            server_names: ServerNames::stand_alone("FILES"),
            ..NtlmConfig::default()
        });
        let config = SspiConfig {
            packages: vec![Arc::new(ntlm)],
            host_key: HostKeyScope::user_directory(host_key.path().join("host-key")),
            ..SspiConfig::default()
        };
        let sspi = Sspi::new(config).expect("one package");
        let identity = AuthIdentity::new(USER, DOMAIN, PASSWORD);
        let acquire = |request| sspi.acquire_credentials_handle("NTLM", request).expect("credentials");
        let (outbound, inbound) =
            (acquire(AcquireRequest::outbound(identity)), acquire(AcquireRequest::inbound()));
        Self { sspi, outbound, inbound, _host_key: host_key }
    }

    fn negotiate(&mut self) -> (PartialContext, Vec<u8>) {
        match self.initialize(None, None) {
            Step::ContinueNeeded { context, token } => (context, token),
            Step::Complete { .. } => panic!("complete after one step"),
        }
    }

    fn challenge(&mut self, negotiate: Vec<u8>) -> (PartialContext, Vec<u8>) {
        match self.accept_step(None, &negotiate) {
            Step::ContinueNeeded { context, token } => (context, token),
            Step::Complete { .. } => panic!("complete after one step"),
        }
    }

    fn authenticate(&mut self, client: PartialContext, challenge: Vec<u8>) -> (Self::Context, Vec<u8>) {
        match self.initialize(Some(client), Some(&challenge)) {
            Step::Complete { context, token } => (context, token.expect("an AUTHENTICATE")),
            Step::ContinueNeeded { .. } => panic!("a third step"),
        }
    }

    fn accept(&mut self, server: PartialContext, authenticate: Vec<u8>) -> Self::Context {
        match self.accept_step(Some(server), &authenticate) {
            Step::Complete { context, .. } => context,
            Step::ContinueNeeded { .. } => panic!("a third step"),
        }
    }

    fn seal(context: &mut Self::Context, message: &mut Message) {
        context.encrypt(&mut buffers(message)).expect("sealed");
    }

    fn unseal(context: &mut Self::Context, message: &mut Message) {
        context.decrypt(&mut buffers(message)).expect("unsealed");
    }

    fn sign(context: &mut Self::Context, message: &mut Message) {
        context.make_signature(&mut buffers(message)).expect("signed");
    }

    fn verify(context: &mut Self::Context, message: &mut Message) {
        context.verify_signature(&mut buffers(message)).expect("verified");
    }
}

/// What the `sspi` crate does not.
impl Ours {
    /// A whole handshake, as several threads can make it at once.
    pub fn shake_hands(&self) -> Session<Self> {
        let continued = |step| match step {
            Step::ContinueNeeded { context, token } => (context, token),
            Step::Complete { .. } => panic!("complete after one step"),
        };
        let complete = |step| match step {
            Step::Complete { context, token } => (context, token),
            Step::ContinueNeeded { .. } => panic!("a third step"),
        };
        let (client, negotiate) = continued(self.initialize(None, None));
        let (server, challenge) = continued(self.accept_step(None, &negotiate));
        let (client, authenticate) = complete(self.initialize(Some(client), Some(&challenge)));
        let (server, _) = complete(self.accept_step(Some(server), &authenticate.expect("an AUTHENTICATE")));
        Session { client, server }
    }

    /// Servers' contexts to be exported, each after so many messages of 1 KiB in both directions.
    pub fn prepare(&mut self, messages: usize) -> Vec<Box<dyn SecurityContext>> {
        let prepare = |_| {
            let mut session = Session::establish(self);
            session.converse(messages);
            session.server
        };
        (0..ABREAST).map(prepare).collect()
    }

    /// Exports and imports the `prepared` contexts, so many times in all: what the exports took, and what the imports
    /// took.
    pub fn hand_over(
        &self,
        prepared: &mut Vec<Box<dyn SecurityContext>>,
        times: usize,
    ) -> (Duration, Duration) {
        let (mut exporting, mut importing) = (Duration::ZERO, Duration::ZERO);
        let mut left = times;
        while left > 0 {
            let abreast = prepared.len().min(left);
            left -= abreast;
            let contexts = prepared.drain(..abreast);
            let (took, blobs) =
                stopwatch(|| contexts.map(|context| self.export(context)).collect::<Vec<_>>());
            exporting += took;
            let (took, imported) =
                stopwatch(|| blobs.iter().map(|blob| self.import(blob)).collect::<Vec<_>>());
            importing += took;
            prepared.extend(imported);
        }
        (exporting, importing)
    }

    /// The exported context of `server`.
    pub fn export(&self, server: Box<dyn SecurityContext>) -> Vec<u8> {
        self.sspi.export_security_context(server, &ExportOptions::default()).expect("exported")
    }

    /// The context that was exported.
    pub fn import(&self, blob: &[u8]) -> Box<dyn SecurityContext> {
        self.sspi.import_security_context(Some("NTLM"), blob).expect("imported")
    }

    fn initialize(&self, context: Option<PartialContext>, token: Option<&[u8]>) -> Step {
        let requirements = IscReq::CONFIDENTIALITY;
        let request = InitializeRequest { requirements, token, ..InitializeRequest::default() };
        let step = self.sspi.initialize_security_context(&self.outbound, context, &request);
        step.expect("the client's step")
    }

    fn accept_step(&self, context: Option<PartialContext>, token: &[u8]) -> Step {
        let request = AcceptRequest { token, ..AcceptRequest::default() };
        let step = self.sspi.accept_security_context(&self.inbound, context, &request);
        step.expect("the server's step")
    }
}

fn buffers(message: &mut Message) -> [SecurityBuffer<'_>; 2] {
    [SecurityBuffer::token(&mut message.signature), SecurityBuffer::data(&mut message.data)]
}

/// In memory where the system has such a place, as the default directory is.
pub(crate) fn host_key_directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory for the host key")
}
