//! What goes into the new file: which key, which certificates in which order, and what stays behind, with the reason.

use pki::chain::arrange_for;
use pki::{Certificate, Crl, Csr, Finding, KeyId, PrivateKey, Refusal, UnixTime};

use super::super::material::{Found, Material};
use super::super::report::counted;
use super::form::Form;
use crate::cli::{question, secret};

/// What was asked for.
pub struct Wish<'a> {
    /// The form to write.
    pub form: Form,
    /// Which key: its id, or a name.
    pub key: Option<&'a str>,
    /// The friendly name to give.
    pub name: Option<&'a str>,
    /// Whether the private key goes along, if there is one.
    pub takes_key: bool,
    /// Whether the root goes along.
    pub takes_root: bool,
    /// Whether everything goes along, the order unchanged.
    pub takes_all: bool,
    /// The moment to judge by.
    pub now: UnixTime,
}

/// What goes into the new file.
pub struct Selection<'a> {
    /// The private key that goes along.
    pub key: Option<&'a Found<PrivateKey>>,
    /// The certificates, the leaf first.
    pub chain: Vec<Certificate>,
    /// Requests.
    pub csrs: &'a [Found<Csr>],
    /// Revocation lists.
    pub crls: &'a [Found<Crl>],
    /// What key and leaf are called.
    pub friendly_name: String,
    /// What stays behind, in words.
    pub left_out: Vec<String>,
    /// What is wrong with the chain.
    pub findings: Vec<Finding>,
    material: &'a Material,
}

/// Chooses. A person is asked when there are several keys; a program gets a refusal.
///
/// # Errors
/// The terminal cannot be read. Refusals: `import.ambiguous_key`, `convert.key`, `convert.nothing`, `key.mismatch`.
pub fn choose<'a>(material: &'a Material, wish: &Wish<'_>) -> anyhow::Result<Result<Selection<'a>, Refusal>> {
    if wish.form.is_trust_store() {
        return Ok(roots(material));
    }
    let chosen = match choose_key(material, wish)? {
        Ok(chosen) => chosen,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(of_chain(material, wish, chosen))
}

/// Which key leads, and the private key itself, if it is there.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    id: Option<KeyId>,
    key: Option<&'a Found<PrivateKey>>,
}

fn choose_key<'a>(material: &'a Material, wish: &Wish<'_>) -> anyhow::Result<Result<Chosen<'a>, Refusal>> {
    if let Some(wanted) = wish.key {
        return Ok(named(material, wanted));
    }
    let of = |key: &'a Found<PrivateKey>| Chosen { id: Some(key.object.id()), key: Some(key) };
    Ok(Ok(match material.keys.as_slice() {
        [] => Chosen { id: None, key: None },
        [key] => of(key),
        // Which key leads does not matter when all certificates go and no key does.
        [..] if wish.takes_all && !wish.takes_key => Chosen { id: None, key: None },
        [..] if secret::can_ask() => match ask(material)? {
            Some(key) => of(key),
            None => return Ok(Err(ambiguous(material))),
        },
        [..] => return Ok(Err(ambiguous(material))),
    }))
}

/// Whether there is one private key that is meant.
pub fn has_key(material: &Material, wanted: &str) -> bool {
    named(material, wanted).is_ok_and(|chosen| chosen.key.is_some())
}

/// The private key that is meant; else the certificate that is, for forms without a key.
fn named<'a>(material: &'a Material, wanted: &str) -> Result<Chosen<'a>, Refusal> {
    let mut ids: Vec<KeyId> = Vec::new();
    let keys = material.keys.iter().map(|key| key.object.id());
    for id in keys.chain(material.certificates.iter().map(|found| found.object.key_id())) {
        if !ids.contains(&id) && is_meant(material, &id, wanted) {
            ids.push(id);
        }
    }
    match ids.as_slice() {
        [id] => {
            let key = material.keys.iter().find(|key| key.object.id() == *id);
            Ok(Chosen { id: Some(*id), key })
        }
        [] => Err(Refusal::new(
            "convert.key",
            format!("nothing in the files is called {}", pki::name::inert(wanted)),
            choices(material),
        )),
        [..] => Err(Refusal::new(
            "import.ambiguous_key",
            format!("{} means {} of the keys", pki::name::inert(wanted), ids.len()),
            choices(material),
        )),
    }
}

