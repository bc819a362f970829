//! Publishing: an event of an application, or of the gateway itself, on its topic.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::Hub;
use super::committing::Decided;
use super::endpoint::topic_digest;
use super::policy::{Policy, Profile};
use super::topic::{Command, Outcome, Publisher, Refusal};
use super::topics::Slot;
use crate::fhircast::subscription::is_topic;
use crate::fhircast::{Edition, Event, EventError, EventName, NewEvent, Version};
use crate::store::{CommitError, Write};

/// What a published event has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The event's id.
    pub id: String,
    /// The version of the context that it opened or updated, if it did (UPD-01, UPD-03).
    pub version: Option<Version>,
    /// Whether a part of it was left out (IRA-15).
    pub partial: bool,
    /// How many subscribers it was queued for.
    pub delivered: usize,
}

/// Why an event was not published. Nothing has changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefusal {
    /// The event is not well formed: the publisher's fault, and the same event will fail again.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The topic does not take it as it is now.
    #[error(transparent)]
    Refused(#[from] EventRefused),
    /// It could not be made durable; the same event may be published again later.
    #[error("the hub cannot keep the event: {0}")]
    NotDurable(#[from] CommitError),
    /// The hub is ending; the same event may be published again later.
    #[error("the hub is shutting down")]
    ShuttingDown,
    /// Applications publish more often on the topic than they may (T18).
    #[error("more events are published on this topic than the hub distributes: try again in a second")]
    TooManyEvents,
    /// The hub knows as many topics as it may; some will be forgotten.
    #[error("the hub has as many topics as it may have")]
    TooManyTopics,
    /// No topic can be called that.
    #[error("the topic must have 1 to 256 characters, no control characters, and must not be `*`")]
    Topic,
}

impl PublishRefusal {
    /// Whether it is a close that happened before the open that now stands: there is nothing wrong with it but its age.
    pub fn is_outdated(&self) -> bool {
        matches!(self, Self::Refused(EventRefused(Refusal::Outdated)))
    }
}

/// Why a topic does not take an event: a sentence for the publisher.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct EventRefused(pub(super) Refusal);

/// Events of the gateway's own that are decided together: all of them are published, or none. Dropped, none is.
pub struct Prepared(Decided);

impl Hub {
    /// Publishes an event of the gateway's own on `topic`, which needs no subscriber.
    ///
    /// # Errors
    /// When the event is not well formed, or the hub is full or ending, or cannot keep it; then nothing has changed.
    pub async fn publish(&self, topic: &str, event: NewEvent) -> Result<Published, PublishRefusal> {
        let mut prepared = self.prepare(&BTreeSet::from([topic])).await?;
        let published = prepared.publish(topic, event)?;
        let delivered = prepared.commit(Vec::new()).await?;
        Ok(Published { delivered, ..published })
    }

    /// Takes the turn of all `topics`, for events that belong together.
    ///
    /// # Errors
    /// When the hub is full or ending, or one of them cannot be a topic's name.
    pub async fn prepare(&self, topics: &BTreeSet<&str>) -> Result<Prepared, PublishRefusal> {
        if self.is_shutting_down() {
            return Err(PublishRefusal::ShuttingDown);
        }
        if !topics.iter().all(|topic| is_topic(topic)) {
            return Err(PublishRefusal::Topic);
        }
        Ok(Prepared(self.turns(topics).await.map_err(|_| PublishRefusal::TooManyTopics)?))
    }

    pub(super) async fn publish_event(
        &self,
        event: Event,
        policy: Policy,
        publisher: Publisher,
    ) -> Result<Published, PublishRefusal> {
        let topic = event.topic.clone();
        let mut prepared = self.prepare(&BTreeSet::from([topic.as_str()])).await?;
        let published = prepared.decide(0, event, policy, publisher)?;
        let delivered = prepared.commit(Vec::new()).await?;
        Ok(Published { delivered, ..published })
    }
}

impl Prepared {
    /// Publishes an event of the gateway's own on `topic`, one of those prepared.
    ///
    /// # Errors
    /// When it is not well formed, or the topic does not take it. Those before it stand.
    pub fn publish(&mut self, topic: &str, event: NewEvent) -> Result<Published, PublishRefusal> {
        self.publish_own(Event::new(topic, event)?)
    }

    pub(super) fn publish_own(&mut self, event: Event) -> Result<Published, PublishRefusal> {
        let position = self.0.position(&event.topic).ok_or(PublishRefusal::Topic)?;
        self.decide(position, event, Policy::of(Profile::Standard, Edition::Stu3), Publisher::Gateway)
    }

    /// Makes all of it durable, and `beside` with it; then tells the subscribers, and gives how many notifications there were.
    ///
    /// # Errors
    /// When it cannot be kept; then nothing has changed.
    pub async fn commit(self, beside: Vec<Write>) -> Result<usize, PublishRefusal> {
        Ok(self.0.commit(beside).await?.delivered)
    }

    fn decide(
        &mut self,
        position: usize,
        mut event: Event,
        policy: Policy,
        publisher: Publisher,
    ) -> Result<Published, PublishRefusal> {
        let Self(decided) = self;
        let (hub, now) = (decided.hub(), decided.now());
        admit(&hub, decided.turn_mut(position), &mut event, publisher, now)?;
        let (id, name, tolerated) = (event.id.clone(), event.name.clone(), event.tolerated.take());
        let topic = topic_digest(&event.topic);
        let version = Version(Uuid::new_v4());
        let command = Command::Publish { event: Arc::new(event), version, policy, publisher };
        let outcome =
            decided.decide(position, command).map_err(|refusal| PublishRefusal::Refused(EventRefused(refusal)))?;
        if let Some(reason) = tolerated {
            hub.0.counters.events_tolerated.add(1);
            info!(%topic, event = logged(&name), reason = %loggable(&name, reason), "Event taken that the standard would refuse.");
        }
        debug!(%topic, event = logged(&name), "Event accepted.");
        if outcome.id_was_taken {
            warn!(%topic, event = logged(&name), "Event has the id of another one; taken as new.");
        }
        let Outcome { version, partial, .. } = outcome;
        Ok(Published { id, version, partial, delivered: 0 })
    }
}

/// Applications publish no more often than they may (T18); the gateway's own times never step back (CLI-32).
fn admit(
    hub: &Hub,
    slot: &mut Slot,
    event: &mut Event,
    publisher: Publisher,
    now: Timestamp,
) -> Result<(), PublishRefusal> {
    let settings = &hub.0.settings;
    match publisher {
        Publisher::Gateway => slot.told = event.not_before(slot.told),
        Publisher::Application => {
            if !slot.allowance.take(now, settings.events_per_second, settings.events_burst) {
                return Err(PublishRefusal::TooManyEvents);
            }
        }
    }
    Ok(())
}

/// An event's name as logs show it: one of its publisher's own making can hold anything, a patient too.
fn logged(name: &EventName) -> &str {
    if name.is_catalogued() { name.as_str() } else { "(not catalogued)" }
}

/// Why an event was tolerated, as logs show it: reasons repeat the type in the event's name.
fn loggable(name: &EventName, reason: String) -> String {
    if name.is_catalogued() { reason } else { "its name is none of the catalogue's".to_owned() }
}
