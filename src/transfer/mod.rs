//! Handing contexts over: what ExportSecurityContext gives and ImportSecurityContext takes.
//!
//! An exported context ("blob") is the package's portable state, encrypted under a key derived for this one blob from
//! secrets that only processes of this user on this host can read, behind a header that says which. See `blob` for its
//! form, `seal` for the key, `host_key` for the secrets.
//!
//! Import goes from what costs nothing to what can't be undone: form, version, package, scope, machine, boot, user,
//! audience, host key, clock, expiry, decryption, decoding, and only then the claim, which decides between processes that import the same blob. What an
//! attacker changes in the header makes it be refused earlier, or fail decryption; he can't use up a blob without
//! having it.

mod audience;
mod blob;
mod fields;
mod host_key;
mod options;
mod scope;
mod seal;
mod stream;

use portable_sspi_core::{BlobKind, BlobRefused, Error, Misuse, PortableState, Unavailable};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

use self::blob::{Blob, Header, PackageName, TAG_LENGTH};
use self::fields::Fields;
use self::host_key::{HostKeyStore, RunningHost, Slot};
use self::seal::{BlobKey, HostIdentity};

pub use audience::{Audience, AudienceLabel};
pub use options::{ExportFlags, ExportOptions};
pub use scope::{ApplicationKey, Claims, HostKeyScope};
pub(crate) use stream::{Record, StreamReader};

/// Seals and opens exported contexts.
#[derive(Debug)]
pub(crate) struct Transfer {
    host: RunningHost,
    keys: HostKeyStore,
    random: SystemRandom,
    /// What this process is called when it imports.
    labels: Vec<AudienceLabel>,
}

impl Transfer {
    /// With the host key of `scope`, importing what is meant for one of `labels` or for anybody.
    pub(crate) fn new(scope: HostKeyScope, labels: Vec<AudienceLabel>) -> Self {
        Self {
            host: RunningHost::new(&scope),
            keys: HostKeyStore::new(scope.into_place()),
            random: SystemRandom::new(),
            labels,
        }
    }

    /// Whether a header can hold the package's name.
    pub(crate) fn is_package_name(name: &str) -> bool {
        PackageName::new(name).is_some()
    }

    /// Gets everything that sealing needs and that can fail for reasons outside this process.
    pub(crate) fn prepare(&self, package: &str, options: &ExportOptions) -> Result<Prepared, Error> {
        self.prepare_as(&*self.host.identity()?, RunningHost::now()?, package, options)
    }

    fn prepare_as(
        &self,
        identity: &HostIdentity,
        now: u64,
        package: &str,
        options: &ExportOptions,
    ) -> Result<Prepared, Error> {
        let package = PackageName::new(package).ok_or(Misuse::BadOption {
            option: "package",
            problem: "a name of 1 to 16 ASCII characters is needed",
        })?;
        let (header, slot) = self.header(identity, now, BlobKind::Context, package, options)?;
        let label = options.audience.label.as_ref();
        let key = BlobKey::derive_for(label, slot.host_secret(), slot.seed(), identity, &header.blob_id)?;
        Ok(Prepared { header, key })
    }

    /// The header of an export that is made now, and the place of its secrets and its claim.
    fn header(
        &self,
        identity: &HostIdentity,
        now: u64,
        kind: BlobKind,
        package: PackageName,
        options: &ExportOptions,
    ) -> Result<(Header, Slot), Error> {
        let expiry = now.saturating_add(options.lifetime_milliseconds()?);
        if options.audience.user.is_some() && audience::effective_user().is_none() {
            return Err(Misuse::NotSupported { what: "naming the importing user by a number" }.into());
        }
        let slot = self.keys.for_export(identity, now, expiry)?;
        let mut blob_id = [0; 16];
        self.random.fill(&mut blob_id).map_err(|_| Unavailable::Entropy)?;
        let header = Header {
            kind,
            machine: identity.machine,
            boot: identity.boot,
            owner: identity.owner,
            host_key_id: slot.host_key_id(),
            window_seed_id: slot.seed_id(),
            blob_id,
            creation: now,
            expiry,
            package,
            fields: Fields {
                scope: identity.scope,
                label: options.audience.label.map(|label| label.hint(&blob_id)),
                importer: options.audience.user,
            },
        };
        Ok((header, slot))
    }

