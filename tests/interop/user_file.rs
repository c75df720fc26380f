//! gss-ntlmssp reads the same account files as `accounts::UserFile`, and where it is laxer.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use portable_sspi::accounts::UserFile;
use portable_sspi::{
    AcquireRequest, CredentialUse, DenialReason, Error, InitializeRequest, Step, Unavailable,
};

use crate::gss;
use crate::handshake::{self, client, log_on};
use crate::peer::{Implementation, PeerStep};

/// The NT hash of `password`.
const HASH: &str = "8846F7EAEE8FB117AD06BDD830B7586C";

/// A file of accounts that only its owner can read.
struct Accounts {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Accounts {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        Self { path, _directory: directory }
    }

    fn file(&self) -> UserFile {
        UserFile::new(&self.path)
    }
}

/// Our client, with credentials from the file, logs on to the peer that has the same file.
fn log_on_to_peer(
    peer: &Implementation,
    accounts: &Accounts,
    user: &str,
) -> Result<(String, Vec<u8>, Vec<u8>), String> {
    let mut server = peer.server(&accounts.path);
    let identity = accounts.file().identity(Some(user), None).unwrap();
    let ours = client(None);
    let acquire = AcquireRequest { credential_use: CredentialUse::Outbound, identity };
    let credentials = ours.acquire_credentials_handle("NTLM", acquire).unwrap();
    let request = InitializeRequest { target_name: Some("HTTP/peer"), ..InitializeRequest::default() };
    let Step::ContinueNeeded { context, token } =
        ours.initialize_security_context(&credentials, None, &request).unwrap()
    else {
        panic!("a client waits for the CHALLENGE");
    };
    let challenge = server.step(&token).unwrap().token();
    let request = InitializeRequest { token: Some(&challenge), ..request };
    let Step::Complete { context, token: Some(authenticate) } =
        ours.initialize_security_context(&credentials, Some(context), &request).unwrap()
    else {
        panic!("a client ends with the AUTHENTICATE");
    };
    match server.step(&authenticate) {
        Ok(PeerStep::Done(_)) => Ok((server.name(), server.key(), context.session_key().expose().to_vec())),
        Ok(step) => panic!("{step:?}"),
        Err(error) => Err(error.text),
    }
}

#[test]
fn the_peer_reads_each_format_as_we_do() {
    let Some(peer) = gss::peer() else { return };
    let x = "X".repeat(32);
    let accounts = Accounts::new(&format!(
        "# comment\n\n\
         CORP:alice:open sesame\n\
         CORP:dave:secret\r\n\
         CORP\\carol:0:{x}:{}:[UX         ]:LCT-0:\n\
         CORP:zoe:pässwörd\n\
         CORP:alice:second\n\
         CORP\\old:0:{x}:{HASH}:Old,,,:\n\
         CORP:last:no line feed",
        HASH.to_lowercase()
    ));
    // No user of another name than ASCII: with such a one, the peer does not even accept its own client.
    for user in ["alice", "dave", "carol", "zoe", "old", "last"] {
        let (name, theirs, ours) =
            log_on_to_peer(peer, &accounts, user).unwrap_or_else(|error| panic!("{user}: {error}"));
        assert_eq!((name, theirs), (format!(r"CORP\{user}"), ours), "{user}");
    }
}

/// Where we are stricter, by what the peer does: it passes over what the flags say, and over lines that are malformed.
#[test]
fn where_the_peer_is_laxer() {
    let Some(peer) = gss::peer() else { return };
    let x = "X".repeat(32);
    let text = format!("nonsense\nCORP:alice:pass:word\nCORP\\off:0:{x}:{HASH}:[UD]:LCT-0:\n");
    let peers = Accounts::new(&text);
    let mut server = peer.server(&peers.path);
    let mut its_client = peer.client();
    let negotiate = its_client.initiate("off", "CORP", "password", "HTTP@peer").unwrap();
    let challenge = server.step(&negotiate).unwrap().token();
    let authenticate = its_client.step(&challenge).unwrap().token();
    assert_eq!(server.step(&authenticate).unwrap(), PeerStep::Done(None), "a disabled account");

    assert!(matches!(peers.file().check(), Err(Unavailable::AccountFile { line: Some(1), .. })));
    let ours = Accounts::new(text.split_inclusive('\n').next_back().unwrap());
    let denied = log_on(&handshake::server(Arc::new(ours.file())), "off", "CORP", "password");
    let Err(Error::LogonDenied(denied)) = denied else { panic!("{denied:?}") };
    assert_eq!(denied.audit_reason(), DenialReason::UnknownAccount);
}
