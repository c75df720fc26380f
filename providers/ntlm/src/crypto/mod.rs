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

/// How much was computed, for tests that compare the work of one case with that of another.
#[cfg(test)]
pub(crate) mod work {
    use core::cell::Cell;

    thread_local! {
        pub(crate) static MD5_BLOCKS: Cell<usize> = const { Cell::new(0) };
        pub(crate) static DES_BLOCKS: Cell<usize> = const { Cell::new(0) };
    }
}
