//! Who a program acts as.

use core::any::Any;
use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::{Error, Misuse, SecretArray};

/// A password, held as UTF-16 and wiped when dropped.
///
/// It is held in the units that Windows hashes, so that a password which is no valid Unicode (C programs can pass one)
/// loses nothing.
pub struct Password(Zeroizing<Vec<u16>>);

impl Password {
    /// From text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        // Reserved in full first: growing would leave copies of the password behind.
        let mut units = Zeroizing::new(Vec::with_capacity(text.len()));
        units.extend(text.encode_utf16());
        Self(units)
    }

    /// From UTF-16 code units, not NUL-terminated.
    #[must_use]
    pub fn from_utf16(units: &[u16]) -> Self {
        Self(Zeroizing::new(units.to_vec()))
    }

    /// The UTF-16 code units.
    #[must_use]
    pub fn expose_utf16(&self) -> &[u16] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Password {
    /// Wipes the string.
    fn from(mut text: String) -> Self {
        let password = Self::new(&text);
        text.zeroize();
        password
    }
}

/// What proves an identity.
#[derive(Debug)]
#[non_exhaustive]
pub enum Secret {
    /// The password itself.
    Password(Password),
    /// The NT hash of the password, MD4 over its UTF-16LE bytes. With NTLM it is worth as much as the password.
    NtHash(SecretArray<16>),
}

/// A user name, a domain and a secret: `SEC_WINNT_AUTH_IDENTITY`.
///
/// ```
/// use portable_sspi_core::AuthIdentity;
///
/// let identity = AuthIdentity::new("alice", "CORP", "Tr0ub4dor");
/// assert!(!format!("{identity:?}").contains("Tr0ub4dor"));
/// ```
#[derive(Debug)]
pub struct AuthIdentity {
    /// The user's name, or a user principal name (`alice@corp.example`) with an empty domain.
    pub user: String,
    /// The user's domain; empty for none.
    pub domain: String,
    /// What proves it.
    pub secret: Secret,
}

impl AuthIdentity {
    /// An identity proved by a password.
    #[must_use]
    pub fn new(user: impl Into<String>, domain: impl Into<String>, password: impl Into<Password>) -> Self {
        Self { user: user.into(), domain: domain.into(), secret: Secret::Password(password.into()) }
    }

    /// An identity proved by the NT hash of a password.
    #[must_use]
    pub fn with_nt_hash(
        user: impl Into<String>,
        domain: impl Into<String>,
        nt_hash: SecretArray<16>,
    ) -> Self {
        Self { user: user.into(), domain: domain.into(), secret: Secret::NtHash(nt_hash) }
    }
}

/// What credentials are for: the `SECPKG_CRED_*` values of AcquireCredentialsHandle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialUse {
    /// `SECPKG_CRED_INBOUND`: a server accepts clients.
    Inbound,
    /// `SECPKG_CRED_OUTBOUND`: a client logs on.
    Outbound,
    /// `SECPKG_CRED_BOTH`.
    Both,
}

impl CredentialUse {
    /// Whether a server can accept clients with it.
    #[must_use]
    pub const fn inbound(self) -> bool {
        matches!(self, Self::Inbound | Self::Both)
    }

    /// Whether a client can log on with it.
    #[must_use]
    pub const fn outbound(self) -> bool {
        matches!(self, Self::Outbound | Self::Both)
    }
}

/// Credentials acquired from a security package: what a `CredHandle` stands for. Opaque to all but their package.
///
/// One set of credentials serves any number of contexts, from any number of threads.
pub struct Credentials {
    package: &'static str,
    inner: Box<dyn Any + Send + Sync>,
}

impl Credentials {
    /// Wraps a package's own type. For implementations of [`Provider`](crate::Provider).
    #[must_use]
    pub fn new<T: Any + Send + Sync>(package: &'static str, inner: T) -> Self {
        Self { package, inner: Box::new(inner) }
    }

    /// The name of the package they were acquired from.
    #[must_use]
    pub const fn package(&self) -> &'static str {
        self.package
    }

    /// The package's own type again. For implementations of [`Provider`](crate::Provider).
    ///
    /// # Errors
    /// [`Misuse::ForeignObject`] if another package made it.
    pub fn downcast_ref<T: Any>(&self) -> Result<&T, Error> {
        self.inner.downcast_ref().ok_or_else(|| Misuse::ForeignObject.into())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("package", &self.package).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let with_password = AuthIdentity::new("u", "d", "hunter2");
        let with_hash = AuthIdentity::with_nt_hash("u", "d", SecretArray::new([0xEE; 16]));
        let shown = format!("{with_password:?} {with_hash:?}").to_lowercase();
        assert!(!shown.contains("hunter2") && !shown.contains("ee,") && !shown.contains("238"), "{shown}");
    }
}
