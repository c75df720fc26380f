//! What each function gives for handles that stand for nothing, and the functions that these packages do not have: the section of
//! the reference on exports.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ffi::c_char;
use core::ptr::{null, null_mut};

use common::contexts::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const NO_IMPERSONATION: u32 = 0x8009_030B;

const NTLM: &core::ffi::CStr = c"NTLM";

/// A function, called with a handle and otherwise as it should be.
type Call = (&'static str, fn(*const SecHandle) -> i32);

macro_rules! calls {
    ($(($name:ident, |$handle:ident| $call:expr)),* $(,)?) => {
        [$((stringify!($name), (|$handle: *const SecHandle| unsafe { $call }) as fn(*const SecHandle) -> i32)),*]
    };
}

/// A message to be signed, checked, encrypted or decrypted.
fn with_message(call: impl FnOnce(*mut SecBufferDesc) -> i32) -> i32 {
    let (mut data, mut token) = (*b"data", [0; 16]);
    let mut buffers = [buffer(&mut data, SECBUFFER_DATA), buffer(&mut token, SECBUFFER_TOKEN)];
    let mut message = list(&mut buffers);
    call(&raw mut message)
}

/// Buffers for a step: an input and an output.
fn with_step(call: impl FnOnce(*const SecBufferDesc, *mut SecBufferDesc) -> i32) -> i32 {
    let (mut input, mut output) = (*b"NTLMSSP\0", [0; 4096]);
    let mut inputs = [buffer(&mut input, SECBUFFER_TOKEN)];
    let mut outputs = [buffer(&mut output, SECBUFFER_TOKEN)];
    let (input, mut output) = (list(&mut inputs), list(&mut outputs));
    call(&raw const input, &raw mut output)
}

/// The functions that take a context, whatever state it is in.
fn of_contexts() -> Vec<Call> {
    calls![
        (CompleteAuthToken, |context| with_message(|list| CompleteAuthToken(context, list))),
        (ApplyControlToken, |context| with_message(|list| ApplyControlToken(context, list))),
        (DeleteSecurityContext, |context| DeleteSecurityContext(context)),
        (QueryContextAttributesA, |context| with_room(|to| QueryContextAttributesA(context, 10, to))),
        (QueryContextAttributesW, |context| with_room(|to| QueryContextAttributesW(context, 10, to))),
        (QueryContextAttributesExA, |context| with_room(|to| QueryContextAttributesExA(context, 10, to, 64))),
        (QueryContextAttributesExW, |context| with_room(|to| QueryContextAttributesExW(context, 10, to, 64))),
        (SetContextAttributesA, |context| with_room(|from| SetContextAttributesA(context, 1, from, 8))),
        (SetContextAttributesW, |context| with_room(|from| SetContextAttributesW(context, 1, from, 8))),
    ]
    .into()
}

/// The functions that take an established context.
fn of_established_contexts() -> Vec<Call> {
    calls![
        (ImpersonateSecurityContext, |context| ImpersonateSecurityContext(context)),
        (RevertSecurityContext, |context| RevertSecurityContext(context)),
        (QuerySecurityContextToken, |context| with_room(|to| QuerySecurityContextToken(context, to.cast()))),
        (MakeSignature, |context| with_message(|list| MakeSignature(context, 0, list, 0))),
        (VerifySignature, |context| with_message(|list| VerifySignature(context, list, 0, null_mut()))),
        (EncryptMessage, |context| with_message(|list| EncryptMessage(context, 0, list, 0))),
        (EncryptMessage, |context| with_message(|list| EncryptMessage(context, 77, list, 0))),
        (DecryptMessage, |context| with_message(|list| DecryptMessage(context, list, 0, null_mut()))),
        (SealMessage, |context| with_message(|list| SealMessage(context, 0, list, 0))),
        (UnsealMessage, |context| with_message(|list| UnsealMessage(context, list, 0, null_mut()))),
        (ExportSecurityContext, |context| with_room(|to| ExportSecurityContext(
            context,
            0,
            to.cast(),
            null_mut()
        ))),
        (ExportSecurityContext, |context| with_room(|to| ExportSecurityContext(
            context,
            2,
            to.cast(),
            null_mut()
        ))),
        (ExportSecurityContext, |context| with_room(|to| ExportSecurityContext(
            context,
            4,
            to.cast(),
            null_mut()
        ))),
    ]
    .into()
}

/// The functions that take a credential.
fn of_credentials() -> Vec<Call> {
    calls![
        (FreeCredentialsHandle, |handle| FreeCredentialsHandle(handle)),
        (QueryCredentialsAttributesA, |handle| with_room(|to| QueryCredentialsAttributesA(handle, 1, to))),
        (QueryCredentialsAttributesW, |handle| with_room(|to| QueryCredentialsAttributesW(handle, 1, to))),
        (QueryCredentialsAttributesExA, |handle| with_room(|to| QueryCredentialsAttributesExA(
            handle, 1, to, 64
        ))),
        (QueryCredentialsAttributesExW, |handle| with_room(|to| QueryCredentialsAttributesExW(
            handle, 1, to, 64
        ))),
        (QueryCredentialsAttributesW, |handle| with_room(|to| QueryCredentialsAttributesW(handle, 99, to))),
        (SetCredentialsAttributesA, |handle| with_room(|from| SetCredentialsAttributesA(handle, 3, from, 8))),
        (SetCredentialsAttributesW, |handle| with_room(|from| SetCredentialsAttributesW(handle, 3, from, 8))),
        (AddCredentialsA, |handle| AddCredentialsA(
            handle,
            null(),
            NTLM.as_ptr(),
            2,
            null(),
            null(),
            null_mut(),
            null_mut()
        )),
        (AddCredentialsW, |handle| AddCredentialsW(
            handle,
            null(),
            wide("NTLM").as_ptr(),
            2,
            null(),
            null(),
            null_mut(),
            null_mut()
        )),
        (InitializeSecurityContextA, |handle| with_step(|_, output| {
            let mut new = NO_HANDLE;
            InitializeSecurityContextA(
                handle,
                null(),
                null(),
                0,
                0,
                0,
                null(),
                0,
                &raw mut new,
                output,
                null_mut(),
                null_mut(),
            )
        })),
        (InitializeSecurityContextW, |handle| with_step(|_, output| {
            let mut new = NO_HANDLE;
            InitializeSecurityContextW(
                handle,
                null(),
                null(),
                0,
                0,
                0,
                null(),
                0,
                &raw mut new,
                output,
                null_mut(),
                null_mut(),
            )
        })),
        (AcceptSecurityContext, |handle| with_step(|input, output| {
            let mut new = NO_HANDLE;
            AcceptSecurityContext(handle, null(), input, 0, 0, &raw mut new, output, null_mut(), null_mut())
        })),
    ]
    .into()
}

/// A later step: the context's handle is a bad one; NULL would begin another handshake.
fn later_steps() -> Vec<Call> {
    calls![
        (InitializeSecurityContextA, |context| with_step(|input, output| InitializeSecurityContextA(
            null(),
            context,
            null(),
            0,
            0,
            0,
            input,
            0,
            context.cast_mut(),
            output,
            null_mut(),
            null_mut(),
        ))),
        (InitializeSecurityContextW, |context| with_step(|input, output| InitializeSecurityContextW(
            null(),
            context,
            null(),
            0,
            0,
            0,
            input,
            0,
            context.cast_mut(),
            output,
            null_mut(),
            null_mut(),
        ))),
        (AcceptSecurityContext, |context| with_step(|input, output| AcceptSecurityContext(
            null(),
            context,
            input,
            0,
            0,
            context.cast_mut(),
            output,
            null_mut(),
            null_mut(),
        ))),
    ]
    .into()
}

/// Numbers that stand for nothing, made up or close to a handle that stands for something.
fn made_up(live: SecHandle) -> Vec<(&'static str, SecHandle)> {
    let SecHandle { lower, upper } = live;
    vec![
        ("{0, 0}", NO_HANDLE),
        ("(-1, -1)", SecHandle { lower: usize::MAX, upper: usize::MAX }),
        ("garbage", SecHandle { lower: 0x1234_5678, upper: 0x9ABC_DEF0 }),
        ("half of a handle", SecHandle { lower, upper: 0 }),
        ("the other half", SecHandle { lower: 0, upper }),
        ("halves exchanged", SecHandle { lower: upper, upper: lower }),
        ("another slot", SecHandle { lower: lower ^ 0x40_0000, upper }),
        ("another generation", SecHandle { lower, upper: upper ^ 1 }),
        ("(-1, half)", SecHandle { lower: usize::MAX, upper }),
    ]
}

#[track_caller]
fn refuse_all(calls: &[Call], handles: &[(&str, SecHandle)], with_null: bool) {
    for (name, call) in calls {
        for (what, handle) in handles {
            // Some write a handle back, so each gets one of its own.
            let mut handle = *handle;
            let status = call(&raw mut handle) as u32;
            assert_eq!(format!("{status:08X}"), format!("{INVALID_HANDLE:08X}"), "{name}: {what}");
        }
        if with_null {
            let status = call(null()) as u32;
            assert_eq!(format!("{status:08X}"), format!("{INVALID_HANDLE:08X}"), "{name}: NULL");
        }
    }
}

/// The handle of a context that was exported with DELETE_OLD.
fn exported() -> SecHandle {
    let [_, server] = Handshake::default().run();
    let mut packed = SecBuffer { length: 0, buffer_type: SECBUFFER_EMPTY, pointer: null_mut() };
    unsafe {
        expect(ExportSecurityContext(&raw const server, 2, &raw mut packed, null_mut()), 0);
        free(packed.pointer);
    }
    server
}

// Rows 38, 44, 58 and 73 are part of it. Where Microsoft's pages have another status for what was deleted, SEC_E_OK of
// DeleteSecurityContext and SEC_E_CONTEXT_EXPIRED of EncryptMessage, it is the same here.
#[test]
fn a_context_s_handle_that_stands_for_nothing_is_refused_everywhere() {
    let [client, server] = Handshake::default().run();
    let [deleted, _] = Handshake::default().run();
    unsafe { expect(DeleteSecurityContext(&raw const deleted), 0) };
    let mut handles = made_up(server);
    handles.extend([
        ("a context that was deleted", deleted),
        ("a context that was exported and deleted", exported()),
        ("a client's credential", credential(SECPKG_CRED_OUTBOUND)),
        ("a server's credential", credential(SECPKG_CRED_INBOUND)),
    ]);
    refuse_all(&of_contexts(), &handles, true);
    refuse_all(&of_established_contexts(), &handles, true);
    refuse_all(&later_steps(), &handles, false);
    converse(&client, &server);
}

#[test]
fn a_context_that_is_not_established_protects_and_hands_over_nothing() {
    let [client, server] = Handshake::default().half_done();
    let handles = [("half done", client), ("half done", server)];
    refuse_all(&of_established_contexts(), &handles, false);
    for handle in [client, server] {
        unsafe { expect(DeleteSecurityContext(&raw const handle), 0) };
    }
}

// Row 19 is part of it.
#[test]
fn a_credential_s_handle_that_stands_for_nothing_is_refused_everywhere() {
    let live = credential(SECPKG_CRED_BOTH);
    let freed = credential(SECPKG_CRED_BOTH);
    unsafe { expect(FreeCredentialsHandle(&raw const freed), 0) };
    let [client, server] = Handshake::default().run();
    let mut handles = made_up(live);
    handles.extend([
        ("a credential that was freed", freed),
        ("a client's context", client),
        ("a server's context", server),
        ("a context that was exported and deleted", exported()),
    ]);
    refuse_all(&of_credentials(), &handles, true);
    // In a later step, NULL is no mistake (row 27), but another handle that is none is.
    let asked = Handshake::default();
    for (what, bad) in handles {
        let (_, context, _) = asked.initialize(&live, None, &[]);
        let (status, ..) = asked.initialize(&bad, Some(&context), b"NTLMSSP\0");
        assert_eq!(status as u32, INVALID_HANDLE, "{what}");
        unsafe { expect(DeleteSecurityContext(&raw const context), 0) };
    }
    unsafe { expect(FreeCredentialsHandle(&raw const live), 0) };
    converse(&client, &server);
}

#[test]
fn a_credential_serves_what_it_was_acquired_for() {
    // Row 39 and its counterpart.
    let asked = Handshake::default();
    expect(asked.initialize(&credential(SECPKG_CRED_INBOUND), None, &[]).0, INVALID_HANDLE);
    let (_, _, negotiate) = asked.initialize(&credential(SECPKG_CRED_OUTBOUND), None, &[]);
    expect(asked.accept(&credential(SECPKG_CRED_OUTBOUND), None, &negotiate).0, INVALID_HANDLE);
    assert_eq!(asked.accept(&credential(SECPKG_CRED_BOTH), None, &negotiate).0, CONTINUE_NEEDED);
}

#[test]
fn functions_that_these_packages_do_not_have() {
    let not_offered = ["CompleteAuthToken", "ApplyControlToken", "SetContextAttributes"];
    for context in Handshake::default().run().into_iter().chain(Handshake::default().half_done()) {
        let calls = of_contexts();
        let calls = calls.iter().filter(|(name, _)| not_offered.iter().any(|not| name.starts_with(not)));
        assert_eq!(calls.clone().count(), 4);
        for (_, call) in calls {
            expect(call(&raw const context), UNSUPPORTED_FUNCTION);
        }
    }
    let not_offered = ["AddCredentials", "SetCredentialsAttributes"];
    for credential_use in [SECPKG_CRED_INBOUND, SECPKG_CRED_OUTBOUND, SECPKG_CRED_BOTH] {
        let credential = credential(credential_use);
        let calls = of_credentials();
        let calls = calls.iter().filter(|(name, _)| not_offered.iter().any(|not| name.starts_with(not)));
        assert_eq!(calls.clone().count(), 4);
        for (_, call) in calls {
            expect(call(&raw const credential), UNSUPPORTED_FUNCTION);
        }
        // Of the attributes of a credential, there is one.
        for attribute in [0, 2, 3, 4, 100, u32::MAX] {
            for query in [QueryCredentialsAttributesA, QueryCredentialsAttributesW] {
                let status = with_room(|to| unsafe { query(&raw const credential, attribute, to) });
                expect(status, UNSUPPORTED_FUNCTION);
            }
            for query in [QueryCredentialsAttributesExA, QueryCredentialsAttributesExW] {
                let status = with_room(|to| unsafe { query(&raw const credential, attribute, to, 64) });
                expect(status, UNSUPPORTED_FUNCTION);
            }
        }
    }
    unsafe {
        expect(AddSecurityPackageA(NTLM.as_ptr(), null_mut()), UNSUPPORTED_FUNCTION);
        expect(AddSecurityPackageW(wide("NTLM").as_ptr(), null_mut()), UNSUPPORTED_FUNCTION);
        expect(DeleteSecurityPackageA(NTLM.as_ptr()), UNSUPPORTED_FUNCTION);
        expect(DeleteSecurityPackageW(wide("NTLM").as_ptr()), UNSUPPORTED_FUNCTION);
    }
    for (package, status) in
        [("NTLM", UNSUPPORTED_FUNCTION), ("Negotiate", UNSUPPORTED_FUNCTION), ("none", SECPKG_NOT_FOUND)]
    {
        expect(change_password(Some(package)), status);
    }
    expect(change_password(None), SECPKG_NOT_FOUND);
}

/// ChangeAccountPassword in both forms, which give the same.
fn change_password(package: Option<&str>) -> i32 {
    fn of<C: Form>(text: Option<&Vec<C>>) -> *const C {
        text.map_or(null(), |text| text.as_ptr())
    }
    let (narrow, utf16) = (package.map(c_char::encode), package.map(WCHAR::encode));
    let (mut response, user) = ([0; 64], wide("alice"));
    let mut buffers = [buffer(&mut response, SECBUFFER_CHANGE_PASS_RESPONSE)];
    let mut output = list(&mut buffers);
    unsafe {
        let texts = (c"CORP".as_ptr(), c"alice".as_ptr(), c"old".as_ptr(), c"new".as_ptr());
        let status = ChangeAccountPasswordA(
            of(narrow.as_ref()),
            texts.0,
            texts.1,
            texts.2,
            texts.3,
            0,
            0,
            &raw mut output,
        );
        let user = user.as_ptr();
        let again = ChangeAccountPasswordW(of(utf16.as_ref()), user, user, user, user, 0, 0, &raw mut output);
        assert_eq!(status, again);
        assert_eq!(
            ChangeAccountPasswordA(of(narrow.as_ref()), null(), null(), null(), null(), 0, 0, null_mut()),
            status
        );
        status
    }
}

// Without PORTABLE_SSPI_IMPERSONATE, as this test is run.
#[test]
fn nobody_is_impersonated() {
    let [client, server] = Handshake::default().run();
    for context in [&client, &server] {
        unsafe {
            expect(ImpersonateSecurityContext(context), NO_IMPERSONATION);
            // There is nothing to end, which is no mistake.
            expect(RevertSecurityContext(context), 0);
        }
    }
    let token = with_room(|to| unsafe { QuerySecurityContextToken(&raw const client, to.cast()) });
    expect(token, NO_IMPERSONATION);
}

#[cfg(not(windows))]
#[test]
fn a_token_is_closed_once_and_nothing_else_is() {
    const ERROR_INVALID_HANDLE: u32 = 6;
    let [_, server] = Handshake::default().run();
    let mut token = null_mut();
    unsafe { expect(QuerySecurityContextToken(&raw const server, &raw mut token), 0) };
    assert!(!token.is_null());
    assert_eq!(CloseHandle(token), 1);
    for handle in [token, null_mut(), usize::MAX as HANDLE, 0x1234 as HANDLE] {
        SetLastError(0);
        assert_eq!((CloseHandle(handle), GetLastError()), (0, ERROR_INVALID_HANDLE));
    }
}

#[cfg(windows)]
#[test]
fn there_are_no_tokens_on_windows() {
    let [_, server] = Handshake::default().run();
    let token = with_room(|to| unsafe { QuerySecurityContextToken(&raw const server, to.cast()) });
    expect(token, UNSUPPORTED_FUNCTION);
}

// Microsoft's page has SEC_E_UNSUPPORTED_FUNCTION; Windows' NTLM goes on without.
#[test]
fn delegation_may_be_asked_for() {
    const DELEGATE: u32 = 1;
    let asked = Handshake { client_requirements: DELEGATE | SEALED, ..Handshake::default() };
    let [client, server] = asked.run();
    let flags = ask::<WCHAR, ContextFlags>(&client, SECPKG_ATTR_FLAGS).unwrap().flags;
    assert_eq!(flags & DELEGATE, 0, "and there is none");
    converse(&client, &server);
}
