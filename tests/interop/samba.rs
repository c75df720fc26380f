//! Samba: its helper `ntlm_auth` in both roles, and the library below it as a client that seals and signs, too. Needs the
//! Debian packages winbind and python3-samba. winbindd need not run.

use std::ffi::OsString;
use std::sync::OnceLock;

use crate::peer::{
    ClientTraits, Found, Implementation, Mic, Protection, ServerBindings, ServerTraits, require,
};
use crate::python::script;
use crate::scenarios::{TARGET_SPN, scenarios};

/// Authenticates only; programs that use it, such as Wine, seal and sign themselves, with the key that it gives.
mod ntlm_auth {
    use super::*;

    fn peer() -> Option<&'static Implementation> {
        static PEER: OnceLock<Found> = OnceLock::new();
        require("ntlm_auth", PEER.get_or_init(|| find("Samba `ntlm_auth`", &[], Protection::KeyOnly)))
    }

    scenarios! { peer:
        its_client_and_our_server,
        our_client_and_its_server,
        our_client_signing_without_sealing,
        its_client_with_a_wrong_password,
        our_client_with_a_wrong_password,
        its_client_and_the_mic,
        its_server_and_the_mic,
        its_client_and_channel_bindings,
        its_server_and_channel_bindings,
    }
}

/// A server of it needs a whole Samba with its account database.
mod gensec {
    use super::*;

    fn peer() -> Option<&'static Implementation> {
        static PEER: OnceLock<Found> = OnceLock::new();
        require("gensec", PEER.get_or_init(|| find("Samba `gensec`", &["gensec"], Protection::Mixed)))
    }

    scenarios! { peer:
        its_client_and_our_server,
        its_client_signing_without_sealing,
        its_client_with_a_wrong_password,
        its_client_and_the_mic,
        its_client_and_channel_bindings,
    }
}

fn find(name: &'static str, arguments: &[&str], protection: Protection) -> Found {
    // Debian's own Python first: its Samba module is for no other.
    let python = ["/usr/bin/python3", "python3"].map(OsString::from);
    let script = |python| script(python, "samba_peer.py", arguments, "winbind and python3-samba");
    let (command, version) = script(&python[0]).or_else(|_| script(&python[1]))?;
    Ok(Implementation {
        name,
        version,
        command,
        client: ClientTraits { mic: Mic::Always, spn: Some(TARGET_SPN), bindings: false, protection },
        server: ServerTraits { checks_mic: true, bindings: ServerBindings::Unknown, protection },
    })
}
