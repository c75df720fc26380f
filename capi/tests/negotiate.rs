//! The package Negotiate, as far as its name and package lists go: SPNEGO itself is not there yet. The rows are those of the
//! reference on what programs observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

mod common;

use common::contexts::converse;
use common::forms::*;
use common::*;
use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const CONTINUE: u32 = CONTINUE_NEEDED as u32;

const WAY: [Way; 2] =
    [Way { form: Form::A, package: "Negotiate" }, Way { form: Form::W, package: "Negotiate" }];

/// Credentials of a client, alice, with this package list.
fn with_list(form: Form, packages: Option<&str>) -> SecHandle {
    form.acquire("Negotiate", OUTBOUND, Some(&Given::ex(form, Parts { packages, ..ALICE }))).unwrap()
}

/// The name and the capabilities in a `SecPkgInfo`, which is freed.
fn package(form: Form, info: *mut SecPkgInfo<u8>) -> (String, u32) {
    let found = unsafe { *info };
    let name = form.read(found.name.cast_const().cast());
    status(unsafe { FreeContextBuffer(info.cast()) } as u32, 0, "FreeContextBuffer");
    (name, found.capabilities)
}

/// PACKAGE_INFO.
fn package_info(form: Form, context: &SecHandle) -> (String, u32) {
    let mut info = core::ptr::null_mut();
    status(form.query(context, 10, &mut info), 0, format_args!("PACKAGE_INFO, {form:?}"));
    package(form, info)
}

/// NEGOTIATION_INFO: the package and the state.
fn negotiation_info(form: Form, context: &SecHandle) -> ((String, u32), u32) {
    #[repr(C)]
    struct Info {
        package: *mut SecPkgInfo<u8>,
        state: u32,
    }
    let mut info = Info { package: core::ptr::null_mut(), state: u32::MAX };
    status(form.query(context, 12, &mut info), 0, format_args!("NEGOTIATION_INFO, {form:?}"));
    (package(form, info.package), info.state)
}

// The row is about SPNEGO; that part waits for it. With the package list NTLM, the rest can be seen. What a server with default
// credentials says is told in environment.rs: here it has no accounts.
#[test]
fn row_45_negotiate_on_both_sides_as_far_as_a_list_leads() {
    for way in WAY {
        let (credential, server) = (with_list(way.form, Some("NTLM")), way.server(ALICE));
        let mut client = Peer::client(way, credential);
        client.requirements = 0;
        let mut server = Peer::server(way, server);
        let (said, negotiate) = client.step(&[]);
        status(said, CONTINUE, format_args!("row 45: {way:?}"));
        let (said, mut challenge) = server.step(&negotiate);
        status(said, CONTINUE, format_args!("row 45: {way:?}"));
        let (context, inputs) = (client.context(), [buffer(&mut challenge, SECBUFFER_TOKEN)]);
        let leg = Leg {
            credential: None,
            context: Some(&context),
            in_place: true,
            input: Some(&inputs),
            ..way.leg(&credential)
        };
        let (answer, authenticate) = leg.give();
        status(answer.status, 0, format_args!("row 45: {way:?}"));
        status(server.step(&authenticate).0, 0, format_args!("row 45: {way:?}"));
        let sides = [context, server.context()].map(|context| {
            let mut sizes = [0_u32; 4];
            status(way.form.query(&context, 0, &mut sizes), 0, format_args!("row 45: {way:?}"));
            (sizes, negotiation_info(way.form, &context))
        });
        assert_eq!(sides[0], ([2888, 16, 0, 16], (("NTLM".to_owned(), 0x2B37), 0)), "row 45: {way:?}");
        assert_eq!(sides[0], sides[1], "row 45: {way:?}");
    }
}

