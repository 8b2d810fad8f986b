//! Certificates in PKCS#7 (RFC 2315; CMS, RFC 5652): a SignedData that need not have been signed by anyone. DER or
//! BER.
//!
//! Only the certificates are taken. Who signed the message around them, and whether that holds, is no matter of ours.

use super::{Format, Object, Reading, ber, no_cost};
use crate::tlv::{self, Reader, Tlv, tag};
use crate::{Certificate, Crl, Finding, Refusal, Severity};

pub(super) const FORMAT: Format = Format { name: "pkcs7", sniff: is_pkcs7, charge: no_cost, read };

/// 1.2.840.113549.1.7, below which the content types stand, as content octets.
pub(super) const CONTENT_TYPES: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
pub(super) const DATA: u8 = 1;
pub(super) const SIGNED_DATA: u8 = 2;
pub(super) const ENVELOPED_DATA: u8 = 3;
pub(super) const SIGNED_AND_ENVELOPED_DATA: u8 = 4;
pub(super) const DIGESTED_DATA: u8 = 5;
pub(super) const ENCRYPTED_DATA: u8 = 6;

/// `SEQUENCE { contentType, ... }`
fn is_pkcs7(bytes: &[u8]) -> bool {
    ber::inside(bytes, tag::SEQUENCE).is_some_and(begins_with_content_type)
}

/// Whether a ContentInfo could have this content.
pub(super) fn begins_with_content_type(content: &[u8]) -> bool {
    content.strip_prefix(&[tag::OID, 9]).is_some_and(|oid| oid.starts_with(&CONTENT_TYPES))
}

/// ContentInfo (RFC 5652, section 3).
pub(super) struct ContentInfo<'a> {
    /// The last arc of the content type; `None` when it is none of PKCS#7's.
    pub(super) kind: Option<u8>,
    /// What stands under the explicit tag.
    pub(super) content: Option<Tlv<'a>>,
}

impl<'a> ContentInfo<'a> {
    /// Reads one from the content of its SEQUENCE.
    pub(super) fn read(fields: &'a [u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(fields);
        let oid = fields.expect(tag::OID)?.value;
        let kind = match oid.strip_prefix(&CONTENT_TYPES) {
            Some([kind]) => Some(*kind),
            Some(_) | None => None,
        };
        let content = match fields.optional(tag::constructed(0))? {
            Some(explicit) if explicit.value.is_empty() => None,
            Some(explicit) => Some(only(explicit.value)?),
            None => None,
        };
        fields.end()?;
        Ok(Self { kind, content })
    }
}

/// The one element of some content.
pub(super) fn only(content: &[u8]) -> Result<Tlv<'_>, Refusal> {
    let mut reader = Reader::new(content);
    let element = reader.any()?;
    reader.end()?;
    Ok(element)
}

fn read(bytes: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let der = ber::normalise(bytes)?;
    let outer = ContentInfo::read(tlv::only(&der, tag::SEQUENCE)?.value)?;
    if outer.kind != Some(SIGNED_DATA) {
        return Err(other_type(outer.kind));
    }
    let Some(content) = outer.content.filter(|content| content.tag == tag::SEQUENCE) else {
        return Err(no_content());
    };
    let signed = SignedData::read(content.value)?;
    let before = reading.contents.items.len();
    read_certificates(signed.certificates, reading)?;
    read_crls(signed.crls, reading)?;
    if signed.is_signed {
        reading.contents.findings.push(signed_message());
    }
    if reading.contents.items.len() == before { Err(no_certificates()) } else { Ok(()) }
}

/// SignedData (RFC 5652, 5.1), as far as it matters here.
struct SignedData<'a> {
    certificates: &'a [u8],
    crls: &'a [u8],
    is_signed: bool,
}

impl<'a> SignedData<'a> {
    fn read(content: &'a [u8]) -> Result<Self, Refusal> {
        let mut fields = Reader::new(content);
        fields.expect(tag::INTEGER)?;
        fields.expect(tag::SET)?;
        fields.expect(tag::SEQUENCE)?;
        let certificates = fields.optional(tag::constructed(0))?.map_or(&[][..], |set| set.value);
        let crls = fields.optional(tag::constructed(1))?.map_or(&[][..], |set| set.value);
        let signers = fields.expect(tag::SET)?;
        fields.end()?;
        Ok(Self { certificates, crls, is_signed: !signers.value.is_empty() })
    }
}

/// CertificateSet (RFC 5652, 10.2.3): certificates proper are SEQUENCEs; the other choices are of no use here.
fn read_certificates(set: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let mut set = Reader::new(set);
    let (mut count, mut others) = (0_usize, false);
    while !set.is_empty() {
        let element = set.any()?;
        if element.tag != tag::SEQUENCE {
            others = true;
            continue;
        }
        count += 1;
        let certificate = Certificate::parse(element.whole)
            .map_err(|refusal| inside(refusal, &format!("certificate {count}")))?;
        reading.add(Object::Certificate(certificate))?;
    }
    if others {
        reading.contents.findings.push(left_out("attribute certificates in it were left out"));
    }
    Ok(())
}

