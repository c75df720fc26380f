//! The names of `secext.h`, in both forms. The rows are those of the reference on what programs observe of SSPI on Windows.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test says where")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::undocumented_unsafe_blocks,
    reason = "all memory is the test's own"
)]
#![allow(unsafe_code, reason = "what is tested are functions for C")]

use core::ffi::c_char;
use core::ptr::null_mut;

use portable_sspi_capi::abi::*;
use portable_sspi_capi::*;

const INVALID_PARAMETER: u32 = 87;
const MORE_DATA: u32 = 234;
const NO_SUCH_USER: u32 = 1317;
const NONE_MAPPED: u32 = 1332;
const CANT_ACCESS_DOMAIN_INFO: u32 = 1351;

const FORMATS: [EXTENDED_NAME_FORMAT; 12] = [
    NAME_UNKNOWN,
    NAME_FULLY_QUALIFIED_DN,
    NAME_SAM_COMPATIBLE,
    NAME_DISPLAY,
    NAME_UNIQUE_ID,
    NAME_CANONICAL,
    NAME_USER_PRINCIPAL,
    NAME_CANONICAL_EX,
    NAME_SERVICE_PRINCIPAL,
    NAME_DNS_DOMAIN,
    NAME_GIVEN_NAME,
    NAME_SURNAME,
];

#[cfg(not(windows))]
fn last_error() -> u32 {
    GetLastError()
}

/// Of the system.
#[cfg(windows)]
fn last_error() -> u32 {
    u32::try_from(std::io::Error::last_os_error().raw_os_error().unwrap()).unwrap()
}

type Name<C> = unsafe extern "system" fn(EXTENDED_NAME_FORMAT, *mut C, *mut u32) -> BOOLEAN;

/// The functions that end in A or W.
trait Form: Copy + PartialEq + core::fmt::Debug {
    const USER: Name<Self>;
    const COMPUTER: Name<Self>;
    const MARK: Self;
    const NUL: Self;
    const BACKSLASH: Self;

    /// TranslateName of `name` from one format into another.
    fn translate(name: &str, formats: [EXTENDED_NAME_FORMAT; 2], to: *mut Self, size: *mut u32) -> BOOLEAN;
}

impl Form for c_char {
    const USER: Name<Self> = GetUserNameExA;
    const COMPUTER: Name<Self> = GetComputerObjectNameA;
    const MARK: Self = 0x55;
    const NUL: Self = 0;
    const BACKSLASH: Self = b'\\' as Self;

    fn translate(
        name: &str,
        [from, to]: [EXTENDED_NAME_FORMAT; 2],
        buffer: *mut Self,
        size: *mut u32,
    ) -> BOOLEAN {
        let name = std::ffi::CString::new(name).unwrap();
        unsafe { TranslateNameA(name.as_ptr(), from, to, buffer, size) }
    }
}

impl Form for WCHAR {
    const USER: Name<Self> = GetUserNameExW;
    const COMPUTER: Name<Self> = GetComputerObjectNameW;
    const MARK: Self = 0x5555;
    const NUL: Self = 0;
    const BACKSLASH: Self = b'\\' as Self;

    fn translate(
        name: &str,
        [from, to]: [EXTENDED_NAME_FORMAT; 2],
        buffer: *mut Self,
        size: *mut u32,
    ) -> BOOLEAN {
        let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
        unsafe { TranslateNameW(name.as_ptr(), from, to, buffer, size) }
    }
}

/// Calls with a buffer of so many characters, or with NULL where there is none: the answer, the size afterwards, and the buffer.
fn call<C: Form>(
    function: Name<C>,
    format: EXTENDED_NAME_FORMAT,
    room: Option<usize>,
) -> (BOOLEAN, u32, Vec<C>) {
    let mut buffer = vec![C::MARK; 600];
    let mut size = room.unwrap_or(0) as u32;
    let address = if room.is_some() { buffer.as_mut_ptr() } else { null_mut() };
    let answer = unsafe { function(format, address, &raw mut size) };
    (answer, size, buffer)
}

/// Whether the user has a name here that can be told; where not, the test says so.
fn user_has_a_name() -> bool {
    let (answer, ..) = call::<WCHAR>(GetUserNameExW, NAME_SAM_COMPATIBLE, Some(600));
    if answer == 0 {
        assert!(std::env::var_os("PORTABLE_SSPI_REQUIRE_PEERS").is_none(), "the user has no name");
        eprintln!("SKIPPED: the process's user has no name here");
    }
    answer != 0
}

