//! Signing and sealing by established contexts.

use portable_sspi_core::{
    AscRet, ContextFlags, FileTime, IscRet, SecretArray, SecurityBuffer, SecurityContext,
};
use serde_json::{Value, json};

use super::vector::{Computed, Vector, array_of, bytes_of, explain};
use crate::NegotiateFlags;
use crate::crypto::hmac_md5::HmacMd5Key;
use crate::crypto::keys::{self, Direction};
use crate::session::{Established, NtlmContext, Role};

pub(super) const KINDS: &[(&str, super::Compute)] = &[
    ("seal_ess", seal),
    ("seal_ess_keys", seal_with_keys),
    ("mac_ess", sign),
    ("session_stream", stream),
    ("verify", verify),
];

/// The context of one side, right after the handshake.
pub(super) fn context(role: Role, negotiated: NegotiateFlags, exported: &SecretArray<16>) -> NtlmContext {
    NtlmContext::new(Established {
        role,
        negotiated,
        exported_session_key: exported.duplicate(),
        flags: match role {
            Role::Client => ContextFlags::Initiator(IscRet::empty()),
            Role::Server => ContextFlags::Acceptor(AscRet::empty()),
        },
        client_name: "User".to_owned(),
        target: None,
        client_token: None,
        channel_bindings: None,
        start: FileTime(0),
        expiry: FileTime::NEVER,
    })
}

/// The signature and, in place of `data`, the ciphertext.
pub(super) fn sealed(context: &mut NtlmContext, data: &mut [u8]) -> Result<[u8; 16], String> {
    let mut token = [0; 16];
    context.encrypt(&mut [SecurityBuffer::data(data), SecurityBuffer::token(&mut token)]).map_err(explain)?;
    Ok(token)
}

pub(super) fn signed(context: &mut NtlmContext, data: &[u8]) -> Result<[u8; 16], String> {
    let mut token = [0; 16];
    let buffers = &mut [SecurityBuffer::readonly_with_checksum(data), SecurityBuffer::token(&mut token)];
    context.make_signature(buffers).map_err(explain)?;
    Ok(token)
}

/// What a vector's context is made of.
struct Setup {
    flags: NegotiateFlags,
    exported: SecretArray<16>,
    direction: Direction,
    /// The number of the message.
    number: u32,
}

impl Setup {
    /// Where `number` is no input, the first message's.
    fn of(vector: &Vector, is_client: &str, number: &str) -> Result<Self, String> {
        let number = if vector.optional(number).is_some() { vector.number(number)? } else { 0 };
        Ok(Self {
            flags: vector.flags("negotiate_flags")?,
            exported: vector.secret("exported_session_key")?,
            direction: super::keys::direction(vector, is_client)?,
            number: u32::try_from(number).map_err(|error| error.to_string())?,
        })
    }

    fn sender(&self) -> NtlmContext {
        let role = match self.direction {
            Direction::ClientToServer => Role::Client,
            Direction::ServerToClient => Role::Server,
        };
        self.start(role)
    }

    fn receiver(&self) -> NtlmContext {
        let role = match self.direction {
            Direction::ClientToServer => Role::Server,
            Direction::ServerToClient => Role::Client,
        };
        self.start(role)
    }

    /// The messages before that number were protected by other keys: the keystream is at its start.
    fn start(&self, role: Role) -> NtlmContext {
        let mut context = context(role, self.flags, &self.exported);
        context.count_from(self.number);
        context
    }

    /// Both keys, and how much of the exported key the sealing key is made of.
    fn keys(&self) -> Computed {
        let seal_key = keys::seal_key(&self.exported, self.flags, self.direction);
        let weakened = [5, 7, 16].into_iter().find_map(|length| {
            let mut start = [0; 16];
            start[..length].copy_from_slice(&self.exported.expose()[..length]);
            let same = keys::seal_key(&SecretArray::new(start), self.flags, self.direction).ct_eq(&seal_key);
            same.then(|| start[..length].to_vec())
        });
        Computed::default()
            .hex("seal_key", seal_key.expose())
            .hex("sign_key", keys::sign_key(&self.exported, self.direction).expose())
            .optional_hex("weakened_key", weakened)
    }

    /// The checksum before it is cut and encrypted.
    fn hmac(&self, message: &[u8]) -> [u8; 16] {
        let key = keys::sign_key(&self.exported, self.direction);
        HmacMd5Key::new(key.expose()).mac([&self.number.to_le_bytes(), message])
    }
}

// MS-NLMP:3.4.4.2-encrypted-checksum
fn seal(vector: &Vector) -> Result<Computed, String> {
    let setup = Setup::of(vector, "is_client", "seq_num")?;
    let plaintext = vector.bytes("plaintext")?;
    let mut data = plaintext.clone();
    let signature = sealed(&mut setup.sender(), &mut data)?;

    let mut opened = data.clone();
    let mut token = signature;
    setup
        .receiver()
        .decrypt(&mut [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut opened)])
        .map_err(|error| format!("the peer cannot decrypt: {error}"))?;
    super::vector::agree("decrypted", &opened, &plaintext)?;
    Ok(setup
        .keys()
        .hex("ciphertext", data)
        .hex("signature", signature)
        .hex("hmac8", &setup.hmac(&plaintext)[..8]))
}

