//! Golden blobs of the other kinds: handshakes under way, and a stream of many contexts.

use portable_sspi_core::PartialContext;

use super::super::seal::StreamKey;
use super::super::stream::{Record, StreamReader, StreamWriter};
use super::*;

const PARTIAL: [(&str, Role); 2] =
    [("v1-ntlm-acceptor-partial", Role::Acceptor), ("v1-ntlm-initiator-partial", Role::Initiator)];
const STREAM: &str = "v1-stream";

fn stream_key() -> StreamKey {
    let identity = HostIdentity::new(b"golden machine", b"golden boot", b"golden user");
    let (secret, seed) = (SecretArray::new([0x11; 32]), SecretArray::new([0x22; 32]));
    StreamKey::derive_for(None, &secret, &seed, &identity, &BLOB_ID).unwrap()
}

fn initiate(ntlm: &Ntlm, context: Option<PartialContext>, token: Option<&[u8]>) -> Step {
    let client = ntlm.acquire(AcquireRequest::outbound(AuthIdentity::new("alice", "CORP", "secret")));
    let request = InitializeRequest {
        target_name: Some("HTTP/golden"),
        requirements: IscReq::CONFIDENTIALITY,
        token,
        ..InitializeRequest::default()
    };
    ntlm.initialize(&client.unwrap(), context, &request, &Environment::new(&Fixed, &Fixed)).unwrap()
}

fn accept(ntlm: &Ntlm, context: Option<PartialContext>, token: &[u8]) -> Step {
    let server = ntlm.acquire(AcquireRequest::inbound()).unwrap();
    let request = AcceptRequest { token, ..AcceptRequest::default() };
    ntlm.accept(&server, context, &request, &Environment::new(&Fixed, &Fixed)).unwrap()
}

fn going_on(step: Step) -> (PartialContext, Vec<u8>) {
    match step {
        Step::ContinueNeeded { context, token } => (context, token),
        Step::Complete { .. } => panic!("complete too early"),
    }
}

fn complete(step: Step) -> (Context, Option<Vec<u8>>) {
    match step {
        Step::Complete { context, token } => (context, token),
        Step::ContinueNeeded { .. } => panic!("not complete"),
    }
}

/// A context of that role in the middle of its handshake, and the peer's next token.
fn partial(ntlm: &Ntlm, role: Role) -> (PartialContext, Vec<u8>) {
    let (initiator, negotiate) = going_on(initiate(ntlm, None, None));
    let (acceptor, challenge) = going_on(accept(ntlm, None, &negotiate));
    match role {
        Role::Initiator => (initiator, challenge),
        Role::Acceptor => {
            let (_, authenticate) = complete(initiate(ntlm, Some(initiator), Some(&challenge)));
            (acceptor, authenticate.unwrap())
        }
    }
}

/// A fresh context, a gap, and one in mid-stream, as a stream.
fn stream(ntlm: &Ntlm) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = header(BlobKind::Many, PackageName::NONE);
    let mut writer = StreamWriter::new(header, stream_key(), None, &mut bytes);
    writer.context("NTLM", &ntlm.export(pair(Session::Extended, Role::Acceptor, 0).0).unwrap()).unwrap();
    writer.gap().unwrap();
    writer.context("NTLM", &ntlm.export(pair(Session::Extended, Role::Initiator, 3).0).unwrap()).unwrap();
    writer.finish().unwrap();
    bytes
}

fn written_once(name: &str, blob: &[u8], next: &[u8]) {
    if std::env::var_os("PORTABLE_SSPI_WRITE_GOLDEN").is_some() && !path(name).exists() {
        let text = format!("blob = {}\nnext = {}\n", hex::encode(blob), hex::encode(next));
        fs::write(path(name), text).unwrap();
    }
}

#[test]
fn golden_partial_contexts_of_version_1_are_what_this_release_writes() {
    for (name, role) in PARTIAL {
        let ntlm = Session::Extended.ntlm();
        let (context, next) = partial(&ntlm, role);
        let header = header(BlobKind::Partial, PackageName::new("NTLM").unwrap());
        let blob = Prepared { header, key: key(name) }.seal(&ntlm.export_partial(context).unwrap()).unwrap();
        written_once(name, &blob, &next);
        assert_eq!((blob, next), fixture(name), "{name}");
    }
}

#[test]
fn golden_partial_contexts_finish_their_handshakes() {
    for (name, role) in PARTIAL {
        let (blob, next) = fixture(name);
        assert_eq!(Blob::parse(&blob).unwrap().header.kind, BlobKind::Partial);
        let ntlm = Session::Extended.ntlm();
        let context = ntlm.import_partial(&open(name, &blob)).unwrap();
        let (mut context, mut peer) = match role {
            Role::Acceptor => {
                let (_, peer) = pair(Session::Extended, role, 0);
                (complete(accept(&ntlm, Some(context), &next)).0, peer)
            }
            Role::Initiator => {
                let (context, authenticate) = complete(initiate(&ntlm, Some(context), Some(&next)));
                let (acceptor, _) = partial(&ntlm, Role::Acceptor);
                let (peer, _) = complete(accept(&ntlm, Some(acceptor), &authenticate.unwrap()));
                (context, peer)
            }
        };
        assert_eq!(context.unwrap(&mut peer.wrap(PLAINTEXT).unwrap()).unwrap(), PLAINTEXT, "{name}");
    }
}

#[test]
fn the_golden_stream_of_version_1_is_what_this_release_writes() {
    let ntlm = Session::Extended.ntlm();
    let bytes = stream(&ntlm);
    let next = pair(Session::Extended, Role::Initiator, 3).1.wrap(PLAINTEXT).unwrap();
    written_once(STREAM, &bytes, &next);
    assert_eq!((bytes, next), fixture(STREAM));
}

#[test]
fn the_golden_stream_continues_its_sessions() {
    let (bytes, mut next) = fixture(STREAM);
    assert_eq!(Header::parse(&bytes).unwrap().0.kind, BlobKind::Many);
    let (header, chunks) = bytes.split_at(104);
    let mut reader = StreamReader::new(header.to_vec(), stream_key(), chunks);
    let ntlm = Session::Extended.ntlm();
    let mut import = || match reader.next().unwrap() {
        Some(Record::Context("NTLM", state)) => {
            Some(ntlm.import(&PortableState::from_bytes(state).unwrap()).unwrap())
        }
        Some(Record::Context(other, _)) => panic!("{other}"),
        Some(Record::Gap) | None => None,
    };
    let fresh = import().unwrap();
    assert_eq!(fresh.client_token().unwrap().user_name, "alice");
    assert!(import().is_none(), "the gap");
    assert_eq!(import().unwrap().unwrap(&mut next).unwrap(), PLAINTEXT);
    assert!(import().is_none(), "the end");
}
