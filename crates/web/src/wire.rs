//! JSON that several nouns share: findings, names, subjects, and what both ways of making a certificate ask for.

use app::csr::KeyChoice;
use domain::id::TokenId;
use pki::name::{Attribute, AttributeType, inert};
use pki::{DistinguishedName, Finding, KeyAlgorithm, Refusal, SubjectAltName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Problem;
use crate::list::{parse, parse_some};

/// Something noticed about an object.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingJson {
    /// The stable code.
    code: &'static str,
    /// `info`, `warning` or `error`.
    severity: &'static str,
    /// What was found.
    what: String,
    /// Where.
    #[serde(rename = "where")]
    place: String,
    /// What to do.
    repair: String,
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code,
            severity: finding.severity.name(),
            what: finding.what.clone(),
            place: finding.place.clone(),
            repair: finding.repair.clone(),
        }
    }
}

/// Several at once.
pub fn findings(findings: &[Finding]) -> Vec<FindingJson> {
    findings.iter().map(FindingJson::from).collect()
}

/// One attribute of a subject.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeJson {
    /// `C`, `ST`, `L`, `O`, `OU`, `CN`, `serialNumber`, ..., or an object identifier.
    #[serde(rename = "type")]
    kind: String,
    /// The value, exactly as it shall stand in the certificate.
    value: String,
}

/// The attributes of a name in their order. Many a name is somebody else's: what cannot be seen in it is written out.
pub fn attributes(name: &DistinguishedName) -> Vec<AttributeJson> {
    let json = |held: &Attribute| AttributeJson {
        kind: held.kind.short_name().to_owned(),
        value: inert(&held.value).into_owned(),
    };
    name.attributes().map(json).collect()
}

/// Alternative names as texts.
pub fn names(names: &[SubjectAltName]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Reads a subject. Blank values are left out; everything that is wrong is said at once.
pub fn parse_subject(given: &[AttributeJson]) -> Result<Vec<Attribute>, Problem> {
    let mut wrong = Vec::new();
    let mut subject = Vec::new();
    for (index, attribute) in given.iter().enumerate().filter(|(_, attribute)| !attribute.value.is_empty()) {
        match attribute.kind.parse::<AttributeType>() {
            Ok(kind) => subject.push(Attribute::new(kind, attribute.value.clone())),
            Err(refusal) => wrong.push((format!("subject[{index}]"), refusal)),
        }
    }
    all_right(wrong).map(|()| subject)
}

/// Reads alternative names. Everything that is wrong is said at once.
pub fn parse_names(given: &[String]) -> Result<Vec<SubjectAltName>, Problem> {
    let mut wrong = Vec::new();
    let mut names = Vec::new();
    for (index, text) in given.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        match SubjectAltName::parse(text) {
            Ok(name) => names.push(name),
            Err(refusal) => wrong.push((format!("names[{index}]"), refusal)),
        }
    }
    all_right(wrong).map(|()| names)
}

fn all_right(wrong: Vec<(String, Refusal)>) -> Result<(), Problem> {
    if wrong.is_empty() { Ok(()) } else { Err(Problem::fields(wrong)) }
}

/// The key that a CSR or self-signed certificate is for: one that is here, or a new one.
pub fn key_choice(
    key: Option<&str>,
    algorithm: Option<&str>,
    token: Option<&str>,
) -> Result<KeyChoice, Problem> {
    match parse_some("key", key)? {
        Some(key) if algorithm.is_none() && token.is_none() => Ok(KeyChoice::Existing(key)),
        Some(_) => {
            let what = "a key that is here has its algorithm and token already";
            Err(Problem::field(
                "key",
                Refusal::new("input.value", what, "Send either key, or algorithm and token."),
            ))
        }
        None => Ok(KeyChoice::New { algorithm: self::algorithm(algorithm)?, token: self::token(token)? }),
    }
}

/// What a CSR and a self-signed certificate are both made from.
pub struct Wanted {
    /// The key.
    pub key: KeyChoice,
    /// The subject, in its order.
    pub subject: Vec<Attribute>,
    /// The alternative names.
    pub names: Vec<SubjectAltName>,
}

/// Declares what is sent to make something from a key, a subject and names. serde refuses no unknown fields where one
/// struct is flattened into another, so the fields that are the same stand here.
macro_rules! made_from_a_key {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The friendly name; a new key gets it too.
            #[schema(schema_with = crate::schema::some_text)]
            friendly_name: String,
            /// A key that is here; else a new one is made.
            key: Option<String>,
            /// Kind and size of the new key; `ec-p256` if left out.
            #[schema(schema_with = crate::schema::algorithm)]
            algorithm: Option<String>,
            /// The token of the new key; `system` if left out.
            token: Option<String>,
            /// The subject, in the order in which it shall stand.
            #[serde(default)]
            subject: Vec<$crate::wire::AttributeJson>,
            /// The alternative names: host names, addresses, e-mail addresses, URIs.
            #[serde(default)]
            names: Vec<String>,
            $($(#[$doc])* $field: $type,)*
        }

        impl $name {
            /// Reads key, subject and names.
            fn wanted(&self) -> Result<$crate::wire::Wanted, $crate::Problem> {
                let (algorithm, token) = (self.algorithm.as_deref(), self.token.as_deref());
                Ok($crate::wire::Wanted {
                    key: $crate::wire::key_choice(self.key.as_deref(), algorithm, token)?,
                    subject: $crate::wire::parse_subject(&self.subject)?,
                    names: $crate::wire::parse_names(&self.names)?,
                })
            }
        }
    };
}
pub(crate) use made_from_a_key;

/// The algorithm, or the suggested one.
pub fn algorithm(text: Option<&str>) -> Result<KeyAlgorithm, Problem> {
    text.map_or(Ok(KeyAlgorithm::ALL[0]), |text| parse("algorithm", text))
}

/// The token, or the one that needs nobody.
pub fn token(text: Option<&str>) -> Result<TokenId, Problem> {
    text.map_or_else(|| Ok(TokenId::system()), |text| parse("token", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_in_a_subject_is_written_out() {
        let name = |value: &str| {
            let held = Attribute::new(AttributeType::Organization, value);
            attributes(&DistinguishedName::from_attributes(vec![held]).unwrap())
        };
        assert_eq!(name("pay\u{202e}gro.lap")[0].value, "pay\\u{202e}gro.lap");
        assert_eq!(name("Acme, \"Inc\" + Ö")[0].value, "Acme, \"Inc\" + Ö");
    }
}
