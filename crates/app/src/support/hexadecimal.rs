//! Bytes that a program wrote as hexadecimal digits: dumps with offsets, arrays of a programming language, columns with
//! colons, or digits and nothing else.

/// Octets below which digits are a checksum or a number, not a file.
const LEAST: usize = 32;

/// What stands in these bytes as hexadecimal digits, decoded.
pub(super) fn decode(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = dumps(bytes);
    match whole(bytes) {
        Some(decoded) => found.push(decoded),
        None => found.extend(runs(bytes)),
    }
    found.retain(|decoded| decoded.len() >= LEAST);
    found
}

fn digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The octets of an even number of digits.
fn octets(digits: &[u8]) -> impl Iterator<Item = u8> {
    let (pairs, _) = digits.as_chunks::<2>();
    pairs.iter().map(|[high, low]| digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0))
}

/// The whole of it as digits, with colons, commas and blanks anywhere between.
fn whole(bytes: &[u8]) -> Option<Vec<u8>> {
    let is_between = |octet: &u8| matches!(octet, b':' | b',' | b' ' | b'\t' | b'\r' | b'\n');
    let is_hexadecimal = bytes.iter().all(|octet| octet.is_ascii_hexdigit() || is_between(octet));
    let digits = || bytes.iter().copied().filter(u8::is_ascii_hexdigit).collect::<Vec<u8>>();
    is_hexadecimal.then(|| octets(&digits()).collect())
}

/// Numbers in a row, as `3082..`, `30:82:..`, `0x30, 0x82, ..` or `\x30\x82..`, over as many lines as they fill.
fn runs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut run = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let length = match number(rest) {
            Some((length, digits)) => {
                if digits.len() == 1 {
                    run.extend(digit(digits[0]));
                }
                run.extend(octets(digits));
                length
            }
            None if matches!(first, b':' | b',' | b' ' | b'\t' | b'\r' | b'\n' | b'"') => 1,
            None => {
                end(&mut run, &mut found);
                word(rest).max(1)
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    end(&mut run, &mut found);
    found
}

fn end(run: &mut Vec<u8>, found: &mut Vec<Vec<u8>>) {
    if run.len() >= LEAST {
        found.push(std::mem::take(run));
    }
    run.clear();
}

/// The number that begins here: how long it is, and its digits. It has an even number of them; only where it says that
/// it is hexadecimal, it may have one.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let is_marked = matches!(bytes, [b'0' | b'\\', b'x' | b'X', ..]);
    let begin = if is_marked { 2 } else { 0 };
    let digits = bytes.get(begin..)?;
    let count = digits.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    let digits = digits.get(..count)?;
    let length = begin + count;
    let is_apart = word(bytes.get(length..)?) == 0;
    let is_number = count > 0 && (count.is_multiple_of(2) || is_marked && count == 1);
    (is_number && is_apart).then_some((length, digits))
}

/// How many letters of a word, or of base64, stand here.
fn word(bytes: &[u8]) -> usize {
    let is_letter = |octet: &&u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'+' | b'/');
    bytes.iter().take_while(is_letter).count()
}

/// Dumps in rows, each with its offset in front, as `xxd`, `hexdump`, `od -t x1` and `Format-Hex` write them.
fn dumps(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut dump = Vec::new();
    for line in bytes.split(|octet| *octet == b'\n') {
        match row(line.trim_ascii()) {
            Some(octets) => dump.extend(octets),
            // Rows like the one before, which are left out.
            None if line.trim_ascii() == b"*" => {}
            None => end(&mut dump, &mut found),
        }
    }
    end(&mut dump, &mut found);
    found
}

