//! The acceptor: authenticates clients and hands their connections over.

use std::error::Error;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::Account;
use crate::authentication::{Authenticator, Outcome};
use crate::handover::{Handover, Way};
use crate::http::{Connection, HttpError, Status};
use crate::pool::Pool;

/// Connections whose client is not known yet. Anybody can open one, so there must be a bound.
const MAX_UNAUTHENTICATED: usize = 256;
/// Failed logons on one connection, after which it is closed.
const MAX_ATTEMPTS: u32 = 3;

/// Listens and serves until the process ends.
pub(crate) fn run(
    listen: SocketAddr,
    accounts: Vec<Account>,
    workers: usize,
    way: Way,
) -> Result<(), Box<dyn Error>> {
    let authenticator = Arc::new(Authenticator::new(accounts)?);
    let listener = TcpListener::bind(listen)?;
    let pool = Arc::new(Pool::start(workers, way)?);
    println!("listening on {}", listener.local_addr()?);
    // Each connection's thread holds one of these.
    let place = Arc::new(());
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Out of descriptors, most likely: some will be closed soon.
                eprintln!("acceptor: {error}");
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        if Arc::strong_count(&place) > MAX_UNAUTHENTICATED {
            continue;
        }
        let (authenticator, pool, place) =
            (Arc::clone(&authenticator), Arc::clone(&pool), Arc::clone(&place));
        thread::spawn(move || {
            if let Err(error) = serve(&authenticator, &pool, stream) {
                eprintln!("acceptor: {error}");
            }
            drop(place);
        });
    }
    Ok(())
}

/// Authenticates one connection. NTLM authenticates the connection, not the request (RFC 4559 6), so the state of the
/// handshake lives exactly as long as it.
fn serve(authenticator: &Authenticator, pool: &Pool, stream: TcpStream) -> Result<(), HttpError> {
    let mut connection = Connection::new(stream, Vec::new())?;
    let mut handshake = None;
    let mut attempts = 0;
    loop {
        let request = match connection.request() {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(HttpError::Refused(status)) => return connection.refuse(status),
            Err(error) => return Err(error),
        };
        let answer = match request.ntlm_token() {
            Some(Ok(token)) => match authenticator.accept(handshake.take(), &token) {
                Ok(Outcome::Continue { handshake: next, token }) => {
                    handshake = Some(next);
                    format!("NTLM {}", BASE64_STANDARD.encode(token))
                }
                Ok(Outcome::Authenticated { blob }) => return hand_over(pool, connection, blob),
                Err(error) => {
                    eprintln!("acceptor: a logon failed: {error}");
                    attempts += 1;
                    if attempts == MAX_ATTEMPTS {
                        return connection.refuse(Status::Unauthorized);
                    }
                    "NTLM".to_owned()
                }
            },
            Some(Err(_)) => return connection.refuse(Status::BadRequest),
            None => {
                // Without a token there is nothing to go on with.
                handshake = None;
                "NTLM".to_owned()
            }
        };
        let fields = [("WWW-Authenticate", answer.as_str())];
        connection.answer(&request, Status::Unauthorized, &fields, "who are you?\n")?;
        if !request.keep_alive {
            return Ok(());
        }
    }
}

/// The request stays unserved: the worker answers it.
fn hand_over(pool: &Pool, connection: Connection, blob: Vec<u8>) -> Result<(), HttpError> {
    let (stream, unserved) = connection.into_parts();
    let handover = Handover { blob, unserved };
    match pool.hand_over(&stream, &handover) {
        Ok(()) => Ok(()),
        Err(error) => {
            eprintln!("acceptor: no worker takes the connection: {error}");
            Connection::new(stream, handover.unserved)?.refuse(Status::Unavailable)
        }
    }
}
