//! The server's side of the handshake, [MS-NLMP] 3.2.

mod checks;
mod offer;
#[cfg(test)]
mod work_tests;

use core::hint::black_box;

use portable_sspi_core::{
    AscRet, ClientToken, ContextFlags, DenialReason, Environment, Error, FileTime, LogonDenied,
    MalformedToken, PeerMisbehaved, Problem, SecretArray,
};

use crate::NegotiateFlags;
use crate::accounts::{AccountDatabase, NetworkLogon, VerifiedLogon};
use crate::config::{ServerNames, ServerPolicy};
use crate::crypto::keys;
use crate::negotiation::{
    check_size, require, require_minimum, without_idle_key_exchange, without_protection,
};
use crate::session::{Established, Role};
use crate::wire::authenticate::{self, Authenticate};
use crate::wire::challenge::{self, Challenge};
use crate::wire::negotiate::Negotiate;
use crate::wire::nt_response::NtlmV2Response;
use crate::wire::response::Response;
use crate::wire::text;
use crate::wire::version::Version;

/// A server that has sent its CHALLENGE and waits for the AUTHENTICATE.
///
/// The two messages are kept as they went over the wire: the MIC covers them, and everything that was negotiated is read
/// from the CHALLENGE again, so that this state has no second truth beside it.
#[derive(Debug)]
pub(crate) struct ChallengeSent {
    /// Empty in connectionless mode, where there is none.
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    /// Channel bindings given at the first step already, for callers that give them only there.
    channel_bindings: Option<[u8; 16]>,
}

/// What the second step needs besides the state and the client's token.
#[derive(Debug)]
pub(crate) struct ServerStep<'a> {
    pub(crate) accounts: &'a dyn AccountDatabase,
    pub(crate) policy: &'a ServerPolicy,
    /// The server's own bindings, hashed; overrides those of the first step.
    pub(crate) channel_bindings: Option<[u8; 16]>,
    /// `ASC_REQ_ALLOW_MISSING_BINDINGS`.
    pub(crate) allow_missing_bindings: bool,
    /// `ASC_REQ_ALLOW_NULL_SESSION`.
    pub(crate) allow_null_session: bool,
    /// The flags that `ASC_REQ_INTEGRITY` and its like stand for.
    pub(crate) required: NegotiateFlags,
    pub(crate) now: FileTime,
}

impl ChallengeSent {
    /// The first step: answers the NEGOTIATE, [MS-NLMP] 3.2.5.1.1.
    pub(crate) fn start(
        negotiate_message: &[u8],
        names: &ServerNames,
        policy: &ServerPolicy,
        required: NegotiateFlags,
        channel_bindings: Option<[u8; 16]>,
        environment: &Environment<'_>,
    ) -> Result<(Self, Vec<u8>), Error> {
        check_size(negotiate_message, policy.maximum_token)?;
        let negotiate = Negotiate::parse(negotiate_message)?;
        let flags = offer::choose(negotiate.flags, names, policy)?;
        require(flags, required)?;
        Self::send(negotiate_message.to_vec(), flags, names, channel_bindings, environment)
    }

    /// The first step in connectionless mode: a CHALLENGE that answers nothing, [MS-NLMP] 3.2.5.2.1.
    pub(crate) fn start_datagram(
        names: &ServerNames,
        channel_bindings: Option<[u8; 16]>,
        environment: &Environment<'_>,
    ) -> Result<(Self, Vec<u8>), Error> {
        Self::send(Vec::new(), offer::offer_datagram(names), names, channel_bindings, environment)
    }

    fn send(
        negotiate: Vec<u8>,
        flags: NegotiateFlags,
        names: &ServerNames,
        channel_bindings: Option<[u8; 16]>,
        environment: &Environment<'_>,
    ) -> Result<(Self, Vec<u8>), Error> {
        // MS-NLMP:3.2.5.1.1-target-name
        let target_name = if names.domain_joined { &names.netbios_domain } else { &names.netbios_computer };
        let mut payload = Vec::with_capacity(512);
        if flags.contains(NegotiateFlags::UNICODE) {
            text::append_utf16le(&mut payload, target_name);
        } else {
            // The name is the server's, but it is the client that cannot take it.
            payload = text::to_oem("target name", target_name)
                .map_err(|_| PeerMisbehaved::TooWeak { missing: "UNICODE" })?;
        }
        let name_length = payload.len();
        offer::append_target_info(&mut payload, names, environment.now());
        let (target_name, target_info) = payload.split_at(name_length);
        let challenge = Challenge {
            flags,
            // MS-NLMP:3.2.5.1.1-nonce
            server_challenge: environment.random()?,
            target_name,
            target_info,
            version: Some(Version::OURS),
        }
        .write()?;
        Ok((Self::from_messages(negotiate, challenge.clone(), channel_bindings), challenge))
    }

