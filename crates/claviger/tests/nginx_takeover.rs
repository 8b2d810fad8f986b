//! The story of a site that is there already: the certificate of a running nginx is taken over, served by the edge
//! under the same fingerprint, then rekeyed by the internal CA while clients keep connecting; a configuration that
//! nginx refuses leaves the old one served, and the page says why.

#![expect(clippy::unwrap_used, reason = "tests stop at surprises")]

#[path = "common/cli.rs"]
mod cli;
mod common;

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use cli::Cli;
use common::{
    ADMIN, PASSWORD, PATIENCE, Place, Server, is_valid_for, openssl, shown_chain, shown_leaf, wait_for,
};
use pki::Fingerprint;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::Value;

const NAME: &str = "site.example";
const NGINX: &str = "/usr/sbin/nginx";

/// A site of nginx with the certificate that it always had.
struct Nginx {
    home: PathBuf,
    address: SocketAddr,
    process: Child,
}

impl Nginx {
    fn start(home: &Path) -> Self {
        fs::create_dir_all(home.join("tls")).unwrap();
        // Made by another CA, long ago: a root, an intermediate, a leaf.
        let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let root = [
            "req",
            "-x509",
            "-keyout",
            "old-root.key",
            "-out",
            "old-root.pem",
            "-days",
            "3650",
            "-subj",
            "/CN=Old root",
        ];
        openssl(home, &[&root[..], &ec, &["-addext", "keyUsage=critical,keyCertSign"]].concat());
        fs::write(
            home.join("middle.ext"),
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n",
        )
        .unwrap();
        fs::write(home.join("leaf.ext"), format!("subjectAltName=DNS:{NAME}\nextendedKeyUsage=serverAuth\n"))
            .unwrap();
        for (name, issuer, days) in [("middle", "old-root", "400"), ("leaf", "middle", "300")] {
            let (key, csr, pem, ext) =
                (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"), format!("{name}.ext"));
            let subject = format!("/CN={name}.old");
            openssl(
                home,
                &[&["req", "-new", "-keyout", &key, "-out", &csr, "-subj", &subject][..], &ec].concat(),
            );
            let (ca, ca_key) = (format!("{issuer}.pem"), format!("{issuer}.key"));
            let sign = [
                "x509", "-req", "-days", days, "-in", &csr, "-out", &pem, "-CA", &ca, "-CAkey", &ca_key,
                "-extfile", &ext,
            ];
            openssl(home, &sign);
        }
        let chain =
            ["leaf.pem", "middle.pem"].map(|file| fs::read_to_string(home.join(file)).unwrap()).concat();
        fs::write(home.join("tls/fullchain.pem"), chain).unwrap();
        fs::copy(home.join("leaf.key"), home.join("tls/privkey.pem")).unwrap();

        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        configure(home, address, "");
        let mut command = Command::new(NGINX);
        command.arg("-p").arg(home).arg("-c").arg(home.join("nginx.conf")).stderr(Stdio::null());
        let nginx =
            Self { home: home.to_owned(), address, process: command.spawn().expect("nginx is installed") };
        wait_for("nginx serves", || shown_leaf(address, NAME));
        nginx
    }
}

fn configure(home: &Path, address: SocketAddr, extra: &str) {
    let here = home.display();
    let text = format!(
        "daemon off; pid {here}/nginx.pid; error_log {here}/error.log; events {{}}\n\
         http {{ access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p;\n\
         fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n\
         server {{ listen {address} ssl; server_name {NAME}; {extra}\n\
         ssl_certificate {here}/tls/fullchain.pem; ssl_certificate_key {here}/tls/privkey.pem; }} }}\n"
    );
    fs::write(home.join("nginx.conf"), text).unwrap();
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Lets the master end its workers.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

/// Clients that connect all the time, each time anew, and check chain and name as a browser does.
struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
}

/// What one of them saw: the leaves in their order, how many handshakes, and what failed.
#[derive(Default)]
struct Seen {
    leaves: Vec<Fingerprint>,
    handshakes: usize,
    failures: Vec<String>,
}

impl Clients {
    fn start(addresses: &[SocketAddr], roots: &[&Path]) -> Self {
        let mut trusted = RootCertStore::empty();
        for root in roots {
            trusted.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
        }
        let mut config = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        let (config, stop) = (Arc::new(config), Arc::new(AtomicBool::new(false)));
        let threads = addresses.iter().map(|address| {
            let (address, config, stop) = (*address, Arc::clone(&config), Arc::clone(&stop));
            std::thread::spawn(move || watch(address, &config, &stop))
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    fn end(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }
}

fn watch(address: SocketAddr, config: &Arc<ClientConfig>, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        match handshake(address, config) {
            Ok(leaf) => {
                seen.handshakes += 1;
                if seen.leaves.last() != Some(&leaf) {
                    seen.leaves.push(leaf);
                }
            }
            Err(error) => seen.failures.push(error.to_string()),
        }
    }
    seen
}

fn handshake(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Fingerprint> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let leaf = connection.peer_certificates().and_then(|chain| chain.first());
    leaf.map(|leaf| Fingerprint::of_der(leaf)).ok_or_else(|| io::Error::other("no certificate"))
}

#[test]
fn a_running_nginx_is_taken_over_and_rekeyed_without_a_failed_handshake() {
    let place = Place::new();
    let nginx = Nginx::start(&place.file("nginx"));
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    let edge = server.addresses.edge;
    let before = shown_leaf(nginx.address, NAME).unwrap();

    // Key and full chain as they lie there: the edge serves the same certificate at once.
    let imported = cli.json(&[
        "cert",
        "import",
        "nginx/tls/privkey.pem",
        "nginx/tls/fullchain.pem",
        "--friendly-name",
        "site",
    ]);
    assert_eq!(imported["certificates"][0]["hash"], before.to_string());
    wait_for("the edge serves it", || shown_leaf(edge, NAME).filter(|shown| *shown == before));

    let root = internal_root(&cli, &place);
    make_target(&cli, &nginx);
    let lineage =
        cli.json(&["cert", "adopt", "site", "--issuer", "internal", "--target", "edge", "--target", "nginx"]);
    assert_eq!(lineage["current"]["hash"], before.to_string());
    let id = lineage["id"].as_str().unwrap().to_owned();

    // Rekeyed while clients keep connecting to both.
    let roots = [nginx.home.join("old-root.pem"), root];
    let clients = Clients::start(&[nginx.address, edge], &[&roots[0], &roots[1]]);
    let job = cli.json(&["lineage", "rekey", "site"]);
    assert_eq!(job["state"], "done", "{job}");
    let lineage = cli.json(&["lineage", "show", "site"]);
    let after: Fingerprint = lineage["current"]["hash"].as_str().unwrap().parse().unwrap();
    assert_ne!(after, before);
    for address in [nginx.address, edge] {
        wait_for("the new one is served", || shown_leaf(address, NAME).filter(|shown| *shown == after));
    }
    for seen in clients.end() {
        assert_eq!(seen.failures, [""; 0]);
        assert!(seen.handshakes > 10, "{} handshakes", seen.handshakes);
        // The old workers of nginx may still take the last one, so the new leaf need not be what was seen last.
        assert_eq!((seen.leaves.first(), seen.leaves.contains(&after)), (Some(&before), true));
        assert!(seen.leaves.iter().all(|leaf| [before, after].contains(leaf)), "{:?}", seen.leaves);
    }
    let states: Vec<&str> =
        lineage["deployments"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["verified", "verified"]);

    a_broken_configuration_keeps_the_old_one(&cli, &server, &nginx, &id, after);
    server.stop();
}

/// The story of an administrator who forgot the intermediate: it comes later, and nginx sends it without anybody's click.
#[test]
fn an_intermediate_that_comes_later_reaches_nginx_by_itself() {
    let place = Place::new();
    let nginx = Nginx::start(&place.file("nginx"));
    place.init();
    let server = Server::start(&place);
    let cli = Cli::new(&server, &place);
    make_target(&cli, &nginx);
    cli.json(&["cert", "import", "nginx/leaf.key", "nginx/leaf.pem", "--friendly-name", "site"]);
    let lineage = cli.json(&["cert", "adopt", "site", "--target", "edge", "--target", "nginx"]);
    let id = lineage["id"].as_str().unwrap().to_owned();
    let sent = |count: usize| {
        let what = format!("nginx sends {count} certificates");
        wait_for(&what, || shown_chain(nginx.address, NAME).filter(|chain| chain.len() == count))
    };
    let deployments = || cli.json(&["lineage", "show", &id])["deployments"].as_array().unwrap().clone();
    let verified = || {
        let is_verified = |all: &Vec<Value>| all.iter().all(|one| one["state"] == "verified");
        wait_for("it is seen from outside", || Some(deployments()).filter(is_verified))
    };
    sent(1);
    verified();
    let root = nginx.home.join("old-root.pem");
    // For a moment after a reload the old workers of nginx accept, too.
    let is_taken = |expected: bool| {
        let what = format!("clients take it: {expected}");
        wait_for(&what, || (is_valid_for(nginx.address, NAME, &root) == expected).then_some(()))
    };
    is_taken(false);

    cli.say(&["cert", "import", "nginx/middle.pem"]);
    sent(2);
    is_taken(true);
    verified();
    let before = fs::read_to_string(nginx.home.join("tls/fullchain.pem.previous")).unwrap();
    assert_eq!(before.matches("BEGIN CERTIFICATE").count(), 1, "what was served before is kept");
    let events = cli.json(&["audit", "list", "--action", "deployment.plan"]);
    let events = events["items"].as_array().unwrap();
    let objects: Vec<&str> = events.iter().map(|event| event["object"].as_str().unwrap()).collect();
    assert_eq!(objects, [id.as_str()], "{events:?}");

    // One that nginx refuses leaves the chain that works.
    configure(&nginx.home, nginx.address, "no_such_directive on;");
    let again = place.file("nginx/again.pem");
    openssl(
        &nginx.home,
        &[
            "x509",
            "-req",
            "-days",
            "900",
            "-in",
            "middle.csr",
            "-out",
            again.to_str().unwrap(),
            "-CA",
            "old-root.pem",
            "-CAkey",
            "old-root.key",
            "-extfile",
            "middle.ext",
        ],
    );
    let longer_lived = fs::read_to_string(&again).unwrap();
    cli.say(&["cert", "import", "nginx/again.pem"]);
    wait_for("nginx says no", || {
        let said = cli.json(&["lineage", "show", &id]).to_string();
        said.contains("no_such_directive").then_some(())
    });
    let on_disk = fs::read_to_string(nginx.home.join("tls/fullchain.pem")).unwrap();
    assert_eq!(on_disk.matches("BEGIN CERTIFICATE").count(), 2, "the chain that works is there");
    assert!(!on_disk.contains(longer_lived.trim()), "{on_disk}");
    assert!(is_valid_for(nginx.address, NAME, &root));
    cli.json(&["audit", "check"]);
    server.stop();
}

/// Has the internal CA made by a first use, and answers the file of its root.
fn internal_root(cli: &Cli<'_>, place: &Place) -> PathBuf {
    let made = cli.json(&["lineage", "create", "other", "--name", "other.example"]);
    assert_eq!(made["issuer"], "internal");
    let hash = wait_for("the internal CA is there", || {
        cli.json(&["issuer", "show", "internal"])["root"]["hash"].as_str().map(str::to_owned)
    });
    cli.say(&["cert", "export", &hash, "--out", "internal-root.pem"]);
    place.file("internal-root.pem")
}

fn make_target(cli: &Cli<'_>, nginx: &Nginx) {
    let here = nginx.home.canonicalize().unwrap();
    let here = here.to_str().unwrap();
    let settings = [
        format!("directory={here}/tls"),
        "preset=nginx".to_owned(),
        format!("nginx_conf={here}/nginx.conf"),
        format!("nginx_prefix={here}"),
        format!("pid_file={here}/nginx.pid"),
    ];
    let address = nginx.address.to_string();
    let mut arguments = vec!["target", "create", "nginx", "--kind", "files", "--address", &address];
    for setting in &settings {
        arguments.extend(["--set", setting]);
    }
    let made = cli.json(&arguments);
    assert_eq!((&made["label"], &made["settings"]["preset"]), (&"nginx".into(), &"nginx".into()));
    assert!(cli.say(&["target", "kinds"]).contains("--set directory="));
}

fn a_broken_configuration_keeps_the_old_one(
    cli: &Cli<'_>,
    server: &Server,
    nginx: &Nginx,
    id: &str,
    served: Fingerprint,
) {
    configure(&nginx.home, nginx.address, "no_such_directive on;");
    let said = cli.refused(&["lineage", "rekey", "site"]);
    assert!(said.contains("no_such_directive"), "{said}");
    // The edge has the new one; nginx goes on with what it had, in its memory and in its files.
    assert_eq!(shown_leaf(nginx.address, NAME), Some(served));
    let on_disk = fs::read_to_string(nginx.home.join("tls/fullchain.pem")).unwrap();
    let first = CertificateDer::from_pem_slice(on_disk.as_bytes()).unwrap();
    assert_eq!(Fingerprint::of_der(&first), served);
    let page = page(server, &format!("/lineages/{id}"));
    assert!(page.contains("no_such_directive"), "the page does not say why:\n{page}");
    // It says where, in words, and offers the repair.
    assert!(page.contains("On “nginx”: the target refuses it") && !page.contains("\\u{"), "{page}");
    assert!(page.contains("Install again"), "{page}");

    // Mended and told to try again, it gets there.
    configure(&nginx.home, nginx.address, "");
    let job = cli.json(&["target", "deploy", "nginx", "site"]);
    assert_eq!(job["state"], "done", "{job}");
    let lineage = cli.json(&["lineage", "show", id]);
    let newest: Fingerprint = lineage["current"]["hash"].as_str().unwrap().parse().unwrap();
    wait_for("nginx serves the newest", || shown_leaf(nginx.address, NAME).filter(|shown| *shown == newest));
}

/// A page as the administrator sees it.
fn page(server: &Server, path: &str) -> String {
    let client = server.client();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let body = format!("name={ADMIN}&password={}", PASSWORD.replace(' ', "+"));
        let request = client.post(server.url("/login")).body(body);
        let answer =
            request.header("Content-Type", "application/x-www-form-urlencoded").send().await.unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter();
        let cookies: Vec<&str> =
            cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
        let answer = client.get(server.url(path)).header("Cookie", cookies.join("; ")).send().await.unwrap();
        answer.text().await.unwrap()
    })
}
