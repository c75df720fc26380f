//! The 32-bit result codes of SSPI.

use core::fmt;

/// A `SECURITY_STATUS` as `winerror.h` numbers it.
///
/// Each [`Error`](crate::Error) maps to exactly one of these; the mapping is stable from release to release.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityStatus(pub u32);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl SecurityStatus {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name in `winerror.h`, where this library uses the code.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    /// The call succeeded.
    SEC_E_OK = 0;
    /// Success so far; the peer's next token is needed.
    SEC_I_CONTINUE_NEEDED = 0x0009_0312;
    /// Not enough memory, or a resource is exhausted.
    SEC_E_INSUFFICIENT_MEMORY = 0x8009_0300;
    /// A handle is not, or no longer, valid.
    SEC_E_INVALID_HANDLE = 0x8009_0301;
    /// The package does not offer the function. `SEC_E_NOT_SUPPORTED` is the same number.
    SEC_E_UNSUPPORTED_FUNCTION = 0x8009_0302;
    /// Something inside the library or the operating system failed.
    SEC_E_INTERNAL_ERROR = 0x8009_0304;
    /// There is no security package of that name.
    SEC_E_SECPKG_NOT_FOUND = 0x8009_0305;
    /// The caller does not own what it asks for.
    SEC_E_NOT_OWNER = 0x8009_0306;
    /// A token is malformed.
    SEC_E_INVALID_TOKEN = 0x8009_0308;
    /// The logon attempt failed.
    SEC_E_LOGON_DENIED = 0x8009_030C;
    /// The credentials handed in were not understood.
    SEC_E_UNKNOWN_CREDENTIALS = 0x8009_030D;
    /// No credentials are available.
    SEC_E_NO_CREDENTIALS = 0x8009_030E;
    /// A message was changed on its way.
    SEC_E_MESSAGE_ALTERED = 0x8009_030F;
    /// A message came out of its order.
    SEC_E_OUT_OF_SEQUENCE = 0x8009_0310;
    /// No authority could be reached that could authenticate the client.
    SEC_E_NO_AUTHENTICATING_AUTHORITY = 0x8009_0311;
    /// The context has expired.
    SEC_E_CONTEXT_EXPIRED = 0x8009_0317;
    /// A message is not complete.
    SEC_E_INCOMPLETE_MESSAGE = 0x8009_0318;
    /// A buffer is too small for what the call returns.
    SEC_E_BUFFER_TOO_SMALL = 0x8009_0321;
    /// The channel bindings do not match.
    SEC_E_BAD_BINDINGS = 0x8009_0346;
}

impl fmt::Display for SecurityStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.0),
            None => write!(f, "0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for SecurityStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
