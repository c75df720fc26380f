//! Hashes, RC4, text and time.

use portable_sspi_core::{FileTime, Password};

use super::vector::{Computed, Vector};
use crate::crypto::hmac_md5::{HmacMd5Key, md5};
use crate::crypto::owf;
use crate::crypto::rc4::Rc4;
use crate::crypto::upcase::{self, CaseTable};
use crate::wire::text;

pub(super) const KINDS: &[(&str, super::Compute)] = &[
    ("md4", md4_kind),
    ("md5", md5_kind),
    ("hmac_md5", hmac_md5),
    ("rc4_keystream", rc4_keystream),
    ("filetime", filetime),
    ("utf16_upcase", utf16_upcase),
    ("encoding", encoding),
];

/// The crate's only use of MD4 is the NT hash, which takes UTF-16 units, so an even number of bytes goes through that.
fn md4_kind(vector: &Vector) -> Result<Computed, String> {
    use md4::Digest;

    let message = vector.bytes("message")?;
    let digest: [u8; 16] = if message.len() % 2 == 0 {
        let units: Vec<_> =
            message.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        *owf::nt_hash(&Password::from_utf16(&units)).expose()
    } else {
        md4::Md4::digest(&message).into()
    };
    Ok(Computed::default().hex("digest", digest))
}

fn md5_kind(vector: &Vector) -> Result<Computed, String> {
    Ok(Computed::default().hex("digest", md5([vector.bytes("message")?.as_slice()])))
}

fn hmac_md5(vector: &Vector) -> Result<Computed, String> {
    let mac = HmacMd5Key::new(&vector.bytes("key")?).mac([vector.bytes("message")?.as_slice()]);
    Ok(Computed::default().hex("mac", mac))
}

fn rc4_keystream(vector: &Vector) -> Result<Computed, String> {
    let places = vector.expected.get("keystream_at").and_then(|value| value.as_object());
    let places = places.ok_or("expects no `keystream_at`")?;
    let key = vector.bytes("key")?;
    let mut computed = serde_json::Map::new();
    for (offset, expected) in places {
        let start: usize = offset.parse().map_err(|_| format!("`{offset}` is no offset"))?;
        let length = expected.as_str().unwrap_or_default().len() / 2;
        let mut stream = vec![0; start + length];
        Rc4::new(&key).apply(&mut stream);
        computed.insert(offset.clone(), hex::encode(&stream[start..]).into());
    }
    Ok(Computed::default().value("keystream_at", computed))
}

fn filetime(vector: &Vector) -> Result<Computed, String> {
    let time = FileTime::from_unix_seconds(vector.number("unix_seconds")?);
    Ok(Computed::default().hex("filetime_le", time.0.to_le_bytes()))
}

/// What Samba does, whose table is that of Windows XP.
fn utf16_upcase(vector: &Vector) -> Result<Computed, String> {
    let upper = |key| {
        let units = upcase::upcase_by(CaseTable::WindowsXp, vector.text(key)?);
        Ok::<_, String>(units.flat_map(u16::to_le_bytes).collect::<Vec<_>>())
    };
    Ok(Computed::default()
        .hex("unchanged_upper_utf16le", upper("unchanged_str")?)
        .hex("changed_upper_utf16le", upper("changed_str")?))
}

/// [MS-NLMP] 4.2.1. Its last four values are constants of the examples, which nothing computes; they are here so that
/// the vectors built on them agree with it.
// MS-NLMP:2.2-text
fn encoding(vector: &Vector) -> Result<Computed, String> {
    let utf16 = |key| vector.text(key).map(text::to_utf16le);
    let oem = |text: &str| text::to_oem("text", text).map_err(|error| error.to_string());
    let mut padded = oem(&upcase::to_upper(vector.text("password_str")?))?;
    padded.resize(14, 0);
    Ok(Computed::default()
        .hex("user", utf16("user_str")?)
        .hex("user_upper", text::to_utf16le(&upcase::to_upper(vector.text("user_str")?)))
        .hex("user_oem", oem(vector.text("user_str")?)?)
        .hex("user_dom", utf16("domain_str")?)
        .hex("passwd", utf16("password_str")?)
        .hex("passwd_upper_oem_padded", padded)
        .hex("server_name", utf16("server_str")?)
        .hex("workstation_name", utf16("workstation_str")?)
        .hex("random_session_key", [0x55; 16])
        .hex("time", FileTime(0).0.to_le_bytes())
        .hex("client_challenge", [0xAA; 8])
        .hex("server_challenge", 0x0123_4567_89AB_CDEF_u64.to_be_bytes()))
}
