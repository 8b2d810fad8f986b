//! `restore`: a backup becomes a data directory again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use zeroize::Zeroizing;

use super::init::explain;
use super::installation::{At, Expect, OlderTables};
use super::instance::DataDirectory;
use super::secret_file;
use crate::cli::output;

/// Brings a backup back into an empty directory, with its recovery passphrase.
///
/// Database, instance key and recovery block are put back; `serve` then signs and serves as before.
#[derive(Debug, Args)]
pub struct Restore {
    /// The data directory; empty, or not there yet
    #[arg(long, value_name = "DIR", env = "CLAVIGER_DATA")]
    data: PathBuf,
    /// The backup file
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// A file that holds the recovery passphrase
    #[arg(long, value_name = "FILE")]
    recovery_file: PathBuf,
}

impl Restore {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let passphrase = secret_file::read_line(&self.recovery_file)?;
        let (from, data) = (self.from.clone(), self.data.clone());
        // The derivation takes a while, and nothing else runs here.
        tokio::task::spawn_blocking(move || unpack(&from, &data, &passphrase)).await??;
        let events = self.check().await?;
        output::line(format!(
            "{} is back with {events} audit events; start it with: claviger serve --data {}",
            self.data.display(),
            self.data.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Opens what was restored, proves that its keys open, and records the restoring.
    async fn check(&self) -> anyhow::Result<i64> {
        let at = At { data: self.data.clone(), config: None, database: None };
        let installation = at.read(Expect::Installation)?;
        let _lock = installation.directory.lock()?;
        let store = installation.open_store(OlderTables::Migrate).await?;
        let problems = store.check().await?.problems;
        if !problems.is_empty() {
            bail!("the restored database is damaged: {}", problems.join("; "));
        }
        let app = installation.open_app(store, installation.app_config()).await?;
        app::backup::record_restore(&app).await?;
        // The directory is new: the head is what the backup holds, whose chain is walked then.
        app::audit::adopt_head(&app).await?;
        let verified = app::audit::check(&app).await.map_err(explain)?;
        app.store().close().await;
        Ok(verified.events)
    }
}

/// Opens the backup first: with a wrong passphrase or a damaged file nothing is written.
fn unpack(from: &Path, data: &Path, passphrase: &str) -> anyhow::Result<()> {
    let mut opened = app::backup::open_backup(from, passphrase).map_err(explain)?;
    let directory = DataDirectory::open_or_make(data)?;
    if !directory.is_unused() {
        bail!("{} holds an installation; a backup is restored into an empty directory", data.display());
    }
    let recovery = directory.path().join(app::backup::RECOVERY_FILE);
    opened.write_to(&directory.database_file(), &recovery).map_err(explain)?;
    // The key goes last: a directory with a database and no key is refused, never mistaken for a whole one.
    let text = Zeroizing::new(format!("{}\n", &*Zeroizing::new(pki::identity::hex(opened.instance.bytes()))));
    secret_file::create(&directory.key_file(), text.as_bytes())
}
