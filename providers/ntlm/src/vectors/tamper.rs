//! Vectors that were tampered with must fail: a test that cannot fail proves nothing.

use portable_sspi_core::{DenialReason, Error, MalformedToken, Problem};
use serde_json::Value;

use super::acceptor::{self, Messages};
use super::vector::Vector;
use super::{check, load, scope};

/// The built-in vectors that are run.
fn run() -> Vec<Vector> {
    let vectors = load::built_in().unwrap().vectors;
    vectors
        .into_iter()
        .filter(|vector| !scope::NOT_HERE.iter().any(|entry| entry.keeps_out(vector)))
        .collect()
}

/// A place inside a JSON value: object keys and list indices, from the outside in.
type Path = Vec<String>;

/// All variants of `value` with one leaf altered, or one element of a list left out.
fn altered(value: &Value) -> Vec<(Path, Value)> {
    let mut all = Vec::new();
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                for (mut path, changed) in altered(inner) {
                    path.insert(0, key.clone());
                    let mut map = map.clone();
                    map.insert(key.clone(), changed);
                    all.push((path, Value::Object(map)));
                }
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                for (mut path, changed) in altered(inner) {
                    path.insert(0, index.to_string());
                    let mut list = list.clone();
                    list[index] = changed;
                    all.push((path, Value::Array(list)));
                }
                let mut shorter = list.clone();
                shorter.remove(index);
                all.push((vec![index.to_string(), "left out".to_owned()], Value::Array(shorter)));
            }
        }
        Value::Bool(value) => all.push((Path::new(), Value::Bool(!value))),
        Value::Number(number) => all.push((Path::new(), (number.as_u64().unwrap() ^ 1).into())),
        Value::String(text) => match hex::decode(text) {
            Ok(mut bytes) if !bytes.is_empty() => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1 << (middle % 8);
                all.push((Path::new(), hex::encode(bytes).into()));
            }
            Ok(_) => all.push((Path::new(), "00".into())),
            Err(_) => all.push((Path::new(), format!("{text}x").into())),
        },
        Value::Null => panic!("nothing can be expected of null"),
    }
    all
}

/// Whether a vector stays true when its expectation is altered there.
fn stays_true(vector: &Vector, path: &[String]) -> bool {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    match (vector.kind.as_str(), path.as_slice()) {
        // The start of a true stream of messages is true.
        ("session_stream", ["operations", index, "left out"]) => {
            let operations = vector.expected["operations"].as_array().unwrap();
            *index == (operations.len() - 1).to_string()
        }
        // Connectionless messages do not depend on each other.
        ("datagram_seal_ess", ["messages", _, "left out"]) => true,
        // Fewer signatures, or other wrong ones, are rejected just as well.
        ("verify", ["reject", ..] | ["accept", _, "left out"]) => true,
        _ => false,
    }
}

#[test]
fn an_altered_expectation_fails() {
    let mut alterations = 0;
    for vector in run().into_iter().chain(load::independent().unwrap().vectors) {
        for (path, changed) in altered(&Value::Object(vector.expected.clone())) {
            let Value::Object(expected) = changed else { unreachable!() };
            let mut tampered = vector.clone();
            tampered.expected = expected;
            let passes = check(&tampered).is_ok();
            assert_eq!(passes, stays_true(&vector, &path), "{}: {path:?}", vector.name);
            alterations += 1;
        }
    }
    assert!(alterations > 800, "only {alterations} alterations were tried");
}

/// Kinds whose result depends on each bit of each input that is a byte string.
const COMPUTED: [&str; 27] = [
    "channel_bindings",
    "crc32",
    "datagram_seal_ess",
    "des_key_expand",
    "desl",
    "exchange",
    "exchange_client",
    "hmac_md5",
    "key_exchange",
    "lmv2_response",
    "mac_ess",
    "mac_v1",
    "md4",
    "md5",
    "mic_datagram",
    "mic_parts",
    "ntlmv1_ess_response",
    "ntlmv2_response",
    "ntlmv2_temp",
    "ntowfv2",
    "rc4_keystream",
    "seal_ess",
    "seal_ess_keys",
    "seal_v1",
    "seal_v1_key",
    "session_base_key_v1",
    "session_base_key_v2",
];

/// Those whose result does so but for what [`does_not_matter`] names.
const COMPUTED_IN_PART: [&str; 8] = [
    "des_ecb",
    "exchange_with_session_security",
    "kxkey",
    "kxkey_and_key_exchange",
    "sealkey",
    "session_stream",
    "signkey",
    "verify",
];

