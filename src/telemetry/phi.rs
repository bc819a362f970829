//! What may name a patient, and so is never shown: neither by a log line, nor by an error, nor by accident (T12).

use std::fmt;

use serde::{Serialize, Serializer};

/// A value that may name a patient. Its `Debug`, its `Display` and serde show `[phi]`; who needs the value itself says so.
///
/// ```
/// use fhircast_gateway::telemetry::Phi;
/// let name = Phi("Berger");
/// assert_eq!(format!("{name} {name:?}"), "[phi] [phi]");
/// assert_eq!(*name.reveal(), "Berger");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Phi<T>(pub T);

impl<T> Phi<T> {
    /// The value, for what it is kept for; never for a log, a metric or a stranger.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

/// What stands for every such value.
const REDACTED: &str = "[phi]";

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Phi<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl<T> Serialize for Phi<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t12_no_way_of_printing_shows_what_may_name_a_patient() {
        let phi = Phi(vec!["Berger"]);
        let shown = [format!("{phi}"), format!("{phi:?}"), format!("{phi:#?}"), serde_json::to_string(&phi).unwrap()];
        assert_eq!(shown, ["[phi]", "[phi]", "[phi]", "\"[phi]\""]);
        assert_eq!(phi.reveal()[0], "Berger");
    }
}
