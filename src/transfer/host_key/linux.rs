//! Linux.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;

use portable_sspi_core::Unavailable;
use rustix::process::geteuid;
use rustix::time::{ClockId, clock_gettime};

/// Machine ids are 32 hexadecimal digits and a line feed; boot ids 36 characters.
const LONGEST_ID: usize = 64;
/// Its number is fixed in the kernel (`PROC_TIME_INIT_INO`).
const INITIAL_TIME_NAMESPACE: &str = "time:[4026531834]";

/// The machine's id: machine-id(5), or that of D-Bus. Many containers have neither; a fixed text then takes its place, and
/// the host's secret alone tells hosts apart.
pub(super) fn machine_id() -> Result<Vec<u8>, Unavailable> {
    for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
        match read_id(path) {
            // While an image starts for the first time, the file is empty or says "uninitialized".
            Ok(id) if id.is_empty() || id == b"uninitialized" => {}
            Ok(id) => return Ok(id),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {}
            Err(source) => return Err(Unavailable::System { what: "the machine's id", source }),
        }
    }
    Ok(b"no machine id".to_vec())
}

/// What the kernel drew at random when it started; and in a time namespace of its own, where the clock has another start,
/// that namespace too.
pub(super) fn boot_id() -> Result<Vec<u8>, Unavailable> {
    let refused =
        |source| Unavailable::System { what: "the boot id (/proc/sys/kernel/random/boot_id)", source };
    let id = read_id("/proc/sys/kernel/random/boot_id").map_err(refused)?;
    if id.is_empty() {
        return Err(refused(ErrorKind::InvalidData.into()));
    }
    match fs::read_link("/proc/self/ns/time") {
        Ok(namespace) if namespace.as_os_str() == INITIAL_TIME_NAMESPACE => Ok(id),
        Ok(namespace) => Ok([&id, b" in ".as_slice(), namespace.as_os_str().as_bytes()].concat()),
        // A kernel without time namespaces (before 5.6, or built without).
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(id),
        Err(source) => Err(Unavailable::System { what: "the time namespace (/proc/self/ns/time)", source }),
    }
}

/// The effective user: files are created as this user.
pub(super) fn owner_id() -> Result<Vec<u8>, Unavailable> {
    Ok([b"uid ".as_slice(), &geteuid().as_raw().to_le_bytes()].concat())
}

/// `CLOCK_BOOTTIME`: the same in all processes (outside a time namespace), counts on in suspend, and setting the time of
/// day doesn't move it.
pub(super) fn boot_clock_milliseconds() -> Result<u64, Unavailable> {
    let time = clock_gettime(ClockId::Boottime);
    let milliseconds = || {
        let seconds = u64::try_from(time.tv_sec).ok()?;
        seconds.checked_mul(1000)?.checked_add(u64::try_from(time.tv_nsec).ok()? / 1_000_000)
    };
    milliseconds().ok_or(Unavailable::System {
        what: "the time since it started (CLOCK_BOOTTIME)",
        source: ErrorKind::InvalidData.into(),
    })
}

/// Where the host key's directory is made, best first. Only fixed places: two processes that share nothing but their
/// user must arrive at the same one, so not the environment; homes may be read-only or shared by hosts over NFS;
/// `/run/user` isn't there for services, and comes and goes for people.
pub(super) const fn candidate_directories() -> &'static [&'static str] {
    &["/dev/shm", "/tmp"]
}

fn read_id(path: &str) -> io::Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    Ok(bytes.trim_ascii().iter().copied().take(LONGEST_ID).collect())
}
