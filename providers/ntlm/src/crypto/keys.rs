//! The keys of a session and what is computed with them directly, [MS-NLMP] 3.4.5 and 3.1.5.1.2.

use portable_sspi_core::{ChannelBindings, SecretArray};
use zeroize::Zeroizing;

use crate::NegotiateFlags;
use crate::crypto::des::des;
use crate::crypto::hmac_md5::{HmacMd5Key, md5};
use crate::crypto::rc4::Rc4;

/// Which way a message goes; each way has its own keys under extended session security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client to the server.
    ClientToServer,
    /// From the server to the client.
    ServerToClient,
}

/// SIGNKEY, [MS-NLMP] 3.4.5.2, for extended session security. It is never weakened.
#[must_use]
// MS-NLMP:3.4.5.2-sign-key
pub(crate) fn sign_key(exported: &SecretArray<16>, direction: Direction) -> SecretArray<16> {
    // "The [..] magic constant" includes its terminating NUL.
    let magic: &[u8] = match direction {
        Direction::ClientToServer => b"session key to client-to-server signing key magic constant\0",
        Direction::ServerToClient => b"session key to server-to-client signing key magic constant\0",
    };
    SecretArray::new(md5([exported.expose().as_slice(), magic]))
}

/// SessionBaseKey, and so KeyExchangeKey, of an anonymous logon, [MS-NLMP] 3.2.5.1.2. Everybody knows it.
pub(crate) const ANONYMOUS_KEY: SecretArray<16> = SecretArray::new([0; 16]);

/// KXKEY, [MS-NLMP] 3.4.5.1, of LM and NTLMv1; that of NTLMv2 is the SessionBaseKey itself.
///
/// `lm_session_key` is the start of the LM hash, zero where there is none.
#[must_use]
pub(crate) fn key_exchange_key_v1(
    session_base_key: &SecretArray<16>,
    negotiated: NegotiateFlags,
    server_challenge: &[u8; 8],
    lm_response: &[u8],
    lm_session_key: &SecretArray<8>,
) -> SecretArray<16> {
    // Absent, it counts as zero, as a short LM hash does.
    let lm_start = lm_response.first_chunk::<8>().copied().unwrap_or_default();
    let [a, b, c, d, e, f, g, h] = *lm_session_key.expose();
    if negotiated.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) {
        // MS-NLMP:3.4.5.1-ess
        let key = HmacMd5Key::new(session_base_key.expose());
        SecretArray::new(key.mac([server_challenge.as_slice(), &lm_start]))
    } else if negotiated.contains(NegotiateFlags::LM_KEY) {
        let mut key = SecretArray::new([0; 16]);
        // MS-NLMP:3.4.5.1-lm-key
        let halves = [[a, b, c, d, e, f, g], [h, 0xBD, 0xBD, 0xBD, 0xBD, 0xBD, 0xBD]];
        for (to, half) in key.expose_mut().chunks_exact_mut(8).zip(halves) {
            to.copy_from_slice(&des(&SecretArray::new(half), &lm_start));
        }
        key
    } else if negotiated.contains(NegotiateFlags::REQUEST_NON_NT_SESSION_KEY) {
        // MS-NLMP:3.4.5.1-non-nt
        SecretArray::new([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0])
    } else {
        session_base_key.duplicate()
    }
}

/// SEALKEY, [MS-NLMP] 3.4.5.3, without extended session security: one key for both directions, of 8 bytes, most of
/// them known, where it is weakened, and otherwise of 16.
#[must_use]
pub(crate) fn shared_seal_key(exported: &SecretArray<16>, flags: NegotiateFlags) -> Zeroizing<Vec<u8>> {
    let [k0, k1, k2, k3, k4, k5, k6, ..] = *exported.expose();
    // For DATAGRAM the text asks for a revision of 15 or more as well, which is every one that is sent.
    // MS-NLMP:3.4.5.3-lm-key
    let key = if !flags.intersects(NegotiateFlags::LM_KEY | NegotiateFlags::DATAGRAM) {
        exported.expose().to_vec()
    } else if flags.contains(NegotiateFlags::KEY_56) {
        vec![k0, k1, k2, k3, k4, k5, k6, 0xA0]
    } else {
        vec![k0, k1, k2, k3, k4, 0xE5, 0x38, 0xB0]
    };
    Zeroizing::new(key)
}

/// SealingKey', [MS-NLMP] 3.4: the key of one connectionless message.
#[must_use]
pub(crate) fn datagram_seal_key(seal_key: &SecretArray<16>, number: u32) -> SecretArray<16> {
    // MS-NLMP:3.4-datagram-key
    SecretArray::new(md5([seal_key.expose().as_slice(), &number.to_le_bytes()]))
}

/// SEALKEY, [MS-NLMP] 3.4.5.3, for extended session security: from all of the key with `KEY_128`, from 7 bytes of it with
/// `KEY_56` alone, from 5 with neither.
#[must_use]
pub(crate) fn seal_key(
    exported: &SecretArray<16>,
    flags: NegotiateFlags,
    direction: Direction,
) -> SecretArray<16> {
    let [k0, k1, k2, k3, k4, k5, k6, ..] = exported.expose();
    let magic: &[u8] = match direction {
        Direction::ClientToServer => b"session key to client-to-server sealing key magic constant\0",
        Direction::ServerToClient => b"session key to server-to-client sealing key magic constant\0",
    };
    SecretArray::new(if flags.contains(NegotiateFlags::KEY_128) {
        // MS-NLMP:3.4.5.3-128
        md5([exported.expose().as_slice(), magic])
    } else if flags.contains(NegotiateFlags::KEY_56) {
        // MS-NLMP:3.4.5.3-56
        let weakened = SecretArray::new([*k0, *k1, *k2, *k3, *k4, *k5, *k6]);
        md5([weakened.expose().as_slice(), magic])
    } else {
        // MS-NLMP:3.4.5.3-40
        let weakened = SecretArray::new([*k0, *k1, *k2, *k3, *k4]);
        md5([weakened.expose().as_slice(), magic])
    })
}

