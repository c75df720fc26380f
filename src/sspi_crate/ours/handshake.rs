//! The steps of the handshake, between the crate's builders and this library's NTLM.

use std::fmt;
use std::sync::Arc;

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AscReq, AuthIdentity, ChannelBindings, CredentialUse, Environment, Error,
    InitializeRequest, IscReq, PartialContext, PortableState, Provider, SecurityContext, Step,
};
use sspi::builders::{FilledAcceptSecurityContext, FilledInitializeSecurityContext};
use sspi::{
    AcceptSecurityContextResult, AuthIdentityBuffers, BufferType, ClientRequestFlags, ClientResponseFlags,
    ErrorKind, InitializeSecurityContextResult, SecurityBuffer, SecurityStatus, ServerResponseFlags,
};

use super::super::bindings;
use super::super::error::refuse;
use super::accounts::{Candidates, Claim, ClaimedNames};
use super::{Ntlm, flag_bits, identities, identity};
use crate::environment::{SystemClock, SystemEntropy};
use crate::ntlm::AccountDatabase;

/// How far a context is.
pub(super) enum State {
    Start,
    /// A client that has sent its NEGOTIATE.
    Negotiated(PartialContext),
    /// A server that has sent its CHALLENGE.
    Challenged(PartialContext),
    /// A server that has the AUTHENTICATE, and nobody yet to compare it with.
    Claimed(Box<Claimed>),
    Established(Box<dyn SecurityContext>),
    /// Failed, or handed over.
    Ended,
}

/// What the verification of an AUTHENTICATE needs, kept until there is an identity.
pub(super) struct Claimed {
    pub(super) names: ClaimedNames,
    challenged: PortableState,
    authenticate: Vec<u8>,
    requirements: AscReq,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("Start"),
            Self::Negotiated(_) => f.write_str("Negotiated"),
            Self::Challenged(_) => f.write_str("Challenged"),
            Self::Claimed(_) => f.write_str("Claimed"),
            Self::Established(context) => f.debug_tuple("Established").field(context).finish(),
            Self::Ended => f.write_str("Ended"),
        }
    }
}

