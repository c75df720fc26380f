//! Credentials. The rows are those of the reference on what programs observe of SSPI on Windows; environment.rs has what an
//! account file adds to them.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use common::contexts::converse;
use common::forms::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const UNKNOWN_CREDENTIALS: u32 = 0x8009_030D;

const PACKAGES: [&str; 2] = ["NTLM", "Negotiate"];

/// A server that admits this account, and a client with these credentials: what the last step says.
#[track_caller]
fn admitted(form: Form, client: SecHandle, account: Parts<'_>) -> u32 {
    let way = Way { form, package: "NTLM" };
    log_on(&mut Peer::client(way, client), &mut Peer::server(way, way.server(account)))
}

fn free(handle: &SecHandle) -> u32 {
    unsafe { FreeCredentialsHandle(handle) as u32 }
}

#[test]
fn row_10_parts_of_an_identity_may_be_left_out() {
    type Change = fn(&mut AuthIdentity<u8>);
    let changes: [(&str, Change); 7] = [
        ("full identity", |_| {}),
        ("domain of length 0", |raw| raw.domain_length = 0),
        ("domain NULL", |raw| (raw.domain, raw.domain_length) = (null(), 0)),
        ("user NULL", |raw| (raw.user, raw.user_length) = (null(), 0)),
        ("password NULL", |raw| (raw.password, raw.password_length) = (null(), 0)),
        ("password of length 0", |raw| raw.password_length = 0),
        ("all of length 0", |raw| {
            (raw.user_length, raw.domain_length, raw.password_length) = (0, 0, 0);
        }),
    ];
    for form in FORMS {
        for package in PACKAGES {
            for (what, change) in changes {
                for given in [Given::plain(form, ALICE), Given::ex(form, ALICE)] {
                    let mut given = given;
                    change(&mut given.raw.identity);
                    let acquired = form.acquire(package, OUTBOUND, Some(&given));
                    let handle = acquired.unwrap_or_else(|found| {
                        panic!("row 10: {form:?} {package}, {what}: {found:08X}");
                    });
                    status(free(&handle), 0, "row 10");
                }
            }
        }
    }
}

#[test]
fn row_11_the_flags_decide_what_the_text_is() {
    let parts =
        Parts { user: Some("Jörg"), domain: Some("CORP"), password: Some("pässword"), packages: None };
    for function in FORMS {
        for text in FORMS {
            let given = Given::plain(text, parts);
            let client = function.acquire("NTLM", OUTBOUND, Some(&given)).unwrap();
            status(
                admitted(function, client, parts),
                0,
                format_args!("row 11: {function:?} is given {text:?}"),
            );
            // The package list is text like any; read in the wrong form, it would name no package.
            let given = Given::ex(text, Parts { packages: Some("NTLM"), ..parts });
            let client = function.acquire("Negotiate", OUTBOUND, Some(&given)).unwrap();
            status(
                admitted(function, client, parts),
                0,
                format_args!("row 11: {function:?} is given {text:?}, EX"),
            );
            // So is the account of a server.
            let server = function.acquire("NTLM", INBOUND, Some(&Given::plain(text, parts))).unwrap();
            let way = Way { form: function, package: "NTLM" };
            let mut client = Peer::client(way, way.client(parts));
            let said = log_on(&mut client, &mut Peer::server(way, server));
            status(said, 0, format_args!("row 11: a server's {function:?} is given {text:?}"));
        }
        // Without a flag, the function's name decides.
        let mut given = Given::plain(function, parts);
        given.raw.identity.flags = 0;
        let client = function.acquire("NTLM", OUTBOUND, Some(&given)).unwrap();
        status(admitted(function, client, parts), 0, format_args!("row 11: {function:?}, no flag"));
    }
}

