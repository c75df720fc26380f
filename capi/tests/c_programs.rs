//! Programs in C and Python over the shared library: what needs a compiler or a package, on the system that the library is
//! built for.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

use std::env;
use std::process::Command;

#[path = "common/programs.rs"]
mod programs;

use programs::*;

#[test]
fn a_context_goes_from_one_c_process_to_another() {
    for (compiler, options) in COMPILERS {
        if !is_there(compiler) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("handoff");
        let output = Command::new(compiler)
            .args(options)
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(source("include"))
            .arg(source("tests/c/handoff.c"))
            .args(["-x", "none"])
            .arg(library())
            .arg("-o")
            .arg(&binary)
            .output()
            .unwrap();
        succeeded(compiler, &output);
        let output = Command::new(&binary).output().unwrap();
        succeeded("handoff", &output);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "handed over\n");
    }
}

#[test]
fn the_python_package_sspilib_works_over_the_library() {
    let python = env::var_os("PORTABLE_SSPI_PYTHON").unwrap_or_else(|| "python3".into());
    let found = Command::new(&python).args(["-c", "import sspilib"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return skipped("the Python package sspilib is not there; tests/interop/requirements.txt names it");
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(&python)
        .arg(source("tests/sspilib_peer.py"))
        .arg(library())
        .arg(directory.path())
        .output()
        .unwrap();
    succeeded("sspilib", &output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("sspilib is content"));
}
