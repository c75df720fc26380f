//! Who may log on: where a client's response is checked against an account.

use std::fmt;

use portable_sspi_core::{DenialReason, Error, LogonDenied, Password, SecretArray};
use subtle::{Choice, ConstantTimeEq};

use crate::account_index::AccountIndex;
use crate::crypto::owf::{self, NtHashKey, ResponseKeyNt};
use crate::crypto::{owf_v1, upcase};
use crate::wire::response::Response;

/// The NT hash that a response is compared with where there is no account.
pub(crate) const STAND_IN: [u8; 16] = [0x5A; 16];

/// An authority that verifies responses: a list of accounts, or something that asks another authority.
///
/// It is asked once for each logon, from any thread.
pub trait AccountDatabase: Send + Sync + fmt::Debug {
    /// Verifies a logon.
    ///
    /// A database of accounts looks the account up and calls [`NetworkLogon::verify`] **whether or not it found one**,
    /// so that an unknown account takes as long as a wrong password.
    ///
    /// # Errors
    /// [`LogonDenied`] where the response proves nothing;
    /// [`Unavailable::Authority`](portable_sspi_core::Unavailable::Authority) where that cannot be found out.
    ///
    /// # What an attacker controls
    /// All names in `logon`, and the response. Lengths are bounded by the token's.
    fn verify(&self, logon: &NetworkLogon<'_>) -> Result<VerifiedLogon, Error>;
}

/// A client's claim and its proof, to be verified.
#[derive(Clone, Copy)]
pub struct NetworkLogon<'a> {
    pub(crate) user_name: &'a str,
    pub(crate) domain_name: &'a str,
    pub(crate) workstation: &'a str,
    pub(crate) server_challenge: &'a [u8; 8],
    pub(crate) nt_response: &'a [u8],
    pub(crate) response: &'a Response<'a>,
}

/// What kind of response proves a logon. Which kinds there can be, the server's
/// [`level`](crate::ServerPolicy::level) decides before the database is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseKind {
    /// NTLMv2, the only one by default.
    NtlmV2,
    /// NTLMv1 over [`NetworkLogon::lm_challenge`].
    NtlmV1,
    /// No NT response: LM or LMv2 alone, in [`NetworkLogon::lm_response`].
    LmAlone,
}

