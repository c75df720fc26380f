//! A client and a server in one process, in a world whose time and chance are fixed.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

pub(crate) mod messages;
pub(crate) mod old_client;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AscReq, AuthIdentity, ChannelBindings, Clock, DenialReason, Entropy,
    Environment, Error, FileTime, InitializeRequest, IscReq, PartialContext, Provider, SecretArray,
    SecurityContext, Step, Unavailable,
};
use portable_sspi_ntlm::{
    Account, ClientPolicy, LmCompatibilityLevel, MemoryAccounts, NegotiateFlags, Ntlm, NtlmConfig,
    ServerNames, ServerPolicy, lm_hash,
};

pub(crate) const PASSWORD: &str = "correct horse";

/// Time and chance. The same start gives the same tokens.
pub(crate) struct World {
    now: AtomicU64,
    state: AtomicU64,
}

impl World {
    pub(crate) fn pass_seconds(&self, seconds: u64) {
        self.now.fetch_add(seconds * 10_000_000, Ordering::Relaxed);
    }

    pub(crate) fn environment(&self) -> Environment<'_> {
        Environment::new(self, self)
    }
}

impl Default for World {
    fn default() -> Self {
        let now = FileTime::from_unix_seconds(1_800_000_000).0;
        Self { now: AtomicU64::new(now), state: AtomicU64::new(1) }
    }
}

impl Clock for World {
    fn now(&self) -> FileTime {
        FileTime(self.now.load(Ordering::Relaxed))
    }
}

impl Entropy for World {
    fn fill(&self, destination: &mut [u8]) -> Result<(), Unavailable> {
        for byte in destination {
            let state = self.state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = (state ^ (state >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[0];
        }
        Ok(())
    }
}

/// What both sides are set up with. The default is an ordinary logon that seals its messages.
pub(crate) struct Setup {
    pub(crate) user: &'static str,
    pub(crate) domain: &'static str,
    pub(crate) password: &'static str,
    pub(crate) requirements: IscReq,
    pub(crate) target_name: Option<&'static str>,
    pub(crate) client_bindings: Option<ChannelBindings>,
    pub(crate) client_policy: ClientPolicy,
    /// User and domain of the accounts that there are, all with [`PASSWORD`].
    pub(crate) accounts: Vec<(&'static str, &'static str)>,
    /// Whether the accounts have an LM hash.
    pub(crate) lm_hashes: bool,
    pub(crate) server_requirements: AscReq,
    pub(crate) server_bindings: Option<ChannelBindings>,
    pub(crate) server_names: ServerNames,
    pub(crate) server_policy: ServerPolicy,
    pub(crate) world: World,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            user: "alice",
            domain: "CORP",
            password: PASSWORD,
            requirements: IscReq::INTEGRITY | IscReq::CONFIDENTIALITY,
            target_name: Some("HTTP/files.corp.example"),
            client_bindings: None,
            client_policy: ClientPolicy::default(),
            accounts: vec![("alice", "CORP")],
            lm_hashes: false,
            server_requirements: AscReq::empty(),
            server_bindings: None,
            server_names: ServerNames {
                netbios_computer: "FILES".to_owned(),
                netbios_domain: "CORP".to_owned(),
                dns_computer: "files.corp.example".to_owned(),
                dns_domain: "corp.example".to_owned(),
                dns_tree: "corp.example".to_owned(),
                domain_joined: true,
            },
            server_policy: ServerPolicy::default(),
            world: World::default(),
        }
    }
}

/// The two ends of an established session.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Box<dyn SecurityContext>,
    pub(crate) server: Box<dyn SecurityContext>,
}

/// Whose step a handshake ended at.
#[derive(Debug)]
pub(crate) enum Failure {
    Client(Error),
    Server(Error),
}

impl Failure {
    /// Why the server denied the logon.
    #[track_caller]
    pub(crate) fn denied(self) -> DenialReason {
        match self {
            Self::Server(Error::LogonDenied(denied)) => denied.audit_reason(),
            other => panic!("not a denied logon: {other:?}"),
        }
    }
}

