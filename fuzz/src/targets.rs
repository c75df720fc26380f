//! What the fuzzer runs, each a function of its bytes alone. `tests/fuzz_corpus.rs` runs the same on the seeds.
//!
//! A panic or a failed assertion is a finding. What is asserted: what somebody changed on the way is not accepted, and
//! what was refused left everything as it was.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a finding must stop the program"
)]

use std::sync::{Arc, LazyLock};

use portable_sspi::ntlm::{
    AccountDatabase, ClientPolicy, LmCompatibilityLevel, MemoryAccounts, NegotiateFlags, NetworkLogon, Ntlm,
    NtlmConfig, ServerNames, ServerPolicy, VerifiedLogon,
};
use portable_sspi::*;

/// A function of the fuzzer's bytes.
pub type Target = fn(&[u8]);

/// Name and function of each target.
pub const TARGETS: [(&str, Target); 7] = [
    ("negotiate", negotiate),
    ("challenge", challenge),
    ("authenticate", authenticate),
    ("handshake", handshake),
    ("messages", messages),
    ("state", state),
    ("blob", blob),
];

/// NEGOTIATE from anybody, to a strict server and to one that admits everything.
pub fn negotiate(data: &[u8]) {
    for side in [&*STRICT, &*LAX, &*TRUSTING] {
        let _ = accept(side, None, data, AscReq::empty());
    }
}

/// CHALLENGE from anybody, to clients of all kinds: strict, old, anonymous, connectionless.
pub fn challenge(data: &[u8]) {
    for (side, requirements) in [
        (&*STRICT, IscReq::CONFIDENTIALITY),
        (&*STRICT, IscReq::DATAGRAM | IscReq::INTEGRITY),
        (&*LAX, IscReq::empty()),
        (&*LAX, IscReq::INTEGRITY),
        (&*LAX, IscReq::NULL_SESSION),
    ] {
        let (context, _) = started(side, requirements);
        if let Ok(Step::Complete { mut context, .. }) =
            initialize(side, Some(context), Some(data), requirements)
        {
            let _ = context.wrap(b"message");
        }
    }
}

/// AUTHENTICATE from anybody, to servers of all kinds. One of them takes each proof for right, so that what is behind it
/// is reached without the password.
pub fn authenticate(data: &[u8]) {
    for (side, requirements, offered) in [
        (&*STRICT, AscReq::empty(), OFFER),
        (&*LAX, AscReq::ALLOW_NULL_SESSION, OFFER),
        (&*LAX, AscReq::ALLOW_NULL_SESSION, OFFER_OEM),
        (&*TRUSTING, AscReq::empty(), OFFER),
        (&*TRUSTING, AscReq::empty(), OFFER_OEM),
        (&*TRUSTING, AscReq::DATAGRAM, 0),
    ] {
        let datagram = requirements.contains(AscReq::DATAGRAM);
        let first = if datagram { Vec::new() } else { minimal_negotiate(offered) };
        let Ok(Step::ContinueNeeded { context, .. }) = accept(side, None, &first, requirements) else {
            panic!("the first step failed");
        };
        if let Ok(Step::Complete { mut context, .. }) = accept(side, Some(context), data, requirements) {
            let _ = context.wrap(b"message");
            let _ = side.ntlm.export_keeping_original(context.as_ref()).unwrap();
        }
    }
}

/// A handshake with somebody in the middle: each four bytes of `data` change one byte of one token, cut it or lengthen it.
/// With a MIC, what was changed is not accepted.
pub fn handshake(data: &[u8]) {
    let side = &*STRICT;
    let mut changed = false;
    let mut middle = |number: u8, token: &mut Vec<u8>| {
        let before = token.clone();
        for edit in data.chunks_exact(4).filter(|edit| edit[0] & 3 == number) {
            let place = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
            match edit[0] >> 2 {
                0 => token.truncate(place),
                1 => token.push(edit[3]),
                _ if token.is_empty() => {}
                _ => {
                    let length = token.len();
                    token[place % length] ^= edit[3];
                }
            }
        }
        changed |= *token != before;
    };
    let requirements = IscReq::CONFIDENTIALITY;
    let (at_client, mut token) = started(side, requirements);
    middle(1, &mut token);
    let Ok(Step::ContinueNeeded { context: at_server, mut token }) =
        accept(side, None, &token, AscReq::empty())
    else {
        return assert!(changed);
    };
    middle(2, &mut token);
    let Ok(Step::Complete { context: mut client, token: Some(mut token) }) =
        initialize(side, Some(at_client), Some(&token), requirements)
    else {
        return assert!(changed);
    };
    middle(3, &mut token);
    match accept(side, Some(at_server), &token, AscReq::empty()) {
        Ok(Step::Complete { context: mut server, .. }) => {
            assert!(!changed, "a handshake that somebody changed was accepted");
            let mut sealed = client.wrap(b"message").unwrap();
            assert_eq!(server.unwrap(&mut sealed).unwrap(), b"message");
        }
        Ok(_) => panic!("not complete after two steps"),
        Err(_) => assert!(changed, "a handshake that nobody changed was refused"),
    }
}

