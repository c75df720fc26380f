//! Systems that tell nothing.

/// There is nobody else whose environment it could be.
pub(crate) const fn environment_is_trusted() -> bool {
    true
}

/// Not known.
pub(crate) const fn host_name() -> Option<String> {
    None
}

/// Not known.
pub(crate) const fn user() -> Option<(String, String)> {
    None
}
