//! The sites of the demonstration: lineages of the internal CA on the edge.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use app::App;
use app::lineage::{LineageView, NewLineage};
use domain::id::{IssuerId, LineageId, ProfileId, TargetId, TokenId};
use domain::issuer::IssuerKind;
use domain::lineage::AtRenewal;
use domain::permission::uses;
use domain::target::DeploymentState;
use domain::{Actor, authorize};
use pki::name::{Attribute, AttributeType};
use pki::{Fingerprint, KeyAlgorithm, SubjectAltName};

use crate::server::init::explain;

/// How long everything may take that usually takes a second.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

/// A site.
pub struct Site {
    /// Its host name.
    pub name: String,
    /// Its lineage.
    pub lineage: LineageId,
}

/// Makes the lineages; their first certificates are ordered at once.
pub async fn make(app: &Arc<App>, admin: &Actor, count: usize) -> anyhow::Result<Vec<Site>> {
    let by = authorize(admin, uses::ManageTlsCertificates, "")?;
    let mut sites = Vec::with_capacity(count);
    for name in names(count) {
        let made = app::lineage::create(app, &by, lineage(&name)?).await.map_err(explain)?;
        sites.push(Site { name, lineage: made.lineage.id });
    }
    Ok(sites)
}

fn names(count: usize) -> impl Iterator<Item = String> {
    let first = ["shop.example", "pay.example", "api.example"].map(str::to_owned);
    first.into_iter().chain((4..).map(|number| format!("site-{number}.example"))).take(count)
}

fn lineage(name: &str) -> anyhow::Result<NewLineage> {
    Ok(NewLineage {
        name: name.to_owned(),
        subject: vec![Attribute { kind: AttributeType::CommonName, value: name.to_owned() }],
        names: vec![SubjectAltName::parse(name)?],
        owner: "the demonstration".to_owned(),
        token: TokenId::system(),
        algorithm: KeyAlgorithm::EcP256,
        at_renewal: AtRenewal::NewKey,
        exportable: None,
        issuer: IssuerId::of("internal"),
        profile: ProfileId::of("tls"),
        lifetime: None,
        targets: vec![TargetId::edge()],
        backend: None,
    })
}

/// Orders a new key and certificate for every site, all at once.
pub async fn rekey(app: &Arc<App>, admin: &Actor, sites: &[Site]) -> anyhow::Result<()> {
    let by = authorize(admin, uses::ManageTlsCertificates, "")?;
    for site in sites {
        app::lineage::rekey(app, &by, &site.lineage).await.map_err(explain)?;
    }
    Ok(())
}

/// Waits until every site has a certificate other than `before` that was seen from outside; answers them in order.
pub async fn wait_until_served(
    app: &Arc<App>,
    admin: &Actor,
    sites: &[Site],
    before: Option<&[Fingerprint]>,
) -> anyhow::Result<Vec<Fingerprint>> {
    let by = authorize(admin, uses::ViewCertificates, "")?;
    let deadline = Instant::now() + PATIENCE;
    let mut served = Vec::with_capacity(sites.len());
    for (index, site) in sites.iter().enumerate() {
        let old = before.and_then(|before| before.get(index));
        loop {
            let view = app::lineage::find(app, &by, &site.lineage).await?;
            if let Some(current) = verified(&view).filter(|current| Some(current) != old) {
                served.push(current);
                break;
            }
            if Instant::now() > deadline {
                bail!("{} has no new certificate yet: {}", site.name, trouble(&view));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(served)
}

/// The current certificate, once every target was seen serving it.
fn verified(view: &LineageView) -> Option<Fingerprint> {
    let current = view.lineage.current?;
    let seen = |deployment: &domain::target::Deployment| {
        deployment.certificate == current && deployment.state == DeploymentState::Verified
    };
    (!view.deployments.is_empty() && view.deployments.iter().all(seen)).then_some(current)
}

fn trouble(view: &LineageView) -> String {
    let deployment = view.deployments.iter().map(|deployment| deployment.trouble.as_str());
    let said =
        [view.lineage.trouble.as_str()].into_iter().chain(deployment).find(|trouble| !trouble.is_empty());
    said.unwrap_or("it is under way").to_owned()
}

/// Writes the root of the internal CA beside the database, for the clients to trust.
pub async fn write_root(app: &Arc<App>, admin: &Actor) -> anyhow::Result<PathBuf> {
    let by = authorize(admin, uses::ViewCertificates, "")?;
    let issuers = app::issuer::list(app, &by).await?;
    let internal = issuers.into_iter().find(|view| view.issuer.kind == IssuerKind::Internal);
    let root = internal.and_then(|view| view.root).context("the internal CA has no root")?;
    let path = app.config().data.join("demo-root.pem");
    std::fs::write(&path, pki::format::pem_write::certificate(root.der()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
