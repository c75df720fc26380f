//! The handshake after its first step, to its end or its failure. The rows are those of the reference on what programs observe
//! of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ptr::{null, null_mut};

use common::contexts::converse;
use common::forms::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const CONTINUE: u32 = CONTINUE_NEEDED as u32;

fn delete(context: &SecHandle) -> u32 {
    unsafe { DeleteSecurityContext(context) as u32 }
}

/// Client and server up to the token for the server's last step.
fn before_the_last_step(way: Way) -> (Peer, Peer, Vec<u8>) {
    let (mut client, mut server) = way.pair();
    let authenticate = up_to_the_last_step(&mut client, &mut server);
    (client, server, authenticate)
}

/// Client and server up to the token for the client's last step.
fn before_the_client_s_last_step(way: Way) -> (Peer, Peer, Vec<u8>) {
    let (mut client, mut server) = way.pair();
    let negotiate = client.step(&[]).1;
    let challenge = server.step(&negotiate).1;
    (client, server, challenge)
}

#[test]
fn row_27_a_later_step_needs_no_credentials() {
    for way in WAYS {
        for in_place in [true, false] {
            let (mut client, mut server, mut challenge) = before_the_client_s_last_step(way);
            let handle = client.context();
            let inputs = [buffer(&mut challenge, SECBUFFER_TOKEN)];
            let leg = Leg {
                credential: None,
                context: Some(&handle),
                in_place,
                requirements: client.requirements,
                input: Some(&inputs),
                ..way.leg(&handle)
            };
            let (answer, mut authenticate) = leg.give();
            status(answer.status, 0, format_args!("row 27: client, {way:?}"));
            assert_eq!(answer.context, handle, "row 27: client, {way:?}");

            let (of_server, inputs) = (server.context(), [buffer(&mut authenticate, SECBUFFER_TOKEN)]);
            let leg = Leg { is_server: true, context: Some(&of_server), input: Some(&inputs), ..leg };
            let answer = leg.give().0;
            status(answer.status, 0, format_args!("row 27: server, {way:?}"));
            assert_eq!(answer.context, of_server, "row 27: server, {way:?}");
            (client.context, server.context) = (Some(handle), Some(answer.context));
            converse(&client.context(), &server.context());
        }
    }
}

// The credentials' handle may be gone by then: the context has what it needs.
#[test]
fn row_27_the_credentials_may_be_freed_meanwhile() {
    for way in WAYS {
        let (client, server, mut challenge) = before_the_client_s_last_step(way);
        unsafe {
            status(FreeCredentialsHandle(&raw const client.credential) as u32, 0, "row 27");
            status(FreeCredentialsHandle(&raw const server.credential) as u32, 0, "row 27");
        }
        let handle = client.context();
        let inputs = [buffer(&mut challenge, SECBUFFER_TOKEN)];
        let leg = Leg {
            context: Some(&handle),
            requirements: client.requirements,
            input: Some(&inputs),
            ..way.leg(&client.credential)
        };
        status(leg.give().0.status, INVALID_HANDLE, format_args!("row 27: {way:?}, freed credentials"));
        let (answer, authenticate) = Leg { credential: None, ..leg }.give();
        status(answer.status, 0, format_args!("row 27: {way:?}"));
        assert!(!authenticate.is_empty());
    }
}

