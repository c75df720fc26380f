//! impacket, a Python package: the NTLM of its clients, and of its SMB server.

use std::sync::OnceLock;

use crate::peer::{
    ClientTraits, Found, Implementation, Mic, Protection, ServerBindings, ServerTraits, require,
};
use crate::python::{script, with_packages};
use crate::scenarios::scenarios;

fn peer() -> Option<&'static Implementation> {
    static PEER: OnceLock<Found> = OnceLock::new();
    require("impacket", PEER.get_or_init(find))
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

fn find() -> Found {
    let (command, version) =
        script(&with_packages(), "impacket_peer.py", &[], "what tests/interop/requirements.txt names")?;
    Ok(Implementation {
        name: "impacket",
        version,
        command,
        client: ClientTraits {
            mic: Mic::Never,
            spn: Some("HTTP/ours"),
            bindings: true,
            protection: Protection::Mixed,
        },
        server: ServerTraits {
            checks_mic: false,
            bindings: ServerBindings::Unknown,
            protection: Protection::SigningKeyOnly,
        },
    })
}
