//! Make a CSR: the key first, durably, then the request.

use domain::audit::{Action, Event, Field};
use domain::csr::{CsrEntry, CsrState};
use domain::id::{CsrId, LineageId, TokenId};
use domain::key::{KeyState, KeyUsage, SealedKey, parse_label};
use domain::permission::{Use, uses};
use domain::{Authorized, Moment};
use pki::csr::{CsrRequest, KeyUsageProfile};
use pki::name::Attribute;
use pki::{Csr, DistinguishedName, Fingerprint, KeyAlgorithm, KeyId, Refusal, SubjectAltName};
use store::Tx;

use crate::key::{MadeKey, NewKey};
use crate::{App, Error, act, key, signing};

/// Which key a CSR or self-signed certificate is for.
#[derive(Clone, Debug)]
pub enum KeyChoice {
    /// A new one.
    New {
        /// Kind and size.
        algorithm: KeyAlgorithm,
        /// The token that makes and holds it.
        token: TokenId,
    },
    /// One that is here.
    Existing(KeyId),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewCsr {
    /// The friendly name; unique among requests, and for a new key among keys.
    pub friendly_name: String,
    /// Which key.
    pub key: KeyChoice,
    /// The subject, in the order in which it will be encoded.
    pub subject: Vec<Attribute>,
    /// The alternative names.
    pub names: Vec<SubjectAltName>,
    /// The lineage that it would renew.
    pub lineage: Option<LineageId>,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct CsrCreated {
    /// The CSR.
    pub entry: CsrEntry,
    /// The common name that became the first alternative name by itself.
    pub added_name: Option<SubjectAltName>,
}

/// A subject and names that were checked.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) subject: DistinguishedName,
    pub(crate) names: Vec<SubjectAltName>,
    pub(crate) added_name: Option<SubjectAltName>,
}

/// Makes a CSR for TLS.
pub async fn create(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    input: NewCsr,
) -> Result<CsrCreated, Error> {
    act::audited(app, by.actor(), Action::CsrCreate, "", async {
        let label = parse_label(&input.friendly_name)?;
        let subject = check_subject(input.subject, input.names)?;
        let (sealed, made) = choose_key(app, &input.key, &label).await?;
        let der = sign(app, by, &sealed, &subject, KeyUsage::Tls).await?;
        let entry = record_csr(app, &sealed, label, der, input.lineage);
        let event = Event::done(app.now(), by.actor(), Action::CsrCreate, entry.id.as_str())
            .with(Field::Key, entry.key)
            .with(Field::Subject, &subject.subject);
        let row = entry.clone();
        app.commit("csr.create", move |tx| {
            if let Some(made) = &made {
                key::insert(tx, made)?;
            }
            refuse_foreign_lineage(tx, row.lineage.as_ref())?;
            refuse_taken_name(tx, &row)?;
            store::csr::insert(tx, &row)?;
            act::record(tx, &event)
        })
        .await?;
        Ok(CsrCreated { entry, added_name: subject.added_name })
    })
    .await
}

fn refuse_foreign_lineage(tx: &Tx<'_>, lineage: Option<&LineageId>) -> Result<(), Error> {
    let Some(id) = lineage else { return Ok(()) };
    store::lineage::find(tx, id)?.map(drop).ok_or_else(|| Error::not_found("lineage", id))
}

/// Two requests of one name could not be told apart. One for a lineage is called like it and has its place there.
fn refuse_taken_name(tx: &Tx<'_>, row: &CsrEntry) -> Result<(), Error> {
    if row.lineage.is_some() || !store::csr::is_named(tx, &row.friendly_name)? {
        return Ok(());
    }
    let what = format!("the friendly name “{}” is taken by another request", row.friendly_name);
    Err(Error::conflict("csr.name_taken", what, "Choose another name, or withdraw that request."))
}

/// Checks a subject and its names; a common name that is a host name becomes the first alternative name.
pub(crate) fn check_subject(subject: Vec<Attribute>, names: Vec<SubjectAltName>) -> Result<Subject, Refusal> {
    let subject = DistinguishedName::from_attributes(subject)?;
    let (names, added_name) = pki::san::with_common_name(&subject, names);
    if subject.is_empty() && names.is_empty() {
        let repair = "Fill in at least the common name or one alternative name.";
        return Err(Refusal::new(
            "cert.no_name",
            "there is neither a subject nor an alternative name",
            repair,
        ));
    }
    if names.len() > 100 {
        let what = format!("{} alternative names are more than 100", names.len());
        return Err(Refusal::new("limit.san_count", what, "Spread them over several certificates."));
    }
    Ok(Subject { subject, names, added_name })
}

/// The key that was chosen: made now and not yet stored, or one that is here.
pub(crate) async fn choose_key(
    app: &App,
    choice: &KeyChoice,
    label: &str,
) -> Result<(SealedKey, Option<MadeKey>), Error> {
    match choice {
        KeyChoice::New { algorithm, token } => {
            let wanted = NewKey {
                label: label.to_owned(),
                token: token.clone(),
                algorithm: *algorithm,
                exportable: None,
            };
            let made = key::make(app, &wanted, Some(KeyUsage::Tls)).await?;
            Ok((made.sealed.clone(), Some(made)))
        }
        KeyChoice::Existing(id) => Ok((existing(app, id).await?, None)),
    }
}

async fn existing(app: &App, id: &KeyId) -> Result<SealedKey, Error> {
    let id = *id;
    app.read("key.existing", move |tx| {
        let found = store::key::find(tx, &id)?.ok_or_else(|| Error::not_found("key", id))?;
        match found.state {
            KeyState::Active => {}
            KeyState::Retired | KeyState::Compromised | KeyState::Destroyed => {
                let what = format!("the key is {}", found.state);
                return Err(Error::conflict("key.state", what, "Choose another key."));
            }
        }
        key::refuse_other_usage(&found)?;
        store::key::sealed(tx, &id)?.ok_or_else(|| Error::not_found("key", id))
    })
    .await
}

/// Builds and signs the request on a thread of its own.
pub(crate) async fn sign<U: Use>(
    app: &App,
    by: &Authorized<U>,
    sealed: &SealedKey,
    subject: &Subject,
    usage: KeyUsage,
) -> Result<Vec<u8>, Error> {
    let signer = signing::open(app, sealed, by)?;
    key::refuse_known_bad(app, signer.public_key())?;
    let request = CsrRequest {
        subject: subject.subject.clone(),
        names: subject.names.clone(),
        usage: usage_profile(usage),
    };
    Ok(app.blocking(move || pki::csr::build(&request, &*signer)).await??)
}

/// What a request for a key of this usage asks for.
pub(crate) fn usage_profile(usage: KeyUsage) -> KeyUsageProfile {
    match usage {
        KeyUsage::Tls => KeyUsageProfile::Tls,
        KeyUsage::Sign => KeyUsageProfile::Sign,
        KeyUsage::Auth => KeyUsageProfile::Auth,
        KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node => KeyUsageProfile::None,
    }
}

/// The row of a request that was just signed.
pub(crate) fn record_csr(
    app: &App,
    sealed: &SealedKey,
    friendly_name: String,
    der: Vec<u8>,
    lineage: Option<LineageId>,
) -> CsrEntry {
    let created: Moment = app.now();
    CsrEntry {
        id: CsrId::new(created, app.random()),
        key: sealed.id,
        friendly_name,
        fingerprint: Fingerprint::of_der(&der),
        der,
        state: CsrState::Waiting,
        lineage,
        created,
    }
}

/// What stands in a request that is kept here.
pub(crate) fn read(entry: &CsrEntry) -> Result<Csr, Error> {
    Csr::of_own(&entry.der).map_err(|refusal| Error::internal("a kept CSR cannot be read", &refusal))
}
