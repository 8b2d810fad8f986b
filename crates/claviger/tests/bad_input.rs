//! What arrives over HTTPS at a real server and is no good: every file of `badinputs/`, requests that break the rules
//! of HTTP or of our API, and names in certificates that attack whoever looks at them.

#![expect(clippy::unwrap_used, reason = "a story stops at the first surprise")]

mod common;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{ADMIN, Api, PASSWORD, PATIENCE, Place, Server, claviger, shown_chain, succeed};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

const KEYS: &str = "/api/v1/private-keys";

/// An installed server and its API.
struct House {
    place: Place,
    server: Server,
    api: Api,
    tls: Arc<ClientConfig>,
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// The lines of the head, without the first.
    head: Vec<String>,
    body: String,
}

impl House {
    fn start() -> Self {
        let place = Place::new();
        place.init();
        let server = Server::start(&place);
        let api = Api::new(&server, &place);
        let mut roots = RootCertStore::empty();
        let shown = shown_chain(server.addresses.ui, "localhost").unwrap();
        roots.add(CertificateDer::from(shown[0].der().to_vec())).unwrap();
        let tls = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
        Self { place, server, api, tls }
    }

    /// A TLS connection to the UI and API on which everything is said by hand.
    fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let stream = TcpStream::connect(self.server.addresses.ui).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let client = ClientConnection::new(Arc::clone(&self.tls), "localhost".try_into().unwrap()).unwrap();
        StreamOwned::new(client, stream)
    }

    /// Says these bytes and answers all that comes until the server closes.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut tls = self.connect();
        // A server that has heard enough may close before everything was said.
        let _ = tls.write_all(bytes).and_then(|()| tls.flush());
        until_closed(&mut tls)
    }

    /// A request with exactly these lines in its head, after the request line.
    fn send(&self, line: &str, head: &[&str], body: &[u8]) -> Answer {
        let length = format!("Content-Length: {}", body.len());
        let mut text = [&[line], head, &[length.as_str(), "Connection: close", "", ""]]
            .concat()
            .join("\r\n")
            .into_bytes();
        text.extend_from_slice(body);
        Answer::parse(&self.exchange(&text))
    }

    /// A request of the API's holder to this server.
    fn ask(&self, method: &str, path: &str, head: &[&str], body: &[u8]) -> Answer {
        let known = format!("Authorization: Bearer {}", self.place.api_key());
        let head = [&["Host: localhost", known.as_str()], head].concat();
        self.send(&format!("{method} {path} HTTP/1.1"), &head, body)
    }

    /// Everything that an import could have left behind.
    fn stored(&self) -> Value {
        let lists =
            ["/certificates?include_ca=true&limit=1000", "/private-keys?limit=1000", "/csrs?limit=1000"];
        let mut lists = lists.map(|list| self.api.get(list));
        // What was taken before is brought to the edge meanwhile.
        for item in lists.iter_mut().filter_map(|list| list["items"].as_array_mut()).flatten() {
            if matches!(item["state"].as_str(), Some("installed" | "verified")) {
                item["state"] = json!("issued");
            }
        }
        json!(lists)
    }

    /// Logs the administrator in; answers the header lines of a browser.
    fn log_in(&self) -> Browser {
        let body = format!("name={ADMIN}&password={}", PASSWORD.replace(' ', "+"));
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let answer = self.send("POST /login HTTP/1.1", &["Host: localhost", kind], body.as_bytes());
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookies: Vec<&str> =
            answer.all("set-cookie").iter().map(|line| line.split(';').next().unwrap()).collect();
        let csrf = cookies.iter().find_map(|pair| pair.strip_prefix("XSRF-TOKEN=")).unwrap();
        Browser { cookie: format!("Cookie: {}", cookies.join("; ")), csrf: format!("X-XSRF-TOKEN: {csrf}") }
    }

    /// A page as the browser gets it.
    fn page(&self, browser: &Browser, path: &str) -> Answer {
        let answer = self.send(&format!("GET {path} HTTP/1.1"), &["Host: localhost", &browser.cookie], b"");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer
    }

    /// The audit log holds, seen by the API and by the command line.
    fn audit_holds(&self) {
        let said = self.api.get("/audit-events/verification");
        assert!(said["events"].as_u64().unwrap() > 0, "{said}");
        succeed(claviger().args(["audit", "verify", "--data"]).arg(self.place.data()));
    }
}

