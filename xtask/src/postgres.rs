//! A PostgreSQL server of our own for the tests: on loopback, in a temporary folder, ended with us.
//!
//! It is started as a child, not by `pg_ctl`, and asks the kernel for a signal when we die: an
//! interrupted test run leaves no server behind.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::command::{command, read, run, works};

/// How long the server may take to accept connections.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server; it is stopped and its folder removed when this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    server: Child,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Makes an empty cluster and starts a server on it.
    pub fn start(root: &Path) -> anyhow::Result<Self> {
        let programs = find_programs(root)?;
        let folder =
            PathBuf::from(read(&mut as_server(root, "mktemp", &["-d", "-t", "claviger-pg.XXXXXX"])?)?.trim());
        match start_in(&folder, &programs) {
            Ok((server, port)) => Ok(Self { server, folder, port }),
            Err(error) => {
                // The first error is the one worth telling.
                let _ = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    /// The address for a client; every local user is let in as `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        end(&mut self.server);
        // What is left would be in the system's temporary folder; nothing depends on it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn start_in(folder: &Path, programs: &Path) -> anyhow::Result<(Child, u16)> {
    let cluster = folder.join("cluster");
    let arguments =
        ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"];
    let mut initdb = as_server(folder, programs.join("initdb"), &arguments)?;
    run(initdb.arg(&cluster).stdout(Stdio::null())).context("could not make a PostgreSQL cluster")?;

    let port = free_port()?;
    let log_path = folder.join("log");
    let log = fs::File::create(&log_path).context("could not make PostgreSQL's log file")?;
    let mut server = as_server(folder, programs.join("postgres"), &[])?;
    server.arg("-D").arg(&cluster).arg("-k").arg(folder).arg("-p").arg(port.to_string());
    // The data is thrown away: nothing needs to survive a power cut.
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=300",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
    ] {
        server.arg("-c").arg(setting);
    }
    let mut server =
        server.stdout(log.try_clone()?).stderr(log).spawn().context("could not start PostgreSQL's server")?;
    if let Err(error) = wait_until_ready(&mut server, programs, folder, port) {
        end(&mut server);
        let log = fs::read_to_string(&log_path).unwrap_or_default();
        return Err(error.context(format!("PostgreSQL's server does not answer; its log says:\n{log}")));
    }
    Ok((server, port))
}

fn wait_until_ready(server: &mut Child, programs: &Path, folder: &Path, port: u16) -> anyhow::Result<()> {
    let started = Instant::now();
    let port = port.to_string();
    while !works(&mut command(folder, programs.join("pg_isready"), &["-h", "127.0.0.1", "-p", &port])) {
        if let Some(status) = server.try_wait()? {
            bail!("the server ended by itself ({status})");
        }
        if started.elapsed() > START_LIMIT {
            bail!("not ready after {} seconds", START_LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Ends the server at once; its children go with it.
fn end(server: &mut Child) {
    let id = server.id().to_string();
    if !works(&mut command(Path::new("/"), "kill", &["-QUIT", &id])) {
        // It has ended already, or this does it.
        let _ = server.kill();
    }
    let _ = server.wait();
}

/// A command run as the user `postgres` when we are root (PostgreSQL refuses root), ended with us.
fn as_server(folder: &Path, program: impl AsRef<Path>, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut words = vec!["--pdeathsig", "INT"];
    if read(&mut command(folder, "id", &["-u"]))?.trim() == "0" {
        words.extend(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    let mut command = command(folder, "setpriv", &words);
    command.arg("--").arg(program.as_ref()).args(arguments);
    Ok(command)
}

/// The folder of PostgreSQL's own programs, of the newest version that is installed.
fn find_programs(root: &Path) -> anyhow::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    // Debian keeps them off the search path, one folder for each major version.
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let programs = entry.path().join("bin");
        if let Some(version) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && programs.join("initdb").exists()
        {
            found.push((version, programs));
        }
    }
    match found.into_iter().max() {
        Some((_, programs)) => Ok(programs),
        None => {
            let folder = read(&mut command(root, "pg_config", &["--bindir"]))
                .context("PostgreSQL's server is not installed; cargo xtask tools installs it")?;
            Ok(PathBuf::from(folder.trim()))
        }
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}
