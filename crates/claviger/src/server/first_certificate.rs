//! The certificate of the UI before the first start was finished: self-signed, in memory only. The setup page must be
//! served by TLS before there is a token that could hold a key; the factory certificate takes over when there is one.

use std::sync::Arc;

use domain::clock::DAY;
use domain::id::TokenId;
use domain::issuer::{IssuerKind, Profile};
use domain::key::Exportable;
use domain::permission::uses;
use domain::snapshot::{Served, Signers};
use domain::{Actor, Clock, Random, Snapshot, authorize};
use issuer::{Answer, Wanted};
use pki::csr::{CsrRequest, KeyUsageProfile};
use pki::name::{Attribute, AttributeType};
use pki::{Certificate, Csr, DistinguishedName, KeyAlgorithm, KeyId, Signer, SubjectAltName};
use token::{DataKey, Session};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const NAME: &str = "Claviger before its first start";
const LIFE: i64 = 30 * DAY / 1_000;

/// What the listeners serve and who signs for it: the application's, with this certificate in front.
pub struct InFront {
    /// The application's snapshots; before there is one with a default certificate, one with this certificate alone.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The application's signers and this certificate's.
    pub signers: Arc<dyn Signers>,
}

/// Puts a certificate made now in front of what the application serves, until that has a default certificate itself.
pub fn in_front_of(
    snapshots: watch::Receiver<Arc<Snapshot>>,
    signers: Arc<dyn Signers>,
    (clock, random): (&dyn Clock, &dyn Random),
    stop: CancellationToken,
) -> anyhow::Result<InFront> {
    let first = First::make(clock, random)?;
    let sender = watch::Sender::new(Arc::new(Snapshot::new(0, Some(first.served.clone()), [])));
    let receiver = sender.subscribe();
    tokio::spawn(follow(snapshots, sender, stop));
    Ok(InFront { snapshots: receiver, signers: Arc::new(WithOneMore { first, others: signers }) })
}

/// Hands on every snapshot that could be served alone.
async fn follow(
    mut from: watch::Receiver<Arc<Snapshot>>,
    to: watch::Sender<Arc<Snapshot>>,
    stop: CancellationToken,
) {
    loop {
        let snapshot = Arc::clone(&from.borrow_and_update());
        if snapshot.default.is_some() {
            to.send_replace(snapshot);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = from.changed() => if changed.is_err() { return },
        }
    }
}

struct WithOneMore {
    first: First,
    others: Arc<dyn Signers>,
}

impl Signers for WithOneMore {
    fn signer(&self, key: &KeyId) -> Option<Arc<dyn Signer>> {
        if *key == self.first.served.key {
            Some(Arc::clone(&self.first.signer))
        } else {
            self.others.signer(key)
        }
    }
}

/// The certificate, and the token in memory that holds its key.
struct First {
    served: Served,
    signer: Arc<dyn Signer>,
    /// Its keys are wiped when it is dropped.
    _session: Session,
}

impl First {
    /// Makes the key in a token that lives in memory alone, and lets it sign its own certificate.
    fn make(clock: &dyn Clock, random: &dyn Random) -> anyhow::Result<Self> {
        let session = Session::new(TokenId::of("first"), DataKey::generate(random));
        let (_, sealed) = session.generate(KeyAlgorithm::EcP256, Exportable::Never, random)?;
        let by = authorize(&Actor::Edge, uses::ServeTls, "first")?;
        let signer = session.signer(&sealed, &by)?;
        let certificate = certify(&*signer, clock, random)?;
        let served = Served {
            fingerprint: certificate.fingerprint(),
            chain: vec![certificate.der().to_vec()],
            key: sealed.id,
            algorithm: sealed.algorithm,
            names: certificate.names().to_vec(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            backend: None,
        };
        Ok(Self { served, signer, _session: session })
    }
}

fn certify(signer: &dyn Signer, clock: &dyn Clock, random: &dyn Random) -> anyhow::Result<Certificate> {
    let subject = Attribute { kind: AttributeType::CommonName, value: NAME.to_owned() };
    let subject = DistinguishedName::from_attributes(vec![subject])?;
    let mut names = Vec::new();
    for name in ["localhost", "127.0.0.1", "::1"] {
        names.push(SubjectAltName::parse(name)?);
    }
    let request = CsrRequest { subject: subject.clone(), names: names.clone(), usage: KeyUsageProfile::Tls };
    let csr = Csr::parse(&pki::csr::build(&request, signer)?)?;
    let profiles = Profile::built_in();
    let profile = profiles.first().ok_or_else(|| anyhow::anyhow!("there is no built-in profile"))?;
    let wanted =
        Wanted { csr: &csr, subject: &subject, names: &names, profile, lifetime: LIFE, now: clock.now() };
    let connector = issuer::connector(IssuerKind::SelfSigned);
    match connector.prepare(&wanted, None, random)? {
        Answer::Prepared(prepared) => Ok(connector.finish(&prepared.to_be_signed, None, signer)?),
        Answer::WaitForPerson(what) => anyhow::bail!("a self-signed certificate waits: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use pki::SignatureScheme;

    use super::super::world::{SystemClock, SystemRandom};
    use super::*;

    struct Nobody;

    impl Signers for Nobody {
        fn signer(&self, _key: &KeyId) -> Option<Arc<dyn Signer>> {
            None
        }
    }

    fn served(snapshot: &Snapshot) -> Option<pki::Fingerprint> {
        snapshot.default.as_ref().map(|served| served.fingerprint)
    }

    #[tokio::test]
    async fn it_is_served_until_there_is_another_default() {
        let application = watch::Sender::new(Arc::new(Snapshot::default()));
        let stop = CancellationToken::new();
        let world: (&dyn Clock, &dyn Random) = (&SystemClock, &SystemRandom);
        let mut front = in_front_of(application.subscribe(), Arc::new(Nobody), world, stop).unwrap();
        let first = Arc::clone(&front.snapshots.borrow_and_update());
        let default = first.default.as_ref().unwrap();
        let signer = front.signers.signer(&default.key).unwrap();
        assert!(signer.sign(SignatureScheme::EcdsaP256Sha256, b"hello").is_ok());
        assert!(default.names.iter().any(|name| name.dns() == Some("localhost")));

        let other = First::make(&SystemClock, &SystemRandom).unwrap().served;
        application.send_replace(Arc::new(Snapshot::default()));
        application.send_replace(Arc::new(Snapshot::new(7, Some(other.clone()), [])));
        front.snapshots.changed().await.unwrap();
        assert_eq!(served(&front.snapshots.borrow()), Some(other.fingerprint));
    }
}
