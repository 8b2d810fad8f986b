//! The factory certificate: self-signed, made at the first start, the default until another is chosen.

use domain::Actor;
use domain::audit::{Action, Event, Field};
use domain::certificate::Source;
use domain::clock::DAY;
use domain::key::{Exportable, KeyUsage};
use domain::permission::{authorize, uses};
use pki::name::{Attribute, AttributeType};
use pki::{KeyAlgorithm, SubjectAltName};

use crate::csr::{Subject, check_subject};
use crate::key::{NewKey, make};
use crate::{App, Error, act, setting};

/// The friendly name, as the appliance's guide knows its own.
pub const NAME: &str = "Claviger factory certificate";
/// How long it lives, in milliseconds: ten years.
const LIFE: i64 = 10 * 365 * DAY;

/// Makes the factory certificate where there is none. The edge's own actor signs it, nobody is there yet.
pub async fn ensure(app: &App) -> Result<(), Error> {
    let there = app.read("factory.find", |tx| setting::fingerprint(tx, setting::FACTORY_CERTIFICATE)).await?;
    if there.is_some() {
        return Ok(());
    }
    let wanted = NewKey {
        label: NAME.to_owned(),
        token: domain::id::TokenId::system(),
        algorithm: KeyAlgorithm::EcP256,
        exportable: Some(Exportable::Never),
    };
    let made = make(app, &wanted, Some(KeyUsage::Tls)).await?;
    let by = authorize(&Actor::Edge, uses::ServeTls, "factory")?;
    let certificate = super::self_sign::certify(app, &by, &made.sealed, &names(app)?, LIFE / 1_000).await?;
    let now = app.now();
    let row = super::row(certificate, NAME.to_owned(), Source::Factory, None, now);
    let fingerprint = row.fingerprint();
    let event = Event::done(now, &Actor::Installer, Action::CertificateSelfSign, fingerprint.to_string())
        .with(Field::Label, NAME);
    app.commit("factory.make", move |tx| {
        store::key::insert(tx, &made.key, &made.sealed)?;
        store::certificate::insert(tx, &row)?;
        setting::put_fingerprint(tx, setting::FACTORY_CERTIFICATE, &fingerprint)?;
        setting::put_fingerprint(tx, setting::DEFAULT_CERTIFICATE, &fingerprint)?;
        act::record(tx, &event)
    })
    .await?;
    app.served_changed();
    Ok(())
}

fn names(app: &App) -> Result<Subject, Error> {
    let host = host_of(&app.config().base_url);
    let mut names = vec![SubjectAltName::parse("localhost")?];
    names.extend(SubjectAltName::parse(&host));
    names.extend(["127.0.0.1", "::1"].into_iter().filter_map(|address| SubjectAltName::parse(address).ok()));
    names.sort();
    names.dedup();
    let subject = vec![Attribute { kind: AttributeType::CommonName, value: NAME.to_owned() }];
    Ok(check_subject(subject, names)?)
}

/// The host in an address like `https://host:4000`.
fn host_of(base_url: &str) -> String {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
        Some(_) | None => host.to_owned(),
    }
}
