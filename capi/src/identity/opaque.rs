//! `PSEC_WINNT_AUTH_IDENTITY_OPAQUE`: the identities that the Sspi* functions take and give.
//!
//! They take every form that AcquireCredentialsHandle takes. They give a `SEC_WINNT_AUTH_IDENTITY_W`, or `_EXW` where
//! there is a package list, in one block with its texts, so that AcquireCredentialsHandle takes it directly.

use core::ffi::{c_char, c_void};
use core::ptr;

use portable_sspi::SecurityStatus;
use zeroize::{Zeroize, Zeroizing};

use super::ex2::{self, PACKED_HEADER, PASSWORD, PASSWORD_HEADER};
use super::form::Form;
use super::{ENCRYPTED, Identity, LONGEST, Secret, characters, encryption, is_wide, refused};
use crate::abi::{
    AuthIdentity, AuthIdentityEx, AuthIdentityEx2, SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED,
    SEC_WINNT_AUTH_IDENTITY_MARSHALLED, SEC_WINNT_AUTH_IDENTITY_UNICODE, SEC_WINNT_AUTH_IDENTITY_VERSION,
    SEC_WINNT_AUTH_IDENTITY_VERSION_2, ULONG, USHORT, WCHAR,
};
use crate::failure::{Failure, Result};
use crate::memory::{self, Block};
use crate::pointer;
use crate::text::Character;

pub(super) const fn invalid(text: &'static str) -> Failure {
    Failure::new(SecurityStatus::SEC_E_INVALID_TOKEN, text)
}

/// Which form it is.
///
/// # Errors
/// `SEC_E_INVALID_TOKEN` for NULL.
///
/// # Safety
/// As [`Identity::read`].
unsafe fn form(identity: *const c_void) -> Result<Form> {
    // SAFETY: passed on.
    unsafe { Form::of(identity) }.ok_or_else(|| invalid("there is no identity"))
}

/// Reads an identity as it is: other than for a logon, `DOMAIN\user` in the place of the user stays what it is.
///
/// # Safety
/// As [`Identity::read`].
pub(super) unsafe fn read(identity: *const c_void) -> Result<Identity> {
    // SAFETY: passed on.
    unsafe {
        form(identity)?;
        Identity::read_as_it_is(identity, true)
    }
}

/// Whether the password is encrypted, by this library or another one.
///
/// # Safety
/// As [`Identity::read`].
pub(super) unsafe fn is_encrypted(identity: *const c_void) -> Result<bool> {
    // SAFETY: passed on.
    unsafe { form(identity) }.map(|form| form.flags() & ENCRYPTED != 0)
}

/// Encrypts or decrypts the password where it lies; one that is already as wanted stays as it is.
///
/// # Safety
/// As [`Identity::read`]; the structure and its password are also valid for writing.
pub(super) unsafe fn set_encrypted(identity: *mut c_void, wanted: bool) -> Result<()> {
    // SAFETY: passed on. An unreadable identity is refused before anything is changed.
    let form = unsafe {
        let form = form(identity)?;
        drop(read(identity)?);
        form
    };
    if (form.flags() & ENCRYPTED != 0) == wanted {
        return Ok(());
    }
    let (Form::Plain(plain) | Form::Ex(AuthIdentityEx { identity: plain, .. })) = form else {
        return Err(Failure::unsupported("an identity in one piece is not encrypted in place"));
    };
    if !is_wide(plain.flags, true) {
        return Err(Failure::unsupported("only passwords in UTF-16 are encrypted in place"));
    }
    // SAFETY: the password is NULL or of this length.
    let password = unsafe { characters::<WCHAR>(plain.password.cast(), plain.password_length)? };
    if let Some(mut password) = password {
        if wanted {
            encryption::encrypt(&mut password)?;
        } else {
            encryption::decrypt(&mut password)?;
        }
        let start = plain.password.cast_mut().cast::<WCHAR>();
        for (index, unit) in password.iter().enumerate() {
            // SAFETY: within the password, which is valid for writing by this function's contract.
            unsafe { start.add(index).write_unaligned(*unit) };
        }
    }
    let flags = plain.flags ^ SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED;
    // SAFETY: the structure is of this form and valid for writing.
    unsafe {
        match form {
            Form::Ex(mut ex) => {
                ex.identity.flags = flags;
                pointer::write(identity.cast(), ex);
            }
            _ => pointer::write(identity.cast(), AuthIdentity { flags, ..plain }),
        }
    }
    Ok(())
}

