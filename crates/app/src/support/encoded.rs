//! Bytes that stand in a text: base64, as mail and PEM have them or as addresses do, and hexadecimal.

/// Letters below which a run of base64 is a word, not a file.
const LEAST: usize = 64;

/// What stands in these bytes as text, decoded; each with the name of its way.
pub(super) fn decode(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = Vec::new();
    found.extend(hexadecimal(bytes).map(|decoded| ("hexadecimal", decoded)));
    let mut run = Run::default();
    let mut end = |run: &mut Run| found.extend(run.end().into_iter().map(|decoded| ("base64", decoded)));
    for (at, octet) in bytes.iter().enumerate() {
        match (value(*octet), octet) {
            (Some(value), _) => run.push(value),
            // Lines are broken anywhere, but an empty one parts what stands before from what stands behind.
            (None, b'\n') if run.was_broken => end(&mut run),
            (None, b'\n') => run.line_breaks(),
            (None, b'\r') => {}
            // Blanks only begin or end a line.
            (None, b' ' | b'\t' | b'>') if at.checked_sub(1).is_none_or(|at| is_break(bytes, at)) => {}
            (None, _) => end(&mut run),
        }
    }
    end(&mut run);
    found
}

/// Whether a line ends at this octet, or only blanks stand between.
fn is_break(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|octet| matches!(octet, b'\r' | b'\n' | b' ' | b'\t' | b'>'))
}

/// The six bits of a letter of base64, as mail or as an address writes it (RFC 4648, 4 and 5).
fn value(octet: u8) -> Option<u8> {
    match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Letters of base64 in a row, each as its six bits.
#[derive(Default)]
struct Run {
    letters: Vec<u8>,
    /// Whether a line ended just now.
    was_broken: bool,
    /// Whether a line ended somewhere in it.
    has_lines: bool,
}

impl Run {
    fn push(&mut self, value: u8) {
        self.letters.push(value);
        self.was_broken = false;
    }

    fn line_breaks(&mut self) {
        self.was_broken = true;
        self.has_lines |= !self.letters.is_empty();
    }

    /// What was in it, if it was long enough to be a file. Where it has several lines, the first may have been a word
    /// that only stood before: then the file begins at another letter.
    fn end(&mut self) -> Vec<Vec<u8>> {
        let run = std::mem::take(self);
        if run.letters.len() < LEAST {
            return Vec::new();
        }
        let starts = if run.has_lines { 4 } else { 1 };
        (0..starts).map(|start| octets(run.letters.get(start..).unwrap_or_default())).collect()
    }
}

/// Four letters are three octets; what is left over at the end is as many as it fills.
fn octets(letters: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(letters.len() / 4 * 3 + 3);
    for group in letters.chunks(4) {
        let letter = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = letter(0) << 18 | letter(1) << 12 | letter(2) << 6 | letter(3);
        let [_, octets @ ..] = bits.to_be_bytes();
        decoded.extend(octets.iter().take(group.len().saturating_sub(1)));
    }
    decoded
}

/// The whole of it as hexadecimal digits, with colons, commas and blanks between.
fn hexadecimal(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::new();
    for octet in bytes {
        match char::from(*octet).to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if matches!(octet, b':' | b',' | b' ' | b'\t' | b'\r' | b'\n') => {}
            None => return None,
        }
    }
    let pairs = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    (digits.len() >= LEAST).then(|| pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_with_an_attachment_is_decoded_whatever_its_line_length() {
        // 60 octets: the alphabet that base64 writes as one letter each.
        let plain: Vec<u8> = (0..60).collect();
        let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7";
        for before in ["Subject: hello\r\n\r\n", "hello\n"] {
            let mail = format!("{before}  {}\r\n> {}=\r\n.\r\n", &text[..30], &text[30..]);
            let found = decode(mail.as_bytes());
            assert!(
                found.iter().any(|(way, octets)| *way == "base64" && octets.ends_with(&plain)),
                "{found:?}"
            );
        }
        let octets: Vec<u8> = (0..60).map(|at| 0xff - at).collect();
        let text = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXE";
        assert!(decode(format!("https://a.example/?k={text}").as_bytes()).contains(&("base64", octets)));
        let hex: String = plain.iter().map(|octet| format!("{octet:02X}:")).collect();
        assert!(decode(hex.as_bytes()).contains(&("hexadecimal", plain)));
    }

    #[test]
    fn words_are_no_files() {
        assert!(decode(b"Exporting certificates does not remove them from the appliance.").is_empty());
        assert!(decode(b"").is_empty());
    }
}
