//! The three messages, read and written.

use super::vector::{Computed, Vector, agree, array_of, bytes_of, explain};
use crate::NegotiateFlags;
use crate::crypto::keys;
use crate::wire::authenticate::Authenticate;
use crate::wire::av_pair::AvPairs;
use crate::wire::challenge::Challenge;
use crate::wire::negotiate::Negotiate;
use crate::wire::nt_response::NtlmV2Response;
use crate::wire::response;
use crate::wire::version::Version;

pub(super) const KINDS: &[(&str, super::Compute)] = &[
    ("negotiate_message_parse", negotiate),
    ("challenge_message", write_challenge),
    ("challenge_message_parse", challenge),
    ("authenticate_message", write_authenticate),
    ("authenticate_message_parse", authenticate),
];

// MS-NLMP:2.2-little-endian
fn negotiate(vector: &Vector) -> Result<Computed, String> {
    let message = vector.bytes("message")?;
    let negotiate = Negotiate::parse(&message).map_err(explain)?;
    Ok(version(Computed::default(), negotiate.version)
        .flags("negotiate_flags", negotiate.flags)
        .value("domain_present", negotiate.domain.is_some())
        .value("workstation_present", negotiate.workstation.is_some())
        .hex("domain", negotiate.domain.unwrap_or_default())
        .hex("workstation", negotiate.workstation.unwrap_or_default()))
}

// MS-NLMP:2.2.1-empty-offset-ignored
fn challenge(vector: &Vector) -> Result<Computed, String> {
    let message = vector.bytes("message")?;
    let challenge = Challenge::parse(&message).map_err(explain)?;
    Ok(version(Computed::default(), challenge.version)
        .flags("negotiate_flags", challenge.flags)
        .hex("server_challenge", challenge.server_challenge)
        .hex("target_name", challenge.target_name)
        .hex("target_info", challenge.target_info))
}

fn authenticate(vector: &Vector) -> Result<Computed, String> {
    let message = vector.bytes("message")?;
    // The character set is the CHALLENGE's to choose, which is not here; what this message repeats must do.
    let flags = Authenticate::parse(&message, false).map_err(explain)?.flags;
    let unicode = flags.is_none_or(|flags| flags.contains(NegotiateFlags::UNICODE));
    let parsed = Authenticate::parse(&message, unicode).map_err(explain)?;
    let mut computed = header(version(Computed::default(), parsed.version), &parsed)
        .hex("domain", parsed.domain)
        .hex("user", parsed.user)
        .hex("workstation", parsed.workstation)
        .hex("lm", parsed.lm_response)
        .hex("nt", parsed.nt_response)
        .hex("key", parsed.encrypted_random_session_key)
        .optional_hex("mic", parsed.mic);
    if let Some(flags) = parsed.flags {
        computed = computed.flags("negotiate_flags", flags);
    }
    if parsed.nt_response.len() > response::LENGTH {
        computed = av_pairs(computed, &NtlmV2Response::parse(parsed.nt_response).map_err(explain)?.av_pairs);
    }
    Ok(computed)
}

// MS-NLMP:2.2.1.2-reserved-sent-zero
fn write_challenge(vector: &Vector) -> Result<Computed, String> {
    let written = Challenge {
        flags: vector.flags("negotiate_flags")?,
        server_challenge: vector.array("server_challenge")?,
        target_name: &vector.bytes("target_name")?,
        target_info: &vector.bytes("target_info")?,
        version: vector.optional_bytes("version")?.map(|v| array_of("version", &v)).transpose()?.map(Version),
    }
    .write()
    .map_err(explain)?;
    let published = bytes_of("message", vector.expected.get("message").ok_or("expects no `message`")?)?;
    let mut message = written;
    take_over_meaningless_offsets(&mut message, &published, &[12, 40]);
    Ok(Computed::default().hex("message", message))
}

