//! The roots that this machine trusts, to tell whether the chain of a server ends at one of them.

use std::path::PathBuf;

use pki::Certificate;
use pki::format::{self, Item};

/// Where systems keep them as one file: Debian, Fedora, SUSE, Alpine and the BSDs.
const PLACES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const END: &str = "-----END CERTIFICATE-----";

/// The roots that this machine trusts; none when the system keeps them elsewhere. `SSL_CERT_FILE` goes first, as with
/// other tools.
pub fn of_this_machine() -> Vec<Certificate> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let places = named.map_or_else(|| PLACES.map(PathBuf::from).to_vec(), |path| vec![path]);
    let text = places.iter().find_map(|path| std::fs::read_to_string(path).ok());
    text.as_deref().map(read).unwrap_or_default()
}

/// Block by block: one that we do not take must not cost the others.
fn read(text: &str) -> Vec<Certificate> {
    let blocks = text.split_inclusive(END).filter(|block| block.ends_with(END));
    let items = blocks.filter_map(|block| format::read(block.as_bytes(), None).ok());
    items.flat_map(|contents| contents.items).filter_map(Item::into_certificate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_cannot_be_read_costs_only_itself() {
        let broken = format!("# a\n-----BEGIN CERTIFICATE-----\nAAAA\n{END}\n");
        assert!(read(&broken).is_empty());
        assert!(read("no roots").is_empty());
    }
}
