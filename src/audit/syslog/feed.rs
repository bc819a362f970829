//! The way of the log's lines to the receiver: read, sent, and remembered as sent.
//!
//! Syslog has no acknowledgement. So what was sent counts as received only once the connection has stood for a while after it, or has
//! been closed in order; until then it would be sent again on the next one.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::message::Sender;
use super::settings::SyslogSettings;
use super::sink::{self, Sink, SinkError};
use crate::store::{AuditLines, AuditPosition, AuditReader};

/// What passes the log on.
pub struct Feed {
    settings: SyslogSettings,
    sender: Sender,
    reader: Arc<Mutex<AuditReader>>,
    end: watch::Receiver<AuditPosition>,
    /// What counts as received.
    settled: AuditPosition,
    counts: Arc<Counts>,
}

/// What is counted of a feed; of none at all, nothing ever. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Watched(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
    waiting: AtomicU64,
    connected: AtomicBool,
}

/// How far a feed has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Entries sent, those sent again included.
    pub sent: u64,
    /// Entries that could not be read any more, and gaps where files were taken away.
    pub lost: u64,
    /// Connections that failed, or were not made.
    pub failures: u64,
    /// Bytes of the log that are not sent yet.
    pub waiting_bytes: u64,
    /// Whether the receiver is there.
    pub connected: bool,
}

/// What was sent on a connection that stands for so long afterwards counts as received; twice at the most.
const SETTLES_AFTER: Duration = Duration::from_secs(5);

/// For connecting, and for the receiver to take what is sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// For the rest to be sent, and the receiver to close, when the gateway ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// Pauses between attempts: the first, then twice as long each time.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(60)];

impl Watched {
    /// How far it has come.
    pub fn figures(&self) -> Figures {
        let Counts { sent, lost, failures, waiting, connected } = &*self.0;
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            sent: value(sent),
            lost: value(lost),
            failures: value(failures),
            waiting_bytes: value(waiting),
            connected: connected.load(Ordering::Relaxed),
        }
    }
}

impl Feed {
    /// Passes on what `reader` reads up to `end`, which moves; from this process on the machine called `host`.
    pub fn new(settings: SyslogSettings, reader: AuditReader, end: watch::Receiver<AuditPosition>, host: &str) -> Self {
        let (sender, settled) = (Sender::new(host, std::process::id()), reader.position().clone());
        Self { settings, sender, reader: Arc::new(Mutex::new(reader)), end, settled, counts: Arc::default() }
    }

    /// What is counted of it.
    pub fn watched(&self) -> Watched {
        Watched(Arc::clone(&self.counts))
    }

    /// Finds what is wrong with the certificates.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn check(settings: &SyslogSettings) -> Result<(), SinkError> {
        sink::check(settings)
    }

    /// Passes on until `stop`, then what is left, for a bounded time.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut pause, mut told) = (PAUSES[0], false);
        while !stop.is_cancelled() {
            self.measure().await;
            let failed = match self.connect().await {
                Ok(sink) => {
                    info!(to = %self.settings.to, "Audit feed connected.");
                    (pause, told) = (PAUSES[0], false);
                    match self.pass_on(sink, &stop).await {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.counts.connected.store(false, Ordering::Relaxed);
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            if !std::mem::replace(&mut told, true) {
                warn!(to = %self.settings.to, error = %failed, "Audit feed interrupted; what is not sent stays in the log, and is sent later.");
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    async fn connect(&self) -> Result<Sink, SinkError> {
        timeout(PATIENCE, Sink::connect(&self.settings)).await.unwrap_or(Err(SinkError::Timeout))
    }

    /// Over one connection, from what counts as received.
    async fn pass_on(&mut self, mut sink: Sink, stop: &CancellationToken) -> Result<(), SinkError> {
        self.counts.connected.store(true, Ordering::Relaxed);
        let from = self.settled.clone();
        self.with_reader(move |reader| {
            reader.go_to(from);
            Ok(())
        })
        .await?;
        let (mut ticks, mut standing) = (every(SETTLES_AFTER), self.settled.clone());
        loop {
            while self.send_some(&mut sink).await? {
                if stop.is_cancelled() {
                    break;
                }
            }
            self.measure().await;
            tokio::select! {
                error = sink.lost() => return Err(error),
                _ = ticks.tick() => {
                    let now = self.position().await?;
                    self.settle(std::mem::replace(&mut standing, now)).await?;
                }
                changed = self.end.changed() => if changed.is_err() { return self.part(sink).await },
                () = stop.cancelled() => return self.part(sink).await,
            }
        }
    }

    /// Sends the rest, and remembers it where the receiver has it for certain.
    async fn part(&mut self, mut sink: Sink) -> Result<(), SinkError> {
        let rest = async {
            while self.send_some(&mut sink).await? {}
            let sent = self.position().await?;
            Ok::<_, SinkError>(sink.close().await.then_some(sent))
        };
        if let Ok(Ok(Some(sent))) = timeout(FAREWELL, rest).await {
            self.settle(sent).await?;
        }
        Ok(())
    }

    /// Whether there was something.
    async fn send_some(&mut self, sink: &mut Sink) -> Result<bool, SinkError> {
        let end = self.end.borrow_and_update().clone();
        let AuditLines { lines, gap } = self.with_reader(move |reader| reader.next(&end)).await?;
        let mut unreadable = u64::from(gap);
        let mut messages = Vec::with_capacity(lines.len());
        for line in &lines {
            match self.sender.message(line, self.settings.content) {
                Ok(message) => messages.push(message),
                Err(_) => unreadable += 1,
            }
        }
        if unreadable > 0 {
            self.counts.lost.fetch_add(unreadable, Ordering::Relaxed);
            error!(
                unreadable,
                gap,
                "Audit entries are not passed on: the log has a gap or is spoilt; run `fhircast-gateway audit verify`."
            );
        }
        if messages.is_empty() {
            return Ok(!lines.is_empty());
        }
        timeout(PATIENCE, sink.send(&messages)).await.unwrap_or(Err(SinkError::Timeout))?;
        self.counts.sent.fetch_add(messages.len() as u64, Ordering::Relaxed);
        Ok(true)
    }

    async fn settle(&mut self, position: AuditPosition) -> io::Result<()> {
        if position <= self.settled {
            return Ok(());
        }
        self.settled = position.clone();
        self.with_reader(move |reader| reader.remember(&position)).await
    }

    async fn position(&self) -> io::Result<AuditPosition> {
        self.with_reader(|reader| Ok(reader.position().clone())).await
    }

    /// Tells how much waits, as far as the disk says.
    async fn measure(&self) {
        let end = self.end.borrow().clone();
        if let Ok(waiting) = self.with_reader(move |reader| reader.waiting(&end)).await {
            self.counts.waiting.store(waiting, Ordering::Relaxed);
        }
    }

    /// The disk is waited for elsewhere.
    async fn with_reader<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AuditReader) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let reader = Arc::clone(&self.reader);
        let work = move || work(&mut reader.lock().unwrap_or_else(PoisonError::into_inner));
        spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
