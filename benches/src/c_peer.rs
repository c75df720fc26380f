//! Peers in C: each is a program of ours below `peers/`, compiled where its library is installed, which takes its time
//! itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use crate::limit::Limit;
use crate::work::{self, Work};
use crate::{DOMAIN, PASSWORD, USER};

/// What a peer's program is made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The peer's name in the table.
    pub name: &'static str,
    /// The program's file, without its ending.
    program: &'static str,
    /// The library, as pkg-config knows it, and its Debian package.
    library: &'static str,
    package: &'static str,
}

/// gss-ntlmssp, below MIT Kerberos.
pub const GSS_NTLMSSP: Recipe =
    Recipe { name: "gss-ntlmssp", program: "gss_ntlmssp", library: "krb5-gssapi", package: "libkrb5-dev" };
/// WinPR, the SSPI of FreeRDP.
pub const WINPR: Recipe =
    Recipe { name: "WinPR", program: "winpr", library: "winpr2", package: "libwinpr2-dev" };
/// OpenSSL's MD5 and RC4.
pub const OPENSSL: Recipe =
    Recipe { name: "OpenSSL", program: "openssl", library: "libcrypto >= 3.0", package: "libssl-dev" };

/// A running program. Every function panics where it fails.
pub struct CPeer {
    name: &'static str,
    version: String,
    program: Child,
    // Taken when the program is to end.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    // Holds the account; removed when the benchmark ends.
    _accounts: TempDir,
}

impl CPeer {
    /// Compiles the program into `directory`, starts it and checks it; what is missing on this machine, where something is.
    ///
    /// # Errors
    ///
    /// No compiler, no headers, or what the program itself misses. Whatever else goes wrong panics: a peer that is there but
    /// fails must not pass for one that isn't.
    pub fn start(recipe: Recipe, directory: &Path) -> Result<Self, String> {
        let mut peer = Self::run(recipe, &compile(recipe, directory, false)?)?;
        match peer.ask("check").as_str() {
            "ok" => {}
            authenticate => {
                let byte = |at| u8::from_str_radix(&authenticate[at..at + 2], 16).expect("hexadecimal");
                let bytes: Vec<_> = (0..authenticate.len()).step_by(2).map(byte).collect();
                work::check_authenticate(&bytes);
            }
        }
        Ok(peer)
    }

