//! The fuzz target of the C library: a program that calls its functions in any order with anything that their contract
//! allows, each pointer NULL or valid. `capi/tests/fuzz_corpus.rs` runs it on the seeds.
//!
//! What is asserted after each call: no panic came; a handle that stands for nothing is refused, and nothing else is done;
//! memory is written to where it may be and nowhere else, and not at all by a call that fails; what the library gave is freed
//! once, and freeing it again is harmless. At the end, everything that the program has can be deleted once, and a client and a
//! server that it never touched still understand each other.

#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    reason = "a finding must stop the program; all memory is the program's own"
)]

use core::cell::Cell;
use core::ffi::{c_char, c_void};
use core::ptr::{null, null_mut};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

#[path = "capi_identities.rs"]
mod identities;
#[path = "capi_memory.rs"]
mod memory;

use identities::*;
use memory::*;

const OK: i32 = 0;
const CONTINUE_NEEDED: i32 = 0x0009_0312;
const INTERNAL_ERROR: i32 = 0x8009_0304_u32 as i32;
const INVALID_HANDLE: i32 = 0x8009_0301_u32 as i32;
const DELETE_OLD: u32 = 2;
const ALLOCATE: u32 = 0x100;

/// Calls for each input, at most: beyond, nothing new comes.
const CALLS: usize = 48;

pub fn capi(data: &[u8]) {
    succeeded(data);
}

/// The same; tells how many of the calls that the input asks for succeeded.
pub fn succeeded(data: &[u8]) -> usize {
    set_up();
    let mut program = Program::new();
    let mut input = Input(data);
    SUCCEEDED.set(0);
    for _ in 0..CALLS {
        let Some(choice) = input.next() else { break };
        program.call(choice, &mut input);
    }
    let succeeded = SUCCEEDED.get();
    program.end();
    let witnesses = WITNESSES.lock().unwrap_or_else(PoisonError::into_inner);
    unsafe { checked(RevertSecurityContext(&witnesses[0])) };
    converse(&witnesses[0], &witnesses[1]);
    converse(&witnesses[1], &witnesses[0]);
    succeeded
}

/// Where the host key and the accounts are.
fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("portable-sspi-fuzz-capi-{}", std::process::id()))
}

/// Removes what the target has made in the directory for temporary files.
pub fn clean_up() {
    let _ = std::fs::remove_dir_all(directory());
}

thread_local! {
    static PANICKED: Cell<bool> = const { Cell::new(false) };
    static SUCCEEDED: Cell<usize> = const { Cell::new(0) };
}

/// What the environment says is the same in each run, and a panic is noticed although the library lets none out.
fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let accounts = directory().join("accounts");
        std::fs::create_dir_all(directory()).unwrap();
        std::fs::write(&accounts, "CORP:alice:secret\n").unwrap();
        #[cfg(unix)]
        for (path, mode) in [(directory(), 0o700), (accounts.clone(), 0o600)] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        // The library reads them later, and in this thread first.
        unsafe {
            for name in
                ["LM_COMPAT_LEVEL", "NETBIOS_DOMAIN_NAME", "NTLM_USER_FILE", "PORTABLE_SSPI_REQUIRE_MIC"]
            {
                std::env::remove_var(name);
            }
            if cfg!(unix) {
                std::env::set_var("NTLM_USER_FILE", accounts);
            }
            std::env::set_var("NETBIOS_COMPUTER_NAME", "SERVER");
            std::env::set_var("PORTABLE_SSPI_HOST_KEY", directory().join("key"));
            std::env::set_var("PORTABLE_SSPI_IMPERSONATE", "names");
        }
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED.set(true);
            before(info);
        }));
    });
}

/// A client and a server that the program knows nothing of.
static WITNESSES: LazyLock<Mutex<[SecHandle; 2]>> = LazyLock::new(|| {
    let mut program = Program::new();
    program.shake_hands();
    let [.., client, server] = program.contexts[..] else { panic!("no handshake") };
    Mutex::new([client, server])
});

