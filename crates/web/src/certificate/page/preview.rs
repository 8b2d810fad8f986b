//! What was found in an upload and what would be done with it, before anything is stored; then the confirmation.

use app::certificate::import::{
    Confirmed, Fate, KeyFrom, KeyPlan, PreviewedKey, Series, Shown, Standing, Step,
};
use app::certificate::{Preview, Taken, Wishes, import as imports};
use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect};
use domain::Moment;
use domain::id::{ImportId, TokenId};
use domain::permission::uses;
use domain::token::TokenState;
use pki::{Role, Severity};

use super::import::{Maker, lines};
use crate::Problem;
use crate::body::{Id, PageFields};
use crate::page::chain::{self, Picture};
use crate::page::field::{Choice, Control, choice};
use crate::page::finding::{Badge, Note};
use crate::page::form::Form;
use crate::page::when::{counted, utc_words};
use crate::page::words::{alternative_names, listed, safe, sentence, title};
use crate::page::{Entered, Flash, Frame, Input, Page, Place, When, Wrong, go, render, render_refused};

#[derive(Template)]
#[template(path = "certificate/preview.html")]
struct PreviewPage {
    frame: Frame,
    wrong: Wrong,
    id: String,
    badge: Badge,
    words: String,
    notes: Vec<Note>,
    rows: Vec<Row>,
    /// How many certificates are not shown one by one.
    more: usize,
    keys: Vec<String>,
    others: Vec<String>,
    chains: Vec<Leaf>,
    /// Whether a key is to be chosen before anything else can be said.
    must_choose: bool,
    key: Option<Input>,
    friendly_name: Option<Input>,
    token: Option<Input>,
    /// What the confirmation names; empty when it would be refused.
    hash: String,
    /// What the confirmation repeats of the form beside it.
    carried: Vec<(&'static str, String)>,
}

crate::page::refusing!(PreviewPage);

/// A certificate in the table.
struct Row {
    kind: &'static str,
    issued_to: String,
    issued_by: String,
    ends: When,
    names: Vec<String>,
    key: &'static str,
    name: String,
    does: String,
}

/// A leaf with its chain.
struct Leaf {
    anchor: String,
    name: String,
    /// How the new one is told from the one before.
    told_by: String,
    badge: Badge,
    chain: Picture,
    notes: Vec<Note>,
}

/// Leaves whose chain is drawn.
const DRAWN: usize = 10;

/// `GET /certificates/import/{id}`: what was found; the query says how it shall be kept.
pub async fn show(visit: Maker, Id(id): Id<ImportId>, Query(asked): Query<Vec<(String, String)>>) -> Page {
    let entered = Entered::from(asked);
    if let Some(confirmed) = imports::outcome(visit.app(), visit.by(), &id) {
        return Ok(done(confirmed, BEFORE));
    }
    match imports::show(visit.app(), visit.by(), &id, wishes(&entered)).await {
        Ok(shown) => {
            let tokens = tokens(&visit).await?;
            render(&page(&visit, (&id, &shown), tokens, (&entered, Wrong::default())))
        }
        Err(error) => gone(error),
    }
}

/// Sends back to the beginning when nothing is held any more.
fn gone(error: app::Error) -> Page {
    match error {
        app::Error::Conflict(refusal) if refusal.code == "import.preview_gone" => {
            let text = format!("{} {}", sentence(&refusal.what), refusal.repair);
            Ok(go("/certificates/import", Flash::bad(text)))
        }
        other => Err(other.into()),
    }
}

/// How it shall be kept. What cannot be read was not chosen from the page, and counts as not chosen.
fn wishes(entered: &Entered) -> Wishes {
    Wishes {
        friendly_name: entered.some("friendly_name"),
        token: entered.text("token").parse().unwrap_or_else(|_| TokenId::system()),
        exportable: None,
        lineage: None,
        key: entered.text("key").parse().ok(),
    }
}

async fn tokens(visit: &Maker) -> Result<Vec<Choice>, Problem> {
    let mut choices = vec![choice("system", "system: works with nobody there")];
    if let Some(see) = visit.permit().also(uses::ViewKeys) {
        let tokens = app::token::summaries(visit.app(), &see).await?;
        let open = tokens
            .iter()
            .filter(|view| view.token.id != TokenId::system() && view.state == TokenState::LoggedIn);
        choices.extend(open.map(|view| choice(view.token.id.as_str(), safe(&view.token.label))));
    }
    Ok(choices)
}

/// `POST /certificates/import/{id}`: stores it, if it is still what was previewed.
pub async fn confirm(visit: Maker, Id(id): Id<ImportId>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    if let Some(confirmed) = imports::outcome(visit.app(), visit.by(), &id) {
        return Ok(done(confirmed, BEFORE));
    }
    if entered.text("do") == "discard" {
        imports::discard(visit.app(), visit.by(), &id);
        return Ok(go(
            "/certificates/import",
            Flash::good("Nothing was stored, and the upload was forgotten."),
        ));
    }
    let Ok(hash) = entered.text("preview").parse() else {
        return Ok(Redirect::to(&format!("/certificates/import/{id}")).into_response());
    };
    match imports::confirm(visit.app(), visit.by(), &id, wishes(&entered), hash).await {
        Ok(confirmed) => Ok(done(confirmed, "")),
        Err(error) if error.code() == "import.preview_gone" => gone(error),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            match imports::show(visit.app(), visit.by(), &id, wishes(&entered)).await {
                Ok(shown) => {
                    let tokens = tokens(&visit).await?;
                    render_refused(&page(&visit, (&id, &shown), tokens, (&entered, wrong)))
                }
                Err(error) => gone(error),
            }
        }
    }
}

