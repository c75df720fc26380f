//! How the package is set up: who this server is, who may log on, and what is demanded of peers.

use std::sync::Arc;
use std::time::Duration;

use crate::NegotiateFlags;
use crate::accounts::AccountDatabase;
use crate::default_identity::DefaultIdentity;
use crate::level::LmCompatibilityLevel;

/// Everything that an [`Ntlm`](crate::Ntlm) package is told once. All defaults are safe.
///
/// ```
/// use std::sync::Arc;
/// use portable_sspi_ntlm::{MemoryAccounts, Ntlm, NtlmConfig, ServerNames};
///
/// let mut accounts = MemoryAccounts::new();
/// accounts.add("alice", "", "secret");
/// let ntlm = Ntlm::new(NtlmConfig {
///     accounts: Some(Arc::new(accounts)),
///     server_names: ServerNames::stand_alone("FILES"),
///     ..NtlmConfig::default()
/// });
/// # let _ = ntlm;
/// ```
#[derive(Clone, Debug, Default)]
pub struct NtlmConfig {
    /// Who may log on to this server. Without it no server credentials can be acquired.
    pub accounts: Option<Arc<dyn AccountDatabase>>,
    /// Who a client acts as that acquires outbound credentials without naming an identity. Default: nobody, and
    /// acquiring them fails.
    pub default_identity: Option<Arc<dyn DefaultIdentity>>,
    /// What this server calls itself.
    pub server_names: ServerNames,
    /// What a server demands of its clients.
    pub server_policy: ServerPolicy,
    /// What a client demands of its servers.
    pub client_policy: ClientPolicy,
    /// NetBIOS name of the computer that a client claims to be on. Nothing depends on it; may be empty.
    pub workstation: String,
}

/// The names in a CHALLENGE: MsvAvNbComputerName and so on, [MS-NLMP] 2.2.2.1.
///
/// A client repeats them under its proof, and a response that names another server is refused. That stops a
/// response made for one server from being used at another, so two servers must not share all their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerNames {
    /// NetBIOS name of this computer; at most 15 characters by custom.
    pub netbios_computer: String,
    /// NetBIOS name of the domain; the computer's own name where the server is in none.
    pub netbios_domain: String,
    /// Fully qualified DNS name of this computer; empty for none.
    pub dns_computer: String,
    /// DNS name of the domain; empty for none.
    pub dns_domain: String,
    /// DNS name of the forest; empty for none.
    pub dns_tree: String,
    /// Whether the server is a member of a domain.
    pub domain_joined: bool,
}

impl ServerNames {
    /// Names of a server that is in no domain.
    #[must_use]
    pub fn stand_alone(netbios_computer: impl Into<String>) -> Self {
        let netbios_computer = netbios_computer.into();
        Self {
            netbios_domain: netbios_computer.clone(),
            dns_computer: netbios_computer.to_ascii_lowercase(),
            netbios_computer,
            dns_domain: String::new(),
            dns_tree: String::new(),
            domain_joined: false,
        }
    }
}

impl Default for ServerNames {
    /// `LOCALHOST`, in no domain. Two servers that both keep this default accept each other's responses.
    fn default() -> Self {
        Self::stand_alone("LOCALHOST")
    }
}

