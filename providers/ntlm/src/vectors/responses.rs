//! One-way functions and responses of NTLMv2.

use portable_sspi_core::{FileTime, Password};

use super::vector::{Computed, Vector, agree, explain};
use crate::client;
use crate::crypto::owf;
use crate::wire::nt_response::NtlmV2Response;

pub(super) const KINDS: &[(&str, super::Compute)] = &[
    ("ntowfv1", ntowfv1),
    ("ntowfv2", ntowfv2),
    ("ntlmv2_temp", ntlmv2_temp),
    ("lmv2_response", lmv2_response),
    ("ntlmv2_response", ntlmv2_response),
];

// MS-NLMP:3.3.1-ntowf
fn ntowfv1(vector: &Vector) -> Result<Computed, String> {
    let nt_hash = owf::nt_hash(&Password::new(vector.text("password_str")?));
    Ok(Computed::default().hex("ntowf", nt_hash.expose()))
}

fn ntowfv2(vector: &Vector) -> Result<Computed, String> {
    let nt_hash = vector.secret("ntowf")?;
    if let Some(password) = vector.optional_text("password_str")? {
        agree("NT hash of the password", owf::nt_hash(&Password::new(password)).expose(), nt_hash.expose())?;
    }
    let (user, domain) = (vector.text("user_str")?, vector.text("domain_str")?);
    // A server takes a name in upper case by either table.
    let ntowfs: Vec<_> = owf::case_tables(user)
        .map(|table| hex::encode(owf::NtHashKey::new(&nt_hash).ntowf_v2(table, user, domain).expose()))
        .collect();
    let is_expected =
        |ntowf: &&String| vector.expected.get("ntowfv2").is_some_and(|value| value == ntowf.as_str());
    let ntowf = ntowfs.iter().find(is_expected).unwrap_or(&ntowfs[0]);
    Ok(Computed::default().value("ntowfv2", ntowf.as_str()))
}

/// `temp` from its parts.
fn temp(vector: &Vector) -> Result<Vec<u8>, String> {
    let time = FileTime(u64::from_le_bytes(vector.array("time")?));
    Ok(NtlmV2Response::write_temp(time, &vector.array("client_challenge")?, &vector.bytes("target_info")?))
}

// MS-NLMP:3.3.2-temp
fn ntlmv2_temp(vector: &Vector) -> Result<Computed, String> {
    let temp = temp(vector)?;
    // What is written must also be read: with any proof before it, it is a response.
    let response = [&[0; 16], temp.as_slice()].concat();
    agree("temp read again", NtlmV2Response::parse(&response).map_err(explain)?.temp, &temp)?;
    Ok(Computed::default().hex("temp", temp))
}

// MS-NLMP:3.3.2-lmv2
fn lmv2_response(vector: &Vector) -> Result<Computed, String> {
    let ntowf = vector.secret("ntowfv2")?;
    let response = client::answer::lmv2_response(
        &owf::ResponseKeyNt::new(&ntowf),
        &vector.array("server_challenge")?,
        &vector.array("client_challenge")?,
    );
    Ok(Computed::default().hex("lm_response", response))
}

// MS-NLMP:3.3.2-proof
fn ntlmv2_response(vector: &Vector) -> Result<Computed, String> {
    let given = vector.bytes("temp")?;
    if vector.optional("time").is_some() {
        agree("temp", temp(vector)?, &given)?;
    }
    let proof = owf::ResponseKeyNt::new(&vector.secret("ntowfv2")?)
        .nt_proof_str(&vector.array("server_challenge")?, &given);
    Ok(Computed::default().hex("nt_proof_str", proof).hex("nt_response", [&proof[..], &given].concat()))
}
