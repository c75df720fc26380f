//! Message protection without extended session security, connectionless, and none at all.

use portable_sspi_core::{SecretArray, SecurityBuffer, SecurityContext};
use serde_json::{Value, json};

use super::session_security::{context, sealed, signed, verified};
use super::vector::{Computed, Vector, agree, bytes_of, explain};
use crate::NegotiateFlags;
use crate::crypto::keys::{self, Direction};
use crate::crypto::rc4::Rc4;
use crate::session::{NtlmContext, Role};

pub(super) const KINDS: &[(&str, super::Compute)] = &[
    ("crc32", crc32),
    ("seal_v1", seal),
    ("seal_v1_key", seal_with_key),
    ("mac_v1", sign_with_key),
    ("dummy_signature", dummy),
    ("datagram_seal_ess", datagram),
];

/// RandomPad is not compared: a sender may put anything there, and this library puts zeros.
pub(super) const MASK: &str = "ffffffff00000000ffffffffffffffff";

/// The crate's checksum of a message, which only a signature shows: under a keystream, taken off it again.
fn checksum(message: &[u8]) -> Result<[u8; 4], String> {
    let mut context = context(Role::Client, NegotiateFlags::SIGN, &SecretArray::new([0; 16]));
    let [.., c0, c1, c2, c3, _, _, _, _] = signed(&mut context, message)?;
    let mut pad_and_checksum = [0, 0, 0, 0, c0, c1, c2, c3];
    Rc4::new(&[0; 16]).apply(&mut pad_and_checksum);
    let [_, _, _, _, checksum @ ..] = pad_and_checksum;
    Ok(checksum)
}

// MS-NLMP:3.4.4.1-checksum
fn crc32(vector: &Vector) -> Result<Computed, String> {
    Ok(Computed::default().hex("crc32_le", checksum(&vector.bytes("message")?)?))
}

/// What a signature is made of, given the key and how much of the keystream the data took.
// MS-NLMP:3.4.4.1-pad
fn parts(key: &[u8], before: usize, pad: [u8; 4], message: &[u8]) -> Result<([u8; 4], [u8; 12]), String> {
    let checksum = checksum(message)?;
    let mut keystream = Rc4::new(key);
    keystream.apply(&mut vec![0; before]);
    let mut parts = [0; 12];
    parts[..4].copy_from_slice(&pad);
    parts[4..8].copy_from_slice(&checksum);
    keystream.apply(&mut parts);
    Ok((checksum, parts))
}

// MS-NLMP:2.2.2.9.1-layout
fn seal(vector: &Vector) -> Result<Computed, String> {
    let pad = vector.array("random_pad")?;
    let (flags, exported) = (vector.flags("negotiate_flags")?, vector.secret("exported_session_key")?);
    let number = number(vector)?;
    let start = |role| {
        let mut context = context(role, flags, &exported);
        context.count_from(number);
        context
    };
    let plaintext = vector.bytes("plaintext")?;
    let mut data = plaintext.clone();
    let signature = sealed(&mut start(Role::Client), &mut data)?;

    let key = keys::shared_seal_key(&exported, flags);
    let (crc, parts) = parts(&key, plaintext.len(), pad, &plaintext)?;
    let as_printed = [&signature[..4], &parts[..4], &signature[8..]].concat();
    // Windows puts a counter where others put zeros, and the text prints what neither does.
    for received in [&signature[..], &as_printed] {
        let (mut token, mut opened) = (received.to_vec(), data.clone());
        let mut receiver = start(Role::Server);
        receiver
            .decrypt(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut opened)])
            .map_err(|error| format!("the peer cannot decrypt: {error}"))?;
        agree("decrypted", &opened, &plaintext)?;
    }
    Ok(Computed::default()
        .hex("seal_key", &*key)
        .hex("ciphertext", data)
        .hex("crc32_le", crc)
        .hex("rc4_random_pad", &parts[..4])
        .hex("rc4_checksum", &parts[4..8])
        .hex("rc4_zero", &parts[8..])
        .hex("seq_num_field", &signature[12..])
        .hex("signature_3_4_4_1", signature)
        .hex("signature_as_printed_in_4_2_2_4", as_printed)
        .value("signature_compare_mask", MASK))
}

fn number(vector: &Vector) -> Result<u32, String> {
    u32::try_from(vector.number("seq_num")?).map_err(|error| error.to_string())
}

/// A context that goes on with the vector's key and number.
fn with_key(vector: &Vector) -> Result<(NtlmContext, Vec<u8>), String> {
    let flags = NegotiateFlags::SIGN | NegotiateFlags::SEAL;
    let mut context = context(Role::Client, flags, &SecretArray::new([0; 16]));
    let key = vector.bytes("rc4_key")?;
    context.send_with(None, &key, number(vector)?);
    Ok((context, key))
}

