//! MD5 (RFC 1321), with room for other work between its steps.

use core::array;

use zeroize::Zeroize;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// The words A, B, C and D between two blocks.
pub(crate) type State = [u32; 4];

/// What each step of a block adds besides the state, its message word and its constant in one: by round, by four steps,
/// by step.
pub(super) type Sums = [[[u32; 4]; 4]; 4];

/// Work to be done between the steps of MD5: what does not wait for MD5, and is done while MD5 waits for itself.
///
/// A trait and no closure, as only a function can ask to be inlined; with calls, nearly all of the gain is lost.
pub(super) trait Between {
    /// The next piece, after four steps of 64.
    fn four_steps(&mut self);
}

/// MD5 alone.
pub(super) struct Nothing;

impl Between for Nothing {
    #[inline(always)]
    fn four_steps(&mut self) {}
}

/// MD5 of a message that comes in parts.
///
/// Written here, and not taken from a crate, for three reasons: the state after a keyed block takes 16 bytes in a context,
/// [`rounds`] lets RC4 run between the steps, and it is a quarter faster than the `md-5` crate. Wiped when dropped, as it hashes keys too.
pub(crate) struct Md5 {
    pub(super) state: State,
    /// The bytes since the last whole block.
    block: [u8; BLOCK],
    /// Bytes of the whole message. RFC 1321 counts bits modulo 2^64.
    length: u64,
}

/// MD5 over a block that led to the state `keyed`, and a digest after it: the outer half of an HMAC.
pub(super) fn finish_with_digest(mut keyed: State, digest: &State) -> [u8; 16] {
    rounds(&mut keyed, &sums_of_digest(digest), &mut Nothing);
    to_bytes(&keyed)
}

impl Md5 {
    /// At the start of a message.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self::resume([0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476], 0)
    }

    /// In the middle of a message, after so many whole blocks.
    #[must_use]
    pub(crate) const fn resume(state: State, blocks: u64) -> Self {
        Self { state, block: [0; BLOCK], length: blocks * BLOCK as u64 }
    }

    /// As [`resume`](Self::resume), with the number that begins the next block. Every signature begins so.
    #[must_use]
    pub(crate) fn resume_with(state: State, blocks: u64, number: u32) -> Self {
        let mut md5 = Self::resume(state, blocks);
        let number = number.to_le_bytes();
        if let Some(start) = md5.block.first_chunk_mut() {
            *start = number;
        }
        md5.advance(number.len());
        md5
    }

    /// Appends a part.
    pub(crate) fn update(&mut self, part: &[u8]) {
        // What begins with a block needs no copy.
        let (head, rest) = part.split_at((self.missing() % BLOCK).min(part.len()));
        self.fill(head);
        let blocks = rest.chunks_exact(BLOCK);
        let tail = blocks.remainder();
        for block in blocks.filter_map(<[u8]>::first_chunk) {
            rounds(&mut self.state, &sums(block), &mut Nothing);
        }
        self.advance(rest.len() - tail.len());
        self.fill(tail);
    }

    /// The digest.
    #[must_use]
    pub(crate) fn finish(self) -> [u8; 16] {
        to_bytes(&self.finish_words())
    }

    /// The digest as the words that its bytes stand for.
    #[must_use]
    pub(super) fn finish_words(mut self) -> State {
        // A one bit, then zeros up to the last eight bytes of a block, then the length.
        let used = self.used();
        if let Some((one, zeros)) = self.block.get_mut(used..).and_then(<[u8]>::split_first_mut) {
            *one = 0x80;
            zeros.fill(0);
        }
        if used >= BLOCK - 8 {
            rounds(&mut self.state, &sums(&self.block), &mut Nothing);
            self.block = [0; BLOCK];
        }
        if let Some(end) = self.block.last_chunk_mut() {
            *end = self.length.wrapping_mul(8).to_le_bytes();
        }
        rounds(&mut self.state, &sums(&self.block), &mut Nothing);
        self.state
    }

    /// How many bytes there are until the block ends, a whole block where none was begun.
    pub(super) const fn missing(&self) -> usize {
        BLOCK - self.used()
    }

    /// Appends `part`, which ends the block that was begun, and leaves it to the caller to run [`rounds`] with what it
    /// returns, before the digest is asked for.
    pub(super) fn complete(&mut self, part: &[u8]) -> Sums {
        self.put(part);
        sums(&self.block)
    }

    /// After [`complete`](Self::complete): appends `part`, and leaves it to the caller to run [`rounds`] over each whole
    /// block of it, too.
    pub(super) fn skip_blocks(&mut self, part: &[u8]) {
        let blocks = part.chunks_exact(BLOCK);
        let tail = blocks.remainder();
        self.advance(part.len() - tail.len());
        self.put(tail);
    }

    /// The state after the last whole block.
    pub(super) const fn state(&self) -> State {
        self.state
    }

    /// Counts bytes of whole blocks that [`rounds`] has run over.
    pub(super) fn advance(&mut self, bytes: usize) {
        // Modulo 2^64, as in RFC 1321 3.2.
        self.length = self.length.wrapping_add(bytes as u64);
    }

    #[allow(clippy::cast_possible_truncation, reason = "less than 64")]
    const fn used(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    /// Appends to the block that was begun, at most up to its end.
    fn fill(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.put(bytes);
        if self.used() == 0 {
            rounds(&mut self.state, &sums(&self.block), &mut Nothing);
        }
    }

    /// As [`fill`](Self::fill), but runs over no block.
    fn put(&mut self, bytes: &[u8]) {
        let used = self.used();
        if let Some(to) = self.block.get_mut(used..used + bytes.len()) {
            to.copy_from_slice(bytes);
            self.advance(bytes.len());
        }
    }
}

