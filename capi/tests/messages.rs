//! The per-message calls, under their old names, too. The rows are those of the reference on what programs observe of SSPI on
//! Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ptr::null_mut;

use common::contexts::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const TOKEN: u32 = SECBUFFER_TOKEN;
const DATA: u32 = SECBUFFER_DATA;
const PADDING: u32 = SECBUFFER_PADDING;
/// In clear, and covered by the signature.
const COVERED: u32 = SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM;
/// In clear, and not covered.
const ASIDE: u32 = SECBUFFER_DATA | SECBUFFER_READONLY;

const QOP_NOT_SUPPORTED: u32 = 0x8009_030A;

/// Both names of each function.
const ENCRYPT: [Protect; 2] = [EncryptMessage, SealMessage];
const DECRYPT: [Unprotect; 2] = [DecryptMessage, UnsealMessage];

const SIGN: [Protect; 1] = [MakeSignature];

/// What begins every signature.
const VERSION: [u8; 4] = [1, 0, 0, 0];

#[test]
fn row_60_a_signature_needs_a_token_buffer() {
    let [client, _] = Handshake::default().run();
    for parts in [&[(DATA, &b"one"[..])][..], &[(DATA, b"one"), (DATA, b"two")], &[(COVERED, b"one")], &[]] {
        let mut message = Message::new(parts);
        expect(message.protect(MakeSignature, &client), INVALID_TOKEN);
        assert_eq!(message, Message::new(parts), "row 60");
        expect(message.unprotect(VerifySignature, &client), INVALID_TOKEN);
    }
}

/// All orders of some buffers.
fn orders(parts: &[(u32, Vec<u8>)]) -> Vec<Message> {
    if parts.is_empty() {
        return vec![Message(Vec::new())];
    }
    let mut all = Vec::new();
    for first in 0..parts.len() {
        let mut rest = parts.to_vec();
        let first = rest.remove(first);
        all.extend(
            orders(&rest).into_iter().map(|Message(rest)| Message([vec![first.clone()], rest].concat())),
        );
    }
    all
}

#[test]
fn row_61_signatures_in_any_order_of_buffers() {
    let [client, server] = Handshake::default().run();
    let parts = [
        (TOKEN, vec![0; 16]),
        (DATA, b"some data".to_vec()),
        (DATA, b"more".to_vec()),
        (COVERED, b"header".to_vec()),
    ];
    let all = orders(&parts);
    assert_eq!(all.len(), 24);
    for (index, clear) in all.into_iter().enumerate() {
        let mut message = clear.clone();
        let (from, to) = if index % 2 == 0 { (&client, &server) } else { (&server, &client) };
        assert_eq!(message.protect(MakeSignature, from), OK);
        let token = message.part(TOKEN).clone();
        assert!(token.len() == 16 && token.starts_with(&VERSION) && token[4..12] != [0; 8], "row 61");
        assert_eq!(message.unprotect(VerifySignature, to), OK);
        *message.part(TOKEN) = vec![0; 16];
        assert_eq!(message, clear, "row 61: data and counts are unchanged");
    }
}

#[test]
fn row_61_the_quality_of_protection_stays_0() {
    let [client, server] = Handshake::default().run();
    let (mut data, mut token, mut quality) = (*b"data", [0; 16], 0);
    let mut buffers = [buffer(&mut data, DATA), buffer(&mut token, TOKEN)];
    let mut message = list(&mut buffers);
    unsafe {
        assert_eq!(MakeSignature(&raw const client, 0, &raw mut message, 0), OK);
        assert_eq!(VerifySignature(&raw const server, &raw mut message, 0, &raw mut quality), OK);
        assert_eq!(quality, 0, "row 61");
        assert_eq!(EncryptMessage(&raw const client, 0, &raw mut message, 0), OK);
        assert_eq!(DecryptMessage(&raw const server, &raw mut message, 0, &raw mut quality), OK);
        assert_eq!(quality, 0);
        // It need not be asked for.
        assert_eq!(MakeSignature(&raw const client, 0, &raw mut message, 0), OK);
        assert_eq!(VerifySignature(&raw const server, &raw mut message, 0, null_mut()), OK);
    }
}

