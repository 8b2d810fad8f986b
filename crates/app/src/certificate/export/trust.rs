//! Trust stores: the roots alone, for programs that connect.

use domain::Random;
use domain::clock::Moment;
use pki::format::jks_write;
use pki::format::pkcs12_write::{self, Salts};
use pki::{Certificate, Finding, Refusal};
use zeroize::Zeroizing;

use super::{ExportForm, not_ascii};
use crate::key::refuse_untypable;

/// The passphrase of trust stores unless another one is chosen: Java's custom, which its tools try by themselves.
pub const TRUST_PASSPHRASE: &str = "changeit";
/// Java's `keytool` takes no shorter one.
const SHORTEST: usize = 6;

/// Under what a trust store is written. It guards against accidents, not against eyes: what is in the store is public.
pub struct TrustPassphrase(Zeroizing<String>);

impl Default for TrustPassphrase {
    fn default() -> Self {
        Self(Zeroizing::new(TRUST_PASSPHRASE.to_owned()))
    }
}

impl TrustPassphrase {
    /// What somebody chose; an empty one is no choice.
    ///
    /// # Errors
    /// `pass.short` under 6 characters; `pass.control_char`.
    pub fn chosen(text: Zeroizing<String>) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        refuse_untypable(&text)?;
        if text.chars().count() < SHORTEST {
            let what = format!("the passphrase has fewer than {SHORTEST} characters");
            let repair = format!(
                "Choose a longer one: Java takes no shorter one. Without any it is {TRUST_PASSPHRASE}."
            );
            return Err(Refusal::new("pass.short", what, repair));
        }
        Ok(Self(text))
    }

    /// What whoever reads the store should know of the passphrase.
    pub fn findings(&self, form: ExportForm) -> Vec<Finding> {
        // JKS hashes any characters as they are.
        (form == ExportForm::Pkcs12Trust && !self.0.is_ascii()).then(not_ascii).into_iter().collect()
    }
}

/// The store, each root under the name that a person knows it by.
pub(super) fn jks(roots: &[Certificate], passphrase: &TrustPassphrase, now: Moment) -> Vec<u8> {
    jks_write::trust_store(&named(roots), &passphrase.0, now.unix())
}

/// The same as PKCS#12; some milliseconds of CPU.
pub(super) fn pkcs12(roots: &[Certificate], passphrase: &TrustPassphrase, random: &dyn Random) -> Vec<u8> {
    let salts = Salts::new(|bytes: &mut [u8]| random.fill(bytes));
    pkcs12_write::trust_store(&named(roots), &passphrase.0, &salts)
}

fn named(roots: &[Certificate]) -> Vec<(String, Certificate)> {
    roots.iter().map(|root| (root.display_name(), root.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Result<TrustPassphrase, Refusal> {
        TrustPassphrase::chosen(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn no_choice_is_javas_custom_and_a_short_one_is_refused() {
        assert_eq!(chosen("").map(|one| one.0.to_string()), Ok("changeit".to_owned()));
        assert_eq!(chosen("sechs!").map(|one| one.0.to_string()), Ok("sechs!".to_owned()));
        assert_eq!(chosen("short").err().map(|refusal| refusal.code), Some("pass.short"));
        assert_eq!(chosen("a\nlonger").err().map(|refusal| refusal.code), Some("pass.control_char"));
    }

    #[test]
    fn only_pkcs12_is_particular_about_characters() {
        let codes = |form| {
            let said = chosen("zwölf Buchstaben").unwrap().findings(form);
            said.iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(ExportForm::Pkcs12Trust), ["pass.not_ascii"]);
        assert_eq!(codes(ExportForm::JavaTrust), [""; 0]);
    }
}
