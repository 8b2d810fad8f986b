//! The one type for the bytes of a private key: wiped when dropped, never copied, compared or printed.
//!
//! Whatever form a key came in (PKCS#8 v1 or v2, PKCS#1, SEC1), it is checked by AWS-LC and kept as PKCS#8
//! v1.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair,
};
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use crate::public_key::PublicKeyKind;
use crate::tlv::{self, Reader, Tlv, tag};
use crate::{Finding, KeyAlgorithm, KeyId, PublicKey, Refusal, Severity};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// A private key, sound and of a kind that we sign with.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public_key: PublicKey,
    algorithm: KeyAlgorithm,
    pss_mark: bool,
}

impl PrivateKey {
    /// Takes a PKCS#8 PrivateKeyInfo (RFC 5208; RFC 5958 with or without the public key). An RSA key under
    /// the RSASSA-PSS identifier becomes an ordinary RSA key.
    ///
    /// Refuses `key.algorithm`, `key.curve`, `key.rsa_*`, `key.weak.*`, `key.inconsistent` and `der.*`.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
        reader.expect(tag::INTEGER)?;
        let mut identifier = Reader::new(reader.expect(tag::SEQUENCE)?.value);
        let oid = identifier.expect(tag::OID)?.value;
        let inner = reader.expect(tag::OCTET_STRING)?.value;
        let beside = public_half(reader)?;
        let key = Self::of_kind(oid, identifier, inner, der)?;
        match beside {
            Some(public) if public != key.public_key.key_bits() => Err(inconsistent()),
            Some(_) | None => Ok(key),
        }
    }

    /// `oid` names the kind of key, whose parameters are what is left of `identifier`; `inner` is the key of this kind,
    /// `der` the whole PKCS#8.
    fn of_kind(oid: &[u8], mut identifier: Reader<'_>, inner: &[u8], der: &[u8]) -> Result<Self, Refusal> {
        if oid == RSA.as_bytes() {
            Self::from_pkcs1_der(inner)
        } else if oid == RSA_PSS.as_bytes() {
            Ok(Self { pss_mark: true, ..Self::from_pkcs1_der(inner)? })
        } else if oid == EC.as_bytes() {
            let parameters = if identifier.is_empty() { None } else { Some(identifier.any()?) };
            from_ec(inner, parameters)
        } else if oid == ED25519.as_bytes() {
            let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| inconsistent())?;
            let spki =
                AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|_| inconsistent())?;
            let pkcs8 = pair.to_pkcs8v1().map_err(|_| inconsistent())?;
            Self::of(pkcs8.as_ref(), PublicKey::from_spki_der(spki.as_ref())?)
        } else {
            Err(unsupported())
        }
    }

    /// Takes a PKCS#1 RSAPrivateKey (RFC 8017, A.1.2). Refuses as [`PrivateKey::from_pkcs8_der`] does.
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
        reader.expect(tag::INTEGER)?;
        let modulus = reader.expect(tag::INTEGER)?;
        let exponent = reader.expect(tag::INTEGER)?;
        // The public half first: it says much better what is wrong with a key (size, exponent, known
        // weakness).
        let public_key = PublicKey::from_spki_der(&rsa_spki(modulus, exponent))?;
        let pair = rsa::KeyPair::from_der(der).map_err(|_| inconsistent())?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| inconsistent())?;
        Self::of(pkcs8.as_ref(), public_key)
    }

    /// Takes a SEC1 ECPrivateKey (RFC 5915) that names its curve. Refuses as [`PrivateKey::from_pkcs8_der`]
    /// does.
    pub fn from_sec1_der(der: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
        reader.expect(tag::INTEGER)?;
        reader.expect(tag::OCTET_STRING)?;
        let parameters = match reader.optional(tag::constructed(0))? {
            Some(explicit) => Some(Reader::new(explicit.value).any()?),
            None => None,
        };
        from_ec(der, parameters)
    }

    /// The key as PKCS#8 v1 PrivateKeyInfo.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The kind and size.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The name of the key, the hash of its public half.
    pub fn id(&self) -> KeyId {
        self.public_key.id()
    }

    /// Whether it came under the RSASSA-PSS identifier, which it no longer has.
    pub fn had_pss_mark(&self) -> bool {
        self.pss_mark
    }

    /// What was put right about it: `key.pss_mark`.
    pub(crate) fn finding(&self) -> Option<Finding> {
        self.pss_mark.then(|| Finding {
            code: "key.pss_mark",
            severity: Severity::Info,
            what: "the private key was marked for RSASSA-PSS alone; it is taken as an ordinary RSA key"
                .to_owned(),
            place: format!("key {}", self.id()),
            repair: "Nothing, unless its certificate binds it to RSASSA-PSS.".to_owned(),
        })
    }

    fn of(pkcs8: &[u8], public_key: PublicKey) -> Result<Self, Refusal> {
        let algorithm = match (public_key.algorithm(), public_key.kind()) {
            (Some(algorithm), _) => algorithm,
            (None, PublicKeyKind::Rsa { bits }) => return Err(unusual_size(*bits)),
            (None, PublicKeyKind::Ec(_) | PublicKeyKind::Ed25519 | PublicKeyKind::Other(_)) => {
                return Err(unsupported());
            }
        };
        Ok(Self { pkcs8: Zeroizing::new(pkcs8.to_vec()), public_key, algorithm, pss_mark: false })
    }
}