impl Drop for Md5 {
    fn drop(&mut self) {
        self.state.as_mut_slice().zeroize();
        self.block.as_mut_slice().zeroize();
    }
}

/// The constants of RFC 1321 3.4, in the order of [`Sums`]: step n has the integer part of 2^32 |sin n|, n in radians.
const CONSTANTS: Sums = [
    [
        [0xD76A_A478, 0xE8C7_B756, 0x2420_70DB, 0xC1BD_CEEE],
        [0xF57C_0FAF, 0x4787_C62A, 0xA830_4613, 0xFD46_9501],
        [0x6980_98D8, 0x8B44_F7AF, 0xFFFF_5BB1, 0x895C_D7BE],
        [0x6B90_1122, 0xFD98_7193, 0xA679_438E, 0x49B4_0821],
    ],
    [
        [0xF61E_2562, 0xC040_B340, 0x265E_5A51, 0xE9B6_C7AA],
        [0xD62F_105D, 0x0244_1453, 0xD8A1_E681, 0xE7D3_FBC8],
        [0x21E1_CDE6, 0xC337_07D6, 0xF4D5_0D87, 0x455A_14ED],
        [0xA9E3_E905, 0xFCEF_A3F8, 0x676F_02D9, 0x8D2A_4C8A],
    ],
    [
        [0xFFFA_3942, 0x8771_F681, 0x6D9D_6122, 0xFDE5_380C],
        [0xA4BE_EA44, 0x4BDE_CFA9, 0xF6BB_4B60, 0xBEBF_BC70],
        [0x289B_7EC6, 0xEAA1_27FA, 0xD4EF_3085, 0x0488_1D05],
        [0xD9D4_D039, 0xE6DB_99E5, 0x1FA2_7CF8, 0xC4AC_5665],
    ],
    [
        [0xF429_2244, 0x432A_FF97, 0xAB94_23A7, 0xFC93_A039],
        [0x655B_59C3, 0x8F0C_CC92, 0xFFEF_F47D, 0x8584_5DD1],
        [0x6FA8_7E4F, 0xFE2C_E6E0, 0xA301_4314, 0x4E08_11A1],
        [0xF753_7E82, 0xBD3A_F235, 0x2AD7_D2BB, 0xEB86_D391],
    ],
];

/// By how many bits each of four steps rotates, by round.
const ROTATIONS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// Puts into `to` the sums of message words and constants for a whole block, ahead of [`rounds`].
///
/// Each step of MD5 waits for the one before it, so a block takes as long as that chain. `a + word + constant` is not on
/// it, but where the compiler sees all of the terms it adds in another order and puts it there: out of its sight, in a
/// function of its own, MD5 is a tenth faster.
#[inline(never)]
pub(super) fn put_sums(to: &mut Sums, block: &[u8; BLOCK]) {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    }
    *to = sums_of(&words);
}

/// As [`put_sums`], for a block by itself.
pub(super) fn sums(block: &[u8; BLOCK]) -> Sums {
    let mut sums = Sums::default();
    put_sums(&mut sums, block);
    sums
}

/// [`sums`] of the last block of a message that is one block and a digest long. The compiler has three quarters of the
/// additions done beforehand.
#[inline(never)]
fn sums_of_digest([a, b, c, d]: &State) -> Sums {
    const BITS: u32 = 8 * (64 + 16);
    sums_of(&[*a, *b, *c, *d, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, BITS, 0])
}

