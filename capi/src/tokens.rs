//! Access tokens: who the client of an accepted context is, as a `HANDLE`.
//!
//! Off Windows there are no access tokens, so a handle here stands for the client's names alone, and CloseHandle closes it.
//! On Windows a token can only come from the system's own authority; there, none is given out.

use core::ffi::c_char;

use portable_sspi::SecurityStatus;

use crate::abi::{HANDLE, SEC_E_NO_IMPERSONATION, SECURITY_STATUS, SecHandle};
use crate::context;
use crate::export::export;
use crate::failure::{self, Failure, Result};
use crate::pointer::{self, required};
#[cfg(not(windows))]
use store::{close, give};
#[cfg(windows)]
use without::{close, give};

/// A handle that is closed with what it belongs to.
pub(crate) struct Token(pub(crate) HANDLE);

// SAFETY: the handle is a number; nothing is behind it.
unsafe impl Send for Token {}

impl Drop for Token {
    fn drop(&mut self) {
        close(self.0);
    }
}

/// A handle that stands for the client of an established context.
///
/// # Errors
/// `SEC_E_NO_IMPERSONATION` for a client's own context.
pub(crate) fn token_of(context: &dyn portable_sspi::SecurityContext) -> Result<HANDLE> {
    let client = context.client_token().ok_or(Failure::new(
        SEC_E_NO_IMPERSONATION,
        "a client's own context has no access token; an accepted one has",
    ))?;
    give(client.qualified_name())
}

/// The handles that programs have, each with the client's name.
#[cfg(not(windows))]
mod store {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

    use portable_sspi::{Entropy, SystemEntropy};

    use crate::abi::HANDLE;
    use crate::failure::Result;

    static TOKENS: LazyLock<Mutex<HashMap<usize, String>>> = LazyLock::new(Mutex::default);

    fn tokens() -> MutexGuard<'static, HashMap<usize, String>> {
        TOKENS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A random number, a multiple of four as all handles are, and neither of those that stand for none.
    pub(super) fn give(name: String) -> Result<HANDLE> {
        let mut tokens = tokens();
        loop {
            let mut bytes = [0; size_of::<usize>()];
            SystemEntropy::new().fill(&mut bytes)?;
            let number = usize::from_ne_bytes(bytes) & !3;
            if number != 0 && !tokens.contains_key(&number) {
                tokens.insert(number, name);
                return Ok(core::ptr::without_provenance_mut(number));
            }
        }
    }

    pub(super) fn close(handle: HANDLE) -> bool {
        tokens().remove(&handle.addr()).is_some()
    }
}

#[cfg(windows)]
mod without {
    use crate::abi::HANDLE;
    use crate::failure::{Failure, Result};

    pub(super) fn give(_name: String) -> Result<HANDLE> {
        Err(Failure::unsupported("access tokens of Windows come from its own authority alone"))
    }

    pub(super) fn close(_handle: HANDLE) -> bool {
        false
    }
}

export! {
    /// QuerySecurityContextToken: a handle that stands for the client, to be closed by CloseHandle.
    ///
    /// `SEC_E_NO_IMPERSONATION` for a client's own context; on Windows `SEC_E_UNSUPPORTED_FUNCTION`.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read, `token` is written.
    pub unsafe fn QuerySecurityContextToken(context: *const SecHandle, token: *mut HANDLE) -> SECURITY_STATUS {
        failure::status(|| {
            let token = required(token)?;
            // SAFETY: the same contract.
            unsafe {
                let handle = context::with_established(context, |established| token_of(established.context.as_ref()))?;
                pointer::write(token, handle);
            }
            Ok(SecurityStatus::SEC_E_OK)
        })
    }

    /// ImpersonateSecurityContext: `SEC_E_NO_IMPERSONATION`, as the thread would go on with all rights that it has, and a program
    /// that believes to act as the client would give these to him.
    ///
    /// Where the environment has `PORTABLE_SSPI_IMPERSONATE=names`, for tests, it succeeds for an accepted context, and
    /// GetUserNameEx names the client in this thread until RevertSecurityContext. The thread's rights are the same as before.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read.
    pub unsafe fn ImpersonateSecurityContext(context: *const SecHandle) -> SECURITY_STATUS {
        failure::status(|| {
            let no = |text| Failure::new(SEC_E_NO_IMPERSONATION, text);
            // SAFETY: the same contract.
            let name = unsafe {
                context::with_established(context, |established| {
                    let client = established.context.client_token();
                    let client = client.filter(|client| !client.is_anonymous);
                    client.map(|client| client.qualified_name()).ok_or_else(|| {
                        no("only the client of an accepted context can be impersonated, and no anonymous one")
                    })
                })?
            };
            if crate::library::impersonates_names()? {
                crate::names::thread_user_override(Some(name));
                return Ok(SecurityStatus::SEC_E_OK);
            }
            Err(no("the rights of a thread cannot be exchanged for the client's here"))
        })
    }

    /// RevertSecurityContext: ends what [`ImpersonateSecurityContext`] began in this thread.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read.
    pub unsafe fn RevertSecurityContext(context: *const SecHandle) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe { context::with_established(context, |_| Ok(()))? };
            crate::names::thread_user_override(None);
            Ok(SecurityStatus::SEC_E_OK)
        })
    }
}

/// CloseHandle: closes a token that QuerySecurityContextToken or ExportSecurityContext gave. `FALSE` for any other handle, with
/// the last error `ERROR_INVALID_HANDLE`. Windows has its own.
#[cfg(not(windows))]
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the name of the system's function")]
pub extern "system" fn CloseHandle(handle: HANDLE) -> i32 {
    const ERROR_INVALID_HANDLE: u32 = 6;
    failure::guarded(0, || {
        if close(handle) {
            return 1;
        }
        crate::last_error::set(ERROR_INVALID_HANDLE);
        0
    })
}

/// What the last call in this thread that failed said of it: UTF-8, NUL-terminated, cut to `size` bytes. Returns how many
/// bytes it has, without the NUL. An extension of this library, of the same name on every system.
///
/// # Safety
/// `buffer` is NULL, or has room for `size` bytes.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "named as the functions of sspi.h are")]
pub unsafe extern "system" fn PortableSspiGetLastErrorMessage(buffer: *mut c_char, size: u32) -> u32 {
    failure::guarded(0, || {
        let message = failure::last_message();
        // SAFETY: by this function's contract.
        if let Ok([to @ .., _]) = unsafe { pointer::bytes_mut(buffer.cast(), size as usize) } {
            let fits = whole_characters(&message, to.len());
            to.iter_mut().zip(message.as_bytes().iter().take(fits)).for_each(|(to, from)| *to = *from);
            // SAFETY: within the buffer, which has room for a byte more than fits.
            unsafe { pointer::write(buffer.add(fits), 0) };
        }
        u32::try_from(message.len()).unwrap_or(u32::MAX)
    })
}

/// How many of the first `room` bytes are whole characters.
fn whole_characters(text: &str, room: usize) -> usize {
    (0..=room.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}
