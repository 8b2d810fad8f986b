//! A whole server without listeners, for tests: first start done, jobs run when the test says so.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use domain::id::{ApiKeyId, TokenId};
use domain::installation::Identity;
use domain::permission::{Authorized, Role, Use, authorize, uses};
use domain::user::ApiKey;
use domain::{Actor, Clock, Random};
use store::Store;
pub use token::InstanceKey;
use zeroize::Zeroizing;

use crate::setup::{Install, install};
use crate::state::World;
use crate::{App, Config, Error, api_key, job, schedule, snapshot, token as tokens};

/// The PIN of token `0`.
pub const PIN: &str = "Secret1234";
/// The first administrator's name.
pub const ADMIN: &str = "admin";
/// The first administrator's password.
pub const PASSWORD: &str = "correct horse battery";

/// A server that was set up.
pub struct Fixture {
    /// The server.
    pub app: Arc<App>,
    /// The first administrator, who holds every role.
    pub admin: Actor,
}

impl Fixture {
    /// Puts a server together that was not set up yet. `store` must be migrated and keyed from `instance`.
    pub fn empty(
        store: Store,
        instance: InstanceKey,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        data: PathBuf,
    ) -> Arc<App> {
        let config = Config { verify_patience: 2_000, ..Config::of_directory(data) };
        App::new(store, Arc::new(instance), World { clock, random }, config)
    }

    /// Does the first start.
    pub async fn installed(app: Arc<App>) -> Result<Self, Error> {
        let input = Install {
            admin_name: ADMIN.to_owned(),
            admin_password: Zeroizing::new(PASSWORD.to_owned()),
            identity: Identity {
                environment: "test".to_owned(),
                instance: "DEV".to_owned(),
                member_class: "COM".to_owned(),
                member_code: "1234".to_owned(),
                owner_name: "Acme".to_owned(),
                server_code: "SS0".to_owned(),
            },
            pin: Zeroizing::new(PIN.to_owned()),
            recovery: Some(Zeroizing::new("recovery for tests only".to_owned())),
        };
        let installed = install(&app, None, input).await?;
        snapshot::refresh(&app).await?;
        Ok(Self { admin: crate::access::actor_of(&installed.admin), app })
    }

    /// The first administrator's proof of a permission.
    pub fn may<U: Use>(&self, of: U) -> Result<Authorized<U>, Error> {
        Ok(authorize(&self.admin, of, "")?)
    }

    /// Opens token `0`.
    pub async fn log_in_to_token(&self) -> Result<(), Error> {
        tokens::log_in(&self.app, &self.may(uses::ActivateToken)?, &TokenId::soft(), PIN).await.map(drop)
    }

    /// Makes an API key with these roles; the text is what a program sends.
    pub async fn api_key(&self, roles: &[Role]) -> Result<(ApiKey, String), Error> {
        let input = api_key::NewApiKey {
            roles: roles.iter().copied().collect::<BTreeSet<_>>(),
            label: "test".to_owned(),
            days: None,
        };
        let (key, secret) = api_key::create(&self.app, &self.may(uses::CreateApiKey)?, input).await?;
        Ok((key, secret.to_string()))
    }

    /// An actor with these roles that nobody stored.
    pub fn actor(roles: &[Role]) -> Actor {
        Actor::ApiKey { id: ApiKeyId::of("test"), roles: roles.iter().copied().collect() }
    }

    /// Lets the clockwork do all that is due now.
    pub async fn run_due(&self) -> Result<usize, Error> {
        schedule::tick(&self.app).await?;
        let ran = job::run_due(&self.app).await?;
        snapshot::refresh(&self.app).await?;
        Ok(ran)
    }
}
