//! The clients: they check that one conversation goes on, whoever is at its other end.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use portable_sspi::ntlm::{Ntlm, NtlmConfig};
use portable_sspi::{
    AcquireRequest, AuthIdentity, Credentials, InitializeRequest, IscReq, PartialContext, SecurityContext,
    Sspi, SspiConfig, Step,
};

use crate::story::PASSWORD_VARIABLE;
use crate::{Outcome, frames};

/// Threads that keep their connection all the time.
const FAITHFUL: usize = 6;
/// Threads that make one connection after another.
const FICKLE: usize = 3;
/// Messages of a fickle client's connection.
const SHORT: u64 = 12;
/// Messages under way at once.
const WINDOW: u64 = 8;
const REQUIREMENTS: IscReq = IscReq::CONFIDENTIALITY;
/// Longer than any restart; a service that is gone is noticed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one thread has seen.
#[derive(Default)]
struct Seen {
    messages: u64,
    connections: u64,
    services: BTreeSet<String>,
}

/// A process full of clients, until its standard input ends. Says when those that stay have got their first answers.
pub fn run(address: &str) -> Outcome<()> {
    let password = std::env::var(PASSWORD_VARIABLE)?;
    let end = Arc::new(AtomicBool::new(false));
    let (answered, first_answers) = channel();
    let threads: Vec<_> = (0..FAITHFUL + FICKLE)
        .map(|number| {
            let answered = (number < FAITHFUL).then(|| answered.clone());
            let (address, password, end) = (address.to_owned(), password.clone(), Arc::clone(&end));
            thread::spawn(move || {
                let limit = if number < FAITHFUL { u64::MAX } else { SHORT };
                let result = one_client(&address, &password, limit, &end, answered);
                // The others need not go on for long when one has failed.
                result.inspect_err(|_| end.store(true, Ordering::Relaxed))
            })
        })
        .collect();
    drop(answered);
    // Fewer where one fails, which drops its sender.
    println!("{} clients have been answered", first_answers.iter().count());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    end.store(true, Ordering::Relaxed);

    let mut all = Seen::default();
    for (number, thread) in threads.into_iter().enumerate() {
        let seen = thread.join().map_err(|_| "a client panicked")??;
        if number < FAITHFUL && seen.services.len() < 2 {
            return Err("a client that stayed all the time has met one service only".into());
        }
        all.messages += seen.messages;
        all.connections += seen.connections;
        all.services.extend(seen.services);
    }
    println!(
        "{} messages over {} connections with {} service processes, seen by client process {}",
        all.messages,
        all.connections,
        all.services.len(),
        std::process::id()
    );
    Ok(())
}

fn one_client(
    address: &str,
    password: &str,
    limit: u64,
    end: &AtomicBool,
    mut answered: Option<Sender<()>>,
) -> Outcome<Seen> {
    let mut seen = Seen::default();
    while !end.load(Ordering::Relaxed) {
        let mut session = Session::log_on(address, "alice", password)?;
        seen.connections += 1;
        let mut sent = 0;
        let mut received = 0;
        loop {
            let more = sent < limit && !end.load(Ordering::Relaxed);
            if more && sent - received < WINDOW {
                session.send(&message(sent))?;
                sent += 1;
                continue;
            }
            if received == sent {
                break;
            }
            // "<process> <messages of this session before> <the message>"
            let answer = session.receive()?;
            let (service, rest) = answer.split_once(' ').ok_or("a strange answer")?;
            let expected = format!("{received} {}", message(received));
            if rest != expected {
                return Err(format!("message {received} of a session: {rest:.80} for {expected:.80}").into());
            }
            seen.services.insert(service.to_owned());
            received += 1;
            if let Some(answered) = answered.take() {
                answered.send(())?;
            }
        }
        seen.messages += received;
    }
    Ok(seen)
}

/// The n-th message of a session, short or long.
fn message(number: u64) -> String {
    let length = usize::try_from(number * 37 % 1500).unwrap_or_default();
    format!("{number}:{}", "x".repeat(length))
}

/// A handshake that stops when the challenge is there.
pub struct HalfWay {
    sspi: Sspi,
    credentials: Credentials,
    connection: TcpStream,
    context: PartialContext,
    challenge: Vec<u8>,
}

impl HalfWay {
    /// Connects and gets a challenge.
    pub fn begin(address: &str, user: &str, password: &str) -> Outcome<Self> {
        let ntlm = Ntlm::new(NtlmConfig::default());
        let sspi = Sspi::new(SspiConfig { packages: vec![Arc::new(ntlm)], ..SspiConfig::default() })?;
        let identity = AuthIdentity::new(user, "", password);
        let credentials = sspi.acquire_credentials_handle("NTLM", AcquireRequest::outbound(identity))?;
        let connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_nodelay(true)?;
        let request = InitializeRequest { requirements: REQUIREMENTS, ..InitializeRequest::default() };
        match sspi.initialize_security_context(&credentials, None, &request)? {
            Step::ContinueNeeded { context, token } => {
                frames::send(&connection, &token)?;
                let challenge = frames::receive(&connection)?;
                Ok(Self { sspi, credentials, connection, context, challenge })
            }
            Step::Complete { .. } => Err("NTLM has more than one leg".into()),
        }
    }

    /// Answers the challenge.
    pub fn finish(self) -> Outcome<Session> {
        let Self { sspi, credentials, connection, context, challenge } = self;
        let request = InitializeRequest {
            requirements: REQUIREMENTS,
            token: Some(&challenge),
            ..InitializeRequest::default()
        };
        match sspi.initialize_security_context(&credentials, Some(context), &request)? {
            Step::Complete { context, token } => {
                frames::send(&connection, &token.unwrap_or_default())?;
                Ok(Session { connection, context })
            }
            Step::ContinueNeeded { .. } => Err("NTLM has no fourth leg".into()),
        }
    }
}

/// A sealed conversation with the service.
pub struct Session {
    connection: TcpStream,
    context: Box<dyn SecurityContext>,
}

impl Session {
    /// Connects and authenticates.
    pub fn log_on(address: &str, user: &str, password: &str) -> Outcome<Self> {
        HalfWay::begin(address, user, password)?.finish()
    }

    /// One question and its answer, without the service's own prefix.
    pub fn ask(&mut self, question: &str) -> Outcome<String> {
        self.send(question)?;
        self.receive()
    }

    fn send(&mut self, message: &str) -> Outcome<()> {
        frames::send(&self.connection, &self.context.wrap(message.as_bytes())?)
    }

    fn receive(&mut self) -> Outcome<String> {
        let mut sealed = frames::receive(&self.connection)?;
        Ok(String::from_utf8(self.context.unwrap(&mut sealed)?.to_vec())?)
    }
}
