//! Pass-through to a domain controller, through Samba's `ntlm_auth`.

mod helper;
mod pool;
mod protocol;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use portable_sspi_core::{DenialReason, Error, LogonDenied, Misuse, Unavailable};
use portable_sspi_ntlm::{AccountDatabase, NetworkLogon, VerifiedLogon, names_equal};

use pool::Pool;
use protocol::{Answer, Question};

/// How a [`NtlmAuthHelper`] is set up.
#[derive(Clone)]
pub struct NtlmAuthConfig {
    /// The program. Default: `/usr/bin/ntlm_auth`. An absolute path, and started without a shell.
    pub program: PathBuf,
    /// Arguments besides `--helper-protocol=ntlm-server-1`. Default: none.
    pub arguments: Vec<OsString>,
    /// How many processes may run. Default: 4. Each verifies one logon at a time; they start when they are needed.
    pub processes: usize,
    /// How long a logon may wait for its verdict, waiting for a free process included. Default: 10 seconds.
    pub time_limit: Duration,
    /// NetBIOS or DNS names of the domains whose users may log on. Empty, the default, admits all that the controller does.
    ///
    /// With a list, a client that names no domain and no user principal name counts as one of the first of them, and
    /// the authenticated name has the domain as it is written here. The part behind the `@` of a user principal name must be in the list.
    pub domains: Vec<String>,
}

impl Default for NtlmAuthConfig {
    fn default() -> Self {
        Self {
            program: "/usr/bin/ntlm_auth".into(),
            arguments: Vec::new(),
            processes: 4,
            time_limit: Duration::from_secs(10),
            domains: Vec::new(),
        }
    }
}

impl fmt::Debug for NtlmAuthConfig {
    /// Without the arguments, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NtlmAuthConfig")
            .field("program", &self.program)
            .field("processes", &self.processes)
            .field("time_limit", &self.time_limit)
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

/// Logons of a Windows domain, verified by its controller: through `ntlm_auth --helper-protocol=ntlm-server-1` of Samba,
/// whose winbindd holds the machine's account in the domain.
///
/// ```
/// use std::sync::Arc;
/// use portable_sspi::accounts::{NtlmAuthConfig, NtlmAuthHelper};
/// use portable_sspi::ntlm::{Ntlm, NtlmConfig, ServerNames};
///
/// let helper = NtlmAuthHelper::new(NtlmAuthConfig {
///     domains: vec!["CORP".into(), "corp.example".into()],
///     ..NtlmAuthConfig::default()
/// })?;
/// let ntlm = Ntlm::new(NtlmConfig {
///     accounts: Some(Arc::new(helper)),
///     // The names of the machine's account: the controller refuses responses that were made for another machine.
///     server_names: ServerNames {
///         netbios_computer: "WEB".into(),
///         netbios_domain: "CORP".into(),
///         dns_computer: "web.corp.example".into(),
///         dns_domain: "corp.example".into(),
///         dns_tree: "corp.example".into(),
///         domain_joined: true,
///     },
///     ..NtlmConfig::default()
/// });
/// # let _ = ntlm;
/// # Ok::<(), portable_sspi::Error>(())
/// ```
///
/// The service's user needs access to winbindd's privileged socket (on Debian: the group `winbindd_priv`).
///
/// # Verdicts
/// - `Authenticated: No` is a denied logon, [`DenialReason::RefusedByAuthority`].
/// - Everything else but a clear yes is [`Unavailable::Authority`]: a helper that cannot be started, ends, gives no answer in time, answers
///   something else, or answers that winbindd or the controller cannot be reached. Such a helper is killed; the next logon starts
///   another. One that ended between two logons is replaced without a failed logon.
///
/// Only the NT response is handed over, never the LM response beside it: Samba accepts a right LMv2 response beside a wrong NT response.
///
/// # Names
/// The controller does not tell how it spells the account, so **the authenticated name is the client's spelling**, and so is the domain unless
/// [`NtlmAuthConfig::domains`] lists it. A service that looks users up by name must compare without case. A name that Samba
/// would read as another (one with a backslash or a control character) is refused without asking.
///
/// # Processes
/// Their standard error is that of this program. In a child of `fork` they are not used; it starts its own. They end when the
/// `NtlmAuthHelper` is dropped, or this program ends.
#[derive(Debug)]
pub struct NtlmAuthHelper {
    pool: Pool,
    time_limit: Duration,
    domains: Vec<String>,
}

impl NtlmAuthHelper {
    /// Sets it up. The first process starts with the first logon.
    ///
    /// # Errors
    /// [`Misuse::BadOption`] where the path is not absolute, no process is allowed, or there is no time.
    pub fn new(config: NtlmAuthConfig) -> Result<Self, Error> {
        if !config.program.is_absolute() {
            return Err(Misuse::BadOption { option: "program", problem: "not an absolute path" }.into());
        }
        if config.processes == 0 {
            return Err(Misuse::BadOption { option: "processes", problem: "none at all" }.into());
        }
        if config.time_limit.is_zero() {
            return Err(Misuse::BadOption { option: "time_limit", problem: "no time at all" }.into());
        }
        Ok(Self {
            pool: Pool::new(config.program, config.arguments, config.processes),
            time_limit: config.time_limit,
            domains: config.domains,
        })
    }

    fn ask(&self, question: Question<'_>) -> Result<Answer, Error> {
        let lines = question.to_lines()?;
        // A limit beyond what the clock can count is none.
        let now = Instant::now();
        let deadline =
            now.checked_add(self.time_limit).unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 60 * 60));
        self.pool.ask(&lines, deadline).map_err(|problem| Unavailable::Authority { problem }.into())
    }

    /// The domain that the authenticated name has. `None` if its users may not log on.
    fn domain_of(&self, user_name: &str, domain_name: &str) -> Option<String> {
        let Some(first) = self.domains.first() else { return Some(domain_name.to_owned()) };
        let listed = |name: &str| self.domains.iter().find(|listed| names_equal(listed, name));
        match (domain_name.is_empty(), user_name.rsplit_once('@')) {
            (false, _) => listed(domain_name).cloned(),
            // The name has its domain in itself.
            (true, Some((_, domain))) => listed(domain).map(|_| String::new()),
            (true, None) => Some(first.clone()),
        }
    }
}

impl AccountDatabase for NtlmAuthHelper {
    fn verify(&self, logon: &NetworkLogon<'_>) -> Result<VerifiedLogon, Error> {
        let (user_name, domain_name) = (logon.user_name(), logon.domain_name());
        let answer = self.ask(Question {
            user_name,
            domain_name,
            challenge: logon.lm_challenge(),
            nt_response: logon.nt_response(),
        })?;
        // Looked at only now, so that a domain which is not admitted takes as long as one that is.
        match (answer, self.domain_of(user_name, domain_name)) {
            (Answer::Authenticated(session_base_key), Some(domain)) => {
                Ok(VerifiedLogon::by_authority(session_base_key, user_name.to_owned(), domain))
            }
            (Answer::Authenticated(_), None) => Err(LogonDenied::new(DenialReason::UnknownAccount).into()),
            (Answer::Refused, _) => Err(LogonDenied::new(DenialReason::RefusedByAuthority).into()),
        }
    }
}
