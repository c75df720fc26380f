//! Sealing: a key for each blob, and the AEAD under it.
//!
//! The key comes from HKDF-SHA256 (RFC 5869) with
//! - input: the host's secret, then the seed of the claim window that the blob expires in. Whoever lacks one of them has
//!   nothing; the seed is deleted with its window, and then not even the host's secret opens the blob again;
//! - salt: the random blob id;
//! - info: the purpose, the machine's id, the boot id, the id of the user or other owner, and the audience's label if there
//!   is one, each behind its length.
//!
//! The AEAD is ChaCha20-Poly1305, which needs no table and no special instruction to run in constant time.

use portable_sspi_core::{BlobRefused, Error, Misuse, SecretArray};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::{digest, hkdf, hmac};
use zeroize::Zeroizing;

use super::audience::AudienceLabel;
use super::blob::{BlobId, Fingerprint};
use super::scope::ScopeKind;

const PURPOSE: &[u8] = b"portable-sspi exported context 1";
/// Follows the info of a blob's key in that of a stream's, which so is never the info of a blob's.
const STREAM_PURPOSE: &[u8] = b"stream 1";

/// What a blob is bound to: machine, start of the machine, and user. All three are names, not secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostIdentity {
    pub(super) machine: Fingerprint,
    pub(super) boot: Fingerprint,
    pub(super) owner: Fingerprint,
    /// The user's id in full, to notice when the process has changed its user.
    pub(super) owner_id: Vec<u8>,
    /// What kind of owner it is. Not in the info: the owner's id says it already.
    pub(super) scope: ScopeKind,
    /// The info of the key derivation.
    info: Vec<u8>,
}

impl HostIdentity {
    /// Brings the three together, for the default scope.
    pub(super) fn new(machine_id: &[u8], boot_id: &[u8], owner_id: &[u8]) -> Self {
        let mut info = Vec::new();
        for part in [PURPOSE, machine_id, boot_id, owner_id] {
            push_with_length(&mut info, part);
        }
        Self {
            machine: public_fingerprint(b"machine", machine_id),
            boot: public_fingerprint(b"boot", boot_id),
            owner: public_fingerprint(b"owner", owner_id),
            owner_id: owner_id.to_vec(),
            scope: ScopeKind::User,
            info,
        }
    }

    /// The same, for another scope.
    pub(super) fn in_scope(self, scope: ScopeKind) -> Self {
        Self { scope, ..self }
    }
}

/// Lengths first, so that no two lists of parts give the same bytes.
fn push_with_length(info: &mut Vec<u8>, part: &[u8]) {
    info.extend_from_slice(&(part.len() as u64).to_le_bytes());
    info.extend_from_slice(part);
}

/// Eight bytes that stand for an id. systemd asks that a machine id not be shown as it is (machine-id(5)): it is hashed
/// together with who asks.
fn public_fingerprint(what: &[u8], id: &[u8]) -> Fingerprint {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"portable-sspi fingerprint 1");
    context.update(&(what.len() as u64).to_le_bytes());
    context.update(what);
    context.update(id);
    first_eight(context.finish().as_ref())
}

/// Eight bytes that stand for a secret and tell nothing about it: an HMAC-SHA256 under the secret.
#[cfg_attr(not(any(unix, windows)), allow(dead_code, reason = "no host key is kept there yet"))]
pub(super) fn secret_fingerprint(secret: &SecretArray<32>) -> Fingerprint {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    first_eight(hmac::sign(&key, b"portable-sspi secret id 1").as_ref())
}

fn first_eight(bytes: &[u8]) -> Fingerprint {
    bytes.first_chunk().copied().unwrap_or_default()
}

/// The key of one blob. Each use consumes it, so that it encrypts once: that is what makes the fixed nonce sound.
pub(super) struct BlobKey(LessSafeKey);

impl BlobKey {
    /// Derives the key of the blob `blob_id`, which anybody in the scope may open.
    #[cfg(test)]
    pub(super) fn derive(
        host_secret: &SecretArray<32>,
        window_seed: &SecretArray<32>,
        identity: &HostIdentity,
        blob_id: &BlobId,
    ) -> Result<Self, Error> {
        Self::derive_for(None, host_secret, window_seed, identity, blob_id)
    }

    /// As [`derive`](Self::derive), for who knows `label`.
    pub(super) fn derive_for(
        label: Option<&AudienceLabel>,
        host_secret: &SecretArray<32>,
        window_seed: &SecretArray<32>,
        identity: &HostIdentity,
        blob_id: &BlobId,
    ) -> Result<Self, Error> {
        derive_key(host_secret, window_seed, &[&identity.info, &audience_info(label)], blob_id).map(Self)
    }

