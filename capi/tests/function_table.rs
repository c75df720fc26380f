//! The table of functions, slot by slot, in both forms.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

use core::ffi::c_void;
use core::ptr::null;

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

/// The functions behind the version, in their slots from 1 on.
macro_rules! slots {
    ($($function:expr),* $(,)?) => { [$($function as *const c_void),*] };
}

const NOTHING: *const c_void = null();

#[track_caller]
fn check(table: &SecurityFunctionTable, expected: [*const c_void; 31]) {
    assert_eq!(table.version, 1, "row 9 and slot 0");
    for (slot, (found, expected)) in table.functions.iter().zip(expected).enumerate() {
        assert_eq!(found.0, expected, "slot {}", slot + 1);
    }
}

#[test]
fn each_slot_of_the_table_of_w() {
    let expected = slots![
        EnumerateSecurityPackagesW,
        QueryCredentialsAttributesW,
        AcquireCredentialsHandleW,
        FreeCredentialsHandle,
        NOTHING,
        InitializeSecurityContextW,
        AcceptSecurityContext,
        CompleteAuthToken,
        DeleteSecurityContext,
        ApplyControlToken,
        QueryContextAttributesW,
        ImpersonateSecurityContext,
        RevertSecurityContext,
        MakeSignature,
        VerifySignature,
        FreeContextBuffer,
        QuerySecurityPackageInfoW,
        EncryptMessage,
        DecryptMessage,
        ExportSecurityContext,
        ImportSecurityContextW,
        AddCredentialsW,
        NOTHING,
        QuerySecurityContextToken,
        EncryptMessage,
        DecryptMessage,
        SetContextAttributesW,
        SetCredentialsAttributesW,
        ChangeAccountPasswordW,
        QueryContextAttributesExW,
        QueryCredentialsAttributesExW,
    ];
    check(unsafe { &*InitSecurityInterfaceW() }, expected);
}

#[test]
fn each_slot_of_the_table_of_a() {
    let expected = slots![
        EnumerateSecurityPackagesA,
        QueryCredentialsAttributesA,
        AcquireCredentialsHandleA,
        FreeCredentialsHandle,
        NOTHING,
        InitializeSecurityContextA,
        AcceptSecurityContext,
        CompleteAuthToken,
        DeleteSecurityContext,
        ApplyControlToken,
        QueryContextAttributesA,
        ImpersonateSecurityContext,
        RevertSecurityContext,
        MakeSignature,
        VerifySignature,
        FreeContextBuffer,
        QuerySecurityPackageInfoA,
        EncryptMessage,
        DecryptMessage,
        ExportSecurityContext,
        ImportSecurityContextA,
        AddCredentialsA,
        NOTHING,
        QuerySecurityContextToken,
        EncryptMessage,
        DecryptMessage,
        SetContextAttributesA,
        SetCredentialsAttributesA,
        ChangeAccountPasswordA,
        QueryContextAttributesExA,
        QueryCredentialsAttributesExA,
    ];
    check(unsafe { &*InitSecurityInterfaceA() }, expected);
}

#[test]
fn each_table_is_one_and_lies_as_the_slots_are_numbered() {
    unsafe {
        assert_eq!(InitSecurityInterfaceA(), InitSecurityInterfaceA(), "it is static");
        assert_eq!(InitSecurityInterfaceW(), InitSecurityInterfaceW(), "it is static");
        assert_ne!(InitSecurityInterfaceA(), InitSecurityInterfaceW());
    }
    // Slot 0 is a number of 32 bits, padded to the length of an address.
    assert_eq!(core::mem::offset_of!(SecurityFunctionTable, functions), size_of::<usize>());
    assert_eq!(size_of::<SecurityFunctionTable>(), 32 * size_of::<usize>());
    assert_eq!(size_of::<ULONG>(), 4);
}

// A call through a slot, as programs make it.
#[test]
fn a_slot_can_be_called() {
    type Free = unsafe extern "system" fn(*mut c_void) -> SECURITY_STATUS;
    type Query = unsafe extern "system" fn(*const WCHAR, *mut *mut SecPkgInfo<WCHAR>) -> SECURITY_STATUS;
    unsafe {
        let table = &*InitSecurityInterfaceW();
        let query: Query = core::mem::transmute(table.functions[16].0);
        let free: Free = core::mem::transmute(table.functions[15].0);
        let name: Vec<u16> = "NTLM\0".encode_utf16().collect();
        let mut info = core::ptr::null_mut();
        assert_eq!(query(name.as_ptr(), &raw mut info), 0);
        assert_eq!((*info).rpc_id, 10);
        assert_eq!(free(info.cast()), 0);
    }
}