// For NTLM, whose user Windows knows, there is nobody here without an account file: SEC_E_NO_CREDENTIALS, as for a service on
// Windows that has none.
#[test]
fn rows_12_and_13_default_credentials() {
    for form in FORMS {
        let nothing =
            [None, Some(Given::plain(form, Parts::default())), Some(Given::ex(form, Parts::default()))];
        for identity in &nothing {
            let row = if identity.is_none() { 12 } else { 13 };
            for credential_use in [INBOUND, OUTBOUND, 3] {
                let acquired = form.acquire("Negotiate", credential_use, identity.as_ref());
                assert!(acquired.is_ok(), "row {row}: {form:?} {credential_use} {acquired:08X?}");
            }
            let acquired = form.acquire("NTLM", INBOUND, identity.as_ref());
            assert!(acquired.is_ok(), "row {row}: {form:?} NTLM");
        }
    }
}

#[test]
fn row_14_explicit_identities_for_negotiate() {
    let secret = Some("secret");
    for (what, parts, principal) in [
        ("user", Parts { user: Some("alice"), password: secret, ..Parts::default() }, None),
        (
            "user@REALM",
            Parts { user: Some("alice@CORP.EXAMPLE"), password: secret, ..Parts::default() },
            None,
        ),
        ("user and domain", ALICE, None),
        (
            "characters that are two units of UTF-16",
            Parts {
                user: Some("al\u{1F600}ce"),
                domain: Some("C\u{1D11E}RP"),
                password: secret,
                packages: None,
            },
            None,
        ),
        ("package list", Parts { packages: Some("!kerberos"), ..ALICE }, None),
        ("principal", ALICE, Some("alice@CORP.EXAMPLE")),
    ] {
        for form in FORMS {
            for credential_use in [INBOUND, OUTBOUND, 3] {
                let acquired = |given: &Given| {
                    let handle = form.acquire_as(principal, "Negotiate", credential_use, given.address());
                    handle.unwrap_or_else(|found| {
                        panic!("row 14: {form:?} {credential_use}, {what}: {found:08X}")
                    })
                };
                if parts.packages.is_none() {
                    acquired(&Given::plain(form, parts));
                }
                acquired(&Given::ex(form, parts));
            }
            if parts.packages.is_none() {
                // Whoever it is, is who logs on.
                let client = Way { form, package: "Negotiate" }.client(parts);
                status(admitted(form, client, parts), 0, format_args!("row 14: {form:?}, {what}"));
            }
        }
    }
    // A password may be missing, but for a server, which would then admit whoever sends an empty one.
    for form in FORMS {
        let given = Given::ex(form, Parts { password: None, ..ALICE });
        assert!(form.acquire("Negotiate", OUTBOUND, Some(&given)).is_ok(), "row 14: {form:?}");
        assert_eq!(form.acquire("Negotiate", INBOUND, Some(&given)), Err(UNKNOWN_CREDENTIALS), "{form:?}");
    }
}

/// `SEC_WINNT_AUTH_IDENTITY_EX2` of alice in CORP, with credentials of this type packed in it.
fn ex2(kind: [u8; 16], data: &[u8]) -> Vec<u32> {
    let header = size_of::<AuthIdentityEx2>();
    let texts =
        ["alice", "CORP"].map(|text| text.encode_utf16().flat_map(u16::to_ne_bytes).collect::<Vec<_>>());
    // SEC_WINNT_AUTH_PACKED_CREDENTIALS: lengths, then offset and length of the data, in a structure of 28 bytes.
    let mut packed = Vec::new();
    packed.extend(28_u16.to_ne_bytes());
    packed.extend((28 + data.len() as u16).to_ne_bytes());
    packed.extend(kind);
    packed.extend(28_u32.to_ne_bytes());
    packed.extend((data.len() as u16).to_ne_bytes());
    packed.extend([0, 0]);
    packed.extend(data);
    let mut all = vec![0; header];
    let mut put = |part: &[u8]| {
        let offset = all.len() as u32;
        all.extend(part);
        (offset, part.len() as u16)
    };
    let (user_offset, user_length) = put(&texts[0]);
    let (domain_offset, domain_length) = put(&texts[1]);
    let (packed_credentials_offset, packed_credentials_length) = put(&packed);
    let structure = AuthIdentityEx2 {
        version: 0x201,
        header_length: header as u16,
        structure_length: all.len() as u32,
        user_offset,
        user_length,
        domain_offset,
        domain_length,
        packed_credentials_offset,
        packed_credentials_length,
        flags: 2,
        package_list_offset: 0,
        package_list_length: 0,
    };
    let mut words = vec![0_u32; all.len().div_ceil(4)];
    unsafe {
        core::ptr::copy_nonoverlapping(all.as_ptr(), words.as_mut_ptr().cast(), all.len());
        words.as_mut_ptr().cast::<AuthIdentityEx2>().write_unaligned(structure);
    }
    words
}

