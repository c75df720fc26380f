//! Two programs in the form of the crate's own examples, a client and a server over a socket, each with the crate's NTLM
//! and, by one line, with this library's.

mod frames;

mod with_theirs {
    pub(super) mod client {
        use sspi::Ntlm;
        include!("client.rs");
    }
    pub(super) mod server {
        use sspi::Ntlm;
        include!("server.rs");
    }
}

mod with_ours {
    pub(super) mod client {
        use portable_sspi::sspi_crate::Ntlm;
        include!("client.rs");
    }
    pub(super) mod server {
        use portable_sspi::sspi_crate::Ntlm;
        include!("server.rs");
    }
}

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sspi::{AuthIdentity, Error, ErrorKind};

use crate::conversation::{PASSWORD, USER, identity};

type Client = fn(TcpStream, &AuthIdentity) -> Result<Vec<u8>, Error>;
type Server = fn(TcpStream, &AuthIdentity) -> Result<String, Error>;

const CLIENTS: [Client; 2] = [with_theirs::client::run, with_ours::client::run];
const SERVERS: [Server; 2] = [with_theirs::server::run, with_ours::server::run];

/// What the client and the server end with.
fn run(client: Client, server: Server, password: &str) -> (Result<Vec<u8>, Error>, Result<String, Error>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        server(stream, &identity(USER, PASSWORD))
    });
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let client = client(stream, &identity(USER, password));
    (client, server.join().unwrap())
}

#[test]
fn all_four_pairs_understand_each_other() {
    for client in CLIENTS {
        for server in SERVERS {
            let (message, name) = run(client, server, PASSWORD);
            assert_eq!(message.unwrap(), br"hello, CORP\alice");
            assert_eq!(name.unwrap(), r"CORP\alice");
        }
    }
}

#[test]
fn our_server_refuses_a_wrong_password_of_both_clients() {
    for client in CLIENTS {
        let (message, name) = run(client, with_ours::server::run, "wrong");
        assert_eq!(name.unwrap_err().error_type, ErrorKind::LogonDenied);
        assert!(message.is_err(), "the server has hung up");
    }
}
