//! What the server makes of three messages.

use std::time::Duration;

use portable_sspi_core::{DenialReason, Error, FileTime, MalformedToken, Problem, SecretArray};
use serde_json::{Map, Value};

use super::vector::{Computed, Vector, array_of, bytes_of};
use crate::NegotiateFlags;
use crate::accounts::{Account, MemoryAccounts};
use crate::config::ServerPolicy;
use crate::level::LmCompatibilityLevel;
use crate::server::{ChallengeSent, ServerStep};
use crate::session::Established;
use crate::wire::authenticate::Authenticate;
use crate::wire::challenge::Challenge;
use crate::wire::nt_response::NtlmV2Response;

pub(super) const KINDS: &[(&str, super::Compute)] = &[("acceptor_verdict", verdict)];

/// A server's side of one exchange, ready to be judged, and judged again with other messages.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) accounts: MemoryAccounts,
    pub(super) policy: ServerPolicy,
    pub(super) channel_bindings: Option<[u8; 16]>,
    pub(super) now: FileTime,
}

/// NEGOTIATE, CHALLENGE and AUTHENTICATE.
pub(super) type Messages = [Vec<u8>; 3];

impl Acceptor {
    pub(super) fn verify(
        &self,
        [negotiate, challenge, authenticate]: &Messages,
    ) -> Result<Established, Error> {
        ChallengeSent::from_messages(negotiate.clone(), challenge.clone(), None).verify(
            authenticate,
            &ServerStep {
                accounts: &self.accounts,
                policy: &self.policy,
                channel_bindings: self.channel_bindings,
                allow_missing_bindings: false,
                allow_null_session: true,
                required: NegotiateFlags::empty(),
                now: self.now,
            },
        )
    }
}

/// The server and the messages of a vector.
pub(super) fn setup(vector: &Vector) -> Result<(Acceptor, Messages), String> {
    let messages = [vector.bytes("negotiate")?, vector.bytes("challenge")?, vector.bytes("authenticate")?];
    let mut accounts = MemoryAccounts::new();
    for account in vector.input("accounts")?.as_array().ok_or("`accounts` is no list")? {
        let text = |key| account.get(key).and_then(Value::as_str).ok_or(format!("an account lacks `{key}`"));
        let nt_hash = array_of("ntowf", &bytes_of("ntowf", &text("ntowf")?.into())?)?;
        accounts.add_account(Account::new(text("user_str")?, text("domain_str")?, SecretArray::new(nt_hash)));
    }
    let (policy, channel_bindings) =
        policy(vector.input("server_policy")?.as_object().ok_or("`server_policy` is no object")?)?;
    let now = time(&messages);
    Ok((Acceptor { accounts, policy, channel_bindings, now }, messages))
}

/// The time in the messages: the server's, or else the client's. Verdicts about the time are not among the vectors.
pub(super) fn time([_, challenge, authenticate]: &Messages) -> FileTime {
    let of_server = Challenge::parse(challenge)
        .and_then(|challenge| challenge.av_pairs())
        .ok()
        .and_then(|p| p.timestamp());
    let of_client = || {
        let authenticate = Authenticate::parse(authenticate, false).ok()?;
        Some(NtlmV2Response::parse(authenticate.nt_response).ok()?.time)
    };
    of_server.or_else(of_client).unwrap_or_default()
}

fn policy(given: &Map<String, Value>) -> Result<(ServerPolicy, Option<[u8; 16]>), String> {
    let mut policy =
        ServerPolicy { maximum_challenge_age: Duration::from_secs(1), ..ServerPolicy::default() };
    let mut channel_bindings = None;
    for (key, value) in given {
        let boolean = value.as_bool().ok_or(format!("`{key}` is neither true nor false"));
        match key.as_str() {
            "cbt" => channel_bindings = Some(array_of(key, &bytes_of(key, value)?)?),
            "require_mic" => policy.require_mic = boolean?,
            "spn_required" => policy.require_spn = boolean?,
            "spns" => {
                let names = value.as_array().ok_or("`spns` is no list")?;
                policy.accepted_spns = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
            // With or without extended session security: there is no word for the difference.
            "min_level" if value == "v1" => {
                policy.level = LmCompatibilityLevel::Level4;
                policy.minimum_flags = NegotiateFlags::empty();
            }
            "min_level" if value == "v2" => policy.level = LmCompatibilityLevel::Level5,
            _ => return Err(format!("unknown policy `{key}`: {value}")),
        }
    }
    Ok((policy, channel_bindings))
}

// MS-NLMP:2.2.1.3-whole-characters MS-NLMP:2.2.2.1-end MS-NLMP:2.2.2.1-unknown
// MS-NLMP:2.2.2.5-no-character-set MS-NLMP:2.2.2.7-response-type
fn verdict(vector: &Vector) -> Result<Computed, String> {
    let (acceptor, messages) = setup(vector)?;
    Ok(match acceptor.verify(&messages) {
        Ok(established) => Computed::default()
            .value("verdict", "accept")
            .hex("exported_session_key", established.exported_session_key.expose()),
        Err(error) => {
            let computed = Computed::default().value("verdict", "reject");
            match reason(&error) {
                Some(reason) => computed.value("reason", reason),
                // A vector that names a reason all the same fails, as nothing computes it.
                None => computed,
            }
        }
    })
}

/// The word that the vectors have for an error.
fn reason(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::LogonDenied(denied) => match denied.audit_reason() {
            DenialReason::UnknownAccount => "unknown_account",
            DenialReason::TimeSkew => "time_skew",
            DenialReason::BadNtResponse => "bad_nt_response",
            DenialReason::NoNtResponse => "no_nt_response",
            DenialReason::Ntlmv1Refused => "ntlmv1_refused",
            DenialReason::AnonymousNotAllowed => "anonymous_not_allowed",
            DenialReason::DuplicateAvPair => "duplicate_av",
            DenialReason::TargetInfoMismatch => "target_info_mismatch",
            DenialReason::MicMissing => "mic_missing",
            DenialReason::MicMismatch => "mic_mismatch",
            DenialReason::ChannelBindingsMissing => "cbt_absent",
            DenialReason::ChannelBindingsMismatch => "cbt_mismatch",
            DenialReason::ChannelBindingsNeedNtlmv2 => "cbt_needs_ntlmv2",
            DenialReason::TargetNameMissing => "spn_absent",
            DenialReason::TargetNameMismatch => "spn_mismatch",
            _ => return None,
        },
        Error::Malformed(MalformedToken { what, problem }) => match problem {
            Problem::FieldOutOfBounds { .. } => "field_out_of_bounds",
            Problem::OddLength { .. } => "odd_length_string",
            Problem::Signature => "signature",
            Problem::MessageType { .. } => "type",
            Problem::NoCharacterSet => "no_charset",
            Problem::Length { .. } if what.ends_with("EncryptedRandomSessionKey") => "bad_session_key",
            Problem::Unterminated | Problem::Truncated { .. } if what.ends_with("AvPairs") => "av_truncated",
            Problem::Length { .. } if what.ends_with("AvPairs") => "av_length",
            Problem::Truncated { .. } | Problem::Value if what.starts_with("NTLMv2_") => "bad_nt_response",
            _ => return None,
        },
        _ => return None,
    })
}
