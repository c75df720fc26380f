//! Passes the connection's descriptor over a Unix socket (`SCM_RIGHTS`), which is the worker's standard input.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use super::{HEADER, Handover};

/// How long a worker may leave its queue full before it counts as hung.
const SEND_TIME: Duration = Duration::from_secs(5);

/// Starts a worker whose standard input is its end of the way.
pub(crate) fn start(worker: &mut Command) -> io::Result<(Child, Sender)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_write_timeout(Some(SEND_TIME))?;
    let child = worker.stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
    Ok((child, Sender(Mutex::new(ours))))
}

#[derive(Debug)]
pub(crate) struct Sender(Mutex<UnixStream>);

impl Sender {
    /// What the other end sends back.
    #[allow(dead_code, reason = "not every example needs the way back")]
    pub(crate) fn way_back(&self) -> io::Result<Receiver> {
        self.stream().map(Receiver)
    }

    /// The way as a stream of bytes, for what is no handover.
    #[allow(dead_code, reason = "not every example needs it")]
    pub(crate) fn stream(&self) -> io::Result<UnixStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).try_clone()
    }

    /// Hands a connection over. After an error the other end has not got it.
    pub(crate) fn send(&self, connection: &TcpStream, handover: &Handover) -> io::Result<()> {
        let header = handover.header()?;
        // The mutex guards no invariant of its own: a send that panicked half-way is the worker's read error.
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = [connection.as_fd()];
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("no room for a descriptor"));
        }
        let sent = loop {
            match sendmsg(&*socket, &[IoSlice::new(&header)], &mut ancillary, SendFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result?,
            }
        };
        socket.write_all(header.get(sent..).unwrap_or_default())?;
        socket.write_all(&handover.blob)?;
        socket.write_all(&handover.unserved)
    }
}

#[derive(Debug)]
pub(crate) struct Receiver(UnixStream);

impl Receiver {
    /// The end of a process that [`start`] started.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(io::stdin().as_fd().try_clone_to_owned()?.into()))
    }

    /// For handing connections back.
    #[allow(dead_code, reason = "not every example needs the way back")]
    pub(crate) fn way_back(&self) -> io::Result<Sender> {
        let socket = self.stream()?;
        socket.set_write_timeout(Some(SEND_TIME))?;
        Ok(Sender(Mutex::new(socket)))
    }

    /// The way as a stream of bytes, for what is no handover.
    #[allow(dead_code, reason = "not every example needs it")]
    pub(crate) fn stream(&self) -> io::Result<UnixStream> {
        self.0.try_clone()
    }

    /// Waits for the next connection; `None` when the other end is gone.
    pub(crate) fn receive(&self) -> io::Result<Option<(TcpStream, Handover)>> {
        let mut header = [0; HEADER];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let count = loop {
            let mut into = [IoSliceMut::new(&mut header)];
            match recvmsg(&self.0, &mut into, &mut ancillary, RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result?.bytes,
            }
        };
        if count == 0 {
            return Ok(None);
        }
        let descriptor = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        let Some(descriptor) = descriptor else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a handover without a connection"));
        };
        let mut socket = &self.0;
        socket.read_exact(header.get_mut(count..).unwrap_or_default())?;
        Ok(Some((TcpStream::from(descriptor), Handover::read_after(header, &mut socket)?)))
    }
}
