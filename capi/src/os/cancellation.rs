//! Threads that another thread ends in the middle of a call (`pthread_cancel`), on systems that have it.

/// The thread is not cancelled as long as this lives. In the middle of a call it would be at the next file that is read or random
/// number that is drawn: glibc unwinds it, which ends the process at the first frame of Rust's; musl leaves locks held.
pub(crate) struct Uncancelled(Before);

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))
))]
mod system {
    use std::ffi::c_int;

    pub(super) type Before = c_int;

    /// `PTHREAD_CANCEL_DISABLE`.
    pub(super) const DISABLE: Before = if cfg!(target_vendor = "apple") { 0 } else { 1 };

    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }

    /// Sets the thread's state, and gives the one before.
    pub(super) fn set(state: Before) -> Before {
        let mut before = 0;
        // SAFETY: the pointer is to a number of this function's.
        unsafe { pthread_setcancelstate(state, &raw mut before) };
        before
    }
}

/// Threads that cannot be cancelled, or of which nothing is known.
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))
)))]
mod system {
    #[derive(Clone, Copy)]
    pub(super) struct Before;

    pub(super) const DISABLE: Before = Before;

    pub(super) const fn set(state: Before) -> Before {
        state
    }
}

use system::{Before, DISABLE, set};

impl Uncancelled {
    pub(crate) fn new() -> Self {
        Self(set(DISABLE))
    }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        set(self.0);
    }
}
