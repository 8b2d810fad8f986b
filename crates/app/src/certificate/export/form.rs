//! The forms in which a certificate, its chain and its key are handed out, and what each of them holds.

use domain::names;
use pki::Refusal;

names! {
    /// A form of the file.
    ExportForm {
        /// What fits: DER for one certificate, PKCS#7 for several, PKCS#8 for a key alone, PKCS#12 for both.
        Fitting "auto",
        /// The certificate alone, DER.
        Der "der",
        /// Everything that is wanted, PEM: the key first, then the certificates, leaf first.
        Pem "pem",
        /// The certificates above this one, PEM.
        Chain "chain",
        /// This one and those above it, PEM.
        Fullchain "fullchain",
        /// The private key alone, PEM of encrypted PKCS#8.
        KeyPem "key",
        /// The private key alone, DER of encrypted PKCS#8.
        Pkcs8 "pkcs8",
        /// Certificates, PKCS#7 in DER.
        Pkcs7 "p7b",
        /// Certificates, PKCS#7 in PEM.
        Pkcs7Pem "p7b-pem",
        /// Certificate and private key, with or without the chain.
        Pkcs12 "p12",
        /// Files and lines for nginx.
        Nginx "nginx",
        /// Files and lines for Apache.
        Apache "apache",
        /// Files and a line for HAProxy.
        Haproxy "haproxy",
        /// `certs.tar.gz`, as X-Road's security servers export their certificate.
        XRoad "xroad",
        /// A Java trust store (JKS) with the root of the chain.
        JavaTrust "jks",
        /// A PKCS#12 trust store with the root of the chain.
        Pkcs12Trust "p12-trust",
    }
}

/// Whether something goes into a file of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Always: the form is nothing without it.
    Always,
    /// If it is wanted.
    IfWanted,
    /// Never: the form cannot hold it.
    Never,
}

