//! Key slots: ways to a token's data key, as LUKS has them. A PIN change replaces one slot, never a key.
//!
//! A PIN slot needs both the PIN (Argon2id) and the instance key (HKDF), so that a stolen database alone cannot be
//! searched for PINs. Deriving takes about 0.2 s of a core and 64 MiB: callers limit how many run at once.

use argon2::{Algorithm, Argon2, Params, Version};
use domain::Random;
use domain::clock::random_bytes;
use domain::id::TokenId;
use domain::token::{KeySlot, SlotKind};
use pki::seal::{self, SealKey};
use zeroize::Zeroizing;

use super::data_key::DataKey;
use crate::instance_key::{InstanceKey, label};

/// Memory in KiB, passes and lanes for new PIN slots (RFC 9106; more lanes were no faster).
const NEW: Cost = Cost { memory: 65_536, passes: 3, lanes: 1 };
/// The most that a stored slot may ask for: a changed row must not stop the server.
const MOST: Cost = Cost { memory: 262_144, passes: 10, lanes: 4 };

/// What a slot is opened with.
#[derive(Clone, Copy)]
pub enum Opener<'a> {
    /// A person's PIN, together with the instance key.
    Pin(&'a str),
    /// The instance key alone.
    Instance,
}

/// Why a slot did not open, or was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The PIN is wrong, or the slot was made with another instance key: nobody can tell which.
    #[error("the PIN is wrong")]
    WrongPin,
    /// The slot was made with another instance key, or was changed.
    #[error("the key slot does not open with the instance key of this server")]
    WrongInstanceKey,
    /// A PIN was given for an instance slot, or none for a PIN slot.
    #[error("the key slot is not opened like this")]
    OtherKind,
    /// The stored parameters are not ours.
    #[error("the parameters of the key slot are damaged")]
    Damaged,
    /// There was not enough memory to derive a key from the PIN.
    #[error("there is not enough memory to derive a key from the PIN")]
    OutOfMemory,
}

/// Makes the slot that the PIN opens together with the instance key. Takes about 0.2 s.
///
/// # Errors
/// [`SlotError::OutOfMemory`].
pub fn pin_slot(
    token: &TokenId,
    data_key: &DataKey,
    pin: &str,
    instance: &InstanceKey,
    random: &dyn Random,
) -> Result<KeySlot, SlotError> {
    let mut slot = empty(token, SlotKind::Pin, NEW.to_text(), random);
    let key = pin_key(&slot, NEW, pin, instance)?;
    slot.sealed = seal::seal(&key, random_bytes(random), &place(&slot), data_key.key().bytes());
    Ok(slot)
}

/// Makes the slot that the instance key opens by itself.
pub fn instance_slot(
    token: &TokenId,
    data_key: &DataKey,
    instance: &InstanceKey,
    random: &dyn Random,
) -> KeySlot {
    let mut slot = empty(token, SlotKind::Instance, String::new(), random);
    let key = instance_slot_key(&slot, instance);
    slot.sealed = seal::seal(&key, random_bytes(random), &place(&slot), data_key.key().bytes());
    slot
}

/// Opens a slot. With a PIN it takes about 0.2 s, whether the PIN is right or not.
///
/// # Errors
/// [`SlotError::WrongPin`] and [`SlotError::WrongInstanceKey`] when it does not open; the others before trying.
pub fn open(slot: &KeySlot, opener: Opener<'_>, instance: &InstanceKey) -> Result<DataKey, SlotError> {
    let (key, closed) = match (opener, slot.kind) {
        (Opener::Pin(pin), SlotKind::Pin) => {
            let cost = Cost::parse(&slot.parameters).ok_or(SlotError::Damaged)?;
            (pin_key(slot, cost, pin, instance)?, SlotError::WrongPin)
        }
        (Opener::Instance, SlotKind::Instance) => {
            (instance_slot_key(slot, instance), SlotError::WrongInstanceKey)
        }
        (Opener::Pin(_), SlotKind::Instance) | (Opener::Instance, SlotKind::Pin) => {
            return Err(SlotError::OtherKind);
        }
    };
    let plain = seal::open(&key, &place(slot), &slot.sealed).map_err(|_| closed)?;
    let bytes = plain.first_chunk::<32>().filter(|_| plain.len() == 32).ok_or(SlotError::Damaged)?;
    Ok(DataKey::from_bytes(bytes))
}

fn empty(token: &TokenId, kind: SlotKind, parameters: String, random: &dyn Random) -> KeySlot {
    let salt = random_bytes::<32>(random).to_vec();
    KeySlot { token: token.clone(), kind, salt, parameters, sealed: Vec::new() }
}

/// Where the sealed data key belongs. The salt need not be bound: another one derives another key.
fn place(slot: &KeySlot) -> Vec<u8> {
    let extra = format!("{} {}", slot.kind, slot.parameters);
    seal::associated("key_slot", slot.token.as_str(), "sealed", 1, &extra)
}

/// HKDF over Argon2id(PIN, salt) and the token's pepper (SECURITY.md 3.3).
fn pin_key(slot: &KeySlot, cost: Cost, pin: &str, instance: &InstanceKey) -> Result<SealKey, SlotError> {
    let parameters =
        Params::new(cost.memory, cost.passes, cost.lanes, Some(32)).map_err(|_| SlotError::Damaged)?;
    let mut both = Zeroizing::new([0; 64]);
    let (derived, pepper) = both.split_at_mut(32);
    let stretched = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters).hash_password_into(
        pin.as_bytes(),
        &slot.salt,
        derived,
    );
    stretched.map_err(|error| match error {
        argon2::Error::OutOfMemory => SlotError::OutOfMemory,
        _ => SlotError::Damaged,
    })?;
    pepper.copy_from_slice(instance.derive(&of_token(label::TOKEN_PEPPER, slot)).as_slice());
    Ok(SealKey::derive(both.as_slice(), &[], "pin-slot"))
}

