//! The `sspi` crate's example `server`, as it is: build.rs takes it from there.

#![allow(warnings, missing_docs, clippy::all, reason = "the crate's own source")]

include!(concat!(env!("OUT_DIR"), "/server_theirs.rs"));
