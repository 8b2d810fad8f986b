//! Key algorithms that we make, and the ways in which they sign: one row each.

use std::fmt;
use std::str::FromStr;

/// A kind and size of key that Claviger makes and imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256.
    EcP256,
    /// ECDSA on NIST P-384.
    EcP384,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
}

/// What a person chooses by: the stable name, the name on a page, and the advice beside it.
struct Row {
    algorithm: KeyAlgorithm,
    name: &'static str,
    label: &'static str,
    advice: &'static str,
}

const ROWS: [Row; 6] = [
    Row {
        algorithm: KeyAlgorithm::EcP256,
        name: "ec-p256",
        label: "EC P-256",
        advice: "The fastest, and accepted everywhere since 2014.",
    },
    Row {
        algorithm: KeyAlgorithm::EcP384,
        name: "ec-p384",
        label: "EC P-384",
        advice: "Where a policy asks for 192-bit security; slower than P-256.",
    },
    Row {
        algorithm: KeyAlgorithm::Ed25519,
        name: "ed25519",
        label: "Ed25519",
        advice: "Fast and simple, but public CAs and browsers do not take it yet.",
    },
    Row {
        algorithm: KeyAlgorithm::Rsa2048,
        name: "rsa-2048",
        label: "RSA 2048",
        advice: "For older clients; the smallest size that is still accepted.",
    },
    Row {
        algorithm: KeyAlgorithm::Rsa3072,
        name: "rsa-3072",
        label: "RSA 3072",
        advice: "For older clients and a life beyond 2030.",
    },
    Row {
        algorithm: KeyAlgorithm::Rsa4096,
        name: "rsa-4096",
        label: "RSA 4096",
        advice: "Costs five times as much at each connection as RSA 2048.",
    },
];

impl KeyAlgorithm {
    /// Every algorithm, in the order in which they are offered: the suggested one first.
    pub const ALL: [KeyAlgorithm; 6] =
        [Self::EcP256, Self::EcP384, Self::Ed25519, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The stable name in the API, the store and on the command line.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The name on a page.
    pub fn label(self) -> &'static str {
        self.row().label
    }

    /// One sentence that helps a person to choose.
    pub fn advice(self) -> &'static str {
        self.row().advice
    }

    /// The scheme used for CSRs and certificates signed with such a key.
    pub fn certificate_scheme(self) -> SignatureScheme {
        match self {
            Self::EcP256 => SignatureScheme::EcdsaP256Sha256,
            Self::EcP384 => SignatureScheme::EcdsaP384Sha384,
            Self::Ed25519 => SignatureScheme::Ed25519,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignatureScheme::RsaPkcs1Sha256,
        }
    }

    /// Every scheme that such a key can sign with, the preferred one first (TLS 1.3 wants PSS from RSA keys).
    pub fn schemes(self) -> &'static [SignatureScheme] {
        use SignatureScheme as S;
        match self {
            Self::EcP256 => &[S::EcdsaP256Sha256],
            Self::EcP384 => &[S::EcdsaP384Sha384],
            Self::Ed25519 => &[S::Ed25519],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[
                S::RsaPssSha256,
                S::RsaPssSha384,
                S::RsaPssSha512,
                S::RsaPkcs1Sha256,
                S::RsaPkcs1Sha384,
                S::RsaPkcs1Sha512,
            ],
        }
    }

    /// Whether it is an RSA key.
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    fn row(self) -> &'static Row {
        // Every variant has a row: the test below walks them.
        ROWS.iter().find(|row| row.algorithm == self).unwrap_or(&ROWS[0])
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of [`KeyAlgorithm::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key algorithm we know; use ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096")]
pub struct UnknownAlgorithm;

impl FromStr for KeyAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let row = ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name));
        row.map(|row| row.algorithm).ok_or(UnknownAlgorithm)
    }
}

/// One way of signing a message, digest included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    /// ECDSA on P-256 with SHA-256, signature in DER.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384, signature in DER.
    EcdsaP384Sha384,
    /// Ed25519.
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaPkcs1Sha512,
    /// RSASSA-PSS with SHA-256, salt of digest length.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, salt of digest length.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512, salt of digest length.
    RsaPssSha512,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_its_own_row() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(algorithm.row().algorithm, algorithm);
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        assert_eq!("dsa".parse::<KeyAlgorithm>(), Err(UnknownAlgorithm));
    }
}
