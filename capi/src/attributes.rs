//! QueryContextAttributes: what can be asked of a context.

use core::ffi::{c_char, c_void};

use portable_sspi::{FileTime, Provider, SecurityContext, SecurityStatus};

use crate::abi::{
    ContextAccessToken, ContextAuthority, ContextClientSpecifiedTarget, ContextDceInfo, ContextFlags,
    ContextKeyInfo, ContextLastClientTokenStatus, ContextLifespan, ContextNames, ContextNativeNames,
    ContextNegotiationInfo, ContextPackageInfo, ContextPasswordExpiry, ContextSessionKey, ContextSizes,
    SECPKG_ATTR_ACCESS_TOKEN, SECPKG_ATTR_AUTHORITY, SECPKG_ATTR_CLIENT_SPECIFIED_TARGET,
    SECPKG_ATTR_DCE_INFO, SECPKG_ATTR_FLAGS, SECPKG_ATTR_KEY_INFO, SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS,
    SECPKG_ATTR_LIFESPAN, SECPKG_ATTR_NAMES, SECPKG_ATTR_NATIVE_NAMES, SECPKG_ATTR_NEGOTIATION_INFO,
    SECPKG_ATTR_PACKAGE_INFO, SECPKG_ATTR_PASSWORD_EXPIRY, SECPKG_ATTR_SESSION_KEY, SECPKG_ATTR_SIZES,
    SECPKG_NEGOTIATION_COMPLETE, SECPKG_NEGOTIATION_IN_PROGRESS, SECURITY_STATUS, SecHandle, ULONG, WCHAR,
    time_stamp,
};
use crate::context::{self, Context, established};
use crate::export::export;
use crate::failure::{self, Failure, Result};
use crate::memory::Block;
use crate::packages;
use crate::pointer::{self, required};
use crate::text::{self, Character};
use crate::tokens;

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
                SECPKG_ATTR_PACKAGE_INFO => {
                    answer.put(|| Ok(ContextPackageInfo::<C> { package: package_block::<C>()?.give() }))
                }
                SECPKG_ATTR_NEGOTIATION_INFO => answer.put(|| negotiation::<C>(context)),
                SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS => answer.put(|| Ok(last_token(context))),
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
            SECPKG_ATTR_SIZES => answer.put(|| {
                let portable_sspi::Sizes { max_token, max_signature, block_size, security_trailer } =
                    context.sizes();
                Ok(ContextSizes { max_token, max_signature, block_size, security_trailer })
            }),
            SECPKG_ATTR_NAMES => {
                answer.put(|| Ok(ContextNames { user_name: text::give::<C>(&context.names().user_name)? }))
            }
            SECPKG_ATTR_LIFESPAN => answer.put(|| {
                let lifespan = context.lifespan();
                Ok(ContextLifespan { start: time_stamp(lifespan.start), expiry: time_stamp(lifespan.expiry) })
            }),
            // RPC_C_AUTHZ_NAME: the address is of the client's name.
            SECPKG_ATTR_DCE_INFO => answer.put(|| {
                let name = text::give::<C>(&context.names().user_name)?;
                Ok(ContextDceInfo { authorization_service: 1, pac: name.cast() })
            }),
            SECPKG_ATTR_KEY_INFO => answer.put(|| key_info::<C>(context)),
            SECPKG_ATTR_AUTHORITY => answer.put(|| {
                let name = context.names().user_name;
                let authority = name.split_once('\\').map_or("", |(domain, _)| domain);
                Ok(ContextAuthority { authority_name: text::give::<C>(authority)? })
            }),
            SECPKG_ATTR_PASSWORD_EXPIRY => {
                answer.put(|| Ok(ContextPasswordExpiry { expiry: time_stamp(FileTime::NEVER) }))
            }
            SECPKG_ATTR_SESSION_KEY => answer.put(|| {
                let key = Block::of(context.session_key().expose())?;
                let length = ULONG::try_from(key.length()).unwrap_or_default();
                Ok(ContextSessionKey { length, key: key.give() })
            }),
            SECPKG_ATTR_NATIVE_NAMES => answer.put(|| {
                let names = context.native_names();
                let (client, server) =
                    (text::block::<C>(&names.client_name)?, text::block::<C>(&names.server_name)?);
                Ok(ContextNativeNames::<C> { client_name: client.give(), server_name: server.give() })
            }),
            SECPKG_ATTR_FLAGS => answer.put(|| Ok(ContextFlags { flags: context.flags().bits() })),
            SECPKG_ATTR_CLIENT_SPECIFIED_TARGET => answer.put(|| {
                let target = context.target().map(text::give::<WCHAR>).transpose()?;
                Ok(ContextClientSpecifiedTarget { target_name: target.unwrap_or(core::ptr::null_mut()) })
            }),
            SECPKG_ATTR_ACCESS_TOKEN => {
                answer.check::<ContextAccessToken>()?;
                let token = match &established.token {
                    Some(token) => token.0,
                    None => {
                        let token = tokens::Token(tokens::token_of(context)?);
                        established.token.insert(token).0
                    }
                };
                answer.put(|| Ok(ContextAccessToken { token }))
            }
            _ => Err(Failure::unsupported("this context has no such attribute")),
        }
    }
}

fn package_block<C: Character>() -> Result<Block> {
    // Negotiate, too, tells what it chose.
    packages::block::<C>(&[portable_sspi::ntlm::Ntlm::default().package_info()])
}

fn negotiation<C: Character>(context: &Context) -> Result<ContextNegotiationInfo<C>> {
    let state = if matches!(context, Context::Established(_)) {
        SECPKG_NEGOTIATION_COMPLETE
    } else {
        SECPKG_NEGOTIATION_IN_PROGRESS
    };
    Ok(ContextNegotiationInfo { package: package_block::<C>()?.give(), state })
}

/// SecPkgAttrLastClientTokenYes, or No while the handshake is under way.
fn last_token(context: &Context) -> ContextLastClientTokenStatus {
    ContextLastClientTokenStatus { status: ULONG::from(!matches!(context, Context::Established(_))) }
}

fn key_info<C: Character>(context: &dyn SecurityContext) -> Result<ContextKeyInfo<C>> {
    let info = context.key_info();
    let signature = text::block::<C>(info.signature_algorithm_name)?;
    let encrypt = text::block::<C>(info.encrypt_algorithm_name)?;
    Ok(ContextKeyInfo {
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
