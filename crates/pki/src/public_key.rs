//! Public keys: read from a SubjectPublicKeyInfo, refused when weak or malformed, and used to verify.

mod ed25519;
mod rsa;
mod verify;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::OnceLock;

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::signature_algorithm::SignatureAlgorithm;
use crate::tlv::{Reader, Tlv, oid_to_dotted, only, tag};
use crate::{Finding, KeyAlgorithm, KeyId, Refusal, Severity, format};
pub(crate) use rsa::Care;

/// A public key that passed every check that its bytes alone allow. Two are equal when their DER is.
#[derive(Clone)]
pub struct PublicKey {
    spki_der: Vec<u8>,
    id: KeyId,
    kind: PublicKeyKind,
    key_bits: Range<usize>,
    small_exponent: bool,
    /// The key as the library has it, from the first signature that was checked with it on: an issuer's key checks many.
    ready: OnceLock<Box<ParsedPublicKey>>,
}

/// The kind and size of a public key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicKeyKind {
    /// RSA, with the length of the modulus in bits.
    Rsa {
        /// Length of the modulus.
        bits: u32,
    },
    /// A key on a named elliptic curve.
    Ec(Curve),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Something that Claviger can show but not use; the name, or the object identifier.
    Other(String),
}

/// The elliptic curves that we take (RFC 5480).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const OID_RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const OID_P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// Kinds of keys that are known by name only.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
    ("1.2.840.10046.2.1", "Diffie-Hellman"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
];

impl Curve {
    /// The name on a page.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            OID_P256 => Some(Self::P256),
            OID_P384 => Some(Self::P384),
            OID_P521 => Some(Self::P521),
            _ => None,
        }
    }

    /// Octets of one coordinate.
    fn field_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Any algorithm on this curve will do to have a point checked.
    fn point_check(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::P384 => &signature::ECDSA_P384_SHA384_ASN1,
            Self::P521 => &signature::ECDSA_P521_SHA512_ASN1,
        }
    }
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) and checks the key as far as its bytes allow.
    ///
    /// # Errors
    /// `der.*` for the encoding; `key.rsa_size`, `limit.rsa_size`, `key.rsa_modulus`, `key.rsa_exponent`,
    /// `key.weak.roca`, `key.weak.close_primes`, `key.weak.sparse`, `key.curve`, `key.ec_point` for the key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, Refusal> {
        format::der::check(der)?;
        Self::read(der, Care::Thorough)
    }

    /// As [`Self::from_spki_der`], for the key inside a certificate that passed [`format::der::check`] already.
    pub(crate) fn read(der: &[u8], care: Care) -> Result<Self, Refusal> {
        let mut spki = Reader::new(only(der, tag::SEQUENCE)?.value);
        let mut algorithm = Reader::new(spki.expect(tag::SEQUENCE)?.value);
        let bits = spki.expect(tag::BIT_STRING)?;
        spki.end()?;
        let oid = algorithm.expect(tag::OID)?.value;
        let parameters = if algorithm.is_empty() { None } else { Some(algorithm.any()?) };
        let key = whole_octets(bits)?;
        let mut small_exponent = false;
        let kind = match oid {
            OID_RSA | OID_RSA_PSS => {
                let checked = rsa::check(key, care)?;
                small_exponent = checked.small_exponent;
                PublicKeyKind::Rsa { bits: checked.bits }
            }
            OID_EC => PublicKeyKind::Ec(check_point(parameters, key)?),
            OID_ED25519 => {
                ed25519::check(key).map_err(bad_point)?;
                PublicKeyKind::Ed25519
            }
            _ => PublicKeyKind::Other(other_name(oid)?),
        };
        // The key is the end of the BIT STRING, which is the end of the SubjectPublicKeyInfo.
        let key_bits = der.len() - key.len()..der.len();
        let (spki_der, id, ready) = (der.to_vec(), KeyId::of_spki(der), OnceLock::new());
        Ok(Self { spki_der, id, kind, key_bits, small_exponent, ready })
    }

    /// The DER SubjectPublicKeyInfo, as it was read.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The name of the key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Kind and size.
    pub fn kind(&self) -> &PublicKeyKind {
        &self.kind
    }

    /// The content of the BIT STRING: an RSAPublicKey in DER, an EC point, or the 32 octets of Ed25519.
    pub fn key_bits(&self) -> &[u8] {
        &self.spki_der[self.key_bits.clone()]
    }

    /// Kind and size for people, for example `RSA 2048` or `EC P-256`.
    pub fn label(&self) -> String {
        match &self.kind {
            PublicKeyKind::Rsa { bits } => format!("RSA {bits}"),
            PublicKeyKind::Ec(curve) => format!("EC {}", curve.name()),
            PublicKeyKind::Ed25519 => "Ed25519".to_owned(),
            PublicKeyKind::Other(name) => name.clone(),
        }
    }

    /// The algorithm in our own table, if a token here could hold the private half.
    pub fn algorithm(&self) -> Option<KeyAlgorithm> {
        match self.kind {
            PublicKeyKind::Rsa { bits: 2048 } => Some(KeyAlgorithm::Rsa2048),
            PublicKeyKind::Rsa { bits: 3072 } => Some(KeyAlgorithm::Rsa3072),
            PublicKeyKind::Rsa { bits: 4096 } => Some(KeyAlgorithm::Rsa4096),
            PublicKeyKind::Ec(Curve::P256) => Some(KeyAlgorithm::EcP256),
            PublicKeyKind::Ec(Curve::P384) => Some(KeyAlgorithm::EcP384),
            PublicKeyKind::Ed25519 => Some(KeyAlgorithm::Ed25519),
            PublicKeyKind::Rsa { .. } | PublicKeyKind::Ec(Curve::P521) | PublicKeyKind::Other(_) => None,
        }
    }

    /// What is odd about the key and yet tolerated.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.small_exponent {
            findings.push(Finding {
                code: "key.rsa_exponent",
                severity: Severity::Warning,
                what: "the public exponent is smaller than 65537".to_owned(),
                place: "public key".to_owned(),
                repair: "Use a new key when the certificate is renewed.".to_owned(),
            });
        }
        if let PublicKeyKind::Other(name) = &self.kind {
            findings.push(Finding {
                code: "key.algorithm",
                severity: Severity::Warning,
                what: format!(
                    "a key of the kind {name} can be shown here, but neither used nor verified with"
                ),
                place: "public key".to_owned(),
                repair: "Use an RSA, EC or Ed25519 key.".to_owned(),
            });
        }
        findings
    }

    /// Verifies a signature over `message`.
    ///
    /// `algorithm_identifier_der` is the DER AlgorithmIdentifier beside the signature. Known: RSASSA-PKCS1-v1_5
    /// with SHA-1 (to read what exists) and SHA-2, RSASSA-PSS with a salt of digest length, ECDSA with SHA-2
    /// (signature in DER), Ed25519. Anything else, and any mismatch with the kind of key, is `false`.
    pub fn verify(&self, algorithm_identifier_der: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let named = SignatureAlgorithm::parse(algorithm_identifier_der);
        named.is_some_and(|named| self.verify_with(named, message, signature))
    }

    /// As [`Self::verify`], where the algorithm was read before.
    pub(crate) fn verify_with(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        verify::verify(self, algorithm, message, signature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki_der == other.spki_der
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spki_der.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.label(), self.id)
    }
}