/// What every call has to keep to.
#[track_caller]
fn checked(status: i32) -> i32 {
    assert!(!PANICKED.get(), "a panic in the library");
    if status < 0 {
        let mut text = [0_u8; 256];
        let length = unsafe { PortableSspiGetLastErrorMessage(text.as_mut_ptr().cast(), 256) };
        assert_ne!(length, 0, "{status:08X} without a text");
        let fault = text.windows(22).any(|words| words == b"a fault in the library");
        assert!(!fault || status != INTERNAL_ERROR, "a panic in the library");
    } else {
        SUCCEEDED.set(SUCCEEDED.get() + 1);
    }
    status
}

/// The program frees what the library gave, twice.
#[track_caller]
fn free<T>(block: *mut T) {
    assert!(!block.is_null());
    unsafe {
        assert_eq!(checked(FreeContextBuffer(block.cast())), OK, "a block that was given is not known");
        assert_eq!(checked(FreeContextBuffer(block.cast())), INVALID_HANDLE, "freed twice");
    }
}

fn free_unless_null<T>(block: *mut T) {
    if !block.is_null() {
        free(block);
    }
}

fn converse(from: &SecHandle, to: &SecHandle) {
    let clear = b"a message that nobody else touches";
    let mut list = List::of(&[(SECBUFFER_TOKEN, &[0; 16]), (SECBUFFER_DATA, clear)]);
    unsafe {
        assert_eq!(checked(EncryptMessage(from, 0, list.pointer(), 0)), OK);
        list.check(Effect::Message);
        assert_eq!(checked(DecryptMessage(to, list.pointer(), 0, null_mut())), OK);
    }
    assert_eq!(list.first(SECBUFFER_DATA).unwrap().1, clear);
}

/// A handle that the program passes.
struct Passed {
    memory: Option<Piece>,
    handle: SecHandle,
    is_credential: bool,
    is_context: bool,
}

impl Passed {
    fn pointer(&mut self) -> *mut SecHandle {
        self.memory.as_mut().map_or(null_mut(), Piece::pointer)
    }

    /// A call with a handle that stands for nothing says so.
    #[track_caller]
    fn expect(&self, stands_for_something: bool, status: i32) -> i32 {
        if !stands_for_something {
            assert_eq!(status, INVALID_HANDLE, "of a handle that stands for nothing");
        }
        if let Some(memory) = &self.memory {
            memory.check();
        }
        status
    }
}

struct Program {
    credentials: Vec<SecHandle>,
    contexts: Vec<SecHandle>,
    stale: Vec<SecHandle>,
    tokens: Vec<Vec<u8>>,
    blobs: Vec<Vec<u8>>,
    imported: Vec<Vec<u8>>,
    access: Vec<HANDLE>,
    identities: Identities,
}

impl Program {
    /// With credentials of a client and of a server.
    fn new() -> Self {
        let mut program = Self {
            credentials: Vec::new(),
            contexts: Vec::new(),
            stale: Vec::new(),
            tokens: Vec::new(),
            blobs: Vec::new(),
            imported: Vec::new(),
            access: Vec::new(),
            identities: Identities::default(),
        };
        for credential_use in [SECPKG_CRED_OUTBOUND, SECPKG_CRED_INBOUND] {
            let mut identity = MadeIdentity::alice();
            let mut package = Piece::new(b"NTLM\0", 0);
            program.acquire(false, &mut package, credential_use, identity.pointer(), false);
        }
        program
    }

