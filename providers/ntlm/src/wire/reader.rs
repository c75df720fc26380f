//! A bounded reader: the only way from a peer's bytes to values.

use portable_sspi_core::{MalformedToken, Problem};

use super::{MessageType, SIGNATURE};

/// Reads little-endian values off the front of a slice; never past its end.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    /// What is read, for errors.
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which are `what`.
    pub(crate) const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// Checks signature and type of a message and leaves the reader after them, [MS-NLMP] 2.2.
    pub(crate) fn message(expected: MessageType, bytes: &'a [u8]) -> Result<Self, MalformedToken> {
        let what = expected.name();
        if bytes.is_empty() {
            return Err(MalformedToken::new(what, Problem::Missing));
        }
        let mut reader = Self::new(what, bytes);
        // MS-NLMP:2.2-signature
        if reader.array::<8>()? != SIGNATURE {
            return Err(MalformedToken::new(what, Problem::Signature));
        }
        let found = reader.u32()?;
        // MS-NLMP:2.2-message-type
        if found != expected.number() {
            return Err(MalformedToken::new(
                what,
                Problem::MessageType { expected: expected.number(), found },
            ));
        }
        Ok(reader)
    }

    /// The bytes not read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], MalformedToken> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.truncated(length))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], MalformedToken> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated(N))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Result<u8, MalformedToken> {
        self.array().map(u8::from_le_bytes)
    }

    /// The next two bytes.
    pub(crate) fn u16(&mut self) -> Result<u16, MalformedToken> {
        // MS-NLMP:2.2-little-endian
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> Result<u32, MalformedToken> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> Result<u64, MalformedToken> {
        self.array().map(u64::from_le_bytes)
    }

    const fn truncated(&self, needed: usize) -> MalformedToken {
        MalformedToken::new(self.what, Problem::Truncated { needed, available: self.rest.len() })
    }
}
