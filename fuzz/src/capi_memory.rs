//! Memory of the program that the target `capi` plays: pieces with guards around them, and lists of buffers.

use core::ffi::c_void;
use core::ptr::null_mut;

use portable_sspi_capi::abi::{
    SECBUFFER_DATA, SECBUFFER_READONLY, SECBUFFER_READONLY_WITH_CHECKSUM, SECBUFFER_STREAM, SECBUFFER_TOKEN,
    SecBuffer, SecBufferDesc,
};

/// The fuzzer's bytes, which decide what the program does. Where there are none left, all is 0.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    pub fn number(&mut self) -> u32 {
        u32::from_le_bytes([0; 4].map(|_: u8| self.byte()))
    }

    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of `all`, if there are any.
    pub fn any<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        let choice = usize::from(self.byte());
        (!all.is_empty()).then(|| &all[choice % all.len()])
    }
}

const GUARD: usize = 16;
const GUARDS: [u8; GUARD] = [0xA5; GUARD];

/// Bytes between guards, at an address of any alignment.
pub struct Piece {
    all: Vec<u8>,
    start: usize,
    before: Vec<u8>,
}

impl Piece {
    pub fn new(bytes: &[u8], odd: u8) -> Self {
        let start = GUARD + usize::from(odd % 8);
        let mut all = vec![0xA5; start];
        all.extend_from_slice(bytes);
        all.extend_from_slice(&GUARDS);
        Self { all, start, before: bytes.to_vec() }
    }

    /// A value as it lies in memory.
    pub fn of<T: Copy>(value: &T, odd: u8) -> Self {
        let mut piece = Self::new(&vec![0; size_of::<T>()], odd);
        unsafe { piece.pointer::<T>().write_unaligned(*value) };
        piece.before = piece.bytes().to_vec();
        piece
    }

    pub fn pointer<T>(&mut self) -> *mut T {
        self.all[self.start..].as_mut_ptr().cast()
    }

    pub fn read<T: Copy>(&self) -> T {
        assert!(size_of::<T>() <= self.len());
        unsafe { self.all[self.start..].as_ptr().cast::<T>().read_unaligned() }
    }

    pub fn len(&self) -> usize {
        self.before.len()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.all[self.start..self.start + self.len()]
    }

    pub fn is_unchanged(&self) -> bool {
        self.bytes() == self.before
    }

    /// Nothing was written beside it.
    pub fn check(&self) {
        assert!(self.all[..self.start].iter().all(|byte| *byte == 0xA5), "written before a buffer");
        assert_eq!(self.all[self.start + self.len()..], GUARDS, "written behind a buffer");
    }
}

/// What a call may have done to a list of buffers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It failed, or only reads.
    Nothing,
    /// A message was protected or read where it lies.
    Message,
    /// A token was written where the program gave room for it.
    Token,
    /// A token was given in a block of the library's.
    Block,
}

/// A `SecBufferDesc` with all that it points to.
pub struct List {
    pieces: Vec<Piece>,
    buffers: Piece,
    given: Vec<SecBuffer>,
    /// Which piece each buffer lies in.
    within: Vec<Option<usize>>,
    desc: SecBufferDesc,
    is_null: bool,
}

impl List {
    /// Any list: of any types, in any order; NULL pointers; buffers that overlap; `known` are bytes to put in.
    pub fn any(input: &mut Input<'_>, known: &[Vec<u8>]) -> Self {
        let shape = input.byte();
        let count = if shape == 255 { 1025 } else { usize::from(shape % 6) };
        let mut list = Self::new();
        for index in 0..count {
            if index > 10 {
                list.push(SECBUFFER_DATA, None, 0);
                continue;
            }
            let kind = match input.byte() {
                255 => input.number(),
                kind => {
                    [2, 1, 2, 1, 10, 9, 14, 0][usize::from(kind % 8)]
                        | [0, 0, 0, 0, SECBUFFER_READONLY, SECBUFFER_READONLY_WITH_CHECKSUM, 0x4000_0000, 0]
                            [usize::from(kind / 8 % 8)]
                }
            };
            let choice = input.byte();
            match choice % 8 {
                0 => {
                    let length = usize::from(input.byte());
                    let bytes = input.take(length).to_vec();
                    list.add(kind, bytes, choice / 8);
                }
                1 => list.push(kind, None, input.number()),
                2 if !list.pieces.is_empty() => {
                    let piece = usize::from(input.byte()) % list.pieces.len();
                    let length = list.pieces[piece].len();
                    let start = usize::from(input.byte()) % (length + 1);
                    let rest = usize::from(input.byte()) % (length - start + 1);
                    let pointer = list.pieces[piece].pointer::<u8>().wrapping_add(start);
                    list.push(kind, Some((piece, pointer)), rest as u32);
                }
                3 | 4 => {
                    let mut bytes = input.any(known).cloned().unwrap_or_default();
                    if choice >= 128 {
                        let place = usize::from(input.byte());
                        match bytes.get_mut(place) {
                            Some(byte) if choice >= 192 => *byte ^= input.byte(),
                            _ => bytes.truncate(place),
                        }
                    }
                    list.add(kind, bytes, choice / 8);
                }
                5 => list.add(kind, vec![0; 16], choice / 8),
                6 => list.add(kind, vec![0x61; usize::from(input.byte())], choice / 8),
                _ => list.add(kind, vec![0; 4096], 0),
            }
        }
        list.finish(input.byte())
    }

