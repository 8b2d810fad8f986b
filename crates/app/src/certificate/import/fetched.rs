//! CA certificates that were fetched are stored as those out of a file.

use domain::{Moment, Random};
use pki::Certificate;
use store::Tx;

use super::plan::{Look, make};
use super::read::BroughtCertificate;
use super::{Wishes, write};
use crate::Error;

/// Stores them; answers how many were new here. `by` is the actor's name and the source of ids.
pub(crate) fn store(
    tx: &Tx<'_>,
    certificates: &[Certificate],
    now: Moment,
    by: (&str, &dyn Random),
) -> Result<usize, Error> {
    let brought: Vec<BroughtCertificate> = certificates
        .iter()
        .map(|certificate| BroughtCertificate { certificate: certificate.clone(), name: None })
        .collect();
    let plan = make(tx, &brought, None, &Wishes::default(), (now, Look::Brief))?;
    Ok(write::all(tx, &plan, None, now, by)?.new)
}
