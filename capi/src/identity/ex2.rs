//! `SEC_WINNT_AUTH_IDENTITY_EX2`: an identity in one piece, whose parts are found by offsets.

use core::ffi::c_void;

use zeroize::Zeroizing;

use super::{Identity, Secret, refused};
use crate::abi::{AuthIdentityEx2, ULONG, USHORT};
use crate::failure::Result;
use crate::pointer;

/// `SEC_WINNT_AUTH_DATA_TYPE_PASSWORD`, as it lies in memory.
pub(super) const PASSWORD: [u8; 16] =
    guid(0x28bf_c32f, 0x10f6, 0x4738, [0x98, 0xd1, 0x1a, 0xc0, 0x61, 0xdf, 0x71, 0x6a]);

/// Lengths of the header of `SEC_WINNT_AUTH_PACKED_CREDENTIALS` and of `SEC_WINNT_AUTH_DATA_PASSWORD`, in bytes.
pub(super) const PACKED_HEADER: USHORT = 28;
pub(super) const PASSWORD_HEADER: USHORT = 8;

/// # Safety
/// Points to a `SEC_WINNT_AUTH_IDENTITY_EX2`, valid for reading `cbStructureLength` bytes.
pub(super) unsafe fn read(identity: *const AuthIdentityEx2) -> Result<Identity> {
    // SAFETY: by this function's contract.
    let header = unsafe { pointer::read(identity) }.ok_or_else(|| refused("there is none"))?;
    if (header.structure_length as usize) < size_of::<AuthIdentityEx2>() {
        return Err(refused("its cbStructureLength is less than its header"));
    }
    // SAFETY: by this function's contract.
    let all = unsafe { pointer::bytes(identity.cast::<c_void>(), header.structure_length as usize)? };
    let text = |offset: ULONG, length: USHORT| {
        let Some(units) = units(all, offset, length)? else { return Ok(None) };
        String::from_utf16(&units).map(Some).map_err(|_| refused("a name of the identity is not valid text"))
    };
    let secret = match part(all, header.packed_credentials_offset, header.packed_credentials_length)? {
        None => Secret::None,
        Some(packed) => unpack(packed)?,
    };
    let identity = Identity {
        user: text(header.user_offset, header.user_length)?,
        domain: text(header.domain_offset, header.domain_length)?,
        secret,
        package_list: text(header.package_list_offset, header.package_list_length)?,
    };
    identity.decrypted(header.flags)
}

/// `SEC_WINNT_AUTH_PACKED_CREDENTIALS`, whose offset counts from its start.
fn unpack(packed: &[u8]) -> Result<Secret> {
    let short = || refused("its packed credentials are cut short");
    let (_, rest) = packed.split_first_chunk::<4>().ok_or_else(short)?;
    let (kind, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
    let (offset, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let (length, _) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    if packed.len() < usize::from(PACKED_HEADER) {
        return Err(short());
    }
    if *kind != PASSWORD {
        return Ok(Secret::Foreign);
    }
    let data =
        part(packed, ULONG::from_ne_bytes(*offset), USHORT::from_ne_bytes(*length))?.unwrap_or_default();
    to_units(within(data).unwrap_or(data)).map(Secret::Password)
}

/// The password where the data is a `SEC_WINNT_AUTH_DATA_PASSWORD`: an offset and a length, then the password. Others
/// give the password alone, which then would have to begin with the character U+0008 to look like one.
fn within(data: &[u8]) -> Option<&[u8]> {
    let (offset, rest) = data.split_first_chunk::<4>()?;
    let (length, _) = rest.split_first_chunk::<2>()?;
    let password = data.get(usize::from(PASSWORD_HEADER)..)?;
    let fits = ULONG::from_ne_bytes(*offset) == ULONG::from(PASSWORD_HEADER)
        && usize::from(USHORT::from_ne_bytes(*length)) == password.len();
    fits.then_some(password)
}

/// What lies at an offset; `None` where neither offset nor length is given.
fn part(all: &[u8], offset: ULONG, length: USHORT) -> Result<Option<&[u8]>> {
    if offset == 0 {
        return Ok(None);
    }
    let start = offset as usize;
    let part = start.checked_add(usize::from(length)).and_then(|end| all.get(start..end));
    part.map(Some).ok_or_else(|| refused("one of its parts lies outside of it"))
}

fn units(all: &[u8], offset: ULONG, length: USHORT) -> Result<Option<Zeroizing<Vec<u16>>>> {
    part(all, offset, length)?.map(to_units).transpose()
}

fn to_units(bytes: &[u8]) -> Result<Zeroizing<Vec<u16>>> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(refused("a text of it has an odd number of bytes"));
    }
    let mut units = Zeroizing::new(Vec::with_capacity(bytes.len() / 2));
    units.extend(pairs.filter_map(|pair| pair.try_into().ok().map(u16::from_ne_bytes)));
    Ok(units)
}

const fn guid(first: u32, second: u16, third: u16, rest: [u8; 8]) -> [u8; 16] {
    let ([a, b, c, d], [e, f], [g, h]) = (first.to_ne_bytes(), second.to_ne_bytes(), third.to_ne_bytes());
    let [i, j, k, l, m, n, o, p] = rest;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}
