//! What can be asked of a topic, and what can follow.
//!
//! A closed set on both sides: a test needs no socket, and whoever keeps topics on disk sees every change as a value.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::fhircast::scope::Scopes;
use crate::fhircast::update::ContentChange;
use crate::fhircast::{Event, ResourceKey, SyncError, Verdict, Version, Versions};
use crate::hub::policy::Policy;

/// An event's name as a subscriber spelt it (SUB-07).
pub(crate) type Spelling = Arc<str>;

/// Names a subscription: the hash of its endpoint's secret, so that nothing the hub keeps opens a socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EndpointId(pub(crate) [u8; 32]);

/// The short id: enough to tell subscriptions apart in a log, and of no use to anybody else (SUB-17).
impl fmt::Display for EndpointId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EndpointId({self})")
    }
}

/// Names one connection of an endpoint; the hub never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// What a subscriber asks for, and may have.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The events that it may have; empty on a resubscription that leaves them as they are. `*` is all that `scopes` cover.
    pub(crate) events: Vec<Spelling>,
    /// How long it asks for.
    pub(crate) lease: Option<SignedDuration>,
    /// The end of its access token: no lease goes past it (SMA-02).
    pub(crate) token_ends: Option<Timestamp>,
    /// What it calls itself.
    pub(crate) name: Option<String>,
    /// The endpoint that it has made up for itself (CLI-09).
    pub(crate) alias: Option<String>,
    /// On whose behalf it asks; only the same may change or end what it has.
    pub(crate) principal: Arc<str>,
    /// What it may read.
    pub(crate) scopes: Scopes,
    /// The mount that it asks at.
    pub(crate) mount: Arc<str>,
    /// Where it is called, if it is a webhook.
    pub(crate) webhook: Option<Arc<Called>>,
}

/// Where a webhook is called.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Called {
    /// Its URL.
    pub(crate) callback: String,
    /// What notifications are signed with.
    pub(crate) secret: Option<String>,
}

/// Neither: a callback can hold a secret as well.
impl fmt::Debug for Called {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Called(..)")
    }
}

/// Which subscription an unsubscribe means (CLI-13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The one of this alias.
    Alias(String),
    /// The one at this endpoint.
    Endpoint(EndpointId),
    /// The only one of this name.
    Name(String),
}

/// What can be asked of a topic.
#[derive(Debug)]
pub(crate) enum Command {
    /// A subscriber has answered a notification.
    Acknowledge { endpoint: EndpointId, event: String, verdict: Verdict },
    /// The time of day was set by so much, while no time passed: what waits goes on waiting for as long as before.
    ClockSet { by: SignedDuration },
    /// A socket has been opened at an endpoint.
    Connect { endpoint: EndpointId, connection: ConnectionId },
    /// A socket is no more.
    Disconnect { endpoint: EndpointId, connection: ConnectionId, ended: Ended },
    /// Time has passed: do what is due.
    Lapse,
    /// An event is to be distributed, by the policy of the mount that it came through. `version` is the context's, if it
    /// changes one, and was never used before.
    Publish { event: Arc<Event>, version: Version, policy: Policy, publisher: Publisher },
    /// A subscription that is there takes another form.
    Resubscribe { endpoint: EndpointId, wish: Wish },
    /// A new subscription, at an endpoint never used before.
    Subscribe { endpoint: EndpointId, wish: Wish, policy: Policy },
    /// The end of one.
    Unsubscribe { target: Target, principal: Arc<str> },
}

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publisher {
    /// An application.
    Application,
    /// The gateway itself, for a user that it knows: the topic is a session, whether anybody follows or not.
    Gateway,
}

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The hub cuts it off: its queue is full (NOT-15).
    Behind,
    /// By the subscriber's close, with its code if it gave one.
    Closed(Option<u16>),
    /// Without a close.
    Lost,
}