fn instance_slot_key(slot: &KeySlot, instance: &InstanceKey) -> SealKey {
    let key = instance.derive(&of_token(label::INSTANCE_SLOT, slot));
    SealKey::derive(key.as_slice(), &slot.salt, label::INSTANCE_SLOT)
}

/// Ids hold no colon, so no two tokens share a label.
fn of_token(label: &str, slot: &KeySlot) -> String {
    format!("{label}:{}", slot.token)
}

/// What Argon2id costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    fn to_text(self) -> String {
        format!("m={},t={},p={}", self.memory, self.passes, self.lanes)
    }

    /// Reads what [`Cost::to_text`] writes, within [`MOST`].
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut next = |name: &str, most: u32| {
            let digits = parts.next()?.strip_prefix(name)?;
            let number = digits.parse::<u32>().ok()?;
            (1..=most).contains(&number).then_some(number)
        };
        let memory = next("m=", MOST.memory)?;
        let passes = next("t=", MOST.passes)?;
        let lanes = next("p=", MOST.lanes)?;
        parts.next().is_none().then_some(Self { memory, passes, lanes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::software::testing::Counting;

    const PIN: &str = "Secret-1234";

    fn instance(seed: u8) -> InstanceKey {
        InstanceKey::from_bytes([seed; 32])
    }

    /// A data key cannot be printed; tests compare its bytes.
    fn bytes(opened: Result<DataKey, SlotError>) -> Result<[u8; 32], SlotError> {
        opened.map(|key| *key.key().bytes())
    }

    #[test]
    fn a_pin_slot_needs_the_pin_and_the_instance_key() {
        let data_key = DataKey::from_bytes(&[7; 32]);
        let slot = pin_slot(&TokenId::soft(), &data_key, PIN, &instance(1), &Counting::new()).unwrap();
        assert_eq!((slot.kind, slot.parameters.as_str()), (SlotKind::Pin, "m=65536,t=3,p=1"));
        assert_eq!(bytes(open(&slot, Opener::Pin(PIN), &instance(1))), Ok([7; 32]));
        assert_eq!(bytes(open(&slot, Opener::Pin("Secret-1235"), &instance(1))), Err(SlotError::WrongPin));
        assert_eq!(bytes(open(&slot, Opener::Pin(PIN), &instance(2))), Err(SlotError::WrongPin));
        assert_eq!(bytes(open(&slot, Opener::Instance, &instance(1))), Err(SlotError::OtherKind));
        let moved = KeySlot { token: TokenId::system(), ..slot };
        assert_eq!(bytes(open(&moved, Opener::Pin(PIN), &instance(1))), Err(SlotError::WrongPin));
    }

    #[test]
    fn the_data_key_survives_a_change_of_the_pin() {
        let random = Counting::new();
        let before =
            pin_slot(&TokenId::soft(), &DataKey::generate(&random), PIN, &instance(1), &random).unwrap();
        let data_key = open(&before, Opener::Pin(PIN), &instance(1)).unwrap();
        let after = pin_slot(&TokenId::soft(), &data_key, "Other-5678", &instance(1), &random).unwrap();
        assert_ne!((&before.salt, &before.sealed), (&after.salt, &after.sealed));
        assert_eq!(bytes(open(&after, Opener::Pin("Other-5678"), &instance(1))), Ok(*data_key.key().bytes()));
        assert_eq!(bytes(open(&after, Opener::Pin(PIN), &instance(1))), Err(SlotError::WrongPin));
    }

    #[test]
    fn an_instance_slot_opens_with_its_own_instance_key_and_token_only() {
        let data_key = DataKey::from_bytes(&[7; 32]);
        let slot = instance_slot(&TokenId::system(), &data_key, &instance(1), &Counting::new());
        assert_eq!(bytes(open(&slot, Opener::Instance, &instance(1))), Ok([7; 32]));
        assert_eq!(bytes(open(&slot, Opener::Instance, &instance(2))), Err(SlotError::WrongInstanceKey));
        assert_eq!(bytes(open(&slot, Opener::Pin(PIN), &instance(1))), Err(SlotError::OtherKind));
        let moved = KeySlot { token: TokenId::soft(), ..slot.clone() };
        assert_eq!(bytes(open(&moved, Opener::Instance, &instance(1))), Err(SlotError::WrongInstanceKey));
        let cut = KeySlot { sealed: slot.sealed[..20].to_vec(), ..slot };
        assert_eq!(bytes(open(&cut, Opener::Instance, &instance(1))), Err(SlotError::WrongInstanceKey));
    }

    #[test]
    fn costs_beyond_the_limits_are_refused_before_deriving() {
        assert_eq!(Cost::parse(&NEW.to_text()), Some(NEW));
        assert_eq!(Cost::parse(&MOST.to_text()), Some(MOST));
        let data_key = DataKey::from_bytes(&[7; 32]);
        let instance_slot = instance_slot(&TokenId::soft(), &data_key, &instance(1), &Counting::new());
        for parameters in [
            "",
            "m=65536,t=3",
            "m=4294967295,t=3,p=1",
            "m=65536,t=99,p=1",
            "m=65536,t=3,p=1,x=1",
            "m=0,t=3,p=1",
        ] {
            let slot =
                KeySlot { kind: SlotKind::Pin, parameters: parameters.to_owned(), ..instance_slot.clone() };
            let refused = bytes(open(&slot, Opener::Pin(PIN), &instance(1)));
            assert_eq!(refused, Err(SlotError::Damaged), "{parameters}");
        }
    }
}
