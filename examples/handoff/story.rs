//! Tells a person what happens, each line with the process that it happens in.

use std::io::Write;

/// One line, written at once so that the lines of three processes don't mix.
pub fn tell(who: &str, what: &str) {
    let line = format!("[{who:<8} {:>7}] {what}\n", std::process::id());
    // Standard error, because a worker's standard output may be its way to the acceptor.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A heading between two parts.
pub fn heading(title: &str) {
    let _ = std::io::stderr().write_all(format!("\n== {title}\n").as_bytes());
}
