//! Exchanges of old Windows, and what its server sends afterwards.

use std::time::Duration;

use portable_sspi_core::{Password, SecretArray};
use serde_json::{Value, json};

use super::acceptor::{self, Acceptor};
use super::session_security::{context, sealed, signed};
use super::shared_security::MASK;
use super::vector::{Computed, Vector, agree, array_of, explain};
use crate::NegotiateFlags;
use crate::accounts::{Account, MemoryAccounts};
use crate::client;
use crate::config::ServerPolicy;
use crate::crypto::keys::{self, Direction};
use crate::crypto::{owf, owf_v1};
use crate::level::LmCompatibilityLevel;
use crate::session::{NtlmContext, Role};
use crate::wire::authenticate::Authenticate;
use crate::wire::challenge::Challenge;
use crate::wire::response::Response;

pub(super) const KINDS: &[(&str, super::Compute)] = &[("exchange_with_session_security", exchange)];

/// The signatures of extended session security are compared in full.
const FULL_MASK: &str = "ffffffffffffffffffffffffffffffff";

/// An exchange that a server with the most permissive policy accepts, the keys in it, and the server's messages.
fn exchange(vector: &Vector) -> Result<Computed, String> {
    let flags = vector.flags("session_flags")?;
    let messages = [
        vector.optional_bytes("negotiate")?.unwrap_or_default(),
        vector.bytes("challenge")?,
        vector.bytes("authenticate")?,
    ];
    if vector.optional("outbound_sign_key").is_some() {
        return local(vector, flags, &messages);
    }
    let [_, challenge_message, authenticate_message] = &messages;
    let challenge = Challenge::parse(challenge_message).map_err(explain)?;
    let unicode = challenge.flags.contains(NegotiateFlags::UNICODE);
    let message = Authenticate::parse(authenticate_message, unicode).map_err(explain)?;
    let (user, domain) = (vector.text("user_str")?, vector.text("domain_str")?);
    let password = Password::new(vector.text("password_str")?);
    let (nt_hash, account_lm_hash) = (owf::nt_hash(&password), owf_v1::lm_hash(&password));
    // A password that has none counts as one of zeros, on both sides.
    let lm_hash = account_lm_hash.as_ref().map_or(SecretArray::new([0; 16]), SecretArray::duplicate);
    let ntowf_v2 = owf::ntowf_v2(&nt_hash, user, domain);

    let key_exchange_key = if user.is_empty() {
        keys::ANONYMOUS_KEY.duplicate()
    } else {
        let ess = flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY);
        let response = Response::parse(&message, &challenge.server_challenge, ess).map_err(explain)?;
        match response {
            Response::NtlmV2(response) => {
                owf::ResponseKeyNt::new(&ntowf_v2).session_base_key(&response.nt_proof_str)
            }
            Response::NtlmV1 { .. } => {
                kxkey(owf_v1::session_base_key(&nt_hash), flags, &challenge, &message, &lm_hash)
            }
            Response::LmAlone(lm) if is_lmv2(lm, &ntowf_v2, &challenge) => {
                let [proof @ .., _, _, _, _, _, _, _, _] = lm;
                owf::ResponseKeyNt::new(&ntowf_v2).session_base_key(proof)
            }
            Response::LmAlone(_) => {
                let base_key = owf_v1::lm_session_base_key(&owf_v1::lm_session_key(&lm_hash));
                kxkey(base_key, flags, &challenge, &message, &lm_hash)
            }
        }
    };
    let exported = match message.encrypted_random_session_key {
        [] => key_exchange_key.duplicate(),
        key => keys::rc4k(&key_exchange_key, &array_of("key", key)?),
    };
    // Connectionless without extended session security is refused whatever the policy; its keys are checked here alone.
    if !flags.contains(NegotiateFlags::DATAGRAM) {
        let mut accounts = MemoryAccounts::new();
        let account = Account::new(user, domain, nt_hash.duplicate());
        accounts.add_account(match account_lm_hash {
            Some(lm_hash) => account.with_lm_hash(lm_hash),
            None => account,
        });
        let policy = ServerPolicy {
            level: LmCompatibilityLevel::Level0,
            require_mic: false,
            minimum_flags: NegotiateFlags::empty(),
            allow_anonymous: true,
            maximum_challenge_age: Duration::MAX,
            ..ServerPolicy::default()
        };
        let acceptor = Acceptor { accounts, policy, channel_bindings: None, now: acceptor::time(&messages) };
        let established =
            acceptor.verify(&messages).map_err(|error| format!("refused: {}", explain(error)))?;
        agree("exported key", exported.expose(), established.exported_session_key.expose())?;
        if !user.is_empty() && established.negotiated != challenge.flags - idle_key_exchange(flags) {
            return Err("the flags of the session are not those of the CHALLENGE".to_owned());
        }
        let anonymous = established.client_token.is_some_and(|token| token.is_anonymous);
        if anonymous != user.is_empty() {
            return Err("anonymous or not".to_owned());
        }
        if anonymous && established.negotiated.intersects(NegotiateFlags::SIGN | NegotiateFlags::SEAL) {
            return Err("an anonymous session protects messages".to_owned());
        }
    }

    let mut computed = Computed::default()
        .hex("ntowf", nt_hash.expose())
        .hex("lmowf", lm_hash.expose())
        .hex("ntowfv2", ntowf_v2.expose())
        .hex("nt_response", message.nt_response)
        .hex("lm_response", message.lm_response)
        .optional_hex("nt_proof_str", message.nt_response.get(..16))
        .hex("key_exchange_key", key_exchange_key.expose())
        .hex("exported_session_key", exported.expose());
    if user.is_empty() {
        computed = computed.hex("session_base_key", keys::ANONYMOUS_KEY.expose());
    }
    computed = if flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) {
        [("client", Direction::ClientToServer), ("server", Direction::ServerToClient)].into_iter().fold(
            computed,
            |computed, (side, direction)| {
                let seal_key = keys::seal_key(&exported, flags, direction);
                computed
                    .hex(&format!("{side}_sign_key"), keys::sign_key(&exported, direction).expose())
                    .hex(&format!("{side}_seal_key"), seal_key.expose())
            },
        )
    } else {
        computed.hex("seal_key", &*keys::shared_seal_key(&exported, flags))
    };
    server_sends(vector, computed, flags, || context(Role::Server, flags, &exported))
}