impl ExportForm {
    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fitting => "What fits what is ticked",
            Self::Der => "DER: the server certificate alone (.cer)",
            Self::Pem => "PEM: everything ticked, in one text file (.pem)",
            Self::Chain => "PEM: the chain alone (.pem)",
            Self::Fullchain => "PEM: certificate and chain, as servers want it (.pem)",
            Self::KeyPem => "PKCS#8: the private key alone, as text (.pem)",
            Self::Pkcs8 => "PKCS#8: the private key alone (.p8)",
            Self::Pkcs7 => "PKCS#7: the certificates ticked (.p7b)",
            Self::Pkcs7Pem => "PKCS#7: the certificates ticked, as text (.p7b)",
            Self::Pkcs12 => "PKCS#12: certificate, private key, and the chain if ticked (.p12)",
            Self::Nginx => "nginx: files and lines of configuration (.tar.gz)",
            Self::Apache => "Apache: files and lines of configuration (.tar.gz)",
            Self::Haproxy => "HAProxy: files and how to join them (.tar.gz)",
            Self::XRoad => "X-Road: certs.tar.gz",
            Self::JavaTrust => "Java trust store (JKS) with the root (.jks)",
            Self::Pkcs12Trust => "PKCS#12 trust store with the root (.p12)",
        }
    }

    /// Whether the certificate itself goes in.
    pub fn certificate(self) -> Part {
        match self {
            Self::Fitting | Self::Pem | Self::Pkcs7 | Self::Pkcs7Pem => Part::IfWanted,
            Self::Der
            | Self::Fullchain
            | Self::Pkcs12
            | Self::Nginx
            | Self::Apache
            | Self::Haproxy
            | Self::XRoad => Part::Always,
            Self::Chain | Self::KeyPem | Self::Pkcs8 | Self::JavaTrust | Self::Pkcs12Trust => Part::Never,
        }
    }

    /// Whether the certificates above it go in.
    pub fn chain(self) -> Part {
        match self {
            Self::Fitting
            | Self::Pem
            | Self::Pkcs7
            | Self::Pkcs7Pem
            | Self::Pkcs12
            | Self::Nginx
            | Self::Apache
            | Self::Haproxy => Part::IfWanted,
            Self::Chain | Self::Fullchain => Part::Always,
            Self::Der | Self::KeyPem | Self::Pkcs8 | Self::XRoad | Self::JavaTrust | Self::Pkcs12Trust => {
                Part::Never
            }
        }
    }

    /// Whether the private key goes in.
    pub fn key(self) -> Part {
        match self {
            Self::Fitting | Self::Pem | Self::Nginx | Self::Apache | Self::Haproxy => Part::IfWanted,
            Self::KeyPem | Self::Pkcs8 | Self::Pkcs12 => Part::Always,
            Self::Der
            | Self::Chain
            | Self::Fullchain
            | Self::Pkcs7
            | Self::Pkcs7Pem
            | Self::XRoad
            | Self::JavaTrust
            | Self::Pkcs12Trust => Part::Never,
        }
    }

    /// Whether the file is PKCS#12 under the exporter's passphrase.
    pub fn is_pkcs12(self) -> bool {
        self == Self::Pkcs12
    }

    /// The forms that hold several certificates which do not belong together.
    pub const SEVERAL: [Self; 5] =
        [Self::Pem, Self::Pkcs7, Self::Pkcs7Pem, Self::JavaTrust, Self::Pkcs12Trust];

    /// Whether it holds what somebody shall trust, and nothing else.
    pub fn is_trust_store(self) -> bool {
        self == Self::JavaTrust || self == Self::Pkcs12Trust
    }

    /// The form that [`ExportForm::Fitting`] stands for, as the appliance chooses it; others stay.
    ///
    /// # Errors
    /// `export.form` when no form holds just that, `export.nothing` when nothing is wanted.
    pub(super) fn fitted(self, certificate: bool, above: usize, key: bool) -> Result<Self, Refusal> {
        if self != Self::Fitting {
            return Ok(self);
        }
        match (certificate, above, key) {
            (true, _, true) => Ok(Self::Pkcs12),
            (false, 0, true) => Ok(Self::Pkcs8),
            (false, _, true) => Err(Refusal::new(
                "export.form",
                "a private key with its chain but without its certificate fits into no binary form",
                "Include the certificate, or leave the chain out, or choose PEM.",
            )),
            (true, 0, false) => Ok(Self::Der),
            (true, _, false) | (false, 1.., false) => Ok(Self::Pkcs7),
            (false, 0, false) => Err(nothing()),
        }
    }
}

/// Nothing was asked for.
pub(super) fn nothing() -> Refusal {
    Refusal::new("export.nothing", "nothing is ticked", "Tick what should go into the file.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_what_the_appliance_writes() {
        let fitted = |certificate, above, key| ExportForm::Fitting.fitted(certificate, above, key);
        assert_eq!(fitted(true, 0, false), Ok(ExportForm::Der));
        assert_eq!(fitted(true, 2, false), Ok(ExportForm::Pkcs7));
        assert_eq!(fitted(false, 1, false), Ok(ExportForm::Pkcs7));
        assert_eq!(fitted(false, 0, true), Ok(ExportForm::Pkcs8));
        assert_eq!(fitted(true, 0, true), Ok(ExportForm::Pkcs12));
        assert_eq!(fitted(true, 3, true), Ok(ExportForm::Pkcs12));
        assert_eq!(fitted(false, 3, true).unwrap_err().code, "export.form");
        assert_eq!(fitted(false, 0, false).unwrap_err().code, "export.nothing");
        assert_eq!(ExportForm::Pem.fitted(false, 0, false), Ok(ExportForm::Pem));
    }

    #[test]
    fn a_form_without_a_place_for_the_key_never_gets_it() {
        for form in ExportForm::ALL {
            let is_public = form.key() == Part::Never;
            let names = ["der", "chain", "fullchain", "p7b", "p7b-pem", "xroad", "jks", "p12-trust"];
            assert_eq!(is_public, names.contains(&form.name()), "{form}");
        }
    }
}
