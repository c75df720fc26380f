//! Programs in C and Python over the shared library: what needs a compiler or a package, on the system that the library is
//! built for.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

mod programs;

use std::process::Command;

use programs::{COMPILERS, compile, is_there, library, python_with_sspilib, skipped, source, succeeded};

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

#[test]
fn a_context_goes_from_one_c_process_to_another() {
    for compiler in COMPILERS {
        if !is_there(compiler.0) {
            return skipped("no gcc or g++ (Debian: gcc, g++)");
        }
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("handoff");
        compile(compiler, "tests/c/handoff.c", &binary);
        let said = succeeded("handoff", &Command::new(&binary).output().unwrap());
        assert_eq!(said, "handed over\n");
    }
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
