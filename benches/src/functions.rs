//! Libraries with the functions of `sspi.h`, driven through `c/functions.c`: a program in C that opens one of them by
//! `dlopen`, and takes its time itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use crate::work::Work;

/// The program, compiled; it is there as long as this.
pub struct Program {
    path: PathBuf,
    _directory: TempDir,
}

impl Program {
    /// Compiles it; what is missing on this machine, where something is.
    ///
    /// # Errors
    ///
    /// No C compiler, or a system without `dlopen`. A program that does not compile panics.
    pub fn compile() -> Result<Self, String> {
        if !cfg!(unix) {
            return Err("the C program opens libraries by dlopen, which this system has not".into());
        }
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = tempfile::tempdir().expect("a directory for the program");
        let path = directory.path().join("functions");
        let compilation = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
            .args(["-std=c99", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"])
            .arg(package.join("../capi/include"))
            .arg("-o")
            .arg(&path)
            .arg(package.join("c/functions.c"))
            .arg("-ldl")
            .status()
            .map_err(|error| format!("the C compiler does not start (Debian: gcc): {error}"))?;
        assert!(compilation.success(), "c/functions.c does not compile");
        Ok(Self { path, _directory: directory })
    }
}

/// This project's shared library, as Cargo built it with the benchmark: beside the benchmark's own program.
///
/// # Errors
///
/// It is not there.
pub fn our_library() -> Result<PathBuf, String> {
    let name = format!("{}portable_sspi_capi{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let program = env::current_exe().expect("this program's path");
    let library = program.parent().expect("its directory").join(name);
    if library.exists() { Ok(library) } else { Err(format!("{} is not there", library.display())) }
}

/// The shared library of sspi-rs that the Python package `sspilib` brings along, and the package's version. The Python is
/// that of `PORTABLE_SSPI_PYTHON`, else `python3`.
///
/// # Errors
///
/// No Python, or one without the package.
pub fn sspilib_library() -> Result<(PathBuf, String), String> {
    const SCRIPT: &str = "
import importlib.metadata, importlib.util, pathlib
package = pathlib.Path(importlib.util.find_spec('sspilib').origin).parent
[library] = (package.parent / 'sspilib.libs').glob('libsspi*')
print(library)
print(importlib.metadata.version('sspilib'))";
    let python = env::var_os("PORTABLE_SSPI_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(&python).args(["-c", SCRIPT]).output();
    let output = output.map_err(|error| format!("{} does not start: {error}", python.display()))?;
    if !output.status.success() {
        return Err(format!(
            "{} has no package sspilib with a library of its own; tests/interop/requirements.txt names it, and \
             PORTABLE_SSPI_PYTHON a Python that has it",
            python.display()
        ));
    }
    let text = String::from_utf8(output.stdout).expect("text");
    let (library, version) = text.trim_end().split_once('\n').expect("two lines");
    Ok((library.into(), version.to_owned()))
}

/// A library, opened by the running program. Every function panics where it fails.
pub struct Functions {
    program: Child,
    // Taken when the program is to end.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    // Holds the host key; removed when the benchmark ends.
    _host_key: TempDir,
}

impl Functions {
    /// Starts the program over `library`.
    #[must_use]
    pub fn open(program: &Program, library: &Path) -> Self {
        let host_key = crate::ours::host_key_directory();
        let mut program = Command::new(&program.path)
            .arg(library)
            // Nothing of the user's changes what is measured.
            .env_clear()
            .env("NETBIOS_COMPUTER_NAME", "FILES")
            .env("PORTABLE_SSPI_HOST_KEY", host_key.path().join("host-key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let commands = program.stdin.take();
        let answers = BufReader::new(program.stdout.take().expect("its output"));
        let mut functions = Self { program, commands, answers, _host_key: host_key };
        assert_eq!(functions.answer(), "ready");
        functions
    }

    /// How long it takes to do `work` so many `times`; `None` where the library's function says that it does nothing.
    ///
    /// # Panics
    ///
    /// On handshakes, too, which are not what this is for.
    pub fn time(&mut self, work: Work, times: usize) -> Option<Duration> {
        let (name, size) = match work {
            Work::Seal(size) => ("seal", size),
            Work::Unseal(size) => ("unseal", size),
            Work::Sign(size) => ("sign", size),
            Work::Verify(size) => ("verify", size),
            Work::Handshake | Work::ServerShare => panic!("no message"),
        };
        let answer = self.ask(&format!("{name} {times} {size}"));
        (answer != "unsupported").then(|| nanoseconds(&answer))
    }

    /// How long it takes to look up a context so many `times`, and ask for its sizes.
    pub fn lookups(&mut self, times: usize) -> Duration {
        nanoseconds(&self.ask(&format!("lookup {times}")))
    }

    /// How long it takes on the wall until each of so many threads has done `what` so many `times`, on a context of its own;
    /// between those of two threads, `gap - 1` others were made.
    pub fn threads(&mut self, threads: usize, what: &str, times: usize, gap: usize) -> Duration {
        nanoseconds(&self.ask(&format!("threads {threads} {what} {times} {gap}")))
    }

    /// Makes servers' contexts until there are so many, and says how long all took, and the slowest 64 together.
    pub fn crowd(&mut self, contexts: usize) -> (Duration, Duration) {
        let answer = self.ask(&format!("crowd {contexts}"));
        let (all, slowest) = answer.split_once(' ').expect("two numbers");
        (nanoseconds(all), nanoseconds(slowest))
    }

    /// How long `what` takes on so many of them, one after the other, as they were made or in no order.
    pub fn each(&mut self, times: usize, what: &str, in_order: bool) -> Duration {
        nanoseconds(&self.ask(&format!("each {times} {what} {}", u8::from(!in_order))))
    }

    /// How long it takes to export so many of them, which are gone then.
    pub fn export(&mut self, times: usize) -> Duration {
        nanoseconds(&self.ask(&format!("export {times}")))
    }

    /// How long it takes to delete them all.
    pub fn delete(&mut self) -> Duration {
        nanoseconds(&self.ask("delete"))
    }

    /// The program's resident memory, in bytes; `None` where the system does not say.
    #[must_use]
    pub fn resident(&self) -> Option<usize> {
        resident(&format!("/proc/{}/statm", self.program.id()))
    }

    fn ask(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().expect("open until the end");
        writeln!(commands, "{command}").expect("the program listens");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("text");
        assert!(line.ends_with('\n'), "the C program failed, see above");
        line.trim_end().to_owned()
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        // It ends at the end of its input.
        drop(self.commands.take());
        let _ = self.program.wait();
    }
}

fn nanoseconds(answer: &str) -> Duration {
    Duration::from_nanos(answer.parse().expect("a number"))
}

/// The second number of Linux's `statm`, in bytes.
#[must_use]
pub fn resident(statm: &str) -> Option<usize> {
    const PAGE: usize = 4096;
    let text = fs::read_to_string(statm).ok()?;
    text.split(' ').nth(1)?.parse::<usize>().ok().map(|pages| pages * PAGE)
}
