//! Certificates made here: the part to be signed, and the whole (RFC 5280, section 4).
//!
//! Two steps on purpose: the intent ([`to_be_signed`]) can be linted and stored before anything is signed.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use der::Encode;
use der::asn1::{GeneralizedTime, UtcTime};

use crate::extension::{self, Criticality, extension, usage};
use crate::identity::sha256;
use crate::san::SubjectAltName;
use crate::tlv::{self, Reader, tag};
use crate::{DistinguishedName, PublicKey, Refusal, SignError, SignatureScheme, Signer, UnixTime};

/// Everything that goes into a certificate but the signature.
#[derive(Clone, Debug)]
pub struct Template {
    /// The serial number, big-endian, without sign; 1 to 20 octets when encoded, not zero.
    pub serial: Vec<u8>,
    /// The subject of the certificate that signs.
    pub issuer: DistinguishedName,
    /// Whom it speaks for; may be empty when there are names.
    pub subject: DistinguishedName,
    /// The key that it vouches for.
    pub public_key: PublicKey,
    /// The first second of its validity.
    pub not_before: UnixTime,
    /// The last second of its validity (inclusive).
    pub not_after: UnixTime,
    /// The alternative names, in this order.
    pub names: Vec<SubjectAltName>,
    /// What it may be used for.
    pub purpose: Purpose,
    /// The subject key identifier of the issuer, if it has one.
    pub authority_key_id: Option<Vec<u8>>,
    /// Where the issuer's certificate can be fetched.
    pub ca_issuers_url: Option<String>,
}

/// What a certificate may be used for: decides its key usages and constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A TLS server.
    TlsServer,
    /// A TLS server that is also a client with the same certificate.
    TlsServerAndClient,
    /// Signing documents (X-Road's SIGN).
    Sign,
    /// X-Road's AUTH: both sides of TLS between security servers.
    Auth,
    /// A CA below another.
    Intermediate {
        /// How many CAs may follow below it.
        path_len: u8,
    },
    /// A CA that signs itself.
    Root,
}

impl Purpose {
    fn is_ca(self) -> bool {
        matches!(self, Self::Intermediate { .. } | Self::Root)
    }

    fn key_usage(self, rsa: bool) -> u16 {
        // Only RSA keys encipher: with others the bits would be a lie (RFC 8813, 3; RFC 9295, 3).
        let rsa_only = |bits| if rsa { bits } else { 0 };
        match self {
            Self::TlsServer | Self::TlsServerAndClient => {
                usage::DIGITAL_SIGNATURE | rsa_only(usage::KEY_ENCIPHERMENT)
            }
            Self::Sign => usage::NON_REPUDIATION,
            Self::Auth => {
                usage::DIGITAL_SIGNATURE | rsa_only(usage::KEY_ENCIPHERMENT | usage::DATA_ENCIPHERMENT)
            }
            Self::Intermediate { .. } | Self::Root => usage::KEY_CERT_SIGN | usage::CRL_SIGN,
        }
    }

    fn extended_key_usage(self) -> &'static [ObjectIdentifier] {
        match self {
            Self::TlsServer => &[extension::SERVER_AUTH],
            Self::TlsServerAndClient | Self::Auth => &[extension::SERVER_AUTH, extension::CLIENT_AUTH],
            Self::Sign | Self::Intermediate { .. } | Self::Root => &[],
        }
    }
}

/// Writes the part that will be signed: DER of TBSCertificate, version 3.
///
/// Refuses `cert.serial`, `cert.validity`, `cert.no_name` (no issuer, or neither subject nor names; a CA
/// needs a subject) and `san.syntax` (a name or URL that is not ASCII).
pub fn to_be_signed(template: &Template, scheme: SignatureScheme) -> Result<Vec<u8>, Refusal> {
    let version = tlv::tlv(tag::constructed(0), &[&[tag::INTEGER, 1, 2]]);
    let serial = serial(&template.serial)?;
    let validity = validity(template.not_before, template.not_after)?;
    check_names(template)?;
    let extensions = tlv::sequence(&[&extensions(template)?]);
    Ok(tlv::sequence(&[
        &version,
        &serial,
        &algorithm_identifier(scheme),
        template.issuer.der(),
        &validity,
        template.subject.der(),
        template.public_key.spki_der(),
        &tlv::tlv(tag::constructed(3), &[&extensions]),
    ]))
}

