//! Make an issuer, withdraw it, take it up again.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::id::IssuerId;
use domain::issuer::{Issuer, IssuerKind};
use domain::key::parse_label;
use domain::permission::uses;
use pki::Refusal;

use crate::{App, Error, act};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewIssuer {
    /// Its name, also in addresses: letters, digits, `-` and `_`.
    pub id: String,
    /// The name on pages.
    pub label: String,
    /// How it works.
    pub kind: IssuerKind,
}

/// Whether an issuer issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It issues no more.
    Yes,
    /// It issues.
    No,
}

/// Makes an issuer. The CAs of an internal one are made when it is first used.
pub async fn create(
    app: &App,
    by: &Authorized<uses::ManageIssuers>,
    input: NewIssuer,
) -> Result<Issuer, Error> {
    act::audited(app, by.actor(), Action::IssuerCreate, "", async {
        let id: IssuerId = input.id.trim().parse().map_err(|_| {
            let what = "the name must be 1 to 64 of a-z, 0-9, - and _";
            Refusal::new("issuer.name", what, "Choose another name.").at("id")
        })?;
        let issuer = Issuer {
            id,
            kind: input.kind,
            label: parse_label(&input.label)?,
            withdrawn: false,
            created: app.now(),
            authority: None,
        };
        let event = Event::done(app.now(), by.actor(), Action::IssuerCreate, issuer.id.as_str())
            .with(Field::Label, &issuer.label);
        let row = issuer.clone();
        app.commit("issuer.create", move |tx| {
            if store::issuer::find(tx, &row.id)?.is_some() {
                let what = format!("there is an issuer {} already", row.id);
                return Err(Error::conflict("issuer.exists", what, "Choose another name."));
            }
            store::issuer::insert(tx, &row)?;
            act::record(tx, &event)
        })
        .await?;
        Ok(issuer)
    })
    .await
}

/// Withdraws an issuer or takes it up again. What it issued stays.
pub async fn set_withdrawn(
    app: &App,
    by: &Authorized<uses::ManageIssuers>,
    id: &IssuerId,
    withdrawn: Withdrawn,
) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::IssuerUpdate, id.as_str(), async {
        let reason = match withdrawn {
            Withdrawn::Yes => "withdrawn",
            Withdrawn::No => "taken up again",
        };
        let event =
            Event::done(app.now(), by.actor(), Action::IssuerUpdate, id.as_str()).with(Field::Reason, reason);
        let id = id.clone();
        app.commit("issuer.set_withdrawn", move |tx| {
            store::issuer::find(tx, &id)?.ok_or_else(|| Error::not_found("issuer", &id))?;
            store::issuer::set_withdrawn(tx, &id, withdrawn == Withdrawn::Yes)?;
            act::record(tx, &event)
        })
        .await
    })
    .await
}
