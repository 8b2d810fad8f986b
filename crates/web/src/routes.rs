//! Every address there is: one row each, with the permission, what it does in the audit log, and what it takes and
//! answers. The router, the OpenAPI document and the test that walks all routes are made from these rows: those of the
//! API in [`api`], those of the pages in [`crate::page::routes`].

pub mod api;
mod parameter;

use std::convert::Infallible;

use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodFilter;
use domain::Permission;
use domain::audit::Action;
use http::{Extensions, Method};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::list::Listing;
use crate::{Problem, Web};

pub use parameter::{Parameter, Takes};

/// One address and method, and what is said about it.
#[derive(Clone)]
pub struct Row {
    method: Method,
    path: &'static str,
    needs: Needs,
    action: Action,
    says: &'static str,
    takes: Vec<Shape>,
    answers: Vec<(u16, Option<Shape>)>,
    query: &'static [Parameter],
}

/// Who may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody, also a stranger.
    Nothing,
    /// Whoever holds the permission.
    One(Permission),
}

impl From<Permission> for Needs {
    fn from(permission: Permission) -> Self {
        Self::One(permission)
    }
}

/// Whether programs or browsers come here; refusals are answered in kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON, under `/api/`.
    Api,
    /// HTML, everywhere else.
    Page,
}

impl Kind {
    /// What lives at this path.
    pub fn of(path: &str) -> Self {
        if path == "/api" || path.starts_with("/api/") { Self::Api } else { Self::Page }
    }
}

/// A body as the OpenAPI document says it.
#[derive(Clone)]
pub(crate) enum Shape {
    /// JSON of this schema, with the named schemas that it refers to.
    Json { schema: Box<RefOr<Schema>>, named: Vec<(String, RefOr<Schema>)> },
    /// A form with files, of this schema.
    Form { schema: Box<RefOr<Schema>>, named: Vec<(String, RefOr<Schema>)> },
    /// A file of this media type.
    File(&'static str),
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        let mut named = Vec::new();
        T::schemas(&mut named);
        Self::Json { schema: Box::new(T::schema()), named }
    }

    fn form_of<T: ToSchema>() -> Self {
        let mut named = Vec::new();
        T::schemas(&mut named);
        Self::Form { schema: Box::new(T::schema()), named }
    }

    /// The named schemas that it refers to.
    pub(crate) fn named(&self) -> &[(String, RefOr<Schema>)] {
        match self {
            Self::Json { named, .. } | Self::Form { named, .. } => named,
            Self::File(_) => &[],
        }
    }
}

impl Row {
    /// A row that shows something.
    pub fn get(path: &'static str, needs: impl Into<Needs>) -> Self {
        Self::new(Method::GET, path, needs.into(), Action::Request)
    }

    /// A row that makes something.
    pub fn post(path: &'static str, needs: impl Into<Needs>, action: Action) -> Self {
        Self::new(Method::POST, path, needs.into(), action)
    }

    /// A row that sets something.
    pub fn put(path: &'static str, needs: impl Into<Needs>, action: Action) -> Self {
        Self::new(Method::PUT, path, needs.into(), action)
    }

    /// A row that changes parts of something.
    pub fn patch(path: &'static str, needs: impl Into<Needs>, action: Action) -> Self {
        Self::new(Method::PATCH, path, needs.into(), action)
    }

    /// A row that removes something.
    pub fn delete(path: &'static str, needs: impl Into<Needs>, action: Action) -> Self {
        Self::new(Method::DELETE, path, needs.into(), action)
    }

    fn new(method: Method, path: &'static str, needs: Needs, action: Action) -> Self {
        Self { method, path, needs, action, says: "", takes: Vec::new(), answers: Vec::new(), query: &[] }
    }

    /// What it does, one sentence for the OpenAPI document.
    #[must_use]
    pub fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    /// The JSON that it takes.
    #[must_use]
    pub fn takes<T: ToSchema>(mut self) -> Self {
        self.takes.push(Shape::of::<T>());
        self
    }

