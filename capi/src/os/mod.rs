//! What the operating system tells: the names of host and user, and whether the environment can be trusted. One file for
//! each family of systems, with the same functions. And what it does to threads.

mod cancellation;
pub(crate) use cancellation::Uncancelled;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(not(any(unix, windows)))]
mod other;
#[cfg(not(any(unix, windows)))]
pub(crate) use other::*;
