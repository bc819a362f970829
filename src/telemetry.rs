//! Where the log goes: standard error, one line an event.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging by `filter`: a level, or levels by module.
///
/// # Errors
/// When `filter` cannot be read, or logging has been started before.
pub fn start(filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| TelemetryError::Filter(error.to_string()))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init()
        .map_err(|_| TelemetryError::Started)
}

/// Why logging did not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no filter.
    #[error("`log.filter` cannot be read: {0}; write a level such as \"info\"")]
    Filter(String),
    /// There is a logger already.
    #[error("logging has been started already")]
    Started,
}
