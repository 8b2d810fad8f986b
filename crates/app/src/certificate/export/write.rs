//! The bytes of an export: every form, from what was decided to go in.

use domain::Random;
use domain::clock::{Moment, random_bytes};
use pki::format::pkcs12_write::{self, Pkcs12, Salts};
use pki::format::{pem_write, pkcs7_write, pkcs8_write};
use pki::{Certificate, PrivateKey};
use zeroize::Zeroizing;

use super::server::{self, Site};
use super::{ExportForm, File, KeySecret, Plan, TrustPassphrase, trust};
use crate::Error;
use crate::archive::{Packed, tar_gz};

pub(super) const PEM: &str = "application/x-pem-file";
pub(super) const P7B: &str = "application/x-pkcs7-certificates";
pub(super) const P12: &str = "application/x-pkcs12";
const TAR_GZ: &str = "application/gzip";

/// The private key that goes along, and what it is encrypted under.
type Secret<'a> = Option<(&'a PrivateKey, &'a KeySecret)>;

/// Under what the file is written.
#[derive(Clone, Copy)]
pub(super) enum Under<'a> {
    /// The private key goes along, encrypted under this.
    Key(&'a PrivateKey, &'a KeySecret),
    /// No key goes along; a trust store has this passphrase.
    Trust(&'a TrustPassphrase),
}

/// The file. With a key 0.2 s of CPU: call it on a blocking thread.
pub(super) fn write(plan: &Plan, under: Under<'_>, now: Moment, random: &dyn Random) -> Result<File, Error> {
    let custom = TrustPassphrase::default();
    let (key, passphrase) = match under {
        Under::Key(private, secret) => (Some((private, secret)), &custom),
        Under::Trust(passphrase) => (None, passphrase),
    };
    let short = plan.short();
    let file = |name: String, media_type, bytes| Ok(File { name, media_type, bytes });
    let certificates = plan.certificates();
    match plan.form {
        ExportForm::Fitting => Err(Error::internal("an export without a form", &plan.form)),
        ExportForm::Der => file(format!("certificate-{short}.cer"), "application/pkix-cert", der(&plan.leaf)),
        ExportForm::Pem | ExportForm::Chain | ExportForm::Fullchain | ExportForm::KeyPem => {
            let name = format!("{}-{short}.pem", pem_kind(plan, key));
            file(name, PEM, pem(&certificates, key, random))
        }
        ExportForm::Pkcs8 => {
            let bytes = key.map(|(private, secret)| pkcs8(private, secret, random)).unwrap_or_default();
            file(format!("key-{short}.p8"), "application/pkcs8-encrypted", bytes)
        }
        ExportForm::Pkcs7 => file(format!("certificates-{short}.p7b"), P7B, pkcs7(&certificates)),
        ExportForm::Pkcs7Pem => {
            let text = pem_write::pkcs7(&pkcs7(&certificates)).into_bytes();
            file(format!("certificates-{short}-pem.p7b"), P7B, text)
        }
        ExportForm::Pkcs12 => {
            let bytes = pkcs12(plan, &certificates, key, random);
            file(format!("certificate-{short}.p12"), P12, bytes)
        }
        ExportForm::Nginx | ExportForm::Apache | ExportForm::Haproxy => {
            let site = Site::new(plan, key.map(|(private, secret)| key_pem(private, secret, random)));
            let files = server::files(plan.form, &site);
            file(format!("{}-{short}.tar.gz", plan.form), TAR_GZ, tar_gz(&files, now)?)
        }
        ExportForm::XRoad => file("certs.tar.gz".to_owned(), TAR_GZ, x_road(&plan.leaf, now)?),
        ExportForm::JavaTrust => {
            let bytes = trust::jks(plan.anchor.as_slice(), passphrase, now);
            file(format!("trust-{short}.jks"), "application/x-java-keystore", bytes)
        }
        ExportForm::Pkcs12Trust => {
            let bytes = trust::pkcs12(plan.anchor.as_slice(), passphrase, random);
            file(format!("trust-{short}.p12"), P12, bytes)
        }
    }
}

fn der(certificate: &Certificate) -> Vec<u8> {
    certificate.der().to_vec()
}

/// What a PEM file is called, from what is in it.
fn pem_kind(plan: &Plan, key: Secret<'_>) -> &'static str {
    match (key, plan.has_leaf, plan.above.is_empty()) {
        (Some(_), false, true) => "key",
        (Some(_), _, _) => "key-and-certificate",
        (None, true, true) => "certificate",
        (None, true, false) => "fullchain",
        (None, false, _) => "chain",
    }
}

/// The key first, as the tools that read one file expect it; then the certificates.
fn pem(certificates: &[Certificate], key: Secret<'_>, random: &dyn Random) -> Vec<u8> {
    let key = key.map(|(private, secret)| key_pem(private, secret, random)).unwrap_or_default();
    (key + &pem_write::chain(certificates.iter().map(Certificate::der))).into_bytes()
}

fn key_pem(private: &PrivateKey, secret: &KeySecret, random: &dyn Random) -> String {
    pem_write::encrypted_key(&pkcs8(private, secret, random))
}

/// Encrypted, so nothing of it needs wiping any more.
fn pkcs8(private: &PrivateKey, secret: &KeySecret, random: &dyn Random) -> Vec<u8> {
    let (salt, iv) = (random_bytes(random), random_bytes(random));
    let mut encrypted: Zeroizing<Vec<u8>> = pkcs8_write::encrypt(private, &secret.passphrase, salt, iv);
    std::mem::take(&mut *encrypted)
}

pub(super) fn pkcs7(certificates: &[Certificate]) -> Vec<u8> {
    pkcs7_write::write(certificates.iter().map(Certificate::der))
}

fn pkcs12(plan: &Plan, certificates: &[Certificate], key: Secret<'_>, random: &dyn Random) -> Vec<u8> {
    let Some((private, secret)) = key else { return Vec::new() };
    let contents = Pkcs12 { key: Some(private), certificates, friendly_name: &plan.friendly_name };
    let mut written = pkcs12_write::write(&contents, &secret.passphrase, secret.strength, &salts(random));
    std::mem::take(&mut *written)
}

fn salts(random: &dyn Random) -> Salts {
    Salts::new(|bytes: &mut [u8]| random.fill(bytes))
}

/// As X-Road's `GET /system/certificate/export` answers it: the leaf alone, in PEM and DER.
fn x_road(leaf: &Certificate, now: Moment) -> Result<Vec<u8>, Error> {
    let pem = pem_write::certificate(leaf.der());
    tar_gz(&[Packed::open("./cert.pem", pem), Packed::open("./cert.cer", leaf.der())], now)
}