/// Why a command is refused. Changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A close, a select or an update of something that is not open.
    #[error("the context that the event names is not open in this topic")]
    AnchorNotOpen(Unopened),
    /// More content than there may be (UPD-13).
    #[error("the context would hold more content than this hub keeps: send fewer or smaller resources")]
    ContentTooLarge,
    /// No such subscription on this topic, or no longer.
    #[error("hub.channel.endpoint names no subscription of this topic: it has ended, or never was")]
    EndpointUnknown,
    /// A DELETE of what the open brought (UPD-07).
    #[error("a resource of the open's own context cannot be deleted")]
    HeldByOpen,
    /// The update would make it a context of another patient or study (IRA-14).
    #[error("the patient, the study and its accession number of an open context cannot change")]
    IdentityFixed,
    /// A new subscription to nothing.
    #[error("hub.events is missing or empty")]
    NoEvents,
    /// Nothing to unsubscribe, or more than one.
    #[error("the request names no subscription, or more than one: name its endpoint in hub.channel.endpoint")]
    NoTarget,
    /// It is open, and another one is current (UPD-12, SEL-01).
    #[error("the context that the event names is not the current one")]
    NotCurrent,
    /// Nothing of that id awaits an answer.
    #[error("no notification of that id awaits an answer")]
    NotOutstanding,
    /// A close that happened before the open that now stands.
    #[error("the close is older than the open that now stands")]
    Outdated,
    /// Nobody follows the topic (IRA-10).
    #[error("hub.topic names no session: nobody is subscribed to it")]
    SessionUnknown,
    /// The update changes a version that is no longer there (UPD-02).
    #[error("context.versionId is not the current version: get the current context, and update that")]
    StaleVersion,
    /// The topic is full.
    #[error("this topic has as many subscriptions as it may have: end one, or let its lease run out")]
    TooManySubscriptions,
}

/// What was asked of a context that is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// To close it.
    Close,
    /// To select in it.
    Select,
    /// To update it.
    Update,
}

/// What follows from a command: commit `changes`, then perform `actions` in order, then tell the event.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What must be durable before anything else happens.
    pub(crate) changes: Vec<Change>,
    /// What is then done.
    pub(crate) actions: Vec<Action>,
    /// The event that is to be distributed after that.
    pub(crate) told: Option<Told>,
    /// What is answered to the publisher of an event.
    pub(crate) outcome: Outcome,
}

/// What is answered to the publisher of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The version of the context that it opened or changed.
    pub(crate) version: Option<Version>,
    /// Whether a part of it was left out (IRA-15).
    pub(crate) partial: bool,
    /// Whether it has the id of another event (CLI-35).
    pub(crate) id_was_taken: bool,
}

/// An event as it is told to the subscribers.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: Arc<Event>,
    pub(crate) versions: Option<Versions>,
    pub(crate) partial: bool,
}

/// What is different now.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// An event was accepted: the latest of the history.
    Accepted,
    /// All contexts are gone.
    Cleared,
    /// A context was closed.
    Closed(ResourceKey),
    /// A subscription has connected for the first time.
    Connected(EndpointId),
    /// A subscription is over.
    Ended(EndpointId),
    /// A SyncError was raised about the event of this id.
    Failed(String),
    /// A context was opened, or made the current one again: it is the current one now.
    Opened,
    /// Content of a context was changed: so.
    Updated(ResourceKey, Vec<ContentChange>),
    /// A subscription has another form.
    Resubscribed(EndpointId),
    /// There is a new subscription.
    Subscribed(EndpointId),
}

/// What the shell does.
#[derive(Debug)]
pub(crate) enum Action {
    /// Close the socket, after what was sent before.
    Close { to: ConnectionId, why: Closing },
    /// Send a confirmation (CONF-01).
    Confirm { to: ConnectionId, events: Vec<Spelling>, lease_seconds: u64 },
    /// Send an event's notification.
    Deliver { to: Vec<Recipient>, event: Arc<Event>, versions: Option<Versions> },
    /// Send a denial (CONF-04).
    Deny { to: ConnectionId, events: Vec<Spelling>, reason: &'static str },
    /// Send a Heartbeat, which promises the next within so many seconds (NOT-13).
    Heartbeat { to: Recipient, period: u32 },
    /// Send a SyncError.
    Raise { to: Vec<Recipient>, error: SyncError },
}

/// A connected subscriber, and how it spells the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// Its live connection.
    pub(crate) connection: ConnectionId,
    /// The event's name as it subscribed to it.
    pub(crate) spelling: Spelling,
    /// Whether references are sent as texts (POL-17).
    pub(crate) text_references: bool,
}

impl Recipient {
    /// Whether the other is sent the very same text.
    pub(crate) fn reads_as(&self, other: &Self) -> bool {
        self.spelling == other.spelling && self.text_references == other.text_references
    }
}

/// Why the hub closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The subscriber reads too slowly (NOT-15).
    Behind,
    /// The subscription is over.
    Ended,
    /// Another subscription of the same client has taken its place (CLI-09, CLI-15).
    Replaced,
    /// The hub shuts down; the endpoint stays good (CLI-26).
    ShuttingDown,
    /// Another connection was opened at the endpoint (SUB-21).
    TakenOver,
}
