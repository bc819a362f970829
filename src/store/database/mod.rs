//! The database: one SQLite file that one thread writes to (reliability.md, 6).
//!
//! A [`Transaction`] is durable when [`Store::commit`] returns: it is in the write-ahead log, and the log is on the disk. What is
//! waiting meanwhile goes into the next one together (group commit). When the disk has lost what it promised to keep, nothing is
//! promised any more: [`Disk::Failed`].

mod committer;
mod digest;
mod disk;
mod load;
mod messages;
mod schema;
mod seal;
#[cfg(test)]
mod tests;
mod tools;
mod upkeep;
mod write;

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot, watch};

use self::committer::{Committer, Request};
use self::disk::DiskState;
use self::seal::Seal;
use self::upkeep::Upkeep;
use super::records::Transaction;
use super::{SiteKey, SiteKeyError};
use crate::clock::Clock;

pub(super) use self::digest::{Digest, digest};
pub use self::disk::Disk;
pub use self::load::{SharedResource, StoredTopic};
pub(super) use self::messages::Answered;
pub use self::messages::{Filter, Message, MessageRow, Messages, Reprocessed};
pub use self::tools::{back_up, check};
pub use self::upkeep::Retention;

/// The database's file in the store's directory.
const FILE: &str = "gateway.db";

/// Transactions that wait to be committed; whoever has one more waits until there is room.
const WAITING: usize = 1024;

/// How long another program may hold the database, a shell with a question for example.
const BUSY: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS: usize = 64;

/// The durable store. Clones are the same store.
#[derive(Clone)]
pub struct Store(Option<Arc<Open>>);

struct Open {
    queue: mpsc::Sender<Request>,
    /// For questions that are answered at once, by an index.
    reader: Mutex<Connection>,
    path: PathBuf,
    seal: Seal,
    disk: DiskState,
    /// Ends with the store.
    _upkeep: Upkeep,
    /// Removed with the store, where it is to leave no trace.
    _temporary: Option<tempfile::TempDir>,
}

/// Why a change is not durable. It has not been made, then, but for [`CommitError::Failed`], where nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The disk is full.
    #[error("the store's disk is full")]
    Full,
    /// The database does not take it now; the log says why.
    #[error("the store cannot write now")]
    Refused,
    /// The store has failed: the process ends, and what is on the disk is found at its next start.
    #[error("the store has failed")]
    Failed,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was written by a later release.
    #[error(
        "the database has tables of version {found}, this release knows {known}: run the release that wrote it, or restore a backup"
    )]
    Later {
        /// Its version.
        found: usize,
        /// The latest version known here.
        known: usize,
    },
    /// It is not what it should be.
    #[error("{path} is damaged: {findings}; restore a backup")]
    Damaged {
        /// The file.
        path: String,
        /// What SQLite says.
        findings: String,
    },
    /// The database refuses.
    #[error("the database cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
    /// The disk refuses.
    #[error("cannot use {} as the store's database: {source}; set `store.directory` to one that can be written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The site's key is missing.
    #[error(transparent)]
    SiteKey(#[from] SiteKeyError),
    /// No thread could be started.
    #[error("no thread can be started for the store: {0}")]
    Thread(io::Error),
}

impl Store {
    /// No store: every change is durable at once, and gone with the process. For a hub alone, in tests.
    pub fn off() -> Self {
        Self(None)
    }

    /// The store in `directory`, which is made if need be; its secrets are sealed with `key`.
    ///
    /// # Errors
    /// When the directory or the database cannot be used.
    pub fn open(
        directory: &Path,
        key: &SiteKey,
        retention: Retention,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::open_in(directory, key, retention, clock, None)
    }

    /// A store in a directory of its own, which is gone with it.
    ///
    /// # Errors
    /// When no such directory can be made.
    pub fn temporary(key: &SiteKey, retention: Retention, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let directory = tempfile::Builder::new().prefix("fhircast-gateway-").tempdir();
        let directory = directory.map_err(|source| StoreError::Io { path: std::path::PathBuf::from("."), source })?;
        let path = directory.path().to_owned();
        Self::open_in(&path, key, retention, clock, Some(directory))
    }

    fn open_in(
        directory: &Path,
        key: &SiteKey,
        retention: Retention,
        clock: Arc<dyn Clock>,
        temporary: Option<tempfile::TempDir>,
    ) -> Result<Self, StoreError> {
        let path = made(directory)?;
        let seal = Seal::of(key);
        let mut writer = connect(&path)?;
        schema::migrate(&mut writer)?;
        let (queue, requests) = mpsc::channel(WAITING);
        let disk = DiskState::new();
        Committer::start(writer, seal.clone(), requests, disk.clone()).map_err(StoreError::Thread)?;
        let upkeep = Upkeep::start(connect(&path)?, queue.downgrade(), retention, clock, disk.clone());
        let upkeep = upkeep.map_err(StoreError::Thread)?;
        let reader = Mutex::new(connect(&path)?);
        let open = Open { queue, reader, path, seal, disk, _upkeep: upkeep, _temporary: temporary };
        Ok(Self(Some(Arc::new(open))))
    }

    /// Whether changes outlive the process.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// How many changes wait to be made durable.
    pub fn waiting(&self) -> usize {
        self.0.as_ref().map_or(0, |open| open.queue.max_capacity() - open.queue.capacity())
    }

    /// Makes all of `transaction` durable, or nothing of it.
    ///
    /// # Errors
    /// When it is not.
    #[cfg_attr(feature = "opentelemetry", tracing::instrument(name = "store", skip_all))]
    pub async fn commit(&self, transaction: Transaction) -> Result<(), CommitError> {
        let Some(open) = &self.0 else { return Ok(()) };
        if transaction.0.is_empty() {
            return Ok(());
        }
        let (done, committed) = oneshot::channel();
        open.queue.send(Request::Commit { transaction, done }).await.map_err(|_| CommitError::Failed)?;
        committed.await.unwrap_or(Err(CommitError::Failed))
    }

    /// Makes `transaction` durable some time soon; false when there is no room for it now.
    pub fn commit_soon(&self, transaction: Transaction) -> bool {
        let Some(open) = &self.0 else { return true };
        if transaction.0.is_empty() {
            return true;
        }
        let (done, _) = oneshot::channel();
        open.queue.try_send(Request::Commit { transaction, done }).is_ok()
    }

    /// How it stands with the disk, from now on.
    pub fn disk(&self) -> watch::Receiver<Disk> {
        self.0.as_ref().map_or_else(|| DiskState::new().watch(), |open| open.disk.watch())
    }

    /// Writes what is waiting, and tidies up: the last thing that a gateway does.
    pub async fn close(&self) {
        let Some(open) = &self.0 else { return };
        let (done, closed) = oneshot::channel();
        if open.queue.send(Request::Close { done }).await.is_ok() {
            // A committer that has ended has nothing left to write.
            let _ = closed.await;
        }
    }

    fn reader(open: &Open) -> MutexGuard<'_, Connection> {
        open.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the database of the store in `directory` is.
pub fn database_file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// A connection that writes, with the settings on which durability rests.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    configured(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

fn configured(connection: Connection) -> Result<Connection, StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Only before the first table: pages of what was deleted are given back in steps.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    Ok(connection)
}

/// The database's file, readable by its owner only, as are those that SQLite makes beside it.
fn made(directory: &Path) -> Result<PathBuf, StoreError> {
    let path = database_file(directory);
    let io = |source| StoreError::Io { path: path.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
    OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(io)?;
    Ok(path)
}
