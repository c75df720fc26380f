//! ExportSecurityContext and ImportSecurityContext: what the reference on SSPI says in its section on them, in one process.

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

const NOT_OWNER: u32 = 0x8009_0306;

const RESET_NEW: u32 = 1;
const DELETE_OLD: u32 = 2;
const TO_KERNEL: u32 = 4;

const EMPTY: SecBuffer = SecBuffer { length: 0, buffer_type: SECBUFFER_EMPTY, pointer: null_mut() };

/// The blob, or the status.
fn export(context: &SecHandle, flags: u32) -> Result<Vec<u8>, u32> {
    let mut packed = EMPTY;
    let status = unsafe { ExportSecurityContext(context, flags, &raw mut packed, null_mut()) };
    if status != OK {
        assert!(packed.pointer.is_null() && packed.length == 0, "a failure writes nothing");
        return Err(status as u32);
    }
    assert_eq!(packed.buffer_type, SECBUFFER_EMPTY);
    let start: *const u8 = packed.pointer.cast_const().cast();
    let blob = unsafe { core::slice::from_raw_parts(start, packed.length as usize) }.to_vec();
    free(packed.pointer);
    Ok(blob)
}

fn import_as<C: Form>(package: &str, blob: &[u8], buffer_type: u32) -> Result<SecHandle, u32> {
    let (package, mut blob) = (C::encode(package), blob.to_vec());
    let packed = SecBuffer { buffer_type, ..buffer(&mut blob, 0) };
    let mut handle = NO_HANDLE;
    let status = unsafe { C::IMPORT(package.as_ptr(), &raw const packed, null_mut(), &raw mut handle) };
    if status == OK {
        return Ok(handle);
    }
    assert_eq!(handle, NO_HANDLE, "a failure writes nothing");
    Err(status as u32)
}

fn import(blob: &[u8]) -> Result<SecHandle, u32> {
    import_as::<WCHAR>("NTLM", blob, SECBUFFER_EMPTY)
}

#[track_caller]
fn both_ways(one: &SecHandle, other: &SecHandle) {
    converse(one, other);
    converse(other, one);
}

#[test]
fn the_library_fills_the_buffer_and_writes_into_none() {
    let [_, server] = Handshake::default().run();
    // As early versions of one program call it: with a buffer of its own.
    let mut own = vec![0x55_u8; 0x1_0000];
    let mut packed = buffer(&mut own, SECBUFFER_TOKEN);
    unsafe {
        expect(ExportSecurityContext(&raw const server, 0, &raw mut packed, null_mut()), 0);
    }
    assert_ne!(packed.pointer, own.as_mut_ptr().cast::<c_void>(), "the buffer is the library's");
    assert_eq!(packed.buffer_type, SECBUFFER_EMPTY, "the type is always the same");
    assert!(packed.length > 100 && packed.length < 4096, "{}", packed.length);
    assert!(own.iter().all(|byte| *byte == 0x55));
    free(packed.pointer);
}

#[test]
fn any_type_of_buffer_is_imported_in_both_forms() {
    fn check<C: Form>() {
        for buffer_type in [
            SECBUFFER_EMPTY,
            SECBUFFER_DATA,
            SECBUFFER_TOKEN,
            SECBUFFER_STREAM,
            99,
            SECBUFFER_TOKEN | SECBUFFER_READONLY,
            u32::MAX,
        ] {
            let [client, server] = Handshake::default().run();
            both_ways(&client, &server);
            let blob = export(&server, DELETE_OLD).unwrap();
            let server = import_as::<C>("NTLM", &blob, buffer_type).unwrap();
            both_ways(&client, &server);
            assert_eq!(unsafe { DeleteSecurityContext(&raw const server) }, OK);
            assert_eq!(unsafe { DeleteSecurityContext(&raw const client) }, OK);
        }
    }
    check::<c_char>();
    check::<WCHAR>();
}

#[test]
fn both_sides_can_be_handed_over_more_than_once() {
    let [mut client, mut server] = Handshake::default().run();
    for _ in 0..3 {
        both_ways(&client, &server);
        client = import(&export(&client, DELETE_OLD).unwrap()).unwrap();
        converse(&server, &client);
        server = import(&export(&server, DELETE_OLD).unwrap()).unwrap();
        both_ways(&server, &client);
    }
}

