//! A topic as the store keeps it, and back.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::mount::Mount;
use super::policy::Silence;
use super::topic::{Called, Change, Content, Context, EndpointId, Kept, KeptSubscription, Outcome, Past};
use super::topics::Slot;
use crate::fhircast::subject::Opening;
use crate::fhircast::update::ContentChange;
use crate::fhircast::{Event, EventError, Scopes, Subject, Version, Versions};
use crate::store::{ContextRecord, EventRecord, StoredTopic, SubscriptionRecord, TopicRecord, WebhookRecord, Write};

/// What must be written as `changes` have been made to the topic `name`.
pub(super) fn writes(name: &Arc<str>, slot: &Slot, changes: &[Change]) -> Vec<Write> {
    let mut writes = Vec::with_capacity(changes.len() + 1);
    if changes.is_empty() {
        return writes;
    }
    // First: everything else belongs to it.
    writes.push(Write::Topic(topic(name, slot)));
    for change in changes {
        match change {
            Change::Accepted => writes.extend(slot.topic.latest_event().map(|past| Write::Event(event(name, past)))),
            Change::Cleared => writes.push(Write::ClearContexts(Arc::clone(name))),
            Change::Closed(anchor) => {
                writes.push(Write::CloseContext { topic: Arc::clone(name), anchor: anchor.clone() });
            }
            Change::Connected(endpoint) => writes.push(Write::Connected(endpoint.0)),
            Change::Ended(endpoint) => writes.push(Write::EndSubscription(endpoint.0)),
            Change::Failed(id) => writes.push(Write::EventFailed { topic: Arc::clone(name), id: id.clone() }),
            Change::Opened => {
                writes.extend(slot.topic.current().map(|opened| Write::Context(Box::new(context(name, opened)))))
            }
            Change::Resubscribed(endpoint) | Change::Subscribed(endpoint) => {
                let kept = slot.topic.kept_subscription(*endpoint);
                writes.extend(kept.map(|kept| Write::Subscription(Box::new(subscription(name, kept)))));
            }
            Change::Updated(anchor, changed) => {
                let Some(context) = slot.topic.context(anchor) else { continue };
                writes.push(Write::Version {
                    topic: Arc::clone(name),
                    anchor: anchor.clone(),
                    version: context.version.0,
                    prior: context.prior.map(|prior| prior.0),
                });
                writes.extend(changed.iter().map(|change| {
                    let (key, resource) = match change {
                        ContentChange::Delete(key) => (key.clone(), None),
                        ContentChange::Put(key, resource) => (key.clone(), Some(Arc::clone(resource))),
                    };
                    Write::Content { topic: Arc::clone(name), anchor: anchor.clone(), key, resource }
                }));
            }
        }
    }
    writes
}

fn topic(name: &Arc<str>, slot: &Slot) -> TopicRecord {
    let (sequence, is_users, touched) = slot.topic.figures();
    TopicRecord {
        name: Arc::clone(name),
        sequence,
        has_current: slot.topic.current().is_some(),
        is_users,
        touched,
        told: (slot.told > Timestamp::MIN).then_some(slot.told),
    }
}

fn context(name: &Arc<str>, context: &Context) -> ContextRecord {
    let event = &context.event;
    let resources = match &event.subject {
        Subject::Open(opening) => opening.resources.clone(),
        _ => Vec::new(),
    };
    ContextRecord {
        topic: Arc::clone(name),
        anchor: context.anchor.clone(),
        event: event.notification(event.name.as_str(), None),
        resources,
        fingerprint: event.fingerprint,
        occurred: event.occurred,
        version: context.version.0,
        prior: context.prior.map(|prior| prior.0),
        opened_at: context.opened_at,
        since: context.since,
    }
}

fn event(name: &Arc<str>, past: &Past) -> EventRecord {
    EventRecord {
        topic: Arc::clone(name),
        sequence: past.sequence,
        id: Arc::clone(&past.id),
        fingerprint: past.fingerprint,
        versions: past.versions.map(|versions| (versions.current.0, versions.prior.map(|prior| prior.0))),
        answered: past.outcome.version.map(|version| version.0),
        partial: past.outcome.partial,
        id_was_taken: past.outcome.id_was_taken,
        failed: past.failed,
    }
}

fn subscription(name: &Arc<str>, kept: KeptSubscription) -> SubscriptionRecord {
    SubscriptionRecord {
        endpoint: kept.endpoint.0,
        topic: Arc::clone(name),
        mount: kept.mount,
        events: kept.events,
        expires: kept.expires,
        connects_by: kept.connects_by,
        name: kept.name,
        alias: kept.alias,
        principal: kept.principal,
        scopes: kept.scopes.to_string(),
        webhook: kept
            .webhook
            .map(|called| WebhookRecord { callback: called.callback.clone(), secret: called.secret.clone() }),
    }
}

/// What was kept of a topic; subscriptions whose mount is not served any more are left out.
///
/// # Errors
/// When an open is not what a hub writes.
pub(super) fn kept(stored: StoredTopic, mounts: &[Mount]) -> Result<Kept, EventError> {
    let StoredTopic { topic, contexts, events, subscriptions } = stored;
    let context = |(record, content): (ContextRecord, Vec<_>)| -> Result<Context, EventError> {
        let opening = Opening { anchor: record.anchor.clone(), resources: record.resources };
        let event = Event::kept(&record.event, opening, record.fingerprint, record.occurred)?;
        Ok(Context {
            anchor: record.anchor,
            event: Arc::new(event),
            version: Version(record.version),
            prior: record.prior.map(Version),
            content: Content::restore(content),
            opened_at: record.opened_at,
            since: record.since,
        })
    };
    Ok(Kept {
        sequence: topic.sequence,
        has_current: topic.has_current,
        is_users: topic.is_users,
        touched: topic.touched,
        contexts: contexts.into_iter().map(context).collect::<Result<_, _>>()?,
        events: events.into_iter().map(past).collect(),
        subscriptions: subscriptions.into_iter().filter_map(|record| kept_subscription(record, mounts)).collect(),
    })
}

fn past(record: EventRecord) -> Past {
    let version = |version: Uuid| Version(version);
    let versions = record.versions;
    Past {
        id: record.id,
        fingerprint: record.fingerprint,
        sequence: record.sequence,
        versions: versions.map(|(current, prior)| Versions { current: version(current), prior: prior.map(version) }),
        outcome: Outcome {
            version: record.answered.map(version),
            partial: record.partial,
            id_was_taken: record.id_was_taken,
        },
        failed: record.failed,
    }
}

fn kept_subscription(record: SubscriptionRecord, mounts: &[Mount]) -> Option<KeptSubscription> {
    let mount = mounts.iter().find(|mount| *mount.name == *record.mount)?;
    let webhook = record.webhook.map(|WebhookRecord { callback, secret }| Arc::new(Called { callback, secret }));
    let mut policy = mount.policy;
    if webhook.is_some() {
        policy.silence = Silence::Everybody;
    }
    Some(KeptSubscription {
        endpoint: EndpointId(record.endpoint),
        events: record.events,
        expires: record.expires,
        connects_by: record.connects_by,
        policy,
        name: record.name,
        alias: record.alias,
        principal: record.principal,
        scopes: Scopes::parse(&record.scopes),
        mount: record.mount,
        webhook,
    })
}
