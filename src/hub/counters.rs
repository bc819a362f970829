//! What the hub has done so far, in numbers. Labels and names of peers do not enter.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::histogram::Histogram;

macro_rules! counters {
    ($(#[doc = $doc:literal] $name:ident),+ $(,)?) => {
        /// The counts, growing.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)+
            /// How many subscribers were told of each event.
            pub(super) fan_out: FanOut,
        }

        /// The counts at one moment, since the hub started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $(#[doc = $doc] pub $name: u64,)+
        }

        impl Snapshot {
            /// Each count: its name, what it counts, and how much that is.
            pub(crate) fn figures(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), $doc, self.$name),)+].into_iter()
            }
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
    /// How often the machine's clock was set.
    clock_settings,
    /// Sockets opened.
    sockets_opened,
    /// Sockets ended.
    sockets_ended,
    /// Sockets cut off since their subscriber read too slowly (NOT-15).
    sockets_cut_off,
    /// Webhooks that repeated their challenge (WH-02).
    webhooks_verified,
    /// Webhooks that did not, or could not be called.
    webhooks_not_verified,
    /// Notifications that a webhook has answered, with whatever status.
    webhook_calls_answered,
    /// Notifications that no webhook has answered, further attempts included.
    webhook_calls_unanswered,
}

/// Subscribers told of one event.
#[derive(Debug)]
pub(super) struct FanOut(pub(super) Histogram);

impl Default for FanOut {
    fn default() -> Self {
        Self(Histogram::new([0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]))
    }
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
