//! What this crate does not do, so that its vectors cannot be run here: the one list of them.

use super::vector::Vector;

/// A kind of vectors that is kept out, and why.
pub(super) struct NotHere {
    pub(super) kind: &'static str,
    pub(super) reason: &'static str,
    /// How many of the built-in vectors it keeps out: no more and no fewer.
    pub(super) built_in: usize,
    /// Whether another crate of the workspace runs them.
    pub(super) elsewhere: bool,
}

impl NotHere {
    pub(super) fn keeps_out(&self, vector: &Vector) -> bool {
        self.kind == vector.kind
    }
}

const fn all(kind: &'static str, reason: &'static str, built_in: usize) -> NotHere {
    NotHere { kind, reason, built_in, elsewhere: false }
}

const SPNEGO: &str = "SPNEGO is not built yet";

pub(super) const NOT_HERE: &[NotHere] = &[
    all("der_oid", SPNEGO, 1),
    all("mech_type_list", SPNEGO, 3),
    all("neg_token_init", SPNEGO, 2),
    all("neg_token_init2", SPNEGO, 2),
    all("neg_token_resp", SPNEGO, 3),
    all("mech_list_mic", SPNEGO, 2),
    all("seal_after_mech_list_mic", SPNEGO, 1),
    all("spnego_verdict", SPNEGO, 1),
    NotHere {
        kind: "ntlm_auth_helper",
        reason: "the tests of portable-sspi run them, in src/accounts/ntlm_auth",
        built_in: 12,
        elsewhere: true,
    },
];
