//! AV pairs: what a server says of itself, and what a client adds, [MS-NLMP] 2.2.2.1.

use bitflags::bitflags;
use portable_sspi_core::{FileTime, MalformedToken, Problem};

use super::reader::Reader;
use super::text;

/// AvId values, [MS-NLMP] 2.2.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AvId {
    Eol,
    NbComputerName,
    NbDomainName,
    DnsComputerName,
    DnsDomainName,
    DnsTreeName,
    Flags,
    Timestamp,
    SingleHost,
    TargetName,
    ChannelBindings,
    /// One that this library does not know: ignored, and hashed like the rest.
    Unknown(u16),
}

impl AvId {
    /// The number on the wire.
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Eol => 0,
            Self::NbComputerName => 1,
            Self::NbDomainName => 2,
            Self::DnsComputerName => 3,
            Self::DnsDomainName => 4,
            Self::DnsTreeName => 5,
            Self::Flags => 6,
            Self::Timestamp => 7,
            Self::SingleHost => 8,
            Self::TargetName => 9,
            Self::ChannelBindings => 10,
            Self::Unknown(number) => number,
        }
    }

    const fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Eol,
            1 => Self::NbComputerName,
            2 => Self::NbDomainName,
            3 => Self::DnsComputerName,
            4 => Self::DnsDomainName,
            5 => Self::DnsTreeName,
            6 => Self::Flags,
            7 => Self::Timestamp,
            8 => Self::SingleHost,
            9 => Self::TargetName,
            10 => Self::ChannelBindings,
            // MS-NLMP:2.2.2.1-unknown
            number => Self::Unknown(number),
        }
    }

    /// Whether only a client may send it. A server that does is an attacker who wants it repeated (CVE-2019-1166 and
    /// the bypass of Extended Protection).
    pub(crate) const fn is_client_only(self) -> bool {
        matches!(self, Self::SingleHost | Self::TargetName | Self::ChannelBindings)
    }

    /// The length that a value must have, where the definition fixes it.
    const fn fixed_length(self) -> Option<usize> {
        match self {
            Self::Flags => Some(4),
            Self::Timestamp => Some(8),
            Self::ChannelBindings => Some(16),
            _ => None,
        }
    }

    const fn is_text(self) -> bool {
        matches!(
            self,
            Self::NbComputerName
                | Self::NbDomainName
                | Self::DnsComputerName
                | Self::DnsDomainName
                | Self::DnsTreeName
                | Self::TargetName
        )
    }
}

bitflags! {
    /// The value of MsvAvFlags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct AvFlags: u32 {
        /// The account is constrained; from the server.
        const CONSTRAINED = 0x1;
        /// The AUTHENTICATE carries a MIC; from the client.
        const MIC_PRESENT = 0x2;
        /// The target name comes from an untrusted source; from the client.
        const UNTRUSTED_TARGET_NAME = 0x4;
        const _ = !0;
    }
}

/// One pair, its value unparsed but of a length that its id allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AvPair<'a> {
    pub(crate) id: AvId,
    pub(crate) value: &'a [u8],
}

/// A list of pairs whose form was checked: every pair whole, each value of an allowed length, MsvAvEOL at the end.
///
/// Duplicates are not a matter of form; see [`AvPairs::has_duplicates`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AvPairs<'a> {
    /// The pairs, MsvAvEOL left out.
    bytes: &'a [u8],
    /// What stands behind MsvAvEOL: hashed, and otherwise ignored.
    pub(crate) trailing: &'a [u8],
}

