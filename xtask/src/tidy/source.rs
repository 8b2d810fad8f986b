//! Rust source cut into code, comments and literals: enough for checks that would otherwise be fooled by a
//! word in a comment or in a text.

use super::Text;

/// One Rust file.
pub struct Source {
    /// The path inside the repository.
    pub path: String,
    /// The text with comments and literals blanked out; lines and columns stay where they are.
    pub code: String,
    /// String literals: the line where each begins, and its raw content.
    pub strings: Vec<(usize, String)>,
    /// How many lines there are before the unit tests at the end of the file.
    pub lines_before_tests: usize,
}

impl Source {
    /// Cuts a file into its parts.
    pub fn parse(file: &Text) -> Self {
        let mut cutter = Cutter { rest: &file.text, line: 1, code: String::new(), strings: Vec::new() };
        while !cutter.rest.is_empty() {
            cutter.step();
        }
        let lines_before_tests = count_lines_before_tests(&cutter.code);
        Self { path: file.path.clone(), code: cutter.code, strings: cutter.strings, lines_before_tests }
    }

    /// The code before the unit tests, line by line, numbered from 1. Nothing of a file of tests.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test() { 0 } else { self.lines_before_tests };
        self.code.lines().take(end).enumerate().map(|(i, line)| (i + 1, line))
    }

    /// Whether the whole file is about tests.
    pub fn is_test(&self) -> bool {
        let folders: Vec<&str> = self.path.split('/').collect();
        folders.iter().any(|name| ["tests", "benches"].contains(name)) || self.path.ends_with("/tests.rs")
    }
}

fn count_lines_before_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let is_test_part = line.trim_start().starts_with("#[cfg(test)]");
        // Attributes may stand between the two lines.
        let next = lines[i + 1..].iter().find(|line| !line.trim_start().starts_with("#["));
        if is_test_part && next.is_some_and(|line| line.trim_start().starts_with("mod tests")) {
            return i;
        }
    }
    lines.len()
}

struct Cutter<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    strings: Vec<(usize, String)>,
}

impl<'a> Cutter<'a> {
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(end);
        } else if self.rest.starts_with("/*") {
            self.blank(length_of_block_comment(self.rest));
        } else if let Some(literal) = self.literal() {
            if literal.is_text {
                let content = &self.rest[literal.prefix..literal.length - literal.suffix];
                self.strings.push((self.line, content.to_owned()));
            }
            self.blank(literal.length);
        } else {
            let length = self.rest.chars().next().map_or(0, char::len_utf8);
            let text = self.take(length);
            self.code.push_str(text);
        }
    }

    /// The literal that begins here, if one does.
    fn literal(&self) -> Option<Literal> {
        if self.code.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let mark = self.rest.find(|c: char| !c.is_ascii_lowercase() && c != '#')?;
        let before = &self.rest[..mark];
        let hashes = before.len() - before.trim_end_matches('#').len();
        let letters = &before[..before.len() - hashes];
        match self.rest.as_bytes()[mark] {
            b'"' if ["r", "br", "cr"].contains(&letters) => Some(raw_string(self.rest, mark, hashes)),
            b'"' if hashes == 0 && ["", "b", "c"].contains(&letters) => Some(string(self.rest, mark)),
            b'\'' if hashes == 0 && ["", "b"].contains(&letters) => character(self.rest, mark),
            _ => None,
        }
    }

    fn blank(&mut self, length: usize) {
        for c in self.take(length).chars() {
            self.code.push(if c == '\n' { '\n' } else { ' ' });
        }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}

struct Literal {
    length: usize,
    prefix: usize,
    suffix: usize,
    is_text: bool,
}

fn raw_string(text: &str, mark: usize, hashes: usize) -> Literal {
    let end = format!("\"{}", "#".repeat(hashes));
    let prefix = mark + 1;
    match text[prefix..].find(&end) {
        Some(i) => Literal { length: prefix + i + end.len(), prefix, suffix: end.len(), is_text: true },
        None => Literal { length: text.len(), prefix, suffix: 0, is_text: true },
    }
}

fn string(text: &str, mark: usize) -> Literal {
    let prefix = mark + 1;
    match find_unescaped(&text[prefix..], '"') {
        Some(i) => Literal { length: prefix + i + 1, prefix, suffix: 1, is_text: true },
        None => Literal { length: text.len(), prefix, suffix: 0, is_text: true },
    }
}

/// `'a'` and `'\n'` are characters; `'a` is a lifetime.
fn character(text: &str, mark: usize) -> Option<Literal> {
    let inside = &text[mark + 1..];
    let mut chars = inside.chars();
    let end = match (chars.next()?, chars.next()?) {
        ('\\', _) => find_unescaped(inside, '\'')?,
        (first, '\'') => first.len_utf8(),
        _ => return None,
    };
    Some(Literal { length: mark + 1 + end + 1, prefix: mark + 1, suffix: 1, is_text: false })
}

fn find_unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        if !escaped && c == wanted {
            return Some(i);
        }
        escaped = !escaped && c == '\\';
    }
    None
}

fn length_of_block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut position = 0;
    while let Some(i) = text[position..].find(['/', '*']) {
        position += i;
        if text[position..].starts_with("/*") {
            depth += 1;
            position += 2;
        } else if text[position..].starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return position;
            }
        } else {
            position += 1;
        }
    }
    text.len()
}

/// Makes a source of a text, for the tests of the checks.
#[cfg(test)]
pub fn source(path: &str, text: &str) -> Source {
    Source::parse(&Text { path: path.to_owned(), text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        source("crates/x/src/lib.rs", text).code
    }

    #[test]
    fn comments_are_blanked() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */ d\n */ e"), "a               \n    e");
        assert_eq!(code("a /* never ended"), "a               ");
    }

    #[test]
    fn strings_are_blanked_and_kept_with_their_line() {
        let parsed =
            source("crates/x/src/lib.rs", "let a = \"x \\\" // y\";\nlet b = br#\"q\"r\"#;\nc(r\"\\\")");
        assert_eq!(parsed.code, "let a =            ;\nlet b =          ;\nc(    )");
        let expected = [(1, "x \\\" // y"), (2, "q\"r"), (3, "\\")];
        assert_eq!(parsed.strings, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        assert_eq!(code("f::<'a>('\"', '\\'', b'x', 'ä') // '"), "f::<'a>(   ,     ,     ,    )     ");
        assert_eq!(code("&'static str"), "&'static str");
        assert_eq!(code("r#type = 1"), "r#type = 1");
    }

    #[test]
    fn the_tests_at_the_end_are_not_counted() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        let parsed = source("crates/x/src/lib.rs", text);
        assert_eq!(parsed.lines_before_tests, 2);
        assert_eq!(parsed.lines().collect::<Vec<_>>(), [(1, "fn a() {}"), (2, "")]);
        let other = source("crates/x/src/lib.rs", "#[cfg(test)]\nfn a() {}\nfn b() {}\n");
        assert_eq!(other.lines_before_tests, 3);
    }

    #[test]
    fn files_of_tests_have_no_lines_to_check() {
        assert_eq!(source("crates/x/tests/a.rs", "fn a() {}\n").lines().count(), 0);
        assert_eq!(source("crates/x/src/tests.rs", "fn a() {}\n").lines().count(), 0);
        assert_eq!(source("crates/x/src/testing.rs", "fn a() {}\n").lines().count(), 1);
    }
}
