//! Golden blobs: what earlier releases wrote, kept for ever. Each must import, and continue its session.
//!
//! A fixture holds a blob, sealed under the fixed secrets below, and what the peer of its context sent next. The fixtures
//! of the current version are also what this release writes, to the byte. `PORTABLE_SSPI_WRITE_GOLDEN=1 cargo test golden`
//! writes the fixtures that are not there yet; existing ones are never written again.

mod kinds;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use portable_sspi_core::{
    AcceptRequest, AcquireRequest, AscReq, AuthIdentity, BlobKind, Clock, Entropy, Environment, FileTime,
    InitializeRequest, IscReq, PortableState, Provider, SecretArray, SecurityBuffer, SecurityContext, Step,
    Unavailable,
};
use portable_sspi_ntlm::{
    Account, ClientPolicy, LmCompatibilityLevel, MemoryAccounts, NegotiateFlags, Ntlm, NtlmConfig,
    ServerPolicy,
};

use super::Prepared;
use super::audience::AudienceLabel;
use super::blob::{Blob, Header, PackageName};
use super::fields::Fields;
use super::scope::ScopeKind;
use super::seal::{BlobKey, HostIdentity};

const BLOB_ID: [u8; 16] = [0x33; 16];
const PLAINTEXT: &[u8] = b"sealed by the peer of a golden context";
/// Each kind of session in each role, fresh and in mid-stream where that makes a difference.
const FIXTURES: [(&str, Role, Session, usize); 15] = [
    ("v1-ntlm-acceptor-fresh", Role::Acceptor, Session::Extended, 0),
    ("v1-ntlm-acceptor-mid-stream", Role::Acceptor, Session::Extended, 3),
    ("v1-ntlm-initiator-fresh", Role::Initiator, Session::Extended, 0),
    ("v1-ntlm-initiator-mid-stream", Role::Initiator, Session::Extended, 3),
    ("v1-ntlm-ntlmv1-acceptor-mid-stream", Role::Acceptor, Session::NtlmV1, 3),
    ("v1-ntlm-ntlmv1-initiator-mid-stream", Role::Initiator, Session::NtlmV1, 3),
    ("v1-ntlm-shared-acceptor-fresh", Role::Acceptor, Session::Shared, 0),
    ("v1-ntlm-shared-acceptor-mid-stream", Role::Acceptor, Session::Shared, 3),
    ("v1-ntlm-shared-initiator-mid-stream", Role::Initiator, Session::Shared, 3),
    ("v1-ntlm-dummy-acceptor", Role::Acceptor, Session::Dummy, 3),
    ("v1-ntlm-anonymous-acceptor", Role::Acceptor, Session::Anonymous, 3),
    ("v1-ntlm-anonymous-initiator", Role::Initiator, Session::Anonymous, 3),
    ("v1-ntlm-datagram-acceptor", Role::Acceptor, Session::Datagram, 3),
    ("v1-ntlm-datagram-initiator", Role::Initiator, Session::Datagram, 3),
    // With all the fields that a header can have.
    (WITH_FIELDS, Role::Acceptor, Session::Extended, 0),
];

/// What was negotiated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Session {
    /// NTLMv2 with extended session security, which is the default.
    Extended,
    /// NTLMv1 with extended session security.
    NtlmV1,
    /// NTLMv1 and LM, and one weakened key for both directions.
    Shared,
    /// No protection of messages.
    Dummy,
    /// Nobody, and no protection of messages.
    Anonymous,
    /// Connectionless.
    Datagram,
}

impl Session {
    fn seals(self) -> bool {
        !matches!(self, Self::Dummy | Self::Anonymous)
    }

    fn requirements(self) -> (IscReq, AscReq) {
        match self {
            Self::Extended | Self::NtlmV1 | Self::Shared => (IscReq::CONFIDENTIALITY, AscReq::empty()),
            Self::Dummy => (IscReq::empty(), AscReq::empty()),
            Self::Anonymous => (IscReq::NULL_SESSION, AscReq::ALLOW_NULL_SESSION),
            Self::Datagram => (IscReq::CONFIDENTIALITY | IscReq::DATAGRAM, AscReq::DATAGRAM),
        }
    }

