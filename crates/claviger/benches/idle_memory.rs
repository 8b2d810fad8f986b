//! Resident memory of an idle `serve` with 1,000 certificates, all current and served.
//!
//! `cargo bench --package claviger --bench idle_memory [-- COUNT]`. Run by hand.

#![expect(clippy::print_stdout, reason = "it prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may end")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(1_000);
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let server = Server::start(folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(server.fill(folder.path(), count));
    println!("after making {count} certificates: {:.1} MiB resident", server.resident());
    drop(server);
    // A new process: what it holds when it has done nothing but start.
    let server = Server::start(folder.path());
    runtime.block_on(server.settle());
    println!("idle with {count} certificates:    {:.1} MiB resident", server.resident());
}

fn claviger() -> Command {
    Command::new(env!("CARGO_BIN_EXE_claviger"))
}

fn init(folder: &Path) {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut command = claviger();
    command.arg("init").arg("--data").arg(folder.join("data")).args(["--admin", "bench"]);
    command.arg("--password-file").arg(file("password", "correct horse battery staple"));
    command.arg("--pin-file").arg(file("pin", "Secret-1234"));
    command.arg("--api-key-file").arg(folder.join("api-key")).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
}

struct Server {
    child: Child,
    ui: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(folder: &Path) -> Self {
        let addresses = folder.join("addresses.json");
        let _ = std::fs::remove_file(&addresses);
        let mut command = claviger();
        command.arg("serve").arg("--data").arg(folder.join("data")).arg("--addresses-file").arg(&addresses);
        for port in ["--listen", "--http-listen", "--edge-listen", "--metrics-listen"] {
            command.args([port, "127.0.0.1:0"]);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, ui: String::new() };
        while server.ui.is_empty() {
            std::thread::sleep(Duration::from_millis(50));
            let text = std::fs::read(&addresses).unwrap_or_default();
            let read: Value = serde_json::from_slice(&text).unwrap_or_default();
            server.ui = read["ui"].as_str().unwrap_or_default().to_owned();
        }
        server
    }

    async fn fill(&self, folder: &Path, count: usize) {
        let key = std::fs::read_to_string(folder.join("api-key")).unwrap();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // On loopback, to a server that this bench started: what it shows is not what is measured.
        let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
        let port = self.ui.rsplit_once(':').unwrap().1;
        let url = |path: &str| format!("https://localhost:{port}/api/v1{path}");
        for number in 0..count {
            let name = format!("site-{number:05}.example.org");
            let wanted = json!({ "name": name, "names": [name] });
            let request = client.post(url("/lineages")).bearer_auth(key.trim()).json(&wanted);
            assert_eq!(request.send().await.unwrap().status().as_u16(), 201);
        }
        loop {
            let answer = client.get(url("/overview")).bearer_auth(key.trim()).send().await.unwrap();
            let overview: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            if overview["running"].as_array().is_some_and(Vec::is_empty) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Until the snapshot is served and the start's own work is done.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(20)).await;
    }

    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1_024.0
    }
}
