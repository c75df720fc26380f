//! The fuzz target of the C library on its seeds, and on what is near them. `.ci/fuzz` lets a fuzzer go on from here.
//!
//! The seeds are programs: each call a byte, and behind it what the target reads for that call. After a change of the target,
//! `PORTABLE_SSPI_WRITE_SEEDS=1 cargo test -p portable-sspi-capi --test fuzz_corpus` writes them anew.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test says where"
)]

#[path = "../../fuzz/src/capi.rs"]
mod capi;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/capi")
}

fn stored() -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(seeds()).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

/// One test: the target sets up the environment, which must be before any other thread looks at it.
#[test]
fn the_target_stands_its_seeds_and_what_is_near_them() {
    let made: BTreeMap<_, _> =
        capi::own_seeds().into_iter().map(|(name, _, bytes)| (name.to_owned(), bytes)).collect();
    if std::env::var_os("PORTABLE_SSPI_WRITE_SEEDS").is_some() {
        let _ = fs::remove_dir_all(seeds());
        fs::create_dir_all(seeds()).unwrap();
        for (name, bytes) in &made {
            fs::write(seeds().join(name), bytes).unwrap();
        }
    }
    assert_eq!(stored(), made);
    for (name, wanted, seed) in capi::own_seeds() {
        let succeeded = capi::succeeded(&seed);
        assert!(succeeded >= wanted, "{name}: {succeeded} calls succeeded");
        for place in (0..seed.len().min(120)).step_by(3) {
            let mut changed = seed.clone();
            changed[place] ^= 0xFF;
            capi::capi(&changed);
            capi::capi(&seed[..place]);
        }
    }
    capi::clean_up();
}
