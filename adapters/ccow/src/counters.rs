//! What a registry and its managers count. Names and numbers only: nothing here holds what a peer sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::oddity::{Oddities, Oddity};

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    oddities: [AtomicU64; Oddity::COUNT],
    counts: [AtomicU64; COUNTS.len()],
    open_connections: AtomicU64,
}

/// A connection that is open for as long as this lives.
pub(crate) struct OpenConnection(Arc<Counters>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is counted beside oddities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Count {
    /// Calls that had a reply.
    Called,
    /// Replies that were exceptions.
    Exception,
    /// Requests refused before they were calls: by host, origin, size, time or form.
    RequestRefused,
    /// Callbacks that participants answered.
    CallbackAnswered,
    /// Callbacks that they did not.
    CallbackFailed,
    /// Participants evicted, because they did not answer.
    Evicted,
    /// Changes handed to the gateway.
    CommitSubmitted,
    /// Changes that the gateway could not keep.
    CommitUnavailable,
    /// Sockets that pages have opened.
    SocketOpened,
}

const COUNTS: [(Count, &str); Count::SocketOpened as usize + 1] = [
    (Count::Called, "called"),
    (Count::Exception, "exception"),
    (Count::RequestRefused, "request_refused"),
    (Count::CallbackAnswered, "callback_answered"),
    (Count::CallbackFailed, "callback_failed"),
    (Count::Evicted, "evicted"),
    (Count::CommitSubmitted, "commit_submitted"),
    (Count::CommitUnavailable, "commit_unavailable"),
    (Count::SocketOpened, "socket_opened"),
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
        self.open_connections.load(Ordering::Relaxed)
    }

    pub(crate) fn open_connection(self: &Arc<Self>) -> OpenConnection {
        self.open_connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn odd(&self, oddities: Oddities) {
        oddities.iter().for_each(|oddity| {
            self.oddities[oddity as usize].fetch_add(1, Ordering::Relaxed);
        });
    }

    pub(crate) fn count(&self, count: Count) {
        self.counts[count as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_stands_at_its_own_number() {
        assert!(COUNTS.iter().enumerate().all(|(number, (count, _))| *count as usize == number));
    }
}
