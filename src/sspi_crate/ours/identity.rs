//! The crate's identities as this library's.

use portable_sspi_core::{AuthIdentity, Password, SecretArray};
use sspi::{AuthIdentityBuffers, ErrorKind, NTLM_HASH_PREFIX, Username};

use super::super::error::refuse;

/// The identity of a client, or an account that a server admits. A password that begins with the crate's
/// [`NTLM_HASH_PREFIX`] is an NT hash in hexadecimal, as there.
///
/// # Errors
/// `UnknownCredentials` where the user's name is empty; `InvalidToken`, as the crate says, where what follows the prefix
/// is no NT hash.
pub(super) fn identity(buffers: &AuthIdentityBuffers) -> sspi::Result<AuthIdentity> {
    if buffers.is_empty() {
        return Err(refuse(ErrorKind::UnknownCredentials, "the user name is empty"));
    }
    let (user, domain) = (buffers.user.to_string(), buffers.domain.to_string());
    let units = buffers.password.as_ref().0.as_slice();
    match hash_digits(units) {
        None => Ok(AuthIdentity::new(user, domain, Password::from_utf16(units))),
        Some(digits) => match nt_hash(digits) {
            Some(nt_hash) => Ok(AuthIdentity::with_nt_hash(user, domain, nt_hash)),
            None => Err(refuse(ErrorKind::InvalidToken, "an NT hash is 32 hexadecimal digits")),
        },
    }
}

/// A name of the crate's.
pub(super) fn user_name(user: &str, domain: &str) -> sspi::Result<Username> {
    Ok(Username::new(user, Some(domain).filter(|domain| !domain.is_empty()))?)
}

/// What follows the prefix, where it is there.
fn hash_digits(password: &[u16]) -> Option<&[u16]> {
    let (start, digits) = password.split_at_checked(NTLM_HASH_PREFIX.len())?;
    start.iter().copied().eq(NTLM_HASH_PREFIX.encode_utf16()).then_some(digits)
}

fn nt_hash(digits: &[u16]) -> Option<SecretArray<16>> {
    let mut hash = SecretArray::new([0; 16]);
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in hash.expose_mut().iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let digit = char::from_u32(u32::from(*digit))?.to_digit(16)?;
            *byte = byte.wrapping_shl(4) | u8::try_from(digit).ok()?;
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use portable_sspi_core::Secret;

    use super::*;

    fn with_password(password: &str) -> sspi::Result<AuthIdentity> {
        identity(&AuthIdentityBuffers::from_utf8("alice", "CORP", password))
    }

    #[test]
    fn a_password_stays_one_unless_it_has_the_prefix() {
        for password in ["", "secret", "$NTLM$", "x$NTLM$:00"] {
            let Secret::Password(found) = with_password(password).unwrap().secret else {
                panic!("{password}")
            };
            assert_eq!(found.expose_utf16(), password.encode_utf16().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_nt_hash_is_one() {
        let hash =
            sspi::NtlmHash::from_bytes(core::array::from_fn(|index| 0xFF - u8::try_from(index).unwrap()));
        let theirs = AuthIdentityBuffers::from_utf8_with_hash("alice", "CORP", &hash);
        let Secret::NtHash(found) = identity(&theirs).unwrap().secret else { panic!("not a hash") };
        assert_eq!(found.expose(), hash.as_bytes());
    }

    #[test]
    fn odd_hashes_and_names_are_refused() {
        for digits in ["", "00", "é".repeat(16).as_str(), "é".repeat(32).as_str(), &"0g".repeat(16)] {
            let error = with_password(&format!("{NTLM_HASH_PREFIX}{digits}")).unwrap_err();
            assert_eq!(error.error_type, ErrorKind::InvalidToken, "{digits}");
        }
        let nobody = identity(&AuthIdentityBuffers::default()).unwrap_err();
        assert_eq!(nobody.error_type, ErrorKind::UnknownCredentials);
    }
}
