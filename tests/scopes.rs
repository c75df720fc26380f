//! Host keys that are shared: by a group, by the whole host, by whoever inherits an application's key.
//!
//! Users are real: processes are started with the user's and group's number. That needs root; where it is missing, the
//! test says so.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use common::process::{self, Helper, SCOPE};
use common::{can_play_other_users, context, effective_user, key_directory, skipped, sspi_in};
use portable_sspi::{
    ApplicationKey, BlobRefused, Claims, Error, ExportOptions, HostKeyScope, SecurityStatus, Sspi,
    Unavailable,
};

/// Numbers that no account of the machine has.
const WORKER: u32 = 61_001;
const OTHER_WORKER: u32 = 61_002;
const STRANGER: u32 = 61_003;
const WORKERS: u32 = 62_001;

#[test]
#[ignore = "the helper process of the other tests"]
fn helper_process() {
    process::run();
}

/// A place that other users can reach: a directory that holds a copy of this program, and the path of a host key.
struct Shared {
    _directory: tempfile::TempDir,
    program: PathBuf,
    host_key: PathBuf,
}

impl Shared {
    /// `None`, and a word about it, without root.
    fn new(test: &str) -> Option<Self> {
        if !can_play_other_users(test) {
            return None;
        }
        let directory =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir_in("/tmp").unwrap();
        let program = directory.path().join("helper");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let host_key = directory.path().canonicalize().unwrap().join("host-key");
        Some(Self { _directory: directory, program, host_key })
    }

    /// What a process of that user answers.
    fn ask(&self, (user, group): (u32, u32), scope: &str, role: &str, input: &[u8]) -> String {
        let mut helper = Helper::start_program(&self.program, role, Some(&self.host_key), |command| {
            // `uid` also takes the supplementary groups away.
            command.uid(user).gid(group).current_dir("/").env(SCOPE, scope);
        });
        helper.go(input);
        helper.result()
    }

    fn group(&self) -> HostKeyScope {
        HostKeyScope::Group { directory: self.host_key.clone(), group: WORKERS, owner: 0 }
    }

    fn window(&self) -> PathBuf {
        let paths = fs::read_dir(&self.host_key).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| !path.ends_with("host-key")).max().unwrap()
    }
}

fn export(sspi: &Sspi) -> Result<Vec<u8>, Error> {
    sspi.export_security_context(context(sspi, 1), &ExportOptions::default()).map_err(|failed| failed.error)
}

