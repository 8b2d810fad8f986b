//! Who turns a CSR into a certificate: the key itself, our own CA, or a person who carries it to a CA.
//!
//! A connector works in two steps, [`Issuer::prepare`] and [`Issuer::finish`], so that the caller can store the intent
//! durably before anything is signed, and finish it after a crash. It must not know the store, tokens, targets or
//! pages: certificates and a [`Signer`] come in as arguments, values go out, nothing is called back.
//!
//! Start reading at [`Issuer`], then `internal.rs`. A new connector is a file here and a line in [`connector`].

pub mod authority;
mod internal;
mod leaf;
mod manual;
mod self_signed;
#[cfg(test)]
mod testing;

use domain::connector::Field;
use domain::issuer::{IssuerKind, Profile};
use domain::{Moment, Random};
use pki::{Certificate, Csr, DistinguishedName, KeyId, Refusal, SignError, Signer, SubjectAltName, UnixTime};

pub use authority::AuthorityCertificates;

/// What a certificate is wanted for. The certificate is made from this and not from the CSR, which gives only the key
/// and the proof that its sender holds it.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The CSR of the key.
    pub csr: &'a Csr,
    /// The subject that was ordered.
    pub subject: &'a DistinguishedName,
    /// The names that were ordered; the CSR must ask for exactly these.
    pub names: &'a [SubjectAltName],
    /// What may be in the certificate.
    pub profile: &'a Profile,
    /// Lifetime in seconds, both ends counted; within the profile's bound.
    pub lifetime: i64,
    /// Now.
    pub now: Moment,
}

/// What an issuer answers to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It can be signed: store the intent, then [`Issuer::finish`] it.
    Prepared(Prepared),
    /// A person must do something first; the sentence says what.
    WaitForPerson(String),
}

/// A certificate that was linted and can be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The intent: DER of the part to be signed.
    pub to_be_signed: Vec<u8>,
    /// The serial number in it, in the form of [`Certificate::serial`].
    pub serial: Vec<u8>,
    /// The key that must sign it.
    pub key: KeyId,
    /// The first second of its validity.
    pub not_before: UnixTime,
    /// The last second of its validity.
    pub not_after: UnixTime,
}

/// Why no certificate was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The order cannot be fulfilled as it is; a person can mend it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The internal CA was never used: make its root and intermediate ([`authority`]), then ask again.
    #[error("the internal CA has no certificates yet")]
    NoAuthority,
    /// The key did not sign; try again when its token is there.
    #[error("the certificate was not signed")]
    NotSigned(#[from] SignError),
    /// What was signed is not what was intended: another key signed, or the intent or signature is damaged.
    #[error("the signed certificate does not verify")]
    Unsound,
    /// This issuer signs nothing by itself.
    #[error("this issuer signs nothing by itself")]
    SignsNothing,
}

/// A connector to somebody who issues certificates.
pub trait Issuer: Send + Sync {
    /// Which one.
    fn kind(&self) -> IssuerKind;

    /// One sentence for people who choose an issuer.
    fn help(&self) -> &'static str;

    /// The settings that it needs.
    fn fields(&self) -> &'static [Field];

    /// Checks the order and writes the certificate without its signature. Nothing has happened yet.
    ///
    /// `authority` is the pair of CAs of an internal issuer, and is not looked at by others.
    ///
    /// # Errors
    /// [`IssuerError::NoAuthority`]; [`IssuerError::Refused`] with `csr.names`, `profile.algorithm`,
    /// `profile.lifetime`, `profile.usage`, `issuer.authority`, `issuer.ended`, `issuer.not_yet_valid`, or what the
    /// lint found (`cert.*`, `san.*`).
    fn prepare(
        &self,
        wanted: &Wanted<'_>,
        authority: Option<&AuthorityCertificates>,
        random: &dyn Random,
    ) -> Result<Answer, IssuerError>;

    /// Signs an intent with the key that it names, and checks the result. `authority` as for [`Issuer::prepare`].
    ///
    /// The same intent may be finished again: it never makes another certificate than one with the same serial.
    ///
    /// # Errors
    /// [`IssuerError::NotSigned`], [`IssuerError::NoAuthority`], [`IssuerError::Unsound`],
    /// [`IssuerError::SignsNothing`].
    fn finish(
        &self,
        intent: &[u8],
        authority: Option<&AuthorityCertificates>,
        signer: &dyn Signer,
    ) -> Result<Certificate, IssuerError>;
}

/// The connector of a kind.
pub fn connector(kind: IssuerKind) -> &'static dyn Issuer {
    match kind {
        IssuerKind::SelfSigned => &self_signed::SelfSigned,
        IssuerKind::Internal => &internal::Internal,
        IssuerKind::Manual => &manual::Manual,
    }
}

/// Every connector.
pub fn all() -> impl Iterator<Item = &'static dyn Issuer> {
    IssuerKind::ALL.iter().map(|kind| connector(*kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connector_answers_to_its_own_kind() {
        for (kind, connector) in IssuerKind::ALL.iter().zip(all()) {
            assert_eq!(connector.kind(), *kind);
            assert!(!connector.help().is_empty());
        }
    }
}