#[test]
fn row_32_the_server_ends_without_a_token() {
    for way in WAYS {
        for what in ["NULL", "no buffer", "a TOKEN with room", "a TOKEN without room"] {
            let (client, server, mut authenticate) = before_the_last_step(way);
            let (credential, context) = (server.credential, server.context());
            let inputs = [buffer(&mut authenticate, SECBUFFER_TOKEN)];
            let leg = Leg {
                is_server: true,
                context: Some(&context),
                in_place: true,
                input: Some(&inputs),
                ..way.leg(&credential)
            };
            let mut room = [0xCC; 64];
            let mut outputs = match what {
                "no buffer" => Vec::new(),
                "a TOKEN without room" => {
                    vec![SecBuffer { length: 0, buffer_type: SECBUFFER_TOKEN, pointer: null_mut() }]
                }
                _ => vec![buffer(&mut room, SECBUFFER_TOKEN)],
            };
            let answer = leg.call(if what == "NULL" { None } else { Some(&mut outputs) });
            status(answer.status, 0, format_args!("row 32: {what}, {way:?}"));
            if what != "NULL" {
                assert!(outputs.iter().all(|buffer| buffer.length == 0), "row 32: {what}, {way:?}");
            }
            assert_eq!(room, [0xCC; 64], "row 32: {what}, {way:?}");
            converse(&client.context(), &context);
            converse(&context, &client.context());
        }
    }
}

#[test]
fn row_33_a_wrong_password_is_the_server_s_to_notice() {
    for way in WAYS {
        for (what, parts) in [
            ("password", Parts { password: Some("Secret"), ..ALICE }),
            ("no password", Parts { password: None, ..ALICE }),
            ("user", Parts { user: Some("bob"), ..ALICE }),
            ("domain", Parts { domain: Some("OTHER"), ..ALICE }),
        ] {
            let mut client = Peer::client(way, way.client(parts));
            let mut server = Peer::server(way, way.server(ALICE));
            let authenticate = up_to_the_last_step(&mut client, &mut server);
            let said = server.step(&authenticate).0;
            status(said, LOGON_DENIED, format_args!("row 33: another {what}, {way:?}"));
            // One attempt for each challenge.
            let said = server.step(&authenticate).0;
            status(said, OUT_OF_SEQUENCE, format_args!("row 33: the same again, {way:?}"));
            let mut key = (0_u32, null_mut::<u8>());
            let said = way.form.query(&server.context(), 9, &mut key);
            status(said, INVALID_HANDLE, format_args!("row 33: its key, {way:?}"));
            status(delete(&server.context()), 0, format_args!("row 43: denied, {way:?}"));
            status(delete(&client.context()), 0, format_args!("row 43: {way:?}"));
        }
    }
}

/// `SEC_CHANNEL_BINDINGS` with this application data.
fn bindings(data: &[u8]) -> Vec<u8> {
    let header = [0, 0, 0, 0, 0, 0, data.len() as u32, 32].map(u32::to_ne_bytes).concat();
    [&header, data].concat()
}

#[test]
fn row_34_channel_bindings() {
    let (right, wrong) = (bindings(b"tls-server-end-point:one"), bindings(b"tls-server-end-point:two"));
    for way in WAYS {
        for (what, of_client, of_server, expected) in [
            ("the same", Some(&right), Some(&right), 0),
            ("the client's alone", Some(&right), None, 0),
            ("none", None, None, 0),
            // One answer for all who are not let in, where Windows says SEC_E_BAD_BINDINGS: that would tell a relay that the
            // password is right.
            ("others", Some(&wrong), Some(&right), LOGON_DENIED),
            ("the server's alone", None, Some(&right), LOGON_DENIED),
        ] {
            let (mut client, mut server) = way.pair();
            (client.bindings, server.bindings) = (of_client.cloned(), of_server.cloned());
            let said = log_on(&mut client, &mut server);
            status(said, expected, format_args!("row 34: {what}, {way:?}"));
            if said == 0 {
                converse(&client.context(), &server.context());
            }
        }
    }
}

