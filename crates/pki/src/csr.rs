//! Certificate signing requests (PKCS#10, RFC 2986): made here, and read from others.

use const_oid::ObjectIdentifier;

use crate::extension::{self, Criticality, usage};
use crate::issue::algorithm_identifier;
use crate::public_key::PublicKeyKind;
use crate::signature_algorithm::{Digest, SignatureAlgorithm};
use crate::tlv::{self, Reader, tag};
use crate::{
    DistinguishedName, Finding, Fingerprint, PublicKey, Refusal, Severity, SignError, Signer, SubjectAltName,
};
use crate::{format, san};

const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
/// Microsoft's own identifier for the same attribute.
const CERT_EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");

/// Octets of a CSR, at most.
pub const MAX_CSR: usize = 64 * 1024;

/// What a CSR shall ask for.
#[derive(Clone, Debug)]
pub struct CsrRequest {
    /// The subject; may be empty when there are names.
    pub subject: DistinguishedName,
    /// The alternative names, in this order.
    pub names: Vec<SubjectAltName>,
    /// What the key is for.
    pub usage: KeyUsageProfile,
}

/// Which key usages a CSR asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsageProfile {
    /// A TLS server: digitalSignature (and keyEncipherment with RSA), serverAuth.
    Tls,
    /// Signing documents: nonRepudiation.
    Sign,
    /// X-Road's authentication keys: digitalSignature, dataEncipherment, keyEncipherment.
    Auth,
    /// Leaves it to the CA.
    None,
}

/// Makes a CSR and signs it with the certificate scheme of the key; DER.
///
/// A name that is not ASCII (never the case for parsed ones) is [`SignError::Failed`].
pub fn build(request: &CsrRequest, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let extensions = requested_extensions(request, signer.algorithm().is_rsa()).ok_or(SignError::Failed)?;
    // Some CAs refuse an extensionRequest that asks for nothing.
    let attributes = if extensions.is_empty() { Vec::new() } else { extension_request(&extensions) };
    let content = tlv::sequence(&[
        &[tag::INTEGER, 1, 0],
        request.subject.der(),
        signer.public_key().spki_der(),
        &tlv::tlv(tag::constructed(0), &[&attributes]),
    ]);
    let scheme = signer.algorithm().certificate_scheme();
    let signature = signer.sign(scheme, &content)?;
    Ok(tlv::sequence(&[&content, &algorithm_identifier(scheme), &tlv::bit_string(&signature)]))
}

/// The extensions one after the other; empty when nothing is asked.
fn requested_extensions(request: &CsrRequest, rsa: bool) -> Option<Vec<u8>> {
    use Criticality::{Critical, NonCritical};
    let mut out = Vec::new();
    match request.usage {
        KeyUsageProfile::Tls => {
            let rsa_only = if rsa { usage::KEY_ENCIPHERMENT } else { 0 };
            out.extend(extension::key_usage(usage::DIGITAL_SIGNATURE | rsa_only, Critical));
            out.extend(extension::extended_key_usage(&[extension::SERVER_AUTH]));
        }
        KeyUsageProfile::Sign => out.extend(extension::key_usage(usage::NON_REPUDIATION, NonCritical)),
        KeyUsageProfile::Auth => {
            let bits = usage::DIGITAL_SIGNATURE | usage::DATA_ENCIPHERMENT | usage::KEY_ENCIPHERMENT;
            out.extend(extension::key_usage(bits, NonCritical));
        }
        KeyUsageProfile::None => {}
    }
    if !request.names.is_empty() {
        let criticality = if request.subject.is_empty() { Critical } else { NonCritical };
        out.extend(extension::subject_alt_name(&request.names, criticality)?);
    }
    Some(out)
}

fn extension_request(extensions: &[u8]) -> Vec<u8> {
    let values = tlv::tlv(tag::SET, &[&tlv::sequence(&[extensions])]);
    tlv::sequence(&[&tlv::oid(EXTENSION_REQUEST.as_bytes()), &values])
}

/// A CSR whose signature proves that its sender has the private key.
#[derive(Clone, Debug)]
pub struct Csr {
    der: Vec<u8>,
    subject: DistinguishedName,
    public_key: PublicKey,
    wishes: Wishes,
    findings: Vec<Finding>,
}

