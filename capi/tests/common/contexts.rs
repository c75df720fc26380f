//! Contexts and messages to try calls on, in the forms A and W.

use core::ffi::{c_char, c_void};
use core::ptr::{null, null_mut};

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

use super::{OK, acquire, buffer, identity, list};

pub const NO_HANDLE: SecHandle = SecHandle { lower: 0, upper: 0 };

type Query = unsafe extern "system" fn(*const SecHandle, u32, *mut c_void) -> i32;
type QueryEx = unsafe extern "system" fn(*const SecHandle, u32, *mut c_void, u32) -> i32;

/// The character of the functions that end in A, or of those that end in W.
pub trait Form: Copy + Default + PartialEq + 'static {
    const QUERY: Query;
    const QUERY_EX: QueryEx;
    const QUERY_CREDENTIALS: Query;
    const QUERY_CREDENTIALS_EX: QueryEx;
    const IMPORT: unsafe extern "system" fn(*const Self, *const SecBuffer, HANDLE, *mut SecHandle) -> i32;

    /// With a NUL.
    fn encode(text: &str) -> Vec<Self>;
    fn decode(characters: &[Self]) -> String;
}

impl Form for c_char {
    const QUERY: Query = QueryContextAttributesA;
    const QUERY_EX: QueryEx = QueryContextAttributesExA;
    const QUERY_CREDENTIALS: Query = QueryCredentialsAttributesA;
    const QUERY_CREDENTIALS_EX: QueryEx = QueryCredentialsAttributesExA;
    const IMPORT: unsafe extern "system" fn(*const Self, *const SecBuffer, HANDLE, *mut SecHandle) -> i32 =
        ImportSecurityContextA;

    fn encode(text: &str) -> Vec<Self> {
        text.bytes().chain([0]).map(|byte| byte as Self).collect()
    }

    fn decode(characters: &[Self]) -> String {
        String::from_utf8(characters.iter().map(|character| *character as u8).collect()).unwrap()
    }
}

impl Form for WCHAR {
    const QUERY: Query = QueryContextAttributesW;
    const QUERY_EX: QueryEx = QueryContextAttributesExW;
    const QUERY_CREDENTIALS: Query = QueryCredentialsAttributesW;
    const QUERY_CREDENTIALS_EX: QueryEx = QueryCredentialsAttributesExW;
    const IMPORT: unsafe extern "system" fn(*const Self, *const SecBuffer, HANDLE, *mut SecHandle) -> i32 =
        ImportSecurityContextW;

    fn encode(text: &str) -> Vec<Self> {
        super::wide(text)
    }

    fn decode(characters: &[Self]) -> String {
        String::from_utf16(characters).unwrap()
    }
}

/// NUL-terminated text.
pub fn text<C: Form>(start: *const C) -> String {
    assert!(!start.is_null());
    let length = (0..).find(|index| unsafe { *start.add(*index) == C::default() }).unwrap();
    C::decode(unsafe { core::slice::from_raw_parts(start, length) })
}

/// Text that the library gave in a block of its own, freed.
#[track_caller]
pub fn taken<C: Form>(start: *mut C) -> String {
    let read = text(start);
    free(start);
    read
}

/// Frees a block. It is tried no second time: another test's block may lie there by then.
#[track_caller]
pub fn free<T>(block: *mut T) {
    assert_eq!(unsafe { FreeContextBuffer(block.cast()) }, OK);
}

/// What QueryContextAttributesA or W answers, or the status.
pub fn ask<C: Form, T>(context: &SecHandle, attribute: u32) -> Result<T, i32> {
    let mut answer = core::mem::MaybeUninit::<T>::zeroed();
    let status = unsafe { C::QUERY(context, attribute, answer.as_mut_ptr().cast()) };
    // Every answer is of numbers and addresses, which may be zero.
    if status == OK { Ok(unsafe { answer.assume_init() }) } else { Err(status) }
}

/// A credential of NTLM.
pub fn credential(credential_use: u32) -> SecHandle {
    acquire("NTLM", credential_use, Some(&identity("alice", "CORP", "secret"))).unwrap()
}

/// Room for any answer.
pub fn with_room(call: impl FnOnce(*mut c_void) -> i32) -> i32 {
    let mut room = [0_usize; 16];
    call((&raw mut room).cast())
}

