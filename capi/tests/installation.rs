//! What `capi/install` installs: programs compile and link to it in each way that `docs/c-library.md` names, and run.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use programs::{SONAME, is_there, library, python_with_sspilib, shell_block, skipped, source, succeeded};

/// The installer, with the libraries that were built with this test.
fn install(arguments: &[&str]) -> Output {
    Command::new(source("install"))
        .arg("--lib-dir")
        .arg(library().parent().unwrap())
        .args(arguments)
        .output()
        .unwrap()
}

/// An installation under both other names, if the tools are there to look at it.
fn installed() -> Option<(tempfile::TempDir, PathBuf)> {
    for (tool, package) in [("gcc", "gcc"), ("pkg-config", "pkg-config"), ("readelf", "binutils")] {
        if !is_there(tool) {
            skipped(&format!("no {tool} (Debian: {package})"));
            return None;
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("prefix");
    let as_both = ["--as", "libsspi", "--as", "libsecur32"];
    succeeded("install", &install(&[&["--prefix", prefix.to_str().unwrap()], &as_both[..]].concat()));
    Some((directory, prefix))
}

/// Everything below a directory: links with where they lead.
fn tree(root: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        let name = path.to_str().unwrap().to_owned();
        if let Ok(to) = fs::read_link(root.join(&path)) {
            found.push(format!("{name} -> {}", to.display()));
        } else if root.join(&path).is_dir() {
            tree(root, &path, found);
        } else {
            found.push(name);
        }
    }
    found.sort();
}

/// What pkg-config answers for the installation.
#[track_caller]
fn pkg_config(prefix: &Path, questions: &[&str]) -> Vec<String> {
    let output = Command::new("pkg-config")
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .args(questions)
        .arg("portable-sspi")
        .output()
        .unwrap();
    succeeded("pkg-config", &output).split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn gcc(arguments: &[String]) {
    succeeded(
        "gcc",
        &Command::new("gcc").args(["-Wall", "-Wextra", "-Werror"]).args(arguments).output().unwrap(),
    );
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The libraries that a program or library asks for, or its own name.
fn dynamic(file: &Path, kind: &str) -> Vec<String> {
    let said = succeeded("readelf", &Command::new("readelf").arg("-d").arg(file).output().unwrap());
    let lines = said.lines().filter(|line| line.contains(&format!("({kind})")));
    lines.map(|line| line.split(['[', ']']).nth(1).unwrap().to_owned()).collect()
}

/// Runs the program of two processes.
#[track_caller]
fn hands_over(program: &Path, library_path: Option<&Path>) {
    let mut command = Command::new(program);
    // What cargo sets would find the library whatever was linked.
    command.env_remove("LD_LIBRARY_PATH");
    if let Some(path) = library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    assert_eq!(succeeded("handoff", &command.output().unwrap()), "handed over\n");
}

#[test]
fn what_is_installed_is_this_and_nothing_else() {
    let Some((_directory, prefix)) = installed() else { return };
    let mut found = Vec::new();
    tree(&prefix, Path::new(""), &mut found);
    let version = env!("CARGO_PKG_VERSION");
    let mut expected = [
        "include/portable-sspi/portable_sspi.h".to_owned(),
        "include/portable-sspi/portable_sspi_functions.h".to_owned(),
        "include/portable-sspi/portable_sspi_other_names.h".to_owned(),
        "include/portable-sspi/secext.h".to_owned(),
        "include/portable-sspi/security.h".to_owned(),
        "include/portable-sspi/sspi.h".to_owned(),
        format!("lib/{SONAME} -> libportable-sspi.so.{version}"),
        "lib/libportable-sspi.a".to_owned(),
        format!("lib/libportable-sspi.so -> {SONAME}"),
        format!("lib/libportable-sspi.so.{version}"),
        "lib/libsecur32.a -> libportable-sspi.a".to_owned(),
        format!("lib/libsecur32.so -> {SONAME}"),
        "lib/libsspi.a -> libportable-sspi.a".to_owned(),
        format!("lib/libsspi.so -> {SONAME}"),
        "lib/pkgconfig/portable-sspi.pc".to_owned(),
    ];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(dynamic(&prefix.join("lib/libportable-sspi.so"), "SONAME"), [SONAME]);
    assert_eq!(pkg_config(&prefix, &["--modversion"]), [version]);

    // A second time, over the first.
    succeeded("install", &install(&["--prefix", prefix.to_str().unwrap()]));
}

#[test]
fn pkg_config_says_how_to_link_to_the_shared_library() {
    let Some((directory, prefix)) = installed() else { return };
    let program = directory.path().join("handoff");
    let mut arguments = vec![text(&source("tests/c/handoff.c")), "-o".to_owned(), text(&program)];
    arguments.extend(pkg_config(&prefix, &["--cflags", "--libs"]));
    arguments.push(format!("-Wl,-rpath,{}", prefix.join("lib").display()));
    gcc(&arguments);
    assert!(dynamic(&program, "NEEDED").contains(&SONAME.to_owned()));
    hands_over(&program, None);
}

#[test]
fn pkg_config_says_how_to_link_statically() {
    let Some((directory, prefix)) = installed() else { return };
    let program = directory.path().join("handoff");
    let compiled = [text(&source("tests/c/handoff.c")), "-o".to_owned(), text(&program)];

    // The whole program.
    let whole = pkg_config(&prefix, &["--static", "--cflags", "--libs"]);
    gcc(&[&compiled[..], &["-static".to_owned()], &whole].concat());
    assert!(dynamic(&program, "NEEDED").is_empty());
    hands_over(&program, None);

    // This library alone.
    let archive = text(&prefix.join("lib/libportable-sspi.a"));
    gcc(&[&compiled[..], &pkg_config(&prefix, &["--cflags"]), &[archive]].concat());
    assert!(!dynamic(&program, "NEEDED").iter().any(|name| name.contains("sspi")));
    hands_over(&program, None);
}

#[test]
fn the_static_library_wants_what_the_compiler_says() {
    let Some((_directory, prefix)) = installed() else { return };
    let pc = fs::read_to_string(prefix.join("lib/pkgconfig/portable-sspi.pc")).unwrap();
    let private = pc.lines().find_map(|line| line.strip_prefix("Libs.private: ")).unwrap();
    assert!(private.split(' ').all(|word| word.starts_with("-l")), "{private}");
    assert!(private.contains("-lm") && private.contains("-lc") && !private.contains("-lgcc_s"), "{private}");
}

#[test]
fn programs_find_it_under_the_other_names() {
    let Some((directory, prefix)) = installed() else { return };
    let (include, lib) = (prefix.join("include/portable-sspi"), prefix.join("lib"));
    let handoff = text(&source("tests/c/handoff.c"));
    for name in ["sspi", "secur32"] {
        let program = directory.path().join(name);
        gcc(&[
            format!("-I{}", include.display()),
            handoff.clone(),
            format!("-L{}", lib.display()),
            format!("-l{name}"),
            "-o".to_owned(),
            text(&program),
        ]);
        assert!(dynamic(&program, "NEEDED").contains(&SONAME.to_owned()));
        hands_over(&program, Some(&lib));
    }

    // A program that was linked to a library without a name of its own, as sspi-rs's is: it asks for the file.
    let nameless = directory.path().join("nameless");
    fs::create_dir(&nameless).unwrap();
    let symbols = succeeded(
        "nm",
        &Command::new("nm").args(["-D", "--defined-only"]).arg(lib.join("libsspi.so")).output().unwrap(),
    );
    let functions: String = symbols
        .lines()
        .map(|line| format!("void {}(void) {{}}\n", line.split(' ').nth(2).unwrap()))
        .collect();
    fs::write(nameless.join("stub.c"), functions).unwrap();
    gcc(&[
        "-shared".to_owned(),
        "-w".to_owned(),
        text(&nameless.join("stub.c")),
        "-o".to_owned(),
        text(&nameless.join("libsspi.so")),
    ]);
    let program = directory.path().join("linked-before");
    gcc(&[
        format!("-I{}", include.display()),
        handoff,
        format!("-L{}", nameless.display()),
        "-lsspi".to_owned(),
        "-o".to_owned(),
        text(&program),
    ]);
    assert!(dynamic(&program, "NEEDED").contains(&"libsspi.so".to_owned()));
    hands_over(&program, Some(&lib));
}

#[test]
fn programs_open_it_under_each_name() {
    let Some((directory, prefix)) = installed() else { return };
    let opens = directory.path().join("opens.c");
    let program = directory.path().join("opens");
    fs::write(
        &opens,
        "#include <dlfcn.h>\n#include <security.h>\n#include <stdio.h>\n\
         int main(int count, char **names) {\n\
         for (int i = 1; i < count; i++) {\n\
         void *library = dlopen(names[i], RTLD_NOW);\n\
         if (!library) { puts(dlerror()); return 1; }\n\
         INIT_SECURITY_INTERFACE_W init = (INIT_SECURITY_INTERFACE_W)dlsym(library, \"InitSecurityInterfaceW\");\n\
         printf(\"%d\\n\", init && init()->dwVersion == 1); }\n\
         return 0; }\n",
    )
    .unwrap();
    gcc(&[
        format!("-I{}", prefix.join("include/portable-sspi").display()),
        text(&opens),
        "-o".to_owned(),
        text(&program),
    ]);
    let output = Command::new(&program)
        .args(["libsspi.so", "libsecur32.so", SONAME])
        .env("LD_LIBRARY_PATH", prefix.join("lib"))
        .output()
        .unwrap();
    assert_eq!(succeeded("opens", &output), "1\n1\n1\n");
}

#[test]
fn a_package_is_made_below_another_directory() {
    if !is_there("pkg-config") {
        return skipped("no pkg-config (Debian: pkg-config)");
    }
    let directory = tempfile::tempdir().unwrap();
    let staged = text(&directory.path().join("staged"));
    succeeded(
        "install",
        &install(&["--destdir", &staged, "--prefix", "/usr", "--libdir", "lib/x86_64-linux-gnu"]),
    );
    let place = directory.path().join("staged/usr/lib/x86_64-linux-gnu");
    let pc = fs::read_to_string(place.join("pkgconfig/portable-sspi.pc")).unwrap();
    assert!(pc.contains("prefix=/usr\nlibdir=${prefix}/lib/x86_64-linux-gnu\n"), "{pc}");
    assert!(!pc.contains("staged") && !pc.contains('@'), "{pc}");
    assert!(place.join("libportable-sspi.so").exists());
    assert!(!place.join("libsspi.so").exists());

    succeeded("install", &install(&["--destdir", &staged]));
    assert!(directory.path().join("staged/usr/local/lib/libportable-sspi.so").exists());
}

#[test]
fn the_installer_says_what_is_wrong_and_installs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = text(&directory.path().join("prefix"));
    let nothing = text(directory.path());
    for (arguments, says) in [
        (&["--as", "libc"][..], "--as is for"),
        (&["--prefix", "here"], "absolute"),
        (&["--prefix", "/with space"], "cannot say"),
        (&["--prefix", "/"], "no place"),
        (&["--libdir", "/lib"], "below --prefix"),
        (&["--prefix"], "wants a value"),
        (&["--help-me"], "unknown option"),
        (&["--lib-dir", &nothing], "cargo build --release"),
    ] {
        let output = install(&[&["--prefix", &prefix], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(says), "{arguments:?}: {error}");
        assert!(!directory.path().join("prefix").exists(), "{arguments:?}");
    }
}

/// The five lines that replace the library of the Python package sspilib, as the README has them, run on a copy of it. What
/// stands in for cargo and pip does nothing: the library that was built with the test is there, and so is the package.
#[test]
fn five_lines_replace_the_library_of_sspi_rs() {
    let lines = shell_block("README.md", "### Replacing sspi-rs's library in five lines");
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert_eq!(lines, shell_block("docs/c-library.md", "### Replacing sspi-rs's library"));
    let Some(python) = python_with_sspilib() else { return };

    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (site, bin) = (at("site"), at("bin"));
    fs::create_dir_all(at("target/release")).unwrap();
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(library(), at("target/release/libportable_sspi_capi.so")).unwrap();
    let copied = "import importlib.util, pathlib, shutil, sys\n\
        package = pathlib.Path(importlib.util.find_spec('sspilib').origin).parent\n\
        shutil.copytree(package, sys.argv[1] + '/sspilib')\n\
        shutil.copytree(package.parent / 'sspilib.libs', sys.argv[1] + '/sspilib.libs')\n";
    succeeded("copy", &Command::new(&python).args(["-c", copied]).arg(&site).output().unwrap());
    for (name, script) in [
        ("cargo", "exit 0".to_owned()),
        ("pip", "exit 0".to_owned()),
        ("python3", format!("exec '{}' \"$@\"", python.to_str().unwrap())),
    ] {
        fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    fs::write(
        at("program.py"),
        "import sspilib\n\
         user = lambda use: sspilib.UserCredential('alice', 'secret', 'CORP', 'NTLM', use)\n\
         client = sspilib.ClientSecurityContext(user('initiate'), 'HTTP/files')\n\
         server = sspilib.ServerSecurityContext(user('accept'))\n\
         token = None\n\
         while not server.complete:\n\
         \x20   token = server.step(client.step(token))\n\
         assert server.unwrap(client.wrap(b'message')).data == b'message'\n\
         libraries = {line.split()[-1] for line in open('/proc/self/maps') if 'libsspi' in line}\n\
         [library] = libraries\n\
         print(b'PortableSspiGetLastErrorMessage' in open(library, 'rb').read(), library)\n",
    )
    .unwrap();
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-e", "-c", &lines])
        .current_dir(directory.path())
        .env("PATH", path)
        .env("PYTHONPATH", &site)
        .output()
        .unwrap();
    let said = succeeded("five lines", &output);
    let site = fs::canonicalize(&site).unwrap();
    assert!(said.starts_with(&format!("True {}/sspilib.libs/libsspi-", site.display())), "{said}");
}
