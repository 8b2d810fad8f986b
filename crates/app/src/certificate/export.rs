//! Hand out a certificate, its chain and its private key, in the form that somebody else wants.
//!
//! What holds no private key is handed out by [`export`], several certificates at once by [`export_together`]. What does
//! hold one, by [`export_with_key`]: to those who may, under a
//! passphrase, recorded on the key for ever before a single byte is answered.

mod form;
mod server;
mod together;
mod trust;
mod write;

use domain::audit::Action;
use domain::permission::uses;
use domain::{Authorized, authorize};
use pki::format::pkcs12_write::Strength;
use pki::{Certificate, Finding, Fingerprint, Refusal, Severity};
use zeroize::Zeroizing;

use super::{CertificateView, find};
use crate::{App, Error, act, key};

pub use form::{ExportForm, Part};
pub use together::{Above, MOST_TOGETHER, export_together};
pub use trust::{TRUST_PASSPHRASE, TrustPassphrase};
use write::Under;

/// A file that is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// A name of ours, from ids only.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// In which form.
    pub form: ExportForm,
    /// Whether the certificate goes in, where the form leaves the choice.
    pub certificate: Leaf,
    /// Which of the certificates above it, where the form leaves the choice or wants them all.
    pub members: Members,
}

impl Wanted {
    /// The certificate with its chain but the root, as far as the form holds them; PEM the certificate alone.
    pub fn usual(form: ExportForm) -> Self {
        let members = if form == ExportForm::Pem { Members::None } else { Members::Usual };
        Self { form, certificate: Leaf::Included, members }
    }
}

/// Whether the certificate itself goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Yes.
    Included,
    /// No.
    LeftOut,
}

/// Which certificates above it go in. They always come in the order of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// None.
    None,
    /// All but the root, which clients have.
    Usual,
    /// All and the root.
    WithRoot,
    /// Just these.
    These(Vec<Fingerprint>),
}

/// Under what the private key leaves.
pub struct KeySecret {
    /// The passphrase, 12 or more characters.
    pub passphrase: Zeroizing<String>,
    /// How PKCS#12 is encrypted; PKCS#8 is always modern.
    pub strength: Strength,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The file.
    pub file: File,
    /// The name that a person knows it by, without an ending: any characters, never to be trusted.
    pub friendly_name: String,
    /// What the receiver should know of it.
    pub findings: Vec<Finding>,
}

/// Exports what holds no private key; a trust store under this passphrase. Nothing is changed, so nothing is recorded.
///
/// # Errors
/// `export.form`, `export.nothing`, `export.member`; `chain.incomplete` and `chain.root_missing` where the form
/// needs what is not here.
pub async fn export(
    app: &App,
    by: &Authorized<uses::ExportCertificate>,
    id: &Fingerprint,
    wanted: &Wanted,
    passphrase: &TrustPassphrase,
) -> Result<Exported, Error> {
    let see = authorize(by.actor(), uses::ViewCertificates, &id.to_string())?;
    let view = find(app, &see, id).await?;
    let plan = Plan::new(&view, wanted, WithKey::No)?;
    let file = write::write(&plan, Under::Trust(passphrase), app.now(), app.random())?;
    let findings = passphrase.findings(plan.form);
    Ok(plan.exported(file, findings))
}