/// Whether that byte of an input may be altered without consequence.
fn does_not_matter(vector: &Vector, input: &str, byte: usize) -> bool {
    use crate::NegotiateFlags as F;

    match (vector.kind.as_str(), input) {
        // Most flags have no part in what is computed; those that have are tried by the vectors themselves.
        (_, "negotiate_flags") => true,
        // A weakened key is made of the first bytes of the exported one.
        ("sealkey", "exported_session_key") => {
            let flags = vector.flags("negotiate_flags").unwrap();
            let whole = if flags.contains(F::EXTENDED_SESSIONSECURITY) {
                flags.contains(F::KEY_128)
            } else {
                !flags.intersects(F::LM_KEY | F::DATAGRAM)
            };
            let weakened = if flags.contains(F::KEY_56) { 7 } else { 5 };
            byte >= if whole { 16 } else { weakened }
        }
        // The bit that is flipped in it is the one that DES does not use.
        ("des_ecb", "key8") => byte == 0,
        // Each row of the table has its own inputs, and takes of what is LM's the start alone.
        ("kxkey" | "kxkey_and_key_exchange", input) => {
            let flags = vector.flags("negotiate_flags").unwrap();
            let lm_key = flags.contains(F::LM_KEY) && !flags.contains(F::EXTENDED_SESSIONSECURITY);
            let ess = flags.contains(F::EXTENDED_SESSIONSECURITY);
            match input {
                "lm_response" => byte >= 8 || !(ess || lm_key),
                "lmowf" => byte >= 8 || !(lm_key || flags.contains(F::REQUEST_NON_NT_SESSION_KEY)),
                "server_challenge" => !ess,
                "session_base_key" => {
                    !ess && (lm_key || flags.contains(F::REQUEST_NON_NT_SESSION_KEY))
                        && !vector.inputs.contains_key("password_str")
                }
                _ => false,
            }
        }
        // No MIC protects these.
        ("exchange_with_session_security", "negotiate" | "challenge" | "authenticate" | "session_flags") => {
            true
        }
        // Without a MIC, the NEGOTIATE and all of the other two that the response does not repeat is unprotected: that
        // is what the MIC is for.
        ("exchange", "negotiate" | "challenge" | "authenticate") => !vector.expected.contains_key("mic"),
        _ => false,
    }
}

#[test]
fn an_altered_input_fails() {
    let mut alterations = 0;
    let vectors = run();
    for vector in vectors.iter().filter(|vector| {
        COMPUTED.contains(&vector.kind.as_str()) || COMPUTED_IN_PART.contains(&vector.kind.as_str())
    }) {
        for (input, value) in &vector.inputs {
            let Some(bytes) = value.as_str().filter(|_| !input.ends_with("_str")).map(hex::decode) else {
                continue;
            };
            let bytes = bytes.unwrap();
            // Every byte of what is short, one in some of what is long, and always the last.
            let step = bytes.len() / 128 + 1;
            for byte in (0..bytes.len()).step_by(step).chain(bytes.len().checked_sub(1)) {
                if does_not_matter(vector, input, byte) {
                    continue;
                }
                let mut changed = bytes.clone();
                changed[byte] ^= 1 << (byte % 8);
                let mut tampered = vector.clone();
                tampered.inputs.insert(input.clone(), hex::encode(changed).into());
                assert!(check(&tampered).is_err(), "{}: byte {byte} of {input}", vector.name);
                alterations += 1;
            }
        }
    }
    assert!(alterations > 2500, "only {alterations} alterations were tried");
    for kind in COMPUTED.iter().chain(&COMPUTED_IN_PART) {
        assert!(vectors.iter().any(|vector| vector.kind == *kind), "there is no vector of the kind {kind}");
    }
}

/// The exchanges under a MIC that a server must accept: for each, the server and the three messages.
fn accepted() -> Vec<(String, acceptor::Acceptor, Messages)> {
    let accepted: Vec<_> = run()
        .iter()
        .filter(|vector| vector.expected.get("verdict").and_then(Value::as_str) == Some("accept"))
        .filter(|vector| !admits_v1(vector))
        .map(|vector| {
            let (acceptor, messages) = acceptor::setup(vector).unwrap();
            assert!(acceptor.verify(&messages).is_ok(), "{}", vector.name);
            (vector.name.clone(), acceptor, messages)
        })
        .collect();
    assert!(accepted.len() >= 4, "{} accepted", accepted.len());
    accepted
}

