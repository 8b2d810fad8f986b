//! Make a lineage; its first certificate is ordered at once.

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::id::{IssuerId, JobId, LineageId, ProfileId, TargetId, TokenId};
use domain::issuer::IssuerKind;
use domain::job::JobKind;
use domain::key::{Exportable, KeyUsage, exportable_by_default, parse_label};
use domain::lineage::{AtRenewal, Backend, KeyRule, Lineage};
use domain::permission::uses;
use pki::name::Attribute;
use pki::{KeyAlgorithm, Refusal, SubjectAltName};
use store::Tx;

use super::LineageView;
use crate::csr::check_subject;
use crate::{App, Error, act, job, setting};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewLineage {
    /// The name; unique.
    pub name: String,
    /// The subject, in the order in which it will be encoded.
    pub subject: Vec<Attribute>,
    /// The alternative names.
    pub names: Vec<SubjectAltName>,
    /// For whom it speaks; may be empty.
    pub owner: String,
    /// The token that makes and holds its keys.
    pub token: TokenId,
    /// Kind and size of its keys.
    pub algorithm: KeyAlgorithm,
    /// Whether a renewal makes a new key.
    pub at_renewal: AtRenewal,
    /// When its keys may leave; none means as usual for TLS keys.
    pub exportable: Option<Exportable>,
    /// Who issues.
    pub issuer: IssuerId,
    /// What may be in the certificates.
    pub profile: ProfileId,
    /// Lifetime in seconds that is asked for; none means the profile's.
    pub lifetime: Option<i64>,
    /// Where they are installed.
    pub targets: Vec<TargetId>,
    /// Where the edge passes the bytes; none means the status page.
    pub backend: Option<Backend>,
}

/// Makes a lineage and orders its first certificate.
pub async fn create(
    app: &App,
    by: &Authorized<uses::ManageTlsCertificates>,
    input: NewLineage,
) -> Result<LineageView, Error> {
    act::audited(app, by.actor(), Action::LineageCreate, "", async {
        let subject = check_subject(input.subject, input.names)?;
        check_backend(input.backend.as_ref())?;
        let lineage = Lineage {
            id: LineageId::new(app.now(), app.random()),
            name: parse_label(&input.name)?,
            subject: subject.subject,
            names: subject.names,
            usage: KeyUsage::Tls,
            owner: check_owner(&input.owner)?,
            environment: String::new(),
            key_rule: KeyRule {
                token: input.token,
                algorithm: input.algorithm,
                at_renewal: input.at_renewal,
                exportable: input.exportable.unwrap_or_else(|| exportable_by_default(Some(KeyUsage::Tls))),
            },
            issuer: input.issuer,
            profile: input.profile,
            lifetime: input.lifetime,
            targets: input.targets,
            backend: input.backend,
            current: None,
            due: None,
            failures: 0,
            trouble: String::new(),
            created: app.now(),
            version: 1,
        };
        let event = Event::done(app.now(), by.actor(), Action::LineageCreate, lineage.id.as_str())
            .with(Field::Label, &lineage.name)
            .with(Field::Issuer, &lineage.issuer);
        let (id, now, actor) = (lineage.id.clone(), app.now(), by.actor().name());
        let job_id = JobId::new(now, app.random());
        app.commit("lineage.create", move |tx| {
            let mut lineage = lineage.clone();
            lineage.environment = setting::identity(tx)?.environment;
            insert(tx, &lineage)?;
            store::job::add(tx, &job::new(job_id.clone(), JobKind::LineageRenew, &lineage.id, &actor, now))?;
            act::record(tx, &event)
        })
        .await?;
        app.wake();
        super::list::load(app, &id).await
    })
    .await
}

pub(super) fn check_owner(text: &str) -> Result<String, Refusal> {
    let owner = text.trim();
    if owner.chars().count() > 255 || owner.chars().any(char::is_control) {
        let what = "the owner is longer than 255 characters or holds control characters";
        return Err(Refusal::new("lineage.owner", what, "Shorten it.").at("owner"));
    }
    Ok(owner.to_owned())
}

/// Refuses a backend that is no `host:port`.
pub(super) fn check_backend(backend: Option<&Backend>) -> Result<(), Refusal> {
    let Some(backend) = backend else { return Ok(()) };
    let parts = backend.address.rsplit_once(':');
    let fits = parts.is_some_and(|(host, port)| {
        !host.is_empty()
            && port.parse::<u16>().is_ok_and(|port| port > 0)
            && !backend.address.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/')
    });
    if fits {
        return Ok(());
    }
    let what = format!("“{}” is no host:port", backend.address.escape_debug());
    Err(Refusal::new("lineage.backend", what, "Write it like 10.0.0.5:8080 or app.internal:8080.")
        .at("backend"))
}

/// Stores a lineage after checking what it refers to.
pub(super) fn insert(tx: &Tx<'_>, lineage: &Lineage) -> Result<(), Error> {
    refuse_taken_name(tx, &lineage.name)?;
    check_references(tx, lineage)?;
    Ok(store::lineage::insert(tx, lineage)?)
}

/// Refuses the name of a lineage that is there.
pub(crate) fn refuse_taken_name(tx: &Tx<'_>, name: &str) -> Result<(), Error> {
    if store::lineage::by_name(tx, name)?.is_none() {
        return Ok(());
    }
    let what = format!("there is a lineage “{name}” already");
    Err(Error::conflict("lineage.name_taken", what, "Choose another name."))
}

/// Refuses an issuer, profile, token or target that is not there or does not fit.
pub(super) fn check_references(tx: &Tx<'_>, lineage: &Lineage) -> Result<(), Error> {
    let issuer = store::issuer::find(tx, &lineage.issuer)?;
    let issuer = issuer.ok_or_else(|| Error::not_found("issuer", &lineage.issuer))?;
    if issuer.withdrawn {
        let what = format!("the issuer {} was withdrawn", issuer.label);
        return Err(Error::conflict("issuer.withdrawn", what, "Choose another issuer."));
    }
    let profile = store::profile::find(tx, &lineage.profile)?;
    let profile = profile.ok_or_else(|| Error::not_found("profile", &lineage.profile))?;
    profile.takes(lineage.key_rule.algorithm)?;
    if profile.usage != lineage.usage {
        let what =
            format!("the profile {} is for {}, not for {}", profile.label, profile.usage, lineage.usage);
        return Err(Refusal::new("profile.usage", what, "Choose another profile.").into());
    }
    match issuer.kind {
        IssuerKind::Internal => drop(profile.lifetime_for(lineage.lifetime)?),
        IssuerKind::SelfSigned | IssuerKind::Manual => {}
    }
    let token = &lineage.key_rule.token;
    store::token::find(tx, token)?.ok_or_else(|| Error::not_found("token", token))?;
    for target in &lineage.targets {
        store::target::find(tx, target)?.ok_or_else(|| Error::not_found("target", target))?;
        refuse_taken(tx, lineage, target)?;
    }
    Ok(())
}

/// A directory holds one certificate: two lineages would overwrite each other. The edge takes any number.
fn refuse_taken(tx: &Tx<'_>, lineage: &Lineage, target: &TargetId) -> Result<(), Error> {
    if *target == TargetId::edge() {
        return Ok(());
    }
    match store::lineage::of_target(tx, target)?.into_iter().find(|other| other.id != lineage.id) {
        None => Ok(()),
        Some(other) => {
            let what = format!("this target holds the certificate of the lineage “{}”", other.name);
            Err(Error::conflict("target.taken", what, "Make another target for this one."))
        }
    }
}