    fn call(&mut self, choice: u8, input: &mut Input<'_>) {
        match choice % 20 {
            0 => {
                let wide = input.byte() % 2 == 1;
                let mut package = text(input, wide, &["NTLM", "Negotiate", "negotiate", "ntlm", ""]);
                let credential_use = match input.byte() {
                    255 => input.number(),
                    few => u32::from(few % 4),
                };
                let mut identity = self.identities.any(input, wide);
                let no_place = input.byte() == 255;
                self.acquire(wide, &mut package, credential_use, identity.pointer(), no_place);
                identity.check();
            }
            1 => {
                let mut passed = self.pick(input);
                let status = unsafe { checked(FreeCredentialsHandle(passed.pointer())) };
                if passed.expect(passed.is_credential, status) == OK {
                    self.credentials.retain(|known| *known != passed.handle);
                    self.stale.push(passed.handle);
                }
            }
            2 | 3 => self.step(input, choice % 20 == 2),
            4 => {
                let mut passed = self.pick(input);
                let status = unsafe { checked(DeleteSecurityContext(passed.pointer())) };
                if passed.expect(passed.is_context, status) == OK {
                    self.gone(passed.handle);
                }
            }
            5 | 6 => self.message(input),
            7 => self.attribute(input),
            8 => self.export(input),
            9 => self.import(input),
            10 => self.token(input),
            11 => self.shake_hands(),
            12 => packages(input),
            13 => names(input),
            14 => self.unsupported(input),
            15 => {
                let block = input.number() as usize as *mut c_void;
                let status = unsafe { checked(FreeContextBuffer(block)) };
                assert_eq!(status, if block.is_null() { OK } else { INVALID_HANDLE }, "what was never given");
            }
            _ => self.identities.call(input),
        }
    }

    fn acquire(
        &mut self,
        wide: bool,
        package: &mut Piece,
        credential_use: u32,
        identity: *mut c_void,
        no_place: bool,
    ) {
        let mut handle = Piece::of(&SecHandle { lower: 7, upper: 7 }, 3);
        let mut expiry = Piece::of(&7_i64, 1);
        let place = if no_place { null_mut() } else { handle.pointer() };
        let time = expiry.pointer();
        let status = checked(unsafe {
            if wide {
                let package = package.pointer::<u16>();
                AcquireCredentialsHandleW(
                    null(),
                    package,
                    credential_use,
                    null_mut(),
                    identity,
                    null(),
                    null_mut(),
                    place,
                    time,
                )
            } else {
                let package = package.pointer::<c_char>();
                AcquireCredentialsHandleA(
                    null(),
                    package,
                    credential_use,
                    null_mut(),
                    identity,
                    null(),
                    null_mut(),
                    place,
                    time,
                )
            }
        });
        [&handle, &expiry, package].into_iter().for_each(Piece::check);
        if status == OK {
            self.credentials.push(handle.read());
        } else {
            assert!(handle.is_unchanged() && expiry.is_unchanged(), "an answer of a call that failed");
        }
    }

    /// A handle of any kind.
    fn pick(&self, input: &mut Input<'_>) -> Passed {
        let choice = input.byte();
        let nothing = SecHandle { lower: 0, upper: 0 };
        let odd = choice / 8;
        let mut handle = match choice % 8 {
            0..=3 => input.any(&self.contexts).copied().unwrap_or(nothing),
            4 => input.any(&self.credentials).copied().unwrap_or(nothing),
            5 => input.any(&self.stale).copied().unwrap_or(nothing),
            6 => SecHandle { lower: input.number() as usize, upper: input.number() as usize },
            _ => {
                let mut near = input.any(&self.contexts).copied().unwrap_or(nothing);
                near.upper ^= 1 << (input.byte() % 32);
                near
            }
        };
        if odd == 30 {
            handle = SecHandle { lower: usize::MAX, upper: usize::MAX };
        }
        let is_null = odd == 31;
        Passed {
            memory: (!is_null).then(|| Piece::of(&handle, odd)),
            handle,
            is_credential: !is_null && self.credentials.contains(&handle),
            is_context: !is_null && self.contexts.contains(&handle),
        }
    }

    fn gone(&mut self, context: SecHandle) {
        self.contexts.retain(|known| *known != context);
        self.stale.push(context);
    }

