//! Certificates: make self-signed ones, import, see, export, choose the default.

mod activate;
mod complete;
mod default;
mod export;
pub mod factory;
pub mod import;
mod list;
mod rename;
mod retire;
mod self_sign;

use domain::Moment;
use domain::certificate::{CertificateEntry, Needed};
use domain::lineage::Lineage;
use domain::target::EndpointSeen;
use pki::chain::Chain;
use pki::{Certificate, Finding, Severity};
use store::Tx;

use crate::chains::Chains;
use crate::{Error, setting};

pub use activate::activate;
pub(crate) use complete::run as run_completion;
pub use complete::{Missing, complete, missing};
pub use default::set_default;
pub use export::{
    Above, ExportForm, Exported, File, KeySecret, Leaf, MOST_TOGETHER, Members, Part, TRUST_PASSPHRASE,
    TrustPassphrase, Wanted, export, export_together, export_with_key, key_findings,
};
pub(crate) use import::Previews;
pub use import::{Import, ImportFile, Imported, Preview, PreviewHash, Taken, Wishes, import, preview};
pub use list::{find, list};
pub use rename::rename;
pub use retire::{Consequences, retire};
pub use self_sign::{NewSelfSigned, SelfSigned, self_sign};

pub(crate) use activate::{make_current, plan_deployment, refuse_revoked};

/// A certificate with all that is known of it.
#[derive(Clone, Debug)]
pub struct CertificateView {
    /// The row.
    pub entry: CertificateEntry,
    /// What is wrong with it or its chain.
    pub findings: Vec<Finding>,
    /// Its chain, built from what is here.
    pub chain: Chain,
    /// Its lineage.
    pub lineage: Option<Lineage>,
    /// Whether it is its lineage's current one.
    pub is_current: bool,
    /// Whether the edge answers with it when no name fits.
    pub is_default: bool,
    /// Whether it is the factory certificate, which cannot be removed.
    pub is_factory: bool,
    /// The label of the issuer here whose CA it is.
    pub authority: Option<String>,
    /// What was seen of its lineage from outside; only where one certificate is asked for.
    pub endpoints: Vec<EndpointSeen>,
    /// The certificates of its lineage; only where one certificate is asked for.
    pub history: Vec<CertificateEntry>,
}

impl CertificateView {
    /// What needs it, for [`domain::certificate::plan_removal`].
    pub fn needed(&self) -> Needed {
        let name = || self.lineage.as_ref().map(|lineage| lineage.name.clone()).unwrap_or_default();
        Needed {
            is_factory: self.is_factory,
            is_default: self.is_default,
            authority: self.authority.clone(),
            served: self.is_current.then(name),
        }
    }
}

/// Builds the view of one row: chain and findings are computed, never stored.
pub(crate) fn view(tx: &Tx<'_>, entry: CertificateEntry, now: Moment) -> Result<CertificateView, Error> {
    view_among(&mut Chains::new(tx, now.unix()), entry, now)
}

/// The same, for one of many rows.
pub(crate) fn view_among(
    chains: &mut Chains<'_>,
    entry: CertificateEntry,
    now: Moment,
) -> Result<CertificateView, Error> {
    let (tx, chain) = (chains.tx(), chains.of(&entry.certificate)?);
    let mut findings = findings(&entry, &chain, now);
    findings.extend(import::shared_key(tx, &entry.certificate, entry.lineage.as_ref())?);
    let lineage = match &entry.lineage {
        Some(id) => store::lineage::find(tx, id)?,
        None => None,
    };
    let fingerprint = entry.fingerprint();
    let authority = match entry.certificate.is_ca() {
        true => store::issuer::of_authority(tx, &fingerprint)?.map(|issuer| issuer.label),
        false => None,
    };
    let chosen = |name| setting::fingerprint(tx, name).map(|chosen| chosen == Some(fingerprint));
    Ok(CertificateView {
        is_current: store::lineage::of_current(tx, &fingerprint)?.is_some(),
        is_default: chosen(setting::DEFAULT_CERTIFICATE)?,
        is_factory: chosen(setting::FACTORY_CERTIFICATE)?,
        authority,
        entry,
        findings,
        chain,
        lineage,
        endpoints: Vec::new(),
        history: Vec::new(),
    })
}

/// Refuses a certificate with an error: nobody who looks would take it.
pub(crate) fn refuse_errors(findings: &[Finding]) -> Result<(), Error> {
    match findings.iter().find(|finding| finding.severity == Severity::Error) {
        Some(error) => Err(Error::conflict(error.code, error.what.clone(), error.repair.clone())),
        None => Ok(()),
    }
}

/// What is wrong with a certificate: in itself, in its chain, and that its key is not here. CA certificates of
/// others have no key here and need none.
pub(crate) fn findings(entry: &CertificateEntry, chain: &Chain, now: Moment) -> Vec<Finding> {
    let mut findings = entry.certificate.findings(now.unix());
    findings.extend(chain.findings.iter().cloned());
    if !entry.has_key && !entry.certificate.is_ca() {
        findings.push(Finding {
            code: "key.missing",
            severity: Severity::Warning,
            what: "the private key of this certificate is not here".to_owned(),
            place: entry.certificate.display_name(),
            repair: "Import the key, or ask for a certificate of a key that is here.".to_owned(),
        });
    }
    findings
}

/// The row of a certificate that is new here.
pub(crate) fn row(
    certificate: Certificate,
    friendly_name: String,
    source: domain::certificate::Source,
    lineage: Option<domain::id::LineageId>,
    now: Moment,
) -> CertificateEntry {
    CertificateEntry {
        certificate,
        friendly_name,
        source,
        lineage,
        has_key: true,
        state: domain::certificate::CertificateState::Issued,
        created: now,
    }
}
