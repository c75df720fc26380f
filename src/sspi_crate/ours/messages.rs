//! The crate's lists of buffers, handed to an established context and taken back.

use portable_sspi_core::{Error, SecurityBuffer, SecurityContext};
use sspi::{BufferType, ErrorKind, SecurityBufferFlags, SecurityBufferRef};

use super::super::error::{refuse, to_sspi_error};

/// Bytes of a signature, which a STREAM begins with.
const SIGNATURE: usize = 16;

/// One of the four calls for messages.
type Call = fn(&mut dyn SecurityContext, &mut [SecurityBuffer<'_>]) -> Result<(), Error>;

/// What a buffer of the list is to this library.
#[derive(Clone, Copy)]
enum Kind {
    Data,
    Readonly,
    ReadonlyWithChecksum,
    Token,
    Padding,
}

/// A buffer taken out of the list, and its place there.
struct Part<'data> {
    place: usize,
    kind: Kind,
    bytes: &'data mut [u8],
}

/// MakeSignature, VerifySignature, EncryptMessage, or DecryptMessage without a STREAM.
///
/// The buffers of other types stay where they are. Each buffer is given back to the list whether the call succeeds or not;
/// TOKEN and PADDING shortened to what was used, where it does.
pub(super) fn call(
    context: &mut dyn SecurityContext,
    list: &mut [SecurityBufferRef<'_>],
    call: Call,
) -> sspi::Result<()> {
    let mut parts = take(list, false);
    let result = {
        let mut buffers: Vec<_> = parts.iter_mut().map(Part::as_ours).collect();
        call(context, &mut buffers).map(|()| buffers.iter().map(SecurityBuffer::len).collect::<Vec<_>>())
    };
    let lengths = result.as_deref().unwrap_or_default();
    for (number, Part { place, bytes, .. }) in parts.into_iter().enumerate() {
        let length = lengths.get(number).copied().unwrap_or(bytes.len());
        put_back(list, place, shortened(bytes, length))?;
    }
    result.map(|_| ()).map_err(|error| to_sspi_error(&error))
}

/// DecryptMessage: with a STREAM buffer, a message in one piece, signature first. The first DATA buffer then becomes
/// the part of the STREAM that holds the message, and the STREAM is left empty, as the crate does.
pub(super) fn decrypt(
    context: &mut dyn SecurityContext,
    list: &mut [SecurityBufferRef<'_>],
) -> sspi::Result<()> {
    let decrypt: Call = |context, buffers| context.decrypt(buffers);
    let is_stream = |buffer: &SecurityBufferRef<'_>| buffer.buffer_type() == BufferType::Stream;
    let Some(stream_place) = list.iter().position(is_stream) else {
        return call(context, list, decrypt);
    };
    let is_result = |buffer: &SecurityBufferRef<'_>| {
        buffer.buffer_type() == BufferType::Data && buffer.buffer_flags().is_empty()
    };
    let Some(data_place) = list.iter().position(is_result) else {
        return Err(refuse(ErrorKind::InvalidToken, "a STREAM needs a DATA buffer for the message in it"));
    };
    let length = list.get(stream_place).map_or(0, |stream| stream.data().len());
    if length < SIGNATURE {
        return Err(refuse(ErrorKind::IncompleteMessage, "a STREAM is at least as long as a signature"));
    }
    let mut parts = take(list, true);
    let stream = list.get_mut(stream_place).map(SecurityBufferRef::take_data).unwrap_or_default();
    let result = {
        let (token, data) = stream.split_at_mut_checked(SIGNATURE).unwrap_or_default();
        let mut buffers = vec![SecurityBuffer::token(token)];
        let (before, after) = {
            let at = parts.partition_point(|part| part.place < stream_place);
            parts.split_at_mut_checked(at).unwrap_or_default()
        };
        buffers.extend(before.iter_mut().map(Part::as_ours));
        buffers.push(SecurityBuffer::data(data));
        buffers.extend(after.iter_mut().map(Part::as_ours));
        decrypt(context, &mut buffers)
    };
    for Part { place, bytes, .. } in parts {
        put_back(list, place, bytes)?;
    }
    match result {
        Ok(()) => {
            let (_, message) = stream.split_at_mut_checked(SIGNATURE).unwrap_or_default();
            put_back(list, data_place, message)
        }
        Err(error) => {
            put_back(list, stream_place, stream)?;
            Err(to_sspi_error(&error))
        }
    }
}

/// Takes out what the calls work on. Beside a STREAM these are the read-only DATA buffers alone: TOKEN and DATA stand in it.
fn take<'data>(list: &mut [SecurityBufferRef<'data>], beside_stream: bool) -> Vec<Part<'data>> {
    let numbered = list.iter_mut().enumerate();
    let taken = numbered.filter_map(|(place, buffer)| {
        let flags = buffer.buffer_flags();
        let kind = match buffer.buffer_type() {
            BufferType::Data if flags.contains(SecurityBufferFlags::SECBUFFER_READONLY_WITH_CHECKSUM) => {
                Kind::ReadonlyWithChecksum
            }
            BufferType::Data if flags.contains(SecurityBufferFlags::SECBUFFER_READONLY) => Kind::Readonly,
            BufferType::Data if !beside_stream => Kind::Data,
            BufferType::Token if !beside_stream => Kind::Token,
            BufferType::Padding if !beside_stream => Kind::Padding,
            _ => return None,
        };
        Some(Part { place, kind, bytes: buffer.take_data() })
    });
    taken.collect()
}

impl Part<'_> {
    fn as_ours(&mut self) -> SecurityBuffer<'_> {
        match self.kind {
            Kind::Data => SecurityBuffer::data(self.bytes),
            Kind::Readonly => SecurityBuffer::readonly(self.bytes),
            Kind::ReadonlyWithChecksum => SecurityBuffer::readonly_with_checksum(self.bytes),
            Kind::Token => SecurityBuffer::token(self.bytes),
            Kind::Padding => SecurityBuffer::padding(self.bytes),
        }
    }
}

fn shortened(bytes: &mut [u8], length: usize) -> &mut [u8] {
    let whole = bytes.len();
    bytes.split_at_mut(length.min(whole)).0
}

fn put_back<'data>(
    list: &mut [SecurityBufferRef<'data>],
    place: usize,
    bytes: &'data mut [u8],
) -> sspi::Result<()> {
    match list.get_mut(place) {
        Some(buffer) => buffer.set_data(bytes),
        None => Ok(()),
    }
}
