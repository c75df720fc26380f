//! Text on the wire: UTF-16LE, counted, without terminator, [MS-NLMP] 2.2.

use portable_sspi_core::{MalformedToken, Misuse, Problem};

/// `text` as UTF-16LE bytes.
pub(crate) fn to_utf16le(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 2);
    append_utf16le(&mut bytes, text);
    bytes
}

/// Appends `text` as UTF-16LE bytes.
pub(crate) fn append_utf16le(to: &mut Vec<u8>, text: &str) {
    // MS-NLMP:2.2-text
    for unit in text.encode_utf16() {
        to.extend_from_slice(&unit.to_le_bytes());
    }
}

/// Text from UTF-16LE bytes. Refuses an odd length and unpaired surrogates: a name that cannot be compared, shown or
/// stored is of no use to anyone but an attacker.
pub(crate) fn from_utf16le(what: &'static str, bytes: &[u8]) -> Result<String, MalformedToken> {
    even(what, bytes)?;
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    });
    // Enough for ASCII, which most names are.
    let mut text = String::with_capacity(bytes.len() / 2);
    for letter in char::decode_utf16(units) {
        text.push(letter.map_err(|_| MalformedToken::new(what, Problem::NotText))?);
    }
    Ok(text)
}

/// Refuses an odd number of bytes, [MS-NLMP] 2.2.1.3.
pub(crate) fn even(what: &'static str, bytes: &[u8]) -> Result<(), MalformedToken> {
    if bytes.len() % 2 == 0 {
        Ok(())
    } else {
        Err(MalformedToken::new(what, Problem::OddLength { length: bytes.len() }))
    }
}

/// `text` in the OEM character set. The code page is agreed out of band, [MS-NLMP] 2.2; what all of them share is ASCII,
/// and nothing else is written.
pub(crate) fn to_oem(what: &'static str, text: &str) -> Result<Vec<u8>, Misuse> {
    if text.is_ascii() {
        Ok(text.as_bytes().to_vec())
    } else {
        Err(Misuse::BadOption { option: what, problem: "not ASCII, and the peer takes no Unicode" })
    }
}

/// Text from bytes in the OEM character set. Bytes beyond ASCII mean different letters on different hosts, and a user
/// name that is guessed at is refused instead.
pub(crate) fn from_oem(what: &'static str, bytes: &[u8]) -> Result<String, MalformedToken> {
    match core::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(MalformedToken::new(what, Problem::NotText)),
    }
}
