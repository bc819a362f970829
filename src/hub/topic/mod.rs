//! One topic: the contexts of a session, and who follows them. A pure state machine: state, command, now → state, effects.
//!
//! Knows no socket, no JSON text, no clock, and not that there are other topics. All events of a topic pass through
//! [`Topic::apply`] one at a time, and so every subscriber sees one order (REQ-11).

mod contexts;
mod sync_error;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use self::contexts::Contexts;
pub(super) use self::contexts::Current;
pub(super) use self::sync_error::{Cause, SyncError};
use crate::fhircast::EventName;
use crate::fhircast::event::Event;

/// A subscription's name inside the hub: the hash of its endpoint's secret, which itself is kept nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SubscriptionId(pub(super) [u8; 32]);

/// What a subscriber is granted.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// In the subscriber's own spelling (SUB-07).
    pub(super) events: Vec<EventName>,
    /// When the subscription ends (SUB-08).
    pub(super) lease_end: SystemTime,
    /// `subscriber.name`, shown to others in a SyncError (SUB-17).
    pub(super) name: Option<String>,
}

/// Times that the topic's rules need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// A subscription whose socket does not connect within this time is dropped (SUB-18).
    pub(super) connect_within: Duration,
    /// How long an acknowledgement may take (NOT-06).
    pub(super) response_time: Duration,
    /// How long a lost socket may take to come back before the others are told (NOT-07).
    pub(super) reconnect_grace: Duration,
    /// Subscriptions a topic holds at the most.
    pub(super) max_subscriptions: usize,
}

/// Everything that can happen to a topic.
#[derive(Debug)]
pub(super) enum Command {
    /// A new subscription.
    Subscribe(SubscriptionId, Terms),
    /// New terms for an existing one (SUB-11).
    Resubscribe(SubscriptionId, Terms),
    /// The end of one (UNS-01).
    Unsubscribe(SubscriptionId),
    /// A socket at a subscription's endpoint. A second one takes the first one's place (SUB-21).
    Connect(SubscriptionId),
    /// The socket has gone.
    Disconnect(SubscriptionId, Departure),
    /// The subscriber's answer to a notification (NOT-04).
    Acknowledge {
        /// Whose answer.
        from: SubscriptionId,
        /// The notification's `id`.
        event: String,
        /// Its status; `None` where it gave none, which is success (CLI-21).
        status: Option<u16>,
    },
    /// An event, and the version that an open gets (UPD-01).
    Publish(Event, String),
    /// Time has passed.
    Tick,
}

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// By a close with 1000, 1001 or no code: the subscriber meant it.
    Normal,
    /// By any other close, or by silence (NOT-07).
    Lost,
    /// Cut by the hub, because it read too slowly (NOT-15).
    TooSlow,
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Tell a socket that its subscription stands (CONF-01).
    Confirm(SubscriptionId, Terms),
    /// Notify subscribers, each in its own spelling.
    Notify(Arc<Event>, Option<Arc<str>>, Vec<(SubscriptionId, EventName)>),
    /// Raise a SyncError to those who asked for it.
    Raise(SyncError, Vec<(SubscriptionId, EventName)>),
    /// End a subscription: a denial with this reason, then a normal close.
    Deny(SubscriptionId, Terms, &'static str),
}

/// Why a command was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TopicError {
    /// The topic has as many subscriptions as it may.
    #[error("this topic has as many subscriptions as the hub allows")]
    Full,
    /// No such subscription in this topic (SUB-12, UNS-04, CONF-05).
    #[error("there is no such subscription: it has ended, or is another topic's")]
    Unknown,
}

/// A session.
#[derive(Debug)]
pub(super) struct Topic {
    rules: Rules,
    contexts: Contexts,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
}

#[derive(Debug)]
struct Subscription {
    terms: Terms,
    socket: Socket,
    /// Notifications that have no answer yet, oldest first.
    outstanding: VecDeque<Outstanding>,
    /// Whether it has ever answered: those that never do are not missed (CLI-23).
    acknowledges: bool,
}

#[derive(Debug)]
struct Outstanding {
    id: String,
    name: EventName,
    due: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    /// Not yet there; the subscription ends at this time.
    Awaited(SystemTime),
    Live,
    /// Gone by the subscriber's own wish; the endpoint stays good for the lease (SUB-20).
    Away,
    /// Lost; the others are told at this time.
    Missing(SystemTime),
    /// Lost, and the others have been told.
    Missed,
}

