//! The responses of a client and the key they lead to, [MS-NLMP] 3.3.

use std::borrow::Cow;

use portable_sspi_core::{Error, FileTime, Misuse, SecretArray};

use super::target_info::ClientPairs;
use super::{Account, ClientStep, Logon};
use crate::NegotiateFlags;
use crate::crypto::owf::ResponseKeyNt;
use crate::crypto::{keys, owf_v1};
use crate::negotiation::protects_messages;
use crate::wire::challenge::Challenge;
use crate::wire::nt_response::NtlmV2Response;

/// What goes into the response fields, and what follows from it.
pub(super) struct Answer {
    pub(super) nt_response: Vec<u8>,
    pub(super) lm_response: Cow<'static, [u8]>,
    /// KeyExchangeKey, [MS-NLMP] 3.4.5.1.
    pub(super) key_exchange_key: SecretArray<16>,
    /// Whether the response announces a MIC.
    pub(super) announces_mic: bool,
}

impl Answer {
    /// The answer that the policy's level wants.
    pub(super) fn compute(
        challenge: &Challenge<'_>,
        negotiated: NegotiateFlags,
        step: &ClientStep<'_>,
        client_challenge: &[u8; 8],
        now: FileTime,
    ) -> Result<Self, Error> {
        match step.logon {
            Logon::Anonymous => Ok(Self::anonymous()),
            Logon::Account(account) if step.policy.level.sends_ntlmv2() => {
                Self::ntlm_v2(account, challenge, negotiated, step, client_challenge, now)
            }
            Logon::Account(account) => Self::ntlm_v1(account, challenge, negotiated, step, client_challenge),
        }
    }

    /// [MS-NLMP] 3.3.1: no response at all, which a single zero byte in the LM field says.
    fn anonymous() -> Self {
        Self {
            nt_response: Vec::new(),
            lm_response: Cow::Borrowed(&[0]),
            key_exchange_key: keys::ANONYMOUS_KEY,
            announces_mic: false,
        }
    }

    fn ntlm_v2(
        account: &Account,
        challenge: &Challenge<'_>,
        negotiated: NegotiateFlags,
        step: &ClientStep<'_>,
        client_challenge: &[u8; 8],
        now: FileTime,
    ) -> Result<Self, Error> {
        let server_pairs = challenge.av_pairs()?;
        let pairs = ClientPairs::from_challenge(&server_pairs, protects_messages(negotiated))?.finish(
            step.target_name,
            step.untrusted_target_name,
            step.channel_bindings.map(keys::channel_binding_hash).as_ref(),
        );
        // MS-NLMP:3.1.5.1.2-time
        let time = server_pairs.timestamp().unwrap_or(now);
        let key = &account.response_key_nt;
        let mut nt_proof_str = [0; 16];
        let nt_response = NtlmV2Response::write(time, client_challenge, &pairs, |temp| {
            nt_proof_str = key.nt_proof_str(&challenge.server_challenge, temp);
            nt_proof_str
        });
        let lm_response =
            // MS-NLMP:3.1.5.2.1-no-lm
            if negotiated.contains(NegotiateFlags::DATAGRAM) && !challenge.target_info.is_empty() {
                // [MS-NLMP] 3.1.5.2.1.
                Cow::Borrowed(&[][..])
            } else if step.policy.level.sends_lmv2() && server_pairs.timestamp().is_none() {
                lmv2_response(key, &challenge.server_challenge, client_challenge).into()
            } else {
                // "If [there is a time, the] LmChallengeResponse [..] is set to Z(24)", 3.1.5.1.2. Where there is none, LMv2
                // would be a second proof without the AV pairs, for servers that still fall back to it.
                // MS-NLMP:3.1.5.1.2-no-lm
                Cow::Borrowed(&[0; 24][..])
            };
        Ok(Self {
            nt_response,
            lm_response,
            // KXKEY of NTLMv2 is the SessionBaseKey itself, 3.4.5.1.
            key_exchange_key: key.session_base_key(&nt_proof_str),
            announces_mic: true,
        })
    }

    fn ntlm_v1(
        account: &Account,
        challenge: &Challenge<'_>,
        negotiated: NegotiateFlags,
        step: &ClientStep<'_>,
        client_challenge: &[u8; 8],
    ) -> Result<Self, Error> {
        if step.channel_bindings.is_some() {
            let what = "channel bindings with NTLMv1, which cannot carry them; raise the level of the client's policy";
            return Err(Misuse::NotSupported { what }.into());
        }
        let server_challenge = &challenge.server_challenge;
        let lm_hash = account.lm_hash.as_ref();
        let (nt_response, lm_response) = if negotiated.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY) {
            let hashed = owf_v1::ess_challenge(server_challenge, client_challenge);
            (owf_v1::response(&account.nt_hash, &hashed), [&client_challenge[..], &[0; 16]].concat())
        } else {
            let nt_response = owf_v1::response(&account.nt_hash, server_challenge);
            // NoLMResponseNTLMv1: the NT response in both fields says no more than it does in one.
            let lm_response = match lm_hash.filter(|_| step.policy.level.sends_lm()) {
                Some(lm_hash) => owf_v1::response(lm_hash, server_challenge),
                // MS-NLMP:3.3.1-no-lm-response
                None => nt_response,
            };
            (nt_response, lm_response.to_vec())
        };
        let key_exchange_key = keys::key_exchange_key_v1(
            &owf_v1::session_base_key(&account.nt_hash),
            negotiated,
            server_challenge,
            &lm_response,
            &lm_hash.map_or(SecretArray::new([0; 8]), owf_v1::lm_session_key),
        );
        Ok(Self {
            nt_response: nt_response.to_vec(),
            lm_response: lm_response.into(),
            key_exchange_key,
            announces_mic: false,
        })
    }
}

/// LMv2, [MS-NLMP] 3.3.2: the same HMAC as the NT proof, over the client's nonce alone.
pub(crate) fn lmv2_response(
    key: &ResponseKeyNt,
    server_challenge: &[u8; 8],
    client_challenge: &[u8; 8],
) -> Vec<u8> {
    // MS-NLMP:3.3.2-lmv2
    [&key.nt_proof_str(server_challenge, client_challenge)[..], client_challenge].concat()
}