impl NetworkLogon<'_> {
    /// The user's name as the client wrote it; may be a user principal name with an empty domain.
    #[must_use]
    pub const fn user_name(&self) -> &str {
        self.user_name
    }

    /// The user's domain as the client wrote it, case kept.
    #[must_use]
    pub const fn domain_name(&self) -> &str {
        self.domain_name
    }

    /// The workstation that the client claims to be on.
    #[must_use]
    pub const fn workstation(&self) -> &str {
        self.workstation
    }

    /// The server's challenge.
    #[must_use]
    pub const fn server_challenge(&self) -> &[u8; 8] {
        self.server_challenge
    }

    /// The NtChallengeResponse as received, for an authority that verifies it elsewhere. Empty for
    /// [`ResponseKind::LmAlone`].
    #[must_use]
    pub const fn nt_response(&self) -> &[u8] {
        self.nt_response
    }

    /// What kind of response it is.
    #[must_use]
    pub const fn response_kind(&self) -> ResponseKind {
        match self.response {
            Response::NtlmV2(_) => ResponseKind::NtlmV2,
            Response::NtlmV1 { .. } => ResponseKind::NtlmV1,
            Response::LmAlone(_) => ResponseKind::LmAlone,
        }
    }

    /// The challenge to pass to an authority that verifies the response elsewhere, `LmChallenge` of
    /// NETLOGON_NETWORK_INFO: for NTLMv1 with extended session security the server's and the client's hashed together,
    /// otherwise the server's.
    #[must_use]
    pub const fn lm_challenge(&self) -> &[u8; 8] {
        match self.response {
            Response::NtlmV1 { challenge, .. } => challenge,
            Response::NtlmV2(_) | Response::LmAlone(_) => self.server_challenge,
        }
    }

    /// The LmChallengeResponse where it stands alone, and otherwise nothing: what stands beside an NT response proves
    /// nothing, and must reach no authority that would fall back to it.
    #[must_use]
    pub const fn lm_response(&self) -> &[u8] {
        match self.response {
            Response::LmAlone(lm) => lm.as_slice(),
            Response::NtlmV2(_) | Response::NtlmV1 { .. } => &[],
        }
    }

    /// Checks the response against an account, or against none in the same time.
    ///
    /// For NTLMv2 and LMv2 the domain is tried as the client wrote it, empty (old clients hash none), and upper-cased,
    /// [MS-NLMP] 3.2.5.1.2. An LM response fits only an account that has an LM hash.
    ///
    /// # Errors
    /// [`LogonDenied`] where there is no account or the response does not fit it.
    pub fn verify(&self, account: Option<&Account>) -> Result<VerifiedLogon, LogonDenied> {
        // A fixed hash stands in for a missing account. Everybody can read it here, so a response that fits it must not
        // end the search early: it would tell by its time that there is no account.
        let stand_in = SecretArray::new(STAND_IN);
        let nt_hash = account.map_or(&stand_in, |account| &account.nt_hash);
        let may_fit = Choice::from(u8::from(account.is_some()));
        let lm_hash = account.and_then(|account| account.lm_hash.as_ref());
        let fit = match self.response {
            Response::NtlmV2(response) => {
                self.verify_v2(nt_hash, may_fit, &response.nt_proof_str, response.temp)
            }
            Response::NtlmV1 { nt, challenge } => {
                let fits = owf_v1::response(nt_hash, challenge).ct_eq(*nt) & may_fit;
                let session_base_key = owf_v1::session_base_key(nt_hash);
                bool::from(fits).then_some(Fit { session_base_key, by_v2: false, tried: ALL_TRIED })
            }
            Response::LmAlone(lm) => self.verify_lm(nt_hash, may_fit, lm_hash, lm),
        };
        match (account, fit) {
            (Some(account), Some(fit)) => Ok(VerifiedLogon {
                session_base_key: fit.session_base_key,
                by_v2: fit.by_v2,
                tried: fit.tried,
                lm_session_key: lm_hash.map(owf_v1::lm_session_key),
                user_name: account.user_name.clone(),
                domain_name: account.domain_name.clone(),
            }),
            (Some(_), None) => Err(LogonDenied::new(DenialReason::BadNtResponse)),
            (None, _) => Err(LogonDenied::new(DenialReason::UnknownAccount)),
        }
    }

    /// Does what is left of a search that ended early because the response fitted: for a client that is refused by a later
    /// check all the same. The time that a refusal takes would else tell that the response was right.
    pub(crate) fn finish_search(&self, verified: &VerifiedLogon) {
        let over = match self.response {
            Response::NtlmV2(response) => response.temp,
            Response::NtlmV1 { .. } => return,
            Response::LmAlone(lm) => lm.split_first_chunk::<16>().map_or(&[][..], |(_, nonce)| nonce),
        };
        if verified.tried == ALL_TRIED {
            return;
        }
        self.response_keys(&SecretArray::new(STAND_IN), verified.tried, |key| {
            core::hint::black_box(key.nt_proof_str(self.server_challenge, over));
            false
        });
    }

    /// What follows from an NTLMv2 or LMv2 response that fits: a proof over the server's challenge and something more.
    fn verify_v2(
        &self,
        nt_hash: &SecretArray<16>,
        may_fit: Choice,
        proof: &[u8; 16],
        over: &[u8],
    ) -> Option<Fit> {
        let found = self.response_keys(nt_hash, 0, |key| {
            let expected = key.nt_proof_str(self.server_challenge, over);
            // MS-NLMP:3.2.5.1.2-response
            bool::from(expected.ct_eq(proof) & may_fit)
        });
        match found {
            Some((key, tried)) => {
                Some(Fit { session_base_key: key.session_base_key(proof), by_v2: true, tried })
            }
            None => {
                // So that it takes the same time: here a key is set up for nothing, and in `finish_search`.
                core::hint::black_box(ResponseKeyNt::new(nt_hash).session_base_key(proof));
                None
            }
        }
    }

    /// What follows from LMv2, or from LM, where one of them fits. Both are tried in any case.
    fn verify_lm(
        &self,
        nt_hash: &SecretArray<16>,
        may_fit: Choice,
        lm_hash: Option<&SecretArray<16>>,
        received: &[u8; 24],
    ) -> Option<Fit> {
        let (proof, client_challenge) = received.split_first_chunk::<16>()?;
        let by_lmv2 = self.verify_v2(nt_hash, may_fit, proof, client_challenge);
        let stand_in = SecretArray::new([0xA5; 16]);
        let fits = owf_v1::response(lm_hash.unwrap_or(&stand_in), self.server_challenge).ct_eq(received);
        let by_lm = lm_hash.filter(|_| bool::from(fits)).map(|hash| Fit {
            session_base_key: owf_v1::lm_session_base_key(&owf_v1::lm_session_key(hash)),
            by_v2: false,
            tried: ALL_TRIED,
        });
        by_lmv2.or(by_lm)
    }

    /// Tries NTOWFv2 of each domain and each table for upper case that a client may have used, but for the first `skip`: the
    /// one that fits, and how many there were up to it.
    fn response_keys(
        &self,
        nt_hash: &SecretArray<16>,
        skip: usize,
        mut fits: impl FnMut(&ResponseKeyNt) -> bool,
    ) -> Option<(ResponseKeyNt, usize)> {
        let key = NtHashKey::new(nt_hash);
        let upper_domain = upcase::to_upper(self.domain_name);
        let mut tried = 0;
        // MS-NLMP:3.2.5.1.2-empty-domain
        for domain in [self.domain_name, "", &upper_domain] {
            for table in owf::case_tables(self.user_name) {
                tried += 1;
                if tried <= skip {
                    continue;
                }
                let candidate = ResponseKeyNt::new(&key.ntowf_v2(table, self.user_name, domain));
                if fits(&candidate) {
                    return Some((candidate, tried));
                }
            }
        }
        None
    }
}

/// What follows from a response that fits an account.
struct Fit {
    session_base_key: SecretArray<16>,
    by_v2: bool,
    tried: usize,
}

