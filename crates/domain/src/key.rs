//! Keys: pairs inside a token, named by the hash of their public half.

use pki::{KeyAlgorithm, KeyId};

use crate::clock::{DAY, Moment};
use crate::id::TokenId;
use crate::names;

names! {
    /// What a key is for.
    KeyUsage {
        /// TLS servers.
        Tls "tls",
        /// X-Road signing (nonRepudiation).
        Sign "sign",
        /// X-Road authentication of a security server.
        Auth "auth",
        /// A CA of ours.
        Ca "ca",
        /// An ACME account.
        Account "account",
        /// A node of ours.
        Node "node",
    }
}

names! {
    /// When the private key may leave its token. Can be lowered, never raised: the order is that of freedom.
    Exportable {
        /// Never.
        Never "never",
        /// It may be installed on its lineage's targets.
        ToTargets "to_targets",
        /// A person may also export it, under a passphrase.
        WithPassphrase "with_passphrase",
    }
}

names! {
    /// Where the key came from.
    Born {
        /// It was made here.
        Generated "generated",
        /// It came with a file.
        Imported "imported",
    }
}

names! {
    /// What survives the loss of this machine.
    Durability {
        /// A backup holds it.
        BackedUp "backed_up",
        /// Only this machine has it, until the next backup.
        ThisNodeOnly "this_node_only",
        /// The hardware keeps it.
        Hsm "hsm",
    }
}

names! {
    /// Where a key is in its life.
    KeyState {
        /// It signs.
        Active "active",
        /// Deleted by a person: hidden, sealed for the keep time, can be brought back.
        Retired "retired",
        /// It leaked and never signs again.
        Compromised "compromised",
        /// The sealed bytes are gone.
        Destroyed "destroyed",
    }
}

/// What is known of a key; the sealed bytes are apart ([`SealedKey`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub id: KeyId,
    /// The token that holds it.
    pub token: TokenId,
    /// The friendly name, unique among keys that are not destroyed.
    pub label: String,
    /// What it is for; none until the first CSR or certificate says it.
    pub usage: Option<KeyUsage>,
    /// Kind and size.
    pub algorithm: KeyAlgorithm,
    /// DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// When it may leave.
    pub exportable: Exportable,
    /// Where it came from.
    pub born: Born,
    /// What survives a loss of the machine.
    pub durability: Durability,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made or imported.
    pub created: Moment,
    /// When it was retired.
    pub retired: Option<Moment>,
    /// When it first left in a person's hands; stays for ever.
    pub exported: Option<Moment>,
}

/// A private key as the store holds it: sealed with its token's data key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Which key.
    pub id: KeyId,
    /// Whose data key opens it.
    pub token: TokenId,
    /// Bound into the seal, so that an edited row cannot raise it.
    pub exportable: Exportable,
    /// Kind and size.
    pub algorithm: KeyAlgorithm,
    /// PKCS#8, sealed ([`pki::seal`]).
    pub sealed: Vec<u8>,
}

/// How long a retired key stays sealed: 400 days when a CSR of it is unanswered, else 30 (DESIGN section 4).
pub fn keep_time(has_unanswered_csr: bool) -> i64 {
    if has_unanswered_csr { 400 * DAY } else { 30 * DAY }
}

/// When a key of this usage may leave, unless a setting or its lineage says less.
pub fn exportable_by_default(usage: Option<KeyUsage>) -> Exportable {
    match usage {
        Some(KeyUsage::Tls) => Exportable::WithPassphrase,
        None | Some(KeyUsage::Sign | KeyUsage::Auth | KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node) => {
            Exportable::Never
        }
    }
}

/// Takes a friendly name: 1 to 100 characters with something to see, none of them a control or direction mark.
pub fn parse_label(text: &str) -> Result<String, pki::Refusal> {
    let label = text.trim();
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if label.is_empty() {
        return Err(pki::Refusal::new(
            "name.empty",
            "the friendly name is empty",
            "Write a name that you will know again.",
        ));
    }
    if label.chars().count() > 100 {
        return Err(pki::Refusal::new(
            "name.too_long",
            "the friendly name has more than 100 characters",
            "Shorten it.",
        ));
    }
    if label.chars().any(invisible) {
        return Err(pki::Refusal::new(
            "name.control_char",
            "the friendly name holds characters that cannot be seen",
            "Type it anew, without pasting.",
        ));
    }
    Ok(label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freedom_is_ordered() {
        assert!(
            Exportable::Never < Exportable::ToTargets && Exportable::ToTargets < Exportable::WithPassphrase
        );
    }

    #[test]
    fn labels_are_readable() {
        assert_eq!(parse_label("  Acme, \"Inc\" Ö ").as_deref(), Ok("Acme, \"Inc\" Ö"));
        for bad in ["", "  ", "a\u{202e}b", "a\nb", &"x".repeat(101)] {
            assert!(parse_label(bad).is_err(), "{bad:?}");
        }
    }
}
