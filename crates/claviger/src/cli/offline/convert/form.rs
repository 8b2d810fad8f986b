//! The forms that can be written, what each can hold, and the writing itself.

use clap::ValueEnum;
use domain::clock::{Random, random_bytes};
use pki::format::pkcs12_write::{Pkcs12, Salts, Strength};
use pki::format::{jks_write, pem_write, pkcs7_write, pkcs8_write, pkcs12_write, traditional_write};
use pki::{Certificate, PrivateKey, Refusal, UnixTime};
use zeroize::Zeroizing;

use super::super::report::counted;
use super::selection::Selection;
use crate::server::world::SystemRandom;

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The certificates, leaf first, then requests and revocation lists, then the private key
    Pem,
    /// The leaf alone, or the one request or revocation list
    Der,
    /// PKCS#7 in DER, for Windows and Java: the certificates, without a key
    #[value(alias = "p7c")]
    P7b,
    /// The same in PEM
    P7bPem,
    /// PKCS#12, also known as PFX: the private key and its certificates
    #[value(alias = "pfx", alias = "pkcs12")]
    P12,
    /// The private key alone, PKCS#8 in PEM
    Pkcs8,
    /// The private key alone, PKCS#8 in DER
    Pkcs8Der,
    /// The RSA private key alone, in the open, for old programs: BEGIN RSA PRIVATE KEY
    Pkcs1,
    /// The EC private key alone, in the open, for old programs: BEGIN EC PRIVATE KEY
    Sec1,
    /// A Java trust store of before Java 9 (JKS): the roots
    JksTrust,
    /// A Java trust store in PKCS#12: the roots
    P12Trust,
}

impl Form {
    /// Whether a private key goes along, if there is one.
    pub fn takes_key(self) -> bool {
        match self {
            Self::Pem | Self::P12 | Self::Pkcs8 | Self::Pkcs8Der | Self::Pkcs1 | Self::Sec1 => true,
            Self::Der | Self::P7b | Self::P7bPem | Self::JksTrust | Self::P12Trust => false,
        }
    }

    /// Whether it holds a private key and nothing else.
    pub fn is_key_alone(self) -> bool {
        match self {
            Self::Pkcs8 | Self::Pkcs8Der | Self::Pkcs1 | Self::Sec1 => true,
            Self::Pem | Self::Der | Self::P7b | Self::P7bPem | Self::P12 => false,
            Self::JksTrust | Self::P12Trust => false,
        }
    }

    /// Whether a private key can stand in it without encryption.
    pub fn may_hold_open_key(self) -> bool {
        self.takes_key() && self != Self::P12
    }

    /// Whether something in it can be under a passphrase.
    pub fn takes_passphrase(self) -> bool {
        self.is_always_protected() || matches!(self, Self::Pem | Self::Pkcs8 | Self::Pkcs8Der)
    }

    /// Whether it has a passphrase also when there is no key in it.
    pub fn is_always_protected(self) -> bool {
        self == Self::P12 || self.is_trust_store()
    }

    /// Whether it holds roots that a program trusts.
    pub fn is_trust_store(self) -> bool {
        matches!(self, Self::JksTrust | Self::P12Trust)
    }

    /// Whether there is no such file without a certificate.
    pub fn needs_certificate(self) -> bool {
        matches!(self, Self::P7b | Self::P7bPem | Self::P12)
    }

    /// Whether it is no text.
    pub fn is_binary(self) -> bool {
        match self {
            Self::Pem | Self::P7bPem | Self::Pkcs8 | Self::Pkcs1 | Self::Sec1 => false,
            Self::Der | Self::P7b | Self::P12 | Self::Pkcs8Der | Self::JksTrust | Self::P12Trust => true,
        }
    }
}

/// How what is written is protected.
pub enum Protection {
    /// Not at all: nothing in it is secret, or that was asked for.
    None,
    /// By a passphrase; the strength matters for PKCS#12 only.
    Passphrase(Zeroizing<String>, Strength),
}

/// What was written, before it goes to a file.
pub struct Written {
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// What is in it, in its order, in words.
    pub parts: Vec<String>,
    /// What this form has no room for, in words.
    pub left_out: Vec<String>,
}

