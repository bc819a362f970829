//! The way of a message, in one place: known already? → mapping → still true? → session → hub → store → answer.
//!
//! Knows no wire, and nothing of how a mapping or a topic works inside.

mod age;
mod answer;
mod entrance;
mod handled;
mod merged;
mod reprocess;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use fhircast_gateway_adapter_api::{BoxFuture, Clock, Fault, Inbound, Outcome, Sink};
use tokio::sync::Mutex;
use tracing::{error, info, warn};
use uuid::Uuid;

use self::handled::Handled;
use crate::adapters::SourceReader;
use crate::audit::{Action, Agent, AuditLog, Entry, PatientWords};
use crate::config::{Merged, Nobody};
use crate::fhircast::{NewEvent, patient_identifiers};
use crate::hub::{Hub, Retired, topic_digest};
use crate::mapping::{Mapped, MappedEvent, Mapping, MappingSet, Refusal, SessionWords};
use crate::sessions::{Directory, Seat};
use crate::store::{Admission, Journal, MessageKey, MessageRecord, Record, Store, Ticket, Transaction, Write, sha_256};
use crate::telemetry::metrics::Messages;

pub use age::SourceClocks;
pub use entrance::Entrance;
pub use reprocess::{NotDone, Reprocess, Reprocessed, Settle};

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
    /// What outlives the process.
    pub store: Store,
    /// What came in.
    pub journal: Arc<Journal>,
    /// Who showed which patient on whose screen.
    pub audit: AuditLog,
    /// What is counted of messages.
    pub measures: Arc<Messages>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The sources' own.
    pub source_clocks: SourceClocks,
    /// What operators ask for is done one after the other.
    pub by_operator: Mutex<()>,
}

/// What the pipeline must know of a source.
#[derive(Clone, Debug)]
pub struct Source {
    /// What reads its messages again; knows the protocol whose mappings may speak for them.
    pub reader: SourceReader,
    /// The mapping of everything that comes from it, where its configuration names one.
    pub mapping: Option<String>,
    /// Whether a message that no mapping speaks for is refused.
    pub mapping_required: bool,
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
    /// When it is handled: later than it came, where it is handled again.
    handled: jiff::Timestamp,
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
    #[cfg_attr(feature = "opentelemetry", tracing::instrument(name = "message", skip_all, fields(source = %inbound.source, control_id = ?inbound.control_id, outcome)))]
    async fn take(&self, inbound: Inbound) -> Outcome {
        let received = self.clock.now();
        let key = MessageKey { source: &inbound.source, sender: &inbound.sender, control_id: &inbound.control_id };
        let body = sha_256(&inbound.raw);
        let now = timestamp(received);
        let arrival = Arrival { inbound: &inbound, received: now, handled: now, id: message_id(&inbound, &body) };
        let ticket = match self.journal.admit(key, body) {
            Ok(Admission::New(ticket)) => ticket,
            Ok(Admission::ControlIdReused(ticket)) => {
                self.measures.control_id_reused(&inbound.source);
                warn!(source = %inbound.source, control_id = ?inbound.control_id,
                    "Control id used again with other content; taken as a new message.");
                ticket
            }
            Ok(Admission::Resend { of, outcome }) => return self.answer_resend(arrival, received, of, &outcome).await,
            Ok(Admission::InHand) => {
                return Outcome::Unavailable { reason: "this message is being handled on another connection".into() };
            }
            Err(error) => {
                error!(%error, "The store cannot say whether a message was answered before.");
                return Outcome::Unavailable { reason: "the gateway cannot read what it has kept".into() };
            }
        };
        let handled = self.handle(arrival, false).await;
        self.conclude(arrival, received, &ticket, handled).await
    }

