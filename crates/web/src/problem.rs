//! How a refusal is answered: problem+json with X-Road's fields, `title` and `detail` in plain words.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use axum::response::{IntoResponse, Response};
use domain::Moment;
use domain::clock::SECOND;
use http::{HeaderValue, StatusCode, header};
use pki::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal, on its way to the caller. Pages read it from the response's extensions and draw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Details>);

/// What is said about a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The status of the answer.
    pub status: StatusCode,
    /// The stable code.
    pub code: String,
    /// X-Road's metadata: what belongs to the code, in its order.
    pub metadata: Vec<String>,
    /// What is wrong with which field.
    pub fields: Vec<(String, Refusal)>,
    /// What was wrong and where, one or more sentences.
    pub what: String,
    /// What to do about it, one sentence; may be empty.
    pub repair: String,
    /// Seconds after which the same request may come again.
    pub retry_after: Option<i64>,
    /// The moment from which it may; the guard, which has a clock, says it in seconds.
    pub until: Option<Moment>,
    /// Whether `app` has the refusal in its audit log already; what is refused before `app` is reached, is not.
    pub recorded: bool,
}

impl Problem {
    /// A refusal with this status and code.
    pub fn new(
        status: StatusCode,
        code: impl Into<String>,
        what: impl Into<String>,
        repair: impl Into<String>,
    ) -> Self {
        Self(Box::new(Details {
            status,
            code: code.into(),
            metadata: Vec::new(),
            fields: Vec::new(),
            what: what.into(),
            repair: repair.into(),
            retry_after: None,
            until: None,
            recorded: false,
        }))
    }

    /// Says what belongs to the code.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Vec<String>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Says after how many seconds the same request may come again.
    #[must_use]
    pub fn after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The header `Retry-After`, in whole seconds from now (RFC 9110, 10.2.3); none when waiting helps nothing.
    pub(crate) fn retry_after(&self, now: Moment) -> Option<HeaderValue> {
        let waits = |until: Moment| (until.since(now) + SECOND - 1).div_euclid(SECOND).max(1);
        self.retry_after.or(self.until.map(waits)).map(HeaderValue::from)
    }

    /// A request that cannot be read: 400.
    pub fn bad_request(code: impl Into<String>, what: impl Into<String>, repair: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, what, repair)
    }

    /// One field of the input that cannot be taken: 400 `validation_failure`.
    pub fn field(name: &str, refusal: Refusal) -> Self {
        Self::fields(vec![(name.to_owned(), refusal)])
    }

    /// Several fields: 400 `validation_failure`.
    pub fn fields(fields: Vec<(String, Refusal)>) -> Self {
        let mut problem = Self::bad_request("validation_failure", "the input cannot be taken", "");
        problem.fields = fields;
        problem
    }

    /// Nobody is logged in: 401.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "nobody is recognised in this request",
            "Log in, or send an API key that is not expired.",
        )
    }

    /// There is no such method at this address: 405.
    pub(crate) fn method_not_allowed() -> Self {
        let what = "this cannot be done at this address";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            what,
            "The API's description says what can.",
        )
    }

    /// There is nothing at this address: 404.
    pub fn no_such_address() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is nothing at this address",
            "Check the address.",
        )
    }

    /// The status in words. Never kept beside it: whoever changes the one would forget the other.
    pub fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Refused")
    }

    /// What was wrong and what to do, as one text.
    pub fn detail(&self) -> String {
        let mut text = sentence(&self.what);
        for (name, refusal) in &self.fields {
            text.push_str(&format!(" {name}: {} {}", sentence(&refusal.what), refusal.repair));
        }
        if !self.repair.is_empty() {
            text.push(' ');
            text.push_str(&self.repair);
        }
        text
    }
}

/// First letter in upper case, a full stop at the end: messages have neither (`ARCHITECTURE.md`).
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let mut sentence: String = first.to_uppercase().chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// The body of a refusal.
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    /// The HTTP status.
    status: u16,
    /// The code, for programs.
    error: ProblemError,
    /// The status in words.
    title: String,
    /// What was wrong, where, and what to do.
    detail: String,
}

/// The code of a refusal and what belongs to it.
#[derive(Serialize, ToSchema)]
pub struct ProblemError {
    /// The stable code.
    code: String,
    /// What belongs to the code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metadata: Vec<String>,
    /// Codes by the name of the field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    validation_errors: BTreeMap<String, Vec<String>>,
}

impl From<&Problem> for ProblemBody {
    fn from(problem: &Problem) -> Self {
        let mut validation_errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, refusal) in &problem.fields {
            validation_errors.entry(name.clone()).or_default().push(refusal.code.to_owned());
        }
        Self {
            status: problem.status.as_u16(),
            error: ProblemError {
                code: problem.code.clone(),
                metadata: problem.metadata.clone(),
                validation_errors,
            },
            title: problem.title().to_owned(),
            detail: problem.detail(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&ProblemBody::from(&self)).unwrap_or_default();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        of_refusal(StatusCode::BAD_REQUEST, refusal)
    }
}

fn of_refusal(status: StatusCode, refusal: Refusal) -> Problem {
    let metadata = if refusal.place.is_empty() { Vec::new() } else { vec![refusal.place] };
    Problem::new(status, refusal.code, refusal.what, refusal.repair).with_metadata(metadata)
}

