//! The functions of `sspi.h` for C programs, on any operating system, over `portable-sspi`.
//!
//! `include/` has the headers, `docs/c-library.md` says how to build, install and set it up. From Rust, use the crate
//! `portable-sspi` itself: this one is for other languages, and is a library for Rust only so that it can be tested.
//!
//! # Pointers
//! Every function that takes pointers is `unsafe` for one reason, its caller's duty: **each pointer is NULL, or valid for what
//! the function does with it, as long as the call lasts**. In detail:
//! - A structure to be read is as long as its type, and an answer has room for its type. Alignment does not matter.
//! - Text without a length ends in a NUL. Text and buffers with a length are that long.
//! - No other thread changes meanwhile what the call reads, or uses what the call writes.
//!
//! NULL is an error wherever something is needed. Handles are not pointers: any two numbers may be passed. Blocks passed to
//! FreeContextBuffer may be anything; but if one was freed before, and a newer one lies at its address, that one is freed.
//!
//! # Threads
//! Every function may be called from any thread at any time. Calls on the same context, and nothing else, wait for each
//! other; in which order they come is the caller's affair, as it is the order of the messages. Handles may be deleted while
//! others use them: each call comes before the deletion or after it.
//!
//! A thread that is cancelled (`pthread_cancel`) in a call makes it to its end first. After `fork`, a context goes on in one of
//! the two processes alone: in both, their messages would have one keystream. Of a process with threads, the child calls nothing
//! here before `exec`, as it may have been forked while one of them held a lock; and no signal handler calls anything.
//!
//! Only the environment is not the library's to protect: as everywhere in C, no thread changes it (`setenv`) while another
//! one calls a function that reads it, such as AcquireCredentialsHandle.
//!
//! # Errors
//! A status tells what went wrong; [`PortableSspiGetLastErrorMessage`] tells more. A call that fails has changed nothing, but
//! for a step of a handshake, which ends it. No panic leaves the library.

#![allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of sspi.h")]
// Pointers come from C; ARCHITECTURE.md names the crate.
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

pub mod abi;
mod attributes;
mod buffers;
mod context;
mod credentials;
mod export;
mod failure;
mod function_table;
mod handshake;
mod identity;
mod last_error;
mod library;
mod memory;
mod messages;
mod names;
mod os;
mod packages;
mod pointer;
mod table;
mod text;
mod tokens;
mod transfer;

pub use attributes::*;
pub use credentials::*;
pub use function_table::*;
pub use handshake::*;
pub use identity::helpers::*;
#[cfg(not(windows))]
pub use last_error::{GetLastError, SetLastError};
pub use messages::*;
pub use names::*;
pub use packages::*;
pub use tokens::*;
pub use transfer::*;