#[test]
fn row_34_channel_bindings_may_come_before_the_token() {
    let way = WAYS[1];
    let (mut client, mut server) = way.pair();
    (client.bindings, server.bindings) = (Some(bindings(b"x")), Some(bindings(b"x")));
    let mut authenticate = up_to_the_last_step(&mut client, &mut server);
    let mut of_server = bindings(b"x");
    let inputs =
        [buffer(&mut of_server, SECBUFFER_CHANNEL_BINDINGS), buffer(&mut authenticate, SECBUFFER_TOKEN)];
    let context = server.context();
    let leg =
        Leg { is_server: true, context: Some(&context), input: Some(&inputs), ..way.leg(&server.credential) };
    status(leg.give().0.status, 0, "row 34");
    // Both sides' buffers are looked at: what is not whole is refused.
    let inputs = [SecBuffer { length: 31, ..buffer(&mut of_server, SECBUFFER_CHANNEL_BINDINGS) }];
    let leg = Leg { input: Some(&inputs), ..way.leg(&client.credential) };
    status(leg.give().0.status, INVALID_TOKEN, "row 34: cut short");
}

#[test]
fn row_35_the_data_representation_does_not_matter() {
    for way in WAYS {
        let mut seen = Vec::new();
        for (of_client, of_server) in [(0x10, 0x10), (0, 0), (0, 0x10), (0x10, 0)] {
            let (mut client, mut server) = way.pair();
            (client.representation, server.representation) = (of_client, of_server);
            let (first, negotiate) = client.step(&[]);
            let (second, challenge) = server.step(&negotiate);
            let (third, authenticate) = client.step(&challenge);
            let (last, nothing) = server.step(&authenticate);
            converse(&client.context(), &server.context());
            converse(&server.context(), &client.context());
            // Of the CHALLENGE and the AUTHENTICATE, what is not random: signature, type, lengths and flags.
            seen.push((
                [first, second, third, last],
                negotiate,
                (challenge[..24].to_vec(), challenge.len()),
                (authenticate[..64].to_vec(), authenticate.len()),
                nothing,
                (client.attributes, server.attributes),
            ));
        }
        assert_eq!(seen[0].0, [CONTINUE, CONTINUE, 0, 0], "row 35: {way:?}");
        assert!(seen.iter().all(|one| *one == seen[0]), "row 35: {way:?} {seen:02X?}");
    }
}

/// Changes of a token that leave it one of no form.
type Changes = &'static [(&'static str, fn(&mut Vec<u8>))];

const CORRUPT_NEGOTIATE: Changes = &[
    ("empty", |token| token.clear()),
    ("signature", |token| token[7] = b' '),
    ("first byte", |token| token[0] = b'n'),
    ("one byte alone", |token| token.truncate(1)),
    ("type of a CHALLENGE", |token| token[8] = 2),
    ("type of an AUTHENTICATE", |token| token[8] = 3),
    ("type", |token| token[11] = 1),
    ("cut within the signature", |token| token.truncate(7)),
    ("cut before the type", |token| token.truncate(8)),
    ("cut before the flags", |token| token.truncate(12)),
    ("cut within the flags", |token| token.truncate(15)),
    ("neither Unicode nor OEM", |token| token[12] &= !3),
];

const CORRUPT_CHALLENGE: Changes = &[
    ("signature", |token| token[0] = b'n'),
    ("type of a NEGOTIATE", |token| token[8] = 1),
    ("type", |token| token[8] = 9),
    ("cut before the type", |token| token.truncate(8)),
    ("cut before the flags", |token| token.truncate(20)),
    ("cut within the challenge", |token| token.truncate(31)),
    ("cut within the pairs", |token| token.truncate(token.len() - 5)),
    ("the target's name is outside", |token| token[19] = 0x7F),
    ("the pairs are outside", |token| token[47] = 0x7F),
    ("a pair is longer than all", |token| {
        let pairs = u32::from_le_bytes(token[44..48].try_into().unwrap()) as usize;
        token[pairs + 3] = 0x7F;
    }),
    ("neither Unicode nor OEM", |token| token[20] &= !3),
];

