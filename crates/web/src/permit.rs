//! Permission as a type: a handler that asks for a [`Permit`] is reached only by who may, before the body is read.

use std::ops::Deref;

use axum::extract::{FromRequestParts, RawPathParams};
use domain::permission::{Use, may};
use domain::{Authorized, Permission, authorize};
use http::request::Parts;

use crate::access::{self, Recognised};
use crate::routes::Row;
use crate::{Problem, Web, accept};

/// The caller may do `U`. Dereferences to the [`Authorized`] value that `app` wants.
pub struct Permit<U: Use> {
    authorized: Authorized<U>,
    recognised: Recognised,
}

impl<U: Use> Permit<U> {
    /// Whether the caller may do something else too, for pages that show only what can be used.
    pub fn may(&self, permission: Permission) -> bool {
        may(self.recognised.actor(), permission)
    }

    /// The proof for something else, if the caller may; a refusal is not reported.
    pub fn also<V: Use>(&self, other: V) -> Option<Authorized<V>> {
        authorize(self.recognised.actor(), other, self.object()).ok()
    }

    /// Who was recognised, and by what.
    pub fn recognised(&self) -> &Recognised {
        &self.recognised
    }

    /// The token that forms carry in the hidden field `_csrf`; empty when there is no session.
    pub fn csrf(&self) -> &str {
        self.recognised.csrf()
    }
}

impl<U: Use> Deref for Permit<U> {
    type Target = Authorized<U>;

    fn deref(&self) -> &Authorized<U> {
        &self.authorized
    }
}

impl<U: Use + Default> FromRequestParts<Web> for Permit<U> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        // A row that promises something else than its handler asks for is a mistake of ours, and a hole.
        let row = Row::of(&parts.extensions)?;
        if row.permission() != Some(U::PERMISSION) {
            return Err(app::Error::internal(
                "a route names another permission than its handler",
                &row.path(),
            )
            .into());
        }
        let kind = row.kind();
        access::note_row(parts);
        let recognised = access::known(parts, web).await?.ok_or_else(Problem::unauthorized)?;
        access::check_csrf(parts, &recognised, kind)?;
        let object = object_of(parts, web).await;
        let authorized = authorize(recognised.actor(), U::default(), &object);
        let authorized = authorized.map_err(|refused| Problem::forbidden(refused.permission))?;
        accept::expect_acceptable(&parts.headers, Row::of(&parts.extensions)?)?;
        Ok(Self { authorized, recognised })
    }
}

/// The object that a request is about: the first parameter of its path.
async fn object_of(parts: &mut Parts, web: &Web) -> String {
    let parameters = RawPathParams::from_request_parts(parts, web).await;
    let first = parameters.ok().and_then(|all| all.iter().next().map(|(_, value)| value.to_owned()));
    let object: String = first.unwrap_or_default().chars().filter(|c| !c.is_control()).take(64).collect();
    access::note_object(parts, &object);
    object
}