    /// Bytes on the heap for one established server's context, after so many messages in both directions, by a program of
    /// its own that counts.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn memory(recipe: Recipe, directory: &Path, after: &[usize; 2]) -> Result<[usize; 2], String> {
        // The program stands in for functions of glibc.
        if !cfg!(target_env = "gnu") {
            return Err("its memory is counted with glibc alone".into());
        }
        let mut peer = Self::run(recipe, &compile(recipe, directory, true)?)?;
        Ok(after.map(|messages| {
            let bytes = peer.number(&format!("memory {messages}")).expect("a number");
            usize::try_from(bytes).expect("a length")
        }))
    }

    /// The peer's name, with its version where the program knows it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.name, self.version).trim_end().to_owned()
    }

    /// Whether it does `work` at all.
    pub fn can(&mut self, work: Work) -> bool {
        self.number(&command(work, 1)).is_some()
    }

    /// How long it takes to do `work` so many `times`.
    pub fn time(&mut self, work: Work, times: usize) -> Duration {
        Duration::from_nanos(self.number(&command(work, times)).expect("what it can do"))
    }

    /// Establishes the servers' contexts that are exported next, after so many messages of 1 KiB in both directions; the
    /// length of an exported one in bytes. `None` where the peer exports none.
    pub fn prepare(&mut self, messages: usize) -> Option<usize> {
        self.number(&format!("prepare {messages}")).map(|bytes| usize::try_from(bytes).expect("a length"))
    }

    /// How long so many exports of the prepared contexts take.
    pub fn export(&mut self, times: usize) -> Duration {
        Duration::from_nanos(self.number(&format!("export {times}")).expect("prepared"))
    }

    /// How long so many imports of the prepared contexts take.
    pub fn import(&mut self, times: usize) -> Duration {
        Duration::from_nanos(self.number(&format!("import {times}")).expect("prepared"))
    }

    /// How long `limit` takes so many `times`, over so many bytes.
    pub fn limit(&mut self, limit: Limit, times: usize, size: usize) -> Duration {
        let name = match limit {
            Limit::Md5 => "md5",
            Limit::Rc4 => "rc4",
            Limit::Both => "both",
        };
        Duration::from_nanos(self.number(&format!("{name} {times} {size}")).expect("an algorithm"))
    }

    fn run(recipe: Recipe, program: &Path) -> Result<Self, String> {
        let accounts = tempfile::tempdir().expect("a directory for the account");
        let file = accounts.path().join("users");
        write_private(&file, &format!("{DOMAIN}:{USER}:{PASSWORD}\n"));
        let mut program = Command::new(program)
            .envs([("PEER_USER", USER), ("PEER_DOMAIN", DOMAIN), ("PEER_PASSWORD", PASSWORD)])
            // What gss-ntlmssp asks for.
            .env("NTLM_USER_FILE", file)
            .env("NETBIOS_COMPUTER_NAME", "FILES")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let commands = program.stdin.take();
        let answers = BufReader::new(program.stdout.take().expect("its output"));
        let mut peer = Self {
            name: recipe.name,
            version: String::new(),
            program,
            commands,
            answers,
            _accounts: accounts,
        };
        let first = peer.answer();
        let (word, rest) = first.split_once(' ').unwrap_or((&first, ""));
        match word {
            "ready" => rest.clone_into(&mut peer.version),
            "missing" => return Err(rest.to_owned()),
            _ => panic!("{} began with {first:?}", recipe.name),
        }
        Ok(peer)
    }

    fn number(&mut self, command: &str) -> Option<u64> {
        match self.ask(command).as_str() {
            "unsupported" => None,
            number => Some(number.parse().expect("a number")),
        }
    }

    fn ask(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().expect("open until the end");
        writeln!(commands, "{command}").expect("the peer listens");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("text");
        assert!(line.ends_with('\n'), "{} failed, see above", self.name);
        line.trim_end().to_owned()
    }
}

impl Drop for CPeer {
    fn drop(&mut self) {
        // It ends at the end of its input.
        drop(self.commands.take());
        let _ = self.program.wait();
    }
}

fn command(work: Work, times: usize) -> String {
    let (name, size) = match work {
        Work::Handshake => ("handshake", 1),
        Work::ServerShare => ("server", 1),
        Work::Seal(size) => ("seal", size),
        Work::Unseal(size) => ("unseal", size),
        Work::Sign(size) => ("sign", size),
        Work::Verify(size) => ("verify", size),
    };
    format!("{name} {times} {size}")
}

fn compile(recipe: Recipe, directory: &Path, counting: bool) -> Result<PathBuf, String> {
    let Recipe { program, library, package, .. } = recipe;
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", library]).output();
    let flags = flags.map_err(|error| format!("pkg-config does not start: {error}"))?;
    if !flags.status.success() {
        return Err(format!("pkg-config finds no {library} (Debian: {package})"));
    }
    let flags = String::from_utf8(flags.stdout).expect("text");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("peers/{program}.c"));
    let finished = directory.join(if counting { format!("{program}_counting") } else { program.to_owned() });
    // Two runs at once must not see each other's half-written program: rename is atomic.
    let unfinished = finished.with_extension(std::process::id().to_string());
    let compilation = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c99", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"])
        .args(counting.then_some("-DCOUNT_HEAP"))
        .arg("-o")
        .arg(&unfinished)
        .arg(source)
        .args(flags.split_whitespace())
        .status()
        .map_err(|error| format!("the C compiler does not start: {error}"))?;
    assert!(compilation.success(), "peers/{program}.c does not compile");
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
