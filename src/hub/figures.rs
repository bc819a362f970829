//! What there is now, for whoever watches the hub.

use std::sync::PoisonError;

use prometheus_client::metrics::histogram::Histogram;

use super::Hub;

impl Hub {
    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Hands on the histogram of how many subscribers were told of each event.
    pub(crate) fn fan_out(&self, register: impl FnOnce(Histogram)) {
        register(self.0.counters.fan_out.0.clone());
    }
}
