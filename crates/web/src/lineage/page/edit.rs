//! Change a lineage: targets, what is behind the edge, issuer, lifetime, key rule.

use app::Error;
use app::lineage::{LineageChange, LineageView};
use domain::id::LineageId;
use domain::lineage::Revision;
use domain::permission::uses;
use http::StatusCode;
use pki::Refusal;

use super::new::{Cards, field_of};
use super::offer::{
    Offer, backend, further_inputs, issuer_input, key_inputs, lifetime, profile_input, targets_input,
};
use crate::Problem;
use crate::body::{Id, PageFields};
use crate::page::words::safe;
use crate::page::{Entered, Flash, Input, Page, Place, Visit, Wrong, go, render, render_refused};

type Maker = Visit<uses::ManageTlsCertificates>;

/// The revision of no lineage: what stands for a text that is none.
const NONE: Revision = pki::Fingerprint([0; 32]);

/// What stands in the form before anybody changed it.
fn start(view: &LineageView) -> Entered {
    let lineage = &view.lineage;
    let rule = &lineage.key_rule;
    let mut pairs = vec![
        ("name".to_owned(), lineage.name.clone()),
        ("owner".to_owned(), lineage.owner.clone()),
        ("issuer".to_owned(), lineage.issuer.to_string()),
        ("profile".to_owned(), lineage.profile.to_string()),
        ("token".to_owned(), rule.token.to_string()),
        ("algorithm".to_owned(), rule.algorithm.name().to_owned()),
        ("at_renewal".to_owned(), rule.at_renewal.name().to_owned()),
        ("exportable".to_owned(), rule.exportable.name().to_owned()),
        ("days".to_owned(), lineage.lifetime.map(days).unwrap_or_default()),
    ];
    if let Some(backend) = &lineage.backend {
        pairs.push(("backend".to_owned(), backend.address.clone()));
        pairs.extend(backend.proxy_protocol.then(|| ("proxy_protocol".to_owned(), "yes".to_owned())));
    }
    pairs.extend(lineage.targets.iter().map(|target| ("targets".to_owned(), target.to_string())));
    Entered::from(pairs)
}

/// Seconds as days, with decimals only where they are needed.
fn days(seconds: i64) -> String {
    if seconds % 86_400 == 0 {
        return (seconds / 86_400).to_string();
    }
    let hundred_thousandths = seconds.saturating_mul(100_000) / 86_400;
    format!("{}.{:05}", hundred_thousandths / 100_000, hundred_thousandths % 100_000)
}

fn page(visit: &Maker, view: &LineageView, offer: &Offer) -> Cards {
    let id = &view.lineage.id;
    let mut rule = key_inputs(offer);
    rule.extend(further_inputs());
    let purpose = vec![
        Input::line("name", "Name").needed(),
        Input::line("owner", "Owner"),
        issuer_input(offer),
        profile_input(offer),
    ];
    Cards {
        frame: visit.frame(format!("Edit {}", safe(&view.lineage.name)), Place::Lineages),
        words: "On a target that is new to it, the current certificate is installed at once; everything else counts from the next renewal.",
        wrong: Wrong::default(),
        action: format!("/lineages/{id}/edit"),
        revision: view.lineage.revision().to_string(),
        verb: "Save",
        back: format!("/lineages/{id}"),
        cards: vec![
            ("Where it goes", vec![targets_input(offer)]),
            ("What it is for", purpose),
            ("Keys and renewal", rule),
        ],
    }
}

async fn load(visit: &Maker, id: &LineageId) -> Result<(LineageView, Offer), Problem> {
    let offer = Offer::load(visit).await?;
    let view = app::lineage::find(visit.app(), offer.see(), id).await?;
    Ok((view, offer))
}

/// `GET /lineages/{id}/edit`.
pub async fn form(visit: Maker, Id(id): Id<LineageId>) -> Page {
    let (view, offer) = load(&visit, &id).await?;
    render(&page(&visit, &view, &offer).filled(&start(&view), Wrong::default()))
}

/// `POST /lineages/{id}/edit`.
pub async fn update(visit: Maker, Id(id): Id<LineageId>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let wrong = match lifetime(&entered) {
        Ok(lifetime) => {
            match app::lineage::update(visit.app(), visit.by(), &id, change(&entered, lifetime)).await {
                Ok(view) => {
                    let text = format!("The lineage “{}” was changed.", safe(&view.lineage.name));
                    return Ok(go(&format!("/lineages/{id}"), Flash::good(text)));
                }
                Err(Error::Conflict(refusal)) if refusal.code == "lineage.changed" => {
                    return compare(&visit, &id, &entered, refusal).await;
                }
                Err(error) => Wrong::of(error)?.placed(field_of),
            }
        }
        Err(refused) => Wrong::fields(vec![refused]),
    };
    let (view, offer) = load(&visit, &id).await?;
    // What he has seen is what he saw before: the mistake is mended in the same form.
    let seen = entered.text("revision").to_owned();
    render_refused(&Cards { revision: seen, ..page(&visit, &view, &offer).filled(&entered, wrong) })
}

/// Somebody else was faster: what was typed, and beside it what is stored now. Who saves again has seen both.
async fn compare(visit: &Maker, id: &LineageId, entered: &Entered, refusal: Refusal) -> Page {
    let repair =
        "What is stored now stands at each field that differs. Save again to put your entries in its place.";
    let wrong = Wrong::of(Error::Conflict(Refusal { repair: repair.to_owned(), ..refusal }))?;
    let (view, offer) = load(visit, id).await?;
    let both = page(visit, &view, &offer).filled(entered, wrong).beside(entered, &start(&view));
    let mut answer = render_refused(&both)?;
    *answer.status_mut() = StatusCode::CONFLICT;
    Ok(answer)
}

fn change(entered: &Entered, lifetime: Option<i64>) -> LineageChange {
    LineageChange {
        seen: entered.some("revision").map(|text| text.parse().unwrap_or(NONE)),
        name: entered.some("name"),
        owner: Some(entered.text("owner").to_owned()),
        issuer: entered.text("issuer").parse().ok(),
        profile: entered.text("profile").parse().ok(),
        lifetime: Some(lifetime),
        token: entered.text("token").parse().ok(),
        algorithm: entered.text("algorithm").parse().ok(),
        at_renewal: entered.text("at_renewal").parse().ok(),
        exportable: entered.text("exportable").parse().ok(),
        targets: Some(entered.all("targets").iter().filter_map(|target| target.parse().ok()).collect()),
        backend: Some(backend(entered)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_read_as_days() {
        assert_eq!(days(90 * 86_400), "90");
        assert_eq!(days(43_200), "0.50000");
    }
}
