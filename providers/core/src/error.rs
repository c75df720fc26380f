//! What can go wrong, sorted by who is to blame.

use core::fmt;
use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::SecurityStatus;

/// Everything a security package or the transfer of a context can fail with, one variant for each blame.
///
/// No variant carries a secret, and [`Error::status`] gives each its `SECURITY_STATUS`.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// Bytes from outside do not have the form they must have.
    #[error(transparent)]
    Malformed(#[from] MalformedToken),
    /// Well-formed bytes from the peer break the protocol or this side's policy.
    #[error(transparent)]
    Peer(#[from] PeerMisbehaved),
    /// The client could not be authenticated.
    #[error(transparent)]
    LogonDenied(#[from] LogonDenied),
    /// The calling program used the API wrongly.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// Something outside the library that is needed is not there or failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// An exported context was refused on import.
    #[error(transparent)]
    BlobRefused(#[from] BlobRefused),
}

impl Error {
    /// The `SECURITY_STATUS` that SSPI would return.
    #[must_use]
    pub const fn status(&self) -> SecurityStatus {
        match self {
            Self::Malformed(malformed) => malformed.status(),
            Self::Peer(peer) => peer.status(),
            Self::LogonDenied(_) => SecurityStatus::SEC_E_LOGON_DENIED,
            Self::Misuse(misuse) => misuse.status(),
            Self::Unavailable(unavailable) => unavailable.status(),
            Self::BlobRefused(refused) => refused.status(),
        }
    }
}

/// A token, or a part of one, is not of the form that its specification gives.
///
/// Whether a token is malformed never depends on a secret, so this error tells an attacker nothing that the bytes he
/// sent did not tell him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error("{what}: {problem}")]
pub struct MalformedToken {
    /// The message or field, by its name in the specification.
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

impl MalformedToken {
    /// Names the field and what is wrong with it.
    #[must_use]
    pub const fn new(what: &'static str, problem: Problem) -> Self {
        Self { what, problem }
    }

    /// `SEC_E_INVALID_TOKEN`.
    #[must_use]
    pub const fn status(&self) -> SecurityStatus {
        SecurityStatus::SEC_E_INVALID_TOKEN
    }
}

/// What is wrong with a malformed token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Problem {
    /// There is no token where one is due.
    #[error("is missing")]
    Missing,
    /// The protocol's signature at the start is not there.
    #[error("does not start with the protocol's signature")]
    Signature,
    /// It is a message of another type than the one due.
    #[error("message type is {found}, expected {expected}")]
    MessageType {
        /// The type due.
        expected: u32,
        /// The type found.
        found: u32,
    },
    /// The bytes end before the value does.
    #[error("is cut short: {needed} bytes needed, {available} there")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// A length and an offset point outside the message.
    #[error(
        "points outside the message: offset {offset}, length {length}, message of {message_length} bytes"
    )]
    FieldOutOfBounds {
        /// The offset claimed, from the start of the message.
        offset: u32,
        /// The length claimed, in bytes.
        length: u16,
        /// The message's true length, in bytes.
        message_length: usize,
    },
    /// A UTF-16 string has an odd number of bytes.
    #[error("is UTF-16 text of an odd length ({length} bytes)")]
    OddLength {
        /// The length claimed, in bytes.
        length: usize,
    },
    /// Text is not valid in its encoding.
    #[error("is not valid text")]
    NotText,
    /// A value has a length other than the one its definition gives.
    #[error("has a length of {found} bytes, expected {expected}")]
    Length {
        /// The length due, in bytes.
        expected: usize,
        /// The length found, in bytes.
        found: usize,
    },
    /// A list ends without its terminator.
    #[error("ends without its terminator")]
    Unterminated,
    /// Neither of the two character sets was offered or chosen.
    #[error("names no character set: neither UNICODE nor OEM")]
    NoCharacterSet,
    /// A field has a value that its definition does not allow.
    #[error("has a value that is not allowed")]
    Value,
    /// It is larger than this side accepts.
    #[error("is too large: {found} bytes, at most {limit} accepted")]
    TooLarge {
        /// The largest size accepted, in bytes.
        limit: usize,
        /// The size found, in bytes.
        found: usize,
    },
}

/// The peer sent something well-formed that the protocol or this side's policy does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// The peer does not offer the protection that this side demands.
    #[error(
        "the peer does not offer {missing}, which this side requires; raise the peer's settings or lower this side's policy"
    )]
    TooWeak {
        /// What is missing, by its flag name.
        missing: &'static str,
    },
    /// The peer turned on what was never offered to it.
    #[error("the peer chose {flag}, which was not offered")]
    NotOffered {
        /// The flag's name.
        flag: &'static str,
    },
    /// A server did not say who it is although message protection is demanded.
    #[error(
        "the server's target information lacks {missing}, without which its messages cannot be protected"
    )]
    MissingTargetName {
        /// The attribute's name.
        missing: &'static str,
    },
    /// A signature does not fit its message.
    #[error("the message was altered: its signature does not fit")]
    MessageAltered,
    /// A message has another sequence number than the one due.
    #[error("the message is out of sequence: number {found}, expected {expected}")]
    OutOfSequence {
        /// The number due.
        expected: u32,
        /// The number found.
        found: u32,
    },
}

