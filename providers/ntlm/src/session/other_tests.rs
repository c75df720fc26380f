//! Sessions without extended session security, connectionless ones, and those that protect nothing.

use portable_sspi_core::{
    BlobRefused, Error, Misuse, PeerMisbehaved, PortableState, SecurityBuffer, SecurityContext,
};

use crate::NegotiateFlags;
use crate::session::tests::{SEALED, context, exchange};
use crate::session::{NtlmContext, Role, export, import, reset};

const ESS: NegotiateFlags = NegotiateFlags::EXTENDED_SESSIONSECURITY;
const PLAIN: NegotiateFlags = SEALED.difference(ESS);
const DATAGRAM: NegotiateFlags = SEALED.union(NegotiateFlags::DATAGRAM);

fn pair(negotiated: NegotiateFlags) -> (NtlmContext, NtlmContext) {
    (context(Role::Client, negotiated), context(Role::Server, negotiated))
}

fn exported(context: &NtlmContext) -> Vec<u8> {
    export(context).unwrap().to_bytes().to_vec()
}

fn moved(context: &NtlmContext) -> NtlmContext {
    let bytes = exported(context);
    import(&PortableState::from_bytes(&bytes).unwrap()).unwrap()
}

fn sign(context: &mut NtlmContext, message: &[u8]) -> Result<[u8; 16], Error> {
    let mut token = [0; 16];
    context.make_signature(&mut [
        SecurityBuffer::readonly_with_checksum(message),
        SecurityBuffer::token(&mut token),
    ])?;
    Ok(token)
}

fn verify(context: &mut NtlmContext, message: &[u8], mut token: [u8; 16]) -> Result<(), Error> {
    context.verify_signature(&mut [
        SecurityBuffer::readonly_with_checksum(message),
        SecurityBuffer::token(&mut token),
    ])
}

fn altered(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Peer(PeerMisbehaved::MessageAltered)))
}

/// [MS-NLMP] 3.4: half-duplex, one keystream and one number for both directions.
#[test]
// MS-NLMP:3.4-half-duplex
fn without_extended_session_security_both_directions_share_their_state() {
    for negotiated in [PLAIN, PLAIN | NegotiateFlags::LM_KEY, PLAIN - NegotiateFlags::KEY_56] {
        let (mut client, mut server) = pair(negotiated);
        for _ in 0..3 {
            exchange(&mut client, &mut server);
            exchange(&mut server, &mut client);
            let token = sign(&mut server, b"signed").unwrap();
            verify(&mut client, b"signed", token).unwrap();
            (client, server) = (moved(&client), moved(&server));
        }
        // Each side is where the other one is: the next message of either is the same but for who sends it.
        assert_eq!(
            sign(&mut client, b"crossing").unwrap(),
            sign(&mut server, b"crossing").unwrap(),
            "and so two that cross are lost"
        );
    }
}

#[test]
fn without_extended_session_security_every_changed_byte_is_seen_and_changes_nothing() {
    for warm in [false, true] {
        let (mut client, mut server) = pair(PLAIN);
        if warm {
            exchange(&mut client, &mut server);
        }
        let state = exported(&server);
        let (mut token, mut data) = ([0; 16], *b"to be encrypted");
        client.encrypt(&mut [SecurityBuffer::data(&mut data), SecurityBuffer::token(&mut token)]).unwrap();
        let genuine = [&data[..], &token].concat();
        let mut open = |wire: &mut [u8]| {
            let (data, token) = wire.split_at_mut(15);
            server.decrypt(&mut [SecurityBuffer::data(data), SecurityBuffer::token(token)])
        };
        for index in 0..genuine.len() {
            let mut wire = genuine.clone();
            wire[index] ^= 0x40;
            let received = wire.clone();
            // RandomPad is not looked at.
            if !(19..23).contains(&index) {
                assert!(altered(open(&mut wire)), "byte {index}");
                assert_eq!(wire, received, "no plaintext is released");
            }
        }
        assert_eq!(exported(&server), state);
        let mut wire = genuine;
        wire[19..23].copy_from_slice(b"pads");
        let (data, token) = wire.split_at_mut(15);
        server.decrypt(&mut [SecurityBuffer::data(data), SecurityBuffer::token(token)]).unwrap();
        assert_eq!(data, b"to be encrypted");
    }
}

/// Why policies refuse it by default: the checksum is linear and its key is XORed, so that it can be corrected without any.
#[test]
fn without_extended_session_security_who_flips_bits_can_correct_the_checksum() {
    let (mut client, mut server) = pair(PLAIN);
    let (mut token, mut data) = ([0; 16], *b"pay 100 to bob");
    client.encrypt(&mut [SecurityBuffer::data(&mut data), SecurityBuffer::token(&mut token)]).unwrap();
    let difference: Vec<u8> = b"pay 100 to bob".iter().zip(b"pay 999 to eve").map(|(a, b)| a ^ b).collect();
    let correction = crc32fast::hash(&difference) ^ crc32fast::hash(&[0; 14]);
    data.iter_mut().zip(&difference).for_each(|(byte, change)| *byte ^= change);
    token[8..12].iter_mut().zip(correction.to_le_bytes()).for_each(|(byte, change)| *byte ^= change);
    server.decrypt(&mut [SecurityBuffer::data(&mut data), SecurityBuffer::token(&mut token)]).unwrap();
    assert_eq!(&data, b"pay 999 to eve");
}

