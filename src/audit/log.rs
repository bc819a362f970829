//! The way of an entry to the disk: one bounded queue, one thread, which makes all that waits durable at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::sync::{mpsc, oneshot};
use tracing::error;
use uuid::Uuid;

use super::chain::Digest;
use super::entry::{Action, Entry};
use super::{AuditSettings, event};

/// Where lines are kept.
pub trait Spool: Send {
    /// Appends `lines`, whole, and makes them durable; or none of them.
    ///
    /// # Errors
    /// What the disk said.
    fn append(&mut self, month: &str, lines: &str) -> io::Result<()>;
}

/// Where entries are handed over. Clones are the same log.
#[derive(Clone)]
pub struct AuditLog(Option<Writer>);

#[derive(Clone)]
struct Writer {
    queue: mpsc::Sender<Waiting>,
    counts: Arc<Counts>,
    actions: Arc<[Action]>,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    lost: AtomicU64,
}

/// How far the log has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Entries that wait for the disk.
    pub waiting: u64,
    /// Entries written.
    pub written: u64,
    /// Entries that could not be written.
    pub lost: u64,
}

struct Waiting {
    /// `None`: whoever waits only wants to know that all before is written.
    entry: Option<Entry>,
    durable: Option<oneshot::Sender<Result<(), NotAudited>>>,
}

/// The entry is not in the log; the operator finds the reason in the gateway's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be audited just now")]
pub struct NotAudited;

/// Entries that wait for the disk. Beyond that, who has something to record waits too.
const QUEUE: usize = 1024;

/// Entries that are made durable at once.
const GROUP: usize = 256;

impl AuditLog {
    /// A log that records nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// A log of `settings.actions` that goes on after the line whose digest is `previous`, on a thread of its own, which
    /// ends with the last clone.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(settings: &AuditSettings, spool: impl Spool + 'static, previous: Digest) -> io::Result<Self> {
        if settings.actions.is_empty() {
            return Ok(Self::off());
        }
        let (queue, waiting) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name("audit".to_owned());
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        thread.spawn(move || write_all(waiting, spool, previous, &counting))?;
        Ok(Self(Some(Writer { queue, counts, actions: settings.actions.as_slice().into() })))
    }

    /// How far it has come.
    pub fn figures(&self) -> Figures {
        let Some(writer) = &self.0 else { return Figures::default() };
        Figures {
            waiting: (writer.queue.max_capacity() - writer.queue.capacity()) as u64,
            written: writer.counts.written.load(Ordering::Relaxed),
            lost: writer.counts.lost.load(Ordering::Relaxed),
        }
    }

    /// Whether `action` is recorded.
    pub fn records(&self, action: Action) -> bool {
        self.0.as_ref().is_some_and(|writer| writer.actions.contains(&action))
    }

    /// Records `entry`, and waits until it is durable: for what is answered only when it is audited.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub async fn record(&self, entry: Entry) -> Result<(), NotAudited> {
        match self.writer(entry.action) {
            Some(writer) => writer.write(Some(entry)).await,
            None => Ok(()),
        }
    }

    /// Waits until all that was handed over before is written, as far as it can be.
    pub async fn flush(&self) {
        if let Some(writer) = &self.0 {
            // What could not be written was logged.
            let _ = writer.write(None).await;
        }
    }

    /// Records `entry` soon: for what has happened already. Waits only for room in the queue.
    pub async fn note(&self, entry: Entry) {
        let Some(writer) = self.writer(entry.action) else { return };
        // The thread ends only with the last log.
        let _ = writer.queue.send(Waiting { entry: Some(entry), durable: None }).await;
    }

    fn writer(&self, action: Action) -> Option<&Writer> {
        self.0.as_ref().filter(|writer| writer.actions.contains(&action))
    }
}

impl Writer {
    async fn write(&self, entry: Option<Entry>) -> Result<(), NotAudited> {
        let (durable, known) = oneshot::channel();
        self.queue.send(Waiting { entry, durable: Some(durable) }).await.map_err(|_| NotAudited)?;
        known.await.unwrap_or(Err(NotAudited))
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.0.is_some() { "AuditLog(on)" } else { "AuditLog(off)" })
    }
}

fn write_all(mut waiting: mpsc::Receiver<Waiting>, mut spool: impl Spool, mut previous: Digest, counts: &Counts) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
        let result = write(&group, &mut spool, &mut previous);
        let entries = group.iter().filter(|waiting| waiting.entry.is_some()).count() as u64;
        let counted = if result.is_ok() { &counts.written } else { &counts.lost };
        counted.fetch_add(entries, Ordering::Relaxed);
        if let Err(error) = &result {
            error!(%error, lost = group.len(), "Audit entries not written: look at the disk of store.directory.");
        }
        for Waiting { durable, .. } in group.drain(..) {
            // Whoever asked may have gone.
            let _ = durable.map(|durable| durable.send(result.as_ref().map(|&()| ()).map_err(|_| NotAudited)));
        }
    }
}

