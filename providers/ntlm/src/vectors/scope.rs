//! Vectors that are not run here, and why: the one list of them. What SPNEGO needs is not there yet.

use super::vector::Vector;

/// A kind of vectors that is kept out, and why.
pub(super) struct NotYet {
    pub(super) kind: &'static str,
    pub(super) reason: &'static str,
    /// How many of the built-in vectors it keeps out: no more and no fewer.
    pub(super) built_in: usize,
}

impl NotYet {
    pub(super) fn keeps_out(&self, vector: &Vector) -> bool {
        self.kind == vector.kind
    }
}

const fn all(kind: &'static str, reason: &'static str, built_in: usize) -> NotYet {
    NotYet { kind, reason, built_in }
}

const SPNEGO: &str = "SPNEGO is not built yet";

pub(super) const NOT_YET: &[NotYet] = &[
    all("der_oid", SPNEGO, 1),
    all("mech_type_list", SPNEGO, 3),
    all("neg_token_init", SPNEGO, 2),
    all("neg_token_init2", SPNEGO, 2),
    all("neg_token_resp", SPNEGO, 3),
    all("mech_list_mic", SPNEGO, 2),
    all("seal_after_mech_list_mic", SPNEGO, 1),
    all("spnego_verdict", SPNEGO, 1),
    all("ntlm_auth_helper", "run by the tests of the crate portable-sspi, which asks ntlm_auth", 12),
];
