//! Sessions against a naive reference, tampered messages, and what a context weighs.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use portable_sspi_core::{
    AscRet, ClientToken, ContextFlags, Error, FileTime, IscRet, Misuse, PeerMisbehaved, SecretArray,
    SecurityBuffer, SecurityContext,
};
use proptest::prelude::*;
use rc4::StreamCipher;

use crate::NegotiateFlags;
use crate::session::extended::Extended;
use crate::session::mechanism::Mechanism;
use crate::session::{Established, NtlmContext, Role, export, import};

/// What Windows negotiates when confidentiality is asked for.
pub(super) const SEALED: NegotiateFlags = NegotiateFlags::SIGN
    .union(NegotiateFlags::SEAL)
    .union(NegotiateFlags::EXTENDED_SESSIONSECURITY)
    .union(NegotiateFlags::KEY_EXCH)
    .union(NegotiateFlags::KEY_128)
    .union(NegotiateFlags::KEY_56);

const KEY: [u8; 16] = [0x55; 16];

pub(super) fn context(role: Role, negotiated: NegotiateFlags) -> NtlmContext {
    NtlmContext::new(Established {
        role,
        negotiated,
        exported_session_key: SecretArray::new(KEY),
        flags: match role {
            Role::Client => ContextFlags::Initiator(IscRet::INTEGRITY | IscRet::CONFIDENTIALITY),
            Role::Server => ContextFlags::Acceptor(AscRet::INTEGRITY | AscRet::CONFIDENTIALITY),
        },
        client_name: r"CORP\alice.example".into(),
        target: Some("HTTP/www.corp.example".into()),
        client_token: (role == Role::Server)
            .then(|| ClientToken::new("alice.example".into(), "CORP".into(), "WORKSTATION-17".into())),
        channel_bindings: Some([0xCB; 16]),
        start: FileTime(1),
        expiry: FileTime::NEVER,
    })
}

/// Sends one sealed message from `sender` to `receiver`.
pub(super) fn exchange(sender: &mut NtlmContext, receiver: &mut NtlmContext) {
    let (mut token, mut data) = ([0; 16], *b"message");
    sender.encrypt(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)]).unwrap();
    assert_ne!(&data, b"message");
    receiver.decrypt(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)]).unwrap();
    assert_eq!(&data, b"message");
}

fn exported(context: &NtlmContext) -> Vec<u8> {
    export(context).unwrap().to_bytes().to_vec()
}

fn extended(context: &mut NtlmContext) -> &mut Extended {
    match &mut context.mechanism {
        Mechanism::Extended(extended) => extended,
        _ => panic!("no extended session security"),
    }
}

#[test]
// MS-NLMP:2.2.2.9.2-layout
fn published_message() {
    // [MS-NLMP] 4.2.4.4, "Plaintext" with RandomSessionKey 0x55 * 16.
    let mut client = context(Role::Client, SEALED);
    let mut token = [0xEE; 20];
    let mut data: Vec<u8> = "Plaintext".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut padding = [0; 3];
    let mut buffers = [
        SecurityBuffer::data(&mut data),
        SecurityBuffer::padding(&mut padding),
        SecurityBuffer::token(&mut token),
    ];
    client.encrypt(&mut buffers).unwrap();
    assert_eq!(hex::encode(buffers[0].bytes()), "54e50165bf1936dc996020c1811b0f06fb5f");
    assert_eq!(buffers[1].len(), 0);
    assert_eq!(hex::encode(buffers[2].bytes()), "010000007fb38ec5c55d497600000000");
    assert_eq!(token[16..], [0xEE; 4]);
}

