//! The story of a missing intermediate: a leaf is imported alone, its chain is fetched from a real server when somebody
//! says so, and `openssl s_client` sees all of it; servers that mislead are refused with the reason.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/cli.rs"]
mod cli;
mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cli::Cli;
use common::{Api, Place, Server, is_valid_for, openssl, shown_chain, wait_for};
use serde_json::{Value, json};

const NAME: &str = "shop.example";

/// A web server on loopback: files of a directory, and answers that mislead.
struct Site {
    address: SocketAddr,
}

impl Site {
    fn start(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let directory = directory.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let directory = directory.clone();
                std::thread::spawn(move || drop(answer(stream, &directory)));
            }
        });
        Self { address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

fn answer(mut stream: TcpStream, directory: &Path) -> std::io::Result<()> {
    let mut head = [0; 4_096];
    let length = stream.read(&mut head)?;
    let path = String::from_utf8_lossy(&head[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
    let redirect = |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let raw = match path.as_str() {
        "/to-itself" => redirect("/to-itself"),
        "/to-loopback" => redirect("http://127.0.0.2:4080/lower.cer"),
        "/to-metadata" => redirect("http://169.254.169.254/latest/meta-data/"),
        "/to-private" => redirect("http://10.1.2.3/lower.cer"),
        "/html" => "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>not found</html>".to_owned(),
        "/endless" | "/slow" => "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        _ => String::new(),
    };
    stream.write_all(raw.as_bytes())?;
    match path.as_str() {
        "/endless" => loop {
            stream.write_all(&[b'x'; 65_536])?;
        },
        "/slow" => loop {
            stream.write_all(b"x")?;
            std::thread::sleep(Duration::from_millis(500));
        },
        _ if !raw.is_empty() => return Ok(()),
        _ => {}
    }
    match fs::read(directory.join(path.trim_start_matches('/'))) {
        Ok(body) => {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())?;
            stream.write_all(&body)
        }
        Err(_) => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    }
}

/// Root, upper and lower intermediate of OpenSSL in a directory; each names the address of its issuer's certificate.
struct Ca<'a> {
    directory: &'a Path,
}

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";

impl<'a> Ca<'a> {
    fn new(directory: &'a Path, upper_at: &str, root_at: &str) -> Self {
        let ca = Self { directory };
        ca.root("root", "Outside-root");
        let says = |address: &str| format!("{AUTHORITY}authorityInfoAccess=caIssuers;URI:{address}\n");
        ca.certify("upper", "root", "Upper-CA", &says(root_at));
        ca.certify("lower", "upper", "Lower-CA", &says(upper_at));
        // As CAs publish them: one in DER, one as a collection without PEM around it.
        ca.openssl("x509 -in lower.pem -outform DER -out lower.cer");
        ca.openssl("x509 -in root.pem -outform DER -out root.cer");
        ca.openssl("crl2pkcs7 -nocrl -certfile upper.pem -outform DER -out upper.p7c");
        ca
    }

    /// Runs `openssl` in the directory, words apart by spaces.
    fn openssl(&self, arguments: &str) {
        openssl(self.directory, &arguments.split(' ').collect::<Vec<_>>());
    }

    fn root(&self, file: &str, name: &str) {
        let usage = "-addext keyUsage=critical,keyCertSign,cRLSign";
        self.openssl(&format!(
            "req -x509 {EC} -keyout {file}.key -out {file}.pem -days 3650 -subj /CN={name} {usage}"
        ));
    }

    /// A new key with a certificate by the issuer.
    fn certify(&self, file: &str, issuer: &str, name: &str, extensions: &str) {
        fs::write(self.directory.join(format!("{file}.ext")), extensions).unwrap();
        self.openssl(&format!("req -new {EC} -keyout {file}.key -out {file}.csr -subj /CN={name}"));
        self.openssl(&format!(
            "x509 -req -days 90 -in {file}.csr -CA {issuer}.pem -CAkey {issuer}.key -extfile {file}.ext -out {file}.pem"
        ));
    }

    /// A server certificate of the lower intermediate that says where that one is.
    fn leaf(&self, name: &str, at: &str) {
        let extensions = format!(
            "subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\nauthorityInfoAccess=caIssuers;URI:{at}\n"
        );
        self.certify(name, "lower", name, &extensions);
    }
}

/// `serve` that may ask 127.0.0.1, and trusts the certificates in this file for `https`.
fn serve(place: &Place, more: &str) -> Server {
    let settings = format!("[outbound]\npermitted = [\"127.0.0.1/32\"]\n{more}");
    let file = place.secret("claviger.toml", &settings);
    let roots = place.file("tls.pem");
    let started = Server::start_with(place, |command| {
        command.arg("--config").arg(file).env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
    });
    started.unwrap_or_else(|said| panic!("serve ended\n{said}"))
}

fn import(cli: &Cli<'_>, name: &str) -> String {
    let imported = cli.json(&["cert", "import", &format!("{name}.key"), &format!("{name}.pem")]);
    imported["certificates"][0]["hash"].as_str().unwrap().to_owned()
}

fn wait_for_job(api: &Api, job: &Value) -> Value {
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    wait_for("the job ends", || {
        Some(api.get(&path)).filter(|job| matches!(job["state"].as_str(), Some("done" | "failed")))
    })
}

#[test]
fn a_leaf_alone_is_completed_on_request_and_openssl_sees_the_full_chain() {
    let place = Place::new();
    let home = place.file(".");
    let site = Site::start(&home);
    place.init();
    let server = serve(&place, "");
    let cli = Cli::new(&server, &place);
    let ca = Ca::new(&home, &site.url("upper.p7c"), &site.url("root.cer"));
    ca.leaf(NAME, &site.url("lower.cer"));
    let (edge, root) = (server.addresses.edge, home.join("root.pem"));

    let previewed = cli.say(&["cert", "import", "shop.example.pem", "--preview"]);
    assert!(previewed.contains(&format!("can be fetched from {}", site.url("lower.cer"))), "{previewed}");
    let hash = import(&cli, NAME);
    wait_for("the leaf is served alone", || shown_chain(edge, NAME).filter(|chain| chain.len() == 1));
    assert!(!is_valid_for(edge, NAME, &root), "nothing is fetched before somebody says so");

    let said = cli.say(&["cert", "complete", NAME]);
    assert!(said.contains("2 certificates were fetched: “Lower-CA” from"), "{said}");
    assert!(said.contains("Outside-root") && said.contains("not stored"), "{said}");
    let chain =
        wait_for("the edge sends all of it", || shown_chain(edge, NAME).filter(|chain| chain.len() == 3));
    assert_eq!(chain[0].fingerprint().to_string(), hash);
    assert!(is_valid_for(edge, NAME, &root));
    let all = cli.json(&["cert", "list", "--all", "--limit", "1000"]);
    assert!(!all.to_string().contains("CN=Outside-root\",\"serial"), "the root is not here");

    // A person trusts the root; then nothing is missing, by the API too.
    cli.say(&["cert", "import", "root.pem"]);
    let api = Api::new(&server, &place);
    let (status, refused) = api.ask("POST", &format!("/certificates/{hash}/complete"), None);
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("chain.whole")), "{refused}");
    assert!(cli.refused(&["cert", "complete", NAME]).contains("chain.whole"));
    cli.json(&["audit", "check"]);
    server.stop();
}

