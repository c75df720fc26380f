//! The form of an exported context: a header in clear that every release can read, then the sealed state.
//!
//! All integers are little-endian.
//!
//! | offset | size | |
//! |---|---|---|
//! | 0 | 8 | magic `"PSSPICTX"` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 2 | length of the header with its fields, L: 104 or more |
//! | 12 | 4 | flags: 1 = a partial context, 2 = a stream of many contexts |
//! | 16 | 8 | fingerprint of the machine |
//! | 24 | 8 | fingerprint of the machine's start (boot) |
//! | 32 | 8 | fingerprint of the user |
//! | 40 | 8 | id of the host key |
//! | 48 | 8 | id of the claim window's seed |
//! | 56 | 16 | blob id, random |
//! | 72 | 8 | creation, milliseconds of the host's shared clock |
//! | 80 | 8 | expiry, likewise |
//! | 88 | 16 | the package's name, ASCII, padded with zeros; all zeros in a stream, whose contexts name their own |
//! | 104 | L - 104 | fields that not every blob has, see `fields` |
//! | L | n | the state, encrypted |
//! | L+n | 16 | the AEAD's tag over all before it |
//!
//! In a stream, chunks follow the header instead (see `stream`).
//!
//! Magic, version and header length keep their place in every version. The header is the AEAD's associated data: until
//! the tag was checked, its fields only decide *which* refusal is reported, never that a blob is accepted.

use portable_sspi_core::{BlobKind, BlobRefused};

use super::fields::Fields;
use super::options::ExportOptions;

/// The newest format version that this release reads, and the one it writes.
pub(super) const VERSION: u16 = 1;
/// Length of the header in version 1 without further fields, in bytes.
pub(super) const HEADER_LENGTH: usize = 104;
/// Length of the AEAD's tag, in bytes.
pub(super) const TAG_LENGTH: usize = 16;
/// The largest blob that is looked at, in bytes: more than any state of 64 KiB makes.
const MAX_LENGTH: usize = 72 * 1024;
/// The flag of a context whose handshake is under way.
const FLAG_PARTIAL: u32 = 1;
/// The flag of a stream of many contexts.
const FLAG_MANY: u32 = 2;
const MAGIC: [u8; 8] = *b"PSSPICTX";

/// Eight bytes that stand for something larger: enough to say what differs, nothing is decided by them.
pub(super) type Fingerprint = [u8; 8];
/// The random name of one blob.
pub(super) type BlobId = [u8; 16];

/// The header's fields of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: BlobKind,
    pub(super) machine: Fingerprint,
    pub(super) boot: Fingerprint,
    pub(super) owner: Fingerprint,
    pub(super) host_key_id: Fingerprint,
    pub(super) window_seed_id: Fingerprint,
    pub(super) blob_id: BlobId,
    /// In milliseconds of the host's shared clock.
    pub(super) creation: u64,
    /// In milliseconds of the host's shared clock.
    pub(super) expiry: u64,
    pub(super) package: PackageName,
    pub(super) fields: Fields,
}

impl Header {
    /// Length of the header with its fields, in bytes.
    pub(super) fn length(&self) -> usize {
        HEADER_LENGTH + self.fields.length()
    }

    /// Appends the header to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        // It fits; `try_from` would only add a path that cannot be taken.
        #[allow(clippy::cast_possible_truncation, reason = "104 and less than 100")]
        out.extend_from_slice(&(self.length() as u16).to_le_bytes());
        out.extend_from_slice(&kind_flags(self.kind).to_le_bytes());
        for fingerprint in [self.machine, self.boot, self.owner, self.host_key_id, self.window_seed_id] {
            out.extend_from_slice(&fingerprint);
        }
        out.extend_from_slice(&self.blob_id);
        out.extend_from_slice(&self.creation.to_le_bytes());
        out.extend_from_slice(&self.expiry.to_le_bytes());
        out.extend_from_slice(&self.package.0);
        self.fields.write(out);
    }

    /// Reads the header at the start of `bytes`, and tells its length with its fields. **All of them may come from an attacker.**
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize), BlobRefused> {
        let mut reader = Reader(bytes);
        if reader.array::<8>() != Some(MAGIC) {
            return Err(BlobRefused::NotABlob);
        }
        match reader.u16().ok_or(BlobRefused::Damaged)? {
            VERSION => {}
            0 => return Err(BlobRefused::Damaged),
            found => return Err(BlobRefused::NewerVersion { found, newest: VERSION }),
        }
        let (mut header, length) = read_version_1(&mut reader).ok_or(BlobRefused::Damaged)?;
        let fields = bytes.get(HEADER_LENGTH..length).ok_or(BlobRefused::Damaged)?;
        header.fields = Fields::read(fields)?;
        let lifetime = header.expiry.checked_sub(header.creation).ok_or(BlobRefused::Damaged)?;
        if u128::from(lifetime) > ExportOptions::MAX_LIFETIME.as_millis() {
            return Err(BlobRefused::Damaged);
        }
        Ok((header, length))
    }

    /// Refuses what the calling function doesn't import.
    pub(super) fn check_kind(&self, expected: BlobKind) -> Result<(), BlobRefused> {
        if self.kind == expected {
            Ok(())
        } else {
            Err(BlobRefused::WrongKind { expected, found: self.kind })
        }
    }
}