/// The public key that version 2 has at its end (RFC 5958, 2), behind attributes that say nothing here.
fn public_half<'a>(mut rest: Reader<'a>) -> Result<Option<&'a [u8]>, Refusal> {
    rest.optional(tag::constructed(0))?;
    let bits = rest.optional(tag::context(1))?;
    rest.end()?;
    match bits.map(|bits| bits.value) {
        Some([0, octets @ ..]) => Ok(Some(octets)),
        Some(_) => Err(inconsistent()),
        None => Ok(None),
    }
}

/// `sec1` is the ECPrivateKey, `parameters` name its curve.
fn from_ec(sec1: &[u8], parameters: Option<Tlv<'_>>) -> Result<PrivateKey, Refusal> {
    let algorithm = ec_algorithm(parameters)?;
    check_scalar(sec1, algorithm)?;
    // AWS-LC reads no public key behind an EC key.
    let curve = parameters.map_or(&[][..], |curve| curve.whole);
    let identifier = tlv::sequence(&[&tlv::oid(EC.as_bytes()), curve]);
    let octets = Zeroizing::new(tlv::tlv(tag::OCTET_STRING, &[sec1]));
    let plain = Zeroizing::new(tlv::sequence(&[&[tag::INTEGER, 1, 0], &identifier, &octets]));
    let pair = EcdsaKeyPair::from_private_key_der(algorithm, &plain).map_err(|_| inconsistent())?;
    let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|_| inconsistent())?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| inconsistent())?;
    PrivateKey::of(pkcs8.as_ref(), PublicKey::from_spki_der(spki.as_ref())?)
}

