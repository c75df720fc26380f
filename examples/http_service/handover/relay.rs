//! Relays the connection's bytes: the worker listens on the loopback interface, and the acceptor makes a connection to
//! it for each client.
//!
//! Whoever can connect to the worker's port gains nothing: what speaks for a client is the exported context, which
//! only a process of this host and user can have made, and which is good for one import.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, channel};
use std::thread;
use std::time::Duration;

use super::{HEADER, Handover};

/// How long a handover may take: both ends are on this host.
const HANDOVER_TIME: Duration = Duration::from_secs(5);

pub(super) fn start(worker: &mut Command) -> io::Result<(Child, Sender)> {
    let mut child = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    match line.trim().parse() {
        Ok(worker) => {
            // Out of the child's own hands: waiting for the child would close it, and with it end the worker.
            let alive = child.stdin.take();
            Ok((child, Sender { worker, _alive: alive }))
        }
        Err(_) => {
            child.kill()?;
            child.wait()?;
            Err(io::Error::other("the worker did not say where it listens"))
        }
    }
}

#[derive(Debug)]
pub(crate) struct Sender {
    worker: SocketAddr,
    _alive: Option<ChildStdin>,
}

impl Sender {
    pub(super) fn send(&self, connection: &TcpStream, handover: &Handover) -> io::Result<()> {
        let client = connection.try_clone()?;
        // How long a client may be silent is now the worker's business.
        client.set_read_timeout(None)?;
        let mut worker = TcpStream::connect_timeout(&self.worker, HANDOVER_TIME)?;
        worker.set_nodelay(true)?;
        worker.set_write_timeout(Some(HANDOVER_TIME))?;
        worker.write_all(&handover.header()?)?;
        worker.write_all(&handover.blob)?;
        worker.write_all(&handover.unserved)?;
        worker.set_write_timeout(None)?;
        let (client_in, worker_out) = (client.try_clone()?, worker.try_clone()?);
        thread::spawn(move || copy(client_in, worker_out));
        thread::spawn(move || copy(worker, client));
        Ok(())
    }
}

/// Copies until one side ends or fails, and tells the other.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    // Either way it is over, and who is at the ends notices.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[derive(Debug)]
pub(crate) struct Receiver(mpsc::Receiver<(TcpStream, Handover)>);

impl Receiver {
    pub(super) fn new() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        println!("{}", listener.local_addr()?);
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                // One that connects and says nothing must not hold up the others.
                thread::spawn(move || match take_over(stream) {
                    Ok(taken) => drop(sender.send(taken)),
                    Err(error) => eprintln!("no handover: {error}"),
                });
            }
        });
        // The acceptor holds the other end of standard input and never writes: its end is the acceptor's, through
        // whom all connections went.
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            std::process::exit(0);
        });
        Ok(Self(receiver))
    }

    pub(super) fn receive(&self) -> io::Result<Option<(TcpStream, Handover)>> {
        Ok(self.0.recv().ok())
    }
}

fn take_over(mut stream: TcpStream) -> io::Result<(TcpStream, Handover)> {
    stream.set_read_timeout(Some(HANDOVER_TIME))?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let handover = Handover::read_after(header, &mut stream)?;
    Ok((stream, handover))
}
