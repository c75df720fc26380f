//! QueryContextAttributes: what can be asked of a context.

use core::ffi::{c_char, c_void};

use portable_sspi::{FileTime, Provider, SecurityContext, SecurityStatus};

use crate::abi::{SECURITY_STATUS, SecHandle, SecPkgInfo, ULONG, WCHAR, time_stamp};
use crate::context::{self, Context, established};
use crate::export::export;
use crate::failure::{self, Failure, Result};
use crate::memory::Block;
use crate::packages;
use crate::pointer::{self, required};
use crate::text::{self, Character};
use crate::tokens;

/// The numbers of `SECPKG_ATTR_*`.
mod attr {
    use crate::abi::ULONG;

    pub(super) const SIZES: ULONG = 0;
    pub(super) const NAMES: ULONG = 1;
    pub(super) const LIFESPAN: ULONG = 2;
    pub(super) const DCE_INFO: ULONG = 3;
    pub(super) const KEY_INFO: ULONG = 5;
    pub(super) const AUTHORITY: ULONG = 6;
    pub(super) const PASSWORD_EXPIRY: ULONG = 8;
    pub(super) const SESSION_KEY: ULONG = 9;
    pub(super) const PACKAGE_INFO: ULONG = 10;
    pub(super) const NEGOTIATION_INFO: ULONG = 12;
    pub(super) const NATIVE_NAMES: ULONG = 13;
    pub(super) const FLAGS: ULONG = 14;
    pub(super) const ACCESS_TOKEN: ULONG = 18;
    pub(super) const CLIENT_SPECIFIED_TARGET: ULONG = 27;
    pub(super) const LAST_CLIENT_TOKEN_STATUS: ULONG = 30;
}

/// `SecPkgContext_NegotiationInfo`.
#[repr(C)]
struct NegotiationInfo<C> {
    package: *mut SecPkgInfo<C>,
    state: ULONG,
}

/// `SecPkgContext_KeyInfo`.
#[repr(C)]
struct KeyInfo<C> {
    signature_algorithm_name: *mut C,
    encrypt_algorithm_name: *mut C,
    key_size: ULONG,
    signature_algorithm: ULONG,
    encrypt_algorithm: ULONG,
}

/// `SecPkgContext_SessionKey` and `SecPkgContext_DceInfo`: a number and an address.
#[repr(C)]
struct NumberAndAddress<T> {
    number: ULONG,
    address: *mut T,
}

/// Where the answer goes. Blocks that are in it are given to the program only when nothing can fail any more.
struct Answer {
    place: *mut c_void,
    room: Option<ULONG>,
}

impl Answer {
    /// Refuses an answer that has no room, before anything is made for it.
    fn check<T>(&self) -> Result<()> {
        if self.room.is_some_and(|room| (room as usize) < size_of::<T>()) {
            return Err(Failure::new(
                SecurityStatus::SEC_E_BUFFER_TOO_SMALL,
                "cbBuffer is less than the structure of this attribute takes",
            ));
        }
        required(self.place).map(drop)
    }

    /// # Safety
    /// The place has room for what the attribute asks for, unless it is NULL.
    unsafe fn put<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<()> {
        self.check::<T>()?;
        // SAFETY: not NULL, so valid for writing, by this function's contract.
        unsafe { pointer::write(self.place.cast(), make()?) };
        Ok(())
    }
}

/// # Safety
/// As of the exported functions.
unsafe fn query<C: Character>(
    handle: *const SecHandle,
    attribute: ULONG,
    place: *mut c_void,
    room: Option<ULONG>,
) -> SECURITY_STATUS {
    failure::status(|| {
        let answer = Answer { place, room };
        // SAFETY: the same contract.
        unsafe {
            context::with(handle, |context| match attribute {
                attr::PACKAGE_INFO => answer.put(|| Ok(package_block::<C>()?.give::<SecPkgInfo<C>>())),
                attr::NEGOTIATION_INFO => answer.put(|| negotiation::<C>(context)),
                attr::LAST_CLIENT_TOKEN_STATUS => answer.put(|| Ok(last_token(context))),
                _ => of_established::<C>(established(context)?, attribute, &answer),
            })?;
        }
        Ok(SecurityStatus::SEC_E_OK)
    })
}