/// What is said to whoever confirms twice, or comes back.
const BEFORE: &str = "This upload was imported before, and not again: ";

/// Leads to where it is now: the certificate that answers a request, the job, or the list. The words begin with `how`.
fn done(confirmed: Confirmed, how: &str) -> axum::response::Response {
    let imported = match confirmed.taken {
        Taken::Now(imported) => imported,
        Taken::AsJob(job) => return Redirect::to(&format!("/jobs/{}", job.id)).into_response(),
    };
    let text = format!("{how}{}", lines(&imported).join(" "));
    let Some((csr, key)) = confirmed.offered.csr else {
        return go("/certificates", Flash::good(text));
    };
    match imported.certificates.iter().find(|view| view.entry.key() == key) {
        Some(leaf) if imported.fulfilled.contains(&csr) => {
            go(&format!("/certificates/{}", leaf.entry.fingerprint()), Flash::good(text))
        }
        // It was here before, or is not what the request asks for.
        Some(leaf) => {
            let text = format!("{text} It answers no request that waits.");
            go(&format!("/certificates/{}", leaf.entry.fingerprint()), Flash::warn(text))
        }
        None => {
            let text = format!("{text} None of them is the answer to this request.");
            go(&format!("/csrs/{csr}"), Flash::warn(text))
        }
    }
}

