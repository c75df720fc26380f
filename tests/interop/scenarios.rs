//! What is run with every peer. What a peer lacks is asserted too, by its traits; so is the laxer policy that it needs.

use std::path::Path;

use portable_sspi::ntlm::ServerPolicy;
use portable_sspi::{AscReq, ChannelBindings, DenialReason, Error, IscReq, SecurityContext};

use crate::ours::{Host, LoggedOn, Logon, seal_both_ways, sign_both_ways};
use crate::peer::{Implementation, Mic, Peer, PeerError, PeerStep, Protection, ServerBindings};
use crate::record::{Role, noted, proven};

pub(crate) const USER: &str = "alice";
pub(crate) const DOMAIN: &str = "CORP";
pub(crate) const PASSWORD: &str = "opensesame";
pub(crate) const TARGET: &str = "HTTP@srv.corp.example";
/// The same as Windows writes it.
pub(crate) const TARGET_SPN: &str = "HTTP/srv.corp.example";
/// Of a client.
pub(crate) const NO_BINDINGS: &str =
    "knows no channel bindings: where the server has some, it needs `ALLOW_MISSING_BINDINGS`";
pub(crate) const FULL_NAME: &str = r"CORP\alice";

/// The scenarios as tests of a module, with a peer that `$peer` finds: `fn() -> Option<&'static Implementation>`.
macro_rules! scenarios {
    ($peer:path: $($scenario:ident),+ $(,)?) => {
        $(
            #[test]
            fn $scenario() {
                if let Some(peer) = $peer() {
                    crate::scenarios::$scenario(peer);
                }
            }
        )+
    };
}
pub(crate) use scenarios;

/// What travels: one byte, and lengths around the sizes that implementations treat in one piece.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    // Not the empty message: gss-ntlmssp refuses to protect it.
    [1, 15, 16, 17, 255, 256, 1000, 65_536]
        .map(|length| (0..length).map(|index| (index % 251) as u8).collect())
        .to_vec()
}

/// A file of the accounts that a peer in the role of a server knows.
pub(crate) fn accounts_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{DOMAIN}:{USER}:{PASSWORD}\n")).unwrap();
    file
}

/// A client that has made its NEGOTIATE_MESSAGE, and will send a MIC if it can.
pub(crate) fn client(
    peer: &Implementation,
    password: &str,
    bindings: Option<&ChannelBindings>,
) -> (Peer, Vec<u8>) {
    let mut client = peer.client();
    if let Some(bindings) = bindings {
        client.bindings(&bindings.application_data).unwrap();
    }
    let negotiate = client.initiate(USER, DOMAIN, password, TARGET).unwrap();
    if peer.client.mic == Mic::OnRequest {
        client.protect_by_mic().unwrap();
    }
    (client, negotiate)
}

/// Our server, no laxer than the peer's client needs.
fn server_for(peer: &Implementation) -> Host {
    Host::with_policy(ServerPolicy { require_mic: peer.client.mic != Mic::Never, ..ServerPolicy::default() })
}

/// Our client, asking for no more than the peer's server can do.
fn logon_to(peer: &Implementation) -> Logon<'static> {
    match peer.server.protection {
        Protection::SigningKeyOnly => Logon { requirements: IscReq::INTEGRITY, ..Logon::default() },
        _ => Logon::default(),
    }
}

