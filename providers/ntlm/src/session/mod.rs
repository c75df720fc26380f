//! Established contexts: signing, sealing, queries, and their portable state.

mod buffers;
mod context;
mod datagram;
mod dummy;
mod extended;
mod mechanism;
#[cfg(test)]
mod other_tests;
mod package;
mod shared;
mod state;
#[cfg(test)]
mod tests;

use portable_sspi_core::{ClientToken, ContextFlags, FileTime, SecretArray};

use crate::NegotiateFlags;

pub(crate) use context::NtlmContext;
pub(crate) use package::PACKAGE_INFO;
pub(crate) use state::{Extension, export, import, reset};

/// Which side of the handshake this is; it decides which key of each pair is for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The client, or initiator.
    Client,
    /// The server, or acceptor.
    Server,
}

/// What a completed handshake hands to the context it establishes.
#[derive(Debug)]
pub(crate) struct Established {
    /// Whose context it is.
    pub(crate) role: Role,
    /// The set that the CHALLENGE carried, which is the negotiated one.
    pub(crate) negotiated: NegotiateFlags,
    /// ExportedSessionKey, [MS-NLMP] 3.1.5.1.2.
    pub(crate) exported_session_key: SecretArray<16>,
    /// The context's attribute flags.
    pub(crate) flags: ContextFlags,
    /// The client's name as both sides know it: `DOMAIN\user`, or `user` alone.
    pub(crate) client_name: String,
    /// The service name: on the client the one it asked for, on the server the one the client sent and vouched for.
    pub(crate) target: Option<String>,
    /// Who the client is; on the server only.
    pub(crate) client_token: Option<ClientToken>,
    /// MD5 of the channel bindings that both sides agreed on.
    pub(crate) channel_bindings: Option<[u8; 16]>,
    /// When the handshake ended.
    pub(crate) start: FileTime,
    /// When the context ends.
    pub(crate) expiry: FileTime,
}
