use super::*;
use crate::name::{Attribute, AttributeType};

fn dns(name: &str) -> SubjectAltName {
    SubjectAltName::Dns(name.into())
}

fn parse(text: &str) -> SubjectAltName {
    SubjectAltName::parse(text).unwrap()
}

fn code(text: &str) -> &'static str {
    SubjectAltName::parse(text).err().map_or("accepted", |refusal| refusal.code)
}

fn codes(name: &SubjectAltName) -> Vec<&'static str> {
    name.syntax_findings().iter().map(|finding| finding.code).collect()
}

#[test]
fn the_content_decides_the_kind() {
    assert_eq!(parse(" WWW.Example.org. "), dns("www.example.org"));
    assert_eq!(parse("*.example"), dns("*.example"));
    assert_eq!(parse("localhost"), dns("localhost"));
    assert_eq!(parse("192.0.2.1"), SubjectAltName::Ip("192.0.2.1".parse().unwrap()));
    assert_eq!(parse("[2001:DB8::1]"), SubjectAltName::Ip("2001:db8::1".parse().unwrap()));
    assert_eq!(parse("IP:::1"), SubjectAltName::Ip("::1".parse().unwrap()));
    assert_eq!(parse("Me+x@Example.org"), SubjectAltName::Email("Me+x@example.org".into()));
    for uri in ["https://example.org:8443/a?b=%20#c", "urn:uuid:1", "spiffe://a/b", "mailto:a@b.example"] {
        assert_eq!(parse(uri), SubjectAltName::Uri(uri.into()));
    }
    assert_eq!(parse("https://user@[::1]:1/"), SubjectAltName::Uri("https://user@[::1]:1/".into()));
    assert_eq!(parse("DNS:a.example"), dns("a.example"));
    assert_eq!(parse("uri:urn:x:y"), SubjectAltName::Uri("urn:x:y".into()));
}

#[test]
fn internationalised_names_become_stable_a_labels() {
    assert_eq!(parse("Bücher.example"), dns("xn--bcher-kva.example"));
    assert_eq!(parse("*.XN--BCHER-KVA.example"), dns("*.xn--bcher-kva.example"));
    assert_eq!(parse("a@bücher.example"), SubjectAltName::Email("a@xn--bcher-kva.example".into()));
    assert_eq!(dns("xn--bcher-kva.example").unicode().as_deref(), Some("bücher.example"));
    assert_eq!(dns("a.example").unicode(), None);
    for bad in ["xn--example-.com", "xn--.com", "xn--a.com", "xn--zzzzzzz99999.com"] {
        assert_eq!(code(bad), "san.idna", "{bad}");
        assert_eq!(dns(bad).idna_refusal().unwrap().code, "san.idna", "{bad}");
    }
    assert_eq!(dns("xn--bcher-kva.example").idna_refusal(), None);
}

#[test]
fn refuses_what_no_client_would_match() {
    for bad in ["*", "*.", "*.*", "f*o.example", "a.*.example", "*x.example"] {
        assert_eq!(code(bad), "san.wildcard", "{bad}");
    }
    let long_label = "a".repeat(64);
    let long_name = ["a".repeat(60).as_str(); 5].join(".");
    let bad =
        ["", ".", "a..b", "a_b.example", "-a.example", "a-.example", "a b", "1.2.3", "256.1.1.1", "a\0b"];
    for bad in bad.into_iter().chain([long_label.as_str(), &long_name, "host.example:443"]) {
        assert_eq!(code(bad), "san.syntax", "{bad}");
    }
    let more =
        ["https//x", "https:/x", "https://", "http://a b/", "https://h/%2", "https://h:x/", "@b.example"];
    for bad in more.into_iter().chain(["a@", "a@*.b", "ö@b.example", "fe80::1%eth0", "ip:a", "https://ü.de/"])
    {
        assert_eq!(code(bad), "san.syntax", "{bad}");
    }
    assert!(SubjectAltName::parse("https//x").unwrap_err().repair.contains("https://"));
}

#[test]
fn a_list_keeps_its_order_and_says_every_bad_line() {
    let list = SubjectAltName::parse_list("b.example, a.example\n\nB.example\n::1").unwrap();
    assert_eq!(list, [dns("b.example"), dns("a.example"), parse("::1")]);
    let refusals = SubjectAltName::parse_list("ok.example\na_b\n\n*").unwrap_err();
    let found: Vec<_> = refusals.iter().map(|(line, refusal)| (*line, refusal.code)).collect();
    assert_eq!(found, [(2, "san.syntax"), (4, "san.wildcard")]);
    let many: Vec<String> = (0..101).map(|i| format!("h{i}.example")).collect();
    assert_eq!(SubjectAltName::parse_list(&many[..100].join("\n")).unwrap().len(), 100);
    assert_eq!(SubjectAltName::parse_list(&many.join("\n")).unwrap_err()[0].1.code, "limit.san_count");
}

