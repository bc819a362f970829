//! Committing: what is decided is made durable, and only then told (architecture.md, Hub).
//!
//! Whoever is cut short in between, by a client that hangs up for example, leaves nothing half done: before the commit all of it
//! is undone, and from then on it is carried to its end whether anybody waits or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{Instrument as _, info, warn};

use super::endpoint::topic_digest;
use super::topic::{Before, Change, Command, ConnectionId, Effects, Ended, EndpointId, Outcome, Refusal};
use super::topics::{Full, Turn};
use super::{Hub, records};
use crate::store::{CommitError, Transaction, Write};

/// Changes of one or more topics that are decided: neither durable nor told. Dropped, they have never been.
pub(super) struct Decided {
    hub: Hub,
    topics: Vec<DecidedTopic>,
    now: Timestamp,
}

struct DecidedTopic {
    turn: Turn,
    /// The state before each command, oldest first.
    before: Vec<Before>,
    effects: Vec<Effects>,
    writes: Vec<Write>,
}

/// What followed from commands for their sender.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Notifications that were queued.
    pub(super) delivered: usize,
    /// The subscription that is over.
    pub(super) ended: Option<EndpointId>,
}

/// Why a command was not done. Nothing has changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Undone {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    NotDurable(#[from] CommitError),
}

impl Hub {
    /// The turns of all `topics`, which are made if need be. They are taken in one order, so that nobody waits for whom waits for it.
    pub(super) async fn turns(&self, topics: &BTreeSet<&str>) -> Result<Decided, Full> {
        let now = self.now();
        let mut turns = Vec::with_capacity(topics.len());
        for name in topics {
            turns.push(self.0.topics.turn(name, now).await?);
        }
        Ok(self.decided(turns, now))
    }

    pub(super) fn decided(&self, turns: Vec<Turn>, now: Timestamp) -> Decided {
        let topic = |turn| DecidedTopic { turn, before: Vec::new(), effects: Vec::new(), writes: Vec::new() };
        Decided { hub: self.clone(), topics: turns.into_iter().map(topic).collect(), now }
    }

    /// Does what `command` says to the topic whose `turn` it is.
    pub(super) async fn command(&self, turn: Turn, command: Command, now: Timestamp) -> Result<Done, Undone> {
        let mut decided = self.decided(vec![turn], now);
        decided.decide(0, command)?;
        Ok(decided.commit(Vec::new()).await?)
    }
}

impl Decided {
    /// The topics, in the order in which they were asked for.
    pub(super) fn turn_mut(&mut self, topic: usize) -> &mut Turn {
        &mut self.topics[topic].turn
    }

    /// Where the topic `name` is among them.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.topics.iter().position(|topic| *topic.turn.name == *name)
    }

    pub(super) fn hub(&self) -> Hub {
        self.hub.clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Decides what follows from `command` for the topic at this position.
    pub(super) fn decide(&mut self, topic: usize, command: Command) -> Result<Outcome, Refusal> {
        let DecidedTopic { turn, before, effects, writes } = &mut self.topics[topic];
        let state = turn.topic.before(&command);
        let decided = turn.topic.decide(command, self.now)?;
        before.extend(state);
        writes.extend(records::writes(&turn.name, turn, &decided.changes));
        let outcome = decided.outcome;
        effects.push(decided);
        Ok(outcome)
    }

    /// Makes it all durable, `beside` included, and tells it.
    ///
    /// # Errors
    /// When it is not durable: then it has never been.
    pub(super) async fn commit(mut self, beside: Vec<Write>) -> Result<Done, CommitError> {
        let mut writes: Vec<Write> =
            self.topics.iter_mut().flat_map(|topic| std::mem::take(&mut topic.writes)).collect();
        writes.extend(beside);
        let store = self.hub.0.store.clone();
        if !store.is_on() || writes.is_empty() {
            return Ok(self.tell());
        }
        // By itself, so that nobody who hangs up keeps it from its end.
        let carried = async move {
            match store.commit(Transaction(writes)).await {
                // What time and sockets bring about is so, whether it is written or not: after a crash it comes about again.
                Err(error) if error != CommitError::Failed && self.is_nobodys_wish() => {
                    warn!(%error, "A change of a topic was not written.");
                }
                committed => committed?,
            }
            Ok(self.tell())
        };
        tokio::spawn(carried.in_current_span()).await.unwrap_or(Err(CommitError::Failed))
    }

    fn is_nobodys_wish(&self) -> bool {
        self.topics.iter().all(|topic| topic.before.is_empty())
    }

    /// It is durable: what follows is done, in order.
    #[cfg_attr(feature = "opentelemetry", tracing::instrument(name = "tell", skip_all))]
    fn tell(&mut self) -> Done {
        let mut done = Done::default();
        let store_is_on = self.hub.0.store.is_on();
        for DecidedTopic { turn, before, effects, .. } in &mut self.topics {
            before.clear();
            turn.is_stored |= store_is_on && effects.iter().any(|effects| !effects.changes.is_empty());
            for effects in std::mem::take(effects) {
                self.hub.perform(turn, effects, self.now, &mut done);
            }
        }
        done
    }
}

