//! What an exported context is made of before the host seals it, and the only place that encodes or decodes it.

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{BlobRefused, Error, Misuse};

/// The largest encoded state that is decoded, in bytes. A context of this library is a tenth of it.
const LIMIT: usize = 64 * 1024;

/// A context's state in a form that another process can continue it from: the plaintext of an exported context.
///
/// It holds **session keys in clear**. It is wiped when dropped and never printed; the `portable-sspi` crate seals it
/// before it leaves the process.
///
/// A state is the package's own `serde` type in bincode's standard configuration (little-endian integers of
/// variable length), behind a version that the package counts for itself. Decoding happens only after the seal was checked, so
/// its input comes from a process of the same user; it is bounded all the same.
pub struct PortableState {
    version: u16,
    encoded: Zeroizing<Vec<u8>>,
}

fn configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_variable_int_encoding().with_limit::<LIMIT>()
}

impl PortableState {
    /// Encodes `state` as version `version` of the package's layout.
    ///
    /// # Errors
    /// [`Misuse::BadOption`] where the state is larger than 64 KiB.
    pub fn encode<T: Serialize>(version: u16, state: &T) -> Result<Self, Error> {
        let too_large = || {
            Error::from(Misuse::BadOption {
                option: "context state",
                problem: "larger than 64 KiB when encoded",
            })
        };
        // Measured first: a buffer that grows leaves copies of keys behind.
        let mut size = bincode::enc::write::SizeWriter::default();
        bincode::serde::encode_into_writer(state, &mut size, configuration()).map_err(|_| too_large())?;
        if size.bytes_written > LIMIT {
            return Err(too_large());
        }
        let mut encoded = Zeroizing::new(vec![0; size.bytes_written]);
        bincode::serde::encode_into_slice(state, &mut encoded, configuration()).map_err(|_| too_large())?;
        Ok(Self { version, encoded })
    }

    /// The version of the package's layout.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// Decodes the package's type again; the package looks at [`version`](Self::version) first.
    ///
    /// # Errors
    /// [`BlobRefused::Damaged`] where the bytes are no such state, or more follow it.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let (state, used) = bincode::serde::decode_from_slice(&self.encoded, configuration())
            .map_err(|_| Error::from(BlobRefused::Damaged))?;
        if used == self.encoded.len() { Ok(state) } else { Err(BlobRefused::Damaged.into()) }
    }

    /// Version and encoded state as one string of bytes, for sealing.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + self.encoded.len()));
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&self.encoded);
        bytes
    }

    /// The reverse of [`to_bytes`](Self::to_bytes), after unsealing.
    ///
    /// # Errors
    /// [`BlobRefused::Damaged`] where there is not even a version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (version, encoded) = bytes.split_first_chunk().ok_or(BlobRefused::Damaged)?;
        Ok(Self { version: u16::from_le_bytes(*version), encoded: Zeroizing::new(encoded.to_vec()) })
    }
}

impl fmt::Debug for PortableState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortableState").field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_went() {
        let state = PortableState::encode(7, &(1u32, String::from("name"), vec![1u8, 2, 3])).unwrap();
        let again = PortableState::from_bytes(&state.to_bytes()).unwrap();
        assert_eq!(again.version(), 7);
        assert_eq!(
            again.decode::<(u32, String, Vec<u8>)>().unwrap(),
            (1, String::from("name"), vec![1, 2, 3])
        );
    }

    #[test]
    fn cut_or_lengthened_at_any_place_is_refused() {
        let bytes = PortableState::encode(1, &(1u32, String::from("name"))).unwrap().to_bytes();
        for length in 0..bytes.len() {
            let decoded =
                PortableState::from_bytes(&bytes[..length]).and_then(|s| s.decode::<(u32, String)>());
            assert!(decoded.is_err(), "{length} of {} bytes", bytes.len());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(PortableState::from_bytes(&longer).unwrap().decode::<(u32, String)>().is_err());
    }

    #[test]
    fn a_length_beyond_the_limit_allocates_nothing() {
        // 0xFD: bincode's marker for a 64-bit length.
        let bytes = [1, 0, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
        assert!(PortableState::from_bytes(&bytes).unwrap().decode::<Vec<u8>>().is_err());
    }
}
