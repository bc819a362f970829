//! What follows from a merge of patients.

use fhircast_gateway_adapter_api::Inbound;
use tracing::warn;

use super::{Arrival, Gateway};
use crate::audit::{Action, Agent, Entry};
use crate::config::Merged;
use crate::fhircast::Identifier;
use crate::hub::Retired;

impl Gateway {
    /// What is open under identifiers that are `retired`, on whichever topic, and is to be closed.
    pub(super) async fn retired(&self, inbound: &Inbound, retired: &[Identifier]) -> Vec<Retired> {
        if retired.is_empty() {
            return Vec::new();
        }
        let contexts = self.hub.contexts_of(retired).await;
        if self.merged == Merged::Warn && !contexts.is_empty() {
            let sessions = contexts.iter().map(Retired::session).collect::<Vec<_>>().join(" ");
            warn!(source = %inbound.source, control_id = ?inbound.control_id, %sessions,
                "Contexts are open that name a patient who was merged into another; they stay, as sessions.merged says.");
            return Vec::new();
        }
        contexts
    }

    /// What the audit log is to hold of the close of `context`, an event called `name`.
    pub(super) fn audited_close(&self, arrival: Arrival<'_>, context: &Retired, name: &str) -> Option<Entry> {
        self.audit.records(Action::Publish).then(|| {
            let agent = Agent::of_message(arrival.inbound, None);
            let entry = Entry::publish(arrival.handled, agent, context.session(), name.to_owned());
            Entry { patient: context.patient(), ..entry }
        })
    }
}
