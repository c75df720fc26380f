//! The package: NTLM behind the [`Provider`] trait.

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AscReq, AuthIdentity, Credentials, Environment, Error, InitializeRequest,
    IscReq, MalformedToken, Misuse, PackageInfo, PartialContext, PartialExportError, PortableState, Problem,
    Provider, Secret, SecurityContext, Step,
};

use crate::NegotiateFlags;
use crate::client::{Account, ClientStep, Logon, NegotiateSent};
use crate::config::NtlmConfig;
use crate::crypto::{keys, owf, owf_v1};
use crate::partial;
use crate::server::{ChallengeSent, ServerStep};
use crate::session::{self, NtlmContext};

/// The longest target name, in UTF-16 code units. A service principal name is a tenth of it.
const MAXIMUM_TARGET_NAME: usize = 2048;

/// The NTLM security package, as client and as server.
///
/// - **Anonymous logons**: a client asks for one by `ISC_REQ_NULL_SESSION` or by an identity whose user, domain and
///   password are all empty; a server admits them where both [`ServerPolicy::allow_anonymous`](crate::ServerPolicy) and
///   `ASC_REQ_ALLOW_NULL_SESSION` say so. Nothing protects their messages.
/// - **Connectionless mode**: `ISC_REQ_DATAGRAM` and `ASC_REQ_DATAGRAM`. The server's first step takes no token and
///   gives the CHALLENGE; the client's takes the CHALLENGE, or nothing, and then gives an empty token. Each message
///   needs its number, by [`SecurityContext::set_message_seq_no`].
///
/// ```
/// use std::sync::Arc;
/// use portable_sspi_core::*;
/// use portable_sspi_ntlm::{MemoryAccounts, Ntlm, NtlmConfig};
///
/// # struct Fixed;
/// # impl Entropy for Fixed { fn fill(&self, to: &mut [u8]) -> Result<(), Unavailable> { to.fill(7); Ok(()) } }
/// # impl Clock for Fixed { fn now(&self) -> FileTime { FileTime::from_unix_seconds(1_800_000_000) } }
/// # let environment = Environment::new(&Fixed, &Fixed);
/// let mut accounts = MemoryAccounts::new();
/// accounts.add("alice", "", "secret");
/// let ntlm = Ntlm::new(NtlmConfig { accounts: Some(Arc::new(accounts)), ..NtlmConfig::default() });
///
/// let client = ntlm.acquire(AcquireRequest::outbound(AuthIdentity::new("alice", "", "secret")))?;
/// let server = ntlm.acquire(AcquireRequest::inbound())?;
///
/// let request = InitializeRequest { requirements: IscReq::CONFIDENTIALITY, ..InitializeRequest::default() };
/// let Step::ContinueNeeded { context: at_client, token: negotiate } =
///     ntlm.initialize(&client, None, &request, &environment)? else { unreachable!() };
/// let request_1 = AcceptRequest { token: &negotiate, ..AcceptRequest::default() };
/// let Step::ContinueNeeded { context: at_server, token: challenge } =
///     ntlm.accept(&server, None, &request_1, &environment)? else { unreachable!() };
/// let request = InitializeRequest { token: Some(&challenge), ..request };
/// let Step::Complete { context: mut at_client, token: Some(authenticate) } =
///     ntlm.initialize(&client, Some(at_client), &request, &environment)? else { unreachable!() };
/// let request_2 = AcceptRequest { token: &authenticate, ..AcceptRequest::default() };
/// let Step::Complete { context: mut at_server, .. } =
///     ntlm.accept(&server, Some(at_server), &request_2, &environment)? else { unreachable!() };
///
/// let mut sealed = at_client.wrap(b"hello")?;
/// assert_eq!(at_server.unwrap(&mut sealed)?, b"hello");
/// assert_eq!(at_server.names().user_name, "alice");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Ntlm {
    config: NtlmConfig,
}

/// What [`Credentials`] of this package hold.
#[derive(Debug)]
struct NtlmCredentials {
    client: Option<Logon>,
    inbound: bool,
}

impl Ntlm {
    /// The package, set up by `config`.
    #[must_use]
    pub const fn new(config: NtlmConfig) -> Self {
        Self { config }
    }

