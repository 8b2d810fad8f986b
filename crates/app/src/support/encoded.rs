//! Bytes that stand in a text: base64, as mail and PEM have them or as addresses do, and hexadecimal.

use super::hexadecimal;

/// Letters below which a run of base64 is a word, not a file.
const LEAST: usize = 64;

/// Takes what was decoded, and the name of its way.
type Part<'a, E> = &'a mut dyn FnMut(&'static str, &[u8]) -> Result<(), E>;

/// Hands on what stands in these bytes as text, decoded, one after the other.
///
/// # Errors
/// The first of `part`.
pub(super) fn decode<E>(bytes: &[u8], part: Part<'_, E>) -> Result<(), E> {
    for decoded in hexadecimal::decode(bytes) {
        part("hexadecimal", &decoded)?;
    }
    let mut run = Run::default();
    for (at, octet) in bytes.iter().enumerate() {
        match (value(*octet), octet) {
            (Some(value), _) => run.push(value),
            // Lines are broken anywhere, but an empty one parts what stands before from what stands behind.
            (None, b'\n') if run.was_broken => run.end(part)?,
            (None, b'\n') => run.line_breaks(),
            (None, b'\r') => {}
            // Blanks only begin or end a line.
            (None, b' ' | b'\t' | b'>') if at.checked_sub(1).is_none_or(|at| is_break(bytes, at)) => {}
            (None, _) => run.end(part)?,
        }
    }
    run.end(part)
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
    /// Whether a line begins behind so many letters, beyond a multiple of four.
    starts: [bool; 4],
}

impl Run {
    fn push(&mut self, value: u8) {
        self.letters.push(value);
        self.was_broken = false;
    }

    fn line_breaks(&mut self) {
        self.was_broken = true;
        if let Some(start) = self.starts.get_mut(self.letters.len() % 4) {
            *start = true;
        }
    }

    /// What was in it, if it was long enough to be a file. Where it has several lines, the first may have been a word
    /// that only stood before: then the file begins with another line.
    fn end<E>(&mut self, part: Part<'_, E>) -> Result<(), E> {
        let mut run = std::mem::take(self);
        if run.letters.len() < LEAST {
            return Ok(());
        }
        run.starts[0] = true;
        for (start, _) in run.starts.iter().enumerate().filter(|(_, begins)| **begins) {
            part("base64", &octets(run.letters.get(start..).unwrap_or_default()))?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut found = Vec::new();
        let mut part = |name, octets: &[u8]| {
            found.push((name, octets.to_vec()));
            Ok::<(), ()>(())
        };
        decode(bytes, &mut part).unwrap();
        found
    }

    #[test]
    fn a_mail_with_an_attachment_is_decoded_whatever_its_line_length() {
        // 60 octets: the alphabet that base64 writes as one letter each.
        let plain: Vec<u8> = (0..60).collect();
        let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7";
        for before in ["Subject: hello\r\n\r\n", "hello\n"] {
            let mail = format!("{before}  {}\r\n> {}=\r\n.\r\n", &text[..30], &text[30..]);
            let found = decoded(mail.as_bytes());
            assert!(
                found.iter().any(|(way, octets)| *way == "base64" && octets.ends_with(&plain)),
                "{found:?}"
            );
        }
        let octets: Vec<u8> = (0..60).map(|at| 0xff - at).collect();
        let text = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXE";
        assert!(decoded(format!("https://a.example/?k={text}").as_bytes()).contains(&("base64", octets)));
        let hex: String = plain.iter().map(|octet| format!("{octet:02X}:")).collect();
        assert!(decoded(hex.as_bytes()).contains(&("hexadecimal", plain)));
    }

    #[test]
    fn a_block_of_pem_is_decoded_once() {
        let lines = ["Q".repeat(64), "R".repeat(64), "S".repeat(20)].join("\n");
        assert_eq!(decoded(lines.as_bytes()).len(), 1);
        assert_eq!(decoded(format!("word\n{lines}").as_bytes()).len(), 1);
        assert_eq!(decoded(format!("words\n{lines}").as_bytes()).len(), 2);
    }

    #[test]
    fn words_are_no_files() {
        assert!(decoded(b"Exporting certificates does not remove them from the appliance.").is_empty());
        assert!(decoded(b"").is_empty());
    }
}
