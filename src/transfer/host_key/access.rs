//! Who must own what lies in the directory of a host key, and what its mode may grant, in each scope, on Unix.
//!
//! | | one user | a group | the whole host |
//! |---|---|---|---|
//! | owner | the effective user | the owner that the program names | likewise |
//! | the directory, and `host-key` in it | 700 | 750 | 755 |
//! | a window of claims | 700 | 1770 | 1777 |
//! | the secrets | 600 | 640 | 644 |
//!
//! What grants more is refused; what grants less is the system's to refuse. Where others may record claims, the sticky bit
//! keeps each from removing those of the others, and nobody but the owner can put another secret in the place of one.

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use portable_sspi_core::Unavailable;
use rustix::fs::{self, Gid, Mode, Stat};
use rustix::process::geteuid;

use super::super::scope::Access;
use super::checked_directory::{failed, refused};

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The directory, or one below it that only its owner writes to.
    Directory,
    /// A directory in which importers record their claims.
    Claims,
    /// A file with a secret.
    File,
}

impl Access {
    /// The most that a mode may grant, and what is made with it.
    const fn mode(self, kind: Kind) -> u32 {
        match (self, kind) {
            (Self::User, Kind::Directory | Kind::Claims) => 0o700,
            (Self::User, Kind::File) => 0o600,
            (Self::Group { .. }, Kind::Directory) => 0o750,
            (Self::Group { .. }, Kind::Claims) => 0o1770,
            (Self::Group { .. }, Kind::File) => 0o640,
            (Self::Host { .. }, Kind::Directory) => 0o755,
            (Self::Host { .. }, Kind::Claims) => 0o1777,
            (Self::Host { .. }, Kind::File) => 0o644,
        }
    }

    fn owner(self) -> u32 {
        match self {
            Self::User => geteuid().as_raw(),
            Self::Group { owner, .. } | Self::Host { owner } => owner,
        }
    }

    /// Checks owner, group and mode of what is at `path`.
    pub(super) fn check(self, path: &Path, stat: &Stat, kind: Kind) -> Result<(), Unavailable> {
        let (owner, user) = (self.owner(), geteuid().as_raw());
        if stat.st_uid != owner {
            let who = if self == Self::User {
                format!("user {user} whom this process runs as")
            } else {
                format!("user {owner} who is to export here")
            };
            let problem = format!(
                "it belongs to user {}, not to {who}; have it removed, or name another directory",
                stat.st_uid
            );
            return Err(refused(path, &problem));
        }
        // The set-group-id bit of a directory only says which group new files belong to, and systems set it by themselves.
        let mode = bits(Mode::from_raw_mode(stat.st_mode).difference(Mode::SGID));
        let allowed = self.mode(kind);
        let granted = mode & !allowed & 0o777;
        if granted != 0 {
            let problem = match (self, kind) {
                (Self::User, Kind::Directory | Kind::Claims) => format!(
                    "other users can enter it (mode {mode:o}); remove it, or make it 700 if nobody else wrote there"
                ),
                (_, Kind::Directory | Kind::Claims) => format!(
                    "its mode {mode:o} grants more than {allowed:o}; remove it, or make it {allowed:o} if nobody \
                     else wrote there"
                ),
                (_, Kind::File) => format!("its mode is {mode:o}, not {allowed:o}; remove it"),
            };
            return Err(refused(path, &problem));
        }
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            let problem = format!(
                "its mode {mode:o} lets others remove what is in it, as the sticky bit is missing; remove it"
            );
            return Err(refused(path, &problem));
        }
        if let Self::Group { group, .. } = self {
            if mode & 0o070 != 0 && stat.st_gid != group {
                let problem = format!(
                    "it belongs to group {}, not to group {group}; remove it, or give it to that group",
                    stat.st_gid
                );
                return Err(refused(path, &problem));
            }
        }
        Ok(())
    }

    /// Opens what was made for its owner alone to whom else it is for.
    pub(super) fn give(self, fd: BorrowedFd<'_>, path: &Path, kind: Kind) -> Result<(), Unavailable> {
        if let Self::Group { group, .. } = self {
            // First the group, then the mode: never open to the wrong one.
            fs::fchown(fd, None, Some(Gid::from_raw(group))).map_err(|errno| failed(path, errno))?;
        }
        let mode = Mode::from_raw_mode(self.raw_mode(kind));
        fs::fchmod(fd, mode).map_err(|errno| failed(path, errno))
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::unnecessary_cast,
        trivial_numeric_casts,
        reason = "less than 0o2000, in a type that has 16 bits on some systems"
    )]
    const fn raw_mode(self, kind: Kind) -> fs::RawMode {
        self.mode(kind) as fs::RawMode
    }

    /// Only the owner can make anything that the importers will trust.
    pub(super) fn check_exporter(self, path: &Path) -> Result<(), Unavailable> {
        if self == Self::User {
            return Ok(());
        }
        let (owner, user) = (self.owner(), geteuid().as_raw());
        if owner == user {
            return Ok(());
        }
        let problem = format!(
            "only its owner, user {owner}, can export there, and this process runs as user {user}; name another \
             directory for exports"
        );
        Err(refused(path, &problem))
    }

    /// Where `path` leads, for a shared directory: with links above it resolved, and no directory above it that others
    /// could change. A directory of one user needs none of it, as nobody else can make one that passes for his.
    pub(super) fn resolve(self, path: PathBuf) -> Result<PathBuf, Unavailable> {
        if self == Self::User {
            return Ok(path);
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(refused(&path, "it is the root of the file system; name another directory"));
        };
        let parent = parent
            .canonicalize()
            .map_err(|source| Unavailable::HostKey { path: parent.to_owned(), source })?;
        for above in parent.ancestors() {
            let stat = fs::lstat(above).map_err(|errno| failed(above, errno))?;
            let mode = bits(Mode::from_raw_mode(stat.st_mode));
            if stat.st_uid != 0 && stat.st_uid != self.owner() {
                let problem = format!(
                    "it belongs to user {}, who could put another host key in the place of {}; name another \
                     directory",
                    stat.st_uid,
                    path.display()
                );
                return Err(refused(above, &problem));
            }
            if mode & 0o022 != 0 && mode & 0o1000 == 0 {
                let problem = format!(
                    "its mode {mode:o} lets others put another host key in the place of {}; name another directory",
                    path.display()
                );
                return Err(refused(above, &problem));
            }
        }
        Ok(parent.join(name))
    }
}

#[allow(clippy::useless_conversion, reason = "the type has 16 bits on some systems")]
fn bits(mode: Mode) -> u32 {
    u32::from(mode.bits())
}
