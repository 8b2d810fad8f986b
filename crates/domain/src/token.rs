//! Tokens: what holds private keys and signs with them.

use crate::clock::Moment;
use crate::id::TokenId;
use crate::names;

names! {
    /// What a token is made of.
    TokenKind {
        /// Sealed rows in our store.
        Software "software",
        /// A PKCS#11 module.
        Pkcs11 "pkcs11",
    }
}

names! {
    /// Whether a token signs now.
    TokenState {
        /// It has a PIN and nobody has entered it.
        LoggedOut "logged_out",
        /// It signs.
        LoggedIn "logged_in",
        /// Too many wrong PINs; an officer must unlock it.
        Locked "locked",
        /// The module or hardware does not answer.
        Unavailable "unavailable",
        /// It has no PIN yet.
        NotInitialized "not_initialized",
    }
}

names! {
    /// What opens a key slot.
    SlotKind {
        /// A PIN together with the instance key.
        Pin "pin",
        /// The instance key alone.
        Instance "instance",
    }
}

/// A token as the store knows it; whether it is logged in, only the process that holds its data key knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `0`, `system`, or a configured one.
    pub id: TokenId,
    /// What it is made of.
    pub kind: TokenKind,
    /// The friendly name.
    pub label: String,
    /// Whether it has a key slot, so whether its PIN was set.
    pub initialized: bool,
    /// Wrong PINs since the last right one; written before each check.
    pub wrong_pins: u32,
    /// When the last wrong PIN came.
    pub last_wrong: Option<Moment>,
    /// Whether it waits for an officer.
    pub locked: bool,
}

/// One way to a token's data key, as LUKS has slots: the data key sealed with what opens the slot.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySlot {
    /// Whose data key.
    pub token: TokenId,
    /// What opens it.
    pub kind: SlotKind,
    /// Salt of the derivation.
    pub salt: Vec<u8>,
    /// Parameters of the derivation, `m=65536,t=3,p=1` for a PIN, empty for the instance key.
    pub parameters: String,
    /// The data key, sealed.
    pub sealed: Vec<u8>,
}
