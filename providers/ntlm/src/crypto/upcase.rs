//! Upper case as Windows has it, for names in NTOWFv2 and for comparing names.
//!
//! NTOWFv2 covers the user's name in upper case, so both sides must come to the same upper case, unit for unit, or a right
//! password is refused. Windows (`RtlUpcaseUnicodeString`) maps one UTF-16 unit to one unit by a fixed table. The standard
//! library's tables are no substitute: they change with each release of Unicode, and map what Windows leaves alone
//! (`ß`, `ı`, `ŉ`, `µ`, `ſ`, ligatures, Georgian, letters outside the Basic Multilingual Plane).
//!
//! There are **two** tables in the field. Each can be recognised by the MD5 of its `$UpCase` file, which Windows
//! writes on each NTFS volume it formats; the tests compare with it:
//!
//! - Windows NT to XP, and Samba to this day (its table is the same to the byte): Unicode 3.0 or so.
//! - Windows 7 and later ([MS-UCODEREF] 3.1.5.3, "Windows 8 Upper Case Mapping Table"): Unicode 5.1. It adds 338 letters,
//!   among them the Romanian `ș` and `ț`, and leaves alone one that the older maps: the Greek final sigma.

/// Whose table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaseTable {
    /// Windows XP and before, and Samba.
    WindowsXp,
    /// Windows 7 and later.
    Windows7,
}

impl CaseTable {
    /// What a client computes with, a server tries first, and names are compared by.
    pub(crate) const DEFAULT: Self = Self::Windows7;

    /// The one that is not this one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::WindowsXp => Self::Windows7,
            Self::Windows7 => Self::WindowsXp,
        }
    }

    fn upcase(self, unit: u16) -> u16 {
        if let Ok(ascii) = u8::try_from(unit) {
            if ascii.is_ascii() {
                return u16::from(ascii.to_ascii_uppercase());
            }
        }
        let own: &[Run] = match self {
            Self::WindowsXp => &UNTIL_WINDOWS_VISTA,
            Self::Windows7 => &SINCE_WINDOWS_7,
        };
        look_up(&BOTH, unit).or_else(|| look_up(own, unit)).unwrap_or(unit)
    }
}

/// The UTF-16 units of `text` in upper case. As many as `text` has; surrogates stay as they are.
pub(crate) fn upcase(text: &str) -> impl Iterator<Item = u16> {
    upcase_by(CaseTable::DEFAULT, text)
}

/// [`upcase`] by a given table.
pub(crate) fn upcase_by(table: CaseTable, text: &str) -> impl Iterator<Item = u16> {
    text.encode_utf16().map(move |unit| table.upcase(unit))
}

