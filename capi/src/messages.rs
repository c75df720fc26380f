//! Messages: signing, verifying, encrypting and decrypting.

use portable_sspi::{Misuse, SecurityBuffer, SecurityContext, SecurityStatus};

use crate::abi::{
    SEC_E_QOP_NOT_SUPPORTED, SECQOP_WRAP_NO_ENCRYPT, SECURITY_STATUS, SecBufferDesc, SecHandle, ULONG,
};
use crate::buffers::{Call, with_message};
use crate::context;
use crate::export::export;
use crate::failure::{self, Failure, Result};

/// # Safety
/// As of the exported functions.
unsafe fn protect(
    context: *const SecHandle,
    message: *mut SecBufferDesc,
    number: ULONG,
    call: Call,
    with: impl FnOnce(
        &mut dyn SecurityContext,
        &mut [SecurityBuffer<'_>],
    ) -> core::result::Result<(), portable_sspi::Error>,
) -> SECURITY_STATUS {
    failure::status_of_message(|| {
        // SAFETY: by this function's contract.
        unsafe {
            context::with_established(context, |established| {
                if message.is_null() {
                    return Err(Misuse::MissingBuffer { missing: "TOKEN" }.into());
                }
                let context = established.context.as_mut();
                // Counts for connectionless contexts alone.
                context.set_message_seq_no(number);
                with_message(message, call, |buffers| Ok(with(context, buffers)?))
            })?;
        }
        Ok(SecurityStatus::SEC_E_OK)
    })
}

/// Whether the quality of protection asks for encryption.
fn encrypts(quality: ULONG) -> Result<bool> {
    match quality {
        0 => Ok(true),
        SECQOP_WRAP_NO_ENCRYPT => Ok(false),
        _ => Err(Failure::new(SEC_E_QOP_NOT_SUPPORTED, "fQOP is neither 0 nor SECQOP_WRAP_NO_ENCRYPT")),
    }
}

/// # Safety
/// As of the exported functions.
unsafe fn encrypt(
    context: *const SecHandle,
    quality: ULONG,
    message: *mut SecBufferDesc,
    number: ULONG,
) -> SECURITY_STATUS {
    match encrypts(quality) {
        // SAFETY: the same contract.
        Ok(true) => unsafe { protect(context, message, number, Call::EncryptMessage, |c, b| c.encrypt(b)) },
        // SAFETY: the same contract.
        Ok(false) => unsafe {
            protect(context, message, number, Call::MakeSignature, |c, b| c.make_signature(b))
        },
        Err(failure) => failure::status(|| {
            // SAFETY: the same contract.
            unsafe { context::with_established(context, |_| Err(failure)) }
        }),
    }
}

/// # Safety
/// As of the exported functions.
unsafe fn decrypt(context: *const SecHandle, message: *mut SecBufferDesc, number: ULONG) -> SECURITY_STATUS {
    // SAFETY: the same contract.
    unsafe { protect(context, message, number, Call::DecryptMessage, |c, b| c.decrypt(b)) }
}

export! {
    /// MakeSignature: signs the DATA buffers in the order of the list, and writes 16 bytes into the TOKEN buffer.
    ///
    /// `number` counts for connectionless contexts alone; the others count for themselves. `quality` is not looked at.
    ///
    /// `SEC_E_INVALID_TOKEN` without a TOKEN buffer, or where it overlaps another; `SEC_E_BUFFER_TOO_SMALL` where it is.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read; the list and its buffers are read, and its TOKEN is written.
    pub unsafe fn MakeSignature(
        context: *const SecHandle,
        _quality: ULONG,
        message: *mut SecBufferDesc,
        number: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { protect(context, message, number, Call::MakeSignature, |c, b| c.make_signature(b)) }
    }

    /// VerifySignature: checks the TOKEN buffer against the DATA buffers. `quality` is never written, as by Windows' NTLM.
    ///
    /// `SEC_E_MESSAGE_ALTERED` or `SEC_E_OUT_OF_SEQUENCE` where it does not fit; the next message can still be checked.
    ///
    /// # What an attacker controls
    /// All bytes of the buffers.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read; the list and its buffers are read.
    pub unsafe fn VerifySignature(
        context: *const SecHandle,
        message: *mut SecBufferDesc,
        number: ULONG,
        _quality: *mut ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { protect(context, message, number, Call::VerifySignature, |c, b| c.verify_signature(b)) }
    }

    /// EncryptMessage: encrypts the DATA buffers that are not read-only in place, and writes their signature into the TOKEN
    /// buffer. With `SECQOP_WRAP_NO_ENCRYPT` it only signs, as MakeSignature does.
    ///
    /// `SEC_E_UNSUPPORTED_FUNCTION` where confidentiality was not negotiated; otherwise as [`MakeSignature`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read; the list and its buffers are read and written.
    pub unsafe fn EncryptMessage(
        context: *const SecHandle,
        quality: ULONG,
        message: *mut SecBufferDesc,
        number: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { encrypt(context, quality, message, number) }
    }

    /// DecryptMessage: the reverse of [`EncryptMessage`]; the token in a TOKEN buffer of its own, or before the message in
    /// a STREAM buffer, with a DATA buffer that is told where in it the message lies. `quality` is never written.
    ///
    /// `SEC_E_MESSAGE_ALTERED` or `SEC_E_OUT_OF_SEQUENCE` where the message is not the one due: its buffers and the context are
    /// then as before.
    ///
    /// # What an attacker controls
    /// All bytes of the buffers.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read; the list and its buffers are read and written.
    pub unsafe fn DecryptMessage(
        context: *const SecHandle,
        message: *mut SecBufferDesc,
        number: ULONG,
        _quality: *mut ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { decrypt(context, message, number) }
    }

    /// SealMessage: the old name of [`EncryptMessage`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read; the list and its buffers are read and written.
    pub unsafe fn SealMessage(
        context: *const SecHandle,
        quality: ULONG,
        message: *mut SecBufferDesc,
        number: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { encrypt(context, quality, message, number) }
    }

    /// UnsealMessage: the old name of [`DecryptMessage`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `context` is read; the list and its buffers are read and written.
    pub unsafe fn UnsealMessage(
        context: *const SecHandle,
        message: *mut SecBufferDesc,
        number: ULONG,
        _quality: *mut ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { decrypt(context, message, number) }
    }
}
