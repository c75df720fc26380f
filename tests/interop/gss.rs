//! gss-ntlmssp, through GSSAPI. Needs the Debian packages gcc, pkg-config, libkrb5-dev and gss-ntlmssp, or what other
//! systems call them; `gss_peer.c` is compiled when the first test asks for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs, process};

use portable_sspi::Error;

use crate::ours::{Host, seal_both_ways, verify};
use crate::peer::{
    ClientTraits, Found, Implementation, Mic, PeerStep, Protection, ServerBindings, ServerTraits, require,
    tool_output,
};
use crate::scenarios::{
    DOMAIN, PASSWORD, TARGET, TARGET_SPN, USER, accounts_file, client, messages, scenarios,
};

/// `GSS_S_BAD_MECH`: the mechanism is not there.
const BAD_MECHANISM: u32 = 1 << 16;

pub(crate) fn peer() -> Option<&'static Implementation> {
    static PEER: OnceLock<Found> = OnceLock::new();
    require("gss-ntlmssp", PEER.get_or_init(find))
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

/// The peer against itself: what fails here is the environment or the driver, not this library.
#[test]
fn the_peer_talks_to_itself() {
    let Some(peer) = peer() else { return };
    let accounts = accounts_file();
    let mut client = peer.client();
    client.request(&["integ", "conf", "replay", "sequence"]);
    let negotiate = client.initiate(USER, DOMAIN, PASSWORD, TARGET).unwrap();
    let mut server = peer.server(accounts.path());
    let challenge = server.step(&negotiate).unwrap().token();
    let authenticate = client.step(&challenge).unwrap().token();
    assert_eq!(server.step(&authenticate).unwrap(), PeerStep::Done(None));

    assert_eq!(server.name(), r"CORP\alice");
    assert_eq!(server.key(), client.key());
    // It signs with sequence numbers, yet reports neither replay nor sequence detection.
    assert_eq!(server.flags(), ["integ", "conf"]);
    for message in messages() {
        let wrapped = client.wrap(&message).unwrap();
        // One byte encrypts to itself once in 256 sessions.
        assert!(message.len() < 8 || wrapped[16..] != message[..]);
        assert_eq!(server.unwrap(&wrapped).unwrap(), message);
        let mic = server.sign(&message).unwrap();
        client.verify(&message, &mic).unwrap();
    }
    let mic = client.sign(b"one").unwrap();
    assert!(server.verify(b"two", &mic).unwrap_err().is_bad_mic());
}

/// The peer's server refuses what ours must refuse; the scenarios with our client rest on that.
#[test]
fn the_peer_refuses_a_wrong_password_and_other_bindings() {
    let Some(peer) = peer() else { return };
    let accounts = accounts_file();
    for (password, bindings) in [("wrong", *b"same"), (PASSWORD, *b"else")] {
        let mut client = peer.client();
        client.bindings(b"same").unwrap();
        let negotiate = client.initiate(USER, DOMAIN, password, TARGET).unwrap();
        let mut server = peer.server(accounts.path());
        server.bindings(&bindings).unwrap();
        let challenge = server.step(&negotiate).unwrap().token();
        let authenticate = client.step(&challenge).unwrap().token();
        let error = server.step(&authenticate).unwrap_err();
        assert_ne!(error.major, 0, "the mechanism refuses, not the driver: {error:?}");
    }
}

#[test]
fn what_was_changed_on_the_way_is_refused_and_the_conversation_goes_on() {
    let Some(peer) = peer() else { return };
    let host = Host::new();
    let (mut client, negotiate) = client(peer, PASSWORD, None);
    let mut server = host.accept(&mut client, &negotiate, None).unwrap();
    let wrapped = client.wrap(b"a message").unwrap();
    for index in [0, 4, 11, 12, 16, wrapped.len() - 1] {
        let mut changed = wrapped.clone();
        changed[index] ^= 1;
        let unchanged = changed.clone();
        assert!(matches!(server.unwrap(&mut changed), Err(Error::Peer(_))), "byte {index}");
        assert_eq!(changed, unchanged, "no plaintext is left behind");
    }
    assert_eq!(server.unwrap(&mut wrapped.clone()).unwrap(), b"a message");
    assert!(server.unwrap(&mut wrapped.clone()).is_err(), "a replay");
    let mic = client.sign(b"another").unwrap();
    assert!(verify(server.as_mut(), b"Another", &mic).is_err());
    verify(server.as_mut(), b"another", &mic).unwrap();
    seal_both_ways(server.as_mut(), &mut client);
}

fn find() -> Found {
    let peer = Implementation {
        name: "gss-ntlmssp",
        version: installed_version(),
        command: vec![build()?.into()],
        client: ClientTraits {
            mic: Mic::OnRequest,
            spn: Some(TARGET_SPN),
            bindings: true,
            protection: Protection::Mixed,
        },
        server: ServerTraits {
            checks_mic: true,
            bindings: ServerBindings::RefusesOthers,
            protection: Protection::Mixed,
        },
    };
    match peer.client().initiate("probe", "", "probe", "") {
        Err(error) if error.major == BAD_MECHANISM => {
            Err(format!("GSSAPI has no NTLMSSP mechanism ({}); install gss-ntlmssp", error.text))
        }
        // Any other failure is for the tests to find.
        _ => Ok(peer),
    }
}

/// The library does not tell its version; Debian does.
fn installed_version() -> String {
    let version = tool_output(Command::new("dpkg-query").args([
        "-W",
        "-f",
        "${source:Upstream-Version}",
        "gss-ntlmssp",
    ]));
    version.unwrap_or_else(|_| "unknown".into())
}

fn build() -> Result<PathBuf, String> {
    let flags = tool_output(Command::new("pkg-config").args(["--cflags", "--libs", "mit-krb5-gssapi"]))
        .or_else(|_| tool_output(Command::new("krb5-config").args(["--cflags", "--libs", "gssapi"])))
        .map_err(|problem| {
            format!("the GSSAPI headers are not found ({problem}); install libkrb5-dev and pkg-config")
        })?;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/gss_peer.c");
    // Two runs at once must not see each other's half-written program: rename is atomic.
    let unfinished = directory.join(format!("gss_peer.{}", process::id()));
    let finished = directory.join("gss_peer");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let compilation = Command::new(&compiler)
        .args(["-std=c99", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&unfinished)
        .arg(&source)
        .args(flags.split_whitespace())
        .output()
        .map_err(|error| format!("{compiler} cannot be run ({error}); install gcc"))?;
    // The compiler runs and refuses our own source: that is a defect of the test, not a missing package.
    assert!(
        compilation.status.success(),
        "gss_peer.c does not compile:\n{}",
        String::from_utf8_lossy(&compilation.stderr)
    );
    fs::rename(&unfinished, &finished).unwrap();
    Ok(finished)
}
