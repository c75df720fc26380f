//! Whatever two peers send each other, and wherever one of them is exported and imported: they never notice.
#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use common::key_directory;
use common::ntlm::{handshake, sspi};
use portable_sspi::{ExportOptions, IscReq, PartialContext, SecurityBuffer, SecurityContext, Sspi};
use proptest::prelude::*;

type Context = Box<dyn SecurityContext>;

/// How a context changes its process.
#[derive(Clone, Copy, Debug)]
enum Move {
    Single,
    /// With so many others before and behind it.
    Bulk(usize, usize),
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
enum Side {
    Client,
    Server,
}

#[derive(Clone, Debug)]
enum Act {
    Seal(Side, Vec<u8>),
    Sign(Side, Vec<u8>),
    /// A message with one bit changed, which the other side refuses.
    Forge(Side, Vec<u8>),
    Move(Side, Move),
    /// Both at once, in one stream.
    MoveBoth,
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

fn act() -> impl Strategy<Value = Act> {
    let message = || prop::collection::vec(any::<u8>(), 0..600);
    let way = prop_oneof![Just(Move::Single), (0usize..4, 0usize..4).prop_map(|(b, a)| Move::Bulk(b, a))];
    prop_oneof![
        3 => (side(), message()).prop_map(|(side, message)| Act::Seal(side, message)),
        2 => (side(), message()).prop_map(|(side, message)| Act::Sign(side, message)),
        1 => (side(), message()).prop_map(|(side, message)| Act::Forge(side, message)),
        3 => (side(), way).prop_map(|(side, way)| Act::Move(side, way)),
        1 => Just(Act::MoveBoth),
    ]
}

/// Two processes' tables; a context goes from the first to the second.
struct Processes {
    here: Sspi,
    there: Sspi,
}

impl Processes {
    fn single(&self, context: Context) -> Context {
        let blob = self.here.export_security_context(context, &ExportOptions::default()).unwrap();
        self.there.import_security_context(None, &blob).unwrap()
    }

    fn bulk(&self, contexts: Vec<Context>) -> Vec<Context> {
        let mut stream = Vec::new();
        let count = contexts.len();
        let exported = self.here.export_all(contexts, &mut stream, &ExportOptions::default()).unwrap();
        assert_eq!((exported.exported, exported.failed.len()), (count, 0));
        self.there.import_all(&stream[..]).unwrap().map(Result::unwrap).collect()
    }

    fn partial(&self, context: PartialContext) -> PartialContext {
        let blob = self.here.export_partial_context(context, &ExportOptions::default()).unwrap();
        self.there.import_partial_context(None, &blob).unwrap()
    }

    fn moved(&self, context: Context, way: Move) -> Context {
        match way {
            Move::Single => self.single(context),
            Move::Bulk(before, after) => {
                let others = |count| {
                    (0..count).map(|_| handshake(&self.here, IscReq::CONFIDENTIALITY, |partial| partial).1)
                };
                let all = others(before).chain([context]).chain(others(after)).collect();
                self.bulk(all).swap_remove(before)
            }
        }
    }
}

fn signed(from: &mut Context, to: &mut Context, message: &[u8]) {
    let (mut token, mut message) = ([0; 16], message.to_vec());
    let mut buffers = [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut message)];
    from.make_signature(&mut buffers).unwrap();
    to.verify_signature(&mut buffers).unwrap();
}

fn play(requirements: IscReq, partial: bool, acts: Vec<Act>) {
    let directory = key_directory();
    let processes = Processes { here: sspi(directory.path()), there: sspi(directory.path()) };
    let (mut client, mut server) =
        handshake(
            &processes.here,
            requirements,
            |context| {
                if partial { processes.partial(context) } else { context }
            },
        );
    for act in acts {
        let (Act::Seal(side, _) | Act::Sign(side, _) | Act::Forge(side, _) | Act::Move(side, _)) = &act
        else {
            let mut both = processes.bulk(vec![client, server]);
            server = both.pop().unwrap();
            client = both.pop().unwrap();
            continue;
        };
        let (from, to) = match side {
            Side::Client => (&mut client, &mut server),
            Side::Server => (&mut server, &mut client),
        };
        match act {
            Act::Seal(_, message) if requirements.contains(IscReq::CONFIDENTIALITY) => {
                let mut wrapped = from.wrap(&message).unwrap();
                assert_eq!(to.unwrap(&mut wrapped).unwrap(), message);
            }
            Act::Seal(_, message) | Act::Sign(_, message) => signed(from, to, &message),
            Act::Forge(_, message) => {
                let (mut token, mut data) = ([0; 16], message);
                data.push(0);
                let mut buffers = [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)];
                from.make_signature(&mut buffers).unwrap();
                data[0] ^= 1;
                let mut buffers = [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)];
                to.verify_signature(&mut buffers).unwrap_err();
                data[0] ^= 1;
                let mut buffers = [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)];
                to.verify_signature(&mut buffers).unwrap();
            }
            Act::Move(side, way) => {
                let slot = match side {
                    Side::Client => &mut client,
                    Side::Server => &mut server,
                };
                // Out of its place for a moment: the export takes it by value.
                let placeholder = handshake(&processes.here, requirements, |partial| partial).0;
                let context = std::mem::replace(slot, placeholder);
                *slot = processes.moved(context, way);
            }
            Act::MoveBoth => {}
        }
    }
    assert_eq!(server.names().user_name, r"CORP\alice");
    signed(&mut client, &mut server, b"the last word");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_peers_never_notice(
        seal in any::<bool>(),
        partial in any::<bool>(),
        acts in prop::collection::vec(act(), 0..24),
    ) {
        play(if seal { IscReq::CONFIDENTIALITY } else { IscReq::INTEGRITY }, partial, acts);
    }
}