fn page(
    visit: &Maker,
    (id, shown): (&ImportId, &Shown),
    tokens: Vec<Choice>,
    (entered, wrong): (&Entered, Wrong),
) -> PreviewPage {
    let (preview, now) = (&shown.preview, visit.now());
    let form = Form::new(entered, &wrong);
    let has_key = !preview.keys.is_empty();
    let is_named = has_key || preview.plan.steps.iter().any(|step| !step.entry.certificate.is_ca());
    let name = Input::line("friendly_name", "Certificate Friendly Name")
        .hint("Left empty, it keeps the name of its request or file, or takes the common name.");
    let token = Input::select("token", "Token", tokens).hint("Where the private key is kept.");
    PreviewPage {
        badge: badge(preview),
        words: words(preview),
        notes: notes(preview),
        rows: preview.plan.steps.iter().take(imports::FEW).map(|step| row(step, preview, now)).collect(),
        more: preview.plan.steps.len().saturating_sub(imports::FEW),
        keys: preview.keys.iter().map(|key| key_words(key, preview)).collect(),
        others: others(preview),
        chains: leaves(preview, now),
        must_choose: preview.keys.len() > 1 && preview.chosen.is_none(),
        key: (preview.keys.len() > 1).then(|| key_choices(preview)),
        friendly_name: (is_named && !preview.is_for_job()).then(|| form.put(name)),
        token: has_key.then(|| form.put(token)),
        hash: preview.hash.map(|hash| hash.to_string()).unwrap_or_default(),
        carried: ["friendly_name", "token", "key"].map(|name| (name, entered.text(name).to_owned())).into(),
        id: id.to_string(),
        frame: visit.frame("Import: what was found", Place::Certificates),
        wrong,
    }
}

fn badge(preview: &Preview) -> Badge {
    let worst = preview.plan.steps.iter().flat_map(|step| &step.findings);
    let worst = worst.map(|finding| finding.severity).max();
    match (&preview.refusal, worst) {
        (Some(_), _) => Badge::bad("cannot be imported like this"),
        (None, Some(Severity::Error)) => Badge::bad("can be kept, but not used"),
        (None, Some(Severity::Warning)) => Badge::warn("can be imported, with a warning"),
        (None, Some(Severity::Info) | None) => Badge::good("can be imported"),
    }
}

fn words(preview: &Preview) -> String {
    let steps = &preview.plan.steps;
    let of = |roles: &[Role]| {
        steps.iter().filter(|step| roles.contains(&step.entry.certificate.role())).count() as u64
    };
    let counts = [
        (of(&[Role::Server]), "server certificate"),
        (of(&[Role::Client, Role::Sign]), "other certificate"),
        (of(&[Role::Intermediate]), "intermediate certificate"),
        (of(&[Role::Root]), "root certificate"),
        (preview.keys.len() as u64, "private key"),
        (preview.brought.csrs.len() as u64, "certificate request"),
        (preview.brought.crls.len() as u64, "revocation list"),
    ];
    let found = counts.into_iter().filter(|(count, _)| *count > 0);
    let found: Vec<String> = found.map(|(count, noun)| counted(count, noun)).collect();
    format!("{}. Nothing is stored yet.", sentence(&listed(&found)).trim_end_matches('.'))
}

/// Why it would be refused, and what was odd about the files.
fn notes(preview: &Preview) -> Vec<Note> {
    let refusal = preview.refusal.as_ref().map(|error| match error {
        app::Error::Refused(refusal) | app::Error::Conflict(refusal) => {
            Note::from(&pki::Finding::from(refusal.clone()))
        }
        app::Error::TokenUnavailable { token } => {
            let repair = "Log the token in with its PIN, or choose another token.";
            Note::new(Severity::Error, sentence(&error.to_string()), repair)
                .link(format!("/tokens/{token}/log-in"), "Log in")
        }
        other => Note::new(Severity::Error, sentence(&safe(&other.to_string())), ""),
    });
    let findings = preview.brought.findings.iter().chain(&preview.plan.findings);
    refusal.into_iter().chain(findings.map(Note::from)).collect()
}

/// The seed's words for the parts of a chain.
fn kind(role: Role) -> &'static str {
    match role {
        Role::Server => "Server certificate",
        Role::Client => "Client certificate",
        Role::Sign => "Signing certificate",
        Role::Intermediate => "Intermediate certificate",
        Role::Root => "Root certificate",
    }
}