#[test]
fn row_80_every_format_gives_a_name_or_none_mapped() {
    fn check<C: Form>() {
        for format in FORMATS.into_iter().chain([4, 5, 11, 15, 99, -1]) {
            let (answer, size, buffer) = call(C::USER, format, Some(600));
            if answer == 0 {
                let error = last_error();
                let unknown = format == NAME_UNKNOWN && error == NO_SUCH_USER;
                assert!(error == NONE_MAPPED || unknown, "row 80: format {format}, error {error}");
                assert_eq!(buffer, vec![C::MARK; 600]);
                continue;
            }
            assert!([NAME_SAM_COMPATIBLE, NAME_DISPLAY].contains(&format), "row 80: {format}");
            assert!(size > 0 && buffer[..size as usize].iter().all(|character| *character != C::NUL));
            assert_eq!(buffer[size as usize], C::NUL, "row 80: format {format}");
            assert_eq!(buffer[size as usize + 1], C::MARK, "nothing is written behind it");
        }
    }
    check::<c_char>();
    check::<WCHAR>();
    if user_has_a_name() {
        let (_, size, buffer) = call::<WCHAR>(GetUserNameExW, NAME_SAM_COMPATIBLE, Some(600));
        assert!(buffer[..size as usize].contains(&WCHAR::BACKSLASH), "row 80: COMPUTER\\user");
        let (_, size, buffer) = call::<c_char>(GetUserNameExA, NAME_SAM_COMPATIBLE, Some(600));
        assert!(buffer[..size as usize].contains(&c_char::BACKSLASH), "row 80: COMPUTER\\user");
    }
}

#[test]
fn row_81_a_name_that_has_no_room_is_measured() {
    fn check<C: Form>() {
        for room in [None, Some(0), Some(1)] {
            let (answer, size, buffer) = call(C::USER, NAME_SAM_COMPATIBLE, room);
            assert_eq!((answer, last_error()), (0, MORE_DATA), "row 81: {room:?}");
            assert!(size as usize > room.unwrap_or(0), "row 81: the size that is needed");
            assert_eq!(buffer, vec![C::MARK; 600], "row 81: untouched");
            // It is the least that is enough.
            let needed = size as usize;
            assert_eq!(call(C::USER, NAME_SAM_COMPATIBLE, Some(needed - 1)).0, 0);
            let (answer, length, buffer) = call(C::USER, NAME_SAM_COMPATIBLE, Some(needed));
            assert_eq!((answer, length as usize), (1, needed - 1));
            assert_eq!(buffer[needed..], vec![C::MARK; 600 - needed]);
        }
        // Without a buffer, whatever the size says.
        let mut size = 600;
        assert_eq!(unsafe { C::USER(NAME_SAM_COMPATIBLE, null_mut(), &raw mut size) }, 0);
        assert_eq!(last_error(), MORE_DATA);
    }
    if user_has_a_name() {
        check::<c_char>();
        check::<WCHAR>();
    }
}

#[test]
fn row_82_the_computer_has_no_name_of_an_unknown_format() {
    fn check<C: Form>() {
        for room in [None, Some(0), Some(1), Some(600)] {
            let (answer, _, buffer) = call(C::COMPUTER, NAME_UNKNOWN, room);
            assert_eq!((answer, last_error()), (0, INVALID_PARAMETER), "row 82: {room:?}");
            assert_eq!(buffer, vec![C::MARK; 600], "row 82");
        }
    }
    check::<c_char>();
    check::<WCHAR>();
}

#[test]
fn row_83_a_computer_in_no_domain_has_no_object() {
    fn check<C: Form>() {
        for format in FORMATS.into_iter().skip(1) {
            for room in [None, Some(0), Some(1), Some(600)] {
                let (answer, _, buffer) = call(C::COMPUTER, format, room);
                assert_eq!(
                    (answer, last_error()),
                    (0, CANT_ACCESS_DOMAIN_INFO),
                    "row 83: {format}, {room:?}"
                );
                assert_eq!(buffer, vec![C::MARK; 600], "row 83");
            }
        }
    }
    check::<c_char>();
    check::<WCHAR>();
}

// The section on exports: TranslateName, and what is missing.
#[test]
fn no_directory_translates_a_name() {
    fn check<C: Form>() {
        let mut buffer = [C::MARK; 8];
        for formats in [[NAME_SAM_COMPATIBLE, NAME_USER_PRINCIPAL], [NAME_UNKNOWN, NAME_DISPLAY]] {
            let mut size = 8;
            let answer = C::translate(r"CORP\alice", formats, buffer.as_mut_ptr(), &raw mut size);
            assert_eq!((answer, last_error(), size), (0, NONE_MAPPED, 8));
            assert_eq!(buffer, [C::MARK; 8]);
            let answer = C::translate(r"CORP\alice", formats, buffer.as_mut_ptr(), null_mut());
            assert_eq!((answer, last_error()), (0, INVALID_PARAMETER));
        }
        for function in [C::USER, C::COMPUTER] {
            let answer = unsafe { function(NAME_SAM_COMPATIBLE, buffer.as_mut_ptr(), null_mut()) };
            assert_eq!((answer, last_error()), (0, INVALID_PARAMETER));
        }
    }
    check::<c_char>();
    check::<WCHAR>();
}

#[cfg(not(windows))]
#[test]
fn each_thread_has_a_last_error_of_its_own() {
    SetLastError(7);
    std::thread::spawn(|| {
        assert_eq!(GetLastError(), 0);
        SetLastError(8);
    })
    .join()
    .unwrap();
    assert_eq!(GetLastError(), 7);
}
