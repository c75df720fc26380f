//! What the tests of the root crate share: a small security package, and other processes.

#![allow(dead_code, reason = "each test program uses a part of it")]

#[cfg(feature = "ntlm")]
pub(crate) mod ntlm;
pub(crate) mod process;
pub(crate) mod toy_provider;

use std::path::Path;
use std::sync::Arc;

use portable_sspi::{
    AcceptRequest, AcquireRequest, AudienceLabel, HostKeyScope, SecurityContext, Sspi, SspiConfig, Step,
};

use toy_provider::ToyProvider;

/// A table with the toy package, and the host key in `directory`.
pub(crate) fn sspi(directory: &Path) -> Sspi {
    sspi_in(HostKeyScope::user_directory(directory), &[])
}

/// A table with the toy package, in that scope, importing what is for one of the labels.
pub(crate) fn sspi_in(host_key: HostKeyScope, labels: &[&str]) -> Sspi {
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ToyProvider::new("Toy"))],
        host_key,
        audience_labels: labels.iter().map(AudienceLabel::new).collect(),
        ..SspiConfig::default()
    })
    .unwrap()
}

/// The effective user.
#[cfg(unix)]
pub(crate) fn effective_user() -> u32 {
    use std::os::unix::fs::MetadataExt;
    tempfile::tempfile().unwrap().metadata().unwrap().uid()
}

/// Whether this test can start processes of other users and give files away; says so if not. Root can, but not where a
/// container has taken its capabilities, nor in a user namespace that has no other users.
#[cfg(unix)]
pub(crate) fn can_play_other_users(test: &str) -> bool {
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    // A user namespace can have some numbers and not others.
    const NUMBERS: [u32; 6] = [61_001, 61_003, 62_001, 65_533, 65_534, 0];
    let file = tempfile::NamedTempFile::new().unwrap();
    let can = effective_user() == 0
        && NUMBERS.iter().all(|number| chown(file.path(), Some(*number), Some(*number)).is_ok())
        && Command::new("/bin/sh")
            .args(["-c", ":"])
            .uid(61_001)
            .gid(62_001)
            .current_dir("/")
            .status()
            .is_ok_and(|status| status.success());
    if !can {
        skipped(test, "needs root, to start processes of other users");
    }
    can
}

/// Says past the harness, which shows nothing of tests that pass, that a test could not run. Where the environment asks for
/// all that root can run, and this is root, it fails instead.
pub(crate) fn skipped(test: &str, why: &str) {
    #[cfg(unix)]
    assert!(
        std::env::var_os("PORTABLE_SSPI_REQUIRE_PEERS").is_none_or(|value| value != "1")
            || effective_user() != 0,
        "{test} could not run: {why}"
    );
    let said = format!("SKIPPED: {test}: {why}\n");
    std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes()).unwrap();
}

/// An established context of the toy package; two of the same key are each other's peers.
pub(crate) fn context(sspi: &Sspi, key: u8) -> Box<dyn SecurityContext> {
    let credentials = sspi.acquire_credentials_handle("Toy", AcquireRequest::inbound()).unwrap();
    let request = AcceptRequest { token: &[key; 16], ..AcceptRequest::default() };
    match sspi.accept_security_context(&credentials, None, &request).unwrap() {
        Step::Complete { context, .. } => context,
        Step::ContinueNeeded { .. } => panic!("the toy handshake has one leg"),
    }
}

/// A directory that a host key can lie in: closed to all others.
pub(crate) fn key_directory() -> tempfile::TempDir {
    let builder = &mut tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().unwrap()
}
