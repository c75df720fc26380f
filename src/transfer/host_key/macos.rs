//! macOS.

use portable_sspi_core::Unavailable;

pub(super) use super::posix::{boot_clock_milliseconds, owner_id};
use super::sysctl;

/// The machine's UUID (`IOPlatformUUID`), as `gethostuuid` gives it.
pub(super) fn machine_id() -> Result<Vec<u8>, Unavailable> {
    let uuid = sysctl::host_uuid();
    uuid.map(|uuid| uuid.to_vec())
        .map_err(|source| Unavailable::System { what: "the machine's id (gethostuuid)", source })
}

/// The UUID that the kernel draws when it starts.
pub(super) fn boot_id() -> Result<Vec<u8>, Unavailable> {
    sysctl::read(c"kern.bootsessionuuid")
        .map_err(|source| Unavailable::System { what: "the boot id (kern.bootsessionuuid)", source })
}

/// Where the host key's directory is made. `/tmp` is a symbolic link to it.
pub(super) const fn candidate_directories() -> &'static [&'static str] {
    &["/private/tmp"]
}