    /// Encrypts `state` onto the end of `blob`, which holds the header, and appends the tag over both.
    ///
    /// `blob` should have room for it all: growing leaves copies behind.
    pub(super) fn seal(self, blob: &mut Zeroizing<Vec<u8>>, state: &[u8]) -> Result<(), Error> {
        let header_length = blob.len();
        blob.extend_from_slice(state);
        let (header, plaintext) = blob.split_at_mut(header_length);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(), Aad::from(&*header), plaintext)
            .map_err(|_| too_large())?;
        blob.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Decrypts `sealed` in place and gives the state, which lies inside it.
    pub(super) fn open<'a>(self, header: &[u8], sealed: &'a mut [u8]) -> Result<&'a [u8], BlobRefused> {
        match self.0.open_in_place(nonce(), Aad::from(header), sealed) {
            Ok(state) => Ok(state),
            Err(_) => Err(BlobRefused::Damaged),
        }
    }
}

/// What a label adds to the info of a key.
fn audience_info(label: Option<&AudienceLabel>) -> Vec<u8> {
    let mut info = Vec::new();
    if let Some(label) = label {
        push_with_length(&mut info, label.digest());
    }
    info
}

/// What both kinds of keys come from; `info` must differ between them.
fn derive_key(
    host_secret: &SecretArray<32>,
    window_seed: &SecretArray<32>,
    info: &[&[u8]],
    blob_id: &BlobId,
) -> Result<LessSafeKey, Error> {
    // ring wipes neither its HMAC keys nor its AEAD keys; what passes through this function's own hands is wiped.
    let mut input = Zeroizing::new([0; 64]);
    for (to, from) in input.iter_mut().zip(host_secret.expose().iter().chain(window_seed.expose())) {
        *to = *from;
    }
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, blob_id).extract(input.as_ref());
    let output = pseudorandom.expand(info, &CHACHA20_POLY1305).map_err(|_| too_large())?;
    Ok(LessSafeKey::new(UnboundKey::from(output)))
}

/// The key of one stream of chunks, by the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015, as age uses it):
/// the nonce of a chunk is its number and whether it is the last. A chunk that was moved, repeated or left out has
/// another number, and one that was made the end of a cut stream has another mark: neither can be opened.
pub(super) struct StreamKey {
    key: LessSafeKey,
    /// The number of the next chunk.
    next: u64,
}

impl StreamKey {
    /// Derives the key of the stream `blob_id`, for who knows `label`. No blob has the same: the info says that it is for a
    /// stream.
    pub(super) fn derive_for(
        label: Option<&AudienceLabel>,
        host_secret: &SecretArray<32>,
        window_seed: &SecretArray<32>,
        identity: &HostIdentity,
        blob_id: &BlobId,
    ) -> Result<Self, Error> {
        let audience = audience_info(label);
        let info = [identity.info.as_slice(), audience.as_slice(), STREAM_PURPOSE];
        Ok(Self { key: derive_key(host_secret, window_seed, &info, blob_id)?, next: 0 })
    }

    /// Encrypts `chunk` in place and gives the tag over it and the header.
    pub(super) fn seal(&mut self, header: &[u8], chunk: &mut [u8], last: bool) -> Result<Tag, Error> {
        let nonce = self.nonce(last).ok_or_else(too_large)?;
        self.key.seal_in_place_separate_tag(nonce, Aad::from(header), chunk).map_err(|_| too_large())
    }

    /// Decrypts the next chunk in place and gives what was in it. After a failure, the stream is over: call it no more.
    pub(super) fn open<'a>(
        &mut self,
        header: &[u8],
        chunk: &'a mut [u8],
        last: bool,
    ) -> Result<&'a [u8], BlobRefused> {
        let nonce = self.nonce(last).ok_or(BlobRefused::Damaged)?;
        match self.key.open_in_place(nonce, Aad::from(header), chunk) {
            Ok(plaintext) => Ok(plaintext),
            Err(_) => Err(BlobRefused::Damaged),
        }
    }

    /// Three zeros, the number (eight bytes, big-endian) and the mark of the last chunk. Each number is used once.
    fn nonce(&mut self, last: bool) -> Option<Nonce> {
        let [n0, n1, n2, n3, n4, n5, n6, n7] = self.next.to_be_bytes();
        self.next = self.next.checked_add(1)?;
        Some(Nonce::assume_unique_for_key([0, 0, 0, n0, n1, n2, n3, n4, n5, n6, n7, u8::from(last)]))
    }
}

