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

#[path = "capi_contexts.rs"]
mod contexts;
#[path = "capi_identities.rs"]
mod identities;
#[path = "capi_memory.rs"]
mod memory;
#[path = "capi_seeds.rs"]
mod seeds;

use identities::*;
use memory::*;
pub use seeds::own_seeds;

const OK: i32 = 0;
const CONTINUE_NEEDED: i32 = 0x0009_0312;
const INTERNAL_ERROR: i32 = 0x8009_0304_u32 as i32;
const INVALID_HANDLE: i32 = 0x8009_0301_u32 as i32;

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