fn ec_algorithm(parameters: Option<Tlv<'_>>) -> Result<&'static EcdsaSigningAlgorithm, Refusal> {
    let repair = "Make a new key on P-256 or P-384.";
    match parameters {
        Some(Tlv { tag: tag::OID, value, .. }) if value == P256.as_bytes() => {
            Ok(&ECDSA_P256_SHA256_ASN1_SIGNING)
        }
        Some(Tlv { tag: tag::OID, value, .. }) if value == P384.as_bytes() => {
            Ok(&ECDSA_P384_SHA384_ASN1_SIGNING)
        }
        Some(Tlv { tag: tag::OID, .. }) => {
            Err(Refusal::new("key.curve", "the key is on a curve that we do not sign with", repair))
        }
        // Curves spelled out by their equation have been used to forge (CVE-2020-0601).
        Some(_) | None => {
            let what = "the key does not name its curve";
            Err(Refusal::new("key.curve", what, "Write the key again with a named curve, P-256 or P-384."))
        }
    }
}

/// A private number under 2^64 can be found by anyone: it comes from a broken generator or from a textbook. So can one
/// that is hardly below the order: its point is the same but for a sign.
/// One much shorter than its curve belongs to another curve (a few octets may lack: old tools cut zeros off).
fn check_scalar(sec1: &[u8], algorithm: &'static EcdsaSigningAlgorithm) -> Result<(), Refusal> {
    let mut reader = Reader::new(tlv::only(sec1, tag::SEQUENCE)?.value);
    reader.expect(tag::INTEGER)?;
    let scalar = reader.expect(tag::OCTET_STRING)?.value;
    let high = &scalar[..scalar.len().saturating_sub(8)];
    if high.iter().all(|octet| *octet == 0) || is_just_below_order(scalar, algorithm) {
        let what = "the private number is so small that it can be guessed";
        return Err(Refusal::new("key.weak.small_scalar", what, "Make a new key."));
    }
    let full = if *algorithm == ECDSA_P384_SHA384_ASN1_SIGNING { 48 } else { 32 };
    if scalar.len() + 4 < full { Err(inconsistent()) } else { Ok(()) }
}

/// Whether it begins as the order of its curve does: all but the last eight octets.
fn is_just_below_order(scalar: &[u8], algorithm: &'static EcdsaSigningAlgorithm) -> bool {
    const P256_ORDER: [u8; 24] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84,
    ];
    const P384_ORDER: [u8; 40] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a,
        0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a,
    ];
    let order = if *algorithm == ECDSA_P384_SHA384_ASN1_SIGNING { &P384_ORDER[..] } else { &P256_ORDER };
    scalar.len() == order.len() + 8 && scalar.starts_with(order)
}

fn rsa_spki(modulus: Tlv<'_>, exponent: Tlv<'_>) -> Vec<u8> {
    let null = tlv::tlv(tag::NULL, &[]);
    let identifier = tlv::sequence(&[&tlv::oid(RSA.as_bytes()), &null]);
    let key = tlv::sequence(&[modulus.whole, exponent.whole]);
    tlv::sequence(&[&identifier, &tlv::bit_string(&key)])
}

fn inconsistent() -> Refusal {
    let what = "the parts of the private key do not belong together, or one is damaged";
    Refusal::new("key.inconsistent", what, "Export the key again from where it is in use, or make a new one.")
}

fn unusual_size(bits: u32) -> Refusal {
    let what = format!("an RSA key of {bits} bits is of no size that we sign with");
    Refusal::new("key.rsa_size", what, "Make an RSA key with 2048, 3072 or 4096 bits, or an EC key on P-256.")
}