    /// The pipeline itself: what becomes of the message, prepared to be made durable with it.
    async fn handle(&self, arrival: Arrival<'_>, old_as_well: bool) -> Handled {
        let (mappings, inbound) = (self.mappings.load(), arrival.inbound);
        let Some(source) = self.sources.get(&inbound.source) else {
            return Handled::rejected(None, Fault::Internal, "its source is not configured".into());
        };
        let Some(mapping) = mappings.select(source.mapping.as_deref(), source.reader.protocol(), &*inbound.fields)
        else {
            return match source.mapping_required {
                true => Handled::rejected(None, Fault::KindUnsupported, "no mapping speaks for it".into()),
                false => Handled::ignored(None, "no mapping speaks for it"),
            };
        };
        let Mapped { retired, events, .. } = match self.measures.mapping(&inbound.source, || mapped(mapping, inbound)) {
            Ok(mapped) => mapped,
            Err(refusal) => return Handled::refused(mapping, refusal),
        };
        if events.is_empty() && retired.is_empty() {
            return Handled::ignored(Some(mapping), "none of its mapping's events holds");
        }
        let retired = self.retired(inbound, &retired).await;
        let (events, too_old) = match old_as_well {
            true => (events.into_iter().enumerate().collect(), Vec::new()),
            false => self.source_clocks.sift(&inbound.source, events, arrival),
        };
        self.measures.too_old(&inbound.source, too_old.len());
        let Some(seated) = self.seated(events) else { return self.nobody(mapping) };
        self.prepare(arrival, mapping, &retired, seated, too_old).await
    }

    /// The topic of each event; `None` where one of them names nobody: then none of them is told.
    #[cfg_attr(feature = "opentelemetry", tracing::instrument(name = "session", skip_all))]
    fn seated(&self, events: Vec<(usize, MappedEvent)>) -> Option<Vec<Seated>> {
        let seated = |(number, event): (usize, MappedEvent)| {
            let SessionWords { user, workstation } = event.session.clone();
            let seat = Seat { user, workstation };
            Some(Seated { number, topic: self.sessions.topic(&seat)?, seat, event })
        };
        events.into_iter().map(seated).collect()
    }

    /// All events of a message are published, or none: the contexts that it closes as `retired`, then its own.
    #[cfg_attr(feature = "opentelemetry", tracing::instrument(name = "decide", skip_all))]
    async fn prepare(
        &self,
        arrival: Arrival<'_>,
        mapping: &Mapping,
        retired: &[Retired],
        events: Vec<Seated>,
        too_old: Vec<String>,
    ) -> Handled {
        let mut handled = Handled::taken(mapping, too_old);
        let topics = retired.iter().map(Retired::topic).chain(events.iter().map(|seated| &*seated.topic)).collect();
        let mut prepared = match self.hub.prepare(&topics).await {
            Ok(prepared) => prepared,
            Err(refusal) => return handled.unpublished("its events", &refusal),
        };
        for context in retired {
            if let Ok(closed) = prepared.close_retired(context, arrival.id, arrival.handled) {
                handled.audited.extend(self.audited_close(arrival, context, &closed.0));
                handled.events.push(closed);
            }
        }
        handled.topic = events.first().map(|seated| seated.topic.clone());
        for Seated { number, seat, topic, event } in events {
            let id = Uuid::new_v5(&arrival.id, &number.to_be_bytes()).to_string();
            let name = event.name.to_string();
            handled.audited.extend(self.audited(arrival, &topic, seat.user.as_deref(), &event));
            handled.patients.extend(patient_identifiers(&event.context));
            let MappedEvent { name: event_name, context, occurred, .. } = event;
            let event = NewEvent { id: id.clone(), timestamp: arrival.handled, name: event_name, context, occurred };
            match prepared.publish(&topic, event) {
                Ok(_) => {
                    handled.sessions.push((seat, topic));
                    handled.events.push((name, id));
                }
                Err(refusal) if refusal.is_outdated() => {
                    if let Some(entry) = handled.audited.last_mut() {
                        entry.refusal = Some(refusal.to_string());
                    }
                    self.measures.too_old(&arrival.inbound.source, 1);
                    handled.too_old(format!("{name}: {refusal}"));
                }
                Err(refusal) => return handled.unpublished(&name, &refusal),
            }
        }
        Handled { prepared: Some(prepared), ..handled }
    }

