//! `SEC_CHANNEL_BINDINGS` as bytes: the form in which the crate's callers pass channel bindings in a buffer.

use portable_sspi_core::ChannelBindings;

/// Bytes of the structure, before the data that its offsets point to: eight 32-bit numbers.
const HEADER: usize = 32;

/// Reads the structure. `None` where an offset and a length point outside of it.
#[cfg(any(feature = "ntlm", test))]
pub(super) fn read(bytes: &[u8]) -> Option<ChannelBindings> {
    let number = |index: usize| -> Option<u32> {
        let start = index.checked_mul(4)?;
        let four = bytes.get(start..start.checked_add(4)?)?;
        Some(u32::from_le_bytes(four.try_into().ok()?))
    };
    let field = |length: usize, offset: usize| -> Option<Vec<u8>> {
        let (length, offset) =
            (usize::try_from(number(length)?).ok()?, usize::try_from(number(offset)?).ok()?);
        if length == 0 {
            return Some(Vec::new());
        }
        Some(bytes.get(offset..offset.checked_add(length)?)?.to_vec())
    };
    Some(ChannelBindings {
        initiator_address_type: number(0)?,
        initiator_address: field(1, 2)?,
        acceptor_address_type: number(3)?,
        acceptor_address: field(4, 5)?,
        application_data: field(6, 7)?,
    })
}

/// Writes the structure. `None` where a field is too long for a 32-bit length.
pub(super) fn write(bindings: &ChannelBindings) -> Option<Vec<u8>> {
    let fields = [
        (Some(bindings.initiator_address_type), &bindings.initiator_address),
        (Some(bindings.acceptor_address_type), &bindings.acceptor_address),
        (None, &bindings.application_data),
    ];
    let (mut header, mut data) = (Vec::with_capacity(HEADER), Vec::new());
    for (address_type, bytes) in fields {
        let offset = u32::try_from(HEADER.checked_add(data.len())?).ok()?;
        header.extend(address_type.map(u32::to_le_bytes).into_iter().flatten());
        header.extend(u32::try_from(bytes.len()).ok()?.to_le_bytes());
        header.extend(offset.to_le_bytes());
        data.extend_from_slice(bytes);
    }
    header.extend(data);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ChannelBindings {
        ChannelBindings {
            initiator_address_type: 2,
            initiator_address: vec![127, 0, 0, 1],
            acceptor_address_type: 24,
            acceptor_address: vec![1; 16],
            application_data: b"tls-unique:0123".to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_here_and_by_the_crate() {
        for bindings in [full(), ChannelBindings::default(), ChannelBindings::tls_server_end_point(&[7; 32])]
        {
            let bytes = write(&bindings).unwrap();
            assert_eq!(read(&bytes).unwrap(), bindings);
            let theirs = sspi::channel_bindings::ChannelBindings::from_bytes(&bytes).unwrap();
            assert_eq!(theirs.application_data, bindings.application_data);
            assert_eq!(theirs.initiator, bindings.initiator_address);
            assert_eq!(theirs.acceptor_addr_type, bindings.acceptor_address_type);
        }
    }

    #[test]
    fn what_points_outside_is_refused() {
        let bytes = write(&full()).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), None, "{length} bytes");
        }
        for field in [4, 8, 16, 20, 24, 28] {
            let mut bytes = bytes.clone();
            bytes[field..field + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            assert_eq!(read(&bytes), None, "the number at {field}");
        }
    }
}