fn row(step: &Step, preview: &Preview, now: Moment) -> Row {
    let certificate = &step.entry.certificate;
    Row {
        kind: kind(certificate.role()),
        issued_to: safe(&certificate.display_name()),
        issued_by: title(certificate.issuer()),
        ends: When::unix(certificate.not_after(), now),
        names: alternative_names(certificate.names()),
        key: match step.key {
            KeyFrom::Files => "Yes, in the files",
            KeyFrom::Here => "Yes, here",
            KeyFrom::NotTaken if preview.chosen.is_some() => "In the files, not chosen",
            KeyFrom::NotTaken => "Yes, in the files: choose it",
            KeyFrom::Nowhere => "No",
        },
        name: safe(&step.entry.friendly_name),
        does: match (step.key == KeyFrom::NotTaken, preview.chosen) {
            (false, _) => does(step),
            (true, None) => "That depends on which private key is taken.".to_owned(),
            (true, Some(_)) => {
                "It is kept, and not used: its private key is not the one that is taken. Import the files again for it."
                    .to_owned()
            }
        },
    }
}

/// What would happen to it, whole sentences.
fn does(step: &Step) -> String {
    let here = match step.standing {
        Standing::New => "",
        Standing::Known => "It is here already. ",
        Standing::Hidden => "It was removed, and comes back. ",
    };
    let lineage = |series: &Series| match series {
        Series::Lineage(lineage) => format!("the lineage “{}”", safe(&lineage.name)),
        Series::FoundedBy(_) => "the lineage that another certificate above founds".to_owned(),
    };
    let fate = match &step.fate {
        Fate::ForChains(0) => "It is kept for chains.".to_owned(),
        Fate::ForChains(count) => {
            let come = if count.unsigned_abs() == 1 { "comes" } else { "come" };
            let count = counted(count.unsigned_abs(), "certificate");
            format!("It is kept for chains; {count} here {come} from it.")
        }
        Fate::Renews(series) => format!("It renews {}: it is served from then on.", lineage(series)),
        Fate::Kept(series, _) if step.before.as_ref() == Some(&step.entry.certificate) => {
            format!("It is the current certificate of {}.", lineage(series))
        }
        Fate::Kept(series, why) => format!("It is kept in {}, and not used: {}.", lineage(series), safe(why)),
        Fate::Founds => "A lineage is founded on it: it is watched, and served under its names.".to_owned(),
        Fate::Alone(why) => format!("It is kept, and not used: {}.", safe(why)),
    };
    let answers = match step.requests.as_slice() {
        [] => String::new(),
        requests => {
            let names: Vec<String> =
                requests.iter().map(|request| format!("“{}”", safe(&request.friendly_name))).collect();
            format!(" It answers the request {}.", listed(&names))
        }
    };
    format!("{here}{fate}{answers}")
}

/// A private key and what it fits, one sentence or two.
fn key_words(key: &PreviewedKey, preview: &Preview) -> String {
    let name = key.name.as_deref().map(|name| format!(" “{}”", safe(name))).unwrap_or_default();
    let fits: Vec<String> = fitting(key, preview);
    let fits = match fits.as_slice() {
        [] => "It fits no certificate that is known.".to_owned(),
        names => format!("It fits {}.", listed(names)),
    };
    let place = match (&key.here, &preview.plan.key) {
        (Some(label), _) => format!(" It is here already, as “{}”.", safe(label)),
        (None, Some(KeyPlan::Stored(id, label))) if *id == key.id => {
            format!(" It goes into token {} as “{}”.", preview.wishes.token, safe(label))
        }
        (None, _) => String::new(),
    };
    format!("Private key{name}, {}. {fits}{place}", key.algorithm.label())
}

/// The certificates that a key belongs to: those of the files by their own names, those here by their friendly ones.
fn fitting(key: &PreviewedKey, preview: &Preview) -> Vec<String> {
    let brought = preview.brought.certificates.iter().map(|one| &one.certificate);
    let brought = brought.filter(|certificate| certificate.key_id() == key.id);
    let brought =
        brought.map(|certificate| format!("the certificate of {}", safe(&certificate.display_name())));
    brought.chain(key.fits_here.iter().map(|(_, name)| format!("“{}”, which is here", safe(name)))).collect()
}