/// Puts a certificate together from its signed part and the signature.
pub fn assemble(tbs_der: &[u8], scheme: SignatureScheme, signature: &[u8]) -> Vec<u8> {
    tlv::sequence(&[tbs_der, &algorithm_identifier(scheme), &tlv::bit_string(signature)])
}

/// Signs what [`to_be_signed`] wrote, with the scheme that is named in it; DER of the certificate.
///
/// [`SignError::Scheme`] when the key cannot sign that way, [`SignError::Failed`] when the input is no
/// TBSCertificate.
pub fn sign(tbs_der: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let named = signature_field(tbs_der).map_err(|_| SignError::Failed)?;
    let preferred = signer.algorithm().certificate_scheme();
    let mut schemes = std::iter::once(&preferred).chain(signer.algorithm().schemes());
    let scheme = schemes.find(|scheme| algorithm_identifier(**scheme) == named);
    let scheme = *scheme.ok_or(SignError::Scheme(preferred))?;
    Ok(assemble(tbs_der, scheme, &signer.sign(scheme, tbs_der)?))
}

/// The identifier that certificates of a CA and those it signs share: the leftmost 160 bits of the SHA-256 of
/// the key's bits (RFC 7093, section 2, method 1).
pub fn subject_key_id(public_key: &PublicKey) -> Vec<u8> {
    sha256(public_key.key_bits())[..20].to_vec()
}

/// The AlgorithmIdentifier inside a TBSCertificate.
fn signature_field(tbs_der: &[u8]) -> Result<&[u8], Refusal> {
    let mut fields = Reader::new(tlv::only(tbs_der, tag::SEQUENCE)?.value);
    fields.optional(tag::constructed(0))?;
    fields.expect(tag::INTEGER)?;
    Ok(fields.expect(tag::SEQUENCE)?.whole)
}

fn serial(octets: &[u8]) -> Result<Vec<u8>, Refusal> {
    let encoded = tlv::unsigned_integer(octets);
    // Tag and length take two octets as long as the number is short.
    if encoded.len() > 22 || encoded == [tag::INTEGER, 1, 0] {
        let what = "the serial number is zero or longer than 20 octets";
        return Err(Refusal::new("cert.serial", what, "Choose another serial number."));
    }
    Ok(encoded)
}

fn validity(not_before: UnixTime, not_after: UnixTime) -> Result<Vec<u8>, Refusal> {
    let wrong = |what| {
        Refusal::new("cert.validity", what, "Choose an end after the beginning, before the year 10000.")
    };
    if not_after < not_before {
        return Err(wrong("the certificate would end before it begins"));
    }
    let time = |moment| time(moment).ok_or_else(|| wrong("the validity cannot be written"));
    Ok(tlv::sequence(&[&time(not_before)?, &time(not_after)?]))
}

/// 2050-01-01T00:00:00Z, the first moment that is written with four digits of year (RFC 5280, 4.1.2.5).
const YEAR_2050: i64 = 2_524_608_000;

fn time(moment: UnixTime) -> Option<Vec<u8>> {
    let since = Duration::from_secs(u64::try_from(moment.0).ok()?);
    if moment.0 < YEAR_2050 {
        UtcTime::from_unix_duration(since).ok()?.to_der().ok()
    } else {
        GeneralizedTime::from_unix_duration(since).ok()?.to_der().ok()
    }
}

fn check_names(template: &Template) -> Result<(), Refusal> {
    let nobody = template.subject.is_empty() && (template.names.is_empty() || template.purpose.is_ca());
    if nobody || template.issuer.is_empty() {
        let what = "the certificate would have no name of a subject or issuer";
        return Err(Refusal::new("cert.no_name", what, "Give a common name or an alternative name."));
    }
    Ok(())
}

