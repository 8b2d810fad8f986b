//! A form with files (RFC 7578), taken apart where it lies: its files hold private keys, its fields passphrases, and each
//! is copied once, by the caller, into memory that is wiped.

/// The most bytes of the headers of one part.
const MAX_HEAD: usize = 8 * 1024;
/// The most characters of a boundary (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// A part of a form, as it lies in the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The field's name; empty when it has none.
    pub(super) field: String,
    /// What its owner calls the file; none for a field that is no file.
    pub(super) file_name: Option<String>,
    /// What is in it.
    pub(super) bytes: &'a [u8],
}

/// Why a body is not taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The `Content-Type` names no boundary.
    Boundary,
    /// It ends before its last line.
    CutOff,
    /// A part's headers are too long, or not text, or do not say which field it is.
    Head,
    /// There are more parts than may be.
    TooMany,
}

/// The parts of a body, in their order.
pub(super) fn pieces<'a>(content_type: &str, body: &'a [u8], most: usize) -> Result<Vec<Piece<'a>>, Fault> {
    let boundary = boundary(content_type).ok_or(Fault::Boundary)?;
    let border = format!("\r\n--{boundary}");
    // The first border needs no end of a line before it.
    let mut rest = match body.strip_prefix(&border.as_bytes()[2..]) {
        Some(rest) => rest,
        None => cut(body, border.as_bytes()).ok_or(Fault::CutOff)?.1,
    };
    let mut pieces = Vec::new();
    while !rest.starts_with(b"--") {
        if pieces.len() == most {
            return Err(Fault::TooMany);
        }
        // Blanks may follow the border; what else stands there is the text of somebody's own border.
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let (head, after) = head(&rest[blanks..])?;
        let (bytes, next) = cut(after, border.as_bytes()).ok_or(Fault::CutOff)?;
        let (field, file_name) = disposition(head)?;
        pieces.push(Piece { field, file_name, bytes });
        rest = next;
    }
    Ok(pieces)
}

/// The parameter `boundary` of the media type.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (1..=MAX_BOUNDARY).contains(&boundary.len()).then_some(boundary)
}

/// What stands before the first `border`, and what stands behind it.
fn cut<'a>(bytes: &'a [u8], border: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(|byte| *byte == border[0]) {
        let at = from + found;
        if let Some(behind) = bytes[at..].strip_prefix(border) {
            return Some((&bytes[..at], behind));
        }
        from = at + 1;
    }
    None
}

/// The headers of a part, from the end of the border's line to the empty line, and what follows it.
fn head(bytes: &[u8]) -> Result<(&str, &[u8]), Fault> {
    if !bytes.starts_with(b"\r\n") {
        let is_cut = [b"\r\n", b"--"].iter().any(|whole| whole.starts_with(bytes));
        return Err(if is_cut { Fault::CutOff } else { Fault::Head });
    }
    let window = &bytes[..bytes.len().min(MAX_HEAD)];
    let Some((head, _)) = cut(window, b"\r\n\r\n") else {
        return Err(if window.len() == bytes.len() { Fault::CutOff } else { Fault::Head });
    };
    let text = std::str::from_utf8(head).map_err(|_| Fault::Head)?;
    Ok((text, &bytes[head.len() + 4..]))
}

/// The names of field and file (RFC 7578, 4.2).
fn disposition(head: &str) -> Result<(String, Option<String>), Fault> {
    let headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut named = headers.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
    let (_, value) = named.next().ok_or(Fault::Head)?;
    let (kind, parameters) = value.split_once(';').ok_or(Fault::Head)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(Fault::Head);
    }
    Ok((parameter(parameters, "name").unwrap_or_default(), parameter(parameters, "filename")))
}

/// The value of a parameter: a word, or text in quotes, in which `\"` is a quote.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, behind) = value(after.trim_start());
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = behind.split_once(';')?.1;
    }
}

/// A value at the begin of a text, and what stands behind it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            // Any other backslash is one: old browsers send whole Windows paths.
            '\\' if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                value.extend(letters.next().map(|(_, quote)| quote));
            }
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=X";

    fn read(body: &str) -> Result<Vec<(String, Option<String>, String)>, Fault> {
        let pieces = pieces(KIND, body.as_bytes(), 4)?;
        let text = |piece: Piece<'_>| String::from_utf8(piece.bytes.to_vec()).unwrap();
        Ok(pieces
            .into_iter()
            .map(|mut piece| (std::mem::take(&mut piece.field), piece.file_name.take(), text(piece)))
            .collect())
    }

    fn part(disposition: &str, content: &str) -> String {
        format!("--X\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n")
    }

    #[test]
    fn reads_what_browsers_and_curl_send() {
        let body = [
            "something before\r\n".to_owned(),
            part("form-data; name=\"password\"", " x \r\n--Y\r\n"),
            "--X  \r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION:form-data;filename=\"a;\\\"b\\c\";name=f\r\n\r\n\0\r\n"
                .to_owned(),
            part("form-data; name=\"empty\"; filename=\"\"", ""),
            "--X--\r\nand after".to_owned(),
        ];
        let read = read(&body.concat()).unwrap();
        let own = |field: &str, name: Option<&str>, text: &str| {
            (field.to_owned(), name.map(str::to_owned), text.to_owned())
        };
        assert_eq!(
            read,
            [
                own("password", None, " x \r\n--Y\r\n"),
                own("f", Some("a;\"b\\c"), "\0"),
                own("empty", Some(""), "")
            ]
        );
        assert_eq!(self::read("--X--\r\n"), Ok(Vec::new()));
        assert_eq!(self::read(&format!("{}--X--", part("form-data; x=\"\"", "y"))).unwrap()[0].0, "");
    }

    #[test]
    fn boundaries_stand_in_quotes_or_not() {
        for kind in [
            "multipart/form-data; boundary=\"a b\"",
            "Multipart/Form-Data;charset=utf-8; BOUNDARY=\"a b\"; x=y",
        ] {
            assert_eq!(boundary(kind).as_deref(), Some("a b"), "{kind}");
        }
        let long = format!("multipart/form-data; boundary={}", "x".repeat(MAX_BOUNDARY + 1));
        for kind in ["multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=X", &long]
        {
            assert_eq!(boundary(kind), None, "{kind}");
        }
    }

    #[test]
    fn what_is_cut_off_or_odd_is_refused_wherever_it_is_cut() {
        let whole = format!("{}--X--", part("form-data; name=\"a\"; filename=\"b\"", "c"));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Err(Fault::CutOff), "{:?}", &whole[..end]);
        }
        let long = format!("--X\r\nA: {}\r\n\r\n\r\n--X--", "x".repeat(MAX_HEAD));
        for body in ["--X\r\n\r\na\r\n--X--", "--Xa\r\n\r\n\r\n--X--", &part("attachment; name=a", ""), &long]
        {
            assert_eq!(read(&format!("{body}--X--")), Err(Fault::Head), "{body:.40}");
        }
        assert_eq!(pieces(KIND, b"--X\r\nContent-Disposition: \xff\r\n\r\n\r\n--X--", 4), Err(Fault::Head));
        assert_eq!(read(&part("form-data; name=a", "").repeat(5)), Err(Fault::TooMany));
    }
}
