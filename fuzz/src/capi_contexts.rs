//! What the program that the target `capi` plays does with contexts.

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

use super::identities::{MadeIdentity, text};
use super::memory::{Effect, Input, List, Piece};
use super::{CONTINUE_NEEDED, OK, Program, checked, free, free_unless_null};

const DELETE_OLD: u32 = 2;
const ALLOCATE: u32 = 0x100;

impl Program {
    /// A step of a handshake with anything.
    pub fn step(&mut self, input: &mut Input<'_>, is_client: bool) {
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
    pub fn shake_hands(&mut self) {
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

    pub fn message(&mut self, input: &mut Input<'_>) {
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

    pub fn attribute(&mut self, input: &mut Input<'_>) {
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

    pub fn export(&mut self, input: &mut Input<'_>) {
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

    pub fn import(&mut self, input: &mut Input<'_>) {
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

    pub fn token(&mut self, input: &mut Input<'_>) {
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

    pub fn close_all(&mut self) {
        #[cfg(not(windows))]
        for handle in self.access.drain(..) {
            assert_eq!((CloseHandle(handle), CloseHandle(handle)), (1, 0), "a token is closed once");
        }
    }

    pub fn unsupported(&mut self, input: &mut Input<'_>) {
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
}