/// A message from anybody, to contexts of all kinds in mid-conversation: the first byte says which and what is done, the
/// rest is signature and message. What was refused changed neither the context nor the message.
pub fn messages(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let (kind, choice) = (usize::from(choice) % SESSIONS.len(), choice / 8);
    let Session { client, server, datagram } = &SESSIONS[kind];
    let mut client = imported(client);
    let mut server = imported(server);
    let number = |context: &mut Box<dyn SecurityContext>| {
        if *datagram {
            context.set_message_seq_no(7);
        }
    };
    let before = exported(server.as_ref());
    let (signature, message) = data.split_at(data.len().min(16));
    let (mut token, mut body) = (signature.to_vec(), message.to_vec());
    number(&mut server);
    let result = {
        let mut buffers = [SecurityBuffer::token(&mut token), SecurityBuffer::data(&mut body)];
        if choice % 2 == 0 { server.decrypt(&mut buffers) } else { server.verify_signature(&mut buffers) }
    };
    if result.is_err() {
        assert_eq!(body, message, "a message that was refused was changed");
        assert_eq!(exported(server.as_ref()), before, "a message that was refused changed the context");
        for context in [&mut client, &mut server] {
            number(context);
        }
        let Ok(mut sealed) = client.wrap(b"message") else { return };
        assert_eq!(server.unwrap(&mut sealed).unwrap(), b"message");
    }
}

/// What is behind the seal of an exported context: the state, from somebody who knows the key of the seal.
pub fn state(data: &[u8]) {
    let Ok(portable) = PortableState::from_bytes(data) else { return };
    let ntlm = &STRICT.ntlm;
    let _ = ntlm.reset(&portable);
    let Ok(mut context) = ntlm.import(&portable) else { return };
    let again = exported(context.as_ref());
    assert_eq!(exported(imported(&again).as_ref()), again, "a state is not what it was after another export");
    context.set_message_seq_no(7);
    let _ = context.wrap(b"message");
    context.set_message_seq_no(7);
    let _ = context.unwrap(&mut [1; 40]);
    let _ =
        (context.names(), context.native_names(), context.key_info(), context.lifespan(), context.target());
}

/// An exported context from somebody who knows its form and not its key. With an even first byte the rest is the blob;
/// otherwise each three bytes change one byte of a real one. Nothing of it is imported, and the real one stays good.
pub fn blob(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let (sspi, real) = &*BLOB;
    let mut blob = data.to_vec();
    if choice % 2 == 1 {
        blob.clone_from(real);
        for edit in data.chunks_exact(3) {
            let place = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % blob.len();
            blob[place] ^= edit[2];
        }
    }
    if blob != *real {
        assert!(sspi.import_security_context(None, &blob).is_err(), "a changed blob was imported");
    }
}

/// Imports the blob that [`blob`] has changed: nothing that was tried has used it up.
pub fn the_real_blob_is_still_good() {
    let (sspi, real) = &*BLOB;
    sspi.import_security_context(None, real).unwrap();
    assert!(sspi.import_security_context(None, real).is_err(), "imported twice");
    std::fs::remove_dir_all(directory()).unwrap();
}