/// Wipes an identity: a block of the library's as a whole, another one's texts.
///
/// # Safety
/// As [`Identity::read`]; all of it is also valid for writing.
pub(super) unsafe fn wipe(identity: *mut c_void) -> Result<()> {
    // Empty, it is an identity without names, and still a block that can be freed.
    if let Some(length) = memory::length(identity) {
        // SAFETY: the library's own block of this length.
        unsafe { pointer::bytes_mut(identity, length)? }.zeroize();
        return Ok(());
    }
    // SAFETY: passed on.
    let plain = match unsafe { form(identity)? } {
        Form::Ex2(ex2) => {
            // SAFETY: valid for as many bytes as it says, by this function's contract.
            unsafe { pointer::bytes_mut(identity, ex2.structure_length as usize)? }.zeroize();
            return Ok(());
        }
        Form::Plain(plain) | Form::Ex(AuthIdentityEx { identity: plain, .. }) => plain,
    };
    let size = if is_wide(plain.flags, true) { size_of::<WCHAR>() } else { size_of::<c_char>() };
    for (start, length) in [
        (plain.user, plain.user_length),
        (plain.domain, plain.domain_length),
        (plain.password, plain.password_length),
    ] {
        if !start.is_null() {
            let length = (length as usize).saturating_mul(size);
            // SAFETY: a text of this length, valid for writing by this function's contract.
            unsafe { pointer::bytes_mut(start.cast_mut().cast(), length)? }.zeroize();
        }
    }
    Ok(())
}

/// The password in UTF-16, encrypted if it is to be; `None` where there is none.
fn password_units(identity: &Identity, encrypted: bool) -> Result<Option<Zeroizing<Vec<u16>>>> {
    let Secret::Password(password) = &identity.secret else {
        return match identity.secret {
            Secret::Foreign => Err(refused("its packed credentials hold no password")),
            _ => Ok(None),
        };
    };
    let mut password = password.clone();
    if encrypted {
        encryption::encrypt(&mut password)?;
    }
    Ok(Some(password))
}

const fn flags_of(encrypted: bool) -> ULONG {
    let encryption = if encrypted { SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED } else { 0 };
    SEC_WINNT_AUTH_IDENTITY_UNICODE | SEC_WINNT_AUTH_IDENTITY_MARSHALLED | encryption
}

