//! One certificate: what it says, what is wrong with it, its chain as a picture, and what each endpoint serves.

use app::certificate::{CertificateView, Missing};
use askama::Template;
use domain::certificate::{NotCurrent, NotRemoved, Source, plan_removal, plan_use};
use domain::permission::uses;
use domain::target::EndpointSeen;
use domain::{Moment, Permission};
use pki::{Certificate, Finding, Fingerprint};

use crate::body::{Id, PageFields};
use crate::page::chain::{self, Picture};
use crate::page::finding::{Badge, Note};
use crate::page::rows::{CertificateLine, EndpointLine, Fact, name_of};
use crate::page::simple::Simple;
use crate::page::words::{
    alternative_names, listed, safe, subject_lines, title, usage_words, with_readable_moments,
};
use crate::page::{Entered, Flash, Frame, Input, Page, Place, Visit, When, go, render};

#[derive(Template)]
#[template(path = "certificate/show.html")]
struct CertificatePage {
    frame: Frame,
    words: String,
    id: String,
    lineage: Option<(String, String)>,
    notes: Vec<Note>,
    chain: Picture,
    chain_badge: Badge,
    endpoints: Vec<EndpointLine>,
    facts: Vec<Fact>,
    from: When,
    until: When,
    colons: String,
    history: Vec<CertificateLine>,
    name: Input,
    can_be_default: bool,
    can_activate: bool,
    can_adopt: bool,
    can_remove: bool,
    /// Why it stays for ever, where it does.
    why_kept: Option<String>,
    /// Why something that is usual is not offered.
    why_not: Option<String>,
}

/// `GET /certificates/{id}`.
pub async fn show(visit: Visit<uses::ViewCertificates>, Id(id): Id<Fingerprint>) -> Page {
    let view = app::certificate::find(visit.app(), visit.by(), &id).await?;
    let mut shown = page(visit.frame(name_of(&view.entry), Place::Certificates), &view);
    if !shown.endpoints.is_empty() {
        for target in app::target::list(visit.app(), visit.by()).await? {
            let id = target.target.id.to_string();
            for row in shown.endpoints.iter_mut().filter(|row| row.target == id) {
                row.label = safe(&target.target.label);
            }
        }
    }
    render(&shown)
}

fn page(frame: Frame, view: &CertificateView) -> CertificatePage {
    let now = frame.now;
    let certificate = &view.entry.certificate;
    let fingerprint = view.entry.fingerprint();
    let (uses, removal) = (Uses::new(view), plan_removal(&view.needed()));
    CertificatePage {
        words: words(view, now),
        id: fingerprint.to_string(),
        lineage: view
            .lineage
            .as_ref()
            .map(|lineage| (format!("/lineages/{}", lineage.id), safe(&lineage.name))),
        notes: notes(view, &frame),
        chain: Picture::new(&view.chain, now),
        chain_badge: chain::badge(&view.chain),
        endpoints: view.endpoints.iter().map(|seen| endpoint(view, seen, now)).collect(),
        facts: facts(certificate, view),
        from: When::unix(certificate.not_before(), now),
        until: When::unix(certificate.not_after(), now),
        colons: fingerprint.to_colons(),
        history: view.history.iter().map(|entry| CertificateLine::new(entry, now)).collect(),
        name: name_input().value(&view.entry.friendly_name),
        can_be_default: uses.default == Some(Ok(())),
        can_activate: uses.lineage == Some(Ok(())),
        can_adopt: uses.new_lineage == Some(Ok(())),
        why_not: uses.why_not(),
        can_remove: removal.is_ok(),
        why_kept: removal.err().as_ref().and_then(why_kept),
        frame,
    }
}

fn name_input() -> Input {
    Input::line("name", "Friendly Name").needed()
}

/// `POST /certificates/{id}/name`.
pub async fn rename(
    visit: Visit<uses::ManageTlsCertificates>,
    Id(id): Id<Fingerprint>,
    PageFields(fields): PageFields,
) -> Page {
    let (entered, back) = (Entered(fields), format!("/certificates/{id}"));
    match app::certificate::rename(visit.app(), visit.by(), &id, entered.text("name")).await {
        Ok(view) => {
            Ok(go(&back, Flash::good(format!("It is called {} now.", safe(&view.entry.friendly_name)))))
        }
        Err(error) => {
            let frame = visit.frame("Name a certificate", Place::Certificates);
            let form = Simple::new(frame, format!("Certificate {id}"), format!("{back}/name")).back(&back);
            form.input(name_input()).refused(&entered, error)
        }
    }
}

/// What a certificate could be put to and is not: none where nobody would think of it, otherwise whether it may.
struct Uses {
    default: Option<Result<(), NotCurrent>>,
    lineage: Option<Result<(), NotCurrent>>,
    new_lineage: Option<Result<(), NotCurrent>>,
}

impl Uses {
    fn new(view: &CertificateView) -> Self {
        let plan = |names: &[_]| plan_use(&view.entry, &view.findings, names);
        let is_leaf = !view.entry.certificate.is_ca();
        let own = view.lineage.as_ref();
        Self {
            default: (is_leaf && !view.is_default).then(|| plan(&[])),
            lineage: own.filter(|_| !view.is_current).map(|lineage| plan(&lineage.names)),
            new_lineage: (is_leaf && own.is_none() && !view.is_factory).then(|| plan(&[])),
        }
    }