/// What the seeds are made of besides the published messages: the tokens of an honest exchange, and states of each kind.
pub fn own_seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, requirements) in [
        ("plain", IscReq::empty()),
        ("signed", IscReq::INTEGRITY),
        ("sealed", IscReq::CONFIDENTIALITY),
        ("anonymous", IscReq::NULL_SESSION),
    ] {
        let (at_client, first) = started(&LAX, requirements);
        let Ok(Step::ContinueNeeded { token: second, .. }) = accept(&LAX, None, &first, AscReq::empty())
        else {
            panic!("{name}");
        };
        let Ok(Step::Complete { token: Some(third), .. }) =
            initialize(&LAX, Some(at_client), Some(&second), requirements)
        else {
            panic!("{name}");
        };
        seeds.push(("negotiate", format!("own-{name}"), first));
        seeds.push(("challenge", format!("own-{name}"), second));
        seeds.push(("authenticate", format!("own-{name}"), third));
    }
    for (number, session) in SESSIONS.iter().enumerate() {
        seeds.push(("state", format!("own-{number}-client"), session.client.clone()));
        seeds.push(("state", format!("own-{number}-server"), session.server.clone()));
        let mut client = imported(&session.client);
        client.set_message_seq_no(7);
        if let Ok(sealed) = client.wrap(b"message") {
            let kind = u8::try_from(number).unwrap();
            seeds.push(("messages", format!("own-{number}-sealed"), [vec![kind], sealed.clone()].concat()));
            // 8 keeps the kind, as there are 4, and asks for a signature.
            seeds.push(("messages", format!("own-{number}-verified"), [vec![kind + 8], sealed].concat()));
        }
    }
    seeds.push(("handshake", "own-unchanged".to_owned(), Vec::new()));
    for (name, edit) in [
        ("flags-of-the-negotiate", [9, 12, 0, 1]),
        ("flags-of-the-challenge", [10, 20, 0, 2]),
        ("mic", [11, 72, 0, 1]),
        ("cut", [3, 80, 0, 0]),
        ("lengthened", [7, 0, 0, 0]),
    ] {
        seeds.push(("handshake", format!("own-{name}"), edit.to_vec()));
    }
    for (name, edit) in [("magic", [1, 0, 0, 1]), ("expiry", [1, 0x58, 0, 1]), ("sealed", [1, 0x90, 0, 1])] {
        seeds.push(("blob", format!("own-{name}"), edit.to_vec()));
    }
    seeds
}

const OFFER: u32 = 0xE208_8233;
const OFFER_OEM: u32 = 0x0000_8202;

fn minimal_negotiate(flags: u32) -> Vec<u8> {
    let mut message = b"NTLMSSP\0\x01\0\0\0".to_vec();
    message.extend_from_slice(&flags.to_le_bytes());
    message
}

/// Time and chance stand still; the server's challenge is that of the published examples.
struct Still;

impl Clock for Still {
    fn now(&self) -> FileTime {
        FileTime(0x01DA_498A_ED83_C000)
    }
}

impl Entropy for Still {
    fn fill(&self, destination: &mut [u8]) -> Result<(), Unavailable> {
        for (byte, value) in
            destination.iter_mut().zip(0x0123_4567_89AB_CDEF_u64.to_be_bytes().iter().cycle())
        {
            *byte = *value;
        }
        Ok(())
    }
}

/// Takes each proof for right.
#[derive(Debug)]
struct Gullible;

impl AccountDatabase for Gullible {
    fn verify(&self, logon: &NetworkLogon<'_>) -> Result<VerifiedLogon, Error> {
        let key = SecretArray::new([7; 16]);
        Ok(VerifiedLogon::by_authority(key, logon.user_name().to_owned(), logon.domain_name().to_owned()))
    }
}

struct Side {
    ntlm: Ntlm,
    client: Credentials,
    server: Credentials,
}

impl Side {
    fn new(policies: (ClientPolicy, ServerPolicy), accounts: Arc<dyn AccountDatabase>) -> Self {
        let ntlm = ntlm(policies, accounts);
        let identity = AuthIdentity::new("User", "Domain", "Password");
        let client = ntlm.acquire(AcquireRequest::outbound(identity)).unwrap();
        let server = ntlm.acquire(AcquireRequest::inbound()).unwrap();
        Self { ntlm, client, server }
    }
}

fn ntlm(
    (client_policy, server_policy): (ClientPolicy, ServerPolicy),
    accounts: Arc<dyn AccountDatabase>,
) -> Ntlm {
    Ntlm::new(NtlmConfig {
        accounts: Some(accounts),
        server_names: ServerNames {
            netbios_computer: "Server".to_owned(),
            netbios_domain: "Domain".to_owned(),
            dns_computer: "server.domain.test".to_owned(),
            dns_domain: "domain.test".to_owned(),
            dns_tree: "domain.test".to_owned(),
            domain_joined: true,
        },
        client_policy,
        server_policy,
        ..NtlmConfig::default()
    })
}

fn accounts() -> Arc<dyn AccountDatabase> {
    let mut accounts = MemoryAccounts::new();
    accounts.add("User", "Domain", "Password");
    Arc::new(accounts)
}