const fn kind_flags(kind: BlobKind) -> u32 {
    match kind {
        BlobKind::Partial => FLAG_PARTIAL,
        BlobKind::Many => FLAG_MANY,
        _ => 0,
    }
}

/// A package's name as the header holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackageName([u8; 16]);

impl PackageName {
    /// In place of a name where contexts of several packages follow.
    pub(super) const NONE: Self = Self([0; 16]);

    /// `None` unless `name` is 1 to 16 printable ASCII characters without spaces.
    pub(super) fn new(name: &str) -> Option<Self> {
        let mut padded = [0; 16];
        padded.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Self::from_bytes(padded)
    }

    fn from_bytes(padded: [u8; 16]) -> Option<Self> {
        let mut rest = padded.iter().skip_while(|byte| byte.is_ascii_graphic());
        (padded[0] != 0 && rest.all(|byte| *byte == 0)).then_some(Self(padded))
    }

    /// The name without its padding.
    pub(super) fn as_str(&self) -> &str {
        let name = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        core::str::from_utf8(name).unwrap_or_default()
    }
}

/// A blob taken apart; nothing in it is authenticated yet.
#[derive(Debug)]
pub(super) struct Blob<'a> {
    pub(super) header: Header,
    /// The header's bytes: the associated data.
    pub(super) header_bytes: &'a [u8],
    /// The encrypted state and the tag; in a stream, the chunks that are there already.
    pub(super) sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    /// Takes `bytes` apart. **All of them may come from an attacker.**
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, BlobRefused> {
        let (header, length) = Header::parse(bytes)?;
        let (header_bytes, sealed) = bytes.split_at_checked(length).ok_or(BlobRefused::Damaged)?;
        // A stream's chunks have bounds of their own.
        if header.kind != BlobKind::Many && (bytes.len() > MAX_LENGTH || sealed.len() < TAG_LENGTH) {
            return Err(BlobRefused::Damaged);
        }
        Ok(Self { header, header_bytes, sealed })
    }
}

/// The fixed part of the header, and its length with the fields behind it.
fn read_version_1(reader: &mut Reader<'_>) -> Option<(Header, usize)> {
    let length = usize::from(reader.u16()?);
    if length < HEADER_LENGTH {
        return None;
    }
    let kind = match u32::from_le_bytes(reader.array()?) {
        0 => BlobKind::Context,
        FLAG_PARTIAL => BlobKind::Partial,
        FLAG_MANY => BlobKind::Many,
        _ => return None,
    };
    let header = Header {
        kind,
        machine: reader.array()?,
        boot: reader.array()?,
        owner: reader.array()?,
        host_key_id: reader.array()?,
        window_seed_id: reader.array()?,
        blob_id: reader.array()?,
        creation: u64::from_le_bytes(reader.array()?),
        expiry: u64::from_le_bytes(reader.array()?),
        package: match (kind, reader.array()?) {
            (BlobKind::Many, none) => (none == PackageName::NONE.0).then_some(PackageName::NONE)?,
            (_, name) => PackageName::from_bytes(name)?,
        },
        fields: Fields::default(),
    };
    Some((header, length))
}

