//! Who shares a host key: one user, a group, everybody on the host, or whoever an application gives a key to.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portable_sspi_core::{Error, Misuse, SecretArray, Unavailable};

/// Which processes can open each other's exported contexts: those that have the same host key.
///
/// Exporter and importer must name the same scope. It is bound into the key of each exported context: a context that was
/// exported for one scope is refused in another, whatever the files hold.
///
/// ```
/// use portable_sspi::{HostKeyScope, Sspi, SspiConfig};
///
/// // The acceptor runs as root; the group `www` has the number 33. The workers name exactly the same.
/// let host_key = HostKeyScope::Group { directory: "/run/my-service/host-key".into(), group: 33, owner: 0 };
/// let config = SspiConfig { host_key, ..SspiConfig::default() };
/// # #[cfg(unix)]
/// assert!(Sspi::new(config).is_ok());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum HostKeyScope {
    /// Processes of the same effective user. The default, without a directory.
    User {
        /// The directory of the host key: an absolute path. It is made (mode 0700; on Windows, for the
        /// user and the system) if it isn't there, the directory above it must be there. All processes that hand contexts to each other must name the same one.
        ///
        /// Without it, `portable-sspi-<uid>` in `/dev/shm`, or else in `/tmp`; on Windows, `portable-sspi` in the user's
        /// local data: wherever all processes of a user arrive without being told. Name one where that isn't so
        /// (services with a private `/tmp`, containers that share a volume), where other users of the host might block
        /// those names, or where logging out removes the user's files in `/dev/shm` (systemd's `RemoveIPC`). It should
        /// be in memory (tmpfs), and it must not be shared between hosts, backed up or restored.
        ///
        /// What is secret in it is protected by DPAPI on Windows besides. There, an export doesn't outlast the time in
        /// which the user is logged on or has a service running.
        directory: Option<PathBuf>,
    },
    /// Unix: processes of the members of a group import what **one user, the owner of the directory, exports**; typically
    /// root, who authenticates, and the unprivileged workers.
    ///
    /// Each member can open every context exported here, whichever of them it was meant for, and can forge
    /// contexts: the key is shared. The group should have no other use.
    Group {
        /// The directory of the host key: an absolute path, with no directory above it that others could change. The
        /// owner makes it (mode 0750) if it isn't there.
        directory: PathBuf,
        /// The group's number. Everything in the directory must belong to it.
        group: u32,
        /// Who exports: the user's number, 0 for root. Everything in the directory must belong to him, or else whoever was
        /// first to make a directory of that name could feed the workers with forged contexts. A process of another
        /// user can import only.
        owner: u32,
    },
    /// Unix: **every** process of the host imports what one user exports.
    ///
    /// Whoever can run a process on the host can open every context exported here that he gets hold of, and can forge
    /// contexts. It protects against other hosts, restarts of this one, replays by whoever has the exported bytes but no
    /// account here, and nothing else. Where the users are not all trusted, use [`Group`](Self::Group).
    Host {
        /// As in [`Group`](Self::Group); mode 0755.
        directory: PathBuf,
        /// As in [`Group`](Self::Group).
        owner: u32,
    },
    /// Whichever processes **on this running host** the application gives its key to: for containers, which share a
    /// kernel but neither a file system nor a machine id.
    Application {
        /// The key.
        key: ApplicationKey,
        /// Where it is recorded what was imported.
        claims: Claims,
    },
}

impl HostKeyScope {
    /// Processes of the same user, with the host key in `directory`.
    #[must_use]
    pub fn user_directory(directory: impl Into<PathBuf>) -> Self {
        Self::User { directory: Some(directory.into()) }
    }