#[test]
fn matches_one_label_and_nothing_odd() {
    assert!(dns("a.example").matches_host("A.example."));
    assert!(dns("*.example").matches_host("a.example"));
    for host in ["example", "a.b.example", ".example", "", "."] {
        assert!(!dns("*.example").matches_host(host), "{host}");
    }
    for odd in ["*", "*.*", "a*.example", "a.example\0.evil.example", "*."] {
        assert!(!dns(odd).matches_host("a.example"), "{odd}");
        assert!(!dns(odd).matches_host(odd), "{odd}");
    }
    assert!(parse("::1").matches_host("[::1]"));
    assert!(!dns("192.0.2.1").matches_host("192.0.2.2"));
    assert!(!parse("a@b.example").matches_host("b.example"));
}

#[test]
fn says_what_is_odd_about_names_of_others() {
    assert_eq!(codes(&dns("a..b")), ["san.syntax"]);
    assert_eq!(codes(&dns("")), ["san.syntax"]);
    assert_eq!(codes(&dns("a_b.example")), ["san.syntax"]);
    assert_eq!(codes(&dns("*.*")), ["san.wildcard"]);
    assert_eq!(codes(&dns("f*o")), ["san.wildcard"]);
    assert_eq!(codes(&dns("*.")), ["san.wildcard"]);
    assert_eq!(codes(&dns("*.com")), ["san.wildcard"]);
    assert_eq!(codes(&dns("*.example.com")), [""; 0]);
    for odd in ["a.example.", "10.0.0.1", "a b.example", "-a.example", "ü.example"] {
        assert_eq!(codes(&dns(odd)), ["san.syntax"], "{odd}");
    }
    assert_eq!(codes(&dns("a\0.example")), ["name.control_char"]);
    // "аpple" with a Cyrillic first letter.
    let homograph = dns("xn--pple-43d.com");
    assert_eq!(homograph.unicode().as_deref(), Some("\u{430}pple.com"));
    assert_eq!(codes(&homograph), ["san.mixed_script"]);
    assert!(homograph.syntax_findings()[0].what.contains("\u{430}pple.com"));
    assert_eq!(homograph.syntax_findings()[0].place, "xn--pple-43d.com");
    // "apple", wholly Cyrillic.
    assert_eq!(codes(&dns("xn--80ak6aa92e.com")), ["san.mixed_script"]);
    assert!(codes(&dns("*.xn--bcher-kva.example")).is_empty());
    assert_eq!(dns("a\u{1b}\u{202e}").to_string(), r"a\u{1b}\u{202e}");
}

#[test]
fn general_names_go_there_and_back() {
    let directory = tlv::tlv(tag::constructed(4), &[&[0x30, 0]]);
    let names = [
        dns("*.example"),
        parse("192.0.2.1"),
        parse("2001:db8::1"),
        parse("a@b.example"),
        parse("https://a.example/"),
        SubjectAltName::Other { kind: "directoryName", der: directory },
        SubjectAltName::Other { kind: "iPAddress", der: vec![0x87, 1, 5] },
    ];
    let der = write_general_names(&names).unwrap();
    assert_eq!(read_general_names(&der).unwrap(), names);
    assert_eq!(write_general_names(&[dns("ü")]), None);
    let many = vec![dns("a"); 101];
    let refusal = read_general_names(&write_general_names(&many).unwrap()).unwrap_err();
    assert_eq!(refusal.code, "limit.san_count");
}

#[test]
fn a_common_name_that_is_a_host_comes_first() {
    let subject = |cn: &str| {
        DistinguishedName::from_attributes(vec![Attribute::new(AttributeType::CommonName, cn)]).unwrap()
    };
    let names = vec![dns("a.example"), dns("b.example")];
    let (all, added) = with_common_name(&subject("C.example"), names.clone());
    assert_eq!(all, [dns("c.example"), dns("a.example"), dns("b.example")]);
    assert_eq!(added, Some(dns("c.example")));
    let (all, added) = with_common_name(&subject("b.example"), names.clone());
    assert_eq!((all, added), (vec![dns("b.example"), dns("a.example")], None));
    for person in ["Jane Doe", "localhost", "Acme 2.0", "v1.2"] {
        assert_eq!(with_common_name(&subject(person), names.clone()), (names.clone(), None), "{person}");
    }
    assert_eq!(host_name("192.0.2.1"), Some(parse("192.0.2.1")));
    assert_eq!(host_name("*.example.org"), Some(dns("*.example.org")));
}
