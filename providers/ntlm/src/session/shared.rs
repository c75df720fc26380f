//! Message protection without extended session security, [MS-NLMP] 3.4.4.1: one key, one keystream and one sequence number
//! for both directions.
//!
//! Both sides must take turns: a message that crosses another one cannot be opened. The checksum is a CRC-32 under the
//! keystream, so who changes bits of an encrypted message can correct its checksum without any key; only a message whose
//! contents nobody knows and nobody wants to change is protected. Policies refuse it by default.

use portable_sspi_core::{
    Error, MalformedToken, Misuse, PeerMisbehaved, Problem, SecretArray, SecurityBuffer,
};
use subtle::ConstantTimeEq;

use crate::NegotiateFlags;
use crate::crypto::keys::shared_seal_key;
use crate::crypto::rc4::Rc4;
use crate::session::buffers::{self, SIGNATURE_LENGTH};

/// Version of NTLMSSP_MESSAGE_SIGNATURE, [MS-NLMP] 2.2.2.9.1.
const VERSION: [u8; 4] = 1u32.to_le_bytes();
/// RandomPad as it is sent, [MS-NLMP] 3.4.4.1. It is not looked at on receipt: Windows sends a counter.
const RANDOM_PAD: [u8; 4] = [0; 4];
/// Bytes of the keystream that a signature takes: of RandomPad, of the checksum, and of zeros for the number.
const SIGNATURE_KEYSTREAM: usize = 12;

/// What both directions have in common.
///
/// A step that fails leaves it as it was.
pub(super) struct Shared {
    negotiated: NegotiateFlags,
    /// SeqNum of the next message; `None` after the last one.
    pub(super) next: Option<u32>,
    /// `None` as long as nothing of it has been used.
    pub(super) keystream: Option<Box<Rc4>>,
}

impl Shared {
    /// Before the first message.
    pub(super) const fn new(negotiated: NegotiateFlags) -> Self {
        // MS-NLMP:3.4-half-duplex
        Self { negotiated, next: Some(0), keystream: None }
    }

    /// GSS_GetMICEx, [MS-NLMP] 3.4.8.
    pub(super) fn sign(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        let token = buffers::token_to_write(buffers)?;
        let number = self.next.ok_or(Misuse::SequenceNumbersUsedUp)?;
        let checksum = crc32(buffers);
        self.finish(exported, number, checksum, buffers, token);
        Ok(())
    }

    /// GSS_WrapEx, [MS-NLMP] 3.4.6.
    pub(super) fn seal(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        let token = buffers::token_to_write(buffers)?;
        buffers::require_data(buffers)?;
        let number = self.next.ok_or(Misuse::SequenceNumbersUsedUp)?;
        // Over the plaintext, so before it is encrypted; the keystream serves the data first, [MS-NLMP] 3.4.3.
        let checksum = crc32(buffers);
        buffers::apply(self.keystream(exported), buffers);
        self.finish(exported, number, checksum, buffers, token);
        buffers::empty_padding(buffers);
        Ok(())
    }

