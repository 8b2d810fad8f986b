//! Private keys that a program has spelled out as text, number by number: OpenSSL and GnuTLS for people, BIND and
//! GnuPG for themselves.
//!
//! A name of such a number alone is no key: manuals are full of them. The number must stand behind it.

/// What stands before a secret number, in a line of its own.
const SECRETS: [&[u8]; 10] = [
    b"priv:",
    b"private key:",
    b"privateExponent:",
    b"private exponent:",
    b"prime1:",
    b"prime2:",
    b"exponent1:",
    b"exponent2:",
    b"exp1:",
    b"coefficient:",
];
/// What stands before a secret number in a `.private` file of BIND.
const BIND_SECRETS: [&[u8]; 4] = [b"PrivateExponent:", b"PrivateKey:", b"Private_value(x):", b"Key:"];
/// How keys begin in the files of GnuPG (libgcrypt's S-expressions).
const EXPRESSIONS: [&[u8]; 3] = [b"(private-key", b"(protected-private-key", b"(openpgp-private-key"];
/// The same in their canonical form, where each word is counted.
const COUNTED: [&[u8]; 3] = [b"(11:private-key(", b"(21:protected-private-key(", b"(19:openpgp-private-key("];
/// Lines of a structure that are looked at for what belongs to one key.
const WINDOW: usize = 64;

/// What kind of private key is spelled out here.
pub(super) fn private_key(bytes: &[u8]) -> Option<&'static str> {
    by_lines(bytes).or_else(|| gnupg(bytes).then_some("a private key (GnuPG)"))
}

fn by_lines(bytes: &[u8]) -> Option<&'static str> {
    let (mut is_secret, mut is_bind) = (false, false);
    let mut elements = Vec::new();
    for line in bytes.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        let secret = behind(line, &SECRETS);
        if is_secret && is_number(line) || secret.is_some_and(is_number) {
            return Some("a private key (spelled out as text)");
        }
        is_secret = secret.is_some_and(<[u8]>::is_empty);
        is_bind |= behind(line, &[b"Private-key-format:"]).is_some();
        if is_bind && behind(line, &BIND_SECRETS).is_some_and(is_base64) {
            return Some("a private key (BIND)");
        }
        elements.extend(Element::read(line));
    }
    (0..elements.len()).find_map(|at| structure(elements.get(at..(at + WINDOW).min(elements.len()))?))
}

/// What stands behind one of these names at the beginning of the line.
fn behind<'a>(line: &'a [u8], names: &[&[u8]]) -> Option<&'a [u8]> {
    let name = names
        .iter()
        .find(|name| line.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)))?;
    line.get(name.len()..).map(<[u8]>::trim_ascii)
}

/// Eight octets at least, with colons between.
fn is_number(line: &[u8]) -> bool {
    let digits = |group: &&[u8]| group.len() == 2 && group.iter().all(u8::is_ascii_hexdigit);
    line.split(|octet| *octet == b':').take_while(digits).take(8).count() == 8
}

fn is_base64(value: &[u8]) -> bool {
    let is_letter = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    value.len() >= 16 && value.iter().all(is_letter)
}

/// A key as GnuPG stores it: with a number in it, or in the form in which words are counted.
fn gnupg(bytes: &[u8]) -> bool {
    let starts = bytes.iter().enumerate().filter(|(_, octet)| **octet == b'(').map(|(at, _)| at);
    starts.filter_map(|at| bytes.get(at..)).any(|rest| {
        if COUNTED.iter().any(|known| rest.starts_with(known)) {
            return true;
        }
        let near = rest.get(..rest.len().min(512)).unwrap_or_default();
        let mut values = near.split(|octet| *octet == b'#').skip(1);
        let is_long = |value: &[u8]| value.iter().take_while(|octet| octet.is_ascii_hexdigit()).count() >= 16;
        EXPRESSIONS.iter().any(|known| rest.starts_with(known)) && values.any(is_long)
    })
}

/// One line of `openssl asn1parse`.
struct Element<'a> {
    depth: u32,
    kind: &'a [u8],
    value: &'a [u8],
}