/// Who takes part in a handshake, and what is asked for.
#[derive(Clone, Copy)]
pub struct Handshake<'a> {
    /// User, domain and password.
    pub client: [&'a str; 3],
    pub account: [&'a str; 3],
    pub package: &'a str,
    pub target: Option<&'a str>,
    pub client_requirements: u32,
    pub server_requirements: u32,
}

impl Default for Handshake<'_> {
    fn default() -> Self {
        Self {
            client: ["alice", "CORP", "secret"],
            account: ["alice", "CORP", "secret"],
            package: "NTLM",
            target: None,
            client_requirements: super::SEALED,
            server_requirements: 0,
        }
    }
}

impl Handshake<'_> {
    fn credentials(&self) -> [SecHandle; 2] {
        let of = |[user, domain, password]: [&str; 3], credential_use| {
            acquire(self.package, credential_use, Some(&identity(user, domain, password))).unwrap()
        };
        [of(self.client, SECPKG_CRED_OUTBOUND), of(self.account, SECPKG_CRED_INBOUND)]
    }

    /// The contexts of client and server.
    #[track_caller]
    pub fn run(&self) -> [SecHandle; 2] {
        let [at_client, at_server] = self.credentials();
        let (_, client, negotiate) = self.initialize(&at_client, None, &[]);
        let (_, server, challenge) = self.accept(&at_server, None, &negotiate);
        let (status, _, authenticate) = self.initialize(&at_client, Some(&client), &challenge);
        assert_eq!(status, OK);
        assert_eq!(self.accept(&at_server, Some(&server), &authenticate).0, OK);
        for credential in [at_client, at_server] {
            assert_eq!(unsafe { FreeCredentialsHandle(&raw const credential) }, OK);
        }
        [client, server]
    }

    /// The contexts of client and server after the first step of each.
    pub fn half_done(&self) -> [SecHandle; 2] {
        let [at_client, at_server] = self.credentials();
        let (_, client, negotiate) = self.initialize(&at_client, None, &[]);
        let (_, server, _) = self.accept(&at_server, None, &negotiate);
        [client, server]
    }

    /// A client's context with a server that offers nothing (row 36): no SIGN, no SEAL, no extended session security, but
    /// ALWAYS_SIGN.
    pub fn run_against_an_old_server(&self) -> SecHandle {
        let [at_client, _] = self.credentials();
        let (_, client, _) = self.initialize(&at_client, None, &[]);
        let (status, ..) = self.initialize(&at_client, Some(&client), &challenge_of_an_old_server());
        assert_eq!(status, OK, "row 36");
        client
    }

    /// InitializeSecurityContextW.
    pub fn initialize(
        &self,
        credential: &SecHandle,
        context: Option<&SecHandle>,
        input: &[u8],
    ) -> (i32, SecHandle, Vec<u8>) {
        let target = self.target.map(super::wide);
        step(context, input, |context, input, new, output, attributes| unsafe {
            InitializeSecurityContextW(
                credential,
                context,
                target.as_ref().map_or(null(), |target| target.as_ptr()),
                self.client_requirements,
                0,
                SECURITY_NATIVE_DREP,
                if context.is_null() { null() } else { input },
                0,
                new,
                output,
                attributes,
                null_mut(),
            )
        })
    }

    /// AcceptSecurityContext.
    pub fn accept(
        &self,
        credential: &SecHandle,
        context: Option<&SecHandle>,
        input: &[u8],
    ) -> (i32, SecHandle, Vec<u8>) {
        step(context, input, |context, input, new, output, attributes| unsafe {
            AcceptSecurityContext(
                credential,
                context,
                input,
                self.server_requirements,
                SECURITY_NATIVE_DREP,
                new,
                output,
                attributes,
                null_mut(),
            )
        })
    }
}

fn step(
    context: Option<&SecHandle>,
    input: &[u8],
    call: impl FnOnce(*const SecHandle, *const SecBufferDesc, *mut SecHandle, *mut SecBufferDesc, *mut u32) -> i32,
) -> (i32, SecHandle, Vec<u8>) {
    let (mut input, mut token) = (input.to_vec(), vec![0; 4096]);
    let mut inputs = [buffer(&mut input, SECBUFFER_TOKEN)];
    let mut outputs = [buffer(&mut token, SECBUFFER_TOKEN)];
    let (input, mut output) = (list(&mut inputs), list(&mut outputs));
    let (mut new, mut attributes) = (context.copied().unwrap_or_default(), 0);
    let context = context.map_or(null(), |context| &raw const *context);
    let status = call(context, &raw const input, &raw mut new, &raw mut output, &raw mut attributes);
    token.truncate(outputs[0].length as usize);
    (status, new, token)
}