/// `text` in upper case, as text again.
#[must_use]
pub(crate) fn to_upper(text: &str) -> String {
    // Nearly always as long as before.
    let mut upper = String::with_capacity(text.len());
    // Surrogates stay as they are and the tables map to none, so what was text stays text.
    upper.extend(char::decode_utf16(upcase(text)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    upper
}

/// Whether two names are the same but for case.
#[must_use]
pub(crate) fn eq_ignore_case(a: &str, b: &str) -> bool {
    upcase(a).eq(upcase(b))
}

/// First unit, last unit, step from one unit to the next, and what the first one maps to; the distance is the same for
/// all. The runs of a list are sorted and do not overlap.
type Run = (u16, u16, u16, u16);

fn look_up(runs: &[Run], unit: u16) -> Option<u16> {
    let (first, _, step, upper) = runs.get(runs.partition_point(|(_, last, ..)| *last < unit))?;
    let distance = unit.checked_sub(*first)?;
    (distance.checked_rem(*step)? == 0).then(|| upper.wrapping_add(distance))
}

/// What both tables have.
#[rustfmt::skip]
static BOTH: [Run; 87] = [
    (0x0061, 0x007A, 1, 0x0041), (0x00E0, 0x00F6, 1, 0x00C0), (0x00F8, 0x00FE, 1, 0x00D8), (0x00FF, 0x00FF, 1, 0x0178),
    (0x0101, 0x012F, 2, 0x0100), (0x0133, 0x0137, 2, 0x0132), (0x013A, 0x0148, 2, 0x0139), (0x014B, 0x0177, 2, 0x014A),
    (0x017A, 0x017E, 2, 0x0179), (0x0183, 0x0185, 2, 0x0182), (0x0188, 0x0188, 1, 0x0187), (0x018C, 0x018C, 1, 0x018B),
    (0x0192, 0x0192, 1, 0x0191), (0x0199, 0x0199, 1, 0x0198), (0x01A1, 0x01A5, 2, 0x01A0), (0x01A8, 0x01A8, 1, 0x01A7),
    (0x01AD, 0x01AD, 1, 0x01AC), (0x01B0, 0x01B0, 1, 0x01AF), (0x01B4, 0x01B6, 2, 0x01B3), (0x01B9, 0x01B9, 1, 0x01B8),
    (0x01BD, 0x01BD, 1, 0x01BC), (0x01C6, 0x01C6, 1, 0x01C4), (0x01C9, 0x01C9, 1, 0x01C7), (0x01CC, 0x01CC, 1, 0x01CA),
    (0x01CE, 0x01DC, 2, 0x01CD), (0x01DD, 0x01DD, 1, 0x018E), (0x01DF, 0x01EF, 2, 0x01DE), (0x01F3, 0x01F3, 1, 0x01F1),
    (0x01F5, 0x01F5, 1, 0x01F4), (0x01FB, 0x0217, 2, 0x01FA), (0x0253, 0x0253, 1, 0x0181), (0x0254, 0x0254, 1, 0x0186),
    (0x0256, 0x0257, 1, 0x0189), (0x0259, 0x0259, 1, 0x018F), (0x025B, 0x025B, 1, 0x0190), (0x0260, 0x0260, 1, 0x0193),
    (0x0263, 0x0263, 1, 0x0194), (0x0268, 0x0268, 1, 0x0197), (0x0269, 0x0269, 1, 0x0196), (0x026F, 0x026F, 1, 0x019C),
    (0x0272, 0x0272, 1, 0x019D), (0x0275, 0x0275, 1, 0x019F), (0x0283, 0x0283, 1, 0x01A9), (0x0288, 0x0288, 1, 0x01AE),
    (0x028A, 0x028B, 1, 0x01B1), (0x0292, 0x0292, 1, 0x01B7), (0x03AC, 0x03AC, 1, 0x0386), (0x03AD, 0x03AF, 1, 0x0388),
    (0x03B1, 0x03C1, 1, 0x0391), (0x03C3, 0x03CB, 1, 0x03A3), (0x03CC, 0x03CC, 1, 0x038C), (0x03CD, 0x03CE, 1, 0x038E),
    (0x03E3, 0x03EF, 2, 0x03E2), (0x0430, 0x044F, 1, 0x0410), (0x0451, 0x045C, 1, 0x0401), (0x045E, 0x045F, 1, 0x040E),
    (0x0461, 0x0481, 2, 0x0460), (0x0491, 0x04BF, 2, 0x0490), (0x04C2, 0x04C4, 2, 0x04C1), (0x04C8, 0x04C8, 1, 0x04C7),
    (0x04CC, 0x04CC, 1, 0x04CB), (0x04D1, 0x04EB, 2, 0x04D0), (0x04EF, 0x04F5, 2, 0x04EE), (0x04F9, 0x04F9, 1, 0x04F8),
    (0x0561, 0x0586, 1, 0x0531), (0x1E01, 0x1E95, 2, 0x1E00), (0x1EA1, 0x1EF9, 2, 0x1EA0), (0x1F00, 0x1F07, 1, 0x1F08),
    (0x1F10, 0x1F15, 1, 0x1F18), (0x1F20, 0x1F27, 1, 0x1F28), (0x1F30, 0x1F37, 1, 0x1F38), (0x1F40, 0x1F45, 1, 0x1F48),
    (0x1F51, 0x1F57, 2, 0x1F59), (0x1F60, 0x1F67, 1, 0x1F68), (0x1F70, 0x1F71, 1, 0x1FBA), (0x1F72, 0x1F75, 1, 0x1FC8),
    (0x1F76, 0x1F77, 1, 0x1FDA), (0x1F78, 0x1F79, 1, 0x1FF8), (0x1F7A, 0x1F7B, 1, 0x1FEA), (0x1F7C, 0x1F7D, 1, 0x1FFA),
    (0x1FB0, 0x1FB1, 1, 0x1FB8), (0x1FD0, 0x1FD1, 1, 0x1FD8), (0x1FE0, 0x1FE1, 1, 0x1FE8), (0x1FE5, 0x1FE5, 1, 0x1FEC),
    (0x2170, 0x217F, 1, 0x2160), (0x24D0, 0x24E9, 1, 0x24B6), (0xFF41, 0xFF5A, 1, 0xFF21),
];

/// What came with Windows Vista and 7 (Unicode 5.1).
#[rustfmt::skip]
static SINCE_WINDOWS_7: [Run; 65] = [
    (0x0180, 0x0180, 1, 0x0243), (0x0195, 0x0195, 1, 0x01F6), (0x019A, 0x019A, 1, 0x023D), (0x019E, 0x019E, 1, 0x0220),
    (0x01BF, 0x01BF, 1, 0x01F7), (0x01F9, 0x01F9, 1, 0x01F8), (0x0219, 0x021F, 2, 0x0218), (0x0223, 0x0233, 2, 0x0222),
    (0x023C, 0x023C, 1, 0x023B), (0x0242, 0x0242, 1, 0x0241), (0x0247, 0x024F, 2, 0x0246), (0x0250, 0x0250, 1, 0x2C6F),
    (0x0251, 0x0251, 1, 0x2C6D), (0x026B, 0x026B, 1, 0x2C62), (0x0271, 0x0271, 1, 0x2C6E), (0x027D, 0x027D, 1, 0x2C64),
    (0x0280, 0x0280, 1, 0x01A6), (0x0289, 0x0289, 1, 0x0244), (0x028C, 0x028C, 1, 0x0245), (0x0371, 0x0373, 2, 0x0370),
    (0x0377, 0x0377, 1, 0x0376), (0x037B, 0x037D, 1, 0x03FD), (0x03D7, 0x03D7, 1, 0x03CF), (0x03D9, 0x03E1, 2, 0x03D8),
    (0x03F2, 0x03F2, 1, 0x03F9), (0x03F8, 0x03F8, 1, 0x03F7), (0x03FB, 0x03FB, 1, 0x03FA), (0x0450, 0x0450, 1, 0x0400),
    (0x045D, 0x045D, 1, 0x040D), (0x048B, 0x048F, 2, 0x048A), (0x04C6, 0x04C6, 1, 0x04C5), (0x04CA, 0x04CA, 1, 0x04C9),
    (0x04CE, 0x04CE, 1, 0x04CD), (0x04CF, 0x04CF, 1, 0x04C0), (0x04ED, 0x04ED, 1, 0x04EC), (0x04F7, 0x04F7, 1, 0x04F6),
    (0x04FB, 0x0523, 2, 0x04FA), (0x1D79, 0x1D79, 1, 0xA77D), (0x1D7D, 0x1D7D, 1, 0x2C63), (0x1EFB, 0x1EFF, 2, 0x1EFA),
    (0x1F80, 0x1F87, 1, 0x1F88), (0x1F90, 0x1F97, 1, 0x1F98), (0x1FA0, 0x1FA7, 1, 0x1FA8), (0x1FB3, 0x1FB3, 1, 0x1FBC),
    (0x1FC3, 0x1FC3, 1, 0x1FCC), (0x1FF3, 0x1FF3, 1, 0x1FFC), (0x214E, 0x214E, 1, 0x2132), (0x2184, 0x2184, 1, 0x2183),
    (0x2C30, 0x2C5E, 1, 0x2C00), (0x2C61, 0x2C61, 1, 0x2C60), (0x2C65, 0x2C65, 1, 0x023A), (0x2C66, 0x2C66, 1, 0x023E),
    (0x2C68, 0x2C6C, 2, 0x2C67), (0x2C73, 0x2C73, 1, 0x2C72), (0x2C76, 0x2C76, 1, 0x2C75), (0x2C81, 0x2CE3, 2, 0x2C80),
    (0x2D00, 0x2D25, 1, 0x10A0), (0xA641, 0xA65F, 2, 0xA640), (0xA663, 0xA66D, 2, 0xA662), (0xA681, 0xA697, 2, 0xA680),
    (0xA723, 0xA72F, 2, 0xA722), (0xA733, 0xA76F, 2, 0xA732), (0xA77A, 0xA77C, 2, 0xA779), (0xA77F, 0xA787, 2, 0xA77E),
    (0xA78C, 0xA78C, 1, 0xA78B),
];

/// What was given up with Windows 7: final sigma.
#[rustfmt::skip]
static UNTIL_WINDOWS_VISTA: [Run; 1] = [
    (0x03C2, 0x03C2, 1, 0x03A3),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hmac_md5::md5;

    fn table(table: CaseTable) -> Vec<u8> {
        (0..=u16::MAX).flat_map(|unit| table.upcase(unit).to_le_bytes()).collect()
    }

    #[test]
    fn both_tables_are_those_of_windows_to_the_byte() {
        assert_eq!(
            hex::encode(md5([table(CaseTable::WindowsXp).as_slice()])),
            "6fa3db2468275286210751e869d36373"
        );
        assert_eq!(
            hex::encode(md5([table(CaseTable::Windows7).as_slice()])),
            "7ff498a44e45e77374cc7c962b1b92f2"
        );
    }

    #[test]
    fn what_was_seen_of_samba() {
        let older =
            |text| String::from_utf16(&upcase_by(CaseTable::WindowsXp, text).collect::<Vec<_>>()).unwrap();
        let unchanged = "ßıǅŉﬁµſᾳაꭰɐ\u{10428}ΐ";
        assert_eq!(older(unchanged), unchanged);
        assert_eq!(older("ςǆÿⓐéяաⅰωa"), "ΣǄŸⒶÉЯԱⅠΩA");
    }

    #[test]
    fn windows_7_and_later_differ_from_that_in_three_letters() {
        let newer = |text| String::from_utf16(&upcase(text).collect::<Vec<_>>()).unwrap();
        assert_eq!(newer("ßıǅŉﬁµſᾳაꭰɐ\u{10428}ΐ"), "ßıǅŉﬁµſᾼაꭰⱯ\u{10428}ΐ");
        assert_eq!(newer("ςǆÿⓐéяաⅰωa"), "ςǄŸⒶÉЯԱⅠΩA");
        assert_eq!(newer("ionuț"), "IONUȚ");
    }

    /// Where the standard library gives one letter for one letter, it must agree with the newer table, but for what is
    /// listed. What it may have learned from later releases of Unicode is not looked at.
    #[test]
    fn differences_from_the_standard_library_are_these() {
        let mut differences = String::new();
        for unit in 0..=u16::MAX {
            let Some(letter) = char::from_u32(u32::from(unit)) else { continue };
            let ours = char::from_u32(u32::from(CaseTable::Windows7.upcase(unit))).unwrap();
            let mut theirs = letter.to_uppercase();
            let simple = if theirs.len() == 1 { theirs.next().unwrap() } else { letter };
            let left_alone = ours == letter && simple != letter && !maps_since_a_later_unicode(letter);
            if left_alone || (ours != letter && ours != simple) {
                differences.push(letter);
            }
        }
        // Left alone by Windows: compatibility forms of other letters, and title case. Mapped by it: Greek with iota
        // subscript, whose full upper case in Unicode is longer than its simple one.
        assert_eq!(
            differences,
            concat!("µıſǅǈǋǲ\u{345}ςϐϑϕϖϰϱϵẛ", "ᾀᾁᾂᾃᾄᾅᾆᾇᾐᾑᾒᾓᾔᾕᾖᾗᾠᾡᾢᾣᾤᾥᾦᾧ\u{1FB3}\u{1FBE}\u{1FC3}\u{1FF3}")
        );
    }

    /// Letters whose upper case came after Unicode 5.1, so that neither table has it.
    fn maps_since_a_later_unicode(letter: char) -> bool {
        let later = [
            '\u{19B}'..='\u{19B}',
            '\u{23F}'..='\u{240}',
            '\u{252}'..='\u{252}',
            '\u{25C}'..='\u{2AF}',
            '\u{3F3}'..='\u{3F3}',
            '\u{524}'..='\u{52F}',
            '\u{10D0}'..='\u{10FF}',
            '\u{13F8}'..='\u{13FD}',
            '\u{1C80}'..='\u{1C8A}',
            '\u{1D8E}'..='\u{1D8E}',
            '\u{2C5F}'..='\u{2C5F}',
            '\u{2CEC}'..='\u{2CF3}',
            '\u{2D27}'..='\u{2D2D}',
            '\u{A661}'..='\u{A661}',
            '\u{A699}'..='\u{A69B}',
            '\u{A791}'..='\u{A7FF}',
            '\u{AB53}'..='\u{ABBF}',
        ];
        later.iter().any(|range| range.contains(&letter))
    }

    #[test]
    fn names_compare_without_case() {
        assert!(eq_ignore_case("Müller", "MÜLLER"));
        assert!(!eq_ignore_case("Strasse", "Straße"));
        assert!(!eq_ignore_case("user", "use"));
        assert!(!eq_ignore_case("", "a"));
    }

    #[test]
    fn runs_are_sorted_and_do_not_overlap() {
        for runs in [&BOTH[..], &SINCE_WINDOWS_7, &UNTIL_WINDOWS_VISTA] {
            assert!(runs.iter().all(|(first, last, step, _)| first <= last && (last - first) % step == 0));
            assert!(runs.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
