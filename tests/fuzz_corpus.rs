//! The fuzz targets on their seeds, but for the C library's. `fuzz/` has the targets; `.ci/fuzz` lets a fuzzer go on from here.
//!
//! The seeds are made of the published messages and of tokens of this library. After a change of either,
//! `PORTABLE_SSPI_WRITE_SEEDS=1 cargo test --test fuzz_corpus` writes them anew.

#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../fuzz/src/targets.rs"]
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

/// What the seeds should be: file and contents.
fn made() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut made: BTreeMap<_, _> = targets::own_seeds()
        .into_iter()
        .map(|(target, name, bytes)| (Path::new(target).join(name), bytes))
        .collect();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers/ntlm/testdata/vectors");
    for file in ["acceptor_verdicts.json", "client.json", "exchanges.json", "messages.json"] {
        let text = fs::read(vectors.join(file)).unwrap();
        let vectors: serde_json::Value = serde_json::from_slice(&text).unwrap();
        for vector in vectors["vectors"].as_array().unwrap() {
            let name = vector["name"].as_str().unwrap();
            for place in ["inputs", "expected"] {
                for value in vector[place].as_object().unwrap().values() {
                    let bytes = value.as_str().and_then(|text| hex::decode(text).ok()).unwrap_or_default();
                    let target = match bytes.get(8) {
                        Some(1) => "negotiate",
                        Some(2) => "challenge",
                        Some(3) => "authenticate",
                        _ => continue,
                    };
                    // Each once, under the first name: the vectors about servers share their first two messages.
                    let known = made.iter().any(|(path, other)| path.starts_with(target) && *other == bytes);
                    if bytes.starts_with(b"NTLMSSP\0") && !known {
                        made.insert(Path::new(target).join(name), bytes);
                    }
                }
            }
        }
    }
    made
}

fn stored() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut stored = BTreeMap::new();
    for (target, _) in targets::TARGETS {
        for entry in fs::read_dir(seeds().join(target)).unwrap() {
            let path = entry.unwrap().path();
            stored.insert(path.strip_prefix(seeds()).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
    stored
}

#[test]
fn the_seeds_are_those_of_the_vectors() {
    let made = made();
    if std::env::var_os("PORTABLE_SSPI_WRITE_SEEDS").is_some() {
        // Those of the C library's target are kept by `capi/tests/fuzz_corpus.rs`.
        for (target, _) in targets::TARGETS {
            let _ = fs::remove_dir_all(seeds().join(target));
        }
        for (path, bytes) in &made {
            let path = seeds().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let stored = stored();
    let names = |map: &BTreeMap<PathBuf, Vec<u8>>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&stored), names(&made));
    for (path, bytes) in &made {
        assert!(stored[path] == *bytes, "{}", path.display());
    }
}

#[test]
fn every_target_stands_its_seeds() {
    for (target, run) in targets::TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(seeds().join(target)).unwrap() {
            run(&fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert_ne!(count, 0, "{target}");
    }
    targets::the_real_blob_is_still_good();
}

/// Each seed with each of its first bytes changed, and cut at each length: what a fuzzer tries first.
#[test]
fn every_target_stands_what_is_near_its_seeds() {
    for (target, run) in targets::TARGETS.into_iter().filter(|(target, _)| *target != "blob") {
        for entry in fs::read_dir(seeds().join(target)).unwrap() {
            let seed = fs::read(entry.unwrap().path()).unwrap();
            for place in 0..seed.len().min(120) {
                let mut changed = seed.clone();
                changed[place] ^= 0xFF;
                run(&changed);
                run(&seed[..place]);
            }
        }
    }
}
