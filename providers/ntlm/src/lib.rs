//! The NTLM security package of `portable-sspi`, as client and as server, by [MS-NLMP].
//!
//! With the default policies it speaks NTLMv2, protects messages by extended session security with 128-bit keys, and
//! demands a MIC. What older peers need (NTLMv1, LM, signing by CRC, weaker keys, anonymous logons) is there, and off;
//! [`ServerPolicy`] and [`ClientPolicy`] say of each what switching it on gives away.
//!
//! [`Ntlm`] implements [`Provider`](portable_sspi_core::Provider). It is set up by one plain struct, [`NtlmConfig`]; who
//! may log on is decided by an [`AccountDatabase`], of which [`MemoryAccounts`] is one.
//!
//! The way of a token through the crate: `provider` hands it to `client` or `server`; these parse it with `wire`,
//! compute with `crypto`, and end in an established context of `session`.
//!
//! [MS-NLMP]: https://learn.microsoft.com/openspecs/windows_protocols/ms-nlmp

#![forbid(unsafe_code)]

mod account_index;
mod accounts;
mod client;
mod config;
mod crypto;
mod default_identity;
mod level;
mod negotiation;
mod partial;
mod provider;
mod server;
mod session;
#[cfg(test)]
mod vectors;
mod wire;

pub use account_index::{AccountIndex, names_equal};
pub use accounts::{Account, AccountDatabase, MemoryAccounts, NetworkLogon, ResponseKind, VerifiedLogon};
pub use config::{ChannelBindingPolicy, ClientPolicy, NtlmConfig, ServerNames, ServerPolicy};
pub use crypto::owf_v1::lm_hash;
pub use default_identity::DefaultIdentity;
pub use level::LmCompatibilityLevel;
pub use provider::Ntlm;
pub use wire::flags::NegotiateFlags;
