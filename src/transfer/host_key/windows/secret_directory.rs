//! A directory with a random secret in it, made by whichever of several processes is first, on Windows.
//!
//! It is built under a temporary name, with the secret inside, and renamed to its final name. Windows never puts a
//! directory in the place of one that isn't empty, so the first wins and all others read the winner's secret; and a
//! process that dies half-way leaves nothing under the final name.
//!
//! The secret lies in its file as DPAPI gave it. That differs each time, even for equal secrets, so the file's contents
//! tell whether it is still the same file.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use portable_sspi_core::{BlobRefused, Error, SecretArray, Unavailable};
use ring::rand::{SecureRandom, SystemRandom};

use super::super::super::blob::Fingerprint;
use super::super::super::seal::secret_fingerprint;
use super::directory::{Directory, check_owner, refused};
use super::{api, janitor};

/// The file with the secret.
pub(in super::super) const SECRET_FILE: &str = "secret";
const SECRET_LENGTH: usize = 32;
/// Longer than what DPAPI makes of a secret (some 200 to 300 bytes).
const LONGEST_FILE: u64 = 4096;
/// Virus scanners open new files for a moment, and nothing can be renamed meanwhile.
const RENAME_TRIES: u32 = 20;
const RENAME_PAUSE: Duration = Duration::from_millis(10);

/// A directory and the secret in it.
pub(in super::super) struct SecretDirectory {
    path: PathBuf,
    protected: Vec<u8>,
    secret: SecretArray<SECRET_LENGTH>,
    secret_id: Fingerprint,
}

impl SecretDirectory {
    /// Opens the directory `name` in `parent`, whose own path is `_parent_path`. `None` if it, or the secret in it, isn't
    /// there.
    pub(in super::super) fn open(
        parent: &Directory,
        _parent_path: &Path,
        name: &str,
    ) -> Result<Option<Self>, Unavailable> {
        let path = parent.join(name);
        match fs::symlink_metadata(&path) {
            Ok(known) if known.is_symlink() || !known.is_dir() => {
                return Err(refused(&path, "it is not a directory but a file or a link; remove it"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Unavailable::HostKey { path, source }),
        }
        // DPAPI alone does not say who wrote a secret: what is protected for the machine, each of its users can make.
        if !check_owner(&path, api::is_owned_by_user_or_system(&path))? {
            return Ok(None);
        }
        let file_path = path.join(SECRET_FILE);
        let file = match File::open(&file_path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Unavailable::HostKey { path: file_path, source }),
        };
        if !check_owner(&file_path, api::open_file_is_owned_by_user_or_system(&file))? {
            return Ok(None);
        }
        let protected =
            read_all(file).map_err(|source| Unavailable::HostKey { path: file_path.clone(), source })?;
        let plain = api::unprotect(&protected).map_err(|error| {
            refused(&file_path, &format!("Windows does not decrypt it for this user ({error}); remove it"))
        })?;
        let Ok(bytes) = <[u8; SECRET_LENGTH]>::try_from(plain.as_slice()) else {
            return Err(refused(&file_path, "it does not hold a secret of 32 bytes; remove it"));
        };
        let secret = SecretArray::new(bytes);
        let secret_id = secret_fingerprint(&secret);
        Ok(Some(Self { path, protected, secret, secret_id }))
    }

    /// Opens it, making it first where it isn't there. `temporary` is the name to build it under, without the random
    /// part that is added.
    pub(in super::super) fn open_or_make(
        parent: &Directory,
        parent_path: &Path,
        name: &str,
        temporary: &str,
    ) -> Result<Self, Unavailable> {
        let mut unlimited = usize::MAX;
        // More than once only if somebody removes directories at the same time.
        for _ in 0..8 {
            if let Some(found) = Self::open(parent, parent_path, name)? {
                return Ok(found);
            }
            if !make(parent, name, temporary)? && Self::open(parent, parent_path, name)?.is_none() {
                // What is left of a directory whose secret was deleted: nothing that it protected can be opened again.
                janitor::remove_directory(&parent.join(name), &mut unlimited);
            }
        }
        Err(refused(
            &parent.join(name),
            "it disappears again and again, or what is in it cannot be removed; remove it",
        ))
    }

    /// Whether the secret's file is still what `path` leads to.
    pub(in super::super) fn file_is_at(&self, path: &Path) -> bool {
        read_protected(path).is_ok_and(|protected| protected == self.protected)
    }

    /// Whether this is still what `name` leads to in `parent`.
    pub(in super::super) fn is_in_place(&self, parent: &Directory, name: &str) -> bool {
        self.file_is_at(&parent.join(name).join(SECRET_FILE))
    }

    /// Makes the empty file `name` in the directory, which must not be there.
    pub(in super::super) fn claim(&self, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(BlobRefused::AlreadyImported.into());
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(BlobRefused::HostKeyGone.into()),
            Err(source) => return Err(Unavailable::HostKey { path, source }.into()),
        }
        if self.file_is_at(&self.path.join(SECRET_FILE)) {
            Ok(())
        } else {
            Err(BlobRefused::HostKeyGone.into())
        }
    }

