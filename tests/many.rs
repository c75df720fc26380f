//! Many contexts in one stream: order, errors of single ones, broken streams, attackers, and killed processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy exempts only the test functions themselves"
)]

mod common;

use std::cell::Cell;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::process::{self, Helper};
use common::toy_provider::ToyProvider;
use common::{context, key_directory, sspi};
use portable_sspi::{
    AcceptRequest, AcquireRequest, ApplicationKey, BlobRefused, Claims, Error, ExportAllError, ExportFlags,
    ExportOptions, HostKeyScope, Misuse, SecretArray, SecurityContext, Sspi, SspiConfig, Step, Unavailable,
};

type Context = Box<dyn SecurityContext>;

const OPTIONS: ExportOptions = ExportOptions::from_flags(ExportFlags::DELETE_OLD);
const HEADER: usize = 104;
/// So many contexts with [`some_large`] states need several chunks, of many records each.
const COUNT: usize = 2_000;

#[test]
#[ignore = "the helper process of the other tests"]
fn helper_process() {
    process::run();
}

/// A table with two packages.
fn two_packages(directory: &Path) -> Sspi {
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ToyProvider::new("Toy")), Arc::new(ToyProvider::new("Other"))],
        host_key: HostKeyScope::user_directory(directory),
        ..SspiConfig::default()
    })
    .unwrap()
}

/// A table whose contexts have states of two sizes. Of the small ones alone, it would take twenty thousand to fill some
/// chunks, again for each way to break a stream: minutes on an emulated processor.
fn some_large(scope: HostKeyScope) -> Sspi {
    Sspi::new(SspiConfig {
        packages: vec![Arc::new(ToyProvider::with_large_states("Toy", 4_000))],
        host_key: scope,
        ..SspiConfig::default()
    })
    .unwrap()
}

fn other_context(sspi: &Sspi) -> Context {
    let credentials = sspi.acquire_credentials_handle("Other", AcquireRequest::inbound()).unwrap();
    let request = AcceptRequest { token: &[1; 16], ..AcceptRequest::default() };
    match sspi.accept_security_context(&credentials, None, &request).unwrap() {
        Step::Complete { context, .. } => context,
        Step::ContinueNeeded { .. } => panic!("the toy handshake has one leg"),
    }
}

/// The n-th context: its key and position say which it is.
fn numbered(sspi: &Sspi, number: usize) -> Context {
    let mut numbered = context(sspi, number.to_le_bytes()[0]);
    for _ in 0..number / 256 % 8 {
        numbered.wrap(b"").unwrap();
    }
    numbered
}

fn contexts(sspi: &Sspi, count: usize) -> Vec<Context> {
    (0..count).map(|number| numbered(sspi, number)).collect()
}

fn assert_is_numbered(sspi: &Sspi, context: &mut Context, number: usize) {
    let expected = numbered(sspi, number).wrap(b"next").unwrap();
    assert_eq!(context.wrap(b"next").unwrap(), expected, "context {number}");
}

fn stream(sspi: &Sspi, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let exported = sspi.export_all(contexts(sspi, count), &mut bytes, &OPTIONS).unwrap();
    assert_eq!((exported.exported, exported.failed.len()), (count, 0));
    bytes
}

/// How an import ended: how many contexts came, all in order, and the error at the end.
fn import(sspi: &Sspi, bytes: &[u8]) -> (usize, Option<BlobRefused>) {
    let imported = match sspi.import_all(bytes) {
        Ok(imported) => imported,
        Err(Error::BlobRefused(refused)) => return (0, Some(refused)),
        Err(other) => panic!("{other}"),
    };
    let mut count = 0;
    let mut end = None;
    for item in imported {
        assert!(end.is_none(), "something after the end");
        match item {
            Ok(mut context) => {
                assert_is_numbered(sspi, &mut context, count);
                count += 1;
            }
            Err(error) => {
                assert!(error.is_end);
                assert_eq!(error.position, count);
                match error.error {
                    Error::BlobRefused(refused) => end = Some(refused),
                    other => panic!("{other}"),
                }
            }
        }
    }
    (count, end)
}

