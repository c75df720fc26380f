//! The packages and the tables of functions. The rows are those of the reference on what programs observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ffi::{c_char, c_void};
use core::ptr::{null, null_mut};

use common::forms::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

/// What a `SecPkgInfo` says.
#[derive(Debug, PartialEq, Eq)]
struct Info {
    capabilities: u32,
    version: u16,
    rpc_id: u16,
    max_token: u32,
    name: String,
    comment: String,
}

/// `SecPkgInfoA` and `_W` differ in the type of what they point to alone.
fn read(form: Form, info: *const SecPkgInfo<u8>) -> Info {
    let info = unsafe { &*info };
    Info {
        capabilities: info.capabilities,
        version: info.version,
        rpc_id: info.rpc_id,
        max_token: info.max_token,
        name: form.read(info.name.cast_const().cast()),
        comment: form.read(info.comment.cast_const().cast()),
    }
}

/// QuerySecurityPackageInfo; NULL for no name.
fn query(form: Form, name: Option<&str>, info: &mut *mut SecPkgInfo<u8>) -> u32 {
    let name = name.map(|name| Text::of(form, name));
    let (name, info) = (address(name.as_ref()), core::ptr::from_mut(info));
    let found = unsafe {
        match form {
            Form::A => QuerySecurityPackageInfoA(name.cast(), info.cast::<*mut SecPkgInfo<c_char>>()),
            Form::W => QuerySecurityPackageInfoW(name.cast(), info.cast::<*mut SecPkgInfo<u16>>()),
        }
    };
    found as u32
}

fn enumerate(form: Form, count: &mut u32, infos: &mut *mut SecPkgInfo<u8>) -> u32 {
    let infos = core::ptr::from_mut(infos);
    let found = unsafe {
        match form {
            Form::A => EnumerateSecurityPackagesA(count, infos.cast::<*mut SecPkgInfo<c_char>>()),
            Form::W => EnumerateSecurityPackagesW(count, infos.cast::<*mut SecPkgInfo<u16>>()),
        }
    };
    found as u32
}

fn free(block: *mut SecPkgInfo<u8>) -> u32 {
    unsafe { FreeContextBuffer(block.cast()) as u32 }
}

#[test]
fn row_1_an_unknown_package_has_no_credentials() {
    let given = FORMS.map(|form| Given::plain(form, ALICE));
    for form in FORMS {
        for name in ["nothing", "", "NTL", "NTLM ", "NTLMX", "Kerberos"] {
            for credential_use in [INBOUND, OUTBOUND, 3] {
                for identity in [None, Some(&given[0]), Some(&given[1])] {
                    let acquired = form.acquire(name, credential_use, identity);
                    assert_eq!(acquired, Err(SECPKG_NOT_FOUND), "row 1: {form:?} {name:?}");
                }
            }
        }
    }
    let (none, mut handle) = (null_mut(), UNTOUCHED);
    let to = &raw mut handle;
    unsafe {
        let of_none =
            AcquireCredentialsHandleA(null(), null(), 2, none, null(), null(), none, to, null_mut());
        status(of_none as u32, SECPKG_NOT_FOUND, "row 1: A, NULL");
        let of_none =
            AcquireCredentialsHandleW(null(), null(), 2, none, null(), null(), none, to, null_mut());
        status(of_none as u32, SECPKG_NOT_FOUND, "row 1: W, NULL");
    }
    assert_eq!(handle, UNTOUCHED, "row 1");
}

#[test]
fn row_2_an_unknown_package_leaves_the_pointer() {
    let before = core::ptr::dangling_mut();
    for form in FORMS {
        for name in [Some("nothing"), Some(""), Some("NTLMX"), None] {
            let mut info = before;
            status(query(form, name, &mut info), SECPKG_NOT_FOUND, format_args!("row 2: {form:?} {name:?}"));
            assert_eq!(info, before, "row 2: {form:?} {name:?}");
        }
    }
}

#[test]
fn rows_3_and_4_what_the_packages_say_of_themselves() {
    for form in FORMS {
        // The names are compared without case.
        for (row, asked, name, capabilities, rpc_id) in [
            (3, "NTLM", "NTLM", 0x2B37, 10),
            (3, "ntlm", "NTLM", 0x2B37, 10),
            (4, "Negotiate", "Negotiate", 0x3BB3, 9),
            (4, "NEGOTIATE", "Negotiate", 0x3BB3, 9),
        ] {
            let mut info = null_mut();
            status(query(form, Some(asked), &mut info), 0, format_args!("row {row}: {form:?}"));
            let found = read(form, info);
            // None of the bits that Windows may have beside these.
            assert_eq!(found.capabilities, capabilities, "row {row}: {form:?}");
            assert_eq!((found.version, found.rpc_id), (1, rpc_id), "row {row}: {form:?}");
            assert_eq!(found.name, name, "row {row}: {form:?}");
            assert!(found.max_token >= 2888 && !found.comment.is_empty(), "row {row}: {found:?}");
            status(free(info), 0, format_args!("row 7: {form:?}"));
        }
    }
}

// There is no Kerberos here, so a program that asks for it is told that there is no such package, as on a Windows from which
// it was taken away.
#[test]
fn row_5_there_is_no_kerberos() {
    for form in FORMS {
        let before = core::ptr::dangling_mut();
        let mut info = before;
        status(query(form, Some("Kerberos"), &mut info), SECPKG_NOT_FOUND, format_args!("row 5: {form:?}"));
        assert_eq!(info, before, "row 5: {form:?}");
        assert_eq!(form.acquire("Kerberos", OUTBOUND, None), Err(SECPKG_NOT_FOUND), "row 5: {form:?}");
    }
}

