//! Ready files for the usual servers: what to put where, and the lines that make the server read it.
//!
//! The private key goes along encrypted, never in the open: nginx and Apache read its passphrase from a file that the
//! administrator makes on the machine. HAProxy cannot; its bundle joins the files there, once.

use pki::format::pem_write;
use pki::{Certificate, SubjectAltName};

use super::{ExportForm, Plan};
use crate::archive::Packed;

/// What a bundle is made of.
pub(super) struct Site {
    /// A name for a directory: letters, digits, dots and hyphens only.
    name: String,
    /// The leaf and what goes with it, PEM.
    fullchain: String,
    /// The encrypted key, PEM.
    key: Option<String>,
}

impl Site {
    /// The site that the certificate is for, with its encrypted key if it goes along.
    pub(super) fn new(plan: &Plan, key: Option<String>) -> Self {
        let certificates = plan.certificates();
        Self {
            name: directory_name(&plan.leaf).unwrap_or_else(|| plan.short()),
            fullchain: pem_write::chain(certificates.iter().map(Certificate::der)),
            key,
        }
    }
}

/// The files of a bundle; none for forms that are no bundle.
pub(super) fn files(form: ExportForm, site: &Site) -> Vec<Packed> {
    match form {
        ExportForm::Nginx => nginx(site),
        ExportForm::Apache => apache(site),
        ExportForm::Haproxy => haproxy(site),
        ExportForm::Fitting
        | ExportForm::Der
        | ExportForm::Pem
        | ExportForm::Chain
        | ExportForm::Fullchain
        | ExportForm::KeyPem
        | ExportForm::Pkcs8
        | ExportForm::Pkcs7
        | ExportForm::Pkcs7Pem
        | ExportForm::Pkcs12
        | ExportForm::XRoad
        | ExportForm::JavaTrust
        | ExportForm::Pkcs12Trust => Vec::new(),
    }
}

/// The first host name, so that the lines need no change. A wildcard's star becomes a word; nothing else than host
/// names gets through.
fn directory_name(leaf: &Certificate) -> Option<String> {
    let host = leaf.names().iter().find_map(SubjectAltName::dns)?.to_ascii_lowercase();
    let name = host.strip_prefix("*.").map(|rest| format!("wildcard.{rest}")).unwrap_or(host);
    let is_tame = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let is_sound = name.len() <= 64 && name.chars().all(is_tame) && !name.starts_with(['.', '-']);
    is_sound.then_some(name)
}

/// Certificate and key, as every bundle has them.
fn common(site: &Site) -> Vec<Packed> {
    let mut files = vec![Packed::open("fullchain.pem", site.fullchain.clone())];
    files.extend(site.key.clone().map(|key| Packed::private("key.pem", key)));
    files
}

const NO_KEY: &str =
    "# The private key is not among these files: put the one that is on the machine there.\n";

fn nginx(site: &Site) -> Vec<Packed> {
    let place = format!("/etc/nginx/tls/{}", site.name);
    let key_words = match site.key {
        Some(_) => format!(
            "# The private key is encrypted. nginx takes the passphrase from this file: one line, mode 0600, made by\n\
             # hand on this machine; it is not among these files.\n\
             ssl_password_file   {place}/passphrase;\n"
        ),
        None => NO_KEY.to_owned(),
    };
    let lines = format!(
        "# Unpack into {place}, then write this into the server block:\n\
         #     include {place}/nginx.conf;\n\
         # Test with `nginx -t`, then reload.\n\
         ssl_certificate     {place}/fullchain.pem;\n\
         ssl_certificate_key {place}/key.pem;\n{key_words}"
    );
    let mut files = common(site);
    files.push(Packed::open("nginx.conf", lines));
    files
}

fn apache(site: &Site) -> Vec<Packed> {
    let place = format!("/etc/apache2/tls/{}", site.name);
    let mut files = common(site);
    let mut key_words = NO_KEY.to_owned();
    if site.key.is_some() {
        key_words = "# The private key is encrypted: see server.conf.\n".to_owned();
        files.push(Packed::open(
            "server.conf",
            format!(
                "# Write this into the server's configuration, outside of every virtual host. The program answers the\n\
                 # passphrase from the file {place}/passphrase: one line, mode 0600, made by hand on this machine;\n\
                 # it is not among these files.\n\
                 SSLPassPhraseDialog \"exec:{place}/passphrase.sh\"\n"
            ),
        ));
        let program = "#!/bin/sh\nexec cat \"$(dirname \"$0\")/passphrase\"\n";
        files.push(Packed::program("passphrase.sh", program));
    }
    let lines = format!(
        "# Unpack into {place}, then write this into the virtual host (Apache 2.4.8 or newer):\n\
         #     Include {place}/site.conf\n\
         # Test with `apachectl configtest`, then restart.\n\
         SSLEngine on\n\
         SSLCertificateFile    {place}/fullchain.pem\n\
         SSLCertificateKeyFile {place}/key.pem\n{key_words}"
    );
    files.push(Packed::open("site.conf", lines));
    files
}