    /// One buffer of each kind, with these bytes.
    pub fn of(buffers: &[(u32, &[u8])]) -> Self {
        let mut list = Self::new();
        for (kind, bytes) in buffers {
            list.add(*kind, bytes.to_vec(), 0);
        }
        list.finish(0)
    }

    fn new() -> Self {
        let desc = SecBufferDesc { version: 0, count: 0, buffers: null_mut() };
        let buffers = Piece::new(&[], 0);
        Self { pieces: Vec::new(), buffers, given: Vec::new(), within: Vec::new(), desc, is_null: false }
    }

    fn add(&mut self, kind: u32, bytes: Vec<u8>, odd: u8) {
        let mut piece = Piece::new(&bytes, odd);
        let (pointer, length) = (piece.pointer(), bytes.len() as u32);
        self.pieces.push(piece);
        self.push(kind, Some((self.pieces.len() - 1, pointer)), length);
    }

    fn push(&mut self, kind: u32, place: Option<(usize, *mut u8)>, length: u32) {
        let pointer = place.map_or(null_mut(), |(_, pointer)| pointer.cast());
        self.given.push(SecBuffer { length, buffer_type: kind, pointer });
        self.within.push(place.map(|(piece, _)| piece));
    }

    /// Lays the buffers out; `odd` says where, and a few values of it that something is wrong with the list itself.
    fn finish(mut self, odd: u8) -> Self {
        self.buffers = Piece::new(&vec![0; size_of::<SecBuffer>() * self.given.len()], odd);
        for (index, buffer) in self.given.iter().enumerate() {
            unsafe { self.buffers.pointer::<SecBuffer>().wrapping_add(index).write_unaligned(*buffer) };
        }
        let buffers = if odd == 254 { null_mut() } else { self.buffers.pointer() };
        let version = u32::from(odd == 253);
        self.desc = SecBufferDesc { version, count: self.given.len() as u32, buffers };
        self.is_null = odd == 255;
        self
    }

    pub fn pointer(&mut self) -> *mut SecBufferDesc {
        if self.is_null { null_mut() } else { &raw mut self.desc }
    }

    fn now(&mut self, index: usize) -> SecBuffer {
        unsafe { self.buffers.pointer::<SecBuffer>().wrapping_add(index).read_unaligned() }
    }

    /// The bytes of the first buffer of that type, as the call left it, in whatever memory that is.
    pub fn first(&mut self, kind: u32) -> Option<(*mut c_void, Vec<u8>)> {
        if self.is_null {
            return None;
        }
        let index = self.given.iter().position(|buffer| buffer.kind() == kind)?;
        let buffer = self.now(index);
        if buffer.pointer.is_null() {
            return Some((null_mut(), Vec::new()));
        }
        let bytes = unsafe { core::slice::from_raw_parts(buffer.pointer.cast(), buffer.length as usize) };
        Some((buffer.pointer, bytes.to_vec()))
    }

    /// The call did what it may, and nothing else.
    pub fn check(&mut self, effect: Effect) {
        self.buffers.check();
        self.pieces.iter().for_each(Piece::check);
        let desc = self.desc;
        assert_eq!(desc.count as usize, self.given.len(), "the list's length was changed");
        let token = self.given.iter().position(|buffer| buffer.kind() == SECBUFFER_TOKEN);
        let streams: Vec<_> =
            self.given.iter().filter(|buffer| buffer.kind() == SECBUFFER_STREAM).copied().collect();
        for index in 0..self.given.len() {
            let (before, now) = (self.given[index], self.now(index));
            assert_eq!(before.buffer_type, now.buffer_type, "a buffer's type was changed");
            let same = (before.length, before.pointer) == (now.length, now.pointer);
            let shorter = before.pointer == now.pointer && now.length <= before.length;
            let in_stream = streams.iter().any(|stream| {
                let offset = now.pointer.addr().wrapping_sub(stream.pointer.addr());
                offset.checked_add(now.length as usize).is_some_and(|end| end <= stream.length as usize)
            });
            assert!(
                match effect {
                    Effect::Nothing => same,
                    Effect::Message => shorter || before.kind() == SECBUFFER_DATA && in_stream,
                    Effect::Token => same || token == Some(index) && shorter,
                    Effect::Block => same || token == Some(index),
                },
                "a buffer is not what it was: {before:?}, {now:?}"
            );
        }
        for (number, piece) in self.pieces.iter().enumerate() {
            let is_open = self.given.iter().zip(&self.within).any(|(buffer, within)| {
                let readonly =
                    buffer.buffer_type & (SECBUFFER_READONLY | SECBUFFER_READONLY_WITH_CHECKSUM) != 0;
                *within == Some(number)
                    && match effect {
                        Effect::Message => !(readonly && buffer.kind() == SECBUFFER_DATA),
                        Effect::Token => buffer.kind() == SECBUFFER_TOKEN,
                        Effect::Nothing | Effect::Block => false,
                    }
            });
            assert!(is_open || piece.is_unchanged(), "memory was changed that is not to be written to");
        }
    }
}