/// Writes the form.
///
/// # Errors
/// `convert.nothing` when there is nothing that the form can hold, `convert.key_form` when the key has no such form.
pub fn write(
    form: Form,
    selection: &Selection<'_>,
    protection: &Protection,
    now: UnixTime,
) -> Result<Written, Refusal> {
    let certificates = || selection.chain.iter().map(Certificate::der);
    match form {
        Form::Pem => pem(selection, protection),
        Form::Der => der(selection),
        Form::P7b => Ok(of_certificates(selection, pkcs7_write::write(certificates()))),
        Form::P7bPem => {
            let text = pem_write::pkcs7(&pkcs7_write::write(certificates()));
            Ok(of_certificates(selection, text.into_bytes()))
        }
        Form::P12 => pkcs12(selection, protection),
        Form::Pkcs8 => key_alone(selection, protection, |key| Ok(into_bytes(key_pem(key, protection)))),
        Form::Pkcs8Der => key_alone(selection, protection, |key| Ok(key_der(key, protection))),
        Form::Pkcs1 => key_alone(selection, protection, |key| {
            let text = traditional_write::pkcs1(key).map(into_bytes);
            text.ok_or_else(|| key_form(key, "Write --to pkcs8; for an EC key also --to sec1."))
        }),
        Form::Sec1 => key_alone(selection, protection, |key| {
            let text = traditional_write::sec1(key).map(into_bytes);
            text.ok_or_else(|| key_form(key, "Write --to pkcs8; for an RSA key also --to pkcs1."))
        }),
        Form::P12Trust => trust_store(selection, protection, |anchors, passphrase| {
            pkcs12_write::trust_store(anchors, passphrase, &salts())
        }),
        Form::JksTrust => trust_store(selection, protection, |anchors, passphrase| {
            jks_write::trust_store(anchors, passphrase, now)
        }),
    }
}

/// Everything that there is, each as its own block.
fn pem(selection: &Selection<'_>, protection: &Protection) -> Result<Written, Refusal> {
    let mut text = pem_write::chain(selection.chain.iter().map(Certificate::der));
    let mut parts = names(&selection.chain);
    for csr in selection.csrs {
        text.push_str(&pem_write::csr(csr.object.der()));
        parts.push(format!("the request {}", csr.object.subject()));
    }
    for crl in selection.crls {
        text.push_str(&pem_write::crl(crl.object.der()));
        parts.push(format!("the revocation list of {}", crl.object.issuer()));
    }
    let mut bytes = Zeroizing::new(text.into_bytes());
    if let Some(key) = selection.key {
        let block = key_pem(&key.object, protection);
        // Room for all, so that the buffer does not move and leave a key behind.
        let mut whole = Zeroizing::new(Vec::with_capacity(bytes.len() + block.len()));
        whole.extend_from_slice(&bytes);
        whole.extend_from_slice(block.as_bytes());
        bytes = whole;
        parts.push(key_words(&key.object, protection));
    }
    if parts.is_empty() {
        return Err(nothing(
            "there is nothing in the files that could be written",
            "Give the file that holds it.",
        ));
    }
    Ok(Written { bytes, parts, left_out: Vec::new() })
}

/// One thing: the leaf before all, since that is what programs want that read DER.
fn der(selection: &Selection<'_>) -> Result<Written, Refusal> {
    let mut left_out = names(selection.chain.get(1..).unwrap_or_default());
    let (bytes, part) = match (selection.chain.first(), selection.csrs, selection.crls) {
        (Some(leaf), ..) => (leaf.der(), leaf.display_name()),
        (None, [csr], []) => (csr.object.der(), format!("the request {}", csr.object.subject())),
        (None, [], [crl]) => (crl.object.der(), format!("the revocation list of {}", crl.object.issuer())),
        (None, [], []) => {
            let what = "there is no certificate, request or revocation list";
            return Err(nothing(what, "For a private key, write --to pkcs8-der."));
        }
        (None, ..) => {
            let what = "a DER file holds one thing, and there are several";
            return Err(nothing(what, "Give one file at a time, or write --to pem."));
        }
    };
    if !selection.chain.is_empty() {
        left_out.extend(selection.others_in_words());
    }
    Ok(Written { bytes: Zeroizing::new(bytes.to_vec()), parts: vec![part], left_out })
}

