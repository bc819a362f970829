//! The way of a message, in one place: known already? → mapping → session → hub → journal → answer.
//!
//! Knows no wire, and nothing of how a mapping or a topic works inside.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use fhircast_gateway_adapter_api::{BoxFuture, Clock, Fault, Inbound, Outcome, Rejection, Sink};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::audit::{Action, Agent, AuditLog, Entry, PatientWords};
use crate::config::{Merged, Nobody};
use crate::fhircast::{Identifier, NewEvent};
use crate::hub::{Hub, PublishRefusal, Retired, topic_digest};
use crate::mapping::{Mapped, MappedEvent, Mapping, MappingSet, Refusal, Selection};
use crate::sessions::{Directory, Seat};
use crate::store::{Admission, Journal, MessageKey, Record, Ticket, sha_256};

/// Takes what the adapters receive, and says what became of it.
pub struct Gateway {
    /// The mappings in force.
    pub mappings: ArcSwap<MappingSet>,
    /// The sources, by their configured names.
    pub sources: HashMap<Arc<str>, Source>,
    /// What becomes of a message that means an event but names nobody.
    pub nobody: Nobody,
    /// What becomes of contexts whose patient was merged into another.
    pub merged: Merged,
    /// Whose screen.
    pub sessions: Arc<Directory>,
    /// The hub.
    pub hub: Hub,
    /// What came in.
    pub journal: Arc<Journal>,
    /// Who showed which patient on whose screen.
    pub audit: AuditLog,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// What the pipeline must know of a source.
#[derive(Clone, Debug)]
pub struct Source {
    /// The protocol whose mappings may speak for its messages.
    pub protocol: &'static str,
    /// The mapping of everything that comes from it, where its configuration names one.
    pub mapping: Option<String>,
}

impl Sink for Gateway {
    fn submit(&self, inbound: Inbound) -> BoxFuture<'_, Outcome> {
        Box::pin(self.take(inbound))
    }
}

/// What became of a message, for its answer and for the journal.
struct Handled {
    outcome: Outcome,
    mapping: Option<String>,
    topic: Option<String>,
    events: Vec<(String, String)>,
    /// Why it was ignored; a refusal carries its own reason.
    note: Option<&'static str>,
}

impl Gateway {
    async fn take(&self, inbound: Inbound) -> Outcome {
        let received = self.clock.now();
        let key = MessageKey {
            source: Arc::clone(&inbound.source),
            sender: inbound.sender.clone(),
            control_id: inbound.control_id.clone(),
        };
        let body = sha_256(&inbound.raw);
        let ticket = match self.journal.admit(key, body, received) {
            Admission::New(ticket) => ticket,
            Admission::ControlIdReused(ticket) => {
                warn!(source = %inbound.source, control_id = ?inbound.control_id,
                    "Control id used again with other content; taken as a new message.");
                ticket
            }
            Admission::Resend(outcome) => return self.answer_resend(&inbound, received, outcome),
            Admission::InHand => {
                return Outcome::Unavailable { reason: "this message is being handled on another connection".into() };
            }
        };
        let result = self.handle(&inbound, &body, received).await;
        self.conclude(&inbound, received, ticket, result)
    }

    /// The pipeline itself.
    async fn handle(&self, inbound: &Inbound, body: &[u8; 32], received: SystemTime) -> Handled {
        let mappings = self.mappings.load();
        let Some(source) = self.sources.get(&inbound.source) else {
            return Handled::rejected(None, Fault::Internal, "its source is not configured".into());
        };
        let mapping = match mappings.select(source.mapping.as_deref(), source.protocol, &*inbound.fields) {
            Selection::One(mapping) => mapping,
            Selection::None => return Handled::ignored(None, "no mapping speaks for it"),
            Selection::Several(ambiguity) => return Handled::rejected(None, Fault::Internal, ambiguity.to_string()),
        };
        let mapped = match mapping.apply(&*inbound.fields) {
            Ok(mapped) => mapped,
            Err(refusal) => return Handled::refused(mapping, refusal),
        };
        let message = event_namespace(inbound, body);
        let closed = self.retire(inbound, message, received, &mapped.retired).await;
        match (mapped.events.is_empty(), mapped.retired.is_empty()) {
            (true, true) => Handled::ignored(Some(mapping), "none of its mapping's events holds"),
            (true, false) => {
                Handled { outcome: Outcome::Accepted, events: closed, ..Handled::ignored(Some(mapping), "") }
            }
            (false, _) => {
                let handled = self.publish(inbound, message, received, mapping, mapped).await;
                Handled { events: [closed, handled.events].concat(), ..handled }
            }
        }
    }