// `unprotect` looks at the quality, which is not to be written.
#[test]
fn row_62_changed_data_and_foreign_signatures_are_refused() {
    let [client, server] = Handshake::default().run();
    let [other, _] = Handshake::default().run();
    let clear = Message::new(&[(DATA, b"some data"), (TOKEN, &[0; 16])]);
    let mut good = clear.clone();
    assert_eq!(good.protect(MakeSignature, &client), OK);
    let mut changed = good.clone();
    changed.part(DATA)[3] ^= 1;
    expect(changed.unprotect(VerifySignature, &server), MESSAGE_ALTERED);
    let mut foreign = clear.clone();
    assert_eq!(foreign.protect(MakeSignature, &other), OK);
    expect(foreign.unprotect(VerifySignature, &server), MESSAGE_ALTERED);
    let mut own = clear;
    assert_eq!(own.protect(MakeSignature, &server), OK);
    expect(own.unprotect(VerifySignature, &server), MESSAGE_ALTERED);
    // The one that is due is still taken.
    assert_eq!(good.unprotect(VerifySignature, &server), OK, "row 62");
    // And no second time.
    expect(good.unprotect(VerifySignature, &server), OUT_OF_SEQUENCE);
}

fn unprotected() -> SecHandle {
    Handshake { client_requirements: 0, ..Handshake::default() }.run_against_an_old_server()
}

#[test]
fn row_63_without_sign_there_is_a_dummy_signature() {
    let context = unprotected();
    let dummy: [u8; 16] = core::array::from_fn(|index| u8::from(index == 0));
    for parts in [
        &[(TOKEN, &[0xEE; 16][..]), (DATA, b"one")][..],
        &[(DATA, b"another, longer"), (TOKEN, &[0xEE; 16])],
        &[(TOKEN, &[0xEE; 16]), (DATA, b"one"), (COVERED, b"header")],
        &[(COVERED, b"header"), (DATA, b"one"), (COVERED, b"trailer"), (TOKEN, &[0xEE; 16])],
    ] {
        let mut message = Message::new(parts);
        assert_eq!(message.protect(MakeSignature, &context), OK, "row 63");
        assert_eq!(*message.part(TOKEN), dummy, "row 63: whatever the message");
        assert_eq!(message.unprotect(VerifySignature, &context), OK, "row 63");
        message.part(TOKEN)[5] = 1;
        expect(message.unprotect(VerifySignature, &context), MESSAGE_ALTERED);
    }
}

#[test]
fn row_64_without_sign_and_seal_nothing_is_encrypted() {
    let context = unprotected();
    for (encrypt, decrypt) in ENCRYPT.into_iter().zip(DECRYPT) {
        let clear = Message::new(&[(TOKEN, &[0; 16]), (DATA, b"data")]);
        let mut message = clear.clone();
        expect(message.protect(encrypt, &context), UNSUPPORTED_FUNCTION);
        expect(message.unprotect(decrypt, &context), UNSUPPORTED_FUNCTION);
        assert_eq!(message, clear, "row 64");
    }
}

#[test]
fn row_65_encryption_needs_a_token_and_a_message() {
    let [client, server] = Handshake::default().run();
    for (encrypt, decrypt) in ENCRYPT.into_iter().zip(DECRYPT) {
        for parts in [
            &[(DATA, &b"one"[..])][..],
            &[(DATA, b"one"), (DATA, b"two")],
            &[(DATA, b"one"), (PADDING, b"")],
            &[(TOKEN, &[0; 16])],
            &[],
        ] {
            let mut message = Message::new(parts);
            expect(message.protect(encrypt, &client), INVALID_TOKEN);
            expect(message.unprotect(decrypt, &client), INVALID_TOKEN);
            assert_eq!(message, Message::new(parts), "row 65");
        }
    }
    // Nothing of it has counted.
    converse(&client, &server);
}

#[test]
fn row_66_encryption_in_place_in_any_order_of_buffers() {
    let [client, server] = Handshake::default().run();
    let parts = [(TOKEN, vec![0; 16]), (DATA, b"some data to be encrypted".to_vec()), (PADDING, Vec::new())];
    for parts in [&parts[..], &parts[..2]] {
        for (index, clear) in orders(parts).into_iter().enumerate() {
            let mut message = clear.clone();
            let (from, to) = if index % 2 == 0 { (&client, &server) } else { (&server, &client) };
            assert_eq!(message.protect(ENCRYPT[index % 2], from), OK);
            assert_ne!(message.part(DATA), b"some data to be encrypted");
            assert!(message.part(TOKEN).starts_with(&VERSION), "row 66");
            let lengths =
                |message: &Message| message.0.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>();
            assert_eq!(lengths(&message), lengths(&clear), "row 66: counts are unchanged");
            assert_eq!(message.unprotect(DECRYPT[index % 2], to), OK);
            *message.part(TOKEN) = vec![0; 16];
            assert_eq!(message, clear, "row 66");
        }
    }
}

