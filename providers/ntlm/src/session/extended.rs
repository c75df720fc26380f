//! Extended session security: signing and sealing by [MS-NLMP] 3.4.4.2.

use portable_sspi_core::{
    Error, MalformedToken, Misuse, PeerMisbehaved, Problem, SecretArray, SecurityBuffer,
};
use subtle::ConstantTimeEq;

use crate::NegotiateFlags;
use crate::crypto::hmac_md5::HmacMd5Key;
use crate::crypto::keys::{Direction, datagram_seal_key, seal_key, sign_key};
use crate::crypto::md5::Md5;
use crate::crypto::rc4::Rc4;
use crate::crypto::stitched::{decrypt_then_hash, hash_then_encrypt};
use crate::session::Role;
use crate::session::buffers::{self, SIGNATURE_LENGTH};

/// Version of NTLMSSP_MESSAGE_SIGNATURE, [MS-NLMP] 2.2.2.9.2.
const VERSION: [u8; 4] = 1u32.to_le_bytes();

/// The keys and states of both directions.
pub(super) struct Extended {
    pub(super) sending: Channel,
    pub(super) receiving: Channel,
}

impl Extended {
    /// Both directions at their start.
    pub(super) const fn new(role: Role, negotiated: NegotiateFlags) -> Self {
        let (sending, receiving) = match role {
            Role::Client => (Direction::ClientToServer, Direction::ServerToClient),
            Role::Server => (Direction::ServerToClient, Direction::ClientToServer),
        };
        Self { sending: Channel::new(sending, negotiated), receiving: Channel::new(receiving, negotiated) }
    }
}

/// One direction: its signing key, its keystream and its sequence number.
///
/// A step that fails leaves it as it was.
pub(super) struct Channel {
    /// `None` until the first message. Two keys take eight MD5 blocks, a sixth of a server's handshake.
    signing_key: Option<HmacMd5Key>,
    direction: Direction,
    negotiated: NegotiateFlags,
    /// SeqNum of the next message; `None` after the last one.
    pub(super) next: Option<u32>,
    /// The sealing handle; `None` as long as nothing of its keystream has been used. It is the largest part of a
    /// context, and many contexts only authenticate.
    pub(super) keystream: Option<Box<Rc4>>,
}

impl Channel {
    const fn new(direction: Direction, negotiated: NegotiateFlags) -> Self {
        // MS-NLMP:3.4.4-sequence
        Self { signing_key: None, direction, negotiated, next: Some(0), keystream: None }
    }

    /// GSS_GetMICEx, [MS-NLMP] 3.4.8.
    pub(super) fn sign(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        let token = buffers::token_to_write(buffers)?;
        let number = self.next.ok_or(Misuse::SequenceNumbersUsedUp)?;
        let checksum = self.checksum(exported, number, buffers);
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
        let mut md5 = self.begin_checksum(exported, number);
        // The checksum is over the plaintext, and the keystream serves the data first, [MS-NLMP] 3.4.3.
        // MS-NLMP:3.4.3-order
        let keystream = self.keystream(exported);
        for buffer in buffers.iter_mut() {
            if let Some(data) = buffer.encrypted_mut() {
                hash_then_encrypt(&mut md5, keystream, data);
            } else if buffer.is_signed() {
                md5.update(buffer.bytes());
            }
        }
        let checksum = self.end_checksum(exported, md5);
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
        let mut checksum = self.checksum(exported, number, buffers);
        let used = self.encrypt_checksum(exported, &mut checksum);
        // MS-NLMP:3.4.2-altered
        if received.ct_eq(&checksum).into() {
            self.next = number.checked_add(1);
            return Ok(());
        }
        self.go_back(unused, used);
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
        let (mut md5, mut length) = (self.begin_checksum(exported, number), 0usize);
        let keystream = self.keystream(exported);
        for buffer in buffers.iter_mut() {
            if let Some(data) = buffer.encrypted_mut() {
                decrypt_then_hash(&mut md5, keystream, data);
                // All buffers are in memory at once, each only once, so the sum cannot overflow.
                length = length.saturating_add(data.len());
            } else if buffer.is_signed() {
                md5.update(buffer.bytes());
            }
        }
        let mut checksum = self.end_checksum(exported, md5);
        let used = self.encrypt_checksum(exported, &mut checksum);
        if received.ct_eq(&checksum).into() {
            self.next = number.checked_add(1);
            return Ok(());
        }
        // The plaintext is not authenticated: put the ciphertext back with the same piece of keystream.
        let keystream = self.keystream(exported);
        keystream.rewind(used);
        keystream.rewind(length);
        buffers::apply(keystream, buffers);
        self.go_back(unused, length);
        Err(PeerMisbehaved::MessageAltered.into())
    }

    /// Runs `call` with the keystream and the number of one connectionless message, [MS-NLMP] 3.4, which are gone when
    /// it returns.
    pub(super) fn for_one_message(
        &mut self,
        exported: &SecretArray<16>,
        number: u32,
        call: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let key = datagram_seal_key(&seal_key(exported, self.negotiated, self.direction), number);
        self.keystream = Some(Box::new(Rc4::new(key.expose())));
        self.next = Some(number);
        let result = call(self);
        self.keystream = None;
        self.next = None;
        result
    }