    fn ntlm(self) -> Ntlm {
        let level = match self {
            Self::Shared => LmCompatibilityLevel::Level0,
            Self::NtlmV1 => LmCompatibilityLevel::Level1,
            _ => LmCompatibilityLevel::Level5,
        };
        let mut accounts = MemoryAccounts::new();
        let lm_hash = portable_sspi_ntlm::lm_hash(&"secret".into()).unwrap();
        accounts.add_account(Account::new("alice", "CORP", NT_HASH).with_lm_hash(lm_hash));
        let (mut server_policy, mut client_policy) = (ServerPolicy::default(), ClientPolicy::default());
        (server_policy.level, client_policy.level) = (level, level);
        server_policy.allow_anonymous = true;
        if self == Self::Shared {
            server_policy.minimum_flags = NegotiateFlags::empty();
            client_policy.minimum_flags = NegotiateFlags::empty();
        }
        Ntlm::new(NtlmConfig {
            accounts: Some(Arc::new(accounts)),
            server_policy,
            client_policy,
            ..NtlmConfig::default()
        })
    }

    /// The message, protected as far as it goes: signature, then message.
    fn protect(self, sender: &mut Context, message: &[u8], number: u32) -> Vec<u8> {
        sender.set_message_seq_no(number);
        if self.seals() {
            return sender.wrap(message).unwrap();
        }
        let mut token = [0; 16];
        let mut buffers =
            [SecurityBuffer::readonly_with_checksum(message), SecurityBuffer::token(&mut token)];
        sender.make_signature(&mut buffers).unwrap();
        [&token[..], message].concat()
    }

    fn open(self, receiver: &mut Context, mut protected: Vec<u8>, number: u32) -> Vec<u8> {
        receiver.set_message_seq_no(number);
        if self.seals() {
            return receiver.unwrap(&mut protected).unwrap().to_vec();
        }
        let (token, message) = protected.split_at_mut(16);
        let mut buffers = [SecurityBuffer::readonly_with_checksum(message), SecurityBuffer::token(token)];
        receiver.verify_signature(&mut buffers).unwrap();
        message.to_vec()
    }
}

/// NT hash of `secret`.
const NT_HASH: SecretArray<16> =
    SecretArray::new(0x878D_8014_606C_DA29_677A_44EF_A135_3FC7_u128.to_be_bytes());

const WITH_FIELDS: &str = "v1-ntlm-acceptor-group-audience";

fn label(name: &str) -> Option<AudienceLabel> {
    (name == WITH_FIELDS).then(|| AudienceLabel::new("golden audience"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Initiator,
    Acceptor,
}

type Context = Box<dyn SecurityContext>;

/// Every byte is the same and every time is the same, so that every release makes the same contexts.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, destination: &mut [u8]) -> Result<(), Unavailable> {
        destination.fill(0x77);
        Ok(())
    }
}

impl Clock for Fixed {
    fn now(&self) -> FileTime {
        FileTime::from_unix_seconds(1_767_225_600)
    }
}

fn key(name: &str) -> BlobKey {
    let identity = HostIdentity::new(b"golden machine", b"golden boot", b"golden user");
    let (secret, seed) = (SecretArray::new([0x11; 32]), SecretArray::new([0x22; 32]));
    BlobKey::derive_for(label(name).as_ref(), &secret, &seed, &identity, &BLOB_ID).unwrap()
}

fn seal(name: &str, state: &PortableState) -> Vec<u8> {
    let mut header = header(BlobKind::Context, PackageName::new("NTLM").unwrap());
    if let Some(label) = label(name) {
        header.fields =
            Fields { scope: ScopeKind::Group, label: Some(label.hint(&BLOB_ID)), importer: Some(1000) };
    }
    Prepared { header, key: key(name) }.seal(state).unwrap()
}

fn header(kind: BlobKind, package: PackageName) -> Header {
    Header {
        kind,
        machine: [1; 8],
        boot: [2; 8],
        owner: [3; 8],
        host_key_id: [4; 8],
        window_seed_id: [5; 8],
        blob_id: BLOB_ID,
        creation: 1_000,
        expiry: 301_000,
        package,
        fields: Fields::default(),
    }
}

fn open(name: &str, blob: &[u8]) -> PortableState {
    let blob = Blob::parse(blob).unwrap();
    let mut sealed = blob.sealed.to_vec();
    PortableState::from_bytes(key(name).open(blob.header_bytes, &mut sealed).unwrap()).unwrap()
}

