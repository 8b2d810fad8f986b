//! How a connector (issuer, target) describes its own settings. Forms, the API's schema and the manual are made from
//! this, and what somebody entered is checked against it, so that a new connector changes no page.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use pki::Refusal;

/// The most addresses in one setting.
const MAX_ADDRESSES: usize = 100;
/// The most characters in one setting.
const MAX_LENGTH: usize = 4096;

/// One setting of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The stable name, snake_case.
    pub name: &'static str,
    /// The name on a page.
    pub label: &'static str,
    /// One or two sentences beside the field.
    pub help: &'static str,
    /// What may be entered.
    pub kind: FieldKind,
    /// Whether it may be left out.
    pub need: Need,
    /// Whether it may be shown again.
    pub secrecy: Secrecy,
    /// What is taken when it is left out.
    pub default: Option<&'static str>,
}

/// What may be entered into a [`Field`]. After [`check`], values have the form that is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// An absolute path without `..`.
    Path,
    /// A whole number from 0, as decimal digits.
    Number,
    /// One of these.
    Choice(&'static [&'static str]),
    /// `host:port`, an IPv6 host in brackets.
    Address,
    /// Several addresses with commas or blanks between; kept with one comma between ([`addresses`]).
    AddressList,
    /// `true` or `false`.
    Flag,
}

/// Whether a setting may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must be there, or have a default.
    Required,
    /// It may be left out.
    Optional,
}

/// Whether a setting may be shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// It may.
    Plain,
    /// It is sealed in the store and never shown.
    Secret,
}

impl Field {
    /// A plain setting that must be there. `shown` is its label and its help.
    pub const fn required(name: &'static str, kind: FieldKind, shown: (&'static str, &'static str)) -> Self {
        let (need, secrecy) = (Need::Required, Secrecy::Plain);
        Self { name, label: shown.0, help: shown.1, kind, need, secrecy, default: None }
    }

    /// A plain setting that may be left out. `shown` is its label and its help.
    pub const fn optional(name: &'static str, kind: FieldKind, shown: (&'static str, &'static str)) -> Self {
        Self { need: Need::Optional, ..Self::required(name, kind, shown) }
    }

    /// Is taken as `value` when it is left out.
    #[must_use]
    pub const fn or(self, value: &'static str) -> Self {
        Self { default: Some(value), ..self }
    }

    /// Is sealed and never shown again.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secrecy: Secrecy::Secret, ..self }
    }
}

/// Checks what was entered, and answers every setting in the form that its kind says, defaults filled in.
///
/// Blank values count as left out. Refuses everything that is wrong at once, each with the setting's name as the
/// place: `setting.unknown`, `setting.missing`, `setting.value`. Values are never repeated in a refusal.
pub fn check(
    fields: &[Field],
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<Refusal>> {
    let known = |name: &str| fields.iter().any(|field| field.name == name);
    let unknown = settings.keys().filter(|name| !known(name));
    let mut refusals: Vec<Refusal> = unknown.map(|name| refuse_unknown(name, fields)).collect();
    let mut checked = BTreeMap::new();
    for field in fields {
        let entered = settings.get(field.name).map(|value| value.trim()).filter(|value| !value.is_empty());
        match (entered.or(field.default), field.need) {
            (Some(value), _) => match normal_form(field.kind, value) {
                Ok(value) => drop(checked.insert(field.name.to_owned(), value)),
                Err(what) => refusals.push(refuse_value(field, &what)),
            },
            (None, Need::Required) => refusals.push(refuse_missing(field)),
            (None, Need::Optional) => {}
        }
    }
    if refusals.is_empty() { Ok(checked) } else { Err(refusals) }
}

/// The addresses of a checked [`FieldKind::AddressList`].
pub fn addresses(value: &str) -> impl Iterator<Item = &str> {
    value.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty())
}

/// The value in the form that its kind says, or what is wrong with it.
fn normal_form(kind: FieldKind, value: &str) -> Result<String, String> {
    if value.len() > MAX_LENGTH {
        return Err(format!("has more than {MAX_LENGTH} characters"));
    }
    let lists_lines = kind == FieldKind::AddressList;
    if value.chars().any(|c| c.is_control() && !(lists_lines && c.is_whitespace())) {
        return Err("holds a control character".to_owned());
    }
    match kind {
        FieldKind::Text => Ok(value.to_owned()),
        FieldKind::Path => path(value),
        FieldKind::Number => {
            let number =
                value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse::<u64>().ok()).flatten();
            number.map(|number| number.to_string()).ok_or_else(|| "is not a whole number from 0".to_owned())
        }
        FieldKind::Choice(choices) if choices.contains(&value) => Ok(value.to_owned()),
        FieldKind::Choice(choices) => Err(format!("is not one of {}", choices.join(", "))),
        FieldKind::Address => address(value),
        FieldKind::AddressList => address_list(value),
        FieldKind::Flag if matches!(value, "true" | "false") => Ok(value.to_owned()),
        FieldKind::Flag => Err("is neither true nor false".to_owned()),
    }
}