impl PeerMisbehaved {
    /// The `SECURITY_STATUS` that SSPI would return.
    #[must_use]
    pub const fn status(&self) -> SecurityStatus {
        match self {
            Self::TooWeak { .. } | Self::NotOffered { .. } => SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION,
            Self::MissingTargetName { .. } => SecurityStatus::SEC_E_LOGON_DENIED,
            Self::MessageAltered => SecurityStatus::SEC_E_MESSAGE_ALTERED,
            Self::OutOfSequence { .. } => SecurityStatus::SEC_E_OUT_OF_SEQUENCE,
        }
    }
}

/// The client could not be authenticated.
///
/// Printed in whatever way, all failed logons look the same, and all have the status `SEC_E_LOGON_DENIED`: an answer
/// to the peer made from this error tells it nothing. The service's own audit log asks [`LogonDenied::audit_reason`].
#[derive(Clone, Copy, PartialEq, Eq, ThisError)]
#[error("the logon attempt failed")]
pub struct LogonDenied {
    reason: DenialReason,
}

impl LogonDenied {
    /// A failed logon, with the reason that only an audit log may see.
    #[must_use]
    pub const fn new(reason: DenialReason) -> Self {
        Self { reason }
    }

    /// Why the logon failed. For the service's own log; **never** tell the peer.
    #[must_use]
    pub const fn audit_reason(&self) -> DenialReason {
        self.reason
    }
}

impl fmt::Debug for LogonDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogonDenied")
    }
}

