//! Lists of buffers: from C's `SecBufferDesc` to what the library takes, checked.

use core::ffi::c_void;

use portable_sspi::{ChannelBindings, Misuse, SecurityBuffer, SecurityStatus};

use crate::abi::{
    SECBUFFER_CHANNEL_BINDINGS, SECBUFFER_DATA, SECBUFFER_PADDING, SECBUFFER_READONLY,
    SECBUFFER_READONLY_WITH_CHECKSUM, SECBUFFER_STREAM, SECBUFFER_TOKEN, SECBUFFER_VERSION, SecBuffer,
    SecBufferDesc, SecChannelBindings, ULONG,
};
use crate::failure::{Failure, Result};
use crate::memory::Block;
use crate::pointer;

/// Messages of up to this many buffers take no memory of their own.
const FEW: usize = 8;
/// The longest list that is looked at.
const MOST: ULONG = 1024;

const EMPTY: SecBuffer = SecBuffer { length: 0, buffer_type: 0, pointer: core::ptr::null_mut() };

/// The description of a list, where there is one, checked.
///
/// # Errors
/// `SEC_E_INVALID_TOKEN` where the list is of another version, or longer than 1,024 buffers.
///
/// # Safety
/// NULL (no list), or valid for reading.
unsafe fn read_description(list: *const SecBufferDesc) -> Result<Option<SecBufferDesc>> {
    // SAFETY: by this function's contract.
    let Some(list) = (unsafe { pointer::read(list) }) else { return Ok(None) };
    if list.version != SECBUFFER_VERSION || list.count > MOST {
        return Err(invalid(
            "the list of buffers has another ulVersion than SECBUFFER_VERSION, or too many buffers",
        ));
    }
    if list.count > 0 && list.buffers.is_null() {
        return Err(Failure::NULL_POINTER);
    }
    Ok(Some(list))
}

/// The first buffer of a kind, and where in the list it is.
fn first(buffers: &[SecBuffer], kind: ULONG) -> Option<(usize, &SecBuffer)> {
    buffers.iter().enumerate().find(|(_, buffer)| buffer.kind() == kind)
}

/// Writes the `buffer` at `place` back to the program, with another length and address.
///
/// # Safety
/// The place is valid for writing.
unsafe fn put(place: *mut SecBuffer, buffer: &SecBuffer, length: usize, address: *mut c_void) {
    let length = ULONG::try_from(length).unwrap_or(ULONG::MAX);
    // SAFETY: by this function's contract.
    unsafe { pointer::write(place, SecBuffer { length, pointer: address, ..*buffer }) }
}

/// The buffers of a step of a handshake, copied; where their list lies is kept, for what is written back.
struct List {
    place: *mut SecBuffer,
    buffers: Vec<SecBuffer>,
}

impl List {
    /// # Safety
    /// NULL (no buffers), or valid for reading, with a list that is valid for reading and writing.
    unsafe fn read(list: *const SecBufferDesc) -> Result<Self> {
        // SAFETY: by this function's contract.
        let Some(list) = (unsafe { read_description(list)? }) else {
            return Ok(Self { place: core::ptr::null_mut(), buffers: Vec::new() });
        };
        // SAFETY: the list is that long, by this function's contract.
        let buffers = unsafe { pointer::copied(list.buffers, list.count as usize)? };
        Ok(Self { place: list.buffers, buffers })
    }
}

fn invalid(text: &'static str) -> Failure {
    Failure::new(SecurityStatus::SEC_E_INVALID_TOKEN, text)
}

/// What a step of a handshake is given.
pub(crate) struct Input<'a> {
    pub(crate) token: Option<&'a [u8]>,
    pub(crate) channel_bindings: Option<ChannelBindings>,
    /// Whether there is any buffer at all.
    pub(crate) is_empty: bool,
}

