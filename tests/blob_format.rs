//! Reads golden blobs, and those that this host makes, as docs/blob-format.md says, with nothing of the library: so that the
//! page can be believed.
#![cfg(feature = "ntlm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hmac};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(root().join("tests/golden").join(name).with_extension("txt")).unwrap();
    let blob = text.lines().find_map(|line| line.strip_prefix("blob = ")).unwrap();
    hex::decode(blob).unwrap()
}

// "The blob".

struct Header {
    package: String,
    creation: u64,
    expiry: u64,
    blob_id: Vec<u8>,
    length: usize,
    fields: Vec<(u16, Vec<u8>)>,
}

fn header(blob: &[u8]) -> Header {
    assert_eq!(blob[12..16], [0; 4]);
    header_of_any_kind(blob)
}

fn header_of_any_kind(blob: &[u8]) -> Header {
    assert_eq!(&blob[..8], b"PSSPICTX");
    assert_eq!(u16_at(blob, 8), 1);
    let length = usize::from(u16_at(blob, 10));
    assert!(length >= 104 && blob.len() <= 73_728);
    let mut fields = Vec::new();
    let mut at = 104;
    while at < length {
        let end = at + 4 + usize::from(u16_at(blob, at + 2));
        fields.push((u16_at(blob, at), blob[at + 4..end].to_vec()));
        at = end;
    }
    assert_eq!(at, length);
    Header {
        package: String::from_utf8(blob[88..104].to_vec()).unwrap().trim_end_matches('\0').to_owned(),
        creation: u64::from_le_bytes(blob[72..80].try_into().unwrap()),
        expiry: u64::from_le_bytes(blob[80..88].try_into().unwrap()),
        blob_id: blob[56..72].to_vec(),
        length,
        fields,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

// "The key".

fn info(label_digest: Option<&[u8]>) -> Vec<u8> {
    info_of([b"golden machine", b"golden boot", b"golden user"], label_digest)
}

/// Of machine, boot and owner.
fn info_of(identity: [&[u8]; 3], label_digest: Option<&[u8]>) -> Vec<u8> {
    let parts = [&b"portable-sspi exported context 1"[..]].into_iter().chain(identity).chain(label_digest);
    parts.flat_map(|part| [&(part.len() as u64).to_le_bytes()[..], part].concat()).collect()
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

/// RFC 5869, with one block of output.
fn hkdf(salt: &[u8], input: &[u8], info: &[u8]) -> Vec<u8> {
    hmac_sha256(&hmac_sha256(salt, input), &[info, &[1]].concat())
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    digest::digest(&digest::SHA256, &parts.concat()).as_ref().to_vec()
}

fn label_digest(label: &str) -> Vec<u8> {
    sha256(&[b"portable-sspi audience label 1", label.as_bytes()])
}

fn hint(blob_id: &[u8], label: &str) -> Vec<u8> {
    sha256(&[b"portable-sspi audience hint 1", blob_id, &label_digest(label)])[..16].to_vec()
}

fn payload(blob: &[u8], label: Option<&str>) -> Vec<u8> {
    let header = header_of_any_kind(blob);
    let digest = label.map(label_digest);
    let key = hkdf(&header.blob_id, &[[0x11; 32], [0x22; 32]].concat(), &info(digest.as_deref()));
    opened(&key, [0; 12], blob, header.length)
}

/// What is behind `start`, with the header as the associated data.
fn opened(key: &[u8], nonce: [u8; 12], blob: &[u8], start: usize) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap());
    let associated = &blob[..header_of_any_kind(blob).length];
    let mut sealed = blob[start..].to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.open_in_place(nonce, Aad::from(associated), &mut sealed).unwrap().to_vec()
}

// "Fingerprints and ids".

fn fingerprint(kind: &str, id: &[u8]) -> Vec<u8> {
    let length = (kind.len() as u64).to_le_bytes();
    sha256(&[b"portable-sspi fingerprint 1", &length, kind.as_bytes(), id])[..8].to_vec()
}

fn secret_id(secret: &[u8]) -> Vec<u8> {
    hmac_sha256(secret, b"portable-sspi secret id 1")[..8].to_vec()
}

// "The claim".

fn claim_path(boot_id: &[u8], expiry: u64, blob_id: &[u8]) -> String {
    // A big-endian number in hexadecimal digits: the bytes as they stand.
    let boot = hex::encode(fingerprint("boot", boot_id));
    format!("window-{boot}-{}/{}", expiry / 64_000, hex::encode(blob_id))
}

// "The payload".

struct Bincode<'a>(&'a [u8]);

