//! The functions as a C program calls them, client and server in one process. The rows are those of the reference on
//! what programs observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

mod common;

use common::*;

/// Client and server up to the AUTHENTICATE.
fn before_the_last_step(password: &str) -> (Side, Side, Vec<u8>) {
    let client = acquire("NTLM", 2, Some(&identity("alice", "CORP", password))).unwrap();
    let server = acquire("NTLM", 1, Some(&identity("alice", "CORP", "secret"))).unwrap();
    let (mut client, mut server) = (Side::new(client, true), Side::new(server, false));
    let (status, negotiate) = client.step(&[]);
    assert_eq!(status, CONTINUE_NEEDED);
    let (status, challenge) = server.step(&negotiate);
    assert_eq!(status, CONTINUE_NEEDED);
    let (status, authenticate) = client.step(&challenge);
    assert_eq!(status, OK);
    (client, server, authenticate)
}

fn established() -> (Side, Side) {
    let (client, mut server, authenticate) = before_the_last_step("secret");
    let (status, token) = server.step(&authenticate);
    assert_eq!((status, token.len()), (OK, 0), "row 32");
    (client, server)
}

/// Encrypts and decrypts a message from one side to the other.
fn converse(from: &SecHandle, to: &SecHandle) {
    let mut data = *b"a message of thirty-two bytes...";
    let mut token = [0; 16];
    let mut buffers = [buffer(&mut token, SECBUFFER_TOKEN), buffer(&mut data, SECBUFFER_DATA)];
    let mut message = list(&mut buffers);
    let mut quality = 0xDEAD_BEEF;
    unsafe {
        assert_eq!(EncryptMessage(from, 0, &raw mut message, 0), OK);
        assert_ne!(&data, b"a message of thirty-two bytes...");
        assert_eq!(token[..4], [1, 0, 0, 0], "row 66");
        assert_eq!(DecryptMessage(to, &raw mut message, 0, &raw mut quality), OK);
    }
    assert_eq!(&data, b"a message of thirty-two bytes...");
    assert_eq!(quality, 0xDEAD_BEEF, "row 68");
}

#[test]
fn messages_go_both_ways_and_changed_ones_are_refused() {
    let (client, server) = established();
    converse(&client.context, &server.context);
    converse(&server.context, &client.context);
    let mut data = *b"signed";
    let mut token = [0; 16];
    let mut buffers = [buffer(&mut data, SECBUFFER_DATA), buffer(&mut token, SECBUFFER_TOKEN)];
    let mut message = list(&mut buffers);
    unsafe {
        expect(MakeSignature(&raw const client.context, 0, &raw mut message, 0), 0);
        buffers[0].pointer.cast::<u8>().write(b'S');
        expect(VerifySignature(&raw const server.context, &raw mut message, 0, null_mut()), MESSAGE_ALTERED);
        buffers[0].pointer.cast::<u8>().write(b's');
        expect(VerifySignature(&raw const server.context, &raw mut message, 0, null_mut()), 0);
        message.count = 1;
        expect(MakeSignature(&raw const client.context, 0, &raw mut message, 0), INVALID_TOKEN);
        expect(MakeSignature(&SecHandle::default(), 0, &raw mut message, 0), INVALID_HANDLE);
    }
}

// Row 69.
#[test]
fn a_stream_is_decrypted_where_it_lies() {
    let (client, server) = established();
    let mut bytes = *b"................message";
    let (token, data) = bytes.split_at_mut(16);
    let mut buffers = [buffer(token, SECBUFFER_TOKEN), buffer(data, SECBUFFER_DATA)];
    unsafe {
        let mut message = list(&mut buffers);
        expect(EncryptMessage(&raw const client.context, 0, &raw mut message, 0), 0);
        let mut buffers = [buffer(&mut bytes, SECBUFFER_STREAM), buffer(&mut [], SECBUFFER_DATA)];
        let mut message = list(&mut buffers);
        expect(DecryptMessage(&raw const server.context, &raw mut message, 0, null_mut()), 0);
        assert_eq!(buffers[1].length, 7);
        assert_eq!(buffers[1].pointer.cast_const(), bytes[16..].as_ptr().cast());
    }
    assert_eq!(&bytes[16..], b"message");
}

