//! Publishing: an event of an application, or of the gateway itself, on its topic.

use std::sync::Arc;

use jiff::Timestamp;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::endpoint::topic_digest;
use super::policy::{Policy, Profile};
use super::topic::{Command, Outcome, Publisher, Refusal};
use super::topics::Slot;
use super::{Done, Hub};
use crate::fhircast::{Edition, Event, EventError, EventName, NewEvent, Version};

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

impl Hub {
    /// Publishes an event of the gateway's own on `topic`, which needs no subscriber.
    ///
    /// # Errors
    /// When the event is not well formed, or the hub is full or ending; then nothing has changed.
    #[expect(clippy::unused_async, reason = "a topic's change will be committed before this returns, and that waits")]
    pub async fn publish(&self, topic: &str, event: NewEvent) -> Result<Published, PublishRefusal> {
        let policy = Policy::of(Profile::Standard, Edition::Stu3);
        self.publish_event(Event::new(topic, event)?, policy, Publisher::Gateway)
    }

    pub(super) fn publish_event(
        &self,
        mut event: Event,
        policy: Policy,
        publisher: Publisher,
    ) -> Result<Published, PublishRefusal> {
        if self.is_shutting_down() {
            return Err(PublishRefusal::ShuttingDown);
        }
        if !crate::fhircast::subscription::is_topic(&event.topic) {
            return Err(PublishRefusal::Topic);
        }
        let (id, topic, name, now) = (event.id.clone(), event.topic.clone(), event.name.clone(), self.now());
        let (version, tolerated) = (Version(Uuid::new_v4()), event.tolerated.take());
        let publish = |slot: &mut Slot| -> Result<Done, PublishRefusal> {
            self.admit(slot, &mut event, publisher, now)?;
            let command = Command::Publish { event: Arc::new(event), version, policy, publisher };
            self.command(slot, &topic, command, now).map_err(|refusal| PublishRefusal::Refused(EventRefused(refusal)))
        };
        let done = self.0.topics.with(&topic, now, publish).map_err(|_| PublishRefusal::TooManyTopics)??;
        self.0.counters.events_published.add(1);
        if let Some(reason) = tolerated {
            self.0.counters.events_tolerated.add(1);
            info!(topic = %topic_digest(&topic), event = logged(&name), reason = %loggable(&name, reason), "Event taken that the standard would refuse.");
        }
        debug!(topic = %topic_digest(&topic), event = logged(&name), delivered = done.delivered, "Event published.");
        if done.outcome.id_was_taken {
            warn!(topic = %topic_digest(&topic), event = logged(&name), "Event has the id of another one; taken as new.");
        }
        let Outcome { version, partial, .. } = done.outcome;
        Ok(Published { id, version, partial, delivered: done.delivered })
    }

    /// Applications publish no more often than they may (T18); the gateway's own times never step back (CLI-32).
    pub(super) fn admit(
        &self,
        slot: &mut Slot,
        event: &mut Event,
        publisher: Publisher,
        now: Timestamp,
    ) -> Result<(), PublishRefusal> {
        let settings = &self.0.settings;
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
}

/// An event's name as logs show it: one of its publisher's own making can hold anything, a patient too.
fn logged(name: &EventName) -> &str {
    if name.is_catalogued() { name.as_str() } else { "(not catalogued)" }
}

/// Why an event was tolerated, as logs show it: reasons repeat the type in the event's name.
fn loggable(name: &EventName, reason: String) -> String {
    if name.is_catalogued() { reason } else { "its name is none of the catalogue's".to_owned() }
}
