//! Programs in C and Python over the shared library: what needs a compiler or a package, on the system that the library is
//! built for.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The shared library that was built with this program, beside it: what lies further up may be of an earlier build.
fn library() -> PathBuf {
    let program = env::current_exe().unwrap();
    let library = program.parent().unwrap().join("libportable_sspi_capi.so");
    assert!(library.exists(), "{} is not built", library.display());
    library
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Says that a test is left out for want of something; where all must be there, that is a failure.
fn skipped(what: &str) {
    assert!(env::var_os("PORTABLE_SSPI_REQUIRE_PEERS").is_none(), "{what}");
    eprintln!("SKIPPED: {what}");
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[track_caller]
fn succeeded(what: &str, output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}{err}", output.status);
}

/// The two compilers with what they are told.
const COMPILERS: [(&str, &[&str]); 2] =
    [("gcc", &["-std=c99", "-D_GNU_SOURCE"]), ("g++", &["-x", "c++", "-std=c++11", "-D_GNU_SOURCE"])];

#[test]
fn the_headers_are_c_and_c_plus_plus_in_every_combination() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("headers.c");
    let uses = "#include <security.h>\n#include <sspi.h>\n#include <secext.h>\n\
        int main(void) { SecurityFunctionTable t; SEC_WINNT_AUTH_IDENTITY_EX i; (void)t; (void)i;\n\
        return sizeof(WCHAR) == 2 && sizeof(ULONG) == 4 && sizeof(TimeStamp) == 8 && sizeof(t) == 32 * sizeof(void *) ? 0 : 1; }\n";
    std::fs::write(&program, uses).unwrap();
    for (compiler, options) in COMPILERS {
        if !is_there(compiler) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        for defines in [&[][..], &["-DUNICODE"], &["-DSECURITY_WIN32"], &["-DUNICODE", "-DSECURITY_WIN32"]] {
            let binary = directory.path().join("headers");
            let output = Command::new(compiler)
                .args(options)
                .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"])
                .args(defines)
                .arg("-I")
                .arg(source("include"))
                .arg(&program)
                .arg("-o")
                .arg(&binary)
                .output()
                .unwrap();
            succeeded(compiler, &output);
            succeeded("headers", &Command::new(&binary).output().unwrap());
        }
    }
}

#[test]
fn each_exported_function_is_declared_and_each_declared_one_exported() {
    if !is_there("nm") {
        return skipped("no nm (Debian: binutils)");
    }
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    succeeded("nm", &output);
    let symbols = String::from_utf8(output.stdout).unwrap();
    let mut exported: Vec<_> = symbols.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    exported.sort_unstable();
    let headers =
        ["include/sspi.h", "include/secext.h"].map(|name| std::fs::read_to_string(source(name)).unwrap());
    let mut declared = Vec::new();
    for line in headers.iter().flat_map(|text| text.lines()) {
        let is_declaration = !line.starts_with([' ', '#', '/', '*', '}']) && !line.starts_with("typedef");
        if let Some((before, _)) = line.split_once('(').filter(|_| is_declaration) {
            declared.push(before.rsplit([' ', '*']).next().unwrap());
        }
    }
    declared.sort_unstable();
    assert!(declared.len() > 50, "{declared:?}");
    assert_eq!(exported, declared);
}

/// Compiles `tests/c/NAME.c` as C and as C++, runs it, and compares what it prints.
fn run_both(name: &str, arguments: &[&str], expected: &str) {
    for (compiler, options) in COMPILERS {
        if !is_there(compiler) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join(name);
        let output = Command::new(compiler)
            .args(options)
            .args(["-O1", "-pthread", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(source("include"))
            .arg(source("tests/c").join(name).with_extension("c"))
            .args(["-x", "none"])
            .arg(library())
            .arg("-o")
            .arg(&binary)
            .output()
            .unwrap();
        succeeded(compiler, &output);
        let output = Command::new(&binary).args(arguments).output().unwrap();
        succeeded(name, &output);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
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
