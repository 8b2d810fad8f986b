//! Everything that was found in what a tool was given, with the name that its file gives it and the place it came from.

use outbound::Possession;
use pki::format::{self, Contents, Object};
use pki::{Certificate, Crl, Csr, PrivateKey, Refusal};

use super::input::{Content, Source};
use super::look::Served;
use super::passphrase::{Opened, Passphrases, budget};

/// One thing, and where it was.
pub struct Found<T> {
    /// The thing.
    pub object: T,
    /// What its file calls it: any characters, never to be trusted.
    pub friendly_name: Option<String>,
    /// The file or server that it came from, safe to show.
    pub place: String,
}

/// What was found, sorted by kind, each in the order in which it was given.
#[derive(Default)]
pub struct Material {
    /// Certificates; the same one may be there more than once.
    pub certificates: Vec<Found<Certificate>>,
    /// Private keys, each once.
    pub keys: Vec<Found<PrivateKey>>,
    /// Certificate requests.
    pub csrs: Vec<Found<Csr>>,
    /// Revocation lists.
    pub crls: Vec<Found<Crl>>,
    /// What could not be taken, with its place.
    pub refusals: Vec<Refusal>,
    /// What could not be taken and is not needed, with its place.
    pub left_out: Vec<Refusal>,
}

/// A file that was tried.
struct Tried {
    material: Material,
    /// Why it is not taken, without the file's name.
    refusal: Option<Refusal>,
}

impl Material {
    /// Takes everything; what is refused is told with its place, and costs only its own file.
    pub fn read(sources: &[Source], passphrases: &Passphrases) -> anyhow::Result<Self> {
        Self::read_for(sources, passphrases, |_| false)
    }

    /// As [`Self::read`]; but in a file in which there is what is wanted, what cannot be taken is left out.
    pub fn read_for(
        sources: &[Source],
        passphrases: &Passphrases,
        is_wanted_in: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<Self> {
        let mut material = Self::default();
        for source in sources {
            match &source.content {
                Content::File { bytes, .. } => {
                    let attempt = |given: &[&str]| Tried::new(bytes, given, &is_wanted_in);
                    let tried = passphrases.open(&source.name, attempt, Tried::state)?;
                    material.add(tried, &source.name);
                }
                Content::Server(Ok(served)) => material.add_served(served, &source.name),
                Content::Server(Err(refusal)) => material.refusals.push(refusal.clone()),
            }
        }
        Ok(material)
    }

    /// The certificates alone.
    pub fn all_certificates(&self) -> Vec<Certificate> {
        self.certificates.iter().map(|found| found.object.clone()).collect()
    }

    /// What the files call this certificate.
    pub fn friendly_name_of(&self, certificate: &Certificate) -> Option<&str> {
        let same = self.certificates.iter().filter(|found| found.object == *certificate);
        same.filter_map(|found| found.friendly_name.as_deref()).next()
    }

    fn add(&mut self, tried: Tried, source: &str) {
        let Tried { material, refusal } = tried;
        self.certificates.extend(material.certificates.into_iter().map(|found| found.at(source)));
        material.keys.into_iter().for_each(|found| self.add_key(found.at(source)));
        self.csrs.extend(material.csrs.into_iter().map(|found| found.at(source)));
        self.crls.extend(material.crls.into_iter().map(|found| found.at(source)));
        self.left_out.extend(material.left_out.into_iter().map(|refusal| located(refusal, source)));
        self.refusals.extend(refusal.map(|refusal| located(refusal, source)));
    }

    fn add_contents(&mut self, contents: Contents) {
        for item in contents.items {
            let friendly_name = item.friendly_name.filter(|name| !name.trim().is_empty());
            let place = String::new();
            match item.object {
                Object::Certificate(object) => {
                    self.certificates.push(Found { object, friendly_name, place });
                }
                Object::PrivateKey(object) => self.add_key(Found { object, friendly_name, place }),
                Object::Csr(object) => self.csrs.push(Found { object, friendly_name, place }),
                Object::Crl(object) => self.crls.push(Found { object, friendly_name, place }),
            }
        }
    }

    fn add_key(&mut self, key: Found<PrivateKey>) {
        match self.keys.iter_mut().find(|known| known.object.id() == key.object.id()) {
            Some(known) => known.friendly_name = known.friendly_name.take().or(key.friendly_name),
            None => self.keys.push(key),
        }
    }

    fn add_served(&mut self, served: &Served, place: &str) {
        let shown = &served.shown;
        self.certificates.extend(shown.chain.iter().map(|certificate| Found {
            object: certificate.clone(),
            friendly_name: None,
            place: place.to_owned(),
        }));
        self.refusals.extend(shown.refusals.iter().map(|refusal| located(refusal.clone(), place)));
        if shown.possession == Possession::Disproven {
            let what = "the server does not have the private key of the certificate that it shows";
            let refusal = Refusal::new("look.unproven", what, "Look whose server it is.");
            self.refusals.push(located(refusal, place));
        }
    }
}

impl Tried {
    fn new(bytes: &[u8], passphrases: &[&str], is_wanted_in: impl Fn(&Material) -> bool) -> Self {
        let mut material = Material::default();
        let refusal = match format::read_usable(bytes, passphrases, &mut budget(passphrases)) {
            Ok((contents, faults)) => {
                material.add_contents(contents);
                if faults.is_empty() || is_wanted_in(&material) {
                    material.left_out = faults;
                    return Self { material, refusal: None };
                }
                faults.into_iter().next()
            }
            Err(refusal) => Some(refusal),
        };
        Self { material: Material::default(), refusal }
    }

    fn state(&self) -> Opened {
        self.refusal.as_ref().map_or(Opened::Settled, |refusal| Opened::by(refusal.code, &refusal.place))
    }
}

impl<T> Found<T> {
    fn at(self, place: &str) -> Self {
        Self { place: place.to_owned(), ..self }
    }
}

fn located(refusal: Refusal, source: &str) -> Refusal {
    let place = match refusal.place.as_str() {
        "" => source.to_owned(),
        place => format!("{source}, {place}"),
    };
    refusal.at(place)
}
