//! PEM (RFC 7468) as it is found: any text around the blocks, any line ends, one line or many; also in UTF-16, as
//! Windows' PowerShell writes what is redirected into a file.
//!
//! One pass over the bytes; each block ends at the next dashes, whatever they are.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::dek_info::{self, OldEncryption};
use super::faults::Faults;
use super::passphrases::Lock;
use super::{
    Format, KdfBudget, MAX_CERTIFICATES, Reading, no_cost, openssl_trusted, pbe, pkcs1, pkcs7, pkcs8, pkcs12,
    sec1, x509,
};
use crate::tlv::tag;
use crate::{Finding, Refusal, Severity};

pub(super) const FORMAT: Format = Format { name: "pem", sniff: is_pem, charge: no_cost, read };

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// Labels are words in capitals; none that exists is longer.
const MAX_LABEL: usize = 64;
/// Blocks in one file, at most, with those that are left out.
const MAX_BLOCKS: usize = 20_000;
/// Kinds of blocks that are left out and told one by one, at most.
const MAX_TOLD: usize = 10;

/// What to make of a label.
enum Meaning {
    Read(&'static Format),
    /// Says nothing that the other blocks do not say.
    Skip,
    /// Is left out, and said.
    LeaveOut,
}

fn meaning(label: &str) -> Result<Meaning, Refusal> {
    Ok(match label {
        "CERTIFICATE" | "X509 CERTIFICATE" => Meaning::Read(&x509::CERTIFICATE),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Meaning::Read(&x509::CSR),
        "X509 CRL" | "CRL" => Meaning::Read(&x509::CRL),
        "TRUSTED CERTIFICATE" => Meaning::Read(&openssl_trusted::FORMAT),
        "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => Meaning::Read(&pkcs7::FORMAT),
        "PKCS12" => Meaning::Read(&pkcs12::FORMAT),
        "PRIVATE KEY" => Meaning::Read(&pkcs8::PLAIN),
        "ENCRYPTED PRIVATE KEY" => Meaning::Read(&pkcs8::ENCRYPTED),
        "RSA PRIVATE KEY" => Meaning::Read(&pkcs1::FORMAT),
        "EC PRIVATE KEY" => Meaning::Read(&sec1::FORMAT),
        "EC PARAMETERS" => Meaning::Skip,
        other if other.ends_with("PRIVATE KEY") => return Err(unknown_key(other)),
        _ => Meaning::LeaveOut,
    })
}

fn is_pem(bytes: &[u8]) -> bool {
    of_octets(bytes, |text| find(text, BEGIN).is_some())
}

fn read(bytes: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    of_octets(bytes, |text| read_text(text, reading))
}

/// What base64 without its BEGIN and END lines holds, as CAs answer in forms and in JSON: something in DER.
pub(super) fn of_bare_base64(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    is_bare_base64(bytes).then(|| decode(bytes).ok()).flatten()
}

/// Whether it is nothing but base64, of the beginning of something in DER.
pub(super) fn is_bare_base64(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=\r\n \t".contains(octet);
    text.starts_with(b"MI") && text.iter().all(is_base64)
}

/// Looks at a text with one octet for each character. UTF-16 is told by the mark in front of it, or by the zero beside
/// its first two characters; what is beyond Latin-1 stays no ASCII. The copy is wiped: there may be a key in it.
fn of_octets<T>(bytes: &[u8], look: impl FnOnce(&[u8]) -> T) -> T {
    let (units, order): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, units @ ..] => (units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => (units, u16::from_be_bytes),
        [1..=u8::MAX, 0, 1..=u8::MAX, 0, ..] => (bytes, u16::from_le_bytes),
        [0, 1..=u8::MAX, 0, 1..=u8::MAX, ..] => (bytes, u16::from_be_bytes),
        _ => return look(bytes),
    };
    let mut text = Zeroizing::new(Vec::with_capacity(units.len() / 2));
    text.extend(units.as_chunks().0.iter().map(|unit| u8::try_from(order(*unit)).unwrap_or(u8::MAX)));
    look(&text)
}

fn read_text(bytes: &[u8], reading: &mut Reading<'_>) -> Result<(), Refusal> {
    let blocks = blocks(bytes)?;
    let certificates = blocks.iter().filter(|block| block.label.ends_with("CERTIFICATE")).count();
    if certificates > MAX_CERTIFICATES {
        let what =
            format!("the file holds {certificates} certificates; at most {MAX_CERTIFICATES} are taken");
        return Err(Refusal::new("limit.cert_count", what, "Split the file."));
    }
    let mut faults = Faults::default();
    // All costs are summed before the first key is derived.
    let mut readable = Vec::with_capacity(blocks.len());
    for block in &blocks {
        match block.prepare(&mut reading.budget) {
            Ok(Some(format)) => readable.push((block, format)),
            Ok(None) => {}
            Err(refusal) => faults.note(block.locate(refusal))?,
        }
    }
    reading.contents.findings.extend(left_out(&blocks));
    if readable.is_empty() && faults.is_empty() {
        return Err(nothing_readable(&blocks));
    }
    for (block, format) in readable {
        if let Err(refusal) = block.read(format, reading) {
            // Whatever was in this block, there are others.
            reading.contents.is_looked_through = false;
            faults.note(block.locate(refusal))?;
        }
    }
    faults.settle(&mut reading.contents)
}

