//! What each function gives for arguments that it can do nothing with: pointers that are missing, lists of buffers that are none,
//! identities that cannot be read, steps that are not due. The section of the reference on exports.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ffi::{c_char, c_void};
use core::ptr::{null, null_mut};

use common::contexts::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const UNKNOWN_CREDENTIALS: u32 = 0x8009_030D;

const NTLM: &core::ffi::CStr = c"NTLM";

/// AcquireCredentialsHandle in both forms, which give the same.
fn acquired(package: Option<&str>, credential_use: u32, identity: *const c_void, has_place: bool) -> i32 {
    let narrow = package.map(c_char::encode);
    let utf16 = package.map(WCHAR::encode);
    let mut handles = [NO_HANDLE; 2];
    let [first, second] = &mut handles;
    let (first, second): (*mut _, *mut _) =
        if has_place { (first, second) } else { (null_mut(), null_mut()) };
    let (none, get_key) = (null_mut(), null());
    let statuses = unsafe {
        let narrow = narrow.as_ref().map_or(null(), |text| text.as_ptr());
        let utf16 = utf16.as_ref().map_or(null(), |text| text.as_ptr());
        [
            AcquireCredentialsHandleA(
                null(),
                narrow,
                credential_use,
                none,
                identity,
                get_key,
                none,
                first,
                null_mut(),
            ),
            AcquireCredentialsHandleW(
                null(),
                utf16,
                credential_use,
                none,
                identity,
                get_key,
                none,
                second,
                null_mut(),
            ),
        ]
    };
    assert_eq!(statuses[0], statuses[1], "{package:?}");
    assert_eq!(handles.contains(&NO_HANDLE), statuses[0] != OK || !has_place, "a failure writes no handle");
    statuses[0]
}

/// Makes an identity one that cannot be read.
type Change<'a> = &'a dyn Fn(&mut AuthIdentity<u16>);

#[test]
fn credentials_that_cannot_be_acquired() {
    let alice = identity("alice", "CORP", "secret");
    let good: *const c_void = (&raw const alice.raw).cast();
    assert_eq!(acquired(Some("NTLM"), 2, good, true), OK);
    for package in [None, Some(""), Some("Kerberos"), Some("NTLM ")] {
        expect(acquired(package, 2, good, true), SECPKG_NOT_FOUND);
    }
    for credential_use in [0, 4, 8, 0x10, 0x40, 0x80, 1 | 0x100, u32::MAX] {
        expect(acquired(Some("NTLM"), credential_use, good, true), UNKNOWN_CREDENTIALS);
        expect(acquired(Some("Negotiate"), credential_use, good, true), UNKNOWN_CREDENTIALS);
    }
    expect(acquired(Some("NTLM"), 2, good, false), INTERNAL_ERROR);
    // Identities that cannot be read.
    let lone_surrogate = [0xD800_u16];
    let not_utf8 = *b"\xFF\xFE";
    let changes: [Change<'_>; 5] = [
        &|raw| (raw.user, raw.user_length) = (lone_surrogate.as_ptr(), 1),
        &|raw| (raw.domain, raw.domain_length) = (lone_surrogate.as_ptr(), 1),
        &|raw| {
            (raw.user, raw.user_length, raw.flags) =
                (not_utf8.as_ptr().cast(), 2, SEC_WINNT_AUTH_IDENTITY_ANSI)
        },
        &|raw| raw.user_length = 0x8000,
        &|raw| raw.flags |= SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED,
    ];
    for change in changes {
        let mut raw = alice.raw;
        change(&mut raw);
        expect(acquired(Some("NTLM"), 2, (&raw const raw).cast(), true), UNKNOWN_CREDENTIALS);
    }
    // In one piece, with a part outside of it.
    let mut piece = AuthIdentityEx2 {
        version: SEC_WINNT_AUTH_IDENTITY_VERSION_2,
        header_length: size_of::<AuthIdentityEx2>() as u16,
        structure_length: size_of::<AuthIdentityEx2>() as u32,
        user_offset: size_of::<AuthIdentityEx2>() as u32,
        user_length: 2,
        domain_offset: 0,
        domain_length: 0,
        packed_credentials_offset: 0,
        packed_credentials_length: 0,
        flags: SEC_WINNT_AUTH_IDENTITY_UNICODE,
        package_list_offset: 0,
        package_list_length: 0,
    };
    expect(acquired(Some("NTLM"), 2, (&raw const piece).cast(), true), UNKNOWN_CREDENTIALS);
    piece.structure_length = 4;
    expect(acquired(Some("NTLM"), 2, (&raw const piece).cast(), true), UNKNOWN_CREDENTIALS);
}

