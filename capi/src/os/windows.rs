//! Windows.

use windows_sys::Win32::System::SystemInformation::{ComputerNameDnsHostname, GetComputerNameExW};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;

/// Windows has no programs that start with more rights than the one who starts them gives.
pub(crate) const fn environment_is_trusted() -> bool {
    true
}

/// The host's DNS name.
pub(crate) fn host_name() -> Option<String> {
    // SAFETY: the length is the buffer's.
    text(|buffer, length| unsafe { GetComputerNameExW(ComputerNameDnsHostname, buffer, length) })
}

/// The name of the thread's user; no full name is known here.
pub(crate) fn user() -> Option<(String, String)> {
    // SAFETY: the length is the buffer's.
    let name = text(|buffer, length| unsafe { GetUserNameW(buffer, length) })?;
    Some((name, String::new()))
}

fn text(get: impl Fn(*mut u16, *mut u32) -> i32) -> Option<String> {
    let mut buffer = [0_u16; 512];
    let mut length = u32::try_from(buffer.len()).ok()?;
    if get(buffer.as_mut_ptr(), &raw mut length) == 0 {
        return None;
    }
    let end = buffer.iter().position(|unit| *unit == 0)?;
    String::from_utf16(buffer.get(..end)?).ok().filter(|name| !name.is_empty())
}
