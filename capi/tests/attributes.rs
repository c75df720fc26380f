//! QueryContextAttributes, in both forms and with and without a size. The rows are those of the reference on what programs
//! observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use core::ffi::{c_char, c_void};
use core::ptr::null_mut;

use common::contexts::*;
use common::*;
use portable_sspi::{AscRet, IscRet};
use portable_sspi_capi::abi::*;

const CONNECTION: u32 = 0x800;
const INTEGRITY: u32 = 0x1_0000;
/// `ISC_REQ_REPLAY_DETECT | ISC_REQ_SEQUENCE_DETECT`.
const DETECT: u32 = 0xC;

/// Every attribute that is answered.
const ANSWERED: [u32; 15] = [
    SECPKG_ATTR_SIZES,
    SECPKG_ATTR_NAMES,
    SECPKG_ATTR_LIFESPAN,
    SECPKG_ATTR_DCE_INFO,
    SECPKG_ATTR_KEY_INFO,
    SECPKG_ATTR_AUTHORITY,
    SECPKG_ATTR_PASSWORD_EXPIRY,
    SECPKG_ATTR_SESSION_KEY,
    SECPKG_ATTR_PACKAGE_INFO,
    SECPKG_ATTR_NEGOTIATION_INFO,
    SECPKG_ATTR_NATIVE_NAMES,
    SECPKG_ATTR_FLAGS,
    SECPKG_ATTR_ACCESS_TOKEN,
    SECPKG_ATTR_CLIENT_SPECIFIED_TARGET,
    SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS,
];

/// What a test of both forms is called with.
macro_rules! in_both_forms {
    ($test:ident) => {{
        $test::<c_char>();
        $test::<WCHAR>();
    }};
}

#[test]
fn row_50_sizes() {
    fn check<C: Form>() {
        for context in Handshake::default().run() {
            let expected =
                ContextSizes { max_token: 2888, max_signature: 16, block_size: 0, security_trailer: 16 };
            assert_eq!(ask::<C, ContextSizes>(&context, SECPKG_ATTR_SIZES), Ok(expected), "row 50");
        }
    }
    in_both_forms!(check);
}

#[test]
fn row_51_stream_sizes_are_not_supported() {
    fn check<C: Form>() {
        for context in Handshake::default().run() {
            let refused = ask::<C, [u32; 5]>(&context, SECPKG_ATTR_STREAM_SIZES).unwrap_err();
            expect(refused, UNSUPPORTED_FUNCTION);
        }
    }
    in_both_forms!(check);
}

fn key_info<C: Form>(context: &SecHandle) -> (String, u32, String, u32, u32) {
    let info: ContextKeyInfo<C> = ask::<C, _>(context, SECPKG_ATTR_KEY_INFO).unwrap();
    // Two blocks, each freed by itself.
    (
        taken(info.signature_algorithm_name),
        info.signature_algorithm,
        taken(info.encrypt_algorithm_name),
        info.encrypt_algorithm,
        info.key_size,
    )
}

#[test]
fn row_52_key_info() {
    fn check<C: Form>() {
        let named =
            |name: &str, algorithm| (name.to_owned(), algorithm, "RSADSI RC4".to_owned(), 0x6801, 128);
        for context in Handshake::default().run() {
            assert_eq!(key_info::<C>(&context), named("HMAC-MD5", 0xFFFF_FF76), "row 52, with ESS");
        }
        let asked = Handshake { client_requirements: 0, ..Handshake::default() };
        let context = asked.run_against_an_old_server();
        assert_eq!(key_info::<C>(&context), named("RSADSI RC4-CRC32", 0xFFFF_FF7C), "row 52, without ESS");
    }
    in_both_forms!(check);
}

/// What a block says of a package, freed.
fn package<C: Form>(info: *mut SecPkgInfo<C>) -> (String, String, u32, u16, u16, u32) {
    assert!(!info.is_null());
    let found = unsafe { info.read() };
    let read = (
        text(found.name),
        text(found.comment),
        found.capabilities,
        found.version,
        found.rpc_id,
        found.max_token,
    );
    free(info);
    read
}

fn ntlm() -> (String, String, u32, u16, u16, u32) {
    ("NTLM".to_owned(), "NTLM Security Package".to_owned(), 0x2B37, 1, 10, 2888)
}

