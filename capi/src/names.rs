//! The names of `secext.h`: who the process's user is, and what the computer is called.

use std::cell::RefCell;
use std::ffi::c_char;

use crate::abi::{
    BOOLEAN, EXTENDED_NAME_FORMAT, NAME_DISPLAY, NAME_SAM_COMPATIBLE, NAME_UNKNOWN, ULONG, WCHAR,
};
use crate::export::export;
use crate::failure::guarded;
use crate::last_error::{self, INVALID_PARAMETER, MORE_DATA, NONE_MAPPED};
use crate::text::Character;
use crate::{library, os, pointer};

/// `ERROR_CANT_ACCESS_DOMAIN_INFO`.
const CANT_ACCESS_DOMAIN_INFO: u32 = 1351;

thread_local! {
    static IMPERSONATED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whom ImpersonateSecurityContext has this thread take part as, by name alone.
pub(crate) fn thread_user_override(name: Option<String>) {
    let _ = IMPERSONATED.try_with(|impersonated| *impersonated.borrow_mut() = name);
}

fn user_name(format: EXTENDED_NAME_FORMAT) -> Option<String> {
    match format {
        NAME_SAM_COMPATIBLE => {
            let impersonated = IMPERSONATED.try_with(|name| name.borrow().clone()).ok().flatten();
            impersonated
                .or_else(|| Some(format!("{}\\{}", library::server_names().netbios_computer, os::user()?.0)))
        }
        NAME_DISPLAY => os::user().map(|(_, full)| full).filter(|full| !full.is_empty()),
        _ => None,
    }
}

/// Writes a name, or says how many characters it needs, with its NUL.
///
/// # Safety
/// `size` is NULL or valid for reading and writing; `buffer` is NULL or has room for that many characters.
unsafe fn answer<C: Character>(
    name: Option<String>,
    missing: u32,
    buffer: *mut C,
    size: *mut ULONG,
) -> BOOLEAN {
    let fail = |code| {
        last_error::set(code);
        0
    };
    // SAFETY: by this function's contract.
    let Some(room) = (unsafe { pointer::read(size) }) else { return fail(INVALID_PARAMETER) };
    let Some(name) = name else { return fail(missing) };
    let bytes = C::encode(&name);
    let length = ULONG::try_from(bytes.len() / size_of::<C>()).unwrap_or(ULONG::MAX);
    if buffer.is_null() || room <= length {
        // SAFETY: by this function's contract.
        unsafe { pointer::write(size, length.saturating_add(1)) };
        return fail(MORE_DATA);
    }
    // SAFETY: there is room for more characters than these, by this function's contract.
    let to = unsafe { pointer::bytes_mut(buffer.cast(), bytes.len() + size_of::<C>()) };
    let Ok(to) = to else { return fail(INVALID_PARAMETER) };
    to.iter_mut().zip(bytes.iter().chain(&[0; 4])).for_each(|(to, from)| *to = *from);
    // SAFETY: by this function's contract.
    unsafe { pointer::write(size, length) };
    1
}

/// # Safety
/// As of [`answer`].
unsafe fn computer_name<C: Character>(
    format: EXTENDED_NAME_FORMAT,
    buffer: *mut C,
    size: *mut ULONG,
) -> BOOLEAN {
    guarded(0, || {
        if format == NAME_UNKNOWN {
            last_error::set(INVALID_PARAMETER);
            return 0;
        }
        // A computer object is one of a domain.
        // SAFETY: by this function's contract.
        unsafe { answer(None, CANT_ACCESS_DOMAIN_INFO, buffer, size) }
    })
}

export! {
    /// GetUserNameExA: the process's user as `NameSamCompatible`, `COMPUTER\user`, or `NameDisplay`.
    ///
    /// `FALSE` with the last error `ERROR_NONE_MAPPED` for other formats, `ERROR_MORE_DATA` where `size` (in characters) is too
    /// small: it then says what is needed, with the NUL. Otherwise it says how many there are, without.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `size` is read and written, `buffer` is written.
    pub unsafe fn GetUserNameExA(format: EXTENDED_NAME_FORMAT, buffer: *mut c_char, size: *mut ULONG) -> BOOLEAN {
        // SAFETY: the same contract.
        guarded(0, || unsafe { answer(user_name(format), NONE_MAPPED, buffer, size) })
    }

    /// GetUserNameExW: see [`GetUserNameExA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `size` is read and written, `buffer` is written.
    pub unsafe fn GetUserNameExW(format: EXTENDED_NAME_FORMAT, buffer: *mut WCHAR, size: *mut ULONG) -> BOOLEAN {
        // SAFETY: the same contract.
        guarded(0, || unsafe { answer(user_name(format), NONE_MAPPED, buffer, size) })
    }

    /// GetComputerObjectNameA: `FALSE`; the last error is `ERROR_INVALID_PARAMETER` for `NameUnknown`, else
    /// `ERROR_CANT_ACCESS_DOMAIN_INFO`, as on a computer in no domain.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `size` is read.
    pub unsafe fn GetComputerObjectNameA(format: EXTENDED_NAME_FORMAT, buffer: *mut c_char, size: *mut ULONG) -> BOOLEAN {
        // SAFETY: the same contract.
        unsafe { computer_name(format, buffer, size) }
    }

    /// GetComputerObjectNameW: see [`GetComputerObjectNameA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `size` is read.
    pub unsafe fn GetComputerObjectNameW(format: EXTENDED_NAME_FORMAT, buffer: *mut WCHAR, size: *mut ULONG) -> BOOLEAN {
        // SAFETY: the same contract.
        unsafe { computer_name(format, buffer, size) }
    }

    /// TranslateNameA: `FALSE` with the last error `ERROR_NONE_MAPPED`; there is no directory to look a name up in.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `size` is read.
    pub unsafe fn TranslateNameA(
        _name: *const c_char,
        _format: EXTENDED_NAME_FORMAT,
        _desired: EXTENDED_NAME_FORMAT,
        buffer: *mut c_char,
        size: *mut ULONG,
    ) -> BOOLEAN {
        // SAFETY: the same contract.
        guarded(0, || unsafe { answer(None, NONE_MAPPED, buffer, size) })
    }

    /// TranslateNameW: see [`TranslateNameA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `size` is read.
    pub unsafe fn TranslateNameW(
        _name: *const WCHAR,
        _format: EXTENDED_NAME_FORMAT,
        _desired: EXTENDED_NAME_FORMAT,
        buffer: *mut WCHAR,
        size: *mut ULONG,
    ) -> BOOLEAN {
        // SAFETY: the same contract.
        guarded(0, || unsafe { answer(None, NONE_MAPPED, buffer, size) })
    }
}