impl<'a> Element<'a> {
    /// Reads `  2:d=1  hl=2 l=   1 prim: INTEGER           :00`.
    fn read(line: &'a [u8]) -> Option<Self> {
        let offset = line.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let rest = line.get(offset..)?.strip_prefix(b":d=")?;
        let end = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let depth = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
        let at = rest.windows(6).position(|six| six == b"prim: " || six == b"cons: ")?;
        let rest = rest.get(at + 6..)?;
        let colon = rest.iter().position(|octet| *octet == b':').unwrap_or(rest.len());
        let (kind, value) = rest.split_at_checked(colon)?;
        let kind = kind.trim_ascii();
        Some(Self { depth, kind: kind.strip_suffix(b"[HEX DUMP]").unwrap_or(kind).trim_ascii(), value })
    }

    fn is(&self, kind: &str) -> bool {
        self.kind == kind.as_bytes()
    }
}

/// The private key whose structure begins with the first of these; what [`super::marks`] knows of DER, line by line.
fn structure(elements: &[Element<'_>]) -> Option<&'static str> {
    const NAME: &str = "a private key (the output of openssl asn1parse)";
    let (outer, inner) = elements.split_first().filter(|(outer, _)| outer.is("SEQUENCE"))?;
    let mut fields = inner.iter().enumerate().take_while(|(_, one)| one.depth > outer.depth);
    let mut fields = fields.by_ref().filter(|(_, one)| one.depth == outer.depth + 1);
    let ((_, first), (at, second)) = (fields.next()?, fields.next()?);
    let third = fields.next().map(|(_, third)| third);
    let is_number = first.is("INTEGER") && matches!(first.value, b":00" | b":01");
    let named = |at: usize| inner.get(at + 1).filter(|one| one.is("OBJECT") && one.depth == outer.depth + 2);
    let is_key = if is_number && second.is("SEQUENCE") {
        named(at).is_some() && third.is_some_and(|third| third.is("OCTET STRING"))
    } else if is_number && second.is("OCTET STRING") {
        first.value == b":01" && third.is_none_or(|third| third.kind.starts_with(b"cont"))
    } else if is_number && second.is("INTEGER") {
        let has_three = third.is_some_and(|third| third.is("INTEGER"));
        has_three && fields.take_while(|(_, one)| one.is("INTEGER")).count() >= 3
    } else if first.is("SEQUENCE") {
        let scheme = named(0).map(|one| one.value);
        let is_password = scheme.is_some_and(|name| name.starts_with(b":PBE") || name.starts_with(b":pbe"));
        is_password && second.is("OCTET STRING") && third.is_none()
    } else {
        first.is("INTEGER")
            && first.value == b":03"
            && named(at).is_some_and(|one| one.value.starts_with(b":pkcs7"))
    };
    is_key.then_some(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secret_numbers_without_the_numbers_are_no_keys() {
        for text in [
            "The output has privateExponent:, prime1: and so on.\nPrivate-Key: (2048 bit)\nprime1:\nthe first prime\n",
            "priv:\npub:\n    04:56:f2:14:0b:91:6b:82:02\n",
            "modulus:\n    00:dc:3d:0f:ec:5d:0b:fd:41:e7\npublicExponent: 65537 (0x10001)\n",
            "Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: <base64>\n",
            "Such a key is (private-key (rsa (n N)(e E)(d D)(p P)(q Q)(u U))) in libgcrypt.",
            "(public-key (rsa (n #00B8085C0170B752C15EF260#)))",
        ] {
            assert_eq!(private_key(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn files_of_bind_and_gnupg_are_keys() {
        for text in [
            "Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U=\n",
            "Private-key-format: v1.3\r\nAlgorithm: 8 (RSASHA256)\r\nModulus: AAAA\r\nPrivateExponent: a2V5a2V5a2V5a2V5\r\n",
            "Created: 20261122T072717\nKey: (private-key (ecc (curve \"NIST P-256\")(q\n  #048AD7547C2B0DDA403622A0C7D9#)))",
            "(21:protected-private-key(3:rsa(1:n",
        ] {
            assert!(private_key(text.as_bytes()).is_some(), "{text}");
        }
    }
}