fn path(value: &str) -> Result<String, String> {
    if !value.starts_with('/') {
        return Err("is not an absolute path".to_owned());
    }
    if value.split('/').any(|part| part == "..") {
        return Err("holds .. as a part of the path".to_owned());
    }
    Ok(value.to_owned())
}

/// `host:port` with the host in lower case; IPv6 only in brackets, so that the port is never guessed.
fn address(value: &str) -> Result<String, String> {
    let wrong = || "is not an address of the form host:port".to_owned();
    let (host, port) = value.rsplit_once(':').ok_or_else(wrong)?;
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|port| digits && *port != 0).ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => format!("[{}]", inside.parse::<Ipv6Addr>().map_err(|_| wrong())?),
        None if is_host(host) => host.to_ascii_lowercase(),
        None => return Err(wrong()),
    };
    Ok(format!("{host}:{port}"))
}

/// A host name or an IPv4 address.
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(allowed) && !label.starts_with('-')
    };
    let looks_like_an_address = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if looks_like_an_address {
        return host.parse::<IpAddr>().is_ok();
    }
    host.len() <= 253 && host.split('.').all(label)
}

fn address_list(value: &str) -> Result<String, String> {
    let mut list: Vec<String> = Vec::new();
    for part in addresses(value) {
        let part =
            address(part).map_err(|_| "holds something that is not of the form host:port".to_owned())?;
        if !list.contains(&part) {
            list.push(part);
        }
    }
    if list.len() > MAX_ADDRESSES {
        return Err(format!("holds more than {MAX_ADDRESSES} addresses"));
    }
    if list.is_empty() { Err("holds no address".to_owned()) } else { Ok(list.join(",")) }
}

fn refuse_unknown(name: &str, fields: &[Field]) -> Refusal {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let repair = match names.as_slice() {
        [] => "Leave it out: there is nothing to set here.".to_owned(),
        names => format!("Use one of {}.", names.join(", ")),
    };
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    Refusal::new("setting.unknown", "there is no setting of this name", repair).at(shown)
}

fn refuse_missing(field: &Field) -> Refusal {
    Refusal::new("setting.missing", format!("{} is missing", field.label), field.help).at(field.name)
}

fn refuse_value(field: &Field, what: &str) -> Refusal {
    Refusal::new("setting.value", format!("{} {what}", field.label), field.help).at(field.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 7] = [
        Field::required("folder", FieldKind::Path, ("Folder", "Where the files go.")),
        Field::optional("addresses", FieldKind::AddressList, ("Addresses", "Where it serves.")),
        Field::optional("backend", FieldKind::Address, ("Backend", "Where the bytes go.")),
        Field::optional("mode", FieldKind::Choice(&["one", "two"]), ("Mode", "How.")).or("one"),
        Field::optional("count", FieldKind::Number, ("Count", "How many.")),
        Field::optional("reload", FieldKind::Flag, ("Reload", "Whether.")),
        Field::optional("secret", FieldKind::Text, ("Secret", "Kept.")).secret(),
    ];

    fn entered(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn refused(pairs: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let refusals = check(&FIELDS, &entered(pairs)).unwrap_err();
        refusals.into_iter().map(|refusal| (refusal.code, refusal.place)).collect()
    }

    #[test]
    fn values_come_out_in_one_form_and_defaults_are_filled_in() {
        let settings = entered(&[
            ("folder", " /etc/tls "),
            ("addresses", "A.example:443\n[2001:DB8::1]:8443, a.example:443"),
            ("count", "007"),
            ("backend", " "),
        ]);
        let expected = entered(&[
            ("folder", "/etc/tls"),
            ("addresses", "a.example:443,[2001:db8::1]:8443"),
            ("count", "7"),
            ("mode", "one"),
        ]);
        assert_eq!(check(&FIELDS, &settings), Ok(expected.clone()));
        assert_eq!(check(&FIELDS, &expected), Ok(expected));
        let list: Vec<&str> = addresses("a.example:443,[2001:db8::1]:8443").collect();
        assert_eq!(list, ["a.example:443", "[2001:db8::1]:8443"]);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let all = refused(&[("folder", ""), ("mode", "three"), ("reload", "yes"), ("colour", "red")]);
        let expected = [
            ("setting.unknown", "colour"),
            ("setting.missing", "folder"),
            ("setting.value", "mode"),
            ("setting.value", "reload"),
        ];
        assert_eq!(all, expected.map(|(code, place)| (code, place.to_owned())));
    }

    #[test]
    fn refuses_addresses_and_paths_that_mean_something_else() {
        for bad in
            ["a", "a:", ":1", "a:0", "a:65536", "a:+80", "::1:80", "[::1]", "1.2.3:80", "a b:1", "u@h:1"]
        {
            assert_eq!(refused(&[("folder", "/x"), ("backend", bad)]).len(), 1, "{bad}");
        }
        for bad in ["etc", "/etc/../root", "/a\u{0}b"] {
            assert_eq!(refused(&[("folder", bad)]).len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn a_refusal_never_repeats_the_value() {
        let settings = entered(&[("folder", "/x"), ("secret", "hunter2\u{7}")]);
        let refusals = check(&FIELDS, &settings).unwrap_err();
        assert!(!format!("{refusals:?}").contains("hunter2"));
    }
}
