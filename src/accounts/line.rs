//! One line of a file of accounts.

use std::fmt;

use portable_sspi_core::SecretArray;

/// The longest line that holds an account, in bytes: gss-ntlmssp reads the rest of a longer one as another line.
const MAXIMUM_LINE: usize = 1022;

/// The marks of smbpasswd that it can set; more are a newer Samba's, and what they forbid is not known here.
const KNOWN_MARKS: &str = "NDHTUMWSLXI ";

/// No logon: no password is needed (N), disabled (D), locked out (L), and the accounts of machines and domains (W, S, I).
const NO_LOGON_MARKS: &[char] = &['N', 'D', 'L', 'W', 'S', 'I'];

/// An account as its line gives it.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) user: &'a str,
    /// Empty for none.
    pub(super) domain: &'a str,
    pub(super) secret: EntrySecret<'a>,
}

/// What proves it.
pub(super) enum EntrySecret<'a> {
    Password(&'a str),
    NtHash(SecretArray<16>),
    /// Nothing does: the account is disabled, has no password, or is not a user's.
    None,
}

impl fmt::Debug for EntrySecret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntrySecret(..)")
    }
}

/// Reads a line without its line feed. `None` for a comment or a blank line.
///
/// # Errors
/// What is wrong with it, for the administrator; nothing of what it holds.
pub(super) fn parse(line: &[u8]) -> Result<Option<Entry<'_>>, &'static str> {
    if line.first() == Some(&b'#') || line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if line.len() > MAXIMUM_LINE {
        return Err("it is longer than 1022 bytes, where gss-ntlmssp cuts lines");
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8")?;
    if text.starts_with('\u{FEFF}') {
        return Err("it starts with a byte order mark; save the file without one");
    }
    let mut fields = text.split(':');
    let mut next = || fields.next();
    let entry = match (next(), next(), next(), next(), next()) {
        (Some(domain), Some(user), Some(password), None, None) => {
            Entry { user, domain, secret: from_password(password)? }
        }
        (Some(name), Some(_uid), Some(_lm_hash), Some(nt_hash), Some(flags)) => {
            // gss-ntlmssp's extension of the format.
            let (domain, user) = name.split_once('\\').unwrap_or(("", name));
            Entry { user, domain, secret: from_smbpasswd(nt_hash, flags)? }
        }
        (_, _, Some(_), Some(_), None) => {
            return Err(
                "it has four fields: domain:user:password has three (no colon in the password), a line of smbpasswd five or more",
            );
        }
        _ => return Err("it is neither domain:user:password nor a line of smbpasswd"),
    };
    if entry.user.is_empty() {
        return Err("the user name is empty");
    }
    if [entry.user, entry.domain].iter().any(|name| name.contains(char::is_control)) {
        return Err("a name holds a control character");
    }
    Ok(Some(entry))
}

fn from_password(password: &str) -> Result<EntrySecret<'_>, &'static str> {
    if password.is_empty() {
        return Err("the password is empty");
    }
    // Readers in C see the password end there.
    if password.contains(['\0', '\r']) {
        return Err("the password holds a NUL or a carriage return");
    }
    Ok(EntrySecret::Password(password))
}

/// The fourth and fifth field of smbpasswd. The LM hash before them is weak, and never looked at.
fn from_smbpasswd(nt_hash: &str, flags: &str) -> Result<EntrySecret<'static>, &'static str> {
    let may_log_on = match flags.trim_start().strip_prefix('[') {
        // Files of old have no flags; what else may stand there is not for us.
        None => true,
        Some(flags) => {
            let (marks, _) = flags.split_once(']').ok_or("the account flags have no closing bracket")?;
            if !marks.chars().all(|mark| KNOWN_MARKS.contains(mark)) {
                return Err("the account flags hold an unknown letter");
            }
            !marks.contains(NO_LOGON_MARKS)
        }
    };
    let no_password = nt_hash.starts_with("NO PASSWORD") || nt_hash.starts_with('*');
    let disabled = nt_hash.len() == 32 && nt_hash.bytes().all(|byte| byte == b'X');
    if no_password || disabled {
        return Ok(EntrySecret::None);
    }
    let nt_hash = from_hex(nt_hash).ok_or("the NT hash, the fourth field, is not 32 hexadecimal digits")?;
    Ok(if may_log_on { EntrySecret::NtHash(nt_hash) } else { EntrySecret::None })
}

/// Sixteen bytes from 32 hexadecimal digits of either case.
pub(super) fn from_hex(text: &str) -> Option<SecretArray<16>> {
    let (pairs, rest) = (text.as_bytes().chunks_exact(2), text.len() % 2);
    if pairs.len() != 16 || rest != 0 {
        return None;
    }
    let mut key = SecretArray::new([0; 16]);
    for (byte, pair) in key.expose_mut().iter_mut().zip(pairs) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(value).ok()?;
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "8846F7EAEE8FB117AD06BDD830B7586C";

    fn read(line: &str) -> Option<(String, String, String)> {
        let entry = parse(line.as_bytes()).unwrap()?;
        let secret = match entry.secret {
            EntrySecret::Password(password) => password.to_owned(),
            EntrySecret::NtHash(hash) => hex::encode_upper(hash.expose()),
            EntrySecret::None => "none".to_owned(),
        };
        Some((entry.domain.to_owned(), entry.user.to_owned(), secret))
    }

    fn wrong(line: &[u8]) -> &'static str {
        parse(line).unwrap_err()
    }

    #[test]
    fn lines_of_the_user_file() {
        let entry =
            |domain: &str, user: &str, secret: &str| Some((domain.into(), user.into(), secret.into()));
        assert_eq!(read("CORP:alice:opensesame"), entry("CORP", "alice", "opensesame"));
        assert_eq!(read("CORP:alice:opensesame\r"), entry("CORP", "alice", "opensesame"));
        assert_eq!(read(":alice: open sesame# "), entry("", "alice", " open sesame# "));
        assert_eq!(read("CÖRP:jürgen:пароль"), entry("CÖRP", "jürgen", "пароль"));
        assert_eq!(read(r"CORP:a\b:c\d"), entry("CORP", r"a\b", r"c\d"));
        for nothing in ["", "\r", " \t ", "#", "# a:b:c", "#a:b:c:d"] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
        // A comment may be of any length and in any encoding.
        assert!(parse(&[b"#".to_vec(), vec![0xFF; 5000]].concat()).unwrap().is_none());
    }

    #[test]
    fn lines_of_smbpasswd() {
        let entry =
            |domain: &str, user: &str, secret: &str| Some((domain.into(), user.into(), secret.into()));
        let x = "X".repeat(32);
        let line = |name: &str, lm: &str, nt: &str, flags: &str| {
            format!("{name}:1000:{lm}:{nt}:{flags}:LCT-5EBB9F31:")
        };
        let user = "[U          ]";
        assert_eq!(read(&line("alice", HASH, HASH, user)), entry("", "alice", HASH));
        assert_eq!(read(&line(r"CORP\alice", &x, HASH, "[UX         ]")), entry("CORP", "alice", HASH));
        assert_eq!(read(&line("alice", "", &HASH.to_lowercase(), user)), entry("", "alice", HASH));
        // gss-ntlmssp looks at nothing behind the NT hash, and needs the colon there.
        assert_eq!(read(&format!("alice:0:{x}:{HASH}:")), entry("", "alice", HASH));
        assert_eq!(read(&format!("alice:0:{x}:{HASH}:Alice,,,:/home:")), entry("", "alice", HASH));
        for mark in ["N", "D", "L", "W", "S", "I", "DU", "U D  X"] {
            let flags = format!("[{mark}]");
            assert_eq!(read(&line("alice", HASH, HASH, &flags)), entry("", "alice", "none"), "{flags}");
        }
        for nt in [&x, "NO PASSWORDXXXXXXXXXXXXXXXXXXXXX", "*DISABLED*"] {
            assert_eq!(read(&line("alice", &x, nt, user)), entry("", "alice", "none"), "{nt}");
        }
    }

    #[test]
    fn malformed_lines() {
        let long = format!("CORP:alice:{}", "x".repeat(1100));
        let short_hash = format!("alice:0:{HASH}:{}:[U]:", &HASH[1..]);
        let long_hash = format!("alice:0:{HASH}:{HASH}0:[U]:");
        let not_hex = format!("alice:0:{HASH}:{}G:[U]:", &HASH[1..]);
        let plus = format!("alice:0:{HASH}:+{}:[U]:", &HASH[1..]);
        let unclosed = format!("alice:0:{HASH}:{HASH}:[U   :LCT-0:");
        let unknown = format!("alice:0:{HASH}:{HASH}:[UZ]:");
        let four = format!("alice:0:{HASH}:{HASH}");
        for (line, problem) in [
            ("alice", "neither domain:user:password"),
            ("CORP:alice", "neither domain:user:password"),
            (" # a comment", "neither domain:user:password"),
            ("CORP:alice:pass:word", "four fields"),
            (&four, "four fields"),
            ("CORP:alice:pass:wo:rd", "NT hash"),
            ("CORP:alice:", "password is empty"),
            ("CORP::secret", "user name is empty"),
            ("CORP\\:0:x:NO PASSWORD:[U]:", "user name is empty"),
            ("CO\tRP:alice:secret", "control character"),
            ("CORP:ali\u{7}ce:secret", "control character"),
            ("CORP:alice:sec\0ret", "NUL"),
            ("CORP:alice:sec\rret", "carriage return"),
            ("\u{FEFF}CORP:alice:secret", "byte order mark"),
            (&long, "1022 bytes"),
            (&short_hash, "NT hash"),
            (&long_hash, "NT hash"),
            (&not_hex, "NT hash"),
            (&plus, "NT hash"),
            (&unclosed, "closing bracket"),
            (&unknown, "unknown letter"),
        ] {
            let said = wrong(line.as_bytes());
            assert!(said.contains(problem), "{line:?}: {said}");
            assert!(!said.contains("alice") && !said.contains("secret"), "{said}");
        }
        assert!(wrong(b"CORP:alice:\xFFsecret").contains("UTF-8"));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let shown = format!("{:?}", parse(b"CORP:alice:opensesame").unwrap());
        assert!(shown.contains("alice") && !shown.contains("opensesame"), "{shown}");
    }
}
