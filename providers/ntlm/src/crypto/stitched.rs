//! MD5 and RC4 over the same bytes in one pass.
//!
//! Both algorithms are chains in which each step waits for the one before, so either alone leaves most of the processor
//! idle, and one after the other costs the sum. Stitched, four steps of MD5 and four bytes of RC4 by turns, the pair
//! takes little longer than MD5 alone: 700 MB/s, and not 300. docs/performance.md has what was tried besides.

use core::mem;
use core::slice::ChunksExactMut;

use crate::crypto::md5::{BLOCK, Between, Md5, Nothing, State, Sums, put_sums, rounds};
use crate::crypto::rc4::{Place, Rc4, WideRc4};

/// Shorter data is not worth widening the S-box and narrowing it again. A block at least, which is the most that MD5 can miss.
const ENCRYPTED_FROM: usize = BLOCK;
const DECRYPTED_FROM: usize = LEAD + BLOCK;
/// How far RC4 is ahead of MD5 in [`decrypt_then_hash`].
const LEAD: usize = 2 * BLOCK;

/// Appends `data` to `md5`, then encrypts it. `rc4` goes on by its length.
pub(crate) fn hash_then_encrypt(md5: &mut Md5, rc4: &mut Rc4, data: &mut [u8]) {
    if data.len() < ENCRYPTED_FROM {
        md5.update(data);
        rc4.apply(data);
        return;
    }
    let missing = md5.missing();
    let (head, rest) = data.split_at(missing);
    let (mut one, mut other) = (md5.complete(head), Sums::default());
    let (mut now, mut ahead) = (&mut one, &mut other);
    // Before RC4 overwrites it.
    md5.skip_blocks(rest);

    let mut wide = WideRc4::new(rc4);
    // Where RC4 is. It goes by whole blocks from the start of `data` on, MD5 by those of its message.
    let mut at = 0;
    while let Some(next) = block(data, missing + at) {
        // The sums hold all that MD5 needs of a block, so RC4 may overwrite it. They are made one block ahead: MD5, which
        // everything else waits for, finds them ready.
        put_sums(ahead, next);
        if let Some(block) = block_mut(data, at) {
            stitched(&mut md5.state, now, &mut wide, block);
        }
        mem::swap(&mut now, &mut ahead);
        at += BLOCK;
    }
    if let Some(block) = block_mut(data, at) {
        stitched(&mut md5.state, now, &mut wide, block);
        at += BLOCK;
    } else {
        rounds(&mut md5.state, now, &mut Nothing);
    }
    wide.apply(data.get_mut(at..).unwrap_or_default());
}

/// Decrypts `data`, then appends it to `md5`. `rc4` goes on by its length.
pub(crate) fn decrypt_then_hash(md5: &mut Md5, rc4: &mut Rc4, data: &mut [u8]) {
    if data.len() < DECRYPTED_FROM {
        rc4.apply(data);
        md5.update(data);
        return;
    }
    let mut wide = WideRc4::new(rc4);
    // MD5 needs what RC4 has decrypted, so it follows, and two blocks behind: what was just stored byte by byte is slow to
    // be loaded in words.
    let (lead, _) = data.split_at_mut(LEAD);
    wide.apply(lead);
    let missing = md5.missing();
    let (head, _) = lead.split_at(missing);
    let (mut one, mut other) = (md5.complete(head), Sums::default());
    let (mut now, mut ahead) = (&mut one, &mut other);
    // Where RC4 is, after its lead, and MD5, after what was missing.
    let mut at = 0;
    while data.len() - at >= LEAD + BLOCK {
        if let Some(decrypted) = block(data, missing + at) {
            put_sums(ahead, decrypted);
        }
        if let Some(block) = block_mut(data, LEAD + at) {
            stitched(&mut md5.state, now, &mut wide, block);
        }
        mem::swap(&mut now, &mut ahead);
        at += BLOCK;
    }
    wide.apply(data.get_mut(LEAD + at..).unwrap_or_default());
    rounds(&mut md5.state, now, &mut Nothing);
    md5.advance(at);
    md5.update(data.get(missing + at..).unwrap_or_default());
}

/// One block of each: MD5 over the block that `sums` are of, RC4 over `block`.
#[inline(never)]
fn stitched(state: &mut State, sums: &Sums, wide: &mut WideRc4<'_>, block: &mut [u8; BLOCK]) {
    let (entries, place) = wide.parts();
    let mut rc4 = FourBytes { entries, place: *place, fours: block.chunks_exact_mut(4) };
    rounds(state, sums, &mut rc4);
    *place = rc4.place;
}

