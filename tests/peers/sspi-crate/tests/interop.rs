//! NTLM against the `sspi` crate, in both roles: the same scenarios as with the peers of tests/interop/ of the root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how to fail"
)]
#![allow(dead_code, reason = "not each scenario, and not each trait of a peer, occurs here")]

#[path = "../../../interop/ours.rs"]
mod ours;
#[path = "../../../interop/peer.rs"]
mod peer;
#[path = "../../../interop/record.rs"]
mod record;
#[path = "../../../interop/scenarios.rs"]
mod scenarios;

use std::sync::OnceLock;

use peer::{ClientTraits, Found, Implementation, Mic, Protection, ServerBindings, ServerTraits, require};
use portable_sspi::Error;
use scenarios::{PASSWORD, client, scenarios};

fn peer() -> Option<&'static Implementation> {
    static PEER: OnceLock<Found> = OnceLock::new();
    require("sspi", PEER.get_or_init(find))
}

scenarios! { peer:
    its_client_and_our_server,
    our_client_and_its_server,
    its_client_signing_without_sealing,
    our_client_signing_without_sealing,
    its_client_with_a_wrong_password,
    our_client_with_a_wrong_password,
    its_client_and_the_mic,
    its_server_and_the_mic,
    its_client_and_channel_bindings,
    its_server_and_channel_bindings,
}

/// Why the scenarios don't mix sealing and signing: a signature does not count for the crate's next sealed message.
#[test]
fn sealing_after_signing_starts_again_at_its_own_count() {
    let Some(peer) = peer() else { return };
    let host = ours::Host::new();
    let (mut client, negotiate) = client(peer, PASSWORD, None);
    let mut server = host.accept(&mut client, &negotiate, None).unwrap();
    let mic = client.sign(b"message").unwrap();
    ours::verify(server.as_mut(), b"message", &mic).unwrap();
    let mut sealed = client.wrap(b"message").unwrap();
    assert_eq!(sealed[12..16], [0; 4], "the number of the first message, again");
    assert!(matches!(server.unwrap(&mut sealed), Err(Error::Peer(_))));
}

fn find() -> Found {
    Ok(Implementation {
        name: "`sspi` crate",
        version: locked_version(),
        command: vec![env!("CARGO_BIN_EXE_portable-sspi-peer-sspi").into()],
        client: ClientTraits {
            mic: Mic::Always,
            spn: None,
            bindings: true,
            protection: Protection::Separate,
        },
        server: ServerTraits {
            checks_mic: true,
            bindings: ServerBindings::RefusesOthersAndNone,
            protection: Protection::Separate,
        },
    })
}

/// The crate does not tell its version; what Cargo built with does.
fn locked_version() -> String {
    let lock = include_str!("../../../../Cargo.lock");
    let (_, after) = lock.split_once("name = \"sspi\"\nversion = \"").unwrap();
    after.split_once('"').unwrap().0.to_owned()
}
