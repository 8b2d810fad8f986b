//! A person's visit to a page: the permission, the answer to the last action, and what a frame needs.

use app::App;
use axum::extract::FromRequestParts;
use domain::permission::Use;
use domain::{Actor, Authorized, Moment, Permission};
use http::request::Parts;

use crate::page::{Flash, Frame, Place};
use crate::{Permit, Problem, Web};

/// The visitor may do `U`. Every page's handler takes one first.
pub struct Visit<U: Use> {
    web: Web,
    permit: Permit<U>,
    flash: Option<Flash>,
}

impl<U: Use> Visit<U> {
    /// The running server.
    pub fn app(&self) -> &App {
        self.web.app()
    }

    /// The proof that `app` wants.
    pub fn by(&self) -> &Authorized<U> {
        &self.permit
    }

    /// The permit, for what else the visitor may do.
    pub fn permit(&self) -> &Permit<U> {
        &self.permit
    }

    /// Who it is.
    pub fn actor(&self) -> &Actor {
        self.permit.recognised().actor()
    }

    /// Whether the visitor may do something else too.
    pub fn may(&self, permission: Permission) -> bool {
        self.permit.may(permission)
    }

    /// The time now.
    pub fn now(&self) -> Moment {
        self.app().now()
    }

    /// The frame of the page that is answered.
    pub fn frame(&self, title: impl Into<String>, place: Place) -> Frame {
        let mut frame = Frame::new(title, place, self.actor(), self.now());
        self.permit.csrf().clone_into(&mut frame.csrf);
        frame.flash.clone_from(&self.flash);
        frame
    }
}

impl<U: Use + Default> FromRequestParts<Web> for Visit<U> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let permit = Permit::<U>::from_request_parts(parts, web).await?;
        Ok(Self { web: web.clone(), permit, flash: Flash::of(&parts.headers) })
    }
}