    /// A step of a handshake with anything.
    fn step(&mut self, input: &mut Input<'_>, is_client: bool) {
        let (mut credential, mut context) = (self.pick(input), self.pick(input));
        let requirements = match input.byte() {
            255 => input.number(),
            few if is_client => [0, 0x1_0010, 0x1_0110, 0x4_0000, 0x410, 0x100][usize::from(few % 6)],
            few => [0, 0x2_0010, 0x2_0110, 0x10_0000, 0x410, 0x100][usize::from(few % 6)],
        };
        let wide = requirements & 0x10 != 0;
        let mut target = text(input, wide, &["HTTP/server", "", "cifs/a.b:7/c", "x"]);
        let mut given = List::any(input, &self.tokens);
        let mut output = List::any(input, &self.tokens);
        let in_place = input.byte() == 1;
        let mut new = Piece::of(&SecHandle { lower: 7, upper: 7 }, 5);
        let (mut flags, mut expiry) = (Piece::of(&7_u32, 1), Piece::of(&7_i64, 2));
        let (credential_place, place) = (credential.pointer(), context.pointer());
        let from = given.pointer();
        let to = if in_place { from } else { output.pointer() };
        let status = checked(unsafe {
            match (is_client, wide) {
                (true, false) => InitializeSecurityContextA(
                    credential_place,
                    place,
                    target.pointer(),
                    requirements,
                    0,
                    0,
                    from,
                    0,
                    new.pointer(),
                    to,
                    flags.pointer(),
                    expiry.pointer(),
                ),
                (true, true) => InitializeSecurityContextW(
                    credential_place,
                    place,
                    target.pointer(),
                    requirements,
                    0,
                    0,
                    from,
                    0,
                    new.pointer(),
                    to,
                    flags.pointer(),
                    expiry.pointer(),
                ),
                (false, _) => AcceptSecurityContext(
                    credential_place,
                    place,
                    from,
                    requirements,
                    0,
                    new.pointer(),
                    to,
                    flags.pointer(),
                    expiry.pointer(),
                ),
            }
        });
        [&new, &flags, &expiry, &target].into_iter().for_each(Piece::check);
        let allocates = requirements & ALLOCATE != 0;
        let effect = match status {
            OK | CONTINUE_NEEDED if allocates => Effect::Block,
            OK | CONTINUE_NEEDED => Effect::Token,
            _ => Effect::Nothing,
        };
        given.check(if in_place { effect } else { Effect::Nothing });
        output.check(if in_place { Effect::Nothing } else { effect });
        if effect == Effect::Nothing {
            assert!(
                new.is_unchanged() && flags.is_unchanged() && expiry.is_unchanged(),
                "an answer of a call that failed"
            );
            return;
        }
        let first = place.is_null();
        assert!(
            credential.is_credential || !first && credential_place.is_null(),
            "a step with credentials that are none"
        );
        assert!(
            first || context.is_context && new.read::<SecHandle>() == context.handle,
            "a step of a context that is none"
        );
        if first {
            self.contexts.push(new.read());
        }
        let written = if in_place { &mut given } else { &mut output };
        if let Some((pointer, token)) = written.first(SECBUFFER_TOKEN) {
            if allocates {
                free_unless_null(pointer);
            }
            self.tokens.push(token);
        }
    }

    /// An honest handshake, whose contexts and tokens are then the program's.
    fn shake_hands(&mut self) {
        let (mut sides, mut token) = ([SecHandle::default(); 2], Vec::new());
        let credentials = [SECPKG_CRED_OUTBOUND, SECPKG_CRED_INBOUND].map(|credential_use| {
            let (mut identity, mut package) = (MadeIdentity::alice(), Piece::new(b"NTLM\0", 0));
            self.acquire(false, &mut package, credential_use, identity.pointer(), false);
            self.credentials.pop().unwrap()
        });
        for step in 0..4 {
            let side = step % 2;
            let first = step < 2;
            let mut from = List::of(&[(SECBUFFER_TOKEN, &token)]);
            let mut to = List::of(&[(SECBUFFER_TOKEN, &[0; 4096])]);
            let (given, context) = (from.pointer(), &raw mut sides[side]);
            let before = if first { null() } else { context.cast_const() };
            let status = checked(unsafe {
                if side == 0 {
                    let given = if first { null_mut() } else { given };
                    let (requirements, target) = (0x1_0010, c"HTTP/server".as_ptr());
                    InitializeSecurityContextA(
                        &credentials[0],
                        before,
                        target,
                        requirements,
                        0,
                        0,
                        given,
                        0,
                        context,
                        to.pointer(),
                        null_mut(),
                        null_mut(),
                    )
                } else {
                    AcceptSecurityContext(
                        &credentials[1],
                        before,
                        given,
                        0x2_0010,
                        0,
                        context,
                        to.pointer(),
                        null_mut(),
                        null_mut(),
                    )
                }
            });
            assert_eq!(status, if first { CONTINUE_NEEDED } else { OK });
            token = to.first(SECBUFFER_TOKEN).unwrap().1;
            self.tokens.push(token.clone());
        }
        for credential in credentials {
            assert_eq!(unsafe { checked(FreeCredentialsHandle(&credential)) }, OK);
        }
        self.contexts.extend(sides);
    }

