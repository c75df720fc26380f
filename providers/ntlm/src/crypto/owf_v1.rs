//! The one-way functions and responses of LM and NTLMv1, [MS-NLMP] 3.3.1.
//!
//! All of it is broken: DES keys of 56 bits, no nonce of the client without extended session security. It is here for
//! peers that know nothing better, and no default policy reaches it.

use md4::{Digest, Md4};
use portable_sspi_core::{Password, SecretArray};
use zeroize::Zeroizing;

use crate::crypto::des::{des, desl};
use crate::crypto::hmac_md5::md5;

/// What LMOWFv1 encrypts, [MS-NLMP] 3.3.1.
const LM_CONSTANT: [u8; 8] = *b"KGS!@#$%";

/// LMOWFv1, [MS-NLMP] 3.3.1: the LM hash of a password, under which its two halves can be guessed apart from each other.
///
/// `None` where the password is longer than 14 characters, for which there is no LM hash, or not ASCII: beyond that,
/// upper case and code page are the peer's own, and a hash by another one would be that of another password.
///
/// ```
/// use portable_sspi_ntlm::lm_hash;
///
/// assert!(lm_hash(&"Password".into()).is_some());
/// assert!(lm_hash(&"correct horse battery".into()).is_none());
/// ```
#[must_use]
pub fn lm_hash(password: &Password) -> Option<SecretArray<16>> {
    let mut padded = Zeroizing::new([0; 14]);
    let units = password.expose_utf16();
    if units.len() > padded.len() {
        // MS-NLMP:3.3.1-lmowf-none
        return None;
    }
    for (to, unit) in padded.iter_mut().zip(units) {
        *to = u8::try_from(*unit).ok().filter(u8::is_ascii)?.to_ascii_uppercase();
    }
    let (first, second) = padded.split_first_chunk::<7>()?;
    let mut hash = SecretArray::new([0; 16]);
    let halves = [SecretArray::new(*first), SecretArray::new(*second.first_chunk()?)];
    for (to, half) in hash.expose_mut().chunks_exact_mut(8).zip(&halves) {
        // MS-NLMP:3.3.1-lmowf
        to.copy_from_slice(&des(half, &LM_CONSTANT));
    }
    Some(hash)
}

/// The challenge that an NTLMv1 response with extended session security is computed over, [MS-NLMP] 3.3.1:
/// MD5(ServerChallenge || ClientChallenge)[0..7].
#[must_use]
pub(crate) fn ess_challenge(server_challenge: &[u8; 8], client_challenge: &[u8; 8]) -> [u8; 8] {
    // MS-NLMP:3.3.1-ess-challenge
    let [c0, c1, c2, c3, c4, c5, c6, c7, ..] = md5([server_challenge.as_slice(), client_challenge]);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// NtChallengeResponse of NTLMv1, and with an LM hash LmChallengeResponse of LM, [MS-NLMP] 3.3.1.
#[must_use]
pub(crate) fn response(hash: &SecretArray<16>, challenge: &[u8; 8]) -> [u8; 24] {
    // MS-NLMP:3.3.1-response
    desl(hash, challenge)
}

/// SessionBaseKey of NTLMv1, [MS-NLMP] 3.3.1: the same at each logon.
#[must_use]
pub(crate) fn session_base_key(nt_hash: &SecretArray<16>) -> SecretArray<16> {
    // MS-NLMP:3.3.1-session-base-key
    SecretArray::new(Md4::digest(nt_hash.expose()).into())
}

/// The part of the LM hash that session keys are made of: LMOWFv1[0..7].
#[must_use]
pub(crate) fn lm_session_key(lm_hash: &SecretArray<16>) -> SecretArray<8> {
    let [a, b, c, d, e, f, g, h, ..] = *lm_hash.expose();
    SecretArray::new([a, b, c, d, e, f, g, h])
}

/// SessionBaseKey where the client proved the LM hash alone: LMOWFv1[0..7] || Z(8).
#[must_use]
pub(crate) fn lm_session_base_key(lm_session_key: &SecretArray<8>) -> SecretArray<16> {
    let [a, b, c, d, e, f, g, h] = *lm_session_key.expose();
    SecretArray::new([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    // MS-NLMP:3.3.1-lmowf-none
    fn published_lm_hash() {
        // [MS-NLMP] 4.2.2.1.1.
        let of = |password| lm_hash(&Password::new(password)).map(|hash| hex::encode(hash.expose()));
        assert_eq!(of("Password").unwrap(), "e52cac67419a9a224a3b108f3fa6cb6d");
        assert_eq!(of("pASSWORD"), of("Password"), "case does not count");
        assert_eq!(of("").unwrap(), "aad3b435b51404eeaad3b435b51404ee");
        assert!(of("fourteen chars").is_some());
        assert_eq!(of("fifteen charact"), None);
        assert_eq!(of("pässword"), None);
    }

    #[test]
    // MS-NLMP:3.3.1-ess-challenge
    fn published_response_with_extended_session_security() {
        // [MS-NLMP] 4.2.3.2.
        let nt_hash = hex::decode("a4f49c406510bdcab6824ee7c30fd852").unwrap();
        let nt_hash = SecretArray::new(*nt_hash.first_chunk().unwrap());
        let challenge = ess_challenge(&0x0123_4567_89AB_CDEF_u64.to_be_bytes(), &[0xAA; 8]);
        assert_eq!(
            hex::encode(response(&nt_hash, &challenge)),
            "7537f803ae367128ca458204bde7caf81e97ed2683267232"
        );
        assert_eq!(hex::encode(session_base_key(&nt_hash).expose()), "d87262b0cde4b1cb7499becccdf10784");
    }
}
