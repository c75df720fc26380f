//! A directory with a random secret in it, made by whichever of several processes is first.
//!
//! It is built under a temporary name, with the secret inside, and renamed to its final name. Renaming a directory onto
//! one that isn't empty fails on every Unix, so the first wins and all others read the winner's secret; and a
//! process that dies half-way leaves nothing under the final name.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use portable_sspi_core::{BlobRefused, Error, SecretArray, Unavailable};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::super::blob::Fingerprint;
use super::super::scope::Access;
use super::super::seal::secret_fingerprint;
use super::access::Kind;
use super::checked_directory::{self as checked, Directory, ObjectId, failed, refused};
use super::janitor;
use super::window::Name;

/// The file with the secret.
pub(super) const SECRET_FILE: &str = "secret";
const SECRET_LENGTH: usize = 32;

/// An open directory and the secret in it.
pub(super) struct SecretDirectory {
    directory: OwnedFd,
    // Held open so that its inode number isn't given to another file.
    _file: OwnedFd,
    file_id: ObjectId,
    path: PathBuf,
    secret: SecretArray<SECRET_LENGTH>,
    secret_id: Fingerprint,
}

impl SecretDirectory {
    /// Opens the directory `name` in `parent`, whose own path is `parent_path`. `None` if it, or the secret in it, isn't
    /// there.
    pub(super) fn open(
        parent: &Directory,
        parent_path: &Path,
        name: &str,
    ) -> Result<Option<Self>, Unavailable> {
        let access = parent.access();
        let path = parent_path.join(name);
        let opened = checked::open_directory(parent.as_fd(), Path::new(name), &path, access, kind_of(name))?;
        let Some(directory) = opened else {
            return Ok(None);
        };
        let file_path = path.join(SECRET_FILE);
        let opened = checked::open_file(directory.as_fd(), SECRET_FILE, &file_path, SECRET_LENGTH, access)?;
        let Some((file, file_id)) = opened else { return Ok(None) };
        let mut file = std::fs::File::from(file);
        let mut secret = SecretArray::new([0; SECRET_LENGTH]);
        match file.read_exact(secret.expose_mut()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(refused(&file_path, "it became shorter while it was read; remove it"));
            }
            Err(source) => return Err(Unavailable::HostKey { path: file_path, source }),
        }
        let secret_id = secret_fingerprint(&secret);
        let _file = OwnedFd::from(file);
        Ok(Some(Self { directory, _file, file_id, path, secret, secret_id }))
    }

    /// Opens it, making it first where it isn't there. `temporary` is the name to build it under, without the random
    /// part that is added.
    pub(super) fn open_or_make(
        parent: &Directory,
        parent_path: &Path,
        name: &str,
        temporary: &str,
    ) -> Result<Self, Unavailable> {
        // More than once only if somebody removes directories at the same time.
        for _ in 0..8 {
            if let Some(found) = Self::open(parent, parent_path, name)? {
                return Ok(found);
            }
            if make(parent, parent_path, name, temporary)? == Made::SomethingInTheWay
                && Self::open(parent, parent_path, name)?.is_none()
            {
                // What is left of a directory whose secret was deleted: nothing that it protected can be opened again.
                janitor::remove_directory(parent.as_fd(), Path::new(name), &mut janitor::unlimited());
            }
        }
        let path = parent_path.join(name);
        Err(refused(&path, "it disappears again and again, or what is in it cannot be removed; remove it"))
    }

    /// Whether the secret's file is still what `path`, its full path, leads to.
    pub(super) fn file_is_at(&self, path: &Path) -> bool {
        self.secret_is_at(CWD, path)
    }

    /// Whether the secret's file is still what `name` leads to in `parent`.
    pub(super) fn is_in_place(&self, parent: impl AsFd, name: &str) -> bool {
        self.secret_is_at(parent.as_fd(), &Path::new(name).join(SECRET_FILE))
    }

    /// Makes the empty file `name` beside the secret. Of all processes that ever try, one gets `Ok`.
    pub(super) fn claim(&self, name: &str) -> Result<(), Error> {
        match make_empty_file(self.directory.as_fd(), name) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(BlobRefused::AlreadyImported.into()),
            // In a removed directory nothing can be created.
            Err(Errno::NOENT) => return Err(BlobRefused::HostKeyGone.into()),
            Err(errno) => return Err(failed(&self.path.join(name), errno).into()),
        }
        let secret_is_there = self.secret_is_at(self.directory.as_fd(), Path::new(SECRET_FILE));
        if secret_is_there { Ok(()) } else { Err(BlobRefused::HostKeyGone.into()) }
    }

    pub(super) const fn secret(&self) -> &SecretArray<SECRET_LENGTH> {
        &self.secret
    }

    /// Stands for the secret and tells nothing about it.
    pub(super) const fn secret_id(&self) -> Fingerprint {
        self.secret_id
    }
}