#[test]
// MS-NLMP:3.4.2-altered
fn every_changed_byte_is_seen_and_changes_nothing() {
    for negotiated in [SEALED, SEALED.difference(NegotiateFlags::KEY_EXCH)] {
        for warm in [false, true] {
            let (mut client, mut server) =
                (context(Role::Client, negotiated), context(Role::Server, negotiated));
            if warm {
                exchange(&mut client, &mut server);
            }
            let state = exported(&server);
            let (mut token, mut data) = ([0; 16], *b"to be encrypted");
            let clear = *b"in clear";
            client
                .encrypt(&mut [
                    SecurityBuffer::readonly_with_checksum(&clear),
                    SecurityBuffer::data(&mut data),
                    SecurityBuffer::token(&mut token),
                ])
                .unwrap();
            let mut wire = [&clear[..], &data, &token].concat();
            for index in 0..wire.len() {
                for bit in 0..8 {
                    wire[index] ^= 1 << bit;
                    let received = wire.clone();
                    let (clear, rest) = wire.split_at_mut(clear.len());
                    let (data, token) = rest.split_at_mut(data.len());
                    let result = server.decrypt(&mut [
                        SecurityBuffer::readonly_with_checksum(clear),
                        SecurityBuffer::data(data),
                        SecurityBuffer::token(token),
                    ]);
                    let out_of_sequence =
                        matches!(result, Err(Error::Peer(PeerMisbehaved::OutOfSequence { .. })));
                    let altered = matches!(result, Err(Error::Peer(PeerMisbehaved::MessageAltered)));
                    assert!(
                        if index >= received.len() - 4 { out_of_sequence } else { altered },
                        "byte {index}"
                    );
                    assert_eq!(wire, received, "no plaintext is released");
                    assert_eq!(exported(&server), state);
                    wire[index] ^= 1 << bit;
                }
            }
            let (clear, rest) = wire.split_at_mut(clear.len());
            let (data, token) = rest.split_at_mut(data.len());
            let mut genuine = [
                SecurityBuffer::readonly_with_checksum(clear),
                SecurityBuffer::data(data),
                SecurityBuffer::token(token),
            ];
            server.decrypt(&mut genuine).unwrap();
            assert_eq!(data, b"to be encrypted");
        }
    }
}

#[test]
// MS-NLMP:3.4.2-unexpected
fn reflected_replayed_skipped_and_dummy_messages_are_refused() {
    let (mut client, mut server) = (context(Role::Client, SEALED), context(Role::Server, SEALED));
    let sign = |context: &mut NtlmContext| {
        let mut token = [0; 16];
        context
            .make_signature(&mut [
                SecurityBuffer::readonly_with_checksum(b"m"),
                SecurityBuffer::token(&mut token),
            ])
            .unwrap();
        token
    };
    let verify = |context: &mut NtlmContext, mut token: [u8; 16]| {
        context.verify_signature(&mut [
            SecurityBuffer::readonly_with_checksum(b"m"),
            SecurityBuffer::token(&mut token),
        ])
    };
    let altered = |result| matches!(result, Err(Error::Peer(PeerMisbehaved::MessageAltered)));
    let (first, second) = (sign(&mut client), sign(&mut client));
    assert!(altered(verify(&mut client, first)), "reflected");
    let skipped = verify(&mut server, second);
    assert!(matches!(skipped, Err(Error::Peer(PeerMisbehaved::OutOfSequence { expected: 0, found: 1 }))));
    let mut dummy = [0; 16];
    dummy[0] = 1;
    assert!(altered(verify(&mut server, dummy)), "dummy signature");
    verify(&mut server, first).unwrap();
    let replayed = verify(&mut server, first);
    assert!(matches!(replayed, Err(Error::Peer(PeerMisbehaved::OutOfSequence { expected: 1, found: 0 }))));
    verify(&mut server, second).unwrap();
}

#[test]
fn the_buffer_list_must_have_what_the_call_needs() {
    let mut client = context(Role::Client, SEALED);
    let (mut data, mut token, mut other) = ([1; 4], [0; 16], [0; 16]);
    let missing = |result, expected| {
        assert!(
            matches!(result, Err(Error::Misuse(Misuse::MissingBuffer { missing })) if missing == expected)
        );
    };
    missing(client.make_signature(&mut [SecurityBuffer::data(&mut data)]), "TOKEN");
    missing(client.verify_signature(&mut []), "TOKEN");
    missing(client.encrypt(&mut [SecurityBuffer::data(&mut data)]), "TOKEN");
    missing(client.decrypt(&mut [SecurityBuffer::data(&mut data)]), "TOKEN");
    missing(client.encrypt(&mut [SecurityBuffer::token(&mut token)]), "DATA");
    missing(client.decrypt(&mut [SecurityBuffer::token(&mut token)]), "DATA");
    let two =
        client.make_signature(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::token(&mut other)]);
    assert!(matches!(two, Err(Error::Misuse(Misuse::BadBuffer { .. }))));
    let short =
        client.encrypt(&mut [SecurityBuffer::token(&mut token[..15]), SecurityBuffer::data(&mut data)]);
    assert!(matches!(short, Err(Error::Misuse(Misuse::BufferTooSmall { needed: 16, available: 15, .. }))));
    assert_eq!((data, token), ([1; 4], [0; 16]), "nothing was written");
    assert_eq!(exported(&client), exported(&context(Role::Client, SEALED)));
    for length in [0, 15, 17] {
        let mut token = vec![1; length];
        let result =
            client.decrypt(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)]);
        assert!(matches!(result, Err(Error::Malformed(_))), "{length} bytes");
    }
}

