//! How a connection gets from the acceptor's process to a worker's.
//!
//! What travels with it is the same everywhere: a [`Handover`]. The connection itself is passed as a descriptor where
//! the operating system can do that, and relayed byte by byte where it cannot.

#[cfg(unix)]
pub(crate) mod descriptor;
mod relay;

use std::io::{self, Read};
use std::net::TcpStream;
use std::process::{Child, Command};

/// No context comes near this; it bounds what a broken acceptor can make a worker allocate.
const MAX_BLOB: usize = 1024 * 1024;
/// A whole request that was read ahead, and some.
const MAX_UNSERVED: usize = 128 * 1024;
/// Two lengths of four bytes.
const HEADER: usize = 8;

/// What a worker needs besides the connection.
#[derive(Debug)]
pub(crate) struct Handover {
    /// The exported security context: who the client is.
    pub(crate) blob: Vec<u8>,
    /// What was read from the connection and not answered yet, the request that ended the handshake first.
    pub(crate) unserved: Vec<u8>,
}

impl Handover {
    fn header(&self) -> io::Result<[u8; HEADER]> {
        let [b0, b1, b2, b3] = length(&self.blob, MAX_BLOB)?;
        let [u0, u1, u2, u3] = length(&self.unserved, MAX_UNSERVED)?;
        Ok([b0, b1, b2, b3, u0, u1, u2, u3])
    }

    fn read_after([b0, b1, b2, b3, u0, u1, u2, u3]: [u8; HEADER], from: &mut impl Read) -> io::Result<Self> {
        Ok(Self {
            blob: read(from, [b0, b1, b2, b3], MAX_BLOB)?,
            unserved: read(from, [u0, u1, u2, u3], MAX_UNSERVED)?,
        })
    }
}

fn length(bytes: &[u8], limit: usize) -> io::Result<[u8; 4]> {
    match u32::try_from(bytes.len()) {
        Ok(length) if bytes.len() <= limit => Ok(length.to_le_bytes()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "too much to hand over")),
    }
}

fn read(from: &mut impl Read, length: [u8; 4], limit: usize) -> io::Result<Vec<u8>> {
    match usize::try_from(u32::from_le_bytes(length)) {
        Ok(length) if length <= limit => {
            let mut bytes = vec![0; length];
            from.read_exact(&mut bytes)?;
            Ok(bytes)
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a length out of its range")),
    }
}

/// The way a connection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As a descriptor, over a Unix socket: the acceptor is out of the way afterwards.
    #[cfg(unix)]
    Descriptor,
    /// Over a connection from the acceptor to the worker: works everywhere.
    Relay,
}

impl Way {
    /// The best that the operating system can do.
    pub(crate) const BEST: Self = {
        #[cfg(unix)]
        {
            Self::Descriptor
        }
        #[cfg(not(unix))]
        {
            Self::Relay
        }
    };

    /// For the command line of a worker.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            #[cfg(unix)]
            Self::Descriptor => "descriptor",
            Self::Relay => "relay",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            #[cfg(unix)]
            "descriptor" => Some(Self::Descriptor),
            "relay" => Some(Self::Relay),
            _ => None,
        }
    }

    /// Starts a worker process and gives the acceptor's end of the way to it.
    pub(crate) fn start(self, worker: &mut Command) -> io::Result<(Child, Sender)> {
        match self {
            #[cfg(unix)]
            Self::Descriptor => {
                descriptor::start(worker).map(|(child, sender)| (child, Sender::Descriptor(sender)))
            }
            Self::Relay => relay::start(worker).map(|(child, sender)| (child, Sender::Relay(sender))),
        }
    }

    /// The worker's end, in a process that [`start`](Self::start) started.
    pub(crate) fn receiver(self) -> io::Result<Receiver> {
        match self {
            #[cfg(unix)]
            Self::Descriptor => descriptor::Receiver::new().map(Receiver::Descriptor),
            Self::Relay => relay::Receiver::new().map(Receiver::Relay),
        }
    }
}

/// The acceptor's end of the way to one worker.
#[derive(Debug)]
pub(crate) enum Sender {
    #[cfg(unix)]
    Descriptor(descriptor::Sender),
    Relay(relay::Sender),
}

impl Sender {
    /// Hands a connection over. After an error the worker has not got it.
    pub(crate) fn send(&self, connection: &TcpStream, handover: &Handover) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(sender) => sender.send(connection, handover),
            Self::Relay(sender) => sender.send(connection, handover),
        }
    }
}

/// The worker's end.
#[derive(Debug)]
pub(crate) enum Receiver {
    #[cfg(unix)]
    Descriptor(descriptor::Receiver),
    Relay(relay::Receiver),
}

impl Receiver {
    /// Waits for the next connection; `None` when the acceptor is gone.
    pub(crate) fn receive(&self) -> io::Result<Option<(TcpStream, Handover)>> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(receiver) => receiver.receive(),
            Self::Relay(receiver) => receiver.receive(),
        }
    }
}
