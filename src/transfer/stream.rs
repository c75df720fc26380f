//! Many contexts in one blob: one header, one key, one claim, and memory for one chunk.
//!
//! After the header come chunks:
//!
//! | size | |
//! |---|---|
//! | 4 | length of what follows, at most 131,088, and bit 31 in the last chunk |
//! | n | whole records, encrypted |
//! | 16 | the AEAD's tag over the header and the chunk, under the chunk's number and whether it is the last |
//!
//! and in a chunk, records:
//!
//! | size | |
//! |---|---|
//! | 1 | length of the package's name; 0: a context that could not be exported stood here, and nothing follows |
//! | n | the package's name |
//! | 4 | length of the state |
//! | n | the state |
//!
//! A chunk that was changed, moved, repeated, left out, or made the last one of a cut stream can't be opened (see
//! [`StreamKey`]). All chunks but the last hold a record at least. What follows the last chunk is not read: more can come
//! over the same channel.
//!
//! **When the first contexts can be used.** The importer has authenticated the first chunk, then claims the blob, then
//! gives out contexts, chunk by chunk, while the exporter may still be writing. So memory is bounded on both sides, and the
//! first clients are served at once; in return, a stream that ends too early has given out what was whole. That is sound,
//! because a context whose chunk was written is never used by the exporter again unless it has claimed the blob
//! itself (see [`StreamWriter::withdraw`]), and then no importer has got any.

use std::io::{self, ErrorKind, Read, Write};

use portable_sspi_core::{BlobKind, BlobRefused, Error, PortableState, Unavailable};
use zeroize::Zeroizing;

use super::Transfer;
use super::blob::{HEADER_LENGTH, Header, PackageName, TAG_LENGTH};
use super::host_key::{RunningHost, Slot};
use super::options::ExportOptions;
use super::seal::{HostIdentity, StreamKey};

/// The largest plaintext of a chunk. Twice the largest state, so that a record always fits into one.
const CHUNK: usize = 128 * 1024;
/// The longest part of a header that is read besides that of fixed length.
const MAX_FURTHER_FIELDS: usize = 1024;
/// Before each chunk.
const PREFIX: usize = 4;
const LAST: u32 = 1 << 31;

impl Transfer {
    /// Gets everything that a stream needs and that can fail for reasons outside this process and `writer`.
    pub(crate) fn write_stream<W: Write>(
        &self,
        writer: W,
        options: &ExportOptions,
    ) -> Result<StreamWriter<W>, Error> {
        self.write_stream_as(&*self.host.identity()?, RunningHost::now()?, writer, options)
    }

    pub(super) fn write_stream_as<W: Write>(
        &self,
        identity: &HostIdentity,
        now: u64,
        writer: W,
        options: &ExportOptions,
    ) -> Result<StreamWriter<W>, Error> {
        let (header, slot) = self.header(identity, now, BlobKind::Many, PackageName::NONE, options)?;
        let label = options.audience.label.as_ref();
        let key = StreamKey::derive_for(label, slot.host_secret(), slot.seed(), identity, &header.blob_id)?;
        Ok(StreamWriter::new(header, key, Some(slot), writer))
    }

    /// Opens a stream up to its first chunk, lets `check` look at the first context in it, and claims the stream.
    ///
    /// # Errors
    /// [`BlobRefused`] by cause, and [`Unavailable`]; as `check`. Nothing is used up then.
    pub(crate) fn read_stream<R: Read>(
        &self,
        reader: R,
        check: impl FnOnce(&str, &[u8]) -> Result<(), Error>,
    ) -> Result<StreamReader<R>, Error> {
        self.read_stream_as(&*self.host.identity()?, RunningHost::now()?, reader, check)
    }

    pub(super) fn read_stream_as<R: Read>(
        &self,
        identity: &HostIdentity,
        now: u64,
        mut reader: R,
        check: impl FnOnce(&str, &[u8]) -> Result<(), Error>,
    ) -> Result<StreamReader<R>, Error> {
        let header_bytes = read_header(&mut reader)?;
        let (header, _) = Header::parse(&header_bytes)?;
        header.check_kind(BlobKind::Many)?;
        let (slot, label) = self.slot_of(identity, now, &header)?;
        let key = StreamKey::derive_for(label, slot.host_secret(), slot.seed(), identity, &header.blob_id)?;
        let mut stream = StreamReader::new(header_bytes, key, reader);
        stream.next_chunk()?;
        if let Some((package, state)) = stream.first_context()? {
            check(package, state)?;
        }
        slot.claim(&header.blob_id)?;
        Ok(stream)
    }
}