fn handshake(session: Session) -> (Context, Context) {
    let ntlm = &session.ntlm();
    let environment = Environment::new(&Fixed, &Fixed);
    let client =
        ntlm.acquire(AcquireRequest::outbound(AuthIdentity::new("alice", "CORP", "secret"))).unwrap();
    let server = ntlm.acquire(AcquireRequest::inbound()).unwrap();
    let (of_client, of_server) = session.requirements();
    let request = InitializeRequest {
        target_name: Some("HTTP/golden"),
        requirements: of_client,
        ..InitializeRequest::default()
    };
    let Ok(Step::ContinueNeeded { context: initiator, token }) =
        ntlm.initialize(&client, None, &request, &environment)
    else {
        panic!("no NEGOTIATE")
    };
    let accept = AcceptRequest { token: &token, requirements: of_server, ..AcceptRequest::default() };
    let Ok(Step::ContinueNeeded { context: acceptor, token }) =
        ntlm.accept(&server, None, &accept, &environment)
    else {
        panic!("no CHALLENGE")
    };
    let request = InitializeRequest { token: Some(&token), ..request };
    let Ok(Step::Complete { context: initiator, token: Some(token) }) =
        ntlm.initialize(&client, Some(initiator), &request, &environment)
    else {
        panic!("no AUTHENTICATE")
    };
    let accept = AcceptRequest { token: &token, requirements: of_server, ..AcceptRequest::default() };
    let Ok(Step::Complete { context: acceptor, .. }) =
        ntlm.accept(&server, Some(acceptor), &accept, &environment)
    else {
        panic!("not accepted")
    };
    (initiator, acceptor)
}

/// A context of that role with so many messages behind it in both directions, and its peer.
fn pair(session: Session, role: Role, messages: usize) -> (Context, Context) {
    let (mut initiator, mut acceptor) = handshake(session);
    for index in 0..messages {
        let number = u32::try_from(index).unwrap();
        let there = session.protect(&mut initiator, &vec![0x41; 100 * index + 1], number);
        session.open(&mut acceptor, there, number);
        let back = session.protect(&mut acceptor, &vec![0x42; 10 * index + 1], number);
        session.open(&mut initiator, back, number);
    }
    match role {
        Role::Initiator => (initiator, acceptor),
        Role::Acceptor => (acceptor, initiator),
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

/// The blob, and the peer's next message.
fn fixture(name: &str) -> (Vec<u8>, Vec<u8>) {
    let text = fs::read_to_string(path(name)).unwrap();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        hex::decode(line.unwrap_or_else(|| panic!("{name} has no {key}"))).unwrap()
    };
    (value("blob"), value("next"))
}

/// The number of the message that follows, where the session has no count of its own.
const NEXT_NUMBER: u32 = 77;

#[test]
fn golden_blobs_of_every_version_continue_their_sessions() {
    for (name, role, session, _) in FIXTURES {
        let (blob, next) = fixture(name);
        let mut context = session.ntlm().import(&open(name, &blob)).unwrap();
        assert_eq!(session.open(&mut context, next, NEXT_NUMBER), PLAINTEXT, "{name}");
        let acceptor = role == Role::Acceptor;
        let anonymous = session == Session::Anonymous;
        let user = match (anonymous, acceptor) {
            (false, _) => r"CORP\alice",
            (true, true) => r"NT AUTHORITY\ANONYMOUS LOGON",
            (true, false) => "",
        };
        assert_eq!(context.names().user_name, user, "{name}");
        let named = !acceptor || matches!(session, Session::Extended | Session::Dummy | Session::Datagram);
        assert_eq!(context.target(), named.then_some("HTTP/golden"), "{name}");
        assert_eq!(context.flags().confidentiality(), session.seals(), "{name}");
        let token = context.client_token().map(|token| token.is_anonymous);
        assert_eq!(token, acceptor.then_some(anonymous), "{name}");
    }
}

#[test]
fn golden_blobs_of_version_1_are_what_this_release_writes() {
    for (name, role, session, messages) in FIXTURES {
        let (context, mut peer) = pair(session, role, messages);
        let blob = seal(name, &session.ntlm().export(context).unwrap());
        let next = session.protect(&mut peer, PLAINTEXT, NEXT_NUMBER);
        if std::env::var_os("PORTABLE_SSPI_WRITE_GOLDEN").is_some() && !path(name).exists() {
            fs::write(path(name), format!("blob = {}\nnext = {}\n", hex::encode(&blob), hex::encode(&next)))
                .unwrap();
        }
        assert_eq!((blob, next), fixture(name), "{name}");
    }
}

#[test]
fn golden_blobs_with_any_byte_changed_are_refused() {
    for (name, ..) in FIXTURES {
        let (blob, _) = fixture(name);
        for index in 0..blob.len() {
            let mut changed = blob.clone();
            changed[index] ^= 0x10;
            let opened = Blob::parse(&changed).and_then(|blob| {
                let mut sealed = blob.sealed.to_vec();
                key(name).open(blob.header_bytes, &mut sealed).map(<[u8]>::to_vec)
            });
            assert!(opened.is_err(), "{name}, byte {index}");
        }
    }
}
