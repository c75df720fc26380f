//! GetLastError and SetLastError: one number for each thread. Windows has its own, which is used there.

/// `ERROR_INVALID_PARAMETER`.
pub(crate) const INVALID_PARAMETER: u32 = 87;
/// `ERROR_MORE_DATA`.
pub(crate) const MORE_DATA: u32 = 234;
/// `ERROR_NONE_MAPPED`.
pub(crate) const NONE_MAPPED: u32 = 1332;

#[cfg(windows)]
pub(crate) fn set(code: u32) {
    // SAFETY: no pointer is involved.
    unsafe { windows_sys::Win32::Foundation::SetLastError(code) }
}

#[cfg(not(windows))]
pub(crate) use thread::set;
#[cfg(not(windows))]
pub use thread::{GetLastError, SetLastError};

#[cfg(not(windows))]
mod thread {
    use std::cell::Cell;

    thread_local! {
        static LAST: Cell<u32> = const { Cell::new(0) };
    }

    pub(crate) fn set(code: u32) {
        // Nobody is there to ask while a thread ends.
        let _ = LAST.try_with(|last| last.set(code));
    }

    /// GetLastError: what the last function in this thread that says so failed with.
    #[unsafe(no_mangle)]
    #[allow(non_snake_case, reason = "the name of the system's function")]
    pub extern "system" fn GetLastError() -> u32 {
        LAST.try_with(Cell::get).unwrap_or(0)
    }

    /// SetLastError.
    #[unsafe(no_mangle)]
    #[allow(non_snake_case, reason = "the name of the system's function")]
    pub extern "system" fn SetLastError(code: u32) {
        set(code);
    }
}
