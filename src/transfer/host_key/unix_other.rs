//! Unix systems other than Linux, macOS and FreeBSD.
//!
//! What they tell about their start moves with the clock (`kern.boottime`) or needs functions that are in none of this
//! crate's dependencies: nothing is exported or imported here.

use std::fs;
use std::io::{self, ErrorKind};

use portable_sspi_core::Unavailable;

pub(super) use super::posix::{boot_clock_milliseconds, owner_id};

/// The machine's id where a file tells it; a fixed text otherwise, and the host's secret alone tells hosts apart.
pub(super) fn machine_id() -> Result<Vec<u8>, Unavailable> {
    for path in ["/etc/machine-id", "/etc/hostid"] {
        match fs::read(path) {
            Ok(id) if id.trim_ascii().is_empty() => {}
            Ok(id) => return Ok(id.trim_ascii().iter().copied().take(64).collect()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {}
            Err(source) => return Err(Unavailable::System { what: "the machine's id", source }),
        }
    }
    Ok(b"no machine id".to_vec())
}

/// Always an error: see above.
pub(super) fn boot_id() -> Result<Vec<u8>, Unavailable> {
    Err(Unavailable::System {
        what: "when it was started; contexts cannot be exported or imported here",
        source: io::Error::new(ErrorKind::Unsupported, "there is no boot id on this system"),
    })
}

/// Where the host key's directory is made.
pub(super) const fn candidate_directories() -> &'static [&'static str] {
    &["/tmp"]
}