#[test]
fn without_flags_the_exported_context_goes_on() {
    let [client, server] = Handshake::default().run();
    both_ways(&client, &server);
    let blob = export(&server, 0).unwrap();
    both_ways(&client, &server);
    unsafe { expect(DeleteSecurityContext(&raw const server), 0) };
    // The new one stands where the export was made.
    let imported = import(&blob).unwrap();
    let mut message = Message::new(&[(SECBUFFER_TOKEN, &[0; 16]), (SECBUFFER_DATA, b"later")]);
    assert_eq!(message.protect(EncryptMessage, &client), OK);
    expect(message.unprotect(DecryptMessage, &imported), OUT_OF_SEQUENCE);
}

#[test]
fn delete_old_ends_the_exported_context() {
    let [_, server] = Handshake::default().run();
    export(&server, DELETE_OLD).unwrap();
    assert_eq!(export(&server, 0), Err(INVALID_HANDLE));
    assert_eq!(export(&server, DELETE_OLD), Err(INVALID_HANDLE));
    let sizes = ask::<WCHAR, ContextSizes>(&server, SECPKG_ATTR_SIZES);
    expect(sizes.unwrap_err(), INVALID_HANDLE);
    unsafe { expect(DeleteSecurityContext(&raw const server), INVALID_HANDLE) };
}

#[test]
fn reset_new_starts_the_new_context_as_it_was_after_the_handshake() {
    for flags in [RESET_NEW, RESET_NEW | DELETE_OLD] {
        let [client, server] = Handshake::default().run();
        both_ways(&client, &server);
        let blobs = [&client, &server].map(|context| export(context, flags).unwrap());
        let is_old_there = unsafe { DeleteSecurityContext(&raw const server) } == OK;
        assert_eq!(is_old_there, flags & DELETE_OLD == 0);
        let [new_client, new_server] = blobs.map(|blob| import(&blob).unwrap());
        if is_old_there {
            // The client counts on; the new server expects the first message.
            let mut second = Message::new(&[(SECBUFFER_TOKEN, &[0; 16]), (SECBUFFER_DATA, b"second")]);
            assert_eq!(second.protect(EncryptMessage, &client), OK);
            expect(second.unprotect(DecryptMessage, &new_server), OUT_OF_SEQUENCE);
        }
        // Both start over.
        both_ways(&new_client, &new_server);
    }
}

#[test]
fn other_flags_are_refused_and_the_context_goes_on() {
    let [client, server] = Handshake::default().run();
    for flags in [TO_KERNEL, TO_KERNEL | RESET_NEW, TO_KERNEL | DELETE_OLD, 7] {
        assert_eq!(export(&server, flags), Err(UNSUPPORTED_FUNCTION), "SEC_E_NOT_SUPPORTED: {flags}");
    }
    for flags in [8, 8 | DELETE_OLD, 0x8000_0000, !TO_KERNEL] {
        assert!(export(&server, flags).is_err(), "{flags:X}");
    }
    both_ways(&client, &server);
}

#[cfg(not(windows))]
#[test]
fn the_token_is_the_server_s_and_is_closed_by_the_program() {
    let [client, server] = Handshake::default().run();
    for flags in [0, DELETE_OLD] {
        let (mut packed, mut token) = (EMPTY, null_mut());
        unsafe {
            expect(ExportSecurityContext(&raw const server, flags, &raw mut packed, &raw mut token), 0);
        }
        free(packed.pointer);
        assert!(!token.is_null());
        assert_eq!((CloseHandle(token), CloseHandle(token)), (1, 0));
    }
    // What stands there is nothing that could be closed.
    let (mut packed, mut token) = (EMPTY, core::ptr::dangling_mut());
    unsafe {
        expect(ExportSecurityContext(&raw const client, 0, &raw mut packed, &raw mut token), 0);
        free(packed.pointer);
        assert!(token.is_null(), "a client's own context has none");
        // A failure leaves it as it was.
        token = core::ptr::dangling_mut();
        let failed = ExportSecurityContext(&raw const client, TO_KERNEL, &raw mut packed, &raw mut token);
        expect(failed, UNSUPPORTED_FUNCTION);
        assert_eq!(token, core::ptr::dangling_mut());
    }
}

#[cfg(windows)]
#[test]
fn there_is_no_token_on_windows() {
    for context in Handshake::default().run() {
        let (mut packed, mut token) = (EMPTY, core::ptr::dangling_mut());
        unsafe {
            expect(ExportSecurityContext(&raw const context, 0, &raw mut packed, &raw mut token), 0);
        }
        free(packed.pointer);
        assert!(token.is_null());
    }
}

