//! What revocation lists say about the certificates of a path (RFC 5280, 6.3.3): lists for distribution points, for
//! some reasons only, indirect ones, and deltas on top of complete ones.

use std::cmp::{Ordering, Reverse};
use std::ops::ControlFlow;

use super::facts::Point;
use super::search::{self, Budget, End};
use super::validate::{Link, Subject, Validation};
use super::{Anchors, Options, Purpose, Revocation, exhausted, fault};
use crate::chain::Pool;
use crate::crl::{ALL_REASONS, Reason, Revoked, named_directory};
use crate::{Certificate, Crl, Refusal};

/// A list's signer may need a list whose signer needs a list, and so on; nobody means more than this.
const MAX_SIGNERS: usize = 3;

enum Status {
    Good,
    Revoked(Revoked),
    /// Nothing that can be relied upon says anything.
    Unknown,
}

/// Checks every certificate below the anchor; the anchor is last.
pub(super) fn check(
    validation: &mut Validation<'_>,
    links: &[Link<'_>],
    budget: &mut Budget,
) -> Result<(), Refusal> {
    let is_required = validation.options.revocation == Revocation::Required;
    for (index, link) in links.iter().enumerate().take(links.len().saturating_sub(1)) {
        let mut inquiry =
            Inquiry { validation: &mut *validation, link, above: &links[index + 1..], budget: &mut *budget };
        if !is_required && !inquiry.is_covered() {
            continue;
        }
        match inquiry.status() {
            Status::Good => {}
            Status::Revoked(Revoked { at, reason }) => {
                let what = format!("it was revoked on {at} ({})", reason.name());
                return Err(fault(
                    "cert.revoked",
                    what,
                    link.certificate,
                    "Get a new certificate, with a new key.",
                ));
            }
            Status::Unknown if budget.is_exhausted => return Err(exhausted()),
            Status::Unknown => {
                let what = "no revocation list that can be relied upon says whether it was revoked";
                let repair = "Fetch the issuer's current list.";
                return Err(fault("cert.revocation_unknown", what, link.certificate, repair));
            }
        }
    }
    Ok(())
}

/// The question about one certificate.
struct Inquiry<'i, 'a> {
    validation: &'i mut Validation<'a>,
    link: &'i Link<'i>,
    /// Its issuer first, the anchor last.
    above: &'i [Link<'i>],
    budget: &'i mut Budget,
}

impl Inquiry<'_, '_> {
    fn certificate(&self) -> &Certificate {
        self.link.certificate
    }

    /// Whether one of the lists is of its issuer, or of an issuer that it names.
    fn is_covered(&self) -> bool {
        let own = self.certificate().issuer();
        let named: Vec<&Vec<u8>> =
            self.link.facts.crl_points.iter().flat_map(|point| &point.issuers).flatten().collect();
        let is_about = |crl: &Crl| crl.issuer().matches(own) || named.contains(&&crl.issuer().canonical());
        self.validation.known.crls.iter().any(is_about)
    }

    fn status(&mut self) -> Status {
        if !self.budget.charge(self.validation.known.crls.len()) {
            return Status::Unknown;
        }
        let mut crls: Vec<Crl> = self.complete_lists().cloned().collect();
        crls.sort_by_key(|crl| Reverse(crl.this_update()));
        let facts = self.link.facts.clone();
        let mut covered = 0;
        // At the end, the point that RFC 5280 has one assume: everything by the certificate's issuer.
        for point in facts.crl_points.iter().map(Some).chain([None]) {
            for crl in &crls {
                let reasons = reasons(crl, point);
                if reasons & !covered == 0 || !self.is_for(crl, point) || !self.is_authentic(crl, point) {
                    continue;
                }
                if let Some(revoked) = self.entry(crl, point) {
                    return Status::Revoked(revoked);
                }
                covered |= reasons;
                if covered == ALL_REASONS {
                    return Status::Good;
                }
            }
        }
        Status::Unknown
    }

    /// Lists without a number, which RFC 5280, 5.2.3, demands and needs for deltas alone, count like others where the form
    /// of certificates is not judged, either: `openssl ca` writes them.
    fn complete_lists(&self) -> impl Iterator<Item = &Crl> {
        let Options { at, purpose, .. } = *self.validation.options;
        let is_formal = purpose != Purpose::Any;
        let is_complete = move |crl: &&Crl| !crl.is_delta() && (crl.number().is_some() || !is_formal);
        self.validation.known.crls.iter().filter(is_complete).filter(move |crl| crl.is_usable_at(at))
    }

    /// Whether the list speaks of this certificate at this point (RFC 5280, 6.3.3, b).
    fn is_for(&self, crl: &Crl, point: Option<&Point>) -> bool {
        let certificate = self.certificate();
        let (scope, is_ca) = (crl.scope(), certificate.is_ca());
        if scope.only_attributes || (scope.only_users && is_ca) || (scope.only_cas && !is_ca) {
            return false;
        }
        let (list_issuer, own_issuer) = (crl.issuer().canonical(), certificate.issuer().canonical());
        let named = point.and_then(|point| point.issuers.as_ref());
        let is_by_issuer = match named {
            Some(named) => scope.is_indirect && named.contains(&list_issuer),
            None => list_issuer == own_issuer,
        };
        let Some(published) = &scope.point else { return is_by_issuer };
        let published = published.full(&list_issuer);
        let wanted = match (point.and_then(|point| point.name.as_ref()), named) {
            (Some(name), Some(named)) => named.iter().flat_map(|issuer| name.full(issuer)).collect(),
            (Some(name), None) => name.full(&own_issuer),
            (None, Some(named)) => named.iter().map(|issuer| named_directory(issuer)).collect(),
            (None, None) => vec![named_directory(&own_issuer)],
        };
        is_by_issuer && published.iter().any(|name| wanted.contains(name))
    }

