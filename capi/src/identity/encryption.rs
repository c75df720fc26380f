//! Passwords that are encrypted in memory.

use std::sync::LazyLock;

use portable_sspi::SecurityStatus;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::failure::{Failure, Result};

/// A Feistel network of so many rounds. Four would do for long passwords; short ones have small halves and need more.
const ROUNDS: u8 = 12;

/// Drawn once in a process. It never leaves it, so what it encrypts means nothing elsewhere.
static KEY: LazyLock<Option<hmac::Key>> = LazyLock::new(|| {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()))
});

/// Encrypts a password where it lies, under a key of this process.
///
/// There is no room for a nonce, as the length must not change. So this is a permutation of all passwords of one length:
/// equal passwords look equal, but there is no keystream that two different ones would share. Very short passwords can be
/// told apart by trying, for who may have others encrypted by this process; and nothing notices a change.
///
/// It protects from a look at part of the memory: a page that was swapped out, a buffer that was sent or logged by
/// mistake, a dump without the page that the key is on. It does not protect from who can read all the memory of this
/// process: the key is in it.
pub(super) fn encrypt(password: &mut [u16]) -> Result<()> {
    permute(password, 0..ROUNDS)
}

/// Undoes what [`encrypt`] does to a password.
pub(super) fn decrypt(password: &mut [u16]) -> Result<()> {
    permute(password, (0..ROUNDS).rev())
}

/// The halves are the low and the high bytes, so that every length, 0 and 1 too, has two of the same size. Each round
/// changes one half by what the other one yields, and so undoes itself.
fn permute(password: &mut [u16], rounds: impl Iterator<Item = u8>) -> Result<()> {
    let key = KEY.as_ref().ok_or(Failure::new(
        SecurityStatus::SEC_E_INTERNAL_ERROR,
        "the system has no random bytes for the key that passwords are encrypted under",
    ))?;
    let half = |byte: fn(&u16) -> u8| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(password.len()));
        bytes.extend(password.iter().map(byte));
        bytes
    };
    let mut low = half(|unit| unit.to_le_bytes()[0]);
    let mut high = half(|unit| unit.to_le_bytes()[1]);
    for round in rounds {
        if round % 2 == 0 {
            mix(key, round, &high, &mut low);
        } else {
            mix(key, round, &low, &mut high);
        }
    }
    for (unit, (low, high)) in password.iter_mut().zip(low.iter().zip(high.iter())) {
        *unit = u16::from_le_bytes([*low, *high]);
    }
    Ok(())
}

/// The round function: HMAC-SHA256 of round, length and one half gives the key whose HMACs of 0, 1, 2... change the other.
fn mix(key: &hmac::Key, round: u8, from: &[u8], to: &mut [u8]) {
    let mut seed = hmac::Context::with_key(key);
    seed.update(&[round]);
    seed.update(&(from.len() as u64).to_be_bytes());
    seed.update(from);
    let stream = hmac::Key::new(hmac::HMAC_SHA256, seed.sign().as_ref());
    for (block, counter) in to.chunks_mut(32).zip(0_u64..) {
        let mask = hmac::sign(&stream, &counter.to_be_bytes());
        for (byte, mask) in block.iter_mut().zip(mask.as_ref()) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back() {
        for length in [0, 1, 2, 3, 15, 31, 32, 33, 64, 65, 300, 0x7FFF] {
            let clear: Vec<u16> = (0..length).collect();
            let mut password = clear.clone();
            encrypt(&mut password).unwrap();
            assert_eq!(password.len(), clear.len());
            if length > 3 {
                assert_ne!(password, clear);
            }
            decrypt(&mut password).unwrap();
            assert_eq!(password, clear);
        }
    }

    #[test]
    fn equal_passwords_look_equal_and_similar_ones_share_nothing() {
        let encrypted = |text: &str| {
            let mut units: Vec<u16> = text.encode_utf16().collect();
            encrypt(&mut units).unwrap();
            units
        };
        let one = encrypted("correct horse battery");
        assert_eq!(one, encrypted("correct horse battery"));
        let other = encrypted("correct horse batters");
        let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
        // By chance, one in 65,536.
        assert!(same < 3, "{same} units are the same");
        // The start of a longer one is not the shorter one.
        assert_ne!(encrypted("correct horse battery!").get(..one.len()), Some(one.as_slice()));
    }

    #[test]
    fn one_unit_is_permuted() {
        let mut seen = vec![false; 0x1_0000];
        for unit in (0..=u16::MAX).step_by(17) {
            let mut password = [unit];
            encrypt(&mut password).unwrap();
            assert!(!std::mem::replace(&mut seen[usize::from(password[0])], true));
        }
    }
}
