//! Who a client acts as that was told nothing.

use std::fmt;

use portable_sspi_core::{AuthIdentity, Error};

/// Where a client's default credentials come from: asked at each
/// [`acquire`](portable_sspi_core::Provider::acquire) of outbound credentials without an identity.
///
/// ```
/// use portable_sspi_core::{AuthIdentity, Error};
/// use portable_sspi_ntlm::DefaultIdentity;
///
/// #[derive(Debug)]
/// struct Guest;
///
/// impl DefaultIdentity for Guest {
///     fn default_identity(&self) -> Result<Option<AuthIdentity>, Error> {
///         Ok(Some(AuthIdentity::new("guest", "", "guest")))
///     }
/// }
/// ```
pub trait DefaultIdentity: Send + Sync + fmt::Debug {
    /// The identity; `None` where there is none.
    ///
    /// # Errors
    /// [`Unavailable`](portable_sspi_core::Unavailable) where that cannot be found out.
    fn default_identity(&self) -> Result<Option<AuthIdentity>, Error>;
}
