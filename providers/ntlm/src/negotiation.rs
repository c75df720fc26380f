//! The rules about flags that both sides have in common, [MS-NLMP] 2.2.2.5 and 3.1.5.1.2.

use portable_sspi_core::{MalformedToken, PeerMisbehaved, Problem};

use crate::NegotiateFlags;

/// What says how messages are protected, and means nothing where they are not.
const STRENGTH: NegotiateFlags = NegotiateFlags::EXTENDED_SESSIONSECURITY
    .union(NegotiateFlags::KEY_128)
    .union(NegotiateFlags::KEY_56)
    .union(NegotiateFlags::KEY_EXCH);

/// Whether messages are protected at all.
pub(crate) const fn protects_messages(flags: NegotiateFlags) -> bool {
    flags.intersects(NegotiateFlags::SIGN.union(NegotiateFlags::SEAL))
}

/// Refuses a set of flags that is weaker than `minimum`: what says how messages are protected counts only where they
/// are.
pub(crate) fn require_minimum(chosen: NegotiateFlags, minimum: NegotiateFlags) -> Result<(), PeerMisbehaved> {
    if !protects_messages(chosen) {
        return require(chosen, minimum - STRENGTH);
    }
    require(chosen, minimum)?;
    // LM_KEY makes keys of 40 or 56 bits, whatever else was chosen, 3.4.5.3.
    if minimum.contains(NegotiateFlags::KEY_128) && weakens_keys(chosen) {
        return Err(PeerMisbehaved::TooWeak { missing: "KEY_128" });
    }
    Ok(())
}

/// Refuses a set of flags that lacks one of the required ones, naming it.
pub(crate) fn require(chosen: NegotiateFlags, required: NegotiateFlags) -> Result<(), PeerMisbehaved> {
    match (required - chosen).iter_names().next() {
        Some((missing, _)) => Err(PeerMisbehaved::TooWeak { missing }),
        None => Ok(()),
    }
}

/// Whether LM_KEY has a say: extended session security excludes it.
pub(crate) const fn weakens_keys(flags: NegotiateFlags) -> bool {
    flags.contains(NegotiateFlags::LM_KEY) && !flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY)
}

/// KEY_EXCH counts only together with SIGN or SEAL, [MS-NLMP] 3.1.5.1.2.
pub(crate) fn without_idle_key_exchange(negotiated: NegotiateFlags) -> NegotiateFlags {
    if protects_messages(negotiated) { negotiated } else { negotiated - NegotiateFlags::KEY_EXCH }
}

/// An anonymous session has no protection of messages, [MS-NLMP] 3.4: everybody knows its key.
pub(crate) fn without_protection(negotiated: NegotiateFlags) -> NegotiateFlags {
    // MS-NLMP:3.4-anonymous
    negotiated - (NegotiateFlags::SIGN | NegotiateFlags::SEAL | NegotiateFlags::KEY_EXCH)
}

/// Refuses a token larger than the policy admits, before anything else looks at it.
pub(crate) fn check_size(token: &[u8], limit: usize) -> Result<(), MalformedToken> {
    if token.len() > limit {
        return Err(MalformedToken::new("token", Problem::TooLarge { limit, found: token.len() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_is_demanded_where_messages_are_protected_and_nothing_can_weaken_it() {
        use NegotiateFlags as F;
        let missing = |chosen, minimum| match require_minimum(chosen, minimum) {
            Ok(()) => "",
            Err(PeerMisbehaved::TooWeak { missing }) => missing,
            Err(_) => "other",
        };
        let strong = F::KEY_128 | F::EXTENDED_SESSIONSECURITY;
        assert_eq!(missing(F::UNICODE, strong), "");
        assert_eq!(missing(F::UNICODE, strong | F::SIGN), "SIGN");
        assert_eq!(missing(F::SIGN | F::KEY_128, strong), "EXTENDED_SESSIONSECURITY");
        assert_eq!(missing(F::SEAL | F::EXTENDED_SESSIONSECURITY, strong), "KEY_128");
        assert_eq!(missing(F::SIGN | strong, strong), "");
        let weakened = F::SIGN | F::KEY_128 | F::LM_KEY;
        assert_eq!(missing(weakened, F::KEY_128), "KEY_128");
        assert_eq!(missing(weakened | F::EXTENDED_SESSIONSECURITY, F::KEY_128), "");
        assert_eq!(missing(weakened, F::empty()), "");
    }
}
