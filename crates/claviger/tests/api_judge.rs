//! schemathesis judges the API from outside: it reads our OpenAPI document, sends what fits it and what does not, and
//! looks at every answer. <https://schemathesis.io>

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Api, PIN, Place, Server};
use serde_json::json;

/// What it is told: who asks, and that the same run is the same tomorrow. Two checks are left out: what fits the document
/// may still be refused for what it says (a name that is taken, a passphrase too short), and some of what does not fit it is
/// taken (an empty parameter counts as left out, a page of 5,000 rows has 1,000).
const CONFIG: &str = r#"
headers = { Authorization = "Bearer ${API_KEY}" }
seed = 1

[generation]
deterministic = true
database = "none"

[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false
"#;

#[test]
fn every_answer_is_as_the_openapi_document_says_whatever_is_sent() {
    let place = Place::new();
    place.init();
    let server = Server::start(&place);
    let api = Api::new(&server, &place);
    let (status, said) = api.ask("PUT", "/tokens/0/login", Some(json!({ "password": PIN })));
    assert_eq!(status, 200, "{said}");
    // Something to find in each list.
    let lineage = api.make_lineage("a.example", None);
    api.wait_until_verified(&lineage);
    api.post("/csrs", json!({ "friendly_name": "waiting", "names": ["b.example"] }));

    std::fs::write(place.file("schemathesis.toml"), CONFIG).unwrap();
    let tools = PathBuf::from(std::env::var_os("CLAVIGER_TOOLS").expect("cargo sets CLAVIGER_TOOLS"));
    let mut judge = Command::new(tools.join("venv/bin/schemathesis"));
    judge.arg("--config-file").arg(place.file("schemathesis.toml"));
    judge.args([
        "run",
        "--no-color",
        "--tls-verify",
        "false",
        "--phases",
        "coverage,fuzzing",
        "--workers",
        "2",
    ]);
    // What changes something has tests of its own, and would take the judge many minutes. A stream has no end.
    judge.args([
        "--include-method",
        "GET",
        "--exclude-path-regex",
        "/jobs/.*events$",
        &server.url("/api/v1/openapi.json"),
    ]);
    judge.env("API_KEY", place.api_key()).current_dir(place.file("."));
    let output = judge.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.contains("Selected: "), "{report}");
    let said = server.said();
    assert!(!said.contains("ERROR"), "{said}");
    server.stop();
}
