//! Patients that are merged: a context that names a patient by an identifier that is retired is wrong from then on, on
//! whichever topic (hl7v2.md, 7).

use std::sync::Arc;

use jiff::Timestamp;
use tracing::{error, info};
use uuid::Uuid;

use super::endpoint::topic_digest;
use super::{Hub, Prepared, PublishRefusal};
use crate::audit::PatientWords;
use crate::fhircast::context::entries_text;
use crate::fhircast::{Event, Identifier, ResourceKey};

/// An open context that names a patient by a retired identifier.
pub struct Retired {
    anchor: ResourceKey,
    open: Arc<Event>,
}

impl Retired {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.open.topic
    }

    /// The topic, as logs show it.
    pub fn session(&self) -> String {
        topic_digest(&self.open.topic)
    }

    /// The patient that it names.
    pub fn patient(&self) -> Option<PatientWords> {
        PatientWords::among(entries_text(&self.open.context))
    }
}

/// What hangs on other contexts is closed before them.
const ORDER: [&str; 4] = ["DiagnosticReport", "ImagingStudy", "Encounter", "Patient"];

impl Hub {
    /// The open contexts of all topics that name a patient by one of `identifiers`, in the order in which they are to be
    /// closed.
    pub async fn contexts_of(&self, identifiers: &[Identifier]) -> Vec<Retired> {
        let mut found = Vec::new();
        for name in self.0.topics.names() {
            let Some(turn) = self.0.topics.known(&name, self.now()).await else { continue };
            let named = turn.topic.open_contexts().filter(|context| context.event.names_patient(identifiers));
            found.extend(
                named.map(|context| Retired { anchor: context.anchor.clone(), open: Arc::clone(&context.event) }),
            );
        }
        let place = |retired: &Retired| ORDER.iter().position(|kind| retired.anchor.is_a(kind)).unwrap_or(0);
        found.sort_by(|one, other| (&one.open.topic, place(one)).cmp(&(&other.open.topic, place(other))));
        found
    }
}

impl Prepared {
    /// Tells a context's followers that it is closed; gives the name and id of the event. The id of the close is made of
    /// `message`, so that the same merge, sent again, is no other event.
    ///
    /// # Errors
    /// None in practice. A context that was closed meanwhile is closed again, which changes nothing.
    pub fn close_retired(
        &mut self,
        retired: &Retired,
        message: Uuid,
        now: Timestamp,
    ) -> Result<(String, String), PublishRefusal> {
        let Retired { anchor, open } = retired;
        let named = [open.topic.as_str(), &anchor.resource_type, &anchor.id].join("|");
        let id = Uuid::new_v5(&message, named.as_bytes()).to_string();
        let close = open.closing(anchor, id.clone(), now).inspect_err(|_| {
            error!(topic = %retired.session(), "The context of a merged patient could not be closed.");
        })?;
        let name = close.name.to_string();
        self.publish_own(close)?;
        info!(topic = %retired.session(), event = name, "Context of a patient who was merged into another: closes once that is kept.");
        Ok((name, id))
    }
}
