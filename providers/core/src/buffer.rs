//! The typed buffers of the per-message calls.

use core::fmt;

/// What a [`SecurityBuffer`] is for: the `SECBUFFER_*` types of the per-message calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BufferType {
    /// `SECBUFFER_DATA`: the message, or a part of it.
    Data,
    /// `SECBUFFER_TOKEN`: the signature, or security trailer.
    Token,
    /// `SECBUFFER_PADDING`: padding to the package's block size. NTLM needs none and makes it empty.
    Padding,
}

/// One buffer of a message: a `SecBuffer` that borrows its bytes.
///
/// A message is a list of these, in the order in which its parts stand. Parts marked read-only are not written to, and
/// their constructors take them by shared reference.
///
/// ```
/// use portable_sspi_core::SecurityBuffer;
///
/// let header = *b"in clear";
/// let mut body = *b"to be encrypted";
/// let mut token = [0; 16];
/// let message = [
///     SecurityBuffer::readonly_with_checksum(&header),
///     SecurityBuffer::data(&mut body),
///     SecurityBuffer::token(&mut token),
/// ];
/// # let _ = message;
/// ```
pub struct SecurityBuffer<'a> {
    contents: Contents<'a>,
}

enum Contents<'a> {
    Data(&'a mut [u8]),
    DataReadonly(&'a [u8]),
    DataReadonlyWithChecksum(&'a [u8]),
    Token(&'a mut [u8]),
    Padding(&'a mut [u8]),
}

impl<'a> SecurityBuffer<'a> {
    /// `SECBUFFER_DATA`: signed, and encrypted or decrypted in place.
    #[must_use]
    pub const fn data(bytes: &'a mut [u8]) -> Self {
        Self { contents: Contents::Data(bytes) }
    }

    /// `SECBUFFER_DATA | SECBUFFER_READONLY`: neither encrypted nor covered by the signature.
    #[must_use]
    pub const fn readonly(bytes: &'a [u8]) -> Self {
        Self { contents: Contents::DataReadonly(bytes) }
    }

    /// `SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM`: left in clear, and covered by the signature.
    #[must_use]
    pub const fn readonly_with_checksum(bytes: &'a [u8]) -> Self {
        Self { contents: Contents::DataReadonlyWithChecksum(bytes) }
    }

    /// `SECBUFFER_TOKEN`: receives the signature, or brings it. A larger buffer than the signature needs is shortened
    /// to its true length by the call that fills it; see [`SecurityBuffer::len`].
    #[must_use]
    pub const fn token(bytes: &'a mut [u8]) -> Self {
        Self { contents: Contents::Token(bytes) }
    }

    /// `SECBUFFER_PADDING`.
    #[must_use]
    pub const fn padding(bytes: &'a mut [u8]) -> Self {
        Self { contents: Contents::Padding(bytes) }
    }

    /// What the buffer is for.
    #[must_use]
    pub const fn buffer_type(&self) -> BufferType {
        match self.contents {
            Contents::Data(_) | Contents::DataReadonly(_) | Contents::DataReadonlyWithChecksum(_) => {
                BufferType::Data
            }
            Contents::Token(_) => BufferType::Token,
            Contents::Padding(_) => BufferType::Padding,
        }
    }

    /// The bytes, whatever the buffer is for.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match &self.contents {
            Contents::Data(bytes) | Contents::Token(bytes) | Contents::Padding(bytes) => bytes,
            Contents::DataReadonly(bytes) | Contents::DataReadonlyWithChecksum(bytes) => bytes,
        }
    }

    /// Length in bytes: `cbBuffer`.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there is no byte in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the signature covers it: every DATA buffer that is not plain read-only.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        matches!(self.contents, Contents::Data(_) | Contents::DataReadonlyWithChecksum(_))
    }

    /// The bytes to encrypt or decrypt in place: those of a DATA buffer that is not read-only.
    #[must_use]
    pub const fn encrypted_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.contents {
            Contents::Data(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The bytes of a TOKEN buffer.
    #[must_use]
    pub const fn token_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.contents {
            Contents::Token(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Shortens a TOKEN or PADDING buffer to the length that was really used. Other buffers, and longer lengths, are
    /// left alone.
    pub fn truncate(&mut self, length: usize) {
        if let Contents::Token(bytes) | Contents::Padding(bytes) = &mut self.contents {
            if length < bytes.len() {
                *bytes = core::mem::take(bytes).split_at_mut(length).0;
            }
        }
    }
}

impl fmt::Debug for SecurityBuffer<'_> {
    /// Shows type and length, never the contents: a message is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityBuffer").field("type", &self.buffer_type()).field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncating_shortens_tokens_only() {
        let mut bytes = [0; 20];
        let mut token = SecurityBuffer::token(&mut bytes);
        token.truncate(16);
        assert_eq!(token.len(), 16);
        token.truncate(18);
        assert_eq!(token.len(), 16, "cannot grow");
        let mut data = SecurityBuffer::data(&mut bytes);
        data.truncate(1);
        assert_eq!(data.len(), 20);
    }

    #[test]
    fn debug_shows_no_contents() {
        let shown = format!("{:?}", SecurityBuffer::readonly(b"secret"));
        assert_eq!(shown, "SecurityBuffer { type: Data, len: 6 }");
    }
}
