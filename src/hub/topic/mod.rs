//! One topic: its open contexts, its subscriptions, and every rule of FHIRcast about them, as a pure state machine.
//!
//! `apply(command, now)` changes the state and says what follows; the shell commits first and then performs, in order.
//! Knows no socket, no JSON text, no clock, and nothing of any other topic.

mod command;
mod content;
mod contexts;
mod history;
mod keeping;
mod publishing;
mod subscription;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub(super) use command::{
    Action, Called, Change, Closing, Command, ConnectionId, Effects, Ended, EndpointId, Outcome, Publisher, Recipient,
    Refusal, Spelling, Target, Unopened, Wish,
};
pub(super) use content::Content;
pub(super) use contexts::Context;
pub(super) use history::Past;
pub(super) use keeping::{Before, Kept, KeptSubscription};
pub(super) use subscription::{Holding, WILDCARD};

use self::contexts::Contexts;
use self::history::History;
use self::subscription::{Connection, Subscription};
use super::policy::RefusalsTo;
use super::subscriber::Subscriber;
use crate::fhircast::sync_error::Cause;
use crate::fhircast::{EventName, SyncError, Verdict};

/// What a topic may hold, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The lease where none is asked for.
    pub(super) default_lease: SignedDuration,
    /// The longest lease.
    pub(super) max_lease: SignedDuration,
    /// How long a new endpoint waits for its first connection (SUB-18).
    pub(super) connect_within: SignedDuration,
    /// How long a subscriber may take to answer (NOT-06).
    pub(super) response_time: SignedDuration,
    /// Subscriptions at once.
    pub(super) max_subscriptions: usize,
    /// Open contexts at once; the one opened longest ago gives way.
    pub(super) max_contexts: usize,
    /// Resources that the content of one context may have (UPD-13).
    pub(super) max_content: usize,
    /// Bytes that the content of one context may have (UPD-13).
    pub(super) max_content_bytes: usize,
    /// How long contexts are kept that nobody subscribes to and nothing changes.
    pub(super) forget_after: SignedDuration,
}

/// The state of one topic.
#[derive(Debug)]
pub(super) struct Topic {
    limits: Limits,
    contexts: Contexts,
    /// In the order of subscribing; `subscriptions.len() <= limits.max_subscriptions`.
    subscriptions: Vec<Subscription>,
    history: History,
    /// How many events were accepted.
    sequence: u64,
    /// Whether the gateway itself has published here: the session is some user's, whoever follows it (IRA-10).
    is_users: bool,
    touched: Timestamp,
}

