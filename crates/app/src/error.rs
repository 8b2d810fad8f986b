//! Why something was not done, sorted by what the caller can do about it.

use domain::Moment;
use domain::id::TokenId;
use domain::permission::NotPermitted;
use pki::{Refusal, SignError};

/// Why something was not done. Nothing was stored, but for the audit event of the refusal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The actor may not do this.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// There is no such object, or the actor may not see it.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Its id as it was asked for.
        id: String,
    },
    /// The input cannot be taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Fields of the input cannot be taken.
    #[error("{} fields need another look", .0.len())]
    Invalid(Vec<(String, Refusal)>),
    /// What is there already, or its state, does not allow it.
    #[error("{}", .0.what)]
    Conflict(Refusal),
    /// Too many wrong tries.
    #[error("{what}")]
    Throttled {
        /// When the next try may come.
        until: Moment,
        /// What was tried.
        what: String,
    },
    /// A token is needed that is logged out or gone.
    #[error("token {token} is not logged in")]
    TokenUnavailable {
        /// Which.
        token: TokenId,
    },
    /// Too much at once.
    #[error("the server is busy")]
    Busy,
    /// Something failed that the caller cannot mend; the cause stands in the log under this id.
    #[error("something failed here; the log says more under {id}")]
    Internal {
        /// The id that the log shows.
        id: String,
    },
}

impl Error {
    /// The stable code of the refusal.
    pub fn code(&self) -> String {
        match self {
            Self::NotPermitted(_) => "forbidden".to_owned(),
            Self::NotFound { kind, .. } => format!("{kind}_not_found"),
            Self::Refused(refusal) | Self::Conflict(refusal) => refusal.code.to_owned(),
            Self::Invalid(_) => "validation_failure".to_owned(),
            Self::Throttled { .. } => "throttled".to_owned(),
            Self::TokenUnavailable { .. } => "token_not_available".to_owned(),
            Self::Busy => "busy".to_owned(),
            Self::Internal { .. } => "internal_error".to_owned(),
        }
    }

    /// An object that is not there.
    pub fn not_found(kind: &'static str, id: impl ToString) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }

    /// A refusal by the state of things.
    pub fn conflict(code: &'static str, what: impl Into<String>, repair: impl Into<String>) -> Self {
        Self::Conflict(Refusal::new(code, what, repair))
    }

    /// Logs a cause that callers must not see, and hides it behind an id.
    pub fn internal(what: &str, cause: &dyn std::fmt::Display) -> Self {
        let mut bytes = [0; 6];
        // Only a label in a log: if the system has no randomness, a constant does as well.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        let id = pki::identity::hex(&bytes);
        tracing::error!(id, %cause, "{what}");
        Self::Internal { id }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Busy => Self::Busy,
            store::Error::Cursor => Self::Refused(Refusal::new(
                "input.query",
                error.to_string(),
                "Send as `after` what the page before says in `next`, or begin anew without it.",
            )),
            passing if passing.is_temporary() => {
                tracing::warn!(cause = %passing, "the store cannot be used at the moment");
                Self::Busy
            }
            other => Self::internal("the store failed", &other),
        }
    }
}

impl From<SignError> for Error {
    fn from(error: SignError) -> Self {
        match error {
            SignError::TokenUnavailable => Self::TokenUnavailable { token: TokenId::of("unknown") },
            SignError::Scheme(_) | SignError::Failed => Self::internal("a signature was not made", &error),
        }
    }
}

impl From<token::TokenError> for Error {
    fn from(error: token::TokenError) -> Self {
        match error {
            token::TokenError::NotExportable { .. } => Self::conflict(
                "key.not_exportable",
                "this private key may not leave its token in this way",
                "Make a new key that may, or leave this one where it is.",
            ),
            token::TokenError::LoggedOut { token } => Self::TokenUnavailable { token },
            other => Self::internal("a token failed", &other),
        }
    }
}

impl From<token::slot::SlotError> for Error {
    fn from(error: token::slot::SlotError) -> Self {
        Self::internal("a key slot failed", &error)
    }
}
