//! What the store keeps, as values: nothing of a topic's rules, of a mapping or of a wire.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fhircast::ResourceKey;

/// Changes that become durable together, or not at all; made in this order.
#[derive(Debug, Default)]
pub struct Transaction(pub Vec<Write>);

/// One change.
pub enum Write {
    /// A topic is there, and as this says.
    Topic(TopicRecord),
    /// A topic is not there, nor anything in it.
    ForgetTopic(Arc<str>),
    /// A context is open. Content that it has stays.
    Context(Box<ContextRecord>),
    /// A context has another version.
    Version {
        /// The topic.
        topic: Arc<str>,
        /// The context.
        anchor: ResourceKey,
        /// Its version.
        version: Uuid,
        /// The one before.
        prior: Option<Uuid>,
    },
    /// A context is not open, and its content is gone.
    CloseContext {
        /// The topic.
        topic: Arc<str>,
        /// The context.
        anchor: ResourceKey,
    },
    /// No context is open.
    ClearContexts(Arc<str>),
    /// A resource is shared in a context; `None`: it is no more.
    Content {
        /// The topic.
        topic: Arc<str>,
        /// The context.
        anchor: ResourceKey,
        /// The resource's type and id.
        key: ResourceKey,
        /// Its JSON.
        resource: Option<Arc<serde_json::value::RawValue>>,
    },
    /// An event was accepted.
    Event(EventRecord),
    /// A SyncError was raised about the event of this id.
    EventFailed {
        /// The topic.
        topic: Arc<str>,
        /// The event's id.
        id: String,
    },
    /// A subscription is there, and as this says.
    Subscription(Box<SubscriptionRecord>),
    /// A subscription has connected for the first time.
    Connected([u8; 32]),
    /// A subscription is not there.
    EndSubscription([u8; 32]),
    /// A session was heard of.
    Session(SessionRecord),
    /// A message has come, and this became of it.
    Message(Box<MessageRecord>),
    /// A message was handled again.
    Reprocessing(Box<ReprocessingRecord>),
    /// Somebody has seen to a dead letter; `None`: nobody has, after all.
    Handled {
        /// The message's number.
        message: i64,
        /// When, who, and what they say of it.
        by: Option<(Timestamp, String, Option<String>)>,
    },
}

/// Never what is written: it names patients.
impl std::fmt::Debug for Write {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Write([phi])")
    }
}

/// A topic, without what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// `hub.topic`.
    pub name: Arc<str>,
    /// How many events were accepted.
    pub sequence: u64,
    /// Whether the context that was opened last is the current one.
    pub has_current: bool,
    /// Whether the gateway itself has published here.
    pub is_users: bool,
    /// When an event was accepted last.
    pub touched: Timestamp,
    /// The latest time that the gateway itself has told.
    pub told: Option<Timestamp>,
}

/// An open context, without its content.
#[derive(Clone, PartialEq, Eq)]
pub struct ContextRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// What it is about.
    pub anchor: ResourceKey,
    /// JSON: the open, as it was published.
    pub event: String,
    /// Every resource of the open's context that has an id.
    pub resources: Vec<ResourceKey>,
    /// Of the request that published it.
    pub fingerprint: u64,
    /// When it happened, by its source.
    pub occurred: Option<Timestamp>,
    /// Its version.
    pub version: Uuid,
    /// The version before, if its last change was an update.
    pub prior: Option<Uuid>,
    /// The place of its open in the topic's order.
    pub opened_at: u64,
    /// What happened before was not meant for it.
    pub since: Timestamp,
}

/// Which it is and where it stands, but never the open: it names a patient.
impl std::fmt::Debug for ContextRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { anchor, version, prior, opened_at, .. } = self;
        write!(formatter, "ContextRecord({anchor:?}, {version}, {prior:?}, {opened_at}, [phi])")
    }
}

