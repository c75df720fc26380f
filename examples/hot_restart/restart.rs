//! The restart itself: what goes from the old process to the new one, and in which order.
//!
//! First each socket, with a note of what it is and what was read from it but not answered; then the contexts of the
//! established ones, in the same order, as one stream. Nothing is answered before all is there.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Instant;

use portable_sspi::ExportOptions;

use crate::Outcome;
use crate::handover::Handover;
use crate::handover::descriptor::{self, Receiver};
use crate::service::{self, Client, Progress, Service};

/// The notes' first bytes.
const LISTENER: u8 = b'L';
const CONNECTED: u8 = b'C';
/// Followed by the partial context.
const CHALLENGED: u8 = b'P';
/// Followed by the number of messages, eight bytes.
const ESTABLISHED: u8 = b'E';
/// With the listener again: no socket comes after it.
const END: u8 = b'.';

/// Starts the successor and gives it everything. The old process has nothing to do after it.
pub fn hand_over(service: &Service, listener: &TcpListener, clients: Vec<Client>) -> Outcome<()> {
    let mut successor = Command::new(std::env::current_exe()?);
    successor.args(["successor", &(service.generation + 1).to_string()]);
    let (_successor, way) = descriptor::start(&mut successor)?;
    let options = ExportOptions::default();
    // A socket is a socket to who passes it on.
    let listener = TcpStream::from(OwnedFd::from(listener.try_clone()?));
    way.send(&listener, &note(&[LISTENER], &[], Vec::new()))?;
    let mut contexts = Vec::new();
    for Client { connection, progress, unserved } in clients {
        let note = match progress {
            Progress::Connected => note(&[CONNECTED], &[], unserved),
            Progress::Challenged(context) => {
                note(&[CHALLENGED], &service.sspi.export_partial_context(context, &options)?, unserved)
            }
            Progress::Established(context, count) => {
                contexts.push(context);
                note(&[ESTABLISHED], &count.to_le_bytes(), unserved)
            }
        };
        way.send(&connection, &note)?;
    }
    way.send(&listener, &note(&[END], &[], Vec::new()))?;
    let exported = service.sspi.export_all(contexts, way.stream()?, &options)?;
    match exported.failed.into_iter().next() {
        None => Ok(()),
        Some(failed) => Err(failed.into()),
    }
}

fn note(kind: &[u8], more: &[u8], unserved: Vec<u8>) -> Handover {
    Handover { blob: [kind, more].concat(), unserved }
}

/// The successor: takes everything over, and serves.
pub fn run_successor(generation: &str) -> Outcome<()> {
    let started = Instant::now();
    let service = Service::new(generation.parse()?)?;
    let way = Receiver::new()?;
    let mut listener = None;
    let (mut clients, mut established) = (Vec::new(), Vec::new());
    let mut partial = 0;
    loop {
        let Some((connection, Handover { blob, unserved })) = way.receive()? else {
            return Err("the predecessor went away".into());
        };
        let (kind, more) = blob.split_first().ok_or("an empty note")?;
        let progress = match *kind {
            LISTENER => {
                listener = Some(TcpListener::from(OwnedFd::from(connection)));
                continue;
            }
            END => break,
            CONNECTED => Progress::Connected,
            CHALLENGED => {
                partial += 1;
                Progress::Challenged(service.sspi.import_partial_context(Some("NTLM"), more)?)
            }
            ESTABLISHED => {
                established.push((connection, u64::from_le_bytes(more.try_into()?), unserved));
                continue;
            }
            _ => return Err("a note that is not known".into()),
        };
        clients.push(Client { connection, progress, unserved });
    }
    let handshakes = clients.len();
    let mut contexts = service.sspi.import_all(way.stream()?)?;
    let sessions = established.len();
    for (connection, count, unserved) in established {
        let context = contexts.next().ok_or("fewer contexts than sockets")??;
        clients.push(Client { connection, progress: Progress::Established(context, count), unserved });
    }
    if let Some(more) = contexts.next() {
        more?;
        return Err("more contexts than sockets".into());
    }
    drop(contexts);
    println!(
        "process {} (generation {}) took {sessions} sessions and {handshakes} handshakes ({partial} half-way) over in {} ms",
        std::process::id(),
        service.generation,
        started.elapsed().as_millis()
    );
    service::run(service, listener.ok_or("no listener")?, clients)
}
