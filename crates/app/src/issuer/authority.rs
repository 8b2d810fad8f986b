//! The pair of CAs behind an internal issuer.

use std::time::Duration;

use domain::audit::{Action, Event, Field};
use domain::certificate::Source;
use domain::clock::SECOND;
use domain::id::{IssuerId, TokenId};
use domain::issuer::{self as nouns, Issuer};
use domain::key::{Exportable, KeyUsage, SealedKey};
use domain::permission::uses;
use domain::{Actor, Authorized, Moment};
use issuer::AuthorityCertificates;
use issuer::authority::{intermediate_template, root_template};
use pki::issue::Template;
use pki::{Certificate, KeyAlgorithm};
use store::Tx;

use crate::certificate::{File, row};
use crate::key::{MadeKey, NewKey, free_label, insert, make};
use crate::{App, Error, signing};

/// An issuer's CAs with the key that signs leaves.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) certificates: AuthorityCertificates,
    pub(crate) key: SealedKey,
}

/// The CAs of an issuer, if they were made.
pub(crate) fn known_authority(
    tx: &Tx<'_>,
    issuer: &Issuer,
    http_url: Option<&str>,
) -> Result<Option<Authority>, Error> {
    let Some(pair) = &issuer.authority else {
        return Ok(None);
    };
    let certificate = |fingerprint| {
        let entry = store::certificate::find(tx, fingerprint)?;
        entry.map(|entry| entry.certificate).ok_or_else(|| Error::not_found("certificate", fingerprint))
    };
    let key = store::key::sealed(tx, &pair.key)?.ok_or_else(|| Error::not_found("key", pair.key))?;
    let certificates = AuthorityCertificates {
        root: certificate(&pair.root)?,
        intermediate: certificate(&pair.intermediate)?,
        ca_issuers_url: http_url.map(|url| format!("{url}/ca/{}.cer", issuer.id)),
    };
    Ok(Some(Authority { certificates, key }))
}

/// The CAs of an issuer; made now if it was never used.
pub(crate) async fn ensure_authority(
    app: &App,
    by: &Authorized<uses::IssueCertificate>,
    issuer: &Issuer,
) -> Result<Authority, Error> {
    // Once made, the pair of an issuer stays as it is.
    if let Some(authority) = app.authorities().pair(&issuer.id) {
        return Ok(authority);
    }
    let authority = find_or_create(app, by, issuer).await?;
    app.authorities().keep_pair(&issuer.id, &authority);
    Ok(authority)
}

async fn find_or_create(
    app: &App,
    by: &Authorized<uses::IssueCertificate>,
    issuer: &Issuer,
) -> Result<Authority, Error> {
    match find(app, &issuer.id).await? {
        Some(authority) => Ok(authority),
        None => create_in_turn(app, by, issuer).await,
    }
}

async fn find(app: &App, id: &IssuerId) -> Result<Option<Authority>, Error> {
    let (id, http_url) = (id.clone(), app.config().http_url.clone());
    app.read("authority.find", move |tx| {
        let issuer = store::issuer::find(tx, &id)?.ok_or_else(|| Error::not_found("issuer", &id))?;
        known_authority(tx, &issuer, http_url.as_deref())
    })
    .await
}

/// How long a node that makes the CAs keeps others off. It takes a blink; a node that was killed in it is waited for.
const CLAIM: i64 = 30 * SECOND;
/// How often a node that waits for another looks again, and after which pause.
const LOOKS: usize = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Whether this node may make the CAs.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// It may: nobody else does for as long as the claim holds.
    Ours,
    /// Another one is at it.
    Theirs,
}

