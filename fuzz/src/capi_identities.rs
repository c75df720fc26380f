//! Identities and texts of the program that the target `capi` plays.

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

use super::memory::{Input, Piece};
use super::{OK, checked, free, free_unless_null};

/// NUL-terminated text: one of `known`, or what the fuzzer says, or a very long one.
pub fn text(input: &mut Input<'_>, wide: bool, known: &[&str]) -> Piece {
    let choice = input.byte();
    let mut bytes: Vec<u8> = match choice {
        0..=199 => known[usize::from(choice) % known.len()].as_bytes().to_vec(),
        200..=249 => {
            let length = usize::from(input.byte());
            input.take(length).to_vec()
        }
        250..=252 => vec![b'a'; 0xFFFF],
        _ => vec![b'a'; 0x8000 + usize::from(input.byte())],
    };
    if wide && !(200..=249).contains(&choice) {
        bytes = bytes.into_iter().flat_map(|byte| u16::from(byte).to_ne_bytes()).collect();
    }
    // Enough for a wide NUL behind half a wide character.
    bytes.extend([0; 3]);
    Piece::new(&bytes, choice)
}

/// An identity in any form, with its texts.
pub struct MadeIdentity {
    texts: Vec<Piece>,
    whole: Option<Piece>,
    /// Of the library's.
    block: *mut c_void,
}

impl MadeIdentity {
    pub fn alice() -> Self {
        let mut texts: Vec<_> = ["alice", "CORP", "secret"].map(|text| Piece::new(text.as_bytes(), 0)).into();
        let mut next = texts.iter_mut().map(|text| (text.pointer::<u8>().cast_const(), text.len() as u32));
        let [(user, user_length), (domain, domain_length), (password, password_length)] =
            [0; 3].map(|_: u8| next.next().unwrap());
        drop(next);
        let flags = SEC_WINNT_AUTH_IDENTITY_ANSI;
        let plain =
            AuthIdentity { user, user_length, domain, domain_length, password, password_length, flags };
        Self { texts, whole: Some(Piece::of(&plain, 0)), block: null_mut() }
    }

    pub fn pointer(&mut self) -> *mut c_void {
        self.whole.as_mut().map_or(self.block, Piece::pointer)
    }

    pub fn check(&self) {
        self.texts.iter().chain(&self.whole).for_each(Piece::check);
    }

    fn is_unchanged(&self) -> bool {
        self.texts.iter().chain(&self.whole).all(Piece::is_unchanged)
    }
}

/// What the Sspi* functions gave the program.
#[derive(Default)]
pub struct Identities {
    blocks: Vec<*mut c_void>,
    marshalled: Vec<Vec<u8>>,
}