#[test]
fn a_shared_state_is_exported_once_and_reset_to_its_start() {
    let (mut client, mut server) = pair(PLAIN);
    let start = exported(&server);
    exchange(&mut client, &mut server);
    assert_ne!(exported(&server), start);
    assert_eq!(reset(&export(&server).unwrap()).unwrap().to_bytes().as_slice(), start);
    // With a state of each direction, where there is one for both.
    let (mut client, mut server) = pair(SEALED);
    exchange(&mut client, &mut server);
    exchange(&mut server, &mut client);
    let mut crossed = exported(&server);
    let place = crossed.windows(4).position(|bytes| bytes == SEALED.bits().to_le_bytes()).unwrap();
    crossed[place..place + 4].copy_from_slice(&PLAIN.bits().to_le_bytes());
    let refused = import(&PortableState::from_bytes(&crossed).unwrap());
    assert!(matches!(refused, Err(Error::BlobRefused(BlobRefused::Damaged))), "{refused:?}");
}

#[test]
// MS-NLMP:3.4-datagram-key
fn connectionless_messages_arrive_in_any_order_under_their_numbers() {
    let (mut client, mut server) = pair(DATAGRAM);
    let mut messages = Vec::new();
    for number in [7, 3, u32::MAX, 0] {
        let (mut token, mut data) = ([0; 16], *b"message");
        client.set_message_seq_no(number);
        client.encrypt(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)]).unwrap();
        assert_eq!(token[12..], number.to_le_bytes());
        messages.push((number, token, data));
        client = moved(&client);
    }
    assert!(messages.windows(2).all(|pair| pair[0].2 != pair[1].2), "each has a key of its own");
    for (number, mut token, mut data) in messages.into_iter().rev() {
        let ciphertext = data;
        let mut open = |number: u32, data: &mut [u8]| {
            server.set_message_seq_no(number);
            server.decrypt(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(data)])
        };
        let wrong = open(number.wrapping_add(1), &mut data);
        assert!(matches!(wrong, Err(Error::Peer(PeerMisbehaved::OutOfSequence { .. }))), "{wrong:?}");
        data[0] ^= 1;
        assert!(altered(open(number, &mut data)));
        data[0] ^= 1;
        assert_eq!(data, ciphertext);
        open(number, &mut data).unwrap();
        assert_eq!(&data, b"message");
    }
    // Signatures, and the other direction.
    server.set_message_seq_no(5);
    let token = sign(&mut server, b"signed").unwrap();
    client.set_message_seq_no(5);
    verify(&mut client, b"signed", token).unwrap();
    server.set_message_seq_no(5);
    assert!(altered(verify(&mut server, b"signed", token)), "reflected");
}

#[test]
fn a_connectionless_message_needs_its_number_each_time() {
    let (mut client, mut server) = pair(DATAGRAM);
    let without =
        |result: Error| matches!(result, Error::Misuse(Misuse::BadOption { option: "MessageSeqNo", .. }));
    assert!(without(sign(&mut client, b"m").unwrap_err()));
    client.set_message_seq_no(1);
    let token = sign(&mut client, b"m").unwrap();
    assert!(without(sign(&mut client, b"m").unwrap_err()), "it is used up");
    assert!(without(verify(&mut server, b"m", token).unwrap_err()));
    server.set_message_seq_no(1);
    assert!(altered(verify(&mut server, b"other", token)));
    assert!(without(verify(&mut server, b"m", token).unwrap_err()), "by a call that fails, too");
    // A context that counts for itself is told nothing new.
    let (mut client, mut server) = pair(SEALED);
    client.set_message_seq_no(9);
    exchange(&mut client, &mut server);
}

/// Facts about SSPI, rows 63 and 64; [MS-NLMP] 3.4.4.3.
#[test]
// MS-NLMP:3.4.4.3-dummy
fn a_dummy_signature_protects_nothing_and_counts_nothing() {
    let dummy = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for negotiated in [NegotiateFlags::ALWAYS_SIGN, NegotiateFlags::ALWAYS_SIGN | ESS] {
        let (mut client, mut server) = pair(negotiated);
        let state = exported(&client);
        for message in [&b"one"[..], b"another"] {
            assert_eq!(sign(&mut client, message).unwrap(), dummy);
            verify(&mut server, message, dummy).unwrap();
            verify(&mut client, message, dummy).unwrap();
        }
        for index in 0..16 {
            let mut changed = dummy;
            changed[index] ^= 2;
            assert!(altered(verify(&mut server, b"one", changed)), "byte {index}");
        }
        assert_eq!(exported(&client), state);
        let (mut token, mut data) = ([0; 16], [0; 4]);
        let mut buffers = [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)];
        assert!(matches!(client.encrypt(&mut buffers), Err(Error::Misuse(Misuse::NotNegotiated { .. }))));
        assert!(matches!(client.decrypt(&mut buffers), Err(Error::Misuse(Misuse::NotNegotiated { .. }))));
        assert!(matches!(
            client.make_signature(&mut [SecurityBuffer::data(&mut data)]),
            Err(Error::Misuse(Misuse::MissingBuffer { missing: "TOKEN" }))
        ));
        let mut moved = moved(&client);
        assert_eq!(sign(&mut moved, b"m").unwrap(), dummy);
    }
}

#[test]
fn without_extended_session_security_the_algorithm_has_another_name() {
    let name = |negotiated| context(Role::Client, negotiated).key_info().signature_algorithm_name;
    assert_eq!(name(PLAIN), "RSADSI RC4-CRC32");
    assert_eq!(name(SEALED), "HMAC-MD5");
}
