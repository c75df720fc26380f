//! Handing over all contexts of a process in one call: what a hot restart is made of.

use std::fmt;
use std::io::{Read, Write};

use portable_sspi_core::{BlobRefused, Error, PortableState, SecurityContext};
use thiserror::Error as ThisError;

use super::{Sspi, portable};
use crate::transfer::{ExportOptions, Record, StreamReader};

impl Sspi {
    /// ExportSecurityContext with `DELETE_OLD` for any number of contexts at once: writes them, in order, to `writer` as
    /// one blob for the service's successor, which calls [`import_all`](Self::import_all).
    ///
    /// One header, one key and one claim serve all. Memory beyond the contexts is bounded (less than 1 MiB and eight or
    /// 16 bytes for each context); `writer` gets pieces of up to 128 KiB, so it needs no buffer. What this function
    /// wrote ends where it says it ends: other things can follow over the same channel. `options` are those of all.
    ///
    /// A context that can't be exported is given back in the result and leaves a gap at its place, so that the
    /// importer's positions are those of `contexts`.
    ///
    /// If `writer` is a pipe or a socket, the successor uses the first contexts while the last are still written. If
    /// that isn't wanted, write to memory or a file, and send it when it is complete.
    ///
    /// # Errors
    /// With all the contexts that may go on here. When the stream breaks, this function tries to claim it itself: if it is first,
    /// no importer can have any context, and all of them are given back, as they were. Otherwise, and always with
    /// [`Claims::ReplaysPossible`](crate::Claims), those are given back whose bytes were not written in full; the importer
    /// has the others, or they are gone with it.
    pub fn export_all(
        &self,
        contexts: impl IntoIterator<Item = Box<dyn SecurityContext>>,
        writer: impl Write,
        options: &ExportOptions,
    ) -> Result<ExportedAll, ExportAllError> {
        let mut contexts = contexts.into_iter().enumerate();
        let mut stream = match self.transfer.write_stream(writer, options) {
            Ok(stream) => stream,
            Err(error) => {
                return Err(ExportAllError { error, contexts: contexts.collect(), handed_over: 0 });
            }
        };
        // Held until the stream is complete, so that they can be given back. They are not touched any more.
        let mut held = Vec::with_capacity(contexts.size_hint().0);
        let mut failed = Vec::new();
        let mut write_all = || {
            for (position, context) in contexts.by_ref() {
                let package = self.package(context.package_info().name);
                let state = package.and_then(|package| {
                    let state = portable(package, context.as_ref(), options)?;
                    Ok((package.package_info().name, state))
                });
                let written = match state {
                    Ok((package, state)) => {
                        held.push((position, context));
                        stream.context(package, &state)
                    }
                    Err(error) => {
                        failed.push(FailedExport { position, error, context });
                        stream.gap()
                    }
                };
                written?;
            }
            stream.finish()
        };
        let result = write_all();
        match result {
            Ok(()) => Ok(ExportedAll { exported: held.len(), failed }),
            Err(error) => {
                let first_unwritten = if stream.withdraw() { 0 } else { stream.written() };
                let before = held.len();
                held.retain(|(position, _)| *position >= first_unwritten);
                let handed_over = before - held.len();
                held.extend(failed.into_iter().map(|failed| (failed.position, failed.context)));
                held.sort_unstable_by_key(|(position, _)| *position);
                held.extend(contexts);
                Err(ExportAllError { error, contexts: held, handed_over })
            }
        }
    }