// Only Kerberos has a use for a key table: the handshake ends at its first step. NTLM refuses it at once.
#[test]
fn row_15_a_key_table_is_acquired_and_of_no_use() {
    // SEC_WINNT_AUTH_DATA_TYPE_KEYTAB, {D587AAE8-F78F-4455-A112-C934BEEE7CE1}.
    let mut kind = [0; 16];
    kind[..4].copy_from_slice(&0xD587_AAE8_u32.to_ne_bytes());
    kind[4..6].copy_from_slice(&0xF78F_u16.to_ne_bytes());
    kind[6..8].copy_from_slice(&0x4455_u16.to_ne_bytes());
    kind[8..].copy_from_slice(&[0xA1, 0x12, 0xC9, 0x34, 0xBE, 0xEE, 0x7C, 0xE1]);
    // SEC_WINNT_AUTH_DATA_TYPE_PASSWORD, to see that the rest of the structure is read.
    let mut password = [0; 16];
    password[..4].copy_from_slice(&0x28BF_C32F_u32.to_ne_bytes());
    password[4..6].copy_from_slice(&0x10F6_u16.to_ne_bytes());
    password[6..8].copy_from_slice(&0x4738_u16.to_ne_bytes());
    password[8..].copy_from_slice(&[0x98, 0xD1, 0x1A, 0xC0, 0x61, 0xDF, 0x71, 0x6A]);
    let secret: Vec<_> = "secret".encode_utf16().flat_map(u16::to_ne_bytes).collect();
    // A table with no key in it: version 5.2 and nothing else.
    let (table, with_password) = (ex2(kind, &[5, 2]), ex2(password, &secret));
    for form in FORMS {
        for credential_use in [INBOUND, OUTBOUND, 3] {
            let acquired = form.acquire_as(None, "Negotiate", credential_use, table.as_ptr().cast());
            let handle =
                acquired.unwrap_or_else(|found| panic!("row 15: {form:?} {credential_use}: {found:08X}"));
            if credential_use == OUTBOUND {
                let way = Way { form, package: "Negotiate" };
                let answer = way.leg(&handle).give().0;
                status(answer.status, NO_CREDENTIALS, format_args!("row 15: {form:?}, first step"));
            }
            status(free(&handle), 0, "row 15");
            let refused = form.acquire_as(None, "NTLM", credential_use, table.as_ptr().cast());
            assert_eq!(refused, Err(UNKNOWN_CREDENTIALS), "row 15: {form:?} NTLM");
        }
        let client = form.acquire_as(None, "NTLM", OUTBOUND, with_password.as_ptr().cast()).unwrap();
        status(admitted(form, client, ALICE), 0, format_args!("row 15: {form:?}, a password"));
    }
}

