//! Make a self-signed certificate.

use domain::audit::{Action, Event, Field};
use domain::certificate::Source;
use domain::clock::DAY;
use domain::id::IssuerId;
use domain::issuer::{IssuerKind, Profile};
use domain::key::SealedKey;
use domain::key::{KeyUsage, parse_label};
use domain::permission::{Use, uses};
use domain::{Authorized, Moment};
use issuer::{Answer, Wanted};
use pki::name::Attribute;
use pki::{Certificate, Csr, Refusal, SubjectAltName};

use super::CertificateView;
use crate::csr::{KeyChoice, Subject, check_subject, choose_key};
use crate::lineage::{found, refuse_taken_name};
use crate::{App, Error, act, csr, key, signing};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewSelfSigned {
    /// The friendly name; unique among lineages, and for a new key among keys.
    pub friendly_name: String,
    /// Which key.
    pub key: KeyChoice,
    /// The subject, in the order in which it will be encoded.
    pub subject: Vec<Attribute>,
    /// The alternative names.
    pub names: Vec<SubjectAltName>,
    /// Days of validity, 1 to 3650.
    pub days: u32,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// The certificate.
    pub view: CertificateView,
    /// The common name that became the first alternative name by itself.
    pub added_name: Option<SubjectAltName>,
}

/// Makes a self-signed TLS certificate and founds a lineage on it: the edge serves it for its names.
pub async fn self_sign(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    input: NewSelfSigned,
) -> Result<SelfSigned, Error> {
    act::audited(app, by.actor(), Action::CertificateSelfSign, "", async {
        let label = parse_label(&input.friendly_name)?;
        if !(1..=3_650).contains(&input.days) {
            let what = format!("{} days are not between 1 and 3650", input.days);
            return Err(
                Refusal::new("cert.lifetime", what, "Choose a number of days between 1 and 3650.").into()
            );
        }
        let subject = check_subject(input.subject, input.names)?;
        let (sealed, made) = choose_key(app, &input.key, &label).await?;
        let lifetime = i64::from(input.days) * DAY / 1_000;
        let certificate = certify(app, by, &sealed, &subject, lifetime).await?;
        let now = app.now();
        let row = super::row(certificate, label, Source::SelfSigned, None, now);
        let (random, actor) = (app.random_source(), by.actor().name());
        let event = event(by, &row.certificate, now);
        let view = app
            .commit("certificate.self_sign", move |tx| {
                if let Some(made) = &made {
                    key::insert(tx, made)?;
                }
                refuse_taken_name(tx, &row.friendly_name)?;
                store::certificate::insert(tx, &row)?;
                found(tx, &row, IssuerId::of("self-signed"), now, (&actor, &*random))?;
                store::audit::record(tx, &event)?;
                let entry = store::certificate::find(tx, &row.fingerprint())?;
                super::view(tx, entry.unwrap_or_else(|| row.clone()), now)
            })
            .await?;
        app.served_changed();
        app.wake();
        Ok(SelfSigned { view, added_name: subject.added_name })
    })
    .await
}

fn event<U: Use>(by: &Authorized<U>, certificate: &Certificate, now: Moment) -> Event {
    Event::done(now, by.actor(), Action::CertificateSelfSign, certificate.fingerprint().to_string())
        .with(Field::Key, certificate.key_id())
        .with(Field::Subject, certificate.subject())
}

/// Lets a key sign its own certificate, by the same two steps as every issuer.
pub(crate) async fn certify<U: Use>(
    app: &App,
    by: &Authorized<U>,
    sealed: &SealedKey,
    subject: &Subject,
    lifetime: i64,
) -> Result<Certificate, Error> {
    let der = csr::sign(app, by, sealed, subject, KeyUsage::Tls).await?;
    let request = Csr::parse(&der)?;
    let connector = issuer::connector(IssuerKind::SelfSigned);
    let mut profile = Profile::built_in().swap_remove(0);
    profile.lifetime_max = profile.lifetime_max.max(lifetime);
    let wanted = Wanted {
        csr: &request,
        subject: &subject.subject,
        names: &subject.names,
        profile: &profile,
        lifetime,
        now: app.now(),
    };
    let signer = signing::open(app, sealed, by)?;
    match connector.prepare(&wanted, None, app.random())? {
        Answer::Prepared(prepared) => {
            Ok(app.blocking(move || connector.finish(&prepared.to_be_signed, None, &*signer)).await??)
        }
        Answer::WaitForPerson(what) => Err(Error::internal("a self-signed certificate waits", &what)),
    }
}