fn lax() -> (ClientPolicy, ServerPolicy) {
    let (level, minimum_flags) = (LmCompatibilityLevel::Level1, NegotiateFlags::empty());
    let server = ServerPolicy {
        level: LmCompatibilityLevel::Level0,
        require_mic: false,
        minimum_flags,
        allow_anonymous: true,
        ..ServerPolicy::default()
    };
    (ClientPolicy { level, minimum_flags, ..ClientPolicy::default() }, server)
}

static STRICT: LazyLock<Side> = LazyLock::new(|| Side::new(Default::default(), accounts()));
static LAX: LazyLock<Side> = LazyLock::new(|| Side::new(lax(), accounts()));
static TRUSTING: LazyLock<Side> = LazyLock::new(|| Side::new(lax(), Arc::new(Gullible)));

/// Both ends of an established session, exported.
struct Session {
    client: Vec<u8>,
    server: Vec<u8>,
    datagram: bool,
}

/// Signed and sealed; without key exchange; without extended session security; connectionless.
static SESSIONS: LazyLock<[Session; 4]> = LazyLock::new(|| {
    let through = |side: &Side, requirements: IscReq, clear: u32| {
        let datagram = requirements.contains(IscReq::DATAGRAM);
        let at = if datagram { AscReq::DATAGRAM } else { AscReq::empty() };
        let (at_client, mut first) = started(side, requirements);
        if !datagram {
            let flags = u32::from_le_bytes(first[12..16].try_into().unwrap()) & !clear;
            first[12..16].copy_from_slice(&flags.to_le_bytes());
        }
        let Ok(Step::ContinueNeeded { context: at_server, token: second }) = accept(side, None, &first, at)
        else {
            panic!("server's first step");
        };
        let Ok(Step::Complete { context: client, token: Some(third) }) =
            initialize(side, Some(at_client), Some(&second), requirements)
        else {
            panic!("client's last step");
        };
        let Ok(Step::Complete { context: server, .. }) = accept(side, Some(at_server), &third, at) else {
            panic!("server's last step");
        };
        Session { client: exported(client.as_ref()), server: exported(server.as_ref()), datagram }
    };
    let sealed = IscReq::CONFIDENTIALITY;
    [
        through(&STRICT, sealed, 0),
        through(&LAX, sealed, 0x4000_0000),
        // And without LM_KEY, which needs an account with an LM hash.
        through(&LAX, sealed, 0x0008_0080),
        through(&STRICT, sealed | IscReq::DATAGRAM, 0),
    ]
});

static BLOB: LazyLock<(Sspi, Vec<u8>)> = LazyLock::new(|| {
    let sspi = Sspi::new(SspiConfig {
        packages: vec![Arc::new(ntlm(Default::default(), accounts()))],
        host_key: HostKeyScope::user_directory(directory()),
        ..SspiConfig::default()
    })
    .unwrap();
    let context = imported(&SESSIONS[0].server);
    let real = sspi.export_security_context(context, &ExportOptions::default()).unwrap();
    (sspi, real)
});

fn directory() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("portable-sspi-fuzz-{}", std::process::id()))
}

fn exported(context: &dyn SecurityContext) -> Vec<u8> {
    STRICT.ntlm.export_keeping_original(context).unwrap().to_bytes().to_vec()
}

fn imported(state: &[u8]) -> Box<dyn SecurityContext> {
    STRICT.ntlm.import(&PortableState::from_bytes(state).unwrap()).unwrap()
}

fn started(side: &Side, requirements: IscReq) -> (PartialContext, Vec<u8>) {
    match initialize(side, None, None, requirements).unwrap() {
        Step::ContinueNeeded { context, token } => (context, token),
        Step::Complete { .. } => panic!("complete after one step"),
    }
}

fn initialize(
    side: &Side,
    context: Option<PartialContext>,
    token: Option<&[u8]>,
    requirements: IscReq,
) -> Result<Step, Error> {
    let request = InitializeRequest {
        target_name: Some("HTTP/server.domain.test"),
        requirements,
        token,
        ..InitializeRequest::default()
    };
    side.ntlm.initialize(&side.client, context, &request, &Environment::new(&Still, &Still))
}

fn accept(
    side: &Side,
    context: Option<PartialContext>,
    token: &[u8],
    requirements: AscReq,
) -> Result<Step, Error> {
    let request = AcceptRequest { requirements, token, ..AcceptRequest::default() };
    side.ntlm.accept(&side.server, context, &request, &Environment::new(&Still, &Still))
}