/// By the beginning of its id, or by the name of the key, its certificate, or a host in that.
fn is_meant(material: &Material, id: &KeyId, wanted: &str) -> bool {
    const SHORTEST: usize = 6;
    if wanted.len() >= SHORTEST && id.to_string().starts_with(&wanted.to_ascii_lowercase()) {
        return true;
    }
    let is_name = |name: &str| name.trim().eq_ignore_ascii_case(wanted.trim());
    let of_key = material.keys.iter().filter(|key| key.object.id() == *id);
    let of_certificate = material.certificates.iter().filter(|found| found.object.key_id() == *id);
    of_key.filter_map(|key| key.friendly_name.as_deref()).any(is_name)
        || of_certificate.into_iter().any(|found| {
            found.friendly_name.as_deref().is_some_and(is_name)
                || is_name(&found.object.display_name())
                || found.object.names().iter().any(|name| is_name(&name.to_string()))
        })
}

fn ask(material: &Material) -> anyhow::Result<Option<&Found<PrivateKey>>> {
    eprintln!("There are {} private keys:", material.keys.len());
    for (index, key) in material.keys.iter().enumerate() {
        eprintln!("  {}  {}", index + 1, in_words(material, key));
    }
    let answer = question::line("Which one? Its number")?;
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    Ok(number.and_then(|index| material.keys.get(index)))
}

fn ambiguous(material: &Material) -> Refusal {
    let what = format!("there are {} different private keys", material.keys.len());
    Refusal::new("import.ambiguous_key", what, choices(material))
}

fn choices(material: &Material) -> String {
    let keys: Vec<String> = material.keys.iter().map(|key| in_words(material, key)).collect();
    match keys.is_empty() {
        true => "Look with `claviger inspect` what there is.".to_owned(),
        false => format!("Choose one with --key: {}.", keys.join("; ")),
    }
}

/// Safe to show.
fn in_words(material: &Material, key: &Found<PrivateKey>) -> String {
    const ID_SHOWN: usize = 16;
    let id = key.object.id();
    let mut words = format!("{:.ID_SHOWN$} ({})", id.to_string(), key.object.public_key().label());
    let certificate = material.certificates.iter().find(|found| found.object.key_id() == id);
    let name = key.friendly_name.as_deref().map(|name| pki::name::inert(name).into_owned());
    if let Some(name) = name.or_else(|| certificate.map(|found| found.object.display_name())) {
        words.push_str(&format!(" “{name}”"));
    }
    words
}

fn of_chain<'a>(
    material: &'a Material,
    wish: &Wish<'_>,
    chosen: Chosen<'a>,
) -> Result<Selection<'a>, Refusal> {
    let key = chosen.key.filter(|_| wish.takes_key);
    let certificates = material.all_certificates();
    let has_certificate = |id: &KeyId| certificates.iter().any(|certificate| certificate.key_id() == *id);
    if let Some(key) = key
        && !wish.form.is_key_alone()
        && !certificates.is_empty()
        && !has_certificate(&key.object.id())
    {
        return Err(mismatch(key));
    }
    if certificates.is_empty() && wish.form.needs_certificate() {
        let what = "there is no certificate in the files";
        return Err(Refusal::new("convert.nothing", what, "Give the file that holds it."));
    }
    let lead = chosen.id.filter(has_certificate);
    let mut selection = Selection {
        key,
        chain: Vec::new(),
        csrs: &material.csrs,
        crls: &material.crls,
        friendly_name: String::new(),
        left_out: left_out_keys(material, key, wish),
        findings: Vec::new(),
        material,
    };
    if wish.takes_all || is_list_of_roots(&certificates) {
        selection.chain = all(certificates, lead.as_ref());
    } else {
        selection.arrange(certificates, lead.as_ref(), wish);
    }
    selection.friendly_name = selection.name(wish);
    Ok(selection)
}

/// Each once, in the order given; the one that leads first.
fn all(certificates: Vec<Certificate>, lead: Option<&KeyId>) -> Vec<Certificate> {
    let mut distinct: Vec<Certificate> = Vec::new();
    for certificate in certificates {
        if !distinct.contains(&certificate) {
            distinct.push(certificate);
        }
    }
    distinct.sort_by_key(|certificate| Some(certificate.key_id()) != lead.copied() && lead.is_some());
    distinct
}

/// Such a list has no leaf: what is in it stays, in its order.
fn is_list_of_roots(certificates: &[Certificate]) -> bool {
    certificates.iter().all(|one| one.is_ca() && one.subject() == one.issuer())
}

