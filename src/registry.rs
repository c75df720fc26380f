//! The security packages of one process, and the functions of SSPI over them.

mod many;
mod partial;

use std::fmt;
use std::sync::Arc;

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, BlobKind, BlobRefused, Clock, Credentials, Entropy, Environment, Error,
    ExportError, InitializeRequest, Misuse, PackageInfo, PartialContext, PortableState, Provider,
    SecurityContext, Step,
};

use crate::environment::{SystemClock, SystemEntropy};
use crate::transfer::{AudienceLabel, ExportFlags, ExportOptions, HostKeyScope, Transfer};

pub use many::{ExportAllError, ExportedAll, FailedExport, ImportAll, ImportAllError};

/// What an [`Sspi`] is made of.
///
/// ```
/// use portable_sspi::{HostKeyScope, Sspi, SspiConfig};
///
/// let directory = if cfg!(windows) { r"C:\ProgramData\my-service" } else { "/run/my-service" };
/// let config = SspiConfig { host_key: HostKeyScope::user_directory(directory), ..SspiConfig::default() };
/// assert!(Sspi::new(config).is_ok());
/// ```
pub struct SspiConfig {
    /// The security packages, each of another name.
    pub packages: Vec<Arc<dyn Provider>>,
    /// Whose exported contexts this process can import, and who can import those that it exports.
    pub host_key: HostKeyScope,
    /// What this process is called when it imports: it gets the contexts that were exported for one of these labels, and
    /// those that were exported for anybody. See [`Audience`](crate::Audience).
    pub audience_labels: Vec<AudienceLabel>,
    /// What the packages draw challenges and keys from. Everything in an exported context comes from the operating system
    /// whatever stands here.
    pub entropy: Arc<dyn Entropy>,
    /// Where the packages take the time of day from.
    pub clock: Arc<dyn Clock>,
}

impl Default for SspiConfig {
    /// No package, the default host key, and the operating system's entropy and time.
    fn default() -> Self {
        Self {
            packages: Vec::new(),
            host_key: HostKeyScope::default(),
            audience_labels: Vec::new(),
            entropy: Arc::new(SystemEntropy::new()),
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for SspiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SspiConfig")
            .field("packages", &self.packages)
            .field("host_key", &self.host_key)
            .finish_non_exhaustive()
    }
}

/// The table of security packages of one process: what `secur32.dll` is on Windows.
///
/// A program makes one and shares it by reference between any number of threads. It takes no lock in the handshake or for
/// messages; exports and imports share a cache of the host key, which they lock for the time of a look-up. Nothing is
/// read or written outside the process before the first export or import.
pub struct Sspi {
    packages: Vec<Arc<dyn Provider>>,
    transfer: Transfer,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
}

impl Sspi {
    /// A table of the packages in `config`.
    ///
    /// # Errors
    /// [`Misuse::BadOption`] if two packages have the same name, a name is not 1 to 16 printable ASCII characters, or
    /// the host key's directory is not an absolute path; [`Misuse::NotSupported`] for a host key shared between users on
    /// systems other than Unix.
    pub fn new(config: SspiConfig) -> Result<Self, Error> {
        let bad_packages = |problem| Error::from(Misuse::BadOption { option: "packages", problem });
        for (index, package) in config.packages.iter().enumerate() {
            let name = package.package_info().name;
            if !Transfer::is_package_name(name) {
                return Err(bad_packages("a package's name is not 1 to 16 printable ASCII characters"));
            }
            if config.packages.iter().skip(index + 1).any(|other| is_named(other.as_ref(), name)) {
                return Err(bad_packages("two packages have the same name"));
            }
        }
        config.host_key.check()?;
        Ok(Self {
            packages: config.packages,
            transfer: Transfer::new(config.host_key, config.audience_labels),
            entropy: config.entropy,
            clock: config.clock,
        })
    }

    /// EnumerateSecurityPackages: the packages, in the order of the configuration.
    pub fn enumerate_security_packages(&self) -> impl Iterator<Item = &'static PackageInfo> + '_ {
        self.packages.iter().map(|package| package.package_info())
    }

    /// QuerySecurityPackageInfo. Names compare without regard to ASCII case.
    ///
    /// # Errors
    /// [`Misuse::UnknownPackage`] if there is none of that name.
    pub fn query_security_package_info(&self, package: &str) -> Result<&'static PackageInfo, Error> {
        self.package(package).map(Provider::package_info)
    }

    /// AcquireCredentialsHandle: credentials of the package named `package`.
    ///
    /// # Errors
    /// [`Misuse::UnknownPackage`]; and as [`Provider::acquire`].
    pub fn acquire_credentials_handle(
        &self,
        package: &str,
        request: AcquireRequest,
    ) -> Result<Credentials, Error> {
        self.package(package)?.acquire(request)
    }

