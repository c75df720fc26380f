//! A client of another make, written from the specification alone: it repeats all AV pairs it gets, sends no MIC unless
//! told, and speaks OEM where the server chose that.

use des::cipher::BlockCipherEncrypt;
use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;

use super::PASSWORD;
use super::messages::{Authenticate, ESS, Pairs, UNICODE, list, target_info, u32_at, utf16};

/// The NEGOTIATE of a client that offers `flags`, of 32 bytes.
pub(crate) fn negotiate(flags: u32) -> Vec<u8> {
    let mut message = b"NTLMSSP\0\x01\0\0\0".to_vec();
    message.extend_from_slice(&flags.to_le_bytes());
    message.resize(32, 0);
    message
}

/// The AUTHENTICATE for a CHALLENGE: the server's AV pairs, and after them `added`.
pub(crate) fn authenticate(challenge: &[u8], user: &str, domain: &str, added: &Pairs) -> Authenticate {
    let mut pairs = target_info(challenge);
    pairs.extend_from_slice(added);
    authenticate_with_pairs(challenge, user, domain, &pairs)
}

/// The AUTHENTICATE with these AV pairs and no others.
pub(crate) fn authenticate_with_pairs(
    challenge: &[u8],
    user: &str,
    domain: &str,
    pairs: &Pairs,
) -> Authenticate {
    authenticate_hashing(challenge, (user, domain), (&user.to_uppercase(), domain), pairs)
}

/// The same, with the names that go into the hash given apart from those in the message: clients differ in them.
pub(crate) fn authenticate_hashing(
    challenge: &[u8],
    (user, domain): (&str, &str),
    (hashed_user, hashed_domain): (&str, &str),
    pairs: &Pairs,
) -> Authenticate {
    let server_challenge = &challenge[24..32];
    let nonce = [0x11; 8];
    let ntowf = hmac(&Md4::digest(utf16(PASSWORD)), &[&utf16(hashed_user), &utf16(hashed_domain)]);
    let time = pairs.iter().find(|(id, _)| *id == 7).map_or([0; 8].as_slice(), |(_, time)| time);
    let temp = [&[1, 1, 0, 0, 0, 0, 0, 0], time, &nonce, &[0; 4], &list(pairs), &[0; 4]].concat();
    let proof = hmac(&ntowf, &[server_challenge, &temp]);
    let flags = u32_at(challenge, 20);
    let text = |text: &str| if flags & UNICODE != 0 { utf16(text) } else { text.as_bytes().to_vec() };
    Authenticate {
        lm: [&hmac(&ntowf, &[server_challenge, &nonce])[..], &nonce].concat(),
        nt: [&proof[..], &temp].concat(),
        domain: text(domain),
        user: text(user),
        workstation: text("OLD"),
        key: Vec::new(),
        flags,
        version: None,
        mic: None,
    }
}

/// What an even older client answers with. Names are `alice` of `CORP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// NTLMv1, with extended session security where the server chose that, and otherwise LM beside it.
    NtlmV1,
    /// LM alone.
    Lm,
    /// LMv2 alone.
    LmV2,
}

/// The AUTHENTICATE of such a client, without key exchange.
pub(crate) fn authenticate_as(kind: Kind, challenge: &[u8]) -> Authenticate {
    let server_challenge: [u8; 8] = challenge[24..32].try_into().unwrap();
    let nonce = [0x22; 8];
    let flags = u32_at(challenge, 20);
    let lm_response = || desl(&lm_hash(), &server_challenge).to_vec();
    let (lm, nt) = match kind {
        Kind::NtlmV1 if flags & ESS != 0 => {
            let digest = Md5::digest([server_challenge, nonce].concat());
            let nt = desl(&nt_hash(), digest[..8].try_into().unwrap());
            ([nonce, [0; 8], [0; 8]].concat(), nt.to_vec())
        }
        Kind::NtlmV1 => (lm_response(), desl(&nt_hash(), &server_challenge).to_vec()),
        Kind::Lm => (lm_response(), Vec::new()),
        Kind::LmV2 => {
            let ntowf = hmac(&nt_hash(), &[&utf16("ALICE"), &utf16("CORP")]);
            ([&hmac(&ntowf, &[&server_challenge, &nonce])[..], &nonce].concat(), Vec::new())
        }
    };
    let text = |text: &str| if flags & UNICODE != 0 { utf16(text) } else { text.as_bytes().to_vec() };
    Authenticate {
        lm,
        nt,
        domain: text("CORP"),
        user: text("alice"),
        workstation: text("OLD"),
        key: Vec::new(),
        flags,
        version: None,
        mic: None,
    }
}

/// The NT hash of the password.
pub(crate) fn nt_hash() -> [u8; 16] {
    Md4::digest(utf16(PASSWORD)).into()
}

/// Whether an NTLMv2 response of `alice` proves the password.
pub(crate) fn proves(nt_response: &[u8], server_challenge: &[u8]) -> bool {
    let ntowf = hmac(&nt_hash(), &[&utf16("ALICE"), &utf16("CORP")]);
    nt_response[..16] == hmac(&ntowf, &[server_challenge, &nt_response[16..]])
}

/// SessionBaseKey of LMv2 alone, which is NTLMv2's rule over that proof.
pub(crate) fn key_of_lmv2(lm_response: &[u8]) -> [u8; 16] {
    let ntowf = hmac(&nt_hash(), &[&utf16("ALICE"), &utf16("CORP")]);
    hmac(&ntowf, &[&lm_response[..16]])
}

/// The DES of each third of a key.
pub(crate) fn desl(key: &[u8; 16], block: &[u8; 8]) -> [u8; 24] {
    let padded = [&key[..], &[0; 5]].concat();
    let blocks: Vec<u8> = padded.chunks_exact(7).flat_map(|key| des(key, block)).collect();
    blocks.try_into().unwrap()
}

fn lm_hash() -> [u8; 16] {
    let mut padded = PASSWORD.to_uppercase().into_bytes();
    padded.resize(14, 0);
    let halves: Vec<u8> = padded.chunks_exact(7).flat_map(|key| des(key, b"KGS!@#$%")).collect();
    halves.try_into().unwrap()
}

fn des(key: &[u8], block: &[u8; 8]) -> [u8; 8] {
    // Bit by bit, unlike the crate.
    let bit = |index: usize| key[index / 8] >> (7 - index % 8) & 1;
    let mut key8 = [0; 8];
    for index in 0..56 {
        key8[index / 7] |= bit(index) << (7 - index % 7);
    }
    let mut block = (*block).into();
    des::Des::new(&key8.into()).encrypt_block(&mut block);
    block.into()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut hmac = Hmac::<Md5>::new_from_slice(key).unwrap();
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}
