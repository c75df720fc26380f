//! Context requirement and attribute flags, by their names and numbers in `sspi.h`.

use bitflags::bitflags;

bitflags! {
    /// What a client asks of its context: the `ISC_REQ_*` flags of InitializeSecurityContext.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct IscReq: u32 {
        /// Let the server act as the client towards others.
        const DELEGATE = 0x0000_0001;
        /// Both sides authenticate.
        const MUTUAL_AUTH = 0x0000_0002;
        /// Detect replayed messages. With NTLM this is INTEGRITY.
        const REPLAY_DETECT = 0x0000_0004;
        /// Detect messages out of sequence. With NTLM this is INTEGRITY.
        const SEQUENCE_DETECT = 0x0000_0008;
        /// Encrypt messages.
        const CONFIDENTIALITY = 0x0000_0010;
        /// Use a new session key.
        const USE_SESSION_KEY = 0x0000_0020;
        /// Ask the user for credentials.
        const PROMPT_FOR_CREDS = 0x0000_0040;
        /// Use the credentials in the input buffer.
        const USE_SUPPLIED_CREDS = 0x0000_0080;
        /// The library allocates the output token.
        const ALLOCATE_MEMORY = 0x0000_0100;
        /// A third leg follows, as DCE expects.
        const USE_DCE_STYLE = 0x0000_0200;
        /// Datagram semantics.
        const DATAGRAM = 0x0000_0400;
        /// Connection semantics.
        const CONNECTION = 0x0000_0800;
        /// Reserved.
        const CALL_LEVEL = 0x0000_1000;
        /// The input is a fragment.
        const FRAGMENT_SUPPLIED = 0x0000_2000;
        /// On failure, the peer is told.
        const EXTENDED_ERROR = 0x0000_4000;
        /// Stream semantics.
        const STREAM = 0x0000_8000;
        /// Sign messages.
        const INTEGRITY = 0x0001_0000;
        /// The server may only identify the client, not act as it.
        const IDENTIFY = 0x0002_0000;
        /// Anonymous logon.
        const NULL_SESSION = 0x0004_0000;
        /// The caller validates the server itself.
        const MANUAL_CRED_VALIDATION = 0x0008_0000;
        /// Reserved.
        const RESERVED1 = 0x0010_0000;
        /// Fragment tokens to the transport's size.
        const FRAGMENT_TO_FIT = 0x0020_0000;
        /// Forward the credentials.
        const FORWARD_CREDENTIALS = 0x0040_0000;
        /// Ignore INTEGRITY.
        const NO_INTEGRITY = 0x0080_0000;
        /// HTTP semantics.
        const USE_HTTP_STYLE = 0x0100_0000;
        /// The target name comes from an untrusted source; the server is told (MsvAvFlags 0x4).
        const UNVERIFIED_TARGET_NAME = 0x2000_0000;
        /// Confidentiality without integrity.
        const CONFIDENTIALITY_ONLY = 0x4000_0000;
    }
}

bitflags! {
    /// What a client's context turned out to have: the `ISC_RET_*` flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct IscRet: u32 {
        /// The server can act as the client towards others.
        const DELEGATE = 0x0000_0001;
        /// Both sides are authenticated.
        const MUTUAL_AUTH = 0x0000_0002;
        /// Replayed messages are detected.
        const REPLAY_DETECT = 0x0000_0004;
        /// Messages out of sequence are detected.
        const SEQUENCE_DETECT = 0x0000_0008;
        /// Messages can be encrypted.
        const CONFIDENTIALITY = 0x0000_0010;
        /// A new session key is in use.
        const USE_SESSION_KEY = 0x0000_0020;
        /// The credentials of the input buffer were used.
        const USED_SUPPLIED_CREDS = 0x0000_0080;
        /// The library allocated the output token.
        const ALLOCATED_MEMORY = 0x0000_0100;
        /// A third leg follows.
        const USED_DCE_STYLE = 0x0000_0200;
        /// Datagram semantics.
        const DATAGRAM = 0x0000_0400;
        /// Connection semantics.
        const CONNECTION = 0x0000_0800;
        /// On failure, the peer is told.
        const EXTENDED_ERROR = 0x0000_4000;
        /// Stream semantics.
        const STREAM = 0x0000_8000;
        /// Messages can be signed.
        const INTEGRITY = 0x0001_0000;
        /// The server may only identify the client.
        const IDENTIFY = 0x0002_0000;
        /// The logon is anonymous.
        const NULL_SESSION = 0x0004_0000;
    }
}

bitflags! {
    /// What a server asks of its context: the `ASC_REQ_*` flags of AcceptSecurityContext.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct AscReq: u32 {
        /// Act as the client towards others.
        const DELEGATE = 0x0000_0001;
        /// Both sides authenticate.
        const MUTUAL_AUTH = 0x0000_0002;
        /// Detect replayed messages. With NTLM this is INTEGRITY.
        const REPLAY_DETECT = 0x0000_0004;
        /// Detect messages out of sequence. With NTLM this is INTEGRITY.
        const SEQUENCE_DETECT = 0x0000_0008;
        /// Encrypt messages.
        const CONFIDENTIALITY = 0x0000_0010;
        /// Use a new session key.
        const USE_SESSION_KEY = 0x0000_0020;
        /// The library allocates the output token.
        const ALLOCATE_MEMORY = 0x0000_0100;
        /// A third leg follows, as DCE expects.
        const USE_DCE_STYLE = 0x0000_0200;
        /// Datagram semantics.
        const DATAGRAM = 0x0000_0400;
        /// Connection semantics.
        const CONNECTION = 0x0000_0800;
        /// On failure, the peer is told.
        const EXTENDED_ERROR = 0x0000_8000;
        /// Stream semantics.
        const STREAM = 0x0001_0000;
        /// Sign messages.
        const INTEGRITY = 0x0002_0000;
        /// Only identify the client.
        const IDENTIFY = 0x0008_0000;
        /// Admit anonymous logon, where the package's policy admits it too.
        const ALLOW_NULL_SESSION = 0x0010_0000;
        /// Admit a client that has no channel bindings although the server has some.
        const ALLOW_MISSING_BINDINGS = 0x1000_0000;
    }
}

bitflags! {
    /// What a server's context turned out to have: the `ASC_RET_*` flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct AscRet: u32 {
        /// The server can act as the client towards others.
        const DELEGATE = 0x0000_0001;
        /// Both sides are authenticated.
        const MUTUAL_AUTH = 0x0000_0002;
        /// Replayed messages are detected.
        const REPLAY_DETECT = 0x0000_0004;
        /// Messages out of sequence are detected.
        const SEQUENCE_DETECT = 0x0000_0008;
        /// Messages can be encrypted.
        const CONFIDENTIALITY = 0x0000_0010;
        /// A new session key is in use.
        const USE_SESSION_KEY = 0x0000_0020;
        /// The library allocated the output token.
        const ALLOCATED_MEMORY = 0x0000_0100;
        /// A third leg follows.
        const USED_DCE_STYLE = 0x0000_0200;
        /// Datagram semantics.
        const DATAGRAM = 0x0000_0400;
        /// Connection semantics.
        const CONNECTION = 0x0000_0800;
        /// On failure, the peer is told.
        const EXTENDED_ERROR = 0x0000_8000;
        /// Stream semantics.
        const STREAM = 0x0001_0000;
        /// Messages can be signed.
        const INTEGRITY = 0x0002_0000;
        /// The server may only identify the client.
        const IDENTIFY = 0x0008_0000;
        /// The logon is anonymous.
        const NULL_SESSION = 0x0010_0000;
    }
}
