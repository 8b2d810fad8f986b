//! Tokens: see them, log in and out, change the PIN.

mod list;
mod log_in;
mod log_out;
mod open;
mod pin;
mod rename;
mod unlock;

use domain::id::TokenId;
use domain::token::{Token, TokenState};

use crate::App;
use crate::key::KeyView;

pub use list::{TokenSummary, find, list, summaries, summarise};
pub use log_in::log_in;
pub use log_out::{Consequences, log_out, stops_at_log_out};
pub use open::open_system;
pub use pin::change_pin;
pub(crate) use pin::check_policy;
pub use rename::rename;
pub use unlock::unlock;

/// A token with its keys, as it is now.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// The token.
    pub token: Token,
    /// Whether it signs now.
    pub state: TokenState,
    /// Wrong PINs that are left until it locks; none for tokens without a PIN.
    pub tries_left: Option<u32>,
    /// Its keys.
    pub keys: Vec<KeyView>,
}

/// Whether a token signs now.
pub fn state(app: &App, token: &Token) -> TokenState {
    if app.sessions().session(&token.id).is_some() {
        TokenState::LoggedIn
    } else if !token.initialized {
        TokenState::NotInitialized
    } else if token.locked {
        TokenState::Locked
    } else {
        TokenState::LoggedOut
    }
}

fn tries_left(app: &App, token: &Token) -> Option<u32> {
    (token.id != TokenId::system()).then(|| app.config().pin_tries.saturating_sub(token.wrong_pins))
}
