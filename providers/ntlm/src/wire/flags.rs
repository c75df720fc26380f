//! NegotiateFlags, [MS-NLMP] 2.2.2.5.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// The NegotiateFlags of all three messages, [MS-NLMP] 2.2.2.5. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct NegotiateFlags: u32 {
        /// A: strings are UTF-16LE.
        const UNICODE = 0x0000_0001;
        /// B: strings are in the OEM character set.
        const OEM = 0x0000_0002;
        /// C: the CHALLENGE must name its target.
        const REQUEST_TARGET = 0x0000_0004;
        /// D: messages are signed.
        const SIGN = 0x0000_0010;
        /// E: messages are encrypted.
        const SEAL = 0x0000_0020;
        /// F: connectionless mode.
        const DATAGRAM = 0x0000_0040;
        /// G: session keys derive from the LM response.
        const LM_KEY = 0x0000_0080;
        /// H: NTLM authentication.
        const NTLM = 0x0000_0200;
        /// J: the client is anonymous.
        const ANONYMOUS = 0x0000_0800;
        /// K: the NEGOTIATE carries a domain.
        const OEM_DOMAIN_SUPPLIED = 0x0000_1000;
        /// L: the NEGOTIATE carries a workstation.
        const OEM_WORKSTATION_SUPPLIED = 0x0000_2000;
        /// M: a session key exists, and dummy signatures if nothing better.
        const ALWAYS_SIGN = 0x0000_8000;
        /// N: the target is a domain.
        const TARGET_TYPE_DOMAIN = 0x0001_0000;
        /// O: the target is a server.
        const TARGET_TYPE_SERVER = 0x0002_0000;
        /// P: extended session security.
        const EXTENDED_SESSIONSECURITY = 0x0008_0000;
        /// Q: the server may identify, not impersonate.
        const IDENTIFY = 0x0010_0000;
        /// R: session keys derive from the LM hash.
        const REQUEST_NON_NT_SESSION_KEY = 0x0040_0000;
        /// S: the CHALLENGE carries target information.
        const TARGET_INFO = 0x0080_0000;
        /// T: the Version field is filled.
        const VERSION = 0x0200_0000;
        /// U: 128-bit sealing keys.
        const KEY_128 = 0x2000_0000;
        /// V: the client chooses the session key.
        const KEY_EXCH = 0x4000_0000;
        /// W: 56-bit sealing keys.
        const KEY_56 = 0x8000_0000;
        /// All other bits.
        const _ = !0;
    }
}

impl Serialize for NegotiateFlags {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.bits().serialize(to)
    }
}

impl<'de> Deserialize<'de> for NegotiateFlags {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u32::deserialize(from).map(Self::from_bits_retain)
    }
}