/// A token on its way. Whoever is in the middle may change it.
pub(crate) enum Token<'a> {
    Negotiate(&'a mut Vec<u8>),
    Challenge(&'a mut Vec<u8>),
    Authenticate(&'a mut Vec<u8>),
}

/// A server that has sent its CHALLENGE.
pub(crate) struct Challenged {
    pub(crate) context: PartialContext,
    pub(crate) challenge: Vec<u8>,
}

impl Setup {
    pub(crate) fn ntlm(&self) -> Ntlm {
        let mut accounts = MemoryAccounts::new();
        for (user, domain) in &self.accounts {
            if self.lm_hashes {
                let nt_hash = SecretArray::new(old_client::nt_hash());
                let lm_hash = lm_hash(&PASSWORD.into()).unwrap();
                accounts.add_account(Account::new(*user, *domain, nt_hash).with_lm_hash(lm_hash));
            } else {
                accounts.add(user, domain, PASSWORD);
            }
        }
        Ntlm::new(NtlmConfig {
            accounts: Some(Arc::new(accounts)),
            server_names: self.server_names.clone(),
            server_policy: self.server_policy.clone(),
            client_policy: self.client_policy.clone(),
            workstation: "DESK".to_owned(),
            ..NtlmConfig::default()
        })
    }

    /// A handshake that nobody interferes with.
    pub(crate) fn handshake(&self) -> Result<Pair, Failure> {
        self.handshake_through(|_| {})
    }

    /// A handshake through somebody in the middle.
    pub(crate) fn handshake_through(&self, mut middle: impl FnMut(Token<'_>)) -> Result<Pair, Failure> {
        let (at_client, mut negotiate) = self.start_client();
        middle(Token::Negotiate(&mut negotiate));
        let mut at_server = self.challenge(&negotiate).map_err(Failure::Server)?;
        middle(Token::Challenge(&mut at_server.challenge));
        let (client, mut authenticate) =
            self.answer(at_client, &at_server.challenge).map_err(Failure::Client)?;
        middle(Token::Authenticate(&mut authenticate));
        let server = self.finish(at_server.context, &authenticate).map_err(Failure::Server)?;
        Ok(Pair { client, server })
    }

    /// The client's first step.
    pub(crate) fn start_client(&self) -> (PartialContext, Vec<u8>) {
        match self.initialize(None, None).unwrap() {
            Step::ContinueNeeded { context, token } => (context, token),
            Step::Complete { .. } => panic!("complete after one step"),
        }
    }

    /// The server's first step.
    pub(crate) fn challenge(&self, negotiate: &[u8]) -> Result<Challenged, Error> {
        match self.accept(None, negotiate)? {
            Step::ContinueNeeded { context, token } => Ok(Challenged { context, challenge: token }),
            Step::Complete { .. } => panic!("complete after one step"),
        }
    }

    /// The client's last step.
    pub(crate) fn answer(
        &self,
        context: PartialContext,
        challenge: &[u8],
    ) -> Result<(Box<dyn SecurityContext>, Vec<u8>), Error> {
        match self.initialize(Some(context), Some(challenge))? {
            Step::Complete { context, token } => Ok((context, token.unwrap())),
            Step::ContinueNeeded { .. } => panic!("not complete after two steps"),
        }
    }

    /// The server's last step.
    pub(crate) fn finish(
        &self,
        context: PartialContext,
        authenticate: &[u8],
    ) -> Result<Box<dyn SecurityContext>, Error> {
        match self.accept(Some(context), authenticate)? {
            Step::Complete { context, token: None } => Ok(context),
            _ => panic!("not complete after two steps"),
        }
    }

    fn initialize(&self, context: Option<PartialContext>, token: Option<&[u8]>) -> Result<Step, Error> {
        let ntlm = self.ntlm();
        let identity = AuthIdentity::new(self.user, self.domain, self.password);
        let credentials = ntlm.acquire(AcquireRequest::outbound(identity))?;
        let request = InitializeRequest {
            target_name: self.target_name,
            requirements: self.requirements,
            channel_bindings: self.client_bindings.as_ref(),
            token,
        };
        ntlm.initialize(&credentials, context, &request, &self.world.environment())
    }

    fn accept(&self, context: Option<PartialContext>, token: &[u8]) -> Result<Step, Error> {
        let ntlm = self.ntlm();
        let credentials = ntlm.acquire(AcquireRequest::inbound())?;
        let request = AcceptRequest {
            requirements: self.server_requirements,
            channel_bindings: self.server_bindings.as_ref(),
            token,
        };
        ntlm.accept(&credentials, context, &request, &self.world.environment())
    }
}

/// The policy of a server that admits everything there is.
pub(crate) fn permissive() -> ServerPolicy {
    ServerPolicy {
        level: LmCompatibilityLevel::Level0,
        require_mic: false,
        minimum_flags: NegotiateFlags::empty(),
        allow_anonymous: true,
        ..ServerPolicy::default()
    }
}

/// The policy of a client at a level, without other demands.
pub(crate) fn client_level(level: LmCompatibilityLevel) -> ClientPolicy {
    ClientPolicy { level, minimum_flags: NegotiateFlags::empty(), ..ClientPolicy::default() }
}

/// `from` seals a message that `to` opens.
#[track_caller]
pub(crate) fn send(from: &mut Box<dyn SecurityContext>, to: &mut Box<dyn SecurityContext>, message: &[u8]) {
    let mut sealed = from.wrap(message).unwrap();
    assert_ne!(&sealed[16..], message);
    assert_eq!(to.unwrap(&mut sealed).unwrap(), message);
}