#[test]
fn row_67_a_changed_ciphertext_is_refused() {
    let [client, server] = Handshake::default().run();
    for decrypt in DECRYPT {
        let mut good = Message::new(&[(TOKEN, &[0; 16]), (DATA, b"data")]);
        assert_eq!(good.protect(EncryptMessage, &client), OK);
        for (kind, byte) in [(DATA, 0), (DATA, 3), (TOKEN, 0), (TOKEN, 4), (TOKEN, 11)] {
            let mut changed = good.clone();
            changed.part(kind)[byte] ^= 0x10;
            let before = changed.clone();
            expect(changed.unprotect(decrypt, &server), MESSAGE_ALTERED);
            assert_eq!(changed, before, "row 67: no plaintext is left behind");
        }
        assert_eq!(good.unprotect(decrypt, &server), OK);
        assert_eq!(good.part(DATA), b"data");
    }
}

#[test]
fn row_68_no_call_writes_the_quality() {
    let [client, server] = Handshake::default().run();
    let mut message = Message::new(&[(TOKEN, &[0; 16]), (DATA, b"data")]);
    assert_eq!(message.protect(EncryptMessage, &client), OK);
    assert_eq!(message.clone().unprotect(DecryptMessage, &server), OK, "row 68");
    expect(message.unprotect(UnsealMessage, &server), OUT_OF_SEQUENCE);
    assert_eq!(message.protect(MakeSignature, &client), OK);
    assert_eq!(message.unprotect(VerifySignature, &server), OK, "row 68");
}

#[test]
fn row_69_a_stream_is_decrypted_where_it_lies() {
    let [client, server] = Handshake::default().run();
    for decrypt in DECRYPT {
        for (stream_first, text) in [(true, &b"a message"[..]), (true, b""), (false, b"another")] {
            let mut message = Message::new(&[(TOKEN, &[0; 16]), (DATA, text)]);
            assert_eq!(message.protect(EncryptMessage, &client), OK);
            let mut bytes = [message.part(TOKEN).clone(), message.part(DATA).clone()].concat();
            let mut quality = 0xDEAD_BEEF;
            let mut nothing = [];
            let mut buffers = [buffer(&mut bytes, SECBUFFER_STREAM), buffer(&mut nothing, DATA)];
            if !stream_first {
                buffers.swap(0, 1);
            }
            let mut message = list(&mut buffers);
            unsafe {
                assert_eq!(decrypt(&raw const server, &raw mut message, 0, &raw mut quality), OK, "row 69");
            }
            let data = buffers[usize::from(stream_first)];
            assert_eq!((data.length as usize, quality), (text.len(), 0xDEAD_BEEF), "rows 68 and 69");
            assert_eq!(data.pointer.addr(), bytes.as_ptr().addr() + 16, "row 69");
            assert_eq!(&bytes[16..], text);
        }
    }
}

#[test]
fn row_69_a_stream_without_a_place_for_its_message_is_refused() {
    let [client, server] = Handshake::default().run();
    let mut message = Message::new(&[(TOKEN, &[0; 16]), (DATA, b"data")]);
    assert_eq!(message.protect(EncryptMessage, &client), OK);
    let bytes = [message.part(TOKEN).clone(), message.part(DATA).clone()].concat();
    expect(Message::new(&[(SECBUFFER_STREAM, &bytes)]).unprotect(DecryptMessage, &server), INVALID_TOKEN);
    let short =
        Message::new(&[(SECBUFFER_STREAM, &bytes[..15]), (DATA, b"")]).unprotect(DecryptMessage, &server);
    assert!(short < 0, "{short:X}");
    assert_eq!(message.unprotect(DecryptMessage, &server), OK);
}

#[test]
fn row_70_what_is_read_only_with_checksum_is_covered() {
    let [client, server] = Handshake::default().run();
    let clear =
        Message::new(&[(COVERED, b"header"), (DATA, b"the data"), (COVERED, b"trailer"), (TOKEN, &[0; 16])]);
    let mut message = clear.clone();
    assert_eq!(message.protect(EncryptMessage, &client), OK);
    assert_eq!((&message.0[0], &message.0[2]), (&clear.0[0], &clear.0[2]), "row 70: left in clear");
    assert_ne!(message.0[1], clear.0[1]);
    for part in [0, 2] {
        let mut changed = message.clone();
        changed.0[part].1[0] ^= 1;
        expect(changed.unprotect(DecryptMessage, &server), MESSAGE_ALTERED);
    }
    assert_eq!(message.unprotect(DecryptMessage, &server), OK);
    assert_eq!(message.0[..3], clear.0[..3], "row 70");
}

