//! One running `ntlm_auth`.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use zeroize::{Zeroize, Zeroizing};

use super::protocol::{self, Answer};

/// An answer has four lines of a hundred bytes.
const LONGEST_ANSWER: usize = 8 * 1024;

/// The process, and the socket that is its input and its output.
///
/// A socket and not two pipes: reading and writing can have a time limit, and writing to a helper that has died does
/// not raise SIGPIPE, which would end a program written in C.
#[derive(Debug)]
pub(super) struct Helper {
    // Taken out when it is dropped only.
    process: Option<Child>,
    socket: UnixStream,
    /// What came behind the last answer.
    received: Zeroizing<Vec<u8>>,
    owner: u32,
    has_served: bool,
}

/// A helper that failed, and must not be asked again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) problem: String,
    /// Whether it had ended since the last question, so that a new one would have answered.
    pub(super) was_gone: bool,
}

impl Failure {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), was_gone: false }
    }

    fn ended() -> Self {
        Self { problem: "it ended".into(), was_gone: true }
    }

    fn from_errno(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Self::ended(),
            Errno::AGAIN | Errno::TIMEDOUT => Self::new(OUT_OF_TIME),
            errno => Self::new(io::Error::from(errno).to_string()),
        }
    }
}

const OUT_OF_TIME: &str = "it gave no answer in time";

impl Helper {
    pub(super) fn start(program: &Path, arguments: &[OsString]) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
        let theirs = OwnedFd::from(theirs);
        let process = Command::new(program)
            .arg("--helper-protocol=ntlm-server-1")
            .args(arguments)
            .stdin(Stdio::from(theirs.try_clone()?))
            .stdout(Stdio::from(theirs))
            .spawn()?;
        Ok(Self {
            process: Some(process),
            socket,
            // All it will ever hold: growing would leave copies of a key behind.
            received: Zeroizing::new(Vec::with_capacity(LONGEST_ANSWER)),
            owner: process::id(),
            has_served: false,
        })
    }

    /// Puts a question and waits for the answer.
    ///
    /// # Errors
    /// [`Failure`]; the helper is of no more use.
    pub(super) fn ask(&mut self, lines: &str, deadline: Instant) -> Result<Answer, Failure> {
        self.check_idle()?;
        self.send(lines.as_bytes(), deadline)?;
        // What came before the question is not its answer.
        let before = self.received.len();
        loop {
            if let Some((answer, length)) = protocol::parse_answer(&self.received).map_err(Failure::new)? {
                self.discard(length);
                self.has_served = true;
                return Ok(answer);
            }
            match self.receive(RecvFlags::empty(), Some(deadline))? {
                0 if self.received.len() == before && self.has_served => return Err(Failure::ended()),
                0 => return Err(Failure::new("it ended in the middle of a request")),
                _ => {}
            }
        }
    }

    /// An answer that comes before its question is none.
    fn check_idle(&mut self) -> Result<(), Failure> {
        loop {
            match self.receive(RecvFlags::DONTWAIT, None) {
                Ok(0) if self.has_served => return Err(Failure::ended()),
                Ok(0) => return Err(Failure::new("it ended at once")),
                Ok(_) => {}
                Err(Failure { problem, .. }) if problem == OUT_OF_TIME => break,
                Err(failure) => return Err(failure),
            }
        }
        if protocol::is_only_ends(&self.received) {
            Ok(())
        } else {
            Err(Failure::new("it said something before it was asked"))
        }
    }

    fn send(&self, mut bytes: &[u8], deadline: Instant) -> Result<(), Failure> {
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::empty();
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::NOSIGNAL;
        while !bytes.is_empty() {
            let limit = Some(remaining(deadline)?);
            self.socket.set_write_timeout(limit).map_err(|error| Failure::new(error.to_string()))?;
            match rustix::net::send(self.socket.as_fd(), bytes, flags) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(errno) => {
                    let failure = Failure::from_errno(errno);
                    return Err(Failure { was_gone: failure.was_gone && self.has_served, ..failure });
                }
            }
        }
        Ok(())
    }

    /// Appends what there is to `received`: how many bytes.
    fn receive(&mut self, flags: RecvFlags, deadline: Option<Instant>) -> Result<usize, Failure> {
        let mut buffer = Zeroizing::new([0; 1024]);
        let received = loop {
            if let Some(deadline) = deadline {
                let limit = Some(remaining(deadline)?);
                self.socket.set_read_timeout(limit).map_err(|error| Failure::new(error.to_string()))?;
            }
            match rustix::net::recv(self.socket.as_fd(), &mut *buffer, flags) {
                Ok((received, _)) => break received,
                Err(Errno::INTR) => {}
                // Its end, too: what it had not read when it ended.
                Err(Errno::CONNRESET) => break 0,
                Err(errno) => return Err(Failure::from_errno(errno)),
            }
        };
        if self.received.len() + received > LONGEST_ANSWER {
            return Err(Failure::new("its answer has no end"));
        }
        self.received.extend_from_slice(buffer.get(..received).unwrap_or_default());
        Ok(received)
    }

    /// Wipes the first `length` bytes of what was received.
    fn discard(&mut self, length: usize) {
        // Ends of answers at most, and no secret.
        let rest = self.received.get(length..).unwrap_or_default().to_vec();
        self.received.zeroize();
        self.received.extend_from_slice(&rest);
    }

    /// Whether this process started it. After a fork the child has a copy, and must not talk into the parent's.
    pub(super) fn is_ours(&self) -> bool {
        self.owner == process::id()
    }

    #[cfg(test)]
    pub(super) fn disown(&mut self) {
        self.owner = 0;
    }

    #[cfg(test)]
    pub(super) fn process_id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if !self.is_ours() {
            return;
        }
        let Some(mut process) = self.process.take() else { return };
        let _ = process.kill();
        // It ends soon, but a service that waits for an answer must not wait for that.
        if !matches!(process.try_wait(), Ok(Some(_))) {
            let _ = thread::Builder::new().name("ntlm_auth end".into()).spawn(move || process.wait());
        }
    }
}

fn remaining(deadline: Instant) -> Result<Duration, Failure> {
    let remaining = deadline.saturating_duration_since(Instant::now());
    if remaining.is_zero() { Err(Failure::new(OUT_OF_TIME)) } else { Ok(remaining) }
}
