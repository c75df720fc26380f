//! gss-ntlmssp, driven through `peers/gss_ntlmssp.c`: a program of its own, which takes its time itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use crate::work::{self, Work};
use crate::{DOMAIN, PASSWORD, USER};

/// The running program. Every function panics where it fails.
pub struct GssNtlmssp {
    program: Child,
    // Taken when the program is to end.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    // Holds the account; removed when the benchmark ends.
    _accounts: TempDir,
}

impl GssNtlmssp {
    /// Compiles the program into `directory` and starts it; what is missing on this machine, where something is.
    ///
    /// # Errors
    ///
    /// No compiler, no headers of MIT Kerberos, or no mechanism. Whatever else goes wrong panics: a peer that is there but
    /// fails must not pass for one that isn't.
    pub fn start(directory: &Path) -> Result<Self, String> {
        let program = compile(directory)?;
        let accounts = tempfile::tempdir().expect("a directory for the account");
        let file = accounts.path().join("users");
        write_private(&file, &format!("{DOMAIN}:{USER}:{PASSWORD}\n"));
        let mut program = Command::new(program)
            .env("NTLM_USER_FILE", file)
            .env("NETBIOS_COMPUTER_NAME", "FILES")
            .env("GSS_BENCH_USER", format!("{DOMAIN}\\{USER}"))
            .env("GSS_BENCH_PASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let commands = program.stdin.take();
        let answers = BufReader::new(program.stdout.take().expect("its output"));
        let mut peer = Self { program, commands, answers, _accounts: accounts };
        match peer.answer().as_str() {
            "ready" => Ok(peer),
            "missing" => Err("GSSAPI has no NTLMSSP mechanism (Debian: gss-ntlmssp)".into()),
            other => panic!("the peer began with {other:?}"),
        }
    }

    /// Like [`work::check`]. That messages come back is what the program's own figures depend on: it ends where they do not.
    pub fn check(&mut self) {
        let text = self.ask("authenticate");
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        work::check_authenticate(&(0..text.len()).step_by(2).map(byte).collect::<Vec<_>>());
    }

    /// How long it takes to do `work` so many `times`.
    pub fn time(&mut self, work: Work, times: usize) -> Duration {
        let (name, size) = match work {
            Work::Handshake => ("handshake", 1),
            Work::ServerShare => ("server", 1),
            Work::Seal(size) => ("seal", size),
            Work::Unseal(size) => ("unseal", size),
            Work::Sign(size) => ("sign", size),
            Work::Verify(size) => ("verify", size),
        };
        Duration::from_nanos(self.number(&format!("{name} {times} {size}")))
    }

    /// Establishes the servers' contexts that are exported next, after so many messages of 1 KiB in both directions; the
    /// length of an exported one in bytes.
    pub fn prepare(&mut self, messages: usize) -> usize {
        usize::try_from(self.number(&format!("prepare {messages}"))).expect("a length")
    }

    /// How long so many exports of the prepared contexts take.
    pub fn export(&mut self, times: usize) -> Duration {
        Duration::from_nanos(self.number(&format!("export {times}")))
    }

    /// How long so many imports of the prepared contexts take.
    pub fn import(&mut self, times: usize) -> Duration {
        Duration::from_nanos(self.number(&format!("import {times}")))
    }

    fn number(&mut self, command: &str) -> u64 {
        self.ask(command).parse().expect("a number")
    }

    fn ask(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().expect("open until the end");
        writeln!(commands, "{command}").expect("the peer listens");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("text");
        assert!(line.ends_with('\n'), "gss-ntlmssp failed, see above");
        line.trim_end().to_owned()
    }
}

impl Drop for GssNtlmssp {
    fn drop(&mut self) {
        // It ends at the end of its input.
        drop(self.commands.take());
        let _ = self.program.wait();
    }
}

fn compile(directory: &Path) -> Result<PathBuf, String> {
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "krb5-gssapi"]).output();
    let flags = flags.map_err(|error| format!("pkg-config does not start: {error}"))?;
    if !flags.status.success() {
        return Err("pkg-config finds no krb5-gssapi (Debian: libkrb5-dev)".into());
    }
    let flags = String::from_utf8(flags.stdout).expect("text");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/gss_ntlmssp.c");
    // Two runs at once must not see each other's half-written program: rename is atomic.
    let unfinished = directory.join(format!("gss_ntlmssp.{}", std::process::id()));
    let finished = directory.join("gss_ntlmssp");
    let compilation = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c99", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&unfinished)
        .arg(source)
        .args(flags.split_whitespace())
        .status()
        .map_err(|error| format!("the C compiler does not start: {error}"))?;
    assert!(compilation.success(), "peers/gss_ntlmssp.c does not compile");
    fs::rename(unfinished, &finished).expect("the program in its place");
    Ok(finished)
}

/// For this user's eyes: the file holds a password.
fn write_private(path: &Path, text: &str) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("the account's file");
}
