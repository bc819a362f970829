//! The only clock: the machine's, or one that a test turns by hand. Waiting is tokio's, and can be paused there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

pub use fhircast_gateway_adapter_api::Clock;

/// The machine's time of day.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is handed")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still until it is told to move on, for tests.
#[derive(Debug)]
pub struct Manual(Mutex<SystemTime>);

impl Manual {
    /// A clock that shows `now`.
    pub fn at(now: SystemTime) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves on by `step`.
    pub fn advance(&self, step: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += step;
    }
}

impl Clock for Manual {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock's time as a point on the UTC time line; one that no calendar holds counts as the epoch.
pub(crate) fn timestamp(clock: &dyn Clock) -> jiff::Timestamp {
    jiff::Timestamp::try_from(clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
