//! Peers that are driven from Python, by scripts of this directory.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::peer::tool_output;

/// A Python with pyspnego and impacket: what `PORTABLE_SSPI_PYTHON` names, which `.ci/run` sets, or else `python3`.
pub(crate) fn with_packages() -> OsString {
    env::var_os("PORTABLE_SSPI_PYTHON").unwrap_or_else(|| "python3".into())
}

/// The command that starts a script, and the version that the script says its peer has. The error says what `needs` to be
/// installed.
pub(crate) fn script(
    python: &OsString,
    name: &str,
    arguments: &[&str],
    needs: &str,
) -> Result<(Vec<OsString>, String), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name);
    let mut command = vec![python.clone(), path.into()];
    command.extend(arguments.iter().map(Into::into));
    let mut asked = Command::new(&command[0]);
    asked.args(&command[1..]).arg("--version").env("PYTHONDONTWRITEBYTECODE", "1");
    let version = tool_output(&mut asked).map_err(|error| format!("{error}; install {needs}"))?;
    Ok((command, version))
}
