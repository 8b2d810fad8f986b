//! Wishes that change nothing: what is here already stays as it is. Whoever asked for something else is told.

use domain::id::TokenId;
use domain::key::Key;
use pki::{Finding, Severity};

use super::Wishes;
use super::plan::{KeyPlan, Standing, Step};

/// One finding for each wish that has no effect.
pub(super) fn findings(wishes: &Wishes, key: Option<&KeyPlan>, steps: &[Step]) -> Vec<Finding> {
    let mut findings = match key {
        Some(KeyPlan::Here(key)) => of_key(wishes, key),
        Some(KeyPlan::Stored(..)) | None => Vec::new(),
    };
    findings.extend(wishes.friendly_name.as_deref().and_then(|wanted| of_certificates(wanted, steps)));
    findings
}

fn of_key(wishes: &Wishes, key: &Key) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |what: String, repair: String| findings.push(finding(what, &key.label, repair));
    let (label, token) = (&key.label, &key.token);
    if let Some(wanted) = wishes.exportable.filter(|wanted| *wanted != key.exportable) {
        let what = format!(
            "the private key is here already and may leave “{}” as before, not “{}”",
            key.exportable.name(),
            wanted.name()
        );
        let repair = match wanted < key.exportable {
            true => format!("Lower it with: claviger key lower NAME {}", wanted.name()),
            false => "It can only be lowered.".to_owned(),
        };
        say(what, repair);
    }
    if wishes.friendly_name.as_ref().is_some_and(|wanted| wanted != label) {
        let what = format!("the private key is here already under the name “{label}”, and keeps it");
        say(what, "Rename it on its page, or with: claviger key rename NAME NEW".to_owned());
    }
    // The token that is taken if none is named is no wish.
    if wishes.token != TokenId::system() && wishes.token != *token {
        let what = format!("the private key is here already, in token {token}, and stays there");
        say(what, "A key moves to no other token; make a new one there.".to_owned());
    }
    findings
}

fn of_certificates(wanted: &str, steps: &[Step]) -> Option<Finding> {
    let mut known = steps.iter().filter(|step| {
        step.standing != Standing::New
            && !step.entry.certificate.is_ca()
            && step.entry.friendly_name != wanted
    });
    let name = known.next()?.entry.friendly_name.as_str();
    let what = format!("the certificate is here already under the name “{name}”, and keeps it");
    Some(finding(what, name, "Rename it on its page, or with: claviger cert rename NAME NEW".to_owned()))
}

fn finding(what: String, place: &str, repair: String) -> Finding {
    Finding { code: "import.no_effect", severity: Severity::Warning, what, place: place.to_owned(), repair }
}
