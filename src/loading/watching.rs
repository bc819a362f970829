//! When mappings are loaded again: when somebody asks, when the system tells of a change, or every so often.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::MappingsInForce;
use crate::store::{DirectoryWatch, DirectoryWatchError};

/// How changes of the files come to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// Not at all: somebody asks.
    Off,
    /// The system tells.
    Told,
    /// They are looked at this often, as network shares do not tell.
    Every(Duration),
}

/// A change is taken up after this long without another: editors write a file in several steps, and people copy several.
const QUIET: Duration = Duration::from_millis(300);

/// A change is taken up after this long at the latest, however many more come.
const LATEST: Duration = Duration::from_secs(5);

impl MappingsInForce {
    /// Loads again whenever `asked`, and whenever a file changes, until `shutdown`.
    pub async fn keep(self: Arc<Self>, watching: Watching, asked: Arc<Notify>, shutdown: CancellationToken) {
        let followed = async {
            match watching {
                Watching::Off => {}
                Watching::Told => {
                    if let Err(error) = self.follow().await {
                        warn!(%error, "Changes of mapping files are not told: use `fhircast-gateway reload`, or set mappings.poll_every.");
                    }
                }
                Watching::Every(every) => self.poll(every).await,
            }
            std::future::pending::<()>().await;
        };
        let answered = async {
            loop {
                asked.notified().await;
                // The log and the status tell how it went.
                let _ = self.reload().await;
            }
        };
        tokio::select! {
            () = followed => {}
            () = answered => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn follow(&self) -> Result<(), DirectoryWatchError> {
        let changed = Arc::default();
        loop {
            // Begun before the files are read: a change in between is not lost.
            let watch = self.watch(&changed).await?;
            self.reload_if_changed().await;
            watch.changed().await;
            settled(&changed).await;
        }
    }

    async fn watch(&self, changed: &Arc<Notify>) -> Result<DirectoryWatch, DirectoryWatchError> {
        let (directory, teller) = (self.directory.clone(), Arc::clone(changed));
        let begun = tokio::task::spawn_blocking(move || DirectoryWatch::begin(&directory, &teller)).await;
        begun.unwrap_or_else(|error| Err(DirectoryWatchError::interrupted(&self.directory, &error)))
    }

    async fn poll(&self, every: Duration) {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.reload_if_changed().await;
        }
    }
}

/// Waits until no further change has come for a while, but not for ever.
async fn settled(changed: &Notify) {
    let quiet = async { while timeout(QUIET, changed.notified()).await.is_ok() {} };
    // Either way it is time.
    let _ = timeout(LATEST, quiet).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// How long it takes to settle when changes come this often, this many times.
    async fn settles_after(every: Duration, times: u32) -> Duration {
        let changed = Arc::new(Notify::new());
        let changing = Arc::clone(&changed);
        let changes = tokio::spawn(async move {
            for _ in 0..times {
                sleep(every).await;
                changing.notify_one();
            }
        });
        let begun = Instant::now();
        settled(&changed).await;
        changes.abort();
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_taken_up_together_once_it_is_quiet() {
        assert_eq!(settles_after(Duration::from_millis(100), 0).await, QUIET);
        assert_eq!(settles_after(Duration::from_millis(100), 4).await, Duration::from_millis(400) + QUIET);
        assert_eq!(settles_after(QUIET * 2, 4).await, QUIET);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_never_rests_is_taken_up_all_the_same() {
        assert_eq!(settles_after(Duration::from_millis(100), u32::MAX).await, LATEST);
    }
}
