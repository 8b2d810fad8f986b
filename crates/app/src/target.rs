//! Targets: see, make, change, remove, deploy again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::Authorized;
use domain::audit::{Action, Event, Field};
use domain::clock::random_bytes;
use domain::connector::Secrecy;
use domain::id::{LineageId, TargetId};
use domain::job::Job;
use domain::key::parse_label;
use domain::lineage::Lineage;
use domain::permission::uses;
use domain::target::{Deployment, EndpointSeen, Target};
use pki::Refusal;
use store::Tx;

use crate::certificate::plan_deployment;
use crate::{App, Error, act};

/// A target with what happens there.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// The target. Secret settings are left out.
    pub target: Target,
    /// The lineages that it serves.
    pub lineages: Vec<Lineage>,
    /// The newest deployment of each.
    pub deployments: Vec<Deployment>,
    /// What was seen from outside.
    pub endpoints: Vec<EndpointSeen>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewTarget {
    /// The name on pages; unique.
    pub label: String,
    /// Which connector.
    pub kind: String,
    /// Its settings by name.
    pub settings: BTreeMap<String, String>,
    /// `host:port` of every address from which it serves.
    pub addresses: Vec<String>,
}

/// What is to change; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct TargetChange {
    /// The name on pages.
    pub label: Option<String>,
    /// All settings; secret ones that are left out stay.
    pub settings: Option<BTreeMap<String, String>>,
    /// All addresses.
    pub addresses: Option<Vec<String>>,
}

/// Every kind of target.
pub fn kinds() -> &'static [&'static dyn deploy::Target] {
    deploy::registry()
}

/// All targets.
pub async fn list(app: &App, _by: &Authorized<uses::ViewCertificates>) -> Result<Vec<TargetView>, Error> {
    app.read("target.list", |tx| store::target::all(tx)?.into_iter().map(|target| view(tx, target)).collect())
        .await
}

/// One target.
pub async fn find(
    app: &App,
    _by: &Authorized<uses::ViewCertificates>,
    id: &TargetId,
) -> Result<TargetView, Error> {
    load(app, id).await
}

async fn load(app: &App, id: &TargetId) -> Result<TargetView, Error> {
    let id = id.clone();
    app.read("target.find", move |tx| {
        let target = store::target::find(tx, &id)?.ok_or_else(|| Error::not_found("target", &id))?;
        view(tx, target)
    })
    .await
}

fn view(tx: &Tx<'_>, mut target: Target) -> Result<TargetView, Error> {
    let secret = secret_names(&target.kind);
    target.settings.retain(|name, _| !secret.contains(&name.as_str()));
    let lineages = store::lineage::of_target(tx, &target.id)?;
    let mut deployments = Vec::with_capacity(lineages.len());
    for lineage in &lineages {
        deployments.extend(store::deployment::latest(tx, &lineage.id, &target.id)?);
    }
    Ok(TargetView { endpoints: store::endpoint::of_target(tx, &target.id)?, lineages, deployments, target })
}

/// Makes a target. Nothing is installed until a lineage names it.
pub async fn create(
    app: &App,
    by: &Authorized<uses::ManageTargets>,
    input: NewTarget,
) -> Result<TargetView, Error> {
    act::audited(app, by.actor(), Action::TargetCreate, "", async {
        let target = Target {
            id: TargetId::random(app.random()),
            settings: check_settings(app, &input.kind, &input.settings)?,
            addresses: check_addresses(&input.addresses)?,
            label: parse_label(&input.label)?,
            kind: input.kind,
            created: app.now(),
        };
        if target.kind == "edge" {
            let what = "the edge of this server is there already";
            return Err(Error::conflict("target.edge", what, "Bind the lineage to the target edge."));
        }
        let (id, nonce) = (target.id.clone(), random_bytes::<12>(app.random()));
        let event = Event::done(app.now(), by.actor(), Action::TargetCreate, id.as_str())
            .with(Field::Label, &target.label);
        app.commit("target.create", move |tx| {
            refuse_taken_label(tx, &target)?;
            refuse_taken_place(tx, &target)?;
            store::target::insert(tx, &target, &secret_names(&target.kind), nonce)?;
            act::record(tx, &event)
        })
        .await?;
        load(app, &id).await
    })
    .await
}

