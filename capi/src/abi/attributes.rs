//! What can be asked of contexts and credentials: the numbers of the attributes, and the structures of the answers.

use core::ffi::c_void;

use super::{HANDLE, SecPkgInfo, TimeStamp, ULONG, WCHAR};

/// `SECPKG_ATTR_SIZES`: [`ContextSizes`].
pub const SECPKG_ATTR_SIZES: ULONG = 0;
/// `SECPKG_ATTR_NAMES`: [`ContextNames`].
pub const SECPKG_ATTR_NAMES: ULONG = 1;
/// `SECPKG_ATTR_LIFESPAN`: [`ContextLifespan`].
pub const SECPKG_ATTR_LIFESPAN: ULONG = 2;
/// `SECPKG_ATTR_DCE_INFO`: [`ContextDceInfo`].
pub const SECPKG_ATTR_DCE_INFO: ULONG = 3;
/// `SECPKG_ATTR_STREAM_SIZES`: Schannel's.
pub const SECPKG_ATTR_STREAM_SIZES: ULONG = 4;
/// `SECPKG_ATTR_KEY_INFO`: [`ContextKeyInfo`].
pub const SECPKG_ATTR_KEY_INFO: ULONG = 5;
/// `SECPKG_ATTR_AUTHORITY`: [`ContextAuthority`].
pub const SECPKG_ATTR_AUTHORITY: ULONG = 6;
/// `SECPKG_ATTR_PROTO_INFO`: not answered.
pub const SECPKG_ATTR_PROTO_INFO: ULONG = 7;
/// `SECPKG_ATTR_PASSWORD_EXPIRY`: [`ContextPasswordExpiry`].
pub const SECPKG_ATTR_PASSWORD_EXPIRY: ULONG = 8;
/// `SECPKG_ATTR_SESSION_KEY`: [`ContextSessionKey`].
pub const SECPKG_ATTR_SESSION_KEY: ULONG = 9;
/// `SECPKG_ATTR_PACKAGE_INFO`: [`ContextPackageInfo`].
pub const SECPKG_ATTR_PACKAGE_INFO: ULONG = 10;
/// `SECPKG_ATTR_USER_FLAGS`: not answered.
pub const SECPKG_ATTR_USER_FLAGS: ULONG = 11;
/// `SECPKG_ATTR_NEGOTIATION_INFO`: [`ContextNegotiationInfo`].
pub const SECPKG_ATTR_NEGOTIATION_INFO: ULONG = 12;
/// `SECPKG_ATTR_NATIVE_NAMES`: [`ContextNativeNames`].
pub const SECPKG_ATTR_NATIVE_NAMES: ULONG = 13;
/// `SECPKG_ATTR_FLAGS`: [`ContextFlags`].
pub const SECPKG_ATTR_FLAGS: ULONG = 14;
/// `SECPKG_ATTR_TARGET_INFORMATION`: not answered.
pub const SECPKG_ATTR_TARGET_INFORMATION: ULONG = 17;
/// `SECPKG_ATTR_ACCESS_TOKEN`: [`ContextAccessToken`].
pub const SECPKG_ATTR_ACCESS_TOKEN: ULONG = 18;
/// `SECPKG_ATTR_CLIENT_SPECIFIED_TARGET`: [`ContextClientSpecifiedTarget`].
pub const SECPKG_ATTR_CLIENT_SPECIFIED_TARGET: ULONG = 27;
/// `SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS`: [`ContextLastClientTokenStatus`].
pub const SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS: ULONG = 30;

/// `SECPKG_CRED_ATTR_NAMES`: [`CredentialsNames`].
pub const SECPKG_CRED_ATTR_NAMES: ULONG = 1;

/// `SECPKG_NEGOTIATION_COMPLETE`.
pub const SECPKG_NEGOTIATION_COMPLETE: ULONG = 0;
/// `SECPKG_NEGOTIATION_IN_PROGRESS`.
pub const SECPKG_NEGOTIATION_IN_PROGRESS: ULONG = 2;

