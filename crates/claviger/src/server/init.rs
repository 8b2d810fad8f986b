//! `init`: the first start without a browser.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use app::App;
use app::api_key::NewApiKey;
use app::setup::Install;
use clap::Args;
use domain::installation::Identity;
use domain::permission::uses;
use domain::user::User;
use domain::{Actor, Role, authorize};
use zeroize::Zeroizing;

use super::installation::{At, Expect, OlderTables};
use super::secret_file;
use crate::cli::output;

/// Does the first start without a browser: administrator, identity, the PIN of token 0.
///
/// The recovery passphrase is written to a file or printed once: with a backup it is enough to sign again on an empty
/// machine. Token 0 is logged out afterwards.
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    at: At,
    /// Log-in name of the first administrator, who holds every role
    #[arg(long, value_name = "NAME")]
    admin: String,
    /// A file that holds the administrator's password
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// A file that holds the PIN of token 0
    #[arg(long, value_name = "FILE")]
    pin_file: PathBuf,
    /// What this server is for: production, test, or a name of your own; it cannot be changed later
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// The X-Road owner, INSTANCE:CLASS:CODE [default: none, outside X-Road]
    #[arg(long, value_name = "DEV:COM:1234", value_parser = parse_owner)]
    owner: Option<Owner>,
    /// The owner's name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    owner_name: String,
    /// The X-Road server code
    #[arg(long, value_name = "SS0", default_value = "", hide_default_value = true)]
    server_code: String,
    /// Write a first API key with every role to this file
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Write the recovery passphrase to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
}

/// An X-Road member.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    instance: String,
    member_class: String,
    member_code: String,
}

fn parse_owner(text: &str) -> Result<Owner, String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [instance, class, code] if parts.iter().all(|part| !part.is_empty()) => Ok(Owner {
            instance: (*instance).to_owned(),
            member_class: (*class).to_owned(),
            member_code: (*code).to_owned(),
        }),
        _ => Err("write it as INSTANCE:CLASS:CODE, DEV:COM:1234 say".to_owned()),
    }
}

impl Init {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (password, pin) =
            (secret_file::read_line(&self.password_file)?, secret_file::read_line(&self.pin_file)?);
        let installation = self.at.read(Expect::Anything)?;
        let _lock = installation.directory.lock()?;
        let store = installation.open_store(OlderTables::Migrate).await?;
        let app = installation.open_app(store, installation.app_config()).await?;
        let install = Install {
            admin_name: self.admin.clone(),
            admin_password: password,
            identity: self.identity(),
            pin,
            recovery: None,
        };
        let installed = app::setup::install(&app, None, install).await.map_err(explain)?;
        self.hand_over(&app, &installed).await?;
        app::audit::write_head(&app).await?;
        app.store().close().await;
        Ok(ExitCode::SUCCESS)
    }

    fn identity(&self) -> Identity {
        let owner = self.owner.clone();
        let Owner { instance, member_class, member_code } = owner.unwrap_or(Owner {
            instance: String::new(),
            member_class: String::new(),
            member_code: String::new(),
        });
        Identity {
            environment: self.environment.clone(),
            instance,
            member_class,
            member_code,
            owner_name: self.owner_name.clone(),
            server_code: self.server_code.clone(),
        }
    }

    /// Gives out what is given out once. The passphrase goes first: nothing else could bring it back.
    async fn hand_over(&self, app: &Arc<App>, installed: &app::setup::Installed) -> anyhow::Result<()> {
        hand_over_recovery(&installed.recovery, self.recovery_file.as_deref())?;
        if let Some(file) = &self.api_key_file {
            let key = Zeroizing::new(format!("{}\n", first_api_key(app, &installed.admin).await?.as_str()));
            secret_file::write(file, key.as_bytes())?;
        }
        output::line(format!("The first start is done; {} holds every role", installed.admin.name))?;
        Ok(())
    }
}

/// Gives a recovery passphrase out, the only time: into a file, or on the terminal.
pub fn hand_over_recovery(passphrase: &str, file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        Some(file) => {
            let line = Zeroizing::new(format!("{passphrase}\n"));
            secret_file::write(file, line.as_bytes())
        }
        None => {
            output::line("Keep this recovery passphrase in a safe; it is shown only now:")?;
            Ok(output::line(format!("  {passphrase}"))?)
        }
    }
}

/// The first administrator as the one who acts.
pub fn acting(admin: &User) -> Actor {
    Actor::User { id: admin.id.clone(), name: admin.name.clone(), roles: admin.roles.clone() }
}

async fn first_api_key(app: &Arc<App>, admin: &User) -> anyhow::Result<Zeroizing<String>> {
    let by = authorize(&acting(admin), uses::CreateApiKey, "")?;
    let wanted = NewApiKey { roles: Role::ALL.into(), label: "made by init".to_owned(), days: None };
    let (_, key) = app::api_key::create(app, &by, wanted).await.context("cannot make the API key")?;
    Ok(key)
}

/// A refusal with each field's sentence, for a terminal.
pub fn explain(error: app::Error) -> anyhow::Error {
    let sentence = |refusal: &pki::Refusal| format!("{}. {}", refusal.what, refusal.repair);
    match error {
        app::Error::Invalid(fields) => {
            let lines: Vec<String> =
                fields.iter().map(|(field, refusal)| format!("{field}: {}", sentence(refusal))).collect();
            anyhow::anyhow!("{}", lines.join("\n  "))
        }
        app::Error::Refused(refusal) | app::Error::Conflict(refusal) => {
            anyhow::anyhow!("{}", sentence(&refusal))
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_three_parts() {
        let owner = parse_owner("DEV:COM:1234").unwrap();
        assert_eq!((owner.instance.as_str(), owner.member_code.as_str()), ("DEV", "1234"));
        for wrong in ["", "DEV", "DEV:COM", "DEV:COM:1:2", "DEV::1"] {
            assert!(parse_owner(wrong).is_err(), "{wrong}");
        }
    }
}
