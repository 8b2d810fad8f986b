//! The OpenAPI 3.1 document, made from the table of routes, and a page that shows it to people.

use std::fmt::Write;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{Method, header};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApiBuilder, Paths, Ref, RefOr, Required, ResponseBuilder,
    ResponsesBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::Web;
use crate::problem::{ProblemBody, ProblemError};
use crate::routes::{Kind, Row, Shape, Takes, all};

/// The document as JSON. An empty object if it cannot be written, which a test rules out.
pub(crate) fn document(rows: &[Row]) -> String {
    let api = || rows.iter().filter(|row| row.kind() == Kind::Api);
    let mut components = ComponentsBuilder::new()
        .schema("Problem", ProblemBody::schema())
        .schema(ProblemError::name(), ProblemError::schema())
        .security_scheme("api_key", bearer())
        .security_scheme("x_road_api_key", header_scheme("Authorization", "X-Road-ApiKey token=KEY"))
        .security_scheme("session", header_scheme("X-XSRF-TOKEN", "with the session's cookie"));
    for row in api() {
        for shape in row.inputs().iter().chain(row.outputs().iter().filter_map(|(_, shape)| shape.as_ref())) {
            components = components.schemas_from_iter(shape.named().to_vec());
        }
    }
    let mut paths = Paths::new();
    for row in api() {
        paths.add_path_operation(row.path(), vec![method(row.method())], operation(row));
    }
    let info = InfoBuilder::new()
        .title("Claviger")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Keys and certificates: make, issue, serve, install, replace."));
    let document = OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build();
    document.to_json().unwrap_or_else(|_| "{}".to_owned())
}

fn bearer() -> SecurityScheme {
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build())
}

fn header_scheme(name: &str, description: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
}

fn method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(row: &Row) -> OperationBuilder {
    let mut operation = OperationBuilder::new().summary(Some(row.description())).tag(tag(row.path()));
    for name in path_parameters(row.path()) {
        let path = parameter(name, ParameterIn::Path, Takes::Id).required(Required::True);
        operation = operation.parameter(path);
    }
    for asked in row.parameters() {
        let query = parameter(asked.name, ParameterIn::Query, asked.takes).description(Some(asked.meaning));
        operation = operation.parameter(query);
    }
    if !row.inputs().is_empty() {
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        let body = row
            .inputs()
            .iter()
            .map(content)
            .fold(body, |body, (media_type, content)| body.content(media_type, content));
        operation = operation.request_body(Some(body.build()));
    }
    if let Some(permission) = row.permission() {
        let held = [permission.name()];
        for scheme in ["api_key", "x_road_api_key", "session"] {
            operation = operation.security(SecurityRequirement::new(scheme, held));
        }
        operation = operation.description(Some(format!("Needs the permission `{permission}`.")));
    }
    operation.responses(responses(row))
}

fn parameter(name: &str, place: ParameterIn, takes: Takes) -> ParameterBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let schema = match takes {
        Takes::Text => text,
        Takes::Id => text.min_length(Some(1)),
        Takes::OneOf(words) => text.enum_values(Some(words.iter().copied())),
        Takes::Flag => ObjectBuilder::new().schema_type(Type::Boolean),
        Takes::Rows => ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(1_000)),
    };
    ParameterBuilder::new().name(name).parameter_in(place).schema(Some(schema))
}

/// The names in braces.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The noun that a path begins with, after `/api/v1/`.
fn tag(path: &str) -> &str {
    path.split('/').nth(3).unwrap_or_default()
}

fn content(shape: &Shape) -> (&'static str, utoipa::openapi::Content) {
    match shape {
        Shape::Json { schema, .. } => {
            ("application/json", ContentBuilder::new().schema(Some((**schema).clone())).build())
        }
        Shape::Form { schema, .. } => {
            ("multipart/form-data", ContentBuilder::new().schema(Some((**schema).clone())).build())
        }
        Shape::File(media_type) => (media_type, ContentBuilder::new().build()),
    }
}

fn responses(row: &Row) -> utoipa::openapi::Responses {
    let problem: RefOr<Schema> = Ref::from_schema_name("Problem").into();
    let problem = ContentBuilder::new().schema(Some(problem)).build();
    let problem = |description: &str| {
        ResponseBuilder::new().description(description).content("application/problem+json", problem.clone())
    };
    let mut responses = ResponsesBuilder::new()
        .response("4XX", problem("Refused"))
        .response("5XX", problem("Failed here, or too busy (503)"));
    for same in row.outputs().chunk_by(|(one, _), (other, _)| one == other) {
        let contents = same.iter().filter_map(|(_, shape)| shape.as_ref().map(content));
        let done = ResponseBuilder::new().description("Done");
        let done = contents.fold(done, |done, (media_type, content)| done.content(media_type, content));
        if let [(status, _), ..] = same {
            responses = responses.response(status.to_string(), done);
        }
    }
    responses.build()
}

/// `GET /api/v1/openapi.json`
pub async fn json(State(web): State<Web>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], web.openapi().to_owned()).into_response()
}

/// `GET /api/v1/docs`: every address, for people.
pub async fn docs() -> Html<String> {
    let mut rows = String::new();
    for row in all().rows().iter().filter(|row| row.kind() == Kind::Api) {
        let permission = row.permission().map_or("-", |permission| permission.name());
        // Everything here is text of ours; writing into a String cannot fail.
        let _ = write!(
            rows,
            "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{}</td><td><code>{permission}</code></td></tr>",
            row.method(),
            row.path(),
            row.description(),
        );
    }
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Claviger API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"></head><body><main>\
         <h1>Claviger API</h1><p>The whole description for programs: \
         <a href=\"/api/v1/openapi.json\">openapi.json</a>. Send <code>Authorization: Bearer KEY</code>.</p>\
         <table><thead><tr><th scope=\"col\">Method</th><th scope=\"col\">Address</th><th scope=\"col\">What it does</th>\
         <th scope=\"col\">Permission</th></tr></thead><tbody>{rows}</tbody></table></main></body></html>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_the_api_is_described() {
        let routes = all();
        let document: serde_json::Value = serde_json::from_str(&document(routes.rows())).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for row in routes.rows().iter().filter(|row| row.kind() == Kind::Api) {
            let operation = &document["paths"][row.path()][row.method().as_str().to_ascii_lowercase()];
            let name = format!("{} {}", row.method(), row.path());
            assert!(
                operation["summary"].as_str().is_some_and(|says| says.ends_with('.')),
                "{name} says nothing"
            );
            assert!(
                operation["responses"].as_object().is_some_and(|held| held.len() > 1),
                "{name} answers nothing"
            );
        }
    }

    #[test]
    fn every_named_schema_is_there() {
        let text = document(all().rows());
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }
}
