//! Whole exchanges between other implementations.

use std::time::Duration;

use portable_sspi_core::{ChannelBindings, FileTime, Password, SecretArray};

use super::acceptor::{self, Acceptor};
use super::messages::{av_pairs, laid_out};
use super::session_security::{context, sealed, signed};
use super::vector::{Computed, Vector, agree, bytes_of, explain};
use crate::NegotiateFlags;
use crate::accounts::MemoryAccounts;
use crate::client;
use crate::config::ServerPolicy;
use crate::crypto::keys::{self, Direction};
use crate::crypto::owf;
use crate::session::Role;
use crate::wire::authenticate::{self, Authenticate};
use crate::wire::challenge::Challenge;
use crate::wire::nt_response::NtlmV2Response;
use crate::wire::text;

pub(super) const KINDS: &[(&str, super::Compute)] = &[("exchange", exchange), ("exchange_client", as_client)];

/// An exchange that the server accepts, and everything in it.
fn exchange(vector: &Vector) -> Result<Computed, String> {
    let (user, domain) = (vector.text("user_str")?, vector.text("domain_str")?);
    let password = vector.text("password_str")?;
    let messages = [
        vector.optional_bytes("negotiate")?.unwrap_or_default(),
        vector.bytes("challenge")?,
        vector.bytes("authenticate")?,
    ];
    let channel_bindings = vector
        .optional_bytes("channel_binding_application_data")?
        .map(|data| keys::channel_binding_hash(&ChannelBindings::application_data(data)));

    let mut accounts = MemoryAccounts::new();
    accounts.add(user, domain, password);
    // Some of these clients send no MIC, and the recordings are years old.
    let policy =
        ServerPolicy { require_mic: false, maximum_challenge_age: Duration::MAX, ..Default::default() };
    let now = acceptor::time(&messages);
    let acceptor = Acceptor { accounts, policy, channel_bindings, now };
    let established = acceptor.verify(&messages).map_err(|error| format!("refused: {}", explain(error)))?;
    let exported = established.exported_session_key;

    let [negotiate, challenge_message, authenticate_message] = &messages;
    let challenge = Challenge::parse(challenge_message).map_err(explain)?;
    let unicode = challenge.flags.contains(NegotiateFlags::UNICODE);
    let message = Authenticate::parse(authenticate_message, unicode).map_err(explain)?;
    let response = NtlmV2Response::parse(message.nt_response).map_err(explain)?;
    agree("user", text::to_utf16le(user), message.user)?;
    agree("domain", text::to_utf16le(domain), message.domain)?;

    let nt_hash = owf::nt_hash(&Password::new(password));
    // A server takes a name in upper case by either table.
    let ntowfs: Vec<_> = owf::case_tables(user)
        .map(|table| owf::NtHashKey::new(&nt_hash).ntowf_v2(table, user, domain))
        .collect();
    let prove =
        |ntowf| owf::ResponseKeyNt::new(ntowf).nt_proof_str(&challenge.server_challenge, response.temp);
    let ntowf = ntowfs.iter().find(|ntowf| prove(ntowf) == response.nt_proof_str).unwrap_or(&ntowfs[0]);
    let proof = prove(ntowf);
    agree("NTProofStr", response.nt_proof_str, proof)?;
    if let Some((_, nonce)) = message.lm_response.split_last_chunk::<8>() {
        if message.lm_response.iter().any(|byte| *byte != 0) {
            let lmv2 = client::answer::lmv2_response(
                &owf::ResponseKeyNt::new(ntowf),
                &challenge.server_challenge,
                nonce,
            );
            agree("LMv2 response", message.lm_response, lmv2)?;
        }
    }
    let mic = match (message.mic, authenticate::with_zero_mic(authenticate_message)) {
        (Some(mic), Some(parts)) => {
            agree("MIC", mic, keys::mic(&exported, negotiate, challenge_message, &parts))?;
            Some(mic)
        }
        _ => None,
    };

    let mut computed = Computed::default()
        .hex("ntowf", nt_hash.expose())
        .hex("ntowfv2", ntowf.expose())
        .hex("nt_proof_str", proof)
        .hex("session_base_key", owf::ResponseKeyNt::new(ntowf).session_base_key(&proof).expose())
        .hex("exported_session_key", exported.expose())
        .hex("lm_response", message.lm_response)
        .optional_hex("mic", mic)
        .value("payload_offset", message.payload_start);
    computed = av_pairs(computed, &response.av_pairs);
    for (side, direction) in [("client", Direction::ClientToServer), ("server", Direction::ServerToClient)] {
        let seal_key = keys::seal_key(&exported, established.negotiated, direction);
        computed = computed
            .hex(&format!("{side}_sign_key"), keys::sign_key(&exported, direction).expose())
            .hex(&format!("{side}_seal_key"), seal_key.expose());
    }
    if established.negotiated.contains(NegotiateFlags::SEAL) {
        computed = first_messages(computed, established.negotiated, &exported)?;
    }
    Ok(computed)
}

