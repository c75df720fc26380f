//! Logons by a file of accounts: its formats, who may write it, and its changes; and gss-ntlmssp reading the same file.

#![cfg(all(unix, feature = "ntlm"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]

#[path = "accounts/handshake.rs"]
mod handshake;

use std::fs::{self, File, FileTimes, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use handshake::{client, log_on};
use portable_sspi::accounts::UserFile;
use portable_sspi::{AuthIdentity, DenialReason, Error, Misuse, Secret, SecurityStatus, Sspi, Unavailable};

/// The NT hash of `password`.
const HASH: &str = "8846F7EAEE8FB117AD06BDD830B7586C";

struct Accounts {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Accounts {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        write(&path, text);
        Self { directory, path }
    }

    /// As an administrator should: a new file, renamed.
    fn replace(&self, text: &str) {
        let new = self.directory.path().join("new");
        write(&new, text);
        fs::rename(new, &self.path).unwrap();
    }

    fn file(&self) -> UserFile {
        UserFile::new(&self.path)
    }

    fn server(&self) -> Sspi {
        handshake::server(Arc::new(self.file()))
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(&self.path, Permissions::from_mode(mode)).unwrap();
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn name_of(result: Result<handshake::Pair, Error>) -> String {
    result.unwrap().1.names().user_name
}

fn denial(result: Result<handshake::Pair, Error>) -> DenialReason {
    match result {
        Err(Error::LogonDenied(denied)) => denied.audit_reason(),
        other => panic!("{other:?}"),
    }
}

fn refusal(file: &UserFile) -> (Option<usize>, String) {
    match file.check() {
        Err(error @ Unavailable::AccountFile { .. }) => {
            let text = error.to_string();
            assert!(text.contains(file.path().to_str().unwrap()), "{text}");
            let Unavailable::AccountFile { line, .. } = error else { unreachable!() };
            (line, text)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_formats_in_one_file() {
    let smbpasswd = format!(
        "bob:1001:{0}:{HASH}:[U          ]:LCT-5EBB9F31:\nCORP\\carol:0:{0}:{1}:[UX]:LCT-0:\n",
        "X".repeat(32),
        HASH.to_lowercase()
    );
    let accounts = Accounts::new(&format!(
        "# who may log on\n\nCORP:alice:open sesame\n:dave:secret\r\n{smbpasswd}CORP:zoë:pässwörd"
    ));
    assert_eq!(accounts.file().check().unwrap(), 5);
    let server = accounts.server();
    assert_eq!(name_of(log_on(&server, "ALICE", "corp", "open sesame")), r"CORP\alice");
    assert_eq!(name_of(log_on(&server, "alice", "", "open sesame")), r"CORP\alice");
    assert_eq!(name_of(log_on(&server, "dave", "ANY", "secret")), "dave");
    assert_eq!(name_of(log_on(&server, "bob", "", "password")), "bob");
    assert_eq!(name_of(log_on(&server, "bob", "WHATEVER", "password")), "bob");
    assert_eq!(name_of(log_on(&server, "carol", "CORP", "password")), r"CORP\carol");
    assert_eq!(name_of(log_on(&server, "zoë", "CORP", "pässwörd")), r"CORP\zoë");
    assert_eq!(denial(log_on(&server, "alice", "OTHER", "open sesame")), DenialReason::UnknownAccount);
    assert_eq!(denial(log_on(&server, "alice", "CORP", "opensesame")), DenialReason::BadNtResponse);
    assert_eq!(denial(log_on(&server, "nobody", "CORP", "secret")), DenialReason::UnknownAccount);
    assert_eq!(denial(log_on(&server, "# who may log on", "", "secret")), DenialReason::UnknownAccount);
}

#[test]
fn an_empty_file_knows_nobody() {
    for text in ["", "\n", "# nobody\n"] {
        let accounts = Accounts::new(text);
        assert_eq!(accounts.file().check().unwrap(), 0);
        assert_eq!(denial(log_on(&accounts.server(), "a", "", "b")), DenialReason::UnknownAccount);
        assert!(accounts.file().identity(None, None).unwrap().is_none());
    }
}

#[test]
fn accounts_that_cannot_log_on() {
    let x = "X".repeat(32);
    let none = "NO PASSWORDXXXXXXXXXXXXXXXXXXXXX";
    let accounts = Accounts::new(&format!(
        "disabled:0:{x}:{HASH}:[UD         ]:LCT-0:\n\
         locked:0:{x}:{HASH}:[UL         ]:LCT-0:\n\
         pc$:0:{x}:{HASH}:[W          ]:LCT-0:\n\
         free:0:{x}:{HASH}:[NU         ]:LCT-0:\n\
         empty:0:{none}:{none}:[NU         ]:LCT-0:\n\
         off:0:{x}:{x}:[U          ]:LCT-0:\n\
         :disabled:password\n\
         :last:password\n"
    ));
    let server = accounts.server();
    for user in ["disabled", "locked", "pc$", "free", "empty", "off"] {
        for password in ["password", ""] {
            let denied = denial(log_on(&server, user, "", password));
            assert_eq!(denied, DenialReason::UnknownAccount, "{user} {password:?}");
        }
    }
    assert_eq!(name_of(log_on(&server, "last", "", "password")), "last");
    // Nor does a client act as one of them.
    let identity = accounts.file().identity(None, None).unwrap().unwrap();
    assert_eq!(identity.user, "disabled");
    assert!(matches!(identity.secret, Secret::Password(_)));
}

#[test]
fn of_two_lines_the_first_counts() {
    let accounts = Accounts::new("CORP:alice:first\ncorp:ALICE:second\n:alice:third\n");
    let server = accounts.server();
    assert_eq!(name_of(log_on(&server, "alice", "CORP", "first")), r"CORP\alice");
    assert_eq!(denial(log_on(&server, "alice", "CORP", "second")), DenialReason::BadNtResponse);
    assert_eq!(name_of(log_on(&server, "alice", "OTHER", "third")), "alice");
}

#[test]
fn a_bad_line_refuses_the_file_and_is_named() {
    for (bad, problem) in [
        ("nonsense", "neither domain:user:password"),
        ("CORP:bob", "neither domain:user:password"),
        ("CORP:bob:se:cret", "four fields"),
        ("CORP:bob:se:cr:et", "NT hash"),
        ("CORP::secret", "user name is empty"),
        ("CORP:bob:", "password is empty"),
        ("bob:0:X:NOTHEX:[U]:", "NT hash"),
        ("bob:0:X:8846F7EAEE8FB117AD06BDD830B7586C:[U", "closing bracket"),
    ] {
        let accounts = Accounts::new(&format!("# one\nCORP:alice:secret\n{bad}\nCORP:carol:secret\n"));
        let server = accounts.server();
        let (line, text) = refusal(&accounts.file());
        assert_eq!(line, Some(3), "{bad}");
        assert!(text.contains(", line 3: ") && text.contains(problem), "{text}");
        assert!(!text.contains("secret") && !text.contains("8846"), "{text}");
        // Neither the accounts before it nor those behind it are admitted, nor denied.
        for user in ["alice", "carol"] {
            let error = log_on(&server, user, "CORP", "secret").unwrap_err();
            assert_eq!(error.status(), SecurityStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "{error}");
        }
        assert!(accounts.file().identity(Some("alice"), None).is_err(), "{bad}");
        accounts.replace("CORP:alice:secret\n");
        log_on(&server, "alice", "CORP", "secret").unwrap();
    }
}

#[test]
fn a_file_that_others_can_write_is_refused() {
    let accounts = Accounts::new("CORP:alice:secret\n");
    let server = accounts.server();
    for mode in [0o600, 0o400, 0o640, 0o440] {
        accounts.set_mode(mode);
        log_on(&server, "alice", "CORP", "secret").unwrap_or_else(|error| panic!("{mode:o}: {error}"));
    }
    for (mode, problem) in [
        (0o620, "others can write"),
        (0o602, "others can write"),
        (0o660, "others can write"),
        (0o604, "everybody can read"),
        (0o644, "everybody can read"),
    ] {
        accounts.set_mode(mode);
        let (line, text) = refusal(&accounts.file());
        assert!(line.is_none() && text.contains(problem) && text.contains("chmod"), "{mode:o}: {text}");
        // Also for who knew the file before.
        let error = log_on(&server, "alice", "CORP", "secret").unwrap_err();
        assert!(matches!(error, Error::Unavailable(Unavailable::AccountFile { .. })), "{mode:o}: {error}");
    }
    accounts.set_mode(0o600);
    log_on(&server, "alice", "CORP", "secret").unwrap();
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let accounts = Accounts::new("CORP:alice:secret\n");
    let directory = accounts.directory.path();
    for (mode, allowed) in
        [(0o700, true), (0o755, true), (0o1777, true), (0o770, false), (0o707, false), (0o777, false)]
    {
        fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
        let checked = accounts.file().check();
        assert_eq!(checked.is_ok(), allowed, "{mode:o}: {checked:?}");
    }
    fs::set_permissions(directory, Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_file_of_another_user_is_refused() {
    let accounts = Accounts::new("CORP:alice:secret\n");
    // Only the superuser can give files away.
    if std::os::unix::fs::chown(&accounts.path, Some(12345), None).is_err() {
        let mut terminal = std::io::stderr();
        writeln!(terminal, "SKIPPED: a file of another user: needs the superuser").unwrap();
        return;
    }
    assert!(refusal(&accounts.file()).1.contains("belongs to another user"));
    std::os::unix::fs::chown(&accounts.path, Some(0), None).unwrap();
    accounts.file().check().unwrap();
    std::os::unix::fs::chown(accounts.directory.path(), Some(12345), None).unwrap();
    assert!(refusal(&accounts.file()).1.contains("directory belongs to another user"));
}

#[test]
fn what_is_not_a_plain_file_is_refused() {
    let accounts = Accounts::new("CORP:alice:secret\n");
    let at = |name: &str| accounts.directory.path().join(name);
    symlink(&accounts.path, at("link")).unwrap();
    assert!(refusal(&UserFile::new(at("link"))).1.contains("symbolic link"));
    fs::create_dir(at("directory")).unwrap();
    assert!(refusal(&UserFile::new(at("directory"))).1.contains("not a regular file"));
    let fifo = at("fifo");
    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&fifo).status().unwrap();
    assert!(made.success());
    let started = Instant::now();
    assert!(refusal(&UserFile::new(&fifo)).1.contains("not a regular file"));
    assert!(started.elapsed() < Duration::from_secs(20), "it waited for a writer");
    assert!(refusal(&UserFile::new(at("missing"))).1.contains("No such file"));
    assert!(refusal(&UserFile::new(at("no/such/directory"))).1.contains("No such file"));
    fs::hard_link(&accounts.path, at("second")).unwrap();
    assert!(refusal(&accounts.file()).1.contains("more than one name"));
    fs::remove_file(at("second")).unwrap();
    accounts.file().check().unwrap();
    File::options().write(true).open(&accounts.path).unwrap().set_len(17 << 20).unwrap();
    assert!(refusal(&accounts.file()).1.contains("16 MiB"));
}

#[test]
fn a_change_counts_from_the_next_logon_on() {
    let accounts = Accounts::new("CORP:alice:first\nCORP:bob:secret\n");
    let server = accounts.server();
    log_on(&server, "alice", "CORP", "first").unwrap();
    // Same size, same places: only the stamp can tell, and not at once.
    for round in 0..20 {
        let (new, old) = if round % 2 == 0 { ("other", "first") } else { ("first", "other") };
        let text = format!("CORP:alice:{new}\nCORP:bob:secret\n");
        if round % 4 < 2 {
            accounts.replace(&text)
        } else {
            write(&accounts.path, &text)
        }
        assert_eq!(denial(log_on(&server, "alice", "CORP", old)), DenialReason::BadNtResponse);
        log_on(&server, "alice", "CORP", new).unwrap();
    }
    // Same size, other names.
    write(&accounts.path, "CORP:carol:first\nCORP:bob:secret\n");
    write(&accounts.path, "CORP:alicX:first\nCORP:bob:secret\n");
    log_on(&server, "alicX", "CORP", "first").unwrap();
    assert_eq!(denial(log_on(&server, "alice", "CORP", "first")), DenialReason::UnknownAccount);
    // Gone, and back.
    fs::remove_file(&accounts.path).unwrap();
    assert!(matches!(log_on(&server, "bob", "CORP", "secret"), Err(Error::Unavailable(_))));
    accounts.replace("CORP:bob:secret\n");
    log_on(&server, "bob", "CORP", "secret").unwrap();
}

/// A file that has rested long enough is not read again; a change is seen all the same, even one that hides behind an old
/// time of modification.
#[test]
fn a_change_of_a_rested_file_is_seen() {
    let accounts = Accounts::new("CORP:alice:first\nCORP:bob:secret\n");
    let server = accounts.server();
    thread::sleep(Duration::from_millis(4200));
    log_on(&server, "alice", "CORP", "first").unwrap();
    log_on(&server, "bob", "CORP", "secret").unwrap();
    let modified = fs::metadata(&accounts.path).unwrap().modified().unwrap();
    // In place, the same size, and the clock put back. The first line stays: it is read where an account is not found.
    let mut file = File::options().write(true).open(&accounts.path).unwrap();
    file.write_all(b"CORP:alice:first\nCORP:ann:secret\n").unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    drop(file);
    assert_eq!(fs::metadata(&accounts.path).unwrap().modified().unwrap(), modified);
    log_on(&server, "ann", "CORP", "secret").unwrap();
    log_on(&server, "alice", "CORP", "first").unwrap();
    assert_eq!(denial(log_on(&server, "bob", "CORP", "secret")), DenialReason::UnknownAccount);
}

/// Logons while the file is replaced all the time: each sees one version or the next, and none fails.
#[test]
fn logons_while_the_file_changes() {
    let accounts = Accounts::new("CORP:alice:secret\n");
    let server = accounts.server();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..100 {
                        log_on(&server, "alice", "CORP", "secret").unwrap();
                        assert_eq!(
                            denial(log_on(&server, "alice", "CORP", "wrong")),
                            DenialReason::BadNtResponse
                        );
                    }
                })
            })
            .collect();
        let mut round = 0;
        while workers.iter().any(|worker| !worker.is_finished()) {
            round += 1;
            accounts.replace(&format!("{}CORP:alice:secret\n", "CORP:bob:secret\n".repeat(round % 50)));
        }
        assert!(round > 1);
    });
}

#[test]
fn an_identity_is_the_first_that_fits() {
    let accounts = Accounts::new(&format!(
        "CORP:alice:one\nOTHER:alice:two\nbob:0:{0}:{HASH}:[U]:\nCORP\\carol:0:{0}:{HASH}:[U]:\n",
        "X".repeat(32)
    ));
    let file = accounts.file();
    let found = |user, domain| {
        let identity: Option<AuthIdentity> = file.identity(user, domain).unwrap();
        identity.map(|identity| (identity.domain, identity.user))
    };
    let names = |domain: &str, user: &str| Some((domain.to_owned(), user.to_owned()));
    assert_eq!(found(None, None), names("CORP", "alice"));
    assert_eq!(found(Some("ALICE"), None), names("CORP", "alice"));
    assert_eq!(found(Some("alice"), Some("other")), names("OTHER", "alice"));
    assert_eq!(found(None, Some("OTHER")), names("OTHER", "alice"));
    // One without a domain fits any, and takes it on.
    assert_eq!(found(Some("bob"), None), names("", "bob"));
    assert_eq!(found(Some("bob"), Some("CORP")), names("CORP", "bob"));
    assert_eq!(found(Some("carol"), Some("CORP")), names("CORP", "carol"));
    assert_eq!(found(Some("carol"), Some("OTHER")), None);
    assert_eq!(found(Some("nobody"), None), None);
}

#[test]
fn default_credentials_of_a_client() {
    let accounts = Accounts::new("CORP:alice:secret\nCORP:bob:hidden\n");
    let server = accounts.server();
    let with_default = client(Some(Arc::new(accounts.file())));
    assert_eq!(name_of(handshake::handshake(&with_default, &server, None)), r"CORP\alice");
    let bob = accounts.file().identity(Some("bob"), None).unwrap();
    assert_eq!(name_of(handshake::handshake(&with_default, &server, bob)), r"CORP\bob");
    // Asked anew each time.
    accounts.replace("CORP:bob:hidden\n");
    assert_eq!(name_of(handshake::handshake(&with_default, &server, None)), r"CORP\bob");
    accounts.replace("");
    let none = handshake::handshake(&with_default, &server, None);
    assert!(matches!(none, Err(Error::Misuse(Misuse::NoCredentials))));
    accounts.replace("nonsense");
    let broken = handshake::handshake(&with_default, &server, None);
    assert!(matches!(broken, Err(Error::Unavailable(Unavailable::AccountFile { .. }))));
}

/// Setting a variable is unsafe in a program with threads, so another one runs with it: this test itself.
#[test]
fn the_environment_names_the_file() {
    const INNER: &str = "PORTABLE_SSPI_TEST_EXPECTED_FILE";
    if let Some(expected) = std::env::var_os(INNER) {
        let file = UserFile::from_environment();
        assert_eq!(file.as_ref().map_or(Path::new(""), UserFile::path), Path::new(&expected));
        return;
    }
    let here = std::env::current_dir().unwrap();
    for (value, expected) in [
        (Some("/etc/accounts"), PathBuf::from("/etc/accounts")),
        (Some("accounts"), here.join("accounts")),
        (Some(""), PathBuf::new()),
        (None, PathBuf::new()),
    ] {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["the_environment_names_the_file", "--exact"]).env(INNER, &expected);
        match value {
            Some(value) => command.env("NTLM_USER_FILE", value),
            None => command.env_remove("NTLM_USER_FILE"),
        };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{value:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// No secret in what can be printed.
#[test]
fn nothing_secret_is_printed() {
    let accounts = Accounts::new(&format!("CORP:alice:opensesame\nbob:0:{HASH}:{HASH}:[U]:\n"));
    let file = Arc::new(accounts.file());
    log_on(&handshake::server(file.clone()), "alice", "CORP", "opensesame").unwrap();
    let shown = format!("{file:?} {:?}", file.identity(None, None).unwrap());
    assert!(!shown.contains("opensesame") && !shown.contains("8846"), "{shown}");
}
