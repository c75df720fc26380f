//! The functions for identities: what is missing, what is left out, and what is wiped. The rows are those of the reference on
//! what programs observe of SSPI on Windows; the functions at work are in `identities.rs`.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ffi::c_void;
use core::ptr::{dangling_mut, null, null_mut};

use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const UNKNOWN_CREDENTIALS: u32 = 0x8009_030D;

/// Each of the texts, or none.
fn pointers(texts: [Option<&str>; 3]) -> ([Option<Vec<u16>>; 3], [*const u16; 3]) {
    let texts = texts.map(|text| text.map(wide));
    let pointers = texts.each_ref().map(|text| text.as_ref().map_or(null(), |text| text.as_ptr()));
    (texts, pointers)
}

fn made(texts: [Option<&str>; 3]) -> *mut c_void {
    let (_texts, [user, domain, password]) = pointers(texts);
    let mut identity = null_mut();
    expect(unsafe { SspiEncodeStringsAsAuthIdentity(user, domain, password, &raw mut identity) }, 0);
    assert!(!identity.is_null(), "row 76");
    identity
}

/// A string of the library's, freed.
fn taken(text: *mut u16) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let length = (0..).find(|index| unsafe { *text.add(*index) == 0 }).unwrap();
    let read = String::from_utf16(unsafe { core::slice::from_raw_parts(text, length) }).unwrap();
    unsafe { SspiLocalFree(text.cast()) };
    Some(read)
}

/// Every combination of three texts.
fn combinations() -> impl Iterator<Item = [Option<&'static str>; 3]> {
    (0..8).map(|bits| {
        let given = |bit: u32, text| (bits >> bit & 1 == 1).then_some(text);
        [given(0, "alice"), given(1, "CORP"), given(2, "secret")]
    })
}

#[test]
fn row_75_without_user_and_password_there_is_no_identity() {
    for texts in combinations() {
        let (_texts, [user, domain, password]) = pointers(texts);
        let none = unsafe { SspiEncodeStringsAsAuthIdentity(user, domain, password, null_mut()) };
        expect(none, INVALID_TOKEN);
        if user.is_null() && password.is_null() {
            let mut out = dangling_mut::<c_void>();
            let none = unsafe { SspiEncodeStringsAsAuthIdentity(user, domain, password, &raw mut out) };
            expect(none, INVALID_TOKEN);
            assert_eq!(out, dangling_mut(), "row 75: untouched");
        }
    }
}

#[test]
fn rows_76_and_77_what_was_left_out_is_null_afterwards() {
    for texts in combinations().filter(|texts| texts[0].is_some() || texts[2].is_some()) {
        let identity = made(texts);
        let mut out = [dangling_mut::<u16>(); 3];
        let [user, domain, password] = &mut out;
        expect(unsafe { SspiEncodeAuthIdentityAsStrings(identity, user, domain, password) }, 0);
        assert_eq!(out.map(taken), texts.map(|text| text.map(str::to_owned)), "row 77");
        // Each place may be missing.
        let mut user = null_mut();
        expect(
            unsafe { SspiEncodeAuthIdentityAsStrings(identity, &raw mut user, null_mut(), null_mut()) },
            0,
        );
        assert_eq!(taken(user).as_deref(), texts[0]);
        expect(unsafe { SspiEncodeAuthIdentityAsStrings(identity, null_mut(), null_mut(), null_mut()) }, 0);
        unsafe { SspiFreeAuthIdentity(identity) };
    }
}

#[test]
fn row_78_a_wiped_identity_has_nothing_in_it_and_can_be_freed() {
    let identity = made([Some("alice"), Some("CORP"), Some("secret")]);
    unsafe {
        let raw = identity.cast::<AuthIdentity<u16>>().read();
        SspiZeroAuthIdentity(identity);
        for (start, length) in [
            (raw.user, raw.user_length),
            (raw.domain, raw.domain_length),
            (raw.password, raw.password_length),
        ] {
            let text = core::slice::from_raw_parts(start, length as usize);
            assert!(length > 0 && text.iter().all(|unit| *unit == 0), "row 78");
        }
        SspiFreeAuthIdentity(identity);
        SspiFreeAuthIdentity(null_mut());
        SspiZeroAuthIdentity(null_mut());
        SspiLocalFree(null_mut());
    }
}

