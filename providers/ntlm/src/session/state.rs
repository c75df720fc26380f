//! The portable state of a context: what goes to another process and comes back as the same context.

use portable_sspi_core::{
    AscRet, BlobRefused, ClientToken, ContextFlags, Error, FileTime, IscRet, Misuse, PortableState,
    SecretArray,
};
use serde::{Deserialize, Serialize};

use crate::NegotiateFlags;
use crate::crypto::rc4::{Rc4, STATE_LENGTH};
use crate::session::context::NtlmContext;
use crate::session::mechanism::Mechanism;
use crate::session::{Established, Role};

/// The newest layout that this release writes and reads.
///
/// A layout is never changed. What a later release adds goes into [`StateV1::extensions`] if a reader that does not know
/// it can either do without it or must refuse; only what does not fit there needs the next version.
const VERSION: u16 = 1;

/// The state of `context`, which stays as it is: it is the caller who must not let both go on.
///
/// # Errors
/// [`Misuse::NotSupported`] where the context has a message protection that this release cannot continue.
pub(crate) fn export(context: &NtlmContext) -> Result<PortableState, Error> {
    let (sending, receiving) = match &context.mechanism {
        // Nothing, or nothing that outlives a message.
        Mechanism::None | Mechanism::Dummy | Mechanism::Datagram(_) => {
            (DirectionState::start(), DirectionState::start())
        }
        Mechanism::Extended(extended) => {
            let (sending, receiving) = (&extended.sending, &extended.receiving);
            (
                DirectionState::of(sending.next, sending.keystream.as_deref()),
                DirectionState::of(receiving.next, receiving.keystream.as_deref()),
            )
        }
        // What both directions have in common stands under the first.
        Mechanism::Shared(shared) => {
            (DirectionState::of(shared.next, shared.keystream.as_deref()), DirectionState::start())
        }
        Mechanism::Unsupported => {
            return Err(Misuse::NotSupported { what: "exporting this kind of message protection" }.into());
        }
    };
    let state = StateV1 {
        role: match context.role {
            Role::Client => RoleState::Client,
            Role::Server => RoleState::Server,
        },
        negotiated: context.negotiated,
        exported_session_key: context.exported_session_key.duplicate(),
        sending,
        receiving,
        context_flags: context.flags.bits(),
        client_name: context.client_name.to_string(),
        target: context.target.as_deref().map(str::to_owned),
        client_token: context.client_token.as_deref().map(TokenState::of),
        channel_bindings: context.channel_bindings,
        start: context.start.0,
        expiry: context.expiry.0,
        extensions: Vec::new(),
    };
    PortableState::encode(VERSION, &state)
}

/// The context that `state` was exported from. Keys are derived again; the keystreams go on where they stopped.
///
/// # Errors
/// [`BlobRefused::NewerVersion`] where a later release wrote it in a way that this one must not guess at, and
/// [`BlobRefused::Damaged`] where it is no state that a context can be in.
pub(crate) fn import(state: &PortableState) -> Result<NtlmContext, Error> {
    let StateV1 {
        role,
        negotiated,
        exported_session_key,
        sending,
        receiving,
        context_flags,
        client_name,
        target,
        client_token,
        channel_bindings,
        start,
        expiry,
        extensions: _,
    } = StateV1::decode(state)?;
    let (role, flags) = match role {
        RoleState::Client => (Role::Client, ContextFlags::Initiator(IscRet::from_bits_retain(context_flags))),
        RoleState::Server => (Role::Server, ContextFlags::Acceptor(AscRet::from_bits_retain(context_flags))),
    };
    let mut context = NtlmContext::new(Established {
        role,
        negotiated,
        exported_session_key,
        flags,
        client_name,
        target,
        client_token: client_token.map(TokenState::into_token),
        channel_bindings,
        start: FileTime(start),
        expiry: FileTime(expiry),
    });
    let has_keystream = negotiated.intersects(NegotiateFlags::SEAL | NegotiateFlags::KEY_EXCH);
    match &mut context.mechanism {
        Mechanism::None | Mechanism::Dummy | Mechanism::Datagram(_)
            if sending.is_at_start() && receiving.is_at_start() => {}
        Mechanism::Extended(extended) => {
            let (to, from) = (&mut extended.sending, &mut extended.receiving);
            sending.restore(&mut to.next, &mut to.keystream, has_keystream)?;
            receiving.restore(&mut from.next, &mut from.keystream, has_keystream)?;
        }
        // A signature takes keystream in any case.
        Mechanism::Shared(shared) if receiving.is_at_start() => {
            sending.restore(&mut shared.next, &mut shared.keystream, true)?;
        }
        Mechanism::None
        | Mechanism::Dummy
        | Mechanism::Datagram(_)
        | Mechanism::Shared(_)
        | Mechanism::Unsupported => return Err(BlobRefused::Damaged.into()),
    }
    Ok(context)
}