#[inline(always)]
fn sums_of(words: &[u32; 16]) -> Sums {
    let [first, second, third, fourth] = &CONSTANTS;
    // In each round, the word of the first step, and how many words on the next step's is.
    [
        sums_of_round(words, first, 0, 1),
        sums_of_round(words, second, 1, 5),
        sums_of_round(words, third, 5, 3),
        sums_of_round(words, fourth, 0, 7),
    ]
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "the word is taken modulo 16, the others count to 4")]
fn sums_of_round(words: &[u32; 16], constants: &[[u32; 4]; 4], first: usize, stride: usize) -> [[u32; 4]; 4] {
    array::from_fn(|four| {
        array::from_fn(|step| {
            constants[four][step].wrapping_add(words[(first + stride * (4 * four + step)) % 16])
        })
    })
}

/// The 64 steps for the block that `sums` are of. `between` has its turn after every four.
#[inline(always)]
pub(super) fn rounds(state: &mut State, sums: &Sums, between: &mut impl Between) {
    #[cfg(test)]
    super::work::MD5_BLOCKS.set(super::work::MD5_BLOCKS.get() + 1);
    let [first, second, third, fourth] = sums;
    let [one, two, three, four] = &ROTATIONS;
    let now = round(*state, first, one, between, |b, c, d| (0, d ^ (b & (c ^ d))));
    // Two halves that have no bit in common. Added one after the other, and not joined first, what waits for `b` is one
    // operation shorter.
    let now = round(now, second, two, between, |b, c, d| (c & !d, b & d));
    let now = round(now, third, three, between, |b, c, d| (0, b ^ (c ^ d)));
    let now = round(now, fourth, four, between, |b, c, d| (0, c ^ (b | !d)));
    for (word, change) in state.iter_mut().zip(now) {
        *word = word.wrapping_add(change);
    }
}

/// A round of 16 steps. `mix` is its function of B, C and D as two terms: one that does not wait for B, and one that does.
///
/// No loop: it would take registers that RC4 needs, and a fifth of the speed of both together.
#[inline(always)]
fn round(
    now: State,
    [first, second, third, fourth]: &[[u32; 4]; 4],
    rotations: &[u32; 4],
    between: &mut impl Between,
    mix: impl Fn(u32, u32, u32) -> (u32, u32) + Copy,
) -> State {
    let now = four_steps(now, first, rotations, mix);
    between.four_steps();
    let now = four_steps(now, second, rotations, mix);
    between.four_steps();
    let now = four_steps(now, third, rotations, mix);
    between.four_steps();
    let now = four_steps(now, fourth, rotations, mix);
    between.four_steps();
    now
}

/// Four steps, after which A, B, C and D are in their places again.
#[inline(always)]
fn four_steps(
    [a, b, c, d]: State,
    [s0, s1, s2, s3]: &[u32; 4],
    [r0, r1, r2, r3]: &[u32; 4],
    mix: impl Fn(u32, u32, u32) -> (u32, u32),
) -> State {
    let step = |a: u32, b: u32, c: u32, d: u32, sum: u32, rotation: u32| {
        let (early, late) = mix(b, c, d);
        a.wrapping_add(sum).wrapping_add(early).wrapping_add(late).rotate_left(rotation).wrapping_add(b)
    };
    let a = step(a, b, c, d, *s0, *r0);
    let d = step(d, a, b, c, *s1, *r1);
    let c = step(c, d, a, b, *s2, *r2);
    let b = step(b, c, d, a, *s3, *r3);
    [a, b, c, d]
}

/// The state as a digest: its words, least significant byte first.
fn to_bytes(state: &State) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, word) in bytes.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use ::md5::Digest;
    use proptest::prelude::*;

    use super::*;

    fn whole(message: &[u8]) -> [u8; 16] {
        let mut md5 = Md5::new();
        md5.update(message);
        md5.finish()
    }

    #[test]
    fn rfc_1321_test_suite() {
        let digest = |message: &str| hex::encode(whole(message.as_bytes()));
        assert_eq!(digest(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(digest("abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(digest(&"1234567890".repeat(8)), "57edf4a22be3c955ac49da2e2107b67a");
    }

    #[test]
    fn constants_are_those_of_the_sine() {
        for (constant, step) in CONSTANTS.as_flattened().as_flattened().iter().zip(1..) {
            assert_eq!(f64::from(*constant), (f64::from(step).sin().abs() * 4_294_967_296.0).floor());
        }
    }

    #[test]
    fn every_length_up_to_three_blocks() {
        let message: Vec<u8> = (0..=191).collect();
        for length in 0..=message.len() {
            assert_eq!(whole(&message[..length])[..], ::md5::Md5::digest(&message[..length])[..], "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn equals_the_md5_crate_however_it_is_cut(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
        ) {
            let mut md5 = Md5::new();
            parts.iter().for_each(|part| md5.update(part));
            prop_assert_eq!(md5.finish(), <[u8; 16]>::from(::md5::Md5::digest(parts.concat())));
        }
    }
}