/// # Safety
/// As of [`Answer::put`].
unsafe fn of_established<C: Character>(
    established: &mut context::Established,
    attribute: ULONG,
    answer: &Answer,
) -> Result<()> {
    let context = established.context.as_ref();
    // SAFETY: the same contract, for each.
    unsafe {
        match attribute {
            attr::SIZES => answer.put(|| {
                let sizes = context.sizes();
                Ok([sizes.max_token, sizes.max_signature, sizes.block_size, sizes.security_trailer])
            }),
            attr::NAMES => answer.put(|| text::give::<C>(&context.names().user_name)),
            attr::LIFESPAN => answer.put(|| {
                let lifespan = context.lifespan();
                Ok([lifespan.start, lifespan.expiry].map(time_stamp))
            }),
            // RPC_C_AUTHZ_NAME: the address is of the client's name.
            attr::DCE_INFO => answer.put(|| {
                Ok(NumberAndAddress { number: 1, address: text::give::<C>(&context.names().user_name)? })
            }),
            attr::KEY_INFO => answer.put(|| key_info::<C>(context)),
            attr::AUTHORITY => answer.put(|| {
                let name = context.names().user_name;
                text::give::<C>(name.split_once('\\').map_or("", |(domain, _)| domain))
            }),
            attr::PASSWORD_EXPIRY => answer.put(|| Ok(time_stamp(FileTime::NEVER))),
            attr::SESSION_KEY => answer.put(|| {
                let key = Block::of(context.session_key().expose())?;
                let number = ULONG::try_from(key.length()).unwrap_or_default();
                Ok(NumberAndAddress { number, address: key.give::<u8>() })
            }),
            attr::NATIVE_NAMES => answer.put(|| {
                let names = context.native_names();
                let (client, server) =
                    (text::block::<C>(&names.client_name)?, text::block::<C>(&names.server_name)?);
                Ok([client.give::<C>(), server.give()])
            }),
            attr::FLAGS => answer.put(|| Ok(context.flags().bits())),
            // Always wide: there is one structure for both functions.
            attr::CLIENT_SPECIFIED_TARGET => answer.put(|| match context.target() {
                Some(target) => text::give::<WCHAR>(target),
                None => Ok(core::ptr::null_mut()),
            }),
            attr::ACCESS_TOKEN => {
                answer.check::<crate::abi::HANDLE>()?;
                let handle = match &established.token {
                    Some(token) => token.0,
                    None => {
                        let token = tokens::Token(tokens::token_of(context)?);
                        established.token.insert(token).0
                    }
                };
                answer.put(|| Ok(handle))
            }
            _ => Err(Failure::unsupported("this context has no such attribute")),
        }
    }
}

fn package_block<C: Character>() -> Result<Block> {
    // Negotiate, too, tells what it chose.
    packages::block::<C>(&[portable_sspi::ntlm::Ntlm::default().package_info()])
}

fn negotiation<C: Character>(context: &Context) -> Result<NegotiationInfo<C>> {
    // SECPKG_NEGOTIATION_COMPLETE and SECPKG_NEGOTIATION_IN_PROGRESS.
    let state = if matches!(context, Context::Established(_)) { 0 } else { 2 };
    Ok(NegotiationInfo { package: package_block::<C>()?.give(), state })
}

/// SecPkgAttrLastClientTokenYes, or No while the handshake is under way.
const fn last_token(context: &Context) -> ULONG {
    if matches!(context, Context::Established(_)) { 0 } else { 1 }
}

fn key_info<C: Character>(context: &dyn SecurityContext) -> Result<KeyInfo<C>> {
    let info = context.key_info();
    let signature = text::block::<C>(info.signature_algorithm_name)?;
    let encrypt = text::block::<C>(info.encrypt_algorithm_name)?;
    Ok(KeyInfo {
        signature_algorithm_name: signature.give(),
        encrypt_algorithm_name: encrypt.give(),
        key_size: info.key_size,
        signature_algorithm: info.signature_algorithm,
        encrypt_algorithm: info.encrypt_algorithm,
    })
}

export! {
    /// QueryContextAttributesA: SIZES, NAMES, LIFESPAN, DCE_INFO, KEY_INFO, AUTHORITY, PASSWORD_EXPIRY, SESSION_KEY, PACKAGE_INFO,
    /// NEGOTIATION_INFO, NATIVE_NAMES, FLAGS, ACCESS_TOKEN, CLIENT_SPECIFIED_TARGET and LAST_CLIENT_TOKEN_STATUS. What they
    /// point to is released by FreeContextBuffer, each block by itself; the handle of ACCESS_TOKEN is closed with the context.
    ///
    /// `SEC_E_UNSUPPORTED_FUNCTION` for any other attribute; `SEC_E_INVALID_HANDLE` before the handshake has ended, but for
    /// PACKAGE_INFO, NEGOTIATION_INFO and LAST_CLIENT_TOKEN_STATUS.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read, `answer` is written.
    pub unsafe fn QueryContextAttributesA(
        context: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<c_char>(context, attribute, answer, None) }
    }

    /// QueryContextAttributesW: see [`QueryContextAttributesA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read, `answer` is written.
    pub unsafe fn QueryContextAttributesW(
        context: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<WCHAR>(context, attribute, answer, None) }
    }

    /// QueryContextAttributesExA: as [`QueryContextAttributesA`]; `SEC_E_BUFFER_TOO_SMALL` where `room`, in bytes, is.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read, `answer` is written.
    pub unsafe fn QueryContextAttributesExA(
        context: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
        room: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<c_char>(context, attribute, answer, Some(room)) }
    }

    /// QueryContextAttributesExW: see [`QueryContextAttributesExA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read, `answer` is written.
    pub unsafe fn QueryContextAttributesExW(
        context: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
        room: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<WCHAR>(context, attribute, answer, Some(room)) }
    }
}