/// Always zero. A nonce must not repeat *under one key* (RFC 8439 2.8), and each key is derived for one blob, from its
/// 128-bit random id, and encrypts it once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// ring's only other failure: more than its AEAD takes (256 GiB), which a state of 64 KiB doesn't reach.
fn too_large() -> Error {
    Misuse::BadOption { option: "context state", problem: "larger than can be sealed" }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"header";
    const STATE: &[u8] = b"state with keys in it";

    fn key(secret: u8, seed: u8, identity: &HostIdentity, blob_id: u8) -> BlobKey {
        let (secret, seed) = (SecretArray::new([secret; 32]), SecretArray::new([seed; 32]));
        BlobKey::derive(&secret, &seed, identity, &[blob_id; 16]).unwrap()
    }

    fn opens(key: BlobKey, header: &[u8], sealed: &[u8]) -> bool {
        let mut sealed = sealed.to_vec();
        key.open(header, &mut sealed).is_ok_and(|state| state == STATE)
    }

    #[test]
    fn each_input_of_the_key_matters() {
        let here = HostIdentity::new(b"machine", b"boot", b"owner");
        let mut blob = Zeroizing::new(HEADER.to_vec());
        key(1, 2, &here, 3).seal(&mut blob, STATE).unwrap();
        let sealed = &blob[HEADER.len()..];
        assert_eq!(&blob[..HEADER.len()], HEADER);
        assert_eq!(sealed.len(), STATE.len() + 16);

        assert!(opens(key(1, 2, &here, 3), HEADER, sealed));
        assert!(!opens(key(9, 2, &here, 3), HEADER, sealed), "host secret");
        assert!(!opens(key(1, 9, &here, 3), HEADER, sealed), "window seed");
        assert!(!opens(key(2, 1, &here, 3), HEADER, sealed), "host secret and seed exchanged");
        assert!(!opens(key(1, 2, &here, 9), HEADER, sealed), "blob id");
        assert!(!opens(key(1, 2, &here, 3), b"Header", sealed), "associated data");
        for (machine, boot, owner) in [
            ("other", "boot", "owner"),
            ("machine", "other", "owner"),
            ("machine", "boot", "other"),
            ("machineb", "oot", "owner"),
        ] {
            let there = HostIdentity::new(machine.as_bytes(), boot.as_bytes(), owner.as_bytes());
            assert!(!opens(key(1, 2, &there, 3), HEADER, sealed), "{machine} {boot} {owner}");
        }
    }

    #[test]
    fn the_audience_s_label_matters() {
        let here = HostIdentity::new(b"machine", b"boot", b"owner");
        let key = |label: Option<&str>| {
            let (secret, seed) = (SecretArray::new([1; 32]), SecretArray::new([2; 32]));
            let label = label.map(AudienceLabel::new);
            BlobKey::derive_for(label.as_ref(), &secret, &seed, &here, &[3; 16]).unwrap()
        };
        let mut blob = Zeroizing::new(HEADER.to_vec());
        key(Some("workers")).seal(&mut blob, STATE).unwrap();
        let sealed = &blob[HEADER.len()..];
        assert!(opens(key(Some("workers")), HEADER, sealed));
        for other in [None, Some("Workers"), Some("")] {
            assert!(!opens(key(other), HEADER, sealed), "{other:?}");
        }
    }

    #[test]
    fn each_bit_of_the_sealed_state_matters() {
        let here = HostIdentity::new(b"machine", b"boot", b"owner");
        let mut blob = Zeroizing::new(HEADER.to_vec());
        key(1, 2, &here, 3).seal(&mut blob, STATE).unwrap();
        let sealed = &blob[HEADER.len()..];
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(key(1, 2, &here, 3), HEADER, &changed), "bit {bit}");
        }
    }

    #[test]
    fn fingerprints_tell_what_differs() {
        let one = HostIdentity::new(b"a", b"b", b"c");
        let other = HostIdentity::new(b"a", b"B", b"c");
        assert_eq!((one.machine, one.owner), (other.machine, other.owner));
        assert_ne!(one.boot, other.boot);
        let same_id = HostIdentity::new(b"x", b"x", b"x");
        assert_ne!(same_id.machine, same_id.boot, "what it is the fingerprint of goes in, too");
    }
}
