//! Turns what was read into a wire type.
//!
//! Whoever sends the wrong type is told which field it was and what belongs there, never what stood there: it may
//! have been a PIN or a password. serde's own messages repeat the value.
//!
//! Texts lose the blanks around them, as X-Road's servers take them off. Names of fields do not, nor do secrets: a
//! password is what was typed ([`AS_TYPED`]).

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// The most characters of a field's name, or of what is wrong, that are said.
const NAME: usize = 64;
const WHAT: usize = 300;

/// The name of the newtype whose text is taken as it was typed.
pub(crate) const AS_TYPED: &str = "claviger::AsTyped";

/// Reads a JSON value as a `T`.
pub(super) fn value<T: DeserializeOwned>(value: Value) -> Result<T, Misfit> {
    T::deserialize(Fit::new(value))
}

/// Reads the fields of a form as a `T`: each is a text, and none may come twice.
pub(crate) fn fields<T: DeserializeOwned>(fields: Vec<(String, String)>) -> Result<T, Misfit> {
    let texts = fields.into_iter().map(|(name, text)| (name, Value::String(text)));
    T::deserialize(MapAccessDeserializer::new(Fields::new(texts)))
}

/// What does not fit, and where. Holds nothing of what was sent but the names of fields.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// From the outermost field to the innermost, as `names[2].label`; empty for the whole.
    place: String,
    what: String,
}

impl Misfit {
    fn new(what: &str) -> Self {
        Self { place: String::new(), what: tame(what, WHAT) }
    }

    fn in_field(mut self, name: &str) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{}{dot}{}", tame(name, NAME), self.place);
        self
    }

    fn in_item(mut self, number: usize) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("[{number}]{dot}{}", self.place);
        self
    }
}