// MS-NLMP:3.4.4.2-checksum
fn sign(vector: &Vector) -> Result<Computed, String> {
    let setup = Setup::of(vector, "is_client", "seq_num")?;
    let message = vector.bytes("message")?;
    let signature = signed(&mut setup.sender(), &message)?;
    verified(&mut setup.receiver(), &message, &signature)?;
    Ok(setup.keys().hex("signature", signature).hex("hmac", setup.hmac(&message)))
}

/// Given signing and sealing keys and a sequence number, at the start of the keystream.
fn seal_with_keys(vector: &Vector) -> Result<Computed, String> {
    let (seal_key, sign_key) = (vector.array::<16>("seal_key")?, vector.array("sign_key")?);
    let number = u32::try_from(vector.number("seq_num")?).map_err(|error| error.to_string())?;
    let plaintext = vector.bytes("plaintext")?;
    let sealed_with = |flags: NegotiateFlags| {
        let flags = flags
            | NegotiateFlags::EXTENDED_SESSIONSECURITY
            | NegotiateFlags::SIGN
            | NegotiateFlags::SEAL
            | NegotiateFlags::KEY_128;
        let mut context = context(Role::Client, flags, &SecretArray::new([0; 16]));
        context.send_with(Some(&sign_key), &seal_key, number);
        let mut data = plaintext.clone();
        let signature = sealed(&mut context, &mut data)?;
        Ok::<_, String>((data, signature))
    };
    let (ciphertext, with_key_exchange) = sealed_with(NegotiateFlags::KEY_EXCH)?;
    let (same, without) = sealed_with(NegotiateFlags::empty())?;
    super::vector::agree("ciphertext with and without KEY_EXCH", &ciphertext, same)?;
    Ok(Computed::default()
        .hex("ciphertext", ciphertext)
        .hex("signature_key_exch", with_key_exchange)
        .hex("signature_no_key_exch", without))
}

/// One side's messages in their order. What to do stands next to what is expected of it.
fn stream(vector: &Vector) -> Result<Computed, String> {
    if !vector.flags("negotiate_flags")?.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) {
        return super::shared_security::stream(vector);
    }
    let setup = Setup::of(vector, "is_client", "seq_num")?;
    let (mut sender, mut receiver) = (setup.sender(), setup.receiver());
    let operations =
        vector.expected.get("operations").and_then(Value::as_array).ok_or("expects no `operations`")?;
    let mut computed = Vec::new();
    for operation in operations {
        let get = |key| operation.get(key).ok_or_else(|| format!("an operation lacks `{key}`"));
        let mut data = bytes_of("plaintext", get("plaintext")?)?;
        let mut done = json!({ "plaintext": hex::encode(&data) });
        let signature = match get("op")?.as_str() {
            Some("sign") => {
                let signature = signed(&mut sender, &data)?;
                verified(&mut receiver, &data, &signature)?;
                done["op"] = "sign".into();
                signature
            }
            Some("seal") => {
                let signature = sealed(&mut sender, &mut data)?;
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
        done["seq_num"] = u32::from_le_bytes(array_of("number", &signature[12..])?).into();
        computed.push(done);
    }
    Ok(Computed::default().value("operations", computed))
}

pub(super) fn verified(context: &mut NtlmContext, message: &[u8], signature: &[u8]) -> Result<(), String> {
    let mut token = signature.to_vec();
    let buffers = &mut [SecurityBuffer::readonly_with_checksum(message), SecurityBuffer::token(&mut token)];
    context.verify_signature(buffers).map_err(explain)
}

/// Signatures to be accepted and to be rejected, which stand under what is expected. After a rejected one the genuine one
/// must still be accepted.
fn verify(vector: &Vector) -> Result<Computed, String> {
    let setup = Setup::of(vector, "sender_is_client", "expected_seq_num")?;
    let message = vector.bytes("message")?;
    let genuine = signed(&mut setup.sender(), &message)?;
    let list = |key| vector.expected.get(key).and_then(Value::as_array).ok_or(format!("expects no `{key}`"));
    let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
    for signature in list("accept")?.iter().chain(list("reject")?) {
        let bytes = bytes_of("signature", signature)?;
        let mut receiver = setup.receiver();
        if verified(&mut receiver, &message, &bytes).is_ok() {
            accepted.push(signature.clone());
        } else {
            verified(&mut receiver, &message, &genuine)
                .map_err(|error| format!("after {signature} the genuine one is refused: {error}"))?;
            rejected.push(signature.clone());
        }
    }
    Ok(Computed::default().value("accept", accepted).value("reject", rejected))
}