fn of_certificates(selection: &Selection<'_>, bytes: Vec<u8>) -> Written {
    Written {
        bytes: Zeroizing::new(bytes),
        parts: names(&selection.chain),
        left_out: selection.others_in_words(),
    }
}

fn pkcs12(selection: &Selection<'_>, protection: &Protection) -> Result<Written, Refusal> {
    let Protection::Passphrase(passphrase, strength) = protection else {
        return Err(unprotected());
    };
    let key = selection.key.map(|key| &key.object);
    let contents = Pkcs12 { key, certificates: &selection.chain, friendly_name: &selection.friendly_name };
    let bytes = pkcs12_write::write(&contents, passphrase, *strength, &salts());
    let mut parts = names(&selection.chain);
    parts.extend(key.map(|key| key_words(key, protection)));
    if !selection.friendly_name.is_empty() {
        let name = pki::name::inert(&selection.friendly_name);
        parts.push(format!("under the friendly name “{name}”"));
    }
    Ok(Written { bytes, parts, left_out: selection.others_in_words() })
}

fn key_alone(
    selection: &Selection<'_>,
    protection: &Protection,
    encode: impl Fn(&PrivateKey) -> Result<Zeroizing<Vec<u8>>, Refusal>,
) -> Result<Written, Refusal> {
    let Some(key) = selection.key.map(|key| &key.object) else {
        return Err(nothing("there is no private key in the files", "Give the file that holds it."));
    };
    let mut left_out = names(&selection.chain);
    left_out.extend(selection.others_in_words());
    Ok(Written { bytes: encode(key)?, parts: vec![key_words(key, protection)], left_out })
}

fn trust_store(
    selection: &Selection<'_>,
    protection: &Protection,
    encode: impl Fn(&[(String, Certificate)], &str) -> Vec<u8>,
) -> Result<Written, Refusal> {
    let Protection::Passphrase(passphrase, _) = protection else {
        return Err(unprotected());
    };
    let bytes = Zeroizing::new(encode(&selection.named_chain(), passphrase));
    let parts = vec![counted(selection.chain.len(), "root"), names(&selection.chain).join(", ")];
    Ok(Written { bytes, parts, left_out: selection.others_in_words() })
}

fn names(certificates: &[Certificate]) -> Vec<String> {
    certificates.iter().map(Certificate::display_name).collect()
}

fn key_words(key: &PrivateKey, protection: &Protection) -> String {
    let how = match protection {
        Protection::None => "in the open",
        Protection::Passphrase(..) => "encrypted",
    };
    format!("the private key ({}, {how})", key.public_key().label())
}

fn key_pem(key: &PrivateKey, protection: &Protection) -> Zeroizing<String> {
    match protection {
        Protection::None => pem_write::private_key(key),
        Protection::Passphrase(passphrase, _) => {
            Zeroizing::new(pem_write::encrypted_key(&encrypted(key, passphrase)))
        }
    }
}

fn key_der(key: &PrivateKey, protection: &Protection) -> Zeroizing<Vec<u8>> {
    match protection {
        Protection::None => Zeroizing::new(key.pkcs8_der().to_vec()),
        Protection::Passphrase(passphrase, _) => encrypted(key, passphrase),
    }
}

fn encrypted(key: &PrivateKey, passphrase: &str) -> Zeroizing<Vec<u8>> {
    pkcs8_write::encrypt(key, passphrase, random_bytes(&SystemRandom), random_bytes(&SystemRandom))
}

fn into_bytes(text: Zeroizing<String>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn salts() -> Salts {
    Salts::new(|octets| SystemRandom.fill(octets))
}

fn nothing(what: &str, repair: &str) -> Refusal {
    Refusal::new("convert.nothing", what, repair)
}

fn key_form(key: &PrivateKey, repair: &str) -> Refusal {
    let label = key.public_key().label();
    Refusal::new("convert.key_form", format!("a private key of the kind {label} has no such form"), repair)
}

/// The command asks for a passphrase first; this says so should it ever not.
fn unprotected() -> Refusal {
    Refusal::new("pass.missing", "this form needs a passphrase", "Give --out-passphrase-file.")
}