    /// ImportSecurityContext for all that [`export_all`](Self::export_all) wrote: an iterator over the contexts, in the order
    /// of the export.
    ///
    /// The stream is claimed, once for all processes, before this function returns, so each context can be used as soon as
    /// the iterator gives it, whatever comes later. It ends after the last context: if the stream is cut, changed
    /// or out of order, the last item is an error with [`is_end`](ImportAllError::is_end), and what follows was
    /// never given to anybody. A context that can't be imported is an error at its position, and the next one follows.
    ///
    /// Contexts that aren't asked for (the iterator is dropped early) are lost. `reader` is read up to the stream's end and
    /// not beyond, in pieces of up to 128 KiB.
    ///
    /// # Errors
    /// As [`import_security_context`](Self::import_security_context), and [`Unavailable::Stream`](crate::Unavailable::Stream).
    /// Nothing was used up then, nor if the first contexts are of a release that is too new for this one: another
    /// process can still import them, from the start.
    ///
    /// # What an attacker controls
    /// The bytes in `reader`, all of them, where the channel is not trusted. He can make the import fail or end early,
    /// no more.
    pub fn import_all<R: Read>(&self, reader: R) -> Result<ImportAll<'_, R>, Error> {
        let stream =
            self.transfer.read_stream(reader, |package, state| match self.revive(package, state) {
                // What is wrong with one context alone must not lose the others; but if this process is too old for one, it
                // probably is for all, and its predecessor can still do without it.
                Err(error @ Error::BlobRefused(BlobRefused::NewerVersion { .. })) => Err(error),
                _ => Ok(()),
            })?;
        Ok(ImportAll { sspi: self, stream: Some(stream), position: 0 })
    }

    fn revive(&self, package: &str, state: &[u8]) -> Result<Box<dyn SecurityContext>, Error> {
        let found = self.package(package);
        let found = found.map_err(|_| BlobRefused::UnknownPackage { name: package.to_owned() })?;
        found.import(&PortableState::from_bytes(state)?)
    }
}

/// What [`Sspi::export_all`] did. Positions count from 0.
#[derive(Debug)]
#[must_use]
pub struct ExportedAll {
    /// How many contexts were exported, and are gone from here.
    pub exported: usize,
    /// Those that were not, in order.
    pub failed: Vec<FailedExport>,
}

/// A context that could not be exported with the others, and goes on here.
#[derive(Debug, ThisError)]
#[error("the context at position {position} could not be exported, and goes on here: {error}")]
pub struct FailedExport {
    /// Its place in what was exported.
    pub position: usize,
    /// Why.
    #[source]
    pub error: Error,
    /// The context, as it was.
    pub context: Box<dyn SecurityContext>,
}

/// An export of many contexts broke off.
#[derive(Debug, ThisError)]
#[error("the export of all contexts broke off with {handed_over} handed over: {error}")]
pub struct ExportAllError {
    /// Why.
    #[source]
    pub error: Error,
    /// The contexts that go on here, as they were, in order, each with its position.
    pub contexts: Vec<(usize, Box<dyn SecurityContext>)>,
    /// How many don't: an importer may have them, as it had claimed the stream, or as no claims are kept.
    pub handed_over: usize,
}

/// The contexts that [`Sspi::import_all`] imports.
pub struct ImportAll<'a, R> {
    sspi: &'a Sspi,
    /// `None` after the end.
    stream: Option<StreamReader<R>>,
    position: usize,
}

impl<R: Read> Iterator for ImportAll<'_, R> {
    type Item = Result<Box<dyn SecurityContext>, ImportAllError>;

    fn next(&mut self) -> Option<Self::Item> {
        let position = self.position;
        let imported = match self.stream.as_mut()?.next() {
            Ok(Some(Record::Context(package, state))) => self.sspi.revive(package, state),
            Ok(Some(Record::Gap)) => Err(BlobRefused::NotExported.into()),
            Ok(None) => {
                self.stream = None;
                return None;
            }
            Err(error) => {
                self.stream = None;
                return Some(Err(ImportAllError { position, error, is_end: true }));
            }
        };
        self.position = self.position.saturating_add(1);
        Some(imported.map_err(|error| ImportAllError { position, error, is_end: false }))
    }
}

impl<R: Read> std::iter::FusedIterator for ImportAll<'_, R> {}

impl<R> fmt::Debug for ImportAll<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportAll").field("position", &self.position).finish_non_exhaustive()
    }
}

/// A context was not imported with the others.
#[derive(Debug, ThisError)]
#[error("the context at position {position} could not be imported: {error}")]
pub struct ImportAllError {
    /// Its place in what was exported; at the end of a broken stream, that of the first one missing.
    pub position: usize,
    /// Why.
    #[source]
    pub error: Error,
    /// Whether the stream broke, so that nothing follows.
    pub is_end: bool,
}
