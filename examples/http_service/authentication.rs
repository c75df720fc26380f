//! All that the service does with the library: accept and export in the acceptor, import in the worker.

use std::sync::Arc;

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames, ServerPolicy};
use portable_sspi::{
    AcceptRequest, AcquireRequest, Credentials, Error, ExportOptions, PartialContext, SecurityContext, Sspi,
    SspiConfig, Step,
};

use crate::Account;

/// The acceptor's half.
#[derive(Debug)]
pub(crate) struct Authenticator {
    sspi: Sspi,
    credentials: Credentials,
}

/// What a token led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Send `token` to the client, and keep `handshake` for its answer.
    Continue {
        /// Goes into the next [`Authenticator::accept`].
        handshake: PartialContext,
        /// The CHALLENGE.
        token: Vec<u8>,
    },
    /// The client is known: its context, exported.
    Authenticated {
        /// What a worker's [`Importer`] takes.
        blob: Vec<u8>,
    },
}

impl Authenticator {
    /// A server that knows `accounts`.
    pub(crate) fn new(accounts: Vec<Account>) -> Result<Self, Error> {
        let mut known = MemoryAccounts::new();
        for account in accounts {
            known.add(&account.user, &account.domain, account.password);
        }
        let ntlm = Ntlm::new(NtlmConfig {
            accounts: Some(Arc::new(known)),
            server_names: ServerNames::stand_alone("HTTPSERVICE"),
            // curl and other clients that are not Windows send no MIC. What it would protect is the negotiation of
            // signing and sealing, and HTTP has neither.
            server_policy: ServerPolicy { require_mic: false, ..ServerPolicy::default() },
            ..NtlmConfig::default()
        });
        let sspi = Sspi::new(SspiConfig { packages: vec![Arc::new(ntlm)], ..SspiConfig::default() })?;
        let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound())?;
        Ok(Self { sspi, credentials })
    }

    /// One step of the handshake with the client's `token`.
    pub(crate) fn accept(&self, handshake: Option<PartialContext>, token: &[u8]) -> Result<Outcome, Error> {
        let request = AcceptRequest { token, ..AcceptRequest::default() };
        match self.sspi.accept_security_context(&self.credentials, handshake, &request)? {
            Step::ContinueNeeded { context: handshake, token } => Ok(Outcome::Continue { handshake, token }),
            Step::Complete { context, .. } => {
                let exported = self.sspi.export_security_context(context, &ExportOptions::default());
                // The context that is given back is of no use here: without its worker it is dropped.
                Ok(Outcome::Authenticated { blob: exported.map_err(|failed| failed.error)? })
            }
        }
    }
}

/// What a token led to where no process keeps a handshake.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) enum Leg {
    /// Send `token` to the client; any process goes on with `blob`.
    Continue {
        /// The server's side of the handshake, exported.
        blob: Vec<u8>,
        /// The CHALLENGE.
        token: Vec<u8>,
    },
    /// The client is known, by this name.
    Authenticated {
        /// `DOMAIN\\user`, or `user` alone.
        client: String,
    },
}

#[cfg(unix)]
impl Authenticator {
    /// One leg of a handshake that another process may have begun: `blob` is what it exported, empty at the first.
    pub(crate) fn accept_leg(&self, blob: &[u8], token: &[u8]) -> Result<Leg, Error> {
        let handshake = match blob {
            [] => None,
            // Once: whoever comes with the same blob again is refused, so one challenge is answered once.
            blob => Some(self.sspi.import_partial_context(Some("NTLM"), blob)?),
        };
        let request = AcceptRequest { token, ..AcceptRequest::default() };
        match self.sspi.accept_security_context(&self.credentials, handshake, &request)? {
            Step::ContinueNeeded { context, token } => {
                let exported = self.sspi.export_partial_context(context, &ExportOptions::default());
                Ok(Leg::Continue { blob: exported.map_err(|failed| failed.error)?, token })
            }
            Step::Complete { context, .. } => Ok(Leg::Authenticated { client: context.names().user_name }),
        }
    }
}

/// The worker's half. It knows no account, and accepts nobody.
#[derive(Debug)]
pub(crate) struct Importer(Sspi);

impl Importer {
    /// One that takes what an [`Authenticator`] of the same user on this host exported.
    pub(crate) fn new() -> Result<Self, Error> {
        let packages: Vec<Arc<dyn portable_sspi::Provider>> = vec![Arc::new(Ntlm::default())];
        Sspi::new(SspiConfig { packages, ..SspiConfig::default() }).map(Self)
    }

    /// The client's context. NTLM over HTTP protects no messages, so who the client is is all that it is asked for.
    pub(crate) fn import(&self, blob: &[u8]) -> Result<Box<dyn SecurityContext>, Error> {
        self.0.import_security_context(Some("NTLM"), blob)
    }
}
