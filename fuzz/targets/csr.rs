//! Certificate requests in DER: with the check of their signature, which a changed one does not pass, and without it.
#![no_main]

use claviger_fuzz::{read_file, show_csr};
use pki::Csr;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read_file(bytes);
    if let Ok(csr) = Csr::of_own(bytes) {
        assert_eq!(csr.der(), bytes);
        show_csr(&csr);
    }
});
