//! This library's NTLM under the crate's traits.

mod accounts;
mod handshake;
mod identity;
mod messages;

use std::fmt;
use std::sync::Arc;

use portable_sspi_core::{
    AuthIdentity, ChannelBindings, ContextFlags, DenialReason, Error, Misuse, PackageInfo, SecurityContext,
};
use sspi::builders::{
    ChangePassword, FilledAcceptSecurityContext, FilledAcquireCredentialsHandle,
    FilledInitializeSecurityContext,
};
use sspi::generator::{
    GeneratorAcceptSecurityContext, GeneratorChangePassword, GeneratorInitSecurityContext,
};
use sspi::{
    AcquireCredentialsHandleResult, AuthIdentityBuffers, CertTrustStatus, ContextNames, ContextSizes,
    CredentialUse, DecryptionFlags, EncryptionFlags, ErrorKind, PackageCapabilities, SecurityBuffer,
    SecurityBufferRef, SecurityPackageType, SecurityStatus, SessionKeys, SspiEx, SspiImpl,
};

use self::handshake::State;
use super::error::{refuse, to_sspi_error};
use crate::ntlm::{self, NtlmConfig};
use crate::registry::Sspi;
use crate::transfer::ExportOptions;

/// NTLM of this library, in the place of [`sspi::Ntlm`]: one value for one context, client or server.
///
/// A program that says `use portable_sspi::sspi_crate::Ntlm;` where it said `use sspi::Ntlm;` goes on as before, and
/// gains what this library's NTLM has; `docs/from-sspi-rs.md` tells all differences. Those that matter most:
///
/// - **A server's last step verifies the client**, and answers `Ok` or fails with `LogonDenied`. Only a server that has no
///   identity yet, neither in its credentials nor by [`SspiEx`], is answered `CompleteNeeded`, as in the crate: it asks
///   [`query_context_names`](sspi::Sspi::query_context_names) who the client *says* it is, gives the identity by
///   [`custom_set_auth_identity`](SspiEx::custom_set_auth_identity) or
///   [`custom_set_auth_identities`](SspiEx::custom_set_auth_identities), and calls
///   [`complete_auth_token`](sspi::Sspi::complete_auth_token), which verifies.
/// - **A challenge is answered once.** After a failed step, every call gives `OutOfSequence`.
/// - **The context counts its messages itself**, signed and sealed ones alike, as the peer's Windows does. The sequence
///   numbers of [`make_signature`](sspi::Sspi::make_signature) and [`verify_signature`](sspi::Sspi::verify_signature) are used
///   for connectionless contexts alone.
/// - There is no `Clone`: two copies of one cipher state would give both conversations away.
///   [`export_security_context`](Self::export_security_context) moves a context.
///
/// ```
/// use portable_sspi::sspi_crate::Ntlm;
/// use sspi::{
///     AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation, SecurityBuffer, SecurityStatus, Sspi,
///     SspiImpl, Username,
/// };
///
/// let mut ntlm = Ntlm::new();
/// let identity =
///     AuthIdentity { username: Username::new("alice", Some("CORP")).unwrap(), password: String::from("secret").into() };
/// let mut handle = ntlm
///     .acquire_credentials_handle()
///     .with_credential_use(CredentialUse::Outbound)
///     .with_auth_data(&identity)
///     .execute(&mut ntlm)?
///     .credentials_handle;
///
/// let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
/// let mut builder = ntlm
///     .initialize_security_context()
///     .with_credentials_handle(&mut handle)
///     .with_context_requirements(ClientRequestFlags::CONFIDENTIALITY)
///     .with_target_data_representation(DataRepresentation::Native)
///     .with_target_name("HTTP/www.example.com")
///     .with_output(&mut output);
/// let result = ntlm.initialize_security_context_impl(&mut builder)?.resolve_to_result()?;
/// assert_eq!(result.status, SecurityStatus::ContinueNeeded);
/// assert!(output[0].buffer.starts_with(b"NTLMSSP\0"));
/// # Ok::<(), sspi::Error>(())
/// ```
pub struct Ntlm {
    config: NtlmConfig,
    state: State,
    channel_bindings: Option<ChannelBindings>,
    /// Of the last AcquireCredentialsHandle.
    identity: Option<AuthIdentityBuffers>,
    /// Given to a server by [`SspiEx`].
    candidates: Vec<AuthIdentityBuffers>,
    denial: Option<DenialReason>,
}

