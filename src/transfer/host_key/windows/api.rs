//! The functions of Windows that no safe crate wraps well: the only unsafe code of this crate.
//!
//! Each function here is safe to call with any arguments, and gives owned values.

#![allow(unsafe_code, reason = "Windows tells user, clock and protected data through C functions only")]

use std::ffi::{OsString, c_void};
use std::fs::File;
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::ptr;
use std::slice;

use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, HANDLE, LocalFree, WIN32_ERROR};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW,
    GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use windows_sys::Win32::Security::{
    GetLengthSid, GetTokenInformation, IsWellKnownSid, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    PSID, SECURITY_ATTRIBUTES, TOKEN_USER, TokenUser, WinBuiltinAdministratorsSid, WinLocalSystemSid,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::UI::Shell::{FOLDERID_LocalAppData, SHGetKnownFolderPath};
use zeroize::{Zeroize, Zeroizing};

/// Says what a protected secret is for; Windows wants the same to unprotect it.
const DPAPI_PURPOSE: &[u8] = b"portable-sspi host key 1";
/// `GetCurrentThreadEffectiveToken()` of the SDK, which is a macro: whom the thread impersonates, or else who runs the
/// process.
const EFFECTIVE_TOKEN: HANDLE = ptr::without_provenance_mut(-6_isize as usize);
/// Longer than a `TOKEN_USER` with the longest SID (84 bytes); in `u64` because it must be aligned as pointers are.
type TokenBuffer = [u64; 32];

/// Milliseconds since the start of the system, with the time it slept.
pub(super) fn milliseconds_since_start() -> u64 {
    // SAFETY: takes nothing, and cannot fail.
    unsafe { GetTickCount64() }
}

/// The security identifier of the user that the calling thread acts as, in its binary form.
pub(super) fn user_sid() -> io::Result<Vec<u8>> {
    with_user_sid(|sid| {
        // SAFETY: `sid` points to a valid SID, as Windows made it.
        let length = unsafe { GetLengthSid(sid) };
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
        // SAFETY: a valid SID has as many bytes as GetLengthSid says, and none of them is written meanwhile.
        Ok(unsafe { slice::from_raw_parts(sid.cast::<u8>(), length) }.to_vec())
    })
}

/// The local (not roaming) application data directory of the user.
pub(super) fn local_app_data() -> io::Result<PathBuf> {
    let mut text: *mut u16 = ptr::null_mut();
    // SAFETY: the id is a valid GUID, no token means the calling user, and `text` receives a pointer.
    let result = unsafe { SHGetKnownFolderPath(&FOLDERID_LocalAppData, 0, ptr::null_mut(), &mut text) };
    // SAFETY: on success Windows has set `text` to a text that ends with 0, and on failure to null.
    let path = unsafe { read_text(text) };
    // SAFETY: the caller frees what SHGetKnownFolderPath allocated, whatever it returned; null is allowed. It is not used
    // after this.
    unsafe { CoTaskMemFree(text.cast::<c_void>()) };
    match path {
        Some(path) if result >= 0 => Ok(path.into()),
        _ => Err(io::Error::from_raw_os_error(result)),
    }
}

/// Encrypts `plain` with DPAPI, so that only the calling user can read it, on this machine.
pub(super) fn protect(plain: &[u8]) -> io::Result<Vec<u8>> {
    let (input, purpose, mut output) = (blob(plain)?, blob(DPAPI_PURPOSE)?, EMPTY_BLOB);
    // SAFETY: input and purpose describe borrowed bytes that Windows only reads; null is allowed for description, prompt
    // and reserved; `output` receives a pointer and a length.
    let done = unsafe {
        CryptProtectData(
            &input,
            ptr::null(),
            &purpose,
            ptr::null(),
            ptr::null(),
            CRYPTPROTECT_UI_FORBIDDEN,
            &mut output,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success Windows has set `output` to bytes that it allocated with LocalAlloc and that are ours now.
    let protected = unsafe { take_blob(output) }?;
    Ok(protected.to_vec())
}

/// Decrypts what [`protect`] gave to the same user on the same machine.
pub(super) fn unprotect(protected: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let (input, purpose, mut output) = (blob(protected)?, blob(DPAPI_PURPOSE)?, EMPTY_BLOB);
    // SAFETY: as in `protect`.
    let done = unsafe {
        CryptUnprotectData(
            &input,
            ptr::null_mut(),
            &purpose,
            ptr::null(),
            ptr::null(),
            CRYPTPROTECT_UI_FORBIDDEN,
            &mut output,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as in `protect`.
    unsafe { take_blob(output) }
}

/// Makes a directory that only the calling user and the system can enter, and what is made in it likewise, whatever its
/// parent allows. Does nothing if something of that name is there already.
pub(super) fn make_private_directory(path: &Path) -> io::Result<()> {
    let user = with_user_sid(sid_as_text)?;
    // Protected from what the parent would pass on (P); full access (FA), passed on to files and directories (OICI), for
    // the user and for the system.
    let rules = wide(format!("O:{user}D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)").as_ref())?;
    let path = wide(path.as_os_str())?;
    let mut descriptor = ptr::null_mut();
    // SAFETY: `rules` ends with 0 and outlives the call; `descriptor` receives a pointer; the length isn't asked for.
    let converted = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rules.as_ptr(),
            SDDL_REVISION_1,
            &mut descriptor,
            ptr::null_mut(),
        )
    };
    if converted == 0 {
        return Err(io::Error::last_os_error());
    }
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(|_| io::ErrorKind::InvalidData)?,
        lpSecurityDescriptor: descriptor,
        bInheritHandle: 0,
    };
    // SAFETY: `path` ends with 0, and it and the attributes with their descriptor outlive the call.
    let made = unsafe { CreateDirectoryW(path.as_ptr(), &attributes) };
    let error = io::Error::last_os_error();
    // SAFETY: the descriptor came from LocalAlloc, as documented for the conversion, and is not used after this.
    unsafe { LocalFree(descriptor) };
    let already_there =
        error.raw_os_error().and_then(|code| u32::try_from(code).ok()) == Some(ERROR_ALREADY_EXISTS);
    if made != 0 || already_there { Ok(()) } else { Err(error) }
}

/// Whether the file or directory belongs to the calling user, the administrators or the system.
pub(super) fn is_owned_by_user_or_system(path: &Path) -> io::Result<bool> {
    let path = wide(path.as_os_str())?;
    let (mut owner, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: `path` ends with 0 and outlives the call; `owner` and `descriptor` receive pointers; what isn't asked for
    // may be null.
    let code = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &mut descriptor,
        )
    };
    // SAFETY: these are what the function gave.
    unsafe { is_user_or_system(code, owner, descriptor) }
}

/// As [`is_owned_by_user_or_system`], of the file that was opened, whatever its path leads to by now.
pub(super) fn open_file_is_owned_by_user_or_system(file: &File) -> io::Result<bool> {
    let (mut owner, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is open while `file` is borrowed; for the rest, as in `is_owned_by_user_or_system`.
    let code = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &mut descriptor,
        )
    };
    // SAFETY: these are what the function gave.
    unsafe { is_user_or_system(code, owner, descriptor) }
}

