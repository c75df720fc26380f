//! Handing over a handshake under way: what a stateless acceptor is made of.

use portable_sspi_core::{BlobKind, Error, Misuse, PartialContext, PartialExportError, Provider};

use super::Sspi;
use crate::transfer::ExportOptions;

impl Sspi {
    /// Seals a context whose handshake is under way, for another process of the same user on this host to go on with: a
    /// server that has sent its challenge, or a client that waits for one.
    ///
    /// It is sealed, expires and is imported once as an established context is, so a challenge can still be
    /// answered once, by whichever process imports it. **A service that keeps nothing in the process must keep the
    /// blob on its own side, with the connection**: given to the client to bring back (as a cookie), it would be
    /// just as safe, but the import would then wait for whatever anybody sends.
    ///
    /// The credentials are not part of it: the process that continues has its own, and its own policy decides.
    ///
    /// # Errors
    /// With the context, whose handshake can go on here: as [`export_security_context`](Self::export_security_context);
    /// [`Misuse::NotSupported`] where the package can't do it, [`Misuse::BadOption`] with
    /// [`reset_new`](ExportOptions::reset_new).
    pub fn export_partial_context(
        &self,
        context: PartialContext,
        options: &ExportOptions,
    ) -> Result<Vec<u8>, PartialExportError> {
        let prepared = self.package(context.package()).and_then(|package| {
            if options.reset_new {
                let problem = "set, but a partial context has not begun what could be reset";
                return Err(Misuse::BadOption { option: "reset_new", problem }.into());
            }
            let prepared = self.transfer.prepare(package.package_info().name, options)?;
            Ok((package, prepared.partial()))
        });
        let (package, prepared) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return Err(PartialExportError { error, context }),
        };
        let name = context.package();
        let state = package.export_partial(context)?;
        prepared.seal(&state).map_err(|error| {
            // The state is the context, so it comes back from it; otherwise, the handshake is over, as after a failed step.
            let context = package.import_partial(&state).unwrap_or_else(|_| PartialContext::new(name, ()));
            PartialExportError { error, context }
        })
    }

    /// Goes on, in this process, with a handshake that another one exported. The result goes into the next
    /// [`accept_security_context`](Self::accept_security_context) or
    /// [`initialize_security_context`](Self::initialize_security_context), with credentials of this process.
    ///
    /// `package` is the package that the blob must be of; `None` takes any of this table's.
    ///
    /// # Errors
    /// As [`import_security_context`](Self::import_security_context). An established context is refused with
    /// [`BlobRefused::WrongKind`](crate::BlobRefused::WrongKind), as is a partial one there.
    ///
    /// # What an attacker controls
    /// `blob`, all of it, where the channel is not trusted. He can make the import fail, no more.
    pub fn import_partial_context(
        &self,
        package: Option<&str>,
        blob: &[u8],
    ) -> Result<PartialContext, Error> {
        let find_package = self.importer_of(package)?;
        self.transfer.open(BlobKind::Partial, blob, find_package, Provider::import_partial)
    }
}