#[test]
fn row_78_an_identity_of_the_program_s_is_wiped_in_both_forms() {
    let mut utf16 = [wide("alice"), wide("CORP"), wide("secret")];
    let [user, domain, password] = &mut utf16;
    let mut raw = AuthIdentity {
        user: user.as_mut_ptr().cast_const(),
        user_length: 5,
        domain: domain.as_mut_ptr().cast_const(),
        domain_length: 4,
        password: password.as_mut_ptr().cast_const(),
        password_length: 6,
        flags: SEC_WINNT_AUTH_IDENTITY_UNICODE,
    };
    unsafe { SspiZeroAuthIdentity((&raw mut raw).cast()) };
    assert!(utf16.iter().flatten().all(|unit| *unit == 0), "row 78");
    let mut bytes = [b"alice\0x".to_vec(), b"CORP\0x".to_vec(), b"secret\0x".to_vec()];
    let [user, domain, password] = &mut bytes;
    let mut raw = AuthIdentity::<u8> {
        user: user.as_mut_ptr().cast_const(),
        user_length: 5,
        domain: domain.as_mut_ptr().cast_const(),
        domain_length: 4,
        password: password.as_mut_ptr().cast_const(),
        password_length: 6,
        flags: SEC_WINNT_AUTH_IDENTITY_ANSI,
    };
    unsafe { SspiZeroAuthIdentity((&raw mut raw).cast()) };
    for text in &bytes {
        let (last, before) = text.split_last().unwrap();
        assert!(before.iter().all(|byte| *byte == 0) && *last == b'x', "row 78: and nothing behind it");
    }
}

/// What SspiPrepareForCredWrite gives: type, target, user and password.
fn prepared(identity: *mut c_void, target: Option<&str>) -> (u32, Option<String>, Option<String>, Vec<u8>) {
    let target = target.map(wide);
    let target = target.as_ref().map_or(null(), |target| target.as_ptr());
    let (mut kind, mut size) = (0, 77);
    let (mut name, mut user, mut blob) = (dangling_mut(), dangling_mut(), dangling_mut());
    let status = unsafe {
        SspiPrepareForCredWrite(
            identity,
            target,
            &raw mut kind,
            &raw mut name,
            &raw mut user,
            &raw mut blob,
            &raw mut size,
        )
    };
    expect(status, 0);
    let password = if blob.is_null() {
        assert_eq!(size, 0);
        Vec::new()
    } else {
        let bytes = unsafe { core::slice::from_raw_parts(blob, size as usize) }.to_vec();
        unsafe { SspiLocalFree(blob.cast()) };
        bytes
    };
    (kind, taken(name), taken(user), password)
}

#[test]
fn row_79_what_the_credential_manager_takes() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_ne_bytes).collect::<Vec<_>>();
    let owned = |text: &str| Some(text.to_owned());
    let (full, plain) = (r"CORP\alice", "alice");
    let cases = [
        ([Some("alice"), Some("CORP"), Some("secret")], full, utf16("secret")),
        ([Some("alice"), None, Some("secret")], plain, utf16("secret")),
        ([Some("alice"), Some("CORP"), None], full, Vec::new()),
    ];
    for (texts, user, password) in cases {
        let identity = made(texts);
        let without = (2, owned(user), owned(user), password.clone());
        assert_eq!(prepared(identity, None), without, "row 79: CRED_TYPE_DOMAIN_PASSWORD");
        for target in ["server", "HTTP/files.corp", ""] {
            let given = (2, owned(target), owned(user), password.clone());
            assert_eq!(
                prepared(identity, Some(target)),
                given,
                "row 79: a given target is returned as it is"
            );
        }
        let (mut kind, mut name) = (0, null_mut());
        expect(unsafe { SspiPrepareForCredRead(identity, null(), &raw mut kind, &raw mut name) }, 0);
        assert_eq!((kind, taken(name)), (2, owned(user)));
        // Each place may be missing.
        let status = unsafe {
            SspiPrepareForCredWrite(
                identity,
                null(),
                null_mut(),
                null_mut(),
                null_mut(),
                null_mut(),
                null_mut(),
            )
        };
        expect(status, 0);
        unsafe { SspiFreeAuthIdentity(identity) };
    }
    // Nobody's password is no credential.
    let nobody = made([None, None, Some("secret")]);
    let (mut kind, mut name) = (7, dangling_mut());
    unsafe {
        let status = SspiPrepareForCredWrite(
            nobody,
            null(),
            &raw mut kind,
            &raw mut name,
            null_mut(),
            null_mut(),
            null_mut(),
        );
        expect(status, INVALID_TOKEN);
        expect(SspiPrepareForCredRead(nobody, null(), &raw mut kind, &raw mut name), INVALID_TOKEN);
    }
    assert_eq!((kind, name), (7, dangling_mut()), "nothing is written");
}

