//! What the OpenAPI document says of fields whose text must be one of a few words.

use domain::Role;
use domain::issuer::IssuerKind;
use domain::key::Exportable;
use domain::lineage::AtRenewal;
use pki::KeyAlgorithm;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};

/// When a key may leave.
pub fn exportable() -> ObjectBuilder {
    maybe(Exportable::NAMES)
}

/// Kind and size of a key.
pub fn algorithm() -> ObjectBuilder {
    maybe(&KeyAlgorithm::ALL.map(KeyAlgorithm::name))
}

/// Whether a renewal makes a new key.
pub fn at_renewal() -> ObjectBuilder {
    maybe(AtRenewal::NAMES)
}

/// Who issues.
pub fn issuer_kind() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(IssuerKind::NAMES.iter().copied()))
}

/// Roles.
pub fn roles() -> ArrayBuilder {
    let role = ObjectBuilder::new().schema_type(Type::String);
    ArrayBuilder::new().items(role.enum_values(Some(Role::ALL.map(Role::name))))
}

/// A name that is not empty.
pub fn some_text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(1))
}

/// Files of a form, any number of them.
pub fn files() -> ArrayBuilder {
    let file = ObjectBuilder::new().schema_type(Type::String).content_media_type("application/octet-stream");
    ArrayBuilder::new().items(file)
}

/// One of these, `null`, or left out.
fn maybe(words: &[&str]) -> ObjectBuilder {
    let words = words.iter().map(|word| serde_json::Value::from(*word)).chain([serde_json::Value::Null]);
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::String, Type::Null]))
        .enum_values(Some(words))
}