/// Why a logon failed, for the service's audit log only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum DenialReason {
    /// There is no such account, or it is disabled.
    #[error("no such account")]
    UnknownAccount,
    /// The NT response does not prove knowledge of the password.
    #[error("the NT response does not fit the account's password")]
    BadNtResponse,
    /// There is no NT response.
    #[error("the NT response is missing")]
    NoNtResponse,
    /// An NTLMv1 response, which the policy does not admit.
    #[error("NTLMv1 is refused by policy")]
    Ntlmv1Refused,
    /// An anonymous logon, which the policy does not admit.
    #[error("anonymous logon is not allowed")]
    AnonymousNotAllowed,
    /// The response carries an AV pair twice (CVE-2019-1166).
    #[error("the response carries an AV pair twice")]
    DuplicateAvPair,
    /// The response was made for another server, or the server's AV pairs were changed on the way.
    #[error("the response repeats other target information than this server sent")]
    TargetInfoMismatch,
    /// The MIC is announced, or demanded by policy, and not there (CVE-2019-1040).
    #[error("the MIC is missing")]
    MicMissing,
    /// The MIC does not fit the three messages.
    #[error("the MIC does not fit the messages")]
    MicMismatch,
    /// The session key sent by the client is not usable.
    #[error("the encrypted session key is not usable")]
    BadSessionKey,
    /// The service has channel bindings and the response has none.
    #[error("the channel bindings are missing")]
    ChannelBindingsMissing,
    /// The response was made over another channel.
    #[error("the channel bindings are those of another channel")]
    ChannelBindingsMismatch,
    /// The service has channel bindings, and the response is of a kind that cannot carry any.
    #[error("channel bindings need NTLMv2")]
    ChannelBindingsNeedNtlmv2,
    /// The client did not say which service it wants, and the policy demands it.
    #[error("the service name is missing")]
    TargetNameMissing,
    /// The client wants another service.
    #[error("the service name is that of another service")]
    TargetNameMismatch,
    /// The challenge, or the client's time stamp, is too old.
    #[error("the challenge or the client's time is too far away")]
    TimeSkew,
    /// The authority that verifies responses refused, without saying why.
    #[error("refused by the authority that verifies responses")]
    RefusedByAuthority,
}

