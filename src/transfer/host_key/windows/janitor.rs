//! Removing what has had its time, on Windows.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::super::window::Name;
use super::directory::Directory;
use super::secret_directory::SECRET_FILE;

/// At most so many claims are removed in one go; the rest waits for the next.
const CLAIMS_IN_ONE_GO: usize = 4096;

/// Removes the windows of `parent` that have passed before window `current` of this boot, all windows of other boots, and
/// what processes that died half-way have left. `false` if something was left for the next time.
///
/// Errors are not reported: other processes clean up at the same time, and what stays is tried again.
pub(in super::super) fn remove_passed_windows(parent: &Directory, boot: &str, current: u64) -> bool {
    let Some(names) = names_in(parent.path(), usize::MAX) else { return false };
    let passed: Vec<_> = names
        .iter()
        .filter_map(|name| name.to_str())
        .filter(|name| Name::parse(name).is_some_and(|parsed| parsed.has_passed(boot, current)))
        .collect();
    // All seeds first: they are what makes old blobs useless, and there are few.
    for name in &passed {
        let _ = fs::remove_file(parent.join(name).join(SECRET_FILE));
    }
    let mut budget = CLAIMS_IN_ONE_GO;
    // One that stays must not keep those behind it.
    passed.iter().filter(|name| !remove_directory(&parent.join(name), &mut budget)).count() == 0
}

/// Removes a directory and the files in it, the secret first, and no more than `budget` others. `false` if something is
/// left. Never goes deeper.
pub(super) fn remove_directory(path: &Path, budget: &mut usize) -> bool {
    let _ = fs::remove_file(path.join(SECRET_FILE));
    let Some(names) = names_in(path, budget.saturating_add(1)) else {
        return fs::symlink_metadata(path).is_err();
    };
    for name in names {
        if *budget == 0 {
            return false;
        }
        *budget -= 1;
        let _ = fs::remove_file(path.join(name));
    }
    fs::remove_dir(path).is_ok()
}

/// At most `limit` names in a directory. All of them before anything is removed: whether a listing goes on correctly
/// while files vanish depends on the file system.
fn names_in(path: &Path, limit: usize) -> Option<Vec<OsString>> {
    // Of a link, what it leads to would be listed.
    if fs::symlink_metadata(path).ok()?.is_symlink() {
        return None;
    }
    let listing = fs::read_dir(path).ok()?;
    Some(listing.flatten().take(limit).map(|entry| entry.file_name()).collect())
}
