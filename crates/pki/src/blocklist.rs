//! A list of keys whose private half everybody has: made by a broken generator, or published.
//!
//! Such lists are too large to ship. An operator loads one; `docs/manual/keys.md` describes both forms: the binary one
//! is that of `badkeys` (its `blocklist.dat`), the other is text with one hash to a line.

use std::fmt;

use crate::identity::sha256;
use crate::public_key::PublicKeyKind;
use crate::tlv::{Reader, only, tag};
use crate::{PublicKey, Refusal};

/// The longest list that is taken, in octets. It stays in memory, one octet there for one octet of a binary list.
pub const MAX_BLOCKLIST: usize = 256 << 20;

/// Octets of a hash that count; the rest of a longer one is not looked at. 120 bits meet by chance never.
const LONGEST: usize = 15;
/// Octets of the shortest hash in a text: among a billion of them, one sound key in 10^10 would be refused.
const SHORTEST: usize = 8;

/// The first octets of a hash, filled up with zeros, and how many of them count.
type Row = [u8; LONGEST + 1];

/// Hashes of keys that nobody may use.
#[derive(Clone, Default)]
pub struct Blocklist {
    /// Sorted.
    rows: Vec<Row>,
    /// How many octets count in some row: each is looked up on its own.
    lengths: Vec<u8>,
}

impl Blocklist {
    /// Reads a list.
    ///
    /// Text: one SHA-256 in hexadecimal to a line, of the number or of the SubjectPublicKeyInfo, in any order; 16
    /// digits or more, a cut-off one is compared as far as it goes. After a blank or `;` anything may follow; lines
    /// that are blank or begin with `#` are skipped. Binary: rows of 16 octets, sorted, 15 of them the beginning of the
    /// SHA-256 of the number and one that says who collected it.
    ///
    /// The *number* is what `badkeys` takes: the modulus of RSA, the x coordinate of EC, the whole key of Ed25519, each
    /// big-endian without leading zeros.
    ///
    /// # Errors
    /// `input.empty`, `input.too_large` (over [`MAX_BLOCKLIST`]), `blocklist.syntax`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Err(Refusal::new("input.empty", "the list of keys is empty", "Load it again."));
        }
        if bytes.len() > MAX_BLOCKLIST {
            let what =
                format!("the list of keys has {} bytes; at most {MAX_BLOCKLIST} are taken", bytes.len());
            return Err(Refusal::new("input.too_large", what, "Write it in the binary form, or split it."));
        }
        if is_text(bytes) { parse_text(bytes) } else { parse_binary(bytes) }
    }

    /// How many hashes are in it.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the key is in it; some twenty comparisons, whatever its length.
    pub fn contains(&self, key: &PublicKey) -> bool {
        if self.rows.is_empty() {
            return false;
        }
        let of_number = number(key).map(sha256);
        of_number.is_some_and(|hash| self.has(&hash)) || self.has(&key.id().0)
    }

    /// Refuses a key that is in it: `key.weak.blocklist`.
    pub fn refuse(&self, key: &PublicKey) -> Result<(), Refusal> {
        if !self.contains(key) {
            return Ok(());
        }
        let what = "the key is on the list of keys whose private half is known to everybody";
        let repair = "Make a new key elsewhere, and revoke every certificate of this one.";
        Err(Refusal::new("key.weak.blocklist", what, repair).at(format!("key {}", key.id())))
    }

    fn has(&self, hash: &[u8; 32]) -> bool {
        self.lengths.iter().any(|length| self.rows.binary_search(&row(hash, usize::from(*length))).is_ok())
    }

    fn of_rows(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        let used = |length: &u8| rows.iter().any(|row| row[LONGEST] == *length);
        // At most eight searches; they end early, for lists are of one length.
        let lengths = (SHORTEST as u8..=LONGEST as u8).filter(used).collect();
        Self { rows, lengths }
    }
}

impl fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocklist({} keys)", self.rows.len())
    }
}

/// What identifies a key however it was encoded.
fn number(key: &PublicKey) -> Option<&[u8]> {
    let bits = key.key_bits();
    let whole = match key.kind() {
        PublicKeyKind::Rsa { .. } => {
            Reader::new(only(bits, tag::SEQUENCE).ok()?.value).expect(tag::INTEGER).ok()?.value
        }
        // After the octet of the form comes x; in the long form, y has the same length.
        PublicKeyKind::Ec(_) => match bits.split_first()? {
            (4, both) => &both[..both.len() / 2],
            (_, x) => x,
        },
        PublicKeyKind::Ed25519 => bits,
        PublicKeyKind::Other(_) => return Some(bits),
    };
    let zeros = whole.iter().take_while(|octet| **octet == 0).count();
    Some(&whole[zeros..])
}

fn row(hash: &[u8], length: usize) -> Row {
    let mut row = [0; LONGEST + 1];
    row[..length].copy_from_slice(&hash[..length]);
    // At most 15.
    row[LONGEST] = length as u8;
    row
}

/// Sixteen octets of a hash that are all visible ASCII are one in ten million; a list has more than one row, or its
/// first line is no hash and the answer is a refusal anyway.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(4096)];
    start.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e) || *byte >= 0x80)
        && std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn parse_text(bytes: &[u8]) -> Result<Blocklist, Refusal> {
    let mut rows = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t' | b';')).unwrap_or(line.len());
        rows.push(parse_hash(&line[..end]).ok_or_else(|| bad_line(index + 1))?);
    }
    if rows.is_empty() {
        return Err(syntax("there is no hash in the list of keys"));
    }
    Ok(Blocklist::of_rows(rows))
}