/// Exports what holds the private key, encrypted under the passphrase. Recorded on the key for ever, before it is
/// answered.
///
/// # Errors
/// Those of [`export`] and of [`key::export`].
pub async fn export_with_key(
    app: &App,
    by: &Authorized<uses::ExportPrivateKey>,
    id: &Fingerprint,
    wanted: &Wanted,
    secret: KeySecret,
) -> Result<Exported, Error> {
    let see = authorize(by.actor(), uses::ViewCertificates, &id.to_string())?;
    let view = match find(app, &see, id).await {
        Ok(view) => view,
        Err(error) => {
            act::refused(app, by.actor(), Action::KeyExport, &id.to_string(), &error).await?;
            return Err(error);
        }
    };
    let of = view.entry.key();
    act::audited(app, by.actor(), Action::KeyExport, &of.to_string(), async {
        let plan = Plan::new(&view, wanted, WithKey::Yes)?;
        let findings = key_findings(plan.form, &secret.passphrase, secret.strength);
        let leaving = key::Leaving { id: of, format: plan.form.name(), certificate: Some(*id) };
        let private = key::take_out(app, by, leaving, &secret.passphrase).await?;
        let file = {
            let (plan, random, now) = (plan.clone(), app.random_source(), app.now());
            app.deriving(move || write::write(&plan, Under::Key(&private, &secret), now, &*random)).await??
        };
        Ok(plan.exported(file, findings))
    })
    .await
}

/// What the receiver of a file with a private key should know before it is made.
pub fn key_findings(form: ExportForm, passphrase: &str, strength: Strength) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !form.is_pkcs12() {
        return findings;
    }
    if !passphrase.is_ascii() {
        findings.push(not_ascii());
    }
    match strength {
        Strength::Legacy => findings.push(warning(
            "export.legacy",
            "the file is encrypted in an old, weak way, with 3DES and SHA-1: whoever has it can try passphrases fast",
            "Use it only for a device that takes nothing newer, and delete it when it was imported there.",
        )),
        Strength::Modern => {}
    }
    findings
}

fn not_ascii() -> Finding {
    warning(
        "pass.not_ascii",
        "the passphrase has characters that Java's keytool and some devices cannot take in PKCS#12",
        "Use letters, digits and signs of a US keyboard, unless you know that the receiver takes others.",
    )
}

fn warning(code: &'static str, what: &str, repair: &str) -> Finding {
    let (what, repair) = (what.to_owned(), repair.to_owned());
    Finding { code, severity: Severity::Warning, what, place: String::new(), repair }
}

/// Whether the private key is among what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithKey {
    Yes,
    No,
}

/// What goes into the file, decided.
#[derive(Clone)]
struct Plan {
    form: ExportForm,
    leaf: Certificate,
    /// Whether the leaf goes in.
    has_leaf: bool,
    /// What goes in above it, in the order of the chain.
    above: Vec<Certificate>,
    /// The root, for trust stores.
    anchor: Option<Certificate>,
    friendly_name: String,
}

impl Plan {
    fn new(view: &CertificateView, wanted: &Wanted, with_key: WithKey) -> Result<Self, Error> {
        check_key(wanted.form, with_key)?;
        let is_wanted = wanted.certificate == Leaf::Included;
        let has_leaf = match wanted.form.certificate() {
            Part::Always => true,
            Part::IfWanted => is_wanted,
            Part::Never => false,
        };
        if wanted.form == ExportForm::Chain && wanted.members == Members::None {
            return Err(form::nothing().into());
        }
        let above = match wanted.form.chain() {
            Part::Always | Part::IfWanted => chosen(view, &wanted.members)?,
            Part::Never => Vec::new(),
        };
        let plan = Self {
            form: wanted.form.fitted(has_leaf, above.len(), with_key == WithKey::Yes)?,
            leaf: view.entry.certificate.clone(),
            has_leaf,
            above,
            anchor: view.chain.root.clone(),
            friendly_name: view.entry.friendly_name.clone(),
        };
        plan.check(with_key)?;
        Ok(plan)
    }

    /// Refuses a file with nothing in it, and says what is missing.
    fn check(&self, with_key: WithKey) -> Result<(), Error> {
        if self.form.is_trust_store() {
            return match self.anchor {
                Some(_) => Ok(()),
                None => Err(Error::conflict(
                    "chain.root_missing",
                    "the root of this chain is not here",
                    "Import the root certificate first.",
                )),
            };
        }
        if self.form == ExportForm::Chain && self.above.is_empty() {
            let what = "no certificate above this one is known";
            return Err(Error::conflict(
                "chain.incomplete",
                what,
                "Import the intermediate certificates first.",
            ));
        }
        if !self.has_leaf && self.above.is_empty() && with_key == WithKey::No {
            return Err(form::nothing().into());
        }
        Ok(())
    }

