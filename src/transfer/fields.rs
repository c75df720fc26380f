//! The fields at the header's end that not every exported context has.
//!
//! Each is a tag (2 bytes), the length of its value (2 bytes) and the value, in the order of their tags, none twice. One with
//! an odd tag changes who may open the blob or how, so a release that doesn't know it refuses the blob as of a newer
//! version; one with an even tag can be left out.
//!
//! | tag | length | |
//! |---|---|---|
//! | 1 | 1 | the scope: 1 a group, 2 the whole host, 3 the application's key; without it, one user |
//! | 3 | 16 | the audience's label, as a hint: see `audience` |
//! | 5 | 4 | the number of the user who may import it |

use portable_sspi_core::BlobRefused;

use super::blob::VERSION;
use super::scope::ScopeKind;

const SCOPE: u16 = 1;
const LABEL: u16 = 3;
const IMPORTER: u16 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) scope: ScopeKind,
    pub(super) label: Option<[u8; 16]>,
    pub(super) importer: Option<u32>,
}

impl Default for Fields {
    /// The default scope, and no audience: what takes no bytes.
    fn default() -> Self {
        Self { scope: ScopeKind::User, label: None, importer: None }
    }
}

impl Fields {
    /// Appends them to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if let Some(code) = self.scope.code() {
            push(out, SCOPE, &[code]);
        }
        if let Some(hint) = self.label {
            push(out, LABEL, &hint);
        }
        if let Some(user) = self.importer {
            push(out, IMPORTER, &user.to_le_bytes());
        }
    }

    /// What [`write`](Self::write) appends, in bytes.
    pub(super) fn length(&self) -> usize {
        let scope = self.scope.code().map_or(0, |_| 4 + 1);
        scope + self.label.map_or(0, |_| 4 + 16) + self.importer.map_or(0, |_| 4 + 4)
    }

    /// Takes `bytes` apart. **All of them may come from an attacker.**
    pub(super) fn read(mut bytes: &[u8]) -> Result<Self, BlobRefused> {
        let mut fields = Self::default();
        let mut last = None;
        while !bytes.is_empty() {
            let (tag, value, rest) = split(bytes).ok_or(BlobRefused::Damaged)?;
            bytes = rest;
            if last >= Some(tag) {
                return Err(BlobRefused::Damaged);
            }
            last = Some(tag);
            let newer = BlobRefused::NewerVersion { found: VERSION + 1, newest: VERSION };
            match tag {
                SCOPE => {
                    let [code] = value else { return Err(BlobRefused::Damaged) };
                    fields.scope = ScopeKind::from_code(*code).ok_or(newer)?;
                }
                LABEL => fields.label = Some(value.try_into().map_err(|_| BlobRefused::Damaged)?),
                IMPORTER => {
                    let user = value.try_into().map_err(|_| BlobRefused::Damaged)?;
                    fields.importer = Some(u32::from_le_bytes(user));
                }
                odd if odd % 2 == 1 => return Err(newer),
                _ => {}
            }
        }
        Ok(fields)
    }
}

fn push(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    out.extend_from_slice(&tag.to_le_bytes());
    #[allow(clippy::cast_possible_truncation, reason = "16 at most")]
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
}

fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    Some((u16::from_le_bytes(*tag), value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Fields {
        Fields { scope: ScopeKind::Host, label: Some([7; 16]), importer: Some(0x0102_0304) }
    }

    #[test]
    fn the_layout_is_fixed() {
        let mut bytes = Vec::new();
        all().write(&mut bytes);
        let expected = "0100 0100 02 0300 1000 07070707070707070707070707070707 0500 0400 04030201";
        assert_eq!(hex::encode(&bytes), expected.replace(' ', ""));
        assert_eq!(bytes.len(), all().length());
        assert_eq!(Fields::read(&bytes), Ok(all()));
        assert_eq!((Fields::read(&[]), Fields::default().length()), (Ok(Fields::default()), 0));
    }

    #[test]
    fn cut_anywhere_but_between_fields_is_refused() {
        let mut bytes = Vec::new();
        all().write(&mut bytes);
        for length in 1..bytes.len() {
            if ![5, 25].contains(&length) {
                assert_eq!(Fields::read(&bytes[..length]), Err(BlobRefused::Damaged), "{length}");
            }
        }
    }

    #[test]
    fn unknown_fields_are_refused_or_left_out_by_their_tag() {
        let newer = Err(BlobRefused::NewerVersion { found: 2, newest: 1 });
        assert_eq!(Fields::read(&[7, 0, 0, 0]), newer);
        assert_eq!(Fields::read(&[1, 0, 1, 0, 9]), newer, "an unknown scope");
        assert_eq!(Fields::read(&[8, 0, 2, 0, 1, 1]), Ok(Fields::default()));
        for damaged in [
            &[8, 0, 0, 0, 8, 0, 0, 0][..], // twice
            &[8, 0, 0, 0, 6, 0, 0, 0],     // out of order
            &[1, 0, 0, 0],                 // no value
            &[5, 0, 3, 0, 1, 1, 1],        // too short
            &[3, 0, 1, 0, 1],              // too short
        ] {
            assert_eq!(Fields::read(damaged), Err(BlobRefused::Damaged), "{damaged:?}");
        }
    }
}
