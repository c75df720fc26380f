//! Several threads that do the same work at once, each on a context of its own.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use portable_sspi::SecurityContext;

use crate::ours::{Ours, host_key_directory};
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
    /// What an import asks of the kernel: an empty file, made in one directory for all threads of one implementation. No work of
    /// the library's.
    EmptyFile,
}

impl Task {
    /// Every row, with its name.
    pub const ALL: [(&str, Self); 9] = [
        ("control: one chain", Self::SpinChain),
        ("control: eight chains", Self::SpinWide),
        ("handshake, both sides", Self::Handshake),
        ("seal 16 B", Self::Seal(16)),
        ("seal 1 KiB", Self::Seal(1 << 10)),
        ("seal 64 KiB", Self::Seal(64 << 10)),
        ("sign 16 B", Self::Sign(16)),
        ("export and import", Self::HandOver),
        ("control: an empty file", Self::EmptyFile),
    ];

    /// How long it takes on the wall until as many threads as there are implementations in `all` have done it so many `times`
    /// together: from the first one's start to the last one's end. The same implementation may stand there more than once.
    ///
    /// The contexts are made by the calling thread, one after the other, as an acceptor does that gives them to its workers.
    #[must_use]
    pub fn time(self, all: &[&Ours], times: usize) -> Duration {
        let start = Barrier::new(all.len());
        let each = times.div_ceil(all.len());
        let directories: Vec<_> = all.iter().map(|_| host_key_directory()).collect();
        let workplaces = all.iter().enumerate().map(|(worker, ours)| {
            let first = all.iter().position(|other| std::ptr::eq(*other, *ours)).unwrap_or(worker);
            Workplace { ours, session: ours.shake_hands(), directory: directories[first].path(), worker }
        });
        let workplaces: Vec<_> = workplaces.collect();
        let spans: Vec<_> = thread::scope(|scope| {
            let workers = workplaces.into_iter().map(|workplace| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let began = Instant::now();
                    self.work(workplace, each);
                    (began, Instant::now())
                })
            });
            // All are started before the first is waited for.
            let workers: Vec<_> = workers.collect();
            workers.into_iter().map(|worker| worker.join().expect("no thread fails")).collect()
        });
        let first = spans.iter().map(|(began, _)| *began).min().expect("a thread");
        let last = spans.iter().map(|(_, ended)| *ended).max().expect("a thread");
        (last - first).mul_f64(times as f64 / (each * all.len()) as f64)
    }

    fn work(self, workplace: Workplace<'_>, times: usize) {
        let Workplace { ours, session, directory, worker } = workplace;
        match self {
            Self::SpinChain => spin([1], times),
            Self::SpinWide => spin([1, 2, 3, 4, 5, 6, 7, 8], times),
            Self::Handshake => (0..times).for_each(|_| drop(ours.shake_hands())),
            Self::Seal(size) => send(session, times, size, Ours::seal),
            Self::Sign(size) => send(session, times, size, Ours::sign),
            Self::EmptyFile => make_empty_files(directory, worker, times),
            Self::HandOver => {
                let mut context: Box<dyn SecurityContext> = session.server;
                for _ in 0..times {
                    context = ours.import(&ours.export(context));
                }
            }
        }
    }
}

/// What one thread works with.
struct Workplace<'a> {
    ours: &'a Ours,
    session: Session<Ours>,
    /// The same for all threads of one implementation.
    directory: &'a Path,
    worker: usize,
}

/// As the library does it on Linux: by mknod(2), in an open directory.
#[cfg(target_os = "linux")]
fn make_empty_files(directory: &Path, worker: usize, times: usize) {
    use rustix::fs::{FileType, Mode, mknodat};
    let directory = File::open(directory).expect("the directory");
    let owner_only = Mode::RUSR | Mode::WUSR;
    for number in 0..times {
        let name = format!("{worker:016x}{number:016x}");
        mknodat(&directory, name, FileType::RegularFile, owner_only, 0).expect("a new file");
    }
}

#[cfg(not(target_os = "linux"))]
fn make_empty_files(directory: &Path, worker: usize, times: usize) {
    for number in 0..times {
        File::create_new(directory.join(format!("{worker:016x}{number:016x}"))).expect("a new file");
    }
}

fn spin<const CHAINS: usize>(mut values: [u64; CHAINS], times: usize) {
    for _ in 0..times {
        for _ in 0..64 / CHAINS {
            for value in &mut values {
                // The shift keeps the compiler from making one multiplication of many.
                *value = (*value ^ (*value >> 29)).wrapping_mul(6_364_136_223_846_793_005);
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
