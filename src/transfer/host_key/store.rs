//! The host's secret and its claim windows, kept open and in memory between calls.
//!
//! On disk, below `portable-sspi-<uid>` or the directory that the program names:
//!
//! | name | |
//! |---|---|
//! | `host-key/secret` | the host's secret, 32 random bytes |
//! | `window-<boot>-<n>/secret` | the seed of a window, 32 random bytes |
//! | `window-<boot>-<n>/<blob id>` | a claim: an empty file |
//! | `temporary-...` | one of the above, being made |
//!
//! What is cached is used only while it is still what its path leads to: a directory that was deleted or replaced under a
//! running process is noticed at the next call.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use portable_sspi_core::{BlobRefused, Error, SecretArray, Unavailable};
use ring::hmac;

use super::super::blob::{BlobId, Fingerprint};
use super::super::scope::Place;
use super::super::seal::{HostIdentity, secret_fingerprint};
use super::checked_directory::{self as checked, Directory, refused};
use super::janitor;
use super::secret_directory::{SECRET_FILE, SecretDirectory};
use super::window::{self, Name};

const HOST_KEY: &str = "host-key";
/// Each takes two file descriptors; contexts that live for a day have 1350 windows.
const WINDOWS_KEPT_OPEN: usize = 16;
/// While claims wait to be removed, every so many exports remove some.
const EXPORTS_BETWEEN_CLEANINGS: u32 = 256;

/// Finds the host key, and makes it for exports.
#[derive(Debug)]
pub(in super::super) struct HostKeyStore {
    place: Place,
    opened: RwLock<Option<Arc<HostKey>>>,
}

impl HostKeyStore {
    pub(in super::super) const fn new(place: Place) -> Self {
        Self { place, opened: RwLock::new(None) }
    }

    /// The secrets to seal a blob with that expires at `expiry`; makes what isn't there.
    pub(in super::super) fn for_export(
        &self,
        identity: &HostIdentity,
        now: u64,
        expiry: u64,
    ) -> Result<Slot, Error> {
        let key = match self.cached(identity) {
            Some(key) => key,
            None => self.cache(HostKey::open_or_make(&self.place, identity, now)?),
        };
        let window = key.window_for_export(now, window::number_at(expiry))?;
        Ok(Slot { key, window })
    }

    /// The host key as it is; makes nothing.
    ///
    /// # Errors
    /// [`BlobRefused::HostKeyGone`] if there is none.
    pub(in super::super) fn for_import(&self, identity: &HostIdentity) -> Result<Arc<HostKey>, Error> {
        if let Some(key) = self.cached(identity) {
            return Ok(key);
        }
        let key = HostKey::open(&self.place, identity)?.ok_or(BlobRefused::HostKeyGone)?;
        Ok(self.cache(key))
    }

    fn cached(&self, identity: &HostIdentity) -> Option<Arc<HostKey>> {
        let key = self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        key.is_current(identity).then_some(key)
    }

    fn cache(&self, key: HostKey) -> Arc<HostKey> {
        let key = Arc::new(key);
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&key));
        key
    }
}

/// The host key, opened.
pub(in super::super) struct HostKey {
    secret: SecretArray<32>,
    id: Fingerprint,
    /// `None` where the application does without claims.
    kept: Option<Kept>,
    /// For whom it was opened.
    owner_id: Vec<u8>,
    boot: String,
    windows: RwLock<BTreeMap<u64, Arc<SecretDirectory>>>,
    claims_left_over: AtomicBool,
    exports: AtomicU32,
}

/// The directory of the host key, opened.
struct Kept {
    path: PathBuf,
    directory: Directory,
    key: SecretDirectory,
    secret_path: PathBuf,
}

impl HostKey {
    fn open(place: &Place, identity: &HostIdentity) -> Result<Option<Self>, Unavailable> {
        if let Some(key) = Self::without_claims(place, identity) {
            return Ok(Some(key));
        }
        let path = checked::host_key_directory(place)?;
        let Some(directory) = checked::open_named(&path, place.access)? else { return Ok(None) };
        let key = SecretDirectory::open(&directory, &path, HOST_KEY)?;
        Ok(key.map(|key| Self::with(place, path, directory, key, identity)))
    }