/// What the client of two of the exchanges sends afterwards.
fn first_messages(
    computed: Computed,
    negotiated: NegotiateFlags,
    exported: &SecretArray<16>,
) -> Result<Computed, String> {
    let mut client = context(Role::Client, negotiated, exported);
    let mut data = b"test req".to_vec();
    let signature = sealed(&mut client, &mut data)?;
    Ok(computed
        .hex("wrap_test_req", [&signature[..], &data].concat())
        .hex("sign_hello_seq1", signed(&mut client, b"Hello")?)
        .hex("sign_hello_seq2", signed(&mut client, b"Hello")?))
}

/// The answer of another client, made again from what it put in. That client chooses its own AV pairs, flags and order of
/// the payload, so the crate's client cannot be driven to the same bytes; its parts can.
fn as_client(vector: &Vector) -> Result<Computed, String> {
    let (user, domain) = (vector.text("user_str")?, vector.text("domain_str")?);
    let challenge_message = vector.bytes("challenge")?;
    let challenge = Challenge::parse(&challenge_message).map_err(explain)?;
    let time = FileTime(u64::from_le_bytes(vector.array("client_time")?));
    let client_challenge = vector.array("client_challenge")?;

    let nt_hash = owf::nt_hash(&Password::new(vector.text("password_str")?));
    let ntowf = owf::ntowf_v2(&nt_hash, user, domain);
    let temp = NtlmV2Response::write_temp(time, &client_challenge, &vector.bytes("target_info_sent")?);
    let proof = owf::ResponseKeyNt::new(&ntowf).nt_proof_str(&challenge.server_challenge, &temp);
    let session_base_key = owf::ResponseKeyNt::new(&ntowf).session_base_key(&proof);

    let published = vector.expected.get("authenticate").ok_or("expects no `authenticate`")?;
    let published = bytes_of("authenticate", published)?;
    let theirs = Authenticate::parse(&published, true).map_err(explain)?;
    let mut written = Authenticate {
        lm_response: &[0; 24],
        nt_response: &[&proof[..], &temp].concat(),
        domain: &text::to_utf16le(domain),
        user: &text::to_utf16le(user),
        workstation: &text::to_utf16le(vector.text("workstation_str")?),
        encrypted_random_session_key: &[],
        // What both offer, without the server's additions: these flags are nobody's decision.
        flags: theirs.flags,
        version: None,
        mic: None,
        payload_start: 0,
    }
    .write()
    .map_err(explain)?;
    written = laid_out(&written, &["lm", "nt", "domain", "user", "workstation"], 88, &published)?;
    let parts = authenticate::with_zero_mic(&written).ok_or("too short for a MIC")?;
    // That client takes part in no key exchange, so the session key is the base key.
    let mic = keys::mic(&session_base_key, &vector.bytes("negotiate")?, &challenge_message, &parts);
    authenticate::set_mic(&mut written, &mic);
    Ok(Computed::default()
        .hex("nt_proof_str", proof)
        .hex("session_base_key", session_base_key.expose())
        .hex("mic", mic)
        .hex("authenticate", written))
}
