//! What the host knows and others don't: its identity, its clock, and the directory where its secret lives.
//!
//! What differs between operating systems has the same functions on each: `machine_id`, `boot_id`, `owner_id` and
//! `boot_clock_milliseconds` in `os`; the directories with what is kept in them in `checked_directory`,
//! `secret_directory` and `janitor`, once for Unix and once for Windows. `store` and `window`, which say what is kept and
//! for how long, are the same everywhere.

#[cfg(unix)]
mod access;
#[cfg(unix)]
mod checked_directory;
#[cfg(unix)]
mod janitor;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(target_os = "freebsd", path = "freebsd.rs")]
#[cfg_attr(
    all(unix, not(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))),
    path = "unix_other.rs"
)]
#[cfg_attr(not(any(unix, windows)), path = "fallback.rs")]
#[cfg(not(windows))]
mod os;
#[cfg(all(unix, not(target_os = "linux")))]
mod posix;
#[cfg(unix)]
mod secret_directory;
#[cfg_attr(any(unix, windows), path = "store.rs")]
#[cfg_attr(not(any(unix, windows)), path = "store_unavailable.rs")]
mod store;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod sysctl;
#[cfg(any(unix, windows))]
mod window;
#[cfg(windows)]
mod windows;

#[cfg(windows)]
use windows::{directory as checked_directory, janitor, os, secret_directory};

use std::sync::{Arc, PoisonError, RwLock};

use portable_sspi_core::Unavailable;

use super::scope::{HostKeyScope, ScopeKind};
use super::seal::HostIdentity;

pub(super) use store::{HostKeyStore, Slot};

/// Identity and clock of the running system.
#[derive(Debug)]
pub(super) struct RunningHost {
    scope: ScopeKind,
    /// `None`: whoever the effective user is.
    owner: Option<Vec<u8>>,
    // Read once: neither the machine nor its start changes under a process. The user can, by setuid.
    identity: RwLock<Option<Arc<HostIdentity>>>,
}

impl RunningHost {
    /// As seen in `scope`.
    pub(super) fn new(scope: &HostKeyScope) -> Self {
        Self { scope: scope.kind(), owner: scope.owner_id(), identity: RwLock::default() }
    }

    /// Machine, boot and owner of now.
    pub(super) fn identity(&self) -> Result<Arc<HostIdentity>, Unavailable> {
        let owner = match &self.owner {
            Some(owner) => owner.clone(),
            None => os::owner_id()?,
        };
        let known = self.identity.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(identity) = known.filter(|identity| identity.owner_id == owner) {
            return Ok(identity);
        }
        let machine = match self.scope {
            // Containers of one host have machine ids of their own, or none. The boot id is the kernel's.
            ScopeKind::Application => b"any machine".to_vec(),
            _ => os::machine_id()?,
        };
        let identity = HostIdentity::new(&machine, &os::boot_id()?, &owner).in_scope(self.scope);
        let identity = Arc::new(identity);
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&identity));
        Ok(identity)
    }

    /// Milliseconds on the clock that all processes of the host share.
    pub(super) fn now() -> Result<u64, Unavailable> {
        os::boot_clock_milliseconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_host_has_one_identity() {
        let host = || RunningHost::new(&HostKeyScope::default());
        let one = host();
        assert_eq!(one.identity().unwrap(), one.identity().unwrap());
        assert_eq!(one.identity().unwrap(), host().identity().unwrap());
        assert!(!os::boot_id().unwrap().is_empty());
    }

    #[test]
    fn the_clock_goes_forward() {
        // Windows' clock goes in steps of up to 16 milliseconds.
        let before = RunningHost::now().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let after = RunningHost::now().unwrap();
        assert!((before + 30..before + 60_000).contains(&after), "{before} {after}");
    }
}