/// With its fields, which those of other scopes than the default have.
fn header_length(stream: &[u8]) -> usize {
    usize::from(u16::from_le_bytes(stream[10..12].try_into().unwrap()))
}

/// Where the chunks are: each with its prefix.
fn chunks(stream: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut chunks = Vec::new();
    let mut start = header_length(stream);
    while start < stream.len() {
        let prefix = u32::from_le_bytes(stream[start..start + 4].try_into().unwrap());
        let end = start + 4 + usize::try_from(prefix & 0x7FFF_FFFF).unwrap();
        chunks.push(start..end);
        start = end;
    }
    assert_eq!(start, stream.len());
    chunks
}

#[test]
fn all_come_back_in_order_once() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    for count in [0, 1, 2, 1_000, 20_000] {
        let bytes = stream(&sspi, count);
        assert_eq!(import(&sspi, &bytes), (count, None));
        assert_eq!(import(&sspi, &bytes), (0, Some(BlobRefused::AlreadyImported)));
    }
}

#[test]
fn one_claim_serves_all() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    assert_eq!(import(&sspi, &stream(&sspi, 5_000)), (5_000, None));
    let windows = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let files = windows.filter(|path| path.to_string_lossy().contains("window-"));
    let files: usize = files.map(|path| path.read_dir().unwrap().count()).sum();
    assert_eq!(files, 2, "the seed and the claim");
}

#[test]
fn what_follows_the_stream_is_left_in_the_channel() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let mut bytes = stream(&sspi, 3);
    bytes.extend_from_slice(b"more");
    let mut reader = &bytes[..];
    assert_eq!(sspi.import_all(&mut reader).unwrap().map(Result::unwrap).count(), 3);
    assert_eq!(reader, b"more");
}

#[test]
fn one_that_cannot_be_exported_is_given_back_and_keeps_its_place() {
    let directory = key_directory();
    let (sspi, two) = (sspi(directory.path()), two_packages(directory.path()));
    let mut all = contexts(&sspi, 5);
    all.insert(2, other_context(&two));
    let mut bytes = Vec::new();
    let mut exported = sspi.export_all(all, &mut bytes, &OPTIONS).unwrap();
    assert_eq!(exported.exported, 5);
    let mut failed = exported.failed.pop().unwrap();
    assert!(exported.failed.is_empty());
    assert_eq!(failed.position, 2);
    assert!(matches!(failed.error, Error::Misuse(Misuse::UnknownPackage { .. })));
    failed.context.wrap(b"goes on").unwrap();

    let mut number = 0;
    for (position, item) in sspi.import_all(&bytes[..]).unwrap().enumerate() {
        match item {
            Ok(mut context) => {
                assert_is_numbered(&sspi, &mut context, number);
                number += 1;
            }
            Err(error) => {
                assert_eq!((position, error.position, error.is_end), (2, 2, false));
                assert!(matches!(error.error, Error::BlobRefused(BlobRefused::NotExported)));
            }
        }
    }
    assert_eq!(number, 5);
}

#[test]
fn one_that_cannot_be_imported_does_not_lose_the_others() {
    let directory = key_directory();
    let (sspi, two) = (sspi(directory.path()), two_packages(directory.path()));
    for place in [0, 3, 5] {
        let mut all = contexts(&two, 5);
        all.insert(place, other_context(&two));
        let mut bytes = Vec::new();
        assert_eq!(two.export_all(all, &mut bytes, &OPTIONS).unwrap().exported, 6);
        let (mut imported, mut refused) = (0, Vec::new());
        for item in sspi.import_all(&bytes[..]).unwrap() {
            match item {
                Ok(mut context) => {
                    assert_is_numbered(&sspi, &mut context, imported);
                    imported += 1;
                }
                Err(error) => refused.push((error.position, error.is_end, error.error.to_string())),
            }
        }
        assert_eq!((imported, refused.len()), (5, 1));
        assert_eq!((refused[0].0, refused[0].1), (place, false));
        assert!(refused[0].2.contains("\"Other\""), "{}", refused[0].2);
    }
}

