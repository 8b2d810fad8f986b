//! PEM, with anything around the blocks and in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claviger_fuzz::read_file(bytes));
