//! Passwords that are encrypted in memory.

use crate::failure::Result;

/// Undoes what SspiEncryptAuthIdentity does to a password.
pub(super) fn decrypt(_password: &mut [u16]) -> Result<()> {
    Ok(())
}
