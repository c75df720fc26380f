//! Gives the shared library the name that programs linked to it look for.

use std::env;

/// Counts up when a program that was linked to an older library can no longer use it. What is in the library is as in
/// `sspi.h`, which does not change.
const ABI: u32 = 0;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let argument = match (target("FAMILY").as_str(), target("VENDOR").as_str()) {
        // The installer writes the place into it.
        ("unix", "apple") => format!("-Wl,-install_name,@rpath/libportable-sspi.{ABI}.dylib"),
        // The library's own calls and its table of functions are the library's, whatever else has these names: a program that
        // wraps FreeContextBuffer in a function of that name would find itself in the table, and call itself for ever.
        ("unix", _) => format!("-Wl,-soname,libportable-sspi.so.{ABI},-Bsymbolic-functions"),
        _ => return,
    };
    println!("cargo::rustc-cdylib-link-arg={argument}");
}
