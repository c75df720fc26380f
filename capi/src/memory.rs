//! Memory that the library gives to C programs, and takes back by FreeContextBuffer.
//!
//! Each block is known by its address. A pointer that is none of them, or no longer, is left alone: freeing twice is
//! harmless. All blocks are wiped when freed, as keys, passwords and tokens lie in them.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

use crate::failure::{Failure, Result};

const LISTS: usize = 16;

/// The blocks that programs have, by their addresses.
static GIVEN: LazyLock<[Mutex<HashMap<usize, Block>>; LISTS]> = LazyLock::new(Default::default);

/// Bytes at an address that does not change, aligned for every type of `sspi.h`, zero at first.
pub(crate) struct Block {
    start: ptr::NonNull<u64>,
    words: usize,
    length: usize,
}

// SAFETY: the block owns its memory, which only it has a pointer to until it is given away; afterwards nothing is done
// with it but to free it.
unsafe impl Send for Block {}

impl Block {
    pub(crate) fn new(length: usize) -> Result<Self> {
        // One word at least, so that each block has an address of its own.
        let words = length.div_ceil(size_of::<u64>()).max(1);
        let mut memory = Vec::new();
        memory.try_reserve_exact(words).map_err(|_| Failure::OUT_OF_MEMORY)?;
        memory.resize(words, 0_u64);
        let memory: &'static mut [u64] = Box::leak(memory.into_boxed_slice());
        Ok(Self { start: ptr::NonNull::from(memory).cast(), words, length })
    }

    /// A block that begins with these bytes and holds nothing else.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self> {
        let mut block = Self::new(bytes.len())?;
        block.bytes_mut().copy_from_slice(bytes);
        Ok(block)
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `start` points to `words` words, which `length` bytes fit into, and `self` is borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.length) }
    }

    /// The address of the byte at `offset`.
    pub(crate) fn at<T>(&self, offset: usize) -> *mut T {
        assert!(offset <= self.length, "an offset outside of the block");
        self.start.as_ptr().wrapping_byte_add(offset).cast()
    }

    /// Writes a structure at `offset`.
    pub(crate) fn put<T: Copy>(&mut self, offset: usize, value: T) {
        assert!(
            offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.length),
            "a structure outside of the block"
        );
        // SAFETY: the structure lies within the block, as just checked; alignment does not matter.
        unsafe { self.at::<T>(offset).write_unaligned(value) }
    }

    /// Gives it to the program, which frees it.
    pub(crate) fn give<T>(self) -> *mut T {
        let address = self.start.as_ptr();
        list(address.cast()).insert(address.addr(), self);
        address.cast()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        // SAFETY: the memory was a boxed slice of `words` words, and nobody else frees it.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.words)) });
    }
}

/// Frees a block that was given to the program. `false` if there is none at that address.
pub(crate) fn free(pointer: *const c_void) -> bool {
    list(pointer).remove(&pointer.addr()).is_some()
}

/// The length in bytes of the block at that address, if there is one.
pub(crate) fn length(pointer: *const c_void) -> Option<usize> {
    list(pointer).get(&pointer.addr()).map(Block::length)
}

fn list(pointer: *const c_void) -> MutexGuard<'static, HashMap<usize, Block>> {
    let [first, ..] = &*GIVEN;
    // The lowest bits are the same for all, as blocks are aligned.
    let list = GIVEN.get((pointer.addr() >> 5) % LISTS).unwrap_or(first);
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_freed_once() {
        let pointer: *mut c_void = Block::of(b"secret").unwrap().give();
        assert_eq!(length(pointer), Some(6));
        assert!(free(pointer));
        assert!(!free(pointer));
        assert_eq!(length(pointer), None);
        assert!(!free(ptr::null()));
        assert!(!free(ptr::without_provenance(4096)));
    }

    #[test]
    fn structures_and_bytes_lie_where_they_were_put() {
        let mut block = Block::new(13).unwrap();
        block.put(1, u32::from_ne_bytes([1, 2, 3, 4]));
        assert_eq!(&block.bytes_mut()[..6], &[0, 1, 2, 3, 4, 0]);
        assert_eq!(block.at::<u8>(5).addr() - block.at::<u8>(0).addr(), 5);
        assert_eq!(block.at::<u64>(0).addr() % align_of::<u64>(), 0);
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn nothing_is_put_outside() {
        Block::new(3).unwrap().put(0, 0_u32);
    }

    #[test]
    fn empty_blocks_have_addresses_of_their_own() {
        let (one, other): (*mut u8, *mut u8) = (Block::new(0).unwrap().give(), Block::new(0).unwrap().give());
        assert_ne!(one, other);
        assert!(free(one.cast()) && free(other.cast()));
    }
}