// The section on exports: what each of them gives where a pointer is missing.
#[test]
fn identities_and_places_that_are_missing() {
    let identity = made([Some("alice"), Some("CORP"), Some("secret")]);
    let (mut text, mut out, mut number, mut bytes) = (null_mut(), null_mut(), 0, null_mut());
    let (mut one, mut two) = (7, 7);
    let to = &raw mut text;
    unsafe {
        expect(SspiEncodeAuthIdentityAsStrings(null(), to, to, to), INVALID_TOKEN);
        let status =
            SspiPrepareForCredWrite(null(), null(), &raw mut number, to, to, null_mut(), &raw mut number);
        expect(status, INVALID_TOKEN);
        expect(SspiPrepareForCredRead(null(), null(), &raw mut number, to), INVALID_TOKEN);
        expect(SspiCopyAuthIdentity(null(), &raw mut out), INVALID_TOKEN);
        expect(SspiCopyAuthIdentity(identity, null_mut()), INVALID_TOKEN);
        for pair in [(null_mut(), identity), (identity, null_mut()), (null_mut(), null_mut())] {
            let status = SspiCompareAuthIdentities(pair.0, pair.1, &raw mut one, &raw mut two);
            expect(status, UNKNOWN_CREDENTIALS);
        }
        expect(SspiCompareAuthIdentities(identity, identity, null_mut(), null_mut()), 0);
        expect(SspiMarshalAuthIdentity(null(), &raw mut number, &raw mut bytes), INVALID_TOKEN);
        expect(SspiMarshalAuthIdentity(identity, null_mut(), &raw mut bytes), INVALID_TOKEN);
        expect(SspiMarshalAuthIdentity(identity, &raw mut number, null_mut()), INVALID_TOKEN);
        expect(SspiUnmarshalAuthIdentity(100, null(), &raw mut out), INVALID_TOKEN);
        expect(SspiUnmarshalAuthIdentity(0, null(), &raw mut out), INVALID_TOKEN);
        expect(SspiUnmarshalAuthIdentity(4, c"some".as_ptr(), null_mut()), INVALID_TOKEN);
        expect(SspiValidateAuthIdentity(null()), INVALID_TOKEN);
        for crypt in [SspiEncryptAuthIdentity, SspiDecryptAuthIdentity] {
            expect(crypt(null_mut()), INVALID_TOKEN);
        }
        for crypt in [SspiEncryptAuthIdentityEx, SspiDecryptAuthIdentityEx] {
            expect(crypt(SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS, null_mut()), INVALID_TOKEN);
            for options in [
                0,
                SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_LOGON,
                SEC_WINNT_AUTH_IDENTITY_ENCRYPT_FOR_SYSTEM,
                u32::MAX,
            ] {
                expect(crypt(options, identity), UNSUPPORTED_FUNCTION);
            }
            expect(crypt(SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS, identity), 0);
        }
        assert_eq!(SspiIsAuthIdentityEncrypted(null()), 0);
        assert_eq!(SspiIsAuthIdentityEncrypted(identity), 0);
        expect(SspiExcludePackage(identity, null(), &raw mut out), SECPKG_NOT_FOUND);
        expect(SspiExcludePackage(identity, wide("NTLM").as_ptr(), null_mut()), INVALID_TOKEN);
        expect(SspiGetTargetHostName(null(), to), INVALID_TOKEN);
        expect(SspiGetTargetHostName(wide("HTTP/").as_ptr(), to), INVALID_TOKEN);
        expect(SspiGetTargetHostName(wide("server").as_ptr(), null_mut()), INVALID_TOKEN);
        assert!(text.is_null() && out.is_null() && bytes.is_null(), "nothing is written");
        assert_eq!((number, one, two), (0, 7, 7), "nothing is written");
        SspiFreeAuthIdentity(identity);
    }
}