/// What the extensionRequest asks for, as far as we look at it.
#[derive(Clone, Debug, Default)]
struct Wishes {
    names: Vec<SubjectAltName>,
    extended_key_usages: Vec<String>,
}

/// What proves that the sender has the private key.
struct Proof<'a> {
    algorithm: &'a [u8],
    content: &'a [u8],
    signature: &'a [u8],
}

impl Proof<'_> {
    /// Why it does not hold: a signature that nobody here can check is not a wrong one.
    fn refusal(&self, key: &PublicKey) -> Refusal {
        let again =
            "Make the CSR again, signed with SHA-256; with RSASSA-PSS, with a salt as long as the hash.";
        if let PublicKeyKind::Other(name) = key.kind() {
            let what = format!("the CSR is for a key of the kind {name}, which is not taken here");
            return Refusal::new("key.algorithm", what, "Use an RSA, EC or Ed25519 key.").at("public key");
        }
        match SignatureAlgorithm::parse(self.algorithm) {
            Some(known) if known.digest.is_broken() => {
                let what = format!("the CSR is signed with {}, which anybody can forge", known.name());
                Refusal::new("sig.broken", what, again).at("signature")
            }
            Some(known) if known.is_checked_here() => bad_signature(),
            Some(known) => {
                let what = format!("the CSR is signed with {}, which cannot be checked here", known.name());
                Refusal::new("sig.algorithm", what, again).at("signature")
            }
            None => {
                let what = "the CSR is signed by an algorithm that is not known here";
                Refusal::new("sig.algorithm", what, again).at("signature")
            }
        }
    }
}

impl Csr {
    /// Reads a CSR. The attributes may be missing altogether, as old devices send it; a challengePassword is
    /// ignored.
    ///
    /// Refuses `input.too_large` (over [`MAX_CSR`]), `der.*`, `csr.signature`, `csr.extension` (asks for
    /// CA:TRUE or keyCertSign, or twice for the same), `limit.san_count`, `san.idna`, keys that nobody
    /// may use (`key.*`), and signatures that cannot be checked (`sig.algorithm`) or prove nothing (`sig.broken`).
    pub fn parse(der: &[u8]) -> Result<Self, Refusal> {
        let (csr, proof) = Self::read(der)?;
        if csr.public_key.verify(proof.algorithm, proof.content, proof.signature) {
            Ok(csr)
        } else {
            Err(proof.refusal(&csr.public_key))
        }
    }

    /// Reads a CSR that was signed here and kept ever since; its signature is not verified again.
    pub fn of_own(der: &[u8]) -> Result<Self, Refusal> {
        Ok(Self::read(der)?.0)
    }

    fn read(der: &[u8]) -> Result<(Self, Proof<'_>), Refusal> {
        if der.len() > MAX_CSR {
            let what = format!("the CSR has {} octets, {MAX_CSR} are allowed", der.len());
            return Err(Refusal::new("input.too_large", what, "Make it again with fewer names."));
        }
        format::der::check(der)?;
        let mut outer = Reader::new(tlv::only(der, tag::SEQUENCE)?.value);
        let content = outer.expect(tag::SEQUENCE)?;
        let algorithm = outer.expect(tag::SEQUENCE)?.whole;
        let signature = outer.expect(tag::BIT_STRING)?.value;
        outer.end()?;

        let mut fields = Reader::new(content.value);
        fields.expect(tag::INTEGER)?;
        let subject = DistinguishedName::from_der(fields.expect(tag::SEQUENCE)?.whole)?;
        let public_key = PublicKey::from_spki_der(fields.expect(tag::SEQUENCE)?.whole)?;
        let attributes = fields.optional(tag::constructed(0))?;
        fields.end()?;

        let Some((0, signature)) = signature.split_first() else {
            return Err(bad_signature());
        };
        let wishes = Wishes::read(attributes.map_or(&[], |attributes| attributes.value))?;
        if let Some(refusal) = wishes.names.iter().find_map(SubjectAltName::idna_refusal) {
            return Err(refusal);
        }
        let mut findings = findings(&subject, &public_key, &wishes.names);
        findings.extend(old_digest(algorithm));
        let proof = Proof { algorithm, content: content.whole, signature };
        Ok((Self { der: der.to_vec(), subject, public_key, wishes, findings }, proof))
    }

