//! Finding one's way in a list of buffers.

use portable_sspi_core::{BufferType, Error, Misuse, SecurityBuffer};

use crate::crypto::rc4::Rc4;

/// Bytes of NTLMSSP_MESSAGE_SIGNATURE, [MS-NLMP] 2.2.2.9.
pub(super) const SIGNATURE_LENGTH: usize = 16;

/// Where in the list the TOKEN buffer is that a signature fits into.
pub(super) fn token_to_write(buffers: &[SecurityBuffer<'_>]) -> Result<usize, Error> {
    let (index, token) = find_token(buffers)?;
    if token.len() < SIGNATURE_LENGTH {
        let available = token.len();
        return Err(Misuse::BufferTooSmall { what: "TOKEN", needed: SIGNATURE_LENGTH, available }.into());
    }
    Ok(index)
}

/// The bytes of the TOKEN buffer. **From the peer.**
pub(super) fn received_token<'a>(buffers: &'a [SecurityBuffer<'_>]) -> Result<&'a [u8], Error> {
    find_token(buffers).map(|(_, token)| token.bytes())
}

/// EncryptMessage and DecryptMessage want a message, be it an empty one.
pub(super) fn require_data(buffers: &[SecurityBuffer<'_>]) -> Result<(), Error> {
    if buffers.iter().any(|buffer| buffer.buffer_type() == BufferType::Data) {
        Ok(())
    } else {
        Err(Misuse::MissingBuffer { missing: "DATA" }.into())
    }
}

/// Writes `signature` into the TOKEN buffer at `index`, and shortens that to it.
pub(super) fn write_token(
    buffers: &mut [SecurityBuffer<'_>],
    index: usize,
    signature: [u8; SIGNATURE_LENGTH],
) {
    if let Some(token) = buffers.get_mut(index) {
        if let Some(to) = token.token_mut().and_then(<[u8]>::first_chunk_mut) {
            *to = signature;
        }
        token.truncate(SIGNATURE_LENGTH);
    }
}

/// RC4 needs no padding.
pub(super) fn empty_padding(buffers: &mut [SecurityBuffer<'_>]) {
    for buffer in buffers.iter_mut().filter(|buffer| buffer.buffer_type() == BufferType::Padding) {
        buffer.truncate(0);
    }
}

/// Runs the keystream over all buffers to be encrypted or decrypted, in list order, and tells how much of it that took.
pub(super) fn apply(keystream: &mut Rc4, buffers: &mut [SecurityBuffer<'_>]) -> usize {
    let mut length = 0usize;
    for data in buffers.iter_mut().filter_map(SecurityBuffer::encrypted_mut) {
        keystream.apply(data);
        // All buffers are in memory at once, each only once, so the sum cannot overflow.
        length = length.saturating_add(data.len());
    }
    length
}

/// The one TOKEN buffer, wherever it stands. With two it would be unclear which one to send or to check.
fn find_token<'a, 'b>(buffers: &'a [SecurityBuffer<'b>]) -> Result<(usize, &'a SecurityBuffer<'b>), Error> {
    let mut tokens =
        buffers.iter().enumerate().filter(|(_, buffer)| buffer.buffer_type() == BufferType::Token);
    let token = tokens.next().ok_or(Misuse::MissingBuffer { missing: "TOKEN" })?;
    if tokens.next().is_some() {
        return Err(Misuse::BadBuffer { problem: "a second TOKEN buffer" }.into());
    }
    Ok(token)
}