// Only Kerberos has a proxy before its KDC.
#[test]
fn row_16_no_attribute_of_credentials_can_be_set() {
    /// `SECPKG_CRED_ATTR_KDC_PROXY_SETTINGS`.
    const KDC_PROXY_SETTINGS: u32 = 3;
    const FORCEPROXY: u32 = 1;
    // SecPkgCredentials_KdcProxySettingsW: version 1, flags, the server's name behind it, no client credentials.
    let name: Vec<_> = "proxy\0.\u{1D11E}.example".encode_utf16().flat_map(u16::to_ne_bytes).collect();
    let settings = |flags: u32, name: &[u8]| {
        let mut all = Vec::new();
        all.extend(1_u32.to_ne_bytes());
        all.extend(flags.to_ne_bytes());
        all.extend((if name.is_empty() { 0 } else { 16_u16 }).to_ne_bytes());
        all.extend((name.len() as u16).to_ne_bytes());
        all.extend([0; 4]);
        all.extend(name);
        all
    };
    for form in FORMS {
        for package in PACKAGES {
            let handle = form.acquire(package, OUTBOUND, Some(&Given::plain(form, ALICE))).unwrap();
            for value in [settings(0, &[]), settings(FORCEPROXY, &[]), settings(0, &name)] {
                let length = value.len() as u32;
                let value: *const c_void = value.as_ptr().cast();
                let said = unsafe {
                    match form {
                        Form::A => {
                            SetCredentialsAttributesA(&raw const handle, KDC_PROXY_SETTINGS, value, length)
                        }
                        Form::W => {
                            SetCredentialsAttributesW(&raw const handle, KDC_PROXY_SETTINGS, value, length)
                        }
                    }
                };
                status(said as u32, UNSUPPORTED_FUNCTION, format_args!("row 16: {form:?} {package}"));
            }
        }
    }
}

#[test]
fn row_17_the_name_of_credentials() {
    const NAMES: u32 = 1;
    type Query = unsafe fn(*const SecHandle, *mut c_void) -> i32;
    let queries: [(Form, Query); 4] = [
        (Form::A, |handle, to| unsafe { QueryCredentialsAttributesA(handle, NAMES, to) }),
        (Form::W, |handle, to| unsafe { QueryCredentialsAttributesW(handle, NAMES, to) }),
        (Form::A, |handle, to| unsafe {
            QueryCredentialsAttributesExA(handle, NAMES, to, size_of::<usize>() as u32)
        }),
        (Form::W, |handle, to| unsafe {
            QueryCredentialsAttributesExW(handle, NAMES, to, size_of::<usize>() as u32)
        }),
    ];
    let no_domain = Parts { domain: None, ..ALICE };
    for (form, query) in queries {
        for package in PACKAGES {
            for (parts, expected) in [(ALICE, r"CORP\alice"), (no_domain, "alice")] {
                let handle = form.acquire(package, OUTBOUND, Some(&Given::plain(form, parts))).unwrap();
                let mut name: *mut c_void = null_mut();
                let said = unsafe { query(&raw const handle, (&raw mut name).cast()) };
                status(said as u32, 0, format_args!("row 17: {form:?} {package}"));
                assert_eq!(form.read(name), expected, "row 17: {form:?} {package}");
                status(
                    unsafe { FreeContextBuffer(name) } as u32,
                    0,
                    format_args!("row 17: {form:?} {package}"),
                );
            }
        }
    }
}

#[test]
fn row_18_credentials_serve_several_handshakes_at_once() {
    for way in WAYS {
        let (credential, server) = (way.client(ALICE), way.server(ALICE));
        let first = [(); 2].map(|()| way.leg(&credential).give().0);
        for answer in &first {
            status(answer.status, CONTINUE_NEEDED as u32, format_args!("row 18: {way:?}"));
        }
        assert_ne!(first[0].context, first[1].context, "row 18: {way:?}");
        // They go on side by side, too.
        let mut peers = [(); 2].map(|()| (Peer::client(way, credential), Peer::server(way, server)));
        let [negotiate, other] = peers.each_mut().map(|(client, _)| client.step(&[]).1);
        let challenges = [peers[0].1.step(&negotiate).1, peers[1].1.step(&other).1];
        for (challenge, (client, server)) in challenges.iter().zip(&mut peers) {
            let (said, authenticate) = client.step(challenge);
            status(said, 0, format_args!("row 18: {way:?}"));
            status(server.step(&authenticate).0, 0, format_args!("row 18: {way:?}"));
            converse(&client.context(), &server.context());
        }
        for answer in first {
            let said = unsafe { DeleteSecurityContext(&raw const answer.context) };
            status(said as u32, 0, format_args!("row 18: {way:?}"));
        }
        status(free(&credential), 0, format_args!("row 18: {way:?}"));
        status(free(&server), 0, format_args!("row 18: {way:?}"));
        // What is established needs no credentials any more.
        let (client, server) = &peers[0];
        converse(&server.context(), &client.context());
    }
}

