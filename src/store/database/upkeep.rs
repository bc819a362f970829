//! Housekeeping: the log is written back, what is too old or too much is deleted, in steps so small that nobody waits for them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};
use tokio::sync::mpsc::WeakSender;

use super::committer::Request;
use super::disk::{Disk, DiskState};
use super::write::time;
use crate::clock::{Clock, timestamp};

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Messages older than that go; dead letters that nobody has handled stay.
    pub messages_for: SignedDuration,
    /// Bytes of the database; beyond, the oldest messages go.
    pub bytes: u64,
    /// How long a resend is recognised.
    pub answers_for: SignedDuration,
    /// Sessions in the directory; beyond, the one unseen for longest goes.
    pub sessions: usize,
}

/// Ends with the store.
pub(super) struct Upkeep(#[expect(dead_code, reason = "the thread ends when this is dropped")] SyncSender<()>);

/// How often there is a chore.
const EVERY: Duration = Duration::from_secs(1);

impl Upkeep {
    /// Starts the thread: it writes the log back by a connection of its own, beside the committing thread, and asks that one for
    /// what only a writer can do.
    pub(super) fn start(
        connection: Connection,
        committer: WeakSender<Request>,
        retention: Retention,
        clock: Arc<dyn Clock>,
        disk: DiskState,
    ) -> io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let work = move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(EVERY) {
                if let Err(error) = write_back(&connection)
                    && disk.refused(&error) == Disk::Failed
                {
                    return;
                }
                let Some(queue) = committer.upgrade() else { return };
                // A full queue has better things to do; there is another chore in a second.
                let _ = queue.try_send(Request::Chore(Chore { retention, now: timestamp(&*clock) }));
            }
        };
        thread::Builder::new().name("store-upkeep".into()).spawn(work)?;
        Ok(Self(end))
    }
}

fn write_back(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// One step of what only the writer can do.
pub(super) struct Chore {
    retention: Retention,
    now: Timestamp,
}

/// Rows that one step deletes.
const STEP: i64 = 200;

/// Pages that one step gives back to the disk.
const PAGES: u32 = 256;

impl Chore {
    #[cfg(test)]
    pub(super) fn new(retention: Retention, now: Timestamp) -> Self {
        Self { retention, now }
    }

    /// Does one step.
    pub(super) fn run(self, connection: &mut Connection) -> rusqlite::Result<()> {
        // What was added since the log was written back, so that the log can begin anew.
        write_back(connection)?;
        self.delete_old(connection)?;
        if size(connection)? > self.retention.bytes {
            delete_oldest(connection)?;
        }
        give_back(connection)
    }

    fn delete_old(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let before = |age: SignedDuration| time(self.now.checked_sub(age).unwrap_or(Timestamp::MIN));
        let step = connection.transaction()?;
        step.prepare_cached(
            "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE received < ?1 AND NOT EXISTS
               (SELECT 1 FROM dead_letter WHERE message = message.id AND handled IS NULL) ORDER BY received LIMIT ?2)",
        )?
        .execute(params![before(self.retention.messages_for), STEP])?;
        step.prepare_cached(
            "DELETE FROM answer WHERE (name, body) IN
               (SELECT name, body FROM answer WHERE answered < ?1 ORDER BY answered LIMIT ?2)",
        )?
        .execute(params![before(self.retention.answers_for), STEP])?;
        step.prepare_cached(
            "DELETE FROM session WHERE topic IN (SELECT topic FROM session ORDER BY seen
               LIMIT min(?2, max(0, (SELECT count(*) FROM session) - ?1)))",
        )?
        .execute(params![i64::try_from(self.retention.sessions).unwrap_or(i64::MAX), STEP])?;
        step.commit()
    }
}

/// Gives pages that nothing stands on back to the disk: one for each step of the statement.
fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = statement.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

/// The oldest, whoever still has to look at them: a full disk would stop everything.
fn delete_oldest(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM message WHERE id IN (SELECT id FROM message ORDER BY id LIMIT ?1)")?
        .execute([STEP])
        .map(drop)
}

/// Bytes in use.
fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let used = pragma("page_count")? - pragma("freelist_count")?;
    Ok(u64::try_from(used * pragma("page_size")?).unwrap_or_default())
}
