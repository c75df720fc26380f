//! The one-way functions of NTLMv2, [MS-NLMP] 3.3.2.

use core::fmt;

use md4::{Digest, Md4};
use portable_sspi_core::{Password, SecretArray};
use zeroize::Zeroizing;

use crate::crypto::hmac_md5::HmacMd5Key;
use crate::crypto::md5::BLOCK;
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
    NtHashKey::new(nt_hash).ntowf_v2(CaseTable::DEFAULT, user, domain)
}

/// An NT hash as the key of NTOWFv2, set up once for all the names it is to be tried with.
pub(crate) struct NtHashKey(HmacMd5Key);

impl NtHashKey {
    /// The key.
    #[must_use]
    pub(crate) fn new(nt_hash: &SecretArray<16>) -> Self {
        Self(HmacMd5Key::new(nt_hash.expose()))
    }

    /// [`ntowf_v2`] by a given table for upper case.
    #[must_use]
    pub(crate) fn ntowf_v2(&self, table: CaseTable, user: &str, domain: &str) -> SecretArray<16> {
        let mut md5 = self.0.start();
        // MS-NLMP:3.3.2-ntowf
        let mut units = upcase_by(table, user).chain(domain.encode_utf16());
        loop {
            let (mut block, mut length) = ([0; BLOCK], 0);
            for (to, unit) in block.chunks_exact_mut(2).zip(&mut units) {
                to.copy_from_slice(&unit.to_le_bytes());
                length += 2;
            }
            md5.update(block.get(..length).unwrap_or_default());
            if length < BLOCK {
                return SecretArray::new(self.0.finish(md5));
            }
        }
    }
}

/// The tables for upper case that a server tries for a user's name: [`CaseTable::DEFAULT`], and the other one after it has
/// failed, where it gives another name.
///
/// Windows XP and Samba have one table, Windows 7 and later the other, and nothing in the messages tells which one the
/// client has. Both values need the password, so trying the second gives nothing away.
pub(crate) fn case_tables(user: &str) -> impl Iterator<Item = CaseTable> + '_ {
    let (one, other) = (CaseTable::DEFAULT, CaseTable::DEFAULT.other());
    [one, other]
        .into_iter()
        .filter(move |table| *table == one || upcase_by(one, user).ne(upcase_by(other, user)))
}

/// A ResponseKeyNT of NTLMv2, which is NTOWFv2, [MS-NLMP] 3.3.2: what both the proof and the SessionBaseKey are HMACs
/// under, so that its key is set up once for both.
pub(crate) struct ResponseKeyNt(HmacMd5Key);

impl ResponseKeyNt {
    /// The value of NTOWFv2 as a key.
    #[must_use]
    pub(crate) fn new(ntowf_v2: &SecretArray<16>) -> Self {
        Self(HmacMd5Key::new(ntowf_v2.expose()))
    }

    /// NTProofStr, [MS-NLMP] 3.3.2. `temp` is the rest of the NT response, as it is on the wire.
    #[must_use]
    pub(crate) fn nt_proof_str(&self, server_challenge: &[u8; 8], temp: &[u8]) -> [u8; 16] {
        // MS-NLMP:3.3.2-proof
        self.0.mac([server_challenge.as_slice(), temp])
    }

    /// SessionBaseKey of NTLMv2, [MS-NLMP] 3.3.2, which is its KeyExchangeKey too.
    #[must_use]
    pub(crate) fn session_base_key(&self, nt_proof_str: &[u8; 16]) -> SecretArray<16> {
        // MS-NLMP:3.3.2-session-base-key
        SecretArray::new(self.0.mac([nt_proof_str.as_slice()]))
    }
}

impl fmt::Debug for ResponseKeyNt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseKeyNt(..)")
    }
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
        let proof =
            ResponseKeyNt::new(&ntowf).nt_proof_str(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF], &temp);
        assert_eq!(hex::encode(proof), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(
            hex::encode(ResponseKeyNt::new(&ntowf).session_base_key(&proof).expose()),
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
        assert_eq!(case_tables("Müller").collect::<Vec<_>>(), [CaseTable::Windows7]);
        assert_eq!(case_tables("νίκος").collect::<Vec<_>>(), [CaseTable::Windows7, CaseTable::WindowsXp]);
        let key = NtHashKey::new(&SecretArray::new([1; 16]));
        let by = |table| key.ntowf_v2(table, "νίκος", "D");
        assert!(!by(CaseTable::Windows7).ct_eq(&by(CaseTable::WindowsXp)));
    }

    #[test]
    fn names_of_any_length() {
        let key = SecretArray::new([1; 16]);
        for length in 0..100 {
            let (user, domain) = ("a".repeat(length / 2), "b".repeat(length - length / 2));
            let names = [user.to_uppercase(), domain.clone()].concat();
            let bytes: Vec<u8> = names.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let expected = HmacMd5Key::new(key.expose()).mac([bytes.as_slice()]);
            assert_eq!(ntowf_v2(&key, &user, &domain).expose(), &expected, "{length}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = ResponseKeyNt::new(&SecretArray::new([0xAB; 16]));
        assert_eq!(format!("{key:?}"), "ResponseKeyNt(..)");
    }
}