/// What stands at one place of a stream.
#[derive(Clone, Copy)]
pub(crate) enum Record<'a> {
    /// The name of a context's package, and the context's state in bytes.
    Context(&'a str, &'a [u8]),
    /// A context that could not be exported.
    Gap,
}

/// Writes a stream, chunk by chunk.
pub(crate) struct StreamWriter<W> {
    header: Header,
    header_bytes: Vec<u8>,
    key: StreamKey,
    slot: Option<Slot>,
    writer: W,
    /// The prefix of the chunk that is being filled, and its plaintext. Never grows: that would leave copies behind.
    chunk: Zeroizing<Vec<u8>>,
    records_in_chunk: usize,
    records_written: usize,
    header_is_written: bool,
}

impl<W: Write> StreamWriter<W> {
    pub(super) fn new(header: Header, key: StreamKey, slot: Option<Slot>, writer: W) -> Self {
        let mut header_bytes = Vec::with_capacity(HEADER_LENGTH);
        header.write(&mut header_bytes);
        let mut chunk = Zeroizing::new(Vec::with_capacity(PREFIX + CHUNK + TAG_LENGTH));
        chunk.extend_from_slice(&[0; PREFIX]);
        Self {
            header,
            header_bytes,
            key,
            slot,
            writer,
            chunk,
            records_in_chunk: 0,
            records_written: 0,
            header_is_written: false,
        }
    }

    /// Appends a context of `package`.
    ///
    /// # Errors
    /// [`Unavailable::Stream`]: the stream is over.
    pub(crate) fn context(&mut self, package: &str, state: &PortableState) -> Result<(), Error> {
        let state = state.to_bytes();
        // Both are bounded where they come from: names by the table, states by their encoding.
        let (Ok(name_length), Ok(state_length)) = (u8::try_from(package.len()), u32::try_from(state.len()))
        else {
            return Err(BlobRefused::Damaged.into());
        };
        self.record(&[&[name_length], package.as_bytes(), &state_length.to_le_bytes(), &state])
    }

    /// Appends a gap, so that those behind it keep their places.
    ///
    /// # Errors
    /// As [`context`](Self::context).
    pub(crate) fn gap(&mut self) -> Result<(), Error> {
        self.record(&[&[0]])
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// As [`context`](Self::context).
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.flush(true)?;
        self.writer.flush().map_err(failed)
    }

    /// How many records lie in chunks that were written: an importer may have them.
    pub(crate) const fn written(&self) -> usize {
        self.records_written
    }

    /// Claims the stream, as an importer would: if it is `true`, no importer has it nor ever will, whatever was written.
    ///
    /// Where no claims are kept, nothing can be withdrawn: importers don't look for any.
    pub(crate) fn withdraw(&self) -> bool {
        let slot = self.slot.as_ref().filter(|slot| slot.claims_are_kept());
        slot.is_some_and(|slot| slot.claim(&self.header.blob_id).is_ok())
    }

    fn record(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.chunk.len() - PREFIX + length > CHUNK {
            self.flush(false)?;
        }
        for part in parts {
            self.chunk.extend_from_slice(part);
        }
        self.records_in_chunk += 1;
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<(), Error> {
        if !self.header_is_written {
            self.writer.write_all(&self.header_bytes).map_err(failed)?;
            self.header_is_written = true;
        }
        let length =
            u32::try_from(self.chunk.len() - PREFIX + TAG_LENGTH).map_err(|_| BlobRefused::Damaged)?;
        let prefix = if last { length | LAST } else { length };
        if let Some((start, plaintext)) = self.chunk.split_first_chunk_mut::<PREFIX>() {
            *start = prefix.to_le_bytes();
            let tag = self.key.seal(&self.header_bytes, plaintext, last)?;
            self.chunk.extend_from_slice(tag.as_ref());
        }
        // In one piece: if this fails, its end was not written, and nobody can open what of it was.
        self.writer.write_all(&self.chunk).map_err(failed)?;
        self.records_written += std::mem::take(&mut self.records_in_chunk);
        self.chunk.truncate(PREFIX);
        Ok(())
    }
}

/// Reads a stream, chunk by chunk.
pub(crate) struct StreamReader<R> {
    header_bytes: Vec<u8>,
    key: StreamKey,
    reader: R,
    /// The chunk that is being given out.
    chunk: Zeroizing<Vec<u8>>,
    /// Its part that wasn't given out yet.
    rest: std::ops::Range<usize>,
    last: bool,
}

impl<R: Read> StreamReader<R> {
    pub(super) fn new(header_bytes: Vec<u8>, key: StreamKey, reader: R) -> Self {
        Self { header_bytes, key, reader, chunk: Zeroizing::default(), rest: 0..0, last: false }
    }