fn refusal(sspi: &Sspi, blob: &[u8]) -> BlobRefused {
    match sspi.import_security_context(None, blob) {
        Err(Error::BlobRefused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

const GROUP: &str = "group 62001 0";

#[test]
fn root_hands_over_to_a_worker_of_another_user() {
    let Some(shared) = Shared::new("root_hands_over_to_a_worker_of_another_user") else { return };
    let acceptor = sspi_in(shared.group(), &[]);
    let blob = export(&acceptor).unwrap();
    // Neither a stranger nor a member of the group under another scope gets it, and neither uses it up.
    let stranger = shared.ask((STRANGER, STRANGER), GROUP, "import", &blob);
    assert!(stranger.contains("Permission denied") && stranger.contains("host-key"), "{stranger}");
    let own = shared.ask((WORKER, WORKERS), "user", "import", &blob);
    assert_eq!(own, r#"WrongScope { found: "a group", here: "one user" }"#);
    assert_eq!(shared.ask((WORKER, WORKERS), GROUP, "import", &blob), "imported");
    // Once, whoever tries.
    assert_eq!(shared.ask((OTHER_WORKER, WORKERS), GROUP, "import", &blob), "AlreadyImported");
    assert_eq!(refusal(&acceptor, &blob), BlobRefused::AlreadyImported);
}

#[test]
fn everybody_on_the_host_imports_in_its_scope() {
    let Some(shared) = Shared::new("everybody_on_the_host_imports_in_its_scope") else { return };
    let acceptor = sspi_in(HostKeyScope::Host { directory: shared.host_key.clone(), owner: 0 }, &[]);
    let (one, other) = (export(&acceptor).unwrap(), export(&acceptor).unwrap());
    assert_eq!(shared.ask((WORKER, WORKERS), "host 0", "import", &one), "imported");
    assert_eq!(shared.ask((STRANGER, STRANGER), "host 0", "import", &one), "AlreadyImported");
    assert_eq!(shared.ask((STRANGER, STRANGER), "host 0", "import", &other), "imported");
    assert_eq!(mode(&shared.host_key), 0o755);
    assert_eq!(mode(&shared.host_key.join("host-key/secret")), 0o644);
    assert_eq!(mode(&shared.window()), 0o1777);
}

#[test]
fn only_the_owner_exports() {
    let Some(shared) = Shared::new("only_the_owner_exports") else { return };
    let before = shared.ask((WORKER, WORKERS), GROUP, "export", &[1]);
    assert!(before.contains("only its owner, user 0, can export there"), "{before}");
    export(&sspi_in(shared.group(), &[])).unwrap();
    let after = shared.ask((WORKER, WORKERS), GROUP, "export", &[1]);
    assert!(after.contains("only its owner, user 0, can export there"), "{after}");
    // Nor with all that an export needs already open.
    let blob = export(&sspi_in(shared.group(), &[])).unwrap();
    let importer = shared.ask((WORKER, WORKERS), GROUP, "import and export", &blob);
    assert!(importer.contains("only its owner, user 0, can export there"), "{importer}");
    // An unprivileged service can own one as well, for workers of other users.
    fs::remove_dir_all(&shared.host_key).unwrap();
    fs::create_dir(&shared.host_key).unwrap();
    chown(&shared.host_key, Some(WORKER), Some(WORKERS)).unwrap();
    set_mode(&shared.host_key, 0o750);
    let theirs = "group 62001 61001";
    let blob = hex::decode(shared.ask((WORKER, WORKERS), theirs, "export", &[1])).unwrap();
    assert_eq!(shared.ask((OTHER_WORKER, WORKERS), theirs, "import", &blob), "imported");
    // Who says that it is root's doesn't take theirs.
    let blob = hex::decode(shared.ask((WORKER, WORKERS), theirs, "export", &[1])).unwrap();
    assert_eq!(shared.ask((OTHER_WORKER, WORKERS), GROUP, "import", &blob), "WrongUser");
    assert!(export(&sspi_in(shared.group(), &[])).unwrap_err().to_string().contains("belongs to user 61001"));
}

#[test]
fn a_member_cannot_undo_another_s_claim_nor_change_the_key() {
    let Some(shared) = Shared::new("a_member_cannot_undo_another_s_claim_nor_change_the_key") else { return };
    let acceptor = sspi_in(shared.group(), &[]);
    let blob = export(&acceptor).unwrap();
    assert_eq!(shared.ask((WORKER, WORKERS), GROUP, "import", &blob), "imported");
    let window = shared.window();
    let claim = fs::read_dir(&window).unwrap().map(|entry| entry.unwrap().path());
    let claim = claim.into_iter().find(|path| !path.ends_with("secret")).unwrap();
    assert_eq!(fs::metadata(&claim).unwrap().uid(), WORKER);
    let as_other = |script: &str, path: &Path| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", script, "sh"]).arg(path).uid(OTHER_WORKER).gid(WORKERS);
        command.stderr(std::process::Stdio::null()).status().unwrap().success()
    };
    assert!(as_other("test -e \"$1\"", &claim), "it can look");
    for (script, path) in [
        ("rm -f \"$1\" && ! test -e \"$1\"", claim),
        ("rm -f \"$1\" && ! test -e \"$1\"", window.join("secret")),
        ("mv \"$1\" \"$1.aside\"", window),
        ("mv \"$1\" \"$1.aside\"", shared.host_key.join("host-key")),
        ("echo x > \"$1\"", shared.host_key.join("host-key/secret")),
        ("mkdir \"$1\"", shared.host_key.join("window-00-1")),
    ] {
        assert!(!as_other(script, &path), "{script} {}", path.display());
    }
    assert_eq!(refusal(&acceptor, &blob), BlobRefused::AlreadyImported);
}

/// The blob's id stands in its header, and whoever may import may record that he did.
#[test]
fn a_member_can_use_up_a_blob_whose_id_he_knows_and_nobody_else_can() {
    let name = "a_member_can_use_up_a_blob_whose_id_he_knows_and_nobody_else_can";
    let Some(shared) = Shared::new(name) else { return };
    let acceptor = sspi_in(shared.group(), &[]);
    let blob = export(&acceptor).unwrap();
    let claim = shared.window().join(hex::encode(&blob[56..72]));
    let claimed_by = |user, group| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", "touch \"$1\"", "sh"]).arg(&claim).uid(user).gid(group);
        command.stderr(std::process::Stdio::null()).status().unwrap().success()
    };
    assert!(!claimed_by(STRANGER, STRANGER));
    assert!(claimed_by(OTHER_WORKER, WORKERS));
    assert_eq!(shared.ask((WORKER, WORKERS), GROUP, "import", &blob), "AlreadyImported");
}

