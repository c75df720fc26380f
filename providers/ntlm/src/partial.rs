//! The portable state of a handshake under way: what another process goes on with when the peer's next token comes.
//!
//! A version of its own counts these layouts; the exported blob says that it is partial, so that none is taken for an
//! established context.

use portable_sspi_core::{BlobRefused, Error, Misuse, PartialContext, PortableState};
use serde::{Deserialize, Serialize};

use crate::NegotiateFlags;
use crate::client::NegotiateSent;
use crate::server::ChallengeSent;
use crate::session::{Extension, PACKAGE_INFO};
use crate::wire::challenge::Challenge;
use crate::wire::negotiate::Negotiate;

/// The newest layout that this release writes and reads. A layout is never changed; see [`PartialV1::extensions`].
const VERSION: u16 = 1;

/// The state of `context`, which stays as it is: it is the caller who must not let both go on.
///
/// # Errors
/// [`Misuse::ForeignObject`] if another package made it.
pub(crate) fn export(context: &PartialContext) -> Result<PortableState, Error> {
    let step = if let Some(server) = context.downcast_ref::<ChallengeSent>() {
        let (negotiate, challenge, channel_bindings) = server.messages();
        StepV1::ChallengeSent {
            negotiate: negotiate.to_vec(),
            challenge: challenge.to_vec(),
            channel_bindings,
        }
    } else if let Some(client) = context.downcast_ref::<NegotiateSent>() {
        StepV1::NegotiateSent { negotiate: client.message() }
    } else {
        return Err(Misuse::ForeignObject.into());
    };
    PortableState::encode(VERSION, &PartialV1 { step, extensions: Vec::new() })
}

/// The context that `state` was exported from.
///
/// # Errors
/// [`BlobRefused::NewerVersion`] where a later release wrote it in a way that this one must not guess at, and
/// [`BlobRefused::Damaged`] where it is no state that a handshake can be in.
pub(crate) fn import(state: &PortableState) -> Result<PartialContext, Error> {
    let newer = |found| Error::from(BlobRefused::NewerVersion { found, newest: VERSION });
    match state.version() {
        VERSION => {}
        0 => return Err(BlobRefused::Damaged.into()),
        found => return Err(newer(found)),
    }
    let PartialV1 { step, extensions } = state.decode()?;
    if extensions.iter().any(Extension::is_critical) {
        return Err(newer(VERSION.saturating_add(1)));
    }
    match step {
        StepV1::ChallengeSent { negotiate, challenge, channel_bindings } => {
            // Both were parsed or written by this package before: whatever isn't a message is damage.
            let damaged = |_| Error::from(BlobRefused::Damaged);
            let parsed = Challenge::parse(&challenge).map_err(damaged)?;
            parsed.av_pairs().map_err(damaged)?;
            // Connectionless mode has no NEGOTIATE.
            if !(negotiate.is_empty() && parsed.flags.contains(NegotiateFlags::DATAGRAM)) {
                Negotiate::parse(&negotiate).map_err(damaged)?;
            }
            let state = ChallengeSent::from_messages(negotiate, challenge, channel_bindings);
            Ok(PartialContext::new(PACKAGE_INFO.name, state))
        }
        StepV1::NegotiateSent { negotiate } => {
            let state = NegotiateSent::from_message(negotiate).map_err(|_| BlobRefused::Damaged)?;
            Ok(PartialContext::new(PACKAGE_INFO.name, state))
        }
    }
}

/// Version 1. There is no key in it, but it must not be changed: the challenge is what makes an answer good for one logon,
/// and the messages are what the MIC is checked against.
#[derive(Serialize, Deserialize)]
struct PartialV1 {
    step: StepV1,
    /// What a later release added, as in an established context's state.
    extensions: Vec<Extension>,
}

#[derive(Serialize, Deserialize)]
enum StepV1 {
    /// A client that has sent its NEGOTIATE. What it offered stands in the message.
    NegotiateSent { negotiate: Vec<u8> },
    /// A server that has sent its CHALLENGE. What is negotiated, and since when the challenge is good
    /// (`MsvAvTimestamp`; how long is the policy of who continues), stands in the message.
    ChallengeSent { negotiate: Vec<u8>, challenge: Vec<u8>, channel_bindings: Option<[u8; 16]> },
}

