//! Windows: identity and clock.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::windows::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use portable_sspi_core::Unavailable;
use ring::rand::{SecureRandom, SystemRandom};
use windows_registry::{CURRENT_USER, Key, LOCAL_MACHINE, Type};

use super::api;

/// The registry key, below `HKEY_CURRENT_USER`, that Windows keeps in memory only.
const BOOT_KEY: &str = r"Software\portable-sspi volatile";
const BOOT_VALUE: &str = "boot";
const BOOT_ID_LENGTH: usize = 16;
const BOOT_WHAT: &str = "when it was started (a volatile key of HKEY_CURRENT_USER)";
/// What Windows says of a value that isn't there: `HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND)`, 0x80070002.
const NOT_FOUND: i32 = -0x7ff8_fffe;
/// What Windows says of a file that another process has open: `ERROR_SHARING_VIOLATION`.
const SHARING_VIOLATION: i32 = 32;
/// `KEY_WOW64_64KEY`: the registry of 64-bit programs, for 32-bit programs too.
const SAME_FOR_32_BIT: u32 = 0x0100;
/// A process holds the lock for as long as it takes to draw and write 16 bytes.
const LOCK_TRIES: u32 = 400;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// `MachineGuid`, which Windows draws when it is installed.
pub(in super::super) fn machine_id() -> Result<Vec<u8>, Unavailable> {
    let read = || -> io::Result<String> {
        let key = LOCAL_MACHINE
            .options()
            .read()
            .access(SAME_FOR_32_BIT)
            .open(r"SOFTWARE\Microsoft\Cryptography")?;
        Ok(key.get_string("MachineGuid")?)
    };
    let what = "the machine's id (MachineGuid in the registry)";
    let guid = read().map_err(|source| Unavailable::System { what, source })?;
    Ok(guid.into_bytes())
}

/// A random id that the first process of this user draws into a volatile registry key. Windows keeps such a key in
/// memory and doesn't save it: it is gone after a restart, and also when the user's registry is unloaded, which is after
/// the last of his sessions and services has ended.
///
/// Windows has no documented id of its own for a start: the time of the start moves with the clock, and the counter
/// in the registry (`BootId` of the prefetcher) isn't kept on every system.
pub(in super::super) fn boot_id() -> Result<Vec<u8>, Unavailable> {
    let open = CURRENT_USER.options().read().write().create().volatile().open(BOOT_KEY);
    let key = open.map_err(|error| boot_failed(error.into()))?;
    if let Some(id) = read_boot_id(&key)? {
        return Ok(id);
    }
    // Drawing and writing is not one step for the registry: of several processes, one must do it.
    let _lock = lock()?;
    if let Some(id) = read_boot_id(&key)? {
        return Ok(id);
    }
    let mut id = [0; BOOT_ID_LENGTH];
    SystemRandom::new().fill(&mut id).map_err(|_| Unavailable::Entropy)?;
    key.set_bytes(BOOT_VALUE, Type::Bytes, &id).map_err(|error| boot_failed(error.into()))?;
    Ok(id.to_vec())
}

/// The user's security identifier: files are created as this user.
pub(in super::super) fn owner_id() -> Result<Vec<u8>, Unavailable> {
    let sid = api::user_sid().map_err(|source| Unavailable::System { what: "who the user is", source })?;
    Ok([b"sid ".as_slice(), &sid].concat())
}

/// The time since the start, sleep included. The same in all processes, in steps of some 10 to 16 milliseconds; setting
/// the time of day doesn't move it.
#[allow(clippy::unnecessary_wraps, reason = "the same function can fail on other systems")]
pub(in super::super) fn boot_clock_milliseconds() -> Result<u64, Unavailable> {
    Ok(api::milliseconds_since_start())
}

/// Where the host key's directory is made: below the user's own data of programs, which stays on this machine. Asked from
/// Windows, not from the environment, so that all processes of the user arrive at the same place.
pub(super) fn default_directory() -> Result<PathBuf, Unavailable> {
    let data = api::local_app_data()
        .map_err(|source| Unavailable::System { what: "the user's local data directory", source })?;
    Ok(data.join("portable-sspi"))
}

fn read_boot_id(key: &Key) -> Result<Option<Vec<u8>>, Unavailable> {
    match key.get_value(BOOT_VALUE).map_err(io::Error::from) {
        Ok(value) if value.len() == BOOT_ID_LENGTH => Ok(Some(value.to_vec())),
        Ok(_) => Err(boot_failed(ErrorKind::InvalidData.into())),
        Err(error) if error.raw_os_error() == Some(NOT_FOUND) => Ok(None),
        Err(error) => Err(boot_failed(error)),
    }
}

/// A file that one process can have open at a time. Windows closes it when the process ends, however it ends.
fn lock() -> Result<std::fs::File, Unavailable> {
    let directory = default_directory()?;
    let path = directory.join("boot.lock");
    api::make_private_directory(&directory)
        .map_err(|source| Unavailable::HostKey { path: directory, source })?;
    for _ in 0..LOCK_TRIES {
        match OpenOptions::new().write(true).create(true).truncate(false).share_mode(0).open(&path) {
            Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => thread::sleep(LOCK_PAUSE),
            Ok(file) => return Ok(file),
            Err(source) => return Err(Unavailable::HostKey { path, source }),
        }
    }
    Err(Unavailable::HostKey { path, source: ErrorKind::TimedOut.into() })
}

fn boot_failed(source: io::Error) -> Unavailable {
    Unavailable::System { what: BOOT_WHAT, source }
}
