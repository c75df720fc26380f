//! DES as NTLM uses it: keys of seven bytes, and three of them over one block.

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use portable_sspi_core::SecretArray;

/// DES, [MS-NLMP] 6: encrypts a block under a key of 56 bits.
#[must_use]
pub(crate) fn des(key: &SecretArray<7>, block: &[u8; 8]) -> [u8; 8] {
    #[cfg(test)]
    super::work::DES_BLOCKS.set(super::work::DES_BLOCKS.get() + 1);
    let mut block = (*block).into();
    Des::new(expand(key).expose().into()).encrypt_block(&mut block);
    block.into()
}

/// DESL, [MS-NLMP] 6: the block under each third of a key of 16 bytes that five zeros follow.
#[must_use]
pub(crate) fn desl(key: &SecretArray<16>, block: &[u8; 8]) -> [u8; 24] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *key.expose();
    let mut response = [0; 24];
    let thirds = [[a, b, c, d, e, f, g], [h, i, j, k, l, m, n], [o, p, 0, 0, 0, 0, 0]];
    for (to, third) in response.chunks_exact_mut(8).zip(thirds) {
        to.copy_from_slice(&des(&SecretArray::new(third), block));
    }
    response
}

/// Spreads seven bits into each of eight bytes. The lowest bit of each, which DES calls parity and does not use, makes
/// the number of ones odd.
#[must_use]
pub(crate) fn expand(key: &SecretArray<7>) -> SecretArray<8> {
    let [a, b, c, d, e, f, g] = *key.expose();
    let bits = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    let mut expanded = SecretArray::new([0; 8]);
    for (to, shift) in expanded.expose_mut().iter_mut().zip((0..8).rev().map(|index| index * 7)) {
        let [.., seven] = (bits >> shift).to_be_bytes();
        let byte = seven << 1;
        *to = byte | u8::from(byte.count_ones() % 2 == 0);
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ntlmv1_response() {
        // [MS-NLMP] 4.2.2.2.1.
        let key = hex::decode("a4f49c406510bdcab6824ee7c30fd852").unwrap();
        let key = SecretArray::new(*key.first_chunk().unwrap());
        let response = desl(&key, &0x0123_4567_89AB_CDEF_u64.to_be_bytes());
        assert_eq!(hex::encode(response), "67c43011f30298a2ad35ece64f16331c44bdbed927841f94");
    }

    #[test]
    fn every_bit_of_a_key_counts() {
        let block = [7; 8];
        let expected = des(&SecretArray::new([0x5A; 7]), &block);
        for bit in 0..56 {
            let mut key = [0x5A; 7];
            key[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(des(&SecretArray::new(key), &block), expected, "bit {bit}");
        }
    }
}
