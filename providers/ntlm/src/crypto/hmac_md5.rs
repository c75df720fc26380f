//! HMAC-MD5 with keys that are set up once, and MD5 over several parts.

use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::crypto::md5::{BLOCK, Md5, State, finish_with_digest};

/// A key of HMAC-MD5 (RFC 2104), in the form of the two MD5 states it leads to.
///
/// A context keeps two of these for all its life and uses one for each message: setting the key up costs two of the
/// four MD5 blocks that a short message takes, and the bare states take a third of the memory of a running HMAC, whose
/// block buffer is empty between messages. Wiped when dropped; the states are worth as much as the key.
pub(crate) struct HmacMd5Key {
    inner: State,
    outer: State,
}

impl HmacMd5Key {
    /// Sets up a key of any length.
    #[must_use]
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        if key.len() > BLOCK {
            let digest = Zeroizing::new(md5([key]));
            fill(&mut block, digest.as_slice());
        } else {
            fill(&mut block, key);
        }
        Self { inner: keyed(&block, 0x36), outer: keyed(&block, 0x5C) }
    }

    /// MD5 to run over the message; [`finish`](Self::finish) makes it the code.
    #[must_use]
    pub(crate) const fn start(&self) -> Md5 {
        Md5::resume(self.inner, 1)
    }

    /// MD5 to run over a message that begins with `number`, its least significant byte first.
    #[must_use]
    pub(crate) fn start_with(&self, number: u32) -> Md5 {
        Md5::resume_with(self.inner, 1, number)
    }

    /// The code over what `inner`, from [`start`](Self::start), has run over.
    #[must_use]
    pub(crate) fn finish(&self, inner: Md5) -> [u8; 16] {
        finish_with_digest(self.outer, &inner.finish_words())
    }

    /// The code over the concatenation of `parts`.
    #[must_use]
    pub(crate) fn mac<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
        let mut inner = self.start();
        for part in parts {
            inner.update(part);
        }
        self.finish(inner)
    }
}

impl Drop for HmacMd5Key {
    fn drop(&mut self) {
        self.inner.as_mut_slice().zeroize();
        self.outer.as_mut_slice().zeroize();
    }
}

impl fmt::Debug for HmacMd5Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacMd5Key(..)")
    }
}

/// MD5 over the concatenation of `parts`.
#[must_use]
pub(crate) fn md5<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    md5.finish()
}

fn fill(block: &mut [u8; BLOCK], key: &[u8]) {
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
}

/// MD5 after one block, which is the padded key with `pad` XORed into each byte.
fn keyed(block: &[u8; BLOCK], pad: u8) -> State {
    let mut md5 = Md5::new();
    md5.update(Zeroizing::new(block.map(|byte| byte ^ pad)).as_slice());
    md5.state()
}

#[cfg(test)]
mod tests {
    use ::md5::Digest;
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_2202_cases() {
        let mac = |key: &[u8], message: &[u8]| hex::encode(HmacMd5Key::new(key).mac([message]));
        assert_eq!(mac(&[0x0B; 16], b"Hi There"), "9294727a3638bb1c13f48ef8158bfc9d");
        assert_eq!(mac(b"Jefe", b"what do ya want for nothing?"), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(
            mac(&[0xAA; 80], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn equals_the_hmac_crate(
            key in prop::collection::vec(any::<u8>(), 0..130),
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..4),
        ) {
            let reference = Hmac::<::md5::Md5>::new_from_slice(&key).unwrap().chain_update(parts.concat());
            let expected: [u8; 16] = reference.finalize().into_bytes().into();
            let keyed = HmacMd5Key::new(&key);
            prop_assert_eq!(keyed.mac(parts.iter().map(Vec::as_slice)), expected);
            prop_assert_eq!(keyed.mac([parts.concat().as_slice()]), expected, "the key is not used up");
            prop_assert_eq!(md5(parts.iter().map(Vec::as_slice)), <[u8; 16]>::from(::md5::Md5::digest(parts.concat())));
        }
    }

    #[test]
    fn debug_shows_no_state() {
        assert_eq!(format!("{:?}", HmacMd5Key::new(b"secret")), "HmacMd5Key(..)");
    }
}
