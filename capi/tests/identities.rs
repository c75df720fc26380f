//! Who a program wants to be, in all forms, and the functions for identities. The rows are those of the reference on what
//! programs observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const UNKNOWN_CREDENTIALS: u32 = 0x8009_030D;

const ALICE: [Option<&str>; 3] = [Some("alice"), Some("CORP"), Some("secret")];

/// AcquireCredentialsHandleW or A with any structure.
fn acquire_raw(
    package: &str,
    credential_use: u32,
    identity: *const c_void,
    is_wide: bool,
) -> Result<SecHandle, u32> {
    let mut handle = SecHandle::default();
    let narrow = std::ffi::CString::new(package).unwrap();
    let package = wide(package);
    let (none, get_key) = (null_mut(), null());
    let status = unsafe {
        if is_wide {
            let (name, to) = (package.as_ptr(), &raw mut handle);
            AcquireCredentialsHandleW(
                null(),
                name,
                credential_use,
                none,
                identity,
                get_key,
                none,
                to,
                null_mut(),
            )
        } else {
            let (name, to) = (narrow.as_ptr(), &raw mut handle);
            AcquireCredentialsHandleA(
                null(),
                name,
                credential_use,
                none,
                identity,
                get_key,
                none,
                to,
                null_mut(),
            )
        }
    };
    if status == 0 { Ok(handle) } else { Err(status as u32) }
}

/// Logs on with these credentials to a server that admits `CORP\alice` with the password `secret`.
fn log_on(client: SecHandle) -> i32 {
    let server = acquire("NTLM", 1, Some(&identity("alice", "CORP", "secret"))).unwrap();
    let (mut client, mut server) = (Side::new(client, true), Side::new(server, false));
    let (_, negotiate) = client.step(&[]);
    let (_, challenge) = server.step(&negotiate);
    let (status, authenticate) = client.step(&challenge);
    assert_eq!(status, 0);
    server.step(&authenticate).0
}

/// An opaque identity of these strings.
fn encoded([user, domain, password]: [Option<&str>; 3]) -> (i32, *mut c_void) {
    let texts = [user, domain, password].map(|text| text.map(wide));
    let [user, domain, password] =
        texts.each_ref().map(|text| text.as_ref().map_or(null(), |text| text.as_ptr()));
    let mut made = core::ptr::dangling_mut::<c_void>();
    let status = unsafe { SspiEncodeStringsAsAuthIdentity(user, domain, password, &raw mut made) };
    (status, made)
}

/// What an opaque identity holds.
fn decoded(identity: *mut c_void) -> [Option<String>; 3] {
    let mut texts = [core::ptr::dangling_mut::<u16>(); 3];
    let [user, domain, password] = &mut texts;
    expect(unsafe { SspiEncodeAuthIdentityAsStrings(identity, user, domain, password) }, 0);
    texts.map(taken)
}

/// A string that the library gave, freed.
fn taken(text: *mut u16) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let length = (0..).find(|index| unsafe { *text.add(*index) == 0 }).unwrap();
    let read = String::from_utf16(unsafe { core::slice::from_raw_parts(text, length) }).unwrap();
    unsafe { SspiLocalFree(text.cast()) };
    Some(read)
}

fn strings(texts: [Option<&str>; 3]) -> [Option<String>; 3] {
    texts.map(|text| text.map(str::to_owned))
}

// Rows 76, 77 and 78.
#[test]
fn strings_come_back_as_they_went() {
    for texts in [
        [None, None, Some("secret")],
        [None, Some("CORP"), Some("secret")],
        [Some("alice"), None, Some("secret")],
        [Some("alice"), None, None],
        ALICE,
        [Some(r"CORP\alice"), None, Some("pässword 𝄞")],
    ] {
        let (status, made) = encoded(texts);
        expect(status, 0);
        assert_eq!(decoded(made), strings(texts));
        unsafe {
            SspiZeroAuthIdentity(made);
            SspiFreeAuthIdentity(made);
            // A second time is harmless.
            SspiFreeAuthIdentity(made);
            SspiFreeAuthIdentity(null_mut());
        }
    }
}

// Row 79.
#[test]
fn what_the_credential_manager_takes() {
    let (_, made) = encoded(ALICE);
    for (target, expected) in [(None, r"CORP\alice"), (Some("server"), "server")] {
        let target = target.map(wide);
        let (mut kind, mut size) = (0, 0);
        let (mut name, mut user, mut blob) = (null_mut(), null_mut(), null_mut());
        unsafe {
            let target = target.as_ref().map_or(null(), |target| target.as_ptr());
            let status = SspiPrepareForCredWrite(
                made,
                target,
                &raw mut kind,
                &raw mut name,
                &raw mut user,
                &raw mut blob,
                &raw mut size,
            );
            expect(status, 0);
            let password = core::slice::from_raw_parts(blob, size as usize);
            assert_eq!(password, "secret".encode_utf16().flat_map(u16::to_ne_bytes).collect::<Vec<_>>());
            SspiLocalFree(blob.cast());
            assert_eq!(
                (kind, taken(name).unwrap().as_str(), taken(user).unwrap().as_str()),
                (2, expected, r"CORP\alice")
            );
            expect(SspiPrepareForCredRead(made, target, &raw mut kind, &raw mut name), 0);
            assert_eq!(taken(name).unwrap(), expected);
        }
    }
}

