//! Unix.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

pub(crate) use cancellation::Uncancelled;

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

/// Systems where a thread can end another one in the middle of a call (`pthread_cancel`).
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))
))]
mod cancellation {
    use std::ffi::c_int;

    /// `PTHREAD_CANCEL_DISABLE`.
    const DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }

    /// The thread is not cancelled as long as this lives. In the middle of a call it would be at the next file that is read or random
    /// number that is drawn: glibc unwinds it, which ends the process at the first frame of Rust's; musl leaves locks held.
    pub(crate) struct Uncancelled(c_int);

    impl Uncancelled {
        pub(crate) fn new() -> Self {
            let mut before = 0;
            // SAFETY: the pointer is to a number of this function's.
            unsafe { pthread_setcancelstate(DISABLE, &raw mut before) };
            Self(before)
        }
    }

    impl Drop for Uncancelled {
        fn drop(&mut self) {
            let mut before = 0;
            // SAFETY: as above.
            unsafe { pthread_setcancelstate(self.0, &raw mut before) };
        }
    }
}

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))
)))]
mod cancellation {
    /// Nothing is known of cancelled threads.
    pub(crate) struct Uncancelled;

    impl Uncancelled {
        pub(crate) const fn new() -> Self {
            Self
        }
    }
}