    /// The state after a CHALLENGE that was sent before.
    pub(crate) const fn from_messages(
        negotiate: Vec<u8>,
        challenge: Vec<u8>,
        channel_bindings: Option<[u8; 16]>,
    ) -> Self {
        Self { negotiate, challenge, channel_bindings }
    }

    /// What [`from_messages`](Self::from_messages) takes: all of the state.
    pub(crate) fn messages(&self) -> (&[u8], &[u8], Option<[u8; 16]>) {
        (&self.negotiate, &self.challenge, self.channel_bindings)
    }

    /// The last step: checks the AUTHENTICATE, [MS-NLMP] 3.2.5.1.2.
    ///
    /// Form and kind come first, because they never depend on a secret. Then each check takes the proof that the one
    /// before it was made: the response, the AV pairs, the key, the MIC, the channel bindings, the service name, the time.
    /// The older kinds of response go through the same checks, with nothing to show at those that need AV pairs.
    pub(crate) fn verify(
        self,
        authenticate_message: &[u8],
        step: &ServerStep<'_>,
    ) -> Result<Established, Error> {
        let policy = step.policy;
        check_size(authenticate_message, policy.maximum_token)?;
        let challenge = Challenge::parse(&self.challenge)?;
        let negotiated = negotiated(challenge.flags, authenticate_message, policy)?;
        let unicode = negotiated.contains(NegotiateFlags::UNICODE);
        if !unicode && !negotiated.contains(NegotiateFlags::OEM) {
            return Err(challenge::no_character_set("CHALLENGE_MESSAGE NegotiateFlags").into());
        }
        let message = Authenticate::parse(authenticate_message, unicode)?;
        let names = ClaimedNames::read(&message, unicode)?;
        let is_anonymous = is_anonymous(&message);
        require(if is_anonymous { without_protection(negotiated) } else { negotiated }, step.required)?;

        if is_anonymous {
            if !(policy.allow_anonymous && step.allow_null_session) {
                return Err(LogonDenied::new(DenialReason::AnonymousNotAllowed).into());
            }
            let exported_session_key = exported_session_key(&keys::ANONYMOUS_KEY, &message, negotiated)?;
            return Ok(anonymous(names.workstation, negotiated, exported_session_key, step.now));
        }
        let with_ess = negotiated.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY);
        let response = Response::parse(&message, &challenge.server_challenge, with_ess)?;
        let with_pairs = response.ntlm_v2();
        check_kind(&response, with_ess, policy)?;
        // Form as well: looked at after the proof, it would tell a right password from a wrong one.
        let claimed_target = with_pairs.map(NtlmV2Response::target_name).transpose()?.flatten();
        encrypted_session_key(&message, negotiated)?;
        let sent = challenge.av_pairs()?;

        let logon = NetworkLogon {
            user_name: &names.user,
            domain_name: &names.domain,
            workstation: &names.workstation,
            server_challenge: &challenge.server_challenge,
            nt_response: message.nt_response,
            response: &response,
        };
        let verdict: Result<VerifiedLogon, Error> = step.accounts.verify(&logon);
        // Keys and MIC of a client that is refused are computed as well, out of a key that is nobody's, and for one that a
        // later check refuses the search for its proof goes on to its end: all refusals take the same work.
        let key_exchange_key = key_exchange_key(
            verdict.as_ref().ok(),
            &response,
            negotiated,
            &challenge.server_challenge,
            &message,
        );
        let exported_session_key = exported_session_key(&key_exchange_key, &message, negotiated)?;
        let expected_mic =
            self.expected_mic(&exported_session_key, authenticate_message, &message, with_pairs);
        let verified = verdict?;
        let checked = (|| {
            let target_info = checks::TargetInfoChecked::check(&verified, &sent, with_pairs)?;
            let mic = checks::MicChecked::check(target_info, message.mic, expected_mic, policy)?;
            let bindings = checks::BindingsChecked::check(
                mic,
                step.channel_bindings.or(self.channel_bindings),
                with_pairs,
                policy.channel_bindings,
                step.allow_missing_bindings,
            )?;
            let channel_bindings = bindings.compared();
            let target = checks::TargetNameChecked::check(bindings, claimed_target, policy)?;
            checks::check_time(&target, &sent, with_pairs, step.now, policy)?;
            Ok((target, channel_bindings))
        })();
        let (target, channel_bindings) =
            checked.inspect_err(|_: &LogonDenied| logon.finish_search(&verified))?;