/// One block: what it says it is, what is in it, and where it began.
struct Block {
    label: String,
    /// Encrypted, if `encryption` says so.
    der: Zeroizing<Vec<u8>>,
    encryption: Option<OldEncryption>,
    /// Why nothing is in it, if it could not be decoded.
    fault: Option<Refusal>,
    line: usize,
}

impl Block {
    /// Looks at it from outside, and charges what reading it would cost: the format to read it as, none for what is
    /// not read.
    fn prepare(&self, budget: &mut KdfBudget) -> Result<Option<&'static Format>, Refusal> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        match meaning(&self.label)? {
            Meaning::Read(format) => {
                let format = self.by_content(format);
                self.check(format)?;
                (format.charge)(&self.der, budget)?;
                Ok(Some(format))
            }
            Meaning::Skip | Meaning::LeaveOut => Ok(None),
        }
    }

    /// Some CAs send PKCS#7 under the label of a certificate.
    fn by_content(&self, labelled: &'static Format) -> &'static Format {
        let is_disguised = self.label.ends_with("CERTIFICATE") && (pkcs7::FORMAT.sniff)(&self.der);
        if is_disguised { &pkcs7::FORMAT } else { labelled }
    }

    /// The content must be what the label says.
    fn check(&self, format: &Format) -> Result<(), Refusal> {
        if self.encryption.is_some() {
            return match self.label.as_str() {
                "RSA PRIVATE KEY" | "EC PRIVATE KEY" => super::check_key_size(&self.der),
                _ => Err(dek_info::misplaced()),
            };
        }
        if (format.sniff)(&self.der) {
            return Ok(());
        }
        if self.der.first() == Some(&tag::SEQUENCE) {
            super::der::check(&self.der)?;
        }
        let what = format!("what stands under the label {} is something else", self.label);
        Err(Refusal::new(
            "pem.label",
            what,
            "Give the block the label of its content, or send the file as it was.",
        ))
    }

    fn read(&self, format: &Format, reading: &mut Reading<'_>) -> Result<(), Refusal> {
        let Some(encryption) = &self.encryption else {
            return (format.read)(&self.der, reading);
        };
        let opened = reading.open(&Lock::free(), |passphrase| {
            let plain = encryption.decrypt(passphrase.text(), &self.der)?;
            let is_sensible = (format.sniff)(&plain) && super::der::check(&plain).is_ok();
            if is_sensible { Ok(plain) } else { Err(pbe::wrong_passphrase()) }
        })?;
        let plain = opened.ok_or_else(|| reading.closed("the private key is encrypted"))?;
        reading.contents.findings.push(dek_info::weak(format!("{} in line {}", self.label, self.line)));
        (format.read)(&plain, reading)
    }

    fn locate(&self, refusal: Refusal) -> Refusal {
        let place = match refusal.place.as_str() {
            "" => format!("{} in line {}", self.label, self.line),
            inner => format!("{} in line {}, {inner}", self.label, self.line),
        };
        refusal.at(place)
    }
}

/// Finds all blocks.
fn blocks(bytes: &[u8]) -> Result<Vec<Block>, Refusal> {
    let mut blocks = Vec::new();
    let mut lines = LineCount { bytes, seen: 0, line: 1 };
    let mut position = 0;
    while let Some(found) = find(&bytes[position..], BEGIN) {
        let begin = position + found;
        let line = lines.at(begin);
        let (block, end) =
            read_block(bytes, begin, line).map_err(|refusal| refusal.at(format!("line {line}")))?;
        if blocks.len() == MAX_BLOCKS {
            let what = format!("the file has more than {MAX_BLOCKS} blocks");
            let repair = "Send the certificates and keys without anything else.";
            return Err(Refusal::new("input.too_large", what, repair).at(format!("line {line}")));
        }
        blocks.push(block);
        position = end;
    }
    Ok(blocks)
}

/// Reads the block whose BEGIN stands at `begin`; gives the position after it, too.
fn read_block(bytes: &[u8], begin: usize, line: usize) -> Result<(Block, usize), Refusal> {
    let (label, body_start) = read_label(bytes, begin + BEGIN.len()).ok_or_else(truncated)?;
    let body_length = find(&bytes[body_start..], DASHES).ok_or_else(truncated)?;
    let end = body_start + body_length;
    if !bytes[end..].starts_with(END) {
        return Err(truncated());
    }
    let (end_label, after) = read_label(bytes, end + END.len()).ok_or_else(truncated)?;
    if end_label != label {
        let what = format!("the block begins as {label} and ends as {end_label}");
        return Err(Refusal::new(
            "pem.label",
            what,
            "Copy the whole block, from its BEGIN line to its END line.",
        ));
    }
    if let Ok(Meaning::LeaveOut) = meaning(&label) {
        // Whatever stands in it: PGP has a checksum there.
        let der = Zeroizing::default();
        return Ok((Block { label, der, encryption: None, fault: None, line }, after));
    }
    let decoded = dek_info::split(&bytes[body_start..end])
        .and_then(|(encryption, base64)| decode(base64).map(|der| (encryption, der)));
    let (encryption, der, fault) = match decoded {
        Ok((encryption, der)) => (encryption, der, None),
        Err(refusal) => (None, Zeroizing::default(), Some(refusal)),
    };
    Ok((Block { label, der, encryption, fault, line }, after))
}

