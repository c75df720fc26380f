//! A package of the crate behind this library's [`Provider`].

mod context;
mod handshake;

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AuthIdentity, CredentialUse, Credentials, Environment, Error,
    InitializeRequest, Misuse, PackageCapabilities, PackageInfo, PartialContext, PortableState, Provider,
    Secret, SecurityContext, Step,
};
use sspi::network_client::NetworkClient;
use sspi::{Kerberos, KerberosConfig, NTLM_HASH_PREFIX, Username};
use zeroize::Zeroize;

use self::context::BridgedContext;
use self::handshake::Half;

/// Makes the crate's value for one new context.
pub type Make<P> = Arc<dyn Fn() -> sspi::Result<P> + Send + Sync>;

/// What a [`Package`] is made of.
pub struct PackageConfig<P> {
    /// What the package is called in the table, and what it can do.
    pub info: &'static PackageInfo,
    /// Makes a client's context. `None`: the package has no client here.
    pub client: Option<Make<P>>,
    /// Makes a server's context. `None`: the package has no server here.
    ///
    /// **Whom it accepts is the crate's decision.** Servers of NTLM are refused here: those are this library's.
    pub server: Option<Make<P>>,
    /// Sends what a step wants to have sent (Kerberos' requests to a KDC), and waits for the answer; it has its own
    /// timeouts. `None`: a step that wants it fails.
    pub network: Option<Arc<dyn NetworkClient>>,
}

/// A security package of the [`sspi`] crate, in the table of an [`Sspi`](crate::Sspi).
///
/// It is any type of that crate, or of another, that implements [`sspi::Sspi`]; each context is a value of its own.
///
/// # The network
/// A step of the crate may stop and ask its caller to send something and bring the answer. Here
/// [`PackageConfig::network`] is asked, **and the step waits for it**: a program that must not block makes the step on a
/// thread of its own. It is asked nothing else than what the crate asks; with the crate's feature `network_client`, its
/// `ReqwestNetworkClient` fits.
///
/// # What it cannot do
/// - **No export, and no import**: [`Misuse::NotSupported`]. The crate keeps a context's keys and counters to itself. The
///   same goes for partial contexts.
/// - More than one DATA buffer to encrypt in a message: the crate encrypts the first alone, so the call is refused.
/// - `session_key` is the first 16 bytes of the package's, as SMB takes them \[MS-SMB2\] 3.2.5.3.1. Where the package gives
///   none, it is random: nothing that is derived from it fits the peer's.
/// - The flags of a context are those that the crate reports, which are none for its NTLM and Kerberos of 0.23.
/// - Signatures and sealed messages are counted apart by the crate's NTLM. A direction that mixes them is not understood by
///   other implementations; use this library's NTLM.
///
/// ```
/// use std::sync::Arc;
/// use portable_sspi::sspi_crate::Package;
/// use portable_sspi::{Sspi, SspiConfig};
/// use sspi::network_client::NetworkClient;
/// use sspi::{KerberosConfig, NetworkRequest};
///
/// struct Kdc;
///
/// impl NetworkClient for Kdc {
///     fn send(&self, request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
///         todo!("send request.data to {}, and read the answer", request.url)
///     }
/// }
///
/// let config = KerberosConfig::new_with_kdc_url("tcp://kdc.corp.example:88", "workstation".into());
/// let kerberos = Package::kerberos_client(config, Arc::new(Kdc));
/// let sspi = Sspi::new(SspiConfig { packages: vec![Arc::new(kerberos)], ..SspiConfig::default() })?;
/// assert_eq!(sspi.query_security_package_info("Kerberos")?.max_token, 48_000);
/// # Ok::<(), portable_sspi::Error>(())
/// ```
pub struct Package<P> {
    config: PackageConfig<P>,
}

