//! What the kernels of macOS and FreeBSD tell through C functions only: the only unsafe code of this crate there.
//!
//! Each function here is safe to call with any arguments, and gives owned values.

#![allow(unsafe_code, reason = "there is no safe interface to these in a well-kept crate")]

use std::ffi::{CStr, c_void};
use std::io::{self, ErrorKind};
use std::ptr;

/// Longer than a UUID as text with its final 0 (37 bytes).
const LONGEST_VALUE: usize = 128;

/// The value `name` of the kernel's state (sysctl(3)), which must be one of an identity: not empty and not zero.
pub(super) fn read(name: &CStr) -> io::Result<Vec<u8>> {
    let mut value = [0_u8; LONGEST_VALUE];
    let mut length = value.len();
    // SAFETY: the name ends with 0; `value` has `length` bytes that may be written; no new value is given, which makes
    // the last two arguments unused.
    let result = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            value.as_mut_ptr().cast::<c_void>(),
            &raw mut length,
            ptr::null_mut::<c_void>(),
            0,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let value = value.get(..length).unwrap_or(&[]);
    if value.iter().all(|byte| *byte == 0) {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(value.to_vec())
}

/// The machine's UUID.
#[cfg(target_os = "macos")]
pub(super) fn host_uuid() -> io::Result<[u8; 16]> {
    let mut uuid = [0; 16];
    // The kernel may have to ask a service for it; it is there from the early start on.
    let timeout = libc::timespec { tv_sec: 5, tv_nsec: 0 };
    // SAFETY: `uuid` has the 16 bytes of a uuid_t, and both outlive the call.
    let result = unsafe { libc::gethostuuid(uuid.as_mut_ptr(), &raw const timeout) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if uuid == [0; 16] { Err(ErrorKind::InvalidData.into()) } else { Ok(uuid) }
}
