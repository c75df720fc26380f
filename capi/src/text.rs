//! The two forms of text in `sspi.h`: functions that end in A take bytes, those that end in W take UTF-16.

use std::ffi::c_char;

use portable_sspi::SecurityStatus;
use zeroize::{Zeroize, Zeroizing};

use crate::abi::WCHAR;
use crate::failure::{Failure, Result};
use crate::memory::Block;

/// The longest text that is read from a program, in characters: a text without its NUL must not lead through all memory.
/// UNICODE_STRING has half of it.
const LONGEST: usize = 0xFFFF;

/// A character of one of the two forms.
pub(crate) trait Character: Copy + PartialEq + Zeroize + 'static {
    const NUL: Self;

    /// Text of these characters; `None` where they are none.
    fn decode(characters: &[Self]) -> Option<String>;

    /// As UTF-16, which need not be valid: a password is hashed in this form whatever it holds. `None` where there is no
    /// such form.
    fn decode_units(characters: &[Self]) -> Option<Zeroizing<Vec<u16>>>;

    /// The bytes of `text` in this form, without a NUL.
    fn encode(text: &str) -> Vec<u8>;
}

/// "ANSI" in the terms of Windows, whose code page is UTF-8 here.
impl Character for c_char {
    const NUL: Self = 0;

    fn decode(characters: &[Self]) -> Option<String> {
        String::from_utf8(characters.iter().map(|character| character.to_ne_bytes()[0]).collect()).ok()
    }

    fn decode_units(characters: &[Self]) -> Option<Zeroizing<Vec<u16>>> {
        // Reserved in full first: growing would leave copies of the password behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(characters.len()));
        bytes.extend(characters.iter().map(|character| character.to_ne_bytes()[0]));
        let text = core::str::from_utf8(&bytes).ok()?;
        let mut units = Zeroizing::new(Vec::with_capacity(text.len()));
        units.extend(text.encode_utf16());
        Some(units)
    }

    fn encode(text: &str) -> Vec<u8> {
        text.as_bytes().to_vec()
    }
}

impl Character for WCHAR {
    const NUL: Self = 0;

    fn decode(characters: &[Self]) -> Option<String> {
        String::from_utf16(characters).ok()
    }

    fn decode_units(characters: &[Self]) -> Option<Zeroizing<Vec<u16>>> {
        Some(Zeroizing::new(characters.to_vec()))
    }

    fn encode(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_ne_bytes).collect()
    }
}

/// How many characters come before the NUL; `None` where there is none within what is read.
///
/// # Safety
/// `pointer` is valid for reading up to a NUL.
unsafe fn length_of<C: Character>(pointer: *const C) -> Option<usize> {
    (0..=LONGEST).find(|index| {
        // SAFETY: all before this one were not NUL, so it is still within the text, by this function's contract.
        unsafe { pointer.add(*index).read_unaligned() == C::NUL }
    })
}

/// The characters of NUL-terminated text, which need not be valid; `None` for NULL. What is too long is refused with
/// `refused`.
///
/// # Safety
/// NULL, or valid for reading up to a NUL, of any alignment.
pub(crate) unsafe fn characters<C: Character>(
    pointer: *const C,
    refused: SecurityStatus,
) -> Result<Option<Zeroizing<Vec<C>>>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and valid up to a NUL by this function's contract.
    let length = unsafe { length_of(pointer) }
        .ok_or(Failure::new(refused, "a text is longer than 65,535 characters, or has no NUL at its end"))?;
    // SAFETY: that many characters were just read.
    unsafe { crate::pointer::copied(pointer, length) }.map(|all| Some(Zeroizing::new(all)))
}

/// NUL-terminated text; `None` for NULL. Text that is too long or not valid is refused with `refused`.
///
/// # Safety
/// As [`characters`].
pub(crate) unsafe fn read<C: Character>(
    pointer: *const C,
    refused: SecurityStatus,
) -> Result<Option<String>> {
    // SAFETY: passed on.
    let Some(characters) = (unsafe { characters(pointer, refused)? }) else { return Ok(None) };
    C::decode(&characters).map(Some).ok_or(Failure::new(refused, "a text is not valid UTF-8 or UTF-16"))
}

/// A block that holds `text`, NUL-terminated.
pub(crate) fn block<C: Character>(text: &str) -> Result<Block> {
    let bytes = C::encode(text);
    let mut block = Block::new(bytes.len() + size_of::<C>())?;
    if let Some(start) = block.bytes_mut().get_mut(..bytes.len()) {
        start.copy_from_slice(&bytes);
    }
    Ok(block)
}

/// A block of its own for `text`, NUL-terminated, to be freed by FreeContextBuffer.
pub(crate) fn give<C: Character>(text: &str) -> Result<*mut C> {
    Ok(block::<C>(text)?.give())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_come_back_as_they_went() {
        for text in ["", "NTLM", "Jörg 𝄞"] {
            let narrow: *mut c_char = give(text).unwrap();
            let wide: *mut WCHAR = give(text).unwrap();
            let status = SecurityStatus::SEC_E_INTERNAL_ERROR;
            // SAFETY: both were just made.
            unsafe {
                assert_eq!(read(narrow.cast_const(), status).unwrap().as_deref(), Some(text));
                assert_eq!(read(wide.cast_const(), status).unwrap().as_deref(), Some(text));
            }
            assert!(crate::memory::free(narrow.cast()) && crate::memory::free(wide.cast()));
        }
    }

    #[test]
    fn what_is_not_text_is_refused() {
        let status = SecurityStatus::SEC_E_UNKNOWN_CREDENTIALS;
        // SAFETY: both end in a NUL.
        unsafe {
            let lone_surrogate = [0xD800_u16, 0];
            assert_eq!(read(lone_surrogate.as_ptr(), status).unwrap_err().status(), status);
            assert_eq!(read(c"\xFF".as_ptr(), status).unwrap_err().status(), status);
            assert_eq!(read(core::ptr::null::<u16>(), status).unwrap(), None);
            let endless = vec![1_u16; LONGEST + 2];
            assert_eq!(read(endless.as_ptr(), status).unwrap_err().status(), status);
        }
    }

    #[test]
    fn a_password_that_is_no_text_is_one_all_the_same() {
        assert_eq!(WCHAR::decode_units(&[0xD800, 1]).unwrap().as_slice(), [0xD800, 1]);
        assert!(c_char::decode_units(&[-1_i8 as c_char]).is_none());
    }
}