/// A CHALLENGE with the flags A0828205, a name, and no time in its target information.
fn challenge_of_an_old_server() -> Vec<u8> {
    let name: Vec<u8> = "OLD".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut info = Vec::new();
    // MsvAvNbDomainName and MsvAvNbComputerName.
    for id in [2_u16, 1] {
        info.extend([&id.to_le_bytes()[..], &6_u16.to_le_bytes(), &name].concat());
    }
    info.extend([0; 4]);
    let field = |length: usize, offset: usize| {
        let length = (length as u16).to_le_bytes();
        [&length[..], &length, &(offset as u32).to_le_bytes()].concat()
    };
    let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
    message.extend(field(name.len(), 48));
    message.extend(0xA082_8205_u32.to_le_bytes());
    message.extend(b"a nonce.");
    message.extend([0; 8]);
    message.extend(field(info.len(), 48 + name.len()));
    [message, name, info].concat()
}

/// A message in buffers: their types, and what is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(pub Vec<(u32, Vec<u8>)>);

pub type Protect = unsafe extern "system" fn(*const SecHandle, u32, *mut SecBufferDesc, u32) -> i32;
pub type Unprotect = unsafe extern "system" fn(*const SecHandle, *mut SecBufferDesc, u32, *mut u32) -> i32;

impl Message {
    pub fn new(parts: &[(u32, &[u8])]) -> Self {
        Self(parts.iter().map(|(kind, bytes)| (*kind, bytes.to_vec())).collect())
    }

    /// Calls with the list of buffers. A length that comes back shorter shortens what is there.
    fn with(&mut self, call: impl FnOnce(*mut SecBufferDesc) -> i32) -> i32 {
        let mut buffers: Vec<_> = self.0.iter_mut().map(|(kind, bytes)| buffer(bytes, *kind)).collect();
        let before: Vec<_> = buffers.iter().map(|buffer| (buffer.buffer_type, buffer.pointer)).collect();
        let mut message = list(&mut buffers);
        let status = call(&raw mut message);
        assert_eq!(message.count as usize, before.len());
        let after: Vec<_> = buffers.iter().map(|buffer| (buffer.buffer_type, buffer.pointer)).collect();
        assert_eq!(before, after, "types and addresses stay");
        for ((_, bytes), buffer) in self.0.iter_mut().zip(&buffers) {
            assert!(buffer.length as usize <= bytes.len());
            bytes.truncate(buffer.length as usize);
        }
        status
    }

    /// MakeSignature or EncryptMessage.
    pub fn protect(&mut self, call: Protect, context: &SecHandle) -> i32 {
        self.with(|message| unsafe { call(context, 0, message, 0) })
    }

    /// VerifySignature or DecryptMessage, which leave the quality as it is.
    #[track_caller]
    pub fn unprotect(&mut self, call: Unprotect, context: &SecHandle) -> i32 {
        let mut quality = 0xDEAD_BEEF;
        let status = self.with(|message| unsafe { call(context, message, 0, &raw mut quality) });
        assert_eq!(quality, 0xDEAD_BEEF, "rows 62 and 68: the quality is not written");
        status
    }

    /// What is in the buffers of that type.
    pub fn part(&mut self, kind: u32) -> &mut Vec<u8> {
        self.0.iter_mut().find(|(found, _)| *found == kind).map(|(_, bytes)| bytes).unwrap()
    }
}

/// Encrypts a message on one side and decrypts it on the other.
#[track_caller]
pub fn converse(from: &SecHandle, to: &SecHandle) {
    let clear = Message::new(&[(SECBUFFER_TOKEN, &[0; 16]), (SECBUFFER_DATA, b"a message")]);
    let mut message = clear.clone();
    assert_eq!(message.protect(EncryptMessage, from), OK);
    assert_ne!(message.part(SECBUFFER_DATA), b"a message");
    assert_eq!(message.unprotect(DecryptMessage, to), OK);
    assert_eq!(message.part(SECBUFFER_DATA), b"a message");
}
