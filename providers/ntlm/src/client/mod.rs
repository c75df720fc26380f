//! The client's side of the handshake, [MS-NLMP] 3.1.

pub(crate) mod answer;
mod offer;
pub(crate) mod target_info;

use portable_sspi_core::{
    ChannelBindings, ContextFlags, Environment, Error, FileTime, InitializeRequest, IscReq, IscRet,
    MalformedToken, Misuse, SecretArray, Unavailable,
};
use zeroize::Zeroizing;

use crate::NegotiateFlags;
use crate::config::ClientPolicy;
use crate::crypto::keys;
use crate::crypto::owf::{self, ResponseKeyNt};
use crate::negotiation::{check_size, protects_messages, without_idle_key_exchange};
use crate::session::{Established, Role};
use crate::wire::authenticate::{self, Authenticate};
use crate::wire::challenge::Challenge;
use crate::wire::negotiate::Negotiate;
use crate::wire::text;
use crate::wire::version::Version;
use answer::Answer;

/// Who a client logs on as.
#[derive(Debug)]
pub(crate) enum Logon {
    /// Nobody.
    Anonymous,
    /// A user.
    Account(Account),
}

/// A user's names and hashes.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) domain: String,
    pub(crate) nt_hash: SecretArray<16>,
    /// Only where the policy's level sends LM responses, and the password has an LM hash.
    pub(crate) lm_hash: Option<SecretArray<16>>,
    /// ResponseKeyNT of NTLMv2: it depends on nothing of the server's, so it is computed once for all handshakes.
    response_key_nt: ResponseKeyNt,
}

impl Account {
    pub(crate) fn new(
        user: String,
        domain: String,
        nt_hash: SecretArray<16>,
        lm_hash: Option<SecretArray<16>>,
    ) -> Self {
        let response_key_nt = ResponseKeyNt::new(&owf::ntowf_v2(&nt_hash, &user, &domain));
        Self { user, domain, nt_hash, lm_hash, response_key_nt }
    }
}

impl Logon {
    const fn lm_hash(&self) -> Option<&SecretArray<16>> {
        match self {
            Self::Anonymous => None,
            Self::Account(account) => account.lm_hash.as_ref(),
        }
    }

    /// User and domain.
    fn names(&self) -> (&str, &str) {
        match self {
            Self::Anonymous => ("", ""),
            Self::Account(account) => (&account.user, &account.domain),
        }
    }
}

/// A client that has sent its NEGOTIATE, or has none to send, and waits for the CHALLENGE.
#[derive(Debug)]
pub(crate) struct NegotiateSent {
    /// Empty in connectionless mode.
    negotiate: Vec<u8>,
    offered: NegotiateFlags,
}

/// What the second step needs besides the state and the server's token.
#[derive(Debug)]
pub(crate) struct ClientStep<'a> {
    pub(crate) logon: &'a Logon,
    pub(crate) policy: &'a ClientPolicy,
    pub(crate) workstation: &'a str,
    pub(crate) target_name: Option<&'a str>,
    pub(crate) untrusted_target_name: bool,
    pub(crate) channel_bindings: Option<&'a ChannelBindings>,
}

impl NegotiateSent {
    /// The first step: what the caller asks for decides the flags, [MS-NLMP] 3.1.5.1.1. In connectionless mode there is
    /// no message, 3.1.5.2, and the token is empty.
    ///
    /// # Errors
    /// [`Misuse::NotSupported`] for an anonymous logon that shall protect its messages: it has no key that is secret.
    pub(crate) fn start(
        requirements: IscReq,
        logon: &Logon,
        policy: &ClientPolicy,
    ) -> Result<(Self, Vec<u8>), Error> {
        let offered = offer::offer(requirements, logon, policy);
        if matches!(logon, Logon::Anonymous) && protects_messages(offered) {
            return Err(Misuse::NotSupported { what: "protecting the messages of an anonymous logon" }.into());
        }
        let negotiate =
            // MS-NLMP:3.1.5.2-no-negotiate
            if offered.contains(NegotiateFlags::DATAGRAM) { Vec::new() } else { Negotiate::write(offered) };
        Ok((Self { negotiate: negotiate.clone(), offered }, negotiate))
    }

    /// The state after a NEGOTIATE that was sent before; what it offers is read from it.
    pub(crate) fn from_message(negotiate: Vec<u8>) -> Result<Self, MalformedToken> {
        let offered = Negotiate::parse(&negotiate)?.flags;
        let connectionless = offered.contains(NegotiateFlags::DATAGRAM);
        Ok(Self { negotiate: if connectionless { Vec::new() } else { negotiate }, offered })
    }

