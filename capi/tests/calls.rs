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
