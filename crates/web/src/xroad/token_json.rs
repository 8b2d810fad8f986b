//! Tokens and their keys in X-Road's JSON (`XROAD.md` 1.2 to 1.5). Nulls are left out.

use app::key::KeyView;
use app::token::TokenView;
use domain::certificate::CertificateEntry;
use domain::csr::CsrEntry;
use domain::id::TokenId;
use domain::key::{KeyState, KeyUsage};
use domain::token::{TokenKind, TokenState};
use serde::Serialize;
use utoipa::ToSchema;

use super::possible_actions::{self, KeyFacts, PossibleAction, TokenFacts};

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    /// The id; `0` is the software token.
    id: String,
    /// The friendly name.
    name: String,
    /// `SOFTWARE` or `HARDWARE`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Its keys that X-Road may see.
    keys: Vec<Key>,
    /// `OK`, `USER_PIN_INCORRECT`, `USER_PIN_FINAL_TRY`, `USER_PIN_LOCKED` or `NOT_INITIALIZED`.
    status: &'static str,
    /// Whether it signs now.
    logged_in: bool,
    /// Whether it answers.
    available: bool,
    /// Whether any of its keys has a CSR or certificate.
    saved_to_configuration: bool,
    /// Whether nothing can be changed in it.
    read_only: bool,
    /// What else its module says.
    token_infos: Vec<TokenFact>,
    /// What can be done with it now.
    possible_actions: Vec<PossibleAction>,
}

/// Something that a token's module says.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenFact {
    /// What.
    key: String,
    /// Its value.
    value: String,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = XroadKey)]
pub struct Key {
    /// 40 upper-case hex digits.
    id: String,
    /// The friendly name.
    name: String,
    /// The same; X-Road keeps the first one.
    label: String,
    /// Its certificates.
    certificates: Vec<Certificate>,
    /// Its CSRs that wait.
    certificate_signing_requests: Vec<Csr>,
    /// `RSA` or `EC`.
    key_algorithm: &'static str,
    /// `SIGNING` or `AUTHENTICATION`; left out until the first CSR or certificate says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'static str>,
    /// Whether it can be used.
    available: bool,
    /// Whether it has a CSR or certificate.
    saved_to_configuration: bool,
    /// What can be done with it now.
    possible_actions: Vec<PossibleAction>,
}

/// A CSR that waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = XroadCsr)]
pub struct Csr {
    /// The id.
    id: String,
    /// What can be done with it now.
    possible_actions: Vec<PossibleAction>,
}

/// A certificate of a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = XroadCertificate)]
pub struct Certificate {
    /// Whether it may be used.
    active: bool,
    /// Always: certificates are kept in the store.
    saved_to_configuration: bool,
    /// What stands in it.
    certificate_details: CertificateDetails,
    /// What can be done with it now.
    possible_actions: Vec<PossibleAction>,
}

/// What stands in a certificate.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateDetails {
    /// SHA-256 in upper-case hex.
    hash: String,
    /// The issuer, most specific part first.
    issuer_distinguished_name: String,
    /// The subject, most specific part first.
    subject_distinguished_name: String,
    /// The first moment of validity.
    not_before: String,
    /// The last moment of validity.
    not_after: String,
    /// In decimal.
    serial: String,
}

/// A token as X-Road shows it.
pub fn token(view: &TokenView) -> Token {
    let facts = facts(view);
    let visible = view.keys.iter().filter(|key| is_visible(key));
    Token {
        id: view.token.id.to_string(),
        name: view.token.label.clone(),
        kind: match view.token.kind {
            TokenKind::Software => "SOFTWARE",
            TokenKind::Pkcs11 => "HARDWARE",
        },
        keys: visible.map(|view| key(facts, view)).collect(),
        status: status(view),
        logged_in: facts.logged_in,
        available: facts.available,
        saved_to_configuration: facts.saved,
        read_only: false,
        token_infos: Vec::new(),
        possible_actions: possible_actions::of_token(facts),
    }
}

/// What the rules about possible actions look at.
pub fn facts(view: &TokenView) -> TokenFacts {
    TokenFacts {
        is_soft: view.token.id == TokenId::soft(),
        logged_in: view.state == TokenState::LoggedIn,
        available: view.state != TokenState::Unavailable,
        saved: view.keys.iter().any(is_saved),
    }
}

/// X-Road knows keys for signing, for authentication, and those that are for nothing yet.
fn is_visible(view: &KeyView) -> bool {
    let usage = match view.key.usage {
        None | Some(KeyUsage::Sign | KeyUsage::Auth) => true,
        Some(KeyUsage::Tls | KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node) => false,
    };
    usage && view.key.state == KeyState::Active
}

fn is_saved(view: &KeyView) -> bool {
    !view.csrs.is_empty() || !view.certificates.is_empty()
}

fn status(view: &TokenView) -> &'static str {
    match view.state {
        TokenState::Locked => "USER_PIN_LOCKED",
        TokenState::NotInitialized => "NOT_INITIALIZED",
        TokenState::LoggedOut if view.tries_left == Some(1) => "USER_PIN_FINAL_TRY",
        TokenState::LoggedOut if view.token.wrong_pins > 0 => "USER_PIN_INCORRECT",
        TokenState::LoggedOut | TokenState::LoggedIn | TokenState::Unavailable => "OK",
    }
}

fn key(token: TokenFacts, view: &KeyView) -> Key {
    use domain::csr::CsrState;
    let facts = KeyFacts { usage: view.key.usage, has_certificates: !view.certificates.is_empty() };
    let waiting = view.csrs.iter().filter(|csr| csr.state == CsrState::Waiting);
    Key {
        id: view.key.id.to_xroad(),
        name: view.key.label.clone(),
        label: view.key.label.clone(),
        certificates: view.certificates.iter().map(certificate).collect(),
        certificate_signing_requests: waiting.map(csr).collect(),
        key_algorithm: if view.key.algorithm.is_rsa() { "RSA" } else { "EC" },
        usage: match view.key.usage {
            Some(KeyUsage::Sign) => Some("SIGNING"),
            Some(KeyUsage::Auth) => Some("AUTHENTICATION"),
            None | Some(KeyUsage::Tls | KeyUsage::Ca | KeyUsage::Account | KeyUsage::Node) => None,
        },
        available: token.available,
        saved_to_configuration: is_saved(view),
        possible_actions: possible_actions::of_key(token, facts),
    }
}

fn csr(entry: &CsrEntry) -> Csr {
    Csr { id: entry.id.to_string(), possible_actions: possible_actions::of_csr() }
}

fn certificate(entry: &CertificateEntry) -> Certificate {
    let held = &entry.certificate;
    let details = CertificateDetails {
        hash: held.fingerprint().to_string().to_ascii_uppercase(),
        issuer_distinguished_name: held.issuer().to_string(),
        subject_distinguished_name: held.subject().to_string(),
        not_before: held.not_before().to_string(),
        not_after: held.not_after().to_string(),
        serial: held.serial_decimal(),
    };
    // Activation and registration come with X-Road's certificate addresses; until then nothing can be done here.
    Certificate {
        active: false,
        saved_to_configuration: true,
        certificate_details: details,
        possible_actions: Vec::new(),
    }
}
