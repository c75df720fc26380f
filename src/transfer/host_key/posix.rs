//! What is the same on every Unix but Linux.

use std::io::ErrorKind;

use portable_sspi_core::Unavailable;
use rustix::process::geteuid;
use rustix::time::{ClockId, clock_gettime};

/// The effective user: files are created as this user.
pub(super) fn owner_id() -> Result<Vec<u8>, Unavailable> {
    Ok([b"uid ".as_slice(), &geteuid().as_raw().to_le_bytes()].concat())
}

/// `CLOCK_MONOTONIC`: the same in all processes, and setting the time of day doesn't move it. Where it stands still in
/// sleep, a blob lives longer by that time.
pub(super) fn boot_clock_milliseconds() -> Result<u64, Unavailable> {
    let time = clock_gettime(ClockId::Monotonic);
    let milliseconds = || {
        let seconds = u64::try_from(time.tv_sec).ok()?;
        seconds.checked_mul(1000)?.checked_add(u64::try_from(time.tv_nsec).ok()? / 1_000_000)
    };
    milliseconds().ok_or(Unavailable::System {
        what: "the time since it started (CLOCK_MONOTONIC)",
        source: ErrorKind::InvalidData.into(),
    })
}
