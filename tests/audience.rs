//! Exports that name who may import them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::path::Path;

use common::process::{self, Helper, LABEL, SCOPE};
use common::{context, key_directory, sspi_in};
use portable_sspi::{
    Audience, AudienceLabel, BlobRefused, Error, ExportOptions, HostKeyScope, SecurityStatus, Sspi,
};

#[test]
#[ignore = "the helper process of the other tests"]
fn helper_process() {
    process::run();
}

fn sspi(directory: &Path, labels: &[&str]) -> Sspi {
    sspi_in(HostKeyScope::user_directory(directory), labels)
}

fn export(sspi: &Sspi, label: Option<&str>, user: Option<u32>) -> Result<Vec<u8>, Error> {
    let audience = Audience { label: label.map(AudienceLabel::new), user };
    let options = ExportOptions { audience, ..ExportOptions::default() };
    sspi.export_security_context(context(sspi, 1), &options).map_err(|failed| failed.error)
}

fn refusal(sspi: &Sspi, blob: &[u8]) -> BlobRefused {
    match sspi.import_security_context(None, blob) {
        Err(Error::BlobRefused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_an_importer_with_the_label_gets_it() {
    let directory = key_directory();
    let exporter = sspi(directory.path(), &[]);
    let blob = export(&exporter, Some("spooler"), None).unwrap();
    for labels in [&[][..], &["Spooler"], &["spoole", "spoolers", ""]] {
        assert_eq!(refusal(&sspi(directory.path(), labels), &blob), BlobRefused::WrongAudience, "{labels:?}");
    }
    let importer = sspi(directory.path(), &["mail", "spooler"]);
    importer.import_security_context(None, &blob).unwrap();
    assert_eq!(refusal(&importer, &blob), BlobRefused::AlreadyImported);
    let for_all = export(&exporter, None, None).unwrap();
    importer.import_security_context(None, &for_all).unwrap();
    assert_eq!(BlobRefused::WrongAudience.status(), SecurityStatus::SEC_E_NOT_OWNER);
}

#[test]
fn another_process_needs_the_label_too() {
    let directory = key_directory();
    let blob = export(&sspi(directory.path(), &[]), Some("spooler"), None).unwrap();
    for (label, expected) in
        [(None, "WrongAudience"), (Some("mail"), "WrongAudience"), (Some("spooler"), "imported")]
    {
        let mut helper = Helper::start_with("import", Some(directory.path()), |command| {
            command.env(SCOPE, "user");
            label.map(|label| command.env(LABEL, label));
        });
        helper.go(&blob);
        assert_eq!(helper.result(), expected, "{label:?}");
    }
}

#[test]
fn what_the_header_says_of_the_audience_can_neither_be_changed_nor_left_out() {
    let directory = key_directory();
    let both = sspi(directory.path(), &["one", "other"]);
    let (one, other) =
        (export(&both, Some("one"), None).unwrap(), export(&both, Some("other"), None).unwrap());
    // The field of 4 + 16 bytes behind the header's fixed part.
    assert_eq!((one[10], &one[104..108]), (124, &[3, 0, 16, 0][..]));
    let mut exchanged = one.clone();
    exchanged[108..124].copy_from_slice(&other[108..124]);
    assert_eq!(refusal(&both, &exchanged), BlobRefused::WrongAudience);
    let mut left_out = [&one[..104], &one[124..]].concat();
    left_out[10] = 104;
    assert_eq!(refusal(&both, &left_out), BlobRefused::Damaged);
    assert_ne!(one[108..124], export(&both, Some("one"), None).unwrap()[108..124], "no two look alike");
    both.import_security_context(None, &one).unwrap();
}

#[test]
fn a_field_of_a_later_release_is_refused_or_left_out() {
    let directory = key_directory();
    let sspi = sspi(directory.path(), &[]);
    let blob = export(&sspi, None, None).unwrap();
    let with = |tag: u8| {
        let mut longer = [&blob[..104], &[tag, 0, 0, 0], &blob[104..]].concat();
        longer[10] = 108;
        refusal(&sspi, &longer)
    };
    assert_eq!(with(7), BlobRefused::NewerVersion { found: 2, newest: 1 });
    assert_eq!(with(8), BlobRefused::Damaged, "read over, but the seal says that it wasn't there");
}

#[cfg(unix)]
#[test]
fn only_a_process_of_the_user_gets_it() {
    let directory = key_directory();
    let sspi = sspi(directory.path(), &["x"]);
    let me = common::effective_user();
    let (other, mine) =
        (export(&sspi, None, Some(me + 1)).unwrap(), export(&sspi, Some("x"), Some(me)).unwrap());
    assert_eq!(refusal(&sspi, &other), BlobRefused::WrongImporter { expected: me + 1 });
    // Behind tag and length.
    let mut changed = other;
    changed[108..112].copy_from_slice(&me.to_le_bytes());
    assert_eq!(refusal(&sspi, &changed), BlobRefused::Damaged);
    sspi.import_security_context(None, &mine).unwrap();
}

#[cfg(unix)]
#[test]
fn of_a_group_s_members_the_named_user_gets_it() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    const WORKERS: u32 = 62_001;
    if !common::can_play_other_users("of_a_group_s_members_the_named_user_gets_it") {
        return;
    }
    let shared = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in("/tmp")
        .unwrap();
    let program = shared.path().join("helper");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let directory = shared.path().join("host-key");
    let scope = HostKeyScope::Group { directory: directory.clone(), group: WORKERS, owner: 0 };
    let blob = export(&sspi_in(scope, &[]), None, Some(61_002)).unwrap();
    for (user, expected) in [(61_001, "WrongImporter { expected: 61002 }"), (61_002, "imported")] {
        let mut helper = Helper::start_program(&program, "import", Some(&directory), |command| {
            command.uid(user).gid(WORKERS).current_dir("/").env(SCOPE, "group 62001 0");
        });
        helper.go(&blob);
        assert_eq!(helper.result(), expected);
    }
}

#[cfg(not(unix))]
#[test]
fn users_have_numbers_on_unix_only() {
    let directory = key_directory();
    let refused = export(&sspi(directory.path(), &[]), None, Some(1));
    assert!(matches!(refused, Err(Error::Misuse(portable_sspi::Misuse::NotSupported { .. }))), "{refused:?}");
}