pub(crate) fn its_client_and_our_server(peer: &Implementation) {
    let host = server_for(peer);
    let (mut client, negotiate) = client(peer, PASSWORD, None);
    let mut server = host.accept(&mut client, &negotiate, None).unwrap();
    assert_eq!(server.names().user_name, FULL_NAME);
    assert_eq!(server.target(), peer.client.spn);
    assert_eq!(client.key(), server.session_key().expose());
    let seen = |what| proven(peer.name, &peer.version, Role::Client, what);
    protect(server.as_mut(), &mut client, peer.client.protection);
    let mut server = host.hand_over(server);
    assert_eq!(server.names().user_name, FULL_NAME);
    assert_eq!(client.key(), server.session_key().expose());
    protect(server.as_mut(), &mut client, peer.client.protection);
    seen("names");
    seen("session key");
    record_protection(peer, Role::Client, peer.client.protection);
    match peer.client.spn {
        Some(TARGET_SPN) => seen("SPN"),
        Some(spn) => noted(
            peer.name,
            &peer.version,
            Role::Client,
            &format!("asks for the SPN `{spn}`, not for the one it was told"),
        ),
        None => noted(peer.name, &peer.version, Role::Client, "names no SPN"),
    }
}

pub(crate) fn our_client_and_its_server(peer: &Implementation) {
    let (host, accounts) = (Host::new(), accounts_file());
    let (mut server, client, done) = log_on(&host, peer, accounts.path(), &logon_to(peer)).unwrap();
    assert_eq!(done.unwrap(), PeerStep::Done(None));
    let mut client = client;
    assert_eq!(server.name(), FULL_NAME);
    assert_eq!(server.key(), client.session_key().expose());
    protect(client.as_mut(), &mut server, peer.server.protection);
    let mut client = host.hand_over(client);
    assert_eq!(server.key(), client.session_key().expose());
    protect(client.as_mut(), &mut server, peer.server.protection);
    let seen = |what| proven(peer.name, &peer.version, Role::Server, what);
    seen("names");
    seen("session key");
    record_protection(peer, Role::Server, peer.server.protection);
}

/// A context of its own, in which nothing is sealed.
pub(crate) fn its_client_signing_without_sealing(peer: &Implementation) {
    if !matches!(peer.client.protection, Protection::Mixed | Protection::Separate) {
        return;
    }
    let host = server_for(peer);
    let (mut client, negotiate) = client(peer, PASSWORD, None);
    let mut server = host.accept(&mut client, &negotiate, None).unwrap();
    sign_both_ways(server.as_mut(), &mut client);
    let mut server = host.hand_over(server);
    sign_both_ways(server.as_mut(), &mut client);
    proven(peer.name, &peer.version, Role::Client, "signing");
}

/// Our client asks for signing only.
pub(crate) fn our_client_signing_without_sealing(peer: &Implementation) {
    let (host, accounts) = (Host::new(), accounts_file());
    let integrity = Logon { requirements: IscReq::INTEGRITY, ..Logon::default() };
    let mut server = peer.server(accounts.path());
    match peer.server.protection {
        Protection::Mixed | Protection::Separate => {
            let (mut client, done) = host.log_on_to(&mut server, &integrity).unwrap();
            done.unwrap();
            sign_both_ways(client.as_mut(), &mut server);
            assert!(client.wrap(b"message").is_err(), "sealing was not negotiated");
            let mut client = host.hand_over(client);
            sign_both_ways(client.as_mut(), &mut server);
            proven(peer.name, &peer.version, Role::Server, "signing");
        }
        Protection::KeyOnly => {
            server.request(&["integ"]);
            let (client, done) = host.log_on_to(&mut server, &integrity).unwrap();
            done.unwrap();
            assert_eq!(server.key(), client.session_key().expose());
            assert_eq!(server.flags(), ["integ"]);
        }
        Protection::SigningKeyOnly => {
            let error = host.log_on_to(&mut server, &Logon::default()).unwrap_err();
            assert!(matches!(error, Error::Peer(_)), "our client does not go on without sealing: {error:?}");
        }
    }
}

pub(crate) fn its_client_with_a_wrong_password(peer: &Implementation) {
    let (mut client, negotiate) = client(peer, "wrong", None);
    let error = server_for(peer).accept(&mut client, &negotiate, None).unwrap_err();
    assert_eq!(denial(&error), DenialReason::BadNtResponse);
    proven(peer.name, &peer.version, Role::Client, "wrong password refused");
}

