//! What the hub has done so far, in numbers. Labels and names of peers do not enter.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The counts, growing.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)+
        }

        /// The counts at one moment, since the hub started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            pub(super) fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.0.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Events accepted.
    events_published,
    /// Events accepted that the standard would refuse.
    events_tolerated,
    /// Notifications queued for sockets, SyncErrors not counted.
    notifications_queued,
    /// Answers of subscribers to notifications.
    answers_received,
    /// Frames that were no answer to anything (CLI-22).
    frames_ignored,
    /// Events refused that came over a socket, where nobody is answered (CLI-39).
    socket_events_refused,
    /// SyncErrors raised by the hub.
    sync_errors_raised,
    /// Subscriptions accepted.
    subscriptions_accepted,
    /// Subscriptions ended, for whatever reason.
    subscriptions_ended,
    /// Sockets opened.
    sockets_opened,
    /// Sockets ended.
    sockets_ended,
    /// Sockets cut off since their subscriber read too slowly (NOT-15).
    sockets_cut_off,
}

/// One count.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// `count` more.
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
