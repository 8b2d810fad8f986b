//! Opening what a data directory holds: configuration, instance key, store. Every command of this room begins here.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use app::App;
use clap::Args;
use store::{Database, Store, StoreKeys};
use token::InstanceKey;
use token::label;

use super::instance::DataDirectory;
use super::{logging, process, world};
use crate::config::Config;

/// Where an installation is.
#[derive(Debug, Args)]
pub struct At {
    /// The data directory
    #[arg(long, value_name = "DIR", env = "CLAVIGER_DATA")]
    pub data: PathBuf,
    /// The configuration file [default: claviger.toml in the data directory, if it is there]
    #[arg(long, value_name = "FILE", env = "CLAVIGER_CONFIG")]
    pub config: Option<PathBuf>,
    /// The database: a path or postgres://... [default: claviger.db in the data directory]
    #[arg(long, value_name = "URL", env = "CLAVIGER_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
}

/// What must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A directory that was used before.
    Installation,
    /// Nothing: the directory is made, and gets an instance key.
    Anything,
}

/// An installation whose directory was found in order. Its store is not open yet.
pub struct Installation {
    /// Its directory.
    pub directory: DataDirectory,
    /// Its configuration.
    pub config: Config,
    /// Where its tables are.
    pub database: Database,
    /// The key outside the database.
    pub instance: Arc<InstanceKey>,
}

/// What to do with tables of an older version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OlderTables {
    /// Bring them to this version, or make them where there are none.
    Migrate,
    /// Refuse them.
    Refuse,
}

impl At {
    /// Reads the directory, the configuration and the instance key, and starts the log.
    pub fn read(&self, expect: Expect) -> anyhow::Result<Installation> {
        let directory = self.find_directory(expect)?;
        let config = self.read_config(&directory)?;
        logging::start(&config.log)?;
        self.take(directory, config, expect)
    }

    /// The same with the default configuration and only what goes wrong in the log.
    pub fn read_quietly(&self, expect: Expect) -> anyhow::Result<Installation> {
        let mut config = Config::default();
        config.log.filter = "warn".to_owned();
        logging::start(&config.log)?;
        let directory = self.find_directory(expect)?;
        self.take(directory, config, expect)
    }

    fn find_directory(&self, expect: Expect) -> anyhow::Result<DataDirectory> {
        match expect {
            Expect::Installation => DataDirectory::open(&self.data),
            Expect::Anything => DataDirectory::open_or_make(&self.data),
        }
    }

    fn take(&self, directory: DataDirectory, config: Config, expect: Expect) -> anyhow::Result<Installation> {
        process::keep_memory_private();
        let database = self.find_database(&directory, &config)?;
        let instance = match expect {
            Expect::Installation => directory.instance_key()?,
            Expect::Anything => directory.instance_key_or_new(&world::SystemRandom)?,
        };
        Ok(Installation { directory, config, database, instance: Arc::new(instance) })
    }

    fn read_config(&self, directory: &DataDirectory) -> anyhow::Result<Config> {
        match &self.config {
            Some(file) => Config::read(file),
            None if directory.config_file().exists() => Config::read(&directory.config_file()),
            None => Ok(Config::default()),
        }
    }

    /// The database, from the command line, the configuration, or the data directory.
    pub fn find_database(&self, directory: &DataDirectory, config: &Config) -> anyhow::Result<Database> {
        if let Some(text) = &self.database {
            return Ok(text.parse()?);
        }
        Ok(config.database()?.unwrap_or_else(|| Database::Sqlite(directory.database_file())))
    }
}

impl Installation {
    /// Opens the store.
    pub async fn open_store(&self, older: OlderTables) -> anyhow::Result<Store> {
        let keys = store_keys(&self.instance);
        let cannot = || format!("cannot open the database {}", describe(&self.database));
        match older {
            OlderTables::Refuse => Store::open(&self.database, keys).await.with_context(cannot),
            OlderTables::Migrate => {
                self.directory.prepare(&self.database)?;
                let store = Store::open_to_migrate(&self.database, keys).await.with_context(cannot)?;
                let steps = store.migrate().await.with_context(|| {
                    format!("cannot bring the database {} to this version", describe(&self.database))
                })?;
                if steps > 0 {
                    tracing::info!(steps, "the database was brought to this version");
                }
                Ok(store)
            }
        }
    }

    /// How the application is set up, by the configuration.
    pub fn app_config(&self) -> app::Config {
        let http_url = &self.config.server.http_url;
        app::Config {
            base_url: self.config.base_url(self.config.listen.ui.port()),
            http_url: (!http_url.is_empty()).then(|| http_url.clone()),
            pin_tries: self.config.tokens.pin_tries,
            pin_policy: self.config.pin_policy(),
            verify_patience: i64::from(self.config.deploy.verify_seconds) * domain::clock::SECOND,
            ..app::Config::of_directory(self.directory.path().to_owned())
        }
    }

    /// The application over an open store, without listeners or clockwork; its system token is open.
    pub async fn open_app(&self, store: Store, config: app::Config) -> anyhow::Result<Arc<App>> {
        let app = App::new(store, Arc::clone(&self.instance), world::world(), config);
        app::token::open_system(&app).await?;
        Ok(app)
    }
}

fn store_keys(instance: &InstanceKey) -> StoreKeys {
    StoreKeys {
        audit: *instance.derive(label::AUDIT_MAC),
        field: pki::seal::SealKey::new(*instance.derive(label::FIELD)),
    }
}

/// A database as it may be shown: without the password that an address may hold.
pub fn describe(database: &Database) -> String {
    match database {
        Database::Sqlite(path) => path.display().to_string(),
        Database::Postgres(url) => {
            let rest = url.split_once("://").map_or("", |(_, rest)| rest);
            let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
            format!("postgres://{}", place.split('?').next().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_databases_password_is_never_shown() {
        let database: Database = "postgres://claviger:p@ss@db.example:5432/keys?password=x".parse().unwrap();
        assert_eq!(describe(&database), "postgres://db.example:5432/keys");
    }
}
