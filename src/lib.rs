//! The Windows security-context API (SSPI) in pure Rust, on any operating system, whose established contexts can be
//! handed from one process to another on the same host.
//!
//! - [`Sspi`] is the table of security packages of one process, with the functions of SSPI under their names.
//! - A security package is a [`Provider`]; its trait and the types in its signatures come from `portable-sspi-core`
//!   and are all re-exported here. NTLM is in the module `ntlm` (feature `ntlm`, on by default).
//! - [`Sspi::export_security_context`] seals an established context for another process of the same user on this host,
//!   and [`Sspi::import_security_context`] opens it there, once. How it is protected, and against whom, is written at
//!   those two functions and at [`ExportOptions`].
//!
//! # Who can open an exported context
//! A process of **the same user, on the same host, since the same start of it, once, before its time is over** (five
//! minutes unless the export says otherwise). [`HostKeyScope`] widens it to other users or containers, [`Audience`] narrows
//! it. What is not protected against:
//! - *Another process of the same user.* It can read this user's files and, where the system lets it attach a
//!   debugger, this user's processes; it can import a blob that it gets hold of, and delete or copy the files under
//!   which the host's secret and the record of imports are kept. Deleting any of them refuses blobs; it never
//!   makes one importable twice, except where single records of imports are removed and the secret beside them left,
//!   or a copy of the whole directory is put back.
//! - *The superuser.*
//! - *A clone of the running machine*: what is restored from a snapshot of its memory has the same secret, the same
//!   boot id and forgotten imports. Let exported contexts expire before a snapshot is used twice.

// Excepted is one file on Windows, `transfer/host_key/windows/api.rs`, and one on macOS and FreeBSD,
// `transfer/host_key/sysctl.rs`.
#![cfg_attr(not(any(windows, target_os = "macos", target_os = "freebsd")), forbid(unsafe_code))]

/// Compiles the README's code with the documentation tests.
#[cfg(all(doctest, feature = "ntlm"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "ntlm")]
pub mod accounts;
mod environment;
mod registry;
#[cfg(feature = "sspi")]
pub mod sspi_crate;
mod transfer;

pub use environment::{SystemClock, SystemEntropy};
pub use portable_sspi_core::*;
#[cfg(feature = "ntlm")]
pub use portable_sspi_ntlm as ntlm;
pub use registry::{ExportAllError, ExportedAll, FailedExport, ImportAll, ImportAllError, Sspi, SspiConfig};
pub use transfer::{
    ApplicationKey, Audience, AudienceLabel, Claims, ExportFlags, ExportOptions, HostKeyScope,
};
