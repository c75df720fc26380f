//! Systems that are neither Unix nor Windows.
//!
//! Exporting and importing contexts is not implemented here yet: each function says so.

use std::io::{self, ErrorKind};

use portable_sspi_core::Unavailable;

pub(super) fn machine_id() -> Result<Vec<u8>, Unavailable> {
    Err(not_yet("the machine's id"))
}

pub(super) fn boot_id() -> Result<Vec<u8>, Unavailable> {
    Err(not_yet("when it was started"))
}

pub(super) fn owner_id() -> Result<Vec<u8>, Unavailable> {
    Err(not_yet("who the user is"))
}

pub(super) fn boot_clock_milliseconds() -> Result<u64, Unavailable> {
    Err(not_yet("the time since it started"))
}

fn not_yet(what: &'static str) -> Unavailable {
    let problem = "exporting and importing contexts is not implemented on this system";
    Unavailable::System { what, source: io::Error::new(ErrorKind::Unsupported, problem) }
}