/// The octets of one row; what stands behind them as letters is left away.
fn row(line: &[u8]) -> Option<Vec<u8>> {
    let offset = line.iter().take(17).take_while(|octet| octet.is_ascii_hexdigit()).count();
    let behind = line.get(offset..).filter(|_| (4..=16).contains(&offset))?;
    let colon = behind.strip_prefix(b":");
    let columns = colon.unwrap_or(behind);
    let columns = columns.strip_prefix(b" ")?.trim_ascii_start();
    let is_letters = |two: &[u8]| colon.is_some() && two == b"  ";
    let until = columns.windows(2).position(is_letters).unwrap_or(columns.len());
    let mut octets_of_row = Vec::new();
    for column in columns.get(..until)?.split(|octet| *octet == b' ').filter(|column| !column.is_empty()) {
        let is_full = colon.is_none() && octets_of_row.len() >= 16;
        if is_full || !column.len().is_multiple_of(2) || !column.iter().all(u8::is_ascii_hexdigit) {
            break;
        }
        // Without a colon, four digits are a number of two octets, the low one first in the file.
        let is_swapped = colon.is_none() && column.len() == 4;
        let column: Vec<u8> = octets(column).collect();
        if is_swapped {
            octets_of_row.extend(column.into_iter().rev());
        } else {
            octets_of_row.extend(column);
        }
    }
    (!octets_of_row.is_empty()).then_some(octets_of_row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty octets that are no letters.
    fn plain() -> Vec<u8> {
        (0..40).map(|at| at * 5 + 0x30).collect()
    }

    fn is_found(text: &str) {
        let found = decode(text.as_bytes());
        assert!(found.iter().any(|decoded| decoded.starts_with(&plain())), "{text}\n{found:02x?}");
    }

    #[test]
    fn dumps_of_every_program_are_decoded() {
        let rows = |row: &dyn Fn(usize, &[u8]) -> String| -> String {
            let chunks = plain();
            let lines = chunks.chunks(16).enumerate().map(|(at, octets)| row(at * 16, octets));
            format!("$ dump it\n{}\n", lines.collect::<Vec<_>>().join("\r\n"))
        };
        let spaced = |octets: &[u8]| octets.iter().map(|octet| format!(" {octet:02x}")).collect::<String>();
        let words = |octets: &[u8]| {
            octets.chunks(2).map(|two| format!(" {:02x}{:02x}", two[0], two[1])).collect::<String>()
        };
        let swapped = |octets: &[u8]| {
            octets.chunks(2).map(|two| format!(" {:02x}{:02x}", two[1], two[0])).collect::<String>()
        };
        is_found(&rows(&|at, octets| format!("{at:08x}:{}  0..ab cd", words(octets))));
        is_found(&rows(&|at, octets| format!("{at:08x} {} |ab cd ef|", spaced(octets))));
        is_found(&rows(&|at, octets| format!("{at:07o}{}", spaced(octets))));
        is_found(&rows(&|at, octets| format!("{at:07x}{}", swapped(octets))));
        is_found(&rows(&|at, octets| format!("          {at:016X}  {}  ab cd 0..", spaced(octets))));
    }

    #[test]
    fn arrays_and_columns_are_decoded() {
        let each = |form: &dyn Fn(&u8) -> String, between: &str| {
            plain().iter().map(form).collect::<Vec<_>>().join(between)
        };
        is_found(&format!(
            "unsigned char key[] = {{\n  {}\n}};\n",
            each(&|octet| format!("0x{octet:x}"), ", ")
        ));
        is_found(&format!("key = \"{}\"", each(&|octet| format!("\\x{octet:02X}"), "")));
        is_found(&format!("modulus:\n    {}\n", each(&|octet| format!("{octet:02x}"), ":\n")));
        is_found(&format!("[HEX DUMP]:{}\n", each(&|octet| format!("{octet:02X}"), "")));
        is_found(&each(&|octet| format!("{octet:02X}"), ""));
    }

    #[test]
    fn words_and_base64_are_no_digits() {
        assert!(decode(b"a dead beef is added to a cafe, 12 times").is_empty());
        let base64 = "MIIB".repeat(40) + "\n" + &"abcdef0123456789/".repeat(8) + "==";
        assert!(decode(base64.as_bytes()).is_empty());
        assert!(decode(b"").is_empty());
    }
}
