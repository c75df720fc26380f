//! Messages over a byte stream: a length of four bytes, little-endian, and then the message.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Outcome;

/// Larger than any message here.
const LIMIT: usize = 64 * 1024;

/// Sends one message.
pub fn send(mut to: &TcpStream, message: &[u8]) -> Outcome<()> {
    let length = u32::try_from(message.len())?;
    to.write_all(&[&length.to_le_bytes()[..], message].concat())?;
    Ok(())
}

/// Waits for one message.
pub fn receive(mut from: &TcpStream) -> Outcome<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_le_bytes(length))?;
    if length > LIMIT {
        return Err(format!("a message of {length} bytes, more than {LIMIT}").into());
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message)?;
    Ok(message)
}
