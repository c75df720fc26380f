//! RC4 whose state can be taken out, put back and run backwards.

use core::{array, fmt};

use portable_sspi_core::SecretArray;
use zeroize::Zeroize;

/// Bytes of an exported state: the S-box and both indices.
pub(crate) const STATE_LENGTH: usize = 258;

/// One RC4 keystream and the position in it.
///
/// Written here because it must be exported in mid-stream, which the ciphers of other crates do not offer. It takes one
/// byte for each S-box entry: half a kilobyte for the two directions of a context.
pub(crate) struct Rc4 {
    s: [u8; 256],
    i: u8,
    j: u8,
}

// A `u8` is always inside a table of 256 entries; the compiler sees it too, and there is no bounds check.
#[allow(clippy::indexing_slicing, reason = "a u8 indexes a table of 256 entries")]
impl Rc4 {
    /// The keystream of `key`, at its start. RC4 uses at most the first 256 bytes of a key; an empty one counts as a
    /// single zero byte.
    #[must_use]
    pub(crate) fn new(key: &[u8]) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "a table of 256 entries has indices of a byte")]
        let mut s: [u8; 256] = array::from_fn(|index| index as u8);
        // The next entry is read ahead of this step's stores, as in `apply`.
        let (mut i, mut j, mut at_i) = (0u8, 0u8, s[0]);
        let mut key = key.iter().cycle();
        for _ in 0..s.len() {
            let next = i.wrapping_add(1);
            let at_next = s[usize::from(next)];
            j = j.wrapping_add(key.next().copied().unwrap_or_default()).wrapping_add(at_i);
            s[usize::from(i)] = s[usize::from(j)];
            s[usize::from(j)] = at_i;
            (i, at_i) = (next, if next == j { at_i } else { at_next });
        }
        Self { s, i: 0, j: 0 }
    }

    /// XORs the next `data.len()` bytes of the keystream into `data`.
    pub(crate) fn apply(&mut self, data: &mut [u8]) {
        // Each step waits for what the step before has stored. Reading the next entry before storing this step's two, and
        // correcting it where one of them was the next entry, takes one wait out: half as fast again.
        let s = &mut self.s;
        let (mut i, mut j) = (self.i.wrapping_add(1), self.j);
        let mut at_i = s[usize::from(i)];
        for byte in data {
            let next = i.wrapping_add(1);
            let at_next = s[usize::from(next)];
            j = j.wrapping_add(at_i);
            let at_j = s[usize::from(j)];
            s[usize::from(i)] = at_j;
            s[usize::from(j)] = at_i;
            *byte ^= s[usize::from(at_i.wrapping_add(at_j))];
            (i, at_i) = (next, if next == j { at_i } else { at_next });
        }
        (self.i, self.j) = (i.wrapping_sub(1), j);
    }

    /// Goes `count` bytes back in the keystream.
    ///
    /// Each step of RC4 can be undone, so a message that fails its check costs something only then; a copy of the state
    /// taken beforehand would cost every message, and be one more secret to wipe. Going back beyond the start gives a
    /// state that no key leads to.
    pub(crate) fn rewind(&mut self, count: usize) {
        for _ in 0..count {
            self.s.swap(usize::from(self.i), usize::from(self.j));
            self.j = self.j.wrapping_sub(self.s[usize::from(self.i)]);
            self.i = self.i.wrapping_sub(1);
        }
    }

    /// The state: 256 bytes S-box, then `i`, then `j`. **As secret as the key.**
    #[must_use]
    pub(crate) fn export(&self) -> SecretArray<STATE_LENGTH> {
        let mut state = SecretArray::new([0; STATE_LENGTH]);
        for (to, from) in state.expose_mut().iter_mut().zip(self.s.iter().chain([&self.i, &self.j])) {
            *to = *from;
        }
        state
    }

    /// The reverse of [`export`](Self::export). `None` where the S-box is no permutation, which no key leads to.
    #[must_use]
    pub(crate) fn import(state: &SecretArray<STATE_LENGTH>) -> Option<Self> {
        let (s, rest) = state.expose().split_first_chunk::<256>()?;
        let [i, j] = *rest.first_chunk()?;
        let mut seen = [false; 256];
        for entry in s {
            seen[usize::from(*entry)] = true;
        }
        seen.iter().all(|seen| *seen).then_some(Self { s: *s, i, j })
    }
}

/// The keystream of an [`Rc4`] with a word for each S-box entry, as long as it lives; the `Rc4` is up to date again when it
/// is dropped.
///
/// Words need no conversion between entry, sum and index. In step with MD5 that makes RC4 a third faster, over a long
/// message, at the price of a kilobyte, on the stack and wiped.
pub(super) struct WideRc4<'r> {
    narrow: &'r mut Rc4,
    entries: [u32; 256],
    place: Place,
}