    /// Closes what is open under identifiers that are `retired`, on whichever topic; gives what was told.
    async fn retire(
        &self,
        inbound: &Inbound,
        message: Uuid,
        received: SystemTime,
        retired: &[Identifier],
    ) -> Vec<(String, String)> {
        let mut closed = Vec::new();
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
        let now = timestamp(received);
        for context in &contexts {
            if let Ok((name, id)) = self.hub.close_retired(context, message, now) {
                if self.audit.records(Action::Publish) {
                    let agent = Agent::of_message(inbound, None);
                    let patient = context.patient();
                    let entry = Entry { patient, ..Entry::publish(now, agent, context.session(), name.clone()) };
                    self.audit.note(entry).await;
                }
                closed.push((name, id));
            }
        }
        closed
    }

    async fn publish(
        &self,
        inbound: &Inbound,
        message: Uuid,
        received: SystemTime,
        mapping: &Mapping,
        mapped: Mapped,
    ) -> Handled {
        let seat = Seat { user: mapped.session.user, workstation: mapped.session.workstation };
        let Some(topic) = self.sessions.topic(&seat) else { return self.nobody(mapping) };
        let now = timestamp(received);
        let user = seat.user.clone();
        self.sessions.note(seat, &topic, now);
        let mut result = Handled::ignored(Some(mapping), "");
        for (index, event) in mapped.events.into_iter().enumerate() {
            let id = Uuid::new_v5(&message, &index.to_be_bytes()).to_string();
            let name = event.name.to_string();
            let audited = self.audited(inbound, &topic, now, user.as_deref(), &event);
            let published = self.publish_one(&topic, id.clone(), now, event).await;
            if let Some(entry) = audited {
                let refusal = published.as_ref().err().map(ToString::to_string);
                self.audit.note(Entry { refusal, ..entry }).await;
            }
            if let Err(refusal) = published {
                let outcome = unpublished(&name, &refusal);
                return Handled { outcome, topic: Some(topic), note: None, ..result };
            }
            result.events.push((name, id));
        }
        Handled { outcome: Outcome::Accepted, topic: Some(topic), note: None, ..result }
    }

    async fn publish_one(
        &self,
        topic: &str,
        id: String,
        now: jiff::Timestamp,
        event: MappedEvent,
    ) -> Result<(), PublishRefusal> {
        let event = NewEvent { id, timestamp: now, name: event.name, context: event.context };
        self.hub.publish(topic, event).await.map(drop)
    }

    /// What the audit log is to hold of an event, where it holds such.
    fn audited(
        &self,
        inbound: &Inbound,
        topic: &str,
        now: jiff::Timestamp,
        user: Option<&str>,
        event: &MappedEvent,
    ) -> Option<Entry> {
        let patient = || event.context.iter().find_map(|it| PatientWords::of_resource(&it.key, &it.resource));
        self.audit.records(Action::Publish).then(|| {
            let agent = Agent::of_message(inbound, user);
            Entry { patient: patient(), ..Entry::publish(now, agent, topic_digest(topic), event.name.to_string()) }
        })
    }

    fn nobody(&self, mapping: &Mapping) -> Handled {
        let reason =
            format!("no user and no workstation: the mapping's [session] found none ({})", mapping.session_place());
        match self.nobody {
            Nobody::Ignore => Handled::ignored(Some(mapping), "it names no user and no workstation"),
            Nobody::Reject => Handled::rejected(Some(mapping), Fault::RequiredFieldMissing, reason),
        }
    }

