//! What the library has once in a process: the table of packages that exports and imports contexts, and what the
//! environment says of accounts, names and policy.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use portable_sspi::accounts::UserFile;
use portable_sspi::ntlm::{ClientPolicy, LmCompatibilityLevel, Ntlm, NtlmConfig, ServerNames, ServerPolicy};
use portable_sspi::{
    Environment, HostKeyScope, Misuse, SecurityStatus, Sspi, SspiConfig, SystemClock, SystemEntropy,
};

use crate::failure::{Failure, Result};
use crate::os;

/// The file of accounts, as for gss-ntlmssp.
const USER_FILE: &str = "NTLM_USER_FILE";
/// This server's names, as for gss-ntlmssp.
const COMPUTER_NAME: &str = "NETBIOS_COMPUTER_NAME";
const DOMAIN_NAME: &str = "NETBIOS_DOMAIN_NAME";
/// 0 to 5, as for gss-ntlmssp.
const LEVEL: &str = "LM_COMPAT_LEVEL";
/// `no` admits clients that protect the handshake by no MIC.
const REQUIRE_MIC: &str = "PORTABLE_SSPI_REQUIRE_MIC";
/// `names` lets a program take part as the client, by name.
const IMPERSONATE: &str = "PORTABLE_SSPI_IMPERSONATE";
/// Where the host key is that exported contexts are sealed under.
const HOST_KEY: &str = "PORTABLE_SSPI_HOST_KEY";

static ENTROPY: LazyLock<SystemEntropy> = LazyLock::new(SystemEntropy::new);
static SSPI: LazyLock<core::result::Result<Sspi, &'static str>> = LazyLock::new(make_sspi);
static FILE: Mutex<Option<Arc<UserFile>>> = Mutex::new(None);

/// Entropy and time of the system.
pub(crate) fn environment() -> Environment<'static> {
    Environment::new(&*ENTROPY, &SystemClock)
}

/// The table that exports and imports.
///
/// # Errors
/// `SEC_E_INTERNAL_ERROR` where the environment names a host key that there cannot be.
pub(crate) fn sspi() -> Result<&'static Sspi> {
    SSPI.as_ref().map_err(|problem| Failure::new(SecurityStatus::SEC_E_INTERNAL_ERROR, problem))
}

fn make_sspi() -> core::result::Result<Sspi, &'static str> {
    let host_key = match variable(HOST_KEY) {
        None => HostKeyScope::default(),
        Some(text) => host_key(&text).ok_or(
            "PORTABLE_SSPI_HOST_KEY is neither a directory nor group:GROUP:OWNER:DIRECTORY nor host:OWNER:DIRECTORY",
        )?,
    };
    let packages: Vec<Arc<dyn portable_sspi::Provider>> = vec![Arc::new(Ntlm::default())];
    Sspi::new(SspiConfig { packages, host_key, ..SspiConfig::default() }).map_err(
        |_| "PORTABLE_SSPI_HOST_KEY names no absolute path, or a scope that this system does not have",
    )
}

/// `DIRECTORY`, `group:GROUP:OWNER:DIRECTORY` or `host:OWNER:DIRECTORY`.
fn host_key(text: &OsString) -> Option<HostKeyScope> {
    if Path::new(text).is_absolute() {
        return Some(HostKeyScope::user_directory(PathBuf::from(text)));
    }
    let (kind, rest) = text.to_str()?.split_once(':')?;
    match kind {
        "group" => {
            let (group, rest) = rest.split_once(':')?;
            let (owner, directory) = rest.split_once(':')?;
            let (group, owner) = (group.parse().ok()?, owner.parse().ok()?);
            Some(HostKeyScope::Group { directory: directory.into(), group, owner })
        }
        "host" => {
            let (owner, directory) = rest.split_once(':')?;
            Some(HostKeyScope::Host { directory: directory.into(), owner: owner.parse().ok()? })
        }
        _ => None,
    }
}

/// The file of accounts that the environment names now. It keeps its index from one call to the next.
pub(crate) fn account_file() -> Option<Arc<UserFile>> {
    let path = PathBuf::from(variable(USER_FILE)?);
    let mut known = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = known.as_ref().filter(|file| file.path() == path) {
        return Some(Arc::clone(file));
    }
    let file = Arc::new(UserFile::new(path));
    *known = Some(Arc::clone(&file));
    Some(file)
}