/// Takes values off the front and never reads past the end.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*front)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: BlobKind::Context,
            machine: [1; 8],
            boot: [2; 8],
            owner: [3; 8],
            host_key_id: [4; 8],
            window_seed_id: [5; 8],
            blob_id: [6; 16],
            creation: 0x0102_0304_0506_0708,
            expiry: 0x0102_0304_0506_0709,
            package: PackageName::new("NTLM").unwrap(),
            fields: Fields::default(),
        }
    }

    fn bytes() -> Vec<u8> {
        let mut bytes = Vec::new();
        header().write(&mut bytes);
        bytes.extend_from_slice(&[0xCC; TAG_LENGTH + 3]);
        bytes
    }

    #[test]
    fn the_layout_is_fixed() {
        let expected = "5053535049435458 0100 6800 00000000 0101010101010101 0202020202020202 0303030303030303 \
            0404040404040404 0505050505050505 06060606060606060606060606060606 0807060504030201 0907060504030201 \
            4e544c4d000000000000000000000000 cccccccccccccccccccccccccccccccccccccc";
        assert_eq!(hex::encode(bytes()), expected.replace([' ', '\n'], ""));
    }

    #[test]
    fn comes_back_as_it_went() {
        let bytes = bytes();
        let blob = Blob::parse(&bytes).unwrap();
        assert_eq!(blob.header, header());
        assert_eq!(blob.header_bytes, &bytes[..HEADER_LENGTH]);
        assert_eq!(blob.sealed, &bytes[HEADER_LENGTH..]);
        assert_eq!(blob.header.package.as_str(), "NTLM");
    }

    #[test]
    fn a_flag_says_what_is_in_it() {
        for (kind, package, flags) in
            [(BlobKind::Partial, header().package, 1), (BlobKind::Many, PackageName::NONE, 2)]
        {
            let mut bytes = Vec::new();
            let header = Header { kind, package, ..header() };
            header.write(&mut bytes);
            assert_eq!(bytes[12..16], [flags, 0, 0, 0]);
            bytes.extend_from_slice(&[0; TAG_LENGTH]);
            assert_eq!(Blob::parse(&bytes).unwrap().header, header);
        }
    }

    #[test]
    fn cut_anywhere_before_the_tag_s_end_is_refused() {
        let bytes = bytes();
        for length in 0..HEADER_LENGTH + TAG_LENGTH {
            let expected = if length < 8 { BlobRefused::NotABlob } else { BlobRefused::Damaged };
            assert_eq!(Blob::parse(&bytes[..length]).unwrap_err(), expected, "{length}");
        }
    }

    #[test]
    fn other_versions_and_impossible_fields_are_refused() {
        let parse_with = |offset: usize, value: &[u8]| {
            let mut changed = bytes();
            changed[offset..offset + value.len()].copy_from_slice(value);
            Blob::parse(&changed).map(|_| ()).unwrap_err()
        };
        assert_eq!(parse_with(0, b"X"), BlobRefused::NotABlob);
        assert_eq!(parse_with(8, &[2, 0]), BlobRefused::NewerVersion { found: 2, newest: 1 });
        assert_eq!(parse_with(8, &[0, 0]), BlobRefused::Damaged);
        assert_eq!(parse_with(10, &[0x69]), BlobRefused::Damaged, "header length");
        assert_eq!(parse_with(10, &[0x67]), BlobRefused::Damaged, "header length");
        assert_eq!(parse_with(10, &[0xFF, 0xFF]), BlobRefused::Damaged, "header length");
        assert_eq!(parse_with(15, &[0x80]), BlobRefused::Damaged, "flags");
        assert_eq!(parse_with(12, &[3]), BlobRefused::Damaged, "partial and many at once");
        assert_eq!(parse_with(12, &[2]), BlobRefused::Damaged, "many, of one package");
        assert_eq!(parse_with(80, &[0x07]), BlobRefused::Damaged, "expires before its creation");
        assert_eq!(parse_with(84, &[0x05]), BlobRefused::Damaged, "lives longer than any can");
        assert_eq!(parse_with(88, &[0]), BlobRefused::Damaged, "no package");
        assert_eq!(parse_with(90, b" "), BlobRefused::Damaged, "space in the package's name");
        assert_eq!(parse_with(95, b"x"), BlobRefused::Damaged, "something after the package's name");
    }

    #[test]
    fn a_huge_blob_is_not_looked_at() {
        let mut bytes = bytes();
        bytes.resize(MAX_LENGTH + 1, 0);
        assert_eq!(Blob::parse(&bytes).unwrap_err(), BlobRefused::Damaged);
    }

    #[test]
    fn package_names_fit_or_are_refused() {
        assert_eq!(PackageName::new("0123456789abcdef").unwrap().as_str(), "0123456789abcdef");
        for name in ["", "0123456789abcdefg", "a b", "\u{e9}", "a\0b"] {
            assert!(PackageName::new(name).is_none(), "{name:?}");
        }
    }
}