    /// The next record, `None` at the end.
    ///
    /// # Errors
    /// [`BlobRefused::Incomplete`] where the reader ends first, [`BlobRefused::Damaged`], [`Unavailable::Stream`]: it is over.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, Error> {
        while self.rest.is_empty() {
            if self.last {
                return Ok(None);
            }
            self.next_chunk()?;
        }
        let rest = self.chunk.get(self.rest.clone()).unwrap_or_default();
        let (record, length) = parse_record(rest).ok_or(BlobRefused::Damaged)?;
        self.rest.start += length;
        Ok(Some(record))
    }

    /// The first context in the chunk.
    fn first_context(&self) -> Result<Option<(&str, &[u8])>, BlobRefused> {
        let mut rest = self.chunk.get(self.rest.clone()).unwrap_or_default();
        while !rest.is_empty() {
            match parse_record(rest).ok_or(BlobRefused::Damaged)? {
                (Record::Context(package, state), _) => return Ok(Some((package, state))),
                (Record::Gap, length) => rest = rest.get(length..).unwrap_or_default(),
            }
        }
        Ok(None)
    }

    pub(super) fn next_chunk(&mut self) -> Result<(), Error> {
        let mut prefix = [0; PREFIX];
        self.reader.read_exact(&mut prefix).map_err(ended)?;
        let prefix = u32::from_le_bytes(prefix);
        let last = prefix & LAST != 0;
        let length = usize::try_from(prefix & !LAST).map_err(|_| BlobRefused::Damaged)?;
        let least = if last { TAG_LENGTH } else { TAG_LENGTH + 1 };
        if !(least..=CHUNK + TAG_LENGTH).contains(&length) {
            return Err(BlobRefused::Damaged.into());
        }
        // Reserved once: growing leaves copies of keys behind.
        let room = (CHUNK + TAG_LENGTH).saturating_sub(self.chunk.len());
        self.chunk.reserve_exact(room);
        self.chunk.resize(length, 0);
        self.reader.read_exact(&mut self.chunk).map_err(ended)?;
        let opened = self.key.open(&self.header_bytes, &mut self.chunk, last)?.len();
        self.rest = 0..opened;
        self.last = last;
        Ok(())
    }
}

/// The record at the start of `bytes`, and its length.
fn parse_record(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (name_length, rest) = bytes.split_first()?;
    if *name_length == 0 {
        return Some((Record::Gap, 1));
    }
    let (name, rest) = rest.split_at_checked(usize::from(*name_length))?;
    let name = core::str::from_utf8(name).ok().filter(|name| PackageName::new(name).is_some())?;
    let (state_length, rest) = rest.split_first_chunk()?;
    let state_length = usize::try_from(u32::from_le_bytes(*state_length)).ok()?;
    let state = rest.get(..state_length)?;
    Some((Record::Context(name, state), 1 + name.len() + 4 + state_length))
}

/// A header's bytes, or as many as there are: what they lack is for its parser to say.
fn read_header(reader: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(HEADER_LENGTH);
    reader.by_ref().take(HEADER_LENGTH as u64).read_to_end(&mut bytes).map_err(failed)?;
    // Its own length, which keeps its place in every version.
    if let Some([low, high]) = bytes.get(10..12) {
        let more = usize::from(u16::from_le_bytes([*low, *high])).saturating_sub(bytes.len());
        if bytes.len() == HEADER_LENGTH && more <= MAX_FURTHER_FIELDS {
            reader.take(more as u64).read_to_end(&mut bytes).map_err(failed)?;
        }
    }
    Ok(bytes)
}

fn failed(source: io::Error) -> Error {
    Unavailable::Stream { source }.into()
}

fn ended(error: io::Error) -> Error {
    if error.kind() == ErrorKind::UnexpectedEof { BlobRefused::Incomplete.into() } else { failed(error) }
}
