//! The worker: takes over authenticated connections and serves them.

use std::error::Error;
use std::io;
use std::net::TcpStream;
use std::{process, thread};

use crate::authentication::Importer;
use crate::handover::{Handover, Way};
use crate::http::{Connection, HttpError, Status};

/// Serves what `way` brings until the acceptor is gone and the last connection is closed.
pub(crate) fn run(way: Way, acceptor: u32) -> Result<(), Box<dyn Error>> {
    let importer = Importer::new()?;
    let receiver = way.receiver()?;
    // The scope waits for all connections: a restarted acceptor drops no client of the old one's workers.
    thread::scope(|scope| {
        while let Some((stream, handover)) = receiver.receive()? {
            let importer = &importer;
            scope.spawn(move || {
                if let Err(error) = serve(importer, acceptor, stream, handover) {
                    eprintln!("worker {}: {error}", process::id());
                }
            });
        }
        Ok(())
    })
}

fn serve(
    importer: &Importer,
    acceptor: u32,
    stream: TcpStream,
    handover: Handover,
) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::new(stream, handover.unserved)?;
    let client = match importer.import(&handover.blob) {
        Ok(context) => context.names().user_name,
        Err(error) => {
            // Nothing is known about the client, so it gets nothing.
            let _ = connection.refuse(Status::Unavailable);
            return Err(error.into());
        }
    };
    serve_client(connection, &client, acceptor, &[])
}

/// Serves an authenticated client, whose request is the connection's next, until it goes away.
pub(crate) fn serve_client(
    mut connection: Connection,
    client: &str,
    acceptor: u32,
    fields: &[(&str, &str)],
) -> Result<(), Box<dyn Error>> {
    let body = format!("user: {client}\nworker: {}\nacceptor: {acceptor}\n", process::id());
    let mut authenticates_again = false;
    loop {
        let request = match connection.request() {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(HttpError::Refused(status)) => return answered(connection.refuse(status)),
            Err(HttpError::Io(error)) => return closed(error),
        };
        // The first request is the one that brought the last token. A client that starts over wants to be another
        // user; this connection belongs to one, so it has to make a new one.
        if authenticates_again && request.authorization.is_some() {
            return answered(connection.refuse(Status::Unauthorized));
        }
        authenticates_again = true;
        answered(connection.answer(&request, Status::Ok, fields, &body))?;
        if !request.keep_alive {
            return Ok(());
        }
    }
}

fn answered(result: Result<(), HttpError>) -> Result<(), Box<dyn Error>> {
    result.map_err(|error| error.to_string().into())
}

/// A client that is silent for too long, or gone, is no fault.
fn closed(error: io::Error) -> Result<(), Box<dyn Error>> {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionReset => Ok(()),
        _ => Err(error.into()),
    }
}