    /// The DER, as read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Names the CSR: SHA-256 of its DER.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_der(&self.der)
    }

    /// The subject asked for.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The alternative names asked for, in their order.
    pub fn names(&self) -> &[SubjectAltName] {
        &self.wishes.names
    }

    /// The extended key usages asked for, as dotted object identifiers.
    pub fn extended_key_usages(&self) -> &[String] {
        &self.wishes.extended_key_usages
    }

    /// The key that it is for.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The text to paste into a CA's form.
    pub fn to_pem(&self) -> String {
        format::pem_write::csr(&self.der)
    }

    /// What is odd about it: `csr.cn_not_in_san`, `cert.no_name`, `name.control_char`, `san.*`, `sig.sha1`, and what the key has.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }
}

impl Wishes {
    /// Reads the content of the attributes field.
    fn read(attributes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(attributes);
        let mut wishes = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        while !reader.is_empty() {
            let mut attribute = Reader::new(reader.expect(tag::SEQUENCE)?.value);
            let kind = attribute.expect(tag::OID)?.value;
            if kind != EXTENSION_REQUEST.as_bytes() && kind != CERT_EXTENSIONS.as_bytes() {
                continue;
            }
            let mut values = Reader::new(attribute.expect(tag::SET)?.value);
            while !values.is_empty() {
                for extension in extension::read_all(values.any()?.whole)? {
                    if seen.contains(&extension.oid) {
                        return Err(bad_extension("the CSR asks twice for the same extension"));
                    }
                    seen.push(extension.oid);
                    wishes.add(&extension)?;
                }
            }
        }
        Ok(wishes)
    }

    fn add(&mut self, extension: &extension::Extension<'_>) -> Result<(), Refusal> {
        let value = extension.value;
        if extension.is(extension::SUBJECT_ALT_NAME) {
            self.names = san::read_general_names(value)?;
        } else if extension.is(extension::EXTENDED_KEY_USAGE) {
            self.extended_key_usages = extension::read_extended_key_usage(value)?;
        } else if extension.is(extension::BASIC_CONSTRAINTS) && extension::read_is_ca(value)? {
            return Err(bad_extension("the CSR asks to become a CA (CA:TRUE)"));
        } else if extension.is(extension::KEY_USAGE)
            && extension::read_key_usage(value)? & (usage::KEY_CERT_SIGN | usage::CRL_SIGN) != 0
        {
            let what = "the CSR asks for the right to sign certificates or their revocation lists \
                (keyCertSign, cRLSign)";
            return Err(bad_extension(what));
        } else if extension.is(extension::NAME_CONSTRAINTS) {
            return Err(bad_extension("the CSR asks for name constraints, which only a CA has"));
        }
        Ok(())
    }
}

fn bad_signature() -> Refusal {
    let what = "the CSR is not signed by the key that it is for, or was changed afterwards";
    Refusal::new("csr.signature", what, "Make the CSR again with the right key, and send it unchanged.")
}

fn bad_extension(what: &str) -> Refusal {
    Refusal::new("csr.extension", what, "Make the CSR again without it.")
}

fn old_digest(algorithm: &[u8]) -> Option<Finding> {
    let known = SignatureAlgorithm::parse(algorithm).filter(|known| known.digest == Digest::Sha1)?;
    Some(Finding {
        code: "sig.sha1",
        severity: Severity::Warning,
        what: format!("the CSR is signed with {}, which many CAs no longer take", known.name()),
        place: "signature".to_owned(),
        repair: "Make the CSR again, signed with SHA-256.".to_owned(),
    })
}

