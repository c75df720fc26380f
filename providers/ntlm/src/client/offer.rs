//! The flags of a client: what it offers, and what it accepts of the CHALLENGE, [MS-NLMP] 3.1.5.1.1 and 3.1.5.1.2.

use portable_sspi_core::{Error, IscReq, IscRet, PeerMisbehaved};

use super::Logon;
use crate::NegotiateFlags;
use crate::config::ClientPolicy;
use crate::negotiation::{protects_messages, require, require_minimum};
use crate::wire::challenge;

/// The flags that a client offers for what its caller requires, [MS-NLMP] 3.1.5.1.1.
pub(super) fn offer(requirements: IscReq, logon: &Logon, policy: &ClientPolicy) -> NegotiateFlags {
    use NegotiateFlags as F;
    // MS-NLMP:3.1.5.1.1-always
    let mut flags = F::UNICODE
        | F::REQUEST_TARGET
        | F::NTLM
        | F::ALWAYS_SIGN
        | F::TARGET_INFO
        | F::VERSION
        | F::KEY_128
        | F::KEY_56;
    if policy.level.offers_extended_session_security() {
        flags |= F::EXTENDED_SESSIONSECURITY;
    }
    if !policy.minimum_flags.contains(F::UNICODE) {
        flags |= F::OEM;
    }
    if requirements.intersects(IscReq::INTEGRITY | IscReq::REPLAY_DETECT | IscReq::SEQUENCE_DETECT) {
        // MS-NLMP:3.1.1.2-integrity
        flags |= F::SIGN;
    }
    if requirements.contains(IscReq::CONFIDENTIALITY) {
        // An encrypted message is always signed, so SEAL asks for SIGN as well.
        // MS-NLMP:3.1.1.2-confidentiality
        flags |= F::SEAL | F::SIGN;
    }
    if protects_messages(flags) {
        // Peers disagree about a key exchange without message protection, so it is asked for together with it only.
        // MS-NLMP:3.1.1.2-key-exchange
        flags |= F::KEY_EXCH;
        let admits_lm_key = !policy.minimum_flags.intersects(F::KEY_128 | F::EXTENDED_SESSIONSECURITY);
        if admits_lm_key && policy.level.sends_lm() && logon.lm_hash().is_some() {
            flags |= F::LM_KEY;
        }
    }
    if requirements.contains(IscReq::IDENTIFY) {
        // MS-NLMP:3.1.1.2-identify
        flags |= F::IDENTIFY;
    }
    if requirements.contains(IscReq::DATAGRAM) {
        // "NTLMSSP_NEGOTIATE_KEY_EXCH must always be set" in connectionless mode, 3.2.5.2.1.
        flags |= F::DATAGRAM | F::KEY_EXCH;
    }
    flags
}

/// The negotiated set, where it is no weaker than this side demands and turns nothing on that was not offered.
pub(super) fn accept(
    offered: NegotiateFlags,
    chosen: NegotiateFlags,
    policy: &ClientPolicy,
) -> Result<NegotiateFlags, Error> {
    use NegotiateFlags as F;
    if !chosen.intersects(F::UNICODE | F::OEM) {
        return Err(challenge::no_character_set("CHALLENGE_MESSAGE NegotiateFlags").into());
    }
    let datagram = offered.contains(F::DATAGRAM);
    let mut forbidden = F::DATAGRAM;
    if !datagram {
        // In connectionless mode the server offers, and the client chooses.
        forbidden |= F::SIGN | F::SEAL | F::KEY_EXCH;
        if !chosen.contains(F::EXTENDED_SESSIONSECURITY) {
            forbidden |= F::LM_KEY | F::REQUEST_NON_NT_SESSION_KEY;
        }
    }
    if let Some((flag, _)) = ((chosen & forbidden) - offered).iter_names().next() {
        return Err(PeerMisbehaved::NotOffered { flag }.into());
    }
    // What was not offered and is harmless (VERSION, the target's type) is no part of what this side repeats.
    let mut negotiated = chosen & offered;
    if negotiated.contains(F::EXTENDED_SESSIONSECURITY) {
        negotiated -= F::LM_KEY;
    }
    if negotiated.contains(F::UNICODE) {
        negotiated -= F::OEM;
    }
    require(negotiated, offered & (F::SIGN | F::SEAL | F::DATAGRAM))?;
    // MS-NLMP:3.1.5.1.2-strength
    require_minimum(negotiated, policy.minimum_flags)?;
    // Without it, the server alone chooses what an NTLMv1 response is computed over; and in connectionless mode every
    // message has the same keystream.
    let requires_ess =
        policy.minimum_flags.contains(F::EXTENDED_SESSIONSECURITY) && !policy.level.sends_ntlmv2();
    if requires_ess || datagram {
        require(negotiated, F::EXTENDED_SESSIONSECURITY)?;
    }
    if datagram {
        require(negotiated, F::KEY_EXCH)?;
    }
    Ok(negotiated)
}

pub(super) fn attributes(negotiated: NegotiateFlags) -> IscRet {
    let mut flags =
        if negotiated.contains(NegotiateFlags::DATAGRAM) { IscRet::DATAGRAM } else { IscRet::CONNECTION };
    if negotiated.contains(NegotiateFlags::SIGN) {
        flags |= IscRet::INTEGRITY;
        // A connectionless context does not count.
        if !negotiated.contains(NegotiateFlags::DATAGRAM) {
            flags |= IscRet::REPLAY_DETECT | IscRet::SEQUENCE_DETECT;
        }
    }
    if negotiated.contains(NegotiateFlags::SEAL) {
        flags |= IscRet::CONFIDENTIALITY;
    }
    if negotiated.contains(NegotiateFlags::IDENTIFY) {
        flags |= IscRet::IDENTIFY;
    }
    flags
}