    /// InitializeSecurityContext: a client's step, of the package that the credentials are of.
    ///
    /// # Errors
    /// As [`Provider::initialize`]; [`Misuse::ForeignObject`] if `context` is of another package.
    ///
    /// # What an attacker controls
    /// `request.token`, all of it.
    pub fn initialize_security_context(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &InitializeRequest<'_>,
    ) -> Result<Step, Error> {
        self.package_of_step(credentials, context.as_ref())?.initialize(
            credentials,
            context,
            request,
            &self.environment(),
        )
    }

    /// AcceptSecurityContext: a server's step, of the package that the credentials are of.
    ///
    /// # Errors
    /// As [`Provider::accept`]; [`Misuse::ForeignObject`] if `context` is of another package.
    ///
    /// # What an attacker controls
    /// `request.token`, all of it.
    pub fn accept_security_context(
        &self,
        credentials: &Credentials,
        context: Option<PartialContext>,
        request: &AcceptRequest<'_>,
    ) -> Result<Step, Error> {
        self.package_of_step(credentials, context.as_ref())?.accept(
            credentials,
            context,
            request,
            &self.environment(),
        )
    }

    /// ExportSecurityContext with `SECPKG_CONTEXT_EXPORT_DELETE_OLD`: seals the context for another process of the same
    /// user on this host, and ends it here.
    ///
    /// The bytes are to be handed to that process over any channel. They can be read by nobody else, but whoever else
    /// of this user gets them could import them first: don't leave them lying about. If they are never imported, the
    /// context is gone.
    ///
    /// # Errors
    /// With the context, which goes on here:
    /// - [`Misuse::BadOption`] where the options are out of range, [`Misuse::UnknownPackage`] where the context's
    ///   package is not one of these.
    /// - [`Unavailable`](crate::Unavailable) where the host key can't be used; the message says what to do.
    /// - As [`Provider::export_keeping_original`] and [`Provider::reset`].
    pub fn export_security_context(
        &self,
        context: Box<dyn SecurityContext>,
        options: &ExportOptions,
    ) -> Result<Vec<u8>, ExportError> {
        // The original is kept until the blob is complete: whatever fails on the way, the caller has a context.
        match self.seal(context.as_ref(), options) {
            Ok(blob) => Ok(blob),
            Err(error) => Err(ExportError { error, context }),
        }
    }

    /// ExportSecurityContext with the flags of `sspi.h`, which must include `DELETE_OLD`.
    ///
    /// # Errors
    /// As [`export_security_context`](Self::export_security_context) and [`ExportFlags::from_raw`];
    /// [`Misuse::NotSupported`] without `DELETE_OLD`: that is
    /// [`export_security_context_keeping_original`](Self::export_security_context_keeping_original), so that nobody gets
    /// it by leaving a flag out.
    pub fn export_security_context_with_flags(
        &self,
        context: Box<dyn SecurityContext>,
        raw_flags: u32,
    ) -> Result<Vec<u8>, ExportError> {
        let flags = ExportFlags::from_raw(raw_flags).and_then(|flags| {
            let kept = "exporting without DELETE_OLD, which leaves two contexts with one keystream; \
                export_security_context_keeping_original does it";
            let deletes = flags.contains(ExportFlags::DELETE_OLD);
            if deletes { Ok(flags) } else { Err(Misuse::NotSupported { what: kept }.into()) }
        });
        match flags {
            Ok(flags) => self.export_security_context(context, &ExportOptions::from_flags(flags)),
            Err(error) => Err(ExportError { error, context }),
        }
    }

    /// ExportSecurityContext without `SECPKG_CONTEXT_EXPORT_DELETE_OLD`: the context goes on here, **and** can be
    /// imported elsewhere.
    ///
    /// **Only one of the two may go on protecting messages: never both.** They have the same keys, the same sequence
    /// numbers and the same position in the same keystream. If both encrypt a message, each ciphertext is its message XORed
    /// with the same bytes: a two-time pad. An eavesdropper who XORs the two ciphertexts has the XOR of the two messages,
    /// and from a guess at one of them the other; and he can make the one pass for the other, as their
    /// signatures carry the same number. Use it only where the original is dropped unless the import fails.
    ///
    /// What he sees, in bytes: `p` and `q` are two messages, `k` is the keystream that both copies are about to use.
    ///
    /// ```
    /// let xor = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<_>>();
    ///
    /// let k = [0x9D, 0x11, 0xE4, 0x02, 0x5B, 0x70, 0xC3, 0x3A];
    /// let (p, q) = (b"transfer", b"cancel! ");
    /// let (of_the_original, of_the_copy) = (xor(p, &k), xor(q, &k));
    ///
    /// // The key is gone from what the eavesdropper computes, and who guesses one message reads the other.
    /// let seen = xor(&of_the_original, &of_the_copy);
    /// assert_eq!(seen, xor(p, q));
    /// assert_eq!(xor(&seen, b"transfer"), q);
    /// ```
    ///
    /// `tests/two_time_pad.rs` does the same with two copies of a real NTLM context.
    ///
    /// # Errors
    /// As [`export_security_context`](Self::export_security_context).
    pub fn export_security_context_keeping_original(
        &self,
        context: &dyn SecurityContext,
        options: &ExportOptions,
    ) -> Result<Vec<u8>, Error> {
        self.seal(context, options)
    }