#[test]
fn row_37_a_corrupt_negotiate_is_refused() {
    for way in WAYS {
        let (client, server) = way.pair();
        for (what, change) in CORRUPT_NEGOTIATE {
            // On no token at all, Negotiate's server begins SPNEGO, which waits for that mechanism.
            if way.package == "Negotiate" && *what == "empty" {
                continue;
            }
            let mut token = way.leg(&client.credential).give().1;
            change(&mut token);
            let inputs = [buffer(&mut token, SECBUFFER_TOKEN)];
            let leg = Leg { is_server: true, input: Some(&inputs), ..way.leg(&server.credential) };
            let answer = leg.give().0;
            status(answer.status, INVALID_TOKEN, format_args!("row 37: {what}, {way:?}"));
            status(delete(&answer.context), INVALID_HANDLE, "row 37: there is no context");
        }
    }
}

#[test]
fn row_37_a_corrupt_challenge_is_refused() {
    for way in WAYS {
        for (what, change) in CORRUPT_CHALLENGE {
            let (mut client, _, mut challenge) = before_the_client_s_last_step(way);
            let whole = challenge.clone();
            change(&mut challenge);
            let said = client.step(&challenge).0;
            status(said, INVALID_TOKEN, format_args!("row 37: {what}, {way:?}"));
            let said = client.step(&whole).0;
            status(said, OUT_OF_SEQUENCE, format_args!("row 37: the right one afterwards, {way:?}"));
            status(delete(&client.context()), 0, format_args!("row 43: {what}, {way:?}"));
        }
    }
}

#[test]
fn row_40_a_later_step_needs_a_token() {
    for way in WAYS {
        let (mut client, mut server, challenge) = before_the_client_s_last_step(way);
        let (mut data, mut of_channel) = ([0; 8], bindings(b"x"));
        let inputs: [(&str, Option<Vec<SecBuffer>>); 5] = [
            ("NULL", None),
            ("no buffer", Some(Vec::new())),
            ("DATA", Some(vec![buffer(&mut data, SECBUFFER_DATA)])),
            ("EMPTY", Some(vec![buffer(&mut [], SECBUFFER_EMPTY)])),
            ("channel bindings", Some(vec![buffer(&mut of_channel, SECBUFFER_CHANNEL_BINDINGS)])),
        ];
        for (peer, is_server) in [(&client, false), (&server, true)] {
            let context = peer.context();
            for (what, input) in &inputs {
                // For a server without any buffer, see row 41.
                if is_server && input.as_ref().is_none_or(Vec::is_empty) {
                    continue;
                }
                let input = input.as_deref();
                let leg = Leg { is_server, context: Some(&context), input, ..way.leg(&peer.credential) };
                let said = leg.give().0.status;
                status(said, INVALID_TOKEN, format_args!("row 40: {what}, {way:?}, server: {is_server}"));
            }
        }
        // That was no attempt.
        let authenticate = client.step(&challenge).1;
        status(server.step(&authenticate).0, 0, format_args!("row 40: {way:?}"));
    }
}

#[test]
fn row_41_a_server_needs_an_input() {
    for way in WAYS {
        let (client, mut server, authenticate) = before_the_last_step(way);
        let context = server.context();
        let leg = Leg { is_server: true, ..way.leg(&server.credential) };
        for leg in [leg, Leg { context: Some(&context), ..leg }] {
            let which = if leg.context.is_some() { "last" } else { "first" };
            for (what, input) in [("NULL", None), ("no buffers", Some(&[][..]))] {
                let said = Leg { input, ..leg }.give().0.status;
                status(said, INCOMPLETE_MESSAGE, format_args!("row 41: {what}, {which} step, {way:?}"));
            }
        }
        // A count of 0 and no list at all, which is no buffer, too.
        let input = SecBufferDesc { version: 0, count: 0, buffers: null_mut() };
        let (mut new, to) = (UNTOUCHED, null_mut());
        let said = unsafe {
            let credential = &raw const server.credential;
            AcceptSecurityContext(
                credential,
                null(),
                &raw const input,
                0,
                0x10,
                &raw mut new,
                null_mut(),
                to,
                null_mut(),
            )
        };
        status(said as u32, INCOMPLETE_MESSAGE, format_args!("row 41: {way:?}"));
        status(server.step(&authenticate).0, 0, format_args!("row 41: that was no attempt, {way:?}"));
        converse(&client.context(), &server.context());
    }
}

