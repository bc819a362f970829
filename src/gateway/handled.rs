//! What became of a message: for its answer, its line in the log, and the journal.

use fhircast_gateway_adapter_api::{Fault, Inbound, Outcome, Rejection};
use tracing::{debug, info, warn};

use crate::audit::Entry;
use crate::hub::{Prepared, PublishRefusal};
use crate::mapping::{Mapping, Refusal};
use crate::sessions::Seat;

/// What became of a message, for its answer and for the journal; and what is to be made durable with it.
pub(super) struct Handled {
    pub(super) outcome: Outcome,
    pub(super) mapping: Option<String>,
    /// Of its first event.
    pub(super) topic: Option<String>,
    pub(super) events: Vec<(String, String)>,
    /// Why it was ignored, or which of its events were too old; a refusal carries its own reason.
    pub(super) note: Option<String>,
    /// Its events, decided and not yet told.
    pub(super) prepared: Option<Prepared>,
    /// Identifiers of the patients that its events are about.
    pub(super) patients: Vec<String>,
    /// Whose screens its events are for, with their topics.
    pub(super) sessions: Vec<(Seat, String)>,
    /// What the audit log is to hold of its events.
    pub(super) audited: Vec<Entry>,
}

impl Handled {
    /// Taken; what of it was too old to be shown is in the note.
    pub(super) fn taken(mapping: &Mapping, too_old: Vec<String>) -> Self {
        let note = (!too_old.is_empty()).then(|| format!("too old: {}", too_old.join("; ")));
        Self { outcome: Outcome::Accepted, note, ..Self::ignored(Some(mapping), "") }
    }

    /// One more event of it is too old.
    pub(super) fn too_old(&mut self, why: String) {
        self.note = Some(match self.note.take() {
            Some(note) => format!("{note}; {why}"),
            None => format!("too old: {why}"),
        });
    }

    /// Nothing of it is published, as `name` cannot be. Whether the same message may be published later decides whether its sender
    /// is to send it again.
    pub(super) fn unpublished(self, name: &str, refusal: &PublishRefusal) -> Self {
        let reason = format!("{name} was not published: {refusal}");
        let outcome = match refusal {
            PublishRefusal::NotDurable(_)
            | PublishRefusal::ShuttingDown
            | PublishRefusal::TooManyEvents
            | PublishRefusal::TooManyTopics => Outcome::Unavailable { reason },
            PublishRefusal::Event(_) | PublishRefusal::Refused(_) | PublishRefusal::Topic => {
                Outcome::Rejected(Rejection { fault: Fault::Internal, reason, field: None })
            }
        };
        Self { outcome, events: Vec::new(), sessions: Vec::new(), patients: Vec::new(), ..self }
    }

    /// The events that it became: name and id.
    pub(super) fn published(&self) -> &[(String, String)] {
        &self.events
    }

    /// Why somebody must look at it, if so.
    pub(super) fn dead_letter(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Rejected(rejection) => Some(rejection.reason.clone()),
            Outcome::Accepted | Outcome::Ignored | Outcome::Unavailable { .. } => None,
        }
    }

    /// Why nothing of it was published, where nothing was.
    pub(super) fn refusal(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Rejected(_) | Outcome::Unavailable { .. } => self.reason(),
            Outcome::Accepted | Outcome::Ignored => None,
        }
    }

    pub(super) fn ignored(mapping: Option<&Mapping>, note: &str) -> Self {
        Self {
            outcome: Outcome::Ignored,
            mapping: mapping.map(|mapping| mapping.name().to_owned()),
            topic: None,
            events: Vec::new(),
            note: Some(note.to_owned()),
            prepared: None,
            patients: Vec::new(),
            sessions: Vec::new(),
            audited: Vec::new(),
        }
    }

    /// Nothing of it is shown, as it was too old.
    fn is_too_old(&self) -> bool {
        self.events.is_empty() && self.note.is_some()
    }

    /// What the journal calls it.
    pub(super) fn name(&self) -> &'static str {
        match &self.outcome {
            Outcome::Accepted if self.is_too_old() => "too old",
            Outcome::Accepted => "accepted",
            Outcome::Ignored => "ignored",
            Outcome::Rejected(_) => "rejected",
            Outcome::Unavailable { .. } => "unavailable",
        }
    }

    pub(super) fn rejected(mapping: Option<&Mapping>, fault: Fault, reason: String) -> Self {
        let rejection = Rejection { fault, reason, field: None };
        Self { outcome: Outcome::Rejected(rejection), note: None, ..Self::ignored(mapping, "") }
    }

    pub(super) fn refused(mapping: &Mapping, refusal: Refusal) -> Self {
        let Refusal { fault, reason, field } = refusal;
        Self { outcome: Outcome::Rejected(Rejection { fault, reason, field }), ..Self::ignored(Some(mapping), "") }
    }

    /// Why it is not, or not all, on a screen.
    pub(super) fn reason(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Rejected(rejection) => Some(rejection.reason.clone()),
            Outcome::Unavailable { reason } => Some(reason.clone()),
            Outcome::Accepted | Outcome::Ignored => self.note.clone(),
        }
    }

    /// One line a message. No values of the message, whose text may name a patient; the control id finds it in the journal.
    /// Control id and kind are escaped by their Debug: they come from the peer.
    pub(super) fn log(&self, inbound: &Inbound) {
        let (source, control_id, kind) = (&inbound.source, &inbound.control_id, &inbound.kind);
        let mapping = self.mapping.as_deref().unwrap_or("-");
        match &self.outcome {
            Outcome::Accepted if self.is_too_old() => {
                info!(%source, ?control_id, ?kind, mapping, reason = self.note, "Message not shown.");
            }
            Outcome::Accepted => {
                debug!(%source, ?control_id, ?kind, mapping, events = self.events.len(), "Message published.")
            }
            Outcome::Ignored => info!(%source, ?control_id, ?kind, mapping, reason = self.note, "Message ignored."),
            Outcome::Rejected(rejection) => {
                warn!(%source, ?control_id, ?kind, mapping, reason = %rejection.reason, "Message refused.");
            }
            Outcome::Unavailable { reason } => warn!(%source, ?control_id, ?kind, %reason, "Message not taken."),
        }
    }
}
