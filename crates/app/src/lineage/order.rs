//! One renewal from plan to certificate. It can be killed anywhere and run again: what was stored is taken up.
//!
//! Two transactions: the first stores key, CSR and intent; then the issuer signs; the second stores the certificate,
//! makes it current and plans the deployments.

use domain::audit::{Action, Event, Field};
use domain::certificate::{CertificateEntry, Source};
use domain::clock::DAY;
use domain::csr::CsrState;
use domain::id::{LineageId, OrderId};
use domain::issuer::{Issuer, IssuerKind, Profile};
use domain::job::Job;
use domain::key::SealedKey;
use domain::lineage::Lineage;
use domain::order::{Order, OrderState};
use domain::permission::{authorize, uses};
use domain::renewal::{Key, Renewal, Wish, plan_renewal};
use domain::{Actor, Authorized, Moment, Random};
use issuer::{Answer, IssuerError, Wanted};
use pki::csr::CsrRequest;
use pki::{Certificate, Csr, PublicKey};
use token::Session;

use crate::certificate::{make_current, row};
use crate::issuer::{Authority, ensure_authority};
use crate::job::{self, Done, refuse_lost_lease};
use crate::key::{MadeKey, NewKey, free_label};
use crate::{App, Error, act, csr, key, signing};

/// What a renewal starts from.
struct State {
    lineage: Lineage,
    current: Option<Certificate>,
    order: Option<Order>,
    issuer: Issuer,
    profile: Profile,
}

type By = Authorized<uses::IssueCertificate>;

/// Runs the renewal job of a lineage.
pub(crate) async fn renew(app: &App, job: &Job, wish: Wish) -> Result<Done, Error> {
    let id: LineageId = job.subject.parse().map_err(|_| Error::not_found("lineage", &job.subject))?;
    let by = authorize(&Actor::Scheduler, uses::IssueCertificate, id.as_str())?;
    let state = load(app, &id).await?;
    if let Some(order) = state.order.clone() {
        return match order.state {
            OrderState::Processing => {
                let authority = authority_of(app, &by, &state.issuer).await?;
                let issuing = Issuing { by, state, authority };
                finish(app, job, &issuing, order).await
            }
            OrderState::Pending | OrderState::Ready | OrderState::Valid | OrderState::Invalid => {
                rest(app, job, id, UNDER_WAY.to_owned()).await
            }
        };
    }
    match plan_renewal(&state.lineage, state.current.as_ref(), false, wish, app.now()) {
        Renewal::Nothing { reason } => rest(app, job, id, reason).await,
        Renewal::Order { key, reason } => {
            let authority = authority_of(app, &by, &state.issuer).await?;
            match place(app, job, Issuing { by, state, authority }, (key, reason)).await {
                // Another node, or another job, was first.
                Err(error) if error.code() == TAKEN => rest(app, job, id, UNDER_WAY.to_owned()).await,
                done => done,
            }
        }
    }
}

const UNDER_WAY: &str = "an order is under way already";
/// The code of a lineage that has an active order.
const TAKEN: &str = "order.active";