/// Whether `owner` is the calling user, the administrators or the system. Frees the descriptor.
///
/// # Safety
/// They are what `GetNamedSecurityInfoW` or `GetSecurityInfo` returned and, if that was 0, gave.
unsafe fn is_user_or_system(
    code: WIN32_ERROR,
    owner: PSID,
    descriptor: PSECURITY_DESCRIPTOR,
) -> io::Result<bool> {
    if code != 0 {
        return Err(io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(i32::MAX)));
    }
    let owned = with_user_sid(|user| {
        if owner.is_null() {
            return Ok(false);
        }
        // SAFETY: both are valid SIDs: `user` as with_user_sid promises, `owner` inside the descriptor, which is freed
        // below.
        Ok(unsafe {
            windows_sys::Win32::Security::EqualSid(owner, user) != 0
                || IsWellKnownSid(owner, WinBuiltinAdministratorsSid) != 0
                || IsWellKnownSid(owner, WinLocalSystemSid) != 0
        })
    });
    // SAFETY: the descriptor came from LocalAlloc, as documented for both functions; neither it nor `owner`, which lies in
    // it, is used after this.
    unsafe { LocalFree(descriptor) };
    owned
}

const EMPTY_BLOB: CRYPT_INTEGER_BLOB = CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() };

/// Describes borrowed bytes. The pointer is to mutable bytes only because C's structure serves input and output alike.
fn blob(bytes: &[u8]) -> io::Result<CRYPT_INTEGER_BLOB> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