impl Selection<'_> {
    fn arrange(&mut self, certificates: Vec<Certificate>, lead: Option<&KeyId>, wish: &Wish<'_>) {
        let arranged = arrange_for(certificates, lead, wish.now);
        self.chain = arranged.chain.served;
        if let Some(root) = arranged.chain.root.filter(|root| !self.chain.contains(root)) {
            if wish.takes_root {
                self.chain.push(root);
            } else if !wish.form.is_key_alone() {
                let name = root.display_name();
                self.left_out.push(format!("{name}, the root: clients have it (--with-root takes it along)"));
            }
        }
        if wish.form.is_key_alone() {
            return;
        }
        let strangers = arranged.unrelated.iter().map(Certificate::display_name);
        self.left_out
            .extend(strangers.map(|name| format!("{name}, no part of the chain (--all takes it along)")));
        let is_told = |finding: &Finding| !matches!(finding.code, "chain.unrelated" | "chain.root_missing");
        self.findings = arranged.chain.findings.into_iter().filter(is_told).collect();
    }

    /// The one that was asked for; else what the files call key or leaf; else the leaf's own.
    fn name(&self, wish: &Wish<'_>) -> String {
        let of_key = || self.key.and_then(|key| key.friendly_name.as_deref());
        let of_leaf = || self.chain.first().and_then(|leaf| self.material.friendly_name_of(leaf));
        let known = wish.name.or_else(of_key).or_else(of_leaf).map(str::to_owned);
        known.or_else(|| self.chain.first().map(Certificate::display_name)).unwrap_or_default()
    }

    /// The certificates with what each is called.
    pub fn named_chain(&self) -> Vec<(String, Certificate)> {
        let name = |certificate: &Certificate| {
            let known = self.material.friendly_name_of(certificate).map(str::to_owned);
            known.unwrap_or_else(|| certificate.display_name())
        };
        self.chain.iter().map(|certificate| (name(certificate), certificate.clone())).collect()
    }

    /// What could not be used, and was not chosen.
    pub fn refused(&self) -> &[Refusal] {
        &self.material.left_out
    }

    /// Requests and revocation lists, for forms that have no room for them.
    pub fn others_in_words(&self) -> Vec<String> {
        let counts = [(self.csrs.len(), "request"), (self.crls.len(), "revocation list")];
        let there = counts.into_iter().filter(|(count, _)| *count > 0);
        there
            .map(|(count, what)| format!("{}: this form has no room for them", counted(count, what)))
            .collect()
    }
}

fn left_out_keys(material: &Material, taken: Option<&Found<PrivateKey>>, wish: &Wish<'_>) -> Vec<String> {
    let is_taken = |key: &Found<PrivateKey>| taken.is_some_and(|taken| taken.object.id() == key.object.id());
    let why = if wish.takes_key { "another was chosen" } else { "no key goes along" };
    let others = material.keys.iter().filter(|key| !is_taken(key));
    others.map(|key| format!("the private key {}: {why}", in_words(material, key))).collect()
}

fn roots(material: &Material) -> Result<Selection<'_>, Refusal> {
    let distinct = all(material.all_certificates(), None);
    let (roots, others): (Vec<Certificate>, Vec<Certificate>) =
        distinct.into_iter().partition(|one| one.subject() == one.issuer());
    if roots.is_empty() {
        let what = "there is no root in the files, and nothing else belongs into a trust store";
        let repair = "Give the CA's root certificate: its Issued To and Issued By are the same.";
        return Err(Refusal::new("convert.nothing", what, repair));
    }
    let mut left_out: Vec<String> =
        others.iter().map(|one| format!("{}, no root: only roots are trusted", one.display_name())).collect();
    if !material.keys.is_empty() {
        left_out.push(format!("{}: a trust store holds none", counted(material.keys.len(), "private key")));
    }
    Ok(Selection {
        key: None,
        chain: roots,
        csrs: &material.csrs,
        crls: &material.crls,
        friendly_name: String::new(),
        left_out,
        findings: Vec::new(),
        material,
    })
}

fn mismatch(key: &Found<PrivateKey>) -> Refusal {
    let what = "the private key belongs to none of the certificates";
    let repair = "Give its certificate too; --no-key leaves the key out, --to pkcs8 writes it alone.";
    Refusal::new("key.mismatch", what, repair).at(format!("{}, key {}", key.place, key.object.id()))
}
