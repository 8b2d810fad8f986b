//! Signature algorithms as they are named in certificates and CSRs: which scheme, which digest.

use crate::public_key;
use crate::tlv::{Reader, Tlv, oid_to_dotted, only, tag};

/// A signature algorithm that we know by name; not all of them are verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignatureAlgorithm {
    pub(crate) scheme: Scheme,
    pub(crate) digest: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    RsaPkcs1,
    /// The length of the salt in octets; mask and message use the same digest.
    RsaPss {
        salt: u64,
    },
    Ecdsa,
    Ed25519,
    Dsa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    Md2,
    Md4,
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    /// The scheme has its own (Ed25519).
    Inside,
}

impl Digest {
    fn name(self) -> &'static str {
        match self {
            Self::Md2 => "MD2",
            Self::Md4 => "MD4",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha224 => "SHA224",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
            Self::Inside => "",
        }
    }

    /// Collisions are cheap enough to forge certificates with.
    pub(crate) fn is_broken(self) -> bool {
        matches!(self, Self::Md2 | Self::Md4 | Self::Md5)
    }
}

/// Dotted identifiers of the algorithms without parameters of their own.
const NAMED: [(&str, Scheme, Digest); 22] = [
    ("1.2.840.113549.1.1.2", Scheme::RsaPkcs1, Digest::Md2),
    ("1.2.840.113549.1.1.3", Scheme::RsaPkcs1, Digest::Md4),
    ("1.2.840.113549.1.1.4", Scheme::RsaPkcs1, Digest::Md5),
    ("1.2.840.113549.1.1.5", Scheme::RsaPkcs1, Digest::Sha1),
    // As the OIW named them before 1995; Windows still knows them.
    ("1.3.14.3.2.2", Scheme::RsaPkcs1, Digest::Md4),
    ("1.3.14.3.2.3", Scheme::RsaPkcs1, Digest::Md5),
    ("1.3.14.3.2.4", Scheme::RsaPkcs1, Digest::Md4),
    ("1.3.14.3.2.13", Scheme::Dsa, Digest::Sha1),
    ("1.3.14.3.2.27", Scheme::Dsa, Digest::Sha1),
    ("1.3.14.3.2.29", Scheme::RsaPkcs1, Digest::Sha1),
    ("1.2.840.113549.1.1.14", Scheme::RsaPkcs1, Digest::Sha224),
    ("1.2.840.113549.1.1.11", Scheme::RsaPkcs1, Digest::Sha256),
    ("1.2.840.113549.1.1.12", Scheme::RsaPkcs1, Digest::Sha384),
    ("1.2.840.113549.1.1.13", Scheme::RsaPkcs1, Digest::Sha512),
    ("1.2.840.10045.4.1", Scheme::Ecdsa, Digest::Sha1),
    ("1.2.840.10045.4.3.1", Scheme::Ecdsa, Digest::Sha224),
    ("1.2.840.10045.4.3.2", Scheme::Ecdsa, Digest::Sha256),
    ("1.2.840.10045.4.3.3", Scheme::Ecdsa, Digest::Sha384),
    ("1.2.840.10045.4.3.4", Scheme::Ecdsa, Digest::Sha512),
    ("1.3.101.112", Scheme::Ed25519, Digest::Inside),
    ("1.2.840.10040.4.3", Scheme::Dsa, Digest::Sha1),
    ("2.16.840.1.101.3.4.3.2", Scheme::Dsa, Digest::Sha256),
];

const PSS: &str = "1.2.840.113549.1.1.10";
const MGF1: &str = "1.2.840.113549.1.1.8";

impl SignatureAlgorithm {
    /// Reads a DER AlgorithmIdentifier; `None` when it is unknown or its parameters are not what its kind asks for.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(only(der, tag::SEQUENCE).ok()?.value);
        let oid = oid_to_dotted(fields.expect(tag::OID).ok()?.value).ok()?;
        let parameters = if fields.is_empty() { None } else { Some(fields.any().ok()?) };
        fields.end().ok()?;
        if oid == PSS {
            return parse_pss(parameters?);
        }
        let (_, scheme, digest) = NAMED.into_iter().find(|(known, ..)| *known == oid)?;
        // RFC 4055 asks for NULL with RSA, RFC 5758 and 8410 for nothing elsewhere; old makers mix these two up.
        let fits = parameters.is_none_or(|value| value.whole == [tag::NULL, 0]);
        fits.then_some(Self { scheme, digest })
    }

    /// Whether there is a key with which a signature by it can be checked here.
    pub(crate) fn is_checked_here(self) -> bool {
        public_key::is_checked(self)
    }

    /// The name as Java spells it, for example `SHA256withRSA`.
    pub(crate) fn name(self) -> String {
        match self.scheme {
            Scheme::RsaPkcs1 => format!("{}withRSA", self.digest.name()),
            Scheme::RsaPss { .. } => format!("{}withRSAandMGF1", self.digest.name()),
            Scheme::Ecdsa => format!("{}withECDSA", self.digest.name()),
            Scheme::Ed25519 => "Ed25519".to_owned(),
            Scheme::Dsa => format!("{}withDSA", self.digest.name()),
        }
    }
}

