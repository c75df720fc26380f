//! Connectionless message protection, [MS-NLMP] 3.4: each message has a key of its own, made of the sequence number that
//! the program gives it.
//!
//! Only with extended session security. Without it, Windows 2000 started the same keystream anew for each message, which
//! gives two messages away to whoever sees both; no peer that still exists needs that.

use portable_sspi_core::{Error, Misuse, SecretArray, SecurityBuffer};

use crate::NegotiateFlags;
use crate::session::Role;
use crate::session::extended::{Channel, Extended};

/// Both directions, which know no keystream and no number between two messages.
pub(super) struct Datagram {
    directions: Extended,
    /// The number of the next call.
    number: Option<u32>,
}

impl Datagram {
    pub(super) fn new(role: Role, negotiated: NegotiateFlags) -> Self {
        let mut directions = Extended::new(role, negotiated);
        directions.sending.next = None;
        directions.receiving.next = None;
        Self { directions, number: None }
    }

    /// `MessageSeqNo` of the next call.
    pub(super) fn set_number(&mut self, number: u32) {
        self.number = Some(number);
    }

    /// GSS_GetMICEx, [MS-NLMP] 3.4.8.
    pub(super) fn sign(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        self.sending(exported, |channel| channel.sign(exported, buffers))
    }

    /// GSS_WrapEx, [MS-NLMP] 3.4.6.
    pub(super) fn seal(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        self.sending(exported, |channel| channel.seal(exported, buffers))
    }

    /// GSS_VerifyMICEx, [MS-NLMP] 3.4.9.
    pub(super) fn verify(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &[SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        self.receiving(exported, |channel| channel.verify(exported, buffers))
    }

    /// GSS_UnwrapEx, [MS-NLMP] 3.4.7.
    pub(super) fn unseal(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        self.receiving(exported, |channel| channel.unseal(exported, buffers))
    }

    fn sending(
        &mut self,
        exported: &SecretArray<16>,
        call: impl FnOnce(&mut Channel) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let number = self.take_number()?;
        self.directions.sending.for_one_message(exported, number, call)
    }

    fn receiving(
        &mut self,
        exported: &SecretArray<16>,
        call: impl FnOnce(&mut Channel) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let number = self.take_number()?;
        self.directions.receiving.for_one_message(exported, number, call)
    }

    fn take_number(&mut self) -> Result<u32, Misuse> {
        let problem = "a connectionless message needs its number before each call";
        self.number.take().ok_or(Misuse::BadOption { option: "MessageSeqNo", problem })
    }
}
