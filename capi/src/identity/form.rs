//! The forms that an identity can come in, told apart.

use core::ffi::c_void;

use crate::abi::{
    AuthIdentity, AuthIdentityEx, AuthIdentityEx2, SEC_WINNT_AUTH_IDENTITY_VERSION,
    SEC_WINNT_AUTH_IDENTITY_VERSION_2, ULONG, USHORT, WCHAR,
};
use crate::pointer;

/// An identity as it lies in memory. The texts of the first two forms are bytes or UTF-16, whatever their type here says.
pub(super) enum Form {
    Plain(AuthIdentity<u8>),
    Ex(AuthIdentityEx<u8>),
    Ex2(AuthIdentityEx2),
}

impl Form {
    /// `None` for NULL.
    ///
    /// # Safety
    /// As [`Identity::read`](super::Identity::read).
    pub(super) unsafe fn of(identity: *const c_void) -> Option<Self> {
        // SAFETY: each form is at least as long as two numbers of 32 bits.
        let [version, length] = unsafe { pointer::read(identity.cast::<[ULONG; 2]>())? };
        // The last form's length has 16 bits, whichever end of the second number they are.
        let [first, second, ..] = length.to_ne_bytes();
        let header_length = USHORT::from_ne_bytes([first, second]);
        // The oldest form has no version and starts with a pointer, which could look like one. It would have to be followed
        // by what stands for the length of the other forms, too.
        // SAFETY: by version and length, it is this form; the last one is what remains.
        unsafe {
            if version == SEC_WINNT_AUTH_IDENTITY_VERSION
                && length as usize == size_of::<AuthIdentityEx<WCHAR>>()
            {
                pointer::read(identity.cast()).map(Self::Ex)
            } else if version == SEC_WINNT_AUTH_IDENTITY_VERSION_2
                && usize::from(header_length) == size_of::<AuthIdentityEx2>()
            {
                pointer::read(identity.cast()).map(Self::Ex2)
            } else {
                pointer::read(identity.cast()).map(Self::Plain)
            }
        }
    }

    pub(super) const fn flags(&self) -> ULONG {
        match self {
            Self::Plain(plain) => plain.flags,
            Self::Ex(ex) => ex.identity.flags,
            Self::Ex2(ex2) => ex2.flags,
        }
    }
}