    fn message(&mut self, input: &mut Input<'_>) {
        let mut passed = self.pick(input);
        let choice = input.byte();
        let quality = match choice / 6 {
            40 => SECQOP_WRAP_NO_ENCRYPT,
            41 => input.number(),
            _ => 0,
        };
        let mut list = List::any(input, &self.tokens);
        let (context, message, number) = (passed.pointer(), list.pointer(), u32::from(choice));
        let mut answer = Piece::of(&7_u32, 3);
        let status = checked(unsafe {
            match choice % 6 {
                0 => EncryptMessage(context, quality, message, number),
                1 => DecryptMessage(context, message, number, answer.pointer()),
                2 => MakeSignature(context, quality, message, number),
                3 => VerifySignature(context, message, number, answer.pointer()),
                4 => SealMessage(context, quality, message, number),
                _ => UnsealMessage(context, message, number, answer.pointer()),
            }
        });
        passed.expect(passed.is_context, status);
        assert!(answer.is_unchanged(), "the quality is never written");
        list.check(if status == OK { Effect::Message } else { Effect::Nothing });
        if status == OK && matches!(choice % 6, 0 | 2 | 4) {
            let parts = [SECBUFFER_TOKEN, SECBUFFER_DATA]
                .map(|kind| list.first(kind).unwrap_or((null_mut(), Vec::new())).1);
            self.tokens.push(parts.concat());
            self.tokens.extend(parts);
        }
    }

    fn attribute(&mut self, input: &mut Input<'_>) {
        let mut passed = self.pick(input);
        let (choice, attribute) = (input.byte(), input.byte());
        let attribute = if attribute == 255 { input.number() } else { u32::from(attribute % 32) };
        let room = u32::from(input.byte());
        // As much as the largest answer takes, or as is said.
        let mut place = Piece::new(&vec![0x55; if choice & 2 == 0 { 64 } else { room as usize }], choice / 8);
        let answer: *mut c_void = if choice & 4 != 0 { null_mut() } else { place.pointer() };
        let handle = passed.pointer();
        if choice & 8 != 0 {
            let status = checked(unsafe {
                match choice & 3 {
                    0 => QueryCredentialsAttributesA(handle, attribute, answer),
                    1 => QueryCredentialsAttributesW(handle, attribute, answer),
                    2 => QueryCredentialsAttributesExA(handle, attribute, answer, room),
                    _ => QueryCredentialsAttributesExW(handle, attribute, answer, room),
                }
            });
            place.check();
            if passed.expect(passed.is_credential, status) == OK {
                free(place.read::<*mut c_void>());
            } else {
                assert!(place.is_unchanged(), "an answer of a call that failed");
            }
            return;
        }
        let status = checked(unsafe {
            match choice & 3 {
                0 => QueryContextAttributesA(handle, attribute, answer),
                1 => QueryContextAttributesW(handle, attribute, answer),
                2 => QueryContextAttributesExA(handle, attribute, answer, room),
                _ => QueryContextAttributesExW(handle, attribute, answer, room),
            }
        });
        place.check();
        if passed.expect(passed.is_context, status) != OK {
            assert!(place.is_unchanged(), "an answer of a call that failed");
            return;
        }
        let word = |index: usize| -> *mut c_void {
            let bytes = &place.bytes()[index * size_of::<usize>()..];
            usize::from_ne_bytes(bytes[..size_of::<usize>()].try_into().unwrap()) as *mut c_void
        };
        match attribute {
            1 | 6 | 10 | 12 => free(word(0)),
            3 | 9 => free(word(1)),
            5 | 13 => [word(0), word(1)].into_iter().for_each(free),
            27 => free_unless_null(word(0)),
            _ => {}
        }
    }