        let client_token = ClientToken::new(verified.user_name, verified.domain_name, names.workstation);
        let negotiated = without_idle_key_exchange(negotiated);
        Ok(Established {
            role: Role::Server,
            negotiated,
            exported_session_key,
            flags: ContextFlags::Acceptor(attributes(negotiated)),
            client_name: client_token.qualified_name(),
            target: target.into_target_name(),
            client_token: Some(client_token),
            channel_bindings,
            start: step.now,
            expiry: FileTime::NEVER,
        })
    }

    /// The MIC that the message must have, where it has room for one and a response that can announce it.
    fn expected_mic(
        &self,
        exported_session_key: &SecretArray<16>,
        authenticate_message: &[u8],
        message: &Authenticate<'_>,
        with_pairs: Option<&NtlmV2Response<'_>>,
    ) -> Option<[u8; 16]> {
        let (Some(_), Some(_)) = (message.mic, with_pairs) else { return None };
        let parts = authenticate::with_zero_mic(authenticate_message)?;
        // Not to be put off until it is compared, which it is not where the client is refused.
        Some(black_box(keys::mic(exported_session_key, &self.negotiate, &self.challenge, &parts)))
    }
}

/// A context in which the client has proved nothing. It is named as Windows names it, and nothing protects its messages.
fn anonymous(
    workstation: String,
    negotiated: NegotiateFlags,
    exported_session_key: SecretArray<16>,
    now: FileTime,
) -> Established {
    let mut client_token =
        ClientToken::new("ANONYMOUS LOGON".to_owned(), "NT AUTHORITY".to_owned(), workstation);
    client_token.is_anonymous = true;
    let negotiated = without_protection(negotiated);
    Established {
        role: Role::Server,
        negotiated,
        exported_session_key,
        flags: ContextFlags::Acceptor(attributes(negotiated) | AscRet::NULL_SESSION),
        client_name: client_token.qualified_name(),
        target: None,
        client_token: Some(client_token),
        channel_bindings: None,
        start: now,
        expiry: FileTime::NEVER,
    }
}

/// The flags that count: in connection mode those of the CHALLENGE, and what the AUTHENTICATE says is not looked at,
/// [MS-NLMP] 2.2.1.3. In connectionless mode the client chooses by the AUTHENTICATE, from what it was offered.
fn negotiated(
    offered: NegotiateFlags,
    authenticate_message: &[u8],
    policy: &ServerPolicy,
) -> Result<NegotiateFlags, Error> {
    use NegotiateFlags as F;
    if !offered.contains(F::DATAGRAM) {
        // MS-NLMP:2.2.1.3-connection-flags
        return Ok(offered);
    }
    // The character set is not known before the flags are; to read these it does not matter.
    let Some(chosen) = Authenticate::parse(authenticate_message, false)?.flags else {
        return Err(MalformedToken::new("AUTHENTICATE_MESSAGE NegotiateFlags", Problem::Missing).into());
    };
    // MS-NLMP:2.2.1.3-datagram-flags
    let decisive = F::SIGN | F::SEAL | F::LM_KEY | F::REQUEST_NON_NT_SESSION_KEY;
    if let Some((flag, _)) = ((chosen & decisive) - offered).iter_names().next() {
        return Err(PeerMisbehaved::NotOffered { flag }.into());
    }
    // Without extended session security every message has the same keystream, so no policy admits that.
    // MS-NLMP:3.2.5.2.1-key-exchange
    require(chosen, F::DATAGRAM | F::KEY_EXCH | F::EXTENDED_SESSIONSECURITY)?;
    require_minimum(chosen, policy.minimum_flags)?;
    Ok(chosen & offered)
}

/// Whether the policy admits this kind of response.
fn check_kind(
    response: &Response<'_>,
    with_extended_session_security: bool,
    policy: &ServerPolicy,
) -> Result<(), LogonDenied> {
    let requires_ess = policy.minimum_flags.contains(NegotiateFlags::EXTENDED_SESSIONSECURITY);
    match response {
        Response::NtlmV2(_) => Ok(()),
        Response::NtlmV1 { .. }
            if policy.level.accepts_ntlmv1() && (with_extended_session_security || !requires_ess) =>
        {
            Ok(())
        }
        Response::NtlmV1 { .. } => Err(LogonDenied::new(DenialReason::Ntlmv1Refused)),
        Response::LmAlone(_) if policy.level.accepts_lm() && !requires_ess => Ok(()),
        Response::LmAlone(_) => Err(LogonDenied::new(DenialReason::NoNtResponse)),
    }
}