#[test]
fn protection_that_was_not_negotiated_is_refused() {
    let both = |negotiated| {
        let mut context = context(Role::Client, negotiated);
        let (mut data, mut token) = ([1; 4], [0; 16]);
        let mut buffers = [SecurityBuffer::data(&mut data), SecurityBuffer::token(&mut token)];
        [context.make_signature(&mut buffers), context.encrypt(&mut buffers)].map(|result| match result {
            Ok(()) => "done",
            Err(Error::Misuse(Misuse::NotNegotiated { what })) => what,
            Err(Error::Misuse(Misuse::NotSupported { .. })) => "not supported",
            Err(_) => "other",
        })
    };
    let ess = NegotiateFlags::EXTENDED_SESSIONSECURITY;
    assert_eq!(both(SEALED), ["done", "done"]);
    assert_eq!(both(ess | NegotiateFlags::SEAL), ["done", "done"]);
    assert_eq!(both(ess | NegotiateFlags::SIGN), ["done", "CONFIDENTIALITY"]);
    assert_eq!(both(ess), ["INTEGRITY", "CONFIDENTIALITY"]);
    // The signature of row 63 of the facts about SSPI, which protects nothing; row 64.
    assert_eq!(both(ess | NegotiateFlags::ALWAYS_SIGN), ["done", "CONFIDENTIALITY"]);
    assert_eq!(both(NegotiateFlags::ALWAYS_SIGN), ["done", "CONFIDENTIALITY"]);
    assert_eq!(both(NegotiateFlags::SIGN | NegotiateFlags::SEAL), ["done", "done"]);
    assert_eq!(both(NegotiateFlags::SIGN), ["done", "CONFIDENTIALITY"]);
    assert_eq!(both(SEALED | NegotiateFlags::DATAGRAM), ["other", "other"], "no number was given");
    assert_eq!(both((SEALED - ess) | NegotiateFlags::DATAGRAM), ["not supported"; 2]);
}

#[test]
fn sequence_numbers_do_not_wrap() {
    let (mut client, mut server) = (context(Role::Client, SEALED), context(Role::Server, SEALED));
    extended(&mut client).sending.next = Some(u32::MAX);
    extended(&mut server).receiving.next = Some(u32::MAX);
    exchange(&mut client, &mut server);
    let mut client = import(&export(&client).unwrap()).unwrap();
    let used_up = |result| matches!(result, Err(Error::Misuse(Misuse::SequenceNumbersUsedUp)));
    let (mut token, mut data) = ([0; 16], [0; 1]);
    let mut buffers = [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)];
    assert!(used_up(client.make_signature(&mut buffers)));
    assert!(used_up(client.encrypt(&mut buffers)));
    assert!(used_up(server.verify_signature(&mut buffers)));
    assert!(used_up(server.decrypt(&mut buffers)));
    exchange(&mut server, &mut client);
}

#[test]
fn key_size_is_the_effective_one() {
    let size = |flags| context(Role::Client, flags).key_info().key_size;
    assert_eq!(size(SEALED), 128);
    let ess = NegotiateFlags::EXTENDED_SESSIONSECURITY;
    assert_eq!(size(ess | NegotiateFlags::KEY_56), 56);
    assert_eq!(size(ess), 40);
    assert_eq!(size(NegotiateFlags::empty()), 128);
    assert_eq!(size(NegotiateFlags::LM_KEY | NegotiateFlags::KEY_128), 40);
    assert_eq!(size(NegotiateFlags::LM_KEY | NegotiateFlags::KEY_56), 56);
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", context(Role::Server, SEALED)).to_lowercase();
    assert!(!shown.contains("55") && !shown.contains("85, 85"), "{shown}");
}