fn findings(subject: &DistinguishedName, key: &PublicKey, names: &[SubjectAltName]) -> Vec<Finding> {
    let mut findings = key.findings();
    let mut warn = |code, what: String, repair: &str| {
        let (place, repair) = (subject.to_string(), repair.to_owned());
        findings.push(Finding { code, severity: Severity::Warning, what, place, repair });
    };
    if subject.has_control_characters() {
        let what = "the subject contains a control character".to_owned();
        warn("name.control_char", what, "Make the CSR again with the subject typed anew.");
    }
    if subject.common_name().is_none_or(|name| name.trim().is_empty()) && names.is_empty() {
        let what = "the CSR asks for neither an alternative name nor a common name".to_owned();
        warn("cert.no_name", what, "Make the CSR again with the host name as an alternative name.");
    }
    if let Some(host) = subject.common_name().and_then(san::host_name)
        && names.first() != Some(&host)
    {
        let what = format!("the common name {host} is a host name, but not the first alternative name");
        warn("csr.cn_not_in_san", what, "Make the CSR again with it as the first alternative name.");
    }
    findings.extend(names.iter().flat_map(SubjectAltName::syntax_findings));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Attribute, AttributeType};
    use crate::{KeyAlgorithm, testing};

    fn subject(cn: &str) -> DistinguishedName {
        let organization = Attribute::new(AttributeType::Organization, "Acme, \"Inc.\"");
        let parts = vec![organization, Attribute::new(AttributeType::CommonName, cn)];
        DistinguishedName::from_attributes(parts).unwrap()
    }

    fn names(text: &str) -> Vec<SubjectAltName> {
        SubjectAltName::parse_list(text).unwrap()
    }

    fn request(usage: KeyUsageProfile) -> CsrRequest {
        CsrRequest {
            subject: subject("a.example"),
            names: names("a.example,*.b.example,::1,x@y.example"),
            usage,
        }
    }

    fn codes(csr: &Csr) -> Vec<&'static str> {
        csr.findings().iter().map(|finding| finding.code).collect()
    }

    fn refusal(der: &[u8]) -> &'static str {
        Csr::parse(der).err().map_or("accepted", |refusal| refusal.code)
    }

    /// A CSR with these attributes, or with none at all, signed as it should be.
    fn with_attributes(attributes: Option<&[u8]>) -> Vec<u8> {
        let signer = testing::signer(KeyAlgorithm::EcP256);
        let attributes = attributes.map_or(Vec::new(), |content| tlv::tlv(tag::constructed(0), &[content]));
        let subject = subject("Jane Doe");
        let content =
            tlv::sequence(&[&[2, 1, 0], subject.der(), signer.public_key().spki_der(), &attributes]);
        let scheme = signer.algorithm().certificate_scheme();
        let signature = tlv::bit_string(&signer.sign(scheme, &content).unwrap());
        tlv::sequence(&[&content, &algorithm_identifier(scheme), &signature])
    }

    fn asking(extensions: &[Vec<u8>]) -> Vec<u8> {
        with_attributes(Some(&extension_request(&extensions.concat())))
    }

    #[test]
    fn reads_what_it_builds_for_every_algorithm() {
        for algorithm in KeyAlgorithm::ALL {
            let signer = testing::signer(algorithm);
            let wanted = request(KeyUsageProfile::Tls);
            let csr = Csr::parse(&build(&wanted, &signer).unwrap()).unwrap();
            assert_eq!(csr.subject(), &wanted.subject);
            assert_eq!(csr.names(), wanted.names);
            assert_eq!(csr.public_key().id(), signer.public_key().id());
            assert_eq!(csr.extended_key_usages(), ["1.3.6.1.5.5.7.3.1"]);
            assert_eq!(codes(&csr), [""; 0]);
            assert_eq!(pem::parse(csr.to_pem()).unwrap().contents(), csr.der());
        }
    }

    #[test]
    fn another_reader_sees_the_usages_of_each_profile() {
        use der::Decode;
        use x509_cert::ext::pkix::KeyUsage;
        let asked = |usage, algorithm| {
            let request = CsrRequest { names: Vec::new(), ..request(usage) };
            let der = build(&request, &testing::signer(algorithm)).unwrap();
            let csr = x509_cert::request::CertReq::from_der(&der).unwrap();
            let attribute = csr.info.attributes.iter().next().cloned()?;
            let extensions: Vec<x509_cert::ext::Extension> =
                attribute.values.get(0).unwrap().decode_as().unwrap();
            let usage = extensions.iter().find(|extension| extension.extn_id == extension::KEY_USAGE)?;
            Some((KeyUsage::from_der(usage.extn_value.as_bytes()).unwrap(), usage.critical, extensions.len()))
        };
        use x509_cert::ext::pkix::KeyUsages as U;
        let (ec, rsa) = (KeyAlgorithm::EcP256, KeyAlgorithm::Rsa2048);
        assert_eq!(asked(KeyUsageProfile::Tls, ec), Some((KeyUsage(U::DigitalSignature.into()), true, 2)));
        let both = KeyUsage(U::DigitalSignature | U::KeyEncipherment);
        assert_eq!(asked(KeyUsageProfile::Tls, rsa), Some((both, true, 2)));
        assert_eq!(asked(KeyUsageProfile::Sign, ec), Some((KeyUsage(U::NonRepudiation.into()), false, 1)));
        let three = KeyUsage(U::DigitalSignature | U::KeyEncipherment | U::DataEncipherment);
        assert_eq!(asked(KeyUsageProfile::Auth, ec), Some((three, false, 1)));
        // Nothing to ask: no attribute at all.
        assert_eq!(asked(KeyUsageProfile::None, ec), None);
    }

    #[test]
    fn takes_what_old_devices_send() {
        let bare = Csr::parse(&with_attributes(None)).unwrap();
        assert!(bare.names().is_empty());
        let challenge = tlv::sequence(&[
            &tlv::oid(&tlv::oid_from_dotted("1.2.840.113549.1.9.7").unwrap()),
            &tlv::tlv(tag::SET, &[&tlv::tlv(tag::UTF8_STRING, &[b"secret"])]),
        ]);
        assert!(Csr::parse(&with_attributes(Some(&challenge))).is_ok());
    }

    #[test]
    fn refuses_rights_that_no_profile_gives() {
        use Criticality::Critical;
        let ca =
            extension::extension(extension::BASIC_CONSTRAINTS, Critical, &tlv::sequence(&[&[1, 1, 0xff]]));
        let not_ca = extension::extension(extension::BASIC_CONSTRAINTS, Critical, &tlv::sequence(&[]));
        assert_eq!(refusal(&asking(&[ca])), "csr.extension");
        assert_eq!(
            refusal(&asking(&[extension::key_usage(usage::KEY_CERT_SIGN, Critical)])),
            "csr.extension"
        );
        assert_eq!(refusal(&asking(std::slice::from_ref(&not_ca))), "accepted");
        assert_eq!(refusal(&asking(&[not_ca.clone(), not_ca])), "csr.extension");
        let san = |names: &[SubjectAltName]| extension::subject_alt_name(names, Critical).unwrap();
        let dns = |name: String| SubjectAltName::Dns(name);
        assert_eq!(refusal(&asking(&[san(&[dns("xn--example-.com".into())])])), "san.idna");
        let many: Vec<SubjectAltName> = (0..101).map(|index| dns(format!("h{index}.example"))).collect();
        assert_eq!(refusal(&asking(&[san(&many)])), "limit.san_count");
    }

    #[test]
    fn refuses_a_changed_or_damaged_request() {
        let der = build(&request(KeyUsageProfile::Tls), &testing::signer(KeyAlgorithm::EcP256)).unwrap();
        let place = der.windows(4).position(|window| window == b"Acme").unwrap();
        let mut changed = der.clone();
        changed[place] = b'B';
        assert_eq!(refusal(&changed), "csr.signature");
        assert_eq!(refusal(&[&der[..], &[0]].concat()), "der.trailing");
        assert_eq!(refusal(&der[..der.len() - 1]), "der.truncated");
        assert_eq!(refusal(&vec![0x30; MAX_CSR + 1]), "input.too_large");
    }

    #[test]
    fn says_when_the_common_name_is_not_the_first_name() {
        let signer = testing::signer(KeyAlgorithm::EcP256);
        let with = |cn, list| {
            let request =
                CsrRequest { subject: subject(cn), names: names(list), usage: KeyUsageProfile::None };
            codes(&Csr::parse(&build(&request, &signer).unwrap()).unwrap())
        };
        assert_eq!(with("a.example", "b.example,a.example"), ["csr.cn_not_in_san"]);
        assert_eq!(with("a.example", ""), ["csr.cn_not_in_san"]);
        assert_eq!(with("A.example", "a.example"), [""; 0]);
        assert_eq!(with("Jane Doe", ""), [""; 0]);
    }
}
