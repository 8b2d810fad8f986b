//! The real nginx: takes a new pair, refuses a broken configuration and goes on with the old one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use claviger_deploy::{DeployError, Expected, Material, Patience, Settings, connector, verify_within};
use outbound::Dialer;
use pki::Certificate;
use tempfile::TempDir;
use testkit::{Authority, TestSigner};

const NGINX: &str = "/usr/sbin/nginx";

struct Nginx {
    home: TempDir,
    address: String,
    process: Option<Child>,
}

impl Nginx {
    /// A site with TLS on a free port; not started.
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        let nginx = Self { home, address, process: None };
        fs::create_dir(nginx.home.path().join("tls")).unwrap();
        nginx.configure("");
        nginx
    }

    fn configure(&self, extra: &str) {
        let (home, address) = (self.home.path().display(), &self.address);
        let text = format!(
            "daemon off; pid {home}/nginx.pid; error_log {home}/error.log; events {{}}\n\
             http {{ access_log off; client_body_temp_path {home}/b; proxy_temp_path {home}/p;\n\
             fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;\n\
             server {{ listen {address} ssl; server_name a.example; {extra}\n\
             ssl_certificate {home}/tls/fullchain.pem; ssl_certificate_key {home}/tls/privkey.pem; }} }}\n"
        );
        fs::write(self.home.path().join("nginx.conf"), text).unwrap();
    }

    fn start(&mut self) {
        let (home, conf) = (self.home.path(), self.home.path().join("nginx.conf"));
        let mut command = Command::new(NGINX);
        command.arg("-p").arg(home).arg("-c").arg(conf).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("nginx is installed"));
    }

    fn settings(&self, preset: &str) -> Settings {
        let home = self.home.path();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("directory", text(&home.join("tls"))),
            ("preset", preset.to_owned()),
            ("nginx_binary", NGINX.to_owned()),
            ("nginx_conf", text(&home.join("nginx.conf"))),
            ("nginx_prefix", text(home)),
            ("pid_file", text(&home.join("nginx.pid"))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    async fn serves(&self, certificate: &Certificate, chain: &[Certificate]) {
        let expected = Expected { certificate, chain, names: certificate.names() };
        let patience = Patience { total: Duration::from_secs(30), pause: Duration::from_millis(20) };
        let looks =
            verify_within(&Dialer::default(), std::slice::from_ref(&self.address), &expected, patience).await;
        assert_eq!(looks.len(), 1);
        assert!(looks[0].is_good() && looks[0].warning.is_empty(), "{looks:?}");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        // Lets the master end its workers.
        let _ = Command::new("/bin/kill").args(["-TERM", &process.id().to_string()]).status();
        let _ = process.wait();
    }
}

#[tokio::test]
async fn takes_a_new_pair_and_keeps_the_old_one_when_it_is_broken() {
    let (files, authority) = (connector("files").unwrap(), Authority::new());
    let keys = [TestSigner::ec(), TestSigner::rsa(), TestSigner::ec()];
    let certificates = keys.each_ref().map(|key| authority.issue(&["a.example"], key));
    let chain = [authority.intermediate.clone()];
    let install = |which: usize, settings: Settings| {
        let key = keys[which].private_key();
        let material =
            Material { certificate: &certificates[which], chain: &chain, key: Some(&key), proven: false };
        files.install(&settings, &material)
    };

    let mut nginx = Nginx::new();
    install(0, nginx.settings("none")).unwrap();
    nginx.start();
    nginx.serves(&certificates[0], &chain).await;

    install(1, nginx.settings("nginx")).unwrap();
    nginx.serves(&certificates[1], &chain).await;

    nginx.configure("no_such_directive on;");
    let refused = install(2, nginx.settings("nginx")).unwrap_err();
    assert!(
        matches!(&refused, DeployError::Refused { said } if said.contains("no_such_directive")),
        "{refused}"
    );
    nginx.serves(&certificates[1], &chain).await;
    let installed = fs::read_to_string(nginx.home.path().join("tls/cert.pem")).unwrap();
    assert_eq!(installed, pki::format::pem_write::certificate(certificates[1].der()));

    nginx.configure("");
    install(2, nginx.settings("nginx")).unwrap();
    nginx.serves(&certificates[2], &chain).await;
    files.put_back(&nginx.settings("nginx"), certificates[2].fingerprint()).unwrap();
    nginx.serves(&certificates[1], &chain).await;
}
