//! See `capi::capi`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portable_sspi_fuzz::run(portable_sspi_fuzz::capi::capi, data));
