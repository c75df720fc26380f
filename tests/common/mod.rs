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