    /// What is wrong with it, if so.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let directory = match self {
            Self::User { directory } => directory.as_deref(),
            Self::Group { directory, .. } | Self::Host { directory, .. } => {
                if cfg!(not(unix)) {
                    return Err(Misuse::NotSupported { what: "a host key shared between users" }.into());
                }
                Some(directory.as_path())
            }
            Self::Application { claims, .. } => claims.directory(),
        };
        if directory.is_some_and(|directory| !directory.is_absolute()) {
            return Err(Misuse::BadOption {
                option: "host_key",
                problem: "its directory is not an absolute path, so each process would look elsewhere",
            }
            .into());
        }
        Ok(())
    }

    pub(super) const fn kind(&self) -> ScopeKind {
        match self {
            Self::User { .. } => ScopeKind::User,
            Self::Group { .. } => ScopeKind::Group,
            Self::Host { .. } => ScopeKind::Host,
            Self::Application { .. } => ScopeKind::Application,
        }
    }

    /// Who the owner is that goes into the key derivation; `None` where the effective user is.
    pub(super) fn owner_id(&self) -> Option<Vec<u8>> {
        match self {
            Self::User { .. } => None,
            Self::Group { group, owner, .. } => {
                Some([b"gid ".as_slice(), &group.to_le_bytes(), b" of uid ", &owner.to_le_bytes()].concat())
            }
            Self::Host { owner, .. } => Some([b"host of uid ".as_slice(), &owner.to_le_bytes()].concat()),
            // So that what was sealed without claims isn't imported where they are kept, nor the reverse.
            Self::Application { claims: Claims::Directory(_), .. } => Some(b"application".to_vec()),
            Self::Application { claims: Claims::ReplaysPossible, .. } => {
                Some(b"application, replays possible".to_vec())
            }
        }
    }

    pub(super) fn into_place(self) -> Place {
        match self {
            Self::User { directory } => {
                Place { directory, access: Access::User, key: None, claims_are_kept: true }
            }
            Self::Group { directory, group, owner } => Place {
                directory: Some(directory),
                access: Access::Group { owner, group },
                key: None,
                claims_are_kept: true,
            },
            Self::Host { directory, owner } => Place {
                directory: Some(directory),
                access: Access::Host { owner },
                key: None,
                claims_are_kept: true,
            },
            Self::Application { key, claims } => Place {
                claims_are_kept: claims.directory().is_some(),
                directory: claims.directory().map(Path::to_owned),
                access: Access::User,
                key: Some(key),
            },
        }
    }
}

impl Default for HostKeyScope {
    fn default() -> Self {
        Self::User { directory: None }
    }
}

/// Where it is recorded which contexts were imported, in [`HostKeyScope::Application`]. There is no default: an
/// application that has no directory to share must say that it accepts replays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claims {
    /// In a directory that **all** processes with the key share, such as a volume in memory that is mounted into each
    /// container: an absolute path. It follows the rules of [`HostKeyScope::User`]: it belongs to the effective user, which
    /// must have the same number in each container, and is closed to others.
    ///
    /// Part of each context's key lies there: where the directory is lost or another one, the contexts can't be opened.
    Directory(PathBuf),
    /// Nowhere. **Each exported context can be imported any number of times until it expires**, by any process with
    /// the key, and two imported copies use one keystream: a two-time pad, see
    /// [`Sspi::export_security_context_keeping_original`](crate::Sspi::export_security_context_keeping_original). The
    /// application itself must see to it that none is imported twice.
    ReplaysPossible,
}

impl Claims {
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => Some(directory),
            Self::ReplaysPossible => None,
        }
    }
}

/// A key given by the application: 32 random bytes. Never printed; wiped when the last copy is dropped.
///
/// Draw a new one at each start of the service, and give it to its processes over an inherited descriptor; in an
/// environment variable or on a command line, other processes could read it.
#[derive(Clone)]
pub struct ApplicationKey(Arc<SecretArray<32>>);

impl ApplicationKey {
    /// Its length, in bytes.
    pub const LENGTH: usize = 32;

    /// Draws one from the operating system.
    ///
    /// # Errors
    /// [`Unavailable::Entropy`].
    pub fn generate() -> Result<Self, Error> {
        use portable_sspi_core::Entropy;
        let mut key = SecretArray::new([0; Self::LENGTH]);
        crate::SystemEntropy::new().fill(key.expose_mut())?;
        Ok(Self::from_bytes(key))
    }

    /// From the bytes themselves. They must be random; a password is not.
    #[must_use]
    pub fn from_bytes(key: SecretArray<32>) -> Self {
        Self(Arc::new(key))
    }

