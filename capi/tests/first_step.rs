//! The first step of a handshake: where its token goes, and what it asks for. The rows are those of the reference on what
//! programs observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ptr::null_mut;

use common::contexts::converse;
use common::forms::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const CONTINUE: u32 = CONTINUE_NEEDED as u32;
const ALLOCATE_MEMORY: u32 = 0x100;

/// A server's first leg, with this token.
fn accept<'a>(way: Way, credential: &'a SecHandle, input: &'a [SecBuffer]) -> Leg<'a> {
    Leg { is_server: true, input: Some(input), ..way.leg(credential) }
}

fn delete(context: &SecHandle) -> u32 {
    unsafe { DeleteSecurityContext(context) as u32 }
}

/// What is wrong with an output, and what it gives.
type BadOutput = (&'static str, u32, fn(&mut [u8]) -> Option<Vec<SecBuffer>>);

const BAD_OUTPUTS: [BadOutput; 7] = [
    ("row 21: no output", BUFFER_TOO_SMALL, |_| None),
    ("row 22: a TOKEN without memory", INTERNAL_ERROR, |room| {
        Some(vec![SecBuffer { pointer: null_mut(), ..buffer(room, SECBUFFER_TOKEN) }])
    }),
    ("row 23: a TOKEN of no length", BUFFER_TOO_SMALL, |room| {
        Some(vec![SecBuffer { length: 0, ..buffer(room, SECBUFFER_TOKEN) }])
    }),
    ("row 23: a TOKEN of no length, without memory", BUFFER_TOO_SMALL, |_| {
        Some(vec![SecBuffer { length: 0, buffer_type: SECBUFFER_TOKEN, pointer: null_mut() }])
    }),
    ("row 24: DATA alone", BUFFER_TOO_SMALL, |room| Some(vec![buffer(room, SECBUFFER_DATA)])),
    ("row 24: EMPTY alone", BUFFER_TOO_SMALL, |room| Some(vec![buffer(room, SECBUFFER_EMPTY)])),
    ("row 24: no buffer", BUFFER_TOO_SMALL, |_| Some(Vec::new())),
];

#[test]
fn rows_21_to_25_a_token_needs_a_place() {
    for way in WAYS {
        let (credential, server) = (way.client(ALICE), way.server(ALICE));
        let leg = way.leg(&credential);
        let mut negotiate = leg.give().1;
        let inputs = [buffer(&mut negotiate, SECBUFFER_TOKEN)];
        for leg in [leg, accept(way, &server, &inputs)] {
            let side = if leg.is_server { "server" } else { "client" };
            for (row, expected, outputs) in BAD_OUTPUTS {
                let mut room = [0xCC; 512];
                let mut outputs = outputs(&mut room);
                let lengths = |outputs: &Option<Vec<SecBuffer>>| {
                    outputs.iter().flatten().map(|buffer| buffer.length).collect::<Vec<_>>()
                };
                let before = lengths(&outputs);
                let answer = leg.call(outputs.as_deref_mut());
                status(answer.status, expected, format_args!("{row}, {side}, {way:?}"));
                assert_eq!(lengths(&outputs), before, "{row}, {side}, {way:?}: the counts stay");
                assert_eq!(room, [0xCC; 512], "{row}, {side}, {way:?}: nothing is written");
                status(delete(&answer.context), INVALID_HANDLE, format_args!("row 25, after {row}"));
                // The same variables do for the next call.
                let answer = leg.give().0;
                status(answer.status, CONTINUE, format_args!("row 25, after {row}, {side}, {way:?}"));
                status(delete(&answer.context), 0, "row 25");
            }
        }
    }
}

#[test]
fn row_26_the_token_s_length_is_told() {
    for way in WAYS {
        let (mut client, mut server) = way.pair();
        let mut token = Vec::new();
        for is_client in [true, false, true] {
            let peer = if is_client { &mut client } else { &mut server };
            let credential = peer.credential;
            let inputs = [buffer(&mut token, SECBUFFER_TOKEN)];
            let leg = Leg {
                is_server: !is_client,
                context: peer.context.as_ref(),
                requirements: peer.requirements,
                input: if inputs[0].length == 0 { None } else { Some(&inputs) },
                ..way.leg(&credential)
            };
            let mut room = vec![0xCC; MAX_TOKEN];
            // Not the first one: what is no TOKEN is passed over.
            let mut other = [0xCC; 8];
            let mut outputs = [buffer(&mut other, SECBUFFER_DATA), buffer(&mut room, SECBUFFER_TOKEN)];
            let answer = leg.call(Some(&mut outputs));
            assert!(answer.status as i32 >= 0, "row 26: {way:?} {:08X}", answer.status);
            let [data, found] = outputs;
            assert_eq!((data.length, found.buffer_type), (8, SECBUFFER_TOKEN), "row 26: {way:?}");
            let length = found.length as usize;
            assert!(length > 0 && length < MAX_TOKEN, "row 26: {way:?} {length}");
            assert_eq!(found.pointer, room.as_mut_ptr().cast(), "row 26: {way:?}");
            assert!(room[length..].iter().all(|byte| *byte == 0xCC), "row 26: nothing behind the token");
            assert_eq!(other, [0xCC; 8], "row 26: {way:?}");
            room.truncate(length);
            (token, peer.context) = (room, Some(answer.context));
        }
        status(server.step(&token).0, 0, format_args!("row 26: {way:?}"));
        converse(&client.context(), &server.context());
    }
}

#[test]
fn row_28_the_library_allocates() {
    const RETURNED: u32 = 0x100;
    for way in WAYS {
        let (mut client, mut server) = way.pair();
        let mut token = Vec::new();
        for is_client in [true, false, true, false] {
            let peer = if is_client { &mut client } else { &mut server };
            let credential = peer.credential;
            let inputs = [buffer(&mut token, SECBUFFER_TOKEN)];
            let leg = Leg {
                is_server: !is_client,
                context: peer.context.as_ref(),
                requirements: peer.requirements | ALLOCATE_MEMORY,
                input: if inputs[0].length == 0 { None } else { Some(&inputs) },
                ..way.leg(&credential)
            };
            // A length that the caller left in it does not count.
            let length = if is_client { 0 } else { 7 };
            let mut outputs = [SecBuffer { length, buffer_type: SECBUFFER_TOKEN, pointer: null_mut() }];
            let answer = leg.call(Some(&mut outputs));
            assert!(answer.status as i32 >= 0, "row 28: {way:?} {:08X}", answer.status);
            let ended = answer.status == 0;
            let [found] = outputs;
            assert_eq!(found.buffer_type, SECBUFFER_TOKEN, "row 28: {way:?}");
            assert_ne!(answer.attributes & RETURNED, 0, "row 28: {way:?}");
            token.clear();
            if ended && !is_client {
                assert_eq!((found.length, found.pointer), (0, null_mut()), "row 28: no token, no memory");
            } else {
                let bytes =
                    unsafe { core::slice::from_raw_parts(found.pointer.cast(), found.length as usize) };
                token.extend_from_slice(bytes);
                let freed = unsafe { FreeContextBuffer(found.pointer) };
                status(freed as u32, 0, format_args!("row 28: {way:?}"));
            }
            peer.context = Some(answer.context);
        }
        converse(&client.context(), &server.context());
        // Without the flag, it says nothing of memory.
        let answer = way.leg(&client.credential).give().0;
        assert_eq!(answer.attributes & RETURNED, 0, "row 28: {way:?}");
    }
}

#[test]
fn rows_29_to_31_what_a_client_asks_for_is_in_its_flags() {
    const SIGN: u32 = 0x10;
    const SEAL: u32 = 0x20;
    for way in WAYS {
        let credential = way.client(ALICE);
        for (row, what, requirements, there, missing) in [
            (29, "nothing", 0, 0, SIGN | SEAL),
            (29, "CONNECTION", 0x800, 0, SIGN | SEAL),
            (29, "EXTENDED_ERROR", 0x4000, 0, SIGN | SEAL),
            (29, "MUTUAL_AUTH", 0x2, 0, SIGN | SEAL),
            (29, "USE_DCE_STYLE", 0x200, 0, SIGN | SEAL),
            (29, "DELEGATE", 0x1, 0, SIGN | SEAL),
            (29, "all of these", 0x4A03, 0, SIGN | SEAL),
            (30, "INTEGRITY", 0x1_0000, SIGN, SEAL),
            (30, "REPLAY_DETECT", 0x4, SIGN, SEAL),
            (30, "SEQUENCE_DETECT", 0x8, SIGN, SEAL),
            (31, "CONFIDENTIALITY", 0x10, SEAL, 0),
            (31, "all of these", 0x1_4A1F, SIGN | SEAL, 0),
        ] {
            let leg = Leg { requirements, ..way.leg(&credential) };
            let (answer, token) = leg.give();
            status(answer.status, CONTINUE, format_args!("row {row}: {what}, {way:?}"));
            assert!(token.starts_with(b"NTLMSSP\0\x01\0\0\0"), "row {row}: {what}, {way:?}");
            let flags = u32::from_le_bytes(token[12..16].try_into().unwrap());
            assert_eq!(flags & there, there, "row {row}: {what}, {way:?}, {flags:08X}");
            assert_eq!(flags & missing, 0, "row {row}: {what}, {way:?}, {flags:08X}");
        }
    }
}

#[test]
fn row_38_a_first_step_needs_credentials() {
    let gone = WAYS[0].client(ALICE);
    unsafe { status(FreeCredentialsHandle(&raw const gone) as u32, 0, "row 38") };
    for way in WAYS {
        let (client, _server) = way.pair();
        let mut negotiate = way.leg(&client.credential).give().1;
        let context = way.leg(&client.credential).give().0.context;
        let inputs = [buffer(&mut negotiate, SECBUFFER_TOKEN)];
        for handle in [SecHandle::default(), UNTOUCHED, gone, context] {
            let answer = way.leg(&handle).give().0;
            status(answer.status, INVALID_HANDLE, format_args!("row 38: client, {handle:?}, {way:?}"));
            let answer = accept(way, &handle, &inputs).give().0;
            status(answer.status, INVALID_HANDLE, format_args!("row 38: server, {handle:?}, {way:?}"));
        }
        let answer = Leg { credential: None, ..way.leg(&client.credential) }.give().0;
        status(answer.status, INVALID_HANDLE, format_args!("row 38: client, NULL, {way:?}"));
        let answer = Leg { credential: None, ..accept(way, &client.credential, &inputs) }.give().0;
        status(answer.status, INVALID_HANDLE, format_args!("row 38: server, NULL, {way:?}"));
    }
}

#[test]
fn row_39_credentials_are_for_one_side() {
    for way in WAYS {
        let (client, server) = (way.client(ALICE), way.server(ALICE));
        let mut negotiate = way.leg(&client).give().1;
        let inputs = [buffer(&mut negotiate, SECBUFFER_TOKEN)];
        // As in a client's package list: without one, Negotiate would have to speak SPNEGO.
        let given = Given::ex(way.form, Parts { packages: Some("NTLM"), ..ALICE });
        let inbound = way.form.acquire(way.package, INBOUND, Some(&given)).unwrap();
        for handle in [inbound, way.form.acquire("NTLM", INBOUND, None).unwrap()] {
            let answer = way.leg(&handle).give().0;
            status(answer.status, INVALID_HANDLE, format_args!("row 39: client, {way:?}"));
        }
        assert!((way.leg(&server).give().0.status as i32) < 0, "row 39: client, {way:?}, no package list");
        let answer = accept(way, &client, &inputs).give().0;
        status(answer.status, INVALID_HANDLE, format_args!("row 39: server, {way:?}"));
        // What is for both sides serves both.
        let both = way.form.acquire(way.package, 3, Some(&given)).unwrap();
        status(way.leg(&both).give().0.status, CONTINUE, format_args!("row 39: {way:?}"));
        status(accept(way, &both, &inputs).give().0.status, CONTINUE, format_args!("row 39: {way:?}"));
    }
}