impl Topic {
    /// A topic without contexts and subscriptions.
    pub(super) fn new(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            contexts: Contexts::new(limits.max_contexts),
            subscriptions: Vec::new(),
            history: History::default(),
            sequence: 0,
            is_users: false,
            touched: now,
        }
    }

    /// Does what `command` says, as of `now`, and distributes the event that it publishes, all at once.
    #[cfg(test)]
    pub(super) fn apply(&mut self, command: Command, now: Timestamp) -> Result<Effects, Refusal> {
        let mut effects = self.decide(command, now)?;
        if let Some(told) = effects.told.take() {
            effects.actions.extend(self.distribute(&told, now));
        }
        Ok(effects)
    }

    /// Does what `command` says, as of `now`; the event that it publishes is still to be distributed, once the changes are durable.
    ///
    /// # Errors
    /// A refusal changes nothing.
    pub(super) fn decide(&mut self, command: Command, now: Timestamp) -> Result<Effects, Refusal> {
        let mut effects = Effects::default();
        match command {
            Command::Acknowledge { endpoint, event, verdict } => {
                self.acknowledge(endpoint, &event, verdict, now, &mut effects)?
            }
            Command::ClockSet { by } => {
                self.touched = later(self.touched, by);
                self.subscriptions.iter_mut().for_each(|subscription| subscription.clock_set(by));
            }
            Command::Connect { endpoint, connection } => self.connect(endpoint, connection, now, &mut effects)?,
            Command::Disconnect { endpoint, connection, ended } => {
                self.disconnect(endpoint, connection, ended, now, &mut effects);
            }
            Command::Lapse => self.lapse(now, &mut effects),
            Command::Publish { event, version, policy, publisher } => {
                let was_users = self.is_users;
                self.is_users |= publisher == Publisher::Gateway;
                // What is refused changes nothing.
                self.publish(event, version, &policy, now, &mut effects).inspect_err(|_| self.is_users = was_users)?;
            }
            Command::Resubscribe { endpoint, wish } => self.resubscribe(endpoint, wish, now, &mut effects)?,
            Command::Subscribe { endpoint, wish, policy } => {
                self.admit(&wish)?;
                self.replace_older(&wish, &mut effects);
                self.subscriptions.push(Subscription::new(endpoint, wish, policy, &self.limits, now));
                effects.changes.push(Change::Subscribed(endpoint));
            }
            Command::Unsubscribe { target, principal } => {
                let index = self.target(&target, &principal)?;
                self.end(index, "the subscription was ended by its subscriber", &mut effects);
            }
        }
        Ok(effects)
    }

    /// The open contexts, the one opened longest ago first.
    pub(super) fn open_contexts(&self) -> impl Iterator<Item = &Context> {
        self.contexts.all()
    }

    /// The current context, if any (CTX-01, CTX-02).
    pub(super) fn current(&self) -> Option<&Context> {
        self.contexts.current()
    }

    /// Whether anybody follows the topic, or it is some user's (IRA-10).
    pub(super) fn is_session(&self) -> bool {
        self.is_users || !self.subscriptions.is_empty()
    }

    /// Whether a connection to `endpoint` would take over once too often (CLI-27).
    pub(super) fn is_taken_over_too_often(&self, endpoint: EndpointId, now: Timestamp) -> bool {
        self.index(endpoint).is_ok_and(|index| self.subscriptions[index].is_taken_over_too_often(now))
    }

    /// The subscription at `endpoint`, if that is `principal`'s and its lease has not ended.
    pub(super) fn holding(&self, endpoint: EndpointId, principal: &str, now: Timestamp) -> Option<Holding> {
        let index = self.target(&Target::Endpoint(endpoint), principal).ok()?;
        Some(&self.subscriptions[index]).filter(|held| held.expires > now).map(|held| held.shown_to_subscriber(now))
    }

    /// Whether the subscriber at `endpoint` may publish the event `name` over its socket (CLI-39).
    pub(super) fn may_publish(&self, endpoint: EndpointId, name: &EventName, now: Timestamp) -> bool {
        self.index(endpoint).is_ok_and(|index| self.subscriptions[index].may_publish(name, now))
    }

    /// Its subscribers, as an operator sees them; `topic` is the topic's digest.
    pub(super) fn subscribers(&self, topic: &str) -> impl Iterator<Item = Subscriber> {
        self.subscriptions.iter().map(move |subscription| subscription.shown_to_operator(topic))
    }

    /// When [`Command::Lapse`] has something to do next; `None` when nothing ever will.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.subscriptions.iter().map(Subscription::next_due).min().or_else(|| self.forgotten_at())
    }

    /// Whether nothing would be lost if the topic were forgotten: no subscription, and no context that still holds.
    pub(super) fn is_forgettable(&self, now: Timestamp) -> bool {
        self.subscriptions.is_empty() && self.forgotten_at().is_none_or(|at| at <= now)
    }

    fn endpoints(&self) -> impl Iterator<Item = EndpointId> {
        self.subscriptions.iter().map(|subscription| subscription.endpoint)
    }

    fn forgotten_at(&self) -> Option<Timestamp> {
        (!self.contexts.is_empty()).then(|| later(self.touched, self.limits.forget_after))
    }

    fn index(&self, endpoint: EndpointId) -> Result<usize, Refusal> {
        let found = self.subscriptions.iter().position(|subscription| subscription.endpoint == endpoint);
        found.ok_or(Refusal::EndpointUnknown)
    }

    /// The subscription that an unsubscribe of `principal` means: never more than one, never somebody else's (CLI-13).
    fn target(&self, target: &Target, principal: &str) -> Result<usize, Refusal> {
        let means = |subscription: &Subscription| match target {
            Target::Alias(alias) => subscription.alias.as_ref() == Some(alias),
            Target::Endpoint(endpoint) => subscription.endpoint == *endpoint,
            Target::Name(name) => subscription.name.as_ref() == Some(name),
        };
        let own = |subscription: &&Subscription| *subscription.principal == *principal;
        let mut found = self.subscriptions.iter().filter(own).filter(|subscription| means(subscription));
        match (found.next(), found.next(), target) {
            (Some(one), None, _) => self.index(one.endpoint),
            (None, _, Target::Endpoint(_)) => Err(Refusal::EndpointUnknown),
            _ => Err(Refusal::NoTarget),
        }
    }

    /// A client that subscribes anew instead of coming back: its older subscription ends without a word, by the endpoint that
    /// the client has made up (CLI-09), or by its name while its socket is gone (CLI-15).
    fn replace_older(&mut self, wish: &Wish, effects: &mut Effects) {
        let replaced = |subscription: &Subscription| {
            let gone = matches!(subscription.connection, Connection::Away | Connection::Lost { .. });
            let same_name = wish.name.is_some() && subscription.name == wish.name;
            let same_alias = wish.alias.is_some() && subscription.alias == wish.alias;
            subscription.principal == wish.principal && (same_alias || (same_name && gone))
        };
        while let Some(index) = self.subscriptions.iter().position(replaced) {
            let subscription = self.subscriptions.remove(index);
            effects.actions.extend(subscription.live().map(|to| Action::Close { to, why: Closing::Replaced }));
            effects.changes.push(Change::Ended(subscription.endpoint));
        }
    }

    /// Whether there is room for one more, and it asks for something (SUB-05).
    fn admit(&self, wish: &Wish) -> Result<(), Refusal> {
        if wish.events.is_empty() {
            return Err(Refusal::NoEvents);
        }
        if self.subscriptions.len() >= self.limits.max_subscriptions {
            return Err(Refusal::TooManySubscriptions);
        }
        Ok(())
    }

    /// SUB-11: what was not subscribed to before is caught up with; the rest the subscriber has already.
    fn resubscribe(
        &mut self,
        endpoint: EndpointId,
        wish: Wish,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let index = self.target(&Target::Endpoint(endpoint), &wish.principal)?;
        let subscription = &mut self.subscriptions[index];
        if subscription.expires <= now {
            return Err(Refusal::EndpointUnknown);
        }
        subscription.replace(wish, &self.limits, now);
        effects.changes.push(Change::Resubscribed(endpoint));
        let Some(connection) = subscription.live() else { return Ok(()) };
        effects.actions.push(subscription.confirmation(connection, now));
        let contexts: Vec<_> = self.contexts.latest_of_each_type().collect();
        effects.actions.extend(subscription.catch_up(&contexts, later(now, self.limits.response_time)));
        Ok(())
    }

    fn connect(
        &mut self,
        endpoint: EndpointId,
        connection: ConnectionId,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let index = self.index(endpoint)?;
        let subscription = &mut self.subscriptions[index];
        if subscription.expires <= now {
            return Err(Refusal::EndpointUnknown);
        }
        if matches!(subscription.connection, Connection::Awaited { .. }) {
            effects.changes.push(Change::Connected(endpoint));
        }
        if let Some(older) = subscription.connect(connection, now) {
            effects.actions.push(Action::Close { to: older, why: Closing::TakenOver });
        }
        effects.actions.push(subscription.confirmation(connection, now));
        let contexts: Vec<_> = self.contexts.latest_of_each_type().collect();
        effects.actions.extend(subscription.catch_up(&contexts, later(now, self.limits.response_time)));
        Ok(())
    }

    fn disconnect(
        &mut self,
        endpoint: EndpointId,
        connection: ConnectionId,
        ended: Ended,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let Ok(index) = self.index(endpoint) else { return };
        let subscription = &mut self.subscriptions[index];
        if subscription.live() != Some(connection) {
            return;
        }
        subscription.connection = match ended {
            Ended::Behind => {
                effects.actions.push(Action::Close { to: connection, why: Closing::Behind });
                Connection::Away
            }
            Ended::Closed(code) if subscription.policy.is_normal(code) => Connection::Away,
            Ended::Closed(_) | Ended::Lost => {
                Connection::Lost { until: later(now, subscription.policy.reconnect_grace) }
            }
        };
        if ended == Ended::Behind {
            let about = subscription.last_outstanding();
            subscription.outstanding.clear();
            self.raise(endpoint, about, Cause::Behind, effects);
        }
        self.lapse_connection(endpoint, now, effects);
    }

    fn acknowledge(
        &mut self,
        endpoint: EndpointId,
        event: &str,
        verdict: Verdict,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let index = self.index(endpoint)?;
        let answered = self.subscriptions[index].answer(event, now).ok_or(Refusal::NotOutstanding)?;
        if verdict != Verdict::Followed {
            self.raise(endpoint, Some(answered), Cause::Refused(verdict), effects);
        }
        Ok(())
    }

    /// Everything whose time has come, by subscription in the order of subscribing.
    fn lapse(&mut self, now: Timestamp, effects: &mut Effects) {
        for endpoint in self.endpoints().collect::<Vec<_>>() {
            self.lapse_answers(endpoint, now, effects);
            self.lapse_connection(endpoint, now, effects);
            self.lapse_lease(endpoint, now, effects);
            self.lapse_heartbeat(endpoint, now, effects);
        }
        if self.is_forgettable(now) && !self.contexts.is_empty() {
            self.contexts = Contexts::new(self.limits.max_contexts);
            effects.changes.push(Change::Cleared);
        }
    }

    /// NOT-06, by whose silence counts (POL-01); and what a lost subscriber has missed (CLI-24).
    fn lapse_answers(&mut self, endpoint: EndpointId, now: Timestamp, effects: &mut Effects) {
        let Ok(index) = self.index(endpoint) else { return };
        for about in self.subscriptions[index].overdue(now) {
            let subscription = &mut self.subscriptions[index];
            if matches!(subscription.connection, Connection::Lost { .. }) {
                subscription.connection = Connection::Away;
                subscription.outstanding.clear();
                self.raise(endpoint, Some(about), Cause::Lost, effects);
                return;
            }
            if !subscription.owes_answers() {
                continue;
            }
            subscription.misses += 1;
            let given_up = subscription.misses >= subscription.policy.misses;
            self.raise(endpoint, Some(about), Cause::Silent, effects);
            if given_up {
                self.end(index, "an event was not answered in time", effects);
                return;
            }
        }
    }

    /// SUB-18 and NOT-07.
    fn lapse_connection(&mut self, endpoint: EndpointId, now: Timestamp, effects: &mut Effects) {
        let Ok(index) = self.index(endpoint) else { return };
        match self.subscriptions[index].connection {
            Connection::Awaited { until } if until <= now => self.end(index, "it never connected", effects),
            Connection::Lost { until } if until <= now => {
                self.subscriptions[index].connection = Connection::Away;
                self.raise(endpoint, None, Cause::Lost, effects);
                // Without a grace the subscription ends with its socket (IRA-02).
                if self.subscriptions[index].policy.reconnect_grace <= SignedDuration::ZERO {
                    self.end(index, "its connection was lost", effects);
                }
            }
            _ => {}
        }
    }

    /// NOT-13.
    fn lapse_heartbeat(&mut self, endpoint: EndpointId, now: Timestamp, effects: &mut Effects) {
        let Ok(index) = self.index(endpoint) else { return };
        effects.actions.extend(self.subscriptions[index].heartbeat(now));
    }

    /// SUB-19.
    fn lapse_lease(&mut self, endpoint: EndpointId, now: Timestamp, effects: &mut Effects) {
        let Ok(index) = self.index(endpoint) else { return };
        if self.subscriptions[index].expires <= now {
            self.end(index, "the lease has ended", effects);
        }
    }

    /// The end of a subscription: a denial, then a normal close (CONF-04, UNS-01), if it is connected.
    fn end(&mut self, index: usize, reason: &'static str, effects: &mut Effects) {
        let subscription = self.subscriptions.remove(index);
        if let Some(to) = subscription.live() {
            effects.actions.push(Action::Deny { to, events: subscription.events, reason });
            effects.actions.push(Action::Close { to, why: Closing::Ended });
        }
        effects.changes.push(Change::Ended(subscription.endpoint));
        // A session lasts while it has subscribers (IRA-06).
        if subscription.policy.session_required && !self.is_session() && !self.contexts.is_empty() {
            self.contexts = Contexts::new(self.limits.max_contexts);
            effects.changes.push(Change::Cleared);
        }
    }

    /// Tells the others that the subscriber at `endpoint` has fallen out of step (NOT-05 to NOT-08).
    fn raise(&mut self, endpoint: EndpointId, about: Option<(String, String)>, cause: Cause, effects: &mut Effects) {
        let Ok(index) = self.index(endpoint) else { return };
        if let Some((id, _)) = about.as_ref().filter(|(id, _)| self.history.fail(id)) {
            effects.changes.push(Change::Failed(id.clone()));
        }
        let (subscriber, policy) = (self.subscriptions[index].display_name(), self.subscriptions[index].policy);
        let to_all = policy.refusals_to == RefusalsTo::All && matches!(cause, Cause::Refused(_));
        let told = self.subscriptions.iter().filter(|other| to_all || other.endpoint != endpoint);
        let to: Vec<_> = told.filter_map(|other| other.listener("SyncError")).collect();
        effects.actions.push(Action::Raise { to, error: SyncError { subscriber, event: about, cause } });
    }
}

/// `now` and then `duration`; a sum beyond every calendar is the end of time.
fn later(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}
