//! A file of accounts, in the formats that gss-ntlmssp reads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use portable_sspi_core::{AuthIdentity, Error, Unavailable};
use portable_sspi_ntlm::{
    Account, AccountDatabase, AccountIndex, DefaultIdentity, NetworkLogon, VerifiedLogon, names_equal,
};
use zeroize::Zeroizing;

use super::checked_file::{CheckedFile, Stamp};
use super::line::{self, Entry, EntrySecret};

/// The environment variable that names the file: that of gss-ntlmssp and of Heimdal.
const VARIABLE: &str = "NTLM_USER_FILE";

/// How often a file that changes while it is read is tried.
const ATTEMPTS: usize = 4;

/// A file of accounts in the formats that gss-ntlmssp reads: who may log on to a server, and who a client acts as.
///
/// ```
/// use std::sync::Arc;
/// use portable_sspi::accounts::UserFile;
/// use portable_sspi::ntlm::{Ntlm, NtlmConfig};
///
/// let file = Arc::new(UserFile::new("/etc/service/ntlm-accounts"));
/// let ntlm = Ntlm::new(NtlmConfig {
///     accounts: Some(file.clone()),
///     default_identity: Some(file),
///     ..NtlmConfig::default()
/// });
/// # let _ = ntlm;
/// ```
///
/// # Format
/// UTF-8 text, one account a line, in either form; both may stand in one file.
///
/// | line | meaning |
/// | --- | --- |
/// | `domain:user:password` | the password may hold spaces and anything else but a colon |
/// | `user:uid:LM hash:NT hash:[flags]:...` | smbpasswd; the user may be written `domain\user` |
/// | `#...`, or nothing but white space | nothing |
///
/// - An empty domain stands for any. Of two lines with the same names, the first counts.
/// - In smbpasswd the uid and the LM hash are not looked at, and nothing behind the flags. An account whose flags say that it is
///   disabled (D), locked out (L), needs no password (N), or is a machine's or a domain's (W, S, I), and one whose NT hash
///   is `NO PASSWORD...` or 32 times `X`, cannot log on. gss-ntlmssp ignores the flags.
/// - A line of any other form, longer than 1022 bytes, or with an empty user name or password **refuses the whole file**, until
///   it is in order again: [`Unavailable::AccountFile`] names the line. gss-ntlmssp passes over such lines; but the line
///   that somebody mistyped may be the one that was to disable an account further down.
///
/// # The file itself
/// It must be a regular file with one name, of this process's effective user or the superuser, and writable by neither group nor
/// others, nor readable by all; its directory must belong to one of the two as well, and be closed to other writers or sticky. A
/// symbolic link in its place is refused. All that is checked at each logon. Directories further up are
/// not looked at. On systems other than Unix every file is refused.
///
/// A change, also one put in place by renaming, counts from the next logon on. To change it while a service runs, write a new file
/// and rename it: a file that is written in place may be read half-way.
///
/// # Secrets in memory
/// Between logons none: what is kept is at which place in the file which name stands. A logon reads the one line that it needs, hashes the
/// password, and wipes both. So the file system's cache has the passwords, and the process has not.
///
/// # Timing
/// A logon reads a line and checks the response whether or not there is such an account.
#[derive(Debug)]
pub struct UserFile {
    path: PathBuf,
    index: RwLock<Option<Arc<Index>>>,
}

/// Where in the file which account is.
#[derive(Debug)]
struct Index {
    stamp: Stamp,
    /// Whether a later change of the file shows in its stamp.
    settled: bool,
    accounts: AccountIndex<Place>,
    /// Read in place of an account that there isn't.
    stand_in: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    length: usize,
}