impl Bincode<'_> {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let (front, rest) = self.0.split_at(length);
        self.0 = rest;
        front.to_vec()
    }

    fn integer(&mut self) -> u64 {
        let length = match self.bytes(1)[0] {
            small @ 0..=250 => return small.into(),
            0xFB => 2,
            0xFC => 4,
            0xFD => 8,
            other => panic!("{other:x}"),
        };
        let mut value = self.bytes(length);
        value.resize(8, 0);
        u64::from_le_bytes(value.try_into().unwrap())
    }

    fn bool(&mut self) -> bool {
        match self.bytes(1)[0] {
            0 => false,
            1 => true,
            other => panic!("{other:x}"),
        }
    }

    fn optional<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.bool() { Some(value(self)) } else { None }
    }

    fn string(&mut self) -> String {
        let length = usize::try_from(self.integer()).unwrap();
        String::from_utf8(self.bytes(length)).unwrap()
    }

    /// SeqNum and RC4 state.
    fn direction(&mut self) -> (Option<u64>, Option<Vec<u8>>) {
        (self.optional(Self::integer), self.optional(|state| state.bytes(258)))
    }
}

/// "NTLM, layout version 1", compared with what is known of the golden contexts.
fn check_ntlm(payload: &[u8], is_server: bool, messages: u64) {
    assert_eq!(u16_at(payload, 0), 1, "layout version");
    let mut state = Bincode(&payload[2..]);
    assert_eq!(state.integer(), u64::from(is_server), "role");
    let negotiated = state.integer();
    // NEGOTIATE_56, KEY_EXCH, 128, EXTENDED_SESSIONSECURITY, ALWAYS_SIGN, NTLM, SEAL, SIGN, UNICODE.
    assert_eq!(negotiated & 0x6008_8231, 0x6008_8231, "{negotiated:x}");
    // The client draws it, and the golden contexts' randomness is nothing but 0x77.
    assert_eq!(state.bytes(16), [0x77; 16], "exported session key");
    for direction in ["sending", "receiving"] {
        let (next, keystream) = state.direction();
        assert_eq!(next, Some(messages), "{direction}");
        assert_eq!(keystream.is_some(), messages > 0, "{direction}");
        if let Some(keystream) = keystream {
            let mut s_box = keystream[..256].to_vec();
            s_box.sort_unstable();
            assert!(s_box.iter().copied().eq(0..=255), "{direction}");
        }
    }
    let context_flags = state.integer();
    assert_eq!(context_flags & 0x10, 0x10, "CONFIDENTIALITY in {context_flags:x}");
    assert_eq!(state.string(), r"CORP\alice", "client name");
    assert_eq!(state.optional(Bincode::string).as_deref(), Some("HTTP/golden"), "target");
    let token = state.optional(|state| (state.string(), state.string(), state.string(), state.bool()));
    let expected = is_server.then(|| ("alice".into(), "CORP".into(), String::new(), false));
    assert_eq!(token, expected, "client token");
    assert_eq!(state.optional(|state| state.bytes(16)), None, "channel bindings");
    // 2026-01-01 as FILETIME.
    let start = (1_767_225_600 + 11_644_473_600) * 10_000_000;
    assert_eq!(state.integer(), start, "start");
    assert!(state.integer() > start, "expiry");
    assert_eq!(state.integer(), 0, "extensions");
    assert_eq!(state.0, [0; 0], "nothing follows");
}