impl Input<'_> {
    /// # Safety
    /// NULL, or a list that is valid for reading, with its buffers, during `'a`.
    pub(crate) unsafe fn read(list: *const SecBufferDesc) -> Result<Self> {
        // SAFETY: by this function's contract.
        let list = unsafe { List::read(list)? };
        let token = match first(&list.buffers, SECBUFFER_TOKEN) {
            // SAFETY: by this function's contract.
            Some((_, token)) => Some(unsafe { pointer::bytes(token.pointer, token.length as usize)? }),
            None => None,
        };
        let channel_bindings = match first(&list.buffers, SECBUFFER_CHANNEL_BINDINGS) {
            Some((_, bindings)) => {
                // SAFETY: by this function's contract.
                let bytes = unsafe { pointer::bytes(bindings.pointer, bindings.length as usize)? };
                Some(read_bindings(bytes)?)
            }
            None => None,
        };
        Ok(Self { token, channel_bindings, is_empty: list.buffers.is_empty() })
    }
}

/// `SEC_CHANNEL_BINDINGS` and the parts behind it.
fn read_bindings(bytes: &[u8]) -> Result<ChannelBindings> {
    // SAFETY: read only if the bytes are long enough; every bit pattern is a value.
    let header = unsafe {
        let start = bytes.as_ptr().cast::<SecChannelBindings>();
        pointer::read(if bytes.len() < size_of::<SecChannelBindings>() { core::ptr::null() } else { start })
    };
    let outside =
        || invalid("the channel bindings are shorter than their structure, or a part lies outside of them");
    let header = header.ok_or_else(outside)?;
    let part = |offset: ULONG, length: ULONG| {
        if length == 0 {
            return Ok(Vec::new());
        }
        let start = offset as usize;
        let part = start.checked_add(length as usize).and_then(|end| bytes.get(start..end));
        part.map(<[u8]>::to_vec).ok_or_else(outside)
    };
    Ok(ChannelBindings {
        initiator_address_type: header.initiator_address_type,
        initiator_address: part(header.initiator_offset, header.initiator_length)?,
        acceptor_address_type: header.acceptor_address_type,
        acceptor_address: part(header.acceptor_offset, header.acceptor_length)?,
        application_data: part(header.application_data_offset, header.application_data_length)?,
    })
}

/// Where a step's token goes: looked at before the step, so that a program that gave no room has lost nothing.
pub(crate) struct Output {
    list: List,
    index: Option<usize>,
    allocate: bool,
}

impl Output {
    /// # Safety
    /// NULL, or a list that is valid for reading and writing as long as the result is used, with its TOKEN buffer.
    pub(crate) unsafe fn read(list: *mut SecBufferDesc, allocate: bool) -> Result<Self> {
        // SAFETY: by this function's contract.
        let list = unsafe { List::read(list)? };
        let index = first(&list.buffers, SECBUFFER_TOKEN).map(|(index, _)| index);
        Ok(Self { list, index, allocate })
    }

    /// Refuses what could take no token at all, however short.
    pub(crate) fn check(&self) -> Result<()> {
        let too_small = || Misuse::BufferTooSmall { what: "TOKEN", needed: 1, available: 0 };
        let buffer = self.index.and_then(|index| self.list.buffers.get(index)).ok_or_else(too_small)?;
        if self.allocate {
            return Ok(());
        }
        if buffer.length == 0 {
            return Err(too_small().into());
        }
        if buffer.pointer.is_null() { Err(Failure::NULL_POINTER) } else { Ok(()) }
    }

    /// Writes a token into the TOKEN buffer, or gives the program a block with it; without a token, its length becomes 0.
    ///
    /// # Errors
    /// `SEC_E_BUFFER_TOO_SMALL` where it does not fit; the length is then left as it was.
    ///
    /// # Safety
    /// As of [`Output::read`].
    pub(crate) unsafe fn deliver(&self, token: &[u8]) -> Result<()> {
        let Some((index, buffer)) = self.index.and_then(|index| Some((index, self.list.buffers.get(index)?)))
        else {
            return if token.is_empty() { Ok(()) } else { self.check() };
        };
        let address = if token.is_empty() {
            if self.allocate { core::ptr::null_mut() } else { buffer.pointer }
        } else if self.allocate {
            Block::of(token)?.give()
        } else {
            self.check()?;
            let (needed, available) = (token.len(), buffer.length as usize);
            // SAFETY: the buffer is valid for writing, by this function's contract.
            let to = unsafe { pointer::bytes_mut(buffer.pointer, available)? };
            let too_small = Misuse::BufferTooSmall { what: "TOKEN", needed, available };
            to.get_mut(..needed).ok_or(too_small)?.copy_from_slice(token);
            buffer.pointer
        };
        // SAFETY: by this function's contract.
        unsafe { put(self.list.place.add(index), buffer, token.len(), address) };
        Ok(())
    }
}