    fn export(&mut self, input: &mut Input<'_>) {
        let mut passed = self.pick(input);
        let choice = input.byte();
        let flags = if choice < 200 { u32::from(choice % 4) } else { input.number() };
        let packed = SecBuffer { length: 7, buffer_type: u32::from(choice), pointer: null_mut() };
        let (mut packed, mut token) = (Piece::of(&packed, choice), Piece::of(&7_usize, choice));
        let place = if choice == 199 { null_mut() } else { packed.pointer() };
        let token_place = if choice & 4 == 0 { null_mut() } else { token.pointer::<HANDLE>() };
        let status = checked(unsafe { ExportSecurityContext(passed.pointer(), flags, place, token_place) });
        packed.check();
        token.check();
        if passed.expect(passed.is_context, status) != OK {
            assert!(packed.is_unchanged() && token.is_unchanged(), "an answer of a call that failed");
            return;
        }
        let filled: SecBuffer = packed.read();
        assert_eq!(filled.buffer_type, SECBUFFER_EMPTY);
        let blob =
            unsafe { core::slice::from_raw_parts(filled.pointer.cast::<u8>(), filled.length as usize) };
        self.blobs.push(blob.to_vec());
        free(filled.pointer);
        if !token_place.is_null() && token.read::<usize>() != 0 {
            self.access.push(token.read());
        }
        if flags & DELETE_OLD != 0 {
            self.gone(passed.handle);
        }
    }

    fn import(&mut self, input: &mut Input<'_>) {
        let mut blob = input.any(&self.blobs).cloned().unwrap_or_default();
        match input.byte() {
            0..=99 => {}
            100..=149 => blob.truncate(usize::from(input.byte())),
            150..=199 => {
                let place = usize::from(input.byte());
                if let Some(byte) = blob.get_mut(place) {
                    *byte ^= input.byte();
                }
            }
            200..=239 => blob = input.take(200).to_vec(),
            _ => blob.extend(input.take(4)),
        }
        let mut package = text(input, false, &["NTLM", "Negotiate", "none", ""]);
        let mut bytes = Piece::new(&blob, input.byte());
        let packed = SecBuffer { length: blob.len() as u32, buffer_type: 0, pointer: bytes.pointer() };
        let mut packed = Piece::of(&packed, 3);
        let mut handle = Piece::of(&SecHandle { lower: 7, upper: 7 }, 3);
        let status = checked(unsafe {
            ImportSecurityContextA(package.pointer(), packed.pointer(), null_mut(), handle.pointer())
        });
        assert!(bytes.is_unchanged() && packed.is_unchanged());
        handle.check();
        if status == OK {
            assert!(self.blobs.contains(&blob), "a blob was imported that nobody exported");
            assert!(!self.imported.contains(&blob), "a blob was imported twice");
            self.imported.push(blob);
            self.contexts.push(handle.read());
        } else {
            assert!(handle.is_unchanged(), "an answer of a call that failed");
        }
    }

    fn token(&mut self, input: &mut Input<'_>) {
        let mut passed = self.pick(input);
        let context = passed.pointer();
        let mut place = Piece::of(&7_usize, 1);
        match input.byte() % 5 {
            0 => {
                let status = checked(unsafe { QuerySecurityContextToken(context, place.pointer()) });
                if passed.expect(passed.is_context, status) == OK {
                    self.access.push(place.read());
                } else {
                    assert!(place.is_unchanged(), "an answer of a call that failed");
                }
            }
            1 => drop(
                passed.expect(passed.is_context, checked(unsafe { ImpersonateSecurityContext(context) })),
            ),
            2 => drop(passed.expect(passed.is_context, checked(unsafe { RevertSecurityContext(context) }))),
            #[cfg(not(windows))]
            3 => {
                assert_eq!(CloseHandle(input.number() as usize as HANDLE), 0, "a handle that was never given")
            }
            _ => self.close_all(),
        }
        place.check();
    }

    fn close_all(&mut self) {
        #[cfg(not(windows))]
        for handle in self.access.drain(..) {
            assert_eq!((CloseHandle(handle), CloseHandle(handle)), (1, 0), "a token is closed once");
        }
    }

