//! What is timed, for any implementation.

use std::time::Duration;

use crate::clock::stopwatch;
use crate::{Implementation, Message, Session};

/// Message sizes, in bytes.
const SIZES: [usize; 6] = [16, 256, 1 << 10, 16 << 10, 64 << 10, 1 << 20];

/// How many bytes of messages are prepared ahead of what is timed: few enough to stay in the processor's cache.
const PREPARED: usize = 256 << 10;

/// How many handshakes are taken step by step together, so that the clock is read once for a step of all.
const ABREAST: usize = 32;

/// One row of the table: something that all implementations do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Work {
    /// All four steps, and the end of both contexts.
    Handshake,
    /// The server's two steps alone.
    ServerShare,
    /// EncryptMessage of so many bytes.
    Seal(usize),
    /// DecryptMessage of so many bytes.
    Unseal(usize),
    /// MakeSignature over so many bytes.
    Sign(usize),
    /// VerifySignature over so many bytes.
    Verify(usize),
}

impl Work {
    /// Every row, in the table's order.
    pub fn all() -> impl Iterator<Item = Self> {
        let per_message = [Self::Seal, Self::Unseal, Self::Sign, Self::Verify];
        let per_message = per_message.into_iter().flat_map(|work| SIZES.map(work));
        [Self::Handshake, Self::ServerShare].into_iter().chain(per_message)
    }

    /// What the row is called, and the size of its messages.
    #[must_use]
    pub const fn name(self) -> (&'static str, Option<usize>) {
        match self {
            Self::Handshake => ("handshake, both sides", None),
            Self::ServerShare => ("handshake, server's share", None),
            Self::Seal(size) => ("seal", Some(size)),
            Self::Unseal(size) => ("unseal", Some(size)),
            Self::Sign(size) => ("sign", Some(size)),
            Self::Verify(size) => ("verify", Some(size)),
        }
    }

    /// How long `implementation` takes to do it so many `times`.
    pub fn time<I: Implementation>(self, implementation: &mut I, times: usize) -> Duration {
        match self {
            Self::Handshake => {
                let handshakes = || (0..times).for_each(|_| drop(Session::establish(implementation)));
                stopwatch(handshakes).0
            }
            Self::ServerShare => server_share(implementation, times),
            Self::Seal(size) => sending(implementation, times, size, I::seal),
            Self::Unseal(size) => receiving(implementation, times, size, I::seal, I::unseal),
            Self::Sign(size) => sending(implementation, times, size, I::sign),
            Self::Verify(size) => receiving(implementation, times, size, I::sign, I::verify),
        }
    }
}

/// Panics unless `implementation` does the work that the table says: NTLMv2 with extended session security, a 128-bit
/// exchanged key, a MIC, messages that are encrypted and come back.
pub fn check<I: Implementation>(implementation: &mut I) {
    let (client, negotiate) = implementation.negotiate();
    let (server, challenge) = implementation.challenge(negotiate);
    let (client, authenticate) = implementation.authenticate(client, challenge);
    check_authenticate(&authenticate);
    let server = implementation.accept(server, authenticate);

    let mut session = Session::<I> { client, server };
    let mut message = Message::new(1000);
    let plaintext = message.data.clone();
    I::seal(&mut session.client, &mut message);
    assert_ne!(message.data, plaintext, "sealed");
    I::unseal(&mut session.server, &mut message);
    assert_eq!(message.data, plaintext, "unsealed");
}

/// The part of [`check`] that an AUTHENTICATE shows.
pub fn check_authenticate(authenticate: &[u8]) {
    // NTLMSSP_NEGOTIATE_KEY_EXCH, _128, _EXTENDED_SESSIONSECURITY, _SEAL and _SIGN.
    const FLAGS: u32 = 0x4000_0000 | 0x2000_0000 | 0x0008_0000 | 0x20 | 0x10;
    let flags = u32::from_le_bytes(authenticate[60..64].try_into().expect("four bytes"));
    assert_eq!(flags & FLAGS, FLAGS, "flags {flags:08x}");
    let nt_response = u16::from_le_bytes([authenticate[20], authenticate[21]]);
    assert!(nt_response > 24, "the NT response is not NTLMv2's");
    assert_ne!(authenticate[72..88], [0; 16], "there is no MIC");
}

fn server_share<I: Implementation>(implementation: &mut I, times: usize) -> Duration {
    let mut total = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let abreast = left.min(ABREAST);
        let (clients, tokens): (Vec<_>, Vec<_>) = (0..abreast).map(|_| implementation.negotiate()).unzip();
        let (took, challenged) =
            stopwatch(|| tokens.into_iter().map(|token| implementation.challenge(token)).collect::<Vec<_>>());
        total += took;
        let answer = |(client, (server, challenge))| {
            let (client, token) = implementation.authenticate(client, challenge);
            (client, server, token)
        };
        let answered: Vec<_> = clients.into_iter().zip(challenged).map(answer).collect();
        let mut ends = Vec::with_capacity(abreast);
        let (took, ()) = stopwatch(|| {
            for (client, server, token) in answered {
                ends.push((client, implementation.accept(server, token)));
            }
        });
        total += took;
        left -= abreast;
    }
    total
}

fn sending<I: Implementation>(
    implementation: &mut I,
    times: usize,
    size: usize,
    send: fn(&mut I::Context, &mut Message),
) -> Duration {
    let mut session = Session::establish(implementation);
    let mut message = Message::new(size);
    stopwatch(|| (0..times).for_each(|_| send(&mut session.client, &mut message))).0
}

fn receiving<I: Implementation>(
    implementation: &mut I,
    times: usize,
    size: usize,
    send: fn(&mut I::Context, &mut Message),
    receive: fn(&mut I::Context, &mut Message),
) -> Duration {
    let mut session = Session::establish(implementation);
    let batch = (PREPARED / size).clamp(1, times);
    let mut messages: Vec<_> = (0..batch).map(|_| Message::new(size)).collect();
    let mut total = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let batch = &mut messages[..left.min(batch)];
        batch.iter_mut().for_each(|message| send(&mut session.client, message));
        total += stopwatch(|| batch.iter_mut().for_each(|message| receive(&mut session.server, message))).0;
        left -= batch.len();
    }
    total
}
