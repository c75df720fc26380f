//! InitSecurityInterface: the table of functions.

use core::ffi::{c_char, c_void};

use crate::abi::{SECURITY_STATUS, SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION, ULONG, WCHAR};
use crate::export::export;
use crate::failure;
use crate::packages::Package;
use crate::transfer as tr;
use crate::{
    attributes as at, credentials as cr, handshake as hs, messages as ms, packages as pk, tokens as tk,
};

/// The number of slots behind the version.
const SLOTS: usize = 31;

/// `SecurityFunctionTableA` and `_W`.
#[repr(C)]
pub struct SecurityFunctionTable {
    /// `dwVersion`: 1, as on Windows.
    pub version: ULONG,
    /// The functions in the order of `sspi.h`; NULL where there is none.
    pub functions: [Function; SLOTS],
}

/// The address of a function.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function(pub *const c_void);

// SAFETY: the address of a function is the same in all threads, and nothing is written through it.
unsafe impl Sync for Function {}

macro_rules! functions {
    ($($function:expr),* $(,)?) => { [$(Function($function as *const c_void)),*] };
}

static TABLE_A: SecurityFunctionTable = SecurityFunctionTable {
    version: SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION,
    functions: functions![
        pk::EnumerateSecurityPackagesA,
        cr::QueryCredentialsAttributesA,
        cr::AcquireCredentialsHandleA,
        cr::FreeCredentialsHandle,
        core::ptr::null::<c_void>(),
        hs::InitializeSecurityContextA,
        hs::AcceptSecurityContext,
        hs::CompleteAuthToken,
        hs::DeleteSecurityContext,
        hs::ApplyControlToken,
        at::QueryContextAttributesA,
        tk::ImpersonateSecurityContext,
        tk::RevertSecurityContext,
        ms::MakeSignature,
        ms::VerifySignature,
        pk::FreeContextBuffer,
        pk::QuerySecurityPackageInfoA,
        ms::EncryptMessage,
        ms::DecryptMessage,
        tr::ExportSecurityContext,
        tr::ImportSecurityContextA,
        cr::AddCredentialsA,
        core::ptr::null::<c_void>(),
        tk::QuerySecurityContextToken,
        ms::EncryptMessage,
        ms::DecryptMessage,
        hs::SetContextAttributesA,
        cr::SetCredentialsAttributesA,
        ChangeAccountPasswordA,
        at::QueryContextAttributesExA,
        cr::QueryCredentialsAttributesExA,
    ],
};

static TABLE_W: SecurityFunctionTable = SecurityFunctionTable {
    version: SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION,
    functions: functions![
        pk::EnumerateSecurityPackagesW,
        cr::QueryCredentialsAttributesW,
        cr::AcquireCredentialsHandleW,
        cr::FreeCredentialsHandle,
        core::ptr::null::<c_void>(),
        hs::InitializeSecurityContextW,
        hs::AcceptSecurityContext,
        hs::CompleteAuthToken,
        hs::DeleteSecurityContext,
        hs::ApplyControlToken,
        at::QueryContextAttributesW,
        tk::ImpersonateSecurityContext,
        tk::RevertSecurityContext,
        ms::MakeSignature,
        ms::VerifySignature,
        pk::FreeContextBuffer,
        pk::QuerySecurityPackageInfoW,
        ms::EncryptMessage,
        ms::DecryptMessage,
        tr::ExportSecurityContext,
        tr::ImportSecurityContextW,
        cr::AddCredentialsW,
        core::ptr::null::<c_void>(),
        tk::QuerySecurityContextToken,
        ms::EncryptMessage,
        ms::DecryptMessage,
        hs::SetContextAttributesW,
        cr::SetCredentialsAttributesW,
        ChangeAccountPasswordW,
        at::QueryContextAttributesExW,
        cr::QueryCredentialsAttributesExW,
    ],
};

/// What is asked of ChangeAccountPassword, and looked at.
///
/// # Safety
/// `package` is NULL or NUL-terminated text.
unsafe fn change_password<C: crate::text::Character>(package: *const C) -> SECURITY_STATUS {
    failure::status(|| {
        // SAFETY: by this function's contract.
        unsafe { Package::named(package)? };
        Err(failure::Failure::unsupported(
            "passwords are changed where the accounts are, not through this library",
        ))
    })
}

export! {
    /// InitSecurityInterfaceA: the table of functions; it is never freed.
    ///
    /// # Safety
    /// None: nothing is passed.
    pub unsafe fn InitSecurityInterfaceA() -> *const SecurityFunctionTable {
        &raw const TABLE_A
    }

    /// InitSecurityInterfaceW: see [`InitSecurityInterfaceA`].
    ///
    /// # Safety
    /// None: nothing is passed.
    pub unsafe fn InitSecurityInterfaceW() -> *const SecurityFunctionTable {
        &raw const TABLE_W
    }

    /// ChangeAccountPasswordA: `SEC_E_UNSUPPORTED_FUNCTION`; passwords are changed where the accounts are.
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `package` is read.
    pub unsafe fn ChangeAccountPasswordA(
        package: *const c_char,
        _domain: *const c_char,
        _account: *const c_char,
        _old: *const c_char,
        _new: *const c_char,
        _impersonating: u8,
        _reserved: ULONG,
        _output: *mut crate::abi::SecBufferDesc,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { change_password(package) }
    }

    /// ChangeAccountPasswordW: see [`ChangeAccountPasswordA`].
    ///
    /// # Safety
    /// [Pointers](crate#pointers): `package` is read.
    pub unsafe fn ChangeAccountPasswordW(
        package: *const WCHAR,
        _domain: *const WCHAR,
        _account: *const WCHAR,
        _old: *const WCHAR,
        _new: *const WCHAR,
        _impersonating: u8,
        _reserved: ULONG,
        _output: *mut crate::abi::SecBufferDesc,
    ) -> SECURITY_STATUS {
        // SAFETY: the same contract.
        unsafe { change_password(package) }
    }
}
