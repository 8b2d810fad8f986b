//! The support bundle: every certificate with its chain, and what is known of their state, in one zip archive.
//!
//! It is made of [`Paper`]s, and there is none that could hold a private key.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use domain::installation::Identity;
use domain::permission::uses;
use domain::{Authorized, Moment};
use pki::format::pem_write;
use pki::name::inert;
use pki::{Certificate, Fingerprint};
use store::certificate::{CertificateFilter, CertificateOrder};
use store::{Page, Tx};
use token::InstanceKey;

use super::look::{Offered, look};
use crate::archive::{Packed, zip};
use crate::certificate::{self, CertificateView, File};
use crate::chains::Chains;
use crate::{App, Error, setting};

/// Most certificates in one bundle.
const MOST: u32 = 1_000;

/// All that a bundle can be made of.
enum Paper<'a> {
    /// The state in words.
    Status(String),
    /// One certificate.
    Certificate(&'a Certificate),
    /// A certificate with those above it, the root too: support builds trust from it.
    Chain(Fingerprint, Vec<Certificate>),
}

impl Paper<'_> {
    fn packed(self) -> Packed {
        match self {
            Self::Status(text) => Packed::open("status.txt", text),
            Self::Certificate(one) => {
                let name = format!("certificates/{}.pem", short(&one.fingerprint()));
                Packed::open(name, pem_write::certificate(one.der()))
            }
            Self::Chain(leaf, all) => {
                let text = pem_write::chain(all.iter().map(Certificate::der));
                Packed::open(format!("chains/{}.pem", short(&leaf)), text)
            }
        }
    }
}

/// Makes the bundle: of one certificate and its chain, or of all that are here (the first 1,000 by their end).
/// Nothing is changed, so nothing is recorded.
///
/// # Errors
/// `certificate_not_found`; `support.private_key` when somebody wrote a key into a name.
pub async fn bundle(
    app: &App,
    _by: &Authorized<uses::ExportCertificate>,
    of: Option<Fingerprint>,
) -> Result<File, Error> {
    let now = app.now();
    let (identity, views) =
        app.read("support.bundle", move |tx| Ok((setting::identity(tx)?, views(tx, of, now)?))).await?;
    let own = Arc::clone(app.instance());
    app.blocking(move || packed(&identity, &views, &own, now)).await?
}

fn views(tx: &Tx<'_>, of: Option<Fingerprint>, now: Moment) -> Result<Vec<CertificateView>, Error> {
    let entries = match of {
        Some(id) => {
            let found = store::certificate::find(tx, &id)?;
            vec![found.ok_or_else(|| Error::not_found("certificate", id))?]
        }
        None => {
            let every = CertificateFilter {
                include_ca: true,
                order: CertificateOrder::NotAfter,
                ..CertificateFilter::default()
            };
            store::certificate::list(tx, &every, &Page::first(MOST))?
        }
    };
    let mut views = Vec::with_capacity(entries.len());
    let mut chains = Chains::new(tx, now.unix());
    for entry in entries {
        let mut view = certificate::view_among(&mut chains, entry, now)?;
        if let Some(lineage) = &view.lineage {
            view.endpoints = store::endpoint::of_lineage(tx, &lineage.id)?;
        }
        views.push(view);
    }
    Ok(views)
}

fn packed(
    identity: &Identity,
    views: &[CertificateView],
    own: &InstanceKey,
    now: Moment,
) -> Result<File, Error> {
    let mut papers = vec![Paper::Status(status(identity, views, now))];
    let chains: Vec<(Fingerprint, Vec<Certificate>)> = views.iter().map(whole_chain).collect();
    let mut seen = BTreeSet::new();
    let all = chains.iter().flat_map(|(_, chain)| chain);
    papers.extend(all.filter(|one| seen.insert(one.fingerprint())).map(Paper::Certificate));
    let long = chains.iter().filter(|(_, chain)| chain.len() > 1);
    papers.extend(long.map(|(leaf, chain)| Paper::Chain(*leaf, chain.clone())));
    let files: Vec<Packed> = papers.into_iter().map(Paper::packed).collect();
    let offered = |file: &Packed| Offered { name: file.name.clone(), bytes: file.bytes.clone().into() };
    // There is no paper for a key, but people write anything into names.
    look(&files.iter().map(offered).collect::<Vec<_>>(), Some(own))?;
    let day: String = now.to_string().chars().take(10).collect();
    Ok(File { name: format!("support-{day}.zip"), media_type: "application/zip", bytes: zip(&files, now)? })
}

fn whole_chain(view: &CertificateView) -> (Fingerprint, Vec<Certificate>) {
    let chain = std::iter::once(view.entry.certificate.clone()).chain(view.above()).collect();
    (view.entry.fingerprint(), chain)
}

fn short(id: &Fingerprint) -> String {
    id.to_string().chars().take(16).collect()
}

/// The state in words. Writing to a string does not fail.
fn status(identity: &Identity, views: &[CertificateView], now: Moment) -> String {
    let mut text = format!(
        "Claviger {}, {} {}\nTime: {now}\nServer: {}\nCertificates: {}\n\nPrivate keys are never in this file, and \
         support never needs one.\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        inert(&identity.title()),
        views.len(),
    );
    for view in views {
        describe(&mut text, view);
    }
    text
}

fn describe(text: &mut String, view: &CertificateView) {
    let held = &view.entry.certificate;
    let names: Vec<String> = held.names().iter().map(|name| inert(&name.to_string()).into_owned()).collect();
    let yes_or_no = |yes: bool| if yes { "Yes" } else { "No" }.to_owned();
    let lines = [
        ("Friendly Name", inert(&view.entry.friendly_name).into_owned()),
        ("Issued To", held.subject().to_string()),
        ("Issued By", held.issuer().to_string()),
        ("Valid from", Moment::from(held.not_before()).to_string()),
        ("Expiration", Moment::from(held.not_after()).to_string()),
        ("Alternative Name(s)", names.join(", ")),
        ("Role", held.role().name().to_owned()),
        ("Key", held.public_key().label()),
        ("Private Key?", yes_or_no(view.entry.has_key)),
        ("Default", yes_or_no(view.is_default)),
        ("State", view.entry.state.name().to_owned()),
    ];
    let _ = write!(text, "\n{}\n", held.fingerprint());
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {name}: {}", inert(value));
    }
    for finding in &view.findings {
        let (severity, code) = (finding.severity, finding.code);
        let _ = writeln!(text, "  {severity}: {} ({code}) {}", inert(&finding.what), inert(&finding.repair));
    }
    for seen in &view.endpoints {
        let served = seen.certificate.map_or_else(|| inert(&seen.trouble).into_owned(), |id| id.to_string());
        let (address, name, at) = (inert(&seen.address), inert(&seen.name), seen.at);
        let _ = writeln!(text, "  Seen at {address} for {name} at {at}: {served}");
    }
}