/// KXKEY, [MS-NLMP] 3.4.5.1. Without a verified logon it is nobody's.
fn key_exchange_key(
    verified: Option<&VerifiedLogon>,
    response: &Response<'_>,
    negotiated: NegotiateFlags,
    server_challenge: &[u8; 8],
    message: &Authenticate<'_>,
) -> SecretArray<16> {
    let nobodys = SecretArray::new([0; 16]);
    let base_key = verified.map_or(&nobodys, |verified| &verified.session_base_key);
    // LMv2 alone is NTLMv2 as well, and which of the older ones it is only its verifier knows.
    if response.ntlm_v2().is_some() || verified.is_some_and(|verified| verified.by_v2) {
        // MS-NLMP:3.4.5.1-ntlmv2
        return base_key.duplicate();
    }
    let no_lm_hash = SecretArray::new([0; 8]);
    keys::key_exchange_key_v1(
        base_key,
        negotiated,
        server_challenge,
        message.lm_response,
        verified.and_then(|verified| verified.lm_session_key.as_ref()).unwrap_or(&no_lm_hash),
    )
}

/// ExportedSessionKey: the client's where keys are exchanged, [MS-NLMP] 3.2.5.1.2.
fn exported_session_key(
    key_exchange_key: &SecretArray<16>,
    message: &Authenticate<'_>,
    negotiated: NegotiateFlags,
) -> Result<SecretArray<16>, MalformedToken> {
    Ok(match encrypted_session_key(message, negotiated)? {
        Some(encrypted) => keys::rc4k(key_exchange_key, encrypted),
        None => key_exchange_key.duplicate(),
    })
}

/// The encrypted key, where there must be one. An empty or short one is refused: what it would decrypt to is known.
fn encrypted_session_key<'a>(
    message: &Authenticate<'a>,
    negotiated: NegotiateFlags,
) -> Result<Option<&'a [u8; 16]>, MalformedToken> {
    if !without_idle_key_exchange(negotiated).contains(NegotiateFlags::KEY_EXCH) {
        return Ok(None);
    }
    let key = message.encrypted_random_session_key;
    // MS-NLMP:3.2.5.1.2-session-key
    key.try_into().map(Some).map_err(|_| {
        let problem = Problem::Length { expected: 16, found: key.len() };
        MalformedToken::new("AUTHENTICATE_MESSAGE EncryptedRandomSessionKey", problem)
    })
}

/// An anonymous logon, [MS-NLMP] 3.2.5.1.2. Judged by the fields: the ANONYMOUS flag is the client's to set or not.
fn is_anonymous(message: &Authenticate<'_>) -> bool {
    // MS-NLMP:3.2.5.1.2-anonymous
    message.user.is_empty() && message.nt_response.is_empty() && matches!(message.lm_response, [] | [0])
}

fn attributes(negotiated: NegotiateFlags) -> AscRet {
    let mut flags =
        if negotiated.contains(NegotiateFlags::DATAGRAM) { AscRet::DATAGRAM } else { AscRet::CONNECTION };
    if negotiated.contains(NegotiateFlags::SIGN) {
        flags |= AscRet::INTEGRITY;
        // A connectionless context does not count.
        if !negotiated.contains(NegotiateFlags::DATAGRAM) {
            flags |= AscRet::REPLAY_DETECT | AscRet::SEQUENCE_DETECT;
        }
    }
    if negotiated.contains(NegotiateFlags::SEAL) {
        flags |= AscRet::CONFIDENTIALITY;
    }
    if negotiated.contains(NegotiateFlags::IDENTIFY) {
        flags |= AscRet::IDENTIFY;
    }
    flags
}

/// The names that a client writes into its AUTHENTICATE. All its claim.
struct ClaimedNames {
    user: String,
    domain: String,
    workstation: String,
}

/// The longest name that is taken from a client, in bytes: four times the longest of Windows. Contexts keep names.
const LONGEST_NAME: usize = 2048;

impl ClaimedNames {
    fn read(message: &Authenticate<'_>, unicode: bool) -> Result<Self, MalformedToken> {
        let read = |what, name: &[u8]| {
            if name.len() > LONGEST_NAME {
                let problem = Problem::TooLarge { limit: LONGEST_NAME, found: name.len() };
                return Err(MalformedToken::new(what, problem));
            }
            if unicode { text::from_utf16le(what, name) } else { text::from_oem(what, name) }
        };
        Ok(Self {
            user: read("AUTHENTICATE_MESSAGE UserName", message.user)?,
            domain: read("AUTHENTICATE_MESSAGE DomainName", message.domain)?,
            workstation: read("AUTHENTICATE_MESSAGE Workstation", message.workstation)?,
        })
    }
}