#[cfg(test)]
mod tests {
    use portable_sspi_core::{IscReq, SecretArray};

    use super::*;
    use crate::client::{Account, Logon};
    use crate::config::ClientPolicy;
    use crate::wire::version::Version;

    fn server() -> ChallengeSent {
        let challenge = Challenge {
            flags: NegotiateFlags::UNICODE | NegotiateFlags::NTLM,
            server_challenge: [7; 8],
            target_name: b"S\0",
            target_info: &[],
            version: Some(Version::OURS),
        };
        let negotiate = Negotiate::write(NegotiateFlags::UNICODE | NegotiateFlags::NTLM);
        ChallengeSent::from_messages(negotiate, challenge.write().unwrap(), Some([9; 16]))
    }

    fn account() -> Logon {
        Logon::Account(Account::new("u".into(), "d".into(), SecretArray::new([1; 16]), None))
    }

    fn partial<T: Send + Sync + 'static>(state: T) -> PartialContext {
        PartialContext::new(PACKAGE_INFO.name, state)
    }

    fn refused(state: &PortableState) -> BlobRefused {
        match import(state) {
            Err(Error::BlobRefused(refused)) => refused,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_server_comes_back_as_it_went() {
        let state = export(&partial(server())).unwrap();
        let again = import(&state).unwrap().downcast::<ChallengeSent>().unwrap();
        assert_eq!(again.messages(), server().messages());
    }

    #[test]
    fn a_client_comes_back_as_it_went() {
        for requirements in [IscReq::IDENTIFY, IscReq::DATAGRAM | IscReq::IDENTIFY] {
            let policy = ClientPolicy::default();
            let (client, token) = NegotiateSent::start(requirements, &account(), &policy).unwrap();
            let shown = format!("{client:?}");
            let again = import(&export(&partial(client)).unwrap()).unwrap();
            let again = again.downcast::<NegotiateSent>().unwrap();
            assert!(again.message() == token || token.is_empty());
            assert_eq!(format!("{again:?}"), shown, "the offered flags, too");
        }
    }

    #[test]
    fn foreign_contexts_are_refused() {
        let refused = export(&PartialContext::new("Other", 5u8));
        assert!(matches!(refused, Err(Error::Misuse(Misuse::ForeignObject))), "{refused:?}");
    }

    #[test]
    fn later_versions_and_unknown_critical_fields_are_refused() {
        let state = |version, tag: Option<u16>| {
            let step = StepV1::NegotiateSent { negotiate: Negotiate::write(NegotiateFlags::UNICODE) };
            let extensions = tag.into_iter().map(Extension::for_test).collect();
            PortableState::encode(version, &PartialV1 { step, extensions }).unwrap()
        };
        assert_eq!(refused(&state(2, None)), BlobRefused::NewerVersion { found: 2, newest: 1 });
        assert_eq!(refused(&state(0, None)), BlobRefused::Damaged);
        assert_eq!(refused(&state(1, Some(3))), BlobRefused::NewerVersion { found: 2, newest: 1 });
        assert!(import(&state(1, Some(4))).is_ok());
    }

    #[test]
    fn cut_lengthened_or_changed_beyond_a_message_it_is_refused() {
        let bytes = export(&partial(server())).unwrap().to_bytes();
        for length in 2..bytes.len() {
            assert_eq!(refused(&PortableState::from_bytes(&bytes[..length]).unwrap()), BlobRefused::Damaged);
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(refused(&PortableState::from_bytes(&longer).unwrap()), BlobRefused::Damaged);
        let no_message = ChallengeSent::from_messages(b"NTLMSSP".to_vec(), vec![1; 40], None);
        assert_eq!(refused(&export(&partial(no_message)).unwrap()), BlobRefused::Damaged);
    }

    #[test]
    fn a_partial_state_is_no_established_one() {
        assert!(crate::session::import(&export(&partial(server())).unwrap()).is_err());
    }
}
