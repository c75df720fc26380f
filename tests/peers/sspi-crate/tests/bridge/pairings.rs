//! The same scenarios for all four pairings of this library's NTLM and the crate's, each behind the crate's traits.

use portable_sspi::sspi_crate;
use sspi::{ClientRequestFlags, ErrorKind, Sspi};

use crate::conversation::*;

/// The MIC's place in the AUTHENTICATE is fixed, [MS-NLMP] 2.2.1.3.
fn damage_the_mic(authenticate: &mut [u8]) {
    authenticate[72] ^= 1;
}

/// A bit of the domain's name, which the MIC covers and the response does too.
fn damage_the_names(authenticate: &mut [u8]) {
    let offset = u32::from_le_bytes(authenticate[32..36].try_into().unwrap());
    authenticate[usize::try_from(offset).unwrap()] ^= 1;
}

fn sealed_both_ways<C: Implementation, S: Implementation>() {
    let (mut client, mut server) = established::<C, S>(&Scenario::default()).unwrap();
    assert_eq!(
        client.query_context_session_key().unwrap().session_key,
        server.query_context_session_key().unwrap().session_key,
    );
    let name = server.query_context_names().unwrap().username;
    assert_eq!(name.account_name(), USER);
    assert_eq!(name.inner(), format!(r"{DOMAIN}\{USER}"));
    seal_all(&mut client, &mut server);
    seal_all(&mut server, &mut client);
}

fn signed_both_ways<C: Implementation, S: Implementation>() {
    let integrity = Scenario { requirements: ClientRequestFlags::INTEGRITY, ..Scenario::default() };
    let (mut client, mut server) = established::<C, S>(&integrity).unwrap();
    for (number, message) in (0..).zip(messages()) {
        let token = sign(&mut client, &message, number);
        verify(&mut server, &message, &token, number).unwrap();
        let token = sign(&mut server, &message, number);
        verify(&mut client, &message, &token, number).unwrap();
    }
    let mut token = sign(&mut client, b"message", 8);
    token[5] ^= 1;
    let error = verify(&mut server, b"message", &token, 8).unwrap_err();
    assert_eq!(error.error_type, ErrorKind::MessageAltered);
}

fn a_changed_message_is_noticed<C: Implementation, S: Implementation>() {
    let (mut client, mut server) = established::<C, S>(&Scenario::default()).unwrap();
    let (token, mut data) = seal(&mut client, b"a message");
    data[3] ^= 1;
    let error = unseal(&mut server, &token, &data).unwrap_err();
    assert_eq!(error.error_type, ErrorKind::MessageAltered);
}

fn the_mic_is_checked<C: Implementation, S: Implementation>() {
    for on_the_way in [damage_the_mic, damage_the_names] {
        let damaged = Scenario { on_the_way, ..Scenario::default() };
        let error = established::<C, S>(&damaged).map(|_| ()).unwrap_err();
        assert_eq!(error.error_type, ErrorKind::LogonDenied);
    }
}

fn channel_bindings_are_compared<C: Implementation, S: Implementation>() {
    let one: &[u8] = b"tls-server-end-point:one";
    let same = Scenario { client_bindings: Some(one), server_bindings: Some(one), ..Scenario::default() };
    let (mut client, mut server) = established::<C, S>(&same).unwrap();
    seal_all(&mut client, &mut server);
    let other = Scenario { client_bindings: Some(b"tls-server-end-point:two"), ..same };
    assert!(established::<C, S>(&other).is_err());
}

/// Programs that speak DCE RPC ask for nothing else, and seal.
fn dce_style_seals<C: Implementation, S: Implementation>() {
    let dce = Scenario { requirements: ClientRequestFlags::USE_DCE_STYLE, ..Scenario::default() };
    let (mut client, mut server) = established::<C, S>(&dce).unwrap();
    seal_all(&mut client, &mut server);
    seal_all(&mut server, &mut client);
}

/// Where this library is the server.
fn missing_channel_bindings_are_refused<C: Implementation, S: Implementation>() {
    let missing = Scenario { server_bindings: Some(b"tls-server-end-point:one"), ..Scenario::default() };
    let error = established::<C, S>(&missing).map(|_| ()).unwrap_err();
    assert_eq!(error.error_type, ErrorKind::LogonDenied);
}

/// Where this library is the server.
fn a_wrong_password_is_refused<C: Implementation, S: Implementation>() {
    for client_password in ["opensesamE", "", " "] {
        let wrong = Scenario { client_password, ..Scenario::default() };
        let error = established::<C, S>(&wrong).map(|_| ()).unwrap_err();
        assert_eq!(error.error_type, ErrorKind::LogonDenied);
        // Also where no message will be protected, and where the server learns the password afterwards.
        let wrong = Scenario { requirements: ClientRequestFlags::empty(), ..wrong };
        let error = established::<C, S>(&wrong).map(|_| ()).unwrap_err();
        assert_eq!(error.error_type, ErrorKind::LogonDenied);
        let error = looked_up::<C, S>(&wrong, &[PASSWORD]).map(|_| ()).unwrap_err();
        assert_eq!(error.error_type, ErrorKind::LogonDenied);
    }
}

