//! The Sspi* functions for identities. They take every form that AcquireCredentialsHandle takes, and what they give it
//! takes, too.

use core::ffi::{c_char, c_void};

use portable_sspi::SecurityStatus;
use subtle::ConstantTimeEq;

use super::opaque::{self, invalid};
use super::{Identity, Secret, qualified_name};
use crate::abi::{BOOLEAN, SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS, SECURITY_STATUS, ULONG, WCHAR};
use crate::export::export;
use crate::failure::{self, Failure, Result, guarded};
use crate::memory::{self, Block};
use crate::pointer::{self, required};
use crate::text;

/// `CRED_TYPE_DOMAIN_PASSWORD`.
const CRED_TYPE_DOMAIN_PASSWORD: ULONG = 2;

const OK: Result<SecurityStatus> = Ok(SecurityStatus::SEC_E_OK);

fn place<T>(pointer: *mut T) -> Result<*mut T> {
    required(pointer).map_err(|_| invalid("there is no place for the answer"))
}

/// # Safety
/// NULL or NUL-terminated.
unsafe fn name(pointer: *const WCHAR) -> Result<Option<String>> {
    // SAFETY: the same contract.
    unsafe { text::read(pointer, SecurityStatus::SEC_E_INVALID_TOKEN) }
}

/// A password up to its NUL, which need not be valid text.
///
/// # Safety
/// NULL or NUL-terminated.
unsafe fn password(pointer: *const WCHAR) -> Result<Secret> {
    // SAFETY: the same contract.
    let units = unsafe { text::characters(pointer, SecurityStatus::SEC_E_INVALID_TOKEN)? };
    Ok(units.map_or(Secret::None, Secret::Password))
}

fn password_block(secret: &Secret, with_nul: bool) -> Result<Option<Block>> {
    let Secret::Password(units) = secret else { return Ok(None) };
    let nul = if with_nul { size_of::<WCHAR>() } else { 0 };
    let mut block = Block::new(units.len() * size_of::<WCHAR>() + nul)?;
    for (index, unit) in units.iter().enumerate() {
        block.put(index * size_of::<WCHAR>(), *unit);
    }
    Ok(Some(block))
}

fn text_block(text: Option<&String>) -> Result<Option<Block>> {
    text.map(|text| text::block::<WCHAR>(text)).transpose()
}

/// # Safety
/// `to` is NULL or valid for writing.
unsafe fn give<T>(to: *mut *mut T, block: Option<Block>) {
    if !to.is_null() {
        // SAFETY: by this function's contract.
        unsafe { pointer::write(to, block.map_or(core::ptr::null_mut(), Block::give)) };
    }
}

/// The user as the credential manager names him.
fn full_name(identity: &Identity) -> Result<String> {
    let user = identity.user.as_deref().ok_or(invalid("the identity has no user"))?;
    Ok(qualified_name(identity.domain.as_deref().unwrap_or_default(), user))
}

/// The host in a target name: `service/host:port/name` or a host alone.
fn host_of(target: &str) -> Option<&str> {
    let rest = target.split_once('/').map_or(target, |(_, rest)| rest);
    let host = rest.split(['/', '@']).next()?;
    let host = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        // More colons than one are an IPv6 address.
        None if host.matches(':').count() == 1 => host.split(':').next()?,
        None => host,
    };
    (!host.is_empty()).then_some(host)
}

fn same_text(one: Option<&String>, other: Option<&String>) -> bool {
    one.map(|text| text.to_lowercase()).unwrap_or_default()
        == other.map(|text| text.to_lowercase()).unwrap_or_default()
}

/// # Safety
/// As [`Identity::read`], valid for writing.
unsafe fn crypt(options: ULONG, identity: *mut c_void, wanted: bool) -> SECURITY_STATUS {
    failure::status(|| {
        if options != SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS {
            return Err(Failure::unsupported("passwords are encrypted for the same process only"));
        }
        // SAFETY: by this function's contract.
        unsafe { opaque::set_encrypted(identity, wanted)? };
        OK
    })
}

