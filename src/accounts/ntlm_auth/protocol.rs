//! The lines of `ntlm_auth --helper-protocol=ntlm-server-1`: a request, and what may come back.

use std::fmt::Write;

use portable_sspi_core::{DenialReason, LogonDenied, SecretArray};

use super::super::line::from_hex;

/// The length of an NTLMv1 response, [MS-NLMP] 2.2.2.6.
const NTLMV1_RESPONSE: usize = 24;
/// The shortest NTLMv2 response: NTProofStr and a client challenge without AV pairs, [MS-NLMP] 2.2.2.7.
const SHORTEST_NTLMV2_RESPONSE: usize = 44;

/// Refusals of the helper that say nothing about the client: nobody could be asked. By their beginnings.
const OUTAGES: [&str; 5] = [
    "Reading winbind reply failed!",
    "winbind client not authorized",
    "There are currently no logon servers available",
    "The workstation does not have a trust secret",
    "The trust relationship between this workstation",
];

/// What the helper is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) user_name: &'a str,
    pub(super) domain_name: &'a str,
    /// The server's, but for NTLMv1 with extended session security, which hashes the client's into it.
    pub(super) challenge: &'a [u8; 8],
    pub(super) nt_response: &'a [u8],
}

/// What the helper answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// `Authenticated: Yes`, with the SessionBaseKey.
    Authenticated(SecretArray<16>),
    /// `Authenticated: No`.
    Refused,
}

impl Question<'_> {
    /// The lines to send.
    ///
    /// # Errors
    /// [`LogonDenied`] for what no helper needs to be asked: its answer would not be about the names as they are.
    pub(super) fn to_lines(self) -> Result<String, LogonDenied> {
        // A C program sees a name end at a NUL, and winbind takes a backslash for the end of a domain: what it verified
        // would be another name than the one that the service is told.
        let is_misread = |character: char| character.is_control() || character == '\\';
        if self.user_name.is_empty()
            || self.user_name.contains(is_misread)
            || self.domain_name.contains(is_misread)
        {
            return Err(LogonDenied::new(DenialReason::UnknownAccount));
        }
        // LM alone is not handed on, whatever the policy: Samba tries it by four different rules.
        if self.nt_response.len() != NTLMV1_RESPONSE && self.nt_response.len() < SHORTEST_NTLMV2_RESPONSE {
            return Err(LogonDenied::new(DenialReason::NoNtResponse));
        }
        // Names in base64, so that nothing in them can end a line. And never a LANMAN-Response: beside a wrong NT
        // response, Samba accepts a right LMv2 one.
        Ok(format!(
            "Username:: {}\nNT-Domain:: {}\nLANMAN-Challenge: {}\nNT-Response: {}\nRequest-User-Session-Key: Yes\n.\n",
            to_base64(self.user_name.as_bytes()),
            to_base64(self.domain_name.as_bytes()),
            to_hex(self.challenge),
            to_hex(self.nt_response),
        ))
    }
}

/// Looks for a whole answer at the start of what was received: the answer and its length in bytes; `None` while it is
/// not all there.
///
/// After a refusal Samba sends a second `.`, which comes in front of the next answer and is passed over there.
///
/// # Errors
/// What is wrong. The helper cannot be asked again: it is not known where its next answer starts.
pub(super) fn parse_answer(received: &[u8]) -> Result<Option<(Answer, usize)>, String> {
    let mut length = 0;
    let mut verdict = None;
    let mut session_key = None;
    let mut outage = None;
    let mut started = false;
    for line in received.split_inclusive(|byte| *byte == b'\n') {
        let Some(line_text) = line.strip_suffix(b"\n") else { break };
        length += line.len();
        if line_text == b"." {
            if !started {
                continue;
            }
            return conclude(verdict, session_key, outage).map(|answer| Some((answer, length)));
        }
        started = true;
        let text = std::str::from_utf8(line_text).map_err(|_| GARBAGE)?;
        let (key, value) = text.split_once(':').ok_or(GARBAGE)?;
        let value = value.trim();
        match key {
            "Authenticated" if verdict.is_none() => {
                verdict = Some(match value {
                    "Yes" => true,
                    "No" => false,
                    _ => return Err(GARBAGE.into()),
                });
            }
            "User-Session-Key" if session_key.is_none() => {
                session_key = Some(from_hex(value).ok_or("it gave a session key of another form")?);
            }
            "Authenticated" | "User-Session-Key" => return Err(GARBAGE.into()),
            "Authentication-Error" => {
                outage = OUTAGES.iter().find(|outage| value.starts_with(**outage)).copied();
            }
            "Error" => return Err(format!("it did not understand the request: {}", printable(value))),
            // Whatever a newer one has to say.
            _ => {}
        }
    }
    Ok(None)
}

/// Whether there is nothing but ends of answers: no answer to a question that is yet to be put.
pub(super) fn is_only_ends(received: &[u8]) -> bool {
    received.split(|byte| *byte == b'\n').all(|line| matches!(line, b"" | b"."))
}

const GARBAGE: &str = "it answered something that is not of its protocol";

fn conclude(
    verdict: Option<bool>,
    session_key: Option<SecretArray<16>>,
    outage: Option<&'static str>,
) -> Result<Answer, String> {
    match (verdict, session_key, outage) {
        (Some(true), Some(key), None) => {
            // Everybody knows this one, and Samba never writes it.
            if key.ct_eq(&SecretArray::new([0; 16])) {
                return Err("it gave a session key of zeros".into());
            }
            Ok(Answer::Authenticated(key))
        }
        // Samba leaves out a key of zeros: a guest, or a client that proved nothing.
        (Some(true), None, None) => Err("it gave no session key".into()),
        (Some(false), None, None) => Ok(Answer::Refused),
        (Some(false), None, Some(outage)) => Err(outage.into()),
        (Some(_), _, _) => Err(GARBAGE.into()),
        (None, _, _) => Err("it gave no verdict".into()),
    }
}

