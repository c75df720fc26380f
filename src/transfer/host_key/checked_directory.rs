//! Directories and files that nobody but their owner could have touched: opening them, and refusing all others.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use portable_sspi_core::Unavailable;
use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::super::scope::{Access, Place};
use super::access::Kind;
use super::os;

/// The open directory of the host key, and who may do what in it.
pub(super) struct Directory {
    fd: OwnedFd,
    access: Access,
}

impl Directory {
    pub(super) const fn access(&self) -> Access {
        self.access
    }

    /// Only the owner of a shared directory exports there.
    pub(super) fn check_exporter(&self, path: &Path) -> Result<(), Unavailable> {
        self.access.check_exporter(path)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Device and inode: whether two names lead to the same object. Meaningful while one of them is held open, as numbers
/// of deleted objects are given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "the names of stat(2)")]
pub(super) struct ObjectId {
    device: u64,
    inode: u64,
}

impl ObjectId {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        trivial_numeric_casts,
        reason = "the fields' types differ between systems, and only equality matters"
    )]
    pub(super) const fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev as u64, inode: stat.st_ino as u64 }
    }
}

/// The directory of the host key: the one that the program names, else `portable-sspi-<uid>` in the first usable of the
/// system's fixed places.
pub(super) fn host_key_directory(place: &Place) -> Result<PathBuf, Unavailable> {
    if let Some(path) = &place.directory {
        // Rebuilt from its components: behind a trailing slash the kernel would follow a symbolic link.
        let path: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
        return place.access.resolve(path);
    }
    let user = geteuid();
    let mut reasons = String::new();
    for candidate in os::candidate_directories() {
        match unusable_because(candidate) {
            None => return Ok(Path::new(candidate).join(format!("portable-sspi-{}", user.as_raw()))),
            Some(reason) => reasons.push_str(&format!("; {candidate} {reason}")),
        }
    }
    Err(Unavailable::System {
        what: "a place for the host key",
        source: io::Error::new(
            io::ErrorKind::NotFound,
            format!("no usable directory{reasons}; name one in SspiConfig::host_key"),
        ),
    })
}

/// Opens the directory at `path`, as [`open_directory`].
pub(super) fn open_named(path: &Path, access: Access) -> Result<Option<Directory>, Unavailable> {
    let opened = open_directory(CWD, path, path, access, Kind::Directory)?;
    Ok(opened.map(|fd| Directory { fd, access }))
}

/// Makes the directory at `path`, as [`make_directory`].
pub(super) fn make_named(path: &Path, access: Access) -> Result<(), Unavailable> {
    access.check_exporter(path)?;
    make_directory(CWD, path, path)?;
    if access == Access::User {
        return Ok(());
    }
    // Also where it was there, but closed: whoever made it may have been killed right after.
    match open_directory(CWD, path, path, access, Kind::Directory)? {
        Some(fd) => access.give(fd.as_fd(), path, Kind::Directory),
        None => Ok(()),
    }
}

/// Why a directory of the system must not hold ours, if so.
fn unusable_because(path: &str) -> Option<&'static str> {
    let Ok(stat) = fs::lstat(path) else { return Some("is not there") };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Some("is not a directory");
    }
    if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
        return Some("belongs to another user");
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    // Without the sticky bit, who may write here may also put something else in the place of our directory.
    if mode.intersects(Mode::WGRP | Mode::WOTH) && !mode.contains(Mode::SVTX) {
        return Some("is writable by others and not sticky");
    }
    match fs::accessat(CWD, path, fs::Access::WRITE_OK | fs::Access::EXEC_OK, AtFlags::EACCESS) {
        Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => Some("is not writable"),
        _ => None,
    }
}

/// Opens the directory `name` in `parent`, which must be a real directory, of the right owner, and open to nobody else
/// than `access` says. `None` if there is none. `path` is for messages.
pub(super) fn open_directory(
    parent: BorrowedFd<'_>,
    name: &Path,
    path: &Path,
    access: Access,
    kind: Kind,
) -> Result<Option<OwnedFd>, Unavailable> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = match fs::openat(parent, name, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
            return Err(refused(path, "it is not a directory but a file or a symbolic link; remove it"));
        }
        Err(errno) => return Err(failed(path, errno)),
    };
    let stat = fs::fstat(&fd).map_err(|errno| failed(path, errno))?;
    access.check(path, &stat, kind)?;
    Ok(Some(fd))
}