#[test]
fn options_are_checked_before_anything_is_taken() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let options = ExportOptions { lifetime: Duration::ZERO, ..OPTIONS };
    let mut written = Vec::new();
    let failed = sspi.export_all(contexts(&sspi, 3), &mut written, &options).unwrap_err();
    assert!(matches!(failed.error, Error::Misuse(Misuse::BadOption { option: "lifetime", .. })));
    assert_all_back(&sspi, failed, 3);
    assert!(written.is_empty());

    let mut used = contexts(&sspi, 1);
    used[0].wrap(b"a message").unwrap();
    let options = ExportOptions { reset_new: true, ..OPTIONS };
    let _ = sspi.export_all(used, &mut written, &options).unwrap();
    let mut reset = sspi.import_all(&written[..]).unwrap().next().unwrap().unwrap();
    assert_is_numbered(&sspi, &mut reset, 0);
}

fn assert_all_back(sspi: &Sspi, failed: ExportAllError, count: usize) {
    assert_eq!((failed.contexts.len(), failed.handed_over), (count, 0));
    for (number, (position, mut context)) in failed.contexts.into_iter().enumerate() {
        assert_eq!(position, number);
        assert_is_numbered(sspi, &mut context, number);
    }
}

/// Takes so many bytes, then fails; calls `before_failing` first.
struct Breaks<'a, F: FnMut(&[u8])> {
    left: usize,
    taken: &'a mut Vec<u8>,
    before_failing: F,
}

