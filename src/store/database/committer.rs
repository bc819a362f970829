//! The one thread that writes: takes what is waiting, commits it together, and says so.

use std::io;
use std::thread;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::seal::Seal;
use super::upkeep::Chore;
use super::write::write;
use super::{CommitError, Transaction};

/// What the thread is asked for.
pub(super) enum Request {
    /// To make this durable.
    Commit { transaction: Transaction, done: oneshot::Sender<Result<(), CommitError>> },
    /// A small piece of housekeeping.
    Chore(Chore),
    /// To write everything back into the database's file, as nothing comes any more.
    Close { done: oneshot::Sender<()> },
}

/// The thread's own.
pub(super) struct Committer {
    connection: Connection,
    seal: Seal,
    failed: CancellationToken,
}

/// A transaction, and who waits for it.
type Waiting = (Transaction, oneshot::Sender<Result<(), CommitError>>);

/// Transactions that are committed together.
const TOGETHER: usize = 256;

impl Committer {
    /// Starts the thread, which ends with `requests`, or when the disk fails.
    pub(super) fn start(
        connection: Connection,
        seal: Seal,
        requests: mpsc::Receiver<Request>,
        failed: CancellationToken,
    ) -> io::Result<()> {
        let committer = Self { connection, seal, failed };
        thread::Builder::new().name("store".into()).spawn(move || committer.run(requests)).map(drop)
    }

    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.blocking_recv() {
            let mut waiting = Vec::new();
            let mut next = Some(request);
            while let Some(request) = next {
                match request {
                    Request::Commit { transaction, done } => waiting.push((transaction, done)),
                    other => {
                        self.commit(std::mem::take(&mut waiting));
                        self.attend(other);
                    }
                }
                next = if waiting.len() < TOGETHER { requests.try_recv().ok() } else { None };
            }
            self.commit(waiting);
            if self.failed.is_cancelled() {
                // Whoever still waits learns that nothing is promised, as the queue is dropped with their requests.
                return;
            }
        }
        self.finish();
    }

    fn attend(&mut self, request: Request) {
        match request {
            Request::Commit { .. } => {}
            Request::Chore(chore) => {
                if let Err(error) = chore.run(&mut self.connection) {
                    self.refused(&error);
                }
            }
            Request::Close { done } => {
                self.finish();
                // Nobody may be waiting any more.
                let _ = done.send(());
            }
        }
    }

    /// All of them together; one after another where that fails, as one must not fail for another's mistake.
    fn commit(&mut self, waiting: Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        match self.try_commit(waiting.iter().map(|(transaction, _)| transaction)) {
            Ok(()) => waiting.into_iter().for_each(|(_, done)| answer(done, Ok(()))),
            Err(error) if waiting.len() == 1 || is_fatal(&error) => {
                let refusal = self.refused(&error);
                waiting.into_iter().for_each(|(_, done)| answer(done, Err(refusal.clone())));
            }
            Err(_) => waiting.into_iter().for_each(|one| self.commit(vec![one])),
        }
    }

    fn try_commit<'t>(&mut self, transactions: impl Iterator<Item = &'t Transaction>) -> rusqlite::Result<()> {
        if self.failed.is_cancelled() {
            return Err(rusqlite::Error::InvalidQuery);
        }
        let together = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for change in transactions.flat_map(|transaction| &transaction.0) {
            write(&together, &self.seal, change)?;
        }
        together.commit()
    }

    /// What is told to whoever waits. After an error of the disk nobody knows what it holds, so that it is never tried again.
    fn refused(&self, error: &rusqlite::Error) -> CommitError {
        if self.failed.is_cancelled() {
            return CommitError::Failed;
        }
        if is_fatal(error) {
            error!(%error, "The store's disk has failed; the gateway ends. What was acknowledged is kept.");
            self.failed.cancel();
            return CommitError::Failed;
        }
        warn!(%error, "The store has not taken a change.");
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => CommitError::Full,
            _ => CommitError::Refused,
        }
    }

    /// Everything into the one file. If that fails, the log beside it has it all.
    fn finish(&self) {
        if let Err(error) = self.connection.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())) {
            warn!(%error, "The store's log was not emptied; it will be at the next start.");
        }
    }
}

fn answer(done: oneshot::Sender<Result<(), CommitError>>, result: Result<(), CommitError>) {
    // Whoever has gone away does not wait.
    let _ = done.send(result);
}

/// Whether the disk is not to be trusted any more. A sync that has failed is never repeated: the system may have dropped the pages.
fn is_fatal(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