/// NTLM as the environment sets it up, without accounts.
///
/// # Errors
/// `SEC_E_INTERNAL_ERROR` where a variable has a value that means nothing: passed over, it might weaken what it was to
/// strengthen.
pub(crate) fn ntlm_config() -> Result<NtlmConfig> {
    let bad = |option, problem| Failure::from(Misuse::BadOption { option, problem });
    let level = match variable(LEVEL).as_ref().map(|value| value.to_str()) {
        None => LmCompatibilityLevel::default(),
        Some(Some("0")) => LmCompatibilityLevel::Level0,
        Some(Some("1")) => LmCompatibilityLevel::Level1,
        Some(Some("2")) => LmCompatibilityLevel::Level2,
        Some(Some("3")) => LmCompatibilityLevel::Level3,
        Some(Some("4")) => LmCompatibilityLevel::Level4,
        Some(Some("5")) => LmCompatibilityLevel::Level5,
        Some(_) => return Err(bad(LEVEL, "not a digit from 0 to 5")),
    };
    let require_mic = match variable(REQUIRE_MIC).as_ref().map(|value| value.to_str()) {
        None | Some(Some("yes")) => true,
        Some(Some("no")) => false,
        Some(_) => return Err(bad(REQUIRE_MIC, "neither yes nor no")),
    };
    for name in [COMPUTER_NAME, DOMAIN_NAME] {
        if variable(name).is_some_and(|value| value.to_str().is_none()) {
            return Err(bad(name, "not text"));
        }
    }
    let server_names = server_names();
    Ok(NtlmConfig {
        workstation: server_names.netbios_computer.clone(),
        server_names,
        server_policy: ServerPolicy { level, require_mic, ..ServerPolicy::default() },
        client_policy: ClientPolicy { level, ..ClientPolicy::default() },
        ..NtlmConfig::default()
    })
}

/// Whether a thread may take part as the client, by name alone.
///
/// # Errors
/// As of [`ntlm_config`].
pub(crate) fn impersonates_names() -> Result<bool> {
    match variable(IMPERSONATE).as_ref().map(|value| value.to_str()) {
        None => Ok(false),
        Some(Some("names")) => Ok(true),
        Some(_) => Err(Misuse::BadOption { option: IMPERSONATE, problem: "not names" }.into()),
    }
}

/// What this host is called: by the environment, else by the system.
pub(crate) fn server_names() -> ServerNames {
    let host = os::host_name().unwrap_or_else(|| "localhost".to_owned());
    let text = |name| variable(name).and_then(|value| value.into_string().ok());
    let computer = text(COMPUTER_NAME).unwrap_or_else(|| {
        let first = host.split('.').next().unwrap_or_default();
        // NetBIOS has room for 15 characters.
        first.chars().take(15).collect::<String>().to_ascii_uppercase()
    });
    let mut names = ServerNames::stand_alone(computer);
    names.dns_computer = host.to_ascii_lowercase();
    if let Some(domain) = text(DOMAIN_NAME) {
        names.netbios_domain = domain;
        names.domain_joined = true;
    }
    names
}

/// An environment variable, unless it comes from somebody with less rights, or is empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    if !os::environment_is_trusted() {
        return None;
    }
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_are_named_in_three_forms() {
        let parsed = |text: &str| host_key(&OsString::from(text)).map(|scope| format!("{scope:?}"));
        if cfg!(unix) {
            assert!(parsed("/run/x").unwrap().starts_with("User"));
        }
        let group = parsed("group:33:0:/run/x").unwrap();
        assert!(
            group.contains("group: 33") && group.contains("owner: 0") && group.contains("/run/x"),
            "{group}"
        );
        assert!(parsed("host:0:/run/x").unwrap().starts_with("Host"));
        for bad in ["run/x", "group:33:/run/x", "group:x:0:/run/x", "host:/run/x", "world:0:/run/x"] {
            assert!(parsed(bad).is_none(), "{bad}");
        }
    }
}