#[test]
fn servers_that_mislead_are_refused_with_the_reason_and_the_server_lives_on() {
    let place = Place::new();
    let home = place.file(".");
    let site = Site::start(&home);
    place.init();
    let server = serve(&place, "");
    let cli = Cli::new(&server, &place);
    let ca = Ca::new(&home, &site.url("upper.p7c"), &site.url("root.cer"));
    // The issuer's name on somebody else's key.
    let other = place.file("other");
    fs::create_dir(&other).unwrap();
    let _ = Ca::new(&other, &site.url("x"), &site.url("x"));
    fs::copy(other.join("lower.cer"), home.join("impostor.cer")).unwrap();
    for (index, (path, part)) in [
        ("to-loopback", "the address leads to 127.0.0.2, where data may not send us"),
        ("to-metadata", "the address leads to 169.254.169.254"),
        ("to-private", "the address leads to 10.1.2.3"),
        ("to-itself", "more than 3 times"),
        ("html", "is no certificate that is taken"),
        ("impostor.cer", "of “Lower-CA”, did not issue it"),
        ("endless", "longer than 1048576 bytes"),
        ("slow", "not there within 10 seconds"),
        ("gone.cer", "status 404"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("site-{index}.example");
        ca.leaf(&name, &site.url(path));
        let hash = import(&cli, &name);
        let said = cli.refused(&["cert", "complete", &name]);
        assert!(said.contains(part) && said.contains(&site.url(path)), "{path}: {said}");
        let shown = cli.json(&["cert", "show", &hash]);
        assert_eq!(shown["chain"].as_array().unwrap().len(), 1, "{path}: {shown}");
        assert!(shown_chain(server.addresses.edge, &name).is_some(), "{path}");
    }
    server.stop();
}

/// A server of OpenSSL that gives files out over TLS; ended when it is dropped.
struct TlsSite {
    child: Child,
    port: u16,
}

impl TlsSite {
    fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-WWW", "-quiet", "-cert", "site.pem", "-key", "site.key"]);
        command.args(["-accept", &format!("127.0.0.1:{port}")]).current_dir(directory);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let site = Self { child, port };
        wait_for("openssl s_server listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        site
    }
}

impl Drop for TlsSite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_import_completes_by_itself_where_the_configuration_says_so_also_over_https() {
    let place = Place::new();
    let home = place.file(".");
    place.init();
    let site = Site::start(&home);
    let of_site = Ca { directory: &home };
    of_site.root("tls", "TLS-root");
    of_site.certify("site", "tls", "localhost", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n");
    let tls = TlsSite::start(&home);
    let server = serve(&place, "fetch_missing = true\n");
    let (cli, api) = (Cli::new(&server, &place), Api::new(&server, &place));
    let secure = format!("https://127.0.0.1:{}/upper.p7c", tls.port);
    let ca = Ca::new(&home, &secure, &site.url("root.cer"));
    ca.leaf(NAME, &site.url("lower.cer"));
    let imported = cli.json(&["cert", "import", "shop.example.key", "shop.example.pem"]);
    let job = json!({ "id": imported["fetching"][0] });
    let ended = wait_for_job(&api, &job);
    assert_eq!(ended["state"], "done", "{ended}");
    assert!(ended["progress"].as_str().unwrap().contains(&secure), "{ended}");
    wait_for("the edge sends all of it", || {
        shown_chain(server.addresses.edge, NAME).filter(|chain| chain.len() == 3)
    });
    server.stop();

    // A server whose certificate this system does not trust is not believed.
    fs::copy(home.join("root.pem"), home.join("tls.pem")).unwrap();
    let server = serve(&place, "");
    let cli = Cli::new(&server, &place);
    let other = place.file("other");
    fs::create_dir(&other).unwrap();
    let ca = Ca::new(&other, &secure, &secure);
    ca.leaf("other.example", &format!("https://127.0.0.1:{}/other/lower.cer", tls.port));
    cli.json(&["cert", "import", "other/other.example.key", "other/other.example.pem"]);
    let said = cli.refused(&["cert", "complete", "other.example"]);
    assert!(said.contains("TLS handshake failed"), "{said}");
    server.stop();
}

#[test]
fn the_offline_tool_fetches_only_when_told_and_writes_what_openssl_takes() {
    let place = Place::new();
    let home = place.file(".");
    let site = Site::start(&home);
    let ca = Ca::new(&home, &site.url("upper.p7c"), &site.url("root.cer"));
    ca.leaf(NAME, &site.url("lower.cer"));
    let chain = |more: &[&str]| {
        let mut command = common::claviger();
        command.args(["chain", "shop.example.pem"]).args(more).current_dir(&home);
        command
    };
    let said = common::succeed(&mut chain(&[]));
    assert!(said.contains("chain.incomplete") && said.contains(&site.url("lower.cer")), "{said}");
    // Loopback is nothing that a certificate may lead to.
    let write = ["--write", "full.pem"];
    let said = common::refuse(&mut chain(&[&["--fetch"][..], &write].concat()));
    assert!(said.contains("127.0.0.1, where data may not send us"), "{said}");
    assert!(!home.join("full.pem").exists());
    let permitted = ["--fetch", "--permit", "127.0.0.1/32"];
    let said = common::succeed(&mut chain(&[&permitted[..], &write].concat()));
    for sentence in
        ["Lower-CA was fetched.", "Upper-CA was fetched.", "Outside-root, SHA-256", "It was not taken"]
    {
        assert!(said.contains(sentence), "{sentence}\n{said}");
    }
    openssl(&home, &["verify", "-CAfile", "root.pem", "-untrusted", "full.pem", "full.pem"]);
    ca.leaf("bad.example", &site.url("to-metadata"));
    let mut command = common::claviger();
    command.args(["chain", "bad.example.pem"]).args(permitted).current_dir(&home);
    assert!(common::refuse(&mut command).contains("169.254.169.254"));
}
