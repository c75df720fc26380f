//! Who may import an exported context, among those who share the host key.

use std::fmt;

use ring::digest;

use super::blob::BlobId;

/// Who may import an exported context, besides being in its scope: [`ExportOptions::audience`](crate::ExportOptions).
///
/// By default, anybody in the scope. With a label, only who gives the same one in
/// [`SspiConfig::audience_labels`](crate::SspiConfig); with a user, only a process of that effective user.
///
/// ```
/// use portable_sspi::{Audience, AudienceLabel, ExportOptions};
///
/// let audience = Audience { label: Some(AudienceLabel::new("print spooler")), ..Audience::default() };
/// let options = ExportOptions { audience, ..ExportOptions::default() };
/// # let _ = options;
/// ```
///
/// **What it protects against** is a context that comes into the wrong process by mistake, or is sent there by somebody
/// who can read none of the key: a worker of one service that is handed a session of another. The label is part of
/// the context's key, so who doesn't know it can't decrypt. It is no protection against a member of the scope who knows the
/// label or can guess it and brings code of his own, nor does the user's number stop him: he has the host key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// What the importer must be called.
    pub label: Option<AudienceLabel>,
    /// Unix: the number of the effective user that the importer must run as.
    pub user: Option<u32>,
}

/// The name of an audience: any bytes, of which only a hash is kept. Not printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AudienceLabel([u8; 32]);

impl AudienceLabel {
    /// The label of that name. Two names are the same if their bytes are.
    #[must_use]
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"portable-sspi audience label 1");
        context.update(name.as_ref());
        Self(context.finish().as_ref().first_chunk().copied().unwrap_or_default())
    }

    /// What goes into the key derivation.
    pub(super) const fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the header says of it: enough to tell whether a label is the right one, different in each blob, so that two of
    /// the same audience can't be told by it from two of different ones.
    pub(super) fn hint(&self, blob_id: &BlobId) -> [u8; 16] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"portable-sspi audience hint 1");
        context.update(blob_id);
        context.update(&self.0);
        context.finish().as_ref().first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for AudienceLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AudienceLabel(..)")
    }
}

/// The effective user, where users have numbers.
#[cfg(unix)]
pub(super) fn effective_user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// The effective user, where users have numbers.
#[cfg(not(unix))]
pub(super) const fn effective_user() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_of_one_label_in_one_blob() {
        let (one, other) = (AudienceLabel::new("one"), AudienceLabel::new("other"));
        assert_ne!(one.hint(&[1; 16]), one.hint(&[2; 16]));
        assert_ne!(one.hint(&[1; 16]), other.hint(&[1; 16]));
        assert_eq!(one.hint(&[1; 16]), AudienceLabel::new(b"one").hint(&[1; 16]));
        assert_eq!(format!("{one:?}"), "AudienceLabel(..)");
    }
}