/// The helper's words for a message: a bounded length of them, and nothing that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// RFC 4648 section 4.
fn to_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, shift: u32| {
        let index = usize::try_from(group >> shift & 63).unwrap_or_default();
        DIGITS.get(index).map_or('=', |digit| char::from(*digit))
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.push(digit(group, 18));
        text.push(digit(group, 12));
        text.push(if chunk.len() > 1 { digit(group, 6) } else { '=' });
        text.push(if chunk.len() > 2 { digit(group, 0) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    fn answer(received: &str) -> Result<Option<(Answer, usize)>, String> {
        parse_answer(received.as_bytes())
    }

    const KEY: &str = "User-Session-Key: 8DE40CCADBC14A82F15CB0AD0DE95CA3\n";

    #[test]
    fn base64_is_that_of_the_others() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=bytes.len() {
            let expected = base64::engine::general_purpose::STANDARD.encode(&bytes[..length]);
            assert_eq!(to_base64(&bytes[..length]), expected);
        }
    }

    #[test]
    fn a_question_in_lines() {
        let response = [0xAB; 44];
        let question = Question {
            user_name: "User\u{e9}",
            domain_name: "",
            challenge: &[1, 2, 3, 4, 5, 6, 7, 0xF8],
            nt_response: &response,
        };
        let lines = question.to_lines().unwrap();
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "Username:: VXNlcsOp",
                "NT-Domain:: ",
                "LANMAN-Challenge: 01020304050607f8",
                &format!("NT-Response: {}", "ab".repeat(44)),
                "Request-User-Session-Key: Yes",
                "."
            ]
        );
        assert!(!lines.contains("LANMAN-Response"));
    }

    #[test]
    fn questions_that_are_not_put() {
        let good =
            Question { user_name: "user", domain_name: "domain", challenge: &[0; 8], nt_response: &[0; 44] };
        assert!(good.to_lines().is_ok());
        for name in ["", "a\0b", "a\nUsername: b", "a\rb", r"DOMAIN\a", "a\u{85}"] {
            let denied = Question { user_name: name, ..good }.to_lines().unwrap_err();
            assert_eq!(denied.audit_reason(), DenialReason::UnknownAccount, "{name:?}");
        }
        for name in ["a\0", "\n", r"A\B"] {
            assert!(Question { domain_name: name, ..good }.to_lines().is_err(), "{name:?}");
        }
        for length in [0, 23, 25, 43] {
            let response = &[0; 44][..length];
            let denied = Question { nt_response: response, ..good }.to_lines().unwrap_err();
            assert_eq!(denied.audit_reason(), DenialReason::NoNtResponse);
        }
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        let text = format!("Authenticated: Yes\nLANMAN-Session-Key: 8DE40CCADBC14A82\n{KEY}.\n");
        for length in 0..text.len() {
            assert!(answer(&text[..length]).unwrap().is_none(), "{length}");
        }
        let (Answer::Authenticated(key), length) = answer(&format!("{text}.\nrest")).unwrap().unwrap() else {
            panic!("refused");
        };
        assert_eq!(hex::encode(key.expose()), "8de40ccadbc14a82f15cb0ad0de95ca3");
        assert_eq!(length, text.len());
        // The second end of the refusal before.
        let (_, length) = answer(&format!(".\n{text}")).unwrap().unwrap();
        assert_eq!(length, text.len() + 2);
    }

    #[test]
    fn a_refusal_and_an_outage_are_two_things() {
        let refusal = "Authenticated: No\nAuthentication-Error: The attempted logon is invalid.\n.\n.\n";
        assert!(
            matches!(answer(refusal), Ok(Some((Answer::Refused, length))) if length == refusal.len() - 2)
        );
        assert!(matches!(answer("Authenticated: No\n.\n"), Ok(Some((Answer::Refused, _)))));
        for outage in OUTAGES {
            let text = format!("Authenticated: No\nAuthentication-Error: {outage}, so to say.\n.\n.\n");
            assert_eq!(answer(&text).unwrap_err(), outage);
        }
    }

    #[test]
    fn garbage_is_no_answer() {
        let zeros = format!("User-Session-Key: {}\n", "0".repeat(32));
        for text in [
            "garbage\n",
            "\n",
            "Authenticated: Maybe\n",
            "Authenticated: Yes\nAuthenticated: Yes\n",
            "Authenticated: No\nAuthenticated: Yes\n",
            "Authenticated: Yes\n.\n",
            &format!("{KEY}.\n"),
            &format!("Authenticated: No\n{KEY}.\n"),
            &format!("Authenticated: Yes\n{KEY}{KEY}.\n"),
            &format!("Authenticated: Yes\n{zeros}.\n"),
            "Authenticated: Yes\nUser-Session-Key: 8DE4\n.\n",
            &format!("Authenticated: Yes\n{KEY}Authentication-Error: Reading winbind reply failed!\n.\n"),
            "Error: hex decode of 0123 failed!\n.\n",
            "Unknown: field\n.\n",
        ] {
            assert!(answer(text).is_err(), "{text:?}");
        }
        assert!(parse_answer(b"\xFF\xFE: x\n").is_err());
    }

    #[test]
    fn what_is_left_over_must_be_an_end() {
        for ends in ["", ".", ".\n", ".\n.\n"] {
            assert!(is_only_ends(ends.as_bytes()), "{ends:?}");
        }
        for more in ["A", "Authenticated: Yes\n", ".\nA", "..\n", " "] {
            assert!(!is_only_ends(more.as_bytes()), "{more:?}");
        }
    }
}
