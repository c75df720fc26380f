//! Unix.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

/// The largest record of a user that is read, in bytes.
const LARGEST_RECORD: usize = 1 << 20;

/// Whether environment variables come from a user with the same rights: not where the program was started with more (set-user-id,
/// set-group-id; on Linux also capabilities).
pub(crate) fn environment_is_trusted() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: no pointer is involved.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return false;
    }
    // Numbers that have become the same since do not count: the environment is the starter's still.
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
    // SAFETY: no pointer is involved.
    if unsafe { libc::issetugid() } != 0 {
        return false;
    }
    rustix::process::getuid() == rustix::process::geteuid()
        && rustix::process::getgid() == rustix::process::getegid()
}

/// The host's name as its administrator set it, which may be a DNS name.
pub(crate) fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The login name and the full name of the effective user.
pub(crate) fn user() -> Option<(String, String)> {
    let uid = rustix::process::geteuid().as_raw();
    let mut buffer: Vec<c_char> = vec![0; 4096];
    loop {
        let mut record = MaybeUninit::<libc::passwd>::zeroed();
        let mut found = core::ptr::null_mut();
        // SAFETY: all pointers are to memory of this function's, and the buffer's length is its own.
        let code = unsafe {
            libc::getpwuid_r(uid, record.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found)
        };
        if code == libc::ERANGE && buffer.len() < LARGEST_RECORD {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        if code != 0 || found.is_null() {
            return None;
        }
        // SAFETY: a record was found, so it is filled in.
        let record = unsafe { record.assume_init() };
        let text = |pointer: *mut c_char| {
            // SAFETY: the strings of a record are NULL or end in a NUL; they lie in `buffer`, which is still there.
            (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
        };
        let name = text(record.pw_name)?;
        // The first field is the name, "&" in it the login name.
        let full = text(record.pw_gecos).unwrap_or_default();
        let full = full.split(',').next().unwrap_or_default().replace('&', &name);
        return Some((name, full));
    }
}