impl Identities {
    /// One of any form: none, plain, with a package list, in one piece, or of the library's.
    pub fn any(&self, input: &mut Input<'_>, wide: bool) -> MadeIdentity {
        let choice = input.byte();
        let none = MadeIdentity { texts: Vec::new(), whole: None, block: null_mut() };
        match choice % 8 {
            0 => none,
            1 => MadeIdentity::alice(),
            2..=4 => Self::plain(input, wide, choice % 8 == 2),
            5 => {
                let Some(mut bytes) = input.any(&self.marshalled).cloned() else { return none };
                // Version and lengths must stay: they say how far the memory reaches.
                for _ in 0..choice / 32 {
                    let place = 12 + usize::from(input.byte());
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = input.byte();
                    }
                }
                MadeIdentity { whole: Some(Piece::new(&bytes, choice / 8)), ..none }
            }
            6 => Self::in_one_piece(input),
            _ => MadeIdentity { block: input.any(&self.blocks).copied().unwrap_or_default(), ..none },
        }
    }

    fn plain(input: &mut Input<'_>, wide: bool, with_list: bool) -> MadeIdentity {
        let flags = match input.byte() {
            255 => input.number(),
            few => [0, 1, 2, 2, 6, 0x12, 0x11, 0x20][usize::from(few % 8)],
        };
        let narrow = flags & 3 == 1 || flags & 3 != 2 && !wide;
        let mut texts = Vec::new();
        let mut next = || {
            let choice = input.byte();
            let bytes = match choice {
                // A length without a pointer is one of nothing.
                0..=39 => return (null(), u32::from(choice)),
                250 => vec![b'a'; 0x1_0004],
                _ => {
                    let length = usize::from(choice % 32);
                    input.take(length).to_vec()
                }
            };
            let length = if narrow { bytes.len() } else { bytes.len() / 2 } as u32;
            let mut piece = Piece::new(&bytes, choice);
            let pointer = piece.pointer::<u8>().cast_const();
            texts.push(piece);
            (pointer, length)
        };
        let ((user, user_length), (domain, domain_length), (password, password_length)) =
            (next(), next(), next());
        let (package_list, package_list_length) = next();
        let identity =
            AuthIdentity { user, user_length, domain, domain_length, password, password_length, flags };
        let whole = if with_list {
            let (version, length) = (SEC_WINNT_AUTH_IDENTITY_VERSION, size_of::<AuthIdentityEx<u8>>() as u32);
            Piece::of(&AuthIdentityEx { version, length, identity, package_list, package_list_length }, 4)
        } else {
            Piece::of(&identity, 4)
        };
        MadeIdentity { texts, whole: Some(whole), block: null_mut() }
    }

    /// `SEC_WINNT_AUTH_IDENTITY_EX2` whose parts are anywhere.
    fn in_one_piece(input: &mut Input<'_>) -> MadeIdentity {
        let header = size_of::<AuthIdentityEx2>();
        let length = usize::from(input.byte());
        let mut bytes = input.take(header - 12).to_vec();
        bytes.resize(header - 12, 0);
        let mut whole = vec![0; 12];
        whole[..4].copy_from_slice(&SEC_WINNT_AUTH_IDENTITY_VERSION_2.to_ne_bytes());
        whole[4..6].copy_from_slice(&(header as u16).to_ne_bytes());
        whole[8..12].copy_from_slice(&((header + length) as u32).to_ne_bytes());
        whole.extend(bytes);
        let mut behind = input.take(length).to_vec();
        behind.resize(length, 0);
        whole.extend(behind);
        MadeIdentity { texts: Vec::new(), whole: Some(Piece::new(&whole, 2)), block: null_mut() }
    }

    pub fn call(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        match choice % 20 {
            0 | 1 => return self.encode(input),
            2 | 3 => return self.unmarshal(input),
            4 => {
                let Some(block) = self.blocks.pop() else { return };
                unsafe { SspiZeroAuthIdentity(block) };
                return free(block);
            }
            5 => return target(input),
            _ => {}
        }
        let mut identity = self.any(input, true);
        let pointer = identity.pointer();
        let mut place = Piece::of(&[7_usize; 5], choice / 20);
        let first = place.pointer::<*mut c_void>();
        let [second, third, fourth, fifth] = [1, 2, 3, 4].map(|index| first.wrapping_add(index));
        let (status, writes) = unsafe {
            match choice % 20 {
                6 => (SspiCopyAuthIdentity(pointer, first), false),
                7 => {
                    let mut package = text(input, true, &["NTLM", "Kerberos", "", "a,b"]);
                    (SspiExcludePackage(pointer, package.pointer(), first), false)
                }
                8 => (SspiMarshalAuthIdentity(pointer, second.cast(), first.cast()), false),
                9 => (
                    SspiEncodeAuthIdentityAsStrings(pointer, first.cast(), second.cast(), third.cast()),
                    false,
                ),
                10 => {
                    let mut target = text(input, true, &["a/b", ""]);
                    let target = if choice > 127 { null_mut() } else { target.pointer() };
                    let (size, kind) = (fourth.cast::<u32>(), fifth.cast::<u32>());
                    (
                        SspiPrepareForCredWrite(
                            pointer,
                            target,
                            kind,
                            first.cast(),
                            second.cast(),
                            third.cast(),
                            size,
                        ),
                        false,
                    )
                }
                11 => (SspiPrepareForCredRead(pointer, null(), second.cast(), first.cast()), false),
                12 => (SspiCompareAuthIdentities(pointer, pointer, first.cast(), second.cast()), false),
                13 => (SspiValidateAuthIdentity(pointer), false),
                14 => {
                    assert!(SspiIsAuthIdentityEncrypted(pointer) <= 1);
                    (OK, false)
                }
                15 => (SspiEncryptAuthIdentity(pointer), true),
                16 => (SspiDecryptAuthIdentity(pointer), true),
                17 => (SspiEncryptAuthIdentityEx(input.number(), pointer), true),
                18 => (SspiDecryptAuthIdentityEx(2, pointer), true),
                _ => {
                    SspiZeroAuthIdentity(pointer);
                    (OK, true)
                }
            }
        };
        checked(status);
        identity.check();
        place.check();
        assert!(
            writes && status == OK || identity.is_unchanged(),
            "an identity was changed that is not to be"
        );
        if status != OK {
            return assert!(place.is_unchanged(), "an answer of a call that failed");
        }
        let [one, two, three, ..] = place.read::<[*mut c_void; 5]>();
        match choice % 20 {
            6 | 7 => self.blocks.push(one),
            8 => {
                let length = place.bytes()[size_of::<usize>()..][..4].try_into().unwrap();
                let length = u32::from_ne_bytes(length) as usize;
                self.marshalled
                    .push(unsafe { core::slice::from_raw_parts(one.cast::<u8>(), length) }.to_vec());
                free(one);
            }
            9 | 10 => [one, two, three].into_iter().for_each(free_unless_null),
            11 => free(one),
            _ => {}
        }
    }

    fn encode(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        let mut texts = [(); 3].map(|()| text(input, true, &["bob", "CORP", "secret", "C\\d", ""]));
        let mut pointers = texts.each_mut().map(|text| text.pointer::<u16>().cast_const());
        for (index, pointer) in pointers.iter_mut().enumerate() {
            if choice >> index & 1 != 0 {
                *pointer = null();
            }
        }
        let mut place = Piece::of(&7_usize, choice);
        let [user, domain, password] = pointers;
        let status =
            checked(unsafe { SspiEncodeStringsAsAuthIdentity(user, domain, password, place.pointer()) });
        texts.iter().chain([&place]).for_each(Piece::check);
        if status == OK {
            self.blocks.push(place.read());
        } else {
            assert!(place.is_unchanged(), "an answer of a call that failed");
        }
    }

    fn unmarshal(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        let mut bytes = match choice {
            0..=199 => input.any(&self.marshalled).cloned().unwrap_or_default(),
            _ => input.take(usize::from(choice)).to_vec(),
        };
        for _ in 0..choice / 64 {
            let place = usize::from(input.byte());
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= input.byte();
            } else {
                bytes.truncate(place);
            }
        }
        let (mut given, mut place) = (Piece::new(&bytes, choice), Piece::of(&7_usize, choice));
        let status = checked(unsafe {
            SspiUnmarshalAuthIdentity(bytes.len() as u32, given.pointer(), place.pointer())
        });
        place.check();
        assert!(given.is_unchanged());
        if status == OK {
            self.blocks.push(place.read());
        } else {
            assert!(place.is_unchanged(), "an answer of a call that failed");
        }
    }

    pub fn end(mut self) {
        self.blocks.drain(..).for_each(free);
    }
}

fn target(input: &mut Input<'_>) {
    let mut target = text(input, true, &["HTTP/host:80/name", "[::1]", "a", "a@b/c", ""]);
    let mut place = Piece::of(&7_usize, 1);
    let status = checked(unsafe { SspiGetTargetHostName(target.pointer(), place.pointer()) });
    [&target, &place].into_iter().for_each(Piece::check);
    if status == OK {
        free(place.read::<*mut c_void>());
    } else {
        assert!(place.is_unchanged(), "an answer of a call that failed");
    }
}
