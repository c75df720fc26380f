//! The trait that a security package implements.

use core::fmt;

use thiserror::Error as ThisError;

use crate::{
    AscReq, AuthIdentity, ChannelBindings, CredentialUse, Credentials, Environment, Error, IscReq, Misuse,
    PackageInfo, PartialContext, PortableState, SecurityContext,
};

/// A security package: the five operations of SSPI that make, take and hand over contexts.
///
/// Implementations do no I/O of their own: tokens go in, tokens come out, and entropy and time come in through the
/// [`Environment`]. The trait is object safe; a registry holds packages as `dyn Provider`.
pub trait Provider: Send + Sync + fmt::Debug {
    /// What the package is and can do.
    fn package_info(&self) -> &'static PackageInfo;

    /// AcquireCredentialsHandle: credentials for later contexts.
    ///
    /// # Errors
    /// [`Misuse::NoCredentials`](crate::Misuse::NoCredentials) where an identity is needed and neither given nor known,
    /// [`Misuse::BadIdentity`](crate::Misuse::BadIdentity) where it is not usable.
    fn acquire(&self, request: AcquireRequest) -> Result<Credentials, Error>;

    /// InitializeSecurityContext: a client's step. The first step has no `context`; each later one gets the
    /// context that the step before gave, and the server's token.
    ///
    /// # Errors
    /// Any; the context is consumed, and the handshake over.
    ///
    /// # What an attacker controls
    /// `request.token`, all of it.
    fn initialize(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &InitializeRequest<'_>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error>;

    /// AcceptSecurityContext: a server's step. The first step has no `context`; each later one gets the context that
    /// the step before gave.
    ///
    /// # Errors
    /// Any; the context is consumed, and the handshake over.
    /// [`LogonDenied`](crate::LogonDenied) is one outward answer whatever the cause.
    ///
    /// # What an attacker controls
    /// `request.token`, all of it.
    fn accept(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &AcceptRequest<'_>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error>;

    /// ExportSecurityContext: takes an established context apart, for another process to continue it.
    ///
    /// Takes it by value: two live copies of one cipher state encrypt two messages under one keystream, which gives both
    /// away to whoever sees them. What wraps this operation (sealing, in `portable-sspi`) and can fail afterwards holds the
    /// context back with [`export_keeping_original`](Provider::export_keeping_original) until it has succeeded.
    ///
    /// # Errors
    /// Any, with the context given back unharmed.
    fn export(&self, context: Box<dyn SecurityContext>) -> Result<PortableState, ExportError> {
        match self.export_keeping_original(context.as_ref()) {
            Ok(state) => Ok(state),
            Err(error) => Err(ExportError { error, context }),
        }
    }

    /// What `sspi.h` allows besides: exporting without deleting the old context.
    ///
    /// **Only one of the two contexts may go on protecting messages.** If both do, an eavesdropper who XORs two
    /// ciphertexts of the same position has the XOR of the two messages.
    ///
    /// # Errors
    /// [`Misuse::ForeignObject`](crate::Misuse::ForeignObject) for a context of another package.
    fn export_keeping_original(&self, context: &dyn SecurityContext) -> Result<PortableState, Error>;

    /// ImportSecurityContext: puts a context together again, which continues where the exported one stopped.
    ///
    /// # Errors
    /// [`BlobRefused`](crate::BlobRefused) where the state is not of this package or of a newer layout than it knows.
    fn import(&self, state: &PortableState) -> Result<Box<dyn SecurityContext>, Error>;

    /// The state with everything put back as it was right after authentication: sequence numbers zero and ciphers at
    /// their start, under the same keys. This is `SECPKG_CONTEXT_EXPORT_RESET_NEW`.
    ///
    /// **Reuses keystream** if the old context has protected a message before; see
    /// [`export_keeping_original`](Provider::export_keeping_original).
    ///
    /// # Errors
    /// As [`import`](Provider::import).
    fn reset(&self, state: &PortableState) -> Result<PortableState, Error>;

    /// Takes apart a context whose handshake is under way, for another process to go on with the peer's next token.
    ///
    /// Takes it by value, as a challenge may be answered once. The state must hold all that the next step's checks rest
    /// on, such as when the challenge was made. It need not hold credentials: who continues the handshake has his own.
    ///
    /// # Errors
    /// Any, with the context given back unharmed. [`Misuse::NotSupported`](crate::Misuse::NotSupported) unless
    /// the package implements it.
    fn export_partial(&self, context: PartialContext) -> Result<PortableState, PartialExportError> {
        let error = Misuse::NotSupported { what: "exporting a context during its handshake" }.into();
        Err(PartialExportError { error, context })
    }

    /// The reverse of [`export_partial`](Self::export_partial): goes into the next step of the handshake.
    ///
    /// # Errors
    /// As [`import`](Self::import); [`Misuse::NotSupported`](crate::Misuse::NotSupported) unless the package
    /// implements it.
    fn import_partial(&self, _state: &PortableState) -> Result<PartialContext, Error> {
        Err(Misuse::NotSupported { what: "importing a context during its handshake" }.into())
    }
}

/// What AcquireCredentialsHandle is told.
#[derive(Debug)]
pub struct AcquireRequest {
    /// What the credentials are for.
    pub credential_use: CredentialUse,
    /// Who to act as. `None` asks for the package's default credentials; a server needs none.
    pub identity: Option<AuthIdentity>,
}

impl AcquireRequest {
    /// Credentials of a client that logs on as `identity`.
    #[must_use]
    pub const fn outbound(identity: AuthIdentity) -> Self {
        Self { credential_use: CredentialUse::Outbound, identity: Some(identity) }
    }

    /// Credentials of a server, which accepts whom its package's authority knows.
    #[must_use]
    pub const fn inbound() -> Self {
        Self { credential_use: CredentialUse::Inbound, identity: None }
    }
}

/// What InitializeSecurityContext is told at each step.
#[derive(Clone, Copy, Default)]
pub struct InitializeRequest<'a> {
    /// The service principal name of the server, such as `HTTP/www.example.com`.
    pub target_name: Option<&'a str>,
    /// What the context shall have. The same at each step.
    pub requirements: IscReq,
    /// What the authentication shall be bound to. The same at each step.
    pub channel_bindings: Option<&'a ChannelBindings>,
    /// The server's token; `None` or empty at the first step. **From the peer.**
    pub token: Option<&'a [u8]>,
}

/// What AcceptSecurityContext is told at each step.
#[derive(Clone, Copy, Default)]
pub struct AcceptRequest<'a> {
    /// What the context shall have: a client that does not offer it is refused. The same at each step.
    pub requirements: AscReq,
    /// What the authentication must be bound to.
    pub channel_bindings: Option<&'a ChannelBindings>,
    /// The client's token. **From the peer.**
    pub token: &'a [u8],
}

