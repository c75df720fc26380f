//! What a `CtxtHandle` stands for.

use std::sync::Arc;

use portable_sspi::{PartialContext, SecurityContext, SecurityStatus};

use crate::abi::SecHandle;
use crate::credentials::Shared;
use crate::failure::{Failure, Result};
use crate::pointer;
use crate::table::Table;
use crate::tokens;

pub(crate) static TABLE: Table<Context> = Table::new();

/// A context, from its first step on until it is deleted.
pub(crate) enum Context {
    /// Its handshake is under way, with these credentials.
    Partial(PartialContext, Arc<Shared>),
    /// A step gave a token that found no room. Boxed, as it is rare and would be the largest.
    Undelivered(Box<Undelivered>),
    /// Messages can be protected.
    Established(Established),
    /// A step failed. It can do nothing more, and still wants to be deleted.
    Failed,
}

/// The same step again, with room, gets the token; `step` is what it was given.
pub(crate) struct Undelivered {
    pub(crate) step: Vec<u8>,
    pub(crate) token: Vec<u8>,
    pub(crate) then: Context,
}

/// An established context, and the token that SECPKG_ATTR_ACCESS_TOKEN has given out for it.
pub(crate) struct Established {
    pub(crate) context: Box<dyn SecurityContext>,
    pub(crate) token: Option<tokens::Token>,
}

impl From<Box<dyn SecurityContext>> for Established {
    fn from(context: Box<dyn SecurityContext>) -> Self {
        Self { context, token: None }
    }
}

/// The numbers behind a pointer to a handle.
///
/// # Safety
/// NULL, or valid for reading.
pub(crate) unsafe fn handle(handle: *const SecHandle) -> Result<SecHandle> {
    // SAFETY: by this function's contract.
    unsafe { pointer::read(handle) }.ok_or(Failure::INVALID_HANDLE)
}

/// Uses the context that a handle stands for, whatever state it is in.
///
/// # Safety
/// NULL, or valid for reading.
pub(crate) unsafe fn with<R>(
    handle: *const SecHandle,
    use_it: impl FnOnce(&mut Context) -> Result<R>,
) -> Result<R> {
    // SAFETY: by this function's contract.
    let handle = unsafe { self::handle(handle)? };
    TABLE.with(handle, use_it).unwrap_or(Err(Failure::INVALID_HANDLE))
}

/// Uses the established context that a handle stands for.
///
/// # Errors
/// `SEC_E_INVALID_HANDLE` where its handshake has not ended, or not well.
///
/// # Safety
/// NULL, or valid for reading.
pub(crate) unsafe fn with_established<R>(
    handle: *const SecHandle,
    use_it: impl FnOnce(&mut Established) -> Result<R>,
) -> Result<R> {
    // SAFETY: by this function's contract.
    unsafe { with(handle, |context| use_it(established(context)?)) }
}

/// The context, where it is established.
pub(crate) fn established(context: &mut Context) -> Result<&mut Established> {
    match context {
        Context::Established(established) => Ok(established),
        _ => Err(Failure::new(
            SecurityStatus::SEC_E_INVALID_HANDLE,
            "the context is not established: its handshake has not ended, or has failed",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_leaves_room_for_its_lock_on_one_cache_line() {
        assert!(size_of::<Context>() <= 48, "{}", size_of::<Context>());
    }
}
