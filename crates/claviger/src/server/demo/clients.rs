//! The second process with the clients, seen from the demonstration.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::client::Tally;
use super::sites::Site;

/// How long the clients may take to have seen enough.
const PATIENCE: Duration = Duration::from_secs(180);

/// The process, and what it said last.
pub struct Clients {
    child: Child,
    /// Closing it ends the process.
    input: ChildStdin,
    tally: watch::Receiver<Tally>,
    listener: JoinHandle<anyhow::Result<()>>,
}

impl Clients {
    /// Starts it. It ends when this is dropped, or when this process ends.
    pub fn start(edge: SocketAddr, sites: &[Site], root: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(program);
        command.arg("demo-client").arg("--edge").arg(edge.to_string()).arg("--root").arg(root);
        for site in sites {
            command.arg("--site").arg(&site.name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("cannot start the clients")?;
        let input = child.stdin.take().context("the clients have no standard input")?;
        let output = child.stdout.take().context("the clients have no standard output")?;
        let (teller, tally) = watch::channel(Tally::default());
        let listener = tokio::spawn(listen(output, teller));
        Ok(Self { child, input, tally, listener })
    }

    /// Waits until the tally is enough.
    pub async fn wait_for(&mut self, what: &str, enough: impl FnMut(&Tally) -> bool) -> anyhow::Result<()> {
        match tokio::time::timeout(PATIENCE, self.tally.wait_for(enough)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(_)) => bail!("the clients ended by themselves"),
            Err(_) => {}
        }
        let tally = serde_json::to_string(&*self.tally.borrow())?;
        bail!("waited in vain for: {what}; seen so far: {tally}")
    }

    /// Ends the clients in order and answers their last word.
    pub async fn stop(mut self) -> anyhow::Result<Tally> {
        drop(self.input);
        self.listener.await.context("the clients cannot be heard")??;
        let status = self.child.wait().await.context("the clients did not end")?;
        let tally = self.tally.borrow().clone();
        // Their exit code says the same as their tally; anything else means that the tally cannot be trusted.
        match (status.code(), tally.failed) {
            (Some(0), 0) | (Some(1), 1..) => Ok(tally),
            (code, failed) => bail!("the clients ended with {code:?} after {failed} failed handshakes"),
        }
    }
}

/// Takes every line as soon as it comes, so that the clients never wait for us.
async fn listen(output: ChildStdout, teller: watch::Sender<Tally>) -> anyhow::Result<()> {
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.context("the clients cannot be heard")? {
        teller.send_replace(serde_json::from_str(&line).context("the clients said nonsense")?);
    }
    Ok(())
}