    fn unsupported(&mut self, input: &mut Input<'_>) {
        let mut passed = self.pick(input);
        let mut list = List::any(input, &self.tokens);
        let (handle, desc) = (passed.pointer(), list.pointer());
        let (status, is_it) = match input.byte() % 6 {
            0 => (unsafe { CompleteAuthToken(handle, desc) }, passed.is_context),
            1 => (unsafe { ApplyControlToken(handle, desc) }, passed.is_context),
            2 => (unsafe { SetContextAttributesA(handle, 1, null(), 9) }, passed.is_context),
            3 => (unsafe { SetContextAttributesW(handle, 1, null(), 9) }, passed.is_context),
            4 => (unsafe { SetCredentialsAttributesA(handle, 1, null(), 9) }, passed.is_credential),
            _ => {
                let status = unsafe {
                    AddCredentialsW(handle, null(), null(), 1, null(), null(), null_mut(), null_mut())
                };
                (status, passed.is_credential)
            }
        };
        assert!(checked(status) < 0);
        passed.expect(is_it, status);
        list.check(Effect::Nothing);
    }

    /// Everything that the program has goes once.
    fn end(mut self) {
        for context in core::mem::take(&mut self.contexts) {
            let delete = || checked(unsafe { DeleteSecurityContext(&context) });
            assert_eq!((delete(), delete()), (OK, INVALID_HANDLE), "a context is deleted once");
        }
        for credential in core::mem::take(&mut self.credentials) {
            let free = || checked(unsafe { FreeCredentialsHandle(&credential) });
            assert_eq!((free(), free()), (OK, INVALID_HANDLE), "credentials are freed once");
        }
        self.close_all();
        self.identities.end();
    }
}

fn packages(input: &mut Input<'_>) {
    let choice = input.byte();
    let mut info = Piece::of(&7_usize, choice);
    let mut count = Piece::of(&7_u32, choice);
    let mut name = text(input, choice & 1 != 0, &["NTLM", "Negotiate", "", "none"]);
    let status = checked(unsafe {
        match choice % 6 {
            0 => EnumerateSecurityPackagesA(count.pointer(), info.pointer()),
            1 => EnumerateSecurityPackagesW(count.pointer(), info.pointer()),
            2 => QuerySecurityPackageInfoA(name.pointer(), info.pointer()),
            3 => QuerySecurityPackageInfoW(name.pointer(), info.pointer()),
            4 => AddSecurityPackageA(name.pointer(), null_mut()),
            _ => ChangeAccountPasswordW(name.pointer(), null(), null(), null(), null(), 0, 0, null_mut()),
        }
    });
    [&info, &count, &name].into_iter().for_each(Piece::check);
    if status == OK {
        free(info.read::<*mut c_void>());
    } else {
        assert!(info.is_unchanged() && count.is_unchanged(), "an answer of a call that failed");
    }
}

fn names(input: &mut Input<'_>) {
    let (choice, room) = (input.byte(), u32::from(input.byte()));
    let format = i32::from(input.byte() % 16);
    let mut size = Piece::of(&room, choice);
    let mut place = Piece::new(&vec![0x55; room as usize * 2], choice);
    let answered = unsafe {
        match choice % 6 {
            0 => GetUserNameExA(format, place.pointer(), size.pointer()),
            1 => GetUserNameExW(format, place.pointer(), size.pointer()),
            2 => GetComputerObjectNameA(format, place.pointer(), size.pointer()),
            3 => GetComputerObjectNameW(format, place.pointer(), size.pointer()),
            4 => TranslateNameW(null(), format, format, place.pointer(), size.pointer()),
            _ => GetUserNameExW(format, null_mut(), size.pointer()),
        }
    };
    checked(OK);
    place.check();
    size.check();
    assert!(answered != 0 || place.is_unchanged(), "an answer of a call that failed");
    let mut message = Piece::new(&vec![0x55; room as usize], choice);
    unsafe { PortableSspiGetLastErrorMessage(message.pointer(), room) };
    message.check();
}

