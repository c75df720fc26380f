//! The types of `sspi.h`, as they lie in memory. `include/sspi.h` has the same.
//!
//! `ULONG` and `SECURITY_STATUS` have 32 bits and `WCHAR` has 16 on every system.

mod attributes;
mod constants;

use core::ffi::{c_char, c_void};

pub use attributes::*;
pub use constants::*;

/// `SECURITY_STATUS`: the numbers of `winerror.h`, as a signed number.
pub type SECURITY_STATUS = i32;
/// `ULONG`, and `unsigned long` where `sspi.h` says so: always 32 bits.
pub type ULONG = u32;
/// `USHORT`.
pub type USHORT = u16;
/// `BOOLEAN`: one byte.
pub type BOOLEAN = u8;
/// `WCHAR`: a code unit of UTF-16.
pub type WCHAR = u16;
/// `SEC_CHAR`.
pub type CHAR = c_char;
/// `HANDLE`.
pub type HANDLE = *mut c_void;
/// `TimeStamp`, a `LARGE_INTEGER`: 100-nanosecond intervals since 1601-01-01 UTC.
pub type TimeStamp = i64;

/// The time as C has it; what lies beyond is never.
pub(crate) fn time_stamp(time: portable_sspi::FileTime) -> TimeStamp {
    TimeStamp::try_from(time.0).unwrap_or(TimeStamp::MAX)
}

/// `SecHandle`, which `CredHandle` and `CtxtHandle` are: two numbers that mean nothing to the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecHandle {
    /// `dwLower`.
    pub lower: usize,
    /// `dwUpper`.
    pub upper: usize,
}

/// `SecBuffer`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SecBuffer {
    /// `cbBuffer`: bytes.
    pub length: ULONG,
    /// `BufferType`: one of `SECBUFFER_*`, and attributes.
    pub buffer_type: ULONG,
    /// `pvBuffer`.
    pub pointer: *mut c_void,
}

impl SecBuffer {
    /// What it is for, without attributes.
    #[must_use]
    pub const fn kind(&self) -> ULONG {
        self.buffer_type & !SECBUFFER_ATTRMASK
    }
}

/// `SecBufferDesc`: a list of buffers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SecBufferDesc {
    /// `ulVersion`: `SECBUFFER_VERSION`, 0.
    pub version: ULONG,
    /// `cBuffers`: how many.
    pub count: ULONG,
    /// `pBuffers`.
    pub buffers: *mut SecBuffer,
}

/// `SECBUFFER_VERSION`.
pub const SECBUFFER_VERSION: ULONG = 0;
/// `SECBUFFER_EMPTY`.
pub const SECBUFFER_EMPTY: ULONG = 0;
/// `SECBUFFER_DATA`.
pub const SECBUFFER_DATA: ULONG = 1;
/// `SECBUFFER_TOKEN`.
pub const SECBUFFER_TOKEN: ULONG = 2;
/// `SECBUFFER_PKG_PARAMS`: not looked at.
pub const SECBUFFER_PKG_PARAMS: ULONG = 3;
/// `SECBUFFER_MISSING`: Schannel's.
pub const SECBUFFER_MISSING: ULONG = 4;
/// `SECBUFFER_EXTRA`: Schannel's.
pub const SECBUFFER_EXTRA: ULONG = 5;
/// `SECBUFFER_STREAM_TRAILER`: Schannel's.
pub const SECBUFFER_STREAM_TRAILER: ULONG = 6;
/// `SECBUFFER_STREAM_HEADER`: Schannel's.
pub const SECBUFFER_STREAM_HEADER: ULONG = 7;
/// `SECBUFFER_PADDING`.
pub const SECBUFFER_PADDING: ULONG = 9;
/// `SECBUFFER_STREAM`.
pub const SECBUFFER_STREAM: ULONG = 10;
/// `SECBUFFER_TARGET`: not looked at.
pub const SECBUFFER_TARGET: ULONG = 13;
/// `SECBUFFER_CHANNEL_BINDINGS`.
pub const SECBUFFER_CHANNEL_BINDINGS: ULONG = 14;
/// `SECBUFFER_CHANGE_PASS_RESPONSE`: not looked at.
pub const SECBUFFER_CHANGE_PASS_RESPONSE: ULONG = 15;
/// `SECBUFFER_ATTRMASK`.
pub const SECBUFFER_ATTRMASK: ULONG = 0xF000_0000;
/// `SECBUFFER_READONLY`.
pub const SECBUFFER_READONLY: ULONG = 0x8000_0000;
/// `SECBUFFER_READONLY_WITH_CHECKSUM`.
pub const SECBUFFER_READONLY_WITH_CHECKSUM: ULONG = 0x1000_0000;

