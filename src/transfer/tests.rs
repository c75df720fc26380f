//! What needs another identity or another time than the real ones.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

const NOW: u64 = 1_000_000;
const MINUTE: u64 = 60_000;

fn key_directory() -> tempfile::TempDir {
    key_directory_in(&std::env::temp_dir())
}

fn key_directory_in(parent: &Path) -> tempfile::TempDir {
    let builder = &mut tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent).unwrap()
}

fn transfer(directory: &Path) -> Transfer {
    Transfer::new(HostKeyScope::user_directory(directory), Vec::new())
}

fn identity(machine: &str, boot: &str, owner: &str) -> HostIdentity {
    HostIdentity::new(machine.as_bytes(), boot.as_bytes(), owner.as_bytes())
}

fn here() -> HostIdentity {
    identity("machine", "boot", "owner")
}

fn state() -> PortableState {
    PortableState::encode(1, &vec![0x5Au8; 200]).unwrap()
}

fn export(transfer: &Transfer, now: u64, lifetime: u64) -> Vec<u8> {
    let options = ExportOptions { lifetime: Duration::from_millis(lifetime), ..ExportOptions::default() };
    transfer.prepare_as(&here(), now, "NTLM", &options).unwrap().seal(&state()).unwrap()
}

fn open(transfer: &Transfer, identity: &HostIdentity, now: u64, blob: &[u8]) -> Result<(), BlobRefused> {
    let decode = |opened: &PortableState| {
        assert_eq!(opened.to_bytes(), state().to_bytes());
        Ok(())
    };
    match transfer.open_as(identity, now, &Blob::parse(blob)?, decode) {
        Ok(()) => Ok(()),
        Err(Error::BlobRefused(refused)) => Err(refused),
        Err(other) => panic!("{other:?}"),
    }
}

fn windows(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut windows: Vec<_> = paths.filter(|path| path.to_string_lossy().contains("window-")).collect();
    windows.sort();
    windows
}

#[test]
fn each_difference_of_the_identity_is_named() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    let blob = export(&transfer, NOW, MINUTE);
    for (there, expected) in [
        (identity("other", "boot", "owner"), BlobRefused::WrongHost),
        (identity("machine", "other", "owner"), BlobRefused::WrongBoot),
        (identity("machine", "boot", "other"), BlobRefused::WrongUser),
        (identity("other", "other", "other"), BlobRefused::WrongHost),
    ] {
        assert_eq!(open(&transfer, &there, NOW, &blob), Err(expected));
    }
    assert_eq!(open(&transfer, &here(), NOW, &blob), Ok(()));
}

#[test]
fn faked_fingerprints_do_not_help() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    let blob = export(&transfer, NOW, MINUTE);
    for there in [identity("other", "boot", "owner"), identity("machine", "boot", "other")] {
        let mut faked = blob.clone();
        faked[16..24].copy_from_slice(&there.machine);
        faked[32..40].copy_from_slice(&there.owner);
        assert_eq!(open(&transfer, &there, NOW, &faked), Err(BlobRefused::Damaged));
    }
}

#[test]
fn an_import_is_possible_until_the_expiry() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    for lifetime in [1, MINUTE, 63_999, 64_000, 300_000, 86_400_000] {
        let (early, late, too_late) = (
            export(&transfer, NOW, lifetime),
            export(&transfer, NOW, lifetime),
            export(&transfer, NOW, lifetime),
        );
        let end = NOW + lifetime;
        assert_eq!(open(&transfer, &here(), NOW, &early), Ok(()));
        assert_eq!(open(&transfer, &here(), end - 1, &late), Ok(()));
        assert_eq!(open(&transfer, &here(), end, &too_late), Err(BlobRefused::Expired));
        assert_eq!(
            open(&transfer, &here(), u64::MAX, &late),
            Err(BlobRefused::Expired),
            "not AlreadyImported"
        );
    }
}

#[test]
fn a_blob_from_the_future_is_refused() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    let blob = export(&transfer, NOW, MINUTE);
    for early in [0, NOW - 1] {
        assert_eq!(open(&transfer, &here(), early, &blob), Err(BlobRefused::ClocksDiffer));
    }
    let mut changed = blob.clone();
    changed[72..80].copy_from_slice(&(NOW - 10).to_le_bytes());
    assert_eq!(open(&transfer, &here(), NOW - 5, &changed), Err(BlobRefused::Damaged));
    assert_eq!(open(&transfer, &here(), NOW, &blob), Ok(()));
}

#[test]
fn a_later_expiry_in_the_header_is_refused() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    let blob = export(&transfer, 0, 1000);
    for expiry in [2000u64, 63_999, 64_000] {
        let mut longer = blob.clone();
        longer[80..88].copy_from_slice(&expiry.to_le_bytes());
        let expected = if expiry < 64_000 { BlobRefused::Damaged } else { BlobRefused::HostKeyGone };
        assert_eq!(open(&transfer, &here(), 1500, &longer), Err(expected));
    }
}

#[test]
fn passed_windows_are_removed_and_others_kept() {
    let directory = key_directory();
    let exporter = transfer(directory.path());
    let (old, long) = (export(&exporter, NOW, MINUTE), export(&exporter, NOW, 30 * MINUTE));
    open(&exporter, &here(), NOW, &old).unwrap();
    assert_eq!(windows(directory.path()).len(), 2);

    let later = NOW + 10 * MINUTE;
    export(&exporter, later, MINUTE);
    let left = windows(directory.path());
    assert_eq!(left.len(), 2, "{left:?}");
    // Even with the clock put back, and in a process that has nothing cached, the old blob stays lost.
    assert_eq!(open(&transfer(directory.path()), &here(), NOW, &old), Err(BlobRefused::HostKeyGone));
    assert_eq!(open(&exporter, &here(), NOW, &old), Err(BlobRefused::HostKeyGone), "from the cache");
    assert_eq!(open(&exporter, &here(), later, &long), Ok(()));
}

