//! One builder of chains for everybody: what a preview shows, what a certificate's page says, what `claviger chain` finds
//! and what the edge sends is the same chain, and what is wrong with it is said in the same words.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

#[path = "common/cli.rs"]
#[expect(dead_code, reason = "shared with other stories, which need all of it")]
mod cli;
mod common;
#[path = "common/workshop.rs"]
mod workshop;

use std::collections::BTreeSet;

use cli::Cli;
use common::{Place, Server, shown_chain, wait_for};
use serde_json::Value;
use workshop::{Workshop, json};

/// What everybody says of one chain.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    /// The names of what is served, the leaf first.
    served: Vec<String>,
    /// The name of the root, if there is one.
    root: Option<String>,
    /// Every finding about the chain, as it is told.
    findings: BTreeSet<String>,
}

fn findings(value: &Value) -> BTreeSet<String> {
    let all = value["findings"].as_array().unwrap().iter();
    let code = |finding: &&Value| finding["code"].as_str().unwrap().starts_with("chain.");
    // Of the whole file: its order.
    all.filter(code)
        .filter(|one| one["code"] != "chain.unrelated" && one["code"] != "chain.reordered")
        .map(Value::to_string)
        .collect()
}

fn named(hash: &str, names: &[(String, &'static str)]) -> String {
    names.iter().find(|(known, _)| known == hash).map(|(_, name)| (*name).to_owned()).unwrap_or_default()
}

/// What the API says of a certificate, previewed or stored.
fn of_api(value: &Value, names: &[(String, &'static str)]) -> Said {
    let hash = |link: &Value| named(link["hash"].as_str().unwrap_or_default(), names);
    Said {
        served: value["chain"].as_array().unwrap().iter().map(hash).collect(),
        root: value.get("root").map(hash),
        findings: findings(value),
    }
}

/// A workshop with a second root that issued the same intermediate: `cross.pem`, which looks the better one, for it ends
/// later, and was issued with these extensions or by such a root.
fn crossed(root_extensions: &str, cross_extensions: &str) -> Workshop {
    let shop = Workshop::new();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    shop.openssl(&format!(
        "req -x509 {ec} -keyout other.key -out other.pem -days 3660 -subj /CN=Other -addext keyUsage=critical,keyCertSign{root_extensions}"
    ));
    let usages = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    shop.write("cross.ext", format!("{usages}{cross_extensions}"));
    shop.openssl(
        "x509 -req -in middle.csr -CA other.pem -CAkey other.key -days 500 -out cross.pem -extfile cross.ext",
    );
    shop
}

const FILES: [&str; 5] = ["leaf.pem", "cross.pem", "other.pem", "middle.pem", "root.pem"];

/// Asks everybody about the leaf among these files; they agree.
fn ask(shop: &Workshop, files: &[&str]) -> Said {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    let names: Vec<(String, &'static str)> = FILES
        .iter()
        .filter(|name| shop.path(name).exists())
        .map(|name| (shop.fingerprint(name), *name))
        .collect();
    let leaf = shop.fingerprint("leaf.pem");
    let paths: Vec<String> =
        files.iter().chain(&["leaf.key"]).map(|name| shop.path(name).display().to_string()).collect();
    let import = |more: &[&str]| {
        let words: Vec<&str> =
            ["cert", "import"].into_iter().chain(paths.iter().map(String::as_str)).collect();
        cli.json(&[&words, more].concat())
    };

    let preview = import(&["--preview"]);
    let previewed = preview["certificates"].as_array().unwrap().iter().find(|one| one["hash"] == *leaf);
    let previewed = of_api(previewed.unwrap(), &names);
    let offline = json(&shop.claviger(&format!("chain --json {} leaf.key", files.join(" "))));
    let of_cli = Said {
        served: hashes(&offline["served"], &names),
        root: hashes(&Value::from(vec![offline["root"].clone()]), &names)
            .pop()
            .filter(|name| !name.is_empty()),
        // What a client says that trusts the root is said besides, as the error that it is.
        findings: findings(&offline).into_iter().filter(|one| previewed.findings.contains(one)).collect(),
    };
    assert_eq!(of_cli, previewed, "claviger chain and the preview: {offline:#}");

    import(&[]);
    let page = of_api(&cli.json(&["cert", "show", &leaf]), &names);
    assert_eq!(page, previewed, "the page and the preview");
    let list = cli.json(&["cert", "list"]);
    let row = list["items"].as_array().unwrap().iter().find(|one| one["hash"] == *leaf).unwrap();
    assert_eq!(of_api(row, &names), previewed, "the list and the preview");
    let edge = wait_for("the edge serves it", || {
        let shown = shown_chain(server.addresses.edge, "shop.example")?;
        (shown[0].fingerprint().to_string() == leaf).then_some(shown)
    });
    let edge: Vec<String> = edge.iter().map(|one| named(&one.fingerprint().to_string(), &names)).collect();
    assert_eq!(edge, previewed.served, "the edge and the preview");
    server.stop();
    previewed
}

fn hashes(list: &Value, names: &[(String, &'static str)]) -> Vec<String> {
    let hash = |one: &Value| one["fingerprint"].as_str().unwrap_or_default().to_owned();
    list.as_array().unwrap().iter().map(|one| named(&hash(one), names)).collect()
}

fn is_told(said: &Said, part: &str) -> bool {
    said.findings
        .iter()
        .any(|finding| finding.contains("chain.client_cannot_build") && finding.contains(part))
}

#[test]
fn the_cross_sign_for_other_names_is_not_the_way() {
    let shop = crossed("", "nameConstraints=critical,permitted;DNS:elsewhere.example\n");
    let said = ask(&shop, &FILES);
    assert_eq!(
        (said.served, said.root.as_deref()),
        (vec!["leaf.pem".to_owned(), "middle.pem".to_owned()], Some("root.pem"))
    );
    assert_eq!(said.findings, BTreeSet::new());
    // Where it is the only way, everybody says what is wrong with it.
    let said = ask(&shop, &["leaf.pem", "cross.pem", "other.pem"]);
    assert_eq!(said.served, ["leaf.pem", "cross.pem"]);
    assert!(is_told(&said, "may not speak for shop.example"), "{said:?}");
}

#[test]
fn neither_is_one_below_a_root_that_allows_no_ca() {
    let shop = crossed(" -addext basicConstraints=critical,CA:TRUE,pathlen:0", "");
    let said = ask(&shop, &FILES);
    assert_eq!(said.served, ["leaf.pem", "middle.pem"]);
    assert_eq!(said.findings, BTreeSet::new());
    let said = ask(&shop, &["leaf.pem", "cross.pem", "other.pem"]);
    assert!(is_told(&said, "path length"), "{said:?}");
}