/// Writes a group; one month's entries after the other's, as a group may stand on both sides of midnight.
fn write(group: &[Waiting], spool: &mut impl Spool, previous: &mut Digest) -> io::Result<()> {
    let month = |entry: &Entry| entry.recorded.strftime("%Y-%m").to_string();
    let entries: Vec<&Entry> = group.iter().filter_map(|waiting| waiting.entry.as_ref()).collect();
    for same_month in entries.chunk_by(|one, other| month(one) == month(other)) {
        let (mut lines, mut last) = (String::new(), *previous);
        for entry in same_month {
            let line = event::line(entry, Uuid::new_v4(), &last);
            last = Digest::of(&line);
            lines.push_str(&line);
            lines.push('\n');
        }
        spool.append(&month(same_month[0]), &lines)?;
        *previous = last;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::chain::{BrokenChain, FIRST, verify};
    use super::super::entry::Agent;
    use super::*;

    #[derive(Clone, Default)]
    struct Memory {
        lines: Arc<Mutex<String>>,
        months: Arc<Mutex<Vec<String>>>,
        full: Arc<AtomicBool>,
    }

    impl Spool for Memory {
        fn append(&mut self, month: &str, lines: &str) -> io::Result<()> {
            if self.full.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.lines.lock().unwrap().push_str(lines);
            self.months.lock().unwrap().push(month.to_owned());
            Ok(())
        }
    }

    fn log(memory: &Memory) -> AuditLog {
        let settings = AuditSettings { actions: vec![Action::Subscribe, Action::GetContext], syslog: None };
        AuditLog::start(&settings, memory.clone(), FIRST).unwrap()
    }

    fn entry(action: Action, recorded: &str) -> Entry {
        Entry {
            action,
            recorded: recorded.parse().unwrap(),
            agent: Agent::Application { principal: "".into(), name: None, address: None },
            session: String::new(),
            asked: String::new(),
            patient: None,
            refusal: None,
        }
    }

    #[tokio::test]
    async fn ira_23_what_is_recorded_is_durable_in_order_and_chained() {
        let memory = Memory::default();
        let log = log(&memory);
        for recorded in ["2026-05-31T23:59:59Z", "2026-06-01T00:00:00Z", "2026-06-01T00:00:01Z"] {
            log.note(entry(Action::GetContext, recorded)).await;
        }
        log.note(entry(Action::Subscribe, "2026-06-02T00:00:00Z")).await;
        log.flush().await;
        log.record(entry(Action::Publish, "2026-06-02T00:00:00Z")).await.unwrap();
        let lines = memory.lines.lock().unwrap().clone();
        assert_eq!(lines.lines().count(), 4, "what is not to be recorded is not: {lines}");
        assert!(verify(lines.lines(), FIRST).is_ok());
        assert_eq!(memory.months.lock().unwrap()[..2], ["2026-05".to_owned(), "2026-06".to_owned()]);
        for (taken_away, broken) in [(0, 1), (1, 2), (2, 3)] {
            let kept = lines.lines().enumerate().filter(|(index, _)| *index != taken_away).map(|(_, line)| line);
            assert_eq!(verify(kept, FIRST), Err(BrokenChain { line: broken }));
        }
        let changed = lines.replacen("110112", "110113", 1);
        assert_eq!(verify(changed.lines(), FIRST), Err(BrokenChain { line: 2 }));
    }

    #[tokio::test]
    async fn ira_23_what_cannot_be_written_is_not_called_recorded_and_the_chain_goes_on_after_it() {
        let memory = Memory::default();
        let log = log(&memory);
        let recorded = "2026-06-02T00:00:00Z";
        log.record(entry(Action::Subscribe, recorded)).await.unwrap();
        memory.full.store(true, Ordering::SeqCst);
        assert_eq!(log.record(entry(Action::Subscribe, recorded)).await, Err(NotAudited));
        memory.full.store(false, Ordering::SeqCst);
        log.record(entry(Action::Subscribe, recorded)).await.unwrap();
        let lines = memory.lines.lock().unwrap().clone();
        assert_eq!((lines.lines().count(), verify(lines.lines(), FIRST).is_ok()), (2, true));
        assert_eq!(log.figures(), Figures { waiting: 0, written: 2, lost: 1 });
    }
}