#[test]
fn row_71_what_is_read_only_is_not_covered() {
    let [client, server] = Handshake::default().run();
    let clear =
        Message::new(&[(ASIDE, b"header"), (DATA, b"the data"), (ASIDE, b"trailer"), (TOKEN, &[0; 16])]);
    let mut message = clear.clone();
    assert_eq!(message.protect(EncryptMessage, &client), OK);
    assert_eq!((&message.0[0], &message.0[2]), (&clear.0[0], &clear.0[2]), "row 71: left in clear");
    message.0[0].1[0] ^= 1;
    message.0[2].1.truncate(3);
    assert_eq!(message.unprotect(DecryptMessage, &server), OK, "row 71: not covered");
    assert_eq!(message.0[1], clear.0[1]);
}

#[test]
fn row_72_a_token_buffer_that_is_too_short() {
    let [client, server] = Handshake::default().run();
    for length in [0, 1, 15] {
        let start = Message::new(&[(DATA, b"data"), (TOKEN, &[0xEE; 15][..length])]);
        for call in [MakeSignature, EncryptMessage, SealMessage] {
            let mut message = start.clone();
            expect(message.protect(call, &client), BUFFER_TOO_SMALL);
            assert_eq!(message, start, "row 72: nothing is written, and nothing encrypted");
        }
        for call in [VerifySignature, DecryptMessage, UnsealMessage] {
            let mut message = start.clone();
            let status = message.unprotect(call, &server);
            assert!(status < 0, "row 72: {status:X}");
            assert_eq!(message, start, "row 72");
        }
    }
    // Nothing of it has counted.
    converse(&client, &server);
}

#[test]
fn row_73_without_a_context_no_message_is_protected() {
    let start = Message::new(&[(DATA, b"data"), (TOKEN, &[0; 16])]);
    for call in SIGN.into_iter().chain(ENCRYPT) {
        let mut message = start.clone();
        expect(message.protect(call, &NO_HANDLE), INVALID_HANDLE);
        assert_eq!(message, start, "row 73");
    }
    for call in [VerifySignature, DecryptMessage, UnsealMessage] {
        let mut message = start.clone();
        expect(message.unprotect(call, &NO_HANDLE), INVALID_HANDLE);
        assert_eq!(message, start, "row 73");
    }
}

#[test]
fn row_74_the_number_that_a_program_gives_does_not_count() {
    let [client, server] = Handshake::default().run();
    for (sent, received) in [(0, 0), (0, 0), (7, 0), (0, u32::MAX), (3, 3), (0, 0)] {
        let (mut data, mut token) = (*b"data", [0; 16]);
        let mut buffers = [buffer(&mut data, DATA), buffer(&mut token, TOKEN)];
        let mut message = list(&mut buffers);
        unsafe {
            assert_eq!(EncryptMessage(&raw const client, 0, &raw mut message, sent), OK, "row 74");
            assert_eq!(
                DecryptMessage(&raw const server, &raw mut message, received, null_mut()),
                OK,
                "row 74"
            );
            assert_eq!(MakeSignature(&raw const server, 0, &raw mut message, sent), OK, "row 74");
            assert_eq!(VerifySignature(&raw const client, &raw mut message, received, null_mut()), OK);
        }
        assert_eq!(&data, b"data");
    }
}

// The section on exports: SECQOP_WRAP_NO_ENCRYPT is the one quality beside 0.
#[test]
fn only_one_quality_beside_0_is_known() {
    let [client, server] = Handshake::default().run();
    let (mut data, mut token) = (*b"data", [0; 16]);
    let mut buffers = [buffer(&mut data, DATA), buffer(&mut token, TOKEN)];
    let mut message = list(&mut buffers);
    for encrypt in ENCRYPT {
        unsafe {
            let refused = encrypt(&raw const client, 1, &raw mut message, 0);
            expect(refused, QOP_NOT_SUPPORTED);
            assert_eq!(encrypt(&raw const client, SECQOP_WRAP_NO_ENCRYPT, &raw mut message, 0), OK);
            assert_eq!(buffers[0].pointer.cast::<[u8; 4]>().read(), *b"data", "signed alone");
            assert_eq!(VerifySignature(&raw const server, &raw mut message, 0, null_mut()), OK);
        }
    }
}