#[test]
fn what_is_made_for_a_group_is_open_to_it_and_nobody_else() {
    let Some(shared) = Shared::new("what_is_made_for_a_group_is_open_to_it_and_nobody_else") else { return };
    export(&sspi_in(shared.group(), &[])).unwrap();
    let window = shared.window();
    for (path, expected) in [
        (shared.host_key.clone(), 0o750),
        (shared.host_key.join("host-key"), 0o750),
        (shared.host_key.join("host-key/secret"), 0o640),
        (window.clone(), 0o1770),
        (window.join("secret"), 0o640),
    ] {
        assert_eq!(mode(&path), expected, "{}", path.display());
        assert_eq!(fs::metadata(&path).unwrap().gid(), WORKERS, "{}", path.display());
    }
}

/// Both directions must be refused by a process that has nothing cached, naming the path and the reason.
fn assert_refused(scope: impl Fn() -> HostKeyScope, blob: &[u8], culprit: &Path, reason: &str) {
    let import = sspi_in(scope(), &[]).import_security_context(None, blob).map(|_| ()).unwrap_err();
    let export = export(&sspi_in(scope(), &[])).unwrap_err();
    for error in [import, export] {
        assert_eq!(error.status(), SecurityStatus::SEC_E_NOT_OWNER, "{error}");
        match error {
            Error::Unavailable(Unavailable::HostKeyRefused { path, problem }) => {
                assert_eq!(path, culprit);
                assert!(problem.contains(reason), "{problem:?} should say {reason:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn owner_group_mode_link_and_type_are_checked_in_shared_scopes() {
    let Some(shared) = Shared::new("owner_group_mode_link_and_type_are_checked_in_shared_scopes") else {
        return;
    };
    let blob = export(&sspi_in(shared.group(), &[])).unwrap();
    let refused = |culprit: &Path, reason: &str| assert_refused(|| shared.group(), &blob, culprit, reason);
    let (key, window) = (shared.host_key.join("host-key"), shared.window());
    let directories = [(shared.host_key.clone(), 0o750), (key.clone(), 0o750), (window.clone(), 0o1770)];
    for (path, right) in &directories {
        for (wrong, reason) in [(0o755, "grants more than"), (0o751, "grants more than"), (0o770, "")] {
            set_mode(path, wrong);
            refused(path, reason);
            set_mode(path, *right);
        }
        chown(path, Some(WORKER), None).unwrap();
        refused(path, "belongs to user 61001, not to user 0 who is to export here");
        chown(path, Some(0), None).unwrap();
        set_mode(path, *right);
        chown(path, None, Some(STRANGER)).unwrap();
        refused(path, "belongs to group 61003, not to group 62001");
        chown(path, None, Some(WORKERS)).unwrap();
        set_mode(path, *right);
    }
    set_mode(&window, 0o770);
    refused(&window, "sticky bit is missing");
    set_mode(&window, 0o1770);

    for secret in [key.join("secret"), window.join("secret")] {
        let aside = shared.host_key.join("aside");
        for wrong in [0o644, 0o660, 0o750] {
            set_mode(&secret, wrong);
            refused(&secret, "not 640");
            set_mode(&secret, 0o640);
        }
        chown(&secret, Some(WORKER), None).unwrap();
        refused(&secret, "belongs to user 61001");
        chown(&secret, Some(0), Some(STRANGER)).unwrap();
        refused(&secret, "belongs to group 61003");
        chown(&secret, None, Some(WORKERS)).unwrap();
        fs::hard_link(&secret, &aside).unwrap();
        refused(&secret, "hard link");
        fs::remove_file(&aside).unwrap();
        fs::rename(&secret, &aside).unwrap();
        symlink(&aside, &secret).unwrap();
        refused(&secret, "symbolic link");
        fs::remove_file(&secret).unwrap();
        fs::create_dir(&secret).unwrap();
        refused(&secret, "not a regular file");
        fs::remove_dir(&secret).unwrap();
        fs::rename(&aside, &secret).unwrap();
    }
    sspi_in(shared.group(), &[]).import_security_context(None, &blob).unwrap();

    // A directory of the right kind, but made for another scope.
    let host = || HostKeyScope::Host { directory: shared.host_key.clone(), owner: 0 };
    assert!(matches!(refusal(&sspi_in(host(), &[]), &blob), BlobRefused::WrongScope { .. }));
}

#[test]
fn a_directory_above_that_others_could_change_is_refused() {
    let Some(shared) = Shared::new("a_directory_above_that_others_could_change_is_refused") else { return };
    let above = shared.host_key.parent().unwrap();
    let blob = export(&sspi_in(shared.group(), &[])).unwrap();
    let refused = |reason| assert_refused(|| shared.group(), &blob, above, reason);
    set_mode(above, 0o777);
    refused("lets others put another host key in the place of");
    set_mode(above, 0o755);
    chown(above, Some(WORKER), None).unwrap();
    refused("belongs to user 61001, who could put another host key in the place of");
    chown(above, Some(0), None).unwrap();
    sspi_in(shared.group(), &[]).import_security_context(None, &blob).unwrap();

    // What somebody else made in its place.
    fs::remove_dir_all(&shared.host_key).unwrap();
    symlink("/tmp", &shared.host_key).unwrap();
    assert_refused(|| shared.group(), &blob, &shared.host_key, "symbolic link");
}

#[test]
fn a_directory_left_closed_by_a_killed_exporter_is_opened_to_the_group() {
    let name = "a_directory_left_closed_by_a_killed_exporter_is_opened_to_the_group";
    let Some(shared) = Shared::new(name) else { return };
    fs::create_dir(&shared.host_key).unwrap();
    set_mode(&shared.host_key, 0o700);
    let blob = export(&sspi_in(shared.group(), &[])).unwrap();
    assert_eq!(shared.ask((WORKER, WORKERS), GROUP, "import", &blob), "imported");
}

/// What needs no second user: the same process is exporter and importer, in its own group.
#[test]
fn one_user_can_use_the_scopes_alone() {
    let directory = key_directory();
    let group = fs::metadata(directory.path()).unwrap().gid();
    let owner = effective_user();
    for (name, scope) in [
        ("group", HostKeyScope::Group { directory: directory.path().join("group"), group, owner }),
        ("host", HostKeyScope::Host { directory: directory.path().join("host"), owner }),
    ] {
        let sspi = sspi_in(scope, &[]);
        let blob = export(&sspi).unwrap();
        sspi.import_security_context(None, &blob).unwrap();
        assert_eq!(refusal(&sspi, &blob), BlobRefused::AlreadyImported, "{name}");
    }
}

#[test]
fn a_key_is_inherited_over_a_descriptor() {
    use std::io::Write;
    if !Path::new("/dev/fd/0").exists() {
        return skipped("a_key_is_inherited_over_a_descriptor", "needs /dev/fd");
    }
    let directory = key_directory();
    let claims = Claims::Directory(directory.path().to_owned());
    let key = ApplicationKey::generate().unwrap();
    let sspi = sspi_in(HostKeyScope::Application { key: key.clone(), claims }, &[]);
    let blob = export(&sspi).unwrap();
    for (length, good) in [(32, true), (31, false), (33, false)] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[&key.expose()[..], &[0]].concat()[..length]).unwrap();
        drop(writer);
        let mut given = Some(std::process::Stdio::from(reader));
        let program = std::env::current_exe().unwrap();
        // The shell moves the pipe to descriptor 9, and the helper gets the test's input as usual.
        let mut start = || {
            Helper::start_program(Path::new("/bin/sh"), "import", Some(directory.path()), |command| {
                let mut shell = std::process::Command::new("/bin/sh");
                let run = format!(
                    "exec 9<&2 2>/dev/null; exec '{}' --exact helper_process --ignored --nocapture",
                    program.display()
                );
                shell.arg("-c").arg(run);
                for (name, value) in command.get_envs() {
                    shell.env(name, value.unwrap_or_default());
                }
                shell.env(SCOPE, "inherited 9");
                shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
                *command = shell;
                command.stderr(given.take().unwrap());
            })
        };
        if good {
            let mut helper = start();
            helper.go(&blob);
            assert_eq!(helper.result(), "imported");
        } else {
            let started = std::panic::catch_unwind(std::panic::AssertUnwindSafe(start));
            assert!(started.is_err(), "a key of {length} bytes");
        }
    }
}
