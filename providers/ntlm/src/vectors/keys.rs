//! The keys of a session, the MIC, and channel bindings.

use portable_sspi_core::ChannelBindings;

use super::vector::{Computed, Vector, agree, bytes_of, explain};
use crate::NegotiateFlags;
use crate::crypto::hmac_md5::md5;
use crate::crypto::keys::{self, Direction};
use crate::crypto::owf;
use crate::wire::authenticate::{self, Authenticate};

pub(super) const KINDS: &[(&str, super::Compute)] = &[
    ("session_base_key_v2", session_base_key),
    ("key_exchange", key_exchange),
    ("signkey", sign_key),
    ("sealkey", seal_key),
    ("mic_parts", mic_parts),
    ("mic_datagram", mic_datagram),
    ("channel_bindings", channel_bindings),
];

// MS-NLMP:3.3.2-session-base-key
fn session_base_key(vector: &Vector) -> Result<Computed, String> {
    let key =
        owf::ResponseKeyNt::new(&vector.secret("ntowfv2")?).session_base_key(&vector.array("nt_proof_str")?);
    Ok(Computed::default().hex("session_base_key", key.expose()))
}

// MS-NLMP:3.1.5.1.2-exported-key
fn key_exchange(vector: &Vector) -> Result<Computed, String> {
    let encrypted = keys::rc4k(&vector.secret("key_exchange_key")?, &vector.array("exported_session_key")?);
    Ok(Computed::default().hex("encrypted_random_session_key", encrypted.expose()))
}

// MS-NLMP:3.4.5.2-sign-key
fn sign_key(vector: &Vector) -> Result<Computed, String> {
    // No flag has a say in it.
    vector.flags("negotiate_flags")?;
    let key = keys::sign_key(&vector.secret("exported_session_key")?, direction(vector, "is_client")?);
    Ok(Computed::default().hex("sign_key", key.expose()))
}

// MS-NLMP:3.4.5.3-128
fn seal_key(vector: &Vector) -> Result<Computed, String> {
    let (exported, flags) = (vector.secret("exported_session_key")?, vector.flags("negotiate_flags")?);
    let direction = direction(vector, "is_client")?;
    let computed = Computed::default();
    Ok(if flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) {
        computed.hex("seal_key", keys::seal_key(&exported, flags, direction).expose())
    } else {
        computed.hex("seal_key", &*keys::shared_seal_key(&exported, flags))
    })
}

// MS-NLMP:3.1.5.1.2-mic
fn mic_parts(vector: &Vector) -> Result<Computed, String> {
    let mic = keys::mic(
        &vector.secret("exported_session_key")?,
        &vector.bytes("negotiate")?,
        &vector.bytes("challenge")?,
        &[&vector.bytes("authenticate_with_zero_mic")?],
    );
    Ok(Computed::default().hex("mic", mic))
}

/// There is no NEGOTIATE.
// MS-NLMP:3.1.5.2-no-negotiate
fn mic_datagram(vector: &Vector) -> Result<Computed, String> {
    let message = vector.bytes("authenticate")?;
    let parts = authenticate::with_zero_mic(&message).ok_or("too short for a MIC")?;
    let mic = keys::mic(&vector.secret("exported_session_key")?, &[], &vector.bytes("challenge")?, &parts);
    agree(
        "MIC in the message",
        Authenticate::parse(&message, true).map_err(explain)?.mic.unwrap_or_default(),
        mic,
    )?;
    Ok(Computed::default().hex("mic", mic))
}

// MS-NLMP:2.2.2.1-bindings-hash
fn channel_bindings(vector: &Vector) -> Result<Computed, String> {
    let number = |key| match vector.optional(key) {
        Some(_) => u32::try_from(vector.number(key)?).map_err(|_| format!("`{key}` is too large")),
        None => Ok(0),
    };
    let bytes = |key| vector.optional_bytes(key).map(Option::unwrap_or_default);
    let hash = keys::channel_binding_hash(&ChannelBindings {
        initiator_address_type: number("initiator_addrtype")?,
        initiator_address: bytes("initiator_address")?,
        acceptor_address_type: number("acceptor_addrtype")?,
        acceptor_address: bytes("acceptor_address")?,
        application_data: bytes("application_data")?,
    });
    let computed = Computed::default().hex("hash", hash);
    // The crate hashes the structure part by part and never builds it. One that has the same hash is the same.
    match vector.expected.get("gss_channel_bindings_struct") {
        Some(layout) => {
            let layout = bytes_of("gss_channel_bindings_struct", layout)?;
            let is_hashed = md5([layout.as_slice()]) == hash;
            Ok(computed.optional_hex("gss_channel_bindings_struct", is_hashed.then_some(layout)))
        }
        None => Ok(computed),
    }
}

/// The direction in which the client, or else the server, sends.
pub(super) fn direction(vector: &Vector, key: &str) -> Result<Direction, String> {
    Ok(if vector.boolean(key)? { Direction::ClientToServer } else { Direction::ServerToClient })
}
