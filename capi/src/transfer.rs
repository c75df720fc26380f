//! ExportSecurityContext and ImportSecurityContext.

use core::ffi::c_char;

use portable_sspi::{ExportFlags, ExportOptions, SecurityStatus};

use crate::abi::{HANDLE, SECBUFFER_EMPTY, SECURITY_STATUS, SecBuffer, SecHandle, ULONG, WCHAR};
use crate::context::{self, Context, Established, TABLE};
use crate::export::export;
use crate::failure::{self, Failure, Result};
use crate::library;
use crate::memory::Block;
use crate::packages::Package;
use crate::pointer::{self, required};
use crate::text::Character;
use crate::tokens;

/// The blob in memory for the program, and the token where it is asked for and there is one.
fn export(established: &mut Established, flags: ExportFlags, with_token: bool) -> Result<(Block, HANDLE)> {
    let context = established.context.as_ref();
    // A client's context has none, which is no reason to fail.
    let token = if with_token { tokens::token_of(context).ok().map(tokens::Token) } else { None };
    let options = ExportOptions::from_flags(flags);
    // The original is kept until all is done that can fail.
    let blob = library::sspi()?.export_security_context_keeping_original(context, &options)?;
    let block = Block::of(&blob)?;
    let handle = token.map_or(core::ptr::null_mut(), |token| core::mem::ManuallyDrop::new(token).0);
    Ok((block, handle))
}

/// # Safety
/// As of the exported functions.
unsafe fn import<C: Character>(
    package: *const C,
    packed: *const SecBuffer,
    handle: *mut SecHandle,
) -> SECURITY_STATUS {
    failure::status(|| {
        // SAFETY: the same contract. Both packages hand over contexts of NTLM.
        unsafe { Package::named(package)? };
        let handle = required(handle)?;
        // SAFETY: the same contract.
        let packed = unsafe { pointer::read(packed) }.ok_or(Failure::NULL_POINTER)?;
        // SAFETY: the same contract.
        let blob = unsafe { pointer::bytes(packed.pointer, packed.length as usize)? };
        let context = library::sspi()?.import_security_context(Some("NTLM"), blob)?;
        let imported = TABLE.insert(Context::Established(context.into())).ok_or(Failure::OUT_OF_MEMORY)?;
        // SAFETY: not NULL, so valid for writing.
        unsafe { pointer::write(handle, imported) };
        Ok(SecurityStatus::SEC_E_OK)
    })
}

export! {
    /// ExportSecurityContext: seals an established context for another process of the same user on this host, which can import
    /// it once, within five minutes.
    ///
    /// `packed` is one buffer, of type `SECBUFFER_EMPTY`: the library sets its address and length, and FreeContextBuffer
    /// releases it. `token`, unless NULL, receives a handle that stands for the client, to be closed by CloseHandle; NULL for a
    /// client's own context.
    ///
    /// - `SECPKG_CONTEXT_EXPORT_DELETE_OLD`: the context ends here, and its handle stands for nothing from then on.
    ///   **Without it, never let both contexts protect messages: their keystream is the same.**
    /// - `SECPKG_CONTEXT_EXPORT_RESET_NEW`: the new context starts as it was right after the handshake. Dangerous in the same
    ///   way once a message was protected.
    /// - `SECPKG_CONTEXT_EXPORT_TO_KERNEL`: `SEC_E_UNSUPPORTED_FUNCTION` (which is `SEC_E_NOT_SUPPORTED`).
    ///
    /// `SEC_E_INVALID_HANDLE` where the handshake has not ended. If it fails, the context goes on here.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read; `packed` and `token` are written.
    pub unsafe fn ExportSecurityContext(
        context: *const SecHandle,
        flags: ULONG,
        packed: *mut SecBuffer,
        token: *mut HANDLE,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            let handle = unsafe { context::handle(context)? };
            let with_token = !token.is_null();
            let export = |context: &mut Context| {
                let established = context::established(context)?;
                let packed = required(packed)?;
                Ok((export(established, ExportFlags::from_raw(flags)?, with_token)?, packed))
            };
            // The handle that the program knows stands for the context until the blob is there, and for nothing afterwards: no
            // other thread gets in between.
            let deletes = flags & ExportFlags::DELETE_OLD.bits() != 0;
            let exported = if deletes {
                TABLE.take_if(handle, export).map(|taken| taken.map(|(_, exported)| exported))
            } else {
                TABLE.with(handle, export)
            };
            let ((block, access), packed) = exported.unwrap_or(Err(Failure::INVALID_HANDLE))?;
            let length = ULONG::try_from(block.length()).map_err(|_| Failure::OUT_OF_MEMORY)?;
            let filled = SecBuffer { length, buffer_type: SECBUFFER_EMPTY, pointer: block.give() };
            // SAFETY: the same contract.
            unsafe {
                pointer::write(packed, filled);
                pointer::write(token, access);
            }
            Ok(SecurityStatus::SEC_E_OK)
        })
    }

    /// ImportSecurityContextA: continues the context that another process exported; `package` is NTLM, or Negotiate where that
    /// chose it. The type of `packed` does not matter, and neither does `token`: who the client is stands in the blob.
    ///
    /// A blob is refused with `SEC_E_NOT_OWNER` (another user, scope or audience), `SEC_E_NO_CREDENTIALS` (another host, boot or
    /// host key), `SEC_E_CONTEXT_EXPIRED` (imported before, or too late), `SEC_E_INVALID_TOKEN` (damaged, or none),
    /// `SEC_E_UNSUPPORTED_FUNCTION` (of a newer release) or `SEC_E_SECPKG_NOT_FOUND` (of a package that is not here; so, too,
    /// where `package` is none or NULL).
    ///
    /// # What an attacker controls
    /// The blob, where it came by a way that is not trusted. He can make the import fail, no more.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `package` and `packed` with its buffer are read, `context` is written.
    pub unsafe fn ImportSecurityContextA(
        package: *const c_char,
        packed: *const SecBuffer,
        _token: HANDLE,
        context: *mut SecHandle,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { import(package, packed, context) }
    }

    /// ImportSecurityContextW: see [`ImportSecurityContextA`]. `package` is plain NUL-terminated text, as in the headers for
    /// programs; what Microsoft's page shows is for the kernel.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `package` and `packed` with its buffer are read, `context` is written.
    pub unsafe fn ImportSecurityContextW(
        package: *const WCHAR,
        packed: *const SecBuffer,
        _token: HANDLE,
        context: *mut SecHandle,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { import(package, packed, context) }
    }
}
