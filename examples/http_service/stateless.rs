//! The stateless way: no process keeps a handshake. Any worker takes any leg of any connection.
//!
//! The acceptor passes each connection to a worker, round-robin, together with the handshake so far: an exported partial
//! context, sealed, which it can't read itself. The worker answers **one** request and gives both back, until it has
//! authenticated the client, whose connection it then keeps. So the legs of one handshake land in different processes.

use std::env;
use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{self, Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::Account;
use crate::authentication::{Authenticator, Leg};
use crate::handover::Handover;
use crate::handover::descriptor::{self, Sender};
use crate::http::{Connection, HttpError, Status};
use crate::worker::serve_client;

/// How a worker gets the accounts, a line for each.
pub(crate) const ACCOUNTS_VARIABLE: &str = "HTTP_SERVICE_ACCOUNTS";
/// Connections of one worker whose client is not known yet. Anybody can open one, so there must be a bound.
const MAX_UNAUTHENTICATED: usize = 256;
const RESPAWN_AFTER: Duration = Duration::from_millis(250);
/// A header field of every answer: which process took this leg.
const WORKER_FIELD: &str = "X-Worker";

/// The acceptor: listens, and passes connections from worker to worker.
pub(crate) fn run(listen: SocketAddr, accounts: &str, workers: usize) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen)?;
    let ring = Arc::new(Ring {
        workers: (0..workers).map(|_| RwLock::default()).collect(),
        next: AtomicUsize::new(0),
    });
    for place in 0..workers {
        let (child, sender) = spawn(accounts)?;
        ring.set(place, Some(Arc::clone(&sender)));
        let (ring, accounts) = (Arc::clone(&ring), accounts.to_owned());
        thread::spawn(move || supervise(&ring, place, &accounts, child, sender));
    }
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let new = Handover { blob: Vec::new(), unserved: Vec::new() };
        if let Err(error) = stream.and_then(|stream| ring.pass_on(None, &stream, &new)) {
            eprintln!("acceptor: {error}");
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// The workers, each at its place; a place is empty while its worker is replaced.
struct Ring {
    workers: Vec<RwLock<Option<Arc<Sender>>>>,
    next: AtomicUsize,
}

impl Ring {
    fn set(&self, place: usize, sender: Option<Arc<Sender>>) {
        if let Some(worker) = self.workers.get(place) {
            *worker.write().unwrap_or_else(PoisonError::into_inner) = sender;
        }
    }

    /// To another worker than `from`, as long as there is one.
    fn pass_on(&self, from: Option<usize>, connection: &TcpStream, handover: &Handover) -> io::Result<()> {
        let first = from.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed)) + 1;
        let mut failure = io::Error::other("no worker is running");
        for worker in self.workers.iter().cycle().skip(first % self.workers.len()).take(self.workers.len()) {
            let sender = worker.read().unwrap_or_else(PoisonError::into_inner).clone();
            match sender.map(|sender| sender.send(connection, handover)) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => failure = error,
                None => {}
            }
        }
        Err(failure)
    }
}

fn spawn(accounts: &str) -> io::Result<(Child, Arc<Sender>)> {
    let mut worker = Command::new(env::current_exe()?);
    worker.args(["--stateless-worker", &process::id().to_string()]).env(ACCOUNTS_VARIABLE, accounts);
    descriptor::start(&mut worker).map(|(child, sender)| (child, Arc::new(sender)))
}

/// Passes on what the worker at `place` gives back, and replaces it when it ends.
fn supervise(ring: &Ring, place: usize, accounts: &str, mut child: Child, mut sender: Arc<Sender>) {
    loop {
        if let Err(error) = pass_on_all(ring, place, &sender) {
            eprintln!("acceptor: {error}");
        }
        ring.set(place, None);
        let _ = child.kill();
        eprintln!("acceptor: worker {} ended: {:?}", child.id(), child.wait());
        (child, sender) = loop {
            thread::sleep(RESPAWN_AFTER);
            match spawn(accounts) {
                Ok(spawned) => break spawned,
                Err(error) => eprintln!("acceptor: no new worker: {error}"),
            }
        };
        ring.set(place, Some(Arc::clone(&sender)));
    }
}

fn pass_on_all(ring: &Ring, place: usize, sender: &Sender) -> io::Result<()> {
    let way_back = sender.way_back()?;
    while let Some((connection, handover)) = way_back.receive()? {
        if let Err(error) = ring.pass_on(Some(place), &connection, &handover) {
            eprintln!("acceptor: a connection is lost: {error}");
        }
    }
    Ok(())
}

/// The worker: takes legs until the acceptor is gone and the last connection is closed.
pub(crate) fn work(acceptor: u32, accounts: Vec<Account>) -> Result<(), Box<dyn Error>> {
    let authenticator = Authenticator::new(accounts)?;
    let receiver = descriptor::Receiver::new()?;
    let way_back = receiver.way_back()?;
    let place = Arc::new(());
    thread::scope(|scope| {
        while let Some((stream, handover)) = receiver.receive()? {
            if Arc::strong_count(&place) > MAX_UNAUTHENTICATED {
                continue;
            }
            let (authenticator, way_back, place) = (&authenticator, &way_back, Arc::clone(&place));
            scope.spawn(move || {
                if let Err(error) = take_leg(authenticator, way_back, acceptor, stream, handover, place) {
                    eprintln!("worker {}: {error}", process::id());
                }
            });
        }
        Ok(())
    })
}

/// Answers the connection's next request.
fn take_leg(
    authenticator: &Authenticator,
    way_back: &Sender,
    acceptor: u32,
    stream: TcpStream,
    handover: Handover,
    place: Arc<()>,
) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::new(stream, handover.unserved)?;
    let worker = process::id().to_string();
    let request = match connection.request() {
        Ok(Some(request)) => request,
        Ok(None) => return Ok(()),
        Err(HttpError::Refused(status)) => return refuse(connection, status),
        Err(HttpError::Io(error)) => return Err(error.into()),
    };
    let (answer, blob) = match request.ntlm_token() {
        Some(Ok(token)) => match authenticator.accept_leg(&handover.blob, &token) {
            Ok(Leg::Continue { blob, token }) => (format!("NTLM {}", BASE64_STANDARD.encode(token)), blob),
            Ok(Leg::Authenticated { client }) => {
                drop(place);
                return serve_client(connection, &client, acceptor, &[(WORKER_FIELD, &worker)]);
            }
            Err(error) => {
                // The challenge is used up, and nobody counts attempts: the next one needs a new connection.
                eprintln!("worker {worker}: a logon failed: {error}");
                return refuse(connection, Status::Unauthorized);
            }
        },
        Some(Err(_)) => return refuse(connection, Status::BadRequest),
        None => ("NTLM".to_owned(), Vec::new()),
    };
    let fields = [("WWW-Authenticate", answer.as_str()), (WORKER_FIELD, &worker)];
    connection
        .answer(&request, Status::Unauthorized, &fields, "who are you?\n")
        .map_err(|error| error.to_string())?;
    if request.keep_alive {
        let (stream, unserved) = connection.into_parts();
        way_back.send(&stream, &Handover { blob, unserved })?;
    }
    Ok(())
}

fn refuse(mut connection: Connection, status: Status) -> Result<(), Box<dyn Error>> {
    connection.refuse(status).map_err(|error| error.to_string().into())
}
