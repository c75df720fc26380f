//! What the benchmarks measure, and how each implementation is driven through it.
//!
//! `benches/side_by_side.rs` prints the table; the README beside this package says what its rows mean.

pub mod aims;
pub mod c_peer;
pub mod clock;
pub mod columns;
pub mod crew;
pub mod crowd;
pub mod functions;
pub mod limit;
pub mod notes;
pub mod ours;
pub mod peer;
pub mod rounds;
pub mod table;
pub mod work;

/// Length of an NTLM signature in bytes.
pub const SIGNATURE: usize = 16;

/// The account that every implementation logs on with.
pub const USER: &str = "alice";
/// Its domain.
pub const DOMAIN: &str = "CORP";
/// Its password.
pub const PASSWORD: &str = "correct horse battery staple";

/// The messages of 1 KiB in both directions after which the memory of a context is counted: fresh, and in mid-stream.
pub const MEMORY_AFTER: [usize; 2] = [0, 100];

/// An implementation of NTLM, as client and as server. Credentials are acquired once, by [`new`](Self::new); each handshake
/// takes the four steps in their order. Every function panics where the implementation fails.
pub trait Implementation {
    /// A client that waits for the CHALLENGE.
    type Client;
    /// A server that waits for the AUTHENTICATE.
    type Server;
    /// An established context of either side.
    type Context;

    /// Sets it up, with credentials of both sides.
    fn new() -> Self;

    /// The client's first step, and its NEGOTIATE.
    fn negotiate(&mut self) -> (Self::Client, Vec<u8>);
    /// The server's first step, and its CHALLENGE.
    fn challenge(&mut self, negotiate: Vec<u8>) -> (Self::Server, Vec<u8>);
    /// The client's second step, and its AUTHENTICATE.
    fn authenticate(&mut self, client: Self::Client, challenge: Vec<u8>) -> (Self::Context, Vec<u8>);
    /// The server's second step, to the end: after it, the server knows who the client is.
    fn accept(&mut self, server: Self::Server, authenticate: Vec<u8>) -> Self::Context;

    /// EncryptMessage, in place.
    fn seal(context: &mut Self::Context, message: &mut Message);
    /// DecryptMessage, in place.
    fn unseal(context: &mut Self::Context, message: &mut Message);
    /// MakeSignature.
    fn sign(context: &mut Self::Context, message: &mut Message);
    /// VerifySignature.
    fn verify(context: &mut Self::Context, message: &mut Message);
}

/// A message and the room for its signature.
pub struct Message {
    /// The message itself.
    pub data: Vec<u8>,
    /// Its signature.
    pub signature: [u8; SIGNATURE],
}

impl Message {
    /// A message of so many bytes, not signed yet.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { data: vec![0x5A; size], signature: [0; SIGNATURE] }
    }
}

/// Both ends of an established session.
pub struct Session<I: Implementation> {
    /// The client's context.
    pub client: I::Context,
    /// The server's context.
    pub server: I::Context,
}

impl<I: Implementation> Session<I> {
    /// A whole handshake.
    pub fn establish(implementation: &mut I) -> Self {
        let (client, negotiate) = implementation.negotiate();
        let (server, challenge) = implementation.challenge(negotiate);
        let (client, authenticate) = implementation.authenticate(client, challenge);
        let server = implementation.accept(server, authenticate);
        Self { client, server }
    }

    /// Lets both sides send so many sealed messages of 1 KiB: the session is then in mid-stream.
    pub fn converse(&mut self, messages: usize) {
        let mut message = Message::new(1024);
        for _ in 0..messages {
            I::seal(&mut self.client, &mut message);
            I::unseal(&mut self.server, &mut message);
            I::seal(&mut self.server, &mut message);
            I::unseal(&mut self.client, &mut message);
        }
    }
}
