//! What a listener counts, and how often it may warn.
//!
//! Names and numbers only: nothing here holds what a peer sent.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::oddity::Oddity;

/// Counts since the start, shared by all connections of a listener.
#[derive(Debug, Default)]
pub struct Counters {
    oddities: [AtomicU64; Oddity::COUNT],
    counts: [AtomicU64; COUNTS.len()],
}

/// What is counted beside oddities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Count {
    ConnectionAccepted,
    /// Refused by its address, or because all places are taken.
    ConnectionRefused,
    /// However it ended.
    ConnectionEnded,
    HandshakeFailed,
    /// Closed for a timeout of the listener's settings.
    ConnectionTimedOut,
    /// Read whole, whatever is in it; or too long to be.
    FrameReceived,
    /// Handed to the gateway.
    MessageSubmitted,
    AnswerAccept,
    AnswerError,
    AnswerReject,
    /// No answer, because the sender asked for none.
    AnswerUnwanted,
    /// No answer and the connection closed, because nothing was kept.
    AnswerWithheld,
}

const COUNTS: [(Count, &str); Count::AnswerWithheld as usize + 1] = [
    (Count::ConnectionAccepted, "connection_accepted"),
    (Count::ConnectionRefused, "connection_refused"),
    (Count::ConnectionEnded, "connection_ended"),
    (Count::HandshakeFailed, "handshake_failed"),
    (Count::ConnectionTimedOut, "connection_timed_out"),
    (Count::FrameReceived, "frame_received"),
    (Count::MessageSubmitted, "message_submitted"),
    (Count::AnswerAccept, "answer_accept"),
    (Count::AnswerError, "answer_error"),
    (Count::AnswerReject, "answer_reject"),
    (Count::AnswerUnwanted, "answer_unwanted"),
    (Count::AnswerWithheld, "answer_withheld"),
];

impl Counters {
    /// Every counter by name, oddities first, in an order that does not change.
    pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let oddities = Oddity::all().map(|oddity| (oddity.name(), read(&self.oddities[oddity as usize])));
        let counts = COUNTS.iter().map(|(count, name)| (*name, read(&self.counts[*count as usize])));
        oddities.chain(counts).collect()
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> u64 {
        let read = |count: Count| self.counts[count as usize].load(Ordering::Relaxed);
        let ended = read(Count::ConnectionEnded);
        read(Count::ConnectionAccepted).saturating_sub(ended)
    }

    pub(crate) fn odd(&self, oddity: Oddity) {
        self.oddities[oddity as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, count: Count) {
        self.counts[count as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Lets each oddity into the log at most once in a while, so that a broken sender cannot fill a disk.
#[derive(Debug, Default)]
pub(crate) struct Warnings([Mutex<Option<Warned>>; Oddity::COUNT]);

#[derive(Clone, Copy, Debug)]
struct Warned {
    at: Instant,
    suppressed: u64,
}

const PAUSE: Duration = Duration::from_secs(10);

impl Warnings {
    /// Whether to warn now, and if so, how often it happened unsaid since the last time.
    pub(crate) fn due(&self, oddity: Oddity, now: Instant) -> Option<u64> {
        let mut warned = self.0[oddity as usize].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &mut *warned {
            Some(Warned { at, suppressed }) if now < *at + PAUSE => {
                *suppressed += 1;
                None
            }
            other => {
                let suppressed = other.map_or(0, |warned| warned.suppressed);
                *other = Some(Warned { at: now, suppressed: 0 });
                Some(suppressed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_stands_at_its_own_number() {
        assert!(COUNTS.iter().enumerate().all(|(number, (count, _))| *count as usize == number));
    }

    #[test]
    fn an_oddity_is_warned_of_once_in_ten_seconds() {
        let (warnings, start) = (Warnings::default(), Instant::now());
        let due = |oddity, seconds| warnings.due(oddity, start + Duration::from_secs(seconds));
        assert_eq!(due(Oddity::StrayLine, 0), Some(0));
        assert_eq!(due(Oddity::StrayLine, 1), None);
        assert_eq!(due(Oddity::StrayLine, 9), None);
        assert_eq!(due(Oddity::NotHl7, 9), Some(0));
        assert_eq!(due(Oddity::StrayLine, 10), Some(2));
        assert_eq!(due(Oddity::StrayLine, 20), Some(0));
    }
}
