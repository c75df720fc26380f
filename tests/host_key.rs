//! The directory of the host key: what is refused there, and that what is lost is not made good in silence.
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
#[cfg(unix)]
use std::fs::Permissions;
#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Command;

use common::process::{self, ask};
use common::{context, key_directory, sspi};
use portable_sspi::{BlobRefused, Error, ExportOptions, SecurityStatus, Sspi, Unavailable};

#[test]
#[ignore = "the helper process of the other tests"]
fn helper_process() {
    process::run();
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

/// Waits while a window (64 seconds of expiry times) is about to end, so that a test's exports fall into one. What the
/// host's clock says is in each blob, at the place of the expiry (docs/blob-format.md).
fn away_from_a_window_s_end() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    while {
        let expiry: [u8; 8] = export(&sspi).unwrap()[80..88].try_into().unwrap();
        u64::from_le_bytes(expiry) % 64_000 >= 61_000
    } {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// A key directory in use, with one blob that was not imported yet.
fn in_use() -> (tempfile::TempDir, Sspi, Vec<u8>) {
    away_from_a_window_s_end();
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let blob = export(&sspi).unwrap();
    (directory, sspi, blob)
}

fn only_window(directory: &Path) -> PathBuf {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut windows: Vec<_> = paths.filter(|path| !path.ends_with("host-key")).collect();
    assert_eq!(windows.len(), 1, "{windows:?}");
    windows.pop().unwrap()
}

/// Both directions must be refused by a process that has nothing cached, naming the path and the reason.
fn assert_refused(directory: &Path, blob: &[u8], culprit: &Path, reason: &str) {
    let fresh = sspi(directory);
    let import = fresh.import_security_context(None, blob).map(|_| ()).unwrap_err();
    let export = export(&fresh).unwrap_err();
    for error in [import, export] {
        assert_eq!(error.status(), SecurityStatus::SEC_E_NOT_OWNER, "{error}");
        match error {
            Error::Unavailable(Unavailable::HostKeyRefused { path, problem }) => {
                assert_eq!(path, culprit);
                assert!(problem.contains(reason), "{problem:?} should say {reason:?}");
                assert!(problem.contains("remove"), "{problem:?} should say what to do");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What a process with that umask says to an export, after `change` of its command.
#[cfg(unix)]
fn export_under_umask(
    umask: &str,
    program: &Path,
    directory: &Path,
    change: impl FnOnce(&mut Command),
) -> String {
    // Through a shell, as this process' umask belongs to all its threads.
    let mut helper =
        process::Helper::start_program(Path::new("/bin/sh"), "export", Some(directory), |command| {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(format!(
                "umask {umask}; exec '{}' --exact helper_process --ignored --nocapture",
                program.display()
            ));
            for (name, value) in command.get_envs() {
                shell.env(name, value.unwrap_or_default());
            }
            shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            change(&mut shell);
            *command = shell;
        });
    helper.go(&[1]);
    helper.result()
}

#[cfg(unix)]
#[test]
fn what_is_made_is_closed_to_others_whatever_the_umask() {
    let parent = key_directory();
    away_from_a_window_s_end();
    for umask in ["000", "022", "377"] {
        let directory = parent.path().join(umask);
        let program = std::env::current_exe().unwrap();
        let blob = hex::decode(export_under_umask(umask, &program, &directory, |_| {})).unwrap();
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join("host-key")), 0o700);
        assert_eq!(mode(&directory.join("host-key/secret")), 0o600);
        assert_eq!(mode(&only_window(&directory)), 0o700);
        assert_eq!(mode(&only_window(&directory).join("secret")), 0o600);
        sspi(&directory).import_security_context(None, &blob).unwrap();
    }
}

/// Root reads what nobody may read, so it takes another user to see it.
#[cfg(target_os = "linux")]
#[test]
fn a_umask_that_takes_all_rights_leaves_nothing_in_the_way() {
    use std::os::unix::process::CommandExt;

    const USER: u32 = 61_001;
    if !common::can_play_other_users("a_umask_that_takes_all_rights_leaves_nothing_in_the_way") {
        return;
    }
    // Another user must be able to run this program.
    let parent =
        tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir_in("/tmp").unwrap();
    let program = parent.path().join("helper");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let home = parent.path().join("home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(USER), Some(USER)).unwrap();
    let directory = home.join("keys");
    let export_under = |umask| {
        export_under_umask(umask, &program, &directory, |command| {
            command.uid(USER).gid(USER).current_dir("/");
        })
    };
    for umask in ["777", "477"] {
        let refused = export_under(umask);
        assert!(refused.contains(directory.to_str().unwrap()) && refused.contains("umask"), "{refused}");
        assert!(!directory.exists());
    }
    assert!(hex::decode(export_under("377")).is_ok());
}

#[cfg(unix)]
#[test]
fn directories_open_to_others_are_refused() {
    let (directory, _, blob) = in_use();
    let window = only_window(directory.path());
    for (path, mode) in [
        (directory.path().to_owned(), 0o750),
        (directory.path().to_owned(), 0o701),
        (directory.path().join("host-key"), 0o770),
        (window, 0o702),
    ] {
        set_mode(&path, mode);
        assert_refused(directory.path(), &blob, &path, "other users can enter it");
        set_mode(&path, 0o700);
    }
    sspi(directory.path()).import_security_context(None, &blob).unwrap();
}

#[cfg(unix)]
#[test]
fn secrets_that_are_not_as_they_must_be_are_refused() {
    let (directory, _, blob) = in_use();
    for holder in [directory.path().join("host-key"), only_window(directory.path())] {
        let secret = holder.join("secret");
        let aside = directory.path().join("aside");
        let bytes = fs::read(&secret).unwrap();
        assert_eq!(bytes.len(), 32);

        set_mode(&secret, 0o640);
        assert_refused(directory.path(), &blob, &secret, "its mode is 640");
        set_mode(&secret, 0o600);

        fs::hard_link(&secret, &aside).unwrap();
        assert_refused(directory.path(), &blob, &secret, "hard link");
        fs::remove_file(&aside).unwrap();

        for length in [0, 31, 33] {
            fs::write(&secret, vec![0; length]).unwrap();
            assert_refused(directory.path(), &blob, &secret, &format!("{length} bytes"));
        }
        fs::remove_file(&secret).unwrap();

        fs::write(&aside, &bytes).unwrap();
        set_mode(&aside, 0o600);
        symlink(&aside, &secret).unwrap();
        assert_refused(directory.path(), &blob, &secret, "symbolic link");
        fs::remove_file(&secret).unwrap();

        assert!(Command::new("mkfifo").arg("-m").arg("600").arg(&secret).status().unwrap().success());
        assert_refused(directory.path(), &blob, &secret, "not a regular file");
        fs::remove_file(&secret).unwrap();

        let _socket = std::os::unix::net::UnixListener::bind(&secret).unwrap();
        assert_refused(directory.path(), &blob, &secret, "not a regular file");
        fs::remove_file(&secret).unwrap();

        fs::create_dir(&secret).unwrap();
        assert_refused(directory.path(), &blob, &secret, "not a regular file");
        fs::remove_dir(&secret).unwrap();

        fs::rename(&aside, &secret).unwrap();
    }
    // All put back as it was: the new inodes are no obstacle.
    sspi(directory.path()).import_security_context(None, &blob).unwrap();
}

#[cfg(unix)]
#[test]
fn something_else_in_a_directory_s_place_is_refused() {
    let (directory, _, blob) = in_use();
    let parent = key_directory();
    let in_place = parent.path().join("keys");
    let with_slash = parent.path().join("keys/");
    symlink(directory.path(), &in_place).unwrap();
    assert_refused(&in_place, &blob, &in_place, "symbolic link");
    assert_refused(&with_slash, &blob, &in_place, "symbolic link");
    fs::remove_file(&in_place).unwrap();
    fs::write(&in_place, "").unwrap();
    assert_refused(&in_place, &blob, &in_place, "not a directory");

    for inner in [directory.path().join("host-key"), only_window(directory.path())] {
        let aside = directory.path().join("aside");
        fs::rename(&inner, &aside).unwrap();
        symlink(&aside, &inner).unwrap();
        assert_refused(directory.path(), &blob, &inner, "symbolic link");
        fs::remove_file(&inner).unwrap();
        fs::rename(&aside, &inner).unwrap();
    }
    sspi(directory.path()).import_security_context(None, &blob).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn what_belongs_to_another_user_is_refused() {
    if !common::can_play_other_users("what_belongs_to_another_user_is_refused") {
        return;
    }
    let (directory, _, blob) = in_use();
    let secret = directory.path().join("host-key/secret");
    std::os::unix::fs::chown(&secret, Some(65533), None).unwrap();
    assert_refused(directory.path(), &blob, &secret, "belongs to user 65533, not to user 0");
    std::os::unix::fs::chown(&secret, Some(0), None).unwrap();
    for path in
        [directory.path().to_owned(), directory.path().join("host-key"), only_window(directory.path())]
    {
        std::os::unix::fs::chown(&path, Some(65533), None).unwrap();
        assert_refused(directory.path(), &blob, &path, "belongs to user 65533");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    sspi(directory.path()).import_security_context(None, &blob).unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let parent = key_directory();
    let directory = parent.path().join("not there/keys");
    match export(&sspi(&directory)).unwrap_err() {
        Error::Unavailable(Unavailable::HostKey { path, source }) => {
            assert_eq!((path, source.kind()), (directory, std::io::ErrorKind::NotFound));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lost_window_takes_its_blobs_with_it() {
    // Removed as a whole, or only its seed; and seen by a process that has it cached, or by another.
    for only_seed in [false, true] {
        let (directory, exporter, imported) = in_use();
        let not_imported = export(&exporter).unwrap();
        exporter.import_security_context(None, &imported).unwrap();
        let window = only_window(directory.path());
        if only_seed {
            fs::remove_file(window.join("secret")).unwrap();
        } else {
            fs::remove_dir_all(&window).unwrap();
        }
        for blob in [&imported, &not_imported] {
            assert_eq!(ask("import", directory.path(), blob), "HostKeyGone");
        }
        assert_eq!(refusal(&exporter, &not_imported), BlobRefused::HostKeyGone);

        // A new export makes a new window, which does not bring the old blobs back.
        let new = export(&exporter).unwrap();
        assert_eq!(ask("import", directory.path(), &new), "imported");
        assert_eq!(refusal(&exporter, &new), BlobRefused::AlreadyImported);
        for blob in [&imported, &not_imported] {
            assert_eq!(refusal(&exporter, blob), BlobRefused::HostKeyGone);
            assert_eq!(ask("import", directory.path(), blob), "HostKeyGone");
        }
    }
}

#[test]
fn a_lost_host_key_takes_its_blobs_with_it() {
    for whole_directory in [true, false] {
        let (directory, exporter, imported) = in_use();
        let not_imported = export(&exporter).unwrap();
        exporter.import_security_context(None, &imported).unwrap();
        if whole_directory {
            fs::remove_dir_all(directory.path()).unwrap();
        } else {
            fs::remove_file(directory.path().join("host-key/secret")).unwrap();
        }
        for blob in [&imported, &not_imported] {
            assert_eq!(refusal(&exporter, blob), BlobRefused::HostKeyGone);
        }
        let new = export(&exporter).unwrap();
        assert_eq!(ask("import", directory.path(), &new), "imported");
        for blob in [&imported, &not_imported] {
            assert_eq!(refusal(&exporter, blob), BlobRefused::HostKeyGone);
        }
    }
}

#[test]
fn a_replaced_directory_is_noticed() {
    let (directory, exporter, blob) = in_use();
    let aside = key_directory();
    let (_other_directory, _, _) = in_use();
    fs::rename(directory.path().join("host-key"), aside.path().join("host-key")).unwrap();
    let other = export(&exporter).unwrap();
    assert_eq!(refusal(&exporter, &blob), BlobRefused::HostKeyGone, "under the key moved away");
    exporter.import_security_context(None, &other).unwrap();
}

#[test]
fn what_a_dead_process_left_blocks_nothing() {
    let directory = key_directory();
    // Died before it wrote the secret, while it wrote it, and before it renamed.
    for (name, length) in [("temporary-00-1-aa", 0), ("temporary-00-1-bb", 7), ("temporary-00-1-cc", 32)] {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        #[cfg(unix)]
        set_mode(&path, 0o700);
        if length > 0 {
            fs::write(path.join("secret"), vec![0; length]).unwrap();
        }
    }
    for name in ["host-key", "something of the user's"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    #[cfg(unix)]
    set_mode(&directory.path().join("host-key"), 0o700);
    let sspi = sspi(directory.path());
    let blob = export(&sspi).unwrap();
    assert_eq!(ask("import", directory.path(), &blob), "imported");
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("window-"))
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["host-key", "something of the user's"],
        "the rest is tidied up, what is not ours is not"
    );
}

#[cfg(unix)]
#[test]
fn no_file_descriptor_reaches_a_child() {
    let (_directory, _sspi, _blob) = in_use();
    if !Path::new("/proc/self/fd").exists() {
        return common::skipped("no_file_descriptor_reaches_a_child", "needs /proc");
    }
    let listed = Command::new("/bin/sh").args(["-c", "ls -l /proc/self/fd"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains(" 0 -> ") && !listed.contains("secret") && !listed.contains("window-"),
        "{listed}"
    );
}

#[cfg(windows)]
#[test]
fn secrets_that_windows_does_not_decrypt_are_refused() {
    let (directory, _, blob) = in_use();
    let secret = directory.path().join("host-key").join("secret");
    let protected = fs::read(&secret).unwrap();
    assert!(protected.len() > 32, "not as it is: {} bytes", protected.len());
    let mut changed = protected.clone();
    *changed.last_mut().unwrap() ^= 1;
    for wrong in [&changed[..], &protected[..protected.len() - 1], &[7; 32], b""] {
        fs::write(&secret, wrong).unwrap();
        assert_refused(directory.path(), &blob, &secret, "does not decrypt");
    }
    // Another secret that Windows does decrypt is another host key.
    let (other, _, _) = in_use();
    fs::copy(other.path().join("host-key").join("secret"), &secret).unwrap();
    assert_eq!(refusal(&sspi(directory.path()), &blob), BlobRefused::HostKeyGone);
    fs::write(&secret, &protected).unwrap();
    sspi(directory.path()).import_security_context(None, &blob).unwrap();
}

#[cfg(windows)]
#[test]
fn a_file_in_a_directory_s_place_is_refused() {
    let (directory, _, blob) = in_use();
    for path in [directory.path().join("host-key"), only_window(directory.path())] {
        let aside = directory.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        fs::write(&path, "").unwrap();
        assert_refused(directory.path(), &blob, &path, "not a directory");
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    sspi(directory.path()).import_security_context(None, &blob).unwrap();
}