    /// Who a client with that identity logs on as. Nobody, where nothing at all is given.
    fn logon(&self, identity: AuthIdentity) -> Result<Logon, Misuse> {
        let AuthIdentity { user, domain, secret } = identity;
        let is_nobody = user.is_empty()
            && domain.is_empty()
            && matches!(&secret, Secret::Password(password) if password.expose_utf16().is_empty());
        if is_nobody {
            return Ok(Logon::Anonymous);
        }
        if user.is_empty() {
            return Err(Misuse::BadIdentity { problem: "the user name is empty" });
        }
        let (nt_hash, lm_hash) = match secret {
            Secret::Password(password) => {
                let lm_hash = self.config.client_policy.level.sends_lm().then(|| owf_v1::lm_hash(&password));
                (owf::nt_hash(&password), lm_hash.flatten())
            }
            Secret::NtHash(nt_hash) => (nt_hash, None),
            _ => return Err(Misuse::BadIdentity { problem: "NTLM needs a password or an NT hash" }),
        };
        Ok(Logon::Account(Account::new(user, domain, nt_hash, lm_hash)))
    }
}

impl Provider for Ntlm {
    fn package_info(&self) -> &'static PackageInfo {
        &session::PACKAGE_INFO
    }

    fn acquire(&self, request: AcquireRequest) -> Result<Credentials, Error> {
        let identity = match (request.identity, &self.config.default_identity) {
            (None, Some(default)) if request.credential_use.outbound() => default.default_identity()?,
            (identity, _) => identity,
        };
        let client = match identity {
            Some(identity) => Some(self.logon(identity)?),
            None if request.credential_use.outbound() => return Err(Misuse::NoCredentials.into()),
            None => None,
        };
        let inbound = request.credential_use.inbound();
        if inbound && self.config.accounts.is_none() {
            return Err(Misuse::NoCredentials.into());
        }
        let client = client.filter(|_| request.credential_use.outbound());
        Ok(Credentials::new(session::PACKAGE_INFO.name, NtlmCredentials { client, inbound }))
    }

    fn initialize(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &InitializeRequest<'_>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        let credentials = credentials.downcast_ref::<NtlmCredentials>()?;
        let client = credentials
            .client
            .as_ref()
            .ok_or(Misuse::WrongCredentialUse { needed: "SECPKG_CRED_OUTBOUND" })?;
        check_target_name(request.target_name)?;
        let logon =
            if request.requirements.contains(IscReq::NULL_SESSION) { &Logon::Anonymous } else { client };
        let policy = &self.config.client_policy;
        let token = request.token.unwrap_or_default();
        let state = match context {
            Some(context) => *context.downcast::<NegotiateSent>()?,
            None => {
                let (state, negotiate) = NegotiateSent::start(request.requirements, logon, policy)?;
                // A connectionless client has nothing to send before the CHALLENGE, and may start with it.
                if !request.requirements.contains(IscReq::DATAGRAM) || token.is_empty() {
                    let context = PartialContext::new(session::PACKAGE_INFO.name, state);
                    return Ok(Step::ContinueNeeded { context, token: negotiate });
                }
                state
            }
        };
        let step = ClientStep::new(logon, policy, &self.config.workstation, request);
        let (established, token) = state.answer(token, &step, environment)?;
        Ok(Step::Complete { context: Box::new(NtlmContext::new(established)), token: Some(token) })
    }

    fn accept(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &AcceptRequest<'_>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        let credentials = credentials.downcast_ref::<NtlmCredentials>()?;
        let accounts = self
            .config
            .accounts
            .as_deref()
            .filter(|_| credentials.inbound)
            .ok_or(Misuse::WrongCredentialUse { needed: "SECPKG_CRED_INBOUND" })?;
        let policy = &self.config.server_policy;
        let channel_bindings = request.channel_bindings.map(keys::channel_binding_hash);
        let names = &self.config.server_names;
        let required = required_flags(request.requirements);
        let Some(context) = context else {
            let (state, token) = if request.requirements.contains(AscReq::DATAGRAM) {
                if !request.token.is_empty() {
                    let problem = Problem::TooLarge { limit: 0, found: request.token.len() };
                    return Err(
                        MalformedToken::new("token before a connectionless CHALLENGE", problem).into()
                    );
                }
                ChallengeSent::start_datagram(names, channel_bindings, environment)?
            } else {
                ChallengeSent::start(request.token, names, policy, required, channel_bindings, environment)?
            };
            let context = PartialContext::new(session::PACKAGE_INFO.name, state);
            return Ok(Step::ContinueNeeded { context, token });
        };
        let state = context.downcast::<ChallengeSent>()?;
        let step = ServerStep {
            accounts,
            policy,
            channel_bindings,
            allow_missing_bindings: request.requirements.contains(AscReq::ALLOW_MISSING_BINDINGS),
            allow_null_session: request.requirements.contains(AscReq::ALLOW_NULL_SESSION),
            required,
            now: environment.now(),
        };
        let established = state.verify(request.token, &step)?;
        Ok(Step::Complete { context: Box::new(NtlmContext::new(established)), token: None })
    }

    fn export_keeping_original(&self, context: &dyn SecurityContext) -> Result<PortableState, Error> {
        let context = context.as_any().downcast_ref::<NtlmContext>().ok_or(Misuse::ForeignObject)?;
        session::export(context)
    }

    fn import(&self, state: &PortableState) -> Result<Box<dyn SecurityContext>, Error> {
        Ok(Box::new(session::import(state)?))
    }

    fn reset(&self, state: &PortableState) -> Result<PortableState, Error> {
        session::reset(state)
    }

    fn export_partial(&self, context: PartialContext) -> Result<PortableState, PartialExportError> {
        partial::export(&context).map_err(|error| PartialExportError { error, context })
    }

    fn import_partial(&self, state: &PortableState) -> Result<PartialContext, Error> {
        partial::import(state)
    }
}

