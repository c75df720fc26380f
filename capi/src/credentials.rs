//! Credentials: AcquireCredentialsHandle and what can be asked of its result.

use core::ffi::{c_char, c_void};
use core::ops::Deref;
use std::sync::Arc;

use portable_sspi::accounts::UserFile;
use portable_sspi::ntlm::{
    Account, AccountDatabase, DefaultIdentity, MemoryAccounts, NetworkLogon, Ntlm, VerifiedLogon,
};
use portable_sspi::{
    AcquireRequest, AuthIdentity, CredentialUse, Credentials, Error, FileTime, Misuse, Password, Provider,
    SecurityStatus, Unavailable,
};

use crate::abi::{
    CredentialsNames, SECPKG_CRED_ATTR_NAMES, SECPKG_CRED_AUTOLOGON_RESTRICTED, SECPKG_CRED_DEFAULT,
    SECPKG_CRED_INBOUND, SECPKG_CRED_OUTBOUND, SECPKG_CRED_PROCESS_POLICY_ONLY, SECURITY_STATUS, SecHandle,
    TimeStamp, ULONG, WCHAR, time_stamp,
};
use crate::export::export;
use crate::failure::{self, Failure, Result};
use crate::identity::{Identity, Secret, qualified_name};
use crate::library;
use crate::packages::Package;
use crate::pointer::{self, required};
use crate::table::Table;
use crate::text::{self, Character};

/// Handshakes in all threads may use the same credentials.
static TABLE: Table<Arc<Shared>, 7> = Table::new();

/// Credentials, counted for some of the threads: where all counted in one place, each would wait for the others there.
#[repr(align(64))]
pub(crate) struct Shared(Arc<Credential>);

impl Deref for Shared {
    type Target = Credential;

    fn deref(&self) -> &Credential {
        &self.0
    }
}

/// What a `CredHandle` stands for. Contexts hold it as long as their handshake lasts, whatever becomes of the handle.
pub(crate) struct Credential {
    package: Package,
    /// What Negotiate may choose from.
    mechanisms: Mechanisms,
    /// Who a client is: what SECPKG_CRED_ATTR_NAMES tells.
    name: String,
    /// Set up with the accounts that these credentials admit.
    ntlm: Ntlm,
    /// What NTLM made of them; nothing where there is nobody to be.
    ntlm_credentials: Option<Credentials>,
}

/// Which mechanisms a package list leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mechanisms {
    /// NTLM and nothing else was named: it is spoken without SPNEGO around it, as Windows does.
    NtlmAlone,
    /// NTLM among others.
    WithNtlm,
    /// None that there is here.
    None,
}

impl Mechanisms {
    /// A list of names with commas between them (some programs put colons), each to be used or, with "!", not to be used.
    fn of(list: Option<&str>) -> Self {
        let mut allowed = Vec::new();
        for name in list.unwrap_or_default().split([',', ':']).map(str::trim).filter(|name| !name.is_empty())
        {
            match name.strip_prefix('!') {
                Some(name) if name.eq_ignore_ascii_case("NTLM") => return Self::None,
                Some(_) => {}
                None => allowed.push(name),
            }
        }
        let ntlm = allowed.iter().any(|name| name.eq_ignore_ascii_case("NTLM"));
        match (allowed.as_slice(), ntlm) {
            ([], _) => Self::WithNtlm,
            ([_], true) => Self::NtlmAlone,
            (_, true) => Self::WithNtlm,
            (_, false) => Self::None,
        }
    }
}

impl Credential {
    /// The mechanism for a client's handshake, and its credentials.
    ///
    /// # Errors
    /// `SEC_E_NO_CREDENTIALS` where there is nobody to be, or no mechanism; `SEC_E_UNSUPPORTED_FUNCTION` where SPNEGO
    /// would have to choose one.
    pub(crate) fn to_initialize(&self) -> Result<(&dyn Provider, &Credentials)> {
        match (self.package, self.mechanisms) {
            (Package::Ntlm, _) | (Package::Negotiate, Mechanisms::NtlmAlone) => self.ntlm(),
            (Package::Negotiate, Mechanisms::None) => Err(Failure::new(
                SecurityStatus::SEC_E_NO_CREDENTIALS,
                "the package list leaves Negotiate nothing that this library has",
            )),
            (Package::Negotiate, Mechanisms::WithNtlm) => {
                // Nobody is nobody, with SPNEGO, too.
                self.ntlm()?;
                Err(NO_SPNEGO)
            }
        }
    }

