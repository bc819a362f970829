//! The way of a message, in one place: known already? → mapping → still true? → session → hub → journal → answer.
//!
//! Knows no wire, and nothing of how a mapping or a topic works inside.

mod age;
mod handled;
mod merged;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use fhircast_gateway_adapter_api::{BoxFuture, Clock, Fault, Inbound, Outcome, Sink};
use tracing::{info, warn};
use uuid::Uuid;

use self::handled::{Handled, unpublished};
use crate::audit::{Action, Agent, AuditLog, Entry, PatientWords};
use crate::config::{Merged, Nobody};
use crate::fhircast::NewEvent;
use crate::hub::{Hub, PublishRefusal, topic_digest};
use crate::mapping::{Mapped, MappedEvent, Mapping, MappingSet, Selection, SessionWords};
use crate::sessions::{Directory, Seat};
use crate::store::{Admission, Journal, MessageKey, Record, Ticket, sha_256};

pub use age::SourceClocks;

/// Takes what the adapters receive, and says what became of it.
pub struct Gateway {
    /// The mappings in force.
    pub mappings: Arc<ArcSwap<MappingSet>>,
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

/// A message, and when it came.
#[derive(Clone, Copy)]
struct Arrival<'m> {
    inbound: &'m Inbound,
    received: jiff::Timestamp,
    /// What the ids of its events are made of: the same message gives the same ids, so that nobody takes a replay for a fresh
    /// event of the user.
    id: Uuid,
}

/// An event, its number in its message, and whose screen it is for.
struct Seated {
    number: usize,
    seat: Seat,
    topic: String,
    event: MappedEvent,
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
        let arrival = Arrival { inbound: &inbound, received: timestamp(received), id: message_id(&inbound, &body) };
        let result = self.handle(arrival).await;
        self.conclude(&inbound, received, ticket, result)
    }

    /// The pipeline itself.
    async fn handle(&self, arrival: Arrival<'_>) -> Handled {
        let (mappings, inbound) = (self.mappings.load(), arrival.inbound);
        let Some(source) = self.sources.get(&inbound.source) else {
            return Handled::rejected(None, Fault::Internal, "its source is not configured".into());
        };
        let mapping = match mappings.select(source.mapping.as_deref(), source.protocol, &*inbound.fields) {
            Selection::One(mapping) => mapping,
            Selection::None => return Handled::ignored(None, "no mapping speaks for it"),
            Selection::Several(ambiguity) => return Handled::rejected(None, Fault::Internal, ambiguity.to_string()),
        };
        let Mapped { retired, events, .. } = match mapping.apply(&*inbound.fields) {
            Ok(mapped) => mapped,
            Err(refusal) => return Handled::refused(mapping, refusal),
        };
        if events.is_empty() && retired.is_empty() {
            return Handled::ignored(Some(mapping), "none of its mapping's events holds");
        }
        let closed = self.retire(arrival, &retired).await;
        let (events, too_old) = self.source_clocks.sift(&inbound.source, events, arrival.received);
        let Some(seated) = self.seated(events) else { return self.nobody(mapping) };
        let handled = self.publish(arrival, mapping, seated, too_old).await;
        Handled { events: [closed, handled.events].concat(), ..handled }
    }

    /// The topic of each event; `None` where one of them names nobody: then none of them is told.
    fn seated(&self, events: Vec<(usize, MappedEvent)>) -> Option<Vec<Seated>> {
        let seated = |(number, event): (usize, MappedEvent)| {
            let SessionWords { user, workstation } = event.session.clone();
            let seat = Seat { user, workstation };
            Some(Seated { number, topic: self.sessions.topic(&seat)?, seat, event })
        };
        events.into_iter().map(seated).collect()
    }

    async fn publish(
        &self,
        arrival: Arrival<'_>,
        mapping: &Mapping,
        events: Vec<Seated>,
        mut too_old: Vec<String>,
    ) -> Handled {
        let topic = events.first().map(|seated| seated.topic.clone());
        let mut published = Vec::new();
        for Seated { number, seat, topic: of_event, event } in events {
            let id = Uuid::new_v5(&arrival.id, &number.to_be_bytes()).to_string();
            let (name, user) = (event.name.to_string(), seat.user.clone());
            self.sessions.note(seat, &of_event, arrival.received);
            let audited = self.audited(arrival, &of_event, user.as_deref(), &event);
            let result = self.publish_one(&of_event, id.clone(), arrival.received, event).await;
            self.note(audited, &result).await;
            match result {
                Ok(()) => published.push((name, id)),
                Err(refusal) if refusal.is_outdated() => too_old.push(format!("{name}: {refusal}")),
                Err(refusal) => {
                    let outcome = unpublished(&name, &refusal);
                    return Handled { outcome, topic, events: published, ..Handled::taken(mapping, too_old) };
                }
            }
        }
        Handled { topic, events: published, ..Handled::taken(mapping, too_old) }
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

    /// What the audit log is to hold of an event, where it holds such.
    fn audited(&self, arrival: Arrival<'_>, topic: &str, user: Option<&str>, event: &MappedEvent) -> Option<Entry> {
        let patient = || event.context.iter().find_map(|it| PatientWords::of_resource(&it.key, &it.resource));
        self.audit.records(Action::Publish).then(|| {
            let agent = Agent::of_message(arrival.inbound, user);
            let entry = Entry::publish(arrival.received, agent, topic_digest(topic), event.name.to_string());
            Entry { patient: patient(), ..entry }
        })
    }

    async fn note(&self, audited: Option<Entry>, result: &Result<(), PublishRefusal>) {
        if let Some(entry) = audited {
            let refusal = result.as_ref().err().map(ToString::to_string);
            self.audit.note(Entry { refusal, ..entry }).await;
        }
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
        let (outcome, reason) = (result.name(), result.reason());
        let record = Record {
            mapping: result.mapping,
            outcome,
            reason,
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

/// The same bytes from the same source are the same message.
fn message_id(inbound: &Inbound, body: &[u8; 32]) -> Uuid {
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