/// Runs one step with the operating system's entropy and time.
fn with_environment<T>(step: impl FnOnce(&Environment<'_>) -> T) -> T {
    let (entropy, clock) = (SystemEntropy::new(), SystemClock);
    step(&Environment::new(&entropy, &clock))
}

impl Ntlm {
    /// A client's step. What is wrong with the builder changes nothing; what is wrong with the token ends the handshake.
    pub(super) fn initialize(
        &mut self,
        builder: &mut FilledInitializeSecurityContext<'_, '_, Option<AuthIdentityBuffers>>,
    ) -> sspi::Result<InitializeSecurityContextResult> {
        let is_first = match self.state {
            State::Start => true,
            State::Negotiated(_) => false,
            _ => return Err(refuse(ErrorKind::OutOfSequence, "no client's step is due")),
        };
        let requirements = client_requirements(builder.context_requirements);
        let own = builder.credentials_handle.as_deref().and_then(Option::as_ref);
        let acquire = AcquireRequest {
            credential_use: CredentialUse::Outbound,
            identity: match own {
                _ if requirements.contains(IscReq::NULL_SESSION) => Some(AuthIdentity::new("", "", "")),
                Some(own) => Some(identity::identity(own)?),
                None => None,
            },
        };
        let package = self.package(None);
        let credentials = package.acquire(acquire).map_err(|error| super::to_sspi_error(&error))?;
        let input = builder.input.as_deref().unwrap_or_default();
        let token = if is_first { None } else { Some(token(input)?) };
        self.take_bindings(input)?;
        let output = output(builder.output)?;

        let context = match std::mem::replace(&mut self.state, State::Ended) {
            State::Negotiated(context) => Some(context),
            _ => None,
        };
        let request = InitializeRequest {
            target_name: builder.target_name,
            requirements,
            channel_bindings: self.channel_bindings.as_ref(),
            token,
        };
        let step =
            with_environment(|environment| package.initialize(&credentials, context, &request, environment));
        let (status, flags) = match step.map_err(|error| self.failed(&error))? {
            Step::ContinueNeeded { context, token } => {
                self.state = State::Negotiated(context);
                *output = token;
                (SecurityStatus::ContinueNeeded, ClientResponseFlags::empty())
            }
            Step::Complete { context, token } => {
                let flags = ClientResponseFlags::from_bits_truncate(flag_bits(context.as_ref()));
                self.state = State::Established(context);
                *output = token.unwrap_or_default();
                (SecurityStatus::Ok, flags)
            }
        };
        Ok(InitializeSecurityContextResult { status, flags, expiry: None })
    }

    /// A server's step. What is wrong with the builder changes nothing; what is wrong with the token ends the handshake.
    pub(super) fn accept(
        &mut self,
        builder: FilledAcceptSecurityContext<'_, Option<AuthIdentityBuffers>>,
    ) -> sspi::Result<AcceptSecurityContextResult> {
        let requirements = AscReq::from_bits_truncate(builder.context_requirements.bits());
        let is_first = match self.state {
            State::Start => true,
            State::Challenged(_) => false,
            _ => return Err(refuse(ErrorKind::OutOfSequence, "no server's step is due")),
        };
        let input = builder
            .input
            .as_deref()
            .ok_or_else(|| refuse(ErrorKind::InvalidToken, "a server's step needs the client's token"))?;
        let token = token(input)?;
        self.take_bindings(input)?;
        let own = builder.credentials_handle.as_deref().and_then(Option::as_ref);
        if is_first {
            return self.challenge(requirements, token, output(builder.output)?);
        }
        let accounts = self.accounts(own)?;
        if let Ok(output) = output(builder.output) {
            // Otherwise a program that does not clear it sends the CHALLENGE again.
            output.clear();
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Challenged(context) => match accounts {
                Some(accounts) => self.verify(accounts, context, token, requirements),
                None => self.claim(context, token, requirements),
            },
            _ => Err(refuse(ErrorKind::OutOfSequence, "no server's step is due")),
        }
    }

    /// CompleteAuthToken of a server that was answered `CompleteNeeded`: verifies the client.
    pub(super) fn complete(&mut self) -> sspi::Result<SecurityStatus> {
        let Some(accounts) = self.accounts(None)? else {
            return Err(refuse(ErrorKind::LogonDenied, "no identity to compare the client with"));
        };
        let State::Claimed(claimed) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(refuse(ErrorKind::OutOfSequence, "there is no token to complete"));
        };
        let Claimed { challenged, authenticate, requirements, .. } = *claimed;
        let context = self.package(None).import_partial(&challenged).map_err(|error| self.failed(&error))?;
        self.verify(accounts, context, &authenticate, requirements).map(|result| result.status)
    }

    /// A server's first step.
    fn challenge(
        &mut self,
        requirements: AscReq,
        token: &[u8],
        output: &mut Vec<u8>,
    ) -> sspi::Result<AcceptSecurityContextResult> {
        match self.step(Arc::new(Claim::default()), None, token, requirements) {
            Ok(Step::ContinueNeeded { context, token }) => {
                self.state = State::Challenged(context);
                *output = token;
                Ok(continues(SecurityStatus::ContinueNeeded))
            }
            Ok(Step::Complete { .. }) => {
                Err(refuse(ErrorKind::InternalError, "a server's first step sends a CHALLENGE"))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// A server's last step.
    fn verify(
        &mut self,
        accounts: Arc<dyn AccountDatabase>,
        context: PartialContext,
        token: &[u8],
        requirements: AscReq,
    ) -> sspi::Result<AcceptSecurityContextResult> {
        match self.step(accounts, Some(context), token, requirements) {
            Ok(Step::Complete { context, .. }) => Ok(self.accepted(context)),
            Ok(Step::ContinueNeeded { .. }) => {
                Err(refuse(ErrorKind::InternalError, "a server's last step verifies the client"))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// A server's last step where nobody is known who could log on: looks who the client says it is, and waits.
    ///
    /// The step is made on a copy of the state, with accounts that admit nobody and note the name. The state itself is kept
    /// for the one verification that counts.
    fn claim(
        &mut self,
        context: PartialContext,
        token: &[u8],
        requirements: AscReq,
    ) -> sspi::Result<AcceptSecurityContextResult> {
        let package = self.package(None);
        let challenged = package.export_partial(context).map_err(|failed| self.failed(&failed.error))?;
        let copy = package.import_partial(&challenged).map_err(|error| self.failed(&error))?;
        let claim = Arc::new(Claim::default());
        match (self.step(claim.clone(), Some(copy), token, requirements), claim.take()) {
            (Err(_), Some(names)) => {
                let authenticate = token.to_vec();
                let claimed = Claimed { names, challenged, authenticate, requirements };
                self.state = State::Claimed(Box::new(claimed));
                Ok(continues(SecurityStatus::CompleteNeeded))
            }
            // An anonymous client, which a policy admits: there is no proof to compare.
            (Ok(Step::Complete { context, .. }), _) => Ok(self.accepted(context)),
            (Ok(Step::ContinueNeeded { .. }), _) => {
                Err(refuse(ErrorKind::InternalError, "a server's last step verifies the client"))
            }
            (Err(error), None) => Err(self.failed(&error)),
        }
    }

    fn step(
        &self,
        accounts: Arc<dyn AccountDatabase>,
        context: Option<PartialContext>,
        token: &[u8],
        requirements: AscReq,
    ) -> Result<Step, Error> {
        let package = self.package(Some(accounts));
        let credentials = package.acquire(AcquireRequest::inbound())?;
        let request = AcceptRequest { requirements, channel_bindings: self.channel_bindings.as_ref(), token };
        with_environment(|environment| package.accept(&credentials, context, &request, environment))
    }

    fn accepted(&mut self, context: Box<dyn SecurityContext>) -> AcceptSecurityContextResult {
        let flags = ServerResponseFlags::from_bits_truncate(flag_bits(context.as_ref()));
        self.state = State::Established(context);
        AcceptSecurityContextResult { status: SecurityStatus::Ok, flags, expiry: None }
    }

    /// Whom the client is compared with: the identity of the credentials, else those given by `SspiEx`, else the accounts
    /// of the configuration.
    fn accounts(&self, own: Option<&AuthIdentityBuffers>) -> sspi::Result<Option<Arc<dyn AccountDatabase>>> {
        let candidates = own.map_or(self.candidates.as_slice(), std::slice::from_ref);
        if candidates.is_empty() {
            return Ok(self.config.accounts.clone());
        }
        Ok(Some(Arc::new(Candidates::new(identities(candidates)?))))
    }

    /// Channel bindings among a step's input.
    fn take_bindings(&mut self, input: &[SecurityBuffer]) -> sspi::Result<()> {
        if let Some(buffer) = find(input, BufferType::ChannelBindings) {
            let read: Option<ChannelBindings> = bindings::read(&buffer.buffer);
            let malformed = || refuse(ErrorKind::InvalidParameter, "not a SEC_CHANNEL_BINDINGS structure");
            self.channel_bindings = Some(read.ok_or_else(malformed)?);
        }
        Ok(())
    }
}

/// The crate takes DCE style for confidentiality too, and its users rely on it.
fn client_requirements(flags: ClientRequestFlags) -> IscReq {
    let requirements = IscReq::from_bits_truncate(flags.bits());
    if requirements.contains(IscReq::USE_DCE_STYLE) {
        requirements | IscReq::CONFIDENTIALITY | IscReq::INTEGRITY
    } else {
        requirements
    }
}

const fn continues(status: SecurityStatus) -> AcceptSecurityContextResult {
    AcceptSecurityContextResult { status, flags: ServerResponseFlags::empty(), expiry: None }
}

fn find(buffers: &[SecurityBuffer], wanted: BufferType) -> Option<&SecurityBuffer> {
    buffers.iter().find(|buffer| buffer.buffer_type.buffer_type == wanted)
}

/// The peer's token.
fn token(input: &[SecurityBuffer]) -> sspi::Result<&[u8]> {
    find(input, BufferType::Token)
        .map(|buffer| buffer.buffer.as_slice())
        .ok_or_else(|| refuse(ErrorKind::InvalidToken, "no TOKEN buffer in the input"))
}

/// Where this side's token goes. What is in it is replaced.
fn output(output: &mut [SecurityBuffer]) -> sspi::Result<&mut Vec<u8>> {
    output
        .iter_mut()
        .find(|buffer| buffer.buffer_type.buffer_type == BufferType::Token)
        .map(|buffer| &mut buffer.buffer)
        .ok_or_else(|| refuse(ErrorKind::InvalidToken, "no TOKEN buffer in the output"))
}