fn admits_v1(vector: &Vector) -> bool {
    vector.inputs.get("server_policy").and_then(|policy| policy.get("min_level")) == Some(&"v1".into())
}

/// NTLMv1 protects its response and both challenges, and nothing else of the messages.
#[test]
fn an_accepted_ntlmv1_exchange_is_refused_with_any_byte_of_its_proof_altered() {
    let vectors = run();
    let accepted = |vector: &&Vector| vector.expected["verdict"] == "accept";
    let mut of_v1 = vectors.iter().filter(|vector| vector.kind == "acceptor_verdict" && admits_v1(vector));
    let vector = of_v1.find(accepted).unwrap();
    let (acceptor, messages) = acceptor::setup(vector).unwrap();
    assert!(acceptor.verify(&messages).is_ok());
    let place = |field: usize| u32::from_le_bytes(messages[2][field + 4..field + 8].try_into().unwrap());
    let (lm, nt) = (place(12) as usize, place(20) as usize);
    let challenge = (24..32).map(|byte| (1, byte));
    for (index, byte) in challenge.chain((lm..lm + 8).chain(nt..nt + 24).map(|byte| (2, byte))) {
        for change in [0x01, 0x20, 0x80, 0xFF] {
            let mut changed = messages.clone();
            changed[index][byte] ^= change;
            match acceptor.verify(&changed) {
                Err(Error::LogonDenied(denied)) => {
                    assert_eq!(denied.audit_reason(), DenialReason::BadNtResponse);
                }
                other => panic!("byte {byte} of {}: {other:?}", MESSAGES[index]),
            }
        }
    }
}

const MESSAGES: [&str; 3] = ["NEGOTIATE", "CHALLENGE", "AUTHENTICATE"];

#[test]
fn an_accepted_exchange_is_refused_with_any_byte_altered() {
    for (name, acceptor, messages) in accepted() {
        for (index, what) in MESSAGES.iter().enumerate() {
            for byte in 0..messages[index].len() {
                for change in [0x01, 0x20, 0x80, 0xFF] {
                    let mut changed = messages.clone();
                    changed[index][byte] ^= change;
                    assert!(
                        acceptor.verify(&changed).is_err(),
                        "{name}: byte {byte} of {what} ^ {change:#x}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_accepted_exchange_is_refused_cut_at_any_length_or_lengthened() {
    for (name, acceptor, messages) in accepted() {
        for (index, what) in MESSAGES.iter().enumerate() {
            for length in 0..messages[index].len() {
                let mut changed = messages.clone();
                changed[index].truncate(length);
                assert!(acceptor.verify(&changed).is_err(), "{name}: {what} of {length} bytes");
            }
            let mut changed = messages.clone();
            changed[index].push(0);
            assert!(acceptor.verify(&changed).is_err(), "{name}: {what} with a byte more");
        }
    }
}

#[test]
// MS-NLMP:2.2.1-in-bounds
fn a_field_that_points_outside_is_named() {
    let fields = [
        (12, "AUTHENTICATE_MESSAGE LmChallengeResponse"),
        (20, "AUTHENTICATE_MESSAGE NtChallengeResponse"),
        (28, "AUTHENTICATE_MESSAGE DomainName"),
        (36, "AUTHENTICATE_MESSAGE UserName"),
        (44, "AUTHENTICATE_MESSAGE Workstation"),
        (52, "AUTHENTICATE_MESSAGE EncryptedRandomSessionKey"),
    ];
    for (name, acceptor, messages) in accepted() {
        for (field, what) in fields {
            let [_, _, authenticate] = &messages;
            let message_length = authenticate.len();
            let length = u16::from_le_bytes([authenticate[field], authenticate[field + 1]]);
            let one_too_far = u32::try_from(message_length).unwrap() - u32::from(length) + 1;
            for (offset, length) in
                [(one_too_far, length), (u32::MAX, length), (u32::MAX, u16::MAX), (88, u16::MAX)]
            {
                let mut changed = messages.clone();
                changed[2][field..field + 2].copy_from_slice(&length.to_le_bytes());
                changed[2][field + 4..field + 8].copy_from_slice(&offset.to_le_bytes());
                let problem = Problem::FieldOutOfBounds { offset, length, message_length };
                match acceptor.verify(&changed) {
                    Err(Error::Malformed(found)) if found == MalformedToken::new(what, problem) => {}
                    other => panic!("{name}: {what} at {offset}, {length} bytes: {other:?}"),
                }
            }
        }
    }
}