/// Opens the file `name` in `parent`, which must be a regular file of `size` bytes, of the right owner, open to nobody else
/// than `access` says, and with no second name. `None` if there is none. `path` is for messages.
pub(super) fn open_file(
    parent: BorrowedFd<'_>,
    name: &str,
    path: &Path,
    size: usize,
    access: Access,
) -> Result<Option<(OwnedFd, ObjectId)>, Unavailable> {
    // NONBLOCK: opening a FIFO would wait for a writer that never comes.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = match fs::openat(parent, name, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::MLINK) => return Err(refused(path, "it is a symbolic link; remove it")),
        Err(Errno::NXIO | Errno::OPNOTSUPP) => {
            return Err(refused(path, "it is not a regular file; remove it"));
        }
        Err(errno) => return Err(failed(path, errno)),
    };
    let stat = fs::fstat(&fd).map_err(|errno| failed(path, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refused(path, "it is not a regular file; remove it"));
    }
    access.check(path, &stat, Kind::File)?;
    if stat.st_nlink != 1 {
        return Err(refused(path, "it has more than one name (hard link); remove it"));
    }
    if usize::try_from(stat.st_size) != Ok(size) {
        return Err(refused(path, &format!("it has {} bytes, not {size}; remove it", stat.st_size)));
    }
    Ok(Some((fd, ObjectId::of(&stat))))
}

/// Makes the directory `name` in `parent`, mode 0700. `false` if something of that name is there already.
pub(super) fn make_directory(parent: BorrowedFd<'_>, name: &Path, path: &Path) -> Result<bool, Unavailable> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(false),
        Err(errno) => return Err(failed(path, errno)),
    }
    // An odd umask can have taken the owner's bits away. Through a descriptor, so that no link is followed.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::openat(parent, name, flags, Mode::empty()) {
        Ok(fd) => fs::fchmod(fd.as_fd(), Mode::RWXU).map_err(|errno| failed(path, errno))?,
        // Even reading was taken. What stayed would be in the way of all other processes of this user, for ever.
        Err(Errno::ACCESS) => {
            let _ = fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
            let problem = "the umask of this process does not even let it read the directories that it makes";
            let source = io::Error::new(io::ErrorKind::PermissionDenied, problem);
            return Err(Unavailable::HostKey { path: path.to_owned(), source });
        }
        // Opening it will fail again, and say why.
        Err(_) => {}
    }
    Ok(true)
}

/// Somebody could have tampered with what is at `path`.
pub(super) fn refused(path: &Path, problem: &str) -> Unavailable {
    Unavailable::HostKeyRefused { path: path.to_owned(), problem: problem.to_owned() }
}

/// The operating system said no.
pub(super) fn failed(path: &Path, errno: Errno) -> Unavailable {
    Unavailable::HostKey { path: path.to_owned(), source: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_where_nobody_can_replace_ours_are_used() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name).into_os_string().into_string().unwrap();
        let make = |name: &str, mode| {
            std::fs::create_dir(path(name)).unwrap();
            let mode: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(path(name), mode).unwrap();
        };
        make("own", 0o755);
        make("sticky", 0o1777);
        make("open", 0o777);
        make("group", 0o770);
        std::fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink(path("own"), path("link")).unwrap();
        for (name, expected) in [
            ("own", None),
            ("sticky", None),
            ("open", Some("is writable by others and not sticky")),
            ("group", Some("is writable by others and not sticky")),
            ("file", Some("is not a directory")),
            ("link", Some("is not a directory")),
            ("none", Some("is not there")),
        ] {
            assert_eq!(unusable_because(&path(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_default_directory_is_named_after_the_user() {
        let path = host_key_directory(&crate::HostKeyScope::default().into_place()).unwrap();
        let expected = format!("portable-sspi-{}", geteuid().as_raw());
        assert_eq!(path.file_name().unwrap().to_str(), Some(expected.as_str()));
    }
}
