//! Make a lineage from a certificate that is here.

use app::lineage::{Adopt, LineageChange};
use domain::permission::uses;
use pki::Fingerprint;

use crate::Problem;
use crate::body::{Id, PageFields};
use crate::lineage::page::offer::{Offer, issuer_input, profile_input, targets_input};
use crate::page::rows::name_of;
use crate::page::simple::Simple;
use crate::page::words::safe;
use crate::page::{Entered, Flash, Input, Page, Place, Visit, go};

type Maker = Visit<uses::ManageTlsCertificates>;

async fn form(visit: &Maker, id: &Fingerprint) -> Result<Simple, Problem> {
    let offer = Offer::load(visit).await?;
    let view = app::certificate::find(visit.app(), offer.see(), id).await?;
    let name = name_of(&view.entry);
    let (action, back) = (format!("/certificates/{id}/adopt"), format!("/certificates/{id}"));
    Ok(Simple::new(visit.frame("Make a lineage", Place::Lineages), &name, action)
        .words("The certificate becomes the first of a renewable series: from now on it is renewed in time.")
        .verb("Make the lineage")
        .back(back)
        .input(
            Input::line("name", "Name")
                .value(&name)
                .hint("Unique, in words that you will know again.")
                .needed(),
        )
        .input(issuer_input(&offer).chosen(&["manual".to_owned()]))
        .input(profile_input(&offer))
        .input(targets_input(&offer)))
}

/// `GET /certificates/{id}/adopt`.
pub async fn show(visit: Maker, Id(id): Id<Fingerprint>) -> Page {
    form(&visit, &id).await?.show()
}

/// `POST /certificates/{id}/adopt`.
pub async fn adopt(visit: Maker, Id(id): Id<Fingerprint>, PageFields(fields): PageFields) -> Page {
    let entered = Entered(fields);
    let change = LineageChange {
        issuer: entered.text("issuer").parse().ok(),
        profile: entered.text("profile").parse().ok(),
        targets: Some(entered.all("targets").iter().filter_map(|target| target.parse().ok()).collect()),
        ..LineageChange::default()
    };
    match app::lineage::adopt(visit.app(), visit.by(), &id, Adopt { name: entered.some("name"), change })
        .await
    {
        Ok(view) => {
            let text = format!("The lineage “{}” was made.", safe(&view.lineage.name));
            Ok(go(&format!("/lineages/{}", view.lineage.id), Flash::good(text)))
        }
        Err(error) => form(&visit, &id).await?.refused(&entered, error),
    }
}