/// Changes a target. What is installed there stays until the next deployment.
pub async fn update(
    app: &App,
    by: &Authorized<uses::ManageTargets>,
    id: &TargetId,
    change: TargetChange,
) -> Result<TargetView, Error> {
    act::audited(app, by.actor(), Action::TargetUpdate, id.as_str(), async {
        if *id == TargetId::edge() {
            let what = "the edge of this server has no settings";
            return Err(Error::conflict(
                "target.edge",
                what,
                "Its address stands in the configuration file.",
            ));
        }
        let label = change.label.as_deref().map(parse_label).transpose()?;
        let addresses = change.addresses.as_deref().map(check_addresses).transpose()?;
        let (target, nonce, data) = (id.clone(), random_bytes::<12>(app.random()), app.config().data.clone());
        let event = Event::done(app.now(), by.actor(), Action::TargetUpdate, id.as_str());
        app.commit("target.update", move |tx| {
            let before =
                store::target::find(tx, &target)?.ok_or_else(|| Error::not_found("target", &target))?;
            let mut after = before.clone();
            after.label = label.clone().unwrap_or(after.label);
            after.addresses = addresses.clone().unwrap_or(after.addresses);
            if let Some(settings) = &change.settings {
                let settings = with_kept_secrets(&before, settings);
                after.settings = checked(&data, &after.kind, &settings)?;
                if own_place(&after) != own_place(&before) {
                    refuse_taken_place(tx, &after)?;
                }
            }
            if after.label != before.label {
                refuse_taken_label(tx, &after)?;
            }
            for seen in store::endpoint::of_target(tx, &target)? {
                if !is_looked_at(&after.addresses, &seen.address) {
                    store::endpoint::remove_at(tx, &target, &seen.address)?;
                }
            }
            store::target::update(tx, &after, &secret_names(&after.kind), nonce)?;
            act::record(tx, &event.clone().with(Field::Label, &after.label))
        })
        .await?;
        load(app, id).await
    })
    .await
}

fn with_kept_secrets(before: &Target, settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = settings.clone();
    for name in secret_names(&before.kind) {
        if let Some(kept) = before.settings.get(name).filter(|_| !settings.contains_key(name)) {
            all.insert(name.to_owned(), kept.clone());
        }
    }
    all
}

/// Removes a target that serves no lineage any more.
pub async fn retire(app: &App, by: &Authorized<uses::ManageTargets>, id: &TargetId) -> Result<(), Error> {
    act::audited(app, by.actor(), Action::TargetRetire, id.as_str(), async {
        if *id == TargetId::edge() {
            let what = "the edge of this server cannot be removed";
            return Err(Error::conflict("target.edge", what, "Unbind its lineages instead."));
        }
        let (id, event) = (id.clone(), Event::done(app.now(), by.actor(), Action::TargetRetire, id.as_str()));
        app.commit("target.retire", move |tx| {
            store::target::find(tx, &id)?.ok_or_else(|| Error::not_found("target", &id))?;
            if let Some(lineage) = store::lineage::of_target(tx, &id)?.first() {
                let what = format!("the lineage “{}” is installed here", lineage.name);
                return Err(Error::conflict(
                    "target.in_use",
                    what,
                    "Take the target off its lineages first.",
                ));
            }
            store::target::remove(tx, &id)?;
            act::record(tx, &event)
        })
        .await
    })
    .await
}

/// Installs a lineage's current certificate on a target again.
pub async fn deploy(
    app: &App,
    by: &Authorized<uses::Deploy>,
    id: &TargetId,
    lineage: &LineageId,
) -> Result<Job, Error> {
    act::audited(app, by.actor(), Action::DeploymentInstall, id.as_str(), async {
        let (id, lineage, now, random) = (id.clone(), lineage.clone(), app.now(), app.random_source());
        let actor = by.actor().clone();
        let job = app
            .commit("target.deploy", move |tx| {
                let lineage = store::lineage::find(tx, &lineage)?
                    .ok_or_else(|| Error::not_found("lineage", &lineage))?;
                let current = lineage.current.filter(|_| lineage.targets.contains(&id)).ok_or_else(|| {
                    let what = format!("the lineage “{}” has no certificate for this target", lineage.name);
                    Error::conflict(
                        "deployment.nothing",
                        what,
                        "Bind the target to the lineage, or renew it first.",
                    )
                })?;
                let job = plan_deployment(tx, &lineage, &id, &current, now, (&actor.name(), &*random))?;
                let event = Event::done(now, &actor, Action::DeploymentInstall, id.as_str())
                    .with(Field::Lineage, &lineage.id);
                store::audit::record(tx, &event)?;
                store::job::find(tx, &job)?.ok_or_else(|| Error::not_found("job", &job))
            })
            .await?;
        app.wake();
        Ok(job)
    })
    .await
}