fn unsupported() -> Refusal {
    let what = "the private key is of a kind that we do not sign with";
    Refusal::new(
        "key.algorithm",
        what,
        "Make an EC key on P-256 or P-384, Ed25519, or RSA with 2048, 3072 or 4096 bits.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// The key inside, as PKCS#1 or SEC1.
    fn inner(pkcs8: &[u8]) -> Vec<u8> {
        let mut reader = Reader::new(tlv::only(pkcs8, tag::SEQUENCE).unwrap().value);
        reader.any().unwrap();
        reader.any().unwrap();
        reader.expect(tag::OCTET_STRING).unwrap().value.to_vec()
    }

    fn pkcs8(identifier: &[&[u8]], inner: &[u8]) -> Vec<u8> {
        let identifier = tlv::sequence(identifier);
        tlv::sequence(&[&[2, 1, 0], &identifier, &tlv::tlv(tag::OCTET_STRING, &[inner])])
    }

    fn code(result: Result<PrivateKey, Refusal>) -> &'static str {
        result.err().map_or("accepted", |refusal| refusal.code)
    }

    #[test]
    fn every_algorithm_comes_back_as_the_same_pkcs8() {
        for algorithm in KeyAlgorithm::ALL {
            let made = testing::pkcs8(algorithm);
            let key = PrivateKey::from_pkcs8_der(&made).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.id(), KeyId::of_spki(key.public_key().spki_der()));
            assert_eq!(PrivateKey::from_pkcs8_der(key.pkcs8_der()).unwrap().pkcs8_der(), key.pkcs8_der());
        }
    }

    #[test]
    fn pkcs1_and_the_pss_identifier_become_plain_rsa() {
        let made = testing::pkcs8(KeyAlgorithm::Rsa2048);
        let pkcs1 = inner(&made);
        assert_eq!(PrivateKey::from_pkcs1_der(&pkcs1).unwrap().pkcs8_der(), &*made);
        let pss = pkcs8(&[&tlv::oid(RSA_PSS.as_bytes())], &pkcs1);
        let read = PrivateKey::from_pkcs8_der(&pss).unwrap();
        assert_eq!(read.pkcs8_der(), &*made);
        assert!(read.had_pss_mark() && read.finding().is_some_and(|finding| finding.code == "key.pss_mark"));
        assert!(PrivateKey::from_pkcs8_der(&made).unwrap().finding().is_none());
        let mut damaged = pkcs1;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        assert_eq!(code(PrivateKey::from_pkcs1_der(&damaged)), "key.inconsistent");
    }

    #[test]
    fn sec1_needs_a_named_curve_and_a_number_that_cannot_be_guessed() {
        let made = PrivateKey::from_pkcs8_der(&testing::pkcs8(KeyAlgorithm::EcP256)).unwrap();
        let full = inner(made.pkcs8_der());
        let mut reader = Reader::new(tlv::only(&full, tag::SEQUENCE).unwrap().value);
        let (version, scalar) = (reader.any().unwrap().whole, reader.any().unwrap().whole);
        let curve = tlv::tlv(tag::constructed(0), &[&tlv::oid(P256.as_bytes())]);
        let named = tlv::sequence(&[version, scalar, &curve]);
        assert_eq!(PrivateKey::from_sec1_der(&named).unwrap().id(), made.id());
        let nameless = tlv::sequence(&[version, scalar]);
        assert_eq!(code(PrivateKey::from_sec1_der(&nameless)), "key.curve");
        let wrong = tlv::tlv(tag::constructed(0), &[&tlv::oid(P384.as_bytes())]);
        assert_eq!(
            code(PrivateKey::from_sec1_der(&tlv::sequence(&[version, scalar, &wrong]))),
            "key.inconsistent"
        );
        let mut small = [0; 32];
        small[25] = 7;
        let small = tlv::tlv(tag::OCTET_STRING, &[&small]);
        assert_eq!(
            code(PrivateKey::from_sec1_der(&tlv::sequence(&[version, &small, &curve]))),
            "key.weak.small_scalar"
        );
    }

    #[test]
    fn refuses_other_kinds_and_what_is_no_key() {
        let x25519 = pkcs8(&[&tlv::oid(&[0x2b, 0x65, 0x6e])], &[4, 1, 0]);
        assert_eq!(code(PrivateKey::from_pkcs8_der(&x25519)), "key.algorithm");
        let p521 = tlv::oid(&[0x2b, 0x81, 0x04, 0x00, 0x23]);
        let other_curve = pkcs8(&[&tlv::oid(EC.as_bytes()), &p521], &[0x30, 0]);
        assert_eq!(code(PrivateKey::from_pkcs8_der(&other_curve)), "key.curve");
        assert_eq!(code(PrivateKey::from_pkcs8_der(&[0x30, 1, 2])), "der.truncated");
        let mut long = testing::pkcs8(KeyAlgorithm::Ed25519).to_vec();
        long.push(0);
        assert_eq!(code(PrivateKey::from_pkcs8_der(&long)), "der.trailing");
    }
}
