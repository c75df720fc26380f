//! Who may log on to a server that was set up by the crate's calls: the identities that its program named.

use std::sync::{Mutex, PoisonError};

use portable_sspi_core::{AuthIdentity, DenialReason, Error, LogonDenied, Secret};

use crate::ntlm::{Account, AccountDatabase, NetworkLogon, VerifiedLogon, names_equal};

/// The candidates of one logon, in their order. One name may stand there several times, with a password each.
#[derive(Debug)]
pub(super) struct Candidates(Vec<Candidate>);

#[derive(Debug)]
struct Candidate {
    user: String,
    domain: String,
    account: Account,
}

impl Candidates {
    pub(super) fn new(identities: Vec<AuthIdentity>) -> Self {
        let candidate = |AuthIdentity { user, domain, secret }| {
            let account = match secret {
                Secret::Password(password) => Account::with_password(&user, &domain, password),
                Secret::NtHash(nt_hash) => Account::new(&user, &domain, nt_hash),
                _ => return None,
            };
            Some(Candidate { user, domain, account })
        };
        Self(identities.into_iter().filter_map(candidate).collect())
    }
}

impl AccountDatabase for Candidates {
    fn verify(&self, logon: &NetworkLogon<'_>) -> Result<VerifiedLogon, Error> {
        let mut denied = None;
        for candidate in self.0.iter().filter(|candidate| candidate.is_meant(logon)) {
            match logon.verify(Some(&candidate.account)) {
                Ok(verified) => return Ok(verified),
                Err(reason) => denied = Some(reason),
            }
        }
        // Whoever is not among them takes as long as who is.
        let denied = denied.map_or_else(|| logon.verify(None), Err);
        Ok(denied?)
    }
}

impl Candidate {
    /// Whether the client's names are those of the account: of its domain, or of any where the account or the client names
    /// none. A user principal name is the account's whole name, or stands for its two parts.
    fn is_meant(&self, logon: &NetworkLogon<'_>) -> bool {
        let is = |user: &str, domain: &str| {
            names_equal(&self.user, user)
                && (self.domain.is_empty() || domain.is_empty() || names_equal(&self.domain, domain))
        };
        let (user, domain) = (logon.user_name(), logon.domain_name());
        is(user, domain)
            || (domain.is_empty() && user.rsplit_once('@').is_some_and(|(user, domain)| is(user, domain)))
    }
}

/// Admits nobody, and notes who wanted to log on: what a program is told that looks the password up afterwards.
#[derive(Debug, Default)]
pub(super) struct Claim(Mutex<Option<ClaimedNames>>);

/// Who a client says it is. **Attacker-controlled.**
#[derive(Clone, Debug)]
pub(super) struct ClaimedNames {
    pub(super) user: String,
    pub(super) domain: String,
}

impl Claim {
    /// Who asked, if anybody did.
    pub(super) fn take(&self) -> Option<ClaimedNames> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl AccountDatabase for Claim {
    fn verify(&self, logon: &NetworkLogon<'_>) -> Result<VerifiedLogon, Error> {
        let names =
            ClaimedNames { user: logon.user_name().to_owned(), domain: logon.domain_name().to_owned() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(names);
        Err(LogonDenied::new(DenialReason::RefusedByAuthority).into())
    }
}
