//! How messages are protected: what [MS-NLMP] 3.4 chooses by the negotiated flags.

use portable_sspi_core::{Error, Misuse, SecretArray, SecurityBuffer};

use crate::NegotiateFlags;
use crate::negotiation::protects_messages;
use crate::session::Role;
use crate::session::datagram::Datagram;
use crate::session::dummy;
use crate::session::extended::Extended;
use crate::session::shared::Shared;

/// The protection of a context's messages, with all its state.
pub(super) enum Mechanism {
    /// Not at all, and the peer does not expect signatures either.
    None,
    /// Not at all, but signatures that protect nothing, [MS-NLMP] 3.4.4.3.
    Dummy,
    /// Extended session security, [MS-NLMP] 3.4.4.2.
    Extended(Extended),
    /// Without extended session security, [MS-NLMP] 3.4.4.1.
    Shared(Shared),
    /// Connectionless, with extended session security.
    Datagram(Datagram),
    /// Connectionless, without extended session security. No handshake leads there.
    Unsupported,
}

impl Mechanism {
    /// The one that the flags ask for, before the first message.
    pub(super) fn new(role: Role, negotiated: NegotiateFlags) -> Self {
        let with_ess = negotiated.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY);
        let datagram = negotiated.contains(NegotiateFlags::DATAGRAM);
        match (protects_messages(negotiated), with_ess, datagram) {
            (false, ..) if negotiated.contains(NegotiateFlags::ALWAYS_SIGN) => Self::Dummy,
            (false, ..) => Self::None,
            (true, true, false) => Self::Extended(Extended::new(role, negotiated)),
            (true, false, false) => Self::Shared(Shared::new(negotiated)),
            (true, true, true) => Self::Datagram(Datagram::new(role, negotiated)),
            // MS-NLMP:3.4.3-datagram
            (true, false, true) => Self::Unsupported,
        }
    }

    /// MakeSignature.
    pub(super) fn sign(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        match self {
            Self::None => Err(Misuse::NotNegotiated { what: "INTEGRITY" }.into()),
            Self::Dummy => dummy::sign(buffers),
            Self::Extended(extended) => extended.sending.sign(exported, buffers),
            Self::Shared(shared) => shared.sign(exported, buffers),
            Self::Datagram(datagram) => datagram.sign(exported, buffers),
            Self::Unsupported => Err(unsupported()),
        }
    }

    /// VerifySignature.
    pub(super) fn verify(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &[SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        match self {
            Self::None => Err(Misuse::NotNegotiated { what: "INTEGRITY" }.into()),
            Self::Dummy => dummy::verify(buffers),
            Self::Extended(extended) => extended.receiving.verify(exported, buffers),
            Self::Shared(shared) => shared.verify(exported, buffers),
            Self::Datagram(datagram) => datagram.verify(exported, buffers),
            Self::Unsupported => Err(unsupported()),
        }
    }

    /// EncryptMessage.
    pub(super) fn seal(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        match self {
            Self::None | Self::Dummy => Err(Misuse::NotNegotiated { what: "CONFIDENTIALITY" }.into()),
            Self::Extended(extended) => extended.sending.seal(exported, buffers),
            Self::Shared(shared) => shared.seal(exported, buffers),
            Self::Datagram(datagram) => datagram.seal(exported, buffers),
            Self::Unsupported => Err(unsupported()),
        }
    }

    /// DecryptMessage.
    pub(super) fn unseal(
        &mut self,
        exported: &SecretArray<16>,
        buffers: &mut [SecurityBuffer<'_>],
    ) -> Result<(), Error> {
        match self {
            Self::None | Self::Dummy => Err(Misuse::NotNegotiated { what: "CONFIDENTIALITY" }.into()),
            Self::Extended(extended) => extended.receiving.unseal(exported, buffers),
            Self::Shared(shared) => shared.unseal(exported, buffers),
            Self::Datagram(datagram) => datagram.unseal(exported, buffers),
            Self::Unsupported => Err(unsupported()),
        }
    }
}

fn unsupported() -> Error {
    Misuse::NotSupported { what: "connectionless message protection without extended session security" }
        .into()
}