    /// Whether signatures use the keystream, [MS-NLMP] 3.4.4.2.
    fn encrypts_checksums(&self) -> bool {
        // MS-NLMP:3.4.4.2-encrypted-checksum
        self.negotiated.contains(NegotiateFlags::KEY_EXCH)
    }

    fn signing_key(&mut self, exported: &SecretArray<16>) -> &HmacMd5Key {
        self.signing_key.get_or_insert_with(|| HmacMd5Key::new(sign_key(exported, self.direction).expose()))
    }

    fn keystream(&mut self, exported: &SecretArray<16>) -> &mut Rc4 {
        self.keystream.get_or_insert_with(|| {
            Box::new(Rc4::new(seal_key(exported, self.negotiated, self.direction).expose()))
        })
    }

    /// HMAC_MD5(SigningKey, SeqNum || message)[0..7]: all signed buffers, in list order, without copying them.
    fn checksum(
        &mut self,
        exported: &SecretArray<16>,
        number: u32,
        buffers: &[SecurityBuffer<'_>],
    ) -> [u8; 8] {
        let mut md5 = self.begin_checksum(exported, number);
        // MS-NLMP:3.4.6-signed-buffers
        for buffer in buffers.iter().filter(|buffer| buffer.is_signed()) {
            md5.update(buffer.bytes());
        }
        self.end_checksum(exported, md5)
    }

    /// The checksum before the message.
    fn begin_checksum(&mut self, exported: &SecretArray<16>, number: u32) -> Md5 {
        // MS-NLMP:3.4.4.2-checksum
        self.signing_key(exported).start_with(number)
    }

    fn end_checksum(&mut self, exported: &SecretArray<16>, md5: Md5) -> [u8; 8] {
        let [c0, c1, c2, c3, c4, c5, c6, c7, ..] = self.signing_key(exported).finish(md5);
        [c0, c1, c2, c3, c4, c5, c6, c7]
    }

    /// Encrypts it where that was negotiated, and tells how much of the keystream that took.
    fn encrypt_checksum(&mut self, exported: &SecretArray<16>, checksum: &mut [u8; 8]) -> usize {
        if !self.encrypts_checksums() {
            return 0;
        }
        self.keystream(exported).apply(checksum);
        checksum.len()
    }

    fn finish(
        &mut self,
        exported: &SecretArray<16>,
        number: u32,
        mut checksum: [u8; 8],
        buffers: &mut [SecurityBuffer<'_>],
        token: usize,
    ) {
        self.encrypt_checksum(exported, &mut checksum);
        // MS-NLMP:2.2.2.9.2-layout
        let [version, checksum, number_in_place] = [
            u128::from(u32::from_le_bytes(VERSION)),
            u128::from(u64::from_le_bytes(checksum)) << 32,
            u128::from(number) << 96,
        ];
        buffers::write_token(buffers, token, (version | checksum | number_in_place).to_le_bytes());
        self.next = number.checked_add(1);
    }

    /// Checks what can be checked of a received signature without any key: the sequence number due and the checksum that
    /// it carries.
    fn open_token(&self, buffers: &[SecurityBuffer<'_>]) -> Result<(u32, [u8; 8]), Error> {
        let token = buffers::received_token(buffers)?;
        let Ok([v0, v1, v2, v3, c0, c1, c2, c3, c4, c5, c6, c7, n0, n1, n2, n3]) =
            <[u8; SIGNATURE_LENGTH]>::try_from(token)
        else {
            let problem = Problem::Length { expected: SIGNATURE_LENGTH, found: token.len() };
            return Err(MalformedToken::new("NTLMSSP_MESSAGE_SIGNATURE", problem).into());
        };
        let expected = self.next.ok_or(Misuse::SequenceNumbersUsedUp)?;
        if [v0, v1, v2, v3] != VERSION {
            return Err(PeerMisbehaved::MessageAltered.into());
        }
        let found = u32::from_le_bytes([n0, n1, n2, n3]);
        // MS-NLMP:3.4.2-unexpected
        if found != expected {
            return Err(PeerMisbehaved::OutOfSequence { expected, found }.into());
        }
        Ok((expected, [c0, c1, c2, c3, c4, c5, c6, c7]))
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
impl Extended {
    pub(super) fn count_from(&mut self, next: u32) {
        self.sending.next = Some(next);
        self.receiving.next = Some(next);
    }
}

#[cfg(test)]
impl Channel {
    /// In the middle of a session, with given keys: published values may start from those.
    pub(super) fn with_keys(
        signing: &[u8; 16],
        sealing: &[u8],
        negotiated: NegotiateFlags,
        next: u32,
    ) -> Self {
        Self {
            signing_key: Some(HmacMd5Key::new(signing)),
            // Says which key to derive, and here none is.
            direction: Direction::ClientToServer,
            negotiated,
            next: Some(next),
            keystream: Some(Box::new(Rc4::new(sealing))),
        }
    }
}