    pub(in super::super) const fn secret(&self) -> &SecretArray<SECRET_LENGTH> {
        &self.secret
    }

    /// Stands for the secret and tells nothing about it.
    pub(in super::super) const fn secret_id(&self) -> Fingerprint {
        self.secret_id
    }
}

impl fmt::Debug for SecretDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretDirectory").field("path", &self.path).finish_non_exhaustive()
    }
}

/// `false` if another process was first, or there is something else.
fn make(parent: &Directory, name: &str, temporary: &str) -> Result<bool, Unavailable> {
    let random = SystemRandom::new();
    let mut suffix = [0; 8];
    let mut secret = SecretArray::new([0; SECRET_LENGTH]);
    random.fill(&mut suffix).map_err(|_| Unavailable::Entropy)?;
    random.fill(secret.expose_mut()).map_err(|_| Unavailable::Entropy)?;
    let built = parent.join(format!("{temporary}-{:016x}", u64::from_le_bytes(suffix)));
    let made = build(&built, &secret).and_then(|()| rename_new(&built, &parent.join(name)));
    if !matches!(made, Ok(true)) {
        janitor::remove_directory(&built, &mut 2);
    }
    made
}

fn build(path: &Path, secret: &SecretArray<SECRET_LENGTH>) -> Result<(), Unavailable> {
    // Its access rules are those that its parent passes on.
    fs::create_dir(path).map_err(|source| Unavailable::HostKey { path: path.to_owned(), source })?;
    let file_path = path.join(SECRET_FILE);
    let write = || -> io::Result<()> {
        let protected = api::protect(secret.expose())?;
        OpenOptions::new().write(true).create_new(true).open(&file_path)?.write_all(&protected)
    };
    write().map_err(|source| Unavailable::HostKey { path: file_path, source })
}

/// Renames a directory to a name that must not be taken: `false` if it is.
fn rename_new(from: &Path, to: &Path) -> Result<bool, Unavailable> {
    let mut tries = 0;
    loop {
        let error = match fs::rename(from, to) {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        // Which error it is when the name is taken depends on the file system; and with "not found", somebody took the
        // temporary directory for an old one and removed it.
        if fs::symlink_metadata(to).is_ok() || error.kind() == ErrorKind::NotFound {
            return Ok(false);
        }
        tries += 1;
        if tries == RENAME_TRIES {
            return Err(Unavailable::HostKey { path: to.to_owned(), source: error });
        }
        thread::sleep(RENAME_PAUSE);
    }
}

fn read_protected(path: &Path) -> io::Result<Vec<u8>> {
    read_all(File::open(path)?)
}

fn read_all(file: File) -> io::Result<Vec<u8>> {
    let mut protected = Vec::new();
    file.take(LONGEST_FILE).read_to_end(&mut protected)?;
    Ok(protected)
}
