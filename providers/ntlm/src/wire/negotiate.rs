//! NEGOTIATE_MESSAGE, [MS-NLMP] 2.2.1.1.

use portable_sspi_core::MalformedToken;

use super::field::{Field, payload_start};
use super::flags::NegotiateFlags;
use super::reader::Reader;
use super::version::Version;
use super::{MessageType, SIGNATURE};

/// Bytes before the Version field.
const HEADER_WITHOUT_VERSION: usize = 32;
/// Bytes before the payload.
const HEADER: usize = 40;

/// A client's first message, parsed. Strings are in the OEM character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Negotiate<'a> {
    /// What the client offers.
    pub(crate) flags: NegotiateFlags,
    /// The client's domain, where OEM_DOMAIN_SUPPLIED says that it is there.
    pub(crate) domain: Option<&'a [u8]>,
    /// The client's workstation, where OEM_WORKSTATION_SUPPLIED says that it is there.
    pub(crate) workstation: Option<&'a [u8]>,
    /// The client's version, where the header has one.
    pub(crate) version: Option<Version>,
}

impl<'a> Negotiate<'a> {
    /// Parses a message: 16, 32 or 40 bytes of header, then strings in any order.
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, MalformedToken> {
        let mut reader = Reader::message(MessageType::Negotiate, message)?;
        let flags = NegotiateFlags::from_bits_retain(reader.u32()?);
        // Windows 9x ends the message here.
        let (domain, workstation) = if reader.rest().is_empty() {
            Default::default()
        } else {
            (Field::read(&mut reader)?, Field::read(&mut reader)?)
        };
        // "If the flag is not set, the field is ignored", 2.2.1.1: an ignored field may even point outside.
        let supplied =
            // MS-NLMP:2.2.1.1-ignored-unless-supplied
            |flag, field: Field, name| flags.contains(flag).then(|| field.resolve(name, message)).transpose();
        let domain_name =
            supplied(NegotiateFlags::OEM_DOMAIN_SUPPLIED, domain, "NEGOTIATE_MESSAGE DomainName")?;
        let workstation_name =
            supplied(NegotiateFlags::OEM_WORKSTATION_SUPPLIED, workstation, "NEGOTIATE_MESSAGE Workstation")?;
        let has_version = payload_start(message, &[domain, workstation]) >= HEADER;
        let version = if has_version { reader.array().ok().map(Version) } else { None };
        Ok(Self { flags, domain: domain_name, workstation: workstation_name, version })
    }

    /// Writes a message without strings, which is what a client with the VERSION flag sends, [MS-NLMP] 3.1.5.1.1.
    pub(crate) fn write(flags: NegotiateFlags) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER);
        message.extend_from_slice(&SIGNATURE);
        message.extend_from_slice(&MessageType::Negotiate.number().to_le_bytes());
        message.extend_from_slice(&flags.bits().to_le_bytes());
        message.resize(HEADER_WITHOUT_VERSION, 0);
        message.extend_from_slice(&if flags.contains(NegotiateFlags::VERSION) {
            Version::OURS.0
        } else {
            [0; 8]
        });
        message
    }
}
