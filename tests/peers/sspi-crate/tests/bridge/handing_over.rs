//! Export and import of a context that a program uses by the crate's calls.

use std::sync::Arc;

use portable_sspi::ntlm::Ntlm as Package;
use portable_sspi::sspi_crate::Ntlm;
use portable_sspi::{BlobRefused, Error, ExportOptions, HostKeyScope, Misuse, Sspi, SspiConfig};
use sspi::{ErrorKind, Sspi as _};

use crate::conversation::*;

/// The table of one process; all of a test share a host key.
fn table(directory: &tempfile::TempDir, with_ntlm: bool) -> Sspi {
    let mut packages: Vec<Arc<dyn portable_sspi::Provider>> = Vec::new();
    if with_ntlm {
        packages.push(Arc::new(Package::default()));
    }
    let host_key = HostKeyScope::user_directory(directory.path().join("key"));
    Sspi::new(SspiConfig { packages, host_key, ..SspiConfig::default() }).unwrap()
}

fn both<C: Implementation>() -> (C, Ntlm) {
    established::<C, Ntlm>(&Scenario::default()).unwrap()
}

/// The server moves to another process in mid-conversation; the client, of either implementation, sees nothing of it.
#[test]
fn a_server_moves_and_goes_on() {
    moves_and_goes_on(both::<Ntlm>());
    moves_and_goes_on(both::<sspi::Ntlm>());
}

fn moves_and_goes_on<C: Implementation>((mut client, mut server): (C, Ntlm)) {
    let directory = tempfile::tempdir().unwrap();
    seal_all(&mut client, &mut server);
    seal_all(&mut server, &mut client);
    let blob = server.export_security_context(&table(&directory, true), &ExportOptions::default()).unwrap();

    // It is gone here.
    let (mut token, mut data) = ([0; 16], *b"message");
    let mut list =
        [sspi::SecurityBufferRef::token_buf(&mut token), sspi::SecurityBufferRef::data_buf(&mut data)];
    let error = server.encrypt_message(sspi::EncryptionFlags::empty(), &mut list).unwrap_err();
    assert_eq!(error.error_type, ErrorKind::OutOfSequence);
    assert_eq!(data, *b"message");

    let importer = table(&directory, true);
    let mut server = Ntlm::import_security_context(&importer, &blob).unwrap();
    assert_eq!(server.query_context_names().unwrap().username.inner(), r"CORP\alice");
    seal_all(&mut client, &mut server);
    seal_all(&mut server, &mut client);
    let again = Ntlm::import_security_context(&importer, &blob);
    assert!(matches!(again, Err(Error::BlobRefused(BlobRefused::AlreadyImported))), "{again:?}");
}

#[test]
fn a_client_moves_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (mut client, mut server) = both::<Ntlm>();
    seal_all(&mut client, &mut server);
    let blob = client.export_security_context(&table(&directory, true), &ExportOptions::default()).unwrap();
    let mut client = Ntlm::import_security_context(&table(&directory, true), &blob).unwrap();
    seal_all(&mut server, &mut client);
    seal_all(&mut client, &mut server);
}

/// The two APIs are two views of one context.
#[test]
fn a_context_changes_between_the_two_apis() {
    let (mut client, mut server) = both::<Ntlm>();
    seal_all(&mut client, &mut server);
    let mut context = server.take_context().unwrap();
    assert_eq!(context.names().user_name, r"CORP\alice");
    let (token, data) = seal(&mut client, b"by the crate's call");
    let mut wrapped = [token, data].concat();
    assert_eq!(context.unwrap(&mut wrapped).unwrap(), b"by the crate's call");
    let mut server = Ntlm::from_context(context).unwrap();
    seal_all(&mut client, &mut server);
}

/// What fails leaves the context where it was.
#[test]
fn what_cannot_be_exported_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (mut client, mut server) = both::<Ntlm>();
    let options = ExportOptions::default();
    let error = server.export_security_context(&table(&directory, false), &options).unwrap_err();
    assert!(matches!(error, Error::Misuse(Misuse::UnknownPackage { .. })), "{error}");
    seal_all(&mut client, &mut server);

    let error = Ntlm::new().export_security_context(&table(&directory, true), &options).unwrap_err();
    assert!(matches!(error, Error::Misuse(Misuse::NotSupported { .. })), "{error}");
    assert!(Ntlm::import_security_context(&table(&directory, true), b"no blob").is_err());
}
