//! Waiting for a client that was started.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::time::Duration;

use crate::Outcome;

/// Its connection. An error if it ended without one: waiting on would take for ever.
pub fn connection_of(client: &mut Child, listener: &TcpListener) -> Outcome<TcpStream> {
    listener.set_nonblocking(true)?;
    loop {
        // Looked at first: a client that connected and then ended has left its connection.
        let ended = client.try_wait()?;
        match listener.accept() {
            Ok((connection, _)) => {
                // Some systems hand the listener's mode on.
                connection.set_nonblocking(false)?;
                connection.set_read_timeout(Some(Duration::from_secs(30)))?;
                return Ok(connection);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = ended {
            return Err(format!("the client ended with {status} before it connected").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