/// An identity to give to the program.
///
/// # Errors
/// `SEC_E_INVALID_TOKEN` for texts that are too long, `SEC_E_UNKNOWN_CREDENTIALS` for a secret that is no password.
pub(super) fn make(identity: &Identity, encrypted: bool) -> Result<Block> {
    let units = |text: &Option<String>| {
        text.as_ref().map(|text| Zeroizing::new(text.encode_utf16().collect::<Vec<_>>()))
    };
    let texts = [
        units(&identity.user),
        units(&identity.domain),
        password_units(identity, encrypted)?,
        units(&identity.package_list),
    ];
    let has_list = identity.package_list.is_some();
    let header = if has_list { size_of::<AuthIdentityEx<WCHAR>>() } else { size_of::<AuthIdentity<WCHAR>>() };
    let behind: usize = texts.iter().flatten().map(|text| (text.len() + 1) * size_of::<WCHAR>()).sum();
    let mut block = Block::new(header + behind)?;
    let mut end = header;
    let mut place = |text: &Option<Zeroizing<Vec<u16>>>| -> Result<(*const WCHAR, ULONG)> {
        let Some(text) = text else { return Ok((ptr::null(), 0)) };
        let length = ULONG::try_from(text.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or(invalid("a text of the identity is longer than 32,767 characters"))?;
        let start = end;
        for unit in text.iter() {
            block.put(end, *unit);
            end += size_of::<WCHAR>();
        }
        // A NUL stands there already.
        end += size_of::<WCHAR>();
        Ok((block.at::<WCHAR>(start).cast_const(), length))
    };
    let [user, domain, password, list] = &texts;
    let (user, user_length) = place(user)?;
    let (domain, domain_length) = place(domain)?;
    let (password, password_length) = place(password)?;
    let (package_list, package_list_length) = place(list)?;
    let flags = flags_of(encrypted);
    let plain = AuthIdentity { user, user_length, domain, domain_length, password, password_length, flags };
    if has_list {
        let length = ULONG::try_from(header).unwrap_or_default();
        let version = SEC_WINNT_AUTH_IDENTITY_VERSION;
        block.put(0, AuthIdentityEx { version, length, identity: plain, package_list, package_list_length });
    } else {
        block.put(0, plain);
    }
    Ok(block)
}

/// The identity as a `SEC_WINNT_AUTH_IDENTITY_EX2`: bytes that mean the same wherever they lie.
///
/// # Errors
/// `SEC_E_INVALID_TOKEN` where a text is too long for that form, otherwise as [`make`].
pub(super) fn marshal(identity: &Identity, encrypted: bool) -> Result<Block> {
    let too_long = || invalid("a text is too long for an identity in one piece");
    let bytes = |text: &Option<String>| text.as_ref().map(|text| Zeroizing::new(WCHAR::encode(text)));
    let packed = match password_units(identity, encrypted)? {
        None => None,
        Some(password) => Some(pack(&password).ok_or_else(too_long)?),
    };
    let parts = [bytes(&identity.user), bytes(&identity.domain), packed, bytes(&identity.package_list)];
    let header = size_of::<AuthIdentityEx2>();
    let length = header + parts.iter().flatten().map(|part| part.len()).sum::<usize>();
    let mut block = Block::new(length)?;
    let mut end = header;
    let mut place = |part: &Option<Zeroizing<Vec<u8>>>| -> Result<(ULONG, USHORT)> {
        let Some(part) = part else { return Ok((0, 0)) };
        let offset = ULONG::try_from(end).map_err(|_| too_long())?;
        let length = USHORT::try_from(part.len()).map_err(|_| too_long())?;
        if let Some(place) = block.bytes_mut().get_mut(end..end + part.len()) {
            place.copy_from_slice(part);
        }
        end += part.len();
        Ok((offset, length))
    };
    let [user, domain, packed, list] = &parts;
    let (user_offset, user_length) = place(user)?;
    let (domain_offset, domain_length) = place(domain)?;
    let (packed_credentials_offset, packed_credentials_length) = place(packed)?;
    let (package_list_offset, package_list_length) = place(list)?;
    let flags = flags_of(encrypted);
    // Written member by member, as padding would be of no certain value.
    let mut put = |offset: usize, bytes: &[u8]| {
        if let Some(place) = block.bytes_mut().get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    let long = |number: ULONG| number.to_ne_bytes();
    put(core::mem::offset_of!(AuthIdentityEx2, version), &long(SEC_WINNT_AUTH_IDENTITY_VERSION_2));
    let header_length = USHORT::try_from(header).map_err(|_| too_long())?;
    put(core::mem::offset_of!(AuthIdentityEx2, header_length), &header_length.to_ne_bytes());
    let length = ULONG::try_from(length).map_err(|_| too_long())?;
    put(core::mem::offset_of!(AuthIdentityEx2, structure_length), &long(length));
    put(core::mem::offset_of!(AuthIdentityEx2, user_offset), &long(user_offset));
    put(core::mem::offset_of!(AuthIdentityEx2, user_length), &user_length.to_ne_bytes());
    put(core::mem::offset_of!(AuthIdentityEx2, domain_offset), &long(domain_offset));
    put(core::mem::offset_of!(AuthIdentityEx2, domain_length), &domain_length.to_ne_bytes());
    let offset = packed_credentials_offset;
    put(core::mem::offset_of!(AuthIdentityEx2, packed_credentials_offset), &long(offset));
    let length = packed_credentials_length;
    put(core::mem::offset_of!(AuthIdentityEx2, packed_credentials_length), &length.to_ne_bytes());
    put(core::mem::offset_of!(AuthIdentityEx2, flags), &long(flags));
    put(core::mem::offset_of!(AuthIdentityEx2, package_list_offset), &long(package_list_offset));
    put(core::mem::offset_of!(AuthIdentityEx2, package_list_length), &package_list_length.to_ne_bytes());
    Ok(block)
}

/// A password as `SEC_WINNT_AUTH_PACKED_CREDENTIALS`. `None` where it is too long.
fn pack(password: &[u16]) -> Option<Zeroizing<Vec<u8>>> {
    let length = USHORT::try_from(password.len().checked_mul(size_of::<WCHAR>())?).ok()?;
    let data_length = length.checked_add(PASSWORD_HEADER)?;
    let total = data_length.checked_add(PACKED_HEADER)?;
    let mut packed = Zeroizing::new(Vec::with_capacity(usize::from(total)));
    packed.extend(PACKED_HEADER.to_ne_bytes());
    packed.extend(total.to_ne_bytes());
    packed.extend(PASSWORD);
    // Where the data lies and how long it is; then its own header, which says the same of the password.
    packed.extend(ULONG::from(PACKED_HEADER).to_ne_bytes());
    packed.extend(data_length.to_ne_bytes());
    packed.extend([0; 2]);
    packed.extend(ULONG::from(PASSWORD_HEADER).to_ne_bytes());
    packed.extend(length.to_ne_bytes());
    packed.extend([0; 2]);
    packed.extend(password.iter().flat_map(|unit| unit.to_ne_bytes()));
    Some(packed)
}

/// Reads what [`marshal`] wrote, or anything: an attacker may have chosen the bytes. Also tells whether the password was
/// encrypted.
///
/// # Errors
/// `SEC_E_INVALID_TOKEN` where it is no identity in one piece.
pub(super) fn unmarshal(bytes: &[u8]) -> Result<(Identity, bool)> {
    let bad = || invalid("the bytes are no marshalled identity");
    if bytes.len() < size_of::<AuthIdentityEx2>() {
        return Err(bad());
    }
    // SAFETY: there are enough bytes, and each bit pattern is a value of it.
    let header = unsafe { pointer::read(bytes.as_ptr().cast::<AuthIdentityEx2>()) }.ok_or_else(bad)?;
    if header.version != SEC_WINNT_AUTH_IDENTITY_VERSION_2
        || usize::from(header.header_length) != size_of::<AuthIdentityEx2>()
        || header.structure_length as usize > bytes.len()
    {
        return Err(bad());
    }
    // SAFETY: as many bytes are there as it says.
    let identity = unsafe { ex2::read(bytes.as_ptr().cast()) }.map_err(|_| bad())?;
    Ok((identity, header.flags & SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: Option<&str>, domain: Option<&str>, list: Option<&str>) -> Identity {
        Identity {
            user: user.map(str::to_owned),
            domain: domain.map(str::to_owned),
            secret: Secret::Password(Zeroizing::new(vec![0x70, 0xD800])),
            package_list: list.map(str::to_owned),
        }
    }

    fn assert_same(read: &Identity, user: Option<&str>, domain: Option<&str>, list: Option<&str>) {
        assert_eq!(read.user.as_deref(), user);
        assert_eq!(read.domain.as_deref(), domain);
        assert_eq!(read.package_list.as_deref(), list);
        assert!(matches!(&read.secret, Secret::Password(password) if password.as_slice() == [0x70, 0xD800]));
    }

    #[test]
    fn acquire_credentials_handle_takes_what_is_made() {
        for list in [None, Some("NTLM,!Kerberos")] {
            for encrypted in [false, true] {
                let block = make(&identity(Some("Jörg"), Some("D"), list), encrypted).unwrap();
                let start = block.at::<c_void>(0).cast_const();
                // SAFETY: just made; `block` is still there.
                unsafe {
                    assert_same(&Identity::read(start, true).unwrap(), Some("Jörg"), Some("D"), list);
                    assert_same(&read(start).unwrap(), Some("Jörg"), Some("D"), list);
                    assert_eq!(is_encrypted(start).unwrap(), encrypted);
                }
            }
        }
    }

    #[test]
    fn marshalled_bytes_come_back_and_cut_ones_are_refused() {
        for encrypted in [false, true] {
            let mut block = marshal(&identity(Some("u"), Some("d"), Some("NTLM")), encrypted).unwrap();
            let bytes = block.bytes_mut();
            let (read, was_encrypted) = unmarshal(bytes).unwrap();
            assert_same(&read, Some("u"), Some("d"), Some("NTLM"));
            assert_eq!(was_encrypted, encrypted);
            for length in 0..bytes.len() {
                let cut = bytes[..length].to_vec();
                assert_eq!(
                    unmarshal(&cut).err().map(|failure| failure.status()),
                    Some(SecurityStatus::SEC_E_INVALID_TOKEN)
                );
            }
        }
    }

    #[test]
    fn damaged_bytes_do_no_harm() {
        let mut block = marshal(&identity(Some("user"), None, None), false).unwrap();
        let good = block.bytes_mut().to_vec();
        for index in 0..good.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut bytes = good.clone();
                bytes[index] = value;
                let _ = unmarshal(&bytes);
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let long = "x".repeat(0x8000);
        assert!(make(&identity(Some(&long), None, None), false).is_err());
        assert!(marshal(&identity(Some(&long), None, None), false).is_err());
        assert!(pack(&vec![1; 0x7FFF]).is_none());
    }
}