    fn open_or_make(place: &Place, identity: &HostIdentity, now: u64) -> Result<Self, Unavailable> {
        if let Some(key) = Self::without_claims(place, identity) {
            return Ok(key);
        }
        let path = checked::host_key_directory(place)?;
        checked::make_named(&path, place.access)?;
        let Some(directory) = checked::open_named(&path, place.access)? else {
            return Err(refused(&path, "it disappeared while it was opened; try again"));
        };
        let temporary = Name::temporary(&window::boot_in_names(identity.boot), window::number_at(now));
        let key = SecretDirectory::open_or_make(&directory, &path, HOST_KEY, &temporary)?;
        Ok(Self::with(place, path, directory, key, identity))
    }

    fn with(
        place: &Place,
        path: PathBuf,
        directory: Directory,
        key: SecretDirectory,
        identity: &HostIdentity,
    ) -> Self {
        // An application's key takes nothing away from the directory's secret: who lacks one of them has nothing, and a
        // directory that was lost and made anew opens nothing old.
        let secret = match &place.key {
            None => key.secret().duplicate(),
            Some(given) => mixed_secret(given.secret(), key.secret()),
        };
        let secret_path = path.join(HOST_KEY).join(SECRET_FILE);
        Self::of(secret, Some(Kept { path, directory, key, secret_path }), identity)
    }

    /// The application's key alone, where it does without claims.
    fn without_claims(place: &Place, identity: &HostIdentity) -> Option<Self> {
        let given = place.key.as_ref().filter(|_| !place.claims_are_kept)?;
        Some(Self::of(given.secret().duplicate(), None, identity))
    }

    fn of(secret: SecretArray<32>, kept: Option<Kept>, identity: &HostIdentity) -> Self {
        Self {
            id: secret_fingerprint(&secret),
            secret,
            kept,
            owner_id: identity.owner_id.clone(),
            boot: window::boot_in_names(identity.boot),
            windows: RwLock::default(),
            claims_left_over: AtomicBool::new(false),
            exports: AtomicU32::new(0),
        }
    }

    /// Whether the process still runs as the same user, and the secret is still what its path leads to.
    fn is_current(&self, identity: &HostIdentity) -> bool {
        self.owner_id == identity.owner_id
            && self.boot == window::boot_in_names(identity.boot)
            && self.kept.as_ref().is_none_or(|kept| kept.key.file_is_at(&kept.secret_path))
    }

    /// Stands for the host's secret and tells nothing about it.
    pub(in super::super) const fn id(&self) -> Fingerprint {
        self.id
    }

    /// The window in which a blob is claimed that expires at `expiry` and was sealed with the seed `seed_id`.
    ///
    /// # Errors
    /// [`BlobRefused::HostKeyGone`] if it isn't there, or was made anew.
    pub(in super::super) fn slot_for_import(
        self: &Arc<Self>,
        now: u64,
        expiry: u64,
        seed_id: Fingerprint,
    ) -> Result<Slot, Error> {
        let Some(kept) = &self.kept else { return Ok(Slot { key: Arc::clone(self), window: None }) };
        let number = window::number_at(expiry);
        let window = match self.cached_window(number).filter(|window| window.secret_id() == seed_id) {
            Some(window) => window,
            None => {
                let name = Name::window(&self.boot, number);
                let found = SecretDirectory::open(&kept.directory, &kept.path, &name)?
                    .filter(|window| window.secret_id() == seed_id)
                    .ok_or(BlobRefused::HostKeyGone)?;
                self.cache_window(now, number, found)
            }
        };
        Ok(Slot { key: Arc::clone(self), window: Some(window) })
    }

    fn window_for_export(&self, now: u64, number: u64) -> Result<Option<Arc<SecretDirectory>>, Unavailable> {
        let Some(kept) = &self.kept else { return Ok(None) };
        kept.directory.check_exporter(&kept.path)?;
        self.clean_now_and_then(kept, now);
        let name = Name::window(&self.boot, number);
        if let Some(window) = self.cached_window(number) {
            if window.is_in_place(&kept.directory, &name) {
                return Ok(Some(window));
            }
        }
        let temporary = Name::temporary(&self.boot, window::number_at(now));
        let window = SecretDirectory::open_or_make(&kept.directory, &kept.path, &name, &temporary)?;
        self.clean(kept, now);
        Ok(Some(self.cache_window(now, number, window)))
    }

