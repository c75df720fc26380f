//! LmCompatibilityLevel: which kinds of response are sent and accepted.

/// The setting of that name on Windows, [MS-NLMP] note 81, with the same numbers.
///
/// | level | a client sends | a server accepts |
/// |---|---|---|
/// | 0 | LM and NTLMv1, never extended session security | LM, LMv2, NTLMv1, NTLMv2 |
/// | 1 | LM and NTLMv1; with extended session security NTLMv1 alone | LM, LMv2, NTLMv1, NTLMv2 |
/// | 2 | NTLMv1 | LM, LMv2, NTLMv1, NTLMv2 |
/// | 3 | NTLMv2, and LMv2 where the server sends no time | LM, LMv2, NTLMv1, NTLMv2 |
/// | 4 | NTLMv2 | NTLMv1, NTLMv2 |
/// | 5 | NTLMv2 | NTLMv2 |
///
/// # What the lower levels give away
/// - **A client below 3** hands every server it talks to, and everybody who listens, something to find its NT hash with:
///   three DES keys, in a day on hired hardware, or at once where the server chose its challenge from a table made
///   beforehand. The NT hash is as good as the password. At 0 and 1 the same goes for the LM hash, from which the
///   password itself falls out.
/// - **A server below 5** accepts what an attacker made with a hash found that way. NTLMv1 has no MIC, no channel bindings,
///   no service name and no name of the server: a logon can be relayed from anywhere, and its flags changed on the way.
/// - **A server below 4** accepts an LM or LMv2 response that stands alone, without extended session security. LM needs
///   accounts that have an LM hash ([`Account::with_lm_hash`](crate::Account::with_lm_hash)).
///
/// No level makes a server compare an LM or LMv2 response that stands beside an NT response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LmCompatibilityLevel {
    /// LM and NTLMv1, without extended session security.
    Level0 = 0,
    /// LM and NTLMv1, and extended session security where the peer has it.
    Level1 = 1,
    /// NTLMv1, and extended session security where the peer has it.
    Level2 = 2,
    /// NTLMv2; a server accepts everything. The default of Windows.
    Level3 = 3,
    /// NTLMv2; a server refuses LM.
    Level4 = 4,
    /// NTLMv2; a server refuses LM and NTLMv1. The default here.
    #[default]
    Level5 = 5,
}

impl LmCompatibilityLevel {
    /// The level of that number, as it stands in the registry of Windows.
    ///
    /// ```
    /// use portable_sspi_ntlm::LmCompatibilityLevel;
    ///
    /// assert_eq!(LmCompatibilityLevel::from_number(5), Some(LmCompatibilityLevel::default()));
    /// assert_eq!(LmCompatibilityLevel::from_number(6), None);
    /// ```
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Level0,
            1 => Self::Level1,
            2 => Self::Level2,
            3 => Self::Level3,
            4 => Self::Level4,
            5 => Self::Level5,
            _ => return None,
        })
    }

    /// Whether a client answers with NTLMv2; with NTLMv1 otherwise.
    pub(crate) fn sends_ntlmv2(self) -> bool {
        self >= Self::Level3
    }

    /// Whether a client fills the LM field with LMv2 where the server sends no time.
    pub(crate) fn sends_lmv2(self) -> bool {
        self == Self::Level3
    }

    /// Whether a client sends an LM response beside NTLMv1, without extended session security.
    pub(crate) fn sends_lm(self) -> bool {
        self <= Self::Level1
    }

    /// Whether a client offers extended session security.
    pub(crate) fn offers_extended_session_security(self) -> bool {
        self >= Self::Level1
    }

    /// Whether a server accepts NTLMv1.
    pub(crate) fn accepts_ntlmv1(self) -> bool {
        self <= Self::Level4
    }

    /// Whether a server accepts LM or LMv2 alone.
    pub(crate) fn accepts_lm(self) -> bool {
        self <= Self::Level3
    }
}
