//! Lineages: make, adopt, change, renew, rekey.

mod adopt;
mod create;
mod list;
mod order;
mod renew;
mod retire;
mod update;

use domain::certificate::CertificateEntry;
use domain::lineage::Lineage;
use domain::order::Order;
use domain::target::{Deployment, EndpointSeen};

pub(crate) use adopt::found;
pub use adopt::{Adopt, adopt};
pub(crate) use create::refuse_taken_name;
pub use create::{NewLineage, create};
pub use list::{find, list};
pub(crate) use order::renew as run_renewal;
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
    /// The newest deployment on each target.
    pub deployments: Vec<Deployment>,
    /// What was seen from outside.
    pub endpoints: Vec<EndpointSeen>,
    /// The name of its issuer on pages.
    pub issuer_label: String,
    /// Its certificates, the newest first; only where one lineage is asked for.
    pub history: Vec<CertificateEntry>,
}