    /// ImportSecurityContext: continues, in this process, the context that another one exported.
    ///
    /// `package` is the package that the blob must be of; `None` takes any of this table's.
    ///
    /// # Errors
    /// - [`Misuse::UnknownPackage`] if `package` is not in this table.
    /// - [`BlobRefused`], one variant for each cause: not a blob, newer version, a blob of another kind, unknown or wrong
    ///   package, other scope, host, boot or user, meant for another user or label, host key gone, clocks differ, expired,
    ///   damaged, imported before. The causes are looked at in
    ///   this order; all before "damaged" rest on the header alone and, where somebody may have changed it, are only hints.
    /// - [`Unavailable`](crate::Unavailable) if the host key can't be used, or the import not be recorded.
    ///
    /// A blob that is refused is not used up: another process can still import it where the cause is on this side.
    ///
    /// # What an attacker controls
    /// `blob`, all of it, where the channel is not trusted. He can make the import fail, no more.
    pub fn import_security_context(
        &self,
        package: Option<&str>,
        blob: &[u8],
    ) -> Result<Box<dyn SecurityContext>, Error> {
        let find_package = self.importer_of(package)?;
        self.transfer.open(BlobKind::Context, blob, find_package, |package, state| package.import(state))
    }

    /// The package of a blob, by its name in the blob's header, where the caller wants a blob of `expected`.
    fn importer_of<'a>(
        &'a self,
        expected: Option<&str>,
    ) -> Result<impl FnOnce(&str) -> Result<&'a dyn Provider, Error> + 'a, Error> {
        let expected = expected.map(|name| self.package(name)).transpose()?;
        Ok(move |found: &str| {
            let package = self.package(found);
            let package = package.map_err(|_| BlobRefused::UnknownPackage { name: found.to_owned() })?;
            match expected.map(|expected| expected.package_info().name) {
                Some(expected) if !expected.eq_ignore_ascii_case(found) => {
                    Err(BlobRefused::WrongPackage { expected: expected.to_owned(), found: found.to_owned() }
                        .into())
                }
                _ => Ok(package),
            }
        })
    }

    fn seal(&self, context: &dyn SecurityContext, options: &ExportOptions) -> Result<Vec<u8>, Error> {
        let package = self.package(context.package_info().name)?;
        let prepared = self.transfer.prepare(package.package_info().name, options)?;
        prepared.seal(&portable(package, context, options)?)
    }

    fn package(&self, name: &str) -> Result<&dyn Provider, Error> {
        let found = self.packages.iter().find(|package| is_named(package.as_ref(), name));
        found.map(AsRef::as_ref).ok_or_else(|| Misuse::UnknownPackage { name: name.to_owned() }.into())
    }

    fn package_of_step(
        &self,
        credentials: &Credentials,
        context: Option<&PartialContext>,
    ) -> Result<&dyn Provider, Error> {
        if context.is_some_and(|context| !context.package().eq_ignore_ascii_case(credentials.package())) {
            return Err(Misuse::ForeignObject.into());
        }
        self.package(credentials.package())
    }

    fn environment(&self) -> Environment<'_> {
        Environment::new(self.entropy.as_ref(), self.clock.as_ref())
    }
}

impl fmt::Debug for Sspi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sspi").field("packages", &self.packages).finish_non_exhaustive()
    }
}

/// The state that an export seals.
fn portable(
    package: &dyn Provider,
    context: &dyn SecurityContext,
    options: &ExportOptions,
) -> Result<PortableState, Error> {
    let state = package.export_keeping_original(context)?;
    if options.reset_new { package.reset(&state) } else { Ok(state) }
}

fn is_named(package: &dyn Provider, name: &str) -> bool {
    package.package_info().name.eq_ignore_ascii_case(name)
}
