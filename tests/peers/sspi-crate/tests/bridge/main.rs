//! The bridge to the `sspi` crate: this library's NTLM under that crate's traits, and that crate's packages under this
//! library's trait.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]

mod conversation;
mod handing_over;
mod kerberos;
mod odd_input;
mod pairings;
mod programs;
mod scripted;
mod table;
