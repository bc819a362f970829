//! The hub's time: the time of day, but for the moment in which somebody sets the machine's clock.
//!
//! Leases and tokens end by the time of day. How long an answer may take, or a lost subscriber may stay away, is a length of time
//! instead: setting the clock neither cuts it short nor draws it out (reliability.md, F9).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::clock::{Clock, timestamp};

/// Goes on evenly, and is put right by [`Self::put_right`] alone.
pub(super) struct Timekeeper {
    clock: Arc<dyn Clock>,
    /// What the time of day is ahead of the clock's even running, in nanoseconds.
    ahead: AtomicI64,
}

/// A difference beyond that is no drift: the clock was set, or the machine slept.
const SET: SignedDuration = SignedDuration::from_secs(60);

impl Timekeeper {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let ahead = AtomicI64::new(ahead(&*clock));
        Self { clock, ahead }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        let nanoseconds = i128::from(self.ahead.load(Ordering::Relaxed)) + running(&*self.clock);
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Goes by the time of day again; gives by how much that was set, where it was.
    pub(super) fn put_right(&self) -> Option<SignedDuration> {
        let ahead = ahead(&*self.clock);
        let set = SignedDuration::from_nanos(ahead.saturating_sub(self.ahead.swap(ahead, Ordering::Relaxed)));
        (set.abs() > SET).then_some(set)
    }
}

fn ahead(clock: &dyn Clock) -> i64 {
    i64::try_from(timestamp(clock).as_nanosecond() - running(clock)).unwrap_or_default()
}

fn running(clock: &dyn Clock) -> i128 {
    i128::try_from(clock.running().as_nanos()).unwrap_or_default()
}
