//! What a lineage's forms offer: issuers, profiles, targets, tokens, kinds of keys.

use app::issuer::IssuerView;
use app::target::TargetView;
use domain::id::TokenId;
use domain::issuer::Profile;
use domain::key::Exportable;
use domain::lineage::{AtRenewal, Backend};
use domain::permission::uses;
use domain::{Authorized, Permission};
use pki::{KeyAlgorithm, Refusal};

use super::at_renewal_words;
use crate::Problem;
use crate::key::page::KEY_HINT;
use crate::page::field::{Control, choice};
use crate::page::rows::exportable_words;
use crate::page::when::span;
use crate::page::words::safe;
use crate::page::{Entered, Input, Visit};

/// What there is to choose from.
pub struct Offer {
    see: Authorized<uses::ViewCertificates>,
    issuers: Vec<IssuerView>,
    profiles: Vec<Profile>,
    targets: Vec<TargetView>,
    tokens: Vec<(TokenId, String)>,
}

impl Offer {
    /// Loads it, as the visitor may see it.
    pub async fn load(visit: &Visit<uses::ManageTlsCertificates>) -> Result<Self, Problem> {
        let see = visit.permit().also(uses::ViewCertificates);
        let see = see.ok_or_else(|| Problem::forbidden(Permission::ViewCertificates))?;
        let app = visit.app();
        let mut issuers = app::issuer::list(app, &see).await?;
        issuers.retain(|view| !view.issuer.withdrawn);
        let mut tokens = vec![(TokenId::system(), "system: works with nobody there".to_owned())];
        if let Some(keys) = visit.permit().also(uses::ViewKeys) {
            let all = app::token::summaries(app, &keys).await?;
            let others = all.iter().filter(|view| view.token.id != TokenId::system());
            tokens.extend(others.map(|view| {
                (view.token.id.clone(), format!("{}: needs its PIN after a restart", safe(&view.token.label)))
            }));
        }
        Ok(Self {
            issuers,
            profiles: app::issuer::profiles(app, &see).await?,
            targets: app::target::list(app, &see).await?,
            tokens,
            see,
        })
    }

    /// The proof that the visitor may see certificates.
    pub fn see(&self) -> &Authorized<uses::ViewCertificates> {
        &self.see
    }
}

/// Who issues.
pub fn issuer_input(offer: &Offer) -> Input {
    let choices = offer.issuers.iter().map(|view| choice(view.issuer.id.as_str(), safe(&view.issuer.label)));
    Input::select("issuer", "Issuer", choices.collect()).hint("Who turns requests into certificates.")
}

/// What may be in the certificates.
pub fn profile_input(offer: &Offer) -> Input {
    let tls = offer.profiles.iter().filter(|profile| profile.usage == domain::key::KeyUsage::Tls);
    let choices = tls.map(|profile| {
        let life = span(profile.lifetime.saturating_mul(1_000));
        choice(profile.id.as_str(), format!("{}, {life} unless said otherwise", safe(&profile.label)))
    });
    Input::select("profile", "Profile", choices.collect())
}

/// Where the certificates are installed.
pub fn targets_input(offer: &Offer) -> Input {
    let choices = offer.targets.iter().map(|view| choice(view.target.id.as_str(), safe(&view.target.label)));
    Input::new("targets", "Targets", Control::Checks(choices.collect()))
        .hint("Each new certificate is installed there, and counts only when it was seen from outside.")
}

/// Which keys, and what becomes of them at a renewal.
pub fn key_inputs(offer: &Offer) -> Vec<Input> {
    let tokens = offer.tokens.iter().map(|(id, label)| choice(id.as_str(), label.as_str()));
    let kinds = KeyAlgorithm::ALL
        .iter()
        .map(|kind| choice(kind.name(), format!("{}: {}", kind.label(), kind.advice())));
    let rules = AtRenewal::ALL.iter().map(|rule| choice(rule.name(), at_renewal_words(*rule)));
    let freedoms = Exportable::ALL.iter().map(|wish| choice(wish.name(), exportable_words(*wish)));
    vec![
        Input::select("token", "Token", tokens.collect()),
        Input::select("algorithm", "Key", kinds.collect()).hint(KEY_HINT),
        Input::select("at_renewal", "At a renewal", rules.collect()),
        Input::select("exportable", "Keys may leave", freedoms.collect())
            .chosen(&[Exportable::WithPassphrase.name().to_owned()])
            .hint("Targets other than the edge need “to the targets” or more."),
    ]
}

/// Lifetime and what is behind the edge.
pub fn further_inputs() -> Vec<Input> {
    vec![
        Input::line("days", "Lifetime in days").with("inputmode", "numeric").hint("Left empty, the profile decides."),
        Input::line("backend", "Behind the edge").hint("host:port to which the edge passes the bytes of these names; left empty, it answers a status page."),
        Input::new("proxy_protocol", "Tell it the client's address (PROXY v2)", Control::Check),
    ]
}

/// Seconds from the field in days; none when it is empty. Whole days with up to five decimals, so that a minute can
/// be asked for in a trial.
pub fn lifetime(entered: &Entered) -> Result<Option<i64>, (String, Refusal)> {
    let text = entered.text("days");
    if text.is_empty() {
        return Ok(None);
    }
    let days = text.replace(',', ".").parse::<f64>().ok().filter(|days| (0.000_1..=3_650.0).contains(days));
    match days {
        // Within the bounds above a day's seconds fit by far.
        #[expect(clippy::cast_possible_truncation, reason = "bounded to ten years of seconds")]
        Some(days) => Ok(Some((days * 86_400.0).round() as i64)),
        None => {
            let refusal =
                Refusal::new("cert.lifetime", "this is not a number of days", "Write 90, or leave it empty.");
            Err(("days".to_owned(), refusal))
        }
    }
}

/// What is behind the edge; none when the field is empty.
pub fn backend(entered: &Entered) -> Option<Backend> {
    entered.some("backend").map(|address| Backend { address, proxy_protocol: entered.has("proxy_protocol") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_seconds_and_nonsense_is_refused() {
        let of = |text: &str| lifetime(&Entered::from(vec![("days".into(), text.into())])).ok().flatten();
        assert_eq!(of("90"), Some(90 * 86_400));
        assert_eq!(of("0,5"), Some(43_200));
        assert_eq!(of(""), None);
        for bad in ["-1", "0", "1e9", "NaN", "x"] {
            assert!(lifetime(&Entered::from(vec![("days".into(), bad.into())])).is_err(), "{bad}");
        }
    }
}
