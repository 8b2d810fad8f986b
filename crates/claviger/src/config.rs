//! The configuration file: one commented default is compiled in, unknown keys are refused, what is absent keeps its
//! default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use domain::pin::PinPolicy;
use pki::Blocklist;
use serde::Deserialize;
use store::Database;

/// The default configuration with its comments, as `serve --print-config` shows it.
pub const DEFAULT: &str = include_str!("config.default.toml");

/// Everything that can be configured. [`DEFAULT`] says what each setting is; a test holds the two together.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What this server is called and where its data are.
    pub server: Server,
    /// Where it listens.
    pub listen: Listen,
    /// Rules for PINs.
    pub tokens: Tokens,
    /// Keys that nobody may use.
    pub keys: Keys,
    /// Caps and deadlines of the edge.
    pub edge: Edge,
    /// Rate limits of the API.
    pub api: Api,
    /// Patience with targets.
    pub deploy: Deploy,
    /// Where addresses found in certificates may lead.
    pub outbound: Outbound,
    /// The log.
    pub log: Log,
}

/// What this server is called and where its data are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address of the UI and API; empty for `https://localhost:PORT`.
    pub base_url: String,
    /// The address of the plain HTTP port for relying parties; empty for none.
    pub http_url: String,
    /// More host names that are answered for.
    pub allowed_hosts: Vec<String>,
    /// A path or `postgres://...`; empty for SQLite in the data directory.
    pub database: String,
    /// A file that holds the database's address; empty for none.
    pub database_file: PathBuf,
}

/// Where each port listens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// UI and API, by TLS.
    pub ui: SocketAddr,
    /// Plain HTTP: CA certificates.
    pub http: SocketAddr,
    /// The edge.
    pub edge: SocketAddr,
    /// Metrics and health, plain HTTP.
    pub metrics: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { ui: loopback(4000), http: loopback(4080), edge: loopback(8443), metrics: loopback(4090) }
    }
}

/// Rules for PINs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Wrong PINs until a token locks.
    pub pin_tries: u32,
    /// Fewest characters.
    pub pin_min_length: usize,
    /// Fewest classes of characters.
    pub pin_min_classes: usize,
}

impl Default for Tokens {
    fn default() -> Self {
        let PinPolicy { min_length, min_classes } = PinPolicy::STRICT;
        Self { pin_tries: domain::pin::TRIES, pin_min_length: min_length, pin_min_classes: min_classes }
    }
}

/// Keys that nobody may use.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// A list of keys whose private half is known; empty for none.
    pub blocklist: PathBuf,
}

/// Caps and deadlines of the edge.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Edge {
    /// The most connections at once.
    pub connections: usize,
    /// The most from one address.
    pub connections_per_address: usize,
    /// Until the handshake is done.
    pub handshake_seconds: u64,
    /// How long nothing may pass.
    pub idle_seconds: u64,
    /// How long connections go on after the stop.
    pub drain_seconds: u64,
}

impl Default for Edge {
    fn default() -> Self {
        let limits = edge::Limits::default();
        Self {
            connections: limits.connections,
            connections_per_address: limits.per_address,
            handshake_seconds: limits.handshake.as_secs(),
            idle_seconds: limits.idle.as_secs(),
            drain_seconds: limits.drain.as_secs(),
        }
    }
}

/// Rate limits of the API.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// In one second.
    pub requests_per_second: u32,
    /// In one minute.
    pub requests_per_minute: u32,
}

impl Default for Api {
    fn default() -> Self {
        let rate = web::limits::Rate::default();
        Self { requests_per_second: rate.per_second, requests_per_minute: rate.per_minute }
    }
}

/// Patience with targets.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Deploy {
    /// Until a target must serve what was installed.
    pub verify_seconds: u32,
}

impl Default for Deploy {
    fn default() -> Self {
        Self { verify_seconds: 20 }
    }
}

/// Where addresses found in certificates may lead.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Networks that are not public and may be asked all the same, like `10.0.0.0/8`.
    pub permitted: Vec<String>,
    /// Whether an import has the missing certificates of a chain fetched without being asked.
    pub fetch_missing: bool,
}

impl Outbound {
    /// The networks that may be asked.
    pub fn networks(&self) -> anyhow::Result<Vec<outbound::IpNet>> {
        let parse = |text: &String| {
            let network: Result<outbound::IpNet, _> = text.parse();
            network.with_context(|| format!("outbound.permitted: not a network like 10.0.0.0/8: {text}"))
        };
        self.permitted.iter().map(parse).collect()
    }
}

