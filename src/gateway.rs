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

mod age;

use crate::config::Nobody;
use crate::fhircast::NewEvent;
use crate::hub::{Hub, PublishRefusal};
use crate::mapping::{Mapped, MappedEvent, Mapping, MappingSet, Refusal};
use crate::sessions::{Directory, Seat};
use crate::store::{Admission, Journal, MessageKey, Record, Ticket, sha_256};

pub use age::SourceClocks;

/// Takes what the adapters receive, and says what became of it.
pub struct Gateway {
    /// The mappings in force.
    pub mappings: ArcSwap<MappingSet>,
    /// The sources, by their configured names.
    pub sources: HashMap<Arc<str>, Source>,
    /// What becomes of a message that means an event but names nobody.
    pub nobody: Nobody,
    /// Whose screen.
    pub sessions: Arc<Directory>,
    /// The hub.
    pub hub: Hub,
    /// What came in.
    pub journal: Arc<Journal>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The sources' own.
    pub source_clocks: SourceClocks,
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
    /// Why it was ignored, or which of its events were too old; a refusal carries its own reason.
    note: Option<String>,
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
        let Some(mapping) = mappings.select(source.mapping.as_deref(), source.protocol, &*inbound.fields) else {
            return Handled::ignored(None, "no mapping speaks for it");
        };
        let mapped = match mapping.apply(&*inbound.fields) {
            Ok(mapped) => mapped,
            Err(refusal) => return Handled::refused(mapping, refusal),
        };
        if mapped.events.is_empty() {
            return Handled::ignored(Some(mapping), "none of its mapping's events holds");
        }
        let Mapped { session, events } = mapped;
        let (events, too_old) = self.source_clocks.sift(&inbound.source, events, timestamp(received));
        if events.is_empty() {
            return Handled::taken(mapping, too_old);
        }
        let seat = Seat { user: session.user, workstation: session.workstation };
        self.publish(event_namespace(inbound, body), received, mapping, (seat, events, too_old)).await
    }

    async fn publish(
        &self,
        message: Uuid,
        received: SystemTime,
        mapping: &Mapping,
        (seat, events, mut too_old): (Seat, Vec<(usize, MappedEvent)>, Vec<String>),
    ) -> Handled {
        let Some(topic) = self.sessions.topic(&seat) else { return self.nobody(mapping) };
        let now = timestamp(received);
        self.sessions.note(seat, &topic, now);
        let mut published = Vec::new();
        for (number, event) in events {
            let id = Uuid::new_v5(&message, &number.to_be_bytes()).to_string();
            let name = event.name.to_string();
            match self.publish_one(&topic, id.clone(), now, event).await {
                Ok(()) => published.push((name, id)),
                Err(refusal) if refusal.is_outdated() => too_old.push(format!("{name}: {refusal}")),
                Err(refusal) => {
                    let outcome = unpublished(&name, &refusal);
                    return Handled {
                        outcome,
                        topic: Some(topic),
                        events: published,
                        ..Handled::taken(mapping, too_old)
                    };
                }
            }
        }
        Handled { topic: Some(topic), events: published, ..Handled::taken(mapping, too_old) }
    }

    async fn publish_one(
        &self,
        topic: &str,
        id: String,
        now: jiff::Timestamp,
        event: MappedEvent,
    ) -> Result<(), PublishRefusal> {
        let event = NewEvent { id, timestamp: now, name: event.name, context: event.context, occurred: event.occurred };
        self.hub.publish(topic, event).await.map(drop)
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
        let outcome = result.name();
        let record = Record {
            mapping: result.mapping,
            outcome,
            reason: reason(&result.outcome).map(str::to_owned).or(result.note),
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
    /// Taken; what of it was too old to be shown is in the note.
    fn taken(mapping: &Mapping, too_old: Vec<String>) -> Self {
        let note = (!too_old.is_empty()).then(|| format!("too old: {}", too_old.join("; ")));
        Self { outcome: Outcome::Accepted, note, ..Self::ignored(Some(mapping), "") }
    }

    fn ignored(mapping: Option<&Mapping>, note: &str) -> Self {
        Self {
            outcome: Outcome::Ignored,
            mapping: mapping.map(|mapping| mapping.name().to_owned()),
            topic: None,
            events: Vec::new(),
            note: Some(note.to_owned()),
        }
    }

    /// What the journal calls it.
    fn name(&self) -> &'static str {
        match &self.outcome {
            Outcome::Accepted if self.events.is_empty() => "too old",
            Outcome::Accepted => "accepted",
            Outcome::Ignored => "ignored",
            Outcome::Rejected(_) => "rejected",
            Outcome::Unavailable { .. } => "unavailable",
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
            Outcome::Accepted if self.events.is_empty() => {
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
