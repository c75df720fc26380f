//! DES, LM and NTLMv1: their functions, responses and keys.

use des::cipher::{BlockCipherEncrypt, KeyInit};
use portable_sspi_core::{Password, SecretArray};

use super::vector::{Computed, Vector, agree};
use crate::crypto::des::{des, desl, expand};
use crate::crypto::hmac_md5::md5;
use crate::crypto::{keys, owf, owf_v1};

pub(super) const KINDS: &[(&str, super::Compute)] = &[
    ("des_key_expand", des_key_expand),
    ("des_ecb", des_ecb),
    ("lmowfv1", lmowfv1),
    ("desl", desl_kind),
    ("ntlmv1_ess_response", ess_response),
    ("session_base_key_v1", session_base_key),
    ("kxkey", key_exchange_key),
    ("kxkey_and_key_exchange", key_exchange),
];

fn des_key_expand(vector: &Vector) -> Result<Computed, String> {
    let expanded = expand(&SecretArray::new(vector.array("key7")?));
    Ok(Computed::default()
        .hex("key8_odd_parity", expanded.expose())
        .hex("key8_no_parity", expanded.expose().map(|byte| byte & 0xFE)))
}

/// The crate's DES takes keys of seven bytes; one of eight goes to it without its parity.
fn des_ecb(vector: &Vector) -> Result<Computed, String> {
    let key8: [u8; 8] = vector.array("key8")?;
    let bits = key8.iter().fold(0u64, |bits, byte| (bits << 7) | u64::from(byte >> 1));
    let [_, key7 @ ..] = bits.to_be_bytes();
    let block = vector.array("block")?;
    let ciphertext = des(&SecretArray::new(key7), &block);
    let mut reference = block.into();
    des::Des::new(&key8.into()).encrypt_block(&mut reference);
    agree("with the key as it stands", ciphertext, reference)?;
    Ok(Computed::default().hex("ciphertext", ciphertext))
}

// MS-NLMP:3.3.1-lmowf
fn lmowfv1(vector: &Vector) -> Result<Computed, String> {
    let hash = owf_v1::lm_hash(&Password::new(vector.text("password_str")?)).ok_or("no LM hash")?;
    let (half1, half2) = hash.expose().split_at(8);
    Ok(Computed::default().hex("lmowf", hash.expose()).hex("half1", half1).hex("half2", half2))
}

// MS-NLMP:3.3.1-response
fn desl_kind(vector: &Vector) -> Result<Computed, String> {
    let key = vector.secret("key")?;
    if let Some(password) = vector.optional_text("password_str")? {
        let hash = owf_v1::lm_hash(&Password::new(password)).ok_or("no LM hash")?;
        agree("LM hash of the password", hash.expose(), key.expose())?;
    }
    Ok(Computed::default().hex("response", desl(&key, &vector.array("data")?)))
}

// MS-NLMP:3.2.5.1.2-ess-challenge
fn ess_response(vector: &Vector) -> Result<Computed, String> {
    let (server, client): ([u8; 8], [u8; 8]) =
        (vector.array("server_challenge")?, vector.array("client_challenge")?);
    let challenge = owf_v1::ess_challenge(&server, &client);
    Ok(Computed::default()
        .hex("md5_sc_cc", md5([&server[..], &client]))
        .hex("lm_response", [&client[..], &[0; 16]].concat())
        .hex("nt_response", owf_v1::response(&vector.secret("ntowf")?, &challenge)))
}

// MS-NLMP:3.3.1-session-base-key
fn session_base_key(vector: &Vector) -> Result<Computed, String> {
    let key = owf_v1::session_base_key(&vector.secret("ntowf")?);
    Ok(Computed::default().hex("session_base_key", key.expose()))
}

// MS-NLMP:3.4.5.1-ess
fn key_exchange_key(vector: &Vector) -> Result<Computed, String> {
    if let Some(password) = vector.optional_text("password_str")? {
        let nt_hash = owf::nt_hash(&Password::new(password));
        agree("NT hash", nt_hash.expose(), vector.bytes("ntowf")?)?;
        let base_key = owf_v1::session_base_key(&nt_hash);
        agree("session base key", base_key.expose(), vector.bytes("session_base_key")?)?;
    }
    Ok(Computed::default().hex("key_exchange_key", kxkey(vector)?.expose()))
}

// MS-NLMP:3.4.5.1-lm-key
fn kxkey(vector: &Vector) -> Result<SecretArray<16>, String> {
    Ok(keys::key_exchange_key_v1(
        &vector.secret("session_base_key")?,
        vector.flags("negotiate_flags")?,
        &vector.array("server_challenge")?,
        &vector.bytes("lm_response")?,
        &owf_v1::lm_session_key(&vector.secret("lmowf")?),
    ))
}

// MS-NLMP:3.4.5.1-non-nt
fn key_exchange(vector: &Vector) -> Result<Computed, String> {
    let key = kxkey(vector)?;
    let encrypted = keys::rc4k(&key, &vector.array("exported_session_key")?);
    Ok(Computed::default()
        .hex("key_exchange_key", key.expose())
        .hex("encrypted_random_session_key", encrypted.expose()))
}