impl Ntlm {
    /// NTLM with the default policies, in which a server accepts the identity of its credentials.
    #[must_use]
    pub fn new() -> Self {
        Self::from_config(NtlmConfig::default())
    }

    /// As [`sspi::Ntlm::with_config`]: the client claims to be on the computer that `config` names.
    #[must_use]
    pub fn with_config(config: sspi::ntlm::NtlmConfig) -> Self {
        let workstation = config.client_computer_name.unwrap_or_default();
        Self::from_config(NtlmConfig { workstation, ..NtlmConfig::default() })
    }

    /// As [`sspi::Ntlm::with_auth_identity`].
    #[must_use]
    pub fn with_auth_identity(identity: Option<AuthIdentityBuffers>, config: sspi::ntlm::NtlmConfig) -> Self {
        Self { identity, ..Self::with_config(config) }
    }

    /// With everything that this library's NTLM can be told: its policies, names, and accounts.
    ///
    /// The accounts are asked where the program names no identity by the crate's calls.
    #[must_use]
    pub const fn from_config(config: NtlmConfig) -> Self {
        Self {
            config,
            state: State::Start,
            channel_bindings: None,
            identity: None,
            candidates: Vec::new(),
            denial: None,
        }
    }

    /// As [`sspi::Ntlm::set_channel_bindings`]: what TLS bindings consist of, such as `tls-server-end-point:` and a hash.
    /// A buffer of type `ChannelBindings` among a step's input overrides it.
    pub fn set_channel_bindings(&mut self, token: &[u8]) {
        self.channel_bindings = Some(ChannelBindings::application_data(token.to_vec()));
    }

    /// Why the last logon was denied. For the service's own log; **never** tell the peer.
    #[must_use]
    pub const fn audit_reason(&self) -> Option<DenialReason> {
        self.denial
    }

    /// ExportSecurityContext, through the table that `sspi` is: [`Sspi::export_security_context`]. The context is gone from
    /// here, and every later call gives `OutOfSequence`.
    ///
    /// # Errors
    /// As [`Sspi::export_security_context`], which needs NTLM in the table; the context then goes on here.
    /// [`Misuse::NotSupported`] where the handshake is not at its end.
    pub fn export_security_context(
        &mut self,
        sspi: &Sspi,
        options: &ExportOptions,
    ) -> Result<Vec<u8>, Error> {
        sspi.export_security_context(self.take_context()?, options).map_err(|failed| {
            self.state = State::Established(failed.context);
            failed.error
        })
    }

    /// ImportSecurityContext: goes on with a context that another process exported, from here or from this library's own
    /// API.
    ///
    /// # Errors
    /// As [`Sspi::import_security_context`].
    pub fn import_security_context(sspi: &Sspi, blob: &[u8]) -> Result<Self, Error> {
        Self::from_context(sspi.import_security_context(Some(package_info().name), blob)?)
    }

    /// An established context of this library's own API, to go on with by the crate's calls.
    ///
    /// # Errors
    /// [`Misuse::ForeignObject`] for a context of another package than NTLM.
    pub fn from_context(context: Box<dyn SecurityContext>) -> Result<Self, Error> {
        if context.package_info().name != package_info().name {
            return Err(Misuse::ForeignObject.into());
        }
        Ok(Self { state: State::Established(context), ..Self::new() })
    }

    /// The established context, to go on with by this library's own API. It is gone from here.
    ///
    /// # Errors
    /// [`Misuse::NotSupported`] where the handshake is not at its end; nothing has changed.
    pub fn take_context(&mut self) -> Result<Box<dyn SecurityContext>, Error> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Established(context) => Ok(context),
            state => {
                self.state = state;
                Err(Misuse::NotSupported { what: "taking a context out before its handshake is over" }.into())
            }
        }
    }

    /// The context for a call of messages. A server that owes `complete_auth_token` makes up for it, as the crate's does.
    fn established(&mut self) -> sspi::Result<&mut dyn SecurityContext> {
        if matches!(self.state, State::Claimed(_)) {
            self.complete()?;
        }
        match &mut self.state {
            State::Established(context) => Ok(context.as_mut()),
            _ => Err(refuse(ErrorKind::OutOfSequence, "the context is not established")),
        }
    }
}

impl Default for Ntlm {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Ntlm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ntlm").field("state", &self.state).finish_non_exhaustive()
    }
}