#[test]
fn packages_without_a_place_for_the_answer() {
    let (mut count, mut narrow, mut utf16) = (7, null_mut(), null_mut());
    unsafe {
        expect(EnumerateSecurityPackagesA(null_mut(), &raw mut narrow), INTERNAL_ERROR);
        expect(EnumerateSecurityPackagesW(null_mut(), &raw mut utf16), INTERNAL_ERROR);
        expect(EnumerateSecurityPackagesA(&raw mut count, null_mut()), INTERNAL_ERROR);
        expect(EnumerateSecurityPackagesW(&raw mut count, null_mut()), INTERNAL_ERROR);
        expect(QuerySecurityPackageInfoA(NTLM.as_ptr(), null_mut()), INTERNAL_ERROR);
        expect(QuerySecurityPackageInfoW(wide("NTLM").as_ptr(), null_mut()), INTERNAL_ERROR);
        expect(QuerySecurityPackageInfoA(null(), &raw mut narrow), SECPKG_NOT_FOUND);
        expect(QuerySecurityPackageInfoW(null(), &raw mut utf16), SECPKG_NOT_FOUND);
        expect(QuerySecurityPackageInfoA(c"\xFF".as_ptr(), &raw mut narrow), SECPKG_NOT_FOUND);
        expect(QuerySecurityPackageInfoW([0xD800, 0].as_ptr(), &raw mut utf16), SECPKG_NOT_FOUND);
    }
    assert!(count == 7 && narrow.is_null() && utf16.is_null(), "nothing is written");
}

#[test]
fn answers_without_a_place() {
    let [client, server] = Handshake::default().run();
    let credential = credential(SECPKG_CRED_OUTBOUND);
    unsafe {
        for query in [QueryCredentialsAttributesA, QueryCredentialsAttributesW] {
            expect(query(&raw const credential, SECPKG_CRED_ATTR_NAMES, null_mut()), INTERNAL_ERROR);
        }
        for query in [QueryCredentialsAttributesExA, QueryCredentialsAttributesExW] {
            expect(query(&raw const credential, SECPKG_CRED_ATTR_NAMES, null_mut(), 64), INTERNAL_ERROR);
            let short = with_room(|to| query(&raw const credential, SECPKG_CRED_ATTR_NAMES, to, 3));
            expect(short, BUFFER_TOO_SMALL);
        }
        for query in [QueryContextAttributesExA, QueryContextAttributesExW] {
            expect(query(&raw const server, SECPKG_ATTR_SIZES, null_mut(), 64), INTERNAL_ERROR);
        }
        expect(QuerySecurityContextToken(&raw const server, null_mut()), INTERNAL_ERROR);
    }
    converse(&client, &server);
}

