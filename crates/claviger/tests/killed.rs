//! The server is killed at every sync call in turn, from its start to the end of the main job: key, CSR, import,
//! renewal, deployment. What it acknowledged must be there after the restart, and the job must end as if nothing had
//! happened.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on may end")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{Place, Server, claviger, openssl, shown_leaf, succeed, wait_for};
use serde_json::{Value, json};

const NAME: &str = "shop.example.org";

/// What is the same for all runs: an installation, an outside CA, the shim.
struct Ground {
    place: Place,
    shim: PathBuf,
    client: reqwest::Client,
}

/// What the server has acknowledged so far.
#[derive(Clone, Debug, Default)]
struct Acknowledged {
    csr: Option<(String, String)>,
    imported: Option<String>,
    lineage: Option<String>,
    issuer: bool,
    renewal: bool,
    verified: Option<String>,
}

/// A server that may die at any moment; asking a dead one answers none.
struct Asked<'a> {
    ground: &'a Ground,
    server: Server,
    runtime: tokio::runtime::Runtime,
}

#[test]
fn at_every_sync_call_nothing_acknowledged_is_lost() {
    let ground = Ground::prepare();
    let next = AtomicUsize::new(1);
    let survived = AtomicUsize::new(usize::MAX);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    if at >= survived.load(Ordering::SeqCst) {
                        return;
                    }
                    if ground.run_killed_at(at) == Ended::ByItself {
                        survived.fetch_min(at, Ordering::SeqCst);
                        return;
                    }
                }
            });
        }
    });
    let runs = survived.load(Ordering::SeqCst);
    assert!(runs > 20, "only {runs} sync calls were seen: is the shim loaded?");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Killed,
    ByItself,
}

impl Ground {
    fn prepare() -> Self {
        let place = Place::new();
        place.init();
        let shim = place.file("kill_at_sync.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/kill_at_sync.c");
        succeed(
            Command::new("gcc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl"),
        );
        let at = place.file("");
        let subject = ["-subj", "/CN=Outside CA", "-days", "30", "-nodes"];
        let key =
            ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(&at, &[&["req", "-x509"][..], &key, &subject].concat());
        let server = Server::start(&place);
        let client = server.client();
        server.stop();
        Self { place, shim, client }
    }

    /// A copy of the installation, so that every run starts from the same bytes.
    fn copy(&self) -> Place {
        let place = Place::new();
        succeed(Command::new("cp").arg("-a").arg(self.place.data()).arg(place.data()));
        place
    }

    fn run_killed_at(&self, at: usize) -> Ended {
        let place = self.copy();
        let mut acknowledged = Acknowledged::default();
        let started = Server::start_with(&place, |command| {
            command.env("LD_PRELOAD", &self.shim).env("CLAVIGER_KILL_AT", at.to_string());
        });
        let ended = match started {
            Err(_) => Ended::Killed,
            Ok(server) => {
                let mut asked = Asked::new(self, server);
                let done = asked.go_on(&place, &mut acknowledged);
                let killed = done.is_none();
                assert!(
                    !killed || wait_for("it died", || asked.server.has_ended().then_some(true)),
                    "killed at {at}"
                );
                if killed { Ended::Killed } else { Ended::ByItself }
            }
        };
        self.check_after(&place, at, acknowledged);
        ended
    }

    /// After the restart: what was acknowledged is there, and the rest of the job ends well.
    fn check_after(&self, place: &Place, at: usize, mut acknowledged: Acknowledged) {
        let mut asked = Asked::new(self, Server::start(place));
        asked.check(at, &acknowledged);
        asked.go_on(place, &mut acknowledged).unwrap_or_else(|| panic!("killed at {at}: it did not go on"));
        asked.check(at, &acknowledged);
        asked.server.stop();
        succeed(claviger().args(["audit", "verify", "--data"]).arg(place.data()));
    }
}

