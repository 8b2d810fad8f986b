//! What can be done now with a token, key or CSR, whatever the caller's roles (`XROAD.md` 1.6, rule by rule).

use domain::key::KeyUsage;
use serde::Serialize;
use utoipa::ToSchema;

/// X-Road's names, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PossibleAction {
    /// Remove it.
    Delete,
    /// Enter the PIN.
    Login,
    /// Log out.
    Logout,
    /// Make a key.
    GenerateKey,
    /// Name it.
    EditFriendlyName,
    /// Make an authentication CSR.
    GenerateAuthCsr,
    /// Make a signing CSR.
    GenerateSignCsr,
    /// Change the PIN.
    TokenChangePin,
    /// Forget a token that is gone.
    TokenDelete,
}

/// What the rules look at in a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts {
    /// Whether it is X-Road's software token, `0`.
    pub is_soft: bool,
    /// Whether it signs now.
    pub logged_in: bool,
    /// Whether it answers.
    pub available: bool,
    /// Whether any of its keys has a CSR or certificate.
    pub saved: bool,
}

/// What the rules look at in a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts {
    /// What it is for.
    pub usage: Option<KeyUsage>,
    /// Whether it has a certificate.
    pub has_certificates: bool,
}

/// The actions of a token.
pub fn of_token(token: TokenFacts) -> Vec<PossibleAction> {
    use PossibleAction as A;
    let rules = [
        (A::Login, !token.logged_in && token.available),
        (A::Logout, token.logged_in),
        (A::GenerateKey, token.logged_in),
        (A::EditFriendlyName, token.saved),
        (A::TokenChangePin, token.logged_in),
        (A::TokenDelete, !token.logged_in && !token.available && !token.is_soft),
    ];
    that_apply(&rules)
}

/// The actions of a key. Its token is never read-only here, so that X-Road's rules about those fall away.
pub fn of_key(token: TokenFacts, key: KeyFacts) -> Vec<PossibleAction> {
    use PossibleAction as A;
    let unsupported = key.usage == Some(KeyUsage::Auth) && !token.is_soft;
    let may_have_csr = token.available && token.logged_in && !key.has_certificates;
    let auth = matches!(key.usage, None | Some(KeyUsage::Auth));
    let sign = matches!(key.usage, None | Some(KeyUsage::Sign));
    let rules = [
        (A::Delete, token.logged_in && !unsupported),
        (A::EditFriendlyName, true),
        (A::GenerateAuthCsr, token.is_soft && auth && may_have_csr),
        (A::GenerateSignCsr, sign && may_have_csr && !unsupported),
    ];
    that_apply(&rules)
}

/// The actions of a CSR.
pub fn of_csr() -> Vec<PossibleAction> {
    vec![PossibleAction::Delete]
}

fn that_apply(rules: &[(PossibleAction, bool)]) -> Vec<PossibleAction> {
    rules.iter().filter(|(_, applies)| *applies).map(|(action, _)| *action).collect()
}

#[cfg(test)]
mod tests {
    use super::PossibleAction as A;
    use super::*;

    const OUT: TokenFacts = TokenFacts { is_soft: true, logged_in: false, available: true, saved: false };
    const IN: TokenFacts = TokenFacts { logged_in: true, ..OUT };

    #[test]
    fn of_tokens() {
        assert_eq!(of_token(OUT), [A::Login]);
        assert_eq!(of_token(IN), [A::Logout, A::GenerateKey, A::TokenChangePin]);
        assert_eq!(of_token(TokenFacts { saved: true, ..OUT }), [A::Login, A::EditFriendlyName]);
        let gone = TokenFacts { available: false, is_soft: false, ..OUT };
        assert_eq!(of_token(gone), [A::TokenDelete]);
        assert_eq!(of_token(TokenFacts { is_soft: true, ..gone }), []);
    }

    #[test]
    fn of_keys() {
        let none = KeyFacts { usage: None, has_certificates: false };
        assert_eq!(of_key(OUT, none), [A::EditFriendlyName]);
        assert_eq!(
            of_key(IN, none),
            [A::Delete, A::EditFriendlyName, A::GenerateAuthCsr, A::GenerateSignCsr]
        );
        let certified = KeyFacts { has_certificates: true, ..none };
        assert_eq!(of_key(IN, certified), [A::Delete, A::EditFriendlyName]);
        let sign = KeyFacts { usage: Some(KeyUsage::Sign), ..none };
        assert_eq!(of_key(IN, sign), [A::Delete, A::EditFriendlyName, A::GenerateSignCsr]);
        let auth = KeyFacts { usage: Some(KeyUsage::Auth), ..none };
        let hardware = TokenFacts { is_soft: false, ..IN };
        assert_eq!(of_key(hardware, auth), [A::EditFriendlyName]);
        assert_eq!(of_key(hardware, none), [A::Delete, A::EditFriendlyName, A::GenerateSignCsr]);
    }
}