#[test]
fn row_19_what_is_no_handle_is_not_freed() {
    unsafe {
        status(FreeCredentialsHandle(null()) as u32, INVALID_HANDLE, "row 19: NULL");
    }
    for handle in [
        SecHandle::default(),
        SecHandle { lower: usize::MAX, upper: usize::MAX },
        SecHandle { lower: 1, upper: 2 },
        UNTOUCHED,
    ] {
        status(free(&handle), INVALID_HANDLE, format_args!("row 19: {handle:?}"));
    }
    for way in WAYS {
        let credential = way.client(ALICE);
        let context = way.leg(&credential).give().0.context;
        status(free(&context), INVALID_HANDLE, format_args!("row 19: a context, {way:?}"));
        status(free(&credential), 0, format_args!("row 19: {way:?}"));
        status(free(&credential), INVALID_HANDLE, format_args!("row 19: a second time, {way:?}"));
        let deleted = unsafe { DeleteSecurityContext(&raw const context) };
        status(deleted as u32, 0, "row 19: the context is as it was");
    }
}

// Windows' limits (256 characters, a domain 15) are none here: a longer password is one like any other. What a token
// cannot carry ends the handshake where the token is made, and what no field of it could carry is no identity.
#[test]
fn row_20_names_and_passwords_of_any_length_that_there_can_be() {
    let (long, longer, domain) = ("x".repeat(256), "pä".repeat(512), "D".repeat(15));
    assert_eq!(longer.chars().count(), 1024);
    for way in WAYS {
        for (user, password) in [(long.as_str(), long.as_str()), ("alice", longer.as_str())] {
            let parts =
                Parts { user: Some(user), domain: Some(&domain), password: Some(password), packages: None };
            let said =
                log_on(&mut Peer::client(way, way.client(parts)), &mut Peer::server(way, way.server(parts)));
            status(said, 0, format_args!("row 20: {way:?}, {} characters", password.chars().count()));
            // All of the password counts.
            let cut = &password[..password.char_indices().next_back().unwrap().0];
            let other = Parts { password: Some(cut), ..parts };
            let said =
                log_on(&mut Peer::client(way, way.client(other)), &mut Peer::server(way, way.server(parts)));
            status(said, LOGON_DENIED, format_args!("row 20: {way:?}, a character less"));
        }
    }
    for form in FORMS {
        let (longest, too_long) = ("x".repeat(0x7FFF), "x".repeat(0x8000));
        let parts = Parts { password: Some(&longest), ..ALICE };
        let client = form.acquire("NTLM", OUTBOUND, Some(&Given::plain(form, parts))).unwrap();
        status(admitted(form, client, parts), 0, format_args!("row 20: {form:?}, the longest password"));
        for parts in [
            Parts { user: Some(&too_long), ..ALICE },
            Parts { domain: Some(&too_long), ..ALICE },
            Parts { password: Some(&too_long), ..ALICE },
        ] {
            let acquired = form.acquire("NTLM", OUTBOUND, Some(&Given::plain(form, parts)));
            assert_eq!(acquired, Err(UNKNOWN_CREDENTIALS), "row 20: {form:?}");
        }
    }
}
