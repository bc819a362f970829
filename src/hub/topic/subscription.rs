//! One subscription of a topic: what it is for, how long it lasts, how it is connected, and what it has not answered.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::command::{Action, ConnectionId, EndpointId, Recipient, Spelling, Wish};
use super::contexts::Context;
use super::{Limits, later};
use crate::fhircast::Event;
use crate::hub::mount::{Policy, Silence};

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) endpoint: EndpointId,
    pub(super) events: Vec<Spelling>,
    pub(super) expires: Timestamp,
    pub(super) policy: Policy,
    pub(super) connection: Connection,
    /// Events sent and not answered, oldest first; `outstanding.len() <= MAX_OUTSTANDING`.
    pub(super) outstanding: VecDeque<Outstanding>,
    /// Answers missed since the last one that came.
    pub(super) misses: u32,
    name: Option<String>,
    has_answered: bool,
}

/// How a subscription is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Never yet (SUB-18).
    Awaited { until: Timestamp },
    /// Not now; it left properly, or the others were told. It may come back (SUB-20).
    Away,
    /// By this socket.
    Live(ConnectionId),
    /// Lost; nobody is told before `until` (POL-03), unless an event is missed.
    Lost { until: Timestamp },
}

/// An event that awaits its answer.
#[derive(Debug)]
pub(super) struct Outstanding {
    event: Arc<Event>,
    due: Timestamp,
}

/// More than a subscriber can leave unanswered within the response time, at the rate at which people work.
const MAX_OUTSTANDING: usize = 256;

impl Subscription {
    pub(super) fn new(endpoint: EndpointId, wish: Wish, policy: Policy, limits: &Limits, now: Timestamp) -> Self {
        Self {
            endpoint,
            events: wish.events,
            expires: expires(wish.lease, limits, now),
            policy,
            connection: Connection::Awaited { until: later(now, limits.connect_within) },
            outstanding: VecDeque::new(),
            misses: 0,
            name: wish.name,
            has_answered: false,
        }
    }

    /// Takes another form (SUB-11); what the wish does not name stays, save the lease. Gives the events until now.
    pub(super) fn replace(&mut self, wish: Wish, limits: &Limits, now: Timestamp) -> Vec<Spelling> {
        self.expires = expires(wish.lease, limits, now);
        self.name = wish.name.or(self.name.take());
        let events = if wish.events.is_empty() { self.events.clone() } else { wish.events };
        std::mem::replace(&mut self.events, events)
    }

    /// The live connection.
    pub(super) fn live(&self) -> Option<ConnectionId> {
        match self.connection {
            Connection::Live(connection) => Some(connection),
            _ => None,
        }
    }

    /// Is connected by `connection` from now on; gives the connection that it takes over from (SUB-21). What was missed
    /// is made up for by the current contexts that follow.
    pub(super) fn connect(&mut self, connection: ConnectionId) -> Option<ConnectionId> {
        let older = self.live();
        self.connection = Connection::Live(connection);
        self.outstanding.clear();
        older
    }

    /// The confirmation, with what is left of the lease (CONF-01).
    pub(super) fn confirmation(&self, to: ConnectionId, now: Timestamp) -> Action {
        let left = now.duration_until(self.expires).max(SignedDuration::ZERO);
        let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
        Action::Confirm { to, events: self.events.clone(), lease_seconds: seconds.unsigned_abs() }
    }

    /// The opens of `contexts` that this subscription is for (CONF-02, CONF-03).
    /// They are notifications like any other: an answer to each is due, and a refusal is told to the others (NOT-05).
    pub(super) fn catch_up(
        &mut self,
        connection: ConnectionId,
        contexts: Vec<&Context>,
        due: Timestamp,
    ) -> Vec<Action> {
        let deliver = |context: &Context| {
            let spelling = self.spelling(context.event.name.as_str())?;
            self.expect_answer(&context.event, due);
            let to = vec![Recipient { connection, spelling }];
            Some(Action::Deliver { to, event: Arc::clone(&context.event), version: Some(context.version) })
        };
        contexts.into_iter().filter_map(deliver).collect()
    }

    fn expect_answer(&mut self, event: &Arc<Event>, due: Timestamp) {
        if self.outstanding.len() >= MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(Outstanding { event: Arc::clone(event), due });
    }

    /// The live connection, if the subscription is for the event `name`.
    pub(super) fn listener(&self, name: &str) -> Option<Recipient> {
        Some(Recipient { connection: self.live()?, spelling: self.spelling(name)? })
    }

    /// As [`Self::listener`], and notes that an answer is `due`; also of one that was lost just now, and so misses it.
    pub(super) fn recipient(&mut self, event: &Arc<Event>, due: Option<Timestamp>) -> Option<Recipient> {
        let spelling = self.spelling(event.name.as_str())?;
        if let (Some(due), Connection::Live(_) | Connection::Lost { .. }) = (due, self.connection) {
            self.expect_answer(event, due);
        }
        Some(Recipient { connection: self.live()?, spelling })
    }

    /// The event of this id has been answered: its id and name, or `None` if it awaits none.
    pub(super) fn answer(&mut self, id: &str) -> Option<(String, String)> {
        let index = self.outstanding.iter().position(|outstanding| outstanding.event.id == id)?;
        self.has_answered = true;
        self.misses = 0;
        self.outstanding.remove(index).map(|outstanding| outstanding.id_and_name())
    }

    /// The events whose answer should have come by `now`; they await none any more.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Vec<(String, String)> {
        let count = self.outstanding.iter().take_while(|outstanding| outstanding.due <= now).count();
        self.outstanding.drain(..count).map(|outstanding| outstanding.id_and_name()).collect()
    }

    /// Whether its silence counts (POL-01). One that is away has nothing to answer.
    pub(super) fn owes_answers(&self) -> bool {
        let counts = match self.policy.silence {
            Silence::OnceAnswered => self.has_answered,
        };
        counts && self.live().is_some()
    }

    /// The last event that awaits an answer: id and name.
    pub(super) fn last_outstanding(&self) -> Option<(String, String)> {
        self.outstanding.back().map(Outstanding::id_and_name)
    }

    /// What others know it by (SUB-17).
    pub(super) fn display_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.endpoint.to_string())
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Timestamp {
        let connection = match self.connection {
            Connection::Awaited { until } | Connection::Lost { until } => until,
            Connection::Away | Connection::Live(_) => Timestamp::MAX,
        };
        let answer = self.outstanding.front().map_or(Timestamp::MAX, |outstanding| outstanding.due);
        self.expires.min(connection).min(answer)
    }

    /// How this subscription spells the event `name`; `None` if it is not for it (NOT-02, CLI-28).
    fn spelling(&self, name: &str) -> Option<Spelling> {
        self.events.iter().find(|spelling| spelling.eq_ignore_ascii_case(name)).cloned()
    }
}

impl Outstanding {
    fn id_and_name(&self) -> (String, String) {
        (self.event.id.clone(), self.event.name.to_string())
    }
}

/// The end of the lease that is granted: what was asked, up to the longest; else the default (SUB-08).
fn expires(asked: Option<SignedDuration>, limits: &Limits, now: Timestamp) -> Timestamp {
    later(now, asked.unwrap_or(limits.default_lease).min(limits.max_lease))
}
