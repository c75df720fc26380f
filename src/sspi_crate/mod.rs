//! The bridge to the [`sspi`] crate, 0.23, in both directions. Feature `sspi`; it needs Rust 1.93, as that crate does.
//!
//! - [`Ntlm`] is this library's NTLM behind that crate's traits: a program written for [`sspi::Ntlm`] changes the line that
//!   imports it, and can export and import its contexts.
//! - [`Package`] is a package of that crate behind this library's [`Provider`](crate::Provider): its Kerberos in the table
//!   of an [`Sspi`](crate::Sspi). Its contexts cannot be exported, as that crate gives no access to their keys.
//!
//! `docs/from-sspi-rs.md` goes through the calls one by one, and says what each direction costs.

mod bindings;
mod error;
#[cfg(feature = "ntlm")]
mod ours;
mod theirs;

pub use error::{from_sspi_error, to_sspi_error};
#[cfg(feature = "ntlm")]
pub use ours::Ntlm;
pub use theirs::{KERBEROS, Make, Package, PackageConfig};