/// `state` as it was right after authentication: `SECPKG_CONTEXT_EXPORT_RESET_NEW`. **Reuses keystream.**
///
/// # Errors
/// As [`import`].
pub(crate) fn reset(state: &PortableState) -> Result<PortableState, Error> {
    import(state)?;
    let mut state = StateV1::decode(state)?;
    state.sending = DirectionState::start();
    state.receiving = DirectionState::start();
    PortableState::encode(VERSION, &state)
}

/// Version 1: all that continues the session, and nothing that only the handshake needed. Signing and sealing keys are
/// left out, as they derive from the session key.
///
/// The keys in it are wiped when it is dropped.
#[derive(Serialize, Deserialize)]
struct StateV1 {
    role: RoleState,
    negotiated: NegotiateFlags,
    exported_session_key: SecretArray<16>,
    sending: DirectionState,
    receiving: DirectionState,
    context_flags: u32,
    client_name: String,
    target: Option<String>,
    client_token: Option<TokenState>,
    channel_bindings: Option<[u8; 16]>,
    start: u64,
    expiry: u64,
    extensions: Vec<Extension>,
}

impl StateV1 {
    fn decode(state: &PortableState) -> Result<Self, Error> {
        let newer = |found| Error::from(BlobRefused::NewerVersion { found, newest: VERSION });
        match state.version() {
            VERSION => {}
            0 => return Err(BlobRefused::Damaged.into()),
            found => return Err(newer(found)),
        }
        let decoded: Self = state.decode()?;
        if decoded.extensions.iter().any(Extension::is_critical) {
            // Read as version 1 it would be misread, so to this release it is as good as the next version.
            return Err(newer(VERSION.saturating_add(1)));
        }
        if decoded.client_token.is_some() && matches!(decoded.role, RoleState::Client) {
            return Err(BlobRefused::Damaged.into());
        }
        Ok(decoded)
    }
}

#[derive(Serialize, Deserialize)]
enum RoleState {
    Client,
    Server,
}

#[derive(Serialize, Deserialize)]
struct DirectionState {
    /// SeqNum of the next message; `None` after the last one.
    next: Option<u32>,
    /// [`Rc4::export`]; `None` where nothing of the keystream has been used.
    keystream: Option<SecretArray<STATE_LENGTH>>,
}

impl DirectionState {
    const fn start() -> Self {
        Self { next: Some(0), keystream: None }
    }

    fn of(next: Option<u32>, keystream: Option<&Rc4>) -> Self {
        Self { next, keystream: keystream.map(Rc4::export) }
    }

    fn is_at_start(&self) -> bool {
        self.next == Some(0) && self.keystream.is_none()
    }

