//! Samba's `ntlm_auth`, as the authority: with a password on its command line it needs neither winbindd nor a domain.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The password that every account has.
pub(crate) const PASSWORD: &str = "Password";

/// The program. `None`, loudly, where it is not installed; a failure where `PORTABLE_SSPI_REQUIRE_PEERS=1` says that it
/// must be there.
pub(crate) fn ntlm_auth() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|directory| directory.join("ntlm_auth")).find(|path| path.is_file())
    });
    if program.is_none() {
        let required = std::env::var("PORTABLE_SSPI_REQUIRE_PEERS").is_ok_and(|value| value == "1");
        assert!(!required, "Samba's ntlm_auth is required and not there; install winbind");
        // Not eprintln!: the test harness would swallow it.
        let mut terminal = io::stderr();
        writeln!(terminal, "SKIPPED: no test against Samba's ntlm_auth; install winbind").unwrap();
    }
    program.as_deref()
}

/// Arguments with which it verifies by [`PASSWORD`], configured by a file in `directory` so that nothing of the machine's
/// own configuration counts. Admits NTLMv1 and LM as well, since what it does with them is to be seen.
pub(crate) fn with_password(directory: &Path) -> Vec<OsString> {
    let mut arguments = configured(directory);
    arguments.push(format!("--password={PASSWORD}").into());
    arguments
}

/// Arguments with which it asks winbindd, which isn't there.
pub(crate) fn without_winbindd(directory: &Path) -> Vec<OsString> {
    configured(directory)
}

fn configured(directory: &Path) -> Vec<OsString> {
    let file = directory.join("smb.conf");
    let nowhere = directory.join("nowhere");
    fs::write(
        &file,
        format!(
            "[global]\nlanman auth = yes\nntlm auth = yes\nwinbindd socket directory = {0}\nlock directory = {0}\nstate directory = {0}\ncache directory = {0}\nprivate dir = {0}\n",
            nowhere.display()
        ),
    )
    .unwrap();
    let mut argument = OsString::from("--configfile=");
    argument.push(file);
    vec![argument]
}
