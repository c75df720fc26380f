//! CHALLENGE_MESSAGE, [MS-NLMP] 2.2.1.2.

use portable_sspi_core::{MalformedToken, Misuse, Problem};

use super::av_pair::AvPairs;
use super::field::{self, Field, payload_start};
use super::flags::NegotiateFlags;
use super::reader::Reader;
use super::text;
use super::version::Version;
use super::{MessageType, SIGNATURE};

/// Bytes before the payload.
const HEADER: usize = 56;

/// A server's answer, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Challenge<'a> {
    /// What is negotiated.
    pub(crate) flags: NegotiateFlags,
    /// The server's nonce.
    pub(crate) server_challenge: [u8; 8],
    /// Name of the server or its domain, in the character set chosen.
    pub(crate) target_name: &'a [u8],
    /// The AV pairs, unparsed.
    pub(crate) target_info: &'a [u8],
    /// The server's version, where the header has one.
    pub(crate) version: Option<Version>,
}

impl<'a> Challenge<'a> {
    /// Parses a message: 32, 48 or 56 bytes of header, then the payload in any order.
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, MalformedToken> {
        let mut reader = Reader::message(MessageType::Challenge, message)?;
        let target_name_field = Field::read(&mut reader)?;
        let flags = NegotiateFlags::from_bits_retain(reader.u32()?);
        let server_challenge = reader.array()?;

        // Old servers end their header here, or behind TargetInfo: what stands before the payload is header.
        let header_end = payload_start(message, &[target_name_field]);
        let target_info_field = if header_end >= 48 {
            // MS-NLMP:2.2.1.2-reserved-ignored
            let _reserved = reader.u64()?;
            Field::read(&mut reader)?
        } else {
            Field::default()
        };
        let has_version = payload_start(message, &[target_name_field, target_info_field]) >= HEADER;
        let version = if has_version { reader.array().ok().map(Version) } else { None };

        let target_name = target_name_field.resolve("CHALLENGE_MESSAGE TargetName", message)?;
        if flags.contains(NegotiateFlags::UNICODE) {
            text::even("CHALLENGE_MESSAGE TargetName", target_name)?;
        }
        let target_info = target_info_field.resolve("CHALLENGE_MESSAGE TargetInfo", message)?;
        Ok(Self { flags, server_challenge, target_name, target_info, version })
    }

    /// The AV pairs of the target information; none where the server sent no target information.
    pub(crate) fn av_pairs(&self) -> Result<AvPairs<'a>, MalformedToken> {
        if self.target_info.is_empty() {
            Ok(AvPairs::default())
        } else {
            AvPairs::parse("CHALLENGE_MESSAGE TargetInfo", self.target_info)
        }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// [`Misuse::BadOption`] where a part is longer than 65535 bytes.
    pub(crate) fn write(&self) -> Result<Vec<u8>, Misuse> {
        let mut offset = 56;
        let target_name = field::write("TargetName", self.target_name.len(), &mut offset)?;
        let target_info = field::write("TargetInfo", self.target_info.len(), &mut offset)?;
        let mut message = Vec::with_capacity(HEADER + self.target_name.len() + self.target_info.len());
        message.extend_from_slice(&SIGNATURE);
        message.extend_from_slice(&MessageType::Challenge.number().to_le_bytes());
        message.extend_from_slice(&target_name);
        message.extend_from_slice(&self.flags.bits().to_le_bytes());
        message.extend_from_slice(&self.server_challenge);
        // MS-NLMP:2.2.1.2-reserved-sent-zero
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&target_info);
        message.extend_from_slice(&self.version.unwrap_or_default().0);
        message.extend_from_slice(self.target_name);
        message.extend_from_slice(self.target_info);
        Ok(message)
    }
}

/// Neither character set chosen, [MS-NLMP] 3.2.5.1.1.
pub(crate) const fn no_character_set(what: &'static str) -> MalformedToken {
    MalformedToken::new(what, Problem::NoCharacterSet)
}