/// `SECPKG_CRED_INBOUND`.
pub const SECPKG_CRED_INBOUND: ULONG = 1;
/// `SECPKG_CRED_OUTBOUND`.
pub const SECPKG_CRED_OUTBOUND: ULONG = 2;
/// `SECPKG_CRED_BOTH`.
pub const SECPKG_CRED_BOTH: ULONG = SECPKG_CRED_INBOUND | SECPKG_CRED_OUTBOUND;
/// `SECPKG_CRED_DEFAULT`.
pub const SECPKG_CRED_DEFAULT: ULONG = 4;
/// `SECPKG_CRED_AUTOLOGON_RESTRICTED`.
pub const SECPKG_CRED_AUTOLOGON_RESTRICTED: ULONG = 0x10;
/// `SECPKG_CRED_PROCESS_POLICY_ONLY`.
pub const SECPKG_CRED_PROCESS_POLICY_ONLY: ULONG = 0x20;

/// `SECQOP_WRAP_NO_ENCRYPT`.
pub const SECQOP_WRAP_NO_ENCRYPT: ULONG = 0x8000_0001;

/// `SEC_CHANNEL_BINDINGS`; offsets count from its start.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SecChannelBindings {
    /// `dwInitiatorAddrType`.
    pub initiator_address_type: ULONG,
    /// `cbInitiatorLength`.
    pub initiator_length: ULONG,
    /// `dwInitiatorOffset`.
    pub initiator_offset: ULONG,
    /// `dwAcceptorAddrType`.
    pub acceptor_address_type: ULONG,
    /// `cbAcceptorLength`.
    pub acceptor_length: ULONG,
    /// `dwAcceptorOffset`.
    pub acceptor_offset: ULONG,
    /// `cbApplicationDataLength`.
    pub application_data_length: ULONG,
    /// `dwApplicationDataOffset`.
    pub application_data_offset: ULONG,
}

/// `SecPkgInfoA` and `SecPkgInfoW`; `C` is the character.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SecPkgInfo<C> {
    /// `fCapabilities`.
    pub capabilities: ULONG,
    /// `wVersion`.
    pub version: USHORT,
    /// `wRPCID`.
    pub rpc_id: USHORT,
    /// `cbMaxToken`: bytes.
    pub max_token: ULONG,
    /// `Name`, NUL-terminated.
    pub name: *mut C,
    /// `Comment`, NUL-terminated.
    pub comment: *mut C,
}

/// `SECURITY_PACKAGE_OPTIONS`: what AddSecurityPackage takes, and nobody reads.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SecurityPackageOptions {
    /// `Size`: bytes of the structure.
    pub size: ULONG,
    /// `Type`.
    pub package_type: ULONG,
    /// `Flags`.
    pub flags: ULONG,
    /// `SignatureSize`: bytes.
    pub signature_size: ULONG,
    /// `Signature`.
    pub signature: *mut c_void,
}

