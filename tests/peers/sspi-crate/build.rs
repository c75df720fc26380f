//! Makes the programs of examples/ from the `sspi` crate's own client and server: as they are, and with `Ntlm` imported from
//! this library. They are taken from where Cargo unpacked that crate, so it is always the release that is tested.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Where both examples have it. Each build has an address of its own, so that several can be tested at once.
const ADDRESS: &str = "127.0.0.1:8080";
/// In both examples, the one list of what they import from that crate.
const THEIRS: (&str, &str) = ("use sspi::{\n", " Ntlm, SecurityBuffer,\n");
const OURS: (&str, &str) = ("use portable_sspi::sspi_crate::Ntlm;\nuse sspi::{\n", " SecurityBuffer,\n");

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../../Cargo.lock");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    let address = own_address(&out);
    println!("cargo::rustc-env=PORTABLE_SSPI_EXAMPLES_ADDRESS={address}");
    let examples = sspi_crate().join("examples");
    for name in ["client", "server"] {
        let source = fs::read_to_string(examples.join(name).with_extension("rs")).expect("the crate has it");
        let theirs = replaced(&source, ADDRESS, &address);
        let ours = replaced(&replaced(&theirs, THEIRS.0, OURS.0), THEIRS.1, OURS.1);
        fs::write(out.join(format!("{name}_theirs.rs")), theirs).expect("OUT_DIR is writable");
        fs::write(out.join(format!("{name}_ours.rs")), ours).expect("OUT_DIR is writable");
    }
}

fn replaced(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old:?} in the crate's example");
    text.replace(old, new)
}

/// On the loopback network, which has 2^24 addresses on Linux.
fn own_address(out: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    out.hash(&mut hasher);
    let [a, b, ..] = hasher.finish().to_le_bytes();
    format!("127.{a}.{b}.1:8080")
}

/// The directory of the crate's source.
fn sspi_crate() -> PathBuf {
    let mut metadata = Command::new(env::var_os("CARGO").expect("Cargo sets it"));
    metadata.args(["metadata", "--locked", "--format-version", "1", "--filter-platform"]);
    let output = metadata.arg(env::var("TARGET").expect("Cargo sets it")).output().expect("Cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let sspi = packages.iter().find(|package| package["name"] == "sspi").expect("a dependency");
    let manifest = sspi["manifest_path"].as_str().expect("a path");
    Path::new(manifest).parent().expect("a file").to_owned()
}