/// The calling program used the API wrongly.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Misuse {
    /// A handle belongs to another security package.
    #[error("this object belongs to another security package; pass it to the package that made it")]
    ForeignObject,
    /// The credentials were acquired for the other direction.
    #[error("the credentials were acquired for the other direction; acquire them for {needed}")]
    WrongCredentialUse {
        /// The use needed, by its SSPI name.
        needed: &'static str,
    },
    /// There are no credentials, and the package has no default ones.
    #[error("no credentials: pass an identity, the package has no default credentials here")]
    NoCredentials,
    /// The identity is not usable.
    #[error("the identity is not usable: {problem}")]
    BadIdentity {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no security package of that name.
    #[error("no security package named {name:?}; EnumerateSecurityPackages lists those there are")]
    UnknownPackage {
        /// The name asked for.
        name: String,
    },
    /// A list of buffers lacks a buffer of a type that the call needs.
    #[error("the buffer list has no {missing} buffer")]
    MissingBuffer {
        /// The type missing, by its SSPI name.
        missing: &'static str,
    },
    /// A list of buffers has a buffer that the call cannot use.
    #[error("the buffer list has a buffer that this call cannot use: {problem}")]
    BadBuffer {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A buffer is too small for what the call returns.
    #[error("the {what} buffer is too small: {needed} bytes needed, {available} there")]
    BufferTooSmall {
        /// The buffer's type, by its SSPI name.
        what: &'static str,
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// The package, or this context, cannot do that.
    #[error("not supported: {what}")]
    NotSupported {
        /// What was asked for.
        what: &'static str,
    },
    /// The protection was not negotiated, so the call would protect nothing.
    #[error("{what} was not negotiated; require it when the context is set up")]
    NotNegotiated {
        /// The protection, by its SSPI name.
        what: &'static str,
    },
    /// So many messages were protected that the sequence numbers are used up.
    #[error("the context has protected all the messages it can; set up a new one")]
    SequenceNumbersUsedUp,
    /// An option of an export or of a configuration is out of its range.
    #[error("{option} is out of range: {problem}")]
    BadOption {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Misuse {
    /// The `SECURITY_STATUS` that SSPI would return.
    #[must_use]
    pub const fn status(&self) -> SecurityStatus {
        match self {
            Self::ForeignObject | Self::WrongCredentialUse { .. } => SecurityStatus::SEC_E_INVALID_HANDLE,
            Self::NoCredentials => SecurityStatus::SEC_E_NO_CREDENTIALS,
            Self::BadIdentity { .. } => SecurityStatus::SEC_E_UNKNOWN_CREDENTIALS,
            Self::UnknownPackage { .. } => SecurityStatus::SEC_E_SECPKG_NOT_FOUND,
            Self::MissingBuffer { .. } | Self::BadBuffer { .. } => SecurityStatus::SEC_E_INVALID_TOKEN,
            Self::BufferTooSmall { .. } => SecurityStatus::SEC_E_BUFFER_TOO_SMALL,
            Self::NotSupported { .. } | Self::NotNegotiated { .. } => {
                SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION
            }
            Self::SequenceNumbersUsedUp => SecurityStatus::SEC_E_CONTEXT_EXPIRED,
            Self::BadOption { .. } => SecurityStatus::SEC_E_INTERNAL_ERROR,
        }
    }
}

/// Something outside the library that is needed is not there or failed. Trying again later may help.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Unavailable {
    /// The source of randomness failed.
    #[error("the source of randomness failed")]
    Entropy,
    /// The authority that verifies responses cannot be asked.
    #[error("the authority that verifies logons cannot be asked: {problem}")]
    Authority {
        /// What happened.
        problem: String,
    },
    /// A file of accounts cannot be used. No account of it is, until it is in order again.
    #[error("the account file {}{}: {problem}", path.display(), InLine(*line))]
    AccountFile {
        /// The file.
        path: PathBuf,
        /// The line that is wrong, counted from 1; `None` where it is the file itself.
        line: Option<usize>,
        /// What is wrong, and what to do. Nothing of what the file holds.
        problem: String,
    },
    /// A file or directory of the host key cannot be used because others could have tampered with it.
    #[error("the host key at {} is refused: {problem}", path.display())]
    HostKeyRefused {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A file or directory of the host key cannot be read or written.
    #[error("the host key at {} cannot be used: {source}", path.display())]
    HostKey {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The operating system does not tell something that is needed.
    #[error("the operating system does not tell {what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The stream that many contexts are exported to or imported from failed.
    #[error("the stream of exported contexts failed: {source}")]
    Stream {
        /// What the stream said.
        source: std::io::Error,
    },
}

impl Unavailable {
    /// The `SECURITY_STATUS` that SSPI would return.
    #[must_use]
    pub const fn status(&self) -> SecurityStatus {
        match self {
            Self::Entropy | Self::HostKey { .. } | Self::System { .. } | Self::Stream { .. } => {
                SecurityStatus::SEC_E_INTERNAL_ERROR
            }
            Self::HostKeyRefused { .. } => SecurityStatus::SEC_E_NOT_OWNER,
            Self::Authority { .. } | Self::AccountFile { .. } => {
                SecurityStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY
            }
        }
    }
}

/// A line number as it stands behind a file's name.
struct InLine(Option<usize>);

impl fmt::Display for InLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(line) => write!(f, ", line {line}"),
            None => Ok(()),
        }
    }
}

/// An exported context was refused on import.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum BlobRefused {
    /// The bytes are not an exported context.
    #[error("this is not an exported security context")]
    NotABlob,
    /// The bytes were changed or cut after the export.
    #[error("the exported context is damaged: it was changed or cut after its export")]
    Damaged,
    /// A newer release wrote it.
    #[error(
        "the exported context has format version {found}; this release knows versions 1 to {newest}; import it with a newer release"
    )]
    NewerVersion {
        /// The version found.
        found: u16,
        /// The newest version that this release knows.
        newest: u16,
    },
    /// The package that made it is not registered here.
    #[error("the exported context is of the package {name:?}, which is not registered here")]
    UnknownPackage {
        /// The package's name, as far as it is printable.
        name: String,
    },
    /// It is of another package than the one named in the call.
    #[error("the exported context is of the package {found:?}, not {expected:?}")]
    WrongPackage {
        /// The package named in the call.
        expected: String,
        /// The package that made it.
        found: String,
    },
    /// It was exported on another host.
    #[error("the context was exported on another host; only a process on the same host can import it")]
    WrongHost,
    /// It was exported before the host restarted.
    #[error("the context was exported before this host restarted")]
    WrongBoot,
    /// It was exported by another user, or shared with another group.
    #[error("the context was exported by another user, or for another group")]
    WrongUser,
    /// It was exported in another scope than the one that this process imports in.
    #[error("the context was exported for {found}; this process imports with the host key of {here}")]
    WrongScope {
        /// Who shares the host key that it was exported under.
        found: &'static str,
        /// Who shares the host key of this process.
        here: &'static str,
    },
    /// Its exporter named who may import it, and none of this process's labels is the one.
    #[error("the exported context is meant for an importer with another label")]
    WrongAudience,
    /// Its exporter named the user who may import it, and it is another.
    #[error("the exported context is meant for a process of the user {expected}")]
    WrongImporter {
        /// The user's number.
        expected: u32,
    },
    /// The host key it was sealed under is not, or no longer, there.
    #[error(
        "the host key that sealed the context is not there: it was made under another key directory or another key, or the key was replaced"
    )]
    HostKeyGone,
    /// It was imported before.
    #[error("the exported context was imported before; it can be imported once")]
    AlreadyImported,
    /// Its time is over.
    #[error("the exported context has expired")]
    Expired,
    /// By this process's clock it was exported in the future, so the two clocks are not the same, and its expiry means
    /// nothing here.
    #[error("the context was exported later than now: this process and the exporter do not share a clock")]
    ClocksDiffer,
    /// It is an export of another kind than the function imports.
    #[error("this blob holds {found}, not {expected}: import it with the function for what it holds")]
    WrongKind {
        /// What the function imports.
        expected: BlobKind,
        /// What the blob holds.
        found: BlobKind,
    },
    /// In a blob of many contexts: the exporter had a context at this place and could not export it.
    #[error("the context at this place could not be exported; its exporter still has it")]
    NotExported,
    /// In a blob of many contexts: it ends before its end, as when its exporter dies.
    #[error("the exported contexts end before their end: what is missing was never handed over")]
    Incomplete,
}

