//! A lineage from a certificate that is here: by itself at import, or with a person's wishes.

use domain::audit::{Action, Event, Field};
use domain::certificate::CertificateEntry;
use domain::id::{IssuerId, LineageId, ProfileId, TargetId};
use domain::key::{Key, KeyUsage};
use domain::lineage::{AtRenewal, KeyRule, Lineage};
use domain::permission::uses;
use domain::{Authorized, Moment, Random};
use pki::Fingerprint;
use store::Tx;

use super::LineageView;
use super::update::{LineageChange, change};
use crate::{App, Error, act, certificate, key, naming, setting};

/// How a certificate is carried on.
#[derive(Clone, Debug, Default)]
pub struct Adopt {
    /// The lineage's name; none means the certificate's friendly name.
    pub name: Option<String>,
    /// What else is wished; what is none is taken from the certificate.
    pub change: LineageChange,
}

/// Makes a lineage from a certificate whose key is here and that can be served, or changes the one that it has.
pub async fn adopt(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    id: &Fingerprint,
    wishes: Adopt,
) -> Result<LineageView, Error> {
    act::audited(app, by.actor(), Action::LineageCreate, &id.to_string(), async {
        let (id, now, random, actor) = (*id, app.now(), app.random_source(), by.actor().clone());
        let lineage = app
            .commit("lineage.adopt", move |tx| {
                let entry =
                    store::certificate::find(tx, &id)?.ok_or_else(|| Error::not_found("certificate", id))?;
                let known = match &entry.lineage {
                    Some(lineage) => store::lineage::find(tx, lineage)?,
                    None => None,
                };
                let lineage = match known {
                    Some(lineage) => lineage.id,
                    None => {
                        refuse_unsound(tx, &entry, now)?;
                        found(tx, &entry, IssuerId::of("manual"), now, (&actor.name(), &*random))?.id
                    }
                };
                let mut wanted = wishes.change.clone();
                wanted.name = wishes.name.clone().or(wanted.name);
                let changed = change(tx, &lineage, &wanted, now, (&actor.name(), &*random))?;
                let event = Event::done(now, &actor, Action::LineageCreate, lineage.as_str())
                    .with(Field::Label, &changed.name)
                    .with(Field::Certificate, id);
                store::audit::record(tx, &event)?;
                Ok(lineage)
            })
            .await?;
        app.served_changed();
        app.wake();
        super::list::load(app, &lineage).await
    })
    .await
}

/// What is founded on is served at once: an expired certificate, or one with another error, would take the place of
/// what is served for its names now.
fn refuse_unsound(tx: &Tx<'_>, entry: &CertificateEntry, now: Moment) -> Result<(), Error> {
    let view = certificate::view(tx, entry.clone(), now)?;
    certificate::refuse_errors(&view.findings).map_err(|error| match error {
        Error::Conflict(refusal) if refusal.code == "cert.expired" => {
            let repair = "Make a new lineage for its names: its first certificate is ordered at once.";
            Error::conflict(
                refusal.code,
                format!("this certificate cannot be carried on: {}", refusal.what),
                repair,
            )
        }
        other => other,
    })
}

/// Founds a lineage on a certificate: named like it, bound to the edge if it has a DNS name, current at once.
pub(crate) fn found(
    tx: &Tx<'_>,
    entry: &CertificateEntry,
    issuer: IssuerId,
    now: Moment,
    by: (&str, &dyn Random),
) -> Result<Lineage, Error> {
    let key = store::key::find(tx, &entry.key())?;
    let Some(key) = key else {
        let what = "the private key of this certificate is not here";
        return Err(Error::conflict("key.missing", what, "Import the key first."));
    };
    key::refuse_other_usage(&key)?;
    let lineage = describe(tx, entry, &key, issuer, now, by.1)?;
    store::lineage::insert(tx, &lineage)?;
    store::certificate::set_lineage(tx, &entry.fingerprint(), Some(&lineage.id))?;
    let entry = CertificateEntry { lineage: Some(lineage.id.clone()), ..entry.clone() };
    certificate::make_current(tx, &lineage, &entry, now, by)?;
    store::lineage::find(tx, &lineage.id)?.ok_or_else(|| Error::not_found("lineage", &lineage.id))
}

fn describe(
    tx: &Tx<'_>,
    entry: &CertificateEntry,
    key: &Key,
    issuer: IssuerId,
    now: Moment,
    random: &dyn Random,
) -> Result<Lineage, Error> {
    let certificate = &entry.certificate;
    // The edge chooses by DNS name: a certificate without one could never be seen there.
    let has_name = certificate.names().iter().any(|name| name.dns().is_some());
    let lifetime = certificate.not_after().since(certificate.not_before()).saturating_add(1);
    let name = naming::free(&entry.friendly_name, &entry.fingerprint().to_string(), |name| {
        Ok(store::lineage::by_name(tx, name)?.is_none())
    })?;
    Ok(Lineage {
        id: LineageId::new(now, random),
        name,
        subject: certificate.subject().clone(),
        names: certificate.names().to_vec(),
        usage: KeyUsage::Tls,
        owner: String::new(),
        environment: setting::identity(tx)?.environment,
        key_rule: KeyRule {
            token: key.token.clone(),
            algorithm: key.algorithm,
            at_renewal: AtRenewal::NewKey,
            exportable: key.exportable,
        },
        profile: ProfileId::of("tls"),
        // A self-signed certificate is renewed for as long as it was made; a CA decides by itself.
        lifetime: (issuer == IssuerId::of("self-signed")).then_some(lifetime),
        issuer,
        targets: has_name.then(TargetId::edge).into_iter().collect(),
        backend: None,
        current: None,
        due: None,
        failures: 0,
        trouble: String::new(),
        created: now,
        version: 1,
    })
}
