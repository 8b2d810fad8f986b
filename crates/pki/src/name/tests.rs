use super::attribute::ROWS;
use super::*;

fn name(parts: &[(&str, &str)]) -> Result<DistinguishedName, Refusal> {
    let part = |(kind, value): &(&str, &str)| Attribute::new(kind.parse().unwrap(), *value);
    DistinguishedName::from_attributes(parts.iter().map(part).collect())
}

fn code(parts: &[(&str, &str)]) -> &'static str {
    name(parts).unwrap_err().code
}

#[test]
fn every_kind_has_its_own_row() {
    for row in &ROWS {
        assert_eq!(row.short.to_lowercase().parse(), Ok(row.kind.clone()));
        assert_eq!(row.long.parse(), Ok(row.kind.clone()));
        assert_eq!(row.oid.parse(), Ok(row.kind.clone()));
        assert_eq!(row.kind.oid(), row.oid);
    }
    assert_eq!("OID.1.2.3".parse(), Ok(AttributeType::Other("1.2.3".into())));
    assert_eq!("X".parse::<AttributeType>().unwrap_err().code, "name.attribute");
}

#[test]
fn values_come_out_exactly_as_typed() {
    let typed = [
        ("C", "FI"),
        ("O", r#"Acme, "Inc." + Söhne \ <x>; #1=2"#),
        ("2.5.4.97", "VATFI-1"),
        ("1.2.3.4", " ö "),
        ("serialNumber", "DEV/ss1/GOV"),
        ("emailAddress", "a@b.example"),
        ("CN", "名前"),
    ];
    let built = name(&typed).unwrap();
    let read = DistinguishedName::from_der(built.der()).unwrap();
    assert_eq!(read, built);
    let values: Vec<&str> = read.attributes().map(|attribute| attribute.value.as_str()).collect();
    assert_eq!(values, typed.map(|(_, value)| value));
    assert_eq!(read.common_name(), Some("名前"));
}

#[test]
fn shows_the_most_specific_first_and_quotes_like_the_jdk() {
    let built = name(&[("C", "FI"), ("O", "Acme, Inc."), ("OU", ""), ("CN", "leaf")]).unwrap();
    assert_eq!(built.to_string(), r#"CN=leaf, O="Acme, Inc.", C=FI"#);
    assert_eq!(name(&[("O", r#"a"\b"#)]).unwrap().to_string(), r#"O="a\"\\b""#);
    assert_eq!(name(&[("O", " a")]).unwrap().to_string(), r#"O=" a""#);
    assert_eq!(name(&[("1.2.3", "x")]).unwrap().to_string(), "1.2.3=x");
    assert_eq!(name(&[("O", "evil\u{202e}gpj")]).unwrap().to_string(), r"O=evil\u{202e}gpj");
}

#[test]
fn refuses_what_no_certificate_may_carry() {
    assert_eq!(code(&[("C", "FIN")]), "name.country");
    assert_eq!(name(&[("C", "fi")]).unwrap_err().repair, "Write FI.");
    assert_eq!(code(&[("CN", &"x".repeat(65))]), "name.too_long");
    assert!(name(&[("CN", &"ö".repeat(64))]).is_ok());
    assert_eq!(code(&[("CN", "a\0b")]), "name.control_char");
    assert_eq!(code(&[("serialNumber", "A_B")]), "name.not_printable");
    assert_eq!(code(&[("DC", "ö")]), "name.not_ascii");
    let other = Attribute::new(AttributeType::Other("nonsense".into()), "x");
    assert_eq!(DistinguishedName::from_attributes(vec![other]).unwrap_err().code, "name.attribute");
}

#[test]
fn an_other_with_a_known_identifier_is_the_known_kind() {
    let other = Attribute::new(AttributeType::Other("2.5.4.6".into()), "Finland");
    assert_eq!(DistinguishedName::from_attributes(vec![other]).unwrap_err().code, "name.country");
}

#[test]
fn reads_old_string_types_and_several_attributes_at_once() {
    let attribute = |oid: &str, tag, value: &[u8]| {
        let oid = tlv::oid(&tlv::oid_from_dotted(oid).unwrap());
        tlv::sequence(&[&oid, &tlv::tlv(tag, &[value])])
    };
    let bmp = attribute("2.5.4.3", tag::BMP_STRING, &[0, b'B', 0x20, 0xac]);
    let latin = attribute("2.5.4.10", tag::TELETEX_STRING, &[b'K', 0xe4]);
    let wide = attribute("2.5.4.11", tag::UNIVERSAL_STRING, &[0, 1, 0xf6, 0]);
    let number = attribute("1.2.3.4", tag::INTEGER, &[5]);
    let der = tlv::sequence(&[&tlv::tlv(tag::SET, &[&bmp, &latin]), &tlv::tlv(tag::SET, &[&wide]), &{
        tlv::tlv(tag::SET, &[&number])
    }]);
    let read = DistinguishedName::from_der(&der).unwrap();
    assert_eq!(read.to_string(), "1.2.3.4=#020105, OU=😀, CN=B€ + O=Kä");
    assert_eq!(read.der(), der);
}

#[test]
fn control_characters_are_found_and_shown_inert() {
    let value = tlv::tlv(tag::UTF8_STRING, &[b"a\0\x1b[31m"]);
    let cn = tlv::sequence(&[&tlv::oid(&tlv::oid_from_dotted("2.5.4.3").unwrap()), &value]);
    let read = DistinguishedName::from_der(&tlv::sequence(&[&tlv::tlv(tag::SET, &[&cn])])).unwrap();
    assert!(read.has_control_characters());
    assert_eq!(read.to_string(), r"CN=a\u{0}\u{1b}[31m");
    assert!(!name(&[("CN", "a")]).unwrap().has_control_characters());
}

#[test]
fn an_empty_name_is_an_empty_sequence() {
    let empty = DistinguishedName::from_attributes(Vec::new()).unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.der(), [0x30, 0]);
    assert_eq!(DistinguishedName::from_der(&[0x30, 0]).unwrap(), empty);
    assert!(DistinguishedName::from_der(&[0x30, 0, 0]).is_err());
}