    /// The mechanism for a server's handshake that begins with `token`, and its credentials.
    ///
    /// # Errors
    /// As [`Credential::to_initialize`]. Negotiate takes NTLM that comes without SPNEGO around it; what is neither of the two
    /// is `SEC_E_INVALID_TOKEN`.
    pub(crate) fn to_accept(&self, token: &[u8]) -> Result<(&dyn Provider, &Credentials)> {
        if self.package == Package::Negotiate {
            if self.mechanisms == Mechanisms::None {
                return self.to_initialize();
            }
            if !token.starts_with(b"NTLMSSP\0") {
                // SPNEGO's begin as GSS-API frames them, or with one of its two choices; on none, its server begins.
                let is_spnego = matches!(token.first(), None | Some(0x60 | 0xA0 | 0xA1));
                return Err(if is_spnego { NO_SPNEGO } else { NO_TOKEN });
            }
        }
        self.ntlm()
    }

    /// The mechanism of a handshake that has begun.
    pub(crate) fn to_continue(&self) -> Result<(&dyn Provider, &Credentials)> {
        self.ntlm()
    }

    fn ntlm(&self) -> Result<(&dyn Provider, &Credentials)> {
        match &self.ntlm_credentials {
            Some(credentials) => Ok((&self.ntlm, credentials)),
            None => Err(Misuse::NoCredentials.into()),
        }
    }

    fn acquire(package: Package, credential_use: CredentialUse, identity: Option<Identity>) -> Result<Self> {
        let mechanisms =
            Mechanisms::of(identity.as_ref().and_then(|identity| identity.package_list.as_deref()));
        let given = identity.filter(|identity| !identity.is_default());
        let is_explicit = given.is_some();
        let file = library::account_file();
        let who = match given {
            Some(Identity { secret: Secret::Foreign, .. }) if package == Package::Ntlm => {
                return Err(refused("the packed credentials hold no password, and NTLM needs one"));
            }
            // Acquired, as on Windows, and of no use to any package here.
            Some(Identity { secret: Secret::Foreign, .. }) => None,
            Some(identity) => Some(complete(identity, file.as_deref())?),
            None if credential_use.outbound() => match &file {
                Some(file) => file.default_identity()?,
                None => None,
            },
            None => None,
        };
        let name = who.as_ref().map(|who| qualified_name(&who.domain, &who.user)).unwrap_or_default();
        let mut config = library::ntlm_config()?;
        if credential_use.inbound() {
            config.accounts = Some(match (&who, file) {
                // An acceptor's identity is whom it admits.
                (Some(who), _) if is_explicit => Arc::new(only(who)?),
                (_, Some(file)) if !is_explicit => file,
                _ => Arc::new(NoAccounts),
            });
        }
        let ntlm = Ntlm::new(config);
        let request = match who {
            Some(who) if credential_use.outbound() => {
                Some(AcquireRequest { credential_use, identity: Some(who) })
            }
            // What is to serve both sides serves as an acceptor, at least.
            _ if credential_use.inbound() => Some(AcquireRequest::inbound()),
            _ if package == Package::Ntlm => return Err(Misuse::NoCredentials.into()),
            _ => None,
        };
        let ntlm_credentials = match request.map(|request| ntlm.acquire(request)).transpose() {
            Ok(credentials) => credentials,
            // An identity without a name is one that nobody can log on as: acquired, as on Windows, and of no use.
            Err(Error::Misuse(Misuse::BadIdentity { .. })) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { package, mechanisms, name, ntlm, ntlm_credentials })
    }
}

fn refused(text: &'static str) -> Failure {
    Failure::new(SecurityStatus::SEC_E_UNKNOWN_CREDENTIALS, text)
}

const NO_SPNEGO: Failure = Failure::unsupported(
    "this release has no SPNEGO: use the package NTLM, or Negotiate with the package list NTLM",
);

const NO_TOKEN: Failure =
    Failure::new(SecurityStatus::SEC_E_INVALID_TOKEN, "the token is neither one of NTLM nor one of SPNEGO");

