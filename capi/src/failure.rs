//! How a call into the library ends: a status for the caller, no panic, and a text for who asks.

use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use portable_sspi::{Error, Misuse, SecurityStatus, Unavailable};

use crate::abi::SECURITY_STATUS;
use crate::os::Uncancelled;

/// Why a call fails: the status, and what the library says of it.
#[derive(Debug)]
pub(crate) struct Failure {
    status: SecurityStatus,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Text(&'static str),
    Error(Box<Error>),
}

pub(crate) type Result<T> = core::result::Result<T, Failure>;

impl Failure {
    pub(crate) const NULL_POINTER: Self =
        Self::new(SecurityStatus::SEC_E_INTERNAL_ERROR, "a pointer that the call needs is NULL");
    pub(crate) const OUT_OF_MEMORY: Self =
        Self::new(SecurityStatus::SEC_E_INSUFFICIENT_MEMORY, "there is not enough memory");
    pub(crate) const INVALID_HANDLE: Self = Self::new(
        SecurityStatus::SEC_E_INVALID_HANDLE,
        "the handle stands for nothing: it was never given out, or what it stood for was deleted, exported or freed",
    );

    pub(crate) const fn new(status: SecurityStatus, text: &'static str) -> Self {
        Self { status, reason: Reason::Text(text) }
    }

    /// A function or parameter that the package has no use for.
    pub(crate) const fn unsupported(text: &'static str) -> Self {
        Self::new(SecurityStatus::SEC_E_UNSUPPORTED_FUNCTION, text)
    }

    pub(crate) const fn status(&self) -> SecurityStatus {
        self.status
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.reason {
            Reason::Text(text) => f.write_str(text),
            Reason::Error(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: error.status(), reason: Reason::Error(Box::new(error)) }
    }
}

impl From<Misuse> for Failure {
    fn from(misuse: Misuse) -> Self {
        Error::from(misuse).into()
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Error::from(unavailable).into()
    }
}

/// The status as C has it.
pub(crate) const fn number(status: SecurityStatus) -> SECURITY_STATUS {
    SECURITY_STATUS::from_ne_bytes(status.0.to_ne_bytes())
}

/// Runs the body of a function that returns a status. No panic gets out: it would be undefined behaviour in a caller that
/// knows no panics. Nor is the thread cancelled in its middle.
pub(crate) fn status(body: impl FnOnce() -> Result<SecurityStatus>) -> SECURITY_STATUS {
    let _uncancelled = Uncancelled::new();
    status_of_message(body)
}

/// As [`status`], for a body that neither opens anything nor draws random numbers: a thread is cancelled only where it calls the
/// system. To forbid it would cost a short message one twentieth of its time.
pub(crate) fn status_of_message(body: impl FnOnce() -> Result<SecurityStatus>) -> SECURITY_STATUS {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => number(status),
        Ok(Err(failure)) => {
            remember(&failure);
            number(failure.status())
        }
        Err(_) => {
            remember(&"a fault in the library; please report it");
            number(SecurityStatus::SEC_E_INTERNAL_ERROR)
        }
    }
}

/// Runs the body of a function that returns anything else; `otherwise` after a panic.
pub(crate) fn guarded<R>(otherwise: R, body: impl FnOnce() -> R) -> R {
    let _uncancelled = Uncancelled::new();
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

fn remember(failure: &dyn Display) {
    // Nobody is there to ask while a thread ends.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = failure.to_string();
        }
    });
}

/// What the last call in this thread that failed said.
pub(crate) fn last_message() -> String {
    LAST.try_with(|last| last.try_borrow().map(|last| last.clone()).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_panic_gets_out() {
        assert_eq!(status(|| panic!("on purpose")), number(SecurityStatus::SEC_E_INTERNAL_ERROR));
        assert_eq!(guarded(7, || panic!("on purpose")), 7);
        assert!(last_message().contains("fault"));
    }

    #[test]
    fn the_last_failure_can_be_asked_for() {
        let failed = status(|| Err(Misuse::MissingBuffer { missing: "TOKEN" }.into()));
        assert_eq!(failed, number(SecurityStatus::SEC_E_INVALID_TOKEN));
        assert!(last_message().contains("TOKEN"));
        assert_eq!(status(|| Ok(SecurityStatus::SEC_E_OK)), 0);
    }
}
