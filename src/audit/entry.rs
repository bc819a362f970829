//! What is audited: who did what, on which session, about which patient, and whether it was let.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use fhircast_gateway_adapter_api::Inbound;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fhircast::Identifier;

/// Something that somebody did, or was refused.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was done.
    pub action: Action,
    /// When.
    pub recorded: Timestamp,
    /// Who did it.
    pub agent: Agent,
    /// The session, as logs show it: a topic itself lets its holder follow a screen. Empty where none was named.
    pub session: String,
    /// What was asked for, in the words of the standard: names of events, the path that was read.
    pub asked: String,
    /// The patient whose context was told or changed.
    pub patient: Option<PatientWords>,
    /// Why it was refused; `None` where it was done.
    pub refusal: Option<String>,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A request without a token that is accepted, or one for a token.
    Authenticate,
    /// Reading a topic's current context (RAD-153).
    GetContext,
    /// Publishing an event, by an application or by a message of a legacy system.
    Publish,
    /// Having a stored message handled again, by an operator.
    Reprocess,
    /// Subscribing, or renewing a subscription (RAD-146).
    Subscribe,
    /// Unsubscribing (RAD-152).
    Unsubscribe,
}

/// Who did it.
#[derive(Clone, Debug)]
pub enum Agent {
    /// An application, over HTTP.
    Application {
        /// Issuer, subject and client of its token; empty at an open hub, and where the token was not accepted.
        principal: Arc<str>,
        /// What it calls itself (`subscriber.name`).
        name: Option<String>,
        /// Where the request came from: the proxy's address, where one stands before the hub.
        address: Option<IpAddr>,
    },
    /// A legacy system, by one of its messages.
    LegacySystem {
        /// The configured name of the adapter.
        source: Arc<str>,
        /// Who sent the message, in its wire's words.
        sender: String,
        /// The message's own identifier.
        control_id: String,
        /// Whose screen it was for, as the mapping told it.
        user: Option<String>,
    },
    /// An operator of the gateway, with a message that a legacy system had sent.
    Operator {
        /// What they call themselves.
        name: String,
        /// The configured name of the adapter.
        source: Arc<str>,
        /// Who sent the message, in its wire's words.
        sender: String,
        /// The message's own identifier.
        control_id: String,
    },
}

/// A patient as a context names it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct PatientWords {
    /// `Patient.id`
    #[serde(default)]
    pub id: Option<String>,
    /// Its business identifiers.
    #[serde(default)]
    pub identifier: Vec<Identifier>,
}

/// None of them: they name the patient.
impl fmt::Debug for PatientWords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PatientWords([phi])")
    }
}

impl Entry {
    /// That `agent` has published an event called `name` on a session; about whom is not yet said.
    pub fn publish(recorded: Timestamp, agent: Agent, session: String, name: String) -> Self {
        Self { action: Action::Publish, recorded, agent, session, asked: name, patient: None, refusal: None }
    }
}

impl Agent {
    /// Who has sent a message, for this user's screen.
    pub fn of_message(inbound: &Inbound, user: Option<&str>) -> Self {
        Self::LegacySystem {
            source: Arc::clone(&inbound.source),
            sender: inbound.sender.clone(),
            control_id: inbound.control_id.clone(),
            user: user.map(str::to_owned),
        }
    }

    /// The operator who calls themselves `name`, with this message.
    pub fn of_operator(name: &str, inbound: &Inbound) -> Self {
        Self::Operator {
            name: name.to_owned(),
            source: Arc::clone(&inbound.source),
            sender: inbound.sender.clone(),
            control_id: inbound.control_id.clone(),
        }
    }
}

impl PatientWords {
    /// The patient among context entries, each the JSON text of one entry.
    pub fn among<'e>(entries: impl IntoIterator<Item = &'e str>) -> Option<Self> {
        entries.into_iter().find_map(Self::of_entry)
    }

    /// The patient that a resource is.
    pub fn of_resource(key: &str, resource: &RawValue) -> Option<Self> {
        (key == "patient").then(|| serde_json::from_str(resource.get()).ok()).flatten()
    }

    fn of_entry(entry: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct ContextEntry<'e> {
            key: &'e str,
            #[serde(default, borrow)]
            resource: Option<&'e RawValue>,
        }
        let entry: ContextEntry<'_> = serde_json::from_str(entry).ok()?;
        Self::of_resource(entry.key, entry.resource?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patient_of_a_context_is_named_by_id_and_identifiers_and_nothing_else() {
        let entries = [
            r#"{"key":"study","resource":{"id":"s1"}}"#,
            r#"{"key":"patient","resource":{"id":"p1","name":[{"family":"X"}],"identifier":[{"system":"urn:a","value":"1","use":"usual"}]}}"#,
        ];
        let identifier = vec![Identifier { system: Some("urn:a".into()), value: Some("1".into()) }];
        assert_eq!(PatientWords::among(entries), Some(PatientWords { id: Some("p1".into()), identifier }));
        for none in ["", "{}", r#"{"key":"patient"}"#, r#"{"key":"patient","resource":7}"#, entries[0]] {
            assert_eq!(PatientWords::among([none]), None, "{none}");
        }
    }
}
