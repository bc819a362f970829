//! The only clock: the machine's, or one that a test turns by hand. Waiting is tokio's, and can be paused there.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::SignedDuration;

pub use fhircast_gateway_adapter_api::Clock;

/// The machine's time of day.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is handed")]
static FIRST_LOOK: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is handed")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn running(&self) -> Duration {
        FIRST_LOOK.elapsed()
    }
}

/// A clock that stands still until it is told to move on, for tests.
#[derive(Debug)]
pub struct Manual(Mutex<Hands>);

#[derive(Debug)]
struct Hands {
    now: SystemTime,
    running: Duration,
}

impl Manual {
    /// A clock that shows `now`.
    pub fn at(now: SystemTime) -> Self {
        Self(Mutex::new(Hands { now, running: Duration::ZERO }))
    }

    /// Moves on by `step`.
    pub fn advance(&self, step: Duration) {
        let mut hands = self.hands();
        hands.now += step;
        hands.running += step;
    }

    /// Sets the time of day forward or back, while no time passes.
    pub fn set(&self, by: SignedDuration) {
        let mut hands = self.hands();
        let step = by.unsigned_abs();
        hands.now = if by.is_negative() { hands.now - step } else { hands.now + step };
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Manual {
    fn now(&self) -> SystemTime {
        self.hands().now
    }

    fn running(&self) -> Duration {
        self.hands().running
    }
}

/// The clock's time as a point on the UTC time line; one that no calendar holds counts as the epoch.
pub(crate) fn timestamp(clock: &dyn Clock) -> jiff::Timestamp {
    jiff::Timestamp::try_from(clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
