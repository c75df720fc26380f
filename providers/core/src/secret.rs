//! Key material of a fixed size.

use core::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` bytes of key material: wiped when dropped, never printed, compared in constant time.
///
/// There is deliberately no `Clone`, `PartialEq` or `Deref`: each place that takes a copy, compares or looks inside
/// names what it does.
///
/// ```
/// use portable_sspi_core::SecretArray;
///
/// let key = SecretArray::new([0x55; 16]);
/// assert!(key.ct_eq(&SecretArray::new([0x55; 16])));
/// assert_eq!(format!("{key:?}"), "SecretArray<16>(..)");
/// ```
#[derive(Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretArray<const N: usize>(#[serde(with = "bytes")] [u8; N]);

impl<const N: usize> SecretArray<N> {
    /// Takes `bytes` over. The caller's own copy, if it keeps one, is the caller's to wipe.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves, for handing to a cryptographic primitive.
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes themselves, for filling in.
    pub const fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    /// A second copy, where the protocol needs one.
    #[must_use]
    pub const fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// Whether both hold the same bytes, in time that does not depend on where they differ.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> fmt::Debug for SecretArray<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretArray<{N}>(..)")
    }
}

/// serde has no arrays of generic length; a fixed array travels as a tuple, without a length.
mod bytes {
    use core::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::ser::SerializeTuple;
    use serde::{Deserializer, Serializer};
    use zeroize::Zeroize;

    pub(super) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let mut tuple = to.serialize_tuple(N)?;
        for byte in bytes {
            tuple.serialize_element(byte)?;
        }
        tuple.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        from: D,
    ) -> Result<[u8; N], D::Error> {
        struct Bytes<const N: usize>;

        impl<'de, const N: usize> Visitor<'de> for Bytes<N> {
            type Value = [u8; N];

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{N} bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<[u8; N], A::Error> {
                let mut bytes = [0; N];
                for (index, byte) in bytes.iter_mut().enumerate() {
                    *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(index, &self))?;
                }
                let out = bytes;
                bytes.zeroize();
                Ok(out)
            }
        }

        from.deserialize_tuple(N, Bytes::<N>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte() {
        let shown = format!("{:?}", SecretArray::new([0xAB; 4]));
        assert!(!shown.to_lowercase().contains("ab") && !shown.contains("171"), "{shown}");
    }

    #[test]
    fn comparison_sees_every_byte() {
        let key = SecretArray::new([7; 16]);
        for index in 0..16 {
            let mut other = [7; 16];
            other[index] ^= 1;
            assert!(!key.ct_eq(&SecretArray::new(other)), "byte {index}");
        }
    }
}
