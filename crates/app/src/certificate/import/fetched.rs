//! CA certificates that were fetched are stored as those out of a file.

use domain::{Moment, Random};
use pki::Certificate;
use store::Tx;

use super::plan::{Asked, Look, make};
use super::read::BroughtCertificate;
use super::revoked::Revocations;
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
    let nothing = Revocations::default();
    let asked = Asked { look: Look::Brief, ..Asked::of_files(now, &nothing) };
    let plan = make(tx, &brought, None, &Wishes::default(), asked)?;
    Ok(write::all(tx, &plan, None, now, by)?.new)
}