#[test]
fn messages_without_a_list_of_buffers_or_with_a_bad_one() {
    let [client, server] = Handshake::default().run();
    let (mut data, mut token) = (*b"data", [0; 16]);
    let good = [buffer(&mut data, SECBUFFER_DATA), buffer(&mut token, SECBUFFER_TOKEN)];
    let nowhere = |index: usize| {
        let mut buffers = good;
        buffers[index].pointer = null_mut();
        buffers
    };
    let mut lists = [nowhere(0), nowhere(1), good, good];
    let mut lists: Vec<_> = lists.iter_mut().map(|buffers| list(buffers)).collect();
    lists[2].version = 1;
    lists[3].count = 1025;
    lists.push(SecBufferDesc { version: 0, count: 2, buffers: null_mut() });
    for protect in [MakeSignature, EncryptMessage, SealMessage] {
        unsafe {
            expect(protect(&raw const client, 0, null_mut(), 0), INVALID_TOKEN);
            for list in &mut lists {
                let status = protect(&raw const client, 0, &raw mut *list, 0);
                assert!(status < 0, "{status:X}");
            }
        }
    }
    for unprotect in [VerifySignature, DecryptMessage, UnsealMessage] {
        unsafe {
            expect(unprotect(&raw const server, null_mut(), 0, null_mut()), INVALID_TOKEN);
            for list in &mut lists {
                let status = unprotect(&raw const server, &raw mut *list, 0, null_mut());
                assert!(status < 0, "{status:X}");
            }
        }
    }
    assert_eq!((&data, token), (b"data", [0; 16]), "nothing is written");
    converse(&client, &server);
}

#[test]
fn steps_without_what_they_need() {
    let credential = credential(SECPKG_CRED_BOTH);
    let asked = Handshake::default();
    let (_, _, negotiate) = asked.initialize(&credential, None, &[]);
    let mut negotiate = negotiate;
    let mut inputs = [buffer(&mut negotiate, SECBUFFER_TOKEN)];
    let input = list(&mut inputs);
    let mut room = [0; 4096];
    let mut outputs = [buffer(&mut room, SECBUFFER_TOKEN)];
    let mut output = list(&mut outputs);
    let mut without_buffers = SecBufferDesc { version: 0, count: 1, buffers: null_mut() };
    let mut new = NO_HANDLE;
    let initialize = |new, output| unsafe {
        InitializeSecurityContextW(
            &raw const credential,
            null(),
            null(),
            0,
            0,
            0,
            null(),
            0,
            new,
            output,
            null_mut(),
            null_mut(),
        )
    };
    let accept = |input, new, output| unsafe {
        AcceptSecurityContext(&raw const credential, null(), input, 0, 0, new, output, null_mut(), null_mut())
    };
    expect(initialize(null_mut(), &raw mut output), INTERNAL_ERROR);
    expect(initialize(&raw mut new, null_mut()), BUFFER_TOO_SMALL);
    expect(initialize(&raw mut new, &raw mut without_buffers), INTERNAL_ERROR);
    expect(accept(&raw const input, null_mut(), &raw mut output), INTERNAL_ERROR);
    expect(accept(&raw const input, &raw mut new, null_mut()), BUFFER_TOO_SMALL);
    expect(accept(&raw const input, &raw mut new, &raw mut without_buffers), INTERNAL_ERROR);
    expect(accept(null(), &raw mut new, &raw mut output), INCOMPLETE_MESSAGE);
    expect(accept(&raw const without_buffers, &raw mut new, &raw mut output), INTERNAL_ERROR);
    assert_eq!(new, NO_HANDLE, "there is nothing to delete");
    // Attributes and expiry may be missing.
    assert_eq!(accept(&raw const input, &raw mut new, &raw mut output), CONTINUE_NEEDED);
}

