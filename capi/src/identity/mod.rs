//! Who a program wants to be: the structures that AcquireCredentialsHandle takes, in all their forms.

mod encryption;
mod ex2;
mod form;
pub(crate) mod helpers;
mod opaque;

use core::ffi::{c_char, c_void};

use portable_sspi::SecurityStatus;
use zeroize::Zeroizing;

use crate::abi::{
    AuthIdentity, SEC_WINNT_AUTH_IDENTITY_ANSI, SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED,
    SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED, SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_PROTECTED,
    SEC_WINNT_AUTH_IDENTITY_FLAGS_USER_PROTECTED, SEC_WINNT_AUTH_IDENTITY_UNICODE, ULONG, WCHAR,
};
use crate::failure::{Failure, Result};
use crate::pointer;
use crate::text::Character;

use form::Form;

/// The longest name or password, in characters. Windows stops at 256; a longer password is one all the same.
const LONGEST: ULONG = 0x7FFF;

/// Passwords that this library can't decrypt, as another one encrypted them.
const ENCRYPTED_ELSEWHERE: ULONG = SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_PROTECTED
    | SEC_WINNT_AUTH_IDENTITY_FLAGS_USER_PROTECTED
    | SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED;
/// All ways in which a password may be encrypted.
const ENCRYPTED: ULONG = SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED | ENCRYPTED_ELSEWHERE;

/// An identity in one form, whatever form it came in. `None` is what was NULL.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) user: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) secret: Secret,
    pub(crate) package_list: Option<String>,
}

/// What proves it.
#[derive(Default)]
pub(crate) enum Secret {
    /// Nothing was given.
    #[default]
    None,
    /// A password, in UTF-16.
    Password(Zeroizing<Vec<u16>>),
    /// Something that no package here has a use for: a key table, a certificate.
    Foreign,
}

impl Identity {
    /// Reads `pAuthData`, of whichever form, for a logon; `wide` decides for those that don't say whether their text is
    /// UTF-16. `DOMAIN\user` in the place of the user is both, where there is no domain.
    ///
    /// # Errors
    /// `SEC_E_UNKNOWN_CREDENTIALS` where it is no identity.
    ///
    /// # Safety
    /// `identity` points to one of `SEC_WINNT_AUTH_IDENTITY_A`, `_W`, `_EXA`, `_EXW` and `_EX2`, which points to text of
    /// the lengths that it says, or NULL.
    pub(crate) unsafe fn read(identity: *const c_void, wide: bool) -> Result<Self> {
        // SAFETY: passed on.
        let mut identity = unsafe { Self::read_as_it_is(identity, wide)? };
        identity.split_user();
        Ok(identity)
    }

    /// As [`Identity::read`], with the names as they stand in it.
    ///
    /// # Safety
    /// As [`Identity::read`].
    unsafe fn read_as_it_is(identity: *const c_void, wide: bool) -> Result<Self> {
        // SAFETY: passed on; the texts of each form are as it says.
        unsafe {
            match Form::of(identity).ok_or_else(|| refused("there is none"))? {
                Form::Plain(plain) => Self::from_plain(&plain, wide),
                Form::Ex(ex) => {
                    let mut read = Self::from_plain(&ex.identity, wide)?;
                    let (list, length) = (ex.package_list.cast(), ex.package_list_length);
                    read.package_list = if is_wide(ex.identity.flags, wide) {
                        text::<WCHAR>(list, length)?
                    } else {
                        text::<c_char>(list, length)?
                    };
                    Ok(read)
                }
                Form::Ex2(_) => ex2::read(identity.cast()),
            }
        }
    }

    /// # Safety
    /// The texts of `identity` are NULL or of the length that it says.
    unsafe fn from_plain(identity: &AuthIdentity<u8>, wide: bool) -> Result<Self> {
        if is_wide(identity.flags, wide) {
            // SAFETY: passed on.
            unsafe { Self::of_characters::<WCHAR>(identity) }
        } else {
            // SAFETY: passed on.
            unsafe { Self::of_characters::<c_char>(identity) }
        }
    }

