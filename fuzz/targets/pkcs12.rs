//! PKCS#12: as it is, and with a MAC that holds.
#![no_main]

use claviger_fuzz::{read_file, with_mac};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read_file(bytes);
    read_file(&with_mac(bytes));
});
