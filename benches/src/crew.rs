//! Several threads that do the same work at once, each on a context of its own.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use portable_sspi::SecurityContext;

use crate::ours::Ours;
use crate::{Implementation, Message, Session};

/// What every thread does.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// No work of the library's: multiplications, each of which needs the one before. What the machine gives to threads
    /// that wait for nothing but themselves.
    SpinChain,
    /// The same, eight chains at once, which keep the multiplier of a core busy: where two threads sit on one core, that is
    /// all they can share.
    SpinWide,
    /// The four steps, and the end of both contexts.
    Handshake,
    /// EncryptMessage of so many bytes.
    Seal(usize),
    /// MakeSignature over so many bytes.
    Sign(usize),
    /// ExportSecurityContext and ImportSecurityContext of a server's fresh context.
    HandOver,
}

impl Task {
    /// Every row, with its name.
    pub const ALL: [(&str, Self); 8] = [
        ("control: one chain", Self::SpinChain),
        ("control: eight chains", Self::SpinWide),
        ("handshake, both sides", Self::Handshake),
        ("seal 16 B", Self::Seal(16)),
        ("seal 1 KiB", Self::Seal(1 << 10)),
        ("seal 64 KiB", Self::Seal(64 << 10)),
        ("sign 16 B", Self::Sign(16)),
        ("export and import", Self::HandOver),
    ];

    /// How long it takes on the wall until as many threads as there are implementations in `all` have each done it so many
    /// `times`: from the first one's start to the last one's end. The same implementation may stand there more than once.
    ///
    /// The contexts are made by the calling thread, one after the other, as an acceptor does that gives them to its workers.
    #[must_use]
    pub fn time(self, all: &[&Ours], times: usize) -> Duration {
        let start = Barrier::new(all.len());
        let contexts: Vec<_> = all.iter().map(|ours| ours.shake_hands()).collect();
        let spans: Vec<_> = thread::scope(|scope| {
            let workers = all.iter().zip(contexts).map(|(ours, session)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let began = Instant::now();
                    self.work(ours, session, times);
                    (began, Instant::now())
                })
            });
            // All are started before the first is waited for.
            let workers: Vec<_> = workers.collect();
            workers.into_iter().map(|worker| worker.join().expect("no thread fails")).collect()
        });
        let first = spans.iter().map(|(began, _)| *began).min().expect("a thread");
        let last = spans.iter().map(|(_, ended)| *ended).max().expect("a thread");
        last - first
    }

    fn work(self, ours: &Ours, session: Session<Ours>, times: usize) {
        match self {
            Self::SpinChain => spin([1], times),
            Self::SpinWide => spin([1, 2, 3, 4, 5, 6, 7, 8], times),
            Self::Handshake => (0..times).for_each(|_| drop(ours.shake_hands())),
            Self::Seal(size) => send(session, times, size, Ours::seal),
            Self::Sign(size) => send(session, times, size, Ours::sign),
            Self::HandOver => {
                let mut context: Box<dyn SecurityContext> = session.server;
                for _ in 0..times {
                    context = ours.import(&ours.export(context));
                }
            }
        }
    }
}

fn spin<const CHAINS: usize>(mut values: [u64; CHAINS], times: usize) {
    for _ in 0..times {
        for _ in 0..64 / CHAINS {
            for value in &mut values {
                *value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            }
        }
        values = black_box(values);
    }
}

fn send(
    mut session: Session<Ours>,
    times: usize,
    size: usize,
    send: fn(&mut <Ours as Implementation>::Context, &mut Message),
) {
    let mut message = Message::new(size);
    (0..times).for_each(|_| send(&mut session.client, &mut message));
}