/// [`VerifiedLogon::tried`] where nothing is left to try.
const ALL_TRIED: usize = usize::MAX;

impl fmt::Debug for NetworkLogon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkLogon")
            .field("user_name", &self.user_name)
            .field("domain_name", &self.domain_name)
            .finish_non_exhaustive()
    }
}

/// The proof that a response was verified. The acceptor goes on with nothing less.
#[derive(Debug)]
pub struct VerifiedLogon {
    pub(crate) session_base_key: SecretArray<16>,
    /// Whether NTLMv2 or LMv2 proved the password: the SessionBaseKey is the KeyExchangeKey then, [MS-NLMP] 3.4.5.1.
    pub(crate) by_v2: bool,
    /// How many candidates for NTOWFv2 were tried until one fitted.
    tried: usize,
    /// LMOWFv1[0..7], where the authority has it.
    pub(crate) lm_session_key: Option<SecretArray<8>>,
    pub(crate) user_name: String,
    pub(crate) domain_name: String,
}

impl VerifiedLogon {
    /// What an authority elsewhere (a domain controller) answered: the SessionBaseKey, and the account's names in the
    /// authority's spelling.
    ///
    /// **Only for an authority that compared the NT response itself.** Whoever calls this vouches for the client.
    #[must_use]
    pub const fn by_authority(
        session_base_key: SecretArray<16>,
        user_name: String,
        domain_name: String,
    ) -> Self {
        Self {
            session_base_key,
            by_v2: false,
            tried: ALL_TRIED,
            lm_session_key: None,
            user_name,
            domain_name,
        }
    }

    /// Adds the first eight bytes of the LM hash, which NTLMv1 makes session keys of where LM_KEY is negotiated. Without
    /// them zeros are used, as by a domain controller that stores no LM hashes.
    #[must_use]
    pub fn with_lm_session_key(mut self, lm_session_key: SecretArray<8>) -> Self {
        self.lm_session_key = Some(lm_session_key);
        self
    }
}

/// One account.
#[derive(Debug)]
pub struct Account {
    user_name: String,
    domain_name: String,
    nt_hash: SecretArray<16>,
    lm_hash: Option<SecretArray<16>>,
}

impl Account {
    /// An account with the NT hash of its password. An empty domain means an account of this server, whatever domain a
    /// client writes.
    #[must_use]
    pub fn new(
        user_name: impl Into<String>,
        domain_name: impl Into<String>,
        nt_hash: SecretArray<16>,
    ) -> Self {
        Self { user_name: user_name.into(), domain_name: domain_name.into(), nt_hash, lm_hash: None }
    }

    /// Adds the LM hash, see [`lm_hash`](crate::lm_hash). It is needed for clients that send LM alone, and for session
    /// keys where LM_KEY is negotiated; both only where the policy admits them.
    ///
    /// **A stored LM hash gives the password away** to whoever reads it: it is found in minutes.
    #[must_use]
    pub fn with_lm_hash(mut self, lm_hash: SecretArray<16>) -> Self {
        self.lm_hash = Some(lm_hash);
        self
    }

    /// As [`new`](Self::new), from the password, of which only the NT hash is kept.
    #[must_use]
    pub fn with_password(
        user_name: impl Into<String>,
        domain_name: impl Into<String>,
        password: impl Into<Password>,
    ) -> Self {
        Self::new(user_name, domain_name, owf::nt_hash(&password.into()))
    }
}

/// A list of accounts in memory. Only the NT hashes of passwords are kept, and wiped when it is dropped.
///
/// ```
/// use portable_sspi_ntlm::MemoryAccounts;
///
/// let mut accounts = MemoryAccounts::new();
/// accounts.add("alice", "", "secret");
/// accounts.add("bob", "CORP", "hunter2");
/// assert_eq!(accounts.len(), 2);
/// ```
#[derive(Default)]
pub struct MemoryAccounts {
    accounts: AccountIndex<Account>,
}

impl MemoryAccounts {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account, in place of one with the same names.
    ///
    /// An account with an empty domain may log on under any domain name: a domain that a server does not know is tried against its
    /// local accounts, [MS-NLMP] 3.2.5.1.2. The authenticated name is the account's own, never the client's spelling.
    pub fn add(&mut self, user_name: &str, domain_name: &str, password: impl Into<Password>) {
        self.add_account(Account::with_password(user_name, domain_name, password));
    }

    /// Adds an account whose password's NT hash is known.
    pub fn add_account(&mut self, account: Account) {
        let (user_name, domain_name) = (account.user_name.clone(), account.domain_name.clone());
        self.accounts.insert(&user_name, &domain_name, account);
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

impl AccountDatabase for MemoryAccounts {
    fn verify(&self, logon: &NetworkLogon<'_>) -> Result<VerifiedLogon, Error> {
        // MS-NLMP:3.2.5.1.2-names-without-case
        Ok(logon.verify(self.accounts.find(logon.user_name, logon.domain_name))?)
    }
}

impl fmt::Debug for MemoryAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryAccounts").field("len", &self.len()).finish_non_exhaustive()
    }
}