    fn cached_window(&self, number: u64) -> Option<Arc<SecretDirectory>> {
        self.windows.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Adds a window to the cache, and forgets (and so wipes) the seeds of those that have passed.
    fn cache_window(&self, now: u64, number: u64, window: SecretDirectory) -> Arc<SecretDirectory> {
        let window = Arc::new(window);
        let mut windows = self.windows.write().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|number, _| *number >= window::number_at(now));
        windows.insert(number, Arc::clone(&window));
        if windows.len() > WINDOWS_KEPT_OPEN {
            // The one furthest away in time: exports go on near the newest, imports near the oldest.
            let distance = |end: Option<(&u64, _)>| end.map_or(0, |(other, _)| number.abs_diff(*other));
            if distance(windows.first_key_value()) > distance(windows.last_key_value()) {
                windows.pop_first();
            } else {
                windows.pop_last();
            }
        }
        window
    }

    fn clean(&self, kept: &Kept, now: u64) {
        let all = janitor::remove_passed_windows(&kept.directory, &self.boot, window::number_at(now));
        self.claims_left_over.store(!all, Ordering::Relaxed);
    }

    fn clean_now_and_then(&self, kept: &Kept, now: u64) {
        if self.claims_left_over.load(Ordering::Relaxed)
            && self.exports.fetch_add(1, Ordering::Relaxed) % EXPORTS_BETWEEN_CLEANINGS == 0
        {
            self.clean(kept, now);
        }
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.kept.as_ref().map(|kept| &kept.path);
        f.debug_struct("HostKey").field("path", &path).finish_non_exhaustive()
    }
}

/// HMAC-SHA256 of the directory's secret under the application's key.
fn mixed_secret(given: &SecretArray<32>, in_directory: &SecretArray<32>) -> SecretArray<32> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, given.expose());
    let tag = hmac::sign(&key, in_directory.expose());
    let mut mixed = SecretArray::new([0; 32]);
    for (to, from) in mixed.expose_mut().iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    mixed
}

/// In the place of a window's seed, where there are no windows.
static NO_SEED: SecretArray<32> = SecretArray::new([0; 32]);

/// What one blob is sealed with and claimed in.
#[derive(Debug)]
pub(in super::super) struct Slot {
    key: Arc<HostKey>,
    /// `None` where the application does without claims.
    window: Option<Arc<SecretDirectory>>,
}

impl Slot {
    pub(in super::super) fn host_key_id(&self) -> Fingerprint {
        self.key.id()
    }

    pub(in super::super) fn seed_id(&self) -> Fingerprint {
        self.window.as_ref().map_or([0; 8], |window| window.secret_id())
    }

    pub(in super::super) fn host_secret(&self) -> &SecretArray<32> {
        &self.key.secret
    }

    pub(in super::super) fn seed(&self) -> &SecretArray<32> {
        self.window.as_ref().map_or(&NO_SEED, |window| window.secret())
    }

    /// Whether a claim means anything: `false` where the application does without, and each gets `Ok`.
    pub(in super::super) const fn claims_are_kept(&self) -> bool {
        self.window.is_some()
    }

    /// Claims the blob: of all processes that ever try, one gets `Ok`, if [claims are kept](Self::claims_are_kept).
    ///
    /// # Errors
    /// - [`BlobRefused::AlreadyImported`] for all others.
    /// - [`BlobRefused::HostKeyGone`] if the record of claims was removed.
    /// - [`Unavailable::HostKey`] if the claim can't be recorded, for example on a full disk.
    pub(in super::super) fn claim(&self, blob_id: &BlobId) -> Result<(), Error> {
        match &self.window {
            Some(window) => window::claim(window, blob_id),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostKeyScope;

    #[test]
    fn few_windows_are_kept_open_and_none_that_has_passed() {
        let builder = &mut tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.tempdir().unwrap();
        let store = HostKeyStore::new(HostKeyScope::user_directory(directory.path()).into_place());
        let identity = HostIdentity::new(b"machine", b"boot", b"owner");
        let minute = 64_000;
        for number in (0..40).chain((0..40).rev()) {
            let slot = store.for_export(&identity, 0, number * minute).unwrap();
            assert_eq!(slot.key.cached_window(number).unwrap().secret_id(), slot.seed_id());
        }
        let key = store.for_import(&identity).unwrap();
        let open = || key.windows.read().unwrap().keys().copied().collect::<Vec<_>>();
        assert_eq!(open(), (0..16).collect::<Vec<_>>());
        let _ = store.for_export(&identity, 10 * minute, 100 * minute).unwrap();
        assert_eq!(open(), [10, 11, 12, 13, 14, 15, 100], "the seeds of passed windows are forgotten");
    }
}