#[test]
fn row_53_negotiation_info() {
    fn check<C: Form>() {
        let ask = ask::<C, ContextNegotiationInfo<C>>;
        for context in Handshake::default().run() {
            let info = ask(&context, SECPKG_ATTR_NEGOTIATION_INFO).unwrap();
            assert_eq!(info.state, SECPKG_NEGOTIATION_COMPLETE, "row 53");
            assert_eq!(package(info.package), ntlm(), "row 53");
        }
        for context in Handshake::default().half_done() {
            let info = ask(&context, SECPKG_ATTR_NEGOTIATION_INFO).unwrap();
            assert_eq!(info.state, SECPKG_NEGOTIATION_IN_PROGRESS);
            assert_eq!(package(info.package), ntlm());
        }
    }
    in_both_forms!(check);
}

#[test]
fn row_54_session_key() {
    fn check<C: Form>() {
        let keys = Handshake::default().run().map(|context| {
            let key: ContextSessionKey = ask::<C, _>(&context, SECPKG_ATTR_SESSION_KEY).unwrap();
            let bytes = unsafe { core::slice::from_raw_parts(key.key, key.length as usize) }.to_vec();
            free(key.key);
            bytes
        });
        assert_eq!(keys[0].len(), 16, "row 54");
        assert_ne!(keys[0], [0; 16]);
        assert_eq!(keys[0], keys[1], "row 54");
    }
    in_both_forms!(check);
}

fn name<C: Form>(context: &SecHandle) -> String {
    taken(ask::<C, ContextNames<C>>(context, SECPKG_ATTR_NAMES).unwrap().user_name)
}

#[test]
fn row_55_names_are_the_same_on_both_sides() {
    fn check<C: Form>() {
        for (client, account, expected) in [
            (["alice", "CORP", "secret"], ["alice", "CORP", "secret"], r"CORP\alice"),
            // Without a domain.
            (["alice", "", "secret"], ["alice", "", "secret"], "alice"),
            // `DOMAIN\user` in the place of the user.
            ([r"CORP\alice", "", "secret"], ["alice", "CORP", "secret"], r"CORP\alice"),
            (
                ["alice@corp.example", "", "secret"],
                ["alice@corp.example", "", "secret"],
                "alice@corp.example",
            ),
            (
                ["J\u{f6}rg \u{1d11e}", "D\u{f6}main", "secret"],
                ["J\u{f6}rg \u{1d11e}", "D\u{f6}main", "secret"],
                "D\u{f6}main\\J\u{f6}rg \u{1d11e}",
            ),
        ] {
            let contexts = Handshake { client, account, ..Handshake::default() }.run();
            assert_eq!(contexts.map(|context| name::<C>(&context)), [expected; 2], "row 55");
        }
    }
    in_both_forms!(check);
}

// Where the two say different things of one person, the client can only name what it wrote; the server names the account that
// was verified, as a client could otherwise call itself a member of another domain.
#[test]
fn row_55_the_server_names_the_account_whatever_the_client_wrote() {
    fn check<C: Form>() {
        for (client, account, expected) in [
            (["alice", "", "secret"], ["alice", "CORP", "secret"], ["alice", r"CORP\alice"]),
            (["alice", "CORP", "secret"], ["alice", "", "secret"], [r"CORP\alice", "alice"]),
            (["ALICE", "CORP", "secret"], ["alice", "CORP", "secret"], [r"CORP\ALICE", r"CORP\alice"]),
        ] {
            let contexts = Handshake { client, account, ..Handshake::default() }.run();
            assert_eq!(contexts.map(|context| name::<C>(&context)), expected, "row 55");
        }
    }
    in_both_forms!(check);
}

#[test]
fn row_56_package_info_is_the_same_on_both_sides() {
    fn check<C: Form>() {
        for context in Handshake::default().run() {
            let info = ask::<C, ContextPackageInfo<C>>(&context, SECPKG_ATTR_PACKAGE_INFO).unwrap();
            assert_eq!(package(info.package), ntlm(), "row 56");
        }
    }
    in_both_forms!(check);
}

