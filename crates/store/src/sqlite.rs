//! SQLite: one writer thread with group commit, and read-only connections.
//!
//! The writer takes up to 256 waiting closures, or as many as fit in 20 ms, runs one after the other, commits once and
//! only then answers them all. A closure that fails or panics is undone alone: then the group begins again, with a
//! savepoint for each. Savepoints cost a copy of every page that is written, and nearly all groups do without.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::commits::Commits;
use crate::store::run_guarded;
use crate::{Error, StoreKeys, Tx};

/// Closures that may wait before the store is busy.
const WAITING: usize = 16_384;
/// Most closures in one commit.
const GROUP: usize = 256;
/// Longest time that a group collects closures.
const GROUP_TIME: Duration = Duration::from_millis(20);
/// Most readers at once.
const READERS: usize = 16;

pub(crate) struct Sqlite {
    path: PathBuf,
    keys: Arc<StoreKeys>,
    queue: Mutex<Option<SyncSender<Box<dyn Task>>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Mutex<Vec<Connection>>>,
    reading: Arc<Semaphore>,
}

impl Sqlite {
    /// Opens or makes the file and starts the writer.
    pub(crate) fn open(
        path: &Path,
        keys: Arc<StoreKeys>,
        nudges: watch::Sender<u64>,
        commits: Arc<Commits>,
    ) -> Result<Self, Error> {
        if rusqlite::version_number() < 3_051_003 {
            return Err(Error::SqliteVersion(rusqlite::version()));
        }
        close_to_others(path)?;
        let connection = connect_writer(path)?;
        let (queue, waiting) = sync_channel(WAITING);
        let writer_keys = Arc::clone(&keys);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || Writer { connection, keys: writer_keys, nudges, commits }.run(&waiting))?;
        Ok(Self {
            path: path.to_owned(),
            keys,
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            readers: Arc::default(),
            reading: Arc::new(Semaphore::new(READERS)),
        })
    }

    pub(crate) async fn write<T, E, F>(&self, name: &'static str, run: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, waiting) = oneshot::channel();
        let task = Closure { name, run, result: None, answer };
        let queue = locked(&self.queue).clone().ok_or_else(|| E::from(Error::Closed))?;
        queue.try_send(Box::new(task)).map_err(|refused| match refused {
            TrySendError::Full(_) => E::from(Error::Busy),
            TrySendError::Disconnected(_) => E::from(Error::Closed),
        })?;
        // Else the writer would not see that the store was closed while this one waits.
        drop(queue);
        waiting.await.map_err(|_| E::from(Error::Closed))?
    }

    pub(crate) async fn read<T, E, F>(&self, name: &'static str, run: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let permit = Arc::clone(&self.reading).acquire_owned().await.map_err(|_| E::from(Error::Closed))?;
        let (path, keys, readers) = (self.path.clone(), Arc::clone(&self.keys), Arc::clone(&self.readers));
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = borrow_reader(&readers, &path)?;
            connection.execute_batch("BEGIN").map_err(Error::from)?;
            let result = run_guarded(name, &Tx::sqlite(name, &connection, &keys), &run);
            if connection.execute_batch("ROLLBACK").is_ok() {
                locked(&readers).push(connection);
            }
            result
        });
        reading.await.map_err(|_| E::from(Error::Closed))?
    }

    pub(crate) async fn backup_to(&self, path: &Path) -> Result<(), Error> {
        let (from, to) = (self.path.clone(), path.to_owned());
        blocking(move || back_up(&from, &to)).await
    }

    /// What SQLite itself finds wrong.
    pub(crate) async fn problems(&self) -> Result<Vec<String>, Error> {
        let path = self.path.clone();
        blocking(move || {
            let connection = connect_reader(&path)?;
            let mut problems = texts(&connection, "PRAGMA quick_check(20)")?;
            problems.retain(|line| line != "ok");
            let orphans = texts(&connection, "SELECT DISTINCT \"table\" FROM pragma_foreign_key_check")?;
            problems.extend(orphans.iter().map(|table| format!("{table} refers to rows that are not there")));
            Ok(problems)
        })
        .await
    }

    pub(crate) async fn close(&self) {
        drop(locked(&self.queue).take());
        let writer = locked(&self.writer).take();
        self.reading.close();
        locked(&self.readers).clear();
        if let Some(writer) = writer {
            let joined = blocking(move || Ok(writer.join().is_ok())).await;
            if !matches!(joined, Ok(true)) {
                tracing::error!("the store's writer ended badly");
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(run).await.map_err(|_| Error::Closed)?
}

/// Nobody panics while holding one of our locks; what they guard is whole in any case.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the file with mode 0600, whatever the umask; the files beside it (`-wal`, `-shm`) get the same from SQLite.
fn close_to_others(path: &Path) -> Result<(), Error> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::set_permissions(&name, fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(connection)
}

/// Keys and fingerprints are random: a group of transactions touches pages all over the file. With SQLite's own 2 MB of
/// cache and 4 MB of log the same page would be written several times in one group, and the log copied back after each.
fn connect_writer(path: &Path) -> Result<Connection, Error> {
    let connection = connect(path)?;
    connection.execute_batch(
        "PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8192; PRAGMA journal_size_limit = 67108864;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

fn connect_reader(path: &Path) -> Result<Connection, Error> {
    let connection = connect(path)?;
    connection.execute_batch("PRAGMA query_only = ON")?;
    Ok(connection)
}

fn borrow_reader(readers: &Mutex<Vec<Connection>>, path: &Path) -> Result<Connection, Error> {
    let idle = locked(readers).pop();
    idle.map_or_else(|| connect_reader(path), Ok)
}

fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn back_up(from: &Path, to: &Path) -> Result<(), Error> {
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(to)?;
    let source = connect_reader(from)?;
    let mut copy = Connection::open(to)?;
    // All pages in one step: a read transaction that no writer waits for, and that no writer makes start again.
    match Backup::new(&source, &mut copy)?.step(-1)? {
        StepResult::Done => {}
        _ => return Err(Error::Busy),
    }
    // The copy would want a -wal beside it, being a copy.
    copy.execute_batch("PRAGMA journal_mode = DELETE")?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(file.sync_all()?)
}

/// A closure with somebody who waits for its answer.
trait Task: Send {
    /// The transaction's name.
    fn name(&self) -> &'static str;
    /// Runs it; false when what it did is to be undone.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Answers, once its group is on the disk or lost.
    fn finish(self: Box<Self>, group: Group);
}

/// How the closures of a group are run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// All in the one transaction, in the hope that none fails.
    Together,
    /// Each in a savepoint of its own.
    OneByOne,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Committed,
    Lost,
}

struct Closure<F, T, E> {
    name: &'static str,
    run: F,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Task for Closure<F, T, E>
where
    T: Send,
    E: From<Error> + Send,
    F: Fn(&Tx<'_>) -> Result<T, E> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let result = run_guarded(self.name, tx, &self.run);
        let is_ok = result.is_ok();
        self.result = Some(result);
        is_ok
    }

    fn finish(self: Box<Self>, group: Group) {
        let lost = || Err(E::from(Error::NotCommitted { name: self.name }));
        let result = match (self.result, group) {
            (Some(Err(refusal)), _) => Err(refusal),
            (Some(Ok(value)), Group::Committed) => Ok(value),
            (Some(Ok(_)), Group::Lost) | (None, _) => lost(),
        };
        // Who asked may have gone away; what was done stays done.
        let _ = self.answer.send(result);
    }
}

struct Writer {
    connection: Connection,
    keys: Arc<StoreKeys>,
    nudges: watch::Sender<u64>,
    commits: Arc<Commits>,
}

impl Writer {
    fn run(&self, waiting: &Receiver<Box<dyn Task>>) {
        while let Ok(first) = waiting.recv() {
            let mut done = Vec::new();
            let mut nudged = false;
            let group = match self.write_group(first, waiting, &mut done, &mut nudged) {
                Ok(()) => {
                    self.commits.note(done.len());
                    Group::Committed
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        closures = done.len(),
                        "a commit failed"
                    );
                    if !self.connection.is_autocommit() {
                        let _ = self.statement("ROLLBACK");
                    }
                    Group::Lost
                }
            };
            for task in done {
                task.finish(group);
            }
            if nudged && group == Group::Committed {
                self.nudges.send_modify(|count| *count += 1);
            }
        }
    }

    fn write_group(
        &self,
        first: Box<dyn Task>,
        waiting: &Receiver<Box<dyn Task>>,
        done: &mut Vec<Box<dyn Task>>,
        nudged: &mut bool,
    ) -> Result<(), Error> {
        let started = Instant::now();
        let mut pace = Pace::Together;
        let mut next = Some(first);
        let mut result = self.statement("BEGIN IMMEDIATE");
        while let Some(task) = next.take() {
            done.push(task);
            result = result.and_then(|()| self.write_next(done, &mut pace, nudged));
            if result.is_ok() && done.len() < GROUP && started.elapsed() < GROUP_TIME {
                next = waiting.try_recv().ok();
            }
        }
        result?;
        self.statement("COMMIT")
    }

    /// Runs the last of the group; if it is the first one to fail, begins again with all.
    fn write_next(
        &self,
        group: &mut [Box<dyn Task>],
        pace: &mut Pace,
        nudged: &mut bool,
    ) -> Result<(), Error> {
        let Some(task) = group.last_mut() else { return Ok(()) };
        match pace {
            Pace::Together if self.write_one(task.as_mut(), nudged)? => Ok(()),
            Pace::Together => {
                *pace = Pace::OneByOne;
                *nudged = false;
                self.statement("ROLLBACK")?;
                self.statement("BEGIN IMMEDIATE")?;
                group.iter_mut().try_for_each(|task| self.write_alone(task.as_mut(), nudged))
            }
            Pace::OneByOne => self.write_alone(task.as_mut(), nudged),
        }
    }

    /// Runs one in a savepoint of its own.
    fn write_alone(&self, task: &mut dyn Task, nudged: &mut bool) -> Result<(), Error> {
        self.statement("SAVEPOINT one")?;
        if !self.write_one(task, nudged)? {
            self.statement("ROLLBACK TO one")?;
        }
        self.statement("RELEASE one")
    }

    /// Runs one; false when what it did is to be undone.
    fn write_one(&self, task: &mut dyn Task, nudged: &mut bool) -> Result<bool, Error> {
        let tx = Tx::sqlite(task.name(), &self.connection, &self.keys);
        let is_ok = task.run(&tx);
        // Some errors (disk full) make SQLite undo everything, the neighbours' work too.
        if self.connection.is_autocommit() {
            return Err(Error::NotCommitted { name: task.name() });
        }
        *nudged |= is_ok && tx.is_nudged();
        Ok(is_ok)
    }

    fn statement(&self, sql: &str) -> Result<(), Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pki::seal::SealKey;

    use super::*;

    type Queue = SyncSender<Box<dyn Task>>;
    type Answer = oneshot::Receiver<Result<(), Error>>;

    /// A writer over a table `t`, and a queue to fill before it runs: what is in it then is one group.
    fn writer() -> (Writer, Queue, Receiver<Box<dyn Task>>) {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch("CREATE TABLE t (x INTEGER NOT NULL) STRICT").expect("a table");
        let keys = Arc::new(StoreKeys { audit: [1; 32], field: SealKey::new([2; 32]) });
        let (queue, waiting) = sync_channel(9);
        let (nudges, commits) = (watch::Sender::new(0), Arc::default());
        (Writer { connection, keys, nudges, commits }, queue, waiting)
    }

    fn put(queue: &Queue, run: impl Fn(&Tx<'_>) -> Result<(), Error> + Send + 'static) -> Answer {
        let (answer, waiting) = oneshot::channel();
        queue.try_send(Box::new(Closure { name: "test", run, result: None, answer })).expect("there is room");
        waiting
    }

    fn insert(tx: &Tx<'_>) -> Result<(), Error> {
        tx.exec("INSERT INTO t (x) VALUES ($1)", &[&1_i64]).map(|_| ())
    }

    #[test]
    fn when_sqlite_undoes_a_group_nobody_is_told_that_it_is_stored() {
        let (writer, queue, waiting) = writer();
        let before = put(&queue, insert);
        let culprit = put(&queue, |tx| {
            insert(tx)?;
            // What SQLite does by itself when the disk is full.
            tx.batch("ROLLBACK")?;
            let late = insert(tx);
            assert!(matches!(late, Err(Error::NotCommitted { .. })), "it would be stored at once, by itself");
            Ok(())
        });
        let after = put(&queue, insert);
        drop(queue);
        writer.run(&waiting);
        for mut lost in [before, culprit] {
            let answer = lost.try_recv().expect("an answer");
            assert!(matches!(answer, Err(Error::NotCommitted { name: "test" })), "{answer:?}");
        }
        let mut after = after;
        after.try_recv().expect("an answer").expect("the next group is well");
        let rows: i64 =
            writer.connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, 1);
    }

    #[test]
    fn who_fails_in_a_group_is_undone_alone() {
        let (writer, queue, waiting) = writer();
        let fails = |tx: &Tx<'_>| {
            insert(tx)?;
            Err(Error::Cursor)
        };
        let panics = |tx: &Tx<'_>| {
            insert(tx)?;
            panic!("as a closure with a mistake would");
        };
        let mut good = vec![put(&queue, insert)];
        let mut bad = vec![put(&queue, fails)];
        good.push(put(&queue, insert));
        bad.push(put(&queue, panics));
        good.push(put(&queue, insert));
        drop(queue);
        writer.run(&waiting);
        for mut answer in good {
            answer.try_recv().expect("an answer").expect("its neighbours' failures are not its own");
        }
        assert!(bad.into_iter().all(|mut answer| answer.try_recv().expect("an answer").is_err()));
        let rows: i64 =
            writer.connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, 3, "each of the good ones is stored once");
    }

    #[test]
    fn a_group_nudges_once_and_only_for_what_is_committed() {
        let (writer, queue, waiting) = writer();
        let refused = put(&queue, |tx| {
            tx.nudge();
            Err(Error::Cursor)
        });
        drop(queue);
        writer.run(&waiting);
        assert_eq!(*writer.nudges.borrow(), 0);
        let (queue, waiting) = sync_channel(9);
        for _ in 0..3 {
            put(&queue, |tx| {
                tx.nudge();
                insert(tx)
            });
        }
        drop(queue);
        writer.run(&waiting);
        assert_eq!(*writer.nudges.borrow(), 1);
        let made = writer.commits.made();
        assert_eq!((made.commits, made.transactions), (2, 4), "three closures shared one commit");
        drop(refused);
    }
}
