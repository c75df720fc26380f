//! AUTHENTICATE_MESSAGE, [MS-NLMP] 2.2.1.3.

use portable_sspi_core::{MalformedToken, Misuse};

use super::field::{self, Field, payload_start};
use super::flags::NegotiateFlags;
use super::reader::Reader;
use super::text;
use super::version::Version;
use super::{MessageType, SIGNATURE};

/// Where the MIC stands in a message that announces one.
pub(crate) const MIC_OFFSET: usize = 72;
/// Bytes before the payload of a message with a MIC.
const HEADER: usize = 88;
/// Where the flags end.
const FLAGS_END: usize = 64;

/// A client's last message, parsed. Strings are in the character set that the CHALLENGE chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authenticate<'a> {
    /// LmChallengeResponse.
    pub(crate) lm_response: &'a [u8],
    /// NtChallengeResponse.
    pub(crate) nt_response: &'a [u8],
    /// DomainName.
    pub(crate) domain: &'a [u8],
    /// UserName.
    pub(crate) user: &'a [u8],
    /// Workstation.
    pub(crate) workstation: &'a [u8],
    /// EncryptedRandomSessionKey; empty where the header ends before it.
    pub(crate) encrypted_random_session_key: &'a [u8],
    /// NegotiateFlags, which are **not** trusted in connection mode; `None` where the header ends before them.
    pub(crate) flags: Option<NegotiateFlags>,
    /// The client's version, where the header has one.
    pub(crate) version: Option<Version>,
    /// The MIC, where the header has room for one. Whether it is one, only MsvAvFlags tells.
    pub(crate) mic: Option<[u8; 16]>,
    /// Where the payload begins.
    pub(crate) payload_start: usize,
}

impl<'a> Authenticate<'a> {
    /// Parses a message: 52, 64, 72 or 88 bytes of header, then the payload in any order.
    ///
    /// `unicode` is what the CHALLENGE chose.
    pub(crate) fn parse(message: &'a [u8], unicode: bool) -> Result<Self, MalformedToken> {
        let mut reader = Reader::message(MessageType::Authenticate, message)?;
        let lm = Field::read(&mut reader)?;
        let nt = Field::read(&mut reader)?;
        let domain = Field::read(&mut reader)?;
        let user = Field::read(&mut reader)?;
        let workstation = Field::read(&mut reader)?;
        // NT and 9x clients may end their header here.
        let fields = [lm, nt, domain, user, workstation];
        let (key, flags) = if payload_start(message, &fields) >= FLAGS_END {
            (Field::read(&mut reader)?, Some(NegotiateFlags::from_bits_retain(reader.u32()?)))
        } else {
            (Field::default(), None)
        };
        // MS-NLMP:2.2.1-any-order
        let payload_start = payload_start(message, &fields).min(payload_start(message, &[key]));
        let version = if payload_start >= MIC_OFFSET { reader.array().ok().map(Version) } else { None };
        // MS-NLMP:2.2.1.3-mic-place
        let mic = if payload_start >= HEADER { reader.array().ok() } else { None };

        let text_field = |field: Field, name| {
            let bytes = field.resolve(name, message)?;
            if unicode {
                // MS-NLMP:2.2.1.3-whole-characters
                text::even(name, bytes)?;
            }
            Ok(bytes)
        };
        Ok(Self {
            lm_response: lm.resolve("AUTHENTICATE_MESSAGE LmChallengeResponse", message)?,
            nt_response: nt.resolve("AUTHENTICATE_MESSAGE NtChallengeResponse", message)?,
            domain: text_field(domain, "AUTHENTICATE_MESSAGE DomainName")?,
            user: text_field(user, "AUTHENTICATE_MESSAGE UserName")?,
            workstation: text_field(workstation, "AUTHENTICATE_MESSAGE Workstation")?,
            encrypted_random_session_key: key
                .resolve("AUTHENTICATE_MESSAGE EncryptedRandomSessionKey", message)?,
            flags,
            version,
            mic,
            payload_start,
        })
    }

    /// Writes a message with room for a MIC (zero where `mic` is `None`), payload in the order that Windows uses.
    ///
    /// # Errors
    /// [`Misuse::BadOption`] where a part is longer than 65535 bytes.
    pub(crate) fn write(&self) -> Result<Vec<u8>, Misuse> {
        let payload = [
            self.domain,
            self.user,
            self.workstation,
            self.lm_response,
            self.nt_response,
            self.encrypted_random_session_key,
        ];
        let mut offset = 88;
        let domain = field::write("DomainName", self.domain.len(), &mut offset)?;
        let user = field::write("UserName", self.user.len(), &mut offset)?;
        let workstation = field::write("Workstation", self.workstation.len(), &mut offset)?;
        let lm = field::write("LmChallengeResponse", self.lm_response.len(), &mut offset)?;
        let nt = field::write("NtChallengeResponse", self.nt_response.len(), &mut offset)?;
        let key =
            field::write("EncryptedRandomSessionKey", self.encrypted_random_session_key.len(), &mut offset)?;

        let mut message = Vec::with_capacity(HEADER + payload.iter().map(|part| part.len()).sum::<usize>());
        message.extend_from_slice(&SIGNATURE);
        message.extend_from_slice(&MessageType::Authenticate.number().to_le_bytes());
        for field in [lm, nt, domain, user, workstation, key] {
            message.extend_from_slice(&field);
        }
        message.extend_from_slice(&self.flags.unwrap_or_default().bits().to_le_bytes());
        message.extend_from_slice(&self.version.unwrap_or_default().0);
        message.extend_from_slice(&self.mic.unwrap_or_default());
        for part in payload {
            message.extend_from_slice(part);
        }
        Ok(message)
    }
}

/// The message with its MIC taken as zero, in pieces, which is what the MIC is computed over, [MS-NLMP] 3.1.5.1.2.
/// `None` where the message is too short to hold a MIC.
pub(crate) fn with_zero_mic(message: &[u8]) -> Option<[&[u8]; 3]> {
    let (before, rest) = message.split_at_checked(MIC_OFFSET)?;
    let (_, after) = rest.split_at_checked(16)?;
    Some([before, &[0; 16], after])
}

/// Puts the MIC into a message that [`Authenticate::write`] wrote.
pub(crate) fn set_mic(message: &mut [u8], mic: &[u8; 16]) {
    if let Some(place) = message.get_mut(MIC_OFFSET..MIC_OFFSET + 16) {
        place.copy_from_slice(mic);
    }
}