/// What the table calls the crate's Kerberos.
///
/// Messages are signed by encrypting them: the crate has no MakeSignature for Kerberos.
pub static KERBEROS: PackageInfo = PackageInfo {
    name: "Kerberos",
    comment: "Kerberos of the sspi crate",
    capabilities: PackageCapabilities::INTEGRITY
        .union(PackageCapabilities::PRIVACY)
        .union(PackageCapabilities::CONNECTION)
        .union(PackageCapabilities::MULTI_REQUIRED)
        .union(PackageCapabilities::GSS_COMPATIBLE)
        .union(PackageCapabilities::MUTUAL_AUTH)
        .union(PackageCapabilities::READONLY_WITH_CHECKSUM),
    version: 1,
    rpc_id: 16,
    max_token: 48_000,
};

impl<P> Package<P> {
    /// The package that `config` describes.
    #[must_use]
    pub const fn new(config: PackageConfig<P>) -> Self {
        Self { config }
    }
}

impl Package<Kerberos> {
    /// The crate's Kerberos, as a client that reaches its KDC through `network`.
    #[must_use]
    pub fn kerberos_client(config: KerberosConfig, network: Arc<dyn NetworkClient>) -> Self {
        Self::new(PackageConfig {
            info: &KERBEROS,
            client: Some(Arc::new(move || Kerberos::new_client_from_config(config.clone()))),
            server: None,
            network: Some(network),
        })
    }
}

/// What [`Credentials`] of this package hold: what the crate is told again for each context.
struct BridgedCredentials {
    identity: Option<sspi::AuthIdentity>,
    credential_use: CredentialUse,
}

impl<P> Provider for Package<P>
where
    P: sspi::Sspi + Clone + Send + Sync + 'static,
    P::CredentialsHandle: Send + Sync + 'static,
    P::AuthenticationData: From<sspi::AuthIdentity>,
{
    fn package_info(&self) -> &'static PackageInfo {
        self.config.info
    }

    /// # Errors
    /// [`Misuse::NotSupported`] for a role that the package does not have here; [`Misuse::BadIdentity`] for names that the
    /// crate cannot hold, a password that is not valid Unicode, and an NT hash for another package than its NTLM.
    fn acquire(&self, request: AcquireRequest) -> Result<Credentials, Error> {
        let AcquireRequest { credential_use, identity } = request;
        if credential_use.outbound() {
            self.make_for(CredentialUse::Outbound)?;
        }
        if credential_use.inbound() {
            self.make_for(CredentialUse::Inbound)?;
        }
        let identity = identity.map(identity_for::<P>).transpose()?;
        let credentials = BridgedCredentials { identity, credential_use };
        // Made for nothing but to hear now what is wrong with the identity.
        if credential_use.outbound() {
            self.begin(&credentials, CredentialUse::Outbound)?;
        }
        if credential_use.inbound() {
            self.begin(&credentials, CredentialUse::Inbound)?;
        }
        Ok(Credentials::new(self.config.info.name, credentials))
    }

    fn initialize(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &InitializeRequest<'_>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        let half = self.half(credentials, context, CredentialUse::Outbound)?;
        half.initialize(request, self.config.network.as_deref(), environment)
    }

    fn accept(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &AcceptRequest<'_>,
        environment: &Environment<'_>,
    ) -> Result<Step, Error> {
        let half = self.half(credentials, context, CredentialUse::Inbound)?;
        half.accept(request, self.config.network.as_deref(), environment)
    }

    /// # Errors
    /// [`Misuse::NotSupported`], always; [`Misuse::ForeignObject`] for a context of another package.
    fn export_keeping_original(&self, context: &dyn SecurityContext) -> Result<PortableState, Error> {
        context.as_any().downcast_ref::<BridgedContext<P>>().ok_or(Misuse::ForeignObject)?;
        Err(inaccessible())
    }

    /// # Errors
    /// [`Misuse::NotSupported`], always.
    fn import(&self, _state: &PortableState) -> Result<Box<dyn SecurityContext>, Error> {
        Err(inaccessible())
    }

    /// # Errors
    /// [`Misuse::NotSupported`], always.
    fn reset(&self, _state: &PortableState) -> Result<PortableState, Error> {
        Err(inaccessible())
    }
}