fn haproxy(site: &Site) -> Vec<Packed> {
    let place = format!("/etc/haproxy/tls/{}.pem", site.name);
    let bind = format!("    bind :443 ssl crt {place} alpn h2,http/1.1\n");
    let mut files = common(site);
    match site.key {
        Some(_) => {
            files.push(Packed::program("join.sh", join(&place)));
            let words = "# HAProxy reads certificate, chain and private key from one file, and the key only in the open:\n\
                         # it has nowhere to take a passphrase from. Run join.sh on the machine itself; it asks for the\n\
                         # passphrase and writes that file with mode 0600. Then, in the frontend:\n";
            files.push(Packed::open("haproxy.cfg", format!("{words}{bind}")));
        }
        None => {
            let words = format!(
                "# HAProxy reads certificate, chain and private key from one file. Join fullchain.pem and the key that is\n\
                 # on the machine into {place} with mode 0600. Then, in the frontend:\n"
            );
            files.push(Packed::open("haproxy.cfg", format!("{words}{bind}")));
        }
    }
    files
}

/// Decrypts first, so that no half file is left where the passphrase was wrong.
fn join(place: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # Joins fullchain.pem and key.pem into the one file that HAProxy reads; the key is in the open there.\n\
         # Usage: ./join.sh [FILE]      PASSIN=file:NAME ./join.sh    takes the passphrase from a file.\n\
         set -eu\n\
         umask 077\n\
         here=$(dirname \"$0\")\n\
         to=${{1:-{place}}}\n\
         key=$(openssl pkey -in \"$here/key.pem\" ${{PASSIN:+-passin \"$PASSIN\"}})\n\
         {{ cat \"$here/fullchain.pem\"; printf '%s\\n' \"$key\"; }} > \"$to\"\n\
         echo \"$to was written. HAProxy takes it at its next reload.\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(key: Option<&str>) -> Site {
        Site { name: "shop.example".to_owned(), fullchain: "CHAIN\n".to_owned(), key: key.map(str::to_owned) }
    }

    fn names(files: &[Packed]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn each_server_gets_the_line_that_makes_it_read_an_encrypted_key() {
        let said = |files: Vec<Packed>, name: &str| {
            let file = files.into_iter().find(|file| file.name == name).unwrap();
            String::from_utf8(file.bytes).unwrap()
        };
        let line = said(nginx(&site(Some("KEY"))), "nginx.conf");
        assert!(line.contains("ssl_password_file   /etc/nginx/tls/shop.example/passphrase;"), "{line}");
        let line = said(apache(&site(Some("KEY"))), "server.conf");
        assert!(line.contains("SSLPassPhraseDialog \"exec:/etc/apache2/tls/shop.example/passphrase.sh\""));
        let line = said(haproxy(&site(Some("KEY"))), "haproxy.cfg");
        assert!(line.contains("bind :443 ssl crt /etc/haproxy/tls/shop.example.pem"), "{line}");
    }

    #[test]
    fn without_the_key_there_is_nothing_about_a_passphrase() {
        assert_eq!(names(&nginx(&site(None))), ["fullchain.pem", "nginx.conf"]);
        assert_eq!(names(&apache(&site(None))), ["fullchain.pem", "site.conf"]);
        assert_eq!(names(&haproxy(&site(None))), ["fullchain.pem", "haproxy.cfg"]);
        let all = [nginx(&site(None)), apache(&site(None)), haproxy(&site(None))].concat();
        assert!(all.iter().all(|file| !String::from_utf8_lossy(&file.bytes).contains("passphrase")));
    }

    #[test]
    fn the_key_and_what_is_run_are_the_owners_alone() {
        let files = haproxy(&site(Some("KEY")));
        assert_eq!(names(&files), ["fullchain.pem", "key.pem", "join.sh", "haproxy.cfg"]);
        assert_eq!(files.iter().map(|file| file.mode).collect::<Vec<_>>(), [0o644, 0o600, 0o700, 0o644]);
    }
}
