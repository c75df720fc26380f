//! The security-provider trait of `portable-sspi`, and the types in its signatures.
//!
//! A *security package* in SSPI's sense ([NTLM] is one) is a [`Provider`]: five operations under their SSPI names,
//! **acquire**, **initialize**, **accept**, **export** and **import**, and the [`SecurityContext`] that the
//! handshake ends in. A program that only uses security packages wants the `portable-sspi` crate, which re-exports
//! everything here; an author of a further package depends on this crate alone.
//!
//! Nothing in here performs I/O, reads a clock or draws randomness: time and entropy come in through an
//! [`Environment`], so that a published exchange can be replayed byte for byte.
//!
//! [NTLM]: https://learn.microsoft.com/openspecs/windows_protocols/ms-nlmp

#![forbid(unsafe_code)]

mod attributes;
mod bindings;
mod buffer;
mod context;
mod credentials;
mod environment;
mod error;
mod flags;
mod portable_state;
mod provider;
mod secret;
mod status;

pub use attributes::{
    ClientToken, ContextFlags, KeyInfo, Lifespan, Names, NativeNames, PackageCapabilities, PackageInfo, Sizes,
};
pub use bindings::ChannelBindings;
pub use buffer::{BufferType, SecurityBuffer};
pub use context::{PartialContext, SecurityContext};
pub use credentials::{AuthIdentity, CredentialUse, Credentials, Password, Secret};
pub use environment::{Clock, Entropy, Environment, FileTime};
pub use error::{
    BlobKind, BlobRefused, DenialReason, Error, LogonDenied, MalformedToken, Misuse, PeerMisbehaved, Problem,
    Unavailable,
};
pub use flags::{AscReq, AscRet, IscReq, IscRet};
pub use portable_state::PortableState;
pub use provider::{
    AcceptRequest, AcquireRequest, ExportError, InitializeRequest, PartialExportError, Provider, Step,
};
pub use secret::SecretArray;
pub use status::SecurityStatus;