    /// Reads it to the end of `reader`, such as the reading end of a pipe: exactly 32 bytes.
    ///
    /// # Errors
    /// [`Unavailable::System`] if reading fails, or if it ends earlier or goes on.
    pub fn from_reader(mut reader: impl Read) -> Result<Self, Error> {
        let failed = |source| Error::from(Unavailable::System { what: "the application's key", source });
        let mut key = SecretArray::new([0; Self::LENGTH]);
        reader.read_exact(key.expose_mut()).map_err(failed)?;
        let mut more = [0];
        loop {
            match reader.read(&mut more) {
                Ok(0) => return Ok(Self::from_bytes(key)),
                Ok(_) => {
                    let problem = "it has more than 32 bytes";
                    return Err(failed(io::Error::new(ErrorKind::InvalidData, problem)));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Reads it, as [`from_reader`](Self::from_reader), from the descriptor `number` that this process inherited: a pipe
    /// or a file, not a socket. It stays open, so use a pipe: once read, there is nothing more in it.
    ///
    /// # Errors
    /// As [`from_reader`](Self::from_reader), and if there is no such descriptor.
    #[cfg(unix)]
    pub fn from_descriptor(number: u32) -> Result<Self, Error> {
        let opened = std::fs::File::open(format!("/dev/fd/{number}"));
        let file = opened.map_err(|source| Unavailable::System { what: "the application's key", source })?;
        Self::from_reader(file)
    }

    /// The bytes themselves, for handing them to another process.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LENGTH] {
        self.0.expose()
    }

    #[cfg_attr(not(any(unix, windows)), allow(dead_code, reason = "no host key is kept there"))]
    pub(super) fn secret(&self) -> &SecretArray<32> {
        &self.0
    }
}

impl fmt::Debug for ApplicationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApplicationKey(..)")
    }
}

/// The scope as the header of an exported context names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScopeKind {
    User,
    Group,
    Host,
    Application,
}

impl ScopeKind {
    /// Its number in the header; the default scope is not written there.
    pub(super) const fn code(self) -> Option<u8> {
        match self {
            Self::User => None,
            Self::Group => Some(1),
            Self::Host => Some(2),
            Self::Application => Some(3),
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Group, Self::Host, Self::Application].into_iter().find(|kind| kind.code() == Some(code))
    }

    /// For messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::User => "one user",
            Self::Group => "a group",
            Self::Host => "the whole host",
            Self::Application => "the application's key",
        }
    }
}

/// Where the host key is kept.
#[derive(Debug)]
#[cfg_attr(not(any(unix, windows)), allow(dead_code, reason = "no host key is kept there"))]
pub(super) struct Place {
    /// `None`: at the default place, if anything is kept at all.
    pub(super) directory: Option<PathBuf>,
    pub(super) access: Access,
    /// In the place of the secret in the directory.
    pub(super) key: Option<ApplicationKey>,
    pub(super) claims_are_kept: bool,
}

/// Who may do what in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has user ids"))]
pub(super) enum Access {
    /// The effective user everything, others nothing.
    User,
    /// The owner everything, the group's members import.
    Group { owner: u32, group: u32 },
    /// The owner everything, all others import.
    Host { owner: u32 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_keys_have_one_length() {
        for (length, good) in [(0, false), (31, false), (32, true), (33, false)] {
            assert_eq!(ApplicationKey::from_reader(&vec![7; length][..]).is_ok(), good, "{length}");
        }
        let key = ApplicationKey::generate().unwrap();
        assert_ne!(key.expose(), ApplicationKey::generate().unwrap().expose());
        assert_eq!(format!("{key:?}"), "ApplicationKey(..)");
    }

    #[test]
    fn no_two_scopes_have_the_same_owner() {
        let directory = PathBuf::from("/x");
        let key = || ApplicationKey::from_bytes(SecretArray::new([1; 32]));
        let group = |group, owner| HostKeyScope::Group { directory: directory.clone(), group, owner };
        let scopes = [
            group(1, 2),
            group(2, 1),
            group(1, 1),
            HostKeyScope::Host { directory: directory.clone(), owner: 1 },
            HostKeyScope::Host { directory: directory.clone(), owner: 2 },
            HostKeyScope::Application { key: key(), claims: Claims::Directory(directory.clone()) },
            HostKeyScope::Application { key: key(), claims: Claims::ReplaysPossible },
        ];
        for (index, one) in scopes.iter().enumerate() {
            for other in scopes.iter().skip(index + 1) {
                assert_ne!(one.owner_id(), other.owner_id(), "{one:?} {other:?}");
            }
            assert!(!one.owner_id().unwrap().starts_with(b"uid "), "that is the default scope");
        }
    }

    #[test]
    fn codes_come_back_as_they_went() {
        for kind in [ScopeKind::Group, ScopeKind::Host, ScopeKind::Application] {
            assert_eq!(ScopeKind::from_code(kind.code().unwrap()), Some(kind));
        }
        assert_eq!((ScopeKind::from_code(0), ScopeKind::from_code(4)), (None, None));
    }
}