#[test]
fn row_57_any_other_attribute_is_not_supported() {
    fn check<C: Form>() {
        let others = (0..300).filter(|attribute| !ANSWERED.contains(attribute));
        for context in Handshake::default().run() {
            for attribute in others.clone().chain([0x1000, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, u32::MAX]) {
                let mut answer = [0x5555_5555_u32; 16];
                let place: *mut c_void = (&raw mut answer).cast();
                let statuses = unsafe {
                    [
                        C::QUERY(&raw const context, attribute, place),
                        C::QUERY_EX(&raw const context, attribute, place, 64),
                        // Whether there is a place does not matter.
                        C::QUERY(&raw const context, attribute, null_mut()),
                    ]
                };
                for status in statuses {
                    assert_eq!(status as u32, UNSUPPORTED_FUNCTION, "row 57: attribute {attribute}");
                }
                assert_eq!(answer, [0x5555_5555; 16], "row 57: nothing is written");
            }
        }
    }
    in_both_forms!(check);
}

#[test]
fn row_58_without_a_context_there_are_no_attributes() {
    fn check<C: Form>() {
        for attribute in 0..40 {
            let mut answer = [0_u32; 16];
            let place: *mut c_void = (&raw mut answer).cast();
            unsafe {
                expect(C::QUERY(&NO_HANDLE, attribute, place), INVALID_HANDLE);
                expect(C::QUERY_EX(&NO_HANDLE, attribute, place, 64), INVALID_HANDLE);
            }
        }
    }
    in_both_forms!(check);
}

#[test]
fn row_59_flags_are_what_was_negotiated() {
    fn check<C: Form>() {
        for (requirements, integrity, confidentiality) in [
            (0, false, false),
            (CONNECTION, false, false),
            (INTEGRITY, true, false),
            (DETECT, true, false),
            (SEALED, true, true),
        ] {
            let asked = Handshake { client_requirements: requirements, ..Handshake::default() };
            let [client, server] =
                asked.run().map(|context| ask::<C, ContextFlags>(&context, SECPKG_ATTR_FLAGS).unwrap().flags);
            let (client, server) = (IscRet::from_bits_retain(client), AscRet::from_bits_retain(server));
            let found = [client.contains(IscRet::INTEGRITY), server.contains(AscRet::INTEGRITY)];
            assert_eq!(found, [integrity; 2], "row 59: {requirements:X}");
            let found = [client.contains(IscRet::CONFIDENTIALITY), server.contains(AscRet::CONFIDENTIALITY)];
            assert_eq!(found, [confidentiality; 2], "row 59: {requirements:X}");
        }
        let asked = Handshake { client_requirements: 0, ..Handshake::default() };
        let old = ask::<C, ContextFlags>(&asked.run_against_an_old_server(), SECPKG_ATTR_FLAGS).unwrap();
        let none = IscRet::INTEGRITY | IscRet::CONFIDENTIALITY;
        assert!(!IscRet::from_bits_retain(old.flags).intersects(none), "row 59");
    }
    in_both_forms!(check);
}

// The attributes that Microsoft's page lists for NTLM, beyond the rows.
#[test]
fn times_and_names_of_a_context() {
    fn check<C: Form>() {
        let asked = Handshake { target: Some("HTTP/files.corp"), ..Handshake::default() };
        for context in asked.run() {
            let lifespan: ContextLifespan = ask::<C, _>(&context, SECPKG_ATTR_LIFESPAN).unwrap();
            // After the year 2020, and not after its own end.
            assert!(
                lifespan.start > 132_223_104_000_000_000 && lifespan.start < lifespan.expiry,
                "{lifespan:?}"
            );
            let never: ContextPasswordExpiry = ask::<C, _>(&context, SECPKG_ATTR_PASSWORD_EXPIRY).unwrap();
            assert_eq!(never.expiry, i64::MAX);
            let dce: ContextDceInfo = ask::<C, _>(&context, SECPKG_ATTR_DCE_INFO).unwrap();
            assert_eq!((dce.authorization_service, taken(dce.pac.cast::<C>()).as_str()), (1, r"CORP\alice"));
            let authority: ContextAuthority<C> = ask::<C, _>(&context, SECPKG_ATTR_AUTHORITY).unwrap();
            assert_eq!(taken(authority.authority_name), "CORP");
            let native: ContextNativeNames<C> = ask::<C, _>(&context, SECPKG_ATTR_NATIVE_NAMES).unwrap();
            let native = [taken(native.client_name), taken(native.server_name)];
            assert_eq!(native, [r"CORP\alice", "HTTP/files.corp"]);
            // In UTF-16 whatever the function.
            let target: ContextClientSpecifiedTarget =
                ask::<C, _>(&context, SECPKG_ATTR_CLIENT_SPECIFIED_TARGET).unwrap();
            assert_eq!(taken(target.target_name), "HTTP/files.corp");
            let last: ContextLastClientTokenStatus =
                ask::<C, _>(&context, SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS).unwrap();
            assert_eq!(last.status, 0);
        }
        for context in Handshake::default().half_done() {
            let last: ContextLastClientTokenStatus =
                ask::<C, _>(&context, SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS).unwrap();
            assert_eq!(last.status, 1);
        }
    }
    in_both_forms!(check);
}