    /// # Safety
    /// As [`Identity::from_plain`], of texts of `C`.
    unsafe fn of_characters<C: Character>(identity: &AuthIdentity<u8>) -> Result<Self> {
        // SAFETY: the texts are NULL or of these lengths.
        let (user, domain, password) = unsafe {
            (
                text::<C>(identity.user.cast(), identity.user_length)?,
                text::<C>(identity.domain.cast(), identity.domain_length)?,
                characters::<C>(identity.password.cast(), identity.password_length)?,
            )
        };
        let secret = match password {
            None => Secret::None,
            Some(password) => Secret::Password(
                C::decode_units(&password).ok_or_else(|| refused("its password is not valid text"))?,
            ),
        };
        Self { user, domain, secret, package_list: None }.decrypted(identity.flags)
    }

    /// With a password that SspiEncryptAuthIdentity encrypted, as `flags` say, in clear.
    fn decrypted(mut self, flags: ULONG) -> Result<Self> {
        if flags & ENCRYPTED_ELSEWHERE != 0 {
            return Err(refused("its password is encrypted in a way that this library does not know"));
        }
        if flags & SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED != 0 {
            if let Secret::Password(password) = &mut self.secret {
                encryption::decrypt(password)?;
            }
        }
        Ok(self)
    }

    /// `DOMAIN\user` in the place of the user is both, where there is no domain.
    fn split_user(&mut self) {
        if self.domain.as_ref().is_some_and(|domain| !domain.is_empty()) {
            return;
        }
        if let Some((domain, user)) = self.user.as_deref().and_then(|user| user.split_once('\\')) {
            let (domain, user) = (domain.to_owned(), user.to_owned());
            self.domain = Some(domain);
            self.user = Some(user);
        }
    }

    /// Whether nothing was given: the default credentials are meant.
    pub(crate) const fn is_default(&self) -> bool {
        self.user.is_none() && self.domain.is_none() && matches!(self.secret, Secret::None)
    }
}

/// `DOMAIN\user`, or `user` alone where there is no domain.
pub(crate) fn qualified_name(domain: &str, user: &str) -> String {
    if domain.is_empty() { user.to_owned() } else { format!("{domain}\\{user}") }
}

fn is_wide(flags: ULONG, otherwise: bool) -> bool {
    match flags & (SEC_WINNT_AUTH_IDENTITY_ANSI | SEC_WINNT_AUTH_IDENTITY_UNICODE) {
        SEC_WINNT_AUTH_IDENTITY_UNICODE => true,
        SEC_WINNT_AUTH_IDENTITY_ANSI => false,
        _ => otherwise,
    }
}

fn refused(text: &'static str) -> Failure {
    Failure::new(SecurityStatus::SEC_E_UNKNOWN_CREDENTIALS, text)
}

/// Characters of which the length is given. A length without a pointer is taken for none, as on Windows.
///
/// # Safety
/// NULL, or valid for reading `length` characters.
unsafe fn characters<C: Character>(
    pointer: *const c_void,
    length: ULONG,
) -> Result<Option<Zeroizing<Vec<C>>>> {
    if pointer.is_null() {
        return Ok(None);
    }
    if length > LONGEST {
        return Err(refused("a name or the password of the identity is longer than 32,767 characters"));
    }
    // SAFETY: not NULL, and valid for that many by this function's contract.
    unsafe { pointer::copied(pointer.cast(), length as usize) }.map(|all| Some(Zeroizing::new(all)))
}

/// # Safety
/// As [`characters`].
unsafe fn text<C: Character>(pointer: *const c_void, length: ULONG) -> Result<Option<String>> {
    // SAFETY: passed on.
    let Some(characters) = (unsafe { characters::<C>(pointer, length)? }) else { return Ok(None) };
    C::decode(&characters).map(Some).ok_or_else(|| refused("a name of the identity is not valid text"))
}