export! {
    /// SspiEncodeStringsAsAuthIdentity: an identity of a user, a domain and a password, each of which may be NULL, but
    /// not both user and password: `SEC_E_INVALID_TOKEN`. SspiFreeAuthIdentity frees it.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): the texts are read, `identity` is written.
    pub unsafe fn SspiEncodeStringsAsAuthIdentity(
        user: *const WCHAR,
        domain: *const WCHAR,
        packed: *const WCHAR,
        identity: *mut *mut c_void,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            let to = place(identity)?;
            if user.is_null() && packed.is_null() {
                return Err(invalid("there is neither a user nor a password"));
            }
            // SAFETY: the same contract.
            unsafe {
                let made = Identity {
                    user: name(user)?,
                    domain: name(domain)?,
                    secret: password(packed)?,
                    package_list: None,
                };
                give(to, Some(opaque::make(&made, false)?));
            }
            OK
        })
    }

    /// SspiEncodeAuthIdentityAsStrings: user, domain and password, NULL where there is none. SspiLocalFree frees each.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read, the others are written.
    pub unsafe fn SspiEncodeAuthIdentityAsStrings(
        identity: *const c_void,
        user: *mut *mut WCHAR,
        domain: *mut *mut WCHAR,
        packed: *mut *mut WCHAR,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe {
                let read = opaque::read(identity)?;
                let blocks = (
                    text_block(read.user.as_ref())?,
                    text_block(read.domain.as_ref())?,
                    password_block(&read.secret, true)?,
                );
                give(user, blocks.0);
                give(domain, blocks.1);
                give(packed, blocks.2);
            }
            OK
        })
    }

    /// SspiFreeAuthIdentity: wipes and frees an identity of the library's; anything else is left alone.
    ///
    /// # Safety
    /// Nothing of it is used afterwards.
    pub unsafe fn SspiFreeAuthIdentity(identity: *mut c_void) {
        guarded((), || {
            memory::free(identity);
        });
    }

    /// SspiLocalFree: wipes and frees what another Sspi* function gave; anything else is left alone.
    ///
    /// # Safety
    /// Nothing of it is used afterwards.
    pub unsafe fn SspiLocalFree(block: *mut c_void) {
        guarded((), || {
            memory::free(block);
        });
    }

    /// SspiZeroAuthIdentity: wipes an identity, which can still be freed.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): all of `identity` is read and written.
    pub unsafe fn SspiZeroAuthIdentity(identity: *mut c_void) {
        // SAFETY: the same contract.
        guarded((), || drop(unsafe { opaque::wipe(identity) }));
    }

    /// SspiPrepareForCredWrite: what CredWrite takes; without a target, the user is it. SspiLocalFree frees each part.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` and `target` are read, the others are written.
    pub unsafe fn SspiPrepareForCredWrite(
        identity: *const c_void,
        target: *const WCHAR,
        kind: *mut ULONG,
        target_name: *mut *mut WCHAR,
        user: *mut *mut WCHAR,
        blob: *mut *mut u8,
        blob_size: *mut ULONG,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe {
                let read = opaque::read(identity)?;
                let full = full_name(&read)?;
                let target = name(target)?.unwrap_or_else(|| full.clone());
                let mut secret = password_block(&read.secret, false)?;
                let size = secret.as_mut().map_or(0, |block| block.bytes_mut().len());
                let blocks = (text_block(Some(&target))?, text_block(Some(&full))?);
                pointer::write(kind, CRED_TYPE_DOMAIN_PASSWORD);
                give(target_name, blocks.0);
                give(user, blocks.1);
                give(blob, secret);
                pointer::write(blob_size, ULONG::try_from(size).unwrap_or_default());
            }
            OK
        })
    }

    /// SspiPrepareForCredRead: what CredRead takes, as [`SspiPrepareForCredWrite`] gives it.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` and `target` are read, the others are written.
    pub unsafe fn SspiPrepareForCredRead(
        identity: *const c_void,
        target: *const WCHAR,
        kind: *mut ULONG,
        target_name: *mut *mut WCHAR,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe {
                let target = match name(target)? {
                    Some(target) => target,
                    None => full_name(&opaque::read(identity)?)?,
                };
                let block = text_block(Some(&target))?;
                pointer::write(kind, CRED_TYPE_DOMAIN_PASSWORD);
                give(target_name, block);
            }
            OK
        })
    }

    /// SspiCopyAuthIdentity: a copy, whose password is encrypted if the original's is.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read, `copy` is written.
    pub unsafe fn SspiCopyAuthIdentity(identity: *const c_void, copy: *mut *mut c_void) -> SECURITY_STATUS {
        failure::status(|| {
            let to = place(copy)?;
            // SAFETY: the same contract.
            unsafe {
                give(to, Some(opaque::make(&opaque::read(identity)?, opaque::is_encrypted(identity)?)?));
            }
            OK
        })
    }

    /// SspiCompareAuthIdentities: whether user and domain are the same, whatever their case, and whether the password is,
    /// too.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): the identities are read, the others are written.
    pub unsafe fn SspiCompareAuthIdentities(
        one: *const c_void,
        other: *const c_void,
        same_user: *mut BOOLEAN,
        same_identity: *mut BOOLEAN,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            unsafe {
                let (one, other) = (Identity::read(one, true)?, Identity::read(other, true)?);
                let users = same_text(one.user.as_ref(), other.user.as_ref())
                    && same_text(one.domain.as_ref(), other.domain.as_ref());
                let secrets = match (&one.secret, &other.secret) {
                    (Secret::None, Secret::None) => true,
                    (Secret::Password(one), Secret::Password(other)) => one.as_slice().ct_eq(other).into(),
                    _ => false,
                };
                pointer::write(same_user, BOOLEAN::from(users));
                pointer::write(same_identity, BOOLEAN::from(users && secrets));
            }
            OK
        })
    }

    /// SspiMarshalAuthIdentity: the identity as bytes that [`SspiUnmarshalAuthIdentity`] reads, here or elsewhere; an
    /// encrypted password means something to this process alone. SspiLocalFree frees them.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read, the others are written.
    pub unsafe fn SspiMarshalAuthIdentity(
        identity: *const c_void,
        length: *mut ULONG,
        bytes: *mut *mut c_char,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            let (length, bytes) = (place(length)?, place(bytes)?);
            // SAFETY: the same contract.
            unsafe {
                let mut block = opaque::marshal(&opaque::read(identity)?, opaque::is_encrypted(identity)?)?;
                pointer::write(length, ULONG::try_from(block.bytes_mut().len()).unwrap_or_default());
                give(bytes, Some(block));
            }
            OK
        })
    }

    /// SspiUnmarshalAuthIdentity: the identity in such bytes, which may come from anybody; `SEC_E_INVALID_TOKEN` where
    /// they are none.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `bytes`, `length` of them, are read, `identity` is written.
    pub unsafe fn SspiUnmarshalAuthIdentity(
        length: ULONG,
        bytes: *const c_char,
        identity: *mut *mut c_void,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            let to = place(identity)?;
            // SAFETY: the same contract.
            unsafe {
                let bytes = pointer::bytes(bytes.cast(), length as usize);
                let (read, encrypted) = opaque::unmarshal(bytes.map_err(|_| invalid("there are no bytes"))?)?;
                give(to, Some(opaque::make(&read, encrypted)?));
            }
            OK
        })
    }

    /// SspiValidateAuthIdentity: whether it is an identity.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read.
    pub unsafe fn SspiValidateAuthIdentity(identity: *const c_void) -> SECURITY_STATUS {
        failure::status(|| {
            // SAFETY: the same contract.
            drop(unsafe { opaque::read(identity)? });
            OK
        })
    }

    /// SspiEncryptAuthIdentity: encrypts the password where it lies, for this process.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read and written.
    pub unsafe fn SspiEncryptAuthIdentity(identity: *mut c_void) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { crypt(SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS, identity, true) }
    }

    /// SspiEncryptAuthIdentityEx: the same; `SEC_E_UNSUPPORTED_FUNCTION` for others than this process.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read and written.
    pub unsafe fn SspiEncryptAuthIdentityEx(options: ULONG, identity: *mut c_void) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { crypt(options, identity, true) }
    }

    /// SspiDecryptAuthIdentity: undoes [`SspiEncryptAuthIdentity`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read and written.
    pub unsafe fn SspiDecryptAuthIdentity(identity: *mut c_void) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { crypt(SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS, identity, false) }
    }

    /// SspiDecryptAuthIdentityEx: undoes [`SspiEncryptAuthIdentityEx`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read and written.
    pub unsafe fn SspiDecryptAuthIdentityEx(options: ULONG, identity: *mut c_void) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { crypt(options, identity, false) }
    }

    /// SspiIsAuthIdentityEncrypted: whether the password is encrypted.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` is read.
    pub unsafe fn SspiIsAuthIdentityEncrypted(identity: *const c_void) -> BOOLEAN {
        // SAFETY: the same contract.
        guarded(0, || BOOLEAN::from(unsafe { opaque::is_encrypted(identity) }.unwrap_or(false)))
    }

    /// SspiExcludePackage: a copy of the identity, or of none, that Negotiate does not use this package for.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `identity` and `package` are read, `changed` is written.
    pub unsafe fn SspiExcludePackage(
        identity: *const c_void,
        package: *const WCHAR,
        changed: *mut *mut c_void,
    ) -> SECURITY_STATUS {
        failure::status(|| {
            let to = place(changed)?;
            // SAFETY: the same contract.
            unsafe {
                let package = name(package)?.unwrap_or_default();
                if package.is_empty() || package.contains([',', ':', '!']) {
                    return Err(Failure::new(SecurityStatus::SEC_E_SECPKG_NOT_FOUND, "there is no such package"));
                }
                let (mut read, encrypted) = if identity.is_null() {
                    (Identity::default(), false)
                } else {
                    (opaque::read(identity)?, opaque::is_encrypted(identity)?)
                };
                let list = read.package_list.take().unwrap_or_default();
                let others = list.split([',', ':']).map(str::trim).filter(|name| {
                    !name.is_empty() && !name.trim_start_matches('!').eq_ignore_ascii_case(&package)
                });
                let mut list: Vec<String> = others.map(str::to_owned).collect();
                list.push(format!("!{package}"));
                read.package_list = Some(list.join(","));
                give(to, Some(opaque::make(&read, encrypted)?));
            }
            OK
        })
    }

    /// SspiGetTargetHostName: the host in a target name. SspiLocalFree frees it.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `target` is read, `host` is written.
    pub unsafe fn SspiGetTargetHostName(target: *const WCHAR, host: *mut *mut WCHAR) -> SECURITY_STATUS {
        failure::status(|| {
            let to = place(host)?;
            // SAFETY: the same contract.
            unsafe {
                let target = name(target)?.unwrap_or_default();
                let host = host_of(&target).ok_or(invalid("the target names no host"))?.to_owned();
                give(to, text_block(Some(&host))?);
            }
            OK
        })
    }
}
