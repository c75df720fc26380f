//! The VERSION structure, [MS-NLMP] 2.2.2.10.

/// Product version of a peer: debugging information that nothing depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) [u8; 8]);

impl Version {
    /// What this library sends: version 6.1 with a revision of NTLMSSP_REVISION_W2K3.
    ///
    /// A server sends VERSION unasked, because some clients leave the eight bytes out otherwise, and the MIC is then not
    /// where the specification puts it.
    pub(crate) const OURS: Self = Self([6, 1, 0, 0, 0, 0, 0, 0x0F]);
}
