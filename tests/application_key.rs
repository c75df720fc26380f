//! Host keys from a key that the application gives its processes, and what systems without numbers for users and groups say of
//! the scopes that need them.
#![cfg(any(unix, windows))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::fs;

use common::{context, key_directory, sspi_in};
use portable_sspi::{
    ApplicationKey, BlobRefused, Claims, Error, ExportOptions, HostKeyScope, SecretArray, Sspi,
};

fn export(sspi: &Sspi) -> Result<Vec<u8>, Error> {
    sspi.export_security_context(context(sspi, 1), &ExportOptions::default()).map_err(|failed| failed.error)
}

fn refusal(sspi: &Sspi, blob: &[u8]) -> BlobRefused {
    match sspi.import_security_context(None, blob) {
        Err(Error::BlobRefused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn application(key: u8, claims: &Claims) -> Sspi {
    let key = ApplicationKey::from_bytes(SecretArray::new([key; 32]));
    sspi_in(HostKeyScope::Application { key, claims: claims.clone() }, &[])
}

#[test]
fn a_key_of_the_application_with_claims_is_single_use() {
    let directory = key_directory();
    let claims = Claims::Directory(directory.path().to_owned());
    let blob = export(&application(1, &claims)).unwrap();
    assert_eq!(refusal(&application(2, &claims), &blob), BlobRefused::HostKeyGone, "another key");
    let elsewhere = key_directory();
    let other = Claims::Directory(elsewhere.path().to_owned());
    assert_eq!(refusal(&application(1, &other), &blob), BlobRefused::HostKeyGone, "no claims there");
    export(&application(1, &other)).unwrap();
    assert_eq!(refusal(&application(1, &other), &blob), BlobRefused::HostKeyGone, "other claims there");
    let without = application(1, &Claims::ReplaysPossible);
    assert_eq!(refusal(&without, &blob), BlobRefused::WrongUser, "kept apart from those without claims");
    application(1, &claims).import_security_context(None, &blob).unwrap();
    assert_eq!(refusal(&application(1, &claims), &blob), BlobRefused::AlreadyImported);

    // The claims lost, or only the secret beside them: closed, although the key is the application's.
    let late = export(&application(1, &claims)).unwrap();
    fs::remove_file(directory.path().join("host-key/secret")).unwrap();
    let new = export(&application(1, &claims)).unwrap();
    assert_eq!(refusal(&application(1, &claims), &late), BlobRefused::HostKeyGone, "under another secret");
    application(1, &claims).import_security_context(None, &new).unwrap();
    let late = export(&application(1, &claims)).unwrap();
    fs::remove_dir_all(directory.path()).unwrap();
    for blob in [blob, late] {
        assert_eq!(refusal(&application(1, &claims), &blob), BlobRefused::HostKeyGone);
    }
}

#[test]
fn without_claims_replays_are_possible_as_their_name_says() {
    let blob = export(&application(1, &Claims::ReplaysPossible)).unwrap();
    for _ in 0..2 {
        application(1, &Claims::ReplaysPossible).import_security_context(None, &blob).unwrap();
    }
    assert_eq!(refusal(&application(2, &Claims::ReplaysPossible), &blob), BlobRefused::HostKeyGone);
    let directory = key_directory();
    let claims = Claims::Directory(directory.path().to_owned());
    export(&application(1, &claims)).unwrap();
    assert_eq!(refusal(&application(1, &claims), &blob), BlobRefused::WrongUser);
}

#[cfg(not(unix))]
#[test]
fn scopes_of_several_users_are_not_supported() {
    use portable_sspi::{Misuse, SspiConfig};

    let directory = key_directory();
    let path = || directory.path().to_owned();
    for host_key in [
        HostKeyScope::Group { directory: path(), group: 1, owner: 0 },
        HostKeyScope::Host { directory: path(), owner: 0 },
    ] {
        let config = SspiConfig { host_key, ..SspiConfig::default() };
        match Sspi::new(config) {
            Err(Error::Misuse(Misuse::NotSupported { what })) => {
                assert_eq!(what, "a host key shared between users");
            }
            other => panic!("{other:?}"),
        }
    }
}
