//! One X.509 certificate (RFC 5280): immutable, named by its fingerprint, cheap to clone.
//!
//! A certificate can be wrong in two ways. [`Certificate::parse`] refuses what must not be let in; what is let in
//! and yet odd is told by [`Certificate::findings`], at a given moment.

mod address;
mod client;
mod extension;
mod finding;
mod outline;
mod parse;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use num_bigint::BigInt;

use crate::name::{inert, shortened};
use crate::public_key::{Care, PublicKeyKind};
use crate::signature_algorithm::{Digest, SignatureAlgorithm};
use crate::tlv::{Reader, oid_to_dotted, tag};
use crate::{DistinguishedName, Finding, Fingerprint, KeyId, PublicKey, Refusal, SubjectAltName, UnixTime};
use extension::Extensions;
pub use outline::Outline;
pub(crate) use parse::parse_time;

/// Characters of what people call it, at most; no host name is longer.
const LONGEST_NAME: usize = 253;

/// The longest certificate that is taken, in octets of DER.
pub const MAX_CERTIFICATE: usize = 36_500;

/// One certificate. Two are equal when their DER is.
#[derive(Clone)]
pub struct Certificate(Arc<Fields>);

struct Fields {
    der: Vec<u8>,
    fingerprint: Fingerprint,
    places: Places,
    /// As it is written: 2 for version 3.
    version: u8,
    /// None when it is unknown.
    algorithm: Option<SignatureAlgorithm>,
    serial: Vec<u8>,
    issuer: DistinguishedName,
    subject: DistinguishedName,
    not_before: UnixTime,
    not_after: UnixTime,
    public_key: PublicKey,
    extensions: Extensions,
    self_issued: bool,
    self_signed: OnceLock<bool>,
}

/// Where the signed part, the algorithm and the signature stand in the DER.
struct Places {
    signed: Range<usize>,
    algorithm: Range<usize>,
    signature: Range<usize>,
}

/// What a certificate is for, as its own fields say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Serves TLS under the names in it.
    Server,
    /// Shows who connects.
    Client,
    /// Signs documents or messages.
    Sign,
    /// A CA whose certificate another CA issued.
    Intermediate,
    /// A CA that names itself as its issuer.
    Root,
}

impl Role {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Sign => "sign",
            Self::Intermediate => "intermediate",
            Self::Root => "root",
        }
    }
}

const SERVER_AUTH: &str = "serverAuth";
const CLIENT_AUTH: &str = "clientAuth";
const ANY_USAGE: &str = "anyExtendedKeyUsage";
const NON_REPUDIATION: &str = "nonRepudiation";
const KEY_CERT_SIGN: &str = "keyCertSign";

impl Certificate {
    /// Reads one certificate in DER.
    ///
    /// # Errors
    /// `der.*` for the framing, `cert.syntax`, `cert.validity`, `cert.ext_duplicate`, `cert.sigalg_mismatch`,
    /// `sig.broken`, `san.idna`, `limit.san_count`, `limit.name_constraints`, `input.too_large` (over
    /// [`MAX_CERTIFICATE`] octets), and every refusal of [`PublicKey::from_spki_der`]. The signature is not
    /// checked here: see [`Self::is_signed_by`].
    pub fn parse(der: &[u8]) -> Result<Self, Refusal> {
        parse::parse(der, Care::Quick).map(|fields| Self(Arc::new(fields)))
    }

    /// Reads one again that [`Self::parse`] let in before, as out of a store: its key is not searched for weaknesses
    /// once more, which takes most of the time with RSA.
    ///
    /// # Errors
    /// As [`Self::parse`], but those of weak keys.
    pub fn parse_again(der: &[u8]) -> Result<Self, Refusal> {
        parse::parse(der, Care::Known).map(|fields| Self(Arc::new(fields)))
    }

    /// The DER, as it was read.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The name of the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// Whom it speaks for.
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// Who issued it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// The serial number: the content octets of the INTEGER, big-endian, two's complement.
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The serial number in decimal.
    pub fn serial_decimal(&self) -> String {
        BigInt::from_signed_bytes_be(&self.0.serial).to_string()
    }

    /// The first moment at which it is valid.
    pub fn not_before(&self) -> UnixTime {
        self.0.not_before
    }

    /// The last moment at which it is valid.
    pub fn not_after(&self) -> UnixTime {
        self.0.not_after
    }