impl<F: FnMut(&[u8])> Write for Breaks<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        if count == 0 && !bytes.is_empty() {
            (self.before_failing)(self.taken);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.left -= count;
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Around every border of the stream: where it can break.
fn borders(stream: &[u8]) -> Vec<usize> {
    let ends = chunks(stream).into_iter().flat_map(|chunk| [chunk.start + 4, chunk.end]);
    let mut borders: Vec<_> = [0, header_length(stream)]
        .into_iter()
        .chain(ends)
        .flat_map(|border| [border.saturating_sub(1), border, border + 1])
        .filter(|border| *border < stream.len())
        .collect();
    borders.dedup();
    borders
}

#[test]
fn a_broken_writer_gives_all_contexts_back_and_nobody_can_import() {
    let directory = key_directory();
    let sspi = some_large(HostKeyScope::user_directory(directory.path()));
    for left in borders(&stream(&sspi, COUNT)) {
        let mut taken = Vec::new();
        let writer = Breaks { left, taken: &mut taken, before_failing: |_: &[u8]| {} };
        let failed = sspi.export_all(contexts(&sspi, COUNT), writer, &OPTIONS).unwrap_err();
        assert!(matches!(failed.error, Error::Unavailable(Unavailable::Stream { .. })));
        assert_all_back(&sspi, failed, COUNT);
        let (imported, refused) = import(&sspi, &taken);
        assert_eq!(imported, 0, "broken after {left}");
        if chunks_are_whole(&taken) {
            assert_eq!(refused, Some(BlobRefused::AlreadyImported));
        }
    }
}

/// Whether there is at least one chunk to be opened.
fn chunks_are_whole(stream: &[u8]) -> bool {
    stream.get(HEADER..HEADER + 4).is_some_and(|prefix| {
        let length = u32::from_le_bytes(prefix.try_into().unwrap()) & 0x7FFF_FFFF;
        stream.len() >= HEADER + 4 + usize::try_from(length).unwrap()
    })
}

#[test]
fn where_an_importer_was_first_each_context_lives_once() {
    let directory = key_directory();
    let sspi = some_large(HostKeyScope::user_directory(directory.path()));
    let all = stream(&sspi, COUNT);
    let first_chunk_end = chunks(&all)[0].end;
    for left in borders(&all).into_iter().filter(|left| *left >= first_chunk_end) {
        let imported = Cell::new(0);
        let mut taken = Vec::new();
        let writer = Breaks {
            left,
            taken: &mut taken,
            before_failing: |taken: &[u8]| {
                let (count, end) = import(&sspi, taken);
                assert_eq!(end, Some(BlobRefused::Incomplete));
                imported.set(count);
            },
        };
        let failed = sspi.export_all(contexts(&sspi, COUNT), writer, &OPTIONS).unwrap_err();
        assert!(imported.get() > 0);
        assert_eq!(failed.handed_over, imported.get(), "broken after {left}");
        assert_eq!(failed.contexts.len(), COUNT - imported.get());
        for (offset, (position, mut context)) in failed.contexts.into_iter().enumerate() {
            assert_eq!(position, imported.get() + offset);
            assert_is_numbered(&sspi, &mut context, position);
        }
    }
}

/// Where nobody claims, nobody can withdraw either: an importer may have whatever was written.
#[test]
fn without_claims_what_was_written_is_not_given_back() {
    let key = ApplicationKey::from_bytes(SecretArray::new([1; 32]));
    let scope = HostKeyScope::Application { key, claims: Claims::ReplaysPossible };
    let sspi = some_large(scope);
    let all = stream(&sspi, COUNT);
    for left in borders(&all) {
        let mut taken = Vec::new();
        let writer = Breaks { left, taken: &mut taken, before_failing: |_: &[u8]| {} };
        let failed = sspi.export_all(contexts(&sspi, COUNT), writer, &OPTIONS).unwrap_err();
        let (imported, _) = import(&sspi, &taken);
        assert_eq!(imported > 0, left >= chunks(&all)[0].end, "broken after {left}");
        assert_eq!(failed.handed_over, imported, "broken after {left}");
        let mut positions = failed.contexts.iter().map(|(position, _)| *position);
        assert!(positions.by_ref().eq(imported..COUNT), "broken after {left}");
    }
}

#[test]
fn a_stream_cut_anywhere_shows_it() {
    let directory = key_directory();
    let sspi = some_large(HostKeyScope::user_directory(directory.path()));
    let whole = stream(&sspi, COUNT);
    for length in borders(&whole) {
        // A stream of its own each time: an import uses it up.
        let bytes = stream(&sspi, COUNT);
        let (count, end) = import(&sspi, &bytes[..length]);
        let expected = match length {
            0..8 => BlobRefused::NotABlob,
            8..HEADER => BlobRefused::Damaged,
            _ => BlobRefused::Incomplete,
        };
        assert_eq!(end, Some(expected), "cut at {length}");
        let whole_chunks = chunks(&bytes).iter().filter(|chunk| chunk.end <= length).count();
        assert_eq!(count > 0, whole_chunks > 0);
        let left = import(&sspi, &bytes);
        if count > 0 {
            assert_eq!(left, (0, Some(BlobRefused::AlreadyImported)), "cut at {length}");
        } else {
            assert_eq!(left, (COUNT, None), "refused before its claim, so not used up");
        }
    }
}

/// What an attacker does to the chunks of a stream.
type Change<'a> = dyn Fn(&mut Vec<Vec<u8>>) + 'a;

#[test]
fn chunks_moved_repeated_dropped_or_exchanged_are_refused() {
    let directory = key_directory();
    let sspi = some_large(HostKeyScope::user_directory(directory.path()));
    let parts = || {
        let bytes = stream(&sspi, COUNT);
        let chunks = chunks(&bytes).into_iter().map(|chunk| bytes[chunk].to_vec()).collect::<Vec<_>>();
        (bytes[..HEADER].to_vec(), chunks)
    };
    let number_of_chunks = parts().1.len();
    assert!(number_of_chunks >= 4, "{number_of_chunks}");
    let mut first = 0;
    for place in 0..number_of_chunks {
        let foreign = parts().1;
        let changes: [&Change; 6] = [
            &|chunks| drop(chunks.remove(place)),
            &|chunks| chunks.insert(place, chunks[place].clone()),
            &|chunks| chunks.swap(place, (place + 1) % number_of_chunks),
            &|chunks| chunks[place].clone_from(&foreign[place]),
            // The mark of the last chunk.
            &|chunks| chunks[place][3] ^= 0x80,
            &|chunks| {
                chunks.truncate(place + 1);
                chunks[place][3] |= 0x80;
            },
        ];
        for (number, change) in changes.iter().enumerate() {
            let (header, mut chunks) = parts();
            change(&mut chunks);
            let unchanged = number == 5 && place + 1 == number_of_chunks;
            let repeated_last = number == 1 && place + 1 == number_of_chunks;
            let (count, end) = import(&sspi, &[header, chunks.concat()].concat());
            if unchanged || repeated_last {
                // What follows the last chunk is no part of the stream.
                assert_eq!((count, end), (COUNT, None));
                continue;
            }
            let end = end.unwrap();
            let expected = [BlobRefused::Damaged, BlobRefused::Incomplete];
            assert!(expected.contains(&end), "change {number} of chunk {place}: {end:?}");
            assert!(count < COUNT);
            if place == 0 && number != 1 {
                assert_eq!(count, 0);
            }
            first += usize::from(count > 0);
        }
    }
    assert!(first > 0, "some imports began, so that their ends were seen");
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let bytes = stream(&sspi, 3);
    for index in 0..bytes.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[index] ^= change;
            let (count, end) = import(&sspi, &changed);
            assert_eq!(count, 0, "byte {index}");
            assert_ne!(end.unwrap(), BlobRefused::AlreadyImported, "byte {index}");
        }
    }
    assert_eq!(import(&sspi, &bytes), (3, None), "and none of them used it up");
}