    /// The entry of the newest delta upon this list, else its own.
    fn entry(&mut self, crl: &Crl, point: Option<&Point>) -> Option<Revoked> {
        let delta = self.deltas(crl).into_iter().find(|delta| self.is_authentic(delta, point));
        match delta.and_then(|delta| self.look_up(&delta)) {
            Some(Revoked { reason: Reason::RemoveFromCrl, .. }) => None,
            Some(revoked) => Some(revoked),
            None => self.look_up(crl),
        }
    }

    /// Reads through the list, once for all paths.
    fn look_up(&mut self, crl: &Crl) -> Option<Revoked> {
        let certificate = self.link.certificate;
        let pair = (crl.fingerprint(), certificate.fingerprint());
        let found = || crl.revoked(certificate.serial(), certificate.issuer());
        *self.validation.looked_up.entry(pair).or_insert_with(found)
    }

    /// The deltas that build upon this list, the newest first (RFC 5280, 6.3.3, c; 5.2.4).
    fn deltas(&self, crl: &Crl) -> Vec<Crl> {
        let at = self.validation.options.at;
        let Some(number) = crl.number() else { return Vec::new() };
        let builds_upon = |delta: &&Crl| {
            let base = delta.base().is_some_and(|base| compare(base, number) != Ordering::Greater);
            let is_newer = delta.number().is_some_and(|newer| compare(newer, number) != Ordering::Less);
            let is_same = delta.issuer().matches(crl.issuer())
                && delta.scope() == crl.scope()
                && delta.authority_key_id() == crl.authority_key_id();
            base && is_newer && is_same && delta.is_usable_at(at)
        };
        let mut deltas: Vec<Crl> = self.validation.known.crls.iter().filter(builds_upon).cloned().collect();
        deltas.sort_by_key(|delta| Reverse(delta.this_update()));
        deltas
    }

    /// Whether somebody signed the list who may, and who leads to the same anchor.
    fn is_authentic(&mut self, crl: &Crl, point: Option<&Point>) -> bool {
        let above = self.above;
        let in_path = above.iter().map(|link| link.certificate);
        for signer in in_path.filter(|signer| crl.names_as_issuer(signer)) {
            if self.budget.is_crl_signed(crl, signer) {
                return true;
            }
        }
        let known = self.validation.known;
        let anchors = known.anchors.pool().into_iter();
        let elsewhere =
            [known.intermediates].into_iter().chain(anchors).flat_map(|pool| pool.crl_issuers(crl.issuer()));
        for signer in elsewhere.filter(|signer| crl.names_as_issuer(signer)) {
            // Whom its CA told to speak about itself may do so.
            let is_own = signer == self.certificate() && point.is_some_and(|point| point.issuers.is_some());
            if self.budget.is_crl_signed(crl, signer) && (is_own || self.is_trusted(signer)) {
                return true;
            }
        }
        false
    }

    /// Whether a signer of lists leads to the anchor of this path (RFC 5280, 6.3.3, f).
    fn is_trusted(&mut self, signer: &Certificate) -> bool {
        let Some(anchor) = self.above.last().map(|link| link.certificate) else { return false };
        if signer == anchor {
            return true;
        }
        let is_known = self.validation.signers.contains(&signer.fingerprint());
        if is_known || self.validation.signers.len() == MAX_SIGNERS {
            return false;
        }
        self.validation.signers.push(signer.fingerprint());
        let anchors = Pool::new([anchor.clone()]);
        let (pool, at) = (self.validation.known.intermediates, self.validation.options.at);
        let mut is_trusted = false;
        let validation = &mut *self.validation;
        search::walk(signer, (pool, Anchors::Only(&anchors)), at, self.budget, &mut |budget, path, end| {
            is_trusted =
                end == End::Reached && validation.judge(path, Subject::CrlIssuer, budget).verdict().is_ok();
            if is_trusted || budget.is_blind { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.validation.signers.pop();
        is_trusted
    }
}

/// For which reasons the list would have the certificate on it (RFC 5280, 6.3.3, d).
fn reasons(crl: &Crl, point: Option<&Point>) -> u16 {
    let of_point = point.and_then(|point| point.reasons).unwrap_or(ALL_REASONS);
    crl.scope().reasons.unwrap_or(ALL_REASONS) & of_point
}

/// Numbers that are not negative, big-endian, perhaps with a zero in front.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let bare = |octets: &[u8]| {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        octets[zeros..].to_vec()
    };
    let (one, other) = (bare(one), bare(other));
    one.len().cmp(&other.len()).then_with(|| one.cmp(&other))
}
