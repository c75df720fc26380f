//! What proves the password in an AUTHENTICATE: the NtChallengeResponse and LmChallengeResponse, by kind.

use portable_sspi_core::{DenialReason, Error, LogonDenied, MalformedToken, Problem};

use super::authenticate::Authenticate;
use super::nt_response::NtlmV2Response;
use crate::crypto::owf_v1;

/// Bytes of every response but NTLMv2's, which is longer, [MS-NLMP] 3.2.5.1.2.
pub(crate) const LENGTH: usize = 24;

/// The one proof in a message. Whatever stands beside it in the other field proves nothing and is never compared:
/// falling back to it is CVE-2019-1338 and worse.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Response<'a> {
    /// NTLMv2.
    NtlmV2(NtlmV2Response<'a>),
    /// NTLMv1, with or without extended session security.
    NtlmV1 {
        /// The proof.
        nt: &'a [u8; LENGTH],
        /// What it is computed over: the server's challenge, or with extended session security that and the client's.
        challenge: [u8; 8],
    },
    /// No NT response: LM or LMv2 alone, which nothing but the password tells apart.
    LmAlone(&'a [u8; LENGTH]),
}

impl<'a> Response<'a> {
    /// Finds the kind by the length of the NT response, [MS-NLMP] 3.2.5.1.2.
    ///
    /// # Errors
    /// [`DenialReason::NoNtResponse`] where nothing is there that could prove a password. That includes an LM field
    /// alone under extended session security: it holds the client's nonce, and comparing it would admit everybody.
    pub(crate) fn parse(
        message: &Authenticate<'a>,
        server_challenge: &[u8; 8],
        extended_session_security: bool,
    ) -> Result<Self, Error> {
        let lm: Result<&[u8; LENGTH], _> = message.lm_response.try_into();
        if message.nt_response.is_empty() {
            return match lm {
                Ok(lm) if !extended_session_security => Ok(Self::LmAlone(lm)),
                _ => Err(LogonDenied::new(DenialReason::NoNtResponse).into()),
            };
        }
        // MS-NLMP:3.2.5.1.2-kind-by-length
        let Ok(nt) = message.nt_response.try_into() else {
            return Ok(Self::NtlmV2(NtlmV2Response::parse(message.nt_response)?));
        };
        let challenge = if extended_session_security {
            let lm = lm.map_err(|_| {
                let problem = Problem::Length { expected: LENGTH, found: message.lm_response.len() };
                MalformedToken::new("AUTHENTICATE_MESSAGE LmChallengeResponse", problem)
            })?;
            let [c0, c1, c2, c3, c4, c5, c6, c7, ..] = *lm;
            // MS-NLMP:3.2.5.1.2-ess-challenge
            owf_v1::ess_challenge(server_challenge, &[c0, c1, c2, c3, c4, c5, c6, c7])
        } else {
            *server_challenge
        };
        Ok(Self::NtlmV1 { nt, challenge })
    }

    /// The NTLMv2 response; the other kinds carry nothing but the proof.
    pub(crate) const fn ntlm_v2(&self) -> Option<&NtlmV2Response<'a>> {
        match self {
            Self::NtlmV2(response) => Some(response),
            Self::NtlmV1 { .. } | Self::LmAlone(_) => None,
        }
    }
}
