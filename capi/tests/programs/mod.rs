//! Compiling and running programs over the shared library that was built with the tests.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The name that programs linked to the library look for.
pub const SONAME: &str = "libportable-sspi.so.0";

/// The shared library that was built with this program, beside it: what lies further up may be of an earlier build.
pub fn library() -> PathBuf {
    let program = env::current_exe().unwrap();
    let library = program.parent().unwrap().join("libportable_sspi_capi.so");
    assert!(library.exists(), "{} is not built", library.display());
    // Under this name programs find it that were linked to it and have its directory among their own.
    match std::os::unix::fs::symlink("libportable_sspi_capi.so", library.with_file_name(SONAME)) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made.unwrap(),
    }
    library
}

/// A file of this package.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Says that a test is left out for want of something; where all must be there, that is a failure.
pub fn skipped(what: &str) {
    assert!(env::var_os("PORTABLE_SSPI_REQUIRE_PEERS").is_none(), "{what}");
    eprintln!("SKIPPED: {what}");
}

pub fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// What it wrote to its standard output.
#[track_caller]
pub fn succeeded(what: &str, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// The two compilers with what they are told.
pub const COMPILERS: [(&str, &[&str]); 2] =
    [("gcc", &["-std=c99", "-D_GNU_SOURCE"]), ("g++", &["-x", "c++", "-std=c++11", "-D_GNU_SOURCE"])];

/// Compiles a program of this package over the library that was built with this test, and links it to that.
#[track_caller]
pub fn compile(compiler: (&str, &[&str]), program: &str, binary: &Path) {
    let library = library();
    let mut rpath = std::ffi::OsString::from("-Wl,-rpath,");
    rpath.push(library.parent().unwrap());
    let output = Command::new(compiler.0)
        .args(compiler.1)
        .args(["-O1", "-pthread", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(source("include"))
        .arg(source(program))
        .args(["-x", "none"])
        .arg(&library)
        .arg(rpath)
        .arg("-o")
        .arg(binary)
        .output()
        .unwrap();
    succeeded(compiler.0, &output);
}

/// The Python that has the packages of `tests/interop/requirements.txt`, if sspilib is among what it has.
pub fn python_with_sspilib() -> Option<std::ffi::OsString> {
    let python = env::var_os("PORTABLE_SSPI_PYTHON").unwrap_or_else(|| "python3".into());
    let found = Command::new(&python).args(["-c", "import sspilib"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skipped("the Python package sspilib is not there; tests/interop/requirements.txt names it");
    None
}

/// What stands between the first line that starts with `heading` and the next heading, in the block that starts with "```sh".
#[track_caller]
pub fn shell_block(page: &str, heading: &str) -> String {
    let text = fs::read_to_string(source("..").join(page)).unwrap();
    let section = text.split_once(heading).unwrap_or_else(|| panic!("{page} has no {heading}")).1;
    let block = section.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    block.to_owned()
}
