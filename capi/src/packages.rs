//! Which security packages there are.

use core::ffi::{c_char, c_void};

use portable_sspi::ntlm::Ntlm;
use portable_sspi::{Misuse, PackageCapabilities, PackageInfo, Provider, SecurityStatus};

use crate::abi::{SECURITY_STATUS, SecPkgInfo, SecurityPackageOptions, ULONG, WCHAR};
use crate::export::export;
use crate::failure::{self, Failure, Result};
use crate::memory::Block;
use crate::pointer::{self, required};
use crate::text::{self, Character};

/// A package by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    /// NTLM.
    Ntlm,
    /// Negotiate: what it can do without SPNEGO. It names NTLM as what it chose.
    Negotiate,
}

const ALL: [Package; 2] = [Package::Negotiate, Package::Ntlm];

/// As Windows describes its Negotiate.
static NEGOTIATE: PackageInfo = PackageInfo {
    name: "Negotiate",
    comment: "Microsoft Package Negotiator",
    capabilities: PackageCapabilities::INTEGRITY
        .union(PackageCapabilities::PRIVACY)
        .union(PackageCapabilities::CONNECTION)
        .union(PackageCapabilities::MULTI_REQUIRED)
        .union(PackageCapabilities::EXTENDED_ERROR)
        .union(PackageCapabilities::IMPERSONATION)
        .union(PackageCapabilities::ACCEPT_WIN32_NAME)
        .union(PackageCapabilities::NEGOTIABLE)
        .union(PackageCapabilities::GSS_COMPATIBLE)
        .union(PackageCapabilities::LOGON),
    version: 1,
    rpc_id: 9,
    max_token: 48 * 1024,
};

impl Package {
    pub(crate) fn info(self) -> &'static PackageInfo {
        match self {
            Self::Ntlm => Ntlm::default().package_info(),
            Self::Negotiate => &NEGOTIATE,
        }
    }

    /// The package of that name.
    ///
    /// # Errors
    /// `SEC_E_SECPKG_NOT_FOUND` where there is none, or no name.
    ///
    /// # Safety
    /// NULL, or NUL-terminated text.
    pub(crate) unsafe fn named<C: Character>(name: *const C) -> Result<Self> {
        // SAFETY: by this function's contract.
        let name = unsafe { text::read(name, SecurityStatus::SEC_E_SECPKG_NOT_FOUND)? }.unwrap_or_default();
        let found = ALL.into_iter().find(|package| package.info().name.eq_ignore_ascii_case(&name));
        found.ok_or_else(|| Misuse::UnknownPackage { name }.into())
    }
}

/// A block with one or more `SecPkgInfo`, one after the other, and behind them their texts.
pub(crate) fn block<C: Character>(infos: &[&PackageInfo]) -> Result<Block> {
    let texts: Vec<[Vec<u8>; 2]> =
        infos.iter().map(|info| [C::encode(info.name), C::encode(info.comment)]).collect();
    let all_texts: usize = texts.iter().flatten().map(|text| text.len() + size_of::<C>()).sum();
    let structures = size_of::<SecPkgInfo<C>>() * infos.len();
    let mut block = Block::new(structures + all_texts)?;
    let mut end = structures;
    for (index, (info, texts)) in infos.iter().zip(&texts).enumerate() {
        // Behind each text, a NUL stands already.
        let mut place = |text: &[u8]| {
            let start = end;
            if let Some(bytes) = block.bytes_mut().get_mut(start..start + text.len()) {
                bytes.copy_from_slice(text);
            }
            end = start + text.len() + size_of::<C>();
            block.at::<C>(start)
        };
        let [name, comment] = texts;
        let (name, comment) = (place(name), place(comment));
        block.put(
            index * size_of::<SecPkgInfo<C>>(),
            SecPkgInfo {
                capabilities: info.capabilities.bits(),
                version: info.version,
                rpc_id: info.rpc_id,
                max_token: info.max_token,
                name,
                comment,
            },
        );
    }
    Ok(block)
}

/// # Safety
/// Each pointer is NULL or valid for writing.
unsafe fn enumerate<C: Character>(count: *mut ULONG, infos: *mut *mut SecPkgInfo<C>) -> SECURITY_STATUS {
    failure::status(|| {
        let (count, infos) = (required(count)?, required(infos)?);
        let all = ALL.map(Package::info);
        let block = block::<C>(&all)?;
        // SAFETY: not NULL, so valid for writing.
        unsafe {
            pointer::write(count, ULONG::try_from(all.len()).unwrap_or_default());
            pointer::write(infos, block.give());
        }
        Ok(SecurityStatus::SEC_E_OK)
    })
}

/// # Safety
/// `name` is NULL or NUL-terminated text; `info` is NULL or valid for writing.
unsafe fn query<C: Character>(name: *const C, info: *mut *mut SecPkgInfo<C>) -> SECURITY_STATUS {
    failure::status(|| {
        let info = required(info)?;
        // SAFETY: by this function's contract.
        let package = unsafe { Package::named(name)? };
        let block = block::<C>(&[package.info()])?;
        // SAFETY: not NULL, so valid for writing.
        unsafe { pointer::write(info, block.give()) };
        Ok(SecurityStatus::SEC_E_OK)
    })
}

