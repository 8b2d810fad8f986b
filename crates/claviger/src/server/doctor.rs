//! `doctor`: says what is wrong with an installation, and how to mend it.

use std::path::Path;
use std::process::ExitCode;

use app::App;
use app::audit::BROKEN_HEAD_FILE;
use app::certificate::CertificateView;
use clap::Args;
use domain::permission::uses;
use domain::{Actor, authorize};
use serde::Serialize;
use store::Store;

use super::init::explain;
use super::installation::{At, Expect, Installation, OlderTables};
use super::{process, secret_file};
use crate::cli::output;

/// How much must be free, in bytes: enough for a while of events and for the log that SQLite writes ahead.
const ROOM: usize = 16 * 1024 * 1024;

/// Looks an installation over: rights, instance key, database, audit log, room on the disk, its own certificates.
///
/// The server may be running. Exit code 1 when something is wrong.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    at: At,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Look {
    /// What was looked at.
    what: &'static str,
    /// Whether it is in order.
    fine: bool,
    /// What was found.
    found: String,
    /// How to mend it; empty when there is nothing to mend.
    repair: &'static str,
}

impl Look {
    fn fine(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, fine: true, found: found.into(), repair: "" }
    }

    fn wrong(what: &'static str, found: impl Into<String>, repair: &'static str) -> Self {
        Self { what, fine: false, found: found.into(), repair }
    }

    /// The word in front: what is in order and has a repair all the same is worth a note.
    fn mark(&self) -> &'static str {
        match (self.fine, self.repair.is_empty()) {
            (true, true) => "ok   ",
            (true, false) => "note ",
            (false, _) => "WRONG",
        }
    }

    fn of<T>(what: &'static str, result: &anyhow::Result<T>, found: &str, repair: &'static str) -> Self {
        match result {
            Ok(_) => Self::fine(what, found),
            Err(error) => Self::wrong(what, format!("{error:#}"), repair),
        }
    }
}

