//! Compiling and running programs over the shared library.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The shared library that was built with this program, beside it: what lies further up may be of an earlier build.
pub fn library() -> PathBuf {
    let program = env::current_exe().unwrap();
    let library = program.parent().unwrap().join("libportable_sspi_capi.so");
    assert!(library.exists(), "{} is not built", library.display());
    library
}

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

#[track_caller]
pub fn succeeded(what: &str, output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}{err}", output.status);
}

/// The two compilers with what they are told.
pub const COMPILERS: [(&str, &[&str]); 2] =
    [("gcc", &["-std=c99", "-D_GNU_SOURCE"]), ("g++", &["-x", "c++", "-std=c++11", "-D_GNU_SOURCE"])];
