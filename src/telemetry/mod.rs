//! What an operator sees of a running gateway: its log, its metrics, its health. No patient is in any of them (T11, T12).
//!
//! Knows no wire and decides nothing. There is no global registry: who counts something is handed where to.

mod escape;
mod log;
pub mod metrics;
mod phi;
mod pulse;
mod readiness;
mod traces;

pub use self::log::{LogFormat, TelemetryError, start, subscriber};
pub use self::phi::Phi;
pub use self::pulse::Pulse;
pub use self::readiness::{Condition, Readiness, State};
pub use self::traces::{TraceSettings, Traces};
