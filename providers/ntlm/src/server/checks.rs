//! What is checked of a response whose proof holds. Each check leaves a value that the next one takes: none can be left
//! out, and their order cannot change.
//!
//! `response` is the NTLMv2 response. LM and NTLMv1 have none: no AV pairs, no MIC, no channel bindings, no service name and
//! no time, and each check says what becomes of that.

use portable_sspi_core::{DenialReason, FileTime, LogonDenied};
use subtle::ConstantTimeEq;

use crate::accounts::VerifiedLogon;
use crate::config::{ChannelBindingPolicy, ServerPolicy};
use crate::crypto::upcase;
use crate::wire::av_pair::{AvFlags, AvId, AvPairs};
use crate::wire::nt_response::NtlmV2Response;

/// The response was made for this server, over AV pairs that nobody changed on the way.
#[derive(Debug)]
pub(super) struct TargetInfoChecked {
    client_flags: AvFlags,
    mic_is_due: bool,
}

impl TargetInfoChecked {
    /// Refuses duplicates (CVE-2019-1166), pairs unlike those sent (a response relayed from another server,
    /// CVE-2019-1019), and flags that no honest client sets.
    pub(super) fn check(
        _proof: &VerifiedLogon,
        sent: &AvPairs<'_>,
        response: Option<&NtlmV2Response<'_>>,
    ) -> Result<Self, LogonDenied> {
        let Some(response) = response else {
            return Ok(Self { client_flags: AvFlags::empty(), mic_is_due: false });
        };
        let received = &response.av_pairs;
        if received.has_duplicates() {
            return Err(LogonDenied::new(DenialReason::DuplicateAvPair));
        }
        let mismatch = Err(LogonDenied::new(DenialReason::TargetInfoMismatch));
        for pair in sent.iter().filter(|pair| pair.id != AvId::Flags) {
            if received.get(pair.id) != Some(pair.value) {
                return mismatch;
            }
        }
        if received.iter().any(|pair| is_servers(pair.id) && sent.get(pair.id).is_none()) {
            return mismatch;
        }
        let client_flags = received.flags();
        let allowed = sent.flags() | AvFlags::MIC_PRESENT | AvFlags::UNTRUSTED_TARGET_NAME;
        if !allowed.contains(client_flags) {
            return mismatch;
        }
        Ok(Self { client_flags, mic_is_due: sent.timestamp().is_some() })
    }
}

/// The three messages are those that both sides saw.
#[derive(Debug)]
pub(super) struct MicChecked {
    client_flags: AvFlags,
}

impl MicChecked {
    /// The announcement in MsvAvFlags is under the proof, so it cannot be taken away; a message that announces a MIC and
    /// has none, or none that fits, is refused whatever else it says (CVE-2019-1040). Only NTLMv2 can announce one.
    ///
    /// `expected` is the MIC that [MS-NLMP] 3.2.5.1.2 computes; neither is there where the message has no room for one.
    pub(super) fn check(
        target_info: TargetInfoChecked,
        received: Option<[u8; 16]>,
        expected: Option<[u8; 16]>,
        policy: &ServerPolicy,
    ) -> Result<Self, LogonDenied> {
        let TargetInfoChecked { client_flags, mic_is_due } = target_info;
        let missing = LogonDenied::new(DenialReason::MicMissing);
        if client_flags.contains(AvFlags::MIC_PRESENT) {
            // MS-NLMP:3.2.5.1.2-mic-missing
            let (Some(mic), Some(expected)) = (received, expected) else {
                return Err(missing);
            };
            // MS-NLMP:3.2.5.1.2-mic
            if !bool::from(expected.ct_eq(&mic)) {
                return Err(LogonDenied::new(DenialReason::MicMismatch));
            }
        } else if policy.require_mic && mic_is_due {
            return Err(missing);
        }
        Ok(Self { client_flags })
    }
}

/// The client authenticated over the channel that this server sees.
#[derive(Debug)]
pub(super) struct BindingsChecked {
    client_flags: AvFlags,
    compared: Option<[u8; 16]>,
}