/// What a server that requires protection must see negotiated: a relay can leave it out of the NEGOTIATE, so it is not
/// enough to look at what came out.
fn required_flags(requirements: AscReq) -> NegotiateFlags {
    let mut required = NegotiateFlags::empty();
    if requirements.intersects(AscReq::INTEGRITY | AscReq::REPLAY_DETECT | AscReq::SEQUENCE_DETECT) {
        required |= NegotiateFlags::SIGN;
    }
    if requirements.contains(AscReq::CONFIDENTIALITY) {
        required |= NegotiateFlags::SEAL;
    }
    required
}

fn check_target_name(name: Option<&str>) -> Result<(), Misuse> {
    let units = name.map_or(0, |name| name.encode_utf16().count());
    if units > MAXIMUM_TARGET_NAME {
        return Err(Misuse::BadOption { option: "target_name", problem: "longer than 2048 characters" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portable_sspi_core::{AuthIdentity, CredentialUse, Unavailable};

    use super::*;
    use crate::DefaultIdentity;

    #[derive(Debug)]
    struct Says(Result<Option<&'static str>, ()>);

    impl DefaultIdentity for Says {
        fn default_identity(&self) -> Result<Option<AuthIdentity>, Error> {
            let user = self.0.map_err(|()| Unavailable::Entropy)?;
            Ok(user.map(|user| AuthIdentity::new(user, "", "secret")))
        }
    }

    fn acquired(
        default: Result<Option<&'static str>, ()>,
        identity: Option<AuthIdentity>,
    ) -> Result<String, Error> {
        let config = NtlmConfig { default_identity: Some(Arc::new(Says(default))), ..NtlmConfig::default() };
        let request = AcquireRequest { credential_use: CredentialUse::Outbound, identity };
        let credentials = Ntlm::new(config).acquire(request)?;
        match &credentials.downcast_ref::<NtlmCredentials>()?.client {
            Some(Logon::Account(account)) => Ok(account.user.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_client_without_an_identity_is_the_default_one() {
        assert_eq!(acquired(Ok(Some("default")), None).unwrap(), "default");
        let named = AuthIdentity::new("named", "", "secret");
        assert_eq!(acquired(Ok(Some("default")), Some(named)).unwrap(), "named");
        assert!(matches!(acquired(Ok(None), None), Err(Error::Misuse(Misuse::NoCredentials))));
        assert!(matches!(acquired(Err(()), None), Err(Error::Unavailable(_))));
    }
}