fn write_authenticate(vector: &Vector) -> Result<Computed, String> {
    let order = vector.input("payload_order")?.as_array().ok_or("`payload_order` is no list")?;
    let order: Vec<_> = order.iter().filter_map(|name| name.as_str()).collect();
    let mic = vector.optional_bytes("mic")?.map(|mic| array_of("mic", &mic)).transpose()?;
    // An anonymous client's key is not given: that of the examples, under the key that everybody knows.
    let user = vector.bytes("user_field")?;
    let anonymous_key = keys::rc4k(&keys::ANONYMOUS_KEY, &[0x55; 16]);
    let key = match vector.optional_bytes("key_field")? {
        Some(key) => key,
        None if user.is_empty() => anonymous_key.expose().to_vec(),
        None => return Err("lacks the input `key_field`".to_owned()),
    };
    let written = Authenticate {
        lm_response: &vector.bytes("lm_field")?,
        nt_response: &vector.bytes("nt_field")?,
        domain: &vector.bytes("domain_field")?,
        user: &user,
        workstation: &vector.bytes("workstation_field")?,
        encrypted_random_session_key: &key,
        flags: Some(vector.flags("negotiate_flags")?),
        version: Some(Version(vector.array("version")?)),
        mic,
        payload_start: 0,
    }
    .write()
    .map_err(explain)?;
    let published = bytes_of("message", vector.expected.get("message").ok_or("expects no `message`")?)?;
    let header_length = if mic.is_some() { 88 } else { 72 };
    let message = laid_out(&written, &order, header_length, &published)?;
    let parsed = Authenticate::parse(&published, true).map_err(explain)?;
    let mut computed = header(Computed::default(), &parsed).hex("message", message);
    if user.is_empty() {
        computed = computed
            .hex("session_base_key", keys::ANONYMOUS_KEY.expose())
            .hex("encrypted_random_session_key", anonymous_key.expose());
    }
    Ok(computed)
}

/// Where the header ends, and whether it has room for a MIC.
fn header(computed: Computed, parsed: &Authenticate<'_>) -> Computed {
    computed.value("mic_field_present", parsed.mic.is_some()).value("payload_offset", parsed.payload_start)
}

fn version(computed: Computed, version: Option<Version>) -> Computed {
    computed.value("version_present", version.is_some()).optional_hex("version", version.map(|v| v.0))
}

/// The pairs in their order, and what follows them.
pub(super) fn av_pairs(computed: Computed, pairs: &AvPairs<'_>) -> Computed {
    computed.value("av_pairs", list(pairs)).hex("av_trailing", pairs.trailing)
}

/// Pairs as a list of id and value.
pub(super) fn list(pairs: &AvPairs<'_>) -> Vec<serde_json::Value> {
    pairs.iter().map(|pair| serde_json::json!([pair.id.number(), hex::encode(pair.value)])).collect()
}

/// The fields of an AUTHENTICATE message, by their names in the vectors, with their places in its header.
const FIELDS: [(&str, usize); 6] =
    [("lm", 12), ("nt", 20), ("domain", 28), ("user", 36), ("workstation", 44), ("key", 52)];

/// A message that the crate wrote, its payload moved into another order and its header cut where the published one ends.
/// Order and header length are free, and others chose differently.
pub(super) fn laid_out(
    written: &[u8],
    order: &[&str],
    header_length: usize,
    published: &[u8],
) -> Result<Vec<u8>, String> {
    let parsed = Authenticate::parse(written, true).map_err(explain)?;
    let mut message = written[..header_length].to_vec();
    for name in order {
        let part = match *name {
            "lm" => parsed.lm_response,
            "nt" => parsed.nt_response,
            "domain" => parsed.domain,
            "user" => parsed.user,
            "workstation" => parsed.workstation,
            "key" => parsed.encrypted_random_session_key,
            other => return Err(format!("no field is named {other:?}")),
        };
        let (_, place) = FIELDS.iter().find(|(field, _)| field == name).ok_or("unknown field")?;
        let offset = u32::try_from(message.len()).map_err(|error| error.to_string())?;
        message[place + 4..place + 8].copy_from_slice(&offset.to_le_bytes());
        message.extend_from_slice(part);
    }
    take_over_meaningless_offsets(&mut message, published, &FIELDS.map(|(_, place)| place));
    let again = Authenticate::parse(&message, true).map_err(explain)?;
    agree("NT response after moving", again.nt_response, parsed.nt_response)?;
    Ok(message)
}

/// The offset of an empty field has no meaning, and everybody writes another one.
fn take_over_meaningless_offsets(message: &mut [u8], published: &[u8], fields: &[usize]) {
    for &field in fields {
        if message[field..field + 2] == [0, 0] {
            if let Some(offset) = published.get(field + 4..field + 8) {
                message[field + 4..field + 8].copy_from_slice(offset);
            }
        }
    }
}