    fn restore(
        self,
        next: &mut Option<u32>,
        keystream: &mut Option<Box<Rc4>>,
        has_keystream: bool,
    ) -> Result<(), Error> {
        if let Some(exported) = &self.keystream {
            let imported = Rc4::import(exported).ok_or(BlobRefused::Damaged)?;
            if !has_keystream || self.next == Some(0) {
                return Err(BlobRefused::Damaged.into());
            }
            *keystream = Some(Box::new(imported));
        }
        *next = self.next;
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct TokenState {
    user_name: String,
    domain_name: String,
    workstation: String,
    is_anonymous: bool,
}

impl TokenState {
    fn of(token: &ClientToken) -> Self {
        Self {
            user_name: token.user_name.clone(),
            domain_name: token.domain_name.clone(),
            workstation: token.workstation.clone(),
            is_anonymous: token.is_anonymous,
        }
    }

    fn into_token(self) -> ClientToken {
        let mut token = ClientToken::new(self.user_name, self.domain_name, self.workstation);
        token.is_anonymous = self.is_anonymous;
        token
    }
}

/// A field that a later release added. One with an odd tag changes what the others mean, so whoever does not know it must
/// refuse the state; one with an even tag can be left out.
#[derive(Serialize, Deserialize)]
pub(crate) struct Extension {
    tag: u16,
    bytes: Vec<u8>,
}

impl Extension {
    /// This release knows no tag yet.
    pub(crate) const fn is_critical(&self) -> bool {
        self.tag % 2 == 1
    }

    #[cfg(test)]
    pub(crate) fn for_test(tag: u16) -> Self {
        Self { tag, bytes: vec![1] }
    }
}

#[cfg(test)]
mod tests {
    use portable_sspi_core::SecurityContext;

    use super::*;
    use crate::session::tests::{SEALED, context, exchange};

    /// Exports, lets `change` at the state, and encodes it again.
    fn changed(context: &NtlmContext, change: impl FnOnce(&mut StateV1)) -> PortableState {
        let mut state = StateV1::decode(&export(context).unwrap()).unwrap();
        change(&mut state);
        PortableState::encode(VERSION, &state).unwrap()
    }

    fn mid_stream() -> NtlmContext {
        let (mut client, mut server) = (context(Role::Client, SEALED), context(Role::Server, SEALED));
        exchange(&mut client, &mut server);
        exchange(&mut server, &mut client);
        server
    }

    #[track_caller]
    fn refused(state: &PortableState) -> BlobRefused {
        match (import(state), reset(state)) {
            (Err(Error::BlobRefused(one)), Err(Error::BlobRefused(other))) => {
                assert_eq!(one, other);
                one
            }
            (one, _) => panic!("not refused: {one:?}"),
        }
    }

    /// A layout is for ever: this fails when version 1 is changed.
    #[test]
    fn layout_of_version_1() {
        #[rustfmt::skip]
        let golden = concat!(
            "0100", // version
            "01", // role
            "fc300008e0", // negotiated
            "55555555555555555555555555555555", // exported_session_key
            "010100", // sending: SeqNum 1, no keystream
            "010101", // receiving: SeqNum 1, S-box, i, j
            "aff0c5c7df3d8174f67af8aab2758c4785b59e3f9801673e7b0ed830bfd790b4860b8d79bcbdc011f7687216",
            "601cc4365a66dea8414bb3f451d21dcd2e3b10ec041bd9089735641f8959612b9a55ce6a50fbdd03a9ba8ba2",
            "84cc87b9fa8ea317336ee0771a546b199cdb96a0b61426e4c27f9fd165cbe256d582f2124491d0ea8028bb93",
            "d37c4c83da25c876583c2ae30002c1aeab2c6c7306ef4de72f430929ac5220fe424e94b8186fe9e80cff92e6",
            "b107136db7f12d240a9ba4a58a31155b235d1ecac3dc7834e5f55cd6ad638f0d32e1054a95460f2139c9575f",
            "88fc70389dee4f995ecfebd4f3fda77da1f969627153be27b07e45c648372240eda63a490f2d",
            "fc10000200", // context_flags
            "12434f52505c616c6963652e6578616d706c65", // client_name
            "0115485454502f7777772e636f72702e6578616d706c65", // target
            "010d616c6963652e6578616d706c6504434f52500e574f524b53544154494f4e2d313700", // client_token
            "01cbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcb", // channel_bindings
            "01", // start
            "fdffffffffffffff7f", // expiry
            "01fb0201020908", // extensions
        );
        let server = mid_stream();
        let state = changed(&server, |state| {
            state.sending.keystream = None;
            state.extensions.push(Extension { tag: 0x0102, bytes: vec![9, 8] });
        });
        assert_eq!(hex::encode(state.to_bytes().as_slice()), golden);
        let imported = import(&PortableState::from_bytes(&hex::decode(golden).unwrap()).unwrap()).unwrap();
        assert_eq!(imported.client_token(), server.client_token());
    }

    #[test]
    fn every_query_answers_as_before() {
        for role in [Role::Client, Role::Server] {
            let before = context(role, SEALED);
            let after = import(&export(&before).unwrap()).unwrap();
            assert_eq!(after.role, before.role);
            assert_eq!(after.negotiated, before.negotiated);
            assert_eq!(after.channel_bindings, before.channel_bindings);
            assert!(after.session_key().ct_eq(before.session_key()));
            assert_eq!(after.names(), before.names());
            assert_eq!(after.native_names(), before.native_names());
            assert_eq!(after.flags(), before.flags());
            assert_eq!(after.key_info(), before.key_info());
            assert_eq!(after.lifespan(), before.lifespan());
            assert_eq!(after.target(), before.target());
            assert_eq!(after.client_token(), before.client_token());
            assert_eq!(after.sizes(), before.sizes());
        }
    }

    #[test]
    fn it_is_small() {
        let fresh = export(&context(Role::Server, SEALED)).unwrap().to_bytes().len();
        let mid_stream = export(&mid_stream()).unwrap().to_bytes().len();
        assert!(fresh < 200, "{fresh} bytes");
        assert!(mid_stream < 700, "{mid_stream} bytes");
    }

    #[test]
    fn later_versions_are_refused_and_later_fields_by_their_tag() {
        let context = context(Role::Server, SEALED);
        let state = StateV1::decode(&export(&context).unwrap()).unwrap();
        let next = PortableState::encode(2, &state).unwrap();
        assert_eq!(refused(&next), BlobRefused::NewerVersion { found: 2, newest: 1 });
        assert_eq!(refused(&PortableState::encode(0, &state).unwrap()), BlobRefused::Damaged);
        let with = |tag| changed(&context, |state| state.extensions.push(Extension { tag, bytes: vec![1] }));
        assert_eq!(refused(&with(7)), BlobRefused::NewerVersion { found: 2, newest: 1 });
        let skipped = with(8);
        assert!(import(&skipped).is_ok());
        let reset = StateV1::decode(&reset(&skipped).unwrap()).unwrap();
        assert_eq!(reset.extensions[0].tag, 8, "a reset keeps what it does not know");
    }

    #[test]
    fn a_state_that_no_context_can_be_in_is_refused() {
        let server = mid_stream();
        let damages: [fn(&mut StateV1); 8] = [
            |state| {
                let s = state.sending.keystream.as_mut().unwrap().expose_mut();
                s[0] = s[1];
            },
            |state| state.receiving.next = Some(0),
            |state| state.role = RoleState::Client,
            |state| state.negotiated.remove(NegotiateFlags::SEAL | NegotiateFlags::KEY_EXCH),
            |state| state.negotiated.remove(NegotiateFlags::EXTENDED_SESSIONSECURITY),
            |state| state.negotiated.insert(NegotiateFlags::DATAGRAM),
            |state| state.negotiated.remove(NegotiateFlags::SEAL | NegotiateFlags::SIGN),
            |state| {
                state.negotiated.remove(NegotiateFlags::SEAL | NegotiateFlags::SIGN);
                state.sending = DirectionState::start();
                state.receiving.keystream = None;
            },
        ];
        for (index, damage) in damages.into_iter().enumerate() {
            assert_eq!(refused(&changed(&server, damage)), BlobRefused::Damaged, "damage {index}");
        }
        assert!(import(&changed(&server, |_| {})).is_ok());
    }

    #[test]
    fn cut_or_lengthened_it_is_refused() {
        let bytes = export(&mid_stream()).unwrap().to_bytes();
        for length in 2..bytes.len() {
            let cut = PortableState::from_bytes(&bytes[..length]).unwrap();
            assert_eq!(refused(&cut), BlobRefused::Damaged, "{length} bytes");
        }
        let longer = PortableState::from_bytes(&[bytes.as_slice(), &[0]].concat()).unwrap();
        assert_eq!(refused(&longer), BlobRefused::Damaged);
    }

    #[test]
    fn reset_goes_back_to_the_start() {
        let server = mid_stream();
        let start = export(&context(Role::Server, SEALED)).unwrap();
        assert_ne!(export(&server).unwrap().to_bytes(), start.to_bytes());
        assert_eq!(reset(&export(&server).unwrap()).unwrap().to_bytes(), start.to_bytes());
    }

    #[test]
    fn a_protection_that_is_not_there_is_not_exported() {
        let context = context(Role::Server, NegotiateFlags::SIGN | NegotiateFlags::DATAGRAM);
        assert!(matches!(export(&context), Err(Error::Misuse(Misuse::NotSupported { .. }))));
    }
}
