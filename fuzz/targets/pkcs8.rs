//! Private keys: PKCS#8 open and encrypted, PKCS#1, SEC1.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claviger_fuzz::read_file(bytes));
