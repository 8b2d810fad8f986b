//! Chains and paths: certificates and revocation lists that are signed, made as the input says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claviger_fuzz::play(bytes));