pub(crate) fn our_client_with_a_wrong_password(peer: &Implementation) {
    let (host, accounts) = (Host::new(), accounts_file());
    let wrong = Logon { password: "wrong", ..logon_to(peer) };
    let (_, _, done) = log_on(&host, peer, accounts.path(), &wrong).unwrap();
    let error = done.unwrap_err();
    assert_ne!(error.major, 0, "the mechanism refuses, not the driver");
    proven(peer.name, &peer.version, Role::Server, "wrong password refused");
}

/// A client without MIC is refused, unless our server is told otherwise.
pub(crate) fn its_client_and_the_mic(peer: &Implementation) {
    if peer.client.mic != Mic::Never {
        let (mut client, negotiate) = client(peer, PASSWORD, None);
        Host::new().accept(&mut client, &negotiate, None).unwrap();
        proven(peer.name, &peer.version, Role::Client, "MIC");
    }
    if peer.client.mic == Mic::Always {
        return;
    }
    for (require_mic, admitted) in [(true, false), (false, true)] {
        let host = Host::with_policy(ServerPolicy { require_mic, ..ServerPolicy::default() });
        let mut client = peer.client();
        let negotiate = client.initiate(USER, DOMAIN, PASSWORD, TARGET).unwrap();
        match host.accept(&mut client, &negotiate, None) {
            Ok(mut server) => {
                assert!(admitted);
                protect(server.as_mut(), &mut client, peer.client.protection);
            }
            Err(error) => {
                assert!(!admitted, "{error:?}");
                assert_eq!(denial(&error), DenialReason::MicMissing);
            }
        }
    }
    let note = match peer.client.mic {
        Mic::OnRequest => "sends a MIC below SPNEGO only; as raw NTLM it needs `require_mic: false`",
        _ => "sends no MIC: needs `require_mic: false`",
    };
    noted(peer.name, &peer.version, Role::Client, note);
}

/// One bit of our MIC is turned over on the way.
pub(crate) fn its_server_and_the_mic(peer: &Implementation) {
    let (host, accounts) = (Host::new(), accounts_file());
    let changed = Logon { on_the_way: |authenticate| authenticate[72] ^= 1, ..logon_to(peer) };
    let (_, _, done) = log_on(&host, peer, accounts.path(), &changed).unwrap();
    assert_eq!(done.is_err(), peer.server.checks_mic, "{done:?}");
    match done {
        Err(_) => proven(peer.name, &peer.version, Role::Server, "MIC"),
        Ok(_) => noted(peer.name, &peer.version, Role::Server, "does not check the MIC"),
    }
}

pub(crate) fn its_client_and_channel_bindings(peer: &Implementation) {
    let (mut host, [ours, others]) = (server_for(peer), bindings());
    if !peer.client.bindings {
        assert_eq!(peer.client().bindings(&ours.application_data).unwrap_err().major, 0);
    }
    for (theirs, fits) in [(Some(&ours), true), (Some(&others), false), (None, false)] {
        if theirs.is_some() && !peer.client.bindings {
            continue;
        }
        let (mut client, negotiate) = client(peer, PASSWORD, theirs);
        match host.accept(&mut client, &negotiate, Some(&ours)) {
            Ok(mut server) => {
                assert!(fits, "{theirs:?}");
                protect(server.as_mut(), &mut client, peer.client.protection);
            }
            Err(error) => {
                assert!(!fits, "{error:?}");
                let expected = match theirs {
                    Some(_) => DenialReason::ChannelBindingsMismatch,
                    None => DenialReason::ChannelBindingsMissing,
                };
                assert_eq!(denial(&error), expected);
            }
        }
    }
    host.server_requirements = AscReq::ALLOW_MISSING_BINDINGS;
    let (mut client, negotiate) = client(peer, PASSWORD, None);
    host.accept(&mut client, &negotiate, Some(&ours)).unwrap();
    if peer.client.bindings {
        proven(peer.name, &peer.version, Role::Client, "channel bindings");
    } else {
        noted(peer.name, &peer.version, Role::Client, NO_BINDINGS);
    }
}