fn check_settings(
    app: &App,
    kind: &str,
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    checked(&app.config().data, kind, settings)
}

/// Checks settings by their connector. The data directory is no target: its files are the server's own.
fn checked(
    data: &Path,
    kind: &str,
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    if let Some(directory) = settings.get("directory").map(|text| Path::new(text.trim())) {
        let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
        let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        if real.starts_with(&data) || data.starts_with(&real) {
            let what = "the directory holds this server's own files";
            let refusal = Refusal::new("target.directory", what, "Name another directory.").at("directory");
            return Err(Error::Invalid(vec![("settings.directory".to_owned(), refusal)]));
        }
    }
    let connector = deploy::connector(kind).ok_or_else(|| {
        let known: Vec<&str> = deploy::registry().iter().map(|target| target.kind()).collect();
        let what = format!("there is no kind of target “{}”", kind.escape_debug());
        Refusal::new("target.kind", what, format!("Use one of {}.", known.join(", "))).at("kind")
    })?;
    connector.check(settings).map_err(|wrong| {
        Error::Invalid(
            wrong.into_iter().map(|refusal| (format!("settings.{}", refusal.place), refusal)).collect(),
        )
    })
}

fn check_addresses(addresses: &[String]) -> Result<Vec<String>, Error> {
    let mut checked = Vec::new();
    let mut wrong = Vec::new();
    for address in addresses.iter().map(|address| address.trim()).filter(|address| !address.is_empty()) {
        match address.parse::<outbound::HostAndPort>() {
            Ok(_) => checked.push(address.to_owned()),
            Err(_) => {
                let what = format!("“{}” is no host:port", address.escape_debug());
                let repair = "Write it like 10.0.0.5:443 or www.example.org:443.";
                wrong.push(("addresses".to_owned(), Refusal::new("target.address", what, repair)));
            }
        }
    }
    if wrong.is_empty() { Ok(checked) } else { Err(Error::Invalid(wrong)) }
}

fn refuse_taken_label(tx: &Tx<'_>, target: &Target) -> Result<(), Error> {
    if store::target::all(tx)?.iter().any(|other| other.label == target.label && other.id != target.id) {
        let what = format!("there is a target “{}” already", target.label);
        return Err(Error::conflict("target.label_taken", what, "Choose another name."));
    }
    Ok(())
}

fn own_place(target: &Target) -> Option<PathBuf> {
    deploy::connector(&target.kind)?.own_place(&target.settings)
}

/// A directory holds the files of one target: two would overwrite each other's.
fn refuse_taken_place(tx: &Tx<'_>, target: &Target) -> Result<(), Error> {
    let Some(place) = own_place(target) else { return Ok(()) };
    let is_taken = |other: &Target| other.id != target.id && own_place(other).as_ref() == Some(&place);
    match store::target::all(tx)?.into_iter().find(is_taken) {
        None => Ok(()),
        Some(other) => {
            let what = format!("the target “{}” has its files in this directory", other.label);
            Err(Error::conflict("target.directory_taken", what, "Make one target per directory."))
        }
    }
}

/// Whether a look at these addresses leads there: of a host with several addresses, the one meant stands behind it.
fn is_looked_at(addresses: &[String], seen: &str) -> bool {
    let leads = |address: &String| {
        seen.strip_prefix(address.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
    };
    addresses.iter().any(leads)
}

fn secret_names(kind: &str) -> Vec<&'static str> {
    let fields = deploy::connector(kind).map(|connector| connector.fields()).unwrap_or_default();
    fields.iter().filter(|field| field.secrecy == Secrecy::Secret).map(|field| field.name).collect()
}
