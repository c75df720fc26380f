//! The steps of the handshake, between this library's requests and the crate's builders.

use portable_sspi_core::{
    AcceptRequest, ChannelBindings, ContextFlags, CredentialUse, Environment, Error, InitializeRequest,
    IscRet, Misuse, PackageInfo, PartialContext, Step, Unavailable,
};
use portable_sspi_core::{AscRet, FileTime, Lifespan};
use sspi::generator::{Generator, GeneratorState, NetworkRequest};
use sspi::network_client::NetworkClient;
use sspi::{
    AcquireCredentialsHandleResult, BufferType, ClientRequestFlags, DataRepresentation, SecurityBuffer,
    SecurityStatus, ServerRequestFlags,
};

use super::super::bindings;
use super::super::error::from_sspi_error;
use super::Make;
use super::context::{BridgedContext, Established};

/// A context of the crate during its handshake.
pub(super) struct Half<P: sspi::SspiImpl> {
    role: CredentialUse,
    info: &'static PackageInfo,
    package: P,
    handle: P::CredentialsHandle,
}

/// What a step of the crate ended in.
struct Outcome {
    status: SecurityStatus,
    flags: u32,
    /// In seconds since 1970.
    expiry: Option<i64>,
}

impl<P> Half<P>
where
    P: sspi::Sspi + Clone + Send + Sync + 'static,
    P::CredentialsHandle: Send + Sync + 'static,
    P::AuthenticationData: From<sspi::AuthIdentity>,
{
    pub(super) fn new(
        make: &Make<P>,
        role: CredentialUse,
        identity: Option<&sspi::AuthIdentity>,
        info: &'static PackageInfo,
    ) -> Result<Self, Error> {
        let mut package = make().map_err(|error| from_sspi_error(&error))?;
        let auth_data = identity.cloned().map(P::AuthenticationData::from);
        let credential_use =
            if role.inbound() { sspi::CredentialUse::Inbound } else { sspi::CredentialUse::Outbound };
        let mut builder = package.acquire_credentials_handle().with_credential_use(credential_use);
        builder.auth_data = auth_data.as_ref();
        let acquired = builder.execute(&mut package).map_err(|error| from_sspi_error(&error))?;
        let AcquireCredentialsHandleResult { credentials_handle: handle, .. } = acquired;
        Ok(Self { role, info, package, handle })
    }

    pub(super) const fn role(&self) -> CredentialUse {
        self.role
    }

    pub(super) fn initialize(
        mut self,
        request: &InitializeRequest<'_>,
        network: Option<&dyn NetworkClient>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        let mut output = output();
        let outcome = {
            let mut input = input(request.token, request.channel_bindings)?;
            let mut builder = self
                .package
                .initialize_security_context()
                .with_credentials_handle(&mut self.handle)
                .with_context_requirements(ClientRequestFlags::from_bits_truncate(
                    request.requirements.bits(),
                ))
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            builder.target_name = request.target_name;
            let step = self.package.initialize_security_context_impl(&mut builder);
            let mut step = step.map_err(|error| from_sspi_error(&error))?;
            let result = resolve(&mut step, network)?;
            Outcome {
                status: result.status,
                flags: result.flags.bits(),
                expiry: result.expiry.map(|at| at.unix_timestamp()),
            }
        };
        let flags = ContextFlags::Initiator(IscRet::from_bits_truncate(outcome.flags));
        self.finish(&outcome, output, flags, request.target_name, environment)
    }

    pub(super) fn accept(
        mut self,
        request: &AcceptRequest<'_>,
        network: Option<&dyn NetworkClient>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        let mut output = output();
        let outcome = {
            let mut input = input(Some(request.token), request.channel_bindings)?;
            let builder = self
                .package
                .accept_security_context()
                .with_credentials_handle(&mut self.handle)
                .with_context_requirements(ServerRequestFlags::from_bits_truncate(
                    request.requirements.bits(),
                ))
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            let step = self.package.accept_security_context_impl(builder);
            let mut step = step.map_err(|error| from_sspi_error(&error))?;
            let result = resolve(&mut step, network)?;
            Outcome {
                status: result.status,
                flags: result.flags.bits(),
                expiry: result.expiry.map(|at| at.unix_timestamp()),
            }
        };
        let flags = ContextFlags::Acceptor(AscRet::from_bits_truncate(outcome.flags));
        self.finish(&outcome, output, flags, None, environment)
    }

    /// What the status asks for: CompleteAuthToken, another step, or nothing more.
    fn finish(
        mut self,
        outcome: &Outcome,
        mut output: [SecurityBuffer; 1],
        flags: ContextFlags,
        target: Option<&str>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        let (complete, continues) = match outcome.status {
            SecurityStatus::Ok => (false, false),
            SecurityStatus::ContinueNeeded => (false, true),
            SecurityStatus::CompleteNeeded => (true, false),
            SecurityStatus::CompleteAndContinue => (true, true),
            _ => {
                let what = "a step of the `sspi` crate that ends in none of the statuses of a handshake";
                return Err(Misuse::NotSupported { what }.into());
            }
        };
        if complete {
            self.package.complete_auth_token(&mut output).map_err(|error| from_sspi_error(&error))?;
        }
        let [SecurityBuffer { buffer: token, .. }] = output;
        if continues {
            return Ok(Step::ContinueNeeded { context: PartialContext::new(self.info.name, self), token });
        }
        let lifespan = Lifespan {
            start: environment.now(),
            expiry: outcome
                .expiry
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map_or(FileTime::NEVER, FileTime::from_unix_seconds),
        };
        let target = target.map(str::to_owned);
        let established =
            Established { package: self.package, info: self.info, role: self.role, flags, target, lifespan };
        let context = BridgedContext::new(established, environment)?;
        let token = Some(token).filter(|token| !token.is_empty());
        Ok(Step::Complete { context: Box::new(context), token })
    }
}

/// Runs a step to its end, and asks the network for what it wants on the way.
fn resolve<'a, T: Send + 'a>(
    step: &mut Generator<'a, NetworkRequest, sspi::Result<Vec<u8>>, sspi::Result<T>>,
    network: Option<&dyn NetworkClient>,
) -> Result<T, Error> {
    let mut state = step.start();
    loop {
        state = match state {
            GeneratorState::Completed(result) => return result.map_err(|error| from_sspi_error(&error)),
            GeneratorState::Suspended(request) => match network {
                Some(network) => step.resume(network.send(&request)),
                None => {
                    let problem = format!(
                        "the package wants to send to {}, and `PackageConfig::network` is not set",
                        request.url
                    );
                    return Err(Unavailable::Authority { problem }.into());
                }
            },
        };
    }
}

fn output() -> [SecurityBuffer; 1] {
    [SecurityBuffer::new(Vec::new(), BufferType::Token)]
}

/// The peer's token, and the channel bindings in the form in which the crate reads them.
fn input(
    token: Option<&[u8]>,
    channel_bindings: Option<&ChannelBindings>,
) -> Result<Vec<SecurityBuffer>, Error> {
    let mut input = vec![SecurityBuffer::new(token.unwrap_or_default().to_vec(), BufferType::Token)];
    if let Some(channel_bindings) = channel_bindings {
        let problem = "longer than their structure can say";
        let bytes = bindings::write(channel_bindings)
            .ok_or(Misuse::BadOption { option: "channel_bindings", problem })?;
        input.push(SecurityBuffer::new(bytes, BufferType::ChannelBindings));
    }
    Ok(input)
}