/// The status of functions that change the list of packages, which this library doesn't.
///
/// # Safety
/// `name` is NULL or NUL-terminated text.
unsafe fn fixed<C: Character>(name: *const C) -> SECURITY_STATUS {
    failure::status(|| {
        // SAFETY: by this function's contract.
        unsafe { text::read(name, SecurityStatus::SEC_E_SECPKG_NOT_FOUND)? };
        Err(Failure::unsupported("the packages of this library are fixed"))
    })
}

export! {
    /// EnumerateSecurityPackagesA: all packages, in one block that FreeContextBuffer releases.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `count` and `infos` are written.
    pub unsafe fn EnumerateSecurityPackagesA(
        count: *mut ULONG,
        infos: *mut *mut SecPkgInfo<c_char>,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { enumerate(count, infos) }
    }

    /// EnumerateSecurityPackagesW: see [`EnumerateSecurityPackagesA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `count` and `infos` are written.
    pub unsafe fn EnumerateSecurityPackagesW(
        count: *mut ULONG,
        infos: *mut *mut SecPkgInfo<WCHAR>,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { enumerate(count, infos) }
    }

    /// QuerySecurityPackageInfoA: one package, in a block that FreeContextBuffer releases.
    ///
    /// `SEC_E_SECPKG_NOT_FOUND` for an unknown name or NULL; `info` is then left as it was.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `name` is read, `info` is written.
    pub unsafe fn QuerySecurityPackageInfoA(
        name: *const c_char,
        info: *mut *mut SecPkgInfo<c_char>,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query(name, info) }
    }

    /// QuerySecurityPackageInfoW: see [`QuerySecurityPackageInfoA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `name` is read, `info` is written.
    pub unsafe fn QuerySecurityPackageInfoW(
        name: *const WCHAR,
        info: *mut *mut SecPkgInfo<WCHAR>,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { query(name, info) }
    }

    /// AddSecurityPackageA: `SEC_E_UNSUPPORTED_FUNCTION`; the packages are fixed.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `name` is read.
    pub unsafe fn AddSecurityPackageA(name: *const c_char, _options: *mut SecurityPackageOptions) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { fixed(name) }
    }

    /// AddSecurityPackageW: see [`AddSecurityPackageA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `name` is read.
    pub unsafe fn AddSecurityPackageW(name: *const WCHAR, _options: *mut SecurityPackageOptions) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { fixed(name) }
    }

    /// DeleteSecurityPackageA: `SEC_E_UNSUPPORTED_FUNCTION`; the packages are fixed.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `name` is read.
    pub unsafe fn DeleteSecurityPackageA(name: *const c_char) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { fixed(name) }
    }

    /// DeleteSecurityPackageW: see [`DeleteSecurityPackageA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `name` is read.
    pub unsafe fn DeleteSecurityPackageW(name: *const WCHAR) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { fixed(name) }
    }

    /// FreeContextBuffer: wipes and frees a block that the library gave.
    ///
    /// `SEC_E_OK`, also for NULL; `SEC_E_INVALID_HANDLE` where the library gave no such block or it was freed before, and
    /// nothing happens.
    ///
    /// # Safety
    /// Nothing of the block is used afterwards. Any other pointer is left alone.
    pub unsafe fn FreeContextBuffer(block: *mut c_void) -> SECURITY_STATUS {
        failure::status(|| {
            if block.is_null() || crate::memory::free(block) {
                return Ok(SecurityStatus::SEC_E_OK);
            }
            Err(Failure::new(
                SecurityStatus::SEC_E_INVALID_HANDLE,
                "the library gave no block of memory at that address, or it was freed before",
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory;

    fn check<C: Character>(infos: &[&PackageInfo]) {
        let made = block::<C>(infos).unwrap().give::<SecPkgInfo<C>>();
        let length = memory::length(made.cast()).unwrap();
        let texts: usize = infos.iter().map(|info| info.name.len() + info.comment.len() + 2).sum();
        let structures = size_of::<SecPkgInfo<C>>() * infos.len();
        assert_eq!(length, structures + texts * size_of::<C>(), "row 8: nothing else is in the block");
        for (index, described) in infos.iter().enumerate() {
            // SAFETY: the block has so many structures, aligned, and each text of theirs ends in a NUL within it.
            let info = unsafe { *made.add(index) };
            for (pointer, text) in [(info.name, described.name), (info.comment, described.comment)] {
                let start = pointer.addr() - made.addr();
                assert!(start >= structures, "row 8");
                assert!(start + (text.len() + 1) * size_of::<C>() <= length, "row 8");
                // SAFETY: as just checked.
                let read = unsafe { text::read(pointer.cast_const(), SecurityStatus::SEC_E_INTERNAL_ERROR) };
                assert_eq!(read.unwrap().as_deref(), Some(text), "row 8");
            }
        }
        assert!(memory::free(made.cast()));
    }

    #[test]
    fn row_8_a_block_is_as_long_as_what_is_in_it() {
        let all = ALL.map(Package::info);
        for infos in [&all[..1], &all[1..], &all[..]] {
            check::<c_char>(infos);
            check::<WCHAR>(infos);
        }
    }
}