/// Which of the per-message calls it is: it decides what is written to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    MakeSignature,
    VerifySignature,
    EncryptMessage,
    DecryptMessage,
}

/// Hands the buffers of a message to `protect`, and its answer back to the program: the lengths of TOKEN and PADDING, and
/// where the message in a STREAM lies.
///
/// # Safety
/// NULL, or a list that is valid for reading and writing, whose buffers are valid for reading and, where the call writes to
/// them, for writing; nobody else uses them meanwhile.
pub(crate) unsafe fn with_message(
    list: *mut SecBufferDesc,
    call: Call,
    protect: impl FnOnce(&mut [SecurityBuffer<'_>]) -> Result<()>,
) -> Result<()> {
    // SAFETY: by this function's contract.
    let Some(list) = (unsafe { read_description(list)? }) else { return protect(&mut []) };
    // SAFETY: the same contract, for each; no more buffers than the list has.
    unsafe {
        match list.count as usize {
            // Nearly all messages are a TOKEN and a DATA buffer. What is set up for more is a part of what a short one costs.
            0..=2 => with_few::<2>(list, call, protect),
            3..=FEW => with_few::<FEW>(list, call, protect),
            count => {
                let buffers = pointer::copied(list.buffers, count)?;
                let mut message = Vec::new();
                message.try_reserve_exact(count).map_err(|_| Failure::OUT_OF_MEMORY)?;
                message.resize_with(count, || SecurityBuffer::readonly(&[]));
                with_buffers(list.buffers, &buffers, &mut message, call, protect)
            }
        }
    }
}

/// A message of up to `ROOM` buffers, which takes no memory of its own.
///
/// # Safety
/// As of [`with_message`], of the list itself.
unsafe fn with_few<const ROOM: usize>(
    list: SecBufferDesc,
    call: Call,
    protect: impl FnOnce(&mut [SecurityBuffer<'_>]) -> Result<()>,
) -> Result<()> {
    let mut buffers = [EMPTY; ROOM];
    let mut message = [const { SecurityBuffer::readonly(&[]) }; ROOM];
    let count = list.count as usize;
    for (index, to) in buffers.iter_mut().enumerate().take(count) {
        // SAFETY: within the list, by this function's contract.
        *to = unsafe { list.buffers.add(index).read_unaligned() };
    }
    let buffers = buffers.get(..count).unwrap_or_default();
    let message = message.get_mut(..count).unwrap_or_default();
    // SAFETY: by this function's contract.
    unsafe { with_buffers(list.buffers, buffers, message, call, protect) }
}

/// The `buffers` that are the list at `place`; as many are in `message`, for what is made of them.
///
/// # Safety
/// As of [`with_message`].
unsafe fn with_buffers<'a>(
    place: *mut SecBuffer,
    buffers: &[SecBuffer],
    message: &mut [SecurityBuffer<'a>],
    call: Call,
    protect: impl FnOnce(&mut [SecurityBuffer<'a>]) -> Result<()>,
) -> Result<()> {
    if call == Call::DecryptMessage && buffers.iter().any(|buffer| buffer.kind() == SECBUFFER_STREAM) {
        // SAFETY: by this function's contract.
        return unsafe { decrypt_stream(place, buffers, protect) };
    }
    check_overlaps(buffers, call)?;
    for (to, buffer) in message.iter_mut().zip(buffers) {
        // SAFETY: valid by this function's contract; what is written to overlaps nothing, as just checked.
        *to = unsafe { buffer_of(buffer, call)? };
    }
    protect(message)?;
    for (index, (done, buffer)) in message.iter().zip(buffers).enumerate() {
        let shortens = matches!(buffer.kind(), SECBUFFER_TOKEN | SECBUFFER_PADDING);
        if shortens && done.len() != buffer.length as usize {
            // SAFETY: within the list, which is valid by this function's contract.
            unsafe { put(place.add(index), buffer, done.len(), buffer.pointer) };
        }
    }
    Ok(())
}

/// # Safety
/// As of [`with_message`], of one buffer; one that is written to overlaps no other.
unsafe fn buffer_of<'a>(buffer: &SecBuffer, call: Call) -> Result<SecurityBuffer<'a>> {
    let length = buffer.length as usize;
    let signs_only = matches!(call, Call::MakeSignature | Call::VerifySignature);
    match buffer.kind() {
        // SAFETY: by this function's contract.
        SECBUFFER_TOKEN => unsafe { pointer::bytes_mut(buffer.pointer, length).map(SecurityBuffer::token) },
        // SAFETY: by this function's contract.
        SECBUFFER_PADDING => unsafe {
            pointer::bytes_mut(buffer.pointer, length).map(SecurityBuffer::padding)
        },
        SECBUFFER_DATA => {
            if buffer.buffer_type & SECBUFFER_READONLY_WITH_CHECKSUM != 0 {
                // SAFETY: by this function's contract.
                let bytes = unsafe { pointer::bytes(buffer.pointer, length)? };
                return Ok(SecurityBuffer::readonly_with_checksum(bytes));
            }
            if buffer.buffer_type & SECBUFFER_READONLY != 0 {
                // SAFETY: by this function's contract.
                return Ok(SecurityBuffer::readonly(unsafe { pointer::bytes(buffer.pointer, length)? }));
            }
            if signs_only {
                // Signed like any, and not written to.
                // SAFETY: by this function's contract.
                let bytes = unsafe { pointer::bytes(buffer.pointer, length)? };
                return Ok(SecurityBuffer::readonly_with_checksum(bytes));
            }
            // SAFETY: by this function's contract.
            unsafe { pointer::bytes_mut(buffer.pointer, length).map(SecurityBuffer::data) }
        }
        // Of other types, such as EMPTY, nothing belongs to the message.
        _ => Ok(SecurityBuffer::readonly(&[])),
    }
}

/// A message as one piece, signature first: the DATA buffer beside it is told where the message lies.
///
/// # Safety
/// As of [`with_message`].
unsafe fn decrypt_stream<'a>(
    place: *mut SecBuffer,
    buffers: &[SecBuffer],
    protect: impl FnOnce(&mut [SecurityBuffer<'a>]) -> Result<()>,
) -> Result<()> {
    const SIGNATURE: usize = 16;
    let missing = |missing| Failure::from(Misuse::MissingBuffer { missing });
    let (_, stream) = first(buffers, SECBUFFER_STREAM).ok_or_else(|| missing("STREAM"))?;
    let (index, data) = first(buffers, SECBUFFER_DATA).ok_or_else(|| missing("DATA"))?;
    let available = stream.length as usize;
    // SAFETY: by the caller's contract.
    let bytes = unsafe { pointer::bytes_mut(stream.pointer, available)? };
    let (token, message) = bytes.split_at_mut_checked(SIGNATURE).ok_or(Misuse::BufferTooSmall {
        what: "STREAM",
        needed: SIGNATURE,
        available,
    })?;
    let (address, length) = (message.as_mut_ptr(), message.len());
    protect(&mut [SecurityBuffer::token(token), SecurityBuffer::data(message)])?;
    // SAFETY: by the caller's contract.
    unsafe { put(place.add(index), data, length, address.cast()) };
    Ok(())
}

/// No buffer that is written to may overlap another: Rust would take the two for different memory, and no message can
/// be in the same place as its signature.
fn check_overlaps(buffers: &[SecBuffer], call: Call) -> Result<()> {
    let written = |buffer: &SecBuffer| match buffer.kind() {
        SECBUFFER_TOKEN | SECBUFFER_PADDING => true,
        SECBUFFER_DATA => {
            let readonly = SECBUFFER_READONLY | SECBUFFER_READONLY_WITH_CHECKSUM;
            matches!(call, Call::EncryptMessage | Call::DecryptMessage) && buffer.buffer_type & readonly == 0
        }
        _ => false,
    };
    let is_used = |buffer: &SecBuffer| {
        matches!(buffer.kind(), SECBUFFER_TOKEN | SECBUFFER_PADDING | SECBUFFER_DATA) && buffer.length != 0
    };
    let mut rest = buffers;
    while let [one, others @ ..] = rest {
        rest = others;
        if !is_used(one) {
            continue;
        }
        let (start, length) = (one.pointer.addr(), one.length as usize);
        let end = start.checked_add(length).ok_or(Failure::NULL_POINTER)?;
        for other in others {
            let other_start = other.pointer.addr();
            let overlap = other_start < end && start < other_start.saturating_add(other.length as usize);
            if overlap && is_used(other) && (written(one) || written(other)) {
                return Err(invalid("two buffers of the message overlap"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "lengths of a test's own")]
mod tests {
    use super::*;

    fn buffer(bytes: &mut [u8], buffer_type: ULONG) -> SecBuffer {
        SecBuffer { length: bytes.len() as ULONG, buffer_type, pointer: bytes.as_mut_ptr().cast() }
    }

    fn count_of(buffers: &mut [SecBuffer], call: Call) -> Result<usize> {
        let mut list =
            SecBufferDesc { version: 0, count: buffers.len() as ULONG, buffers: buffers.as_mut_ptr() };
        let mut count = 0;
        // SAFETY: the list and its buffers are the test's.
        unsafe {
            with_message(&raw mut list, call, |message| {
                count = message.len();
                Ok(())
            })?;
        }
        Ok(count)
    }

    #[test]
    fn overlaps_are_refused_where_something_is_written() {
        let mut bytes = [0_u8; 64];
        let data = buffer(&mut bytes, SECBUFFER_DATA);
        let part = buffer(&mut bytes[16..32], SECBUFFER_DATA);
        let token = buffer(&mut bytes[63..], SECBUFFER_TOKEN);
        let fixed = buffer(&mut bytes[32..], SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM);
        let apart = buffer(&mut bytes[..32], SECBUFFER_DATA);
        assert!(count_of(&mut [data, part], Call::EncryptMessage).is_err());
        assert!(count_of(&mut [data, data], Call::DecryptMessage).is_err());
        assert!(count_of(&mut [data, fixed], Call::EncryptMessage).is_err());
        assert!(count_of(&mut [data, token], Call::MakeSignature).is_err());
        assert_eq!(count_of(&mut [data, part], Call::MakeSignature).unwrap(), 2, "nothing is written");
        assert_eq!(count_of(&mut [fixed, fixed, apart], Call::EncryptMessage).unwrap(), 3);
    }

    #[test]
    fn long_lists_and_lists_of_nothing() {
        let mut bytes = [0_u8; 40];
        let mut buffers: Vec<_> = bytes.chunks_mut(1).map(|byte| buffer(byte, SECBUFFER_DATA)).collect();
        assert_eq!(count_of(&mut buffers, Call::EncryptMessage).unwrap(), 40);
        assert_eq!(count_of(&mut [], Call::EncryptMessage).unwrap(), 0);
        // SAFETY: NULL is no list.
        unsafe { with_message(core::ptr::null_mut(), Call::EncryptMessage, |_| Ok(())).unwrap() };
        let mut list = SecBufferDesc { version: 0, count: 5, buffers: core::ptr::null_mut() };
        // SAFETY: a list without buffers, which is what is tested.
        let refused = unsafe { with_message(&raw mut list, Call::EncryptMessage, |_| Ok(())) };
        assert_eq!(refused.unwrap_err().status(), SecurityStatus::SEC_E_INTERNAL_ERROR);
    }

    #[test]
    fn bindings_that_point_outside_are_refused() {
        let mut bytes = [0_u8; 40];
        bytes[24..28].copy_from_slice(&8_u32.to_ne_bytes());
        bytes[28..32].copy_from_slice(&32_u32.to_ne_bytes());
        bytes[32..].copy_from_slice(b"unique:x");
        assert_eq!(read_bindings(&bytes).unwrap().application_data, b"unique:x");
        for bad in [33_u32, 4096, u32::MAX] {
            bytes[28..32].copy_from_slice(&bad.to_ne_bytes());
            assert!(read_bindings(&bytes).is_err(), "{bad}");
        }
        assert!(read_bindings(&bytes[..31]).is_err());
    }
}