#[test]
fn an_expired_stream_is_refused() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let mut bytes = Vec::new();
    let options = ExportOptions { lifetime: Duration::from_millis(1), ..OPTIONS };
    let _ = sspi.export_all(contexts(&sspi, 2), &mut bytes, &options).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(import(&sspi, &bytes), (0, Some(BlobRefused::Expired)));
}

#[test]
fn another_key_directory_refuses() {
    let (one, other) = (key_directory(), key_directory());
    let (here, there) = (sspi(one.path()), sspi(other.path()));
    stream(&there, 1);
    assert_eq!(import(&there, &stream(&here, 2)), (0, Some(BlobRefused::HostKeyGone)));
}

#[test]
fn no_key_is_in_the_stream() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let bytes = stream(&sspi, 300);
    assert!(!bytes.windows(6).any(|window| window == [0xA7; 6]));
    assert_ne!(bytes[HEADER + 4..], stream(&sspi, 300)[HEADER + 4..], "a key for each stream");
}

#[test]
fn of_sixteen_threads_one_imports() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    for _ in 0..20 {
        let bytes = stream(&sspi, 50);
        let start = std::sync::Barrier::new(16);
        let run = || {
            start.wait();
            import(&sspi, &bytes)
        };
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == (50, None)).count(), 1);
        let refused = (0, Some(BlobRefused::AlreadyImported));
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 15);
    }
}

#[test]
fn an_exporter_killed_in_mid_stream_leaves_what_was_whole() {
    let directory = key_directory();
    let file = directory.path().join("stream");
    let mut exporter = Helper::start("export many and get stuck", Some(directory.path()));
    exporter.go(file.to_str().unwrap().as_bytes());
    assert_eq!(exporter.says(), "stuck");
    exporter.kill();

    let sspi = sspi(directory.path());
    let mut items: Vec<_> = sspi.import_all(std::fs::File::open(&file).unwrap()).unwrap().collect();
    let end = items.pop().unwrap().unwrap_err();
    assert!(end.is_end && matches!(end.error, Error::BlobRefused(BlobRefused::Incomplete)), "{end}");
    assert!((1_000..10_000).contains(&items.len()), "{}", items.len());
    assert_eq!(end.position, items.len());
    assert!(items.iter().all(Result::is_ok));
    let again = sspi.import_all(std::fs::File::open(&file).unwrap()).map(|_| ());
    assert!(matches!(again, Err(Error::BlobRefused(BlobRefused::AlreadyImported))), "{again:?}");
}

#[test]
fn an_importer_killed_in_mid_stream_leaves_refusals() {
    let directory = key_directory();
    let sspi = sspi(directory.path());
    let file = directory.path().join("stream");
    std::fs::write(&file, stream(&sspi, 10_000)).unwrap();
    let mut importer = Helper::start("import some and get stuck", Some(directory.path()));
    importer.go(file.to_str().unwrap().as_bytes());
    assert_eq!(importer.says(), "stuck");
    importer.kill();
    let again = import(&sspi, &std::fs::read(&file).unwrap());
    assert_eq!(again, (0, Some(BlobRefused::AlreadyImported)));
}