/// RSASSA-PSS-params (RFC 4055, 3.1).
fn parse_pss(parameters: Tlv<'_>) -> Option<SignatureAlgorithm> {
    if parameters.tag != tag::SEQUENCE {
        return None;
    }
    let mut fields = Reader::new(parameters.value);
    let digest = match fields.optional(tag::constructed(0)).ok()? {
        Some(named) => parse_digest(only(named.value, tag::SEQUENCE).ok()?)?,
        None => Digest::Sha1,
    };
    let mask_digest = match fields.optional(tag::constructed(1)).ok()? {
        Some(named) => parse_mask(only(named.value, tag::SEQUENCE).ok()?)?,
        None => Digest::Sha1,
    };
    let salt = match fields.optional(tag::constructed(2)).ok()? {
        Some(length) => match *only(length.value, tag::INTEGER).ok()?.value {
            [short @ 0..=0x7f] => u64::from(short),
            [high @ 0..=0x7f, low] => u64::from(high) << 8 | u64::from(low),
            _ => return None,
        },
        None => 20,
    };
    let _trailer = fields.optional(tag::constructed(3)).ok()?;
    fields.end().ok()?;
    (digest == mask_digest).then_some(SignatureAlgorithm { scheme: Scheme::RsaPss { salt }, digest })
}

fn parse_mask(algorithm: Tlv<'_>) -> Option<Digest> {
    let mut fields = Reader::new(algorithm.value);
    if oid_to_dotted(fields.expect(tag::OID).ok()?.value).ok()? != MGF1 {
        return None;
    }
    parse_digest(fields.expect(tag::SEQUENCE).ok()?)
}

fn parse_digest(algorithm: Tlv<'_>) -> Option<Digest> {
    let oid = oid_to_dotted(Reader::new(algorithm.value).expect(tag::OID).ok()?.value).ok()?;
    match oid.as_str() {
        "1.3.14.3.2.26" => Some(Digest::Sha1),
        "2.16.840.1.101.3.4.2.4" => Some(Digest::Sha224),
        "2.16.840.1.101.3.4.2.1" => Some(Digest::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Digest::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Digest::Sha512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::{oid, oid_from_dotted, sequence};

    fn named(dotted: &str, parameters: &[u8]) -> Vec<u8> {
        sequence(&[&oid(&oid_from_dotted(dotted).unwrap()), parameters])
    }

    #[test]
    fn names_are_spelled_as_java_does() {
        let name = |dotted, parameters: &[u8]| {
            SignatureAlgorithm::parse(&named(dotted, parameters)).map(|a| a.name())
        };
        assert_eq!(name("1.2.840.113549.1.1.11", &[5, 0]).as_deref(), Some("SHA256withRSA"));
        assert_eq!(name("1.2.840.10045.4.3.3", &[]).as_deref(), Some("SHA384withECDSA"));
        assert_eq!(name("1.3.101.112", &[]).as_deref(), Some("Ed25519"));
        assert_eq!(name("1.2.3", &[]), None);
        assert_eq!(name("1.2.840.10045.4.3.3", &[2, 1, 0]), None, "parameters that do not belong");
    }

    #[test]
    fn pss_parameters_are_read() {
        let sha256 = named("2.16.840.1.101.3.4.2.1", &[5, 0]);
        let digest = crate::tlv::tlv(0xa0, &[&sha256]);
        let mask = crate::tlv::tlv(0xa1, &[&named(MGF1, &sha256)]);
        let salt = crate::tlv::tlv(0xa2, &[&[2, 1, 32]]);
        let parsed = SignatureAlgorithm::parse(&named(PSS, &sequence(&[&digest, &mask, &salt])));
        let wanted = SignatureAlgorithm { scheme: Scheme::RsaPss { salt: 32 }, digest: Digest::Sha256 };
        assert_eq!(parsed, Some(wanted));
        assert_eq!(
            SignatureAlgorithm::parse(&named(PSS, &sequence(&[&digest, &salt]))),
            None,
            "SHA-1 in the mask"
        );
    }
}