#[test]
fn an_unfinished_context_is_not_exported() {
    let asked = Handshake::default();
    for context in asked.half_done() {
        for flags in 0..4 {
            assert_eq!(export(&context, flags), Err(INVALID_HANDLE));
        }
        unsafe { expect(DeleteSecurityContext(&raw const context), 0) };
    }
    // One whose last step has failed.
    let wrong = Handshake { client: ["alice", "CORP", "wrong"], ..asked };
    let server = acquire("NTLM", 1, Some(&identity("alice", "CORP", "secret"))).unwrap();
    let client = acquire("NTLM", 2, Some(&identity("alice", "CORP", "wrong"))).unwrap();
    let (_, at_client, negotiate) = wrong.initialize(&client, None, &[]);
    let (_, at_server, challenge) = wrong.accept(&server, None, &negotiate);
    let (_, _, authenticate) = wrong.initialize(&client, Some(&at_client), &challenge);
    expect(wrong.accept(&server, Some(&at_server), &authenticate).0, LOGON_DENIED);
    assert_eq!(export(&at_server, DELETE_OLD), Err(INVALID_HANDLE));
    unsafe { expect(DeleteSecurityContext(&raw const at_server), 0) };
}

#[test]
fn the_package_is_the_one_that_the_context_was_exported_from() {
    fn check<C: Form>() {
        let [client, server] = Handshake::default().run();
        let blob = export(&server, DELETE_OLD).unwrap();
        for package in ["Kerberos", "Schannel", "", "NTLM2"] {
            assert_eq!(import_as::<C>(package, &blob, 0), Err(SECPKG_NOT_FOUND), "{package}");
        }
        let (mut copy, mut handle) = (blob.clone(), NO_HANDLE);
        let packed = buffer(&mut copy, SECBUFFER_EMPTY);
        unsafe {
            let without = C::IMPORT(null(), &raw const packed, null_mut(), &raw mut handle);
            expect(without, SECPKG_NOT_FOUND);
        }
        // Nothing of it has used the blob up. Negotiate chose NTLM; case does not matter.
        let server = import_as::<C>("nEGOTIATE", &blob, 0).unwrap();
        both_ways(&client, &server);
    }
    check::<c_char>();
    check::<WCHAR>();
}

#[test]
fn a_blob_is_imported_once() {
    fn check<C: Form>() {
        let [_, server] = Handshake::default().run();
        let blob = export(&server, DELETE_OLD).unwrap();
        let imported = import_as::<C>("NTLM", &blob, 0).unwrap();
        assert_eq!(import_as::<C>("NTLM", &blob, 0), Err(CONTEXT_EXPIRED));
        unsafe { expect(DeleteSecurityContext(&raw const imported), 0) };
        assert_eq!(import_as::<C>("NTLM", &blob, 0), Err(CONTEXT_EXPIRED));
    }
    check::<c_char>();
    check::<WCHAR>();
}

#[test]
fn a_changed_blob_is_refused_and_not_used_up() {
    let [client, server] = Handshake::default().run();
    let blob = export(&server, DELETE_OLD).unwrap();
    // As ImportSecurityContextA documents them; CONTEXT_EXPIRED where the time was changed.
    let documented =
        [INVALID_TOKEN, NO_CREDENTIALS, NOT_OWNER, UNSUPPORTED_FUNCTION, CONTEXT_EXPIRED, SECPKG_NOT_FOUND];
    for index in 0..blob.len() {
        let mut changed = blob.clone();
        changed[index] ^= 0x41;
        let status = import(&changed).unwrap_err();
        assert!(documented.contains(&status), "byte {index}: {status:08X}");
        assert!(import(&blob[..index]).is_err(), "cut to {index} bytes");
    }
    assert_eq!(import(&blob[..blob.len() - 1]), Err(INVALID_TOKEN), "cut short");
    assert_eq!(import(&[&blob[..], b"x"].concat()), Err(INVALID_TOKEN), "too long");
    assert_eq!(import(&[]), Err(INVALID_TOKEN), "nothing");
    assert_eq!(import(b"this is no context"), Err(INVALID_TOKEN), "something else");
    let server = import(&blob).unwrap();
    both_ways(&client, &server);
}