    fn answer_resend(&self, inbound: &Inbound, received: SystemTime, outcome: Outcome) -> Outcome {
        info!(source = %inbound.source, control_id = ?inbound.control_id, "Resend answered as before; nothing published.");
        self.journal.note(Record { outcome: "duplicate", ..self.record(inbound, received) });
        outcome
    }

    fn conclude(&self, inbound: &Inbound, received: SystemTime, ticket: Ticket, result: Handled) -> Outcome {
        result.log(inbound);
        let record = Record {
            mapping: result.mapping,
            outcome: outcome_name(&result.outcome),
            reason: reason(&result.outcome).or(result.note).map(str::to_owned),
            topic: result.topic,
            events: result.events,
            ..self.record(inbound, received)
        };
        ticket.answer(&result.outcome, record, received);
        result.outcome
    }

    fn record(&self, inbound: &Inbound, received: SystemTime) -> Record {
        let elapsed = self.clock.now().duration_since(received).unwrap_or_default();
        Record {
            received: timestamp(received),
            source: Arc::clone(&inbound.source),
            control_id: inbound.control_id.clone(),
            kind: inbound.kind.clone(),
            mapping: None,
            outcome: "",
            reason: None,
            topic: None,
            events: Vec::new(),
            microseconds: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl Handled {
    fn ignored(mapping: Option<&Mapping>, note: &'static str) -> Self {
        Self {
            outcome: Outcome::Ignored,
            mapping: mapping.map(|mapping| mapping.name().to_owned()),
            topic: None,
            events: Vec::new(),
            note: Some(note),
        }
    }

    fn rejected(mapping: Option<&Mapping>, fault: Fault, reason: String) -> Self {
        let rejection = Rejection { fault, reason, field: None };
        Self { outcome: Outcome::Rejected(rejection), note: None, ..Self::ignored(mapping, "") }
    }

    fn refused(mapping: &Mapping, refusal: Refusal) -> Self {
        let Refusal { fault, reason, field } = refusal;
        Self { outcome: Outcome::Rejected(Rejection { fault, reason, field }), ..Self::ignored(Some(mapping), "") }
    }

    /// One line a message. No values of the message, whose text may name a patient; the control id finds it in the journal.
    /// Control id and kind are escaped by their Debug: they come from the peer.
    fn log(&self, inbound: &Inbound) {
        let (source, control_id, kind) = (&inbound.source, &inbound.control_id, &inbound.kind);
        let mapping = self.mapping.as_deref().unwrap_or("-");
        match &self.outcome {
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

/// Whether the same message may be published later decides whether its sender is to send it again.
fn unpublished(name: &str, refusal: &PublishRefusal) -> Outcome {
    let reason = format!("{name} was not published: {refusal}");
    match refusal {
        PublishRefusal::ShuttingDown | PublishRefusal::TooManyEvents | PublishRefusal::TooManyTopics => {
            Outcome::Unavailable { reason }
        }
        PublishRefusal::Event(_) | PublishRefusal::Refused(_) | PublishRefusal::Topic => {
            Outcome::Rejected(Rejection { fault: Fault::Internal, reason, field: None })
        }
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Ignored => "ignored",
        Outcome::Rejected(_) => "rejected",
        Outcome::Unavailable { .. } => "unavailable",
    }
}

fn reason(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Rejected(rejection) => Some(&rejection.reason),
        Outcome::Unavailable { reason } => Some(reason),
        Outcome::Accepted | Outcome::Ignored => None,
    }
}

/// The same message gives the same ids, so that nobody takes a replay for a fresh event of the user.
fn event_namespace(inbound: &Inbound, body: &[u8; 32]) -> Uuid {
    Uuid::new_v5(&EVENT_NAMESPACE, &[inbound.source.as_bytes(), body].concat())
}

/// Made once, at random, for the ids of events that come from messages.
const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0x5d0e_6a0b_7c1f_4d52_9a3e_2f84_c6b1_07d9);

/// To the millisecond: nobody's screen changes faster, and the text stays short.
fn timestamp(time: SystemTime) -> jiff::Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let milliseconds = i64::try_from(since.as_millis()).unwrap_or_default();
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
