//! How much one file may hold: of each kind, and of small parts in all.
//!
//! A name of one letter takes three octets in a certificate and a hundred in memory, so that a file far below the limit
//! of its size could fill a machine. Whatever is counted here was read one by one and is dropped when it is too much.

use super::{MAX_CERTIFICATES, MAX_PARTS, Object};
use crate::Refusal;

/// Private keys in one file, at most: each costs a computation that proves it sound.
pub const MAX_KEYS: usize = 50;
/// Certificate requests in one file, at most: each has a signature that is checked.
pub const MAX_CSRS: usize = 100;
/// Revocation lists in one file, at most.
pub const MAX_CRLS: usize = 100;

/// What was read so far.
#[derive(Default)]
pub(super) struct Tally {
    certificates: usize,
    parts: usize,
    keys: usize,
    csrs: usize,
    crls: usize,
}

impl Tally {
    /// Counts one more. Refuses `limit.cert_count`, `limit.key_count`, `limit.csr_count`, `limit.crl_count`.
    pub(super) fn count(&mut self, object: &Object) -> Result<(), Refusal> {
        match object {
            Object::Certificate(certificate) => {
                self.parts += certificate.parts();
                if self.parts > MAX_PARTS {
                    return Err(too_many_parts());
                }
                one_more(&mut self.certificates, MAX_CERTIFICATES, "limit.cert_count", "certificates")
            }
            Object::PrivateKey(_) => one_more(&mut self.keys, MAX_KEYS, "limit.key_count", "private keys"),
            Object::Csr(_) => one_more(&mut self.csrs, MAX_CSRS, "limit.csr_count", "certificate requests"),
            Object::Crl(_) => one_more(&mut self.crls, MAX_CRLS, "limit.crl_count", "revocation lists"),
        }
    }
}

fn one_more(count: &mut usize, most: usize, code: &'static str, what: &str) -> Result<(), Refusal> {
    *count += 1;
    if *count <= most {
        return Ok(());
    }
    Err(Refusal::new(code, format!("the file holds more than {most} {what}"), "Split the file."))
}

fn too_many_parts() -> Refusal {
    let what = format!(
        "the certificates in the file have more than {MAX_PARTS} names, usages, addresses and other parts together"
    );
    Refusal::new("limit.cert_count", what, "Split the file.")
}
