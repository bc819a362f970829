//! The name of a FHIRcast event: `Patient-open`, `UserLogout`, `org.example.case_read` (REQ-04).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An event's name. Keeps the spelling it came in (SUB-07), and compares without regard to case (SUB-06).
#[derive(Clone)]
pub struct EventName(Arc<str>);

/// Why a text is not an event name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventNameError {
    /// The text after the dash is none of the actions.
    #[error("the part after the dash must be open, close, update or select")]
    Action,
    /// Neither a resource with an action, nor an infrastructure event, nor a reverse domain name.
    #[error(
        "an event is named <FHIR resource>-<open|close|update|select>, or Home-open, SyncError, UserLogout, \
         UserHibernate, or like a reverse domain name without a dash"
    )]
    Form,
    /// Longer than any name can be.
    #[error("an event name has at most {MAX_LENGTH} characters")]
    Length,
}

/// Longer names are refused before they are looked at.
const MAX_LENGTH: usize = 128;

/// Names that are only relayed are shorter.
const MAX_RELAYED_LENGTH: usize = 64;

/// Events that are about the session, not about a resource.
const INFRASTRUCTURE: [&str; 5] = ["Home-open", "SyncError", "UserLogout", "UserHibernate", "Heartbeat"];

/// What happens to a context: the part of an event's name after the dash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The context becomes the current one.
    Open,
    /// The context is over.
    Close,
    /// Content of the context changes.
    Update,
    /// Content of the context is selected.
    Select,
}

impl EventName {
    /// The event name that `text` spells.
    ///
    /// # Errors
    /// When `text` has none of the forms of REQ-04.
    pub fn parse(text: &str) -> Result<Self, EventNameError> {
        if text.len() > MAX_LENGTH {
            return Err(EventNameError::Length);
        }
        if INFRASTRUCTURE.iter().any(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(Self(text.into()));
        }
        match text.split_once('-') {
            Some((resource, action)) => {
                Action::parse(action).ok_or(EventNameError::Action)?;
                is_resource(resource).then(|| Self(text.into())).ok_or(EventNameError::Form)
            }
            None => is_reverse_domain(text).then(|| Self(text.into())).ok_or(EventNameError::Form),
        }
    }

    /// As [`Self::parse`], and takes every name that clients in the field have been seen to use (POL-10, CLI-42): it is relayed
    /// as it is, and is about no context.
    ///
    /// # Errors
    /// When `text` has characters that stand in no name, or too many.
    pub fn parse_any(text: &str) -> Result<Self, EventNameError> {
        let relayed = (1..=MAX_RELAYED_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if relayed { Ok(Self(text.into())) } else { Self::parse(text) }
    }

    /// The name as it was spelt.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The FHIR resource type before the dash, as spelt; `None` for events that are about no resource (`Home-open` too).
    pub fn resource(&self) -> Option<&str> {
        if self.is("Home-open") { None } else { self.parts().map(|(resource, _)| resource) }
    }

    /// What happens to the context; `None` for events without an action. `Home-open` has [`Action::Open`].
    pub fn action(&self) -> Option<Action> {
        self.parts().map(|(_, action)| action)
    }

    /// Resource and action; `None` for every other name, such as `DiagnosticReport-opened` (CLI-42).
    fn parts(&self) -> Option<(&str, Action)> {
        let (resource, action) = self.0.split_once('-')?;
        Some((resource, Action::parse(action)?)).filter(|_| is_resource(resource))
    }

    /// Whether this is the event called `name`, in whatever case.
    pub fn is(&self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        [("open", Self::Open), ("close", Self::Close), ("update", Self::Update), ("select", Self::Select)]
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, action)| action)
    }
}

fn is_resource(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_reverse_domain(text: &str) -> bool {
    text.contains('.')
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

impl PartialEq for EventName {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for EventName {}

impl Hash for EventName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EventName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_04_names_of_every_form_are_told_from_all_others() {
        let good = [
            "Patient-open",
            "patient-OPEN",
            "ImagingStudy-close",
            "DiagnosticReport-update",
            "Observation-select",
            "Home-open",
            "SyncError",
            "syncerror",
            "UserLogout",
            "UserHibernate",
            "Heartbeat",
            "org.example.case_read",
        ];
        let bad = [
            ("", EventNameError::Form),
            ("Patient", EventNameError::Form),
            ("Patient-opened", EventNameError::Action),
            ("-open", EventNameError::Form),
            ("Pat ient-open", EventNameError::Form),
            ("Patient-open-close", EventNameError::Action),
            ("org.example.case-read", EventNameError::Action),
            ("org..example", EventNameError::Form),
            ("Patient\u{0}-open", EventNameError::Form),
        ];
        for name in good {
            assert_eq!(EventName::parse(name).map(|parsed| parsed.as_str().to_owned()), Ok(name.to_owned()));
        }
        for (name, error) in bad {
            assert_eq!(EventName::parse(name), Err(error), "{name}");
        }
        assert_eq!(EventName::parse(&"x.".repeat(100)), Err(EventNameError::Length));
    }

    #[test]
    fn cli_42_names_of_clients_in_the_field_are_relayed_and_are_about_no_context() {
        for name in ["DiagnosticReport-opened", "dicom-send", "open-patient-chart", "DMVAMessage", "a.b-open", "x"] {
            let parsed = EventName::parse_any(name).unwrap();
            assert_eq!((parsed.as_str(), parsed.action(), parsed.resource()), (name, None, None));
        }
        assert_eq!(EventName::parse_any("patient-open").unwrap().action(), Some(Action::Open));
        for name in ["", "*", "a b", "Patient/open", "\u{e9}", &"x".repeat(65)] {
            assert!(EventName::parse_any(name).is_err(), "{name}");
        }
    }

    #[test]
    fn sub_06_names_compare_without_regard_to_case_and_keep_their_spelling() {
        let (one, other) = (EventName::parse("patient-open").unwrap(), EventName::parse("Patient-Open").unwrap());
        assert_eq!(one, other);
        assert_eq!(one.as_str(), "patient-open");
        assert_eq!((one.resource(), one.action()), (Some("patient"), Some(Action::Open)));
    }
}