/// What the seeds are: programs in the form that this target reads, with their names and how many calls succeed.
pub fn own_seeds() -> Vec<(&'static str, usize, Vec<u8>)> {
    // Handles, as `pick` reads them.
    let (client, server, first, second, null) = ([0, 0], [0, 1], [4, 0], [4, 1], [248, 0]);
    // Lists of buffers: one token of those so far, or room for one; two of them as a message.
    let (none, room) = ([0, 0], [1, 0, 7, 0]);
    let known = |index: u8| [1, 0, 3, index, 0];
    let received = |token: u8, data: u8| [2, 0, 3, token, 1, 3, data, 0];
    let step = |function: u8, credential: [u8; 2], context: [u8; 2], flags: u8, from: &[u8], to: &[u8]| {
        [&[function][..], &credential, &context, &[flags, 0], from, to, &[0]].concat()
    };
    let handshake = |flags: u8, to: &[u8]| {
        [
            step(2, first, null, flags, &none, to),
            step(3, second, null, flags, &known(0), to),
            step(2, first, client, flags, &known(1), to),
            step(3, second, server, flags, &known(2), to),
        ]
        .concat()
    };
    let message = |context: [u8; 2], kind: u8, list: &[u8]| [&[5][..], &context, &[kind], list].concat();
    let to_send = [2, 0, 5, 1, 6, 20, 0];
    // An honest handshake is eight calls, and leaves four tokens; each message sent leaves three parts.
    let shaken = |rest: &[u8]| [&[11], rest].concat();
    let messages = [
        message(client, 0, &to_send),
        message(server, 1, &received(5, 6)),
        message(server, 2, &to_send),
        message(client, 3, &received(8, 9)),
    ];
    let stream = [message(client, 0, &to_send), message(server, 1, &[2, 4, 3, 4, 1, 1, 0, 0, 0, 0, 0])];
    let attributes: Vec<_> = (0..32).flat_map(|attribute| [7, 0, 1, 0, attribute, 64]).collect();
    let identity = |form: u8| {
        // One is made, marshalled, encrypted, and marshalled again; then each function takes one of that form.
        let mut program = vec![16, 0, 0, 0, 1, 2, 16, 8, 7, 0, 16, 15, 7, 0, 16, 8, 7, 0, 16, 2, 0, 0];
        for function in 6..20 {
            program.extend([16, function, form, 1, 2, 34, 66, 0, 98, 0, 99, 0]);
        }
        program
    };
    vec![
        ("nothing", 0, Vec::new()),
        ("handshake", 4, handshake(1, &room)),
        ("handshake-allocating", 4, handshake(2, &[1, 0, 1, 0, 0, 0, 0, 0])),
        ("handshake-in-16-bytes", 0, handshake(1, &[1, 0, 5, 0])),
        ("messages", 12, shaken(&messages.concat())),
        ("stream", 10, shaken(&stream.concat())),
        ("delete-twice", 10, shaken(&[4, 0, 0, 4, 5, 0, 4, 0, 0, 4, 5, 1, 1, 4, 0])),
        ("attributes", 20, shaken(&attributes)),
        ("export", 10, shaken(&[8, 0, 1, 6, 9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 9, 0, 150, 60, 1, 0, 0])),
        ("impersonate", 11, shaken(&[10, 0, 1, 1, 13, 1, 80, 2, 10, 0, 1, 2, 10, 0, 1, 0, 10, 0, 0, 3])),
        ("names", 4, (0..6).flat_map(|function| [13, function, 40, 2, 12, function, 0]).collect()),
        (
            "unsupported",
            0,
            (0..6).flat_map(|function| [14, 4, 0, 0, 0, function, 15, 1, 0, 0, function]).collect(),
        ),
        (
            "acquire",
            1,
            vec![0, 1, 1, 2, 2, 2, 104, 98, 0, 111, 0, 98, 0, 104, 68, 0, 104, 112, 0, 0, 1, 0, 1, 1, 1, 0],
        ),
        ("identity-block", 10, identity(7)),
        ("identity-plain", 5, identity(3)),
        ("identity-list", 5, identity(2)),
        ("identity-piece", 5, identity(6)),
        ("identity-bytes", 5, identity(37)),
    ]
}