/// Copies what Windows has allocated, wipes the original and frees it.
///
/// # Safety
/// `blob` is null, or describes initialized bytes from `LocalAlloc` that nothing else refers to.
unsafe fn take_blob(blob: CRYPT_INTEGER_BLOB) -> io::Result<Zeroizing<Vec<u8>>> {
    if blob.pbData.is_null() {
        return Ok(Zeroizing::default());
    }
    let length = usize::try_from(blob.cbData).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: so the caller promises.
    let bytes = unsafe { slice::from_raw_parts_mut(blob.pbData, length) };
    let copy = Zeroizing::new(bytes.to_vec());
    bytes.zeroize();
    // SAFETY: it came from LocalAlloc, as the caller promises, and is not used after this.
    unsafe { LocalFree(blob.pbData.cast::<c_void>()) };
    Ok(copy)
}

/// Calls `act` with the SID of the user that the calling thread acts as. It is valid during the call.
fn with_user_sid<R>(act: impl FnOnce(PSID) -> io::Result<R>) -> io::Result<R> {
    let mut buffer: TokenBuffer = [0; 32];
    let size = u32::try_from(size_of::<TokenBuffer>()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut needed = 0;
    // SAFETY: the token is a constant that Windows knows and that needs no closing; the buffer has `size` bytes that may be
    // written, aligned for every field of TOKEN_USER.
    let told = unsafe {
        GetTokenInformation(
            EFFECTIVE_TOKEN,
            TokenUser,
            buffer.as_mut_ptr().cast::<c_void>(),
            size,
            &mut needed,
        )
    };
    if told == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success the buffer begins with a TOKEN_USER, is aligned for it, and is longer.
    let user = unsafe { buffer.as_ptr().cast::<TOKEN_USER>().read() };
    // The SID lies in the buffer, behind the structure: it is valid until the end of this function.
    act(user.User.Sid)
}

/// The textual form of a SID, `S-1-5-...`. `sid` is valid, as [`with_user_sid`] promises.
fn sid_as_text(sid: PSID) -> io::Result<String> {
    let mut text: *mut u16 = ptr::null_mut();
    // SAFETY: `sid` is valid, and `text` receives a pointer.
    if unsafe { ConvertSidToStringSidW(sid, &mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success Windows has set `text` to a text that ends with 0.
    let sid = unsafe { read_text(text) };
    // SAFETY: the text came from LocalAlloc, as documented for the conversion, and is not used after this.
    unsafe { LocalFree(text.cast::<c_void>()) };
    sid.and_then(|sid| sid.into_string().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Copies a text of Windows.
///
/// # Safety
/// `text` is null, or points to UTF-16 that ends with 0 and isn't written during the call.
unsafe fn read_text(text: *const u16) -> Option<OsString> {
    if text.is_null() {
        return None;
    }
    let mut length = 0;
    // SAFETY: all units up to the 0 can be read, so the caller promises.
    while unsafe { text.add(length).read() } != 0 {
        length += 1;
    }
    // SAFETY: these are the units before the 0.
    Some(OsString::from_wide(unsafe { slice::from_raw_parts(text, length) }))
}

/// UTF-16 that ends with 0, as Windows takes it. A 0 inside would name something else and is refused.
fn wide(text: &std::ffi::OsStr) -> io::Result<Vec<u16>> {
    let units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(units.into_iter().chain([0]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_protected_comes_back_and_is_not_in_the_open() {
        let secret = b"sixteen bytes or more of secret";
        let protected = protect(secret).unwrap();
        assert_eq!(unprotect(&protected).unwrap().as_slice(), secret);
        assert!(!protected.windows(8).any(|part| secret.windows(8).any(|of| of == part)));
        assert_ne!(protect(secret).unwrap(), protected, "salted");
    }

    #[test]
    fn what_was_changed_is_not_unprotected() {
        let protected = protect(b"secret").unwrap();
        let mut changed = protected.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(unprotect(&changed).is_err());
        assert!(unprotect(&protected[..protected.len() / 2]).is_err());
        assert!(unprotect(b"").is_err());
    }

    #[test]
    fn the_user_has_an_identifier() {
        let sid = user_sid().unwrap();
        // Revision 1, the number of sub-authorities, six bytes of authority, four bytes for each sub-authority.
        assert_eq!(sid[0], 1);
        assert_eq!(sid.len(), 8 + 4 * usize::from(sid[1]));
        assert!(with_user_sid(sid_as_text).unwrap().starts_with("S-1-"));
    }

    #[test]
    fn directories_belong_to_who_makes_them() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("private");
        make_private_directory(&path).unwrap();
        make_private_directory(&path).unwrap();
        assert!(path.is_dir());
        assert!(is_owned_by_user_or_system(&path).unwrap());
        assert!(is_owned_by_user_or_system(&parent.path().join("nothing")).is_err());
        let file = path.join("file");
        std::fs::write(&file, "").unwrap();
        assert!(open_file_is_owned_by_user_or_system(&File::open(&file).unwrap()).unwrap());
        assert!(make_private_directory(&parent.path().join("no/parent")).is_err());
    }

    #[test]
    fn what_is_made_is_open_to_the_user_and_the_system_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("private");
        make_private_directory(&path).unwrap();
        let admitted = admitted_to(&path);
        assert!(admitted.contains(&Admitted::User), "{admitted:?}");
        assert!(!admitted.contains(&Admitted::Somebody), "{admitted:?}");
        // Where others may look, the test sees them.
        let system = std::env::var_os("SystemRoot").unwrap();
        assert!(admitted_to(Path::new(&system)).contains(&Admitted::Somebody));
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Admitted {
        User,
        System,
        Somebody,
    }

    /// Whom the access rules of a directory let in, however far.
    fn admitted_to(path: &Path) -> Vec<Admitted> {
        use windows_sys::Win32::Security::{
            ACCESS_ALLOWED_ACE, ACL, DACL_SECURITY_INFORMATION, EqualSid, GetAce,
        };

        let path = wide(path.as_os_str()).unwrap();
        let (mut rules, mut descriptor): (*mut ACL, _) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: as in `is_owned_by_user_or_system`; `rules` receives a pointer into the descriptor.
        let code = unsafe {
            GetNamedSecurityInfoW(
                path.as_ptr(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION,
                ptr::null_mut(),
                ptr::null_mut(),
                &mut rules,
                ptr::null_mut(),
                &mut descriptor,
            )
        };
        assert_eq!(code, 0);
        assert!(!rules.is_null(), "without rules, everybody is let in");
        // SAFETY: the list is valid until its descriptor is freed.
        let count = u32::from(unsafe { (*rules).AceCount });
        let admitted = (0..count)
            .map(|number| {
                let mut rule = ptr::null_mut();
                // SAFETY: the list has that many rules; `rule` receives a pointer into it.
                assert_ne!(unsafe { GetAce(rules, number, &mut rule) }, 0);
                let rule = rule.cast::<ACCESS_ALLOWED_ACE>();
                // SAFETY: each rule begins with a header, aligned for it.
                let kind = unsafe { (*rule).Header.AceType };
                assert_eq!(kind, 0, "ACCESS_ALLOWED_ACE_TYPE");
                // SAFETY: so this is a rule of that type, which a SID ends.
                let sid = unsafe { &raw mut (*rule).SidStart }.cast::<c_void>();
                with_user_sid(|user| {
                    // SAFETY: both are valid SIDs.
                    Ok(if unsafe { EqualSid(sid, user) } != 0 {
                        Admitted::User
                    } else if unsafe { IsWellKnownSid(sid, WinLocalSystemSid) } != 0 {
                        Admitted::System
                    } else {
                        Admitted::Somebody
                    })
                })
                .unwrap()
            })
            .collect();
        // SAFETY: as in `is_user_or_system`.
        unsafe { LocalFree(descriptor) };
        admitted
    }
}
