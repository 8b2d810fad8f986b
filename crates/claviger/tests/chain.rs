//! `claviger chain` as people and programs run it, with `openssl verify` as the judge of what it writes.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/workshop.rs"]
mod workshop;

use serde_json::Value;
use workshop::{Workshop, codes, json, said};

fn names(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn a_chain_is_put_in_order_and_openssl_takes_what_is_written() {
    let shop = Workshop::new();
    shop.join(&["root.pem", "leaf.pem", "middle.pem", "leaf.pem"], "all.pem");
    let answer = json(&shop.succeed("chain --json --write fullchain.pem all.pem"));
    assert_eq!(names(&answer["served"]), ["shop.example", "Middle"]);
    assert_eq!((&answer["root"]["name"], &answer["complete"]), (&"Root".into(), &true.into()));
    let codes = codes(&answer);
    assert!(codes.contains(&"chain.reordered") && codes.contains(&"chain.deduplicated"), "{answer}");
    shop.openssl("verify -CAfile root.pem -untrusted fullchain.pem fullchain.pem");
    assert_eq!((shop.text("fullchain.pem").matches("BEGIN").count(), shop.mode("fullchain.pem")), (2, 0o644));
}

#[test]
fn people_read_what_was_done_and_why() {
    let shop = Workshop::new();
    let page = said(&shop.succeed("chain root.pem middle.pem leaf.pem leaf.key"));
    for sentence in [
        "shop.example: the chain reaches a root",
        "└─ issued by Middle (an intermediate, sent after it)",
        "└─ issued by Root (the root, which clients have: not sent)",
        "shop.example is the leaf: the private key that was given is its key.",
        "Middle issued shop.example: name, key identifier and signature fit.",
        "Root issued itself: it is the root.",
        "The first of them to end is shop.example, on ",
        "Checked as RFC 5280 prescribes: who trusts Root accepts it.",
    ] {
        assert!(page.contains(sentence), "{sentence}\n{page}");
    }
}

#[test]
fn a_chain_with_a_key_that_everybody_has_is_not_written() {
    let shop = Workshop::new();
    let key_id = |name: &str| {
        let answer = json(&shop.succeed(&format!("inspect --json {name}")));
        answer["items"][0]["key_id"].as_str().unwrap().to_owned()
    };
    for known in ["leaf.pem", "middle.pem", "root.pem"] {
        shop.write("list.txt", key_id(known));
        let files = "--write fullchain.pem --blocklist list.txt leaf.pem middle.pem root.pem";
        let output = shop.claviger(&format!("chain --json {files}"));
        let answer = json(&output);
        assert_eq!((output.status.code(), codes(&answer)), (Some(1), vec!["key.weak.blocklist"]), "{answer}");
        assert!(!shop.path("fullchain.pem").exists());
    }
    shop.write("list.txt", "00".repeat(32));
    shop.succeed("chain --blocklist list.txt --write fullchain.pem leaf.pem middle.pem root.pem");
}

#[test]
fn what_is_left_out_is_left_out_for_a_reason() {
    let shop = Workshop::new();
    // Another CA with the intermediate's name, another leaf, and a CA that has nothing to do with it.
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    shop.openssl(&format!("req -new {ec} -keyout impostor.key -out impostor.csr -subj /CN=Middle"));
    shop.certify("impostor", "root", 400, "ca.ext");
    shop.openssl(&format!("req -new {ec} -keyout other.key -out other.csr -subj /CN=other.example"));
    shop.certify("other", "middle", 90, "leaf.ext");
    shop.openssl(&format!("req -x509 {ec} -keyout far.key -out far.pem -days 90 -subj /CN=Far"));
    let files = "leaf.pem middle.pem root.pem impostor.pem other.pem far.pem";
    let answer = json(&shop.succeed(&format!("chain --json {files}")));
    let mut strangers = names(&answer["unrelated"]);
    strangers.sort_unstable();
    assert_eq!(strangers, ["Far", "Middle", "other.example"]);
    let explanation = answer["explanation"].to_string();
    for reason in [
        "other.example was left out: it is no CA",
        "Far was left out: it issued nothing in this chain",
        "Middle was left out: it has the name of the issuer of shop.example, and another key identifier than is named there",
    ] {
        assert!(explanation.contains(reason), "{reason}: {explanation}");
    }
}

#[test]
fn of_two_leaves_of_one_key_the_later_one_leads_and_that_is_said() {
    let shop = Workshop::new();
    shop.openssl(
        "x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -days 30 -out short.pem -extfile leaf.ext",
    );
    let page = said(&shop.succeed("chain short.pem leaf.pem middle.pem root.pem --write full.pem"));
    assert!(page.contains("was left out: the leaf has the same name and key, and ends later."), "{page}");
    assert!(!page.contains("better way"), "{page}");
    assert!(shop.text("full.pem").starts_with(&shop.text("leaf.pem")));
}

#[test]
fn who_cannot_be_asked_for_the_missing_issuer_is_told() {
    let shop = Workshop::new();
    let answer = json(&shop.succeed("chain --json --fetch leaf.pem"));
    assert!(codes(&answer).contains(&"chain.no_address"), "{answer}");
    // Above an intermediate is mostly the root, which clients have.
    let answer = json(&shop.succeed("chain --json --fetch leaf.pem middle.pem"));
    assert!(!codes(&answer).contains(&"chain.no_address"), "{answer}");
    assert!(answer["explanation"].to_string().contains("Above Middle, nothing was fetched"), "{answer}");
}

#[test]
fn the_certificate_of_the_key_leads() {
    let shop = Workshop::new();
    let answer = json(&shop.succeed("chain --json leaf.pem middle.pem root.pem middle.key"));
    assert_eq!(names(&answer["served"]), ["Middle"]);
}

#[test]
fn a_key_of_another_certificate_is_an_error_and_nothing_is_written() {
    let shop = Workshop::new();
    let output = shop.claviger("chain --json leaf.pem middle.key root.pem --write new.pem");
    let answer = json(&output);
    assert!(codes(&answer).contains(&"key.mismatch"), "{answer}");
    assert_eq!((output.status.code(), shop.path("new.pem").exists()), (Some(1), false));
    shop.succeed("chain leaf.pem leaf.key middle.pem root.pem");
}

#[test]
fn the_root_goes_along_when_it_is_asked_for() {
    let shop = Workshop::new();
    let page = said(&shop.succeed("chain leaf.pem middle.pem root.pem --write all.pem --root"));
    assert!(page.contains("To all.pem: shop.example, Middle, Root."), "{page}");
    let expected: String =
        ["leaf.pem", "middle.pem", "root.pem"].iter().map(|name| shop.text(name)).collect();
    assert_eq!(shop.text("all.pem"), expected);
    shop.refuse(2, "chain leaf.pem --root", "--write");
}

#[test]
fn nothing_is_written_over_unasked_and_nothing_with_an_error() {
    let shop = Workshop::new();
    shop.write("kept.pem", "mine");
    shop.refuse(1, "chain leaf.pem middle.pem root.pem --write kept.pem", "--force");
    assert_eq!(shop.text("kept.pem"), "mine");
    // In ten years everything has ended.
    let late = shop.claviger("chain leaf.pem middle.pem root.pem --write late.pem --at 2046-01-01T00:00:00Z");
    assert_eq!(late.status.code(), Some(1));
    assert!(said(&late).contains("Nothing was written to late.pem") && !shop.path("late.pem").exists());
    shop.succeed("chain leaf.pem middle.pem root.pem --write kept.pem --force");
    assert!(shop.text("kept.pem").starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn to_standard_output_goes_the_chain_alone() {
    let shop = Workshop::new();
    let output = shop.succeed("chain middle.pem leaf.pem --write -");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shop.text("leaf.pem") + &shop.text("middle.pem"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Middle issued shop.example"));
}

#[test]
fn a_gap_names_the_missing_issuer() {
    let shop = Workshop::new();
    let output = shop.claviger("chain --json leaf.pem");
    let answer = json(&output);
    assert_eq!(answer["complete"], false);
    let finding = &answer["findings"][0];
    assert_eq!(finding["code"], "chain.incomplete", "{answer}");
    assert!(finding["what"].as_str().unwrap().contains("CN=Middle"), "{answer}");
    assert_eq!(output.status.code(), Some(i32::from(finding["severity"] == "error")));
}

#[test]
fn a_file_that_is_refused_is_named_and_costs_only_itself() {
    let shop = Workshop::new();
    shop.write("broken.pem", "-----BEGIN CERTIFICATE-----\nMAAA\n");
    let output = shop.claviger("chain --json leaf.pem broken.pem middle.pem root.pem");
    let answer = json(&output);
    assert_eq!(output.status.code(), Some(1), "{answer}");
    assert_eq!(
        (&answer["findings"][0]["code"], &answer["complete"]),
        (&"pem.truncated".into(), &true.into())
    );
    assert!(answer["findings"][0]["where"].as_str().unwrap().starts_with("broken.pem"), "{answer}");
    shop.write("none.pem", shop.text("leaf.key"));
    assert_eq!(codes(&json(&shop.claviger("chain --json none.pem"))), ["chain.nothing"]);
    shop.refuse(2, "chain no-such-file", "there is no file no-such-file");
}

#[test]
fn what_the_ca_revoked_or_may_not_issue_is_an_error_and_not_written() {
    let shop = Workshop::new();
    shop.revoke_leaf("middle.crl");
    let files = "leaf.pem middle.pem root.pem";
    let output = shop.claviger(&format!("chain --json {files} middle.crl --write new.pem"));
    let answer = json(&output);
    assert_eq!((codes(&answer), output.status.code()), (vec!["cert.revoked"], Some(1)), "{answer}");
    assert!(!shop.path("new.pem").exists());
    // A root that allows no CA below its own.
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let short = "-addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign";
    shop.openssl(&format!("req -x509 {ec} -keyout root.key -out root.pem -days 900 -subj /CN=Root {short}"));
    shop.certify("middle", "root", 400, "ca.ext");
    let output = shop.claviger(&format!("chain --json {files}"));
    let told = vec!["chain.client_cannot_build", "chain.path_length"];
    assert_eq!((codes(&json(&output)), output.status.code()), (told, Some(1)));
}
