//! A token for which a step has no room: nothing is lost of it, in each step of a handshake. The rows are those of the
//! reference on what programs observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use common::contexts::converse;
use common::*;

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