    /// GSS_VerifyMICEx, [MS-NLMP] 3.4.9.
    pub(super) fn verify(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &[SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        let (number, received) = self.open_token(buffers)?;
        let unused = self.keystream.is_none();
        let expected = self.protect(exported, number, crc32(buffers));
        if received.ct_eq(&expected).into() {
            self.next = number.checked_add(1);
            return Ok(());
        }
        self.go_back(unused, SIGNATURE_KEYSTREAM);
        Err(PeerMisbehaved::MessageAltered.into())
    }

    /// GSS_UnwrapEx, [MS-NLMP] 3.4.7.
    pub(super) fn unseal(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        buffers::require_data(buffers)?;
        let (number, received) = self.open_token(buffers)?;
        let unused = self.keystream.is_none();
        let length = buffers::apply(self.keystream(exported), buffers);
        let expected = self.protect(exported, number, crc32(buffers));
        if received.ct_eq(&expected).into() {
            self.next = number.checked_add(1);
            return Ok(());
        }
        // The plaintext is not authenticated: put the ciphertext back with the same piece of keystream.
        let keystream = self.keystream(exported);
        keystream.rewind(SIGNATURE_KEYSTREAM);
        keystream.rewind(length);
        buffers::apply(keystream, buffers);
        self.go_back(unused, length);
        Err(PeerMisbehaved::MessageAltered.into())
    }

    fn keystream(&mut self, exported: &SecretArray<16>) -> &mut Rc4 {
        self.keystream.get_or_insert_with(|| Box::new(Rc4::new(&shared_seal_key(exported, self.negotiated))))
    }

    /// Checksum and number as they stand in a signature: RC4(CRC32(message)) || RC4(0) XOR SeqNum.
    fn protect(&mut self, exported: &SecretArray<16>, number: u32, checksum: [u8; 4]) -> [u8; 8] {
        let keystream = self.keystream(exported);
        // RandomPad is encrypted and then overwritten, [MS-NLMP] 3.4.4.1: only its keystream is gone.
        // MS-NLMP:3.4.4.1-pad
        keystream.apply(&mut [0; RANDOM_PAD.len()]);
        let mut checksum = checksum;
        keystream.apply(&mut checksum);
        let mut number = number.to_le_bytes();
        keystream.apply(&mut number);
        let ([c0, c1, c2, c3], [n0, n1, n2, n3]) = (checksum, number);
        [c0, c1, c2, c3, n0, n1, n2, n3]
    }

    fn finish(
        &mut self,
        exported: &SecretArray<16>,
        number: u32,
        checksum: [u8; 4],
        buffers: &mut [SecurityBuffer<'_>],
        token: usize,
    ) {
        let protected = self.protect(exported, number, checksum);
        // MS-NLMP:2.2.2.9.1-layout
        let [version, random_pad, protected] = [
            u128::from(u32::from_le_bytes(VERSION)),
            u128::from(u32::from_le_bytes(RANDOM_PAD)) << 32,
            u128::from(u64::from_le_bytes(protected)) << 64,
        ];
        buffers::write_token(buffers, token, (version | random_pad | protected).to_le_bytes());
        self.next = number.checked_add(1);
    }

    /// The number due, and the protected part of a received signature.
    fn open_token(&self, buffers: &[SecurityBuffer<'_>]) -> Result<(u32, [u8; 8]), Error> {
        let token = buffers::received_token(buffers)?;
        let Ok([v0, v1, v2, v3, _, _, _, _, c0, c1, c2, c3, n0, n1, n2, n3]) =
            <[u8; SIGNATURE_LENGTH]>::try_from(token)
        else {
            let problem = Problem::Length { expected: SIGNATURE_LENGTH, found: token.len() };
            return Err(MalformedToken::new("NTLMSSP_MESSAGE_SIGNATURE", problem).into());
        };
        let number = self.next.ok_or(Misuse::SequenceNumbersUsedUp)?;
        if [v0, v1, v2, v3] != VERSION {
            return Err(PeerMisbehaved::MessageAltered.into());
        }
        Ok((number, [c0, c1, c2, c3, n0, n1, n2, n3]))
    }

    /// Undoes `used` bytes of keystream, or all of it where none had been used before.
    fn go_back(&mut self, unused: bool, used: usize) {
        if unused {
            self.keystream = None;
        } else if let Some(keystream) = &mut self.keystream {
            keystream.rewind(used);
        }
    }
}

#[cfg(test)]
impl Shared {
    pub(super) fn count_from(&mut self, next: u32) {
        self.next = Some(next);
    }

    /// With a given key and number: published values may start from those.
    pub(super) fn with_key(key: &[u8], next: u32) -> Self {
        Self {
            negotiated: NegotiateFlags::empty(),
            next: Some(next),
            keystream: Some(Box::new(Rc4::new(key))),
        }
    }
}

/// CRC-32 of all signed buffers, in list order, as it stands on the wire.
fn crc32(buffers: &[SecurityBuffer<'_>]) -> [u8; 4] {
    // MS-NLMP:3.4.4.1-checksum
    let mut crc = crc32fast::Hasher::new();
    for buffer in buffers.iter().filter(|buffer| buffer.is_signed()) {
        crc.update(buffer.bytes());
    }
    crc.finalize().to_le_bytes()
}