struct Browser {
    cookie: String,
    csrf: String,
}

impl Answer {
    /// The first answer of what was said.
    fn parse(said: &str) -> Self {
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {said:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let head: Vec<String> = lines.map(str::to_owned).collect();
        let mut answer = Self { status: status.unwrap(), head, body: body.to_owned() };
        if answer.all("transfer-encoding") == ["chunked"] {
            answer.body = joined(body);
        }
        answer
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let pairs = self.head.iter().filter_map(|line| line.split_once(": "));
        pairs.filter(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    fn one(&self, name: &str) -> &str {
        let [value] = self.all(name)[..] else { panic!("{name}: {:?}", self.head) };
        value
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of a refusal.
    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A chunked body in one piece (RFC 9112, 7.1).
fn joined(mut chunked: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, rest) = chunked.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&rest[..size]);
        chunked = &rest[size + 2..];
    }
}

/// Everything that comes until the other side closes. A side that does not close is a failure.
fn until_closed(from: &mut impl Read) -> String {
    let mut said = Vec::new();
    let ended = from.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said).into_owned();
    let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    match ended {
        Err(error) if !closed.contains(&error.kind()) => panic!("not closed: {error}\n{said}"),
        Ok(_) | Err(_) => said,
    }
}

// ---- files ----

fn bad_inputs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../badinputs"))
}

/// The codes among the findings of an import: of the file, and of the certificate that it is about, which comes first.
fn noticed(answer: &Value) -> BTreeSet<String> {
    let lists = [&answer["findings"], &answer["certificates"][0]["findings"]];
    let findings = lists.into_iter().flat_map(|list| list.as_array().unwrap());
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// What is wrong with the answer to a file of the manifest; none when it is what was promised.
fn wrong(entry: &Value, answer: &Answer) -> Option<String> {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    let refused = (400..500).contains(&answer.status).then(|| answer.code());
    let is_promised = |code: &str| text("code").split('|').any(|promised| promised == code);
    let right = match (text("kind"), text("expect"), refused) {
        // Requests are no certificates, even good ones.
        ("csr", "accept", Some(code)) => code == "import.csr",
        ("csr", _, None) => false,
        (_, "reject" | "accept|reject", Some(code)) => is_promised(&code),
        (_, "reject", None) | (_, _, Some(_)) => false,
        // 200 where every certificate of it was here before.
        (_, _, None) if !matches!(answer.status, 200 | 201) => false,
        (_, "accept", None) if text("code").is_empty() => true,
        (_, "warn" | "accept" | "accept-inactive", None) => {
            noticed(&answer.json()).iter().any(|code| is_promised(code))
        }
        (_, "accept+escape" | "accept|reject", None) => true,
        _ => false,
    };
    (!right).then(|| format!("{}: {} {}", text("file"), answer.status, answer.body))
}

/// The manifest's entries, with or without those whose answer depends on what is known already.
fn entries(wanted: impl Fn(&str) -> bool) -> Vec<Value> {
    let manifest = std::fs::read_to_string(bad_inputs().join("manifest.json")).unwrap();
    let mut entries: Vec<Value> = serde_json::from_str(&manifest).unwrap();
    assert!(entries.len() > 50, "the manifest is gone");
    entries.retain(|entry| wanted(entry["kind"].as_str().unwrap()));
    entries
}

/// Imports a file of the manifest; answers whether it was taken, and what is wrong with that.
fn import(house: &House, entry: &Value) -> (bool, Option<String>) {
    let file = entry["file"].as_str().unwrap();
    let bytes = std::fs::read(bad_inputs().join(file)).unwrap();
    let started = Instant::now();
    let part = |name: &str| format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"");
    let passphrase = entry["passphrase"].as_str().unwrap_or_default();
    let body = [
        format!("{}\r\n\r\n{passphrase}\r\n", part("passphrase")).as_bytes(),
        format!("{}; filename=\"file\"\r\n\r\n", part("files")).as_bytes(),
        &bytes,
        b"\r\n--X--\r\n",
    ]
    .concat();
    let kind = "Content-Type: multipart/form-data; boundary=X";
    let answer = house.ask("POST", "/api/v1/certificates", &[kind], &body);
    assert!(started.elapsed() < Duration::from_secs(10), "{file}: took {:?}", started.elapsed());
    (matches!(answer.status, 200 | 201), wrong(entry, &answer))
}