/// The log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged, by tracing's rules.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// With colours on a terminal, else without.
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a configuration", path.display()))
    }

    /// Takes the text of a configuration file.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let url = &self.server.base_url;
        if !url.is_empty() && (!url.starts_with("https://") || url.ends_with('/')) {
            bail!("server.base_url must begin with https:// and end without a slash: {url}");
        }
        self.outbound.networks()?;
        let positive = [
            ("tokens.pin_tries", u64::from(self.tokens.pin_tries)),
            ("edge.connections", self.edge.connections as u64),
            ("edge.connections_per_address", self.edge.connections_per_address as u64),
            ("edge.handshake_seconds", self.edge.handshake_seconds),
            ("edge.idle_seconds", self.edge.idle_seconds),
            ("api.requests_per_second", u64::from(self.api.requests_per_second)),
            ("api.requests_per_minute", u64::from(self.api.requests_per_minute)),
            ("deploy.verify_seconds", u64::from(self.deploy.verify_seconds)),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => bail!("{name} must be at least 1"),
            None => Ok(()),
        }
    }

    /// The database that the file names; none means SQLite in the data directory.
    pub fn database(&self) -> anyhow::Result<Option<Database>> {
        let file = &self.server.database_file;
        let text = if file.as_os_str().is_empty() {
            self.server.database.clone()
        } else {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        };
        match text.trim() {
            "" => Ok(None),
            text => Ok(Some(text.parse()?)),
        }
    }

    /// Reads the list of keys that nobody may use, if one is named.
    ///
    /// A list that cannot be read stops the start: going on without it would let in what it is there to keep out.
    pub fn blocklist(&self) -> anyhow::Result<Option<Arc<Blocklist>>> {
        let file = &self.keys.blocklist;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        let cannot = || format!("keys.blocklist cannot be used: {}", file.display());
        let bytes = std::fs::read(file).with_context(cannot)?;
        let list = Blocklist::parse(&bytes).with_context(cannot)?;
        Ok(Some(Arc::new(list)))
    }

    /// The address of the UI and API when it listens on this port.
    pub fn base_url(&self, port: u16) -> String {
        match self.server.base_url.as_str() {
            "" => format!("https://localhost:{port}"),
            url => url.to_owned(),
        }
    }

    /// What a new PIN must be.
    pub fn pin_policy(&self) -> PinPolicy {
        PinPolicy { min_length: self.tokens.pin_min_length, min_classes: self.tokens.pin_min_classes }
    }

    /// Caps and deadlines of the edge.
    pub fn edge_limits(&self) -> edge::Limits {
        edge::Limits {
            connections: self.edge.connections,
            per_address: self.edge.connections_per_address,
            handshake: Duration::from_secs(self.edge.handshake_seconds),
            idle: Duration::from_secs(self.edge.idle_seconds),
            drain: Duration::from_secs(self.edge.drain_seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_names_every_setting_with_its_default() {
        let written: toml::Table = toml::from_str(DEFAULT).unwrap();
        assert_eq!(serde_json::to_value(written).unwrap(), serde_json::to_value(Config::default()).unwrap());
        assert_eq!(Config::parse(DEFAULT).unwrap(), Config::default());
    }

    #[test]
    fn what_is_absent_keeps_its_default() {
        let config = Config::parse("[listen]\nui = \"[::]:443\"\n").unwrap();
        assert_eq!(config.listen.ui.port(), 443);
        assert_eq!(config.listen.edge, Listen::default().edge);
        assert_eq!(config.tokens, Tokens::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = Config::parse("[listen]\nui = \"127.0.0.1:1\"\nedgee = \"127.0.0.1:2\"\n").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("line 3") && text.contains("edgee"), "{text}");
    }

    #[test]
    fn numbers_that_would_stop_everything_are_refused() {
        for text in
            ["[tokens]\npin_tries = 0", "[edge]\nconnections = 0", "[server]\nbase_url = \"http://x\""]
        {
            assert!(Config::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn permitted_networks_are_networks() {
        let config = Config::parse("[outbound]\npermitted = [\"10.0.0.0/8\", \"fd00::/8\"]").unwrap();
        assert_eq!(config.outbound.networks().unwrap().len(), 2);
        for wrong in ["10.0.0.1", "10.0.0.0/33", "ca.example", "10.0.0.0/8:80"] {
            let error = Config::parse(&format!("[outbound]\npermitted = [\"{wrong}\"]")).unwrap_err();
            assert!(format!("{error:#}").contains(wrong), "{error:#}");
        }
    }

    #[test]
    fn the_databases_address_may_stand_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("url");
        std::fs::write(&file, "postgres://claviger:secret@localhost/claviger\n").unwrap();
        let mut config = Config::default();
        assert!(config.database().unwrap().is_none());
        config.server.database_file = file;
        assert!(matches!(config.database().unwrap(), Some(Database::Postgres(_))));
    }

    #[test]
    fn a_list_of_known_bad_keys_is_read_or_the_start_stops() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        assert!(config.blocklist().unwrap().is_none());
        config.keys.blocklist = directory.path().join("keys.txt");
        assert!(config.blocklist().is_err());
        std::fs::write(&config.keys.blocklist, "0123456789abcdef0123456789abcdef\n").unwrap();
        assert_eq!(config.blocklist().unwrap().unwrap().len(), 1);
        std::fs::write(&config.keys.blocklist, "no hash\n").unwrap();
        let error = format!("{:#}", config.blocklist().unwrap_err());
        assert!(error.contains("keys.txt") && error.contains("hexadecimal"), "{error}");
    }

    #[test]
    fn the_base_url_follows_the_port() {
        let mut config = Config::default();
        assert_eq!(config.base_url(41_234), "https://localhost:41234");
        config.server.base_url = "https://keys.example".to_owned();
        assert_eq!(config.base_url(41_234), "https://keys.example");
    }
}
