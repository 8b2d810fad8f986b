//! `Content-Disposition` of what is saved (RFC 6266): a name from ids for every program, and beside it one that a
//! person recognises, in which nothing can act.

use http::HeaderValue;

/// Letters of a friendly name, at most.
const MOST: usize = 60;

/// The header for a file with a name of ours, and the friendly name of what is in it, if it has one.
pub fn attachment(name: &str, friendly_name: &str) -> HeaderValue {
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).take(128).collect();
    let mut text = format!("attachment; filename=\"{plain}\"");
    if let Some(stem) = tame(friendly_name) {
        // RFC 8187: UTF-8, percent-encoded but for what a name is made of.
        text.push_str("; filename*=UTF-8''");
        for octet in format!("{stem}-{plain}").bytes() {
            match char::from(octet) {
                c if is_plain(c) => text.push(c),
                _ => text.push_str(&format!("%{octet:02X}")),
            }
        }
    }
    // Nothing but visible ASCII is in it.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Letters and digits of any script, dots and hyphens; everything else becomes one `_`. Never begins or ends with a
/// dot, and stands before a name of ours, so that no system takes it for something special. None when nothing is left.
fn tame(name: &str) -> Option<String> {
    let mut tame = String::new();
    for c in name.chars().take(MOST) {
        if c.is_alphanumeric() || matches!(c, '.' | '-') {
            tame.push(c);
        } else if !tame.ends_with('_') {
            tame.push('_');
        }
    }
    let tame = tame.trim_matches(['.', '_', '-']);
    (!tame.is_empty()).then(|| tame.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, friendly: &str) -> String {
        attachment(name, friendly).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_person_recognises_the_file_and_old_programs_get_the_id() {
        assert_eq!(
            said("fullchain-3f9a.pem", "shop 2027 Ö"),
            "attachment; filename=\"fullchain-3f9a.pem\"; filename*=UTF-8''shop_2027_%C3%96-fullchain-3f9a.pem"
        );
        assert_eq!(said("certs.tar.gz", ""), "attachment; filename=\"certs.tar.gz\"");
    }

    #[test]
    fn nothing_acts_in_a_file_name() {
        for hostile in [
            "a\"; filename=evil.exe\r\nSet-Cookie: x=1",
            "../../etc/passwd",
            "..",
            "\u{202e}gpj.exe\u{7}\u{1b}[2J",
            "=HYPERLINK(\"x\")",
            "CON",
            "a/b\\c:d|e<f>g",
        ] {
            let text = said("key-3f9a.p8", hostile);
            let rest = text.strip_prefix("attachment; filename=\"key-3f9a.p8\"").unwrap();
            let rest = rest.trim_start_matches("; filename*=UTF-8''");
            assert!(rest.chars().all(|c| is_plain(c) || c == '%'), "{text}");
            assert!(rest.is_empty() || (rest.ends_with("-key-3f9a.p8") && !rest.starts_with('.')), "{text}");
            for sign in ["%2F", "%5C", "%22", "%0D", "%0A", "%E2%80%AE", "%1B", "%3A", "%3D", "/"] {
                assert!(!rest.contains(sign), "{sign} in {text}");
            }
        }
    }
}