/// All extensions, one after the other.
fn extensions(template: &Template) -> Result<Vec<u8>, Refusal> {
    use Criticality::{Critical, NonCritical};
    let rsa = template.public_key.algorithm().is_some_and(|algorithm| algorithm.is_rsa());
    let mut out = Vec::with_capacity(256);
    if let Some(id) = &template.authority_key_id {
        let value = tlv::sequence(&[&tlv::tlv(tag::context(0), &[id])]);
        out.extend(extension(extension::AUTHORITY_KEY_ID, NonCritical, &value));
    }
    let key_id = tlv::tlv(tag::OCTET_STRING, &[&subject_key_id(&template.public_key)]);
    out.extend(extension(extension::SUBJECT_KEY_ID, NonCritical, &key_id));
    out.extend(extension::key_usage(template.purpose.key_usage(rsa), Critical));
    if let Some(value) = basic_constraints(template.purpose) {
        out.extend(extension(extension::BASIC_CONSTRAINTS, Critical, &value));
    }
    if !template.purpose.extended_key_usage().is_empty() {
        out.extend(extension::extended_key_usage(template.purpose.extended_key_usage()));
    }
    if !template.names.is_empty() {
        let criticality = if template.subject.is_empty() { Critical } else { NonCritical };
        out.extend(extension::subject_alt_name(&template.names, criticality).ok_or_else(not_ascii)?);
    }
    if let Some(url) = &template.ca_issuers_url {
        let location = if url.is_ascii() {
            tlv::tlv(tag::context(6), &[url.as_bytes()])
        } else {
            return Err(not_ascii());
        };
        let access = tlv::sequence(&[&tlv::oid(extension::CA_ISSUERS.as_bytes()), &location]);
        out.extend(extension(extension::AUTHORITY_ACCESS, NonCritical, &tlv::sequence(&[&access])));
    }
    Ok(out)
}

/// For CAs only: leaves go without (RFC 5280 allows it, and their absence means "no CA").
fn basic_constraints(purpose: Purpose) -> Option<Vec<u8>> {
    let ca = [tag::BOOLEAN, 1, 0xff];
    match purpose {
        Purpose::Root => Some(tlv::sequence(&[&ca])),
        Purpose::Intermediate { path_len } => {
            Some(tlv::sequence(&[&ca, &tlv::unsigned_integer(&[path_len])]))
        }
        Purpose::TlsServer | Purpose::TlsServerAndClient | Purpose::Sign | Purpose::Auth => None,
    }
}

fn not_ascii() -> Refusal {
    let what = "an alternative name or a URL contains a character beyond ASCII";
    Refusal::new("san.syntax", what, "Write host names in their xn-- form, and URLs with %xx.")
}

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// The DER AlgorithmIdentifier of a scheme (RFC 4055, 5758, 8410): NULL parameters for RSA, none for the
/// others.
pub(crate) fn algorithm_identifier(scheme: SignatureScheme) -> Vec<u8> {
    match scheme {
        SignatureScheme::EcdsaP256Sha256 => without_parameters(ECDSA_SHA256),
        SignatureScheme::EcdsaP384Sha384 => without_parameters(ECDSA_SHA384),
        SignatureScheme::Ed25519 => without_parameters(ED25519),
        SignatureScheme::RsaPkcs1Sha256 => with_null(RSA_SHA256),
        SignatureScheme::RsaPkcs1Sha384 => with_null(RSA_SHA384),
        SignatureScheme::RsaPkcs1Sha512 => with_null(RSA_SHA512),
        SignatureScheme::RsaPssSha256 => pss(SHA256, 32),
        SignatureScheme::RsaPssSha384 => pss(SHA384, 48),
        SignatureScheme::RsaPssSha512 => pss(SHA512, 64),
    }
}

fn without_parameters(oid: ObjectIdentifier) -> Vec<u8> {
    tlv::sequence(&[&tlv::oid(oid.as_bytes())])
}

fn with_null(oid: ObjectIdentifier) -> Vec<u8> {
    tlv::sequence(&[&tlv::oid(oid.as_bytes()), &[tag::NULL, 0]])
}

