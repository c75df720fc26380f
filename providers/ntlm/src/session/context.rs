//! An established NTLM context.

use core::any::Any;
use core::fmt;

use portable_sspi_core::{
    ClientToken, ContextFlags, Error, FileTime, KeyInfo, Lifespan, Misuse, Names, NativeNames, PackageInfo,
    SecretArray, SecurityBuffer, SecurityContext, Sizes,
};

use crate::NegotiateFlags;
use crate::negotiation::weakens_keys;
#[cfg(test)]
use crate::session::extended::Channel;
use crate::session::mechanism::Mechanism;
use crate::session::package::PACKAGE_INFO;
#[cfg(test)]
use crate::session::shared::Shared;
use crate::session::{Established, Role};

/// An established context: what a completed NTLM handshake ends in.
///
/// A server may hold a great many of these, idle, so it is kept small: two signing keys, no cipher state before the first
/// message that needs one, and no spare room in its strings.
pub(crate) struct NtlmContext {
    pub(super) role: Role,
    pub(super) negotiated: NegotiateFlags,
    pub(super) exported_session_key: SecretArray<16>,
    pub(super) flags: ContextFlags,
    pub(super) client_name: Box<str>,
    pub(super) target: Option<Box<str>>,
    pub(super) client_token: Option<Box<ClientToken>>,
    pub(super) channel_bindings: Option<[u8; 16]>,
    pub(super) start: FileTime,
    pub(super) expiry: FileTime,
    pub(super) mechanism: Mechanism,
}

impl NtlmContext {
    /// The context that a handshake has established, before its first message.
    #[must_use]
    pub(crate) fn new(established: Established) -> Self {
        let Established {
            role,
            negotiated,
            exported_session_key,
            flags,
            client_name,
            target,
            client_token,
            channel_bindings,
            start,
            expiry,
        } = established;
        let mechanism = Mechanism::new(role, negotiated);
        Self {
            role,
            negotiated,
            exported_session_key,
            flags,
            client_name: client_name.into_boxed_str(),
            target: target.map(String::into_boxed_str),
            client_token: client_token.map(|token| Box::new(shrunk(token))),
            channel_bindings,
            start,
            expiry,
            mechanism,
        }
    }

    /// The mechanism, for a call that encrypts, which SIGN alone does not give, and the key its keystreams derive from.
    fn confidentiality(&mut self) -> Result<(&mut Mechanism, &SecretArray<16>), Error> {
        if self.negotiated.contains(NegotiateFlags::SEAL) {
            Ok((&mut self.mechanism, &self.exported_session_key))
        } else {
            Err(Misuse::NotNegotiated { what: "CONFIDENTIALITY" }.into())
        }
    }
}

#[cfg(test)]
impl NtlmContext {
    /// Counts from there, in both directions, with the keystreams at their start.
    pub(crate) fn count_from(&mut self, next: u32) {
        match &mut self.mechanism {
            Mechanism::Extended(extended) => extended.count_from(next),
            Mechanism::Shared(shared) => shared.count_from(next),
            _ => panic!("messages that are not counted"),
        }
    }

    /// Goes on sending with given keys from a given sequence number; without a signing key, without extended session
    /// security.
    pub(crate) fn send_with(&mut self, signing: Option<&[u8; 16]>, sealing: &[u8], next: u32) {
        match (&mut self.mechanism, signing) {
            (Mechanism::Extended(extended), Some(signing)) => {
                extended.sending = Channel::with_keys(signing, sealing, self.negotiated, next);
            }
            (Mechanism::Shared(shared), None) => *shared = Shared::with_key(sealing, next),
            _ => panic!("keys for another kind of message protection"),
        }
    }
}

impl SecurityContext for NtlmContext {
    fn package_info(&self) -> &'static PackageInfo {
        &PACKAGE_INFO
    }

    fn make_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        self.mechanism.sign(&self.exported_session_key, buffers)
    }

    fn verify_signature(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        self.mechanism.verify(&self.exported_session_key, buffers)
    }

    fn encrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let (mechanism, exported) = self.confidentiality()?;
        mechanism.seal(exported, buffers)
    }

    fn decrypt(&mut self, buffers: &mut [SecurityBuffer<'_>]) -> Result<(), Error> {
        let (mechanism, exported) = self.confidentiality()?;
        mechanism.unseal(exported, buffers)
    }

    fn set_message_seq_no(&mut self, number: u32) {
        if let Mechanism::Datagram(datagram) = &mut self.mechanism {
            datagram.set_number(number);
        }
    }

    fn sizes(&self) -> Sizes {
        Sizes { max_token: PACKAGE_INFO.max_token, max_signature: 16, block_size: 0, security_trailer: 16 }
    }

    fn names(&self) -> Names {
        Names { user_name: self.client_name.to_string() }
    }

    fn native_names(&self) -> NativeNames {
        NativeNames {
            client_name: self.client_name.to_string(),
            server_name: self.target.as_deref().unwrap_or_default().to_owned(),
        }
    }

    fn flags(&self) -> ContextFlags {
        self.flags
    }

    fn session_key(&self) -> &SecretArray<16> {
        &self.exported_session_key
    }

    fn key_info(&self) -> KeyInfo {
        let with_ess = self.negotiated.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY);
        let (signature_algorithm_name, signature_algorithm) =
            if with_ess { ("HMAC-MD5", 0xFFFF_FF76) } else { ("RSADSI RC4-CRC32", 0xFFFF_FF7C) };
        let weakened = if with_ess {
            !self.negotiated.contains(NegotiateFlags::KEY_128)
        } else {
            weakens_keys(self.negotiated)
        };
        let key_size = match (weakened, self.negotiated.contains(NegotiateFlags::KEY_56)) {
            (false, _) => 128,
            (true, true) => 56,
            (true, false) => 40,
        };
        KeyInfo {
            signature_algorithm_name,
            encrypt_algorithm_name: "RSADSI RC4",
            key_size,
            signature_algorithm,
            encrypt_algorithm: 0x6801,
        }
    }

    fn lifespan(&self) -> Lifespan {
        Lifespan { start: self.start, expiry: self.expiry }
    }

    fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    fn client_token(&self) -> Option<&ClientToken> {
        self.client_token.as_deref()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send + Sync> {
        self
    }
}

impl fmt::Debug for NtlmContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NtlmContext")
            .field("role", &self.role)
            .field("negotiated", &self.negotiated)
            .field("client_name", &self.client_name)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

fn shrunk(mut token: ClientToken) -> ClientToken {
    token.user_name.shrink_to_fit();
    token.domain_name.shrink_to_fit();
    token.workstation.shrink_to_fit();
    token
}
