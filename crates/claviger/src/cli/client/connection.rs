//! Where the server is, who we are to it, and how it is recognised.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use pki::Fingerprint;
use zeroize::Zeroizing;

use super::api::Api;
use super::profile::{Profile, Profiles};
use super::server::Server;
use super::session::{Output, Session};
use super::trust::{self, Trust};
use crate::cli::secret;

/// The address that is taken when nobody names one.
const USUAL_SERVER: &str = "https://localhost:4000";
/// The variable that holds an API key. It is no option: the command line of a process is no secret.
const KEY_VARIABLE: &str = "CLAVIGER_API_KEY";

/// The server and the answer's form; the same for every command that talks to a server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The server [default: the profile's, or https://localhost:4000]
    #[arg(long, value_name = "URL", global = true, env = "CLAVIGER_SERVER", hide_env_values = true)]
    server: Option<Server>,
    /// A file with the API key [default: the variable CLAVIGER_API_KEY, or the profile's file]
    #[arg(long, value_name = "FILE", global = true)]
    api_key_file: Option<PathBuf>,
    /// Recognise the server by a CA that issued its certificate
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "server_pin")]
    ca_file: Option<PathBuf>,
    /// Recognise the server by the SHA-256 of its certificate, as `claviger serve` prints it
    #[arg(long, value_name = "SHA256", global = true)]
    server_pin: Option<Fingerprint>,
    /// A profile of ~/.config/claviger/profiles.toml, which keeps all this
    #[arg(long, value_name = "NAME", global = true)]
    profile: Option<String>,
    /// Print the API's answer as it is, for programs
    #[arg(long, global = true)]
    json: bool,
}

impl Connection {
    /// Runs a verb on the server, and tells how it ended.
    pub async fn run(
        self,
        verb: impl AsyncFnOnce(&Session) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let on = self.open().await?;
        let result = verb(&on).await;
        on.ended(result)
    }

    /// Whether the answer is for a program, for verbs that need no server.
    pub fn wants_json(&self) -> bool {
        self.json
    }

    /// Gets ready to talk to the server. At first contact a person is asked whether it is the right one.
    async fn open(self) -> anyhow::Result<Session> {
        let mut profiles = Profiles::read()?;
        let (name, profile) = profiles.choose(self.profile.as_deref(), self.server.as_ref())?;
        let server = match self.server.clone().or_else(|| profile.server.clone()) {
            Some(server) => server,
            None => USUAL_SERVER.parse().map_err(anyhow::Error::msg)?,
        };
        let key = self.api_key(&profile)?;
        let trust = match self.trust(&profile)? {
            Some(trust) => trust,
            None => {
                let pin = trust::first_contact(&server).await?;
                profiles.remember(&name, &server, pin)?;
                Trust::Pin(pin)
            }
        };
        let output = if self.json { Output::Json } else { Output::People };
        Ok(Session { api: Api::new(server, &trust, &key)?, output })
    }

    fn api_key(&self, profile: &Profile) -> anyhow::Result<Zeroizing<String>> {
        if let Some(path) = &self.api_key_file {
            return secret::read_file(path);
        }
        match std::env::var(KEY_VARIABLE) {
            Ok(key) if !key.trim().is_empty() => return Ok(Zeroizing::new(key.trim().to_owned())),
            _ => {}
        }
        match &profile.api_key_file {
            Some(path) => secret::read_file(path).context("the profile's API key"),
            None => bail!("there is no API key; give --api-key-file FILE, or put it into {KEY_VARIABLE}"),
        }
    }

    /// How the server is recognised: by what was said now, else by the profile.
    fn trust(&self, profile: &Profile) -> anyhow::Result<Option<Trust>> {
        if let Some(path) = &self.ca_file {
            return Trust::authorities(path).map(Some);
        }
        match (self.server_pin.or(profile.server_pin), &profile.ca_file) {
            (Some(pin), _) => Ok(Some(Trust::Pin(pin))),
            (None, Some(path)) => Trust::authorities(path).map(Some),
            (None, None) => Ok(None),
        }
    }
}