fn pss(digest: ObjectIdentifier, salt_length: u8) -> Vec<u8> {
    let digest = with_null(digest);
    let mask = tlv::sequence(&[&tlv::oid(MGF1.as_bytes()), &digest]);
    let parameters = tlv::sequence(&[
        &tlv::tlv(tag::constructed(0), &[&digest]),
        &tlv::tlv(tag::constructed(1), &[&mask]),
        &tlv::tlv(tag::constructed(2), &[&tlv::unsigned_integer(&[salt_length])]),
    ]);
    tlv::sequence(&[&tlv::oid(RSA_PSS.as_bytes()), &parameters])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Attribute, AttributeType};
    use crate::{KeyAlgorithm, testing};
    use der::Decode;
    use x509_cert::Certificate;
    use x509_cert::ext::pkix::{
        AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage,
        KeyUsages, SubjectKeyIdentifier,
    };

    fn name(cn: &str) -> DistinguishedName {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, cn)]).unwrap()
    }

    fn template(algorithm: KeyAlgorithm, purpose: Purpose) -> Template {
        Template {
            serial: vec![0xff; 16],
            issuer: name("Issuer"),
            subject: name("a.example"),
            public_key: testing::signer(algorithm).public_key().clone(),
            not_before: UnixTime(YEAR_2050 - 1),
            not_after: UnixTime(YEAR_2050),
            names: SubjectAltName::parse_list("a.example,::1").unwrap(),
            purpose,
            authority_key_id: Some(vec![7; 20]),
            ca_issuers_url: Some("http://ca.example/ca.crt".into()),
        }
    }

    /// Issued by a fresh P-256 key, read by another parser.
    fn issued(template: &Template) -> Certificate {
        let tbs = to_be_signed(template, SignatureScheme::EcdsaP256Sha256).unwrap();
        Certificate::from_der(&sign(&tbs, &testing::signer(KeyAlgorithm::EcP256)).unwrap()).unwrap()
    }

    fn refusal(change: impl FnOnce(&mut Template)) -> &'static str {
        let mut template = template(KeyAlgorithm::EcP256, Purpose::TlsServer);
        change(&mut template);
        let result = to_be_signed(&template, SignatureScheme::EcdsaP256Sha256);
        result.err().map_or("accepted", |refusal| refusal.code)
    }

    fn usages(certificate: &Certificate) -> KeyUsage {
        let (critical, usages) = certificate.tbs_certificate().get_extension::<KeyUsage>().unwrap().unwrap();
        assert!(critical);
        usages
    }

    fn ca(certificate: &Certificate) -> Option<(bool, BasicConstraints)> {
        certificate.tbs_certificate().get_extension().unwrap()
    }

    #[test]
    fn a_server_certificate_reads_as_written() {
        let template = template(KeyAlgorithm::EcP256, Purpose::TlsServer);
        let certificate = issued(&template);
        let tbs = certificate.tbs_certificate();
        assert_eq!(tbs.serial_number().as_bytes(), [&[0][..], &[0xff; 16]].concat());
        assert_eq!(tbs.subject().to_der().unwrap(), template.subject.der());
        assert_eq!(tbs.issuer().to_der().unwrap(), template.issuer.der());
        assert_eq!(tbs.validity().not_before.to_string(), "2049-12-31T23:59:59Z");
        assert!(matches!(tbs.validity().not_before, x509_cert::time::Time::UtcTime(_)));
        assert!(matches!(tbs.validity().not_after, x509_cert::time::Time::GeneralTime(_)));
        assert_eq!(usages(&certificate), KeyUsage(KeyUsages::DigitalSignature.into()));
        assert_eq!(ca(&certificate), None);
        let (_, purposes) = tbs.get_extension::<ExtendedKeyUsage>().unwrap().unwrap();
        assert_eq!(purposes.0, [extension::SERVER_AUTH]);
        let (_, own) = tbs.get_extension::<SubjectKeyIdentifier>().unwrap().unwrap();
        assert_eq!(own.0.as_bytes(), subject_key_id(&template.public_key));
        let (_, issuer) = tbs.get_extension::<AuthorityKeyIdentifier>().unwrap().unwrap();
        assert_eq!(issuer.key_identifier.unwrap().as_bytes(), [7; 20]);
        let (critical, names) = tbs.get_extension::<x509_cert::ext::pkix::SubjectAltName>().unwrap().unwrap();
        assert_eq!((critical, names.0.len()), (false, 2));
        assert!(tbs.get_extension::<AuthorityInfoAccessSyntax>().unwrap().is_some());
    }

    #[test]
    fn usages_follow_the_purpose_and_the_kind_of_key() {
        use KeyUsages as U;
        let usages = |algorithm, purpose| usages(&issued(&template(algorithm, purpose)));
        let (ec, rsa) = (KeyAlgorithm::EcP256, KeyAlgorithm::Rsa2048);
        assert_eq!(usages(rsa, Purpose::TlsServer), KeyUsage(U::DigitalSignature | U::KeyEncipherment));
        assert_eq!(usages(ec, Purpose::Sign), KeyUsage(U::NonRepudiation.into()));
        assert_eq!(usages(ec, Purpose::Auth), KeyUsage(U::DigitalSignature.into()));
        assert_eq!(
            usages(rsa, Purpose::Auth),
            KeyUsage(U::DigitalSignature | U::KeyEncipherment | U::DataEncipherment)
        );
        assert_eq!(usages(ec, Purpose::Root), KeyUsage(U::KeyCertSign | U::CRLSign));
        let intermediate = issued(&template(ec, Purpose::Intermediate { path_len: 0 }));
        assert_eq!(
            ca(&intermediate),
            Some((true, BasicConstraints { ca: true, path_len_constraint: Some(0) }))
        );
        let root = issued(&template(ec, Purpose::Root));
        assert_eq!(ca(&root), Some((true, BasicConstraints { ca: true, path_len_constraint: None })));
    }

    #[test]
    fn every_scheme_signs_so_that_the_key_verifies() {
        for algorithm in KeyAlgorithm::ALL {
            let signer = testing::signer(algorithm);
            let template = template(algorithm, Purpose::TlsServerAndClient);
            for scheme in algorithm.schemes() {
                let tbs = to_be_signed(&template, *scheme).unwrap();
                let certificate = Certificate::from_der(&sign(&tbs, &signer).unwrap()).unwrap();
                let identifier = certificate.signature_algorithm().to_der().unwrap();
                let signature = certificate.signature().raw_bytes();
                assert!(signer.public_key().verify(&identifier, &tbs, signature), "{scheme:?}");
            }
        }
    }

    #[test]
    fn a_certificate_without_subject_has_critical_names() {
        let mut template = template(KeyAlgorithm::EcP256, Purpose::TlsServer);
        template.subject = DistinguishedName::from_attributes(Vec::new()).unwrap();
        let certificate = issued(&template);
        let names = certificate.tbs_certificate().get_extension::<x509_cert::ext::pkix::SubjectAltName>();
        assert!(names.unwrap().unwrap().0);
    }

    #[test]
    fn refuses_what_no_certificate_may_be() {
        let nobody = || DistinguishedName::from_attributes(Vec::new()).unwrap();
        assert_eq!(refusal(|t| t.serial = vec![0; 3]), "cert.serial");
        assert_eq!(refusal(|t| t.serial = vec![0x80; 20]), "cert.serial");
        assert_eq!(refusal(|t| t.serial = vec![0x7f; 20]), "accepted");
        assert_eq!(refusal(|t| t.not_after = UnixTime(0)), "cert.validity");
        assert_eq!(refusal(|t| t.not_before = UnixTime(-1)), "cert.validity");
        assert_eq!(refusal(|t| t.not_after = UnixTime(i64::MAX)), "cert.validity");
        assert_eq!(refusal(|t| (t.subject, t.names) = (nobody(), Vec::new())), "cert.no_name");
        assert_eq!(refusal(|t| (t.subject, t.purpose) = (nobody(), Purpose::Root)), "cert.no_name");
        assert_eq!(refusal(|t| t.issuer = nobody()), "cert.no_name");
        assert_eq!(refusal(|t| t.names = vec![SubjectAltName::Dns("ü".into())]), "san.syntax");
        assert_eq!(refusal(|t| t.ca_issuers_url = Some("http://ü/".into())), "san.syntax");
    }

    #[test]
    fn signs_only_with_the_scheme_that_is_named_inside() {
        let tbs =
            to_be_signed(&template(KeyAlgorithm::EcP256, Purpose::Sign), SignatureScheme::Ed25519).unwrap();
        let refused = sign(&tbs, &testing::signer(KeyAlgorithm::EcP256));
        assert_eq!(refused, Err(SignError::Scheme(SignatureScheme::EcdsaP256Sha256)));
        assert_eq!(sign(b"nonsense", &testing::signer(KeyAlgorithm::EcP256)), Err(SignError::Failed));
    }
}
