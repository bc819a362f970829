//! What follows from a merge of patients.

use tracing::warn;

use super::{Arrival, Gateway};
use crate::audit::{Action, Agent, Entry};
use crate::config::Merged;
use crate::fhircast::Identifier;
use crate::hub::Retired;

impl Gateway {
    /// Closes what is open under identifiers that are `retired`, on whichever topic; gives what was told.
    pub(super) async fn retire(&self, arrival: Arrival<'_>, retired: &[Identifier]) -> Vec<(String, String)> {
        let (inbound, mut closed) = (arrival.inbound, Vec::new());
        if retired.is_empty() {
            return closed;
        }
        let contexts = self.hub.contexts_of(retired);
        if self.merged == Merged::Warn && !contexts.is_empty() {
            let sessions = contexts.iter().map(Retired::session).collect::<Vec<_>>().join(" ");
            warn!(source = %inbound.source, control_id = ?inbound.control_id, %sessions,
                "Contexts are open that name a patient who was merged into another; they stay, as sessions.merged says.");
            return closed;
        }
        for context in &contexts {
            if let Ok((name, id)) = self.hub.close_retired(context, arrival.id, arrival.received) {
                if self.audit.records(Action::Publish) {
                    let agent = Agent::of_message(inbound, None);
                    let patient = context.patient();
                    let entry =
                        Entry { patient, ..Entry::publish(arrival.received, agent, context.session(), name.clone()) };
                    self.audit.note(entry).await;
                }
                closed.push((name, id));
            }
        }
        closed
    }
}
