//! The `sspi` crate's example `client`, with `Ntlm` imported from this library: build.rs takes it from there.

#![allow(warnings, missing_docs, clippy::all, reason = "the crate's own source")]

include!(concat!(env!("OUT_DIR"), "/client_ours.rs"));
