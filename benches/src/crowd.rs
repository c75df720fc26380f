//! Many contexts at once, held by the program, as Rust programs hold them.

use std::time::Duration;

use portable_sspi::SecurityContext;

use crate::clock::stopwatch;
use crate::ours::Ours;
use crate::{Implementation, Message};

/// Servers' contexts of one table of packages.
pub struct Crowd {
    ours: Ours,
    contexts: Vec<Box<dyn SecurityContext>>,
}

impl Crowd {
    /// Nobody, and room for so many.
    #[must_use]
    pub fn new(contexts: usize) -> Self {
        let ours = Ours::new();
        // What is made once for all contexts is not theirs.
        drop(ours.shake_hands());
        Self { ours, contexts: Vec::with_capacity(contexts) }
    }

    /// Makes so many more by a whole handshake each, whose client is gone at its end: how long all took, and the slowest 64
    /// together.
    pub fn create(&mut self, contexts: usize) -> (Duration, Duration) {
        const TOGETHER: usize = 64;
        let (mut total, mut slowest) = (Duration::ZERO, Duration::ZERO);
        for first in (0..contexts).step_by(TOGETHER) {
            let together = first..contexts.min(first + TOGETHER);
            let (took, ()) =
                stopwatch(|| together.for_each(|_| self.contexts.push(self.ours.shake_hands().server)));
            total += took;
            slowest = slowest.max(took);
        }
        (total, slowest)
    }

    /// Seals a message of 16 bytes on so many of them, one after the other, as they were made or in no order.
    pub fn seal(&mut self, times: usize, in_order: bool) -> Duration {
        let mut message = Message::new(16);
        let mut random = Random::new();
        let contexts = self.contexts.as_mut_slice();
        let work = || {
            for turn in 0..times {
                let place = if in_order { turn } else { random.number() } % contexts.len();
                Ours::seal(&mut contexts[place], &mut message);
            }
        };
        stopwatch(work).0
    }

    /// Exports so many, in no order, which are gone then.
    pub fn export(&mut self, times: usize) -> Duration {
        let mut random = Random::new();
        let mut work = || {
            for _ in 0..times {
                let context = self.contexts.swap_remove(random.number() % self.contexts.len());
                drop(self.ours.export(context));
            }
        };
        stopwatch(&mut work).0
    }

    /// Drops all, in the order in which they were made.
    pub fn clear(&mut self) -> Duration {
        stopwatch(|| self.contexts.clear()).0
    }
}

/// Bytes on the heap for one of so many contexts: right after its handshake, and after a message was sealed on it. `held` says
/// how many bytes the heap holds.
pub fn heap(contexts: usize, held: impl Fn() -> usize) -> [usize; 2] {
    let mut crowd = Crowd::new(contexts);
    let before = held();
    crowd.create(contexts);
    let fresh = held() - before;
    crowd.seal(contexts, true);
    [fresh, held() - before].map(|bytes| bytes / contexts)
}

/// xorshift64: the same numbers in each run.
struct Random(u64);

impl Random {
    const fn new() -> Self {
        Self(88_172_645_463_325_252)
    }

    fn number(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }
}
