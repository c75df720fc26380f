//! The one-way functions of NTLMv2, [MS-NLMP] 3.3.2.

use md4::{Digest, Md4};
use portable_sspi_core::{Password, SecretArray};
use zeroize::Zeroizing;

use crate::crypto::hmac_md5::HmacMd5Key;
use crate::crypto::upcase::{CaseTable, upcase_by};

/// NTOWFv1, [MS-NLMP] 3.3.1: MD4 over the password's UTF-16LE bytes.
#[must_use]
pub(crate) fn nt_hash(password: &Password) -> SecretArray<16> {
    let units = password.expose_utf16();
    // Sized in full at once: growing would leave copies of the password behind.
    let mut bytes = Zeroizing::new(vec![0; units.len() * 2]);
    for (to, unit) in bytes.chunks_exact_mut(2).zip(units) {
        to.copy_from_slice(&unit.to_le_bytes());
    }
    // MS-NLMP:3.3.1-ntowf
    SecretArray::new(Md4::digest(bytes.as_slice()).into())
}

/// NTOWFv2, [MS-NLMP] 3.3.2: keyed by the NT hash, over the user's name in upper case and the domain as it is.
#[must_use]
pub(crate) fn ntowf_v2(nt_hash: &SecretArray<16>, user: &str, domain: &str) -> SecretArray<16> {
    ntowf_v2_by(CaseTable::DEFAULT, nt_hash, user, domain)
}

/// [`ntowf_v2`] of a peer that has the other table for upper case; `None` where both give the same.
///
/// For a server, to try after the first has failed: Windows XP and Samba have one table, Windows 7 and later the other,
/// and nothing in the messages tells which one the client has. Both values need the password, so trying the second
/// gives nothing away.
#[must_use]
pub(crate) fn ntowf_v2_by_other_table(
    nt_hash: &SecretArray<16>,
    user: &str,
    domain: &str,
) -> Option<SecretArray<16>> {
    let (one, other) = (CaseTable::DEFAULT, CaseTable::DEFAULT.other());
    let differ = upcase_by(one, user).ne(upcase_by(other, user));
    differ.then(|| ntowf_v2_by(other, nt_hash, user, domain))
}

/// NTProofStr, [MS-NLMP] 3.3.2. `temp` is the rest of the NT response, as it is on the wire.
#[must_use]
pub(crate) fn nt_proof_str(ntowf_v2: &SecretArray<16>, server_challenge: &[u8; 8], temp: &[u8]) -> [u8; 16] {
    // MS-NLMP:3.3.2-proof
    HmacMd5Key::new(ntowf_v2.expose()).mac([server_challenge.as_slice(), temp])
}

/// SessionBaseKey of NTLMv2, [MS-NLMP] 3.3.2, which is its KeyExchangeKey too.
#[must_use]
pub(crate) fn session_base_key(ntowf_v2: &SecretArray<16>, nt_proof_str: &[u8; 16]) -> SecretArray<16> {
    // MS-NLMP:3.3.2-session-base-key
    SecretArray::new(HmacMd5Key::new(ntowf_v2.expose()).mac([nt_proof_str.as_slice()]))
}

fn ntowf_v2_by(table: CaseTable, nt_hash: &SecretArray<16>, user: &str, domain: &str) -> SecretArray<16> {
    let names: Vec<u8> =
        // MS-NLMP:3.3.2-ntowf
        upcase_by(table, user).chain(domain.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    SecretArray::new(HmacMd5Key::new(nt_hash.expose()).mac([names.as_slice()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ntlmv2_authentication() {
        // [MS-NLMP] 4.2.4.1 and 4.2.4.2.
        let nt_hash = nt_hash(&Password::new("Password"));
        assert_eq!(hex::encode(nt_hash.expose()), "a4f49c406510bdcab6824ee7c30fd852");
        let ntowf = ntowf_v2(&nt_hash, "User", "Domain");
        assert_eq!(hex::encode(ntowf.expose()), "0c868a403bfd7a93a3001ef22ef02e3f");
        let temp = hex::decode(concat!(
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000",
            "02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000"
        ))
        .unwrap();
        let proof = nt_proof_str(&ntowf, &[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF], &temp);
        assert_eq!(hex::encode(proof), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(
            hex::encode(session_base_key(&ntowf, &proof).expose()),
            "8de40ccadbc14a82f15cb0ad0de95ca3"
        );
    }

    #[test]
    // MS-NLMP:3.3.2-ntowf
    fn case_counts_in_the_domain_only() {
        let hash = SecretArray::new([1; 16]);
        assert!(ntowf_v2(&hash, "uSer", "Domain").ct_eq(&ntowf_v2(&hash, "USER", "Domain")));
        assert!(!ntowf_v2(&hash, "user", "Domain").ct_eq(&ntowf_v2(&hash, "user", "DOMAIN")));
    }

    #[test]
    fn the_other_table_is_tried_only_where_it_matters() {
        let hash = SecretArray::new([1; 16]);
        assert!(ntowf_v2_by_other_table(&hash, "Müller", "D").is_none());
        let other = ntowf_v2_by_other_table(&hash, "νίκος", "D").unwrap();
        assert!(!other.ct_eq(&ntowf_v2(&hash, "νίκος", "D")));
    }
}