/// Answers that one subscriber may owe; older ones are forgotten, as it never answers.
const MAX_OUTSTANDING: usize = 64;

impl Topic {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, contexts: Contexts::default(), subscriptions: BTreeMap::new() }
    }

    /// Whether nothing would be lost if it were forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.subscriptions.is_empty() && self.contexts.is_empty()
    }

    /// The current context (CTX-01).
    pub(super) fn current(&self) -> Option<Current<'_>> {
        self.contexts.current()
    }

    /// Whether this subscription is here.
    pub(super) fn holds(&self, id: SubscriptionId) -> bool {
        self.subscriptions.contains_key(&id)
    }

    /// Applies one command at this time.
    ///
    /// # Errors
    /// When it is refused; then nothing has changed.
    pub(super) fn apply(&mut self, command: Command, now: SystemTime) -> Result<Vec<Effect>, TopicError> {
        match command {
            Command::Subscribe(id, terms) => self.subscribe(id, terms, now),
            Command::Resubscribe(id, terms) => self.resubscribe(id, terms),
            Command::Unsubscribe(id) => self.end(id, "unsubscribed").ok_or(TopicError::Unknown),
            Command::Connect(id) => self.connect(id),
            Command::Disconnect(id, departure) => Ok(self.disconnect(id, departure, now)),
            Command::Acknowledge { from, event, status } => Ok(self.acknowledge(from, &event, status)),
            Command::Publish(event, version) => Ok(self.publish(event, version, now)),
            Command::Tick => Ok(self.tick(now)),
        }
    }

    fn subscribe(&mut self, id: SubscriptionId, terms: Terms, now: SystemTime) -> Result<Vec<Effect>, TopicError> {
        if self.subscriptions.len() >= self.rules.max_subscriptions {
            return Err(TopicError::Full);
        }
        let socket = Socket::Awaited(now + self.rules.connect_within);
        let subscription = Subscription { terms, socket, outstanding: VecDeque::new(), acknowledges: false };
        self.subscriptions.insert(id, subscription);
        Ok(Vec::new())
    }

    fn resubscribe(&mut self, id: SubscriptionId, terms: Terms) -> Result<Vec<Effect>, TopicError> {
        let subscription = self.subscriptions.get_mut(&id).ok_or(TopicError::Unknown)?;
        subscription.terms = terms.clone();
        let confirm = (subscription.socket == Socket::Live).then_some(Effect::Confirm(id, terms));
        Ok(confirm.into_iter().collect())
    }

    fn connect(&mut self, id: SubscriptionId) -> Result<Vec<Effect>, TopicError> {
        let subscription = self.subscriptions.get_mut(&id).ok_or(TopicError::Unknown)?;
        subscription.socket = Socket::Live;
        subscription.outstanding.clear();
        let terms = subscription.terms.clone();
        let mut effects = vec![Effect::Confirm(id, terms.clone())];
        for (event, version) in self.contexts.latest_of_each_type() {
            if let Some(spelling) = spelling(&terms.events, &event.name) {
                effects.push(Effect::Notify(Arc::clone(event), Some(Arc::clone(version)), vec![(id, spelling)]));
            }
        }
        Ok(effects)
    }

    fn disconnect(&mut self, id: SubscriptionId, departure: Departure, now: SystemTime) -> Vec<Effect> {
        let grace = self.rules.reconnect_grace;
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return Vec::new() };
        match departure {
            Departure::Normal => subscription.socket = Socket::Away,
            Departure::Lost => subscription.socket = Socket::Missing(now + grace),
            Departure::TooSlow => {
                subscription.socket = Socket::Missed;
                subscription.outstanding.clear();
                return self.raise(id, Cause::TooSlow);
            }
        }
        Vec::new()
    }

    fn acknowledge(&mut self, from: SubscriptionId, event: &str, status: Option<u16>) -> Vec<Effect> {
        let Some(subscription) = self.subscriptions.get_mut(&from) else { return Vec::new() };
        let Some(index) = subscription.outstanding.iter().position(|outstanding| outstanding.id == event) else {
            // Late, made up, or a bind frame: ignored (CLI-22).
            return Vec::new();
        };
        subscription.acknowledges = true;
        let answered = subscription.outstanding.remove(index);
        match (answered, status) {
            (_, None | Some(200..=299)) | (None, _) => Vec::new(),
            (Some(answered), Some(500..=599)) => self.raise(from, Cause::NotDelivered(answered.id, answered.name)),
            (Some(answered), Some(_)) => self.raise(from, Cause::Refused(answered.id, answered.name)),
        }
    }

    fn publish(&mut self, event: Event, version: String, now: SystemTime) -> Vec<Effect> {
        let event = Arc::new(event);
        let opened: Option<Arc<str>> = event.opens().then(|| version.into());
        match &opened {
            Some(version) => self.contexts.open(Arc::clone(&event), Arc::clone(version)),
            None => self.contexts.leave(&event),
        }
        let to = self.audience(&event.name, None);
        self.await_answers(&event, &to, now);
        if event.name.is("UserLogout") {
            self.contexts.clear();
        }
        vec![Effect::Notify(event, opened, to)]
    }

    /// Everybody who asked for `name`, in their own spelling; without `except`.
    fn audience(&self, name: &EventName, except: Option<SubscriptionId>) -> Vec<(SubscriptionId, EventName)> {
        let asked = self.subscriptions.iter().filter(|(id, _)| Some(**id) != except);
        asked.filter_map(|(id, subscription)| Some((*id, spelling(&subscription.terms.events, name)?))).collect()
    }

    fn await_answers(&mut self, event: &Event, to: &[(SubscriptionId, EventName)], now: SystemTime) {
        // A SyncError needs no answer (NOT-08).
        if event.name.is("SyncError") {
            return;
        }
        let due = now + self.rules.response_time;
        for (id, _) in to {
            let Some(subscription) = self.subscriptions.get_mut(id) else { continue };
            if matches!(subscription.socket, Socket::Live | Socket::Missing(_)) {
                if subscription.outstanding.len() == MAX_OUTSTANDING {
                    subscription.outstanding.pop_front();
                }
                subscription.outstanding.push_back(Outstanding { id: event.id.clone(), name: event.name.clone(), due });
            }
        }
    }

    fn tick(&mut self, now: SystemTime) -> Vec<Effect> {
        let ids: Vec<SubscriptionId> = self.subscriptions.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.tick_one(id, now)).collect()
    }

    fn tick_one(&mut self, id: SubscriptionId, now: SystemTime) -> Vec<Effect> {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return Vec::new() };
        if subscription.terms.lease_end <= now {
            return self.end(id, "the lease has ended").unwrap_or_default();
        }
        match subscription.socket {
            Socket::Awaited(until) if until <= now => {
                self.subscriptions.remove(&id);
                Vec::new()
            }
            // A missed event is told when its answer is due, an eventless flicker only after the grace (CLI-24).
            Socket::Missing(until)
                if until <= now || subscription.outstanding.front().is_some_and(|first| first.due <= now) =>
            {
                subscription.socket = Socket::Missed;
                subscription.outstanding.clear();
                self.raise(id, Cause::Lost)
            }
            Socket::Live => self.miss(id, now),
            _ => Vec::new(),
        }
    }

    /// NOT-06: an answer that is not given in time is told to the others, and ends the subscription of those who are
    /// known to answer.
    fn miss(&mut self, id: SubscriptionId, now: SystemTime) -> Vec<Effect> {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return Vec::new() };
        let overdue = subscription.outstanding.pop_front_if(|first| first.due <= now);
        match overdue {
            Some(missed) if subscription.acknowledges => {
                let mut effects = self.raise(id, Cause::NoAnswer(missed.id, missed.name));
                effects.extend(self.end(id, "no answer to an event within the response time").unwrap_or_default());
                effects
            }
            _ => Vec::new(),
        }
    }

    fn raise(&self, about: SubscriptionId, cause: Cause) -> Vec<Effect> {
        let name = self.subscriptions.get(&about).and_then(|subscription| subscription.terms.name.clone());
        let to = match EventName::listed("SyncError") {
            Ok(name) => self.audience(&name, Some(about)),
            Err(_) => Vec::new(),
        };
        vec![Effect::Raise(SyncError { cause, subscriber: name.unwrap_or_else(|| about.short()) }, to)]
    }

    fn end(&mut self, id: SubscriptionId, reason: &'static str) -> Option<Vec<Effect>> {
        let subscription = self.subscriptions.remove(&id)?;
        Some(vec![Effect::Deny(id, subscription.terms, reason)])
    }
}

impl SubscriptionId {
    /// Enough to tell subscribers apart, and far too little to reach one.
    pub(super) fn short(self) -> String {
        self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn spelling(asked: &[EventName], name: &EventName) -> Option<EventName> {
    asked.iter().find(|asked| *asked == name).cloned()
}

#[cfg(test)]
mod tests;