#[test]
fn rows_6_and_7_all_packages_are_one_block() {
    for form in FORMS {
        let (mut count, mut infos) = (0, null_mut());
        status(enumerate(form, &mut count, &mut infos), 0, format_args!("row 6: {form:?}"));
        let all: Vec<_> = (0..count as usize).map(|index| read(form, infos.wrapping_add(index))).collect();
        let names: Vec<_> = all.iter().map(|info| info.name.as_str()).collect();
        assert_eq!(names, ["Negotiate", "NTLM"], "row 6: {form:?}");
        for found in &all {
            let mut alone = null_mut();
            status(query(form, Some(&found.name), &mut alone), 0, format_args!("row 6: {form:?}"));
            assert_eq!(*found, read(form, alone), "row 6: as when asked for by its name");
            status(free(alone), 0, format_args!("row 7: {form:?}"));
        }
        for inside in 1..count as usize {
            status(
                free(infos.wrapping_add(inside)),
                INVALID_HANDLE,
                format_args!("row 6: one block, {form:?}"),
            );
        }
        status(free(infos), 0, format_args!("rows 6 and 7: {form:?}"));
    }
}

// Inside of the library, where a block's length is known, packages.rs compares that, too.
#[test]
fn row_8_the_texts_lie_in_the_block() {
    for form in FORMS {
        for name in ["NTLM", "Negotiate"] {
            let mut info = null_mut();
            status(query(form, Some(name), &mut info), 0, format_args!("row 8: {form:?} {name}"));
            let found = unsafe { *info };
            let (name, comment) = (found.name.addr(), found.comment.addr());
            let first = form.read(found.name.cast_const().cast());
            let size = if form == Form::A { 1 } else { 2 };
            assert_eq!(name, info.addr() + size_of::<SecPkgInfo<u8>>(), "row 8: {form:?}");
            assert_eq!(comment, name + (first.len() + 1) * size, "row 8: {form:?}");
            for text in [found.name, found.comment] {
                status(free(text.cast()), INVALID_HANDLE, "row 8: a text is no block of its own");
            }
            status(free(info), 0, format_args!("row 7: {form:?}"));
        }
    }
}

/// Each slot of the tables of the reference, in which slot 0 is the version, with its functions in A and W.
macro_rules! slots {
    ($($slot:literal: $narrow:ident $wide:ident),* $(,)?) => {
        [$(($slot, $narrow as *const c_void, $wide as *const c_void)),*]
    };
}

#[test]
fn row_9_the_tables_of_functions() {
    let expected = slots![
        1: EnumerateSecurityPackagesA EnumerateSecurityPackagesW,
        2: QueryCredentialsAttributesA QueryCredentialsAttributesW,
        3: AcquireCredentialsHandleA AcquireCredentialsHandleW,
        4: FreeCredentialsHandle FreeCredentialsHandle,
        6: InitializeSecurityContextA InitializeSecurityContextW,
        7: AcceptSecurityContext AcceptSecurityContext,
        8: CompleteAuthToken CompleteAuthToken,
        9: DeleteSecurityContext DeleteSecurityContext,
        10: ApplyControlToken ApplyControlToken,
        11: QueryContextAttributesA QueryContextAttributesW,
        12: ImpersonateSecurityContext ImpersonateSecurityContext,
        13: RevertSecurityContext RevertSecurityContext,
        14: MakeSignature MakeSignature,
        15: VerifySignature VerifySignature,
        16: FreeContextBuffer FreeContextBuffer,
        17: QuerySecurityPackageInfoA QuerySecurityPackageInfoW,
        // Reserved3 and Reserved4.
        18: EncryptMessage EncryptMessage,
        19: DecryptMessage DecryptMessage,
        20: ExportSecurityContext ExportSecurityContext,
        21: ImportSecurityContextA ImportSecurityContextW,
        22: AddCredentialsA AddCredentialsW,
        24: QuerySecurityContextToken QuerySecurityContextToken,
        25: EncryptMessage EncryptMessage,
        26: DecryptMessage DecryptMessage,
        27: SetContextAttributesA SetContextAttributesW,
        28: SetCredentialsAttributesA SetCredentialsAttributesW,
        29: ChangeAccountPasswordA ChangeAccountPasswordW,
        30: QueryContextAttributesExA QueryContextAttributesExW,
        31: QueryCredentialsAttributesExA QueryCredentialsAttributesExW,
    ];
    let (narrow, wide) = unsafe { (&*InitSecurityInterfaceA(), &*InitSecurityInterfaceW()) };
    assert_eq!((narrow.version, wide.version), (1, 1), "row 9");
    for (slot, of_narrow, of_wide) in expected {
        assert_eq!(narrow.functions[slot - 1].0, of_narrow, "row 9: slot {slot} of A");
        assert_eq!(wide.functions[slot - 1].0, of_wide, "row 9: slot {slot} of W");
    }
    // Reserved2 and Reserved8.
    for slot in [5, 23] {
        assert!(narrow.functions[slot - 1].0.is_null(), "row 9: slot {slot} of A");
        assert!(wide.functions[slot - 1].0.is_null(), "row 9: slot {slot} of W");
    }
    let again = unsafe { [InitSecurityInterfaceA(), InitSecurityInterfaceW()] };
    assert_eq!(again, [&raw const *narrow, &raw const *wide], "row 9: they stay where they are");
}