/// RC4K, [MS-NLMP] 6: EncryptedRandomSessionKey from ExportedSessionKey under KeyExchangeKey, and the reverse.
#[must_use]
// MS-NLMP:6-rc4k
pub(crate) fn rc4k(key: &SecretArray<16>, data: &[u8; 16]) -> SecretArray<16> {
    let mut output = SecretArray::new(*data);
    Rc4::new(key.expose()).apply(output.expose_mut());
    output
}

/// The MIC over the three messages, [MS-NLMP] 3.1.5.1.2. `authenticate_with_zero_mic_parts` is the AUTHENTICATE message
/// in as many parts as suit the caller, with zeros for its MIC.
#[must_use]
pub(crate) fn mic(
    exported: &SecretArray<16>,
    negotiate: &[u8],
    challenge: &[u8],
    authenticate_with_zero_mic_parts: &[&[u8]],
) -> [u8; 16] {
    HmacMd5Key::new(exported.expose())
        .mac([negotiate, challenge].into_iter().chain(authenticate_with_zero_mic_parts.iter().copied()))
}

/// The value of MsvAvChannelBindings, [MS-NLMP] 2.2.2.1: MD5 over the bindings as RFC 4121 4.1.1.2 lays them out.
///
/// A length beyond 32 bits, which no binding has, is hashed as the largest one: two sides that agree still agree.
#[must_use]
// MS-NLMP:2.2.2.1-bindings-hash
pub(crate) fn channel_binding_hash(bindings: &ChannelBindings) -> [u8; 16] {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    md5([
        bindings.initiator_address_type.to_le_bytes().as_slice(),
        &length(&bindings.initiator_address),
        &bindings.initiator_address,
        &bindings.acceptor_address_type.to_le_bytes(),
        &length(&bindings.acceptor_address),
        &bindings.acceptor_address,
        &length(&bindings.application_data),
        &bindings.application_data,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTED: SecretArray<16> = SecretArray::new([0x55; 16]);

    #[test]
    // MS-NLMP:3.4.5.3-56 MS-NLMP:3.4.5.3-40
    fn keys_of_the_published_session() {
        // [MS-NLMP] 4.2.4: RandomSessionKey 0x55 * 16.
        assert_eq!(
            hex::encode(sign_key(&EXPORTED, Direction::ClientToServer).expose()),
            "4788dc861b4782f35d43fd98fe1a2d39"
        );
        assert_eq!(
            hex::encode(sign_key(&EXPORTED, Direction::ServerToClient).expose()),
            "d04d6f10741041d1d246d64188d7a8ad"
        );
        let client = |flags| hex::encode(seal_key(&EXPORTED, flags, Direction::ClientToServer).expose());
        assert_eq!(client(NegotiateFlags::KEY_128), "59f600973cc4960a25480a7c196e4c58");
        assert_eq!(
            client(NegotiateFlags::KEY_128 | NegotiateFlags::KEY_56),
            "59f600973cc4960a25480a7c196e4c58"
        );
        assert_eq!(client(NegotiateFlags::KEY_56), "a5f7253c1065e8d3d68642040e71cfe0");
        assert_eq!(client(NegotiateFlags::empty()), "42f964a471091a02ff4a77455366e4e5");
        assert_eq!(
            hex::encode(seal_key(&EXPORTED, NegotiateFlags::KEY_128, Direction::ServerToClient).expose()),
            "9355f3a957c1583d25c4c2f11e40390e"
        );
    }

    #[test]
    // MS-NLMP:6-rc4k
    fn key_exchange_there_and_back() {
        // [MS-NLMP] 4.2.4.2.3.
        let key = SecretArray::new(
            *hex::decode("8de40ccadbc14a82f15cb0ad0de95ca3").unwrap().first_chunk().unwrap(),
        );
        let encrypted = rc4k(&key, EXPORTED.expose());
        assert_eq!(hex::encode(encrypted.expose()), "c5dad2544fc9799094ce1ce90bc9d03e");
        assert!(rc4k(&key, encrypted.expose()).ct_eq(&EXPORTED));
    }

    #[test]
    fn mic_over_parts() {
        let key = SecretArray::new(
            *hex::decode("8de40ccadbc14a82f15cb0ad0de95ca3").unwrap().first_chunk().unwrap(),
        );
        for parts in [&[&[0x88; 8][..]][..], &[&[0x88; 3], &[], &[0x88; 5]]] {
            assert_eq!(
                hex::encode(mic(&key, &[0x44; 4], &[0x66; 6], parts)),
                "71feefd776d442a85f6e180a6b024720"
            );
        }
    }

    #[test]
    fn channel_bindings_of_no_and_of_all_members() {
        assert_eq!(
            hex::encode(channel_binding_hash(&ChannelBindings::default())),
            "441018525208457705bf09a8ee3c1093"
        );
        let all = ChannelBindings {
            initiator_address_type: 2,
            initiator_address: b"abc".to_vec(),
            acceptor_address_type: 4,
            acceptor_address: b"defg".to_vec(),
            application_data: b"hijkl".to_vec(),
        };
        let layout = hex::decode("02000000030000006162630400000004000000646566670500000068696a6b6c").unwrap();
        assert_eq!(channel_binding_hash(&all), md5([layout.as_slice()]));
    }
}
