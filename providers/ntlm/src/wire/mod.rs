//! The three messages of NTLM and their parts, [MS-NLMP] 2.2: parsing from untrusted bytes, and writing.
//!
//! A parsed message borrows from the bytes it was parsed from. Those bytes are kept as they came, because the MIC
//! covers them: a message is never written again from its parsed form.

pub(crate) mod authenticate;
pub(crate) mod av_pair;
pub(crate) mod challenge;
pub(crate) mod field;
pub(crate) mod flags;
pub(crate) mod negotiate;
pub(crate) mod nt_response;
pub(crate) mod reader;
pub(crate) mod response;
pub(crate) mod text;
pub(crate) mod version;

/// The first eight bytes of every message, [MS-NLMP] 2.2.
pub(crate) const SIGNATURE: [u8; 8] = *b"NTLMSSP\0";

/// MessageType of the three messages, [MS-NLMP] 2.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageType {
    Negotiate,
    Challenge,
    Authenticate,
}

impl MessageType {
    /// The number on the wire.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Negotiate => 1,
            Self::Challenge => 2,
            Self::Authenticate => 3,
        }
    }

    /// The message's name in the specification.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "NEGOTIATE_MESSAGE",
            Self::Challenge => "CHALLENGE_MESSAGE",
            Self::Authenticate => "AUTHENTICATE_MESSAGE",
        }
    }
}
