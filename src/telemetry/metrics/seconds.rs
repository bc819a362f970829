//! Histograms of times.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Times by labels.
pub(super) type Seconds<L> = Family<L, Histogram, fn() -> Histogram>;

/// Of what waits for a disk or a peer: 0.1 ms to 13 s.
pub(super) fn of_waiting<L: Clone + std::hash::Hash + Eq>() -> Seconds<L> {
    Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-4, 2.0, 18)))
}

/// Of what only computes: 1 µs to 65 ms.
pub(super) fn of_computing<L: Clone + std::hash::Hash + Eq>() -> Seconds<L> {
    Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-6, 2.0, 17)))
}