/// An event that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// Its place in the topic's order.
    pub sequence: u64,
    /// Its id.
    pub id: Arc<str>,
    /// Of the request that published it.
    pub fingerprint: u64,
    /// The context's version, and the one before, as it was distributed.
    pub versions: Option<(Uuid, Option<Uuid>)>,
    /// The version that its publisher was told.
    pub answered: Option<Uuid>,
    /// Whether a part of it was left out.
    pub partial: bool,
    /// Whether it has the id of another event.
    pub id_was_taken: bool,
    /// Whether a SyncError was raised about it.
    pub failed: bool,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// SHA-256 of the secret in its endpoint's URL.
    pub endpoint: [u8; 32],
    /// The topic.
    pub topic: Arc<str>,
    /// The mount through which it was made.
    pub mount: Arc<str>,
    /// What it is for, as the subscriber spells it.
    pub events: Vec<Arc<str>>,
    /// The end of its lease.
    pub expires: Timestamp,
    /// It has not connected yet, and is dropped if it has not by then.
    pub connects_by: Option<Timestamp>,
    /// What it calls itself.
    pub name: Option<String>,
    /// The endpoint that its client has made up.
    pub alias: Option<String>,
    /// On whose behalf it was made.
    pub principal: Arc<str>,
    /// Its scopes, as a token has them.
    pub scopes: String,
    /// Where it is called, for a webhook.
    pub webhook: Option<WebhookRecord>,
}

/// A subscription that is called.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRecord {
    /// Its URL.
    pub callback: String,
    /// What notifications are signed with; sealed on disk.
    pub secret: Option<String>,
}

/// Neither: a callback can hold a secret as well.
impl std::fmt::Debug for WebhookRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WebhookRecord(..)")
    }
}

/// Who sits where, as messages have told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Where its events go.
    pub topic: Arc<str>,
    /// The user.
    pub user: Option<String>,
    /// The workstation.
    pub workstation: Option<String>,
    /// When it was last heard of.
    pub seen: Timestamp,
    /// Messages so far.
    pub messages: u64,
}

/// A message, what became of it, and what is kept for whoever looks into it. It has no `Debug`, as it names patients.
#[derive(Clone)]
pub struct MessageRecord {
    /// What is shown of it.
    pub record: Record,
    /// The sender, in the wire's words.
    pub sender: String,
    /// As received; none of a resend.
    pub raw: Option<Bytes>,
    /// The identifiers of the patients that its events are about.
    pub patients: Vec<String>,
    /// By what a resend is known, and how it is answered; none where it must be new again.
    pub answer: Option<AnswerRecord>,
    /// Why somebody must look at it, if so.
    pub dead_letter: Option<String>,
    /// The message that this is a resend of.
    pub resend_of: Option<i64>,
}

/// One message and what became of it. Holds no patient data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When it came in.
    pub received: Timestamp,
    /// The configured adapter.
    pub source: Arc<str>,
    /// The sender's identifier of the message.
    pub control_id: String,
    /// The peer's name for its kind: `ORM^O01`.
    pub kind: String,
    /// The mapping that spoke for it.
    pub mapping: Option<String>,
    /// `accepted`, `too old`, `ignored`, `rejected`, `unavailable`; `duplicate` for a resend.
    pub outcome: std::borrow::Cow<'static, str>,
    /// Why, where it was refused or ignored, or something of it was too old to be shown.
    pub reason: Option<String>,
    /// The topic its events went to.
    pub topic: Option<String>,
    /// The events it became: name and id.
    pub events: Vec<(String, String)>,
    /// From its arrival until its answer could be committed, in microseconds.
    pub microseconds: u64,
}

/// How a message was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    /// Source, sender and control id, hashed.
    pub name: [u8; 16],
    /// SHA-256 of its bytes.
    pub body: [u8; 32],
    /// The answer, in JSON.
    pub outcome: String,
}

/// A message that was handled again.
#[derive(Clone, Debug)]
pub struct ReprocessingRecord {
    /// The message's number.
    pub message: i64,
    /// When.
    pub at: Timestamp,
    /// On whose order.
    pub operator: String,
    /// What became of it now.
    pub record: Record,
    /// Why somebody must still look at it; `None`: nobody must.
    pub dead_letter: Option<String>,
}
