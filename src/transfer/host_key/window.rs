//! Claim windows: which blobs were imported, and the seed without which they can't be opened.
//!
//! The time at which blobs expire is divided into windows of 64 seconds. A window is a directory with a random seed
//! and, for each imported blob, an empty file of the blob's id, which nobody can make twice: its creation is the claim, and the
//! kernel lets one process win. The seed goes into the blobs' keys. So a window that is lost takes its blobs with it, and
//! when a window has passed and is deleted, they can never be decrypted again, not even with the host's secret.
//!
//! **Whoever removes a window removes its seed first.** An import looks after its claim whether the seed is still there:
//! if so, no claim had been removed before.

use portable_sspi_core::Error;

use super::super::blob::{BlobId, Fingerprint};
use super::secret_directory::SecretDirectory;

/// Length of a window, in milliseconds of the host's shared clock.
const LENGTH: u64 = 64_000;

/// The number of the window that `time` (in milliseconds) falls into.
pub(super) const fn number_at(time: u64) -> u64 {
    time / LENGTH
}

/// Records that the blob is being imported, in the window `window`. Of all processes that ever try, one gets `Ok`.
pub(super) fn claim(window: &SecretDirectory, blob_id: &BlobId) -> Result<(), Error> {
    window.claim(&format!("{:032x}", u128::from_be_bytes(*blob_id)))
}

/// The names in the host key's directory that belong to one window of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    boot: String,
    number: u64,
    temporary: bool,
}

impl Name {
    /// The window `number` of the boot with the fingerprint `boot`: `window-<boot>-<number>`.
    pub(super) fn window(boot: &str, number: u64) -> String {
        format!("window-{boot}-{number}")
    }

    /// What something is built under: `temporary-<boot>-<number of the present window>`, and a random suffix.
    pub(super) fn temporary(boot: &str, number: u64) -> String {
        format!("temporary-{boot}-{number}")
    }

    /// `None` for all other names.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let temporary = match parts.next()? {
            "window" => false,
            "temporary" => true,
            _ => return None,
        };
        let boot = parts.next()?.to_owned();
        let number = parts.next()?.parse().ok()?;
        (parts.count() == usize::from(temporary)).then_some(Self { boot, number, temporary })
    }

    /// Whether it can be removed when the window `current` of `boot` has begun. What is under construction is left alone
    /// for a window's length at least.
    pub(super) fn has_passed(&self, boot: &str, current: u64) -> bool {
        self.boot != boot || self.number.saturating_add(u64::from(self.temporary)) < current
    }
}

/// How names say which boot they belong to.
pub(super) fn boot_in_names(boot: Fingerprint) -> String {
    format!("{:016x}", u64::from_be_bytes(boot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went() {
        let window = Name::parse(&Name::window("00ff", 12)).unwrap();
        assert_eq!(window, Name { boot: "00ff".into(), number: 12, temporary: false });
        let temporary = Name::parse(&(Name::temporary("00ff", 12) + "-0123")).unwrap();
        assert_eq!(temporary, Name { boot: "00ff".into(), number: 12, temporary: true });
        for other in ["host-key", "window-00ff", "window-00ff-x", "window-00ff-1-2", "temporary-00ff-1", "."]
        {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_has_passed_is_removed() {
        let window = Name::parse("window-aa-12").unwrap();
        assert!(!window.has_passed("aa", 11) && !window.has_passed("aa", 12));
        assert!(window.has_passed("aa", 13), "the next window has begun");
        assert!(window.has_passed("bb", 1), "another boot");
        let temporary = Name::parse("temporary-aa-12-00").unwrap();
        assert!(!temporary.has_passed("aa", 13) && temporary.has_passed("aa", 14));
    }
}
