//! NTLM against independent implementations, in both roles. docs/interoperability.md has the table of what was run, and
//! docs/ci.md what is needed to run it. Where a peer is missing, each of its tests says so and passes, unless
//! `PORTABLE_SSPI_REQUIRE_PEERS=1` makes that a failure. The `sspi` crate is in tests/peers/, as it needs newer Rust.

#![cfg(all(unix, feature = "ntlm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]

mod curl;
mod gss;
#[path = "../accounts/handshake.rs"]
mod handshake;
mod impacket;
mod ours;
mod peer;
mod pyspnego;
mod python;
mod record;
mod samba;
mod scenarios;
mod user_file;
