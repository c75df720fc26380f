//! What an established context can be asked: the answers of QueryContextAttributes.

use bitflags::bitflags;

use crate::{AscRet, FileTime, IscRet};

/// What a security package is: `SecPkgInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageInfo {
    /// The package's name, as programs ask for it ("NTLM"). At most 16 ASCII characters.
    pub name: &'static str,
    /// One line for people.
    pub comment: &'static str,
    /// What the package can do.
    pub capabilities: PackageCapabilities,
    /// Version of the package's protocol; 1 for the packages of Windows.
    pub version: u16,
    /// The package's identifier in DCE RPC, 10 for NTLM.
    pub rpc_id: u16,
    /// The largest token that the package produces or accepts by default, in bytes.
    pub max_token: u32,
}

bitflags! {
    /// What a security package can do: the `SECPKG_FLAG_*` flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct PackageCapabilities: u32 {
        /// Signs messages.
        const INTEGRITY = 0x0000_0001;
        /// Encrypts messages.
        const PRIVACY = 0x0000_0002;
        /// Wants only the TOKEN buffer in the handshake.
        const TOKEN_ONLY = 0x0000_0004;
        /// Datagram semantics.
        const DATAGRAM = 0x0000_0008;
        /// Connection semantics.
        const CONNECTION = 0x0000_0010;
        /// The handshake takes several legs.
        const MULTI_REQUIRED = 0x0000_0020;
        /// Only the client is authenticated.
        const CLIENT_ONLY = 0x0000_0040;
        /// On failure, the peer is told.
        const EXTENDED_ERROR = 0x0000_0080;
        /// The server can act as the client.
        const IMPERSONATION = 0x0000_0100;
        /// Takes Windows names as targets.
        const ACCEPT_WIN32_NAME = 0x0000_0200;
        /// Stream semantics.
        const STREAM = 0x0000_0400;
        /// Negotiate can choose it.
        const NEGOTIABLE = 0x0000_0800;
        /// Can be used through GSSAPI.
        const GSS_COMPATIBLE = 0x0000_1000;
        /// Supports logon.
        const LOGON = 0x0000_2000;
        /// Buffers are strings.
        const ASCII_BUFFERS = 0x0000_4000;
        /// Splits tokens.
        const FRAGMENT = 0x0000_8000;
        /// Both sides authenticate.
        const MUTUAL_AUTH = 0x0001_0000;
        /// Delegation.
        const DELEGATION = 0x0002_0000;
        /// Covers read-only buffers by the checksum.
        const READONLY_WITH_CHECKSUM = 0x0004_0000;
    }
}

/// Sizes for the buffers of per-message calls: `SecPkgContext_Sizes`. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The largest token of the handshake.
    pub max_token: u32,
    /// The largest signature of MakeSignature.
    pub max_signature: u32,
    /// Messages are padded to a multiple of this; 0 or 1 where there is no padding.
    pub block_size: u32,
    /// The TOKEN buffer that EncryptMessage needs.
    pub security_trailer: u32,
}

/// Who the client is: `SecPkgContext_Names`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `DOMAIN\user`, or `user` alone where there is no domain.
    pub user_name: String,
}

/// The names of both sides in the package's own form: `SecPkgContext_NativeNames`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeNames {
    /// The client.
    pub client_name: String,
    /// The server, as the client named it; empty where it did not.
    pub server_name: String,
}

/// The flags of an established context, in its role's numbering: `SecPkgContext_Flags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextFlags {
    /// A client's context.
    Initiator(IscRet),
    /// A server's context.
    Acceptor(AscRet),
}

impl ContextFlags {
    /// The number that SSPI reports.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Initiator(flags) => flags.bits(),
            Self::Acceptor(flags) => flags.bits(),
        }
    }

    /// Whether messages can be signed.
    #[must_use]
    pub const fn integrity(self) -> bool {
        match self {
            Self::Initiator(flags) => flags.contains(IscRet::INTEGRITY),
            Self::Acceptor(flags) => flags.contains(AscRet::INTEGRITY),
        }
    }

    /// Whether messages can be encrypted.
    #[must_use]
    pub const fn confidentiality(self) -> bool {
        match self {
            Self::Initiator(flags) => flags.contains(IscRet::CONFIDENTIALITY),
            Self::Acceptor(flags) => flags.contains(AscRet::CONFIDENTIALITY),
        }
    }
}

/// The algorithms of a context: `SecPkgContext_KeyInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Name of the signature algorithm.
    pub signature_algorithm_name: &'static str,
    /// Name of the encryption algorithm.
    pub encrypt_algorithm_name: &'static str,
    /// Effective size of the session key, in bits.
    pub key_size: u32,
    /// Identifier of the signature algorithm.
    pub signature_algorithm: u32,
    /// Identifier of the encryption algorithm.
    pub encrypt_algorithm: u32,
}

/// From when to when a context is valid: `SecPkgContext_Lifespan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifespan {
    /// Valid from.
    pub start: FileTime,
    /// Valid until; [`FileTime::NEVER`] where the package sets no end.
    pub expiry: FileTime,
}

/// Who an authenticated client is, as the authority that verified it says: what stands in for the Windows access token.
///
/// The names are those of the account that was verified, in the authority's spelling, **not** those the client wrote:
/// a service may base access decisions on them. Only `workstation` is the client's unverified claim.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientToken {
    /// The account's name.
    pub user_name: String,
    /// The account's domain; empty where the authority knows none.
    pub domain_name: String,
    /// The workstation that the client claims to be on. **Attacker-controlled**: for display only.
    pub workstation: String,
    /// Whether the client is anonymous; both names are then empty.
    pub is_anonymous: bool,
}

impl ClientToken {
    /// The token of a verified account.
    #[must_use]
    pub const fn new(user_name: String, domain_name: String, workstation: String) -> Self {
        Self { user_name, domain_name, workstation, is_anonymous: false }
    }

    /// `DOMAIN\user`, or `user` alone where there is no domain.
    ///
    /// ```
    /// use portable_sspi_core::ClientToken;
    ///
    /// let token = ClientToken::new("alice".into(), "CORP".into(), "PC7".into());
    /// assert_eq!(token.qualified_name(), r"CORP\alice");
    /// ```
    #[must_use]
    pub fn qualified_name(&self) -> String {
        if self.domain_name.is_empty() {
            self.user_name.clone()
        } else {
            [self.domain_name.as_str(), "\\", &self.user_name].concat()
        }
    }
}
