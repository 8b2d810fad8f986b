//! Java key stores: as they are, and with a digest that holds.
#![no_main]

use claviger_fuzz::{read_file, with_digest};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read_file(bytes);
    read_file(&with_digest(bytes));
});