    /// Opens a blob that holds what is `expected`, decodes it, and claims it. `find_package` is asked for the package before
    /// anything that costs.
    ///
    /// The claim comes last, so that a process which can't decode the state (a newer layout than it knows) leaves the
    /// blob to one that can.
    ///
    /// # Errors
    /// [`BlobRefused`] by cause; [`Unavailable`] if the host key can't be read or the claim not be written; and as
    /// `decode`.
    pub(crate) fn open<P, T>(
        &self,
        expected: BlobKind,
        blob: &[u8],
        find_package: impl FnOnce(&str) -> Result<P, Error>,
        decode: impl FnOnce(P, &PortableState) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let blob = Blob::parse(blob)?;
        blob.header.check_kind(expected)?;
        let package = find_package(blob.header.package.as_str())?;
        self.open_as(&*self.host.identity()?, RunningHost::now()?, &blob, |state| decode(package, state))
    }

    fn open_as<T>(
        &self,
        identity: &HostIdentity,
        now: u64,
        blob: &Blob<'_>,
        decode: impl FnOnce(&PortableState) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let header = &blob.header;
        let (slot, label) = self.slot_of(identity, now, header)?;
        let key = BlobKey::derive_for(label, slot.host_secret(), slot.seed(), identity, &header.blob_id)?;
        let mut sealed = Zeroizing::new(blob.sealed.to_vec());
        let state = PortableState::from_bytes(key.open(blob.header_bytes, &mut sealed)?)?;
        let decoded = decode(&state)?;
        slot.claim(&header.blob_id)?;
        Ok(decoded)
    }

    /// The secrets that `header` names with the place of its claim, and the label that it is for; or what of it doesn't
    /// fit this process.
    fn slot_of(
        &self,
        identity: &HostIdentity,
        now: u64,
        header: &Header,
    ) -> Result<(Slot, Option<&AudienceLabel>), Error> {
        if header.fields.scope != identity.scope {
            let (found, here) = (header.fields.scope.name(), identity.scope.name());
            return Err(BlobRefused::WrongScope { found, here }.into());
        }
        for (found, here, refused) in [
            (header.machine, identity.machine, BlobRefused::WrongHost),
            (header.boot, identity.boot, BlobRefused::WrongBoot),
            (header.owner, identity.owner, BlobRefused::WrongUser),
        ] {
            if found != here {
                return Err(refused.into());
            }
        }
        let label = self.label_for(header)?;
        let host_key = self.keys.for_import(identity)?;
        if header.host_key_id != host_key.id() {
            return Err(BlobRefused::HostKeyGone.into());
        }
        // Where the clock has another start, such as in a time namespace, the expiry would come later than it was meant.
        if now < header.creation {
            return Err(BlobRefused::ClocksDiffer.into());
        }
        if now >= header.expiry {
            return Err(BlobRefused::Expired.into());
        }
        Ok((host_key.slot_for_import(now, header.expiry, header.window_seed_id)?, label))
    }

    /// The label that the blob is for, if it is for one. Refuses what is meant for others.
    fn label_for(&self, header: &Header) -> Result<Option<&AudienceLabel>, BlobRefused> {
        if let Some(expected) = header.fields.importer {
            if audience::effective_user() != Some(expected) {
                return Err(BlobRefused::WrongImporter { expected });
            }
        }
        let Some(hint) = header.fields.label else { return Ok(None) };
        let label = self.labels.iter().find(|label| label.hint(&header.blob_id) == hint);
        label.map(Some).ok_or(BlobRefused::WrongAudience)
    }
}

/// An export of which only the state is missing.
pub(crate) struct Prepared {
    header: Header,
    key: BlobKey,
}

impl Prepared {
    /// The state will be that of a handshake under way.
    pub(crate) const fn partial(mut self) -> Self {
        self.header.kind = BlobKind::Partial;
        self
    }

    /// The blob.
    pub(crate) fn seal(self, state: &PortableState) -> Result<Vec<u8>, Error> {
        let state = state.to_bytes();
        let mut blob = Zeroizing::new(Vec::with_capacity(self.header.length() + state.len() + TAG_LENGTH));
        self.header.write(&mut blob);
        match self.key.seal(&mut blob, &state) {
            // Nothing in it is secret any more.
            Ok(()) => Ok(std::mem::take(&mut *blob)),
            Err(error) => {
                blob.zeroize();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "ntlm")]
mod golden;
#[cfg(test)]
#[cfg(any(unix, windows))]
mod tests;
