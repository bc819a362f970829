//! The only clock. Waiting is tokio's, and can be paused in tests.

use std::time::SystemTime;

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