#[test]
fn steps_that_are_not_due_and_tokens_that_are_none() {
    let asked = Handshake::default();
    let credential = credential(SECPKG_CRED_BOTH);
    // What a step that failed left behind is only to be deleted.
    let (_, client, negotiate) = asked.initialize(&credential, None, &[]);
    expect(asked.initialize(&credential, Some(&client), b"no challenge").0, INVALID_TOKEN);
    expect(asked.initialize(&credential, Some(&client), b"no challenge").0, OUT_OF_SEQUENCE);
    unsafe { expect(DeleteSecurityContext(&raw const client), 0) };
    expect(asked.accept(&credential, None, b"no negotiate").0, INVALID_TOKEN);
    let (_, server, _) = asked.accept(&credential, None, &negotiate);
    expect(asked.accept(&credential, Some(&server), b"no authenticate").0, INVALID_TOKEN);
    unsafe { expect(DeleteSecurityContext(&raw const server), 0) };
    // A handshake that has ended goes no further, and its context stays as it is.
    let [client, server] = asked.run();
    expect(asked.initialize(&credential, Some(&client), b"another").0, OUT_OF_SEQUENCE);
    expect(asked.accept(&credential, Some(&server), b"another").0, OUT_OF_SEQUENCE);
    converse(&client, &server);
}

// The reference has SEC_E_OK alone; what the library did not give is left alone, and the program is told.
#[test]
fn what_is_no_block_is_not_freed() {
    let mut own = [0x55_u8; 64];
    let mut info = null_mut();
    unsafe {
        expect(FreeContextBuffer(null_mut()), 0);
        for other in [own.as_mut_ptr().cast(), 8 as *mut c_void, usize::MAX as *mut c_void] {
            expect(FreeContextBuffer(other), INVALID_HANDLE);
        }
        expect(QuerySecurityPackageInfoW(wide("NTLM").as_ptr(), &raw mut info), 0);
        // Within a block is no block.
        expect(FreeContextBuffer(info.cast::<u8>().add(8).cast()), INVALID_HANDLE);
        expect(FreeContextBuffer(info.cast()), 0);
    }
    assert_eq!(own, [0x55; 64]);
}

#[test]
fn the_last_message_has_room_or_is_cut() {
    unsafe { expect(DeleteSecurityContext(null()), INVALID_HANDLE) };
    unsafe {
        let length = PortableSspiGetLastErrorMessage(null_mut(), 0);
        assert!(length > 10);
        let mut text = [0x55 as c_char; 300];
        assert_eq!(PortableSspiGetLastErrorMessage(text.as_mut_ptr(), 300), length);
        assert_eq!(text[length as usize], 0);
        assert_eq!(PortableSspiGetLastErrorMessage(text.as_mut_ptr(), 5), length);
        assert_eq!((text[4], text[5] != 0), (0, true));
        // No room is none.
        text[0] = 0x55;
        PortableSspiGetLastErrorMessage(text.as_mut_ptr(), 0);
        assert_eq!(text[0], 0x55);
    }
}

#[test]
fn handles_and_pointers_that_are_none() {
    let client = acquire("NTLM", 2, Some(&identity("alice", "CORP", "secret"))).unwrap();
    let server = acquire("NTLM", 1, None).unwrap();
    expect(Side::new(SecHandle::default(), true).step(&[]).0, INVALID_HANDLE);
    expect(Side::new(server, true).step(&[]).0, INVALID_HANDLE);
    expect(Side::new(client, false).step(b"NTLMSSP").0, INVALID_HANDLE);
    unsafe {
        expect(DeleteSecurityContext(null()), INVALID_HANDLE);
        expect(DeleteSecurityContext(&SecHandle { lower: usize::MAX, upper: usize::MAX }), INVALID_HANDLE);
        expect(FreeCredentialsHandle(&SecHandle { lower: 1, upper: 2 }), INVALID_HANDLE);
        expect(FreeContextBuffer(null_mut()), 0);
        expect(FreeContextBuffer(0x1000 as *mut c_void), INVALID_HANDLE);
        let nothing = AcceptSecurityContext(
            &raw const server,
            null(),
            null(),
            0,
            0,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
        );
        expect(nothing, INCOMPLETE_MESSAGE);
        expect(FreeCredentialsHandle(&raw const client), 0);
        expect(FreeCredentialsHandle(&raw const client), INVALID_HANDLE);
    }
}
