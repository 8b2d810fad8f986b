//! Certificates in DER: their signatures are not looked at when they are read.
#![no_main]

use claviger_fuzz::{check_certificate, read_file};
use pki::Certificate;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read_file(bytes);
    if let Ok(certificate) = Certificate::parse(bytes) {
        assert_eq!(certificate.der(), bytes);
        check_certificate(&certificate);
    }
});
