//! Programs in C and Python over the shared library: what needs a compiler or a package, on the system that the library is
//! built for.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

mod programs;

use std::process::Command;

use programs::{COMPILERS, compile, is_there, library, python_with_sspilib, skipped, source, succeeded};

/// Compiles `tests/c/NAME.c` as C and as C++, runs it, and compares what it prints.
fn run_both(name: &str, arguments: &[&str], expected: &str) {
    for compiler in COMPILERS {
        if !is_there(compiler.0) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join(name);
        compile(compiler, &format!("tests/c/{name}.c"), &binary);
        let said = succeeded(name, &Command::new(&binary).args(arguments).output().unwrap());
        assert_eq!(said, expected);
    }
}

#[test]
fn a_context_goes_from_one_c_process_to_another() {
    run_both("handoff", &[], "handed over\n");
}

// `.ci/memory-safety` runs these below sanitizers and Valgrind.
#[test]
fn threads_use_and_delete_the_same_objects_at_once() {
    run_both("threads", &["150", "8"], "no thread disturbed another\n");
}

#[test]
fn misuse_is_refused_and_harms_nothing() {
    run_both("misuse", &[], "nothing was misused\n");
}

#[test]
fn a_thread_is_not_cancelled_in_the_middle_of_a_call() {
    run_both("cancelled", &[], "every call came to its end\n");
}

#[test]
fn the_table_has_the_library_s_functions_whatever_the_program_calls_its_own() {
    run_both("wrapped", &[], "each function once\n");
}

#[test]
fn the_python_package_sspilib_works_over_the_library() {
    let Some(python) = python_with_sspilib() else { return };
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(&python)
        .arg(source("tests/sspilib_peer.py"))
        .arg(library())
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(succeeded("sspilib", &output).contains("sspilib is content"));
}