/// The identity with what it leaves out: without a password, that of the account file, as gss-ntlmssp does.
fn complete(identity: Identity, file: Option<&UserFile>) -> Result<AuthIdentity> {
    let Identity { user, domain, secret, .. } = identity;
    let password = match secret {
        Secret::Password(password) => Password::from_utf16(&password),
        Secret::None | Secret::Foreign => {
            let known = file.map(|file| file.identity(user.as_deref(), domain.as_deref())).transpose()?;
            if let Some(known) = known.flatten() {
                return Ok(known);
            }
            Password::new("")
        }
    };
    Ok(AuthIdentity::new(user.unwrap_or_default(), domain.unwrap_or_default(), password))
}

/// The accounts of an acceptor with an explicit identity.
///
/// # Errors
/// `SEC_E_UNKNOWN_CREDENTIALS` where it has no name or no password: whoever leaves one out does not mean that anybody may log
/// on without.
fn only(identity: &AuthIdentity) -> Result<MemoryAccounts> {
    let account = match &identity.secret {
        portable_sspi::Secret::Password(password) if !password.expose_utf16().is_empty() => {
            let password = Password::from_utf16(password.expose_utf16());
            Account::with_password(&*identity.user, &*identity.domain, password)
        }
        portable_sspi::Secret::NtHash(hash) => {
            Account::new(&*identity.user, &*identity.domain, hash.duplicate())
        }
        _ => return Err(refused("the account that a server is to admit has no password")),
    };
    if identity.user.is_empty() {
        return Err(refused("the account that a server is to admit has no name"));
    }
    let mut accounts = MemoryAccounts::new();
    accounts.add_account(account);
    Ok(accounts)
}

/// The accounts of an acceptor that nobody gave any: an outage, and not a list that has nobody in it.
#[derive(Debug)]
struct NoAccounts;

impl AccountDatabase for NoAccounts {
    fn verify(&self, _: &NetworkLogon<'_>) -> core::result::Result<VerifiedLogon, Error> {
        let problem = "no accounts are known: name a file in NTLM_USER_FILE, or acquire the credentials with an identity";
        Err(Unavailable::Authority { problem: problem.to_owned() }.into())
    }
}

/// The credentials that a handle stands for.
///
/// # Safety
/// NULL, or valid for reading.
pub(crate) unsafe fn of_handle(handle: *const SecHandle) -> Result<Arc<Shared>> {
    // SAFETY: by this function's contract.
    let handle = unsafe { pointer::read(handle) }.ok_or(Failure::INVALID_HANDLE)?;
    TABLE.with(handle, |credential| Arc::clone(credential)).ok_or(Failure::INVALID_HANDLE)
}

/// What AcquireCredentialsHandle is told and this library looks at.
struct Acquisition<C> {
    package: *const C,
    credential_use: ULONG,
    identity: *const c_void,
    handle: *mut SecHandle,
    expiry: *mut TimeStamp,
}

/// # Safety
/// Each pointer is NULL or valid for what its name says.
unsafe fn acquire<C: Character>(asked: &Acquisition<C>) -> SECURITY_STATUS {
    failure::status(|| {
        // SAFETY: by this function's contract.
        let package = unsafe { Package::named(asked.package)? };
        let handle = required(asked.handle)?;
        let ignored =
            SECPKG_CRED_DEFAULT | SECPKG_CRED_AUTOLOGON_RESTRICTED | SECPKG_CRED_PROCESS_POLICY_ONLY;
        let unknown = asked.credential_use & !(ignored | SECPKG_CRED_INBOUND | SECPKG_CRED_OUTBOUND);
        let inbound = asked.credential_use & SECPKG_CRED_INBOUND != 0;
        let outbound = asked.credential_use & SECPKG_CRED_OUTBOUND != 0;
        let credential_use = match (inbound, outbound) {
            (true, false) if unknown == 0 => CredentialUse::Inbound,
            (false, true) if unknown == 0 => CredentialUse::Outbound,
            (true, true) if unknown == 0 => CredentialUse::Both,
            _ => {
                return Err(refused(
                    "fCredentialUse is not one of SECPKG_CRED_INBOUND, SECPKG_CRED_OUTBOUND and SECPKG_CRED_BOTH",
                ));
            }
        };
        let identity = if asked.identity.is_null() {
            None
        } else {
            // SAFETY: not NULL, so one of the structures of identities.
            Some(unsafe { Identity::read(asked.identity, size_of::<C>() == size_of::<WCHAR>())? })
        };
        let credential = Arc::new(Credential::acquire(package, credential_use, identity)?);
        let shared = || Some(Arc::new(Shared(Arc::clone(&credential))));
        let acquired = TABLE.insert_each(shared).ok_or(Failure::OUT_OF_MEMORY)?;
        // SAFETY: the handle is not NULL, so valid for writing; the expiry is NULL or valid for it.
        unsafe {
            pointer::write(handle, acquired);
            pointer::write(asked.expiry, time_stamp(FileTime::NEVER));
        }
        Ok(SecurityStatus::SEC_E_OK)
    })
}