impl<'a> Asked<'a> {
    fn new(ground: &'a Ground, server: Server) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { ground, server, runtime }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Option<(u16, Vec<u8>)> {
        let url = self.server.url(&format!("/api/v1{path}"));
        let mut request = self.ground.client.request(method.parse().unwrap(), url);
        request = request.header("Authorization", format!("Bearer {}", self.ground.place.api_key()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.bytes().await.ok()?.to_vec()))
        })
    }

    fn json(&self, method: &str, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let (status, bytes) = self.ask(method, path, body)?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Does what was not acknowledged yet, in order; none when the server dies.
    fn go_on(&mut self, place: &Place, acknowledged: &mut Acknowledged) -> Option<()> {
        if acknowledged.csr.is_none() {
            acknowledged.csr = Some(self.make_csr()?);
        }
        if acknowledged.imported.is_none() {
            let (_, pem) = acknowledged.csr.clone()?;
            acknowledged.imported = Some(self.import(place, &pem)?);
        }
        let imported = acknowledged.imported.clone()?;
        if acknowledged.lineage.is_none() {
            let (_, certificate) = self.json("GET", &format!("/certificates/{imported}"), None)?;
            acknowledged.lineage = Some(certificate["lineage"].as_str().expect("a lineage").to_owned());
        }
        let lineage = acknowledged.lineage.clone()?;
        if !acknowledged.issuer {
            let change = json!({ "issuer": "internal" });
            let (status, answer) = self.json("PATCH", &format!("/lineages/{lineage}"), Some(change))?;
            assert_eq!(status, 200, "{answer}");
            acknowledged.issuer = true;
        }
        // A renewal whose answer was lost may be over already; asked for again, it would be a second one.
        let (_, view) = self.json("GET", &format!("/lineages/{lineage}"), None)?;
        acknowledged.renewal |= view["current"]["hash"] != imported.as_str();
        if !acknowledged.renewal {
            let (status, answer) =
                self.json("POST", &format!("/lineages/{lineage}/renew"), Some(json!({})))?;
            // An order or job that was made before the answer was lost is as good.
            assert!(status == 202 || status == 409, "{status} {answer}");
            acknowledged.renewal = true;
        }
        acknowledged.verified = Some(self.wait_until_verified(&lineage, &imported)?);
        Some(())
    }

    fn make_csr(&self) -> Option<(String, String)> {
        let wanted = json!({ "friendly_name": "shop", "names": [NAME] });
        let (status, made) = self.json("POST", "/csrs", Some(wanted))?;
        let csr = match status {
            201 => made["csr"].clone(),
            // It was stored, only the answer was lost.
            409 => self.json("GET", "/csrs", None)?.1["items"][0].clone(),
            _ => panic!("{status} {made}"),
        };
        Some((csr["id"].as_str().expect("an id").to_owned(), csr["pem"].as_str().expect("PEM").to_owned()))
    }

    fn import(&self, place: &Place, csr: &str) -> Option<String> {
        std::fs::write(place.file("shop.csr"), csr).unwrap();
        let ca = self.ground.place.file("");
        std::fs::write(place.file("san"), format!("subjectAltName=DNS:{NAME}\n")).unwrap();
        if !place.file("shop.pem").exists() {
            let (request, answer) = (place.file("shop.csr"), place.file("shop.pem"));
            let (request, answer, san) = (path(&request), path(&answer), place.file("san"));
            // The CA's own file of numbers would be shared by all runs that are under way.
            let serial = path(&place.file("serial"));
            openssl(
                &ca,
                &[
                    "x509",
                    "-req",
                    "-in",
                    &request,
                    "-CA",
                    "ca.pem",
                    "-CAkey",
                    "ca.key",
                    "-days",
                    "20",
                    "-CAserial",
                    &serial,
                    "-CAcreateserial",
                    "-extfile",
                    &path(&san),
                    "-out",
                    &answer,
                ],
            );
        }
        let mut answer = std::fs::read_to_string(place.file("shop.pem")).unwrap();
        answer.push_str(&std::fs::read_to_string(ca.join("ca.pem")).unwrap());
        let url = self.server.url("/api/v1/certificates");
        let request =
            self.ground.client.post(url).header("Content-Type", "application/x-pem-file").body(answer);
        let request = request.header("Authorization", format!("Bearer {}", self.ground.place.api_key()));
        let (status, json): (u16, Value) = self.runtime.block_on(async {
            let answer = request.send().await.ok()?;
            Some((answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.ok()?).ok()?))
        })?;
        assert!((200..300).contains(&status), "{status} {json}");
        Some(json["certificates"][0]["hash"].as_str().expect("a hash").to_owned())
    }

    /// Waits until another certificate than the imported one is current and was seen from outside.
    fn wait_until_verified(&mut self, lineage: &str, imported: &str) -> Option<String> {
        let verified = wait_for("the renewal is verified", || {
            if self.server.has_ended() {
                return Some(None);
            }
            let Some((_, view)) = self.json("GET", &format!("/lineages/{lineage}"), None) else {
                return Some(None);
            };
            let current = view["current"]["hash"].as_str()?;
            let deployment = &view["deployments"][0];
            let seen = deployment["certificate"] == current && deployment["state"] == "verified";
            (current != imported && seen).then(|| Some(current.to_owned()))
        })?;
        // Killed after it said so, it shows nothing any more; alive, it shows what it said.
        let Some(shown) = shown_leaf(self.server.addresses.edge, NAME) else {
            wait_for("a server that shows nothing has died", || self.server.has_ended().then_some(()));
            return None;
        };
        assert_eq!(shown.to_string(), verified);
        Some(verified)
    }

    /// Every acknowledged answer still holds.
    fn check(&self, at: usize, acknowledged: &Acknowledged) {
        let found = |path: &str| {
            let (status, json) = self.json("GET", path, None).unwrap();
            assert_eq!(status, 200, "killed at {at}: {path} is gone: {json}");
            json
        };
        if let Some((id, pem)) = &acknowledged.csr {
            let csr = found(&format!("/csrs/{id}"));
            assert_eq!(csr["pem"], pem.as_str(), "killed at {at}: the request is another one");
            let key = found(&format!("/private-keys/{}", csr["key"].as_str().unwrap()));
            assert_eq!(key["state"], "active", "killed at {at}");
        }
        if let Some(hash) = &acknowledged.imported {
            assert_eq!(found(&format!("/certificates/{hash}"))["has_key"], true, "killed at {at}");
        }
        if let Some(lineage) = &acknowledged.lineage {
            let view = found(&format!("/lineages/{lineage}"));
            assert!(!acknowledged.issuer || view["issuer"] == "internal", "killed at {at}: {view}");
            if let Some(verified) = &acknowledged.verified {
                assert_eq!(view["current"]["hash"], verified.as_str(), "killed at {at}");
            }
        }
        // Something valid is served at every moment.
        assert!(shown_leaf(self.server.addresses.edge, NAME).is_some(), "killed at {at}: nothing is served");
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