impl UserFile {
    /// The file at `path`. Nothing is read yet; a service that wants to know at its start whether the file is in order calls
    /// [`check`](Self::check).
    ///
    /// A relative path is taken from the directory that is the current one now.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, index: RwLock::new(None) }
    }

    /// The file that the environment variable `NTLM_USER_FILE` names, as for gss-ntlmssp; `None` if it names none.
    ///
    /// Not for programs that run with more rights than the user who starts them: who sets the variable decides whom they trust.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let path = std::env::var_os(VARIABLE)?;
        (!path.is_empty()).then(|| Self::new(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads and checks all of it, and tells how many accounts it has.
    ///
    /// # Errors
    /// [`Unavailable::AccountFile`] where it cannot be used.
    pub fn check(&self) -> Result<usize, Unavailable> {
        let mut accounts = 0;
        self.for_each_line(|_, entry| {
            accounts += usize::from(entry.is_some());
            None::<()>
        })?;
        Ok(accounts)
    }

    /// The identity of the first line that fits and can log on, as gss-ntlmssp chooses: `None` for user or domain fits any, and a line
    /// without a domain fits any domain.
    ///
    /// # Errors
    /// [`Unavailable::AccountFile`] where the file cannot be used.
    pub fn identity(
        &self,
        user: Option<&str>,
        domain: Option<&str>,
    ) -> Result<Option<AuthIdentity>, Unavailable> {
        self.for_each_line(|_, entry| {
            let entry = entry?;
            let fits = user.is_none_or(|user| names_equal(user, entry.user))
                && domain.is_none_or(|domain| entry.domain.is_empty() || names_equal(domain, entry.domain));
            let domain = if entry.domain.is_empty() { domain.unwrap_or_default() } else { entry.domain };
            match entry.secret {
                _ if !fits => None,
                EntrySecret::Password(password) => Some(AuthIdentity::new(entry.user, domain, password)),
                EntrySecret::NtHash(nt_hash) => Some(AuthIdentity::with_nt_hash(entry.user, domain, nt_hash)),
                EntrySecret::None => None,
            }
        })
    }

    /// The account that a client means, read anew. `None` if it isn't there or cannot log on.
    fn account(&self, user: &str, domain: &str) -> Result<Option<Account>, Unavailable> {
        for _ in 0..ATTEMPTS {
            let file = CheckedFile::open(&self.path)?;
            let Some(index) = self.index_of(&file)? else { continue };
            let found = index.accounts.find(user, domain).copied();
            let Some(place) = found.or(index.stand_in) else { return Ok(None) };
            let bytes = file.read_at(&self.path, place.offset, place.length)?;
            let entry = bytes.as_ref().and_then(|bytes| line::parse(bytes).ok().flatten());
            match entry {
                // Only if the line still is what the index says; else the file was changed under it.
                Some(entry) if index.accounts.get(entry.user, entry.domain) == Some(&place) => {
                    return Ok(to_account(&entry).filter(|_| found.is_some()));
                }
                _ => self.forget_index(),
            }
        }
        Err(self.keeps_changing())
    }

    /// The index of the file as it is now. `None` if it changed while it was read.
    fn index_of(&self, file: &CheckedFile) -> Result<Option<Arc<Index>>, Unavailable> {
        let fits = |index: &&Arc<Index>| index.settled && index.stamp == file.stamp();
        let known = self.index.read().unwrap_or_else(PoisonError::into_inner).as_ref().filter(fits).cloned();
        if known.is_some() {
            return Ok(known);
        }
        // Held while it is read, so that of many logons after a change one reads and the others wait for it.
        let mut slot = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = slot.as_ref().filter(fits) {
            return Ok(Some(Arc::clone(index)));
        }
        // Whatever comes of it, the old one is out of date.
        *slot = None;
        let settled = file.stamp().is_settled(SystemTime::now());
        let Some(bytes) = file.read_all(&self.path)? else { return Ok(None) };
        let mut index = Index { stamp: file.stamp(), settled, accounts: AccountIndex::new(), stand_in: None };
        self.scan(&bytes, |place, entry| {
            if let Some(entry) = entry {
                if index.accounts.get(entry.user, entry.domain).is_none() {
                    index.accounts.insert(entry.user, entry.domain, place);
                    index.stand_in.get_or_insert(place);
                }
            }
            None::<()>
        })?;
        let index = Arc::new(index);
        *slot = Some(Arc::clone(&index));
        Ok(Some(index))
    }

    fn forget_index(&self) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads the whole file and hands each line to `visit`: what it answered first. Lines behind that are checked all the same.
    fn for_each_line<T>(
        &self,
        visit: impl FnMut(Place, Option<Entry<'_>>) -> Option<T>,
    ) -> Result<Option<T>, Unavailable> {
        for _ in 0..ATTEMPTS {
            if let Some(bytes) = CheckedFile::open(&self.path)?.read_all(&self.path)? {
                return self.scan(&bytes, visit);
            }
        }
        Err(self.keeps_changing())
    }

    fn scan<T>(
        &self,
        bytes: &Zeroizing<Vec<u8>>,
        mut visit: impl FnMut(Place, Option<Entry<'_>>) -> Option<T>,
    ) -> Result<Option<T>, Unavailable> {
        let mut offset = 0;
        let mut answer = None;
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let entry = line::parse(line).map_err(|problem| Unavailable::AccountFile {
                path: self.path.clone(),
                line: Some(index + 1),
                problem: problem.to_owned(),
            })?;
            if answer.is_none() {
                answer = visit(Place { offset, length: line.len() }, entry);
            }
            offset += u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(1);
        }
        Ok(answer)
    }

    fn keeps_changing(&self) -> Unavailable {
        Unavailable::AccountFile {
            path: self.path.clone(),
            line: None,
            problem: "it changes again and again while it is read; write a new file and rename it".to_owned(),
        }
    }
}

impl AccountDatabase for UserFile {
    fn verify(&self, logon: &NetworkLogon<'_>) -> Result<VerifiedLogon, Error> {
        let account = self.account(logon.user_name(), logon.domain_name())?;
        Ok(logon.verify(account.as_ref())?)
    }
}

impl DefaultIdentity for UserFile {
    /// That of the first line that can log on.
    fn default_identity(&self) -> Result<Option<AuthIdentity>, Error> {
        Ok(self.identity(None, None)?)
    }
}

fn to_account(entry: &Entry<'_>) -> Option<Account> {
    match &entry.secret {
        EntrySecret::Password(password) => Some(Account::with_password(entry.user, entry.domain, *password)),
        EntrySecret::NtHash(nt_hash) => Some(Account::new(entry.user, entry.domain, nt_hash.duplicate())),
        EntrySecret::None => None,
    }
}