fn tame(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::new(&what.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(&format!("expected {expected}, not {}", kind(found)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(&format!("expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(&format!("expected one of: {}", expected.join(", ")))
    }
}

fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        // What JSON and forms do not have.
        _ => "something else",
    }
}

/// What happens to the blanks around a text.
#[derive(Clone, Copy)]
enum Blanks {
    TakeOff,
    Keep,
}

/// A value on its way into a type.
struct Fit {
    value: Value,
    blanks: Blanks,
}

impl Fit {
    fn new(value: Value) -> Self {
        Self { value, blanks: Blanks::TakeOff }
    }

    fn as_typed(value: Value) -> Self {
        Self { value, blanks: Blanks::Keep }
    }
}

fn trimmed(text: String) -> String {
    let plain = text.trim();
    if plain.len() == text.len() { text } else { plain.to_owned() }
}

impl<'de> Deserializer<'de> for Fit {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => match self.blanks {
                Blanks::TakeOff => visitor.visit_string(trimmed(text)),
                Blanks::Keep => visitor.visit_string(text),
            },
            Value::Array(items) => {
                let count = items.len();
                let mut items = Items { rest: items.into_iter(), next: 0 };
                let made = visitor.visit_seq(&mut items)?;
                if items.rest.len() == 0 {
                    Ok(made)
                } else {
                    Err(Misfit::invalid_length(count, &"fewer items"))
                }
            }
            Value::Object(map) => visitor.visit_map(Fields::new(map.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let blanks = if name == AS_TYPED { Blanks::Keep } else { self.blanks };
        visitor.visit_newtype_struct(Self { blanks, ..self })
    }

    /// An object only: serde would take an array of the fields in their order too.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if self.value.is_array() {
            return Err(Misfit::invalid_type(Unexpected::Seq, &visitor));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Object(map) => {
                visitor.visit_enum(MapAccessDeserializer::new(Fields::new(map.into_iter())))
            }
            other => visitor.visit_enum(Name(other)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

/// A variant that is only its name.
struct Name(Value);

impl<'de> EnumAccess<'de> for Name {
    type Error = Misfit;
    type Variant = Bare;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Bare), Misfit> {
        if !self.0.is_string() {
            return Err(Misfit::new("expected a string"));
        }
        Ok((seed.deserialize(Fit::new(self.0))?, Bare))
    }
}

/// What follows the name: nothing.
struct Bare;

impl<'de> VariantAccess<'de> for Bare {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _seed: S) -> Result<S::Value, Misfit> {
        Err(Misfit::new("expected an object"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _count: usize, _visitor: V) -> Result<V::Value, Misfit> {
        Err(Misfit::new("expected an object"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Misfit> {
        Err(Misfit::new("expected an object"))
    }
}

struct Items {
    rest: std::vec::IntoIter<Value>,
    next: usize,
}

impl<'de> SeqAccess<'de> for &mut Items {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some(item) = self.rest.next() else { return Ok(None) };
        let number = self.next;
        self.next += 1;
        seed.deserialize(Fit::new(item)).map(Some).map_err(|misfit| misfit.in_item(number))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Fields<I> {
    rest: I,
    /// The field whose name was taken and whose value was not.
    open: Option<(String, Value)>,
}

impl<I> Fields<I> {
    fn new(rest: I) -> Self {
        Self { rest, open: None }
    }
}

impl<'de, I: Iterator<Item = (String, Value)>> MapAccess<'de> for Fields<I> {
    type Error = Misfit;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.open = Some((name.clone(), value));
        seed.deserialize(Fit::as_typed(Value::String(name))).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let (name, value) = self.open.take().ok_or_else(|| Misfit::new("a field without a name"))?;
        seed.deserialize(Fit::new(value)).map_err(|misfit| misfit.in_field(&name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
        Sized { bits: u16 },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        pin: String,
        #[serde(default)]
        count: Option<u8>,
        #[serde(default)]
        kinds: Vec<Kind>,
        #[serde(default)]
        more: BTreeMap<String, f64>,
    }

    fn wrong(input: Value) -> String {
        value::<Sample>(input).unwrap_err().to_string()
    }

    #[test]
    fn everything_that_fits_is_read() {
        let input = json!({
            "pin": "1", "count": 7, "kinds": ["plain", { "sized": { "bits": 256 } }], "more": { "a": -1, "b": 0.5 },
        });
        let read: Sample = value(input).unwrap();
        let kinds = vec![Kind::Plain, Kind::Sized { bits: 256 }];
        let more = BTreeMap::from([("a".to_owned(), -1.0), ("b".to_owned(), 0.5)]);
        assert_eq!(read, Sample { pin: "1".to_owned(), count: Some(7), kinds, more });
        assert_eq!(value::<Sample>(json!({ "pin": "1", "count": null })).unwrap().count, None);
    }

    #[test]
    fn a_value_that_does_not_fit_is_never_repeated() {
        for (input, says) in [
            (json!({ "pin": 1234 }), "pin: expected a string, not a number"),
            (json!({ "pin": -12.34 }), "pin: expected a string, not a number"),
            (json!({ "pin": true }), "pin: expected a string, not a boolean"),
            (json!({ "pin": null }), "pin: expected a string, not null"),
            (json!({ "pin": ["1234"] }), "pin: expected a string, not an array"),
            (json!({ "pin": { "1234": 1 } }), "pin: expected a string, not an object"),
            (json!({ "pin": "", "count": "1234" }), "count: expected u8, not a string"),
            (json!({ "pin": "", "count": 1234 }), "count: expected u8"),
            (json!({ "pin": "", "kinds": ["plain", "1234"] }), "kinds[1]: expected one of: plain, sized"),
            (json!({ "pin": "", "kinds": [1234] }), "kinds[0]: expected a string"),
            (
                json!({ "pin": "", "kinds": [{ "sized": { "bits": "1234" } }] }),
                "kinds[0].sized.bits: expected u16",
            ),
            (json!({ "pin": "", "more": { "a": "1234" } }), "more.a: expected f64"),
            (json!(["1234"]), "expected struct Sample, not an array"),
            (json!(1234), "expected struct Sample, not a number"),
        ] {
            let said = wrong(input);
            assert!(said.starts_with(says) && !said.contains("34"), "{said}");
        }
    }

    #[test]
    fn texts_lose_the_blanks_around_them_and_secrets_keep_theirs() {
        use crate::body::Secret;
        #[derive(Deserialize)]
        struct Mixed {
            name: String,
            kind: Kind,
            one: Secret,
            maybe: Option<Secret>,
            many: Vec<Secret>,
        }
        let mixed: Mixed = value(json!({
            "name": " a b\n", "kind": " plain ", "one": " x ", "maybe": "\ty\n", "many": [" z", "\u{0}"],
        }))
        .unwrap();
        assert_eq!((mixed.name.as_str(), mixed.kind), ("a b", Kind::Plain));
        assert_eq!((mixed.one.reveal(), mixed.maybe.unwrap().reveal()), (" x ", "\ty\n"));
        assert_eq!(mixed.many.iter().map(Secret::reveal).collect::<Vec<_>>(), [" z", "\u{0}"]);
        // The name of a field is another one with a blank.
        assert!(value::<Sample>(json!({ " pin": "" })).is_err());
        let said = value::<Mixed>(json!({ "name": "", "kind": "plain", "one": 1234 })).err().unwrap();
        assert_eq!(said.to_string(), "one: expected a string, not a number");
    }

    #[test]
    fn forms_say_the_field_too() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Form {
            name: Option<String>,
            kind: Kind,
        }
        let form = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            super::fields::<Form>(fields.collect()).map_err(|misfit| misfit.to_string())
        };
        let wanted = Form { name: Some("a".to_owned()), kind: Kind::Plain };
        assert_eq!(form(&[("name", "a"), ("kind", "plain"), ("more", "b")]), Ok(wanted));
        let said = form(&[("name", "a"), ("kind", "hunter2")]).unwrap_err();
        assert_eq!(said, "kind: expected one of: plain, sized");
        let said = form(&[("name", "hunter2"), ("name", "hunter3")]).unwrap_err();
        assert_eq!(said, "duplicate field `name`");
    }
}