fn key_choices(preview: &Preview) -> Input {
    let choices = preview.keys.iter().map(|key| {
        let fits = fitting(key, preview);
        let fits =
            if fits.is_empty() { "fits nothing".to_owned() } else { format!("fits {}", listed(&fits)) };
        let name = key.name.as_deref().map(|name| format!("“{}”, ", safe(name))).unwrap_or_default();
        let short: String = key.id.to_string().chars().take(16).collect();
        choice(key.id.to_string(), format!("{name}{}, {fits} ({short}…)", key.algorithm.label()))
    });
    let chosen: Vec<String> = preview.chosen.map(|id| id.to_string()).into_iter().collect();
    Input::new("key", "Which private key is taken", Control::Radios(choices.collect()))
        .hint("The files hold several; one is imported at a time.")
        .chosen(&chosen)
}

/// What is shown and not stored.
fn others(preview: &Preview) -> Vec<String> {
    let csrs = preview.brought.csrs.iter().map(|csr| {
        let subject =
            if csr.subject().is_empty() { "(no subject)".to_owned() } else { csr.subject().to_string() };
        format!(
            "Certificate request of {}. It is not stored: give it to a certificate authority.",
            safe(&subject)
        )
    });
    let crls = preview.brought.crls.iter().map(|crl| {
        let next = crl.next_update().map_or_else(String::new, |next| {
            format!(", the next one comes {}", utc_words(Moment::from(next)))
        });
        let count = counted(crl.len() as u64, "certificate");
        format!("Revocation list of {}: {count} revoked{next}. It is not stored.", title(crl.issuer()))
    });
    csrs.chain(crls).collect()
}

/// Each leaf with its chain; where there is none, the certificates themselves.
fn leaves(preview: &Preview, now: Moment) -> Vec<Leaf> {
    let steps = &preview.plan.steps;
    let is_leaf = |step: &&Step| !step.entry.certificate.is_ca();
    let has_leaf = steps.iter().any(|step| is_leaf(&step));
    let drawn = steps.iter().enumerate().filter(|(_, step)| is_leaf(step) == has_leaf).take(DRAWN);
    drawn.map(|(index, step)| leaf(index, step, now)).collect()
}

fn leaf(index: usize, step: &Step, now: Moment) -> Leaf {
    let certificate = &step.entry.certificate;
    let told_by = match (&step.fate, &step.before) {
        (Fate::Renews(_), Some(before)) => format!(
            "This new certificate can be identified by its Expiration, {}: a later date than the original's, {}.",
            utc_words(Moment::from(certificate.not_after())),
            utc_words(Moment::from(before.not_after())),
        ),
        (Fate::Renews(_), None)
        | (Fate::ForChains(_) | Fate::Kept(..) | Fate::Founds | Fate::Alone(_), _) => String::new(),
    };
    Leaf {
        anchor: format!("chain-{index}"),
        name: safe(&certificate.display_name()),
        told_by,
        badge: chain::badge(&step.chain),
        chain: Picture::new(&step.chain, now).unlinked(),
        notes: step.findings.iter().map(Note::from).chain(where_missing(step)).collect(),
    }
}

/// That what is missing can be fetched, and from where.
fn where_missing(step: &Step) -> Option<Note> {
    let missing = app::certificate::missing(&step.chain)?;
    let issuer = title(missing.below.issuer());
    let from: Vec<String> = missing.addresses.iter().map(|address| safe(address)).collect();
    let what =
        format!("The certificate of “{issuer}”, which is missing, can be fetched from {}.", listed(&from));
    let how = "Import first; the page of the certificate then has the button that fetches it.";
    Some(Note::new(Severity::Info, what, how))
}
