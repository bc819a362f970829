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
    use std::sync::Arc;

    use fhircast_gateway_adapter_api::Value;

    use super::*;
    use crate::audit::PatientWords;
    use crate::fhircast::update::ContentChange;
    use crate::fhircast::{ContextEntry, Event, EventName, NewEvent, ResourceKey};
    use crate::store::{ContextRecord, Transaction, Write};

    const MARK: &str = "CANARY";

    fn raw(json: &str) -> Box<serde_json::value::RawValue> {
        serde_json::value::RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn t12_what_carries_a_message_does_not_show_it() {
        let json = format!(r#"{{"resourceType":"Patient","id":"{MARK}","identifier":[{{"value":"{MARK}"}}]}}"#);
        let entry = ContextEntry { key: "patient".into(), resource: raw(&json) };
        let name = EventName::parse_any("Patient-open").unwrap();
        let timestamp = jiff::Timestamp::UNIX_EPOCH;
        let new = NewEvent { id: "1".into(), timestamp, name, context: vec![entry.clone()], occurred: None };
        let event = Event::new("t", new.clone()).unwrap();
        let anchor = ResourceKey::new("Patient", MARK);
        let context = ContextRecord {
            topic: "t".into(),
            anchor: anchor.clone(),
            event: json.clone(),
            resources: vec![anchor.clone()],
            fingerprint: 0,
            occurred: None,
            version: uuid::Uuid::nil(),
            prior: None,
            opened_at: 0,
            since: timestamp,
        };
        let words = PatientWords::of_resource("patient", &entry.resource).unwrap();
        assert_eq!(words.id.as_deref(), Some(MARK), "the canary is in it");
        let put = ContentChange::Put(anchor, Arc::from(raw(&json)));
        let write = Transaction(vec![Write::Context(Box::new(context.clone()))]);
        let value = Value::Text(MARK.into());
        let shown: [&dyn fmt::Debug; 9] =
            [&entry, &new, &event, &words, &words.identifier, &put, &context, &write, &value];
        for carrier in shown {
            let text = format!("{carrier:?} {carrier:#?}");
            assert!(!text.contains(MARK), "{text}");
        }
    }

    #[test]
    fn t12_no_way_of_printing_shows_what_may_name_a_patient() {
        let phi = Phi(vec!["Berger"]);
        let shown = [format!("{phi}"), format!("{phi:?}"), format!("{phi:#?}"), serde_json::to_string(&phi).unwrap()];
        assert_eq!(shown, ["[phi]", "[phi]", "[phi]", "\"[phi]\""]);
        assert_eq!(phi.reveal()[0], "Berger");
    }
}