/// The label up to its closing dashes, and the position after them.
fn read_label(bytes: &[u8], start: usize) -> Option<(String, usize)> {
    let window = &bytes[start..bytes.len().min(start + MAX_LABEL + DASHES.len())];
    let length = find(window, DASHES)?;
    let label = &window[..length];
    let is_plain = !label.is_empty() && label.iter().all(|byte| matches!(byte, b' '..=b'~'));
    is_plain.then(|| (String::from_utf8_lossy(label).into_owned(), start + length + DASHES.len()))
}

/// Base64 with white space anywhere, also as JSON and environment files write it (`\n`); the padding must be right where
/// it is given.
fn decode(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut out = Zeroizing::new(Vec::with_capacity(body.len() / 4 * 3 + 3));
    let (mut bits, mut count, mut padding) = (0_u32, 0_usize, 0_usize);
    let mut octets = body.iter();
    while let Some(byte) = octets.next() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'\\' if matches!(octets.next(), Some(b'n' | b'r' | b't')) => continue,
            _ => return Err(bad_base64()),
        };
        if padding > 0 {
            return Err(bad_base64());
        }
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count.is_multiple_of(4) {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            bits = 0;
        }
    }
    match (count % 4, padding) {
        (0, 0) => {}
        (2, 0 | 2) => out.push((bits >> 4) as u8),
        (3, 0 | 1) => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => return Err(bad_base64()),
    }
    if out.is_empty() { Err(bad_base64()) } else { Ok(out) }
}

/// The first place of `needle`, in one pass: it begins with a byte that is rare in what we read.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let mut position = 0;
    while let Some(found) = bytes[position..].iter().position(|byte| *byte == needle[0]) {
        position += found;
        if bytes[position..].starts_with(needle) {
            return Some(position);
        }
        position += 1;
    }
    None
}

/// Counts lines as far as asked; positions only grow.
struct LineCount<'a> {
    bytes: &'a [u8],
    seen: usize,
    line: usize,
}

impl LineCount<'_> {
    fn at(&mut self, position: usize) -> usize {
        self.line += self.bytes[self.seen..position].iter().filter(|byte| **byte == b'\n').count();
        self.seen = position;
        self.line
    }
}

fn truncated() -> Refusal {
    Refusal::new("pem.truncated", "a block has no END line", "Copy the whole block, from BEGIN to END.")
}

fn bad_base64() -> Refusal {
    Refusal::new(
        "pem.base64",
        "what stands between BEGIN and END is not base64",
        "Copy the block again, unchanged.",
    )
}

fn unknown_key(label: &str) -> Refusal {
    let what = format!("a private key of the kind {label} is not read here");
    let repair = match label {
        "OPENSSH PRIVATE KEY" => {
            "Write a copy of it as PKCS#8: `ssh-keygen -p -m PKCS8 -f COPY`; RSA and EC (P-256, P-384) keys are taken."
        }
        _ => "Ask whoever made it for PKCS#8; RSA, EC (P-256, P-384) and Ed25519 keys are taken.",
    };
    Refusal::new("key.algorithm", what, repair)
}

/// Says what was left out: each kind once, with the line of its first.
fn left_out(blocks: &[Block]) -> Vec<Finding> {
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for block in blocks {
        if let Ok(Meaning::LeaveOut) = meaning(&block.label) {
            kinds.entry(&block.label).or_insert((block.line, 0)).1 += 1;
        }
    }
    let more = kinds.len().saturating_sub(MAX_TOLD);
    let mut told: Vec<Finding> = kinds.into_iter().take(MAX_TOLD).map(left_out_finding).collect();
    if let Some(last) = told.last_mut().filter(|_| more > 0) {
        last.what.push_str(&format!("; so were those of {more} other kinds"));
    }
    told
}

fn left_out_finding((label, (line, count)): (&str, (usize, usize))) -> Finding {
    let what = match count {
        1 => format!("a block of the kind {label} is not read here and was left out"),
        _ => format!("blocks of the kind {label} ({count}) are not read here and were left out"),
    };
    Finding {
        code: "pem.left_out",
        severity: Severity::Warning,
        what,
        place: format!("line {line}"),
        repair: "Nothing, if you do not need it.".to_owned(),
    }
}

fn nothing_readable(blocks: &[Block]) -> Refusal {
    let labels: Vec<&str> = blocks.iter().map(|block| block.label.as_str()).take(3).collect();
    Refusal::new(
        "input.unrecognised",
        format!("there is nothing in it that is read here, only {}", labels.join(", ")),
        "Send a certificate, certificate request or private key.",
    )
}