#[test]
fn an_import_that_was_overtaken_by_the_removal_fails() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    let blob = export(&transfer, NOW, MINUTE);
    let parsed = Blob::parse(&blob).unwrap();
    let key = transfer.keys.for_import(&here()).unwrap();
    let slot = key.slot_for_import(NOW, parsed.header.expiry, parsed.header.window_seed_id).unwrap();
    slot.claim(&parsed.header.blob_id).unwrap();
    // Half-way through the removal: the seed is gone, and the claim, but not yet the directory.
    let window = windows(directory.path()).pop().unwrap();
    for file in fs::read_dir(&window).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    for _ in 0..2 {
        let again = slot.claim(&parsed.header.blob_id);
        assert!(again.is_err(), "the claim was forgotten");
    }
    fs::remove_dir_all(&window).unwrap();
    let gone = slot.claim(&[9; 16]);
    assert!(matches!(gone, Err(Error::BlobRefused(BlobRefused::HostKeyGone))), "{gone:?}");
}

#[test]
fn windows_of_another_boot_are_removed() {
    let directory = key_directory();
    export(&transfer(directory.path()), NOW, MINUTE);
    let options = ExportOptions::default();
    let rebooted = identity("machine", "another boot", "owner");
    let blob = transfer(directory.path()).prepare_as(&rebooted, 10, "NTLM", &options).unwrap();
    let blob = blob.seal(&state()).unwrap();
    assert_eq!(windows(directory.path()).len(), 1);
    assert_eq!(open(&transfer(directory.path()), &rebooted, 10, &blob), Ok(()));
}

#[test]
fn many_claims_are_removed_little_by_little() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    export(&transfer, NOW, 1);
    let window = windows(directory.path()).pop().unwrap();
    for number in 0..10_000 {
        fs::write(window.join(format!("{number:032x}")), "").unwrap();
    }
    let claims = || fs::read_dir(&window).map_or(0, Iterator::count);
    let later = NOW + 2 * MINUTE;
    export(&transfer, later, 1);
    assert!(!window.join("secret").exists(), "the seed goes at once");
    let left = claims();
    assert!((5_000..8_000).contains(&left), "{left}");
    for _ in 0..1_000 {
        if !window.exists() {
            return;
        }
        export(&transfer, later, 1);
    }
    panic!("{} left", claims());
}

/// Whoever may record claims can put what he likes beside them.
#[cfg(unix)]
#[test]
fn a_window_that_cannot_be_removed_keeps_no_other() {
    // Thousands of directories take their time on a disk.
    let memory = Some(Path::new("/dev/shm")).filter(|memory| memory.is_dir());
    let directory = key_directory_in(memory.unwrap_or(&std::env::temp_dir()));
    let transfer = transfer(directory.path());
    for number in 0..6 {
        export(&transfer, NOW, 1 + number * 64_000);
    }
    let passed = windows(directory.path());
    for window in &passed {
        fs::write(window.join("00"), "").unwrap();
        fs::create_dir(window.join("empty")).unwrap();
    }
    // One alone, and more than one go looks at.
    for (window, stuck) in [(&passed[1], 1), (&passed[4], 4_100)] {
        for number in 0..stuck {
            fs::create_dir_all(window.join(format!("stuck{number}/in it"))).unwrap();
        }
    }
    let later = NOW + 60 * MINUTE;
    export(&transfer, later, 1);
    for window in &passed {
        assert!(!window.join("secret").exists(), "all seeds go at once");
    }
    for _ in 0..3_000 {
        export(&transfer, later, 1);
    }
    for (number, window) in passed.iter().enumerate() {
        assert_eq!(window.exists(), [1, 4].contains(&number), "{number}");
    }
}

#[test]
fn a_process_that_becomes_another_user_forgets_the_key() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    export(&transfer, NOW, MINUTE);
    let before = transfer.keys.for_import(&here()).unwrap();
    let again = transfer.keys.for_import(&here()).unwrap();
    assert!(std::sync::Arc::ptr_eq(&before, &again), "cached");
    let other = identity("machine", "boot", "other");
    let after = transfer.keys.for_import(&other).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&before, &after), "opened and checked anew");
}

#[test]
fn nothing_printed_holds_a_secret() {
    let directory = key_directory();
    let transfer = transfer(directory.path());
    let blob = export(&transfer, NOW, MINUTE);
    let parsed = Blob::parse(&blob).unwrap();
    let key = transfer.keys.for_import(&here()).unwrap();
    let slot = key.slot_for_import(NOW, parsed.header.expiry, parsed.header.window_seed_id).unwrap();
    let shown = format!("{transfer:?} {key:?} {slot:?}").to_lowercase();
    for secret in [slot.host_secret(), slot.seed()] {
        let bytes = &secret.expose()[..3];
        assert!(!shown.contains(&hex::encode(bytes)), "{shown}");
        assert!(!shown.contains(&format!("{}, {}, {}", bytes[0], bytes[1], bytes[2])), "{shown}");
    }
}
