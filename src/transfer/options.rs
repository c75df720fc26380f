//! What ExportSecurityContext is told.

use std::time::Duration;

use bitflags::bitflags;
use portable_sspi_core::{Error, Misuse};

use super::audience::Audience;

bitflags! {
    /// The flags of ExportSecurityContext, by their numbers in `sspi.h`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ExportFlags: u32 {
        /// `SECPKG_CONTEXT_EXPORT_RESET_NEW`: the new context starts as it was right after authentication.
        const RESET_NEW = 0x0000_0001;
        /// `SECPKG_CONTEXT_EXPORT_DELETE_OLD`: the old context ends.
        const DELETE_OLD = 0x0000_0002;
        /// `SECPKG_CONTEXT_EXPORT_TO_KERNEL`: not supported, as on Windows since 2003.
        const TO_KERNEL = 0x0000_0004;
    }
}

impl ExportFlags {
    /// From the number that a C program passes.
    ///
    /// # Errors
    /// - [`Misuse::NotSupported`] with `TO_KERNEL`.
    /// - [`Misuse::BadOption`] with bits that `sspi.h` doesn't define.
    pub fn from_raw(raw: u32) -> Result<Self, Error> {
        let flags = Self::from_bits(raw).ok_or(Misuse::BadOption {
            option: "fFlags",
            problem: "has bits that ExportSecurityContext does not define",
        })?;
        if flags.contains(Self::TO_KERNEL) {
            return Err(Misuse::NotSupported { what: "exporting a context to the kernel" }.into());
        }
        Ok(flags)
    }
}

/// How a context is exported.
///
/// ```
/// use std::time::Duration;
/// use portable_sspi::ExportOptions;
///
/// let options = ExportOptions { lifetime: Duration::from_secs(30), ..ExportOptions::default() };
/// assert!(!options.reset_new);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// The new context starts as it was right after authentication: sequence numbers zero, ciphers at their start, under
    /// the same keys (`SECPKG_CONTEXT_EXPORT_RESET_NEW`).
    ///
    /// **Dangerous once a message was protected**: the new context uses the keystream of the old one's messages again,
    /// and an eavesdropper who XORs two ciphertexts of the same position has the XOR of the two messages. The peer
    /// must start over, too.
    pub reset_new: bool,
    /// How long the exported context can be imported: from one millisecond (shorter times are rounded up to it) to
    /// [`ExportOptions::MAX_LIFETIME`].
    ///
    /// Measured on a clock that counts from the host's start, goes on while it sleeps, and doesn't move when the
    /// time of day is set. Until its end, and up to about a minute more, each imported context leaves one empty file
    /// beside the host key: keep it short where thousands are handed over every second.
    pub lifetime: Duration,
    /// Who may import it; by default, any process in the scope of the host key.
    pub audience: Audience,
}

impl ExportOptions {
    /// The lifetime unless another is given: five minutes.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);
    /// The longest lifetime: a day.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// The options that flags of `sspi.h` stand for, with the lifetime left at its default. `DELETE_OLD` is not an
    /// option but the choice of the function: see [`Sspi::export_security_context`](crate::Sspi::export_security_context).
    #[must_use]
    pub const fn from_flags(flags: ExportFlags) -> Self {
        Self {
            reset_new: flags.contains(ExportFlags::RESET_NEW),
            lifetime: Self::DEFAULT_LIFETIME,
            audience: Audience { label: None, user: None },
        }
    }

    /// The lifetime in milliseconds, checked.
    pub(super) fn lifetime_milliseconds(&self) -> Result<u64, Error> {
        let refused = |problem| Error::from(Misuse::BadOption { option: "lifetime", problem });
        if self.lifetime.is_zero() {
            return Err(refused("zero: the exported context could never be imported"));
        }
        if self.lifetime > Self::MAX_LIFETIME {
            return Err(refused("more than 24 hours"));
        }
        let milliseconds =
            u64::try_from(self.lifetime.as_millis()).map_err(|_| refused("more than 24 hours"))?;
        Ok(milliseconds.max(1))
    }
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { reset_new: false, lifetime: Self::DEFAULT_LIFETIME, audience: Audience::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_have_bounds() {
        let milliseconds =
            |lifetime| ExportOptions { lifetime, ..ExportOptions::default() }.lifetime_milliseconds();
        assert!(milliseconds(Duration::ZERO).is_err());
        assert_eq!(milliseconds(Duration::from_nanos(1)).unwrap(), 1);
        assert_eq!(milliseconds(ExportOptions::MAX_LIFETIME).unwrap(), 86_400_000);
        assert!(milliseconds(ExportOptions::MAX_LIFETIME + Duration::from_nanos(1)).is_err());
        assert!(milliseconds(Duration::MAX).is_err());
        assert_eq!(ExportOptions::default().lifetime_milliseconds().unwrap(), 300_000);
    }

    #[test]
    fn flags_have_the_numbers_of_sspi_h() {
        assert_eq!(ExportFlags::from_raw(3).unwrap(), ExportFlags::RESET_NEW | ExportFlags::DELETE_OLD);
        assert!(matches!(ExportFlags::from_raw(6), Err(Error::Misuse(Misuse::NotSupported { .. }))));
        assert!(matches!(ExportFlags::from_raw(8), Err(Error::Misuse(Misuse::BadOption { .. }))));
        assert!(ExportOptions::from_flags(ExportFlags::RESET_NEW).reset_new);
        assert!(!ExportOptions::from_flags(ExportFlags::DELETE_OLD).reset_new);
    }
}
