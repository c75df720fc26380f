//! What a server's CHALLENGE says: the flags it chooses and its AV pairs, [MS-NLMP] 3.2.5.1.1.

use portable_sspi_core::{Error, FileTime};

use crate::NegotiateFlags;
use crate::config::{ServerNames, ServerPolicy};
use crate::negotiation::{protects_messages, require_minimum};
use crate::wire::av_pair::{self, AvId};
use crate::wire::challenge;

/// The flags of the CHALLENGE for what the client offers, [MS-NLMP] 3.2.5.1.1.
pub(super) fn choose(
    offered: NegotiateFlags,
    names: &ServerNames,
    policy: &ServerPolicy,
) -> Result<NegotiateFlags, Error> {
    use NegotiateFlags as F;
    let mut chosen = always(names);
    // MS-NLMP:2.2.2.5-unicode-first
    chosen |= if offered.contains(F::UNICODE) {
        F::UNICODE
    } else if offered.contains(F::OEM) {
        F::OEM
    } else {
        // MS-NLMP:2.2.2.5-no-character-set
        return Err(challenge::no_character_set("NEGOTIATE_MESSAGE NegotiateFlags").into());
    };
    // MS-NLMP:2.2.2.5-protection-returned
    chosen |= offered & (F::EXTENDED_SESSIONSECURITY | F::SIGN | F::SEAL | F::IDENTIFY);
    // Keys are for message protection: without it, their strength means nothing and their exchange is disputed.
    if protects_messages(chosen) {
        // MS-NLMP:2.2.2.5-strength-returned
        chosen |= offered & (F::KEY_EXCH | F::KEY_128 | F::KEY_56);
        // "If [extended session security and LM_KEY] are requested [..], only [the former] must be returned", 2.2.2.5.
        let admits_lm_key = policy.level.accepts_lm() && !policy.minimum_flags.contains(F::KEY_128);
        // MS-NLMP:2.2.2.5-lm-key-excluded
        if admits_lm_key && !chosen.contains(F::EXTENDED_SESSIONSECURITY) {
            chosen |= offered & F::LM_KEY;
        }
    }
    // MS-NLMP:3.2.5.1.1-strength
    require_minimum(chosen, policy.minimum_flags)?;
    Ok(chosen)
}

/// The flags of a CHALLENGE that comes first, [MS-NLMP] 3.2.5.2.1: all that there is, for the client to choose from.
// MS-NLMP:3.2.5.2.1-offer
pub(super) fn offer_datagram(names: &ServerNames) -> NegotiateFlags {
    use NegotiateFlags as F;
    always(names)
        | F::UNICODE
        | F::DATAGRAM
        | F::EXTENDED_SESSIONSECURITY
        | F::SIGN
        | F::SEAL
        | F::IDENTIFY
        | F::KEY_EXCH
        | F::KEY_128
        | F::KEY_56
}

/// Appends the server's AV pairs, in the order that Windows uses, always with a time so that clients send a MIC.
pub(super) fn append_target_info(list: &mut Vec<u8>, names: &ServerNames, now: FileTime) {
    for (id, name) in [
        // MS-NLMP:2.2.2.1-server-names
        (AvId::NbDomainName, &names.netbios_domain),
        (AvId::NbComputerName, &names.netbios_computer),
        (AvId::DnsDomainName, &names.dns_domain),
        (AvId::DnsComputerName, &names.dns_computer),
        (AvId::DnsTreeName, &names.dns_tree),
    ] {
        if !name.is_empty() {
            av_pair::append_text(list, id, name);
        }
    }
    // MS-NLMP:3.2.5.1.1-time
    av_pair::append(list, AvId::Timestamp, &now.0.to_le_bytes());
    av_pair::append(list, AvId::Eol, &[]);
}

fn always(names: &ServerNames) -> NegotiateFlags {
    use NegotiateFlags as F;
    // MS-NLMP:2.2.2.5-target-type
    let target_type = if names.domain_joined { F::TARGET_TYPE_DOMAIN } else { F::TARGET_TYPE_SERVER };
    // MS-NLMP:2.2.2.5-always
    F::REQUEST_TARGET | F::NTLM | F::ALWAYS_SIGN | F::TARGET_INFO | F::VERSION | target_type
}
