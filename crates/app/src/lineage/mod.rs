//! Lineages: make, adopt, change, renew, rekey.

mod adopt;
mod create;
mod list;
mod order;
mod renew;
mod retire;
mod update;

use domain::Moment;
use domain::certificate::CertificateEntry;
use domain::id::LineageId;
use domain::lineage::Lineage;
use domain::order::Order;
use domain::renewal::due_at;
use domain::target::{Deployment, EndpointSeen};
use store::Tx;

use crate::Error;

pub(crate) use adopt::found;
pub use adopt::{Adopt, adopt};
pub(crate) use create::refuse_taken_name;
pub use create::{NewLineage, create};
pub use list::{find, list};
pub(crate) use order::renew as run_renewal;
pub(crate) use renew::add_clocked;
pub use renew::{rekey, renew};
pub use retire::retire;
pub(crate) use retire::retire_in;
pub use update::{LineageChange, update};

/// A lineage with what is known of it.
#[derive(Clone, Debug)]
pub struct LineageView {
    /// The lineage.
    pub lineage: Lineage,
    /// Its current certificate.
    pub current: Option<CertificateEntry>,
    /// The order under way.
    pub order: Option<Order>,
    /// What its targets are called, in the order of [`Lineage::targets`].
    pub target_labels: Vec<String>,
    /// The newest deployment on each target.
    pub deployments: Vec<Deployment>,
    /// What was seen from outside.
    pub endpoints: Vec<EndpointSeen>,
    /// The name of its issuer on pages.
    pub issuer_label: String,
    /// Its certificates, the newest first; only where one lineage is asked for.
    pub history: Vec<CertificateEntry>,
}

/// When a lineage that nothing renews at the moment is due: by its current certificate, now where it has none.
pub(crate) fn due(tx: &Tx<'_>, id: &LineageId, now: Moment) -> Result<Moment, Error> {
    let current = store::lineage::find(tx, id)?.and_then(|lineage| lineage.current);
    let entry = current.map(|current| store::certificate::find(tx, &current)).transpose()?.flatten();
    Ok(entry.map_or(now, |entry| due_at(id, entry.certificate.not_before(), entry.certificate.not_after())))
}