/// RevocationInfoChoices (RFC 5652, 10.2.1): lists are SEQUENCEs; nobody writes the others.
fn read_crls(set: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let mut set = Reader::new(set);
    while !set.is_empty() {
        let element = set.any()?;
        if element.tag == tag::SEQUENCE {
            let crl = Crl::parse(element.whole).map_err(|refusal| inside(refusal, "revocation list"))?;
            reading.add(Object::Crl(crl))?;
        }
    }
    Ok(())
}

/// Says in which part of the file it was.
pub(super) fn inside(refusal: Refusal, part: &str) -> Refusal {
    let place = if refusal.place.is_empty() { part.to_owned() } else { format!("{part}, {}", refusal.place) };
    refusal.at(place)
}

fn other_type(kind: Option<u8>) -> Refusal {
    let what = match kind {
        Some(DATA) => "it is PKCS#7 that holds plain data",
        Some(ENVELOPED_DATA | SIGNED_AND_ENVELOPED_DATA) => {
            "it is a PKCS#7 message encrypted for somebody (EnvelopedData)"
        }
        Some(DIGESTED_DATA) => "it is PKCS#7 that holds data with a checksum",
        Some(ENCRYPTED_DATA) => "it is PKCS#7 that holds data under a passphrase",
        Some(_) | None => "it is PKCS#7 of a kind that holds no certificates",
    };
    Refusal::new("p7.type", what, "Ask for the certificates as PKCS#7 (.p7b), PEM or DER.")
}

fn no_content() -> Refusal {
    Refusal::new("p7.content", "the PKCS#7 file has no content", "Download or export the file again.")
}

fn no_certificates() -> Refusal {
    let what = "there is no certificate in the PKCS#7 file";
    Refusal::new("p7.no_certificates", what, "Export it again with its certificates.")
}

fn left_out(what: &str) -> Finding {
    Finding {
        code: "p7.left_out",
        severity: Severity::Warning,
        what: what.to_owned(),
        place: String::new(),
        repair: "Nothing, if you do not need them.".to_owned(),
    }
}

fn signed_message() -> Finding {
    Finding {
        code: "p7.signed",
        severity: Severity::Info,
        what: "it is a signed message; its certificates were taken, its signature was not looked at"
            .to_owned(),
        place: String::new(),
        repair: "Nothing.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pkcs7_write::{content_info, content_type};
    use crate::format;
    use crate::tlv::{sequence, tlv};

    fn code(bytes: &[u8]) -> &'static str {
        format::read(bytes, None).err().map_or("", |refusal| refusal.code)
    }

    /// A SignedData with these certificates, revocation lists and signers.
    fn signed(certificates: &[u8], crls: &[u8]) -> Vec<u8> {
        let empty = tlv(0x31, &[]);
        let data = sequence(&[&content_type(super::DATA)]);
        let sets = [tlv(0xa0, &[certificates]), tlv(0xa1, &[crls])].concat();
        content_info(super::SIGNED_DATA, &sequence(&[&[2, 1, 1], &empty, &data, &sets, &empty]))
    }

    #[test]
    fn what_holds_no_certificates_is_refused_with_the_reason() {
        assert_eq!(code(&signed(&[], &[])), "p7.no_certificates");
        assert_eq!(code(&signed(&[0xa1, 2, 5, 0], &[])), "p7.no_certificates", "an attribute certificate");
        for kind in
            [super::DATA, super::ENVELOPED_DATA, super::SIGNED_AND_ENVELOPED_DATA, super::ENCRYPTED_DATA]
        {
            assert_eq!(code(&content_info(kind, &sequence(&[]))), "p7.type");
        }
        for content in [&[][..], &[0xa0, 0], &[0xa0, 2, 5, 0]] {
            assert_eq!(code(&sequence(&[&content_type(super::SIGNED_DATA), content])), "p7.content");
        }
    }

    #[test]
    fn damage_is_refused_where_it_is() {
        assert_eq!(code(&signed(&[0x30, 0], &[])), "cert.syntax");
        let refusal = format::read(&signed(&[0x30, 0], &[]), None).err().unwrap();
        assert!(refusal.place.starts_with("certificate 1"), "{}", refusal.place);
        assert_eq!(code(&content_info(super::SIGNED_DATA, &sequence(&[]))), "der.truncated");
        let sound = signed(&[], &[]);
        assert_eq!(code(&sound[..sound.len() - 1]), "der.truncated");
        assert_eq!(code(&[&sound[..], &[0]].concat()), "der.trailing");
        let deep = (0..1000).fold(vec![5, 0], |inner, _| sequence(&[&inner]));
        assert_eq!(code(&signed(&deep, &[])), "der.depth");
    }
}