impl SspiImpl for Ntlm {
    type CredentialsHandle = Option<AuthIdentityBuffers>;
    type AuthenticationData = sspi::AuthIdentity;

    fn acquire_credentials_handle_impl(
        &mut self,
        builder: FilledAcquireCredentialsHandle<'_, Self::CredentialsHandle, Self::AuthenticationData>,
    ) -> sspi::Result<AcquireCredentialsHandleResult<Self::CredentialsHandle>> {
        let outbound = builder.credential_use == CredentialUse::Outbound;
        if outbound && builder.auth_data.is_none() && self.config.default_identity.is_none() {
            return Err(refuse(ErrorKind::NoCredentials, "a client needs an identity"));
        }
        self.identity = builder.auth_data.cloned().map(AuthIdentityBuffers::from);
        Ok(AcquireCredentialsHandleResult { credentials_handle: self.identity.clone(), expiry: None })
    }

    fn initialize_security_context_impl<'ctx, 'b, 'g>(
        &'ctx mut self,
        builder: &'b mut FilledInitializeSecurityContext<'ctx, 'ctx, Self::CredentialsHandle>,
    ) -> sspi::Result<GeneratorInitSecurityContext<'g>>
    where
        'ctx: 'g,
        'b: 'g,
    {
        Ok(self.initialize(builder).into())
    }

    fn accept_security_context_impl<'a>(
        &'a mut self,
        builder: FilledAcceptSecurityContext<'a, Self::CredentialsHandle>,
    ) -> sspi::Result<GeneratorAcceptSecurityContext<'a>> {
        Ok(GeneratorAcceptSecurityContext::new(move |_| async move { self.accept(builder) }))
    }
}

impl sspi::Sspi for Ntlm {
    fn complete_auth_token(&mut self, _token: &mut [SecurityBuffer]) -> sspi::Result<SecurityStatus> {
        match self.state {
            State::Established(_) => Ok(SecurityStatus::Ok),
            State::Claimed(_) => self.complete(),
            _ => Err(refuse(ErrorKind::OutOfSequence, "there is no token to complete")),
        }
    }