/// What a server demands of its clients.
#[derive(Clone, Debug)]
pub struct ServerPolicy {
    /// Which kinds of response are accepted. Default: [`Level5`](LmCompatibilityLevel::Level5), NTLMv2 alone.
    ///
    /// What each lower level gives away is told at [`LmCompatibilityLevel`].
    pub level: LmCompatibilityLevel,
    /// Refuse an NTLMv2 client that does not protect the three messages by a MIC, [MS-NLMP] 3.2.5.1.2. Default: `true`.
    ///
    /// All Windows since Vista send one. Setting it to `false` admits clients that send none (curl), and gives away that a relay which strips flags from the NEGOTIATE
    /// is noticed. A MIC that is announced is checked in any case.
    ///
    /// NTLMv1 and LM cannot carry a MIC; where [`level`](Self::level) accepts them, it accepts them without.
    pub require_mic: bool,
    /// Flags that must be negotiated. Default: 128-bit keys and extended session security.
    ///
    /// `KEY_128`, `KEY_56`, `KEY_EXCH` and `EXTENDED_SESSIONSECURITY` say how messages are protected, and are demanded
    /// where they are protected at all. For an NTLMv1 response, `EXTENDED_SESSIONSECURITY` is demanded in any case. Every
    /// other flag is demanded of every client: with `SIGN`, one that asks for no protection of messages is refused.
    ///
    /// - Without `KEY_128`, keys of 56 or 40 bits are accepted, which are found by trying; without extended session
    ///   security too, the client may have the LM hash weaken them further (LM_KEY).
    /// - Without `EXTENDED_SESSIONSECURITY`, messages are protected by an encrypted CRC-32, one cipher state serves both
    ///   directions, and both sides must take turns. **Encryption then does not protect from changes**: who flips bits of
    ///   the ciphertext can correct the checksum without any key. NTLMv1 responses are then made without a nonce of the
    ///   client's.
    pub minimum_flags: NegotiateFlags,
    /// When a response must be bound to the channel it comes over. Default:
    /// [`Always`](ChannelBindingPolicy::Always), where the service has channel bindings.
    pub channel_bindings: ChannelBindingPolicy,
    /// Service names (SPNs) that clients may ask for, compared without case. Empty, the default, admits any.
    ///
    /// An empty list gives away that a logon meant for another service, relayed to this one, is noticed by its name.
    pub accepted_spns: Vec<String>,
    /// Refuse a client that names no service; NTLMv1 and LM cannot name any. Default: `false`, since many clients name
    /// none; a relay can then use their logons. Without effect while `accepted_spns` is empty.
    pub require_spn: bool,
    /// Admit anonymous logons, where the call that accepts them says so too (`ASC_REQ_ALLOW_NULL_SESSION`). Default:
    /// `false`.
    ///
    /// An anonymous client has proved nothing, and its session has no protection of messages and a key that everybody
    /// knows. The context's flags and token tell it from others; a service that does not look takes everybody for a user.
    pub allow_anonymous: bool,
    /// How long a client may take to answer a CHALLENGE. Default: 5 minutes.
    ///
    /// A longer time keeps half-done logons, which an attacker may hold in reserve, usable for longer.
    pub maximum_challenge_age: Duration,
    /// How far a client's clock may be off where the CHALLENGE carried no time, [MS-NLMP] 3.2.5.1.2 MaxLifetime.
    /// Default: 36 hours.
    ///
    /// This library's CHALLENGE always carries one, which clients repeat, so that their clocks do not matter; this
    /// is for half-done handshakes that came from elsewhere.
    pub maximum_clock_skew: Duration,
    /// The largest token that is looked at, in bytes. Default: 16 KiB; Windows sends less than 3 KiB. It bounds the work
    /// that a stranger can cause.
    pub maximum_token: usize,
}

impl Default for ServerPolicy {
    fn default() -> Self {
        Self {
            level: LmCompatibilityLevel::default(),
            require_mic: true,
            minimum_flags: NegotiateFlags::KEY_128 | NegotiateFlags::EXTENDED_SESSIONSECURITY,
            channel_bindings: ChannelBindingPolicy::default(),
            accepted_spns: Vec::new(),
            require_spn: false,
            allow_anonymous: false,
            maximum_challenge_age: Duration::from_secs(5 * 60),
            maximum_clock_skew: Duration::from_secs(36 * 60 * 60),
            maximum_token: 16 * 1024,
        }
    }
}

/// When a server demands channel bindings, of those it was given with the call that accepts.
///
/// Without bindings, a client that is lured to an attacker's server can be logged on to this one through it, TLS or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBindingPolicy {
    /// They are not compared. Gives away all protection from relaying that the channel offers; for a service behind a
    /// proxy that ends the TLS connection, whose certificate the client saw and the service does not know.
    Never,
    /// They must fit where the client has some. Gives away the clients that have none: their logons can be relayed.
    /// `ASC_REQ_ALLOW_MISSING_BINDINGS` asks the same for one context.
    WhenSupported,
    /// They must be there and fit.
    #[default]
    Always,
}

/// What a client demands of its servers.
#[derive(Clone, Debug)]
pub struct ClientPolicy {
    /// Which kinds of response are sent. Default: [`Level5`](LmCompatibilityLevel::Level5), NTLMv2 alone.
    ///
    /// What each lower level gives away is told at [`LmCompatibilityLevel`]. Below 3, a call with channel bindings fails,
    /// as NTLMv1 cannot carry them.
    pub level: LmCompatibilityLevel,
    /// Flags that must be negotiated. Default: Unicode, 128-bit keys and extended session security.
    ///
    /// Demanded when, and given away by leaving one out, as with [`ServerPolicy::minimum_flags`]; at a level that sends
    /// NTLMv1, extended session security is always demanded. Without `UNICODE`, a server may choose the OEM
    /// character set, in which only names in ASCII can be said.
    pub minimum_flags: NegotiateFlags,
    /// The largest token that is looked at, in bytes. Default: 16 KiB.
    pub maximum_token: usize,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self {
            level: LmCompatibilityLevel::default(),
            minimum_flags: NegotiateFlags::UNICODE
                | NegotiateFlags::KEY_128
                | NegotiateFlags::EXTENDED_SESSIONSECURITY,
            maximum_token: 16 * 1024,
        }
    }
}
