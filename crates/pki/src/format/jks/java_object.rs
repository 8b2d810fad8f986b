//! Skips a symmetric key in a JCEKS store: a serialised Java object (Java Object Serialization Specification, 6.4)
//! that stands there without its length.
//!
//! Nothing of it is looked at or made. It knows just what `SealedObject` and its heirs consist of: classes without
//! code of their own for writing, with fields that are numbers, strings and arrays of octets.

use super::store::{Cursor, malformed};
use crate::Refusal;

const STREAM_HEADER: [u8; 4] = [0xac, 0xed, 0, 5];
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const END_OF_ANNOTATIONS: u8 = 0x78;
/// Serialisable, field by field.
const PLAIN_FIELDS: u8 = 2;
/// Classes above each other, at most; SealedObjectForKeyProtector has one above it.
const MAX_CLASSES: usize = 4;
/// Fields of one class, at most; SealedObject has four.
const MAX_FIELDS: u16 = 16;

/// Skips one object. Refuses `jks.malformed`: it is not the kind of object that a key store holds.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
    if cursor.take(STREAM_HEADER.len())? != STREAM_HEADER {
        return Err(strange());
    }
    expect(cursor, OBJECT)?;
    let mut classes = Vec::new();
    loop {
        match cursor.octet()? {
            NULL => break,
            CLASS if classes.len() < MAX_CLASSES => classes.push(class_fields(cursor)?),
            _ => return Err(strange()),
        }
    }
    // The values of the class above come first.
    for kind in classes.into_iter().rev().flatten() {
        skip_value(cursor, kind)?;
    }
    Ok(())
}

/// A class description after its tag, up to the class above it: the kinds of its fields.
fn class_fields(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Refusal> {
    cursor.short_block()?;
    // Its serial version.
    cursor.take(8)?;
    expect(cursor, PLAIN_FIELDS)?;
    let count = cursor.short()?;
    if count > MAX_FIELDS {
        return Err(strange());
    }
    let mut kinds = Vec::new();
    for _ in 0..count {
        let kind = cursor.octet()?;
        cursor.short_block()?;
        if matches!(kind, b'L' | b'[') {
            skip_reference_or_string(cursor)?;
        }
        kinds.push(kind);
    }
    expect(cursor, END_OF_ANNOTATIONS)?;
    Ok(kinds)
}

/// The name of a field's type.
fn skip_reference_or_string(cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
    match cursor.octet()? {
        STRING => cursor.short_block().map(drop),
        REFERENCE => cursor.take(4).map(drop),
        _ => Err(strange()),
    }
}

fn skip_value(cursor: &mut Cursor<'_>, kind: u8) -> Result<(), Refusal> {
    let octets = match kind {
        b'B' | b'Z' => 1,
        b'C' | b'S' => 2,
        b'F' | b'I' => 4,
        b'D' | b'J' => 8,
        b'L' | b'[' => return skip_object_value(cursor),
        _ => return Err(strange()),
    };
    cursor.take(octets).map(drop)
}

fn skip_object_value(cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
    match cursor.octet()? {
        NULL => Ok(()),
        REFERENCE => cursor.take(4).map(drop),
        STRING => cursor.short_block().map(drop),
        ARRAY => {
            skip_array_class(cursor)?;
            cursor.block().map(drop)
        }
        _ => Err(strange()),
    }
}

/// Only arrays of octets; later ones refer to the class of the first.
fn skip_array_class(cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
    match cursor.octet()? {
        REFERENCE => cursor.take(4).map(drop),
        CLASS => {
            if cursor.short_block()? != b"[B" {
                return Err(strange());
            }
            cursor.take(8)?;
            expect(cursor, PLAIN_FIELDS)?;
            if cursor.short()? != 0 {
                return Err(strange());
            }
            expect(cursor, END_OF_ANNOTATIONS)?;
            expect(cursor, NULL)
        }
        _ => Err(strange()),
    }
}

fn expect(cursor: &mut Cursor<'_>, octet: u8) -> Result<(), Refusal> {
    if cursor.octet()? == octet { Ok(()) } else { Err(strange()) }
}

fn strange() -> Refusal {
    malformed("a secret key is stored in a way that is not understood here".to_owned())
}
