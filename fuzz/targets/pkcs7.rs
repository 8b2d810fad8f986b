//! PKCS#7 in DER and BER.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| claviger_fuzz::read_file(bytes));