#[test]
fn golden_blobs_are_as_the_page_says() {
    for (name, is_server, messages) in [
        ("v1-ntlm-acceptor-fresh", true, 0),
        ("v1-ntlm-acceptor-mid-stream", true, 3),
        ("v1-ntlm-initiator-fresh", false, 0),
        ("v1-ntlm-initiator-mid-stream", false, 3),
    ] {
        let blob = golden(name);
        let header = header(&blob);
        assert_eq!((header.package.as_str(), header.creation, header.expiry), ("NTLM", 1_000, 301_000));
        assert_eq!((header.length, header.fields), (104, Vec::new()), "{name}");
        check_ntlm(&payload(&blob, None), is_server, messages);
    }
}

#[test]
fn a_golden_blob_with_fields_is_as_the_page_says() {
    let blob = golden("v1-ntlm-acceptor-group-audience");
    let header = header(&blob);
    let hint = hint(&header.blob_id, "golden audience");
    assert_eq!(header.fields, [(1, vec![1]), (3, hint), (5, 1000u32.to_le_bytes().to_vec())]);
    check_ntlm(&payload(&blob, Some("golden audience")), true, 0);
}

/// Whatever was negotiated, the page's fields take the payload to its end.
#[test]
fn every_golden_blob_is_read_to_its_end() {
    let mut shared = 0;
    for path in fs::read_dir(root().join("tests/golden")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let blob = golden(&name);
        if !name.starts_with("v1-ntlm-") || blob[12..16] != [0; 4] {
            continue;
        }
        let payload = payload(&blob, name.ends_with("-audience").then_some("golden audience"));
        let mut state = Bincode(&payload[2..]);
        assert_eq!(state.integer(), u64::from(name.contains("acceptor")), "{name}");
        let (_, _) = (state.integer(), state.bytes(16));
        let (sending, receiving) = (state.direction(), state.direction());
        let (_, _, _) = (state.integer(), state.string(), state.optional(Bincode::string));
        state.optional(|state| (state.string(), state.string(), state.string(), state.bool()));
        state.optional(|state| state.bytes(16));
        let (_, _, extensions) = (state.integer(), state.integer(), state.integer());
        assert_eq!((extensions, state.0), (0, &[][..]), "{name}");
        let at_start = (Some(0), None);
        if name.contains("-shared-") && name.ends_with("-mid-stream") {
            shared += 1;
            assert!(sending != at_start && receiving == at_start, "{name}");
        }
        if ["-datagram-", "-dummy-", "-anonymous-"].iter().any(|kind| name.contains(kind)) {
            assert!(sending == at_start && receiving == at_start, "{name}");
        }
    }
    assert!(shared > 0);
}

#[test]
fn golden_partial_contexts_are_as_the_page_says() {
    for (name, is_server) in [("v1-ntlm-acceptor-partial", true), ("v1-ntlm-initiator-partial", false)] {
        let blob = golden(name);
        assert_eq!(blob[12..16], [1, 0, 0, 0]);
        let payload = payload(&blob, None);
        assert_eq!(u16_at(&payload, 0), 1, "layout version");
        let mut state = Bincode(&payload[2..]);
        let message = |state: &mut Bincode<'_>| {
            let length = usize::try_from(state.integer()).unwrap();
            state.bytes(length)
        };
        assert_eq!(state.integer(), u64::from(is_server), "step");
        assert!(message(&mut state).starts_with(b"NTLMSSP\0\x01\0\0\0"), "NEGOTIATE");
        if is_server {
            assert!(message(&mut state).starts_with(b"NTLMSSP\0\x02\0\0\0"), "CHALLENGE");
            assert_eq!(state.optional(|state| state.bytes(16)), None, "channel bindings");
        }
        assert_eq!(state.integer(), 0, "extensions");
        assert_eq!(state.0, [0; 0], "nothing follows");
    }
}