#[test]
fn row_46_the_list_ntlm_is_ntlm_without_spnego() {
    for way in WAY {
        for list in ["NTLM", "ntlm"] {
            let mut client = Peer::client(way, with_list(way.form, Some(list)));
            let mut server = Peer::server(way, way.server(ALICE));
            let (said, negotiate) = client.step(&[]);
            status(said, CONTINUE, format_args!("row 46: {way:?}"));
            assert!(negotiate.starts_with(b"NTLMSSP\0\x01"), "row 46: {way:?}");
            let (said, challenge) = server.step(&negotiate);
            status(said, CONTINUE, format_args!("row 46: {way:?}"));
            assert!(challenge.starts_with(b"NTLMSSP\0\x02"), "row 46: {way:?}");
            let (said, mut authenticate) = client.step(&challenge);
            status(said, 0, format_args!("row 46: the client's second call, {way:?}"));
            assert!(authenticate.starts_with(b"NTLMSSP\0\x03"), "row 46: {way:?}");
            let (context, inputs) = (server.context(), [buffer(&mut authenticate, SECBUFFER_TOKEN)]);
            let leg = Leg {
                is_server: true,
                context: Some(&context),
                in_place: true,
                input: Some(&inputs),
                ..way.leg(&server.credential)
            };
            let said = leg.call(None).status;
            status(said, 0, format_args!("row 46: the server's second call, no output, {way:?}"));
            converse(&client.context(), &context);
        }
    }
}

// To be replaced by what the two rows say, when there is SPNEGO: until then it is refused, and not answered by something else.
#[test]
fn rows_45_and_47_wait_for_spnego() {
    for way in WAY {
        for list in [None, Some(""), Some("!Kerberos"), Some("!kerberos"), Some("Kerberos,NTLM")] {
            let said = way.leg(&with_list(way.form, list)).give().0.status;
            status(said, UNSUPPORTED_FUNCTION, format_args!("row 47: {list:?}, {way:?}"));
        }
        // The beginnings of a NegTokenInit, with GSS-API's frame and without, and of a NegTokenResp; and no token, on which the
        // server begins.
        let server = way.server(ALICE);
        for token in
            [&b"\x60\x48\x06\x06\x2B\x06\x01\x05\x05\x02\xA0\x3E"[..], b"\xA0\x3E\x30", b"\xA1\x07\x30", b""]
        {
            let mut token = token.to_vec();
            let inputs = [buffer(&mut token, SECBUFFER_TOKEN)];
            let leg = Leg { is_server: true, input: Some(&inputs), ..way.leg(&server) };
            status(leg.give().0.status, UNSUPPORTED_FUNCTION, format_args!("row 47: {token:02X?}, {way:?}"));
        }
    }
}

#[test]
fn row_48_a_list_with_nothing_usable() {
    for way in WAY {
        for list in ["NegoExtender", "Kerberos", "!NTLM", "!ntlm,!kerberos"] {
            let given = Given::ex(way.form, Parts { packages: Some(list), ..ALICE });
            let nobody = Given::ex(way.form, Parts { packages: Some(list), ..Parts::default() });
            for given in [given, nobody] {
                let client = way.form.acquire("Negotiate", OUTBOUND, Some(&given)).unwrap();
                let answer = way.leg(&client).give().0;
                status(answer.status, NO_CREDENTIALS, format_args!("row 48: {list}, {way:?}"));
                let server = way.form.acquire("Negotiate", INBOUND, Some(&given)).unwrap();
                let mut negotiate = way.leg(&with_list(way.form, Some("NTLM"))).give().1;
                let inputs = [buffer(&mut negotiate, SECBUFFER_TOKEN)];
                let leg = Leg { is_server: true, input: Some(&inputs), ..way.leg(&server) };
                let said = leg.give().0.status;
                status(said, NO_CREDENTIALS, format_args!("row 48: {list}, a server, {way:?}"));
            }
        }
    }
}

#[test]
fn row_49_one_side_negotiate_and_the_other_ntlm() {
    for form in FORMS {
        let (ntlm, negotiate) = (Way { form, package: "NTLM" }, Way { form, package: "Negotiate" });
        for (of_client, of_server) in [(ntlm, negotiate), (negotiate, ntlm)] {
            let mut client = Peer::client(of_client, of_client.client(ALICE));
            let mut server = Peer::server(of_server, of_server.server(ALICE));
            status(log_on(&mut client, &mut server), 0, format_args!("row 49: {of_client:?}, {of_server:?}"));
            converse(&client.context(), &server.context());
            converse(&server.context(), &client.context());
            let expected = ("NTLM".to_owned(), 0x2B37);
            for context in [client.context(), server.context()] {
                assert_eq!(package_info(form, &context), expected, "row 49: {of_client:?}, {of_server:?}");
            }
        }
    }
}