impl<'a> AvPairs<'a> {
    /// Checks the form of a list. `what` names it in errors.
    pub(crate) fn parse(what: &'static str, list: &'a [u8]) -> Result<Self, MalformedToken> {
        let mut reader = Reader::new(what, list);
        loop {
            let pairs_length = list.len() - reader.rest().len();
            if reader.rest().is_empty() {
                // MS-NLMP:2.2.2.1-end
                return Err(MalformedToken::new(what, Problem::Unterminated));
            }
            let pair = next_pair(&mut reader)?;
            if pair.id == AvId::Eol {
                if !pair.value.is_empty() {
                    return Err(MalformedToken::new(
                        "MsvAvEOL",
                        Problem::Length { expected: 0, found: pair.value.len() },
                    ));
                }
                let (bytes, _) = list.split_at_checked(pairs_length).unwrap_or_default();
                return Ok(Self { bytes, trailing: reader.rest() });
            }
            match pair.id.fixed_length() {
                // MS-NLMP:2.2.2.1-lengths
                Some(expected) if pair.value.len() != expected => {
                    return Err(MalformedToken::new(
                        what,
                        Problem::Length { expected, found: pair.value.len() },
                    ));
                }
                _ if pair.id.is_text() => text::even(what, pair.value)?,
                _ => {}
            }
        }
    }

    /// The pairs in the order in which they stand.
    pub(crate) fn iter(&self) -> impl Iterator<Item = AvPair<'a>> + use<'a> {
        let mut reader = Reader::new("AV_PAIR", self.bytes);
        core::iter::from_fn(move || next_pair(&mut reader).ok())
    }

    /// The value of the first pair with this id.
    pub(crate) fn get(&self, id: AvId) -> Option<&'a [u8]> {
        self.iter().find(|pair| pair.id == id).map(|pair| pair.value)
    }

    /// MsvAvFlags; none set where the pair is absent.
    pub(crate) fn flags(&self) -> AvFlags {
        let value = self.get(AvId::Flags).and_then(|value| value.try_into().ok());
        AvFlags::from_bits_retain(value.map_or(0, u32::from_le_bytes))
    }

    /// MsvAvTimestamp.
    pub(crate) fn timestamp(&self) -> Option<FileTime> {
        self.get(AvId::Timestamp)?.try_into().ok().map(u64::from_le_bytes).map(FileTime)
    }

    /// MsvAvChannelBindings; `None` also where the value is all zero, which means that the client has none.
    pub(crate) fn channel_bindings(&self) -> Option<[u8; 16]> {
        let value: [u8; 16] = self.get(AvId::ChannelBindings)?.try_into().ok()?;
        // MS-NLMP:2.2.2.1-no-bindings
        (value != [0; 16]).then_some(value)
    }

    /// Whether any id stands in the list twice: nobody but an attacker makes such lists.
    pub(crate) fn has_duplicates(&self) -> bool {
        // Eleven ids are known; the unknown ones are compared pairwise, and the list is bounded by 64 KiB.
        let mut seen = 0u16;
        let mut unknown = Vec::new();
        for pair in self.iter() {
            if let AvId::Unknown(number) = pair.id {
                unknown.push(number);
            } else {
                let bit = 1 << pair.id.number();
                if seen & bit != 0 {
                    return true;
                }
                seen |= bit;
            }
        }
        unknown.sort_unstable();
        unknown.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    }
}

/// Appends a pair to a list that is being written.
pub(crate) fn append(list: &mut Vec<u8>, id: AvId, value: &[u8]) {
    // Values are names and hashes of this side, or pairs that came in a 16-bit length; what is longer cannot be said.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    list.extend_from_slice(&id.number().to_le_bytes());
    list.extend_from_slice(&length.to_le_bytes());
    list.extend_from_slice(value.get(..usize::from(length)).unwrap_or_default());
}

/// Appends a pair whose value is text.
pub(crate) fn append_text(list: &mut Vec<u8>, id: AvId, text: &str) {
    let start = list.len();
    append(list, id, &[]);
    let value = list.len();
    text::append_utf16le(list, text);
    // As in `append`; an even length, so that no unit is cut in two.
    let length = u16::try_from(list.len() - value).unwrap_or(u16::MAX - 1);
    list.truncate(value + usize::from(length));
    if let Some(place) = list.get_mut(start + 2..value) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

fn next_pair<'a>(reader: &mut Reader<'a>) -> Result<AvPair<'a>, MalformedToken> {
    let id = AvId::from_number(reader.u16()?);
    let length = reader.u16()?;
    Ok(AvPair { id, value: reader.take(usize::from(length))? })
}