// MS-NLMP:3.4.5.3-lm-key
fn seal_with_key(vector: &Vector) -> Result<Computed, String> {
    let (mut context, key) = with_key(vector)?;
    let plaintext = vector.bytes("plaintext")?;
    let mut data = plaintext.clone();
    let signature = sealed(&mut context, &mut data)?;
    Ok(Computed::default()
        .hex("ciphertext", data)
        .hex("rc4_of_pad_crc_zero", parts(&key, plaintext.len(), vector.array("random_pad")?, &plaintext)?.1)
        .hex("signature", signature)
        .value("signature_compare_mask", MASK))
}

fn sign_with_key(vector: &Vector) -> Result<Computed, String> {
    let (mut context, key) = with_key(vector)?;
    let message = vector.bytes("message")?;
    let signature = signed(&mut context, &message)?;
    let (crc, parts) = parts(&key, 0, vector.array("random_pad")?, &message)?;
    Ok(Computed::default()
        .hex("crc32_le", crc)
        .hex("rc4_of_pad_crc_zero", parts)
        .hex("signature", signature)
        .value("signature_compare_mask", MASK))
}

fn dummy(vector: &Vector) -> Result<Computed, String> {
    let message = vector.bytes("message")?;
    let mut context = context(Role::Client, vector.flags("negotiate_flags")?, &SecretArray::new([0x55; 16]));
    let signature = signed(&mut context, &message)?;
    verified(&mut context, &message, &signature)?;
    agree("signature of the next message", signed(&mut context, b"another")?, signature)?;
    Ok(Computed::default().hex("signature", signature))
}

/// The messages, in the order in which they stand; their numbers stand next to what is expected of them.
fn datagram(vector: &Vector) -> Result<Computed, String> {
    let flags = vector.flags("negotiate_flags")?;
    let exported = vector.secret("exported_session_key")?;
    let direction = super::keys::direction(vector, "is_client")?;
    let (sender, receiver) = match direction {
        Direction::ClientToServer => (Role::Client, Role::Server),
        Direction::ServerToClient => (Role::Server, Role::Client),
    };
    let (mut sender, mut receiver) = (context(sender, flags, &exported), context(receiver, flags, &exported));
    let plaintext = vector.bytes("plaintext")?;
    let messages =
        vector.expected.get("messages").and_then(Value::as_array).ok_or("expects no `messages`")?;
    let mut computed = Vec::new();
    for message in messages {
        let number = message.get("seq_num").and_then(Value::as_u64).ok_or("a message lacks `seq_num`")?;
        let number = u32::try_from(number).map_err(|error| error.to_string())?;
        let mut data = plaintext.clone();
        sender.set_message_seq_no(number);
        let signature = sealed(&mut sender, &mut data)?;
        let key = keys::datagram_seal_key(&keys::seal_key(&exported, flags, direction), number);
        computed.push(json!({
            "seq_num": number,
            "sealing_key_prime": hex::encode(key.expose()),
            "ciphertext": hex::encode(&data),
            "signature": hex::encode(signature),
        }));
        receiver.set_message_seq_no(number);
        let mut token = signature;
        let buffers = &mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)];
        receiver.decrypt(buffers).map_err(explain)?;
        agree("decrypted", &data, &plaintext)?;
    }
    Ok(Computed::default().value("messages", computed))
}

/// Both sides' messages in their order, without extended session security.
pub(super) fn stream(vector: &Vector) -> Result<Computed, String> {
    let (flags, exported) = (vector.flags("negotiate_flags")?, vector.secret("exported_session_key")?);
    let (mut client, mut server) =
        (context(Role::Client, flags, &exported), context(Role::Server, flags, &exported));
    let operations =
        vector.expected.get("operations").and_then(Value::as_array).ok_or("expects no `operations`")?;
    let mut computed = Vec::new();
    for (number, operation) in operations.iter().enumerate() {
        let get = |key| operation.get(key).ok_or_else(|| format!("an operation lacks `{key}`"));
        let mut data = bytes_of("plaintext", get("plaintext")?)?;
        let mut done = json!({ "plaintext": hex::encode(&data), "seq_num": number });
        let (name, sender, receiver) = match get("sender")?.as_str() {
            Some("client") => ("client", &mut client, &mut server),
            Some("server") => ("server", &mut server, &mut client),
            other => return Err(format!("unknown sender {other:?}")),
        };
        done["sender"] = name.into();
        let signature = match get("op")?.as_str() {
            Some("sign") => {
                let signature = signed(sender, &data)?;
                verified(receiver, &data, &signature)?;
                done["op"] = "sign".into();
                signature
            }
            Some("seal") => {
                let signature = sealed(sender, &mut data)?;
                done["ciphertext"] = hex::encode(&data).into();
                done["op"] = "seal".into();
                let mut token = signature;
                let buffers = &mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut data)];
                receiver.decrypt(buffers).map_err(explain)?;
                signature
            }
            other => return Err(format!("unknown operation {other:?}")),
        };
        done["signature"] = hex::encode(signature).into();
        computed.push(done);
    }
    Ok(Computed::default().value("operations", computed).value("signature_compare_mask", MASK))
}
