//! Whether the event loop turns: a beat a second that only a loop with time for its timers gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The pulse of one event loop. Clones are the same pulse.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    start: Instant,
    /// The last one, in milliseconds after the start.
    last: AtomicU64,
}

const EVERY: Duration = Duration::from_secs(1);

/// Without a beat for so long, something holds the loop up.
const STOPPED_AFTER: Duration = Duration::from_secs(10);

impl Pulse {
    /// A pulse that has just beaten.
    pub fn new() -> Self {
        Self(Arc::new(Beats { start: Instant::now(), last: AtomicU64::new(0) }))
    }

    /// Beats until `end`.
    pub async fn beat(self, end: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.0.last.store(self.0.elapsed(), Ordering::Relaxed),
                () = end.cancelled() => return,
            }
        }
    }

    /// Whether it has beaten lately.
    pub fn is_felt(&self) -> bool {
        let since = self.0.elapsed().saturating_sub(self.0.last.load(Ordering::Relaxed));
        Duration::from_millis(since) < STOPPED_AFTER
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

impl Beats {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_held_up_has_no_pulse_and_one_that_turns_has() {
        let (pulse, end) = (Pulse::new(), CancellationToken::new());
        let beating = tokio::spawn(pulse.clone().beat(end.clone()));
        for _ in 0..3600 {
            tokio::time::sleep(EVERY).await;
            assert!(pulse.is_felt());
        }
        end.cancel();
        beating.await.unwrap();
        tokio::time::advance(STOPPED_AFTER + EVERY).await;
        assert!(!pulse.is_felt());
    }
}
