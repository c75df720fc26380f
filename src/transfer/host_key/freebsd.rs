//! FreeBSD, since release 13.

use portable_sspi_core::Unavailable;

pub(super) use super::posix::{boot_clock_milliseconds, owner_id};
use super::sysctl;

/// The host's UUID; a jail has its own.
pub(super) fn machine_id() -> Result<Vec<u8>, Unavailable> {
    sysctl::read(c"kern.hostuuid")
        .map_err(|source| Unavailable::System { what: "the machine's id (kern.hostuuid)", source })
}

/// 16 bytes that the kernel draws at random when it starts. Not `kern.boottime`, which moves with the clock.
pub(super) fn boot_id() -> Result<Vec<u8>, Unavailable> {
    sysctl::read(c"kern.boot_id")
        .map_err(|source| Unavailable::System { what: "the boot id (kern.boot_id)", source })
}

/// Where the host key's directory is made.
pub(super) const fn candidate_directories() -> &'static [&'static str] {
    &["/tmp"]
}
