//! The length-and-offset fields that point into a message's payload, [MS-NLMP] 2.2.1.

use portable_sspi_core::{MalformedToken, Misuse, Problem};

use super::reader::Reader;

/// A field as it stands in a header: Len, MaxLen (ignored on receipt) and Offset. Not checked yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    length: u16,
    offset: u32,
}

impl Field {
    /// Reads the eight bytes of a field.
    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, MalformedToken> {
        let length = from.u16()?;
        // MS-NLMP:2.2.1-maximum-length-ignored
        let _maximum_length = from.u16()?;
        Ok(Self { length, offset: from.u32()? })
    }

    /// Whether it points at nothing. Its offset then has no meaning.
    pub(crate) const fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The payload that it points at, inside `message`. Parts may overlap and stand in any order.
    pub(crate) fn resolve<'a>(
        self,
        name: &'static str,
        message: &'a [u8],
    ) -> Result<&'a [u8], MalformedToken> {
        if self.is_empty() {
            // MS-NLMP:2.2.1-empty-offset-ignored
            return Ok(&[]);
        }
        usize::try_from(self.offset)
            .ok()
            // MS-NLMP:2.2.1-in-bounds
            .and_then(|start| message.get(start..)?.get(..usize::from(self.length)))
            .ok_or_else(|| {
                let problem = Problem::FieldOutOfBounds {
                    offset: self.offset,
                    length: self.length,
                    message_length: message.len(),
                };
                MalformedToken::new(name, problem)
            })
    }
}

/// Where the payload begins: at the smallest offset of a field that is not empty, or at the end of the message.
///
/// Old peers leave trailing parts of the header out, and no flag tells which; what stands before the payload is the header.
pub(crate) fn payload_start(message: &[u8], fields: &[Field]) -> usize {
    fields
        .iter()
        .filter(|field| !field.is_empty())
        .filter_map(|field| usize::try_from(field.offset).ok())
        .fold(message.len(), usize::min)
}

/// Bytes of a field for a payload part of `length` bytes that starts at `*offset`, which moves behind it.
///
/// # Errors
/// [`Misuse::BadOption`] where the part is longer than a field can say (64 KiB).
pub(crate) fn write(name: &'static str, length: usize, offset: &mut u32) -> Result<[u8; 8], Misuse> {
    let too_long = || Misuse::BadOption { option: name, problem: "longer than 65535 bytes" };
    let length = u16::try_from(length).map_err(|_| too_long())?;
    let [l0, l1] = length.to_le_bytes();
    let [o0, o1, o2, o3] = offset.to_le_bytes();
    let field = [l0, l1, l0, l1, o0, o1, o2, o3];
    *offset = offset.checked_add(u32::from(length)).ok_or_else(too_long)?;
    Ok(field)
}