/// # Safety
/// `handle` is NULL or valid for reading; `answer` is NULL or valid for writing what `attribute` asks for.
unsafe fn query<C: Character>(
    handle: *const SecHandle,
    attribute: ULONG,
    answer: *mut c_void,
    room: Option<ULONG>,
) -> SECURITY_STATUS {
    failure::status(|| {
        // SAFETY: by this function's contract.
        let credential = unsafe { of_handle(handle)? };
        if attribute != SECPKG_CRED_ATTR_NAMES {
            return Err(Failure::unsupported("these credentials have no such attribute"));
        }
        let answer = required(answer)?;
        if room.is_some_and(|room| (room as usize) < size_of::<CredentialsNames<C>>()) {
            return Err(Failure::new(
                SecurityStatus::SEC_E_BUFFER_TOO_SMALL,
                "cbBuffer is less than the structure of this attribute takes",
            ));
        }
        let name = if credential.name.is_empty() { default_name() } else { credential.name.clone() };
        let names = CredentialsNames { user_name: text::give::<C>(&name)? };
        // SAFETY: not NULL, so valid for writing the structure.
        unsafe { pointer::write(answer.cast(), names) };
        Ok(SecurityStatus::SEC_E_OK)
    })
}

/// Who the process is, for credentials of an acceptor that name nobody.
fn default_name() -> String {
    let user = crate::os::user().map(|(name, _)| name).unwrap_or_default();
    qualified_name(&library::server_names().netbios_computer, &user)
}

/// The status of functions that these packages don't have, for a handle that stands for something.
///
/// # Safety
/// `handle` is NULL or valid for reading.
unsafe fn without(handle: *const SecHandle, text: &'static str) -> SECURITY_STATUS {
    failure::status(|| {
        // SAFETY: by this function's contract.
        unsafe { of_handle(handle)? };
        Err(Failure::unsupported(text))
    })
}

