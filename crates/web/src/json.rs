//! JSON as it comes in: bounded in depth and number, no key twice, every text but secrets trimmed (`fit`).

pub(crate) mod fit;

use std::cell::Cell;
use std::fmt;

use pki::Refusal;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep arrays and objects may lie in each other.
const DEPTH: usize = 32;
/// How many values there may be in all.
const NODES: usize = 10_000;

/// Reads a body into a wire type. Refuses `input.json` (no JSON, too deep, too many values, a key twice) and
/// `input.field` (a field that is unknown, missing, or of another type).
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let nodes = Cell::new(0);
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { depth: 0, nodes: &nodes };
    let value = seed.deserialize(&mut input).and_then(|value| input.end().map(|()| value));
    let value = value.map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Refusal::new(
            "input.json",
            format!("the body is not JSON that is taken: {}", reason(&error)),
            "Correct the body.",
        )
        .at(place)
    })?;
    fit::value(value).map_err(|misfit| {
        Refusal::new(
            "input.field",
            format!("the body does not fit: {misfit}"),
            "The API's description says which fields there are.",
        )
    })
}

/// What serde says, without the place, on one line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    nodes: &'a Cell<usize>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH {
            return Err(E::custom(format!("more than {DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > NODES { Err(E::custom(format!("more than {NODES} values"))) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.count()?;
            if map.contains_key(&key) {
                let shown: String = key.chars().filter(|c| !c.is_control()).take(64).collect();
                return Err(A::Error::custom(format!("the key {shown:?} stands twice")));
            }
            map.insert(key, entries.next_value_seed(inside)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        label: String,
    }

    fn code(bytes: &[u8]) -> &'static str {
        read::<Sample>(bytes).unwrap_err().code
    }

    #[test]
    fn texts_are_trimmed() {
        assert_eq!(read(br#" {"label": " a b\n"} "#), Ok(Sample { label: "a b".to_owned() }));
    }

    #[test]
    fn a_field_too_many_too_few_or_of_another_type() {
        for body in [r#"{"label":"x","role":"admin"}"#, "{}", r#"{"label":1}"#, "[]", "null"] {
            assert_eq!(code(body.as_bytes()), "input.field", "{body}");
        }
    }

    #[test]
    fn a_secret_of_another_type_is_not_repeated() {
        let refusal = read::<Sample>(br#"{"label": 123456}"#).unwrap_err();
        assert_eq!(refusal.what, "the body does not fit: label: expected a string, not a number");
    }

    #[test]
    fn what_is_no_json() {
        let bodies: [&[u8]; 9] = [
            b"",
            b"{",
            b"{\"label\":\"x\"} x",
            b"{\"label\":\"x\",\"label\":\"y\"}",
            b"{\"label\":1e999}",
            b"{\"label\":\"\\ud800\"}",
            b"{\"label\":\"\xff\"}",
            b"{\"label\":NaN}",
            b"{'label':'x'}",
        ];
        for body in bodies {
            assert_eq!(code(body), "input.json", "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(code(deep(32).as_bytes()), "input.field");
        assert_eq!(code(deep(33).as_bytes()), "input.json");
        assert_eq!(code("[".repeat(1_000_000).as_bytes()), "input.json");
        let wide = |items: usize| format!("[{}]", vec!["0"; items].join(","));
        assert_eq!(code(wide(9_999).as_bytes()), "input.field");
        assert_eq!(code(wide(10_000).as_bytes()), "input.json");
        let keys: Vec<String> = (0..10_000).map(|n| format!("\"k{n}\":0")).collect();
        assert_eq!(code(format!("{{{}}}", keys.join(",")).as_bytes()), "input.json");
    }

    #[test]
    fn a_refusal_never_repeats_control_characters() {
        let refusal = read::<Sample>(b"{\"a\\u001b[31m\":1}").unwrap_err();
        assert!(!refusal.what.contains('\u{1b}'), "{}", refusal.what);
    }
}