#[test]
fn without_a_domain_there_is_no_authority_and_without_a_target_none_is_told() {
    fn check<C: Form>() {
        let alone = ["alice", "", "secret"];
        let [client, _] = Handshake { client: alone, account: alone, ..Handshake::default() }.run();
        let authority: ContextAuthority<C> = ask::<C, _>(&client, SECPKG_ATTR_AUTHORITY).unwrap();
        assert_eq!(taken(authority.authority_name), "");
        let target: ContextClientSpecifiedTarget =
            ask::<C, _>(&client, SECPKG_ATTR_CLIENT_SPECIFIED_TARGET).unwrap();
        assert!(target.target_name.is_null() || taken(target.target_name).is_empty());
    }
    in_both_forms!(check);
}

// The section on exports: the functions that take a size.
#[test]
fn an_answer_that_has_no_room_is_not_written() {
    fn check<C: Form>() {
        let [_, server] = Handshake::default().run();
        for attribute in ANSWERED {
            if cfg!(windows) && attribute == SECPKG_ATTR_ACCESS_TOKEN {
                continue;
            }
            // The least room that is enough.
            let enough = (0..=48).find(|room| {
                let mut answer = [0x55_u8; 48];
                let status =
                    unsafe { C::QUERY_EX(&raw const server, attribute, (&raw mut answer).cast(), *room) };
                if status != OK {
                    expect(status, BUFFER_TOO_SMALL);
                    assert_eq!(answer, [0x55; 48], "attribute {attribute}");
                }
                status == OK
            });
            let pointer = size_of::<usize>();
            let expected = match attribute {
                SECPKG_ATTR_SIZES | SECPKG_ATTR_LIFESPAN => 16,
                SECPKG_ATTR_FLAGS | SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS => 4,
                SECPKG_ATTR_PASSWORD_EXPIRY => 8,
                SECPKG_ATTR_KEY_INFO => size_of::<ContextKeyInfo<C>>(),
                SECPKG_ATTR_DCE_INFO
                | SECPKG_ATTR_SESSION_KEY
                | SECPKG_ATTR_NEGOTIATION_INFO
                | SECPKG_ATTR_NATIVE_NAMES => 2 * pointer,
                _ => pointer,
            };
            assert_eq!(enough.unwrap() as usize, expected, "attribute {attribute}");
            let status = unsafe { C::QUERY(&raw const server, attribute, null_mut()) };
            expect(status, INTERNAL_ERROR);
        }
    }
    in_both_forms!(check);
}

#[test]
fn before_the_handshake_has_ended_most_attributes_are_not_there() {
    fn check<C: Form>() {
        for context in Handshake::default().half_done() {
            for attribute in ANSWERED {
                let early = [
                    SECPKG_ATTR_PACKAGE_INFO,
                    SECPKG_ATTR_NEGOTIATION_INFO,
                    SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS,
                ];
                let expected = if early.contains(&attribute) { 0 } else { INVALID_HANDLE };
                let status = ask::<C, [usize; 6]>(&context, attribute).map_or_else(|status| status, |_| 0);
                expect(status, expected);
            }
        }
    }
    in_both_forms!(check);
}

#[cfg(not(windows))]
#[test]
fn the_access_token_is_the_server_s_and_is_closed_with_its_context() {
    use portable_sspi_capi::{CloseHandle, DeleteSecurityContext};

    const NO_IMPERSONATION: u32 = 0x8009_030B;
    fn check<C: Form>() {
        let [client, server] = Handshake::default().run();
        let ask = |context| ask::<C, ContextAccessToken>(context, SECPKG_ATTR_ACCESS_TOKEN);
        expect(ask(&client).unwrap_err(), NO_IMPERSONATION);
        let token = ask(&server).unwrap().token;
        assert!(!token.is_null());
        assert_eq!(ask(&server).unwrap().token, token, "one token for each context");
        assert_eq!(unsafe { DeleteSecurityContext(&raw const server) }, OK);
        assert_eq!(CloseHandle(token), 0, "it was closed");
    }
    in_both_forms!(check);
}