/// The block of `data` that begins at `at`, if it is a whole one.
fn block(data: &[u8], at: usize) -> Option<&[u8; BLOCK]> {
    data.get(at..)?.first_chunk()
}

/// As [`block`].
fn block_mut(data: &mut [u8], at: usize) -> Option<&mut [u8; BLOCK]> {
    data.get_mut(at..)?.first_chunk_mut()
}

/// RC4 over a block, four bytes at a time.
struct FourBytes<'b> {
    entries: &'b mut [u32; 256],
    place: Place,
    fours: ChunksExactMut<'b, u8>,
}

impl Between for FourBytes<'_> {
    #[inline(always)]
    fn four_steps(&mut self) {
        if let Some([b0, b1, b2, b3]) = self.fours.next().and_then(<[u8]>::first_chunk_mut) {
            *b0 ^= self.place.next_byte(self.entries);
            *b1 ^= self.place.next_byte(self.entries);
            *b2 ^= self.place.next_byte(self.entries);
            *b3 ^= self.place.next_byte(self.entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use ::md5::Digest;
    use ::rc4::{KeyInit, StreamCipher};
    use proptest::prelude::*;

    use super::*;

    /// How long a part of a message is: around the bounds of blocks and beyond the 256 steps in which RC4 goes round.
    fn length() -> impl Strategy<Value = usize> {
        prop_oneof![0..10usize, 54..72usize, 120..136usize, 180..330usize, 1000..1100usize]
    }

    #[test]
    fn every_length_at_every_place_in_a_block() {
        for before in 0..BLOCK {
            for length in 0..4 * BLOCK {
                let plaintext: Vec<u8> = (0u8..=255).cycle().take(length).collect();
                let mut data = plaintext.clone();
                let mut expected = plaintext.clone();
                ::rc4::Rc4::new_from_slice(b"key").unwrap().apply_keystream(&mut expected);
                let digest = ::md5::Md5::digest([&vec![7; before], plaintext.as_slice()].concat());

                let start = || {
                    let mut md5 = Md5::new();
                    md5.update(&vec![7; before]);
                    (md5, Rc4::new(b"key"))
                };
                let (mut md5, mut rc4) = start();
                hash_then_encrypt(&mut md5, &mut rc4, &mut data);
                assert_eq!(data, expected, "{before} {length}");
                assert_eq!(md5.finish()[..], digest[..], "{before} {length}");
                let (mut md5, mut rc4) = start();
                decrypt_then_hash(&mut md5, &mut rc4, &mut data);
                assert_eq!(data, plaintext, "{before} {length}");
                assert_eq!(md5.finish()[..], digest[..], "{before} {length}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Contexts that run on over many parts, some of them only hashed, with other users of the keystream between.
        #[test]
        fn equals_the_md5_and_rc4_crates(
            key in any::<[u8; 16]>(),
            parts in prop::collection::vec((length(), any::<u8>(), any::<bool>(), 0..9usize), 1..12),
        ) {
            let mut reference = (::md5::Md5::new(), ::rc4::Rc4::new_from_slice(&key).unwrap());
            let mut sender = (Md5::new(), Rc4::new(&key));
            let mut receiver = (Md5::new(), Rc4::new(&key));
            for (length, first, encrypted, between) in parts {
                let plaintext: Vec<u8> = (first..=255).chain(0..first).cycle().take(length).collect();
                reference.0.update(&plaintext);
                if encrypted {
                    let mut expected = plaintext.clone();
                    reference.1.apply_keystream(&mut expected);
                    let mut data = plaintext.clone();
                    hash_then_encrypt(&mut sender.0, &mut sender.1, &mut data);
                    prop_assert_eq!(&data, &expected);
                    decrypt_then_hash(&mut receiver.0, &mut receiver.1, &mut data);
                    prop_assert_eq!(&data, &plaintext);
                } else {
                    sender.0.update(&plaintext);
                    receiver.0.update(&plaintext);
                }
                let mut stream = [vec![0; between], vec![0; between], vec![0; between]];
                reference.1.apply_keystream(&mut stream[0]);
                sender.1.apply(&mut stream[1]);
                receiver.1.apply(&mut stream[2]);
                prop_assert_eq!(&stream[0], &stream[1]);
                prop_assert_eq!(&stream[0], &stream[2]);
            }
            prop_assert!(sender.1.export().ct_eq(&receiver.1.export()));
            let digest: [u8; 16] = reference.0.finalize().into();
            prop_assert_eq!(sender.0.finish(), digest);
            prop_assert_eq!(receiver.0.finish(), digest);
        }
    }
}