#[test]
fn an_idle_context_is_small() {
    // Besides the struct: its strings, the client token, which lies in a box with three strings of its own, and one box
    // of 258 bytes for each direction whose keystream is in use. Nothing else is on the heap.
    let fresh = |context: &mut NtlmContext| {
        let token = context.client_token.as_deref().unwrap();
        size_of::<NtlmContext>()
            + context.client_name.len()
            + context.target.as_deref().unwrap().len()
            + size_of::<ClientToken>()
            + token.user_name.capacity()
            + token.domain_name.capacity()
            + token.workstation.capacity()
    };
    let (mut client, mut server) = (context(Role::Client, SEALED), context(Role::Server, SEALED));
    assert!(fresh(&mut server) < 450, "{} bytes", fresh(&mut server));
    assert!(extended(&mut server).receiving.keystream.is_none());
    exchange(&mut client, &mut server);
    assert!(extended(&mut server).receiving.keystream.is_some());
    assert!(extended(&mut server).sending.keystream.is_none());
    let mid_stream = fresh(&mut server) + 2 * size_of::<crate::crypto::rc4::Rc4>();
    assert!(mid_stream < 1000, "{mid_stream} bytes");
}

/// [MS-NLMP] 3.4 read word by word, with other crates' primitives and without any of this crate's code.
struct Naive {
    signing_key: [u8; 16],
    handle: rc4::Rc4,
    number: u32,
    key_exchange: bool,
}

impl Naive {
    fn new(from: &str, flags: NegotiateFlags) -> Self {
        let to = if from == "client" { "server" } else { "client" };
        let magic = |kind| format!("session key to {from}-to-{to} {kind} key magic constant\0");
        let length = if flags.contains(NegotiateFlags::KEY_128) {
            16
        } else if flags.contains(NegotiateFlags::KEY_56) {
            7
        } else {
            5
        };
        let seal_key = Md5::digest([&KEY[..length], magic("sealing").as_bytes()].concat());
        Self {
            signing_key: Md5::digest([&KEY, magic("signing").as_bytes()].concat()).into(),
            handle: rc4::Rc4::new_from_slice(&seal_key).unwrap(),
            number: 0,
            key_exchange: flags.contains(NegotiateFlags::KEY_EXCH),
        }
    }

    fn seal(&mut self, parts: &mut [Part]) -> Vec<u8> {
        let signed =
            parts.iter().filter(|part| part.kind != Kind::Readonly).map(|part| part.bytes.as_slice());
        let message = signed.collect::<Vec<_>>().concat();
        for part in parts.iter_mut().filter(|part| part.kind == Kind::Data) {
            self.handle.apply_keystream(&mut part.bytes);
        }
        self.sign(&message)
    }