/// Whether a response that stands alone is LMv2.
fn is_lmv2(lm_response: &[u8; 24], ntowf_v2: &SecretArray<16>, challenge: &Challenge<'_>) -> bool {
    let [.., n0, n1, n2, n3, n4, n5, n6, n7] = *lm_response;
    let nonce = [n0, n1, n2, n3, n4, n5, n6, n7];
    client::answer::lmv2_response(&owf::ResponseKeyNt::new(ntowf_v2), &challenge.server_challenge, &nonce)
        == lm_response
}

/// KEY_EXCH where nothing is protected.
fn idle_key_exchange(flags: NegotiateFlags) -> NegotiateFlags {
    if flags.intersects(NegotiateFlags::SIGN | NegotiateFlags::SEAL) {
        NegotiateFlags::empty()
    } else {
        NegotiateFlags::KEY_EXCH
    }
}

fn kxkey(
    base_key: SecretArray<16>,
    flags: NegotiateFlags,
    challenge: &Challenge<'_>,
    message: &Authenticate<'_>,
    lm_hash: &SecretArray<16>,
) -> SecretArray<16> {
    keys::key_exchange_key_v1(
        &base_key,
        flags,
        &challenge.server_challenge,
        message.lm_response,
        &owf_v1::lm_session_key(lm_hash),
    )
}

/// A logon to the same host, which the library refuses to take for anything but an anonymous one: how its key arises is
/// not known. The messages that follow can be checked.
fn local(vector: &Vector, flags: NegotiateFlags, messages: &acceptor::Messages) -> Result<Computed, String> {
    let policy = ServerPolicy { minimum_flags: NegotiateFlags::empty(), ..ServerPolicy::default() };
    let acceptor = Acceptor {
        accounts: MemoryAccounts::new(),
        policy,
        channel_bindings: None,
        now: acceptor::time(messages),
    };
    match acceptor.verify(messages) {
        Err(error) => agree("refused", explain(error), "anonymous logon is not allowed")?,
        Ok(_) => return Err("an empty AUTHENTICATE was accepted".to_owned()),
    }
    let (signing, sealing) = (vector.array("outbound_sign_key")?, vector.array::<16>("outbound_seal_key")?);
    server_sends(vector, Computed::default(), flags, || {
        let mut context = context(Role::Server, flags, &SecretArray::new([0; 16]));
        context.send_with(Some(&signing), &sealing, 0);
        context
    })
}

/// The server's messages. Where a context of this library refuses what old Windows did, one that does it stands in.
fn server_sends(
    vector: &Vector,
    computed: Computed,
    flags: NegotiateFlags,
    start: impl Fn() -> NtlmContext,
) -> Result<Computed, String> {
    let message = vector.bytes("message")?;
    let datagram = flags.contains(NegotiateFlags::DATAGRAM);
    let protects = flags.intersects(NegotiateFlags::SIGN | NegotiateFlags::SEAL);
    let mut server = start();
    let mut stand_in = stand_in(flags, &computed)?;
    let mut operations = Vec::new();
    for operation in vector.input("server_sends")?.as_array().ok_or("`server_sends` is no list")? {
        let mut data = message.clone();
        if datagram {
            // The same keystream for each message: two of them give both away, so this is no mechanism of the library.
            if signed(&mut server, &message).is_ok() || sealed(&mut server, &mut data).is_ok() {
                return Err("connectionless messages without extended session security".to_owned());
            }
            stand_in = self::stand_in(flags, &computed)?;
        }
        operations.push(match operation.as_str() {
            Some("sign") => {
                let signer = if datagram { &mut stand_in } else { &mut server };
                json!({ "op": "sign", "signature": hex::encode(signed(signer, &message)?) })
            }
            Some("seal") => {
                if !protects && sealed(&mut server, &mut data).is_ok() {
                    return Err("it encrypts, which was not negotiated".to_owned());
                }
                let sealer = if datagram || !protects { &mut stand_in } else { &mut server };
                let mut signature = sealed(sealer, &mut data)?;
                if datagram {
                    // Started anew for the signature as well.
                    signature = signed(&mut self::stand_in(flags, &computed)?, &message)?;
                }
                json!({
                    "op": "seal",
                    "ciphertext": hex::encode(data),
                    "signature": hex::encode(signature),
                })
            }
            other => return Err(format!("unknown operation {other:?}")),
        });
    }
    let mask = if flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) { FULL_MASK } else { MASK };
    Ok(computed.value("operations", Value::Array(operations)).value("signature_compare_mask", mask))
}

/// A context in connection mode that signs and seals with the key of a session without extended session security.
fn stand_in(flags: NegotiateFlags, computed: &Computed) -> Result<NtlmContext, String> {
    let zero = SecretArray::new([0; 16]);
    let mut context = context(Role::Server, NegotiateFlags::SIGN | NegotiateFlags::SEAL, &zero);
    if !flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) {
        let key = computed.get("seal_key").ok_or("no sealing key")?;
        context.send_with(None, &super::vector::bytes_of("seal_key", key)?, 0);
    }
    Ok(context)
}