#[test]
fn an_encrypted_identity_logs_on_is_copied_and_marshalled() {
    let (_, made) = encoded(ALICE);
    unsafe {
        assert_eq!(SspiIsAuthIdentityEncrypted(made), 0);
        expect(SspiEncryptAuthIdentity(made), 0);
        assert_eq!(SspiIsAuthIdentityEncrypted(made), 1);
        let raw = &*made.cast::<AuthIdentity<u16>>();
        let lying = core::slice::from_raw_parts(raw.password, raw.password_length as usize);
        assert_ne!(lying, "secret".encode_utf16().collect::<Vec<_>>(), "in memory, it is not in clear");
        assert_eq!(log_on(acquire_raw("NTLM", 2, made, true).unwrap()), 0);

        let mut copy = null_mut();
        expect(SspiCopyAuthIdentity(made, &raw mut copy), 0);
        assert_eq!(SspiIsAuthIdentityEncrypted(copy), 1);
        let (mut same_user, mut same_identity) = (0, 0);
        expect(SspiCompareAuthIdentities(made, copy, &raw mut same_user, &raw mut same_identity), 0);
        assert_eq!((same_user, same_identity), (1, 1));
        let (_, other) = encoded([Some("ALICE"), Some("corp"), Some("other")]);
        expect(SspiCompareAuthIdentities(made, other, &raw mut same_user, &raw mut same_identity), 0);
        assert_eq!((same_user, same_identity), (1, 0));

        let (mut length, mut bytes) = (0, null_mut());
        expect(SspiMarshalAuthIdentity(copy, &raw mut length, &raw mut bytes), 0);
        let mut again = null_mut();
        expect(SspiUnmarshalAuthIdentity(length, bytes, &raw mut again), 0);
        assert_eq!(log_on(acquire_raw("NTLM", 2, again, true).unwrap()), 0);
        assert_eq!(log_on(acquire_raw("NTLM", 2, bytes.cast(), true).unwrap()), 0, "as it is, too");
        expect(SspiUnmarshalAuthIdentity(length - 1, bytes, &raw mut again), INVALID_TOKEN);

        expect(SspiDecryptAuthIdentity(made), 0);
        assert_eq!(SspiIsAuthIdentityEncrypted(made), 0);
        assert_eq!(decoded(made), strings(ALICE));
    }
}

#[test]
fn an_excluded_package_is_not_negotiated() {
    let (_, made) = encoded(ALICE);
    let mut without = null_mut();
    unsafe { expect(SspiExcludePackage(made, wide("NTLM").as_ptr(), &raw mut without), 0) };
    let credential = acquire_raw("Negotiate", 2, without, true).unwrap();
    expect(Side::new(credential, true).step(&[]).0, NO_CREDENTIALS);
    let mut bad = null_mut();
    unsafe { expect(SspiExcludePackage(made, wide("").as_ptr(), &raw mut bad), SECPKG_NOT_FOUND) };
}

#[test]
fn the_host_in_a_target_name() {
    for (target, host) in [
        ("HTTP/www.example.com:8080", "www.example.com"),
        ("ldap/dc.corp/corp", "dc.corp"),
        ("server", "server"),
        ("HTTP/[::1]:80", "::1"),
    ] {
        let mut found = null_mut();
        expect(unsafe { SspiGetTargetHostName(wide(target).as_ptr(), &raw mut found) }, 0);
        assert_eq!(taken(found).unwrap(), host);
    }
}

#[test]
fn a_server_s_account_has_a_name_and_a_password() {
    let full = identity("alice", "CORP", "secret");
    let changes: [fn(&mut AuthIdentity<u16>); 3] = [
        |raw| (raw.user, raw.user_length) = (null(), 0),
        |raw| (raw.password, raw.password_length) = (null(), 0),
        |raw| raw.password_length = 0,
    ];
    for change in changes {
        let mut raw = full.raw;
        change(&mut raw);
        for credential_use in [1, 3] {
            let refused = acquire_raw("NTLM", credential_use, (&raw const raw).cast(), true);
            assert_eq!(refused, Err(UNKNOWN_CREDENTIALS), "it would admit who sends no password");
        }
    }
}