    /// The certificates that go in, the leaf first.
    fn certificates(&self) -> Vec<Certificate> {
        self.has_leaf.then_some(&self.leaf).into_iter().chain(&self.above).cloned().collect()
    }

    /// The first digits of the certificate's id, for file names.
    fn short(&self) -> String {
        self.leaf.fingerprint().to_string().chars().take(16).collect()
    }

    fn exported(self, file: File, findings: Vec<Finding>) -> Exported {
        Exported { file, friendly_name: self.friendly_name, findings }
    }
}

/// A form that holds a key is not handed out without, nor the other way round.
fn check_key(form: ExportForm, with_key: WithKey) -> Result<(), Refusal> {
    match (form.key(), with_key) {
        (Part::Always, WithKey::Yes) | (Part::Never, WithKey::No) | (Part::IfWanted, _) => Ok(()),
        (Part::Always, WithKey::No) => Err(Refusal::new(
            "export.form",
            "this form is for the private key",
            "Include the private key with a passphrase, or choose a form for certificates.",
        )),
        (Part::Never, WithKey::Yes) => Err(Refusal::new(
            "export.form",
            "this form holds certificates, not private keys",
            "Choose PKCS#12, PKCS#8 or PEM to take the private key along, or leave it out.",
        )),
    }
}

/// The members of the chain that are wanted, in its order.
fn chosen(view: &CertificateView, members: &Members) -> Result<Vec<Certificate>, Refusal> {
    let all = view.above();
    let root = view.chain.root.as_ref().map(Certificate::fingerprint);
    let is_root = |one: &Certificate| Some(one.fingerprint()) == root;
    match members {
        Members::None => Ok(Vec::new()),
        Members::Usual => Ok(all.into_iter().filter(|one| !is_root(one)).collect()),
        Members::WithRoot => Ok(all),
        Members::These(ids) => {
            if let Some(stranger) = ids.iter().find(|id| !all.iter().any(|one| one.fingerprint() == **id)) {
                let what = "this certificate is not in the chain that is exported";
                let repair = "Look at the chain again; it may have changed meanwhile.";
                return Err(Refusal::new("export.member", what, repair).at(stranger.to_string()));
            }
            Ok(all.into_iter().filter(|one| ids.contains(&one.fingerprint())).collect())
        }
    }
}

impl CertificateView {
    /// The certificates above this one, the next issuer first, the root last if it is known.
    pub fn above(&self) -> Vec<Certificate> {
        let leaf = self.entry.fingerprint();
        let mut above: Vec<Certificate> = Vec::new();
        for one in self.chain.served.iter().skip(1).chain(&self.chain.root) {
            if one.fingerprint() != leaf && !above.contains(one) {
                above.push(one.clone());
            }
        }
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_encryption_and_a_passphrase_that_java_cannot_take_are_said() {
        let codes = |form, passphrase: &str, strength| {
            key_findings(form, passphrase, strength).iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        let (p12, pem) = (ExportForm::Pkcs12, ExportForm::Pem);
        assert_eq!(codes(p12, "twelve letters", Strength::Modern), [""; 0]);
        assert_eq!(codes(p12, "zwölf Buchstaben", Strength::Legacy), ["pass.not_ascii", "export.legacy"]);
        assert_eq!(codes(pem, "zwölf Buchstaben", Strength::Legacy), [""; 0]);
    }

    #[test]
    fn a_key_goes_only_where_a_key_belongs() {
        assert!(check_key(ExportForm::Der, WithKey::Yes).is_err());
        assert!(check_key(ExportForm::Pkcs12, WithKey::No).is_err());
        assert!(check_key(ExportForm::Pkcs12, WithKey::Yes).is_ok());
        assert!(check_key(ExportForm::Nginx, WithKey::No).is_ok());
    }
}
