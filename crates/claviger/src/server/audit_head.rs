//! Whether the audit log is still what the head file says, at a start: the head at once, the whole log behind it.
//!
//! A server whose log was cut or changed goes on serving, but the head that proves it is kept for `audit verify` and
//! `doctor`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use app::App;
use app::audit::{BROKEN_HEAD_FILE, HEAD_FILE};
use store::audit::AuditFilter;

use super::secret_file;

/// The head file as it was before this start wrote it anew.
pub struct OldHead {
    text: Option<String>,
    kept: PathBuf,
}

impl OldHead {
    /// Reads it. Without one there must be no event yet.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let file = data.join(HEAD_FILE);
        let text = match std::fs::read(&file) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { text, kept: data.join(BROKEN_HEAD_FILE) })
    }

    /// Looks whether the event that it names is there and is that one. This takes as long for any log.
    pub async fn compare(&self, app: &App) -> anyhow::Result<()> {
        let Some(text) = &self.text else { return self.look_for_events(app).await };
        let Some((seq, mac)) = parse(text) else { return self.keep("the head file cannot be read") };
        let filter = AuditFilter::default();
        let found = app
            .store()
            .read("audit.head", move |tx| store::audit::page(tx, &filter, seq.checked_add(1), 1))
            .await
            .context("the audit log cannot be read")?;
        match found.first() {
            Some(event) if event.seq == seq && event.mac == mac => Ok(()),
            None if seq == 0 => Ok(()),
            Some(_) | None => self.keep(&format!("event {seq} is not the one that the head file names")),
        }
    }

    /// A log with events has a head file from before its first one. Only a further node on PostgreSQL never had its own.
    async fn look_for_events(&self, app: &App) -> anyhow::Result<()> {
        let (events, _) = app.store().read("audit.head", store::audit::head).await?;
        if events == 0 {
            return Ok(());
        }
        if app.store().engine_name() == "sqlite" {
            self.keep("the head file is missing beside a log with events")?;
        } else {
            tracing::warn!(
                events,
                "this node had no head of the audit log; it begins with the one that is stored"
            );
        }
        Ok(app::audit::adopt_head(app).await?)
    }

    /// Walks the whole log.
    pub async fn verify(&self, app: &App) -> anyhow::Result<()> {
        match app::audit::check(app).await {
            Ok(_) => Ok(()),
            Err(error @ app::Error::Refused(_)) => self.keep(&error.to_string()),
            // The log may be whole; `audit verify` and `doctor` look again.
            Err(error) => Err(error).context("the audit log could not be verified"),
        }
    }

    /// Says what was found, and keeps the head unless one from an earlier start is kept.
    fn keep(&self, what: &str) -> anyhow::Result<()> {
        tracing::error!(what, "the audit log was changed while the server was down");
        if self.kept.exists() {
            return Ok(());
        }
        let proof = self.text.as_deref().unwrap_or(app::audit::GONE);
        secret_file::create(&self.kept, proof.as_bytes())
    }
}

fn parse(text: &str) -> Option<(i64, [u8; 32])> {
    let (seq, mac) = text.trim().split_once(' ')?;
    let mac: pki::Fingerprint = mac.parse().ok()?;
    Some((seq.parse().ok()?, mac.0))
}
