//! pyspnego, a Python package that implements NTLM itself.

use std::sync::OnceLock;

use crate::peer::{
    ClientTraits, Found, Implementation, Mic, Protection, ServerBindings, ServerTraits, require,
};
use crate::python::{script, with_packages};
use crate::scenarios::{TARGET_SPN, scenarios};

fn peer() -> Option<&'static Implementation> {
    static PEER: OnceLock<Found> = OnceLock::new();
    require("pyspnego", PEER.get_or_init(find))
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
        script(&with_packages(), "pyspnego_peer.py", &[], "what tests/interop/requirements.txt names")?;
    Ok(Implementation {
        name: "pyspnego",
        version,
        command,
        client: ClientTraits {
            mic: Mic::Always,
            spn: Some(TARGET_SPN),
            bindings: true,
            protection: Protection::Mixed,
        },
        server: ServerTraits {
            checks_mic: true,
            bindings: ServerBindings::RefusesOthers,
            protection: Protection::Mixed,
        },
    })
}
