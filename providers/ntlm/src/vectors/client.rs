//! What the client does with a CHALLENGE.

use portable_sspi_core::{
    Clock, Entropy, Environment, Error, FileTime, InitializeRequest, IscReq, PeerMisbehaved, SecretArray,
    Unavailable,
};

use super::messages;
use super::vector::{Computed, Vector, array_of, explain};
use crate::NegotiateFlags;
use crate::client::target_info::ClientPairs;
use crate::client::{Account, ClientStep, Logon, NegotiateSent};
use crate::config::ClientPolicy;
use crate::wire::av_pair::AvPairs;
use crate::wire::challenge::Challenge;

pub(super) const KINDS: &[(&str, super::Compute)] =
    &[("client_target_info", target_info), ("client_error", error)];

fn target_info(vector: &Vector) -> Result<Computed, String> {
    let message = vector.bytes("challenge")?;
    let server = Challenge::parse(&message).and_then(|challenge| challenge.av_pairs()).map_err(explain)?;
    let bindings = vector
        .optional_bytes("channel_binding_hash")?
        .map(|hash| array_of("channel_binding_hash", &hash))
        .transpose()?;
    let list = ClientPairs::from_challenge(&server, true).map_err(explain)?.finish(
        vector.optional_text("target_name_str")?,
        false,
        bindings.as_ref(),
    );
    let pairs = AvPairs::parse("pairs", &list).map_err(explain)?;
    Ok(Computed::default().value("av_pairs_to_send", messages::list(&pairs)))
}

/// The whole client is driven; the default policy is the one that requires 128-bit keys.
// MS-NLMP:3.1.5.1.2-strength
fn error(vector: &Vector) -> Result<Computed, String> {
    let flag = |key| vector.optional(key).and_then(serde_json::Value::as_bool).unwrap_or_default();
    let (integrity, requires_128) = (flag("integrity"), flag("require_128"));
    let challenge = vector.bytes("challenge")?;
    // A CHALLENGE with SIGN and SEAL answers a client that asked for them, and strength is required where they are.
    let has = |flag| Challenge::parse(&challenge).is_ok_and(|challenge| challenge.flags.contains(flag));
    let mut requirements = IscReq::empty();
    requirements.set(IscReq::INTEGRITY, integrity || has(NegotiateFlags::SIGN));
    requirements.set(IscReq::CONFIDENTIALITY, has(NegotiateFlags::SEAL));
    let mut policy = ClientPolicy::default();
    if !requires_128 {
        policy.minimum_flags = NegotiateFlags::UNICODE | NegotiateFlags::EXTENDED_SESSIONSECURITY;
    }
    let logon =
        Logon::Account(Account::new("User".to_owned(), "Domain".to_owned(), SecretArray::new([1; 16]), None));
    let step = ClientStep::new(&logon, &policy, "COMPUTER", &InitializeRequest::default());
    let (state, _) = NegotiateSent::start(requirements, &logon, &policy).map_err(explain)?;
    let answer = state.answer(&challenge, &step, &Environment::new(&Fixed, &Fixed));
    let error = match answer {
        Ok(_) => "none",
        // The NTSTATUS of SEC_E_LOGON_DENIED.
        Err(Error::Peer(PeerMisbehaved::MissingTargetName { .. })) => "STATUS_LOGON_FAILURE",
        Err(other) => other.status().name().ok_or("an error without a name")?,
    };
    Ok(Computed::default().value("error", error))
}

/// A world in which nothing changes.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, destination: &mut [u8]) -> Result<(), Unavailable> {
        destination.fill(0xAA);
        Ok(())
    }
}

impl Clock for Fixed {
    fn now(&self) -> FileTime {
        FileTime::from_unix_seconds(1_700_000_000)
    }
}
