//! Windows.

mod api;
pub(super) mod directory;
pub(super) mod janitor;
pub(super) mod os;
pub(super) mod secret_directory;
