//! Channel bindings: what ties an authentication to the channel it runs over.

/// The members of `SEC_CHANNEL_BINDINGS`, or GSSAPI's `gss_channel_bindings_struct` (RFC 2744 3.11).
///
/// Both sides must come to equal values independently; a relay, whose two channels differ, cannot make them equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// Address type of the initiator; 0 for none.
    pub initiator_address_type: u32,
    /// Address of the initiator.
    pub initiator_address: Vec<u8>,
    /// Address type of the acceptor; 0 for none.
    pub acceptor_address_type: u32,
    /// Address of the acceptor.
    pub acceptor_address: Vec<u8>,
    /// What names the channel.
    pub application_data: Vec<u8>,
}

impl ChannelBindings {
    /// The `tls-server-end-point` bindings of RFC 5929 4: `certificate_hash` is the hash of the server's certificate
    /// (DER), by the certificate's own signature hash, with SHA-256 in place of MD5 and SHA-1.
    ///
    /// ```
    /// use portable_sspi_core::ChannelBindings;
    ///
    /// let bindings = ChannelBindings::tls_server_end_point(&[0xAB; 32]);
    /// assert!(bindings.application_data.starts_with(b"tls-server-end-point:"));
    /// ```
    #[must_use]
    pub fn tls_server_end_point(certificate_hash: &[u8]) -> Self {
        Self::application_data([b"tls-server-end-point:", certificate_hash].concat())
    }

    /// Bindings without addresses, as all TLS bindings are.
    #[must_use]
    pub fn application_data(application_data: Vec<u8>) -> Self {
        Self { application_data, ..Self::default() }
    }
}
