//! An HTTP service that authenticates in one process and serves in another.
//!
//! ```text
//! cargo run --example http_service -- --listen 127.0.0.1:8080 --user alice:secret
//! curl --ntlm --user alice:secret http://127.0.0.1:8080/
//! ```
//!
//! The **acceptor** takes connections and authenticates their clients by NTLM. When it knows a client, it exports the
//! security context and hands the connection and the exported context to one of the pre-forked **workers**, which
//! imports the context, answers as the authenticated user, and keeps the connection for the client's further requests.
//! A worker never sees a password, and the acceptor never runs the service's own code.
//!
//! A worker that dies takes its connections with it and is replaced.
//!
//! With `--stateless` (Unix), the acceptor authenticates nobody: it only passes connections around. Each leg of a
//! handshake is taken by another worker, which gets the handshake so far as an exported partial context.

mod acceptor;
mod authentication;
mod handover;
mod http;
mod pool;
#[cfg(unix)]
mod stateless;
mod worker;

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use handover::Way;

const USAGE: &str =
    "usage: http_service --listen ADDRESS:PORT --user [DOMAIN\\]NAME:PASSWORD... [--workers N] [--relay | --stateless]

  --listen     where to listen; port 0 takes a free one; the address is printed when it is ready
  --user       an account; can be given several times
  --workers    how many worker processes; 2 if not given
  --relay      relay connections to the workers even where descriptors could be passed
  --stateless  any worker takes any leg of any connection's handshake; not with --relay";

/// More workers than this is a slip of the keyboard.
const MAX_WORKERS: usize = 256;

/// Who may log on.
#[derive(Debug)]
pub(crate) struct Account {
    user: String,
    domain: String,
    password: portable_sspi::Password,
}

impl Account {
    /// `[DOMAIN\]NAME:PASSWORD`.
    fn parse(text: &str) -> Option<Self> {
        let (name, password) = text.split_once(':')?;
        let (domain, user) = name.split_once('\\').unwrap_or(("", name));
        (!user.is_empty()).then(|| Self {
            user: user.into(),
            domain: domain.into(),
            password: password.into(),
        })
    }
}

struct Options {
    listen: SocketAddr,
    accounts: Vec<Account>,
    workers: usize,
    way: Way,
    stateless: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--worker", way, acceptor] => match (Way::from_name(way), acceptor.parse()) {
            (Some(way), Ok(acceptor)) => worker::run(way, acceptor),
            _ => Err("a worker is started by the acceptor only".into()),
        },
        ["--stateless-worker", acceptor] => stateless_worker(acceptor),
        arguments => parse(arguments).and_then(|options| {
            let Options { listen, accounts, workers, way, stateless } = options;
            if stateless {
                run_stateless(listen, arguments, workers)
            } else {
                acceptor::run(listen, accounts, workers, way)
            }
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http_service: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn run_stateless(listen: SocketAddr, arguments: &[&str], workers: usize) -> Result<(), Box<dyn Error>> {
    let accounts = arguments.windows(2).filter(|pair| pair.first() == Some(&"--user"));
    let accounts: Vec<&str> = accounts.filter_map(|pair| pair.last().copied()).collect();
    stateless::run(listen, &accounts.join("\n"), workers)
}

#[cfg(not(unix))]
fn run_stateless(_: SocketAddr, _: &[&str], _: usize) -> Result<(), Box<dyn Error>> {
    Err("--stateless passes descriptors from worker to worker, which this system cannot do".into())
}

#[cfg(unix)]
fn stateless_worker(acceptor: &str) -> Result<(), Box<dyn Error>> {
    // Out of sight of other users, unlike a command line.
    let accounts = env::var(stateless::ACCOUNTS_VARIABLE)?;
    let accounts = accounts.lines().map(|account| Account::parse(account).ok_or("a worker without accounts"));
    stateless::work(acceptor.parse()?, accounts.collect::<Result<_, _>>()?)
}

#[cfg(not(unix))]
fn stateless_worker(_: &str) -> Result<(), Box<dyn Error>> {
    Err(USAGE.into())
}

fn parse(arguments: &[&str]) -> Result<Options, Box<dyn Error>> {
    let (mut listen, mut accounts, mut workers, mut way) = (None, Vec::new(), 2, Way::BEST);
    let mut stateless = false;
    let mut arguments = arguments.iter();
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{option} needs a value\n\n{USAGE}"));
        match *option {
            "--listen" => listen = Some(value()?.parse().map_err(|_| "--listen needs ADDRESS:PORT")?),
            // Not echoed in the error: it may hold a password.
            "--user" => accounts.push(Account::parse(value()?).ok_or("--user needs NAME:PASSWORD")?),
            "--workers" => workers = value()?.parse().map_err(|_| "--workers needs a number")?,
            "--relay" => way = Way::Relay,
            "--stateless" => stateless = true,
            _ => return Err(USAGE.into()),
        }
    }
    if accounts.is_empty() || workers == 0 || workers > MAX_WORKERS || (stateless && way != Way::BEST) {
        return Err(USAGE.into());
    }
    Ok(Options { listen: listen.ok_or(USAGE)?, accounts, workers, way, stateless })
}
