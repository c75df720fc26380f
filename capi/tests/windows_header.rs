//! The declarations for Windows are made from those of the headers for other systems. That the library for Windows exports
//! what they name is checked where it is built, by `.ci/windows-programs`.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failing test says where")]

use std::fmt::Write;

/// What Windows has itself, and what is named alike everywhere.
const NOT_PREFIXED: [&str; 4] =
    ["CloseHandle", "GetLastError", "SetLastError", "PortableSspiGetLastErrorMessage"];

const HEADERS: [&str; 2] = [include_str!("../include/sspi.h"), include_str!("../include/secext.h")];

/// Each declaration of a function, on as many lines as it has.
fn declarations() -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in HEADERS.iter().flat_map(|text| text.lines()) {
        if inside {
            let last = found.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
            inside = !line.ends_with(';');
        } else if !line.starts_with([' ', '#', '/', '*', '}'])
            && !line.starts_with("typedef")
            && line.contains('(')
        {
            found.push(line.to_owned());
            inside = !line.ends_with(';');
        }
    }
    found
}

/// The function that a declaration declares.
fn name(declaration: &str) -> &str {
    declaration.split('(').next().unwrap().rsplit([' ', '*']).next().unwrap()
}

fn made() -> String {
    let mut names = String::new();
    let mut declared = String::new();
    for declaration in declarations() {
        let name = name(&declaration);
        if NOT_PREFIXED.contains(&name) {
            continue;
        }
        writeln!(names, "#define {name} PortableSspi{name}").unwrap();
        writeln!(declared, "{}", declaration.replacen(name, &format!("PortableSspi{name}"), 1)).unwrap();
    }
    format!(
        "/*\n * The functions of the library for Windows, for portable_sspi.h. Made from sspi.h and secext.h; after a change of these:\n \
         * PORTABLE_SSPI_WRITE=1 cargo test -p portable-sspi-capi --test windows_header\n */\n\
         #ifdef PORTABLE_SSPI_REPLACES_SECUR32\n\n{names}\n#else\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n{declared}\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    )
}

#[test]
fn the_declarations_for_windows_are_those_of_the_headers() {
    let made = made();
    assert!(made.matches("#define").count() > 50, "{made}");
    if std::env::var_os("PORTABLE_SSPI_WRITE").is_some() {
        let place = concat!(env!("CARGO_MANIFEST_DIR"), "/include/portable_sspi_functions.h");
        std::fs::write(place, made).unwrap();
        return;
    }
    let there = include_str!("../include/portable_sspi_functions.h").replace('\r', "");
    let differs = made.lines().zip(there.lines()).find(|(made, there)| made != there);
    assert!(made == there, "portable_sspi_functions.h tells how it is made again: {differs:?}");
}
