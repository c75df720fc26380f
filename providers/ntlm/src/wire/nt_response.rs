//! NTLMv2_RESPONSE and NTLMv2_CLIENT_CHALLENGE, [MS-NLMP] 2.2.2.7 and 2.2.2.8.

use portable_sspi_core::{FileTime, MalformedToken, Problem};

use super::av_pair::{AvId, AvPairs};
use super::reader::Reader;
use super::text;

/// An NTLMv2 response, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NtlmV2Response<'a> {
    /// The proof of the password.
    pub(crate) nt_proof_str: [u8; 16],
    /// What the proof is over, as it came.
    pub(crate) temp: &'a [u8],
    /// The client's time.
    pub(crate) time: FileTime,
    /// The client's nonce.
    pub(crate) client_challenge: [u8; 8],
    /// The client's AV pairs.
    pub(crate) av_pairs: AvPairs<'a>,
}

impl<'a> NtlmV2Response<'a> {
    /// Parses a response.
    pub(crate) fn parse(response: &'a [u8]) -> Result<Self, MalformedToken> {
        const WHAT: &str = "NTLMv2_RESPONSE";
        let mut reader = Reader::new(WHAT, response);
        let nt_proof_str = reader.array()?;
        let temp = reader.rest();
        let (response_type, highest_response_type) = (reader.u8()?, reader.u8()?);
        // MS-NLMP:2.2.2.7-response-type
        if (response_type, highest_response_type) != (1, 1) {
            return Err(MalformedToken::new("NTLMv2_CLIENT_CHALLENGE RespType", Problem::Value));
        }
        let _reserved: [u8; 6] = reader.array()?;
        let time = FileTime(reader.u64()?);
        let client_challenge = reader.array()?;
        let _reserved = reader.u32()?;
        let av_pairs = AvPairs::parse("NTLMv2_CLIENT_CHALLENGE AvPairs", reader.rest())?;
        Ok(Self { nt_proof_str, temp, time, client_challenge, av_pairs })
    }

    /// MsvAvTargetName as text, where the client sent one; may be empty.
    pub(crate) fn target_name(&self) -> Result<Option<String>, MalformedToken> {
        let name = self.av_pairs.get(AvId::TargetName);
        name.map(|name| text::from_utf16le("MsvAvTargetName", name)).transpose()
    }

    /// Writes a response, [MS-NLMP] 3.3.2, whose proof is what `prove` makes of `temp`. `av_pairs` ends with MsvAvEOL.
    pub(crate) fn write(
        time: FileTime,
        client_challenge: &[u8; 8],
        av_pairs: &[u8],
        prove: impl FnOnce(&[u8]) -> [u8; 16],
    ) -> Vec<u8> {
        let mut response = Vec::with_capacity(16 + 32 + av_pairs.len());
        response.extend_from_slice(&[0; 16]);
        // MS-NLMP:3.3.2-temp
        response.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0]);
        response.extend_from_slice(&time.0.to_le_bytes());
        response.extend_from_slice(client_challenge);
        response.extend_from_slice(&[0; 4]);
        response.extend_from_slice(av_pairs);
        response.extend_from_slice(&[0; 4]);
        if let Some((proof, temp)) = response.split_first_chunk_mut() {
            *proof = prove(temp);
        }
        response
    }

    /// `temp` alone, for published values.
    #[cfg(test)]
    pub(crate) fn write_temp(time: FileTime, client_challenge: &[u8; 8], av_pairs: &[u8]) -> Vec<u8> {
        Self::write(time, client_challenge, av_pairs, |_| [0; 16]).split_off(16)
    }
}
