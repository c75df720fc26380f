//! Where time and randomness come from.

use core::fmt;

use crate::{Error, Unavailable};

/// A source of unpredictable bytes.
///
/// What is drawn from it becomes server challenges, client challenges and session keys: an implementation used
/// outside tests must be a cryptographically secure generator.
pub trait Entropy: Send + Sync {
    /// Fills all of `destination`.
    ///
    /// # Errors
    /// [`Unavailable::Entropy`] when the source cannot deliver; `destination` must then not be used.
    fn fill(&self, destination: &mut [u8]) -> Result<(), Unavailable>;
}

/// A source of the time of day.
pub trait Clock: Send + Sync {
    /// The time now, in UTC.
    fn now(&self) -> FileTime;
}

/// A Windows `FILETIME`: 100-nanosecond intervals since 1601-01-01 00:00 UTC ([MS-DTYP] 2.3.3).
///
/// ```
/// use portable_sspi_core::FileTime;
///
/// assert_eq!(FileTime::from_unix_seconds(1_055_844_000).0.to_le_bytes(), [0, 0x90, 0xd3, 0x36, 0xb7, 0x34, 0xc3, 0x01]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

impl FileTime {
    /// Seconds from 1601-01-01 to 1970-01-01.
    const UNIX_EPOCH_SECONDS: u64 = 11_644_473_600;
    /// 100-nanosecond intervals in a second.
    const PER_SECOND: u64 = 10_000_000;
    /// The time that SSPI reports for "never expires" (the largest positive `LARGE_INTEGER`).
    pub const NEVER: Self = Self(i64::MAX as u64);

    /// The time so many seconds after 1970-01-01 00:00 UTC; saturates at [`FileTime::NEVER`].
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        let ticks = seconds.saturating_add(Self::UNIX_EPOCH_SECONDS).saturating_mul(Self::PER_SECOND);
        if ticks < Self::NEVER.0 { Self(ticks) } else { Self::NEVER }
    }

    /// How far apart two times are, in whole seconds, whichever is later.
    #[must_use]
    pub const fn seconds_apart(self, other: Self) -> u64 {
        self.0.abs_diff(other.0) / Self::PER_SECOND
    }
}

/// What a security package may ask of the world around it: entropy and the time, and nothing else.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    entropy: &'a dyn Entropy,
    clock: &'a dyn Clock,
}

impl<'a> Environment<'a> {
    /// Brings a source of entropy and a clock together.
    #[must_use]
    pub const fn new(entropy: &'a dyn Entropy, clock: &'a dyn Clock) -> Self {
        Self { entropy, clock }
    }

    /// Fresh random bytes.
    ///
    /// # Errors
    /// [`Unavailable::Entropy`] when the source cannot deliver.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> FileTime {
        self.clock.now()
    }
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}
