//! Everything that was found in what a tool was given, with the name that its file gives it and the place it came from.

use outbound::Possession;
use pki::format::{self, Contents, Object};
use pki::{Certificate, Crl, Csr, PrivateKey, Refusal};

use super::input::{Content, Source};
use super::look::Served;
use super::passphrase::{Opened, Passphrases};

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
}

impl Material {
    /// Takes everything; what is refused is told with its place, and costs only its own file.
    pub fn read(sources: &[Source], passphrases: &Passphrases) -> anyhow::Result<Self> {
        let mut material = Self::default();
        for source in sources {
            match &source.content {
                Content::File { bytes, .. } => {
                    let read = passphrases.open(
                        &source.name,
                        |passphrase| format::read(bytes, passphrase),
                        |read| Opened::by(read.as_ref().err().map(|refusal| refusal.code)),
                    )?;
                    match read {
                        Ok(contents) => material.add_file(contents, &source.name),
                        Err(refusal) => material.refuse(refusal, &source.name),
                    }
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

    fn add_file(&mut self, contents: Contents, place: &str) {
        for item in contents.items {
            let friendly_name = item.friendly_name.filter(|name| !name.trim().is_empty());
            let place = place.to_owned();
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
        shown.refusals.iter().for_each(|refusal| self.refuse(refusal.clone(), place));
        if shown.possession == Possession::Disproven {
            let what = "the server does not have the private key of the certificate that it shows";
            self.refuse(Refusal::new("look.unproven", what, "Look whose server it is."), place);
        }
    }

    fn refuse(&mut self, refusal: Refusal, source: &str) {
        let place = match refusal.place.as_str() {
            "" => source.to_owned(),
            place => format!("{source}, {place}"),
        };
        self.refusals.push(refusal.at(place));
    }
}