fn parse_hash(digits: &[u8]) -> Option<Row> {
    if !digits.len().is_multiple_of(2) || !(2 * SHORTEST..=64).contains(&digits.len()) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut hash = [0; 32];
    for (octet, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        // Two digits of four bits each.
        *octet = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(row(&hash, (digits.len() / 2).min(LONGEST)))
}

fn parse_binary(bytes: &[u8]) -> Result<Blocklist, Refusal> {
    let (found, rest) = bytes.as_chunks::<{ LONGEST + 1 }>();
    if !rest.is_empty() {
        return Err(syntax("a binary list of keys consists of rows of 16 bytes, and this one does not"));
    }
    // The order is the only sign that this is a list at all.
    if !found.is_sorted_by(|one, next| one[..LONGEST] <= next[..LONGEST]) {
        return Err(syntax("the rows of a binary list of keys ascend, and these do not"));
    }
    Ok(Blocklist::of_rows(found.iter().map(|found| row(found, LONGEST)).collect()))
}

fn bad_line(line: usize) -> Refusal {
    syntax("a line of the list of keys does not begin with 16 to 64 hexadecimal digits")
        .at(format!("line {line}"))
}

fn syntax(what: &str) -> Refusal {
    Refusal::new(
        "blocklist.syntax",
        what,
        "Use badkeys' blocklist.dat, or a text with one SHA-256 to a line.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::hex;
    use crate::{KeyAlgorithm, Signer, testing};

    fn hash_of_number(key: &PublicKey) -> [u8; 32] {
        sha256(number(key).unwrap())
    }

    fn code(bytes: &[u8]) -> &'static str {
        Blocklist::parse(bytes).err().map_or("taken", |refusal| refusal.code)
    }

    #[test]
    fn every_kind_of_key_is_found_by_its_number_and_by_its_hash() {
        for algorithm in KeyAlgorithm::ALL {
            let (listed, other) = (testing::signer(algorithm), testing::signer(KeyAlgorithm::EcP256));
            let key = listed.public_key();
            for hash in [hash_of_number(key), key.id().0] {
                for digits in [16, 20, 30, 40, 64] {
                    let text =
                        format!("# a list\r\n\n{}; who knows\n{}\n", &hex(&hash)[..digits], "0f".repeat(32));
                    let list = Blocklist::parse(text.as_bytes()).unwrap();
                    assert_eq!(list.len(), 2);
                    assert!(list.contains(key), "{algorithm:?}, {digits} digits");
                    assert!(!list.contains(other.public_key()));
                    assert_eq!(list.refuse(key).unwrap_err().code, "key.weak.blocklist");
                    assert_eq!(list.refuse(other.public_key()), Ok(()));
                }
            }
        }
        assert!(!Blocklist::default().contains(testing::signer(KeyAlgorithm::Ed25519).public_key()));
    }

    #[test]
    fn the_list_of_badkeys_is_read() {
        let keys: Vec<_> = (0..100).map(|_| testing::signer(KeyAlgorithm::EcP256)).collect();
        let (listed, others) = keys.split_at(60);
        let mut rows: Vec<Vec<u8>> =
            listed.iter().map(|key| hash_of_number(key.public_key())[..15].to_vec()).collect();
        rows.sort();
        let file: Vec<u8> = rows.iter().flat_map(|row| [&row[..], &[7]].concat()).collect();
        let list = Blocklist::parse(&file).unwrap();
        assert!(listed.iter().all(|key| list.contains(key.public_key())));
        assert!(!others.iter().any(|key| list.contains(key.public_key())));
        rows.reverse();
        let unsorted: Vec<u8> = rows.iter().flat_map(|row| [&row[..], &[7]].concat()).collect();
        assert_eq!(code(&unsorted), "blocklist.syntax");
        assert_eq!(code(&file[1..]), "blocklist.syntax");
    }

    #[test]
    fn the_number_has_no_leading_zeros_and_does_not_depend_on_the_encoding() {
        let (rsa, ec) = (testing::signer(KeyAlgorithm::Rsa2048), testing::signer(KeyAlgorithm::EcP256));
        let modulus = number(rsa.public_key()).unwrap();
        assert_eq!((modulus.len(), modulus[0] >= 0x80), (256, true));
        let long = ec.public_key();
        let point = long.key_bits();
        let form = 2 + (point[64] & 1);
        let compressed = [&long.spki_der()[..long.spki_der().len() - 65], &[form], &point[1..33]].concat();
        // The lengths of the SEQUENCE and of the BIT STRING are 32 less.
        let mut compressed = compressed;
        compressed[1] -= 32;
        let bits = compressed.len() - 35;
        compressed[bits] -= 32;
        let compressed = PublicKey::from_spki_der(&compressed).unwrap();
        assert_ne!(compressed.id(), long.id());
        assert_eq!(number(&compressed), number(long));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert_eq!(code(b""), "input.empty");
        assert_eq!(code(b"# nothing\n"), "blocklist.syntax");
        for line in ["0123456789abcde", "0123456789abcde ", "xx23456789abcdef", &"0".repeat(66), "ü"] {
            let refusal = Blocklist::parse(format!("# one\n{line}").as_bytes()).unwrap_err();
            assert_eq!((refusal.code, refusal.place.as_str()), ("blocklist.syntax", "line 2"), "{line}");
        }
        assert_eq!(code(&[0; 17]), "blocklist.syntax");
    }
}