impl Doctor {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let looks = look_over(&self.at).await;
        let fine = looks.iter().all(|look| look.fine);
        if self.json {
            output::json(&serde_json::json!({ "fine": fine, "looks": looks }))?;
        } else {
            for look in &looks {
                output::line(format!("{}  {}: {}", look.mark(), look.what, look.found))?;
                if !look.repair.is_empty() {
                    output::line(format!("       {}", look.repair))?;
                }
            }
        }
        Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Each look needs the one before: without a key there is no database to open.
async fn look_over(at: &At) -> Vec<Look> {
    let mut looks = Vec::new();
    let installation = at.read(Expect::Installation);
    let repair = if at.data.exists() {
        "Do what it says, then run doctor again."
    } else {
        "Name the right directory with --data; where there is none yet, claviger serve or init makes it."
    };
    looks.push(Look::of(
        "data directory",
        &installation,
        "there, closed to others, with its instance key",
        repair,
    ));
    let Ok(installation) = installation else { return looks };
    looks.push(recovery(installation.directory.path()));
    looks.push(room(installation.directory.path()));
    looks.push(open_files(&installation));
    let store = installation.open_store(OlderTables::Refuse).await;
    let repair = "If the version differs, run claviger migrate; else restore a backup.";
    looks.push(Look::of("database", &store, "opens", repair));
    let Ok(store) = store else { return looks };
    looks.push(database(&store).await);
    if let Some(app) = open_app(&installation, store, &mut looks).await {
        looks.push(audit(&app, installation.directory.path()).await);
        looks.push(own_certificates(&app).await);
        app.store().close().await;
    }
    looks
}

fn recovery(directory: &Path) -> Look {
    let (what, file) = ("recovery", directory.join(app::backup::RECOVERY_FILE));
    let repair = "Put the file back from a backup of the directory; without it no backup can be taken.";
    if !file.exists() {
        return Look::wrong(what, format!("{} is missing", file.display()), repair);
    }
    Look::of(
        what,
        &secret_file::check_mode(&file),
        "the instance key is sealed to the recovery passphrase",
        repair,
    )
}

/// Writes and removes a file: that says more than a number, and also finds a disk that has become read-only.
fn room(directory: &Path) -> Look {
    let file = directory.join("doctor.tmp");
    let written = secret_file::write(&file, &vec![0; ROOM]);
    let removed = std::fs::remove_file(&file);
    let result = written.and_then(|()| Ok(removed?));
    Look::of(
        "disk",
        &result,
        "there is room",
        "Make room on the disk of the data directory, and check its rights.",
    )
}

/// A warning more than a fault: the server runs with fewer, until it is full. It may also have another limit than the
/// shell that doctor runs in.
fn open_files(installation: &Installation) -> Look {
    let what = "open files";
    let needed = process::files_needed(installation.config.edge.connections);
    match process::short_of_files(needed) {
        None => Look::fine(what, format!("enough for {needed}")),
        Some(short) => Look { what, fine: true, found: short, repair: process::MORE_FILES },
    }
}

async fn database(store: &Store) -> Look {
    let what = "tables";
    let repair = "Stop the server, keep a copy of the database file, and restore a backup.";
    match store.check().await {
        Ok(check) if check.problems.is_empty() => {
            Look::fine(what, format!("sound, schema version {}", check.schema))
        }
        Ok(check) => Look::wrong(what, check.problems.join("; "), repair),
        Err(error) => Look::wrong(what, format!("{:#}", anyhow::Error::new(error)), repair),
    }
}

async fn open_app(
    installation: &Installation,
    store: Store,
    looks: &mut Vec<Look>,
) -> Option<std::sync::Arc<App>> {
    let what = "token system";
    let app = match installation.open_app(store, installation.app_config()).await {
        Ok(app) => app,
        Err(error) => {
            let repair = "Put back the instance.key that belongs to this database, or restore a backup.";
            looks.push(Look::wrong(what, format!("{error:#}"), repair));
            return None;
        }
    };
    match app::setup::is_installed(&app).await {
        Ok(true) => looks.push(Look::fine(what, "the instance key opens it")),
        Ok(false) => {
            let repair = "Open the setup link that serve prints, or run claviger init.";
            looks.push(Look::wrong("first start", "it was not finished", repair));
            return None;
        }
        Err(error) => {
            looks.push(Look::wrong(what, error.to_string(), "Look into the log."));
            return None;
        }
    }
    Some(app)
}

async fn audit(app: &App, directory: &Path) -> Look {
    let (what, kept) = ("audit log", directory.join(BROKEN_HEAD_FILE));
    let repair = "Compare it with a backup; if nothing explains it, somebody edited the database.";
    if kept.exists() {
        return Look::wrong(
            what,
            format!("it was found cut or changed at an earlier start, see {}", kept.display()),
            repair,
        );
    }
    match app::audit::check(app).await.map_err(explain) {
        Ok(verified) => Look::fine(what, format!("{} events, all in place", verified.events)),
        Err(error) => Look::wrong(what, format!("{error:#}"), repair),
    }
}

/// The certificates that the server itself stands on: the default, and the factory certificate behind it.
async fn own_certificates(app: &App) -> Look {
    let what = "own certificates";
    let repair = "Choose another default certificate on the page Certificates.";
    let found = match load_own(app).await {
        Ok(found) => found,
        Err(error) => return Look::wrong(what, format!("{error:#}"), "Look into the log."),
    };
    let ended = |view: &&CertificateView| view.entry.certificate.not_after() < app.now().unix();
    match found.iter().find(ended) {
        Some(view) => Look::wrong(what, format!("“{}” has ended", view.entry.friendly_name), repair),
        None if found.is_empty() => Look::wrong(what, "there is no default certificate", repair),
        None => Look::fine(what, "none has ended"),
    }
}

async fn load_own(app: &App) -> anyhow::Result<Vec<CertificateView>> {
    let by = authorize(&Actor::Scheduler, uses::ViewCertificates, "")?;
    let names = [app::setting::DEFAULT_CERTIFICATE, app::setting::FACTORY_CERTIFICATE];
    let mut found = Vec::new();
    for name in names {
        let chosen = app.store().read("doctor.certificate", move |tx| store::setting::text(tx, name)).await?;
        if let Some(fingerprint) = chosen.and_then(|text| text.parse().ok()) {
            found.push(app::certificate::find(app, &by, &fingerprint).await?);
        }
    }
    Ok(found)
}
