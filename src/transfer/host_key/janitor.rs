//! Removing what has had its time.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags};

use super::secret_directory::SECRET_FILE;
use super::window::Name;

/// At most so many claims are removed in one go; the rest waits for the next.
pub(super) const CLAIMS_IN_ONE_GO: usize = 4096;
/// Each go begins at another window. Where others record claims, one of them can fill a window with what can't be removed,
/// and so use up each go that begins there.
static GOES: AtomicUsize = AtomicUsize::new(0);

/// Removes the windows of `parent` that have passed before window `current` of this boot, all windows of other boots, and
/// what processes that died half-way have left. `false` if something was left for the next time.
///
/// Errors are not reported: other processes clean up at the same time, and what stays is tried again.
pub(super) fn remove_passed_windows(parent: impl AsFd, boot: &str, current: u64) -> bool {
    let parent = parent.as_fd();
    let Ok(listing) = Dir::read_from(parent) else { return false };
    let mut passed = Vec::new();
    for entry in listing.flatten() {
        let Some((name, parsed)) = entry.file_name().to_str().ok().and_then(|n| Some((n, Name::parse(n)?)))
        else {
            continue;
        };
        if parsed.has_passed(boot, current) {
            passed.push(name.to_owned());
        }
    }
    // All seeds first: they are what makes old blobs useless, and there are few.
    for name in &passed {
        if let Some(directory) = open(parent, Path::new(name)) {
            let _ = fs::unlinkat(&directory, SECRET_FILE, AtFlags::empty());
        }
    }
    if let Some(first) = GOES.fetch_add(1, Ordering::Relaxed).checked_rem(passed.len()) {
        passed.rotate_left(first);
    }
    let mut budget = CLAIMS_IN_ONE_GO;
    // One that stays must not keep those behind it.
    passed.iter().filter(|name| !remove_directory(parent, Path::new(name), &mut budget)).count() == 0
}

/// Removes a directory and what is in it, the secret first, and no more than `budget` others: files, and directories that
/// are empty. `false` if something is left. Never follows a link and never goes deeper.
pub(super) fn remove_directory(parent: BorrowedFd<'_>, name: &Path, budget: &mut usize) -> bool {
    let Some(directory) = open(parent, name) else { return true };
    let _ = fs::unlinkat(&directory, SECRET_FILE, AtFlags::empty());
    let Ok(listing) = Dir::read_from(&directory) else { return false };
    // Names first, then deletions: whether a listing goes on correctly while files vanish depends on the system.
    let names: Vec<_> = listing
        .flatten()
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
        .take(budget.saturating_add(1))
        .collect();
    for name in names {
        if *budget == 0 {
            return false;
        }
        *budget -= 1;
        if fs::unlinkat(&directory, &name, AtFlags::empty()).is_err() {
            let _ = fs::unlinkat(&directory, &name, AtFlags::REMOVEDIR);
        }
    }
    fs::unlinkat(parent, name, AtFlags::REMOVEDIR).is_ok()
}

/// A budget that isn't used up.
pub(super) const fn unlimited() -> usize {
    usize::MAX
}

fn open(parent: BorrowedFd<'_>, name: &Path) -> Option<impl AsFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(parent, name, flags, Mode::empty()).ok()
}
