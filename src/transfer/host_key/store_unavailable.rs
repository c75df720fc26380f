//! The host key where there is no place for it yet: systems that are neither Unix nor Windows.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use portable_sspi_core::{Error, SecretArray, Unavailable};

use super::super::blob::{BlobId, Fingerprint};
use super::super::scope::Place;
use super::super::seal::HostIdentity;

/// No host key.
#[derive(Debug)]
pub(in super::super) struct HostKeyStore;

impl HostKeyStore {
    pub(in super::super) fn new(_place: Place) -> Self {
        Self
    }

    pub(in super::super) fn for_export(
        &self,
        _identity: &HostIdentity,
        _now: u64,
        _expiry: u64,
    ) -> Result<Slot, Error> {
        Err(not_yet())
    }

    pub(in super::super) fn for_import(&self, _identity: &HostIdentity) -> Result<Arc<HostKey>, Error> {
        Err(not_yet())
    }
}

/// There is none: the type has no value.
pub(in super::super) enum HostKey {}

impl HostKey {
    pub(in super::super) fn id(&self) -> Fingerprint {
        match *self {}
    }

    pub(in super::super) fn slot_for_import(
        self: &Arc<Self>,
        _now: u64,
        _expiry: u64,
        _seed_id: Fingerprint,
    ) -> Result<Slot, Error> {
        match **self {}
    }
}

/// There is none: the type has no value.
pub(in super::super) enum Slot {}

impl Slot {
    pub(in super::super) fn host_key_id(&self) -> Fingerprint {
        match *self {}
    }

    pub(in super::super) fn seed_id(&self) -> Fingerprint {
        match *self {}
    }

    pub(in super::super) fn host_secret(&self) -> &SecretArray<32> {
        match *self {}
    }

    pub(in super::super) fn seed(&self) -> &SecretArray<32> {
        match *self {}
    }

    pub(in super::super) const fn claims_are_kept(&self) -> bool {
        match *self {}
    }

    pub(in super::super) fn claim(&self, _blob_id: &BlobId) -> Result<(), Error> {
        match *self {}
    }
}

fn not_yet() -> Error {
    let problem = "exporting and importing contexts is not implemented on this system";
    Unavailable::System {
        what: "a place for the host key",
        source: io::Error::new(ErrorKind::Unsupported, problem),
    }
    .into()
}
