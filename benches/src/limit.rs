//! What MD5 and RC4 cost by themselves, here in the crates that most Rust programs take them from, and in OpenSSL through
//! [`c_peer`](crate::c_peer): no implementation that runs one after the other over a message can be faster than their sum.

use std::hint::black_box;
use std::time::Duration;

use md5::{Digest, Md5};
use rc4::{KeyInit, Rc4, StreamCipher};

use crate::clock::stopwatch;

/// Bytes of the message.
pub const SIZE: usize = 64 << 10;

/// One row of the table of the algorithms.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// MD5 of the message.
    Md5,
    /// RC4 over the message, in place.
    Rc4,
    /// MD5, then RC4.
    Both,
}

impl Limit {
    /// Every row, with its name.
    pub const ALL: [(&str, Self); 3] =
        [("MD5 alone", Self::Md5), ("RC4 alone", Self::Rc4), ("one after the other", Self::Both)];

    /// How long it takes so many `times` in RustCrypto's crates.
    #[must_use]
    pub fn time(self, times: usize) -> Duration {
        let mut message = vec![0x5A; SIZE];
        let mut keystream = Rc4::new_from_slice(&[0x5A; 16]).expect("a key of 16 bytes");
        let work = || {
            for _ in 0..times {
                if !matches!(self, Self::Rc4) {
                    black_box(Md5::digest(&message));
                }
                if !matches!(self, Self::Md5) {
                    keystream.apply_keystream(&mut message);
                }
            }
        };
        stopwatch(work).0
    }
}
