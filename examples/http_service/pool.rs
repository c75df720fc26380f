//! The worker processes: as many as asked for, started again when they end.

use std::env;
use std::io;
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use crate::handover::{Handover, Sender, Way};

/// Between a worker's end and its successor's start: a worker that cannot run must not keep the machine busy.
const RESPAWN_AFTER: Duration = Duration::from_millis(250);

/// The running workers.
#[derive(Debug)]
pub(crate) struct Pool {
    workers: Vec<Slot>,
    next: AtomicUsize,
}

/// One worker's place; empty while there is none.
type Slot = Arc<RwLock<Option<Sender>>>;

impl Pool {
    /// Starts `count` workers and a supervisor for each.
    pub(crate) fn start(count: usize, way: Way) -> io::Result<Self> {
        let mut workers = Vec::with_capacity(count);
        for _ in 0..count {
            let (child, sender) = spawn(way)?;
            let slot: Slot = Arc::new(RwLock::new(Some(sender)));
            let supervised = Arc::clone(&slot);
            thread::spawn(move || supervise(way, child, &supervised));
            workers.push(slot);
        }
        Ok(Self { workers, next: AtomicUsize::new(0) })
    }

    /// Hands a connection to one worker after another until one takes it.
    pub(crate) fn hand_over(&self, connection: &TcpStream, handover: &Handover) -> io::Result<()> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        let mut failure = io::Error::other("no worker is running");
        for slot in self.workers.iter().cycle().skip(first).take(self.workers.len()) {
            if let Some(sender) = &*slot.read().unwrap_or_else(PoisonError::into_inner) {
                match sender.send(connection, handover) {
                    Ok(()) => return Ok(()),
                    Err(error) => failure = error,
                }
            }
        }
        Err(failure)
    }
}

fn spawn(way: Way) -> io::Result<(Child, Sender)> {
    let mut worker = Command::new(env::current_exe()?);
    worker.args(["--worker", way.name(), &std::process::id().to_string()]);
    way.start(&mut worker)
}

fn supervise(way: Way, mut child: Child, slot: &Slot) {
    loop {
        let ended = child.wait();
        *slot.write().unwrap_or_else(PoisonError::into_inner) = None;
        eprintln!("acceptor: worker {} ended: {ended:?}", child.id());
        child = loop {
            thread::sleep(RESPAWN_AFTER);
            match spawn(way) {
                Ok((child, sender)) => {
                    *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
                    break child;
                }
                Err(error) => eprintln!("acceptor: no new worker: {error}"),
            }
        };
    }
}