impl Drop for Decided {
    fn drop(&mut self) {
        for DecidedTopic { turn, before, .. } in &mut self.topics {
            while let Some(before) = before.pop() {
                turn.topic.undo(before);
            }
        }
    }
}

impl Hub {
    /// Does all that follows from effects that are durable: delivers, and cuts off whoever could not be delivered to.
    fn perform(&self, turn: &mut Turn, effects: Effects, now: Timestamp, done: &mut Done) {
        let name = Arc::clone(&turn.name);
        let mut pending = vec![effects];
        while let Some(Effects { changes, mut actions, told, .. }) = pending.pop() {
            self.note(&name, &changes);
            done.ended = done.ended.or(changes.iter().find_map(|change| match change {
                Change::Ended(endpoint) => Some(*endpoint),
                _ => None,
            }));
            let tells = told.is_some();
            if let Some(told) = told {
                self.0.counters.events_published.add(1);
                actions.extend(turn.topic.distribute(&told, now));
            }
            let performed = turn.seats.perform(actions, &name, now);
            done.delivered += performed.delivered;
            tells.then(|| self.0.counters.fan_out.0.observe(performed.delivered as f64));
            self.0.counters.notifications_queued.add(performed.delivered);
            self.0.counters.sync_errors_raised.add(performed.raised);
            pending.extend(performed.behind.into_iter().filter_map(|who| self.cut_off(turn, who, now)));
        }
    }

    /// What follows from cutting off a subscriber that reads too slowly; nothing, if that was decided already (NOT-15). Nobody is
    /// promised that it stays so: a subscription that ends by it, and is found again after a crash, ends again.
    fn cut_off(
        &self,
        turn: &mut Turn,
        (endpoint, connection): (EndpointId, ConnectionId),
        now: Timestamp,
    ) -> Option<Effects> {
        let command = Command::Disconnect { endpoint, connection, ended: Ended::Behind };
        let effects = turn.topic.decide(command, now).ok().filter(|effects| !effects.actions.is_empty())?;
        warn!(topic = %topic_digest(&turn.name), %endpoint, "Subscriber fell behind; closing its socket.");
        self.0.counters.sockets_cut_off.add(1);
        let writes = records::writes(&turn.name, turn, &effects.changes);
        self.0.store.commit_soon(Transaction(writes));
        Some(effects)
    }

    /// Notes changes that are durable, in the log and in the index of endpoints.
    fn note(&self, topic: &Arc<str>, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Subscribed(endpoint) => {
                    info!(topic = %topic_digest(topic), %endpoint, "Subscription accepted.");
                    self.0.counters.subscriptions_accepted.add(1);
                    self.endpoints_mut().insert(*endpoint, Arc::clone(topic));
                }
                Change::Ended(endpoint) => {
                    info!(topic = %topic_digest(topic), %endpoint, "Subscription ended.");
                    self.0.counters.subscriptions_ended.add(1);
                    self.endpoints_mut().remove(endpoint);
                    self.0.bindings.forget(*endpoint);
                }
                _ => {}
            }
        }
    }
}