    /// EncryptMessage. All DATA buffers without flags are encrypted, in their order.
    ///
    /// # Errors
    /// `UnsupportedFunction` for a context without confidentiality, and for any flag: NTLM has none.
    fn encrypt_message(
        &mut self,
        flags: EncryptionFlags,
        message: &mut [SecurityBufferRef<'_>],
    ) -> sspi::Result<SecurityStatus> {
        if !flags.is_empty() {
            return Err(refuse(ErrorKind::UnsupportedFunction, "NTLM has no flags of EncryptMessage"));
        }
        messages::call(self.established()?, message, |context, buffers| context.encrypt(buffers))?;
        Ok(SecurityStatus::Ok)
    }

    fn make_signature(
        &mut self,
        _flags: u32,
        message: &mut [SecurityBufferRef<'_>],
        sequence_number: u32,
    ) -> sspi::Result<()> {
        let context = self.established()?;
        context.set_message_seq_no(sequence_number);
        messages::call(context, message, |context, buffers| context.make_signature(buffers))
    }

    fn verify_signature(
        &mut self,
        message: &mut [SecurityBufferRef<'_>],
        sequence_number: u32,
    ) -> sspi::Result<u32> {
        let context = self.established()?;
        context.set_message_seq_no(sequence_number);
        messages::call(context, message, |context, buffers| context.verify_signature(buffers))?;
        Ok(0)
    }

    fn decrypt_message(&mut self, message: &mut [SecurityBufferRef<'_>]) -> sspi::Result<DecryptionFlags> {
        messages::decrypt(self.established()?, message)?;
        Ok(DecryptionFlags::empty())
    }

    fn query_context_sizes(&mut self) -> sspi::Result<ContextSizes> {
        // NTLM's are the same for each context, and programs ask for them before there is one.
        Ok(ContextSizes {
            max_token: package_info().max_token,
            max_signature: 16,
            block: 0,
            security_trailer: 16,
        })
    }

    /// Who the client is. **Before `complete_auth_token`, who it says it is.**
    ///
    /// # Errors
    /// `NoCredentials` where neither is known, `UnknownCredentials` where [`Username`](sspi::Username) cannot hold the name.
    fn query_context_names(&mut self) -> sspi::Result<ContextNames> {
        let username = match &self.state {
            State::Established(context) => match context.client_token() {
                Some(token) => identity::user_name(&token.user_name, &token.domain_name),
                None => {
                    let name = context.names().user_name;
                    let (domain, user) = name.split_once('\\').unwrap_or(("", &name));
                    identity::user_name(user, domain)
                }
            },
            State::Claimed(claimed) => identity::user_name(&claimed.names.user, &claimed.names.domain),
            _ => match &self.identity {
                Some(own) => identity::user_name(&own.user.to_string(), &own.domain.to_string()),
                None => Err(refuse(ErrorKind::NoCredentials, "nobody is known yet")),
            },
        };
        Ok(ContextNames { username: username? })
    }

    fn query_context_package_info(&mut self) -> sspi::Result<sspi::PackageInfo> {
        let info = package_info();
        Ok(sspi::PackageInfo {
            capabilities: PackageCapabilities::from_bits_truncate(info.capabilities.bits()),
            rpc_id: info.rpc_id,
            max_token_len: info.max_token,
            name: SecurityPackageType::Ntlm,
            comment: info.comment.to_owned(),
        })
    }

    fn query_context_cert_trust_status(&mut self) -> sspi::Result<CertTrustStatus> {
        Err(refuse(ErrorKind::UnsupportedFunction, "NTLM has no certificates"))
    }

    fn query_context_session_key(&self) -> sspi::Result<SessionKeys> {
        match &self.state {
            State::Established(context) => {
                Ok(SessionKeys { session_key: context.session_key().expose().to_vec().into() })
            }
            _ => Err(refuse(ErrorKind::OutOfSequence, "the context is not established")),
        }
    }

    fn change_password<'a>(
        &'a mut self,
        _change: ChangePassword<'a>,
    ) -> sspi::Result<GeneratorChangePassword<'a>> {
        Err(refuse(ErrorKind::UnsupportedFunction, "NTLM changes no passwords"))
    }
}

/// As far as it is open to other crates: the two functions for SPNEGO's MIC take a value that only that crate has.
impl SspiEx for Ntlm {
    /// Gives a server the identity that it accepts: before its last step, or after it, before `complete_auth_token`.
    ///
    /// # Errors
    /// `OutOfSequence` once the client is verified, or refused.
    fn custom_set_auth_identity(&mut self, identity: Self::AuthenticationData) -> sspi::Result<()> {
        self.custom_set_auth_identities(vec![identity])
    }

    /// The same with several candidates, of which one must fit: its name, **and** its password.
    ///
    /// # Errors
    /// `NoCredentials` for an empty list; otherwise as
    /// [`custom_set_auth_identity`](Self::custom_set_auth_identity).
    fn custom_set_auth_identities(&mut self, identities: Vec<Self::AuthenticationData>) -> sspi::Result<()> {
        if identities.is_empty() {
            return Err(refuse(ErrorKind::NoCredentials, "no identity among the candidates"));
        }
        if matches!(self.state, State::Established(_) | State::Ended) {
            return Err(refuse(ErrorKind::OutOfSequence, "the logon is decided already"));
        }
        self.candidates = identities.into_iter().map(AuthIdentityBuffers::from).collect();
        Ok(())
    }
}

impl Ntlm {
    /// Fails a step, and remembers why a logon was denied.
    fn failed(&mut self, error: &Error) -> sspi::Error {
        self.state = State::Ended;
        if let Error::LogonDenied(denied) = error {
            self.denial = Some(denied.audit_reason());
        }
        to_sspi_error(error)
    }

    /// What a package with these accounts is made of.
    fn package(&self, accounts: Option<Arc<dyn ntlm::AccountDatabase>>) -> ntlm::Ntlm {
        ntlm::Ntlm::new(NtlmConfig { accounts, ..self.config.clone() })
    }
}

/// The flags of an established context, as a number.
fn flag_bits(context: &dyn SecurityContext) -> u32 {
    let flags: ContextFlags = context.flags();
    flags.bits()
}

fn package_info() -> &'static PackageInfo {
    use portable_sspi_core::Provider;
    // The package's description does not depend on how it is set up.
    static PACKAGE: std::sync::LazyLock<ntlm::Ntlm> = std::sync::LazyLock::new(ntlm::Ntlm::default);
    PACKAGE.package_info()
}

/// The identities that candidates of the crate stand for.
fn identities(buffers: &[AuthIdentityBuffers]) -> sspi::Result<Vec<AuthIdentity>> {
    buffers.iter().map(identity::identity).collect()
}