/// A fresh context, a gap, and one in mid-stream, all in one chunk.
#[test]
fn the_golden_stream_is_as_the_page_says() {
    let stream = golden("v1-stream");
    assert_eq!(stream[12..16], [2, 0, 0, 0]);
    let header = header_of_any_kind(&stream);
    assert_eq!((header.package.as_str(), header.length), ("", 104));
    let info = [&info(None)[..], b"stream 1"].concat();
    let key = hkdf(&header.blob_id, &[[0x11; 32], [0x22; 32]].concat(), &info);
    let length = u32::from_le_bytes(stream[104..108].try_into().unwrap());
    assert_eq!(length >> 31, 1, "the last chunk");
    assert_eq!(usize::try_from(length & 0x7FFF_FFFF).unwrap(), stream.len() - 108);
    let chunk = opened(&key, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], &stream, 108);
    let mut records = &*chunk;
    let mut next = || {
        let (name_length, rest) = records.split_first().unwrap();
        let (name, rest) = rest.split_at(usize::from(*name_length));
        let payload_length = if name.is_empty() { 0 } else { 4 + usize::from(u16_at(rest, 0)) };
        let (payload, rest) = rest.split_at(payload_length);
        records = rest;
        (name, payload.get(4..).unwrap_or_default())
    };
    let (name, payload) = next();
    assert_eq!(name, b"NTLM");
    check_ntlm(payload, true, 0);
    assert_eq!(next(), (&[][..], &[][..]), "the gap");
    let (name, payload) = next();
    assert_eq!(name, b"NTLM");
    check_ntlm(payload, false, 3);
    assert_eq!(records, [0; 0], "nothing follows");
}

#[test]
fn the_examples_on_the_page_are_right() {
    let page = fs::read_to_string(root().join("docs/blob-format.md")).unwrap();
    let key = hkdf(&[0x33; 16], &[[0x11; 32], [0x22; 32]].concat(), &info(None));
    for shown in [info(None), key] {
        assert!(page.contains(&format!("    {}\n", hex::encode(shown))));
    }
    for shown in [
        hex::encode(fingerprint("machine", b"golden machine")),
        hex::encode(fingerprint("boot", b"golden boot")),
        hex::encode(fingerprint("owner", b"golden user")),
        hex::encode(secret_id(&[0x11; 32])),
        hex::encode(secret_id(&[0x22; 32])),
        claim_path(b"golden boot", 301_000, &[0x33; 16]),
    ] {
        assert!(page.contains(&format!("`{shown}`")), "{shown}");
    }
}

/// Which golden blobs there are is the page's promise: one for each role, all read by the tests above and in
/// `src/transfer/golden.rs`.
#[test]
fn no_golden_blob_is_forgotten() {
    let source = |file| fs::read_to_string(root().join("src/transfer").join(file)).unwrap();
    let source = source("golden.rs") + &source("golden/kinds.rs");
    let files = fs::read_dir(root().join("tests/golden")).unwrap();
    let mut count = 0;
    for path in files.map(|entry| entry.unwrap().path()).collect::<Vec<PathBuf>>() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(source.contains(&format!("\"{name}\"")), "{name}");
        count += 1;
    }
    assert!(count >= 5, "{count}");
}

/// What this host makes, in each scope: the header's fingerprints and ids, the key and the claim, from what the page names.
#[cfg(target_os = "linux")]
mod of_this_host {
    use std::os::unix::fs::MetadataExt;

    use portable_sspi::{
        ApplicationKey, Audience, AudienceLabel, Claims, ExportOptions, HostKeyScope, SecretArray,
    };

    use super::common::{context, effective_user, key_directory, sspi_in};
    use super::*;

    fn id(path: &str) -> Option<Vec<u8>> {
        let id = fs::read(path).ok()?.trim_ascii().to_vec();
        (!id.is_empty() && id != b"uninitialized").then_some(id)
    }

    fn machine_id() -> Vec<u8> {
        let id = id("/etc/machine-id").or_else(|| id("/var/lib/dbus/machine-id"));
        id.unwrap_or_else(|| b"no machine id".to_vec())
    }

    fn boot_id() -> Vec<u8> {
        let id = id("/proc/sys/kernel/random/boot_id").unwrap();
        match fs::read_link("/proc/self/ns/time") {
            Ok(namespace) if namespace.to_str() != Some("time:[4026531834]") => {
                [&id, &b" in "[..], namespace.to_str().unwrap().as_bytes()].concat()
            }
            _ => id,
        }
    }

    /// A scope in a directory of its own, its field in the header, and its owner in the key.
    struct Case {
        scope: HostKeyScope,
        field: Option<u8>,
        owner: Vec<u8>,
        key: Option<[u8; 32]>,
        claims: bool,
    }