    /// The reason in words; that of all uses before that of one.
    fn why_not(self) -> Option<String> {
        let of_any = [self.default, self.new_lineage].into_iter().flatten().find_map(Result::err);
        let of_one = self.lineage.and_then(Result::err);
        let (what, why) = match (of_any, of_one) {
            (Some(why), _) => ("It can be put to no further use", why),
            (None, Some(why)) => ("It cannot be used for its lineage", why),
            (None, None) => return None,
        };
        Some(format!("{what}: {}.", with_readable_moments(&safe(&why.to_string()))))
    }
}

/// Why it is not removed, where nothing that a person can do would change that.
fn why_kept(why: &NotRemoved) -> Option<String> {
    match why {
        NotRemoved::Factory => Some(
            "This is the factory certificate: it can be replaced as the default, and may not be removed."
                .to_owned(),
        ),
        NotRemoved::Authority(issuer) => Some(format!(
            "This is a certificate of our CA “{}”: it stays for the chains of what that issued.",
            safe(issuer)
        )),
        NotRemoved::Default | NotRemoved::Served(_) => None,
    }
}

/// The findings with the buttons that repair them.
fn notes(view: &CertificateView, frame: &Frame) -> Vec<Note> {
    let missing = app::certificate::missing(&view.chain);
    view.findings
        .iter()
        .map(|finding| note(finding, missing.as_ref(), &view.entry.fingerprint(), frame))
        .collect()
}

fn note(finding: &Finding, missing: Option<&Missing>, id: &Fingerprint, frame: &Frame) -> Note {
    let note = Note::from(finding);
    let may = frame.may(Permission::ManageTlsCertificates);
    let note = match missing {
        Some(missing) if may && matches!(finding.code, "chain.incomplete" | "chain.root_missing") => {
            let words = format!("Fetch the missing certificates from {}", listed(&missing.hosts));
            note.button(format!("/certificates/{id}/complete"), &frame.csrf, words)
        }
        Some(_) | None => note,
    };
    if may && (finding.code.starts_with("chain.") || finding.code == "key.missing") {
        return note.link("/certificates/import", "Import what is missing");
    }
    note
}

fn words(view: &CertificateView, now: Moment) -> String {
    let issuer = title(view.entry.certificate.issuer());
    let how = match view.entry.source {
        Source::SelfSigned => "Self-signed certificate, made here".to_owned(),
        Source::Internal => format!("Issued by our CA “{issuer}”"),
        Source::Imported => format!("Imported, issued by “{issuer}”"),
        Source::Factory => "The factory certificate, made at the first start".to_owned(),
    };
    let use_words = match (view.is_default, view.is_current) {
        (true, _) => ", the default certificate",
        (false, true) => ", the current one of its lineage",
        (false, false) => "",
    };
    let over = if view.entry.certificate.not_after() < now.unix() { " It has expired." } else { "" };
    format!("{how}{use_words}.{over}")
}

/// What an endpoint serves. Where this certificate had its time, its successor is no fault.
fn endpoint(view: &CertificateView, seen: &EndpointSeen, now: Moment) -> EndpointLine {
    let line = EndpointLine::new(seen, Some(&view.entry.fingerprint()), now);
    let current = view.lineage.as_ref().and_then(|lineage| lineage.current);
    if view.is_current || current.is_none() || seen.certificate != current {
        return line;
    }
    EndpointLine { badge: Badge::plain("the current one of its lineage"), ..line }
}

fn facts(certificate: &Certificate, view: &CertificateView) -> Vec<Fact> {
    let mut facts = vec![
        Fact::lines("Issued To", named(subject_lines(certificate.subject()))),
        Fact::lines("Issued By", named(subject_lines(certificate.issuer()))),
        Fact::lines("Alternative names", alternative_names(certificate.names())),
        Fact::new("Role", certificate.role().name()),
        Fact::new("Public key", certificate.public_key().label()),
        Fact::new("Private key", if view.entry.has_key { "here, in its token" } else { "not here" }),
        Fact::new("Signature", certificate.signature_algorithm()),
        Fact::lines(
            "Key usage",
            unless_open(certificate.key_usages().iter().copied().map(usage_words).collect()),
        ),
        Fact::lines(
            "Extended key usage",
            unless_open(certificate.extended_key_usages().iter().map(|usage| usage_words(usage)).collect()),
        ),
        Fact::mono("Serial number", serial(certificate)),
    ];
    let addresses = [
        ("CA issuers", certificate.ca_issuer_urls()),
        ("OCSP", certificate.ocsp_urls()),
        ("CRL", certificate.crl_urls()),
    ];
    for (name, urls) in addresses.into_iter().filter(|(_, urls)| !urls.is_empty()) {
        facts.push(Fact::lines(name, urls.iter().map(|url| safe(url)).collect()));
    }
    facts
}

/// A name's lines; a server's certificate may do without a subject.
fn named(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["no subject: the alternative names count".to_owned()] } else { lines }
}

/// The usages; a certificate that names none leaves them open.
fn unless_open(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["not limited".to_owned()] } else { lines }
}

fn serial(certificate: &Certificate) -> String {
    certificate.serial().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
