//! Where accounts come from, besides [`MemoryAccounts`](crate::ntlm::MemoryAccounts).
//!
//! | source | for |
//! | --- | --- |
//! | [`UserFile`] | a file of accounts, in the formats that gss-ntlmssp reads; also a client's default credentials |
//! | `NtlmAuthHelper` (Unix) | a domain controller, asked through Samba's `ntlm_auth` |
//!
//! Both are an [`AccountDatabase`](crate::ntlm::AccountDatabase), for
//! [`NtlmConfig::accounts`](crate::ntlm::NtlmConfig::accounts).

#[cfg_attr(unix, path = "checked_file.rs")]
#[cfg_attr(not(unix), path = "checked_file_unavailable.rs")]
mod checked_file;
mod line;
#[cfg(unix)]
mod ntlm_auth;
mod user_file;

#[cfg(unix)]
pub use ntlm_auth::{NtlmAuthConfig, NtlmAuthHelper};
pub use user_file::UserFile;