/// `SecPkgContext_Sizes`. All in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextSizes {
    /// `cbMaxToken`.
    pub max_token: ULONG,
    /// `cbMaxSignature`.
    pub max_signature: ULONG,
    /// `cbBlockSize`.
    pub block_size: ULONG,
    /// `cbSecurityTrailer`.
    pub security_trailer: ULONG,
}

/// `SecPkgContext_NamesA` and `_W`; `C` is the character.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextNames<C> {
    /// `sUserName`, NUL-terminated.
    pub user_name: *mut C,
}

/// `SecPkgContext_Lifespan`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextLifespan {
    /// `tsStart`.
    pub start: TimeStamp,
    /// `tsExpiry`.
    pub expiry: TimeStamp,
}

/// `SecPkgContext_DceInfo`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextDceInfo {
    /// `AuthzSvc`: 1, `RPC_C_AUTHZ_NAME`.
    pub authorization_service: ULONG,
    /// `pPac`: by that service, the client's name, NUL-terminated.
    pub pac: *mut c_void,
}

/// `SecPkgContext_KeyInfoA` and `_W`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextKeyInfo<C> {
    /// `sSignatureAlgorithmName`, NUL-terminated.
    pub signature_algorithm_name: *mut C,
    /// `sEncryptAlgorithmName`, NUL-terminated.
    pub encrypt_algorithm_name: *mut C,
    /// `KeySize`: in bits.
    pub key_size: ULONG,
    /// `SignatureAlgorithm`.
    pub signature_algorithm: ULONG,
    /// `EncryptAlgorithm`.
    pub encrypt_algorithm: ULONG,
}

/// `SecPkgContext_AuthorityA` and `_W`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextAuthority<C> {
    /// `sAuthorityName`, NUL-terminated.
    pub authority_name: *mut C,
}

/// `SecPkgContext_PasswordExpiry`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextPasswordExpiry {
    /// `tsPasswordExpires`.
    pub expiry: TimeStamp,
}

/// `SecPkgContext_SessionKey`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextSessionKey {
    /// `SessionKeyLength`: bytes.
    pub length: ULONG,
    /// `SessionKey`.
    pub key: *mut u8,
}

/// `SecPkgContext_PackageInfoA` and `_W`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextPackageInfo<C> {
    /// `PackageInfo`.
    pub package: *mut SecPkgInfo<C>,
}

/// `SecPkgContext_NegotiationInfoA` and `_W`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextNegotiationInfo<C> {
    /// `PackageInfo`: of the package that was chosen.
    pub package: *mut SecPkgInfo<C>,
    /// `NegotiationState`: one of `SECPKG_NEGOTIATION_*`.
    pub state: ULONG,
}

/// `SecPkgContext_NativeNamesA` and `_W`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextNativeNames<C> {
    /// `sClientName`, NUL-terminated.
    pub client_name: *mut C,
    /// `sServerName`, NUL-terminated.
    pub server_name: *mut C,
}

/// `SecPkgContext_Flags`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextFlags {
    /// `Flags`: `ISC_RET_*` or `ASC_RET_*`.
    pub flags: ULONG,
}

/// `SecPkgContext_AccessToken`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextAccessToken {
    /// `AccessToken`.
    pub token: HANDLE,
}

/// `SecPkgContext_ClientSpecifiedTarget`. Always UTF-16: there is one structure for both functions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ContextClientSpecifiedTarget {
    /// `sTargetName`, NUL-terminated; NULL where the client gave none.
    pub target_name: *mut WCHAR,
}

/// `SecPkgContext_LastClientTokenStatus`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextLastClientTokenStatus {
    /// `LastClientTokenStatus`: 0 for `SecPkgAttrLastClientTokenYes`, 1 for No, 2 for Maybe.
    pub status: ULONG,
}

/// `SecPkgCredentials_NamesA` and `_W`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CredentialsNames<C> {
    /// `sUserName`, NUL-terminated.
    pub user_name: *mut C,
}