impl<P> Package<P>
where
    P: sspi::Sspi + Clone + Send + Sync + 'static,
    P::CredentialsHandle: Send + Sync + 'static,
    P::AuthenticationData: From<sspi::AuthIdentity>,
{
    fn make_for(&self, role: CredentialUse) -> Result<&Make<P>, Error> {
        if role.inbound() && accepts_ntlm::<P>() {
            let what = "accepting NTLM clients by the `sspi` crate; `portable_sspi::ntlm` does";
            return Err(Misuse::NotSupported { what }.into());
        }
        let (make, what) = if role.inbound() {
            (&self.config.server, "this package as a server: `PackageConfig::server` is not set")
        } else {
            (&self.config.client, "this package as a client: `PackageConfig::client` is not set")
        };
        make.as_ref().ok_or_else(|| Misuse::NotSupported { what }.into())
    }

    /// A context of the crate that knows its credentials, before its first step.
    fn begin(&self, credentials: &BridgedCredentials, role: CredentialUse) -> Result<Half<P>, Error> {
        let make = self.make_for(role)?;
        Half::new(make, role, credentials.identity.as_ref(), self.config.info)
    }

    /// The context that a step continues, or a new one.
    fn half(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        role: CredentialUse,
    ) -> Result<Half<P>, Error> {
        let credentials = credentials.downcast_ref::<BridgedCredentials>()?;
        let (fits, needed) = if role.inbound() {
            (credentials.credential_use.inbound(), "SECPKG_CRED_INBOUND")
        } else {
            (credentials.credential_use.outbound(), "SECPKG_CRED_OUTBOUND")
        };
        if !fits {
            return Err(Misuse::WrongCredentialUse { needed }.into());
        }
        match context {
            Some(context) => {
                let half = *context.downcast::<Half<P>>()?;
                if half.role() == role { Ok(half) } else { Err(Misuse::ForeignObject.into()) }
            }
            None => self.begin(credentials, role),
        }
    }
}

impl<P> fmt::Debug for Package<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Package").field("name", &self.config.info.name).finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for PackageConfig<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackageConfig").field("name", &self.info.name).finish_non_exhaustive()
    }
}

fn inaccessible() -> Error {
    let what = "exporting or importing a context of the `sspi` crate, which gives no access to its keys";
    Misuse::NotSupported { what }.into()
}

/// Whether a server of this type accepts, or may accept, NTLM clients.
fn accepts_ntlm<P: 'static>() -> bool {
    [TypeId::of::<sspi::Ntlm>(), TypeId::of::<sspi::Negotiate>()].contains(&TypeId::of::<P>())
}

/// This library's identity as the crate's.
fn identity_for<P: 'static>(identity: AuthIdentity) -> Result<sspi::AuthIdentity, Error> {
    let AuthIdentity { user, domain, secret } = identity;
    let domain = Some(domain.as_str()).filter(|domain| !domain.is_empty());
    let username = Username::new(&user, domain)
        .map_err(|_| Misuse::BadIdentity { problem: "the `sspi` crate cannot hold the name" })?;
    let password = match secret {
        Secret::Password(password) => String::from_utf16(password.expose_utf16())
            .map_err(|_| Misuse::BadIdentity { problem: "the password is not valid Unicode" })?,
        Secret::NtHash(hash) if TypeId::of::<P>() == TypeId::of::<sspi::Ntlm>() => {
            use fmt::Write;
            let mut password = String::with_capacity(NTLM_HASH_PREFIX.len() + 32);
            password.push_str(NTLM_HASH_PREFIX);
            for byte in hash.expose() {
                // Writing to a string does not fail.
                let _ = write!(password, "{byte:02x}");
            }
            password
        }
        _ => return Err(Misuse::BadIdentity { problem: "the package needs a password" }.into()),
    };
    Ok(sspi::AuthIdentity { username, password: password.into() })
}

/// A wiped copy of the key that the package gives: the first 16 bytes, shorter ones filled up with zeros.
fn first_16(mut key: Vec<u8>) -> [u8; 16] {
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(&key) {
        *to = *from;
    }
    key.zeroize();
    first
}
