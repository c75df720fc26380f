//! The service: authenticates its clients and answers each message with its own process number, how many messages the
//! session has had before, and the message.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_sspi::ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames};
use portable_sspi::{
    AcceptRequest, AcquireRequest, Credentials, PartialContext, SecurityContext, Sspi, SspiConfig, Step,
};

use crate::story::PASSWORD_VARIABLE;
use crate::{Outcome, restart};

/// How long a thread waits for its client before it looks whether the service goes on.
const LOOK_UP: Duration = Duration::from_millis(5);
/// Larger than any message here.
const LIMIT: usize = 64 * 1024;
const CHUNK: usize = 16 * 1024;
/// After so long without any client, the story has failed and nobody will tell the service to end.
const ALONE: Duration = Duration::from_secs(5);

const RUN: u8 = 0;
const RESTART: u8 = 1;
const QUIT: u8 = 2;

/// How far a client has got.
pub enum Progress {
    /// Nothing has come from it.
    Connected,
    /// It has been sent a challenge.
    Challenged(PartialContext),
    /// It is known, and has sent so many messages.
    Established(Box<dyn SecurityContext>, u64),
}

/// One client's connection.
pub struct Client {
    pub connection: TcpStream,
    pub progress: Progress,
    /// What was read and is no whole message yet.
    pub unserved: Vec<u8>,
}

/// What all threads share.
pub struct Service {
    pub sspi: Sspi,
    credentials: Credentials,
    pub generation: u32,
    state: AtomicU8,
}

impl Service {
    pub fn new(generation: u32) -> Outcome<Self> {
        let password = std::env::var(PASSWORD_VARIABLE)?;
        let mut accounts = MemoryAccounts::new();
        accounts.add("alice", "", password.as_str());
        accounts.add("admin", "", password.as_str());
        let ntlm = Ntlm::new(NtlmConfig {
            accounts: Some(Arc::new(accounts)),
            server_names: ServerNames::stand_alone("HOTRESTART"),
            ..NtlmConfig::default()
        });
        let sspi = Sspi::new(SspiConfig { packages: vec![Arc::new(ntlm)], ..SspiConfig::default() })?;
        let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::inbound())?;
        Ok(Self { sspi, credentials, generation, state: AtomicU8::new(RUN) })
    }

    fn goes_on(&self) -> bool {
        self.state.load(Ordering::Relaxed) == RUN
    }
}

/// The first of the service's processes.
pub fn run_first() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    run(Service::new(0)?, listener, Vec::new())
}

/// Serves until it is told to restart or to end.
pub fn run(service: Service, listener: TcpListener, clients: Vec<Client>) -> Outcome<()> {
    listener.set_nonblocking(true)?;
    let stopped = Mutex::new(Vec::new());
    let connected = AtomicUsize::new(0);
    let mut last_client = Instant::now();
    thread::scope(|scope| {
        let start = |client: Client| {
            connected.fetch_add(1, Ordering::Relaxed);
            scope.spawn(|| {
                let client = serve(&service, client);
                connected.fetch_sub(1, Ordering::Relaxed);
                if let Some(client) = client {
                    stopped.lock().unwrap_or_else(PoisonError::into_inner).push(client);
                }
            });
        };
        clients.into_iter().for_each(start);
        while service.goes_on() {
            if connected.load(Ordering::Relaxed) > 0 {
                last_client = Instant::now();
            } else if last_client.elapsed() > ALONE {
                service.state.store(QUIT, Ordering::Relaxed);
            }
            match listener.accept() {
                Ok((connection, _)) => {
                    start(Client { connection, progress: Progress::Connected, unserved: Vec::new() });
                }
                // Clients that connect during a restart wait in the listener's queue.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(LOOK_UP),
                Err(error) => eprintln!("service: {error}"),
            }
        }
    });
    let clients = stopped.into_inner().unwrap_or_else(PoisonError::into_inner);
    match service.state.load(Ordering::Relaxed) {
        RESTART => restart::hand_over(&service, &listener, clients),
        _ => Ok(()),
    }
}

/// Serves a client until it goes away (`None`) or the service stops, always between two messages.
fn serve(service: &Service, mut client: Client) -> Option<Client> {
    match serve_while_running(service, &mut client) {
        Ok(true) => Some(client),
        Ok(false) => None,
        Err(error) => {
            // The client notices, too, and the whole story fails.
            eprintln!("service {}: a client is lost: {error}", std::process::id());
            None
        }
    }
}

fn serve_while_running(service: &Service, client: &mut Client) -> Outcome<bool> {
    client.connection.set_nonblocking(false)?;
    client.connection.set_read_timeout(Some(LOOK_UP))?;
    client.connection.set_nodelay(true)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        while let Some(frame) = take_frame(&mut client.unserved)? {
            answer(service, client, frame)?;
            if !service.goes_on() {
                return Ok(true);
            }
        }
        if !service.goes_on() {
            return Ok(true);
        }
        match client.connection.read(&mut chunk) {
            Ok(0) if client.unserved.is_empty() => return Ok(false),
            Ok(0) => return Err("it closed its connection within a message".into()),
            Ok(count) => client.unserved.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if is_nothing_yet(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn answer(service: &Service, client: &mut Client, mut frame: Vec<u8>) -> Outcome<()> {
    let context = match std::mem::replace(&mut client.progress, Progress::Connected) {
        Progress::Connected => None,
        Progress::Challenged(context) => Some(context),
        Progress::Established(mut context, count) => {
            let message = String::from_utf8(context.unwrap(&mut frame)?.to_vec())?;
            let process = std::process::id();
            let is_admin = context.names().user_name == "admin";
            let (answer, next) = match message.as_str() {
                "who" if is_admin => (process.to_string(), RUN),
                "restart" if is_admin => ("restarting".into(), RESTART),
                "quit" if is_admin => ("ending".into(), QUIT),
                _ => (format!("{process} {count} {message}"), RUN),
            };
            send(&client.connection, &context.wrap(answer.as_bytes())?)?;
            client.progress = Progress::Established(context, count + 1);
            if next != RUN {
                service.state.store(next, Ordering::Relaxed);
            }
            return Ok(());
        }
    };
    let request = AcceptRequest { token: &frame, ..AcceptRequest::default() };
    client.progress = match service.sspi.accept_security_context(&service.credentials, context, &request)? {
        Step::ContinueNeeded { context, token } => {
            send(&client.connection, &token)?;
            Progress::Challenged(context)
        }
        Step::Complete { context, .. } => Progress::Established(context, 0),
    };
    Ok(())
}

/// The first whole message: a length of four bytes, little-endian, and then the message.
fn take_frame(unserved: &mut Vec<u8>) -> Outcome<Option<Vec<u8>>> {
    let Some(length) = unserved.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(u32::from_le_bytes(*length))?;
    if length > LIMIT {
        return Err("a message that is too long".into());
    }
    let Some(frame) = unserved.get(4..4 + length).map(<[u8]>::to_vec) else { return Ok(None) };
    unserved.drain(..4 + length);
    Ok(Some(frame))
}

fn send(mut connection: &TcpStream, message: &[u8]) -> Outcome<()> {
    let length = u32::try_from(message.len())?;
    connection.write_all(&[&length.to_le_bytes()[..], message].concat())?;
    Ok(())
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