#[test]
fn row_42_any_target_name() {
    for way in WAYS {
        for target in [
            None,
            Some(""),
            Some(r"CORP\alice"),
            Some("alice@corp.example"),
            Some("HTTP/server.corp.example:8080"),
            Some("größer \u{1F600}"),
        ] {
            let (mut client, mut server) = way.pair();
            client.target = target;
            status(log_on(&mut client, &mut server), 0, format_args!("row 42: {target:?}, {way:?}"));
            converse(&client.context(), &server.context());
        }
    }
}

// That failed contexts are deleted, too, is told at rows 33 and 37.
#[test]
fn row_43_a_context_in_any_state_is_deleted() {
    for way in WAYS {
        let (client, mut server, challenge) = before_the_client_s_last_step(way);
        status(delete(&client.context()), 0, format_args!("row 43: a client's half-done one, {way:?}"));
        status(delete(&server.context()), 0, format_args!("row 43: a server's half-done one, {way:?}"));
        let said = server.step(&challenge).0;
        status(said, INVALID_HANDLE, format_args!("row 43: a step of a deleted one, {way:?}"));

        let (client, mut server, authenticate) = before_the_last_step(way);
        status(server.step(&authenticate).0, 0, "row 43");
        for context in [client.context(), server.context()] {
            let mut sizes = [0_u32; 4];
            status(way.form.query(&context, 0, &mut sizes), 0, format_args!("row 43: {way:?}"));
            status(delete(&context), 0, format_args!("row 43: an established one, {way:?}"));
            let said = way.form.query(&context, 0, &mut sizes);
            status(said, INVALID_HANDLE, format_args!("row 43: it is gone, {way:?}"));
        }

        // A token that found no room is in it still.
        let (client, _, mut challenge) = before_the_client_s_last_step(way);
        let (context, inputs) = (client.context(), [buffer(&mut challenge, SECBUFFER_TOKEN)]);
        let leg = Leg {
            context: Some(&context),
            requirements: client.requirements,
            input: Some(&inputs),
            ..way.leg(&client.credential)
        };
        let mut room = [0; 8];
        let said = leg.call(Some(&mut [buffer(&mut room, SECBUFFER_TOKEN)])).status;
        status(said, BUFFER_TOO_SMALL, format_args!("row 43: {way:?}"));
        status(delete(&context), 0, format_args!("row 43: with a token in it, {way:?}"));
    }
}

// An already deleted context is SEC_E_INVALID_HANDLE, where Microsoft's page allows SEC_E_OK: a program that deletes twice
// should learn it.
#[test]
fn row_44_what_is_no_context_is_not_deleted() {
    status(unsafe { DeleteSecurityContext(null()) } as u32, INVALID_HANDLE, "row 44: NULL");
    for handle in [
        SecHandle { lower: usize::MAX, upper: usize::MAX },
        SecHandle::default(),
        SecHandle { lower: 1, upper: 2 },
    ] {
        status(delete(&handle), INVALID_HANDLE, format_args!("row 44: {handle:?}"));
    }
    for way in WAYS {
        let credential = way.client(ALICE);
        status(delete(&credential), INVALID_HANDLE, format_args!("row 44: credentials, {way:?}"));
        let context = way.leg(&credential).give().0.context;
        status(delete(&context), 0, format_args!("row 44: {way:?}"));
        status(delete(&context), INVALID_HANDLE, format_args!("row 44: a second time, {way:?}"));
        let again = way.leg(&credential).give().0.context;
        status(delete(&context), INVALID_HANDLE, format_args!("row 44: another in its place, {way:?}"));
        status(delete(&again), 0, format_args!("row 44: {way:?}"));
    }
}

#[test]
fn rows_21_to_25_a_token_that_has_no_room_is_kept_in_each_step() {
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
