//! What can be told of a certificate that is not taken, so that somebody knows which one it is.

use num_bigint::BigInt;

use super::{MAX_CERTIFICATE, parse};
use crate::{DistinguishedName, Fingerprint, UnixTime};

/// A refused certificate as far as it can be read: to be shown, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The hash of its DER.
    pub fingerprint: Fingerprint,
    /// Whom it says that it speaks for; none when that cannot be read.
    pub subject: Option<DistinguishedName>,
    /// Who issued it, as it says; none when that cannot be read.
    pub issuer: Option<DistinguishedName>,
    /// The serial number: the content octets of the INTEGER.
    pub serial: Vec<u8>,
    /// The first moment at which it is valid, as it says; none when that cannot be read.
    pub not_before: Option<UnixTime>,
    /// The last one.
    pub not_after: Option<UnixTime>,
}

impl Outline {
    /// Reads what can be read. None where not even the fields can be told apart, or where it is larger than any
    /// certificate that is taken.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        if der.len() > MAX_CERTIFICATE { None } else { parse::outline(der) }
    }

    /// The serial number in decimal.
    pub fn serial_decimal(&self) -> String {
        BigInt::from_signed_bytes_be(&self.serial).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_still_says_which_one_it_is() {
        let whole: &[u8] = include_bytes!("../../../../badinputs/rsa_1024.der");
        assert!(crate::Certificate::parse(whole).is_err());
        let outline = Outline::read(whole).unwrap();
        assert_eq!(outline.fingerprint, Fingerprint::of_der(whole));
        assert!(outline.subject.is_some() && outline.issuer.is_some() && !outline.serial.is_empty());
        assert!(outline.not_before < outline.not_after && outline.not_before.is_some());
        assert_eq!(Outline::read(&whole[..whole.len() - 1]), None);
        assert_eq!(Outline::read(&vec![0x30; MAX_CERTIFICATE + 1]), None);
    }
}