    /// What the audit log is to hold of an event, where it holds such.
    fn audited(&self, arrival: Arrival<'_>, topic: &str, user: Option<&str>, event: &MappedEvent) -> Option<Entry> {
        let patient = || event.context.iter().find_map(|it| PatientWords::of_resource(&it.key, &it.resource));
        self.audit.records(Action::Publish).then(|| {
            let agent = Agent::of_message(arrival.inbound, user);
            let entry = Entry::publish(arrival.handled, agent, topic_digest(topic), event.name.to_string());
            Entry { patient: patient(), ..entry }
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

    /// The same answer again. That it was sent again is worth a line, and no more: where that cannot be kept, the answer stands.
    async fn answer_resend(&self, arrival: Arrival<'_>, received: SystemTime, of: i64, outcome: &str) -> Outcome {
        let inbound = arrival.inbound;
        self.measures.resent(&inbound.source);
        info!(source = %inbound.source, control_id = ?inbound.control_id, "Resend answered as before; nothing published.");
        let record = Record { outcome: "duplicate".into(), ..self.record(arrival, received) };
        let message = MessageRecord {
            record: record.clone(),
            sender: inbound.sender.clone(),
            raw: None,
            patients: Vec::new(),
            answer: None,
            dead_letter: None,
            resend_of: Some(of),
        };
        if self.store.commit(Transaction(vec![Write::Message(Box::new(message))])).await.is_ok() {
            self.journal.tell(record);
        }
        let protocol = self.sources.get(&inbound.source).map_or("", |source| source.reader.protocol());
        answer::read(outcome, protocol)
    }

    /// Makes durable what became of a message, and with it the answer; only then anybody is told.
    async fn conclude(
        &self,
        arrival: Arrival<'_>,
        received: SystemTime,
        ticket: &Ticket,
        mut handled: Handled,
    ) -> Outcome {
        let inbound = arrival.inbound;
        let record = Record {
            mapping: handled.mapping.clone(),
            outcome: handled.name().into(),
            reason: handled.reason(),
            topic: handled.topic.clone(),
            events: handled.published().to_vec(),
            ..self.record(arrival, received)
        };
        let message = MessageRecord {
            record: record.clone(),
            sender: inbound.sender.clone(),
            raw: Some(inbound.raw.clone()),
            patients: std::mem::take(&mut handled.patients),
            answer: answer::write(&handled.outcome).and_then(|outcome| ticket.answer(outcome)),
            dead_letter: handled.dead_letter(),
            resend_of: None,
        };
        let writes = vec![Write::Message(Box::new(message))];
        let committing = self.commit(&mut handled, writes, arrival.received);
        match self.measures.commit(&inbound.source, committing).await {
            Ok(()) => {
                self.measures.published(&inbound.source, handled.published().len());
                self.journal.tell(record);
            }
            Err(reason) => handled.outcome = Outcome::Unavailable { reason },
        }
        handled.log(inbound);
        #[cfg(feature = "opentelemetry")]
        tracing::Span::current().record("outcome", handled.name());
        self.note_audited(&mut handled).await;
        handled.outcome
    }

    /// Makes `writes` durable together with the events that were prepared, and the sessions that they are for, which were heard of
    /// at `heard`; then the events are told.
    ///
    /// # Errors
    /// Why nothing of it is durable.
    #[cfg_attr(feature = "opentelemetry", tracing::instrument(name = "commit", skip_all))]
    async fn commit(
        &self,
        handled: &mut Handled,
        mut writes: Vec<Write>,
        heard: jiff::Timestamp,
    ) -> Result<(), String> {
        let noted = |(seat, topic): (Seat, String)| Write::Session(self.sessions.note(seat, &topic, heard));
        writes.extend(handled.sessions.drain(..).map(noted));
        match handled.prepared.take() {
            Some(prepared) => prepared.commit(writes).await.map(drop).map_err(|error| error.to_string()),
            None => self.store.commit(Transaction(writes)).await.map_err(|error| error.to_string()),
        }
    }

    async fn note_audited(&self, handled: &mut Handled) {
        for entry in std::mem::take(&mut handled.audited) {
            let refusal = entry.refusal.clone().or_else(|| handled.refusal());
            self.audit.note(Entry { refusal, ..entry }).await;
        }
    }

    fn record(&self, arrival: Arrival<'_>, received: SystemTime) -> Record {
        let elapsed = self.clock.now().duration_since(received).unwrap_or_default();
        Record {
            received: arrival.received,
            source: Arc::clone(&arrival.inbound.source),
            control_id: arrival.inbound.control_id.clone(),
            kind: arrival.inbound.kind.clone(),
            mapping: None,
            outcome: "".into(),
            reason: None,
            topic: None,
            events: Vec::new(),
            microseconds: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// What the mapping makes of the message.
#[cfg_attr(feature = "opentelemetry", tracing::instrument(name = "map", skip_all, fields(mapping = %mapping.name())))]
fn mapped(mapping: &Mapping, inbound: &Inbound) -> Result<Mapped, Refusal> {
    mapping.apply(&*inbound.fields)
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
