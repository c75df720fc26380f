//! This library's end of a conversation with a peer.

use std::sync::Arc;

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames, ServerPolicy};
use portable_sspi::{
    AcceptRequest, AcquireRequest, AscReq, AuthIdentity, ChannelBindings, Error, ExportOptions,
    InitializeRequest, IscReq, SecurityBuffer, SecurityContext, Sspi, SspiConfig, Step,
};

use crate::peer::{Peer, PeerError, PeerStep};
use crate::scenarios::{DOMAIN, PASSWORD, TARGET_SPN, USER, messages};

/// The packages of one process, with a host key of its own that lives as long as this.
pub(crate) struct Host {
    sspi: Sspi,
    directory: tempfile::TempDir,
    /// What our server asks for.
    pub(crate) server_requirements: AscReq,
}

/// How our client logs on.
pub(crate) struct Logon<'a> {
    pub(crate) password: &'a str,
    pub(crate) requirements: IscReq,
    pub(crate) bindings: Option<&'a ChannelBindings>,
    /// What happens to the AUTHENTICATE_MESSAGE on the way.
    pub(crate) on_the_way: fn(&mut Vec<u8>),
}

impl Default for Logon<'_> {
    fn default() -> Self {
        Self {
            password: PASSWORD,
            requirements: IscReq::CONFIDENTIALITY.union(IscReq::INTEGRITY),
            bindings: None,
            on_the_way: |_| {},
        }
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with_policy(ServerPolicy::default())
    }

    pub(crate) fn with_policy(policy: ServerPolicy) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sspi = sspi(&directory, policy);
        Self { sspi, directory, server_requirements: AscReq::empty() }
    }

    /// Takes the context through export and import, into what stands for another process.
    pub(crate) fn hand_over(&self, context: Box<dyn SecurityContext>) -> Box<dyn SecurityContext> {
        let blob = self.sspi.export_security_context(context, &ExportOptions::default()).unwrap();
        sspi(&self.directory, ServerPolicy::default()).import_security_context(Some("NTLM"), &blob).unwrap()
    }

    /// Logs on to a peer in the role of the server: our context, and what the peer makes of our last message. An error is
    /// our client's own.
    pub(crate) fn log_on_to(&self, server: &mut Peer, logon: &Logon<'_>) -> Result<LoggedOn, Error> {
        let identity = AuthIdentity::new(USER, DOMAIN, logon.password);
        let credentials =
            self.sspi.acquire_credentials_handle("NTLM", AcquireRequest::outbound(identity)).unwrap();
        let request = InitializeRequest {
            target_name: Some(TARGET_SPN),
            requirements: logon.requirements,
            channel_bindings: logon.bindings,
            token: None,
        };
        let Step::ContinueNeeded { context, token } =
            self.sspi.initialize_security_context(&credentials, None, &request).unwrap()
        else {
            panic!("a client waits for the CHALLENGE");
        };
        let challenge = server.step(&token).unwrap().token();
        let request = InitializeRequest { token: Some(&challenge), ..request };
        let Step::Complete { context, token: Some(mut authenticate) } =
            self.sspi.initialize_security_context(&credentials, Some(context), &request)?
        else {
            panic!("a client ends with the AUTHENTICATE");
        };
        (logon.on_the_way)(&mut authenticate);
        Ok((context, server.step(&authenticate)))
    }

    /// Accepts a peer in the role of the client, which has made `negotiate`.
    pub(crate) fn accept(
        &self,
        client: &mut Peer,
        negotiate: &[u8],
        bindings: Option<&ChannelBindings>,
    ) -> Result<Box<dyn SecurityContext>, Error> {
        self.accept_from(negotiate, bindings, |challenge| client.step(challenge).unwrap().token())
    }

    /// The same, where `respond` takes the CHALLENGE_MESSAGE to the client, and gives what it says to it.
    pub(crate) fn accept_from(
        &self,
        negotiate: &[u8],
        bindings: Option<&ChannelBindings>,
        respond: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Box<dyn SecurityContext>, Error> {
        let credentials = self.sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound()).unwrap();
        let request = AcceptRequest {
            token: negotiate,
            channel_bindings: bindings,
            requirements: self.server_requirements,
        };
        let Step::ContinueNeeded { context, token } =
            self.sspi.accept_security_context(&credentials, None, &request)?
        else {
            panic!("a server waits for the AUTHENTICATE");
        };
        let authenticate = respond(&token);
        let request = AcceptRequest { token: &authenticate, ..request };
        match self.sspi.accept_security_context(&credentials, Some(context), &request)? {
            Step::Complete { context, token: None } => Ok(context),
            step => panic!("a server ends without a token: {step:?}"),
        }
    }
}

/// Our client's context, and the peer's last step.
pub(crate) type LoggedOn = (Box<dyn SecurityContext>, Result<PeerStep, PeerError>);

fn sspi(directory: &tempfile::TempDir, server_policy: ServerPolicy) -> Sspi {
    let mut accounts = MemoryAccounts::new();
    accounts.add(USER, DOMAIN, PASSWORD);
    let ntlm = Ntlm::new(NtlmConfig {
        accounts: Some(Arc::new(accounts)),
        server_names: ServerNames::stand_alone("OURS"),
        server_policy,
        workstation: "OURS".into(),
        ..NtlmConfig::default()
    });
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ntlm)],
        host_key: portable_sspi::HostKeyScope::user_directory(directory.path().join("key")),
        ..SspiConfig::default()
    })
    .unwrap()
}

/// The signature over `message`.
pub(crate) fn sign(context: &mut dyn SecurityContext, message: &[u8]) -> Vec<u8> {
    let mut token = [0; 16];
    context
        .make_signature(&mut [
            SecurityBuffer::readonly_with_checksum(message),
            SecurityBuffer::token(&mut token),
        ])
        .unwrap();
    token.to_vec()
}

/// Checks the peer's signature over `message`.
pub(crate) fn verify(context: &mut dyn SecurityContext, message: &[u8], mic: &[u8]) -> Result<(), Error> {
    let mut token = mic.to_vec();
    context.verify_signature(&mut [
        SecurityBuffer::readonly_with_checksum(message),
        SecurityBuffer::token(&mut token),
    ])
}

/// All messages, sealed, both ways.
pub(crate) fn seal_both_ways(ours: &mut dyn SecurityContext, peer: &mut Peer) {
    for message in messages() {
        let wrapped = ours.wrap(&message).unwrap();
        assert_eq!(peer.unwrap(&wrapped).unwrap(), message);
        let mut wrapped = peer.wrap(&message).unwrap();
        // One byte encrypts to itself once in 256 sessions.
        assert!(message.len() < 8 || wrapped[16..] != message[..], "the peer encrypts");
        assert_eq!(ours.unwrap(&mut wrapped).unwrap(), message);
    }
}

/// All messages, signed, both ways.
pub(crate) fn sign_both_ways(ours: &mut dyn SecurityContext, peer: &mut Peer) {
    for message in messages() {
        let mic = sign(ours, &message);
        peer.verify(&message, &mic).unwrap();
        let mic = peer.sign(&message).unwrap();
        verify(ours, &message, &mic).unwrap();
    }
}