    /// The form with files that it takes.
    #[must_use]
    pub fn takes_form<T: ToSchema>(mut self) -> Self {
        self.takes.push(Shape::form_of::<T>());
        self
    }

    /// That it takes a file.
    #[must_use]
    pub fn takes_file(mut self) -> Self {
        self.takes.push(Shape::File("application/octet-stream"));
        self
    }

    /// The JSON that it answers.
    #[must_use]
    pub fn answers<T: ToSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Some(Shape::of::<T>())));
        self
    }

    /// The page of a list that it answers.
    #[must_use]
    pub fn answers_page<T: ToSchema>(mut self) -> Self {
        let Shape::Json { schema, mut named } = Shape::of::<Listing<T>>() else { return self };
        // The schema of a page names that of its rows, which utoipa leaves out where it is a parameter.
        named.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut named);
        self.answers.push((200, Some(Shape::Json { schema, named })));
        self
    }

    /// That it answers a file.
    #[must_use]
    pub fn answers_file(mut self, media_type: &'static str) -> Self {
        self.answers.push((200, Some(Shape::File(media_type))));
        self
    }

    /// What it answers with 200 when that is a file of one of these types, as it was asked for.
    #[must_use]
    pub fn answers_one_of(self, media_types: &[&'static str]) -> Self {
        media_types.iter().fold(self, |row, media_type| row.answers_file(media_type))
    }

    /// That it answers nothing but the status.
    #[must_use]
    pub fn answers_nothing(mut self, status: u16) -> Self {
        self.answers.push((status, None));
        self
    }

    /// The parameters after `?`, each with its meaning.
    #[must_use]
    pub fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with its parameters in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The permission that its handler asks for; none when anybody may come.
    pub fn permission(&self) -> Option<Permission> {
        match self.needs {
            Needs::Nothing => None,
            Needs::One(permission) => Some(permission),
        }
    }

    /// What the audit log calls it.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Whether programs or browsers come here.
    pub fn kind(&self) -> Kind {
        Kind::of(self.path)
    }

    pub(crate) fn description(&self) -> &'static str {
        self.says
    }

    pub(crate) fn inputs(&self) -> &[Shape] {
        &self.takes
    }

    pub(crate) fn outputs(&self) -> &[(u16, Option<Shape>)] {
        &self.answers
    }

    pub(crate) fn parameters(&self) -> &'static [Parameter] {
        self.query
    }

    /// The row of the request that is being answered.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Row, Problem> {
        let row = extensions.get::<std::sync::Arc<Row>>().map(AsRef::as_ref);
        row.ok_or_else(|| app::Error::internal("a handler outside of the table of routes", &"").into())
    }
}

/// The table, and the router that grows with it.
#[derive(Default)]
pub struct Routes {
    rows: Vec<Row>,
    router: Router<Web>,
}

impl Routes {
    /// Adds a row and its handler.
    #[must_use]
    pub fn add<H, T>(mut self, row: Row, handler: H) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        // Only the five methods that `Row` has constructors for come here; `on` knows them all.
        let filter = MethodFilter::try_from(row.method.clone()).unwrap_or(MethodFilter::GET);
        let known = handler.layer(axum::Extension(std::sync::Arc::new(row.clone())));
        self.router = self.router.route(row.path, axum::routing::on(filter, known));
        self.rows.push(row);
        self
    }

    /// The rows so far.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The router; addresses and methods that have no row get a problem too.
    pub(crate) fn into_router(self) -> Router<Web> {
        self.router.fallback(no_such_address).method_not_allowed_fallback(no_such_method)
    }
}

/// Every row: the API's, then the pages'.
pub(crate) fn all() -> Routes {
    crate::page::routes::pages(api::routes(Routes::default()))
}

async fn no_such_address() -> Result<Infallible, Problem> {
    Err(Problem::no_such_address())
}

async fn no_such_method() -> Result<Infallible, Problem> {
    Err(Problem::method_not_allowed())
}