/// What an exported blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlobKind {
    /// An established context.
    Context,
    /// A context whose handshake is under way.
    Partial,
    /// Any number of established contexts.
    Many,
}

impl fmt::Display for BlobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Context => "an established context",
            Self::Partial => "a partial context, whose handshake is under way",
            Self::Many => "a stream of many contexts",
        })
    }
}

impl BlobRefused {
    /// The `SECURITY_STATUS` that SSPI would return.
    #[must_use]
    pub const fn status(&self) -> SecurityStatus {
        match self {
            Self::NotABlob | Self::Damaged | Self::WrongKind { .. } => SecurityStatus::SEC_E_INVALID_TOKEN,
            Self::Incomplete => SecurityStatus::SEC_E_INCOMPLETE_MESSAGE,
            Self::NotExported => SecurityStatus::SEC_E_INVALID_HANDLE,
            Self::NewerVersion { .. } => SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION,
            Self::UnknownPackage { .. } | Self::WrongPackage { .. } => SecurityStatus::SEC_E_SECPKG_NOT_FOUND,
            Self::WrongHost | Self::WrongBoot | Self::HostKeyGone => SecurityStatus::SEC_E_NO_CREDENTIALS,
            Self::ClocksDiffer => SecurityStatus::SEC_E_NO_CREDENTIALS,
            Self::WrongUser | Self::WrongScope { .. } | Self::WrongAudience | Self::WrongImporter { .. } => {
                SecurityStatus::SEC_E_NOT_OWNER
            }
            Self::AlreadyImported | Self::Expired => SecurityStatus::SEC_E_CONTEXT_EXPIRED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_logon_prints_the_same() {
        let one = Error::from(LogonDenied::new(DenialReason::UnknownAccount));
        let other = Error::from(LogonDenied::new(DenialReason::MicMismatch));
        assert_eq!(one.to_string(), other.to_string());
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
        assert_eq!(one.status(), other.status());
    }
}