#[test]
fn every_bad_file_gets_its_answer_and_a_refused_one_leaves_nothing() {
    let house = House::start();
    let entries = entries(|kind| kind != "chain");
    let (mut complaints, mut accepted) = (Vec::new(), 0);
    let mut before = house.stored();
    for entry in &entries {
        let (is_taken, complaint) = import(&house, entry);
        complaints.extend(complaint);
        // A good request works after each.
        let after = house.stored();
        if is_taken {
            accepted += 1;
        } else if after != before {
            complaints.push(format!("{}: was refused and left something behind", entry["file"]));
        }
        before = after;
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!((10..20).contains(&accepted), "{accepted} were accepted");
    house.audit_holds();
    house.server.stop();
}

#[test]
fn chains_are_taken_and_what_is_wrong_with_them_is_said() {
    let entries = entries(|kind| kind == "chain");
    let complaints: Vec<String> = std::thread::scope(|scope| {
        // They hold the same certificates: each comes to a server that knows none of them.
        let imports = entries.iter().map(|entry| scope.spawn(|| import(&House::start(), entry).1));
        let imports: Vec<_> = imports.collect();
        imports.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert_eq!(entries.len(), 4);
}

// ---- requests ----

#[test]
fn requests_that_break_the_rules_are_refused_and_store_nothing() {
    let house = House::start();
    let before = house.stored();
    let deep = format!("{{\"label\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let big = format!("{{\"label\":\"{}\"}}", "x".repeat(50 * 1024));
    let json = "application/json";
    let bodies: [(&str, &[u8], u16, &str); 9] = [
        (json, b"{\"label\":\"a\",\"owner\":\"me\"}", 400, "input.field"),
        (json, b"{\"label\":\"a\",\"label\":\"b\"}", 400, "input.json"),
        (json, b"{\"label\":\"\xff\xfe\"}", 400, "input.json"),
        (json, b"{\"label\":\"a\"", 400, "input.json"),
        (json, deep.as_bytes(), 400, "input.json"),
        (json, big.as_bytes(), 413, "input.too_large"),
        ("text/plain", b"{\"label\":\"a\"}", 415, "input.content_type"),
        ("application/x-www-form-urlencoded", b"label=a", 415, "input.content_type"),
        ("text/json; charset=utf-7", b"{\"label\":\"a\"}", 415, "input.content_type"),
    ];
    for (kind, body, status, code) in bodies {
        let answer = house.ask("POST", KEYS, &[&format!("Content-Type: {kind}")], body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{shown}");
        assert_eq!(answer.one("content-type"), "application/problem+json", "{shown}");
    }
    for (method, path, status) in [
        ("TRACE", "/", 405),
        ("TRACE", KEYS, 405),
        ("GET", "/%2e%2e/", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "//", 404),
        ("GET", "//api/v1/csrs", 404),
        ("GET", "/%00", 404),
        ("GET", "/api/v1/csrs/%00", 404),
        ("GET", "/api/v1/csrs/%0d%0aSet-Cookie:x", 404),
        ("GET", "/assets/%2e%2e%2fclaviger.toml", 404),
    ] {
        let answer = house.ask(method, path, &[], b"");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    assert_eq!(house.stored(), before, "something was stored");
    house.audit_holds();
    house.server.stop();
}

#[test]
fn only_our_host_and_our_pages_are_listened_to() {
    let house = House::start();
    let ask = |head: &[&str]| house.send("GET /certificates HTTP/1.1", head, b"");
    for host in ["Host: evil.example", "Host: localhost.evil.example", "Host: localhost@evil.example"] {
        assert_eq!(ask(&[host, "X-Forwarded-Host: localhost"]).status, 421, "{host}");
    }
    // A stranger is sent to the log-in of this host, whatever a proxy is said to have been asked for.
    let sent_on = ask(&["Host: localhost", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"]);
    assert_eq!((sent_on.status, sent_on.one("location")), (303, "/login?next=/certificates"), "{sent_on:?}");
    assert!(!format!("{sent_on:?}").contains("evil"), "{sent_on:?}");

    let browser = house.log_in();
    let change = |more: &[&str]| {
        let head = ["Host: localhost:4000", &browser.cookie, "Content-Type: application/json"];
        house.send(&format!("POST {KEYS} HTTP/1.1"), &[&head, more].concat(), b"{\"label\":\"a\"}")
    };
    for (more, code) in [
        (&[&browser.csrf, "Origin: https://evil.example"][..], "request.origin"),
        (&[&browser.csrf, "Origin: null"], "request.origin"),
        (&[&browser.csrf, "Sec-Fetch-Site: cross-site"], "request.origin"),
        (&["Origin: https://localhost:4000"], "request.csrf"),
        (&["X-XSRF-TOKEN: 00", "Origin: https://localhost:4000"], "request.csrf"),
    ] {
        let answer = change(more);
        assert_eq!((answer.status, answer.code().as_str()), (403, code), "{more:?}");
    }
    assert_eq!(change(&[&browser.csrf, "Origin: https://localhost:4000"]).status, 201);
    house.server.stop();
}

#[test]
fn a_second_request_cannot_be_smuggled_in() {
    let house = House::start();
    let known = format!("Authorization: Bearer {}", house.place.api_key());
    let smuggled = format!("GET /api/v1/user HTTP/1.1\r\nHost: localhost\r\n{known}\r\n\r\n");
    let say = |line: &str, framing: &str, body: &str| {
        let text =
            format!("{line} HTTP/1.1\r\nHost: localhost\r\n{known}\r\n{framing}\r\n\r\n{body}{smuggled}");
        house.exchange(text.as_bytes())
    };
    // Two honest requests are both answered, so the counts below mean something.
    let last = smuggled.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert_eq!(answers(&house.exchange(format!("{smuggled}{last}").as_bytes())), 2);

    let post = format!("POST {KEYS}");
    let length = smuggled.len() + 5;
    for framing in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        "Content-Length: 5\r\nTransfer-Encoding: chunked".to_owned(),
    ] {
        for line in [post.as_str(), "GET /api/v1/user"] {
            let said = say(line, &framing, "0\r\n\r\n");
            assert!(answers(&said) <= 1, "{line} {framing}: {said}");
        }
    }
    for framing in [
        "Content-Length: 0\r\nContent-Length: 5".to_owned(),
        format!("Content-Length: {length}\r\nContent-Length: 5"),
        "Content-Length: +5".to_owned(),
        "Content-Length: 5, 6".to_owned(),
        "Content-Length: -1".to_owned(),
        "Content-Length: 18446744073709551616".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        " folded: yes".to_owned(),
    ] {
        let said = say(&post, &framing, "0\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 400 ") && answers(&said) == 1, "{framing}: {said}");
    }
    // Chunk sizes that overflow or are none: the body is refused and nothing after it is read as a request.
    for body in ["fffffffffffffffff\r\n", "-1\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5;\n\r\nhello\r\n0\r\n\r\n"]
    {
        let said = say(&post, "Content-Type: application/json\r\nTransfer-Encoding: chunked", body);
        assert!(answers(&said) <= 1, "{body:?}: {said}");
    }
    house.audit_holds();
    house.server.stop();
}

/// How many requests were answered.
fn answers(said: &str) -> usize {
    said.matches("HTTP/1.1 ").count()
}

#[test]
fn a_head_over_the_cap_is_refused() {
    let house = House::start();
    let long = format!("X-Long: {}", "x".repeat(30 * 1024));
    let many: Vec<String> = (0..2_000).map(|number| format!("X-{number}: x")).collect();
    let endless = format!("/{}", "x".repeat(100 * 1024));
    let address = format!("/api/v1/csrs?text={}", "x".repeat(10 * 1024));
    for (path, head) in
        [("/", long.as_str()), ("/", &many.join("\r\n")), (&endless, "X-A: b"), (&address, "X-A: b")]
    {
        let said = house.exchange(
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        );
        let status = said.get(9..12).unwrap_or_default();
        assert!(answers(&said) <= 1 && ["", "404", "414", "431"].contains(&status), "{said}");
    }
    assert_eq!(house.ask("GET", "/api/v1/user", &[], b"").status, 200);
    house.server.stop();
}

/// The size is said before the body comes: nobody waits for it, and the connection ends, for what follows is no request.
#[test]
fn a_body_over_the_cap_is_refused_before_it_comes() {
    let house = House::start();
    let known = format!("Authorization: Bearer {}", house.place.api_key());
    let json = "Content-Type: application/json";
    for (path, kind, framing) in [
        (KEYS, json, "Content-Length: 99999999"),
        (KEYS, json, "Content-Length: 99999999\r\nExpect: 100-continue"),
        ("/api/v1/certificates", "Content-Type: application/pkix-cert", "Content-Length: 99999999"),
        ("/login", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 99999999"),
    ] {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{known}\r\n{kind}\r\n{framing}\r\n\r\n");
        let started = Instant::now();
        let said = house.exchange(head.as_bytes());
        assert!(said.starts_with("HTTP/1.1 413 ") && answers(&said) == 1, "{path} {framing}: {said}");
        assert!(started.elapsed() < Duration::from_secs(5), "{path} {framing}: {:?}", started.elapsed());
    }
    // In pieces nobody says how much will come: it is refused when it is too much.
    let piece = format!("4000\r\n{}\r\n", " ".repeat(0x4000)).repeat(1_000);
    let head = format!(
        "POST {KEYS} HTTP/1.1\r\nHost: localhost\r\n{known}\r\n{json}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let said = house.exchange(format!("{head}{piece}").as_bytes());
    assert!(said.is_empty() || (said.starts_with("HTTP/1.1 413 ") && answers(&said) == 1), "{said}");
    house.server.stop();
}

/// How long the head of a request and a handshake may take, with a margin for a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(10 + 5);

/// A look at a slow connection: whether the server has closed it.
type IsClosed = Box<dyn FnMut() -> bool + Send>;

#[test]
fn who_is_slow_is_closed_and_holds_nobody_up() {
    let house = House::start();
    let (ui, http) = (house.server.addresses.ui, house.server.addresses.http);
    let drip = |mut tls: StreamOwned<ClientConnection, TcpStream>, said: &'static [u8]| {
        tls.sock.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        tls.write_all(said).unwrap();
        move || tls.write_all(b"x").is_err() || is_over(tls.read(&mut [0; 1024]))
    };
    let mut slow: Vec<(&str, IsClosed)> = vec![
        ("says nothing", Box::new(plain(ui, b""))),
        ("never ends its hello", Box::new(plain(ui, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))),
        ("says nothing without TLS", Box::new(plain(http, b""))),
        ("never ends its head without TLS", Box::new(plain(http, b"GET / HTTP/1.1\r\nHost: lo"))),
        ("begins a head and goes on byte by byte", Box::new(drip(house.connect(), b"GET / HTTP/1.1\r\nX: "))),
        (
            "has one header after the other",
            Box::new(drip(house.connect(), b"GET / HTTP/1.1\r\nHost: localhost\r\n")),
        ),
    ];
    let started = Instant::now();
    let still_open = std::thread::scope(|scope| {
        let ends = slow.iter_mut().map(|(name, is_closed)| {
            scope.spawn(move || {
                while started.elapsed() < DEADLINE {
                    if is_closed() {
                        return None;
                    }
                }
                Some(*name)
            })
        });
        let ends: Vec<_> = ends.collect();
        // Meanwhile others are answered at once.
        let asked = Instant::now();
        assert!(house.api.get("/user")["username"].is_string());
        assert!(asked.elapsed() < Duration::from_secs(5));
        ends.into_iter().filter_map(|end| end.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(still_open.is_empty(), "still open: {still_open:?}");
    assert!(started.elapsed() > Duration::from_secs(5), "closed too early: was it for another reason?");
    house.server.stop();
}

/// Looks every half a second whether the server has closed a connection on which this was said.
fn plain(address: SocketAddr, said: &[u8]) -> impl FnMut() -> bool + Send + use<> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.write_all(said).unwrap();
    move || is_over(stream.read(&mut [0; 1024]))
}

/// Whether a look at a connection shows that it has ended; an answer is no end, nor is waiting in vain.
fn is_over(read: io::Result<usize>) -> bool {
    match read {
        Ok(length) => length == 0,
        Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
    }
}

// ---- names ----

/// What a page or file must not hold as it is: each would do something there.
const ACTIVE: [&str; 5] = ["<img", "onerror=alert(1)>", "\u{1b}", "\0", "<%="];

#[test]
fn hostile_names_are_inert_wherever_they_are_shown() {
    let house = House::start();
    let browser = house.log_in();
    let count = |text: &str| ["<svg", "<script", "<img", "<iframe"].map(|tag| text.matches(tag).count());
    let tags = count(&house.page(&browser, "/certificates").body);
    let hashes: Vec<String> = ["cn_svg", "cn_csv2", "cn_ansi", "cn_tmpl", "cn_path", "cn_sql", "cn_nul"]
        .map(|name| {
            let der = std::fs::read(bad_inputs().join(format!("{name}.der"))).unwrap();
            let answer =
                house.ask("POST", "/api/v1/certificates", &["Content-Type: application/pkix-cert"], &der);
            assert_eq!(answer.status, 201, "{name}: {answer:?}");
            answer.json()["certificates"][0]["hash"].as_str().unwrap().to_owned()
        })
        .to_vec();

    let answer = house.ask("GET", "/api/v1/certificates?limit=1000", &[], b"");
    assert_eq!(
        (answer.one("content-type"), answer.one("x-content-type-options")),
        ("application/json", "nosniff")
    );
    let items = answer.json()["items"].as_array().unwrap().clone();
    for hash in &hashes {
        let item = items.iter().find(|item| item["hash"] == hash.as_str()).unwrap();
        for field in ["subject", "friendly_name", "issuer"] {
            let text = item[field].as_str().unwrap();
            assert!(!text.chars().any(char::is_control), "{field}: {text:?}");
        }
    }

    let page = house.page(&browser, "/certificates").body;
    assert_eq!(count(&page), tags, "a name became a tag");
    let shown = ["@SUM(1+1)*cmd", "{{7*7}}", "../../../../etc/cron.d/x", "DROP TABLE certs", "good.example"];
    assert!(shown.iter().all(|name| page.contains(name)), "the names are not on the page\n{page}");
    let mut pages = vec![page];
    pages.extend(hashes.iter().map(|hash| house.page(&browser, &format!("/certificates/{hash}")).body));
    pages.push(house.page(&browser, "/audit").body);
    for page in &pages {
        assert!(ACTIVE.iter().all(|part| !page.contains(part)), "{page}");
    }

    csv_is_no_formula(&house.page(&browser, "/certificates?format=csv"));
    for hash in &hashes {
        for form in ["pem", "der"] {
            let path = format!("/api/v1/certificates/{hash}/file?form={form}");
            file_name_is_ours(&house.ask("GET", &path, &[], b""));
        }
    }
    assert!(!house.server.said().contains('\u{1b}'), "the log can steer a terminal");
    house.audit_holds();
    house.server.stop();
}

fn csv_is_no_formula(answer: &Answer) {
    file_name_is_ours(answer);
    assert!(answer.one("content-type").starts_with("text/csv"), "{answer:?}");
    let cells = cells(&answer.body);
    assert!(cells.iter().any(|cell| cell.starts_with("'@SUM(1+1)*cmd")), "{cells:?}");
    assert!(cells.iter().any(|cell| cell.contains("<img src=x")), "{cells:?}");
    for cell in &cells {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} is a formula");
        assert!(!cell.chars().any(|c| matches!(c, '\0' | '\u{1b}')), "{cell:?}");
    }
}

/// The cells of a CSV text (RFC 4180), one row after the other.
fn cells(text: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted && letters.peek() == Some(&'\n') => {}
            _ => cell.push(letter),
        }
    }
    assert!(!quoted && cell.is_empty(), "the file ends within a cell");
    cells
}

fn file_name_is_ours(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let disposition = answer.one("content-disposition");
    let names =
        disposition.strip_prefix("attachment; filename=\"").unwrap_or_else(|| panic!("{disposition}"));
    let (name, friendly) = names.split_once('"').unwrap_or_else(|| panic!("{disposition}"));
    let tame = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    assert!(!name.is_empty() && name.bytes().all(tame), "{disposition}");
    // The friendly name, for people: letters, digits and percent-encoded letters, before a name of ours.
    let friendly = friendly.strip_prefix("; filename*=UTF-8''").unwrap_or(friendly);
    assert!(friendly.bytes().all(|byte| tame(byte) || byte == b'%'), "{disposition}");
    assert!(friendly.is_empty() || friendly.ends_with(&format!("-{name}")), "{disposition}");
    assert!(!["%2F", "%5C", "%22", "%0D", "%0A", "%1B", "%3D"].iter().any(|sign| friendly.contains(sign)));
    assert!(!name.starts_with('.') && !name.contains(".."), "{disposition}");
}
