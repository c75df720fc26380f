//! The AV pairs of a response: the server's, repeated, and the client's own, [MS-NLMP] 3.1.5.1.2.

use portable_sspi_core::PeerMisbehaved;

use crate::wire::av_pair::{self, AvFlags, AvId, AvPairs};

/// The pairs of a CHALLENGE that a client repeats.
#[derive(Debug)]
pub(crate) struct ClientPairs {
    list: Vec<u8>,
    server_flags: AvFlags,
    /// Whether the CHALLENGE had pairs at all: only then does the client add a target name and channel bindings.
    has_target_info: bool,
}

impl ClientPairs {
    /// Takes over what a server may say, and drops what only a client may: an attacker who puts such a pair into the
    /// CHALLENGE wants it repeated under the client's proof (CVE-2019-1166, the bypass of Extended Protection).
    ///
    /// With message protection both NetBIOS names must be there, [MS-NLMP] 3.1.5.1.2.
    pub(crate) fn from_challenge(
        server: &AvPairs<'_>,
        protects_messages: bool,
    ) -> Result<Self, PeerMisbehaved> {
        if protects_messages {
            for (id, missing) in
                [(AvId::NbComputerName, "MsvAvNbComputerName"), (AvId::NbDomainName, "MsvAvNbDomainName")]
            {
                // MS-NLMP:3.1.5.1.2-names
                if server.get(id).is_none() {
                    return Err(PeerMisbehaved::MissingTargetName { missing });
                }
            }
        }
        let mut list = Vec::with_capacity(256);
        for pair in server.iter() {
            if pair.id != AvId::Flags && !pair.id.is_client_only() {
                av_pair::append(&mut list, pair.id, pair.value);
            }
        }
        let has_target_info = server.iter().next().is_some();
        Ok(Self { list, server_flags: server.flags() & AvFlags::CONSTRAINED, has_target_info })
    }

    /// Adds the client's own pairs, each once, and the end of the list.
    pub(crate) fn finish(
        self,
        target_name: Option<&str>,
        untrusted_target_name: bool,
        channel_bindings: Option<&[u8; 16]>,
    ) -> Vec<u8> {
        let mut list = self.list;
        // MS-NLMP:3.1.5.1.2-mic-announced
        let mut flags = self.server_flags | AvFlags::MIC_PRESENT;
        if untrusted_target_name {
            // MS-NLMP:3.1.5.1.2-untrusted-name
            flags |= AvFlags::UNTRUSTED_TARGET_NAME;
        }
        av_pair::append(&mut list, AvId::Flags, &flags.bits().to_le_bytes());
        if self.has_target_info || channel_bindings.is_some() {
            // MS-NLMP:3.1.5.1.2-bindings
            av_pair::append(&mut list, AvId::ChannelBindings, channel_bindings.unwrap_or(&[0; 16]));
            // MS-NLMP:3.1.5.1.2-target-name
            av_pair::append_text(&mut list, AvId::TargetName, target_name.unwrap_or_default());
        }
        av_pair::append(&mut list, AvId::Eol, &[]);
        list
    }
}