#[test]
fn an_imported_context_answers_as_the_exported_one_did() {
    fn answers(context: &SecHandle) -> Vec<String> {
        let key: ContextSessionKey = ask::<WCHAR, _>(context, SECPKG_ATTR_SESSION_KEY).unwrap();
        let bytes = unsafe { core::slice::from_raw_parts(key.key, key.length as usize) }.to_vec();
        free(key.key);
        let info: ContextKeyInfo<WCHAR> = ask::<WCHAR, _>(context, SECPKG_ATTR_KEY_INFO).unwrap();
        let native: ContextNativeNames<WCHAR> = ask::<WCHAR, _>(context, SECPKG_ATTR_NATIVE_NAMES).unwrap();
        let names: ContextNames<WCHAR> = ask::<WCHAR, _>(context, SECPKG_ATTR_NAMES).unwrap();
        let target: ContextClientSpecifiedTarget =
            ask::<WCHAR, _>(context, SECPKG_ATTR_CLIENT_SPECIFIED_TARGET).unwrap();
        vec![
            format!("{bytes:?}"),
            taken(info.signature_algorithm_name),
            taken(info.encrypt_algorithm_name),
            format!("{} {:X} {:X}", info.key_size, info.signature_algorithm, info.encrypt_algorithm),
            taken(native.client_name),
            taken(native.server_name),
            taken(names.user_name),
            taken(target.target_name),
            format!("{:?}", ask::<WCHAR, ContextSizes>(context, SECPKG_ATTR_SIZES)),
            format!("{:?}", ask::<WCHAR, ContextFlags>(context, SECPKG_ATTR_FLAGS)),
            format!("{:?}", ask::<WCHAR, ContextLifespan>(context, SECPKG_ATTR_LIFESPAN)),
        ]
    }
    let asked = Handshake { target: Some("HTTP/files"), ..Handshake::default() };
    for context in asked.run() {
        let before = answers(&context);
        let imported = import(&export(&context, DELETE_OLD).unwrap()).unwrap();
        assert_ne!(imported, context);
        assert_eq!(answers(&imported), before);
    }
}

// An unprotected context and one that only signs go the same way.
#[test]
fn contexts_of_all_kinds_of_protection_are_handed_over() {
    for requirements in [0, 0x1_0000] {
        let asked = Handshake { client_requirements: requirements, ..Handshake::default() };
        let [client, server] = asked.run();
        let server = import(&export(&server, DELETE_OLD).unwrap()).unwrap();
        let mut message = Message::new(&[(SECBUFFER_DATA, b"data"), (SECBUFFER_TOKEN, &[0; 16])]);
        let status = message.protect(MakeSignature, &client);
        if status == OK {
            assert_eq!(message.unprotect(VerifySignature, &server), OK);
        } else {
            assert_eq!(requirements, 0, "{status:X}");
        }
    }
    let asked = Handshake { client_requirements: 0, ..Handshake::default() };
    let old = asked.run_against_an_old_server();
    let imported = import(&export(&old, DELETE_OLD).unwrap()).unwrap();
    let mut message = Message::new(&[(SECBUFFER_DATA, b"data"), (SECBUFFER_TOKEN, &[0; 16])]);
    assert_eq!(message.protect(MakeSignature, &imported), OK, "row 63");
}

#[test]
fn pointers_that_are_missing_use_no_blob_up() {
    fn check<C: Form>() {
        let [client, server] = Handshake::default().run();
        unsafe {
            let without = ExportSecurityContext(&raw const server, DELETE_OLD, null_mut(), null_mut());
            expect(without, INTERNAL_ERROR);
        }
        both_ways(&client, &server);
        let blob = export(&server, DELETE_OLD).unwrap();
        let (package, mut copy, mut handle) = (C::encode("NTLM"), blob.clone(), NO_HANDLE);
        let packed = buffer(&mut copy, SECBUFFER_EMPTY);
        let nowhere = SecBuffer { pointer: null_mut(), ..packed };
        unsafe {
            expect(C::IMPORT(package.as_ptr(), &raw const packed, null_mut(), null_mut()), INTERNAL_ERROR);
            expect(C::IMPORT(package.as_ptr(), null(), null_mut(), &raw mut handle), INTERNAL_ERROR);
            let without = C::IMPORT(package.as_ptr(), &raw const nowhere, null_mut(), &raw mut handle);
            expect(without, INTERNAL_ERROR);
            // A token is not looked at.
            let token = core::ptr::dangling_mut();
            expect(C::IMPORT(package.as_ptr(), &raw const packed, token, &raw mut handle), 0);
        }
        both_ways(&client, &handle);
    }
    check::<c_char>();
    check::<WCHAR>();
}
