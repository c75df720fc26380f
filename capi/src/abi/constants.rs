//! Numbers of `sspi.h` and `secext.h` beside the buffers, credentials and identities: statuses that the core has no use for,
//! formats of names, and what programs may name although the library never looks at it.

use portable_sspi::SecurityStatus;

use super::{ULONG, USHORT};

/// `SEC_I_COMPLETE_NEEDED`: no step of these packages ends so.
pub const SEC_I_COMPLETE_NEEDED: SecurityStatus = SecurityStatus(0x0009_0313);
/// `SEC_I_COMPLETE_AND_CONTINUE`: no step of these packages ends so.
pub const SEC_I_COMPLETE_AND_CONTINUE: SecurityStatus = SecurityStatus(0x0009_0314);
/// `SEC_E_NOT_SUPPORTED`: another name of `SEC_E_UNSUPPORTED_FUNCTION`.
pub const SEC_E_NOT_SUPPORTED: SecurityStatus = SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION;
/// `SEC_E_TARGET_UNKNOWN`: the target's name is no text.
pub const SEC_E_TARGET_UNKNOWN: SecurityStatus = SecurityStatus(0x8009_0303);
/// `SEC_E_QOP_NOT_SUPPORTED`.
pub const SEC_E_QOP_NOT_SUPPORTED: SecurityStatus = SecurityStatus(0x8009_030A);
/// `SEC_E_NO_IMPERSONATION`.
pub const SEC_E_NO_IMPERSONATION: SecurityStatus = SecurityStatus(0x8009_030B);

/// `SECURITY_NETWORK_DREP`: not looked at.
pub const SECURITY_NETWORK_DREP: ULONG = 0;
/// `SECURITY_NATIVE_DREP`: not looked at.
pub const SECURITY_NATIVE_DREP: ULONG = 0x10;
/// `SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION`: what the table of functions says.
pub const SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION: ULONG = 1;
/// `SECPKG_ID_NONE`: the identifier of a package that has none.
pub const SECPKG_ID_NONE: USHORT = 0xFFFF;

/// `EXTENDED_NAME_FORMAT` of `secext.h`, an `enum` of 32 bits.
pub type EXTENDED_NAME_FORMAT = i32;
/// `NameUnknown`.
pub const NAME_UNKNOWN: EXTENDED_NAME_FORMAT = 0;
/// `NameFullyQualifiedDN`.
pub const NAME_FULLY_QUALIFIED_DN: EXTENDED_NAME_FORMAT = 1;
/// `NameSamCompatible`: `COMPUTER\user`.
pub const NAME_SAM_COMPATIBLE: EXTENDED_NAME_FORMAT = 2;
/// `NameDisplay`: the full name.
pub const NAME_DISPLAY: EXTENDED_NAME_FORMAT = 3;
/// `NameUniqueId`.
pub const NAME_UNIQUE_ID: EXTENDED_NAME_FORMAT = 6;
/// `NameCanonical`.
pub const NAME_CANONICAL: EXTENDED_NAME_FORMAT = 7;
/// `NameUserPrincipal`.
pub const NAME_USER_PRINCIPAL: EXTENDED_NAME_FORMAT = 8;
/// `NameCanonicalEx`.
pub const NAME_CANONICAL_EX: EXTENDED_NAME_FORMAT = 9;
/// `NameServicePrincipal`.
pub const NAME_SERVICE_PRINCIPAL: EXTENDED_NAME_FORMAT = 10;
/// `NameDnsDomain`.
pub const NAME_DNS_DOMAIN: EXTENDED_NAME_FORMAT = 12;
/// `NameGivenName`.
pub const NAME_GIVEN_NAME: EXTENDED_NAME_FORMAT = 13;
/// `NameSurname`.
pub const NAME_SURNAME: EXTENDED_NAME_FORMAT = 14;
