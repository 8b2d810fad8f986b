//! PostgreSQL: pooled connections, a closure on a blocking thread, retries, and a connection that listens for nudges.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_postgres::{
    AsyncMessage, Config, IsolationLevel, NoTls, Socket, tls::MakeTlsConnect, tls::TlsConnect,
};

use crate::store::run_guarded;
use crate::tls::{self, Tls};
use crate::{Error, StoreKeys, Tx};

/// Most connections at once.
const CONNECTIONS: usize = 16;
/// How long a transaction waits for a connection before the store is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a transaction is run again after a deadlock or a serialization failure.
const RETRIES: u32 = 8;
/// How long the listener waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(2);
/// What nudges are called on the server.
const CHANNEL: &str = "claviger";

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
}

pub(crate) struct Postgres {
    pool: Pool,
    nudges: watch::Sender<u64>,
    listener: AbortHandle,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Postgres {
    pub(crate) async fn open(url: &str, nudges: watch::Sender<u64>) -> Result<Self, Error> {
        let (config, tls) = tls::settings(url)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let (manager, listener) = match tls {
            None => {
                let listener = tokio::spawn(listen(config.clone(), NoTls, nudges.clone()));
                (Manager::from_config(config, NoTls, recycling), listener)
            }
            Some(tls) => {
                let listener = tokio::spawn(listen::<Tls>(config.clone(), tls.clone(), nudges.clone()));
                (Manager::from_config(config, tls, recycling), listener)
            }
        };
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(CONNECT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::Address(error.to_string()))?;
        Ok(Self { pool, nudges, listener: listener.abort_handle() })
    }

    pub(crate) async fn run<T, E, F>(
        &self,
        name: &'static str,
        mode: Mode,
        keys: Arc<StoreKeys>,
        run: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let client = self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(_) => Error::Busy,
            PoolError::Closed => Error::Closed,
            PoolError::Backend(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Error::Pool(error)
            }
        })?;
        let handle = Handle::current();
        let mut session = Session { client, handle, keys, name, mode };
        let running = tokio::task::spawn_blocking(move || session.run_with_retries(&run));
        let (value, is_nudged) = running.await.map_err(|_| E::from(Error::Closed))??;
        if is_nudged {
            self.nudges.send_modify(|count| *count += 1);
        }
        Ok(value)
    }

    pub(crate) fn close(&self) {
        self.listener.abort();
        self.pool.close();
    }
}

/// A connection that runs one transaction, as often as it takes.
struct Session {
    client: Object,
    handle: Handle,
    keys: Arc<StoreKeys>,
    name: &'static str,
    mode: Mode,
}

enum Round<T, E> {
    Over(Result<(T, bool), E>),
    Again,
}

impl Session {
    fn run_with_retries<T, E: From<Error>>(
        &mut self,
        run: &impl Fn(&Tx<'_>) -> Result<T, E>,
    ) -> Result<(T, bool), E> {
        for round in 0..RETRIES {
            match self.run_once(run) {
                Round::Over(result) => return result,
                Round::Again => std::thread::sleep(Duration::from_millis(2 << round)),
            }
        }
        Err(E::from(Error::NotCommitted { name: self.name }))
    }

    fn run_once<T, E: From<Error>>(&mut self, run: &impl Fn(&Tx<'_>) -> Result<T, E>) -> Round<T, E> {
        let handle = &self.handle;
        let start = match self.mode {
            // One snapshot for all statements.
            Mode::Read => self
                .client
                .build_transaction()
                .read_only(true)
                .isolation_level(IsolationLevel::RepeatableRead),
            Mode::Write => self.client.build_transaction(),
        };
        let pg = match handle.block_on(start.start()) {
            Ok(pg) => pg,
            Err(error) => return Round::Over(Err(E::from(Error::from(error)))),
        };
        let tx = Tx::postgres(self.name, &pg, handle, &self.keys);
        let result = run_guarded(self.name, &tx, run);
        let (again, is_nudged) = (tx.wants_retry(), tx.is_nudged());
        match result {
            Ok(value) if !again => {
                let committed = handle.block_on(async {
                    if is_nudged {
                        pg.batch_execute(&format!("NOTIFY {CHANNEL}")).await?;
                    }
                    pg.commit().await
                });
                match committed.map_err(Error::from) {
                    Ok(()) => Round::Over(Ok((value, is_nudged))),
                    Err(error) if error.wants_retry() => Round::Again,
                    Err(error) => Round::Over(Err(E::from(error))),
                }
            }
            result => {
                // When the connection is gone the server has undone it by itself.
                let _ = handle.block_on(pg.rollback());
                match result {
                    Err(error) if !again => Round::Over(Err(error)),
                    Ok(_) | Err(_) => Round::Again,
                }
            }
        }
    }
}

/// Listens for ever. Nudges of the time without a connection are lost, so each new connection is one itself.
async fn listen<T>(config: Config, tls: T, nudges: watch::Sender<u64>)
where
    T: MakeTlsConnect<Socket> + Clone + Send,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    loop {
        if let Err(error) = listen_once(&config, tls.clone(), &nudges).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "not listening to PostgreSQL, trying again"
            );
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen_once<T>(
    config: &Config,
    tls: T,
    nudges: &watch::Sender<u64>,
) -> Result<(), tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
{
    let (client, mut connection) = config.connect(tls).await?;
    let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
    let listening = client.batch_execute("LISTEN claviger");
    tokio::pin!(listening);
    let mut is_listening = false;
    loop {
        tokio::select! {
            answer = &mut listening, if !is_listening => {
                answer?;
                is_listening = true;
                nudges.send_modify(|count| *count += 1);
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(_))) => nudges.send_modify(|count| *count += 1),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}
