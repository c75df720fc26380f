//! A file that nobody but its owner, this user or the superuser, could have written.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portable_sspi_core::Unavailable;
use rustix::fs::{self, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

/// No file of accounts is larger; one that is was named by mistake.
const MAXIMUM_SIZE: u64 = 16 * 1024 * 1024;

/// A file system's clock moves in steps. A change within this time of the last one may leave the same time stamp.
const COARSEST_CLOCK: Duration = Duration::from_secs(2);

/// The file, open and checked.
#[derive(Debug)]
pub(super) struct CheckedFile {
    file: File,
    stamp: Stamp,
}

/// What changes when the file does, or another is put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    // Unlike the time of modification, nobody can set this one back.
    changed: (i64, i64),
}

impl CheckedFile {
    /// Opens it, and refuses it if others could have written it or can read it.
    ///
    /// # Errors
    /// [`Unavailable::AccountFile`], with what to do.
    pub(super) fn open(path: &Path) -> Result<Self, Unavailable> {
        check_directory(path)?;
        // NONBLOCK: opening a FIFO would wait for a writer that never comes.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = fs::openat(CWD, path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::MLINK => refused(path, "it is a symbolic link; name the file itself"),
            Errno::NXIO | Errno::OPNOTSUPP => refused(path, "it is not a regular file"),
            errno => failed(path, errno.into()),
        })?;
        let stat = fs::fstat(&fd).map_err(|errno| failed(path, errno.into()))?;
        check_file(path, &stat)?;
        Ok(Self { file: fd.into(), stamp: Stamp::of(&stat) })
    }

    pub(super) const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// All of it. `None` if it changed meanwhile.
    ///
    /// # Errors
    /// [`Unavailable::AccountFile`] where it cannot be read.
    pub(super) fn read_all(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
        let size = usize::try_from(self.stamp.size).unwrap_or(usize::MAX);
        // One more than there is: growing would leave copies of the passwords behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(1)));
        let limit = self.stamp.size.saturating_add(1);
        (&self.file).take(limit).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
        let stat = fs::fstat(&self.file).map_err(|errno| failed(path, errno.into()))?;
        let mut now = Stamp::of(&stat);
        // Another file was put in its place, which is no change of this one but shows in the time of the last change.
        if stat.st_nlink == 0 {
            now.changed = self.stamp.changed;
        }
        Ok((now == self.stamp && bytes.len() == size).then_some(bytes))
    }

    /// `length` bytes at `offset`. `None` if the file ends before.
    ///
    /// # Errors
    /// As [`read_all`](Self::read_all).
    pub(super) fn read_at(
        &self,
        path: &Path,
        offset: u64,
        length: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
        let mut bytes = Zeroizing::new(vec![0; length]);
        match self.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(failed(path, error)),
        }
    }
}

impl Stamp {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        trivial_numeric_casts,
        reason = "the fields' types differ between systems, and but for the size and the seconds only equality matters"
    )]
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    /// Whether a change that came after `now` would show in the stamp.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let changed = u64::try_from(self.changed.0).unwrap_or(0);
        // A second more, for the fraction that is left out.
        let settled = UNIX_EPOCH + Duration::from_secs(changed) + COARSEST_CLOCK + Duration::from_secs(1);
        now >= settled
    }
}

/// Who can write the directory can put another file in the place of ours.
fn check_directory(path: &Path) -> Result<(), Unavailable> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let stat = fs::stat(directory).map_err(|errno| failed(path, errno.into()))?;
    if !is_trusted_owner(&stat) {
        return Err(refused(path, "its directory belongs to another user"));
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::WGRP | Mode::WOTH) && !mode.contains(Mode::SVTX) {
        return Err(refused(
            path,
            "others can write its directory and put another file there; chmod go-w it",
        ));
    }
    Ok(())
}

fn check_file(path: &Path, stat: &Stat) -> Result<(), Unavailable> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refused(path, "it is not a regular file"));
    }
    if !is_trusted_owner(stat) {
        return Err(refused(path, "it belongs to another user, neither this process's nor the superuser"));
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::WGRP | Mode::WOTH) {
        return Err(refused(path, "others can write it; chmod go-w,o-r it"));
    }
    if mode.contains(Mode::ROTH) {
        return Err(refused(path, "everybody can read the passwords in it; chmod o-r it"));
    }
    // None is fine: another file was put in its place after it was opened.
    if stat.st_nlink > 1 {
        return Err(refused(path, "it has more than one name (hard link); remove the others"));
    }
    if Stamp::of(stat).size > MAXIMUM_SIZE {
        return Err(refused(path, "it is larger than 16 MiB"));
    }
    Ok(())
}

fn is_trusted_owner(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == geteuid().as_raw()
}

fn refused(path: &Path, problem: &str) -> Unavailable {
    Unavailable::AccountFile { path: path.to_owned(), line: None, problem: problem.to_owned() }
}

fn failed(path: &Path, error: io::Error) -> Unavailable {
    refused(path, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_change_is_not_settled() {
        let stamp =
            |seconds| Stamp { device: 0, inode: 0, size: 0, modified: (0, 0), changed: (seconds, 999) };
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        assert!(stamp(997).is_settled(now));
        assert!(!stamp(998).is_settled(now));
        // Nor one that a clock which runs ahead has dated into the future.
        assert!(!stamp(2000).is_settled(now));
    }

    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_file_that_is_replaced_while_it_is_read_is_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let (path, new) = (directory.path().join("accounts"), directory.path().join("new"));
        write(&path, "old");
        let checked = CheckedFile::open(&path).unwrap();
        write(&new, "new");
        std::thread::sleep(Duration::from_millis(20));
        std::fs::rename(new, &path).unwrap();
        assert_eq!(**checked.read_all(&path).unwrap().unwrap(), *b"old");
    }

    #[test]
    fn a_file_that_grows_or_shrinks_is_not_half_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        write(&path, "0123456789");
        let checked = CheckedFile::open(&path).unwrap();
        assert_eq!(*checked.read_at(&path, 2, 3).unwrap().unwrap(), b"234");
        std::fs::write(&path, "01234").unwrap();
        assert!(checked.read_all(&path).unwrap().is_none());
        assert!(checked.read_at(&path, 2, 8).unwrap().is_none());
    }
}
