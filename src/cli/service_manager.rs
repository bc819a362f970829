//! What `run` tells the service manager that started it, where one did: that it serves, that it lives, that it ends (sd_notify(3)).
//!
//! Where no service manager listens, nothing is told and nothing is awaited.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// The service manager, and when it wants to hear that the gateway lives.
pub(super) struct ServiceManager {
    watchdog: Option<Interval>,
}

impl ServiceManager {
    /// The one that the environment names, if it names one. To be asked for inside the runtime.
    pub(super) fn of_the_environment() -> Self {
        let every = sd_notify::watchdog_enabled().map(|bound| heartbeat(bound).max(Duration::from_millis(1)));
        let watchdog = every.map(|every| {
            let mut ticks = interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self { watchdog }
    }

    /// Everything is bound, and served.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// It drains; and it lives, so that the whole of the watchdog's time is left for that.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Watchdog]);
    }

    /// It lives.
    pub(super) fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// Returns when [`Self::alive`] is due; never, where nobody waits for it.
    pub(super) async fn heartbeat(&mut self) {
        match &mut self.watchdog {
            Some(ticks) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }
}

/// How often a manager that waits for `bound` is told: so that one late word is no death.
fn heartbeat(bound: Duration) -> Duration {
    bound / 3
}

/// A manager that cannot be told finds out by itself, and its log says so.
fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