    fn sign(&mut self, message: &[u8]) -> Vec<u8> {
        let mac = Hmac::<Md5>::new_from_slice(&self.signing_key).unwrap();
        let mac = mac.chain_update(self.number.to_le_bytes()).chain_update(message).finalize().into_bytes();
        let mut checksum = mac[..8].to_vec();
        if self.key_exchange {
            self.handle.apply_keystream(&mut checksum);
        }
        let signature = [&[1, 0, 0, 0], checksum.as_slice(), &self.number.to_le_bytes()].concat();
        self.number += 1;
        signature
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Data,
    Readonly,
    ReadonlyWithChecksum,
}

#[derive(Clone, Debug, PartialEq)]
struct Part {
    kind: Kind,
    bytes: Vec<u8>,
}

/// One message of a session, and what happens around it.
#[derive(Clone, Debug)]
struct Message {
    from_client: bool,
    sealed: bool,
    parts: Vec<Part>,
    token_at: usize,
    export: [bool; 2],
    tamper: Option<(usize, u8)>,
}

/// Runs `operation` over a list made of `parts` with `token` at `token_at`, and gives the token as it is afterwards.
fn with_buffers(
    parts: &mut [Part],
    token: &mut [u8],
    token_at: usize,
    operation: impl FnOnce(&mut [SecurityBuffer<'_>]) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let mut buffers: Vec<_> = parts
        .iter_mut()
        .map(|part| match part.kind {
            Kind::Data => SecurityBuffer::data(&mut part.bytes),
            Kind::Readonly => SecurityBuffer::readonly(&part.bytes),
            Kind::ReadonlyWithChecksum => SecurityBuffer::readonly_with_checksum(&part.bytes),
        })
        .collect();
    let token_at = token_at.min(buffers.len());
    buffers.insert(token_at, SecurityBuffer::token(token));
    operation(&mut buffers)?;
    Ok(buffers[token_at].bytes().to_vec())
}

fn part() -> impl Strategy<Value = Part> {
    let kind =
        prop_oneof![4 => Just(Kind::Data), 1 => Just(Kind::Readonly), 1 => Just(Kind::ReadonlyWithChecksum)];
    // Some are long enough for MD5 and RC4 to run stitched over several blocks.
    let bytes = prop_oneof![3 => 0..150usize, 1 => 150..700usize]
        .prop_flat_map(|length| prop::collection::vec(any::<u8>(), length));
    (kind, bytes).prop_map(|(kind, bytes)| Part { kind, bytes })
}

fn message() -> impl Strategy<Value = Message> {
    (
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(part(), 1..5),
        0..5usize,
        any::<[bool; 2]>(),
        prop::option::of((any::<usize>(), 1..=u8::MAX)),
    )
        .prop_map(|(from_client, sealed, parts, token_at, export, tamper)| Message {
            from_client,
            sealed,
            parts,
            token_at,
            export,
            tamper,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    // MS-NLMP:3.4.3-order MS-NLMP:3.4.6-signed-buffers
    fn sessions_equal_the_reference_wherever_they_are_exported(
        messages in prop::collection::vec(message(), 1..10),
        key_exchange in any::<bool>(),
        strength in prop::sample::select(vec![
            NegotiateFlags::KEY_128, NegotiateFlags::KEY_56, NegotiateFlags::empty(),
        ]),
    ) {
        let mut flags = SEALED.difference(NegotiateFlags::KEY_128 | NegotiateFlags::KEY_56) | strength;
        flags.set(NegotiateFlags::KEY_EXCH, key_exchange);
        let (mut client, mut server) = (context(Role::Client, flags), context(Role::Server, flags));
        let (mut from_client, mut from_server) = (Naive::new("client", flags), Naive::new("server", flags));
        for message in messages {
            if message.export[0] {
                client = import(&export(&client).unwrap()).unwrap();
            }
            if message.export[1] {
                server = import(&export(&server).unwrap()).unwrap();
            }
            let (sender, receiver, reference) = if message.from_client {
                (&mut client, &mut server, &mut from_client)
            } else {
                (&mut server, &mut client, &mut from_server)
            };
            let (mut parts, mut expected) = (message.parts.clone(), message.parts.clone());
            let at = message.token_at;
            let mut token = if message.sealed {
                with_buffers(&mut parts, &mut [0; 24], at, |buffers| sender.encrypt(buffers)).unwrap()
            } else {
                with_buffers(&mut parts, &mut [0; 24], at, |buffers| sender.make_signature(buffers)).unwrap()
            };
            let expected_token = if message.sealed {
                reference.seal(&mut expected)
            } else {
                let signed = expected.iter().filter(|part| part.kind != Kind::Readonly);
                reference.sign(&signed.map(|part| part.bytes.clone()).collect::<Vec<_>>().concat())
            };
            prop_assert_eq!(&token, &expected_token);
            prop_assert_eq!(&parts, &expected);

            if let Some((index, flip)) = message.tamper {
                let before = exported(receiver);
                let (mut bad_parts, mut bad_token) = (parts.clone(), token.clone());
                let signed = bad_parts.iter_mut().filter(|part| part.kind != Kind::Readonly);
                let mut bytes: Vec<&mut u8> =
                    signed.flat_map(|part| &mut part.bytes).chain(&mut bad_token).collect();
                let index = index % bytes.len();
                *bytes[index] ^= flip;
                let sent = (bad_parts.clone(), bad_token.clone());
                let result = with_buffers(&mut bad_parts, &mut bad_token, at, |buffers| {
                    if message.sealed { receiver.decrypt(buffers) } else { receiver.verify_signature(buffers) }
                });
                prop_assert!(matches!(result, Err(Error::Peer(_))));
                prop_assert_eq!(exported(receiver), before);
                prop_assert_eq!((bad_parts, bad_token), sent);
            }

            with_buffers(&mut parts, &mut token, at, |buffers| {
                if message.sealed { receiver.decrypt(buffers) } else { receiver.verify_signature(buffers) }
            })
            .unwrap();
            prop_assert_eq!(&parts, &message.parts);
        }
    }
}