impl From<app::Error> for Problem {
    fn from(error: app::Error) -> Self {
        use app::Error;
        let (code, what) = (error.code(), error.to_string());
        let mut problem = match error {
            Error::NotPermitted(refused) => Self::forbidden(refused.permission),
            Error::NotFound { .. } => {
                Self::new(StatusCode::NOT_FOUND, code, what, "Look at the list; it may have been removed.")
            }
            Error::Refused(refusal) => of_refusal(StatusCode::BAD_REQUEST, refusal),
            Error::Conflict(refusal) => of_refusal(StatusCode::CONFLICT, refusal),
            Error::Invalid(fields) => Self::fields(fields),
            Error::Throttled { until, .. } => {
                let repair = format!("Try again after {until}.");
                let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, code, what, repair)
                    .with_metadata(vec![until.to_string()]);
                problem.until = Some(until);
                problem
            }
            Error::TokenUnavailable { token } => {
                let repair = "Log the token in with its PIN, then try again.";
                Self::new(StatusCode::CONFLICT, code, what, repair).with_metadata(vec![token.to_string()])
            }
            Error::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, what, "Try again in a moment.").after(1)
            }
            Error::Internal { .. } => {
                let repair = "Tell the administrator this number; the log has the cause.";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, what, repair)
            }
        };
        problem.recorded = true;
        problem
    }
}

impl Problem {
    /// The actor may not: 403.
    pub fn forbidden(permission: domain::Permission) -> Self {
        let roles: Vec<&str> = permission.roles().iter().map(|role| role.label()).collect();
        let repair = match roles.as_slice() {
            [] => String::new(),
            roles => format!("Ask somebody with one of these roles: {}.", roles.join(", ")),
        };
        Self::new(StatusCode::FORBIDDEN, "forbidden", format!("{permission} is needed for this"), repair)
            .with_metadata(vec![permission.name().to_owned()])
    }
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use domain::id::TokenId;
    use domain::{Actor, Moment, Permission};

    use super::*;

    fn json(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(ProblemBody::from(problem)).unwrap()
    }

    #[test]
    fn every_error_of_the_application_has_its_status_and_code() {
        let refusal =
            || Refusal::new("pem.truncated", "the end is missing", "Copy the whole file.").at("line 3");
        let denied = domain::authorize(&Actor::Edge, domain::permission::uses::ViewKeys, "").unwrap_err();
        let cases: Vec<(app::Error, u16, &str)> = vec![
            (app::Error::NotPermitted(denied), 403, "forbidden"),
            (app::Error::not_found("token", "x"), 404, "token_not_found"),
            (app::Error::Refused(refusal()), 400, "pem.truncated"),
            (app::Error::Invalid(vec![("name".to_owned(), refusal())]), 400, "validation_failure"),
            (app::Error::Conflict(refusal()), 409, "pem.truncated"),
            (app::Error::Throttled { until: Moment(5_000), what: "x".to_owned() }, 429, "throttled"),
            (app::Error::TokenUnavailable { token: TokenId::soft() }, 409, "token_not_available"),
            (app::Error::Busy, 503, "busy"),
            (app::Error::Internal { id: "ab12".to_owned() }, 500, "internal_error"),
        ];
        for (error, status, code) in cases {
            let problem = Problem::from(error);
            assert_eq!((problem.status.as_u16(), problem.code.as_str()), (status, code));
            assert_eq!(json(&problem)["title"], problem.status.canonical_reason().unwrap());
        }
    }

    #[test]
    fn who_is_throttled_is_told_the_seconds() {
        let throttled = |until| {
            Problem::from(app::Error::Throttled { until: Moment(until), what: String::new() })
                .retry_after(Moment(10_000))
        };
        for (until, seconds) in [(10_001, 1), (10_999, 1), (40_500, 31), (9_000, 1)] {
            assert_eq!(throttled(until), Some(HeaderValue::from(seconds)), "{until}");
        }
        assert_eq!(Problem::unauthorized().retry_after(Moment(0)), None);
    }

    #[test]
    fn says_what_where_and_what_to_do_and_leaves_nulls_out() {
        let refusal =
            Refusal::new("pem.truncated", "the end is missing", "Copy the whole file.").at("line 3");
        let said = json(&Problem::from(refusal.clone()));
        assert_eq!(said["detail"], "The end is missing. Copy the whole file.");
        assert_eq!(said["error"], serde_json::json!({ "code": "pem.truncated", "metadata": ["line 3"] }));
        let said = json(&Problem::field("chain", refusal));
        assert_eq!(said["error"]["validation_errors"], serde_json::json!({ "chain": ["pem.truncated"] }));
        assert!(said["error"].get("metadata").is_none());
    }

    #[test]
    fn the_title_is_that_of_the_status_also_when_it_is_another_one_later() {
        let mut problem = Problem::from(app::Error::Refused(Refusal::new("login_failed", "x", "y")));
        problem.status = StatusCode::UNAUTHORIZED;
        assert_eq!(
            (&json(&problem)["status"], &json(&problem)["title"]),
            (&401.into(), &"Unauthorized".into())
        );
    }

    #[test]
    fn a_refusal_names_the_roles_that_may() {
        let problem = Problem::forbidden(Permission::ExportPrivateKey);
        assert_eq!(problem.status, StatusCode::FORBIDDEN);
        assert!(problem.detail().contains("Security officer"), "{}", problem.detail());
    }
}
