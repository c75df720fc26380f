//! The errors of both, each as the other's.

use portable_sspi_core::{
    DenialReason, Error, LogonDenied, MalformedToken, Misuse, PeerMisbehaved, Problem, SecurityStatus,
    Unavailable,
};
use sspi::ErrorKind;

/// An error of this library as the crate's: the [`ErrorKind`] with the number of [`Error::status`], and the text.
///
/// All failed logons give one and the same error, as they do here.
#[must_use]
pub fn to_sspi_error(error: &Error) -> sspi::Error {
    sspi::Error::new(kind(error.status()), error)
}

/// An error of the crate as this library's. What has no counterpart here, such as the answers of a KDC, is
/// [`Unavailable::Authority`] with the crate's text.
#[must_use]
pub fn from_sspi_error(error: &sspi::Error) -> Error {
    match error.error_type {
        ErrorKind::LogonDenied | ErrorKind::BadBindings => {
            LogonDenied::new(DenialReason::RefusedByAuthority).into()
        }
        ErrorKind::InvalidToken | ErrorKind::IllegalMessage | ErrorKind::IncompleteMessage => {
            MalformedToken::new("token, as the `sspi` crate reads it", Problem::Value).into()
        }
        ErrorKind::MessageAltered | ErrorKind::DecryptFailure => PeerMisbehaved::MessageAltered.into(),
        ErrorKind::NoCredentials => Misuse::NoCredentials.into(),
        ErrorKind::UnknownCredentials | ErrorKind::IncompleteCredentials => {
            Misuse::BadIdentity { problem: "the `sspi` crate does not take it" }.into()
        }
        ErrorKind::InvalidHandle | ErrorKind::WrongCredentialHandle => Misuse::ForeignObject.into(),
        ErrorKind::UnsupportedFunction | ErrorKind::OperationNotSupported => {
            Misuse::NotSupported { what: "the package of the `sspi` crate does not do that" }.into()
        }
        ErrorKind::OutOfSequence => {
            Misuse::NotSupported { what: "the context of the `sspi` crate does not do that in its state" }
                .into()
        }
        ErrorKind::BufferTooSmall => {
            Misuse::BadBuffer { problem: "the `sspi` crate needs a larger one" }.into()
        }
        _ => Unavailable::Authority { problem: error.to_string() }.into(),
    }
}

/// An error that the bridge itself raises.
#[cfg(feature = "ntlm")]
pub(super) fn refuse(kind: ErrorKind, why: &str) -> sspi::Error {
    sspi::Error::new(kind, why)
}

/// Each status has a kind of the same number.
const fn kind(status: SecurityStatus) -> ErrorKind {
    match status {
        SecurityStatus::SEC_E_INSUFFICIENT_MEMORY => ErrorKind::InsufficientMemory,
        SecurityStatus::SEC_E_INVALID_HANDLE => ErrorKind::InvalidHandle,
        SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION => ErrorKind::UnsupportedFunction,
        SecurityStatus::SEC_E_SECPKG_NOT_FOUND => ErrorKind::SecurityPackageNotFound,
        SecurityStatus::SEC_E_NOT_OWNER => ErrorKind::NotOwned,
        SecurityStatus::SEC_E_INVALID_TOKEN => ErrorKind::InvalidToken,
        SecurityStatus::SEC_E_LOGON_DENIED => ErrorKind::LogonDenied,
        SecurityStatus::SEC_E_UNKNOWN_CREDENTIALS => ErrorKind::UnknownCredentials,
        SecurityStatus::SEC_E_NO_CREDENTIALS => ErrorKind::NoCredentials,
        SecurityStatus::SEC_E_MESSAGE_ALTERED => ErrorKind::MessageAltered,
        SecurityStatus::SEC_E_OUT_OF_SEQUENCE => ErrorKind::OutOfSequence,
        SecurityStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY => ErrorKind::NoAuthenticatingAuthority,
        SecurityStatus::SEC_E_CONTEXT_EXPIRED => ErrorKind::ContextExpired,
        SecurityStatus::SEC_E_INCOMPLETE_MESSAGE => ErrorKind::IncompleteMessage,
        SecurityStatus::SEC_E_BUFFER_TOO_SMALL => ErrorKind::BufferTooSmall,
        SecurityStatus::SEC_E_BAD_BINDINGS => ErrorKind::BadBindings,
        _ => ErrorKind::InternalError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_keeps_its_number() {
        for number in 0x8009_0300..=0x8009_0370 {
            let status = SecurityStatus(number);
            if status.name().is_some() {
                assert_eq!(u32::from(kind(status)), number, "{status}");
            }
        }
    }

    #[test]
    fn what_is_common_to_both_comes_back() {
        let errors: [Error; 5] = [
            LogonDenied::new(DenialReason::MicMismatch).into(),
            MalformedToken::new("NEGOTIATE_MESSAGE", Problem::Signature).into(),
            PeerMisbehaved::MessageAltered.into(),
            Misuse::NoCredentials.into(),
            Misuse::NotSupported { what: "anything" }.into(),
        ];
        for error in errors {
            assert_eq!(from_sspi_error(&to_sspi_error(&error)).status(), error.status(), "{error}");
        }
    }

    #[test]
    fn failed_logons_look_the_same() {
        let shown = |reason| format!("{:?}", to_sspi_error(&LogonDenied::new(reason).into()));
        assert_eq!(shown(DenialReason::UnknownAccount), shown(DenialReason::ChannelBindingsMismatch));
    }

    #[test]
    fn what_the_crate_says_of_the_network_is_kept() {
        let theirs = sspi::Error::new(ErrorKind::NoAuthenticatingAuthority, "No KDC server found");
        assert!(from_sspi_error(&theirs).to_string().contains("No KDC server found"));
    }
}