/// Ends a job that found nothing to do. The clock took the due time for it: the lineage gets one again, unless an order
/// carries it.
async fn rest(app: &App, job: &Job, id: LineageId, said: String) -> Result<Done, Error> {
    let (job, now, ended) = (job.clone(), app.now(), said.clone());
    app.store()
        .tx("order.rest", move |tx| {
            job::end(tx, &job, &ended, now)?;
            if store::lineage::hold(tx, &id)? && store::order::active(tx, &id)?.is_none() {
                store::lineage::set_due(tx, &id, Some(super::due(tx, &id, now)?))?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(Done::Stored(said))
}

async fn load(app: &App, id: &LineageId) -> Result<State, Error> {
    let id = id.clone();
    app.read("order.load", move |tx| {
        let lineage = store::lineage::find(tx, &id)?.ok_or_else(|| Error::not_found("lineage", &id))?;
        let current = match &lineage.current {
            Some(fingerprint) => store::certificate::find(tx, fingerprint)?.map(|entry| entry.certificate),
            None => None,
        };
        let order = store::order::active(tx, &id)?;
        // What is about to be signed is signed by the issuer that it was drawn up for, whatever the lineage says now.
        let signed = order.as_ref().filter(|order| order.state == OrderState::Processing);
        let issuer_id = signed.map_or(&lineage.issuer, |order| &order.issuer);
        let issuer = store::issuer::find(tx, issuer_id)?;
        let issuer = issuer.ok_or_else(|| Error::not_found("issuer", issuer_id))?;
        if issuer.withdrawn && signed.is_none() {
            let what = format!("the issuer {} was withdrawn", issuer.label);
            return Err(Error::conflict("issuer.withdrawn", what, "Give the lineage another issuer."));
        }
        let profile = store::profile::find(tx, &lineage.profile)?;
        let profile = profile.ok_or_else(|| Error::not_found("profile", &lineage.profile))?;
        Ok(State { order, lineage, current, issuer, profile })
    })
    .await
}

/// A certificate on its way: who may, what for, and by which CA.
struct Issuing {
    by: By,
    state: State,
    authority: Option<Authority>,
}

/// What is stored before anything is signed by the issuer.
struct Draft {
    sealed: SealedKey,
    public: PublicKey,
    /// The key, if it is new.
    made: Option<MadeKey>,
    csr: Vec<u8>,
    answer: Answer,
}

/// Makes key, CSR and intent, stores them, and goes on to the signature.
async fn place(
    app: &App,
    job: &Job,
    issuing: Issuing,
    (which, reason): (Key, String),
) -> Result<Done, Error> {
    let kept = kept_key(app, &issuing.state, which).await?;
    let token = kept.as_ref().map_or(&issuing.state.lineage.key_rule.token, |kept| &kept.token);
    let (session, random, now) = (signing::session_of(app, token)?, app.random_source(), app.now());
    let (issuing, draft) = app
        .blocking(move || {
            let draft = draw_up(&session, &issuing, kept, (&*random, now));
            (issuing, draft)
        })
        .await?;
    let (Draft { sealed, public, made, csr, answer }, state) = (draft?, &issuing.state);
    key::refuse_known_bad(app, &public)?;
    let entry =
        csr::record_csr(app, &sealed, state.lineage.name.clone(), csr, Some(state.lineage.id.clone()));
    let (order_state, intent, said) = match answer {
        Answer::Prepared(prepared) => (OrderState::Processing, Some(prepared.to_be_signed), None),
        Answer::WaitForPerson(what) => (OrderState::Pending, None, Some(what)),
    };
    let order = Order {
        id: OrderId::new(now, app.random()),
        lineage: state.lineage.id.clone(),
        issuer: state.issuer.id.clone(),
        key: sealed.id,
        csr: entry.id.clone(),
        state: order_state,
        reason,
        intent,
        certificate: None,
        created: now,
    };
    store_order(app, job, (made, entry, order.clone()), said.clone()).await?;
    match said {
        Some(what) => Ok(Done::said(what)),
        None => finish(app, job, &issuing, order).await,
    }
}

/// The key that the lineage keeps, if it keeps one.
async fn kept_key(app: &App, state: &State, which: Key) -> Result<Option<SealedKey>, Error> {
    match (which, &state.current) {
        (Key::Same, Some(current)) => {
            let id = current.key_id();
            app.read("order.key", move |tx| Ok(store::key::sealed_for_tls(tx, &id)?)).await
        }
        (Key::New, _) | (Key::Same, None) => Ok(None),
    }
}

/// Makes or opens the key, signs the request, and has the issuer prepare its answer; on this thread, in one go.
fn draw_up(
    session: &Session,
    issuing: &Issuing,
    kept: Option<SealedKey>,
    (random, now): (&dyn Random, Moment),
) -> Result<Draft, Error> {
    let (by, lineage) = (&issuing.by, &issuing.state.lineage);
    let (sealed, made, signer) = match kept {
        Some(sealed) => {
            let signer = session.signer(&sealed, by)?;
            (sealed, None, signer)
        }
        None => {
            let wanted = NewKey {
                label: lineage.name.clone(),
                token: lineage.key_rule.token.clone(),
                algorithm: lineage.key_rule.algorithm,
                exportable: Some(lineage.key_rule.exportable),
            };
            let (made, signer) = key::make_signer(session, wanted, lineage.usage, (random, now), by)?;
            (made.sealed.clone(), Some(made), signer)
        }
    };
    let request = CsrRequest {
        subject: lineage.subject.clone(),
        names: lineage.names.clone(),
        usage: csr::usage_profile(lineage.usage),
    };
    let der = pki::csr::build(&request, &*signer)?;
    let answer = prepare(issuing, &Csr::of_own(&der)?, (random, now))?;
    Ok(Draft { sealed, public: signer.public_key().clone(), made, csr: der, answer })
}

async fn authority_of(app: &App, by: &By, issuer: &Issuer) -> Result<Option<Authority>, Error> {
    match issuer.kind {
        IssuerKind::Internal => ensure_authority(app, by, issuer).await.map(Some),
        IssuerKind::SelfSigned | IssuerKind::Manual => Ok(None),
    }
}

fn prepare(issuing: &Issuing, request: &Csr, (random, now): (&dyn Random, Moment)) -> Result<Answer, Error> {
    let state = &issuing.state;
    let mut profile = state.profile.clone();
    if state.issuer.kind == IssuerKind::SelfSigned {
        // No CA stands behind it: the bound of public certificates is not its.
        profile.lifetime_max = profile.lifetime_max.max(3_650 * DAY / 1_000);
    }
    let wanted = Wanted {
        csr: request,
        subject: &state.lineage.subject,
        names: &state.lineage.names,
        lifetime: profile.lifetime_for(state.lineage.lifetime)?,
        profile: &profile,
        now,
    };
    let authority = issuing.authority.as_ref().map(|authority| &authority.certificates);
    Ok(issuer::connector(state.issuer.kind).prepare(&wanted, authority, random)?)
}

/// The first transaction: from here on the order exists and nothing of it is lost.
async fn store_order(
    app: &App,
    job: &Job,
    (made, entry, order): (Option<MadeKey>, domain::csr::CsrEntry, Order),
    said: Option<String>,
) -> Result<(), Error> {
    let (job, now) = (job.clone(), app.now());
    let event = Event::done(now, &Actor::Scheduler, Action::OrderCreate, order.id.as_str())
        .with(Field::Lineage, &order.lineage)
        .with(Field::Key, order.key)
        .with(Field::Csr, &order.csr)
        .with(Field::Reason, &order.reason);
    app.commit("order.create", move |tx| {
        refuse_lost_lease(tx, &job)?;
        if let Some(made) = &made {
            let mut made = MadeKey { key: made.key.clone(), sealed: made.sealed.clone() };
            made.key.label = free_label(tx, &made.key.label, &made.key.id)?;
            store::key::insert(tx, &made.key, &made.sealed)?;
        }
        store::csr::insert(tx, &entry)?;
        store::order::insert(tx, &order).map_err(taken)?;
        if let Some(said) = &said {
            store::lineage::set_trouble(tx, &order.lineage, 0, said)?;
            // The order carries it.
            store::lineage::set_due(tx, &order.lineage, None)?;
        }
        act::record(tx, &event)
    })
    .await
}

fn taken(error: store::Error) -> Error {
    match error {
        store::Error::Conflict { ref what } if what == "order.lineage" => {
            Error::conflict(TAKEN, "an order for this lineage is under way", "Wait for it.")
        }
        other => other.into(),
    }
}

/// What a job says that issued.
const ISSUED: &str = "the certificate is here; it goes to its targets now";

/// Signs the stored intent and stores the certificate.
async fn finish(app: &App, job: &Job, issuing: &Issuing, order: Order) -> Result<Done, Error> {
    let Issuing { by, state, authority } = issuing;
    let intent = order.intent.clone().ok_or_else(|| Error::not_found("intent", &order.id))?;
    let signer = match authority {
        Some(authority) => signing::open_authority(app, &authority.key, by)?,
        None => signing::open(app, &own_key(app, &order).await?, by)?,
    };
    let (connector, certificates) = (
        issuer::connector(state.issuer.kind),
        authority.as_ref().map(|authority| authority.certificates.clone()),
    );
    let signed = app.blocking(move || connector.finish(&intent, certificates.as_ref(), &*signer)).await?;
    let source = match state.issuer.kind {
        IssuerKind::SelfSigned => Source::SelfSigned,
        IssuerKind::Internal | IssuerKind::Manual => Source::Internal,
    };
    let lineage = state.lineage.id.clone();
    let entry = row(signed?, state.lineage.name.clone(), source, Some(lineage), app.now());
    store_certificate(app, job, (entry, order), state.lineage.clone()).await?;
    app.served_changed();
    app.wake();
    Ok(Done::Stored(ISSUED.to_owned()))
}

async fn own_key(app: &App, order: &Order) -> Result<SealedKey, Error> {
    let id = order.key;
    let sealed = app.read("order.own_key", move |tx| Ok(store::key::sealed(tx, &id)?)).await?;
    sealed.ok_or_else(|| Error::not_found("key", id))
}

/// The second transaction: the job's end, certificate, current, deployments, event.
async fn store_certificate(
    app: &App,
    job: &Job,
    (entry, order): (CertificateEntry, Order),
    read: Lineage,
) -> Result<(), Error> {
    let (job, now, random) = (job.clone(), app.now(), app.random_source());
    let event =
        Event::done(now, &Actor::Scheduler, Action::CertificateIssue, entry.fingerprint().to_string())
            .with(Field::Lineage, &order.lineage)
            .with(Field::Issuer, &order.issuer)
            .with(Field::Serial, pki::identity::hex(entry.certificate.serial()))
            .with(Field::Key, order.key);
    app.commit("certificate.issue", move |tx| {
        job::end(tx, &job, ISSUED, now)?;
        store::certificate::insert(tx, &entry)?;
        if !store::order::complete(tx, &order.id, &entry.fingerprint())? {
            let what = "the order was withdrawn while it was being signed";
            return Err(Error::conflict("order.withdrawn", what, "Renew the lineage again."));
        }
        store::csr::set_state(tx, &order.csr, CsrState::Fulfilled)?;
        let lineage = if store::lineage::is_as_read(tx, &read)? {
            Some(read.clone())
        } else {
            store::lineage::find(tx, &order.lineage)?
        };
        // A lineage that was removed meanwhile: the certificate is kept, nobody serves it.
        if let Some(lineage) = lineage {
            make_current(tx, &lineage, &entry, now, (&job.actor, &*random))?;
        }
        act::record(tx, &event)
    })
    .await
}

impl From<IssuerError> for Error {
    fn from(error: IssuerError) -> Self {
        match error {
            IssuerError::Refused(refusal) => Self::Refused(refusal),
            IssuerError::NotSigned(error) => error.into(),
            IssuerError::NoAuthority | IssuerError::Unsound | IssuerError::SignsNothing => {
                Self::internal("an issuer failed", &error)
            }
        }
    }
}
