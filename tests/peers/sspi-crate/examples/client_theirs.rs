//! The `sspi` crate's example `client`, as it is: build.rs takes it from there.

#![allow(warnings, missing_docs, clippy::all, reason = "the crate's own source")]

include!(concat!(env!("OUT_DIR"), "/client_theirs.rs"));
