//! What can be asked of a topic, and what can follow.
//!
//! A closed set on both sides: a test needs no socket, and whoever keeps topics on disk sees every change as a value.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::fhircast::{Event, SyncError, Verdict, Version};
use crate::hub::mount::Policy;

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

/// What a subscriber asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// The events; empty on a resubscription that leaves them as they are.
    pub(crate) events: Vec<Spelling>,
    /// How long it asks for.
    pub(crate) lease: Option<SignedDuration>,
    /// What it calls itself.
    pub(crate) name: Option<String>,
}

/// What can be asked of a topic.
#[derive(Debug)]
pub(crate) enum Command {
    /// A subscriber has answered a notification.
    Acknowledge { endpoint: EndpointId, event: String, verdict: Verdict },
    /// A socket has been opened at an endpoint.
    Connect { endpoint: EndpointId, connection: ConnectionId },
    /// A socket is no more.
    Disconnect { endpoint: EndpointId, connection: ConnectionId, ended: Ended },
    /// Time has passed: do what is due.
    Lapse,
    /// An event is to be distributed. `version` is the context's, if it opens one, and was never used before.
    Publish { event: Arc<Event>, version: Version },
    /// A subscription that is there takes another form.
    Resubscribe { endpoint: EndpointId, wish: Wish },
    /// A new subscription, at an endpoint never used before.
    Subscribe { endpoint: EndpointId, wish: Wish, policy: Policy },
    /// The end of one.
    Unsubscribe { endpoint: EndpointId },
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
    /// Content sharing is not offered.
    #[error("updates and selects are not supported by this hub: see `eventsSupported` of its configuration")]
    ContentSharing,
    /// No such subscription on this topic, or no longer.
    #[error("hub.channel.endpoint names no subscription of this topic: it has ended, or never was")]
    EndpointUnknown,
    /// A new subscription to nothing.
    #[error("hub.events is missing or empty")]
    NoEvents,
    /// Nothing of that id awaits an answer.
    #[error("no notification of that id awaits an answer")]
    NotOutstanding,
    /// The topic is full.
    #[error("this topic has as many subscriptions as it may have: end one, or let its lease run out")]
    TooManySubscriptions,
}

/// What follows from a command: commit `changes`, then perform `actions` in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What must be durable before anything else happens.
    pub(crate) changes: Vec<Change>,
    /// What is then done.
    pub(crate) actions: Vec<Action>,
    /// The version that a published open was given.
    pub(crate) version: Option<Version>,
}

/// What is different now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// All contexts are gone.
    Cleared,
    /// A context was closed.
    Closed,
    /// A subscription is over.
    Ended(EndpointId),
    /// A context was opened, or made the current one again.
    Opened,
    /// A subscription has another form.
    Resubscribed,
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
    Deliver { to: Vec<Recipient>, event: Arc<Event>, version: Option<Version> },
    /// Send a denial (CONF-04).
    Deny { to: ConnectionId, events: Vec<Spelling>, reason: &'static str },
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
}

/// Why the hub closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The subscriber reads too slowly (NOT-15).
    Behind,
    /// The subscription is over.
    Ended,
    /// The hub shuts down; the endpoint stays good (CLI-26).
    ShuttingDown,
    /// Another connection was opened at the endpoint (SUB-21).
    TakenOver,
}
