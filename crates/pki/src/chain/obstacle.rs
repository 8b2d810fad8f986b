//! Why a chain ends although the issuer of its last certificate is here: nothing is missing, and who imports more does not
//! get further.

use super::finding::finding;
use super::{Chain, MAX_LENGTH, Pool};
use crate::path::search::{Budget, MAX_CANDIDATES, is_same_ca};
use crate::{Certificate, Finding, Refusal, Severity};

/// How far above the end of a chain a loop is looked for.
const MAX_STEPS: usize = 100;

/// What stands in the way: `chain.budget` where the chain is longer than is built, `chain.loop` where it comes back, `chain.not_ca` and `chain.key_usage` where
/// who signed the last certificate may not.
pub(super) fn obstacle(chain: &Chain, known: &Pool, budget: &mut Budget) -> Option<Refusal> {
    let last = chain.served.last().filter(|_| !chain.is_complete())?;
    let is_new = |above: &&Certificate| !chain.served.iter().any(|member| is_same_ca(member, above));
    let mut signed = |above: &&Certificate| budget.is_signed(last, above);
    if chain.served.len() >= MAX_LENGTH {
        let above = known.candidates(last).filter(is_new).take(MAX_CANDIDATES).find(&mut signed)?;
        // A loop is said to be one, however long it is.
        return Some(if leads_back(chain, above, known) { looped(last) } else { too_long(above) });
    }
    known.powerless(last).filter(is_new).find(&mut signed).map(|above| powerless(above, last))
}

/// What is said of a chain whose root is not known where somebody certified that root once: this is not sent any more.
pub(super) fn not_sent(chain: &Chain, known: &Pool, budget: &mut Budget) -> Option<Finding> {
    let last = chain.gap()?;
    let is_new = |above: &&Certificate| !chain.served.iter().any(|member| is_same_ca(member, above));
    let mut above = known.candidates(last).filter(is_new).take(MAX_CANDIDATES);
    let ended = above.find(|above| budget.is_signed(last, above))?;
    let what = format!(
        "the only certificate of “{}” that is known here, by {}, is valid from {} to {}; it is not sent",
        ended.display_name(),
        ended.issuer(),
        ended.not_before(),
        ended.not_after()
    );
    let repair = "Import the CA's own root, or its current certificate, if clients refuse the chain.";
    Some(finding("chain.expired", Severity::Warning, what, last, repair))
}

/// Whether the certificates above this one come back to a member of the chain, by their names.
fn leads_back(chain: &Chain, above: &Certificate, known: &Pool) -> bool {
    let mut seen = vec![above];
    while let Some(next) = seen.last().and_then(|last| {
        let is_new = |next: &&Certificate| !seen.iter().any(|seen| is_same_ca(seen, next));
        known.candidates(last).find(is_new)
    }) {
        if chain.served.iter().any(|member| is_same_ca(member, next)) {
            return true;
        }
        if seen.len() == MAX_STEPS {
            return false;
        }
        seen.push(next);
    }
    false
}

/// The CAs lead to each other.
pub(super) fn looped(last: &Certificate) -> Refusal {
    let what = "the CAs issued each other, and none of them leads to a root";
    Refusal::new("chain.loop", what, "Import the root certificate.").at(last.display_name())
}

fn too_long(above: &Certificate) -> Refusal {
    let what = format!(
        "the chain is longer than {MAX_LENGTH} certificates, the root included; it was cut off below this one"
    );
    let repair = "Ask the CA for a shorter chain, or for a certificate from a CA nearer to its root.";
    Refusal::new("chain.budget", what, repair).at(above.display_name())
}

fn powerless(above: &Certificate, below: &Certificate) -> Refusal {
    let below = below.display_name();
    let (code, what) = if above.is_ca() {
        let what = format!(
            "it signed the certificate of {below}, but its key usage does not let it sign certificates (keyCertSign); \
             clients will refuse the chain"
        );
        ("chain.key_usage", what)
    } else {
        let what = format!(
            "it signed the certificate of {below}, but its own certificate does not say that it is a CA \
             (basicConstraints); clients will refuse the chain"
        );
        ("chain.not_ca", what)
    };
    let repair =
        "Get a certificate from a CA that may issue, or this CA's right certificate if it has another.";
    Refusal::new(code, what, repair).at(above.display_name())
}