/// As the crate's servers of CredSSP do: the password is looked up by the name that the client claims.
fn looked_up<C: Implementation, S: Implementation>(
    scenario: &Scenario<'_>,
    passwords: &[&str],
) -> Result<(C, S), sspi::Error> {
    let (mut client, mut server) = (C::default(), S::default());
    let authenticate = authenticate(&mut client, &mut server, scenario);
    let (status, _) = accept(&mut server, &mut None, &authenticate)?;
    assert_eq!(status, sspi::SecurityStatus::CompleteNeeded);
    let name = server.query_context_names().unwrap().username;
    assert_eq!(name.inner(), format!(r"{DOMAIN}\{USER}"));
    let candidates = passwords.iter().map(|password| identity(name.account_name(), password)).collect();
    server.custom_set_auth_identities(candidates)?;
    assert_eq!(server.complete_auth_token(&mut [])?, sspi::SecurityStatus::Ok);
    // A second time it is done already.
    assert_eq!(server.complete_auth_token(&mut [])?, sspi::SecurityStatus::Ok);
    Ok((client, server))
}

fn the_password_may_come_afterwards<C: Implementation, S: Implementation>() {
    // The old password and the new one, as while it is being changed.
    for passwords in [&[PASSWORD][..], &["old", PASSWORD], &[PASSWORD, "new"]] {
        let (mut client, mut server) = looked_up::<C, S>(&Scenario::default(), passwords).unwrap();
        seal_all(&mut client, &mut server);
        seal_all(&mut server, &mut client);
    }
}

macro_rules! pairing {
    ($name:ident: $client:ty, $server:ty: $($scenario:ident),+ $(,)?) => {
        mod $name {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario::<$client, $server>();
                }
            )+
        }
    };
}

pairing! { ours_and_ours: crate::pairings::Ours, crate::pairings::Ours:
    sealed_both_ways, signed_both_ways, a_changed_message_is_noticed, the_mic_is_checked, channel_bindings_are_compared, dce_style_seals,
    missing_channel_bindings_are_refused, a_wrong_password_is_refused, the_password_may_come_afterwards,
}
pairing! { theirs_and_ours: sspi::Ntlm, crate::pairings::Ours:
    sealed_both_ways, signed_both_ways, a_changed_message_is_noticed, the_mic_is_checked, channel_bindings_are_compared, dce_style_seals,
    missing_channel_bindings_are_refused, a_wrong_password_is_refused, the_password_may_come_afterwards,
}
pairing! { ours_and_theirs: crate::pairings::Ours, sspi::Ntlm:
    sealed_both_ways, signed_both_ways, a_changed_message_is_noticed, the_mic_is_checked, channel_bindings_are_compared, dce_style_seals,
    the_password_may_come_afterwards,
}
pairing! { theirs_and_theirs: sspi::Ntlm, sspi::Ntlm:
    sealed_both_ways, signed_both_ways, a_changed_message_is_noticed, the_mic_is_checked, channel_bindings_are_compared, dce_style_seals,
    the_password_may_come_afterwards,
}

type Ours = sspi_crate::Ntlm;

/// What gets better: the flags tell what was negotiated, one count goes for both kinds of messages, a forged message ends
/// nothing.
#[test]
fn ours_alone() {
    let (mut client, mut server) = established::<Ours, Ours>(&Scenario::default()).unwrap();
    let token = sign(&mut client, b"signed", 77);
    verify(&mut server, b"signed", &token, 88).unwrap();
    let (token, data) = seal(&mut client, b"sealed");
    assert_eq!(token[12..], 1u32.to_le_bytes());
    for _ in 0..3 {
        assert!(unseal(&mut server, &token, b"forged").is_err());
    }
    assert_eq!(unseal(&mut server, &token, &data).unwrap(), b"sealed");
    seal_all(&mut server, &mut client);
}

/// A client without any protection has no messages to protect, and says so.
#[test]
fn nothing_is_sealed_that_was_not_asked_for() {
    let plain = Scenario { requirements: ClientRequestFlags::empty(), ..Scenario::default() };
    let (mut client, _) = established::<Ours, Ours>(&plain).unwrap();
    let (mut token, mut data) = (vec![0; 16], b"message".to_vec());
    let mut list =
        [sspi::SecurityBufferRef::token_buf(&mut token), sspi::SecurityBufferRef::data_buf(&mut data)];
    let error = client.encrypt_message(sspi::EncryptionFlags::empty(), &mut list).unwrap_err();
    assert_eq!(error.error_type, ErrorKind::UnsupportedFunction);
    assert_eq!(data, b"message");
}