impl BindingsChecked {
    /// A server that knows its bindings demands the client's, [MS-NLMP] 3.2.5.1.2, as far as the policy says so.
    pub(super) fn check(
        mic: MicChecked,
        own: Option<[u8; 16]>,
        response: Option<&NtlmV2Response<'_>>,
        policy: ChannelBindingPolicy,
        allow_missing: bool,
    ) -> Result<Self, LogonDenied> {
        let checked = Self { client_flags: mic.client_flags, compared: None };
        let (Some(own), false) = (own, policy == ChannelBindingPolicy::Never) else { return Ok(checked) };
        // Not a client that has no bindings, but a response that hides whether it has.
        let response = response.ok_or(LogonDenied::new(DenialReason::ChannelBindingsNeedNtlmv2))?;
        match response.av_pairs.channel_bindings() {
            Some(theirs) if bool::from(own.ct_eq(&theirs)) => Ok(Self { compared: Some(own), ..checked }),
            // MS-NLMP:3.2.5.1.2-bindings
            Some(_) => Err(LogonDenied::new(DenialReason::ChannelBindingsMismatch)),
            None if allow_missing || policy == ChannelBindingPolicy::WhenSupported => Ok(checked),
            // MS-NLMP:3.2.5.1.2-bindings-missing
            None => Err(LogonDenied::new(DenialReason::ChannelBindingsMissing)),
        }
    }

    /// The bindings that both sides have; `None` where a client without any was let in.
    pub(super) const fn compared(&self) -> Option<[u8; 16]> {
        self.compared
    }
}

/// The client wants a service that this server is.
#[derive(Debug)]
pub(super) struct TargetNameChecked {
    target_name: Option<String>,
}

impl TargetNameChecked {
    /// A name that the client marks as coming from an untrusted source counts as none, [MS-NLMP] 3.2.5.1.2.
    pub(super) fn check(
        bindings: BindingsChecked,
        claimed: Option<String>,
        policy: &ServerPolicy,
    ) -> Result<Self, LogonDenied> {
        // MS-NLMP:3.2.5.1.2-untrusted-name
        let untrusted = bindings.client_flags.contains(AvFlags::UNTRUSTED_TARGET_NAME);
        let target_name = claimed.filter(|name| !untrusted && !name.is_empty());
        if !policy.accepted_spns.is_empty() {
            match &target_name {
                Some(name) if policy.accepted_spns.iter().any(|spn| upcase::eq_ignore_case(spn, name)) => {}
                Some(_) => return Err(LogonDenied::new(DenialReason::TargetNameMismatch)),
                None if policy.require_spn => return Err(LogonDenied::new(DenialReason::TargetNameMissing)),
                None => {}
            }
        }
        Ok(Self { target_name })
    }

    /// The service name that the client vouched for.
    pub(super) fn into_target_name(self) -> Option<String> {
        self.target_name
    }
}

/// The answer came in time. The client repeats the server's time, so clocks that differ do not matter; where the server
/// sent none, they may differ by what the policy says.
pub(super) fn check_time(
    _checked: &TargetNameChecked,
    sent: &AvPairs<'_>,
    response: Option<&NtlmV2Response<'_>>,
    now: FileTime,
    policy: &ServerPolicy,
) -> Result<(), LogonDenied> {
    let (time, limit) = match (sent.timestamp(), response) {
        (Some(time), _) => (time, policy.maximum_challenge_age),
        (None, Some(response)) => (response.time, policy.maximum_clock_skew),
        // Neither side has said a time.
        (None, None) => return Ok(()),
    };
    // MS-NLMP:3.2.5.1.2-lifetime
    if now.seconds_apart(time) > limit.as_secs() {
        return Err(LogonDenied::new(DenialReason::TimeSkew));
    }
    Ok(())
}

/// Ids that only a server puts into the list.
const fn is_servers(id: AvId) -> bool {
    matches!(
        id,
        AvId::NbComputerName
            | AvId::NbDomainName
            | AvId::DnsComputerName
            | AvId::DnsDomainName
            | AvId::DnsTreeName
            | AvId::Timestamp
    )
}
