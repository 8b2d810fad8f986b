//! Revocation lists in DER: their signatures are not looked at when they are read.
#![no_main]

use claviger_fuzz::{check_crl, read_file};
use pki::Crl;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read_file(bytes);
    if let Ok(crl) = Crl::parse(bytes) {
        assert_eq!(crl.der(), bytes);
        check_crl(&crl);
    }
});