export! {
    /// AcquireCredentialsHandleA: credentials of the package `package`, for `credential_use` (`SECPKG_CRED_*`).
    ///
    /// `identity` is one of `SEC_WINNT_AUTH_IDENTITY_A`, `_W`, `_EXA`, `_EXW` and `_EX2`; its flags decide what its text is, else
    /// the function's name. NULL, or one whose members are all NULL, asks for the default:
    /// - a client is the first account of the file that `NTLM_USER_FILE` names;
    /// - a server admits the accounts of that file. With an identity it admits that account and no other.
    ///
    /// `principal`, `logon_id`, `get_key` and its argument are not looked at.
    ///
    /// `SEC_E_SECPKG_NOT_FOUND` for an unknown package; `SEC_E_UNKNOWN_CREDENTIALS` for an unknown use or an identity that
    /// cannot be read; `SEC_E_NO_CREDENTIALS` where NTLM has no default for a client; `SEC_E_NO_AUTHENTICATING_AUTHORITY` where
    /// the account file cannot be used.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `package` and `identity` are read, `handle` and `expiry` are written.
    pub unsafe fn AcquireCredentialsHandleA(
        _principal: *const c_char,
        package: *const c_char,
        credential_use: ULONG,
        _logon_id: *mut c_void,
        identity: *const c_void,
        _get_key: *const c_void,
        _get_key_argument: *mut c_void,
        handle: *mut SecHandle,
        expiry: *mut TimeStamp,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { acquire(&Acquisition { package, credential_use, identity, handle, expiry }) }
    }

    /// AcquireCredentialsHandleW: see [`AcquireCredentialsHandleA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `package` and `identity` are read, `handle` and `expiry` are written.
    pub unsafe fn AcquireCredentialsHandleW(
        _principal: *const WCHAR,
        package: *const WCHAR,
        credential_use: ULONG,
        _logon_id: *mut c_void,
        identity: *const c_void,
        _get_key: *const c_void,
        _get_key_argument: *mut c_void,
        handle: *mut SecHandle,
        expiry: *mut TimeStamp,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { acquire(&Acquisition { package, credential_use, identity, handle, expiry }) }
    }

    /// AddCredentialsA: `SEC_E_UNSUPPORTED_FUNCTION`; credentials of these packages are of one identity.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read.
    pub unsafe fn AddCredentialsA(
        handle: *const SecHandle,
        _principal: *const c_char,
        _package: *const c_char,
        _credential_use: ULONG,
        _identity: *const c_void,
        _get_key: *const c_void,
        _get_key_argument: *mut c_void,
        _expiry: *mut TimeStamp,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { without(handle, "credentials of these packages are of one identity") }
    }

    /// AddCredentialsW: see [`AddCredentialsA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read.
    pub unsafe fn AddCredentialsW(
        handle: *const SecHandle,
        _principal: *const WCHAR,
        _package: *const WCHAR,
        _credential_use: ULONG,
        _identity: *const c_void,
        _get_key: *const c_void,
        _get_key_argument: *mut c_void,
        _expiry: *mut TimeStamp,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { without(handle, "credentials of these packages are of one identity") }
    }

    /// FreeCredentialsHandle: contexts that were made with the credentials go on.
    ///
    /// `SEC_E_INVALID_HANDLE` where the handle stands for nothing, or was freed before.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read.
    pub unsafe fn FreeCredentialsHandle(handle: *const SecHandle) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: by this function's contract.
            let handle = unsafe { pointer::read(handle) }.ok_or(Failure::INVALID_HANDLE)?;
            TABLE.take(handle).map(|_| SecurityStatus::SEC_E_OK).ok_or(Failure::INVALID_HANDLE)
        })
    }

    /// QueryCredentialsAttributesA: `SECPKG_CRED_ATTR_NAMES`, whose name FreeContextBuffer releases.
    ///
    /// `SEC_E_UNSUPPORTED_FUNCTION` for any other attribute.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read, `answer` is written.
    pub unsafe fn QueryCredentialsAttributesA(
        handle: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<c_char>(handle, attribute, answer, None) }
    }

    /// QueryCredentialsAttributesW: see [`QueryCredentialsAttributesA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read, `answer` is written.
    pub unsafe fn QueryCredentialsAttributesW(
        handle: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<WCHAR>(handle, attribute, answer, None) }
    }

    /// QueryCredentialsAttributesExA: as [`QueryCredentialsAttributesA`]; `SEC_E_BUFFER_TOO_SMALL` where `room`, in bytes, is.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read, `answer` is written.
    pub unsafe fn QueryCredentialsAttributesExA(
        handle: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
        room: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<c_char>(handle, attribute, answer, Some(room)) }
    }

    /// QueryCredentialsAttributesExW: see [`QueryCredentialsAttributesExA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read, `answer` is written.
    pub unsafe fn QueryCredentialsAttributesExW(
        handle: *const SecHandle,
        attribute: ULONG,
        answer: *mut c_void,
        room: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query::<WCHAR>(handle, attribute, answer, Some(room)) }
    }

    /// SetCredentialsAttributesA: `SEC_E_UNSUPPORTED_FUNCTION`; what can be set concerns Kerberos and Schannel.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read.
    pub unsafe fn SetCredentialsAttributesA(
        handle: *const SecHandle,
        _attribute: ULONG,
        _value: *const c_void,
        _length: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { without(handle, "these packages have no attribute of credentials that can be set") }
    }

    /// SetCredentialsAttributesW: see [`SetCredentialsAttributesA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `handle` is read.
    pub unsafe fn SetCredentialsAttributesW(
        handle: *const SecHandle,
        _attribute: ULONG,
        _value: *const c_void,
        _length: ULONG,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { without(handle, "these packages have no attribute of credentials that can be set") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_lists_say_what_negotiate_chooses_from() {
        for (list, mechanisms) in [
            (None, Mechanisms::WithNtlm),
            (Some(""), Mechanisms::WithNtlm),
            (Some("NTLM"), Mechanisms::NtlmAlone),
            (Some(" ntlm "), Mechanisms::NtlmAlone),
            (Some("!kerberos"), Mechanisms::WithNtlm),
            (Some("kerberos,ntlm"), Mechanisms::WithNtlm),
            (Some("!NTLM"), Mechanisms::None),
            (Some("kerberos:!ntlm"), Mechanisms::None),
            (Some("NegoExtender"), Mechanisms::None),
        ] {
            assert_eq!(Mechanisms::of(list), mechanisms, "{list:?}");
        }
    }
}
