//! Reading and writing through pointers of the caller's.
//!
//! All functions share one contract: **a pointer is NULL, or valid for what the function does with it**, for as long as the
//! call into the library lasts. NULL is checked, alignment is not relied upon.

use core::ffi::c_void;

use crate::failure::{Failure, Result};

/// What `pointer` points to; `None` for NULL.
///
/// # Safety
/// NULL, or valid for reading a `T` (of any alignment) all of whose bit patterns are values.
pub(crate) unsafe fn read<T: Copy>(pointer: *const T) -> Option<T> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: valid for reading, by this function's contract.
    Some(unsafe { pointer.read_unaligned() })
}

/// Writes where the caller asked for an answer, and does nothing where he gave NULL.
///
/// # Safety
/// NULL, or valid for writing a `T` (of any alignment).
pub(crate) unsafe fn write<T>(pointer: *mut T, value: T) {
    if !pointer.is_null() {
        // SAFETY: valid for writing, by this function's contract.
        unsafe { pointer.write_unaligned(value) }
    }
}

/// Refuses NULL where the caller must give a place for an answer.
pub(crate) fn required<T>(pointer: *mut T) -> Result<*mut T> {
    if pointer.is_null() { Err(Failure::NULL_POINTER) } else { Ok(pointer) }
}

/// `length` bytes at `pointer`. No bytes may be anywhere; NULL with a length is refused.
///
/// # Safety
/// NULL, or valid for reading `length` bytes, which nobody changes during `'a`.
pub(crate) unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Result<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() || isize::try_from(length).is_err() {
        return Err(Failure::NULL_POINTER);
    }
    // SAFETY: not NULL, not too long, and valid by this function's contract; bytes have no alignment.
    Ok(unsafe { core::slice::from_raw_parts(pointer.cast(), length) })
}

/// As [`bytes`], for writing.
///
/// # Safety
/// NULL, or valid for reading and writing `length` bytes, which nobody else reads or changes during `'a`.
pub(crate) unsafe fn bytes_mut<'a>(pointer: *mut c_void, length: usize) -> Result<&'a mut [u8]> {
    if length == 0 {
        return Ok(&mut []);
    }
    if pointer.is_null() || isize::try_from(length).is_err() {
        return Err(Failure::NULL_POINTER);
    }
    // SAFETY: not NULL, not too long, and valid by this function's contract; bytes have no alignment.
    Ok(unsafe { core::slice::from_raw_parts_mut(pointer.cast(), length) })
}

/// `count` values at `pointer`, copied, whatever its alignment.
///
/// # Safety
/// NULL, or valid for reading `count` values of `T` (of any alignment) all of whose bit patterns are values.
pub(crate) unsafe fn copied<T: Copy>(pointer: *const T, count: usize) -> Result<Vec<T>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(Failure::NULL_POINTER);
    }
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| Failure::OUT_OF_MEMORY)?;
    for index in 0..count {
        // SAFETY: within the `count` values that are valid by this function's contract.
        values.push(unsafe { pointer.add(index).read_unaligned() });
    }
    Ok(values)
}