/// `SEC_WINNT_AUTH_IDENTITY_A` and `_W`. All lengths count characters, without a NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AuthIdentity<C> {
    /// `User`.
    pub user: *const C,
    /// `UserLength`.
    pub user_length: ULONG,
    /// `Domain`.
    pub domain: *const C,
    /// `DomainLength`.
    pub domain_length: ULONG,
    /// `Password`.
    pub password: *const C,
    /// `PasswordLength`.
    pub password_length: ULONG,
    /// `Flags`.
    pub flags: ULONG,
}

/// `SEC_WINNT_AUTH_IDENTITY_EXA` and `_EXW`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AuthIdentityEx<C> {
    /// `Version`: 0x200.
    pub version: ULONG,
    /// `Length`: of this structure, in bytes.
    pub length: ULONG,
    /// The members that the older structure has, too.
    pub identity: AuthIdentity<C>,
    /// `PackageList`.
    pub package_list: *const C,
    /// `PackageListLength`.
    pub package_list_length: ULONG,
}

/// `SEC_WINNT_AUTH_IDENTITY_EX2`. Offsets count from its start, lengths are in bytes; text is UTF-16.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AuthIdentityEx2 {
    /// `Version`: 0x201.
    pub version: ULONG,
    /// `cbHeaderLength`: of this structure.
    pub header_length: USHORT,
    /// `cbStructureLength`: with what follows it.
    pub structure_length: ULONG,
    /// `UserOffset`.
    pub user_offset: ULONG,
    /// `UserLength`.
    pub user_length: USHORT,
    /// `DomainOffset`.
    pub domain_offset: ULONG,
    /// `DomainLength`.
    pub domain_length: USHORT,
    /// `PackedCredentialsOffset`.
    pub packed_credentials_offset: ULONG,
    /// `PackedCredentialsLength`.
    pub packed_credentials_length: USHORT,
    /// `Flags`.
    pub flags: ULONG,
    /// `PackageListOffset`.
    pub package_list_offset: ULONG,
    /// `PackageListLength`.
    pub package_list_length: USHORT,
}

/// `SEC_WINNT_AUTH_IDENTITY_VERSION`.
pub const SEC_WINNT_AUTH_IDENTITY_VERSION: ULONG = 0x200;
/// `SEC_WINNT_AUTH_IDENTITY_VERSION_2`.
pub const SEC_WINNT_AUTH_IDENTITY_VERSION_2: ULONG = 0x201;
/// `SEC_WINNT_AUTH_IDENTITY_ANSI`.
pub const SEC_WINNT_AUTH_IDENTITY_ANSI: ULONG = 1;
/// `SEC_WINNT_AUTH_IDENTITY_UNICODE`.
pub const SEC_WINNT_AUTH_IDENTITY_UNICODE: ULONG = 2;
/// `SEC_WINNT_AUTH_IDENTITY_MARSHALLED`.
pub const SEC_WINNT_AUTH_IDENTITY_MARSHALLED: ULONG = 4;
/// `SEC_WINNT_AUTH_IDENTITY_ONLY`: not looked at; these packages never add anything to an identity.
pub const SEC_WINNT_AUTH_IDENTITY_ONLY: ULONG = 8;
/// `SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED`.
pub const SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED: ULONG = 0x10;
/// `SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_PROTECTED`.
pub const SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_PROTECTED: ULONG = 0x20;
/// `SEC_WINNT_AUTH_IDENTITY_FLAGS_USER_PROTECTED`.
pub const SEC_WINNT_AUTH_IDENTITY_FLAGS_USER_PROTECTED: ULONG = 0x40;
/// `SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED`.
pub const SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED: ULONG = 0x80;
/// `SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_LOGON`: not offered.
pub const SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_LOGON: ULONG = 1;
/// `SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS`.
pub const SEC_WINNT_AUTH_IDENTITY_ENCRYPT_SAME_PROCESS: ULONG = 2;
/// `SEC_WINNT_AUTH_IDENTITY_ENCRYPT_FOR_SYSTEM`: not offered.
pub const SEC_WINNT_AUTH_IDENTITY_ENCRYPT_FOR_SYSTEM: ULONG = 4;