pub(crate) use verify::is_checked;

/// The content of a BIT STRING that must consist of whole octets.
pub(crate) fn whole_octets(bits: Tlv<'_>) -> Result<&[u8], Refusal> {
    match bits.value.split_first() {
        Some((0, octets)) => Ok(octets),
        Some(_) | None => Err(crate::tlv::not_der("a BIT STRING does not consist of whole octets")),
    }
}

fn other_name(oid: &[u8]) -> Result<String, Refusal> {
    let dotted = oid_to_dotted(oid)?;
    let known = OTHER_NAMES.iter().find(|(oid, _)| *oid == dotted);
    Ok(known.map_or(dotted, |(_, name)| (*name).to_owned()))
}

fn check_point(parameters: Option<Tlv<'_>>, point: &[u8]) -> Result<Curve, Refusal> {
    let curve = match parameters {
        Some(named) if named.tag == tag::OID => Curve::from_oid(named.value),
        Some(_) | None => None,
    };
    let curve = curve.ok_or_else(|| {
        Refusal::new(
            "key.curve",
            "the key's curve is not one of P-256, P-384 and P-521, or is not given by its name",
            "Make a new key on P-256.",
        )
    })?;
    let length = curve.field_length();
    match point {
        [0] => return Err(bad_point("the public key is the point at infinity")),
        [4, rest @ ..] if rest.len() == 2 * length => {}
        [2 | 3, rest @ ..] if rest.len() == length => {}
        _ => return Err(bad_point("the public key is not a point of the right length")),
    }
    // AWS-LC checks that the coordinates are in the field and the point is on the curve.
    ParsedPublicKey::new(curve.point_check(), point)
        .map_err(|_| bad_point("the public key is not a point on its curve"))?;
    Ok(curve)
}

fn bad_point(what: &str) -> Refusal {
    Refusal::new("key.ec_point", what, "Make a new key.")
}

#[cfg(test)]
mod tests;
