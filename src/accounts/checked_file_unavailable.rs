//! In place of `checked_file.rs` on systems where who can write a file is not known to this library.

use std::path::Path;
use std::time::SystemTime;

use portable_sspi_core::Unavailable;
use zeroize::Zeroizing;

/// Never opened here.
#[derive(Debug)]
pub(super) struct CheckedFile {
    stamp: Stamp,
}

/// What changes when the file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp;

impl CheckedFile {
    pub(super) fn open(path: &Path) -> Result<Self, Unavailable> {
        Err(Unavailable::AccountFile {
            path: path.to_owned(),
            line: None,
            problem: "who can write it cannot be checked on this operating system".to_owned(),
        })
    }

    pub(super) const fn stamp(&self) -> Stamp {
        self.stamp
    }

    pub(super) fn read_all(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
        Self::open(path).map(|_| None)
    }

    pub(super) fn read_at(
        &self,
        path: &Path,
        _offset: u64,
        _length: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
        Self::open(path).map(|_| None)
    }
}

impl Stamp {
    pub(super) fn is_settled(&self, _now: SystemTime) -> bool {
        false
    }
}
