//! The one thread that writes: takes what is waiting, commits it together, and says so.

use std::io;
use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::disk::{Disk, DiskState, Indispensable};
use super::seal::Seal;
use super::upkeep::Chore;
use super::write::write;
use super::{CommitError, Transaction, schema};

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
    disk: DiskState,
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
        disk: DiskState,
    ) -> io::Result<()> {
        let committer = Self { connection, seal, disk };
        thread::Builder::new().name("store".into()).spawn(move || committer.run(requests)).map(drop)
    }

    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let promise = Indispensable::new(self.disk.clone());
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
            if self.disk.is(Disk::Failed) {
                // Whoever still waits learns that nothing is promised, as the queue is dropped with their requests.
                return;
            }
        }
        self.finish();
        promise.done();
    }

    fn attend(&mut self, request: Request) {
        match request {
            Request::Commit { .. } => {}
            Request::Chore(chore) => {
                if let Err(error) = self.do_chore(chore) {
                    self.disk.refused(&error);
                }
            }
            Request::Close { done } => {
                self.finish();
                // Nobody may be waiting any more.
                let _ = done.send(());
            }
        }
    }

    /// Also finds out whether a disk that was full has room again, as perhaps nobody else tries.
    fn do_chore(&mut self, chore: Chore) -> rusqlite::Result<()> {
        chore.run(&mut self.connection)?;
        if self.disk.is(Disk::Full) {
            schema::write_version_again(&self.connection)?;
            self.disk.written();
        }
        Ok(())
    }

    /// All of them together; one after another where that fails, as one must not fail for another's mistake.
    fn commit(&mut self, waiting: Vec<Waiting>) {
        if waiting.is_empty() || self.disk.is(Disk::Failed) {
            // Whoever waits learns from the dropped answer that nothing is promised.
            return;
        }
        match self.try_commit(waiting.iter().map(|(transaction, _)| transaction)) {
            Ok(()) => {
                self.disk.written();
                waiting.into_iter().for_each(|(_, done)| answer(done, Ok(())));
            }
            Err(error) => match self.disk.refused(&error) {
                Disk::Well if waiting.len() > 1 => waiting.into_iter().for_each(|one| self.commit(vec![one])),
                disk => waiting.into_iter().for_each(|(_, done)| answer(done, Err(refusal(disk)))),
            },
        }
    }

    fn try_commit<'t>(&mut self, transactions: impl Iterator<Item = &'t Transaction>) -> rusqlite::Result<()> {
        let together = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for change in transactions.flat_map(|transaction| &transaction.0) {
            write(&together, &self.seal, change)?;
        }
        together.commit()
    }

    /// Everything into the one file. If that fails, the log beside it has it all.
    fn finish(&self) {
        if let Err(error) = self.connection.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())) {
            warn!(%error, "The store's log was not emptied; it will be at the next start.");
        }
    }
}

/// What is told to whoever waits, where it stands so with the disk after the refusal.
fn refusal(disk: Disk) -> CommitError {
    match disk {
        Disk::Well => CommitError::Refused,
        Disk::Full => CommitError::Full,
        Disk::Failed => CommitError::Failed,
    }
}

fn answer(done: oneshot::Sender<Result<(), CommitError>>, result: Result<(), CommitError>) {
    // Whoever has gone away does not wait.
    let _ = done.send(result);
}
