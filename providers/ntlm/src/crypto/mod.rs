//! The cryptography of NTLM: one-way functions, responses, keys, RC4.

pub(crate) mod des;
pub(crate) mod hmac_md5;
pub(crate) mod keys;
pub(crate) mod md5;
pub(crate) mod owf;
pub(crate) mod owf_v1;
pub(crate) mod rc4;
pub(crate) mod stitched;
pub(crate) mod upcase;
