//! Blobs of an attacker who knows the format to the byte, but no key: each is refused, nothing panics, nothing is used up,
//! and none makes the importer take more memory than a blob of its length deserves.
#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::sync::OnceLock;

use common::key_directory;
use common::ntlm::{SEALED, accept, going_on, handshake, initialize, sspi};
use portable_sspi::{BlobRefused, Error, ExportOptions, Sspi};
use proptest::prelude::*;
use proptest::sample::Index;

struct World {
    _directory: tempfile::TempDir,
    sspi: Sspi,
    /// A blob of each kind, never imported.
    blobs: [Vec<u8>; 3],
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let directory = key_directory();
        let sspi = sspi(directory.path());
        let options = ExportOptions::default();
        let (client, server) = handshake(&sspi, SEALED, |partial| partial);
        let single = sspi.export_security_context(client, &options).unwrap();
        let negotiate = going_on(initialize(&sspi, SEALED, None, &[])).1;
        let partial = going_on(accept(&sspi, None, &negotiate).unwrap()).0;
        let partial = sspi.export_partial_context(partial, &options).unwrap();
        let mut many = Vec::new();
        let others = (0..4).map(|_| handshake(&sspi, SEALED, |partial| partial).1);
        assert_eq!(sspi.export_all(others.chain([server]), &mut many, &options).unwrap().exported, 5);
        World { _directory: directory, sspi, blobs: [single, partial, many] }
    })
}

/// What an attacker does to bytes that he has.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Set(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
    /// From there on, what another blob has at the same place.
    Splice(usize, Index),
    /// The kind in the header, and the field for the package's name as that kind has it.
    Kind(u8),
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..9);
    let index = any::<Index>;
    prop_oneof![
        (index(), 1u8..).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (index(), bytes()).prop_map(|(at, bytes)| Change::Set(at, bytes)),
        // Lengths, counts and expiries at their ends.
        index().prop_map(|at| Change::Set(at, vec![0xFF; 8])),
        (index(), bytes()).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (index(), 1usize..40).prop_map(|(at, count)| Change::Remove(at, count)),
        index().prop_map(Change::Cut),
        (0usize..3, index()).prop_map(|(other, at)| Change::Splice(other, at)),
        (0u8..4).prop_map(Change::Kind),
    ]
}

fn apply(blob: &mut Vec<u8>, change: &Change) {
    if blob.is_empty() {
        return;
    }
    let length = blob.len();
    match change {
        Change::Flip(at, bits) => blob[at.index(length)] ^= bits,
        Change::Set(at, bytes) => {
            let at = at.index(length);
            let end = length.min(at + bytes.len());
            blob[at..end].copy_from_slice(&bytes[..end - at]);
        }
        Change::Insert(at, bytes) => {
            let at = at.index(length);
            blob.splice(at..at, bytes.iter().copied());
        }
        Change::Remove(at, count) => {
            let at = at.index(length);
            blob.drain(at..length.min(at + count));
        }
        Change::Cut(at) => blob.truncate(at.index(length)),
        Change::Splice(other, at) => {
            let other = &world().blobs[*other];
            let at = at.index(length);
            blob.truncate(at);
            blob.extend_from_slice(other.get(at..).unwrap_or_default());
        }
        Change::Kind(kind) if length > 104 => {
            blob[12] = *kind;
            let name: &[u8; 16] = if *kind == 2 { &[0; 16] } else { b"NTLM\0\0\0\0\0\0\0\0\0\0\0\0" };
            blob[88..104].copy_from_slice(name);
        }
        Change::Kind(_) => {}
    }
}

/// Whether one of the three functions took it. Refusals must not say that it was imported: nothing was.
fn is_taken(blob: &[u8]) -> bool {
    let sspi = &world().sspi;
    let results = [
        sspi.import_security_context(None, blob).map(drop),
        sspi.import_partial_context(None, blob).map(drop),
        sspi.import_all(blob).map(drop),
    ];
    results.into_iter().any(|result| match result {
        Ok(()) => true,
        Err(Error::BlobRefused(BlobRefused::AlreadyImported)) => panic!("a claim without an import"),
        Err(Error::BlobRefused(_)) => false,
        Err(other) => panic!("{other}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_blobs_are_refused(which in 0usize..3, changes in prop::collection::vec(change(), 1..5)) {
        let original = &world().blobs[which];
        let mut blob = original.clone();
        changes.iter().for_each(|change| apply(&mut blob, change));
        // What was only lengthened is the same stream, and something after it.
        let is_original = world().blobs.iter().any(|original| blob.starts_with(original));
        prop_assert!(is_original || !is_taken(&blob), "{changes:?}");
    }

    #[test]
    fn random_bytes_behind_a_true_header_are_refused(
        which in 0usize..3,
        random in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        prop_assert!(!is_taken(&[&world().blobs[which][..104], &random].concat()));
        prop_assert!(!is_taken(&random));
    }
}

#[test]
fn the_longest_chunk_is_bounded() {
    let mut blob = world().blobs[2][..104].to_vec();
    for length in [131_089u32, 0x7FFF_FFFF, 0x7FFF_FFFF | 1 << 31, 15, 0] {
        blob.truncate(104);
        blob.extend_from_slice(&length.to_le_bytes());
        // Endless: an importer that believed the length would read it all.
        let endless = std::io::Read::chain(&blob[..], std::io::repeat(7));
        let refused = world().sspi.import_all(endless).map(drop);
        assert!(matches!(refused, Err(Error::BlobRefused(BlobRefused::Damaged))), "{length}: {refused:?}");
    }
}
