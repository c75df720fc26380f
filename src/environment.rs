//! Entropy and time of the machine that the program runs on.

use std::time::{SystemTime, UNIX_EPOCH};

use portable_sspi_core::{Clock, Entropy, FileTime, Unavailable};
use ring::rand::{SecureRandom, SystemRandom};

/// The operating system's generator of random bytes, through `ring`.
///
/// Each call asks the operating system anew: nothing is buffered that a forked child would share with its parent.
#[derive(Clone, Debug)]
pub struct SystemEntropy {
    random: SystemRandom,
}

impl SystemEntropy {
    /// The operating system's generator.
    #[must_use]
    pub fn new() -> Self {
        Self { random: SystemRandom::new() }
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, destination: &mut [u8]) -> Result<(), Unavailable> {
        self.random.fill(destination).map_err(|_| Unavailable::Entropy)
    }
}

/// The operating system's time of day.
///
/// It serves the protocols, which compare it with the peer's (NTLM's time stamps). The expiry of exported contexts is
/// measured on another clock, which setting the time of day doesn't move.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The time now; 1970-01-01 if the clock is set to before that.
    fn now(&self) -> FileTime {
        const TICKS_PER_SECOND: u64 = 10_000_000;
        let since_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fraction = u64::from(since_unix.subsec_nanos() / 100);
        let ticks = since_unix.as_secs().saturating_mul(TICKS_PER_SECOND).saturating_add(fraction);
        let ticks = ticks.saturating_add(FileTime::from_unix_seconds(0).0);
        FileTime(ticks.min(FileTime::NEVER.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        let entropy = SystemEntropy::new();
        entropy.fill(&mut one).unwrap();
        entropy.fill(&mut other).unwrap();
        assert_ne!(one, other);
    }

    #[test]
    fn the_clock_is_this_decade_s() {
        let now = SystemClock.now();
        // 2024-01-01 and 2124-01-01.
        assert!(now > FileTime::from_unix_seconds(1_704_067_200), "{now:?}");
        assert!(now < FileTime::from_unix_seconds(4_859_740_800), "{now:?}");
        assert!(SystemClock.now() >= now);
    }
}