// Rows 21 to 25.
#[test]
fn a_token_that_has_no_room_loses_nothing() {
    let client = acquire("NTLM", 2, Some(&identity("alice", "CORP", "secret"))).unwrap();
    let server = acquire("NTLM", 1, Some(&identity("alice", "CORP", "secret"))).unwrap();
    let (mut client, mut server) = (Side::new(client, true), Side::new(server, false));
    let (status, token) = client.step_into(&[], 0);
    expect(status, BUFFER_TOO_SMALL);
    assert_eq!(token.len(), 0);
    expect(client.step_into(&[], 4).0, BUFFER_TOO_SMALL);
    let (_, negotiate) = client.step(&[]);
    expect(server.step_into(&negotiate, 8).0, BUFFER_TOO_SMALL);
    let (_, challenge) = server.step(&negotiate);
    expect(client.step_into(&challenge, 8).0, BUFFER_TOO_SMALL);
    expect(client.step_into(&challenge, 0).0, BUFFER_TOO_SMALL);
    expect(client.step(b"another").0, OUT_OF_SEQUENCE);
    let (status, authenticate) = client.step(&challenge);
    assert_eq!(status, OK);
    assert_eq!(server.step(&authenticate).0, OK);
    converse(&client.context, &server.context);
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

// Rows 50 to 59.
#[test]
fn attributes() {
    let (client, server) = established();
    unsafe {
        let mut keys = Vec::new();
        for context in [&client.context, &server.context] {
            let mut sizes = [0_u32; 4];
            expect(QueryContextAttributesW(context, 0, (&raw mut sizes).cast()), 0);
            assert_eq!(sizes, [2888, 16, 0, 16]);
            let mut name: *mut i8 = null_mut();
            expect(QueryContextAttributesA(context, 1, (&raw mut name).cast()), 0);
            assert_eq!(core::ffi::CStr::from_ptr(name.cast()).to_str().unwrap(), r"CORP\alice");
            expect(FreeContextBuffer(name.cast()), 0);
            let mut key: (u32, *mut u8) = (0, null_mut());
            expect(QueryContextAttributesW(context, 9, (&raw mut key).cast()), 0);
            keys.push(core::slice::from_raw_parts(key.1, key.0 as usize).to_vec());
            expect(FreeContextBuffer(key.1.cast()), 0);
            let mut unused = [0_u64; 8];
            for attribute in [4, 17, 99] {
                let status = QueryContextAttributesW(context, attribute, (&raw mut unused).cast());
                expect(status, UNSUPPORTED_FUNCTION);
            }
            expect(QueryContextAttributesExW(context, 0, (&raw mut unused).cast(), 8), BUFFER_TOO_SMALL);
            expect(QueryContextAttributesW(context, 0, null_mut()), INTERNAL_ERROR);
        }
        assert_eq!(keys[0].len(), 16, "row 54");
        assert_eq!(keys[0], keys[1], "row 54");
    }
}

#[test]
fn a_context_is_exported_imported_once_and_goes_on() {
    let (client, server) = established();
    converse(&client.context, &server.context);
    let mut packed = SecBuffer { length: 0, buffer_type: SECBUFFER_EMPTY, pointer: null_mut() };
    unsafe {
        expect(
            ExportSecurityContext(&raw const server.context, 4, &raw mut packed, null_mut()),
            UNSUPPORTED_FUNCTION,
        );
        expect(ExportSecurityContext(&raw const server.context, 2, &raw mut packed, null_mut()), 0);
        expect(
            ExportSecurityContext(&raw const server.context, 2, &raw mut packed, null_mut()),
            INVALID_HANDLE,
        );
        expect(DeleteSecurityContext(&raw const server.context), INVALID_HANDLE);
        let (package, mut imported) = (wide("NTLM"), SecHandle::default());
        expect(
            ImportSecurityContextW(wide("none").as_ptr(), &raw const packed, null_mut(), &raw mut imported),
            SECPKG_NOT_FOUND,
        );
        expect(ImportSecurityContextW(package.as_ptr(), &raw const packed, null_mut(), &raw mut imported), 0);
        converse(&client.context, &imported);
        converse(&imported, &client.context);
        let again =
            ImportSecurityContextW(package.as_ptr(), &raw const packed, null_mut(), &raw mut imported);
        expect(again, CONTEXT_EXPIRED);
        expect(FreeContextBuffer(packed.pointer), 0);
    }
}