/// Lets one at a time make the CAs, here and on all nodes, so that what a root signed is never thrown away.
async fn create_in_turn(
    app: &App,
    by: &Authorized<uses::IssueCertificate>,
    issuer: &Issuer,
) -> Result<Authority, Error> {
    let _turn = app.authority_turn().lock().await;
    for _ in 0..LOOKS {
        if let Some(authority) = find(app, &issuer.id).await? {
            return Ok(authority);
        }
        // SQLite belongs to one process, and here it is its turn. A claim would only outlive one that was killed.
        if app.store().engine_name() == "sqlite" || claim(app, &issuer.id).await? == Turn::Ours {
            return create(app, by, issuer).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::Busy)
}

/// Claims the making for a while, unless another node has.
async fn claim(app: &App, id: &IssuerId) -> Result<Turn, Error> {
    let (name, now) = (format!("authority.claimed.{id}"), app.now());
    app.store()
        .tx("authority.claim", move |tx| {
            tx.exclusive(&name)?;
            let until = store::setting::text(tx, &name)?.and_then(|text| text.parse().ok()).map(Moment);
            if until.is_some_and(|until| now < until) {
                return Ok::<_, Error>(Turn::Theirs);
            }
            store::setting::put(tx, &name, &now.plus(CLAIM).0.to_string())?;
            Ok(Turn::Ours)
        })
        .await
}

struct Ca {
    made: MadeKey,
    certificate: Certificate,
}

/// Makes root and intermediate and stores both at once. Who comes second takes what the first one stored.
async fn create(
    app: &App,
    by: &Authorized<uses::IssueCertificate>,
    issuer: &Issuer,
) -> Result<Authority, Error> {
    let now = app.now();
    let root_key = ca_key(app, issuer, "root", KeyAlgorithm::EcP384).await?;
    let root_public = pki::PublicKey::from_spki_der(&root_key.key.spki)?;
    let template = root_template(&issuer.label, root_public, now, app.random())?;
    let root = certify(app, by, root_key, &template, None).await?;
    let key = ca_key(app, issuer, "intermediate", KeyAlgorithm::EcP256).await?;
    let public = pki::PublicKey::from_spki_der(&key.key.spki)?;
    let template = intermediate_template(&issuer.label, public, &root.certificate, now, app.random())?;
    let intermediate = certify(app, by, key, &template, Some(&root.made.sealed)).await?;
    let event = Event::done(now, &Actor::Scheduler, Action::AuthorityCreate, issuer.id.as_str())
        .with(Field::Certificate, root.certificate.fingerprint())
        .with(Field::Certificate, intermediate.certificate.fingerprint());
    let (id, http_url) = (issuer.id.clone(), app.config().http_url.clone());
    app.commit("authority.create", move |tx| {
        let mut issuer = store::issuer::find(tx, &id)?.ok_or_else(|| Error::not_found("issuer", &id))?;
        if issuer.authority.is_none() {
            let pair = write(tx, &id, [&root, &intermediate], now)?;
            store::audit::record(tx, &event)?;
            issuer.authority = Some(pair);
        }
        known_authority(tx, &issuer, http_url.as_deref())?.ok_or_else(|| Error::not_found("issuer", &id))
    })
    .await
}

fn write(tx: &Tx<'_>, id: &IssuerId, pair: [&Ca; 2], now: Moment) -> Result<nouns::Authority, Error> {
    for ca in pair {
        let mut made = MadeKey { key: ca.made.key.clone(), sealed: ca.made.sealed.clone() };
        made.key.label = free_label(tx, &made.key.label, &made.key.id)?;
        insert(tx, &made)?;
        let entry = row(ca.certificate.clone(), ca.certificate.display_name(), Source::Internal, None, now);
        store::certificate::insert(tx, &entry)?;
    }
    let [root, intermediate] = pair;
    let authority = nouns::Authority {
        root: root.certificate.fingerprint(),
        intermediate: intermediate.certificate.fingerprint(),
        key: intermediate.made.key.id,
    };
    store::issuer::set_authority(tx, id, &authority)?;
    Ok(authority)
}

async fn ca_key(app: &App, issuer: &Issuer, which: &str, algorithm: KeyAlgorithm) -> Result<MadeKey, Error> {
    let wanted = NewKey {
        label: format!("{} {which} key", issuer.label),
        token: TokenId::system(),
        algorithm,
        exportable: Some(Exportable::Never),
    };
    make(app, &wanted, Some(KeyUsage::Ca)).await
}

async fn certify(
    app: &App,
    by: &Authorized<uses::IssueCertificate>,
    made: MadeKey,
    template: &Template,
    signed_by: Option<&SealedKey>,
) -> Result<Ca, Error> {
    let signer = signing::open(app, signed_by.unwrap_or(&made.sealed), by)?;
    let tbs = pki::issue::to_be_signed(template, signer.algorithm().certificate_scheme())?;
    let der = app.blocking(move || pki::issue::sign(&tbs, &*signer)).await??;
    Ok(Ca { certificate: Certificate::parse(&der)?, made })
}

/// A CA certificate for anybody who asks on the plain HTTP port: `ID` is the intermediate, `ID-root` the root.
pub async fn authority_file(app: &App, name: &str) -> Result<Option<File>, Error> {
    let wants_root = name.strip_suffix("-root");
    let Ok(id) = wants_root.unwrap_or(name).parse::<IssuerId>() else {
        return Ok(None);
    };
    let is_root = wants_root.is_some();
    let found = app
        .read("authority.file", move |tx| {
            let pair = store::issuer::find(tx, &id)?.and_then(|issuer| issuer.authority);
            let Some(pair) = pair else { return Ok(None) };
            let wanted = if is_root { pair.root } else { pair.intermediate };
            Ok(store::certificate::find(tx, &wanted)?)
        })
        .await?;
    Ok(found.map(|entry| File {
        name: format!("{name}.cer"),
        media_type: "application/pkix-cert",
        bytes: entry.certificate.der().to_vec(),
    }))
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::sync::Arc;

    use domain::authorize;
    use store::audit::AuditFilter;
    use testkit::{SeededRandom, TestClock, fresh_stores};

    use super::*;
    use crate::testing::{Fixture, InstanceKey};

    #[tokio::test]
    async fn many_at_once_make_one_pair_and_another_node_waits() {
        for fresh in fresh_stores().await {
            let (clock, random) =
                (Arc::new(TestClock::at(Moment(1_795_262_400_000))), Arc::new(SeededRandom::new(1)));
            let data = tempfile::tempdir().expect("a folder");
            let instance = InstanceKey::generate(&*random);
            let app =
                Fixture::empty(fresh.store.clone(), instance, clock.clone(), random, data.path().to_owned());
            let app = Fixture::installed(app).await.expect("the first start").app;
            let internal = IssuerId::of("internal");
            // Another node has begun: this one may not, until its claim has ended.
            assert_eq!(claim(&app, &internal).await.expect("a claim"), Turn::Ours);
            assert_eq!(claim(&app, &internal).await.expect("an answer"), Turn::Theirs);
            clock.advance(CLAIM);
            let by = authorize(&Actor::Scheduler, uses::IssueCertificate, "").expect("the scheduler may");
            let found =
                app.store().read("test", |tx| store::issuer::find(tx, &IssuerId::of("internal"))).await;
            let issuer = found.expect("a read").expect("the issuer");
            let all = (0..8).map(|_| ensure_authority(&app, &by, &issuer));
            let made = futures_util::future::join_all(all).await;
            let keys: Vec<_> = made.iter().map(|one| one.as_ref().map(|one| one.key.id).ok()).collect();
            assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]));
            let filter = AuditFilter { action: Some(Action::AuthorityCreate), ..AuditFilter::default() };
            let events = app.store().read("test", move |tx| store::audit::page(tx, &filter, None, 9)).await;
            assert_eq!(events.expect("events").len(), 1);
        }
    }
}
