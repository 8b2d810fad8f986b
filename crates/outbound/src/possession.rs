//! Whether a server has the private key of the certificate that it shows.
//!
//! The TLS library checks the signature of the handshake only under certificates that it takes; of version 1, or with a
//! critical extension that it does not know, it takes none. Here nothing of a certificate is read but its key, and the
//! signature is checked with the library's own algorithms.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::SignatureVerificationAlgorithm;
use rustls::{DigitallySignedStruct, SignatureScheme};

/// What the signature of a handshake says about the private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Possession {
    /// The server has it.
    Proven,
    /// The signature was not made with it: somebody shows what is not his.
    Disproven,
    /// It could not be checked, and why.
    Unchecked(String),
}

/// The version of TLS, on which depends which algorithms may have been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V12,
    V13,
}

impl Version {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V12 => "TLS 1.2",
            Self::V13 => "TLS 1.3",
        }
    }
}

/// Sizes of RSA moduli that the library's algorithms check, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Checks the signature over `message`, as [RFC 8446, 4.4.3] and [RFC 5246, 7.4.3] have it made.
///
/// [RFC 8446, 4.4.3]: https://www.rfc-editor.org/rfc/rfc8446#section-4.4.3
/// [RFC 5246, 7.4.3]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.3
pub(crate) fn check(
    version: Version,
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Possession {
    let Some(key) = Key::of(certificate) else {
        return Possession::Unchecked("the key in the certificate cannot be read".to_owned());
    };
    let possible = possible(version, signed.scheme, algorithms);
    let Some(algorithm) = possible.iter().find(|one| one.public_key_alg_id().as_ref() == key.algorithm)
    else {
        let scheme = signed.scheme;
        return Possession::Unchecked(format!(
            "it was signed with {scheme:?}, which does not fit a key of its kind"
        ));
    };
    match (algorithm.verify_signature(key.bits, message, signed.signature()), key.rsa_bits()) {
        (Ok(()), _) => Possession::Proven,
        (Err(_), Some(bits)) if !RSA_BITS.contains(&bits) => {
            Possession::Unchecked(format!("an RSA key of {bits} bits is not used here"))
        }
        (Err(_), _) => Possession::Disproven,
    }
}

/// With TLS 1.3 a scheme names the curve and no RSA of PKCS#1 v1.5; before, any curve will do.
fn possible(
    version: Version,
    scheme: SignatureScheme,
    algorithms: &WebPkiSupportedAlgorithms,
) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    use SignatureScheme as S;
    let known = algorithms.mapping.iter().find(|(one, _)| *one == scheme).map_or(&[][..], |(_, known)| known);
    let is_old = matches!(scheme, S::RSA_PKCS1_SHA256 | S::RSA_PKCS1_SHA384 | S::RSA_PKCS1_SHA512);
    match version {
        Version::V12 => known,
        Version::V13 if is_old => &[],
        Version::V13 => known.get(..1).unwrap_or_default(),
    }
}

/// The SubjectPublicKeyInfo of a certificate (RFC 5280, 4.1.2.7).
struct Key<'a> {
    /// What is in the AlgorithmIdentifier.
    algorithm: &'a [u8],
    /// What is in the BIT STRING.
    bits: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
/// rsaEncryption (RFC 8017, A.1) with its NULL.
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

impl<'a> Key<'a> {
    fn of(certificate: &'a [u8]) -> Option<Self> {
        let (whole, _) = expect(SEQUENCE, certificate)?;
        let (mut signed, _) = expect(SEQUENCE, whole)?;
        if signed.first() == Some(&VERSION) {
            signed = element(signed)?.2;
        }
        // Serial number, algorithm, issuer, validity and subject, whatever is in them.
        for _ in 0..5 {
            signed = element(signed)?.2;
        }
        let (key, _) = expect(SEQUENCE, signed)?;
        let (algorithm, rest) = expect(SEQUENCE, key)?;
        let (bits, _) = expect(BIT_STRING, rest)?;
        let (0, bits) = bits.split_first()? else { return None };
        Some(Self { algorithm, bits })
    }

    /// Bits of the modulus, if it is an RSA key.
    fn rsa_bits(&self) -> Option<usize> {
        let (numbers, _) = expect(SEQUENCE, self.bits).filter(|_| self.algorithm == RSA)?;
        let (modulus, _) = expect(INTEGER, numbers)?;
        let modulus = &modulus[modulus.iter().take_while(|octet| **octet == 0).count()..];
        let first = modulus.first()?;
        Some(modulus.len() * 8 - first.leading_zeros() as usize)
    }
}

/// The content of an element with this tag, and what follows it.
fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The first element: its tag, its content, and what follows it. Lengths of up to three octets: a handshake's messages
/// are no longer.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of up to 127 octets.
    fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80);
        [&[tag, length][..], &content].concat()
    }

    fn certificate(version: &[u8], key: &[u8]) -> Vec<u8> {
        let empty = wrap(SEQUENCE, &[]);
        let negative = wrap(INTEGER, &[&[0x80]]);
        let signed = wrap(SEQUENCE, &[version, &negative, &empty, &empty, &empty, &empty, key]);
        wrap(SEQUENCE, &[&signed, &empty])
    }

    #[test]
    fn the_key_is_found_with_and_without_a_version() {
        let key = wrap(SEQUENCE, &[&wrap(SEQUENCE, &[b"algorithm"]), &wrap(BIT_STRING, &[&[0], b"bits"])]);
        let third = wrap(VERSION, &[&wrap(INTEGER, &[&[2]])]);
        for version in [&[][..], &third] {
            let certificate = certificate(version, &key);
            let found = Key::of(&certificate).unwrap();
            assert_eq!((found.algorithm, found.bits), (&b"algorithm"[..], &b"bits"[..]));
        }
    }

    #[test]
    fn what_is_cut_short_or_lies_about_its_length_has_no_key() {
        let key = wrap(SEQUENCE, &[&wrap(SEQUENCE, &[]), &wrap(BIT_STRING, &[&[0]])]);
        let whole = certificate(&[], &key);
        assert!(Key::of(&whole).is_some());
        for length in 0..whole.len() {
            assert!(Key::of(&whole[..length]).is_none(), "{length}");
        }
        for lie in [[0x30, 0x84], [0x30, 0xff], [0x30, 0x80]] {
            assert!(Key::of(&lie).is_none());
        }
        let half_an_octet = wrap(SEQUENCE, &[&wrap(SEQUENCE, &[]), &wrap(BIT_STRING, &[&[4, 0]])]);
        assert!(Key::of(&certificate(&[], &half_an_octet)).is_none());
    }

    #[test]
    fn the_bits_of_a_modulus_are_counted() {
        let bits = |modulus: &[u8]| {
            let numbers = wrap(SEQUENCE, &[&wrap(INTEGER, &[modulus]), &wrap(INTEGER, &[&[3]])]);
            Key { algorithm: RSA, bits: &numbers }.rsa_bits()
        };
        assert_eq!(bits(&[0, 0x80, 0]), Some(16));
        assert_eq!(bits(&[1, 0]), Some(9));
        assert_eq!((bits(&[0]), bits(&[])), (None, None));
        assert_eq!(Key { algorithm: b"EC", bits: &[] }.rsa_bits(), None);
    }
}