    fn cases(parent: &Path) -> Vec<Case> {
        let (user, group) = (effective_user(), fs::metadata(parent).unwrap().gid());
        let (user_bytes, group_bytes) = (user.to_le_bytes(), group.to_le_bytes());
        let case = |scope, field, owner: &[&[u8]]| Case {
            scope,
            field,
            owner: owner.concat(),
            key: None,
            claims: true,
        };
        let given = || ApplicationKey::from_bytes(SecretArray::new([0x5C; 32]));
        let application = |claims| HostKeyScope::Application { key: given(), claims };
        let directory = parent.join("keys");
        vec![
            case(HostKeyScope::user_directory(&directory), None, &[b"uid ", &user_bytes]),
            case(
                HostKeyScope::Group { directory: directory.clone(), group, owner: user },
                Some(1),
                &[b"gid ", &group_bytes, b" of uid ", &user_bytes],
            ),
            case(
                HostKeyScope::Host { directory: directory.clone(), owner: user },
                Some(2),
                &[b"host of uid ", &user_bytes],
            ),
            Case {
                key: Some([0x5C; 32]),
                ..case(application(Claims::Directory(directory)), Some(3), &[b"application"])
            },
            Case {
                key: Some([0x5C; 32]),
                claims: false,
                ..case(application(Claims::ReplaysPossible), Some(3), &[b"application, replays possible"])
            },
        ]
    }

    #[test]
    fn blobs_are_as_the_page_says() {
        for number in 0..5 {
            let parent = key_directory();
            let Case { scope, field, owner, key, claims } = cases(parent.path()).swap_remove(number);
            let sspi = sspi_in(scope, &["of this host"]);
            let audience =
                Audience { label: Some(AudienceLabel::new("of this host")), user: Some(effective_user()) };
            let options = ExportOptions { audience, ..ExportOptions::default() };
            let blob = sspi.export_security_context(context(&sspi, 1), &options).unwrap();
            let header = header(&blob);
            assert_eq!(header.expiry - header.creation, 300_000);

            let keys = parent.path().join("keys");
            let claim = keys.join(claim_path(&boot_id(), header.expiry, &header.blob_id));
            let secret = || fs::read(keys.join("host-key/secret")).unwrap();
            let (secret, seed) = match (key, claims) {
                (None, _) => (secret(), fs::read(claim.with_file_name("secret")).unwrap()),
                (Some(key), true) => {
                    (hmac_sha256(&key, &secret()), fs::read(claim.with_file_name("secret")).unwrap())
                }
                (Some(key), false) => (key.to_vec(), vec![0; 32]),
            };
            let machine = if field == Some(3) { b"any machine".to_vec() } else { machine_id() };
            assert_eq!(blob[16..24], fingerprint("machine", &machine), "{number}");
            assert_eq!(blob[24..32], fingerprint("boot", &boot_id()), "{number}");
            assert_eq!(blob[32..40], fingerprint("owner", &owner), "{number}");
            assert_eq!(blob[40..48], secret_id(&secret), "{number}");
            let seed_id = if claims { secret_id(&seed) } else { vec![0; 8] };
            assert_eq!(blob[48..56], seed_id, "{number}");
            let fields = field.map(|code| (1, vec![code])).into_iter().chain([
                (3, hint(&header.blob_id, "of this host")),
                (5, effective_user().to_le_bytes().to_vec()),
            ]);
            assert_eq!(header.fields, fields.collect::<Vec<_>>(), "{number}");

            let info = info_of([&machine, &boot_id(), &owner], Some(&label_digest("of this host")));
            let key = hkdf(&header.blob_id, &[secret, seed].concat(), &info);
            let payload = opened(&key, [0; 12], &blob, header.length);
            assert_eq!(header.package.len() + blob.len(), 3 + header.length + payload.len() + 16, "{number}");
            assert!(payload.windows(16).any(|window| window == [1; 16]), "the toy context's key");

            assert!(!claim.exists());
            sspi.import_security_context(None, &blob).unwrap();
            assert_eq!(claim.exists(), claims, "{number}");
            assert!(!claims || fs::metadata(&claim).unwrap().len() == 0);
        }
    }
}