    /// What [`from_message`](Self::from_message) takes: all of the state. In connectionless mode, the NEGOTIATE that would
    /// offer the same.
    pub(crate) fn message(&self) -> Vec<u8> {
        if self.negotiate.is_empty() { Negotiate::write(self.offered) } else { self.negotiate.clone() }
    }

    /// The last step: answers the CHALLENGE, [MS-NLMP] 3.1.5.1.2.
    pub(crate) fn answer(
        self,
        challenge_message: &[u8],
        step: &ClientStep<'_>,
        environment: &Environment<'_>,
    ) -> Result<(Established, Vec<u8>), Error> {
        check_size(challenge_message, step.policy.maximum_token)?;
        let challenge = Challenge::parse(challenge_message)?;
        let negotiated = offer::accept(self.offered, challenge.flags, step.policy)?;
        // Looked at whether or not the answer repeats them: what is malformed is so at every level.
        challenge.av_pairs()?;

        let random = Zeroizing::new(environment.random::<24>()?);
        let (Some(client_challenge), Some(session_key)) =
            (random.first_chunk::<8>(), random.last_chunk::<16>())
        else {
            return Err(Unavailable::Entropy.into());
        };
        let now = environment.now();
        let answer = Answer::compute(&challenge, negotiated, step, client_challenge, now)?;
        let exchanges_key = without_idle_key_exchange(negotiated).contains(NegotiateFlags::KEY_EXCH);
        let exchanged = exchanges_key.then_some(session_key);
        // MS-NLMP:3.1.5.1.2-exported-key
        let encrypted_key = exchanged.map(|key| keys::rc4k(&answer.key_exchange_key, key));
        let exported_session_key =
            exchanged.map_or_else(|| answer.key_exchange_key.duplicate(), |key| SecretArray::new(*key));

        let (user, domain) = step.logon.names();
        let unicode = negotiated.contains(NegotiateFlags::UNICODE);
        let text = |what, name: &str| {
            if unicode { Ok(text::to_utf16le(name)) } else { text::to_oem(what, name) }
        };
        let anonymous = matches!(step.logon, Logon::Anonymous);
        let mut authenticate = Authenticate {
            lm_response: &answer.lm_response,
            nt_response: &answer.nt_response,
            domain: &text("domain", domain)?,
            user: &text("user", user)?,
            workstation: &text("workstation", step.workstation)?,
            encrypted_random_session_key: encrypted_key.as_ref().map_or(&[][..], |key| &key.expose()[..]),
            // MS-NLMP:2.2.2.5-anonymous
            flags: Some(if anonymous { negotiated | NegotiateFlags::ANONYMOUS } else { negotiated }),
            version: Some(Version::OURS),
            mic: None,
            payload_start: 0,
        }
        .write()?;
        if let Some(parts) = authenticate::with_zero_mic(&authenticate).filter(|_| answer.announces_mic) {
            // MS-NLMP:3.1.5.1.2-mic
            let mic = keys::mic(&exported_session_key, &self.negotiate, challenge_message, &parts);
            authenticate::set_mic(&mut authenticate, &mic);
        }

        let negotiated = without_idle_key_exchange(negotiated);
        let mut attributes = offer::attributes(negotiated);
        attributes.set(IscRet::NULL_SESSION, anonymous);
        let established = Established {
            role: Role::Client,
            negotiated,
            exported_session_key,
            flags: ContextFlags::Initiator(attributes),
            client_name: qualified_name(domain, user),
            target: step.target_name.map(str::to_owned),
            client_token: None,
            channel_bindings: step.channel_bindings.map(keys::channel_binding_hash),
            start: now,
            expiry: FileTime::NEVER,
        };
        Ok((established, authenticate))
    }
}

fn qualified_name(domain: &str, user: &str) -> String {
    if domain.is_empty() { user.to_owned() } else { [domain, "\\", user].concat() }
}

impl<'a> ClientStep<'a> {
    /// The parts of a request that the second step needs.
    pub(crate) fn new(
        logon: &'a Logon,
        policy: &'a ClientPolicy,
        workstation: &'a str,
        request: &InitializeRequest<'a>,
    ) -> Self {
        Self {
            logon,
            policy,
            workstation,
            target_name: request.target_name,
            untrusted_target_name: request.requirements.contains(IscReq::UNVERIFIED_TARGET_NAME),
            channel_bindings: request.channel_bindings,
        }
    }
}