/// How a step of the handshake ended well.
pub enum Step {
    /// `SEC_I_CONTINUE_NEEDED`: send `token`, and continue with `context` and the answer to it.
    ContinueNeeded {
        /// Goes into the next step.
        context: PartialContext,
        /// To be sent to the peer.
        token: Vec<u8>,
    },
    /// `SEC_E_OK`: this side is done.
    Complete {
        /// The established context.
        context: Box<dyn SecurityContext>,
        /// To be sent to the peer, where there is one.
        token: Option<Vec<u8>>,
    },
}

// Tokens are shown by their length alone: from an AUTHENTICATE, passwords can be guessed at leisure.

impl fmt::Debug for InitializeRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitializeRequest")
            .field("target_name", &self.target_name)
            .field("requirements", &self.requirements)
            .field("token_length", &self.token.map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AcceptRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptRequest")
            .field("requirements", &self.requirements)
            .field("token_length", &self.token.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContinueNeeded { context, token } => f
                .debug_struct("ContinueNeeded")
                .field("context", context)
                .field("token_length", &token.len())
                .finish(),
            Self::Complete { context, token } => f
                .debug_struct("Complete")
                .field("context", context)
                .field("token_length", &token.as_ref().map(Vec::len))
                .finish(),
        }
    }
}

/// An export failed; the context is given back and goes on.
#[derive(Debug, ThisError)]
#[error("the context could not be exported, and goes on here: {error}")]
pub struct ExportError {
    /// Why.
    #[source]
    pub error: Error,
    /// The context, as it was.
    pub context: Box<dyn SecurityContext>,
}

/// The export of a partial context failed; the context is given back, and its handshake can go on.
#[derive(Debug, ThisError)]
#[error("the partial context could not be exported, and goes on here: {error}")]
pub struct PartialExportError {
    /// Why.
    #[source]
    pub error: Error,
    /// The context, as it was.
    pub context: PartialContext,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_not_printed() {
        let token: &[u8] = &[0xAB; 3];
        let initialize = InitializeRequest { token: Some(token), ..InitializeRequest::default() };
        let accept = AcceptRequest { token, ..AcceptRequest::default() };
        let step = Step::ContinueNeeded { context: PartialContext::new("Toy", ()), token: token.to_vec() };
        let shown = format!("{initialize:?} {accept:?} {step:?}").to_lowercase();
        assert!(!shown.contains("171") && !shown.contains("ab,"), "{shown}");
    }
}