pub(crate) fn its_server_and_channel_bindings(peer: &Implementation) {
    let (host, accounts, [theirs, others]) = (Host::new(), accounts_file(), bindings());
    if peer.server.bindings == ServerBindings::Unknown {
        let mut server = peer.server(accounts.path());
        assert_eq!(server.bindings(&theirs.application_data).unwrap_err().major, 0);
        noted(peer.name, &peer.version, Role::Server, "knows no channel bindings");
        return;
    }
    let none_fits = peer.server.bindings == ServerBindings::RefusesOthers;
    for (ours, fits) in [(Some(&theirs), true), (Some(&others), false), (None, none_fits)] {
        let mut server = peer.server(accounts.path());
        server.bindings(&theirs.application_data).unwrap();
        let logon = Logon { bindings: ours, ..logon_to(peer) };
        let (mut client, done) = host.log_on_to(&mut server, &logon).unwrap();
        assert_eq!(done.is_ok(), fits, "{ours:?}: {done:?}");
        if fits {
            protect(client.as_mut(), &mut server, peer.server.protection);
        }
    }
    proven(peer.name, &peer.version, Role::Server, "channel bindings");
    if none_fits {
        let note = "admits a client without channel bindings, though it has some itself";
        noted(peer.name, &peer.version, Role::Server, note);
    }
}

pub(crate) fn bindings() -> [ChannelBindings; 2] {
    [0xAB, 0xCD].map(|byte| ChannelBindings::tls_server_end_point(&[byte; 32]))
}

pub(crate) fn denial(error: &Error) -> DenialReason {
    match error {
        Error::LogonDenied(denied) => denied.audit_reason(),
        error => panic!("{error:?}"),
    }
}

type Both = (Peer, Box<dyn SecurityContext>, Result<PeerStep, PeerError>);

fn log_on(host: &Host, peer: &Implementation, accounts: &Path, logon: &Logon<'_>) -> Result<Both, Error> {
    let mut server = peer.server(accounts);
    let (client, done): LoggedOn = host.log_on_to(&mut server, logon)?;
    Ok((server, client, done))
}

/// Whatever the peer can do with messages.
fn protect(ours: &mut dyn SecurityContext, peer: &mut Peer, protection: Protection) {
    match protection {
        Protection::Mixed => {
            seal_both_ways(ours, peer);
            sign_both_ways(ours, peer);
            seal_both_ways(ours, peer);
        }
        Protection::Separate => seal_both_ways(ours, peer),
        Protection::KeyOnly => {
            assert_eq!(peer.wrap(b"message").unwrap_err().major, 0);
            assert_eq!(peer.flags(), ["integ", "conf"]);
        }
        Protection::SigningKeyOnly => {
            assert_eq!(peer.wrap(b"message").unwrap_err().major, 0);
            assert!(ours.wrap(b"message").is_err(), "sealing was not negotiated");
        }
    }
}

fn record_protection(peer: &Implementation, role: Role, protection: Protection) {
    match protection {
        Protection::Mixed => proven(peer.name, &peer.version, role, "sealing"),
        Protection::Separate => {
            proven(peer.name, &peer.version, role, "sealing");
            noted(
                peer.name,
                &peer.version,
                role,
                "one context either seals or signs: it counts the two separately",
            );
        }
        Protection::KeyOnly => {
            noted(
                peer.name,
                &peer.version,
                role,
                "no sealing and signing: it leaves them to its caller, whom it gives the key",
            );
        }
        Protection::SigningKeyOnly => noted(
            peer.name,
            &peer.version,
            role,
            "does not negotiate sealing, and signs by other means with the session key",
        ),
    }
    proven(peer.name, &peer.version, role, "hand-over");
}