    /// Whether `now` lies within its validity, both ends included.
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.0.not_before <= now && now <= self.0.not_after
    }

    /// The subject alternative names, in their order.
    pub fn names(&self) -> &[SubjectAltName] {
        &self.0.extensions.names
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The name of the public key.
    pub fn key_id(&self) -> KeyId {
        self.0.public_key.id()
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        if self.is_ca() {
            return if self.is_self_issued() { Role::Root } else { Role::Intermediate };
        }
        let usages = &self.0.extensions.extended_usages;
        let has = |wanted: &str| usages.iter().any(|usage| usage == wanted);
        if has(SERVER_AUTH) {
            Role::Server
        } else if self.key_usages().contains(&NON_REPUDIATION) {
            Role::Sign
        } else if has(CLIENT_AUTH) {
            Role::Client
        } else if usages.is_empty() || has(ANY_USAGE) {
            Role::Server
        } else {
            Role::Sign
        }
    }

    /// Whether basicConstraints says `cA`.
    pub fn is_ca(&self) -> bool {
        self.0.extensions.is_ca
    }

    /// How many intermediates may follow, where it says so.
    pub fn path_len(&self) -> Option<u32> {
        self.0.extensions.path_len
    }

    /// The key usages by their names in RFC 5280, 4.2.1.3; empty when it does not say.
    pub fn key_usages(&self) -> Vec<&'static str> {
        extension::key_usage_names(self.0.extensions.key_usage)
    }

    /// The extended key usages: `serverAuth`, `clientAuth`, ..., or the object identifier.
    pub fn extended_key_usages(&self) -> Vec<String> {
        self.0.extensions.extended_usages.clone()
    }

    /// The subject key identifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.0.extensions.subject_key_id.as_deref()
    }

    /// The issuer's key identifier.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.0.extensions.authority_key_id.as_deref()
    }

    /// The signature algorithm as Java spells it (`SHA256withRSA`), or its object identifier.
    pub fn signature_algorithm(&self) -> String {
        self.0.algorithm.map_or_else(|| first_oid(self.algorithm_der()), SignatureAlgorithm::name)
    }

    /// Where the issuer's certificate can be had (AIA), safe to show.
    pub fn ca_issuer_urls(&self) -> &[String] {
        &self.0.extensions.ca_issuer_urls
    }

    /// Where the issuer's OCSP service answers (AIA), safe to show.
    pub fn ocsp_urls(&self) -> &[String] {
        &self.0.extensions.ocsp_urls
    }

    /// Where the issuer's CRL can be had, safe to show.
    pub fn crl_urls(&self) -> &[String] {
        &self.0.extensions.crl_urls
    }

    /// Whether it names itself as issuer and its own key made the signature. Computed once.
    pub fn is_self_signed(&self) -> bool {
        *self.0.self_signed.get_or_init(|| self.is_self_issued() && self.verifies_with(&self.0.public_key))
    }

    /// Whether `issuer` issued it: the name, the key identifier where both have one, and the signature.
    pub fn is_signed_by(&self, issuer: &Certificate) -> bool {
        self.names_as_issuer(issuer) && self.verifies_with(&issuer.0.public_key)
    }

    /// Refuses the private half of its own RSA key: the certificate binds the key to RSASSA-PSS (RFC 4055, 1.2), with which
    /// no token here signs alone, so that it has another name. Any other key passes: whether it fits is not asked.
    ///
    /// # Errors
    /// `key.algorithm`.
    pub fn refuse_unbound(&self, key: &PublicKey) -> Result<(), Refusal> {
        let own = self.public_key();
        let is_rsa = matches!(own.kind(), PublicKeyKind::Rsa { .. });
        if !is_rsa || own == key || own.key_bits() != key.key_bits() {
            return Ok(());
        }
        let what = "the certificate binds its key to RSASSA-PSS, and such keys are not used here";
        let repair = "Ask for a certificate of an ordinary RSA key, or EC P-256; this one can be kept without its key.";
        Err(Refusal::new("key.algorithm", what, repair).at(self.display_name()))
    }

    /// Whether a client that asks for this host takes it: by its alternative names only, never by a common name.
    pub fn covers_host(&self, host: &str) -> bool {
        // A host with an empty label is none, even where a certificate names it just so.
        let labels = host.strip_suffix('.').unwrap_or(host);
        !labels.split('.').any(str::is_empty) && self.names().iter().any(|name| name.matches_host(host))
    }

    /// What people call it: common name, else the first alternative name, else the subject, else the serial.
    /// Safe to show.
    pub fn display_name(&self) -> String {
        if let Some(name) = self.subject().common_name().filter(|name| !name.trim().is_empty()) {
            return inert(&shortened(name, LONGEST_NAME)).into_owned();
        }
        match self.names().first() {
            Some(name) => shortened(&name.to_string(), LONGEST_NAME).into_owned(),
            None if self.subject().is_empty() => format!("serial {}", self.serial_decimal()),
            None => self.subject().to_string(),
        }
    }

    /// How many small parts it has that take memory of their own: names, parts of names, usages, addresses. A name that
    /// is internationalised counts ten times, and an RSA key over 4096 bits a hundred times, because of what they cost
    /// to look at.
    pub fn parts(&self) -> usize {
        let fields = &*self.0;
        let is_readable = |name: &&SubjectAltName| name.dns().is_some_and(|name| name.contains("xn--"));
        let names =
            fields.extensions.names.len() + 9 * fields.extensions.names.iter().filter(is_readable).count();
        let subjects = fields.subject.attributes().count() + fields.issuer.attributes().count();
        let key =
            if matches!(fields.public_key.kind(), PublicKeyKind::Rsa { bits: 4097.. }) { 100 } else { 0 };
        names + subjects + fields.extensions.entries() + key
    }

    /// What is odd about it at this moment: of each kind a few, and how many more there are.
    pub fn findings(&self, now: UnixTime) -> Vec<Finding> {
        finding::findings(self, now)
    }

    /// Whether it may be used for what is called so, or does not say for what.
    pub(crate) fn allows(&self, extended_usage: &str) -> bool {
        let extensions = &self.0.extensions;
        let usages = &extensions.extended_usages;
        let says_nothing = usages.is_empty() && !extensions.oddities.allows_nothing;
        says_nothing || usages.iter().any(|usage| usage == extended_usage || usage == ANY_USAGE)
    }

    /// Whether subject and issuer are the same name.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.0.self_issued
    }

    /// Everything of [`Self::is_signed_by`] that costs no cryptography.
    pub(crate) fn names_as_issuer(&self, issuer: &Certificate) -> bool {
        let ids = self.authority_key_id().zip(issuer.subject_key_id());
        self.0.issuer.matches(&issuer.0.subject) && ids.is_none_or(|(wanted, found)| wanted == found)
    }

    /// Whether it says which certificate its issuer's is, and that is not this one (RFC 5280, 4.2.1.1): a CA that renewed
    /// its certificate has the same name and key, and another serial number.
    pub(crate) fn names_other_certificate(&self, issuer: &Certificate) -> bool {
        let named = &self.0.extensions.authority_certificate;
        let name = named.issuer.as_deref().and_then(|der| DistinguishedName::from_der(der).ok());
        let is_other_name = name.is_some_and(|name| !name.matches(issuer.issuer()));
        let is_other_serial =
            named.serial.as_deref().is_some_and(|serial| unsigned(serial) != unsigned(issuer.serial()));
        is_other_name || is_other_serial
    }

    /// Whether clients would let it issue: `cA`, and keyCertSign where key usages are given. Old roots (version 1,
    /// no extensions at all) are let through, as clients do.
    pub(crate) fn may_issue(&self) -> bool {
        let extensions = &self.0.extensions;
        if extensions.is_absent {
            return self.is_self_issued();
        }
        extensions.is_ca
            && extensions.key_usage.is_none_or(|bits| extension::has_key_usage(bits, KEY_CERT_SIGN))
    }

    /// Whether its signature was made over this digest.
    pub(crate) fn has_digest(&self, digest: Digest) -> bool {
        self.0.algorithm.is_some_and(|algorithm| algorithm.digest == digest)
    }

    /// Whether its own key made its signature, whatever it names as issuer.
    pub(crate) fn is_own_work(&self) -> bool {
        self.verifies_with(&self.0.public_key)
    }

    fn verifies_with(&self, key: &PublicKey) -> bool {
        let Places { signed, signature, .. } = &self.0.places;
        let (signed, signature) = (&self.0.der[signed.clone()], &self.0.der[signature.clone()]);
        self.0.algorithm.is_some_and(|algorithm| key.verify_with(algorithm, signed, signature))
    }

    fn algorithm_der(&self) -> &[u8] {
        &self.0.der[self.0.places.algorithm.clone()]
    }
}

/// The object identifier that an AlgorithmIdentifier begins with.
fn first_oid(algorithm: &[u8]) -> String {
    let oid = || {
        let mut fields = Reader::new(Reader::new(algorithm).expect(tag::SEQUENCE).ok()?.value);
        oid_to_dotted(fields.expect(tag::OID).ok()?.value).ok()
    };
    oid().unwrap_or_else(|| "unknown".to_owned())
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.0.fingerprint)
    }
}

/// A number without the zeros before it.
fn unsigned(octets: &[u8]) -> &[u8] {
    &octets[octets.iter().take_while(|octet| **octet == 0).count()..]
}

#[cfg(test)]
mod tests;
