//! One part of a subject as it is typed on the command line.

use pki::name::{Attribute, AttributeType};

/// Reads `TYPE=VALUE`; the value is taken exactly as it stands, commas and quotes too.
pub fn parse(text: &str) -> Result<Attribute, String> {
    let Some((kind, value)) = text.split_once('=') else {
        return Err("write it like CN=shop.example".to_owned());
    };
    let kind: AttributeType =
        kind.parse().map_err(|refusal: pki::Refusal| format!("{}. {}", refusal.what, refusal.repair))?;
    Ok(Attribute::new(kind, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_taken_as_it_stands() {
        let read = parse("O=Acme, \"Inc.\" = us").unwrap();
        assert_eq!((read.kind, read.value.as_str()), (AttributeType::Organization, "Acme, \"Inc.\" = us"));
        assert!(parse("shop.example").is_err() && parse("nothing=x").is_err());
    }
}
