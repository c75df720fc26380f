//! Directories that nobody but their owner could have touched, on Windows.
//!
//! What this crate makes is closed to other users by its access rules, and the secrets in it are protected by DPAPI
//! besides. Of what was there before, the owner is checked, on each level; its access rules are left to whoever made it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use portable_sspi_core::Unavailable;

use super::super::super::scope::{Access, Place};
use super::{api, os};

/// A directory of the host key. It is not held open: what is open cannot be removed on Windows.
pub(in super::super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Directories are not shared here: who could open it can export there.
    #[allow(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the same function can fail on other systems"
    )]
    pub(in super::super) fn check_exporter(&self, _: &Path) -> Result<(), Unavailable> {
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// The directory of the host key: the one that the program names, else `portable-sspi` in the user's local data.
pub(in super::super) fn host_key_directory(place: &Place) -> Result<PathBuf, Unavailable> {
    match &place.directory {
        Some(path) => Ok(path.components().filter(|part| *part != Component::CurDir).collect()),
        None => os::default_directory(),
    }
}

/// Opens the directory at `path`, which must be a real directory of this user. `None` if there is none.
pub(in super::super) fn open_named(path: &Path, _: Access) -> Result<Option<Directory>, Unavailable> {
    let known = match fs::symlink_metadata(path) {
        Ok(known) => known,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Unavailable::HostKey { path: path.to_owned(), source }),
    };
    // Junctions count as symbolic links here.
    if known.is_symlink() || !known.is_dir() {
        return Err(refused(path, "it is not a directory but a file or a link; remove it"));
    }
    let owned = check_owner(path, api::is_owned_by_user_or_system(path))?;
    Ok(owned.then(|| Directory(path.to_owned())))
}

/// Refuses what belongs to somebody else than this user, the administrators and the system, as Windows `told`. `false` if
/// nothing is there.
pub(super) fn check_owner(path: &Path, told: io::Result<bool>) -> Result<bool, Unavailable> {
    match told {
        Ok(true) => Ok(true),
        Ok(false) => Err(refused(
            path,
            "it belongs neither to the user whom this process runs as nor to the administrators or the system; have it \
             removed, or name another directory",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Unavailable::HostKey { path: path.to_owned(), source }),
    }
}

/// Makes the directory at `path`, closed to others, if nothing of that name is there.
pub(in super::super) fn make_named(path: &Path, _: Access) -> Result<(), Unavailable> {
    api::make_private_directory(path).map_err(|source| Unavailable::HostKey { path: path.to_owned(), source })
}

/// Somebody could have tampered with what is at `path`.
pub(in super::super) fn refused(path: &Path, problem: &str) -> Unavailable {
    Unavailable::HostKeyRefused { path: path.to_owned(), problem: problem.to_owned() }
}