impl fmt::Debug for SecretDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretDirectory").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SecretDirectory {
    fn secret_is_at(&self, from: BorrowedFd<'_>, path: &Path) -> bool {
        let found = fs::statat(from, path, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|stat| ObjectId::of(&stat) == self.file_id)
    }
}

#[derive(PartialEq, Eq)]
enum Made {
    Yes,
    /// Another process was first, or there is something else.
    SomethingInTheWay,
}

/// Makes the file `name`, which must not be there: of all that try, one succeeds.
///
/// With mknod(2), as no descriptor is needed: half of what it costs to open the file and close it again.
#[cfg(target_os = "linux")]
fn make_empty_file(directory: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    match fs::mknodat(directory, name, fs::FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0) {
        // Filters of system calls let it through less often than openat(2).
        Err(Errno::PERM | Errno::NOSYS) => open_empty_file(directory, name),
        made => made,
    }
}

/// Makes the file `name`, which must not be there. Elsewhere, mknod(2) is the superuser's.
#[cfg(not(target_os = "linux"))]
fn make_empty_file(directory: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    open_empty_file(directory, name)
}

fn open_empty_file(directory: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR).map(|_| ())
}

/// What the directory `name` is for.
fn kind_of(name: &str) -> Kind {
    if Name::parse(name).is_some() { Kind::Claims } else { Kind::Directory }
}

fn make(parent: &Directory, parent_path: &Path, name: &str, temporary: &str) -> Result<Made, Unavailable> {
    let access = parent.access();
    access.check_exporter(&parent_path.join(name))?;
    let parent = parent.as_fd();
    let random = SystemRandom::new();
    let mut suffix = [0; 8];
    let mut secret = SecretArray::new([0; SECRET_LENGTH]);
    random.fill(&mut suffix).map_err(|_| Unavailable::Entropy)?;
    random.fill(secret.expose_mut()).map_err(|_| Unavailable::Entropy)?;
    let temporary = format!("{temporary}-{:016x}", u64::from_le_bytes(suffix));
    let path = parent_path.join(&temporary);
    checked::make_directory(parent, Path::new(&temporary), &path)?;
    let made = write_secret(parent, &temporary, &path, &secret, access, kind_of(name)).and_then(|()| {
        match fs::renameat(parent, &temporary, parent, name) {
            Ok(()) => Ok(Made::Yes),
            // NOENT: somebody took the temporary directory for an old one and removed it.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR | Errno::NOENT) => Ok(Made::SomethingInTheWay),
            Err(errno) => Err(failed(&parent_path.join(name), errno)),
        }
    });
    if !matches!(made, Ok(Made::Yes)) {
        janitor::remove_directory(parent, Path::new(&temporary), &mut 2);
    }
    made
}

fn write_secret(
    parent: BorrowedFd<'_>,
    temporary: &str,
    path: &Path,
    secret: &SecretArray<SECRET_LENGTH>,
    access: Access,
    kind: Kind,
) -> Result<(), Unavailable> {
    let opened = checked::open_directory(parent, Path::new(temporary), path, access, kind)?;
    let Some(directory) = opened else {
        return Err(failed(path, Errno::NOENT));
    };
    let file_path = path.join(SECRET_FILE);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let owner_only = Mode::RUSR | Mode::WUSR;
    let file =
        fs::openat(&directory, SECRET_FILE, flags, owner_only).map_err(|errno| failed(&file_path, errno))?;
    // Also what the umask has taken away.
    access.give(file.as_fd(), &file_path, Kind::File)?;
    // Written through before it gets its name: where the directory is on a disk, a crash of the host could otherwise leave
    // a name with nothing behind it.
    let mut file = std::fs::File::from(file);
    file.write_all(secret.expose())
        .and_then(|()| file.sync_all())
        .map_err(|source| Unavailable::HostKey { path: file_path, source })?;
    access.give(directory.as_fd(), path, kind)
}