/// Where in the keystream a [`WideRc4`] is: `i` of the next step, the entry there, and `j` of the last one.
#[derive(Clone, Copy)]
pub(super) struct Place {
    i: usize,
    at_i: u32,
    j: usize,
}

impl<'r> WideRc4<'r> {
    pub(super) fn new(narrow: &'r mut Rc4) -> Self {
        let entries = narrow.s.map(u32::from);
        let i = narrow.i.wrapping_add(1);
        #[allow(clippy::indexing_slicing, reason = "a u8 indexes a table of 256 entries")]
        let at_i = u32::from(narrow.s[usize::from(i)]);
        let place = Place { i: usize::from(i), at_i, j: usize::from(narrow.j) };
        Self { narrow, entries, place }
    }

    /// As [`Rc4::apply`].
    pub(super) fn apply(&mut self, data: &mut [u8]) {
        for byte in data {
            *byte ^= self.place.next_byte(&mut self.entries);
        }
    }

    /// The S-box and the place, apart, so that a loop can keep the place in registers.
    pub(super) const fn parts(&mut self) -> (&mut [u32; 256], &mut Place) {
        (&mut self.entries, &mut self.place)
    }
}

impl Place {
    /// A step of RC4, as in [`Rc4::apply`].
    ///
    /// The compiler makes a branch of the correction, which is rarely taken. That it depends on the keystream adds nothing
    /// to what the places of the loads give away in any RC4.
    #[inline(always)]
    #[allow(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "indices modulo 256; entries are bytes"
    )]
    pub(super) fn next_byte(&mut self, entries: &mut [u32; 256]) -> u8 {
        let Self { i, at_i, .. } = *self;
        let next = (i + 1) & 0xFF;
        let at_next = entries[next];
        let j = (self.j + at_i as usize) & 0xFF;
        let at_j = entries[j];
        entries[i & 0xFF] = at_j;
        entries[j] = at_i;
        let byte = entries[((at_i + at_j) & 0xFF) as usize];
        *self = Self { i: next, at_i: if next == j { at_i } else { at_next }, j };
        byte as u8
    }
}

#[allow(clippy::cast_possible_truncation, reason = "entries and indices are bytes")]
impl Drop for WideRc4<'_> {
    fn drop(&mut self) {
        for (to, from) in self.narrow.s.iter_mut().zip(&self.entries) {
            *to = *from as u8;
        }
        self.narrow.i = (self.place.i as u8).wrapping_sub(1);
        self.narrow.j = self.place.j as u8;
        self.entries.as_mut_slice().zeroize();
    }
}

impl Drop for Rc4 {
    fn drop(&mut self) {
        // As a slice, which is wiped as a whole; an array is wiped byte by byte.
        self.s.as_mut_slice().zeroize();
        self.i.zeroize();
        self.j.zeroize();
    }
}

impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rc4(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rc4::{KeyInit, StreamCipher};

    use super::*;

    #[test]
    fn rfc_6229_keystream() {
        let mut stream = [0; 256 + 16];
        Rc4::new(&[1, 2, 3, 4, 5]).apply(&mut stream);
        assert_eq!(hex::encode(&stream[..16]), "b2396305f03dc027ccc3524a0a1118a8");
        assert_eq!(hex::encode(&stream[256..]), "1cfcf62b03eddb641d77dfcf7f8d8c93");
    }

    #[test]
    fn a_state_that_no_key_leads_to_is_refused() {
        let mut state = Rc4::new(b"key").export();
        assert!(Rc4::import(&state).is_some());
        let bytes = state.expose_mut();
        bytes[7] = bytes[8];
        assert!(Rc4::import(&state).is_none());
    }

    #[test]
    fn debug_shows_no_state() {
        assert_eq!(format!("{:?}", Rc4::new(b"secret")), "Rc4(..)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn equals_the_rc4_crate_however_it_is_cut_exported_and_rewound(
            key in any::<[u8; 16]>(),
            pieces in prop::collection::vec((0..600usize, any::<bool>(), 0..700usize), 1..6),
        ) {
            let mut reference = ::rc4::Rc4::new_from_slice(&key).unwrap();
            let mut ours = Rc4::new(&key);
            for (length, export, there_and_back) in pieces {
                let mut expected = vec![0; length];
                reference.apply_keystream(&mut expected);
                let before = ours.export();
                ours.apply(&mut vec![0; there_and_back]);
                ours.rewind(there_and_back);
                prop_assert!(ours.export().ct_eq(&before));
                let mut stream = vec![0; length];
                ours.apply(&mut stream);
                prop_assert_eq!(stream, expected);
                if export {
                    ours = Rc4::import(&ours.export()).unwrap();
                }
            }
        }
    }
}
