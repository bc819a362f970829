//! One subscription of a topic: what it is for, how long it lasts, how it is connected, and what it has not answered.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::command::{Action, Called, ConnectionId, EndpointId, Recipient, Spelling, Wish};
use super::contexts::Context;
use super::{KeptSubscription, Limits, later};
use crate::fhircast::scope::Scopes;
use crate::fhircast::{Event, EventName, ResourceKey, Subject, legacy_names};
use crate::hub::policy::{Policy, Silence};
use crate::hub::subscriber::{Acknowledges, ConnectionState, Subscriber};

/// A subscription.
#[derive(Clone, Debug)]
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
    /// The endpoint that its client has made up for itself (CLI-09).
    pub(super) alias: Option<String>,
    /// On whose behalf it was made.
    pub(super) principal: Arc<str>,
    /// What it calls itself.
    pub(super) name: Option<String>,
    /// When its next Heartbeat is due (NOT-13).
    heartbeat_due: Option<Timestamp>,
    /// For each type the resource of which it was sent the open last, and not the close (NOT-12).
    shown: Vec<ResourceKey>,
    /// What it may read, for `*`.
    pub(super) scopes: Scopes,
    /// The mount that it was made at.
    pub(super) mount: Arc<str>,
    /// Where it is called, if it is a webhook.
    pub(super) webhook: Option<Arc<Called>>,
    /// Since when takeovers are counted, and how many there were (CLI-27).
    takeovers: (Timestamp, u32),
    /// Answers that came, and answers that did not come in time.
    answers: (u64, u64),
    last_answer: Option<Timestamp>,
}

/// A subscription, as its own subscriber is told of it.
#[derive(Debug)]
pub(crate) struct Holding {
    /// What it is subscribed to, in its spelling.
    pub(crate) events: Vec<Spelling>,
    /// Seconds that are left of its lease.
    pub(crate) lease_seconds: u64,
    /// What it calls itself.
    pub(crate) name: Option<String>,
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
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    event: Arc<Event>,
    due: Timestamp,
}

/// More than a subscriber can leave unanswered within the response time, at the rate at which people work.
const MAX_OUTSTANDING: usize = 256;

/// The hub promises a Heartbeat at least this often, in seconds (NOT-13).
pub(super) const HEARTBEAT_PERIOD: u32 = 10;

/// And sends one this often: the hub's own clock ticks once a second.
const HEARTBEAT_EVERY: SignedDuration = SignedDuration::from_secs(8);

/// Takeovers of one endpoint in a minute (CLI-27).
const MAX_TAKEOVERS: u32 = 10;

impl Subscription {
    pub(super) fn new(endpoint: EndpointId, wish: Wish, policy: Policy, limits: &Limits, now: Timestamp) -> Self {
        let expires = expires(&wish, limits, now);
        Self {
            endpoint,
            events: wish.events,
            expires,
            policy,
            connection: Connection::Awaited { until: later(now, limits.connect_within) },
            outstanding: VecDeque::new(),
            misses: 0,
            alias: wish.alias,
            principal: wish.principal,
            name: wish.name,
            heartbeat_due: None,
            shown: Vec::new(),
            scopes: wish.scopes,
            mount: wish.mount,
            webhook: wish.webhook,
            takeovers: (now, 0),
            answers: (0, 0),
            last_answer: None,
        }
    }

    /// One that was kept: nobody knows what its subscriber has seen, or whether it is still there.
    pub(super) fn restore(kept: KeptSubscription, lost_until: Timestamp, now: Timestamp) -> Self {
        let connection = match kept.connects_by {
            Some(until) => Connection::Awaited { until },
            None => Connection::Lost { until: lost_until },
        };
        Self {
            endpoint: kept.endpoint,
            events: kept.events,
            expires: kept.expires,
            policy: kept.policy,
            connection,
            outstanding: VecDeque::new(),
            misses: 0,
            alias: kept.alias,
            principal: kept.principal,
            name: kept.name,
            heartbeat_due: None,
            shown: Vec::new(),
            scopes: kept.scopes,
            mount: kept.mount,
            webhook: kept.webhook,
            takeovers: (now, 0),
            answers: (0, 0),
            last_answer: None,
        }
    }

    /// Takes another form (SUB-11); what the wish does not name stays, save the lease.
    pub(super) fn replace(&mut self, wish: Wish, limits: &Limits, now: Timestamp) {
        self.expires = expires(&wish, limits, now);
        self.name = wish.name.or(self.name.take());
        self.scopes = wish.scopes;
        if !wish.events.is_empty() {
            self.events = wish.events;
        }
        self.heartbeat_due = self.heartbeat_due.or_else(|| self.wants_heartbeat().then_some(now));
    }

    /// The live connection.
    pub(super) fn live(&self) -> Option<ConnectionId> {
        match self.connection {
            Connection::Live(connection) => Some(connection),
            _ => None,
        }
    }

    /// Whether one more takeover is one too many: a client that reconnects without end is slowed down (CLI-27).
    pub(super) fn is_taken_over_too_often(&self, now: Timestamp) -> bool {
        let (since, count) = self.takeovers;
        self.live().is_some() && count >= MAX_TAKEOVERS && now < later(since, SignedDuration::from_mins(1))
    }

    /// Is connected by `connection` from now on; gives the connection that it takes over from (SUB-21). What was missed
    /// is made up for by the current contexts that follow.
    pub(super) fn connect(&mut self, connection: ConnectionId, now: Timestamp) -> Option<ConnectionId> {
        let older = self.live();
        if older.is_some() {
            let (since, count) = self.takeovers;
            let same_minute = now < later(since, SignedDuration::from_mins(1));
            self.takeovers = if same_minute { (since, count + 1) } else { (now, 1) };
        }
        self.connection = Connection::Live(connection);
        self.outstanding.clear();
        self.shown.clear();
        self.heartbeat_due = self.wants_heartbeat().then(|| later(now, HEARTBEAT_EVERY));
        older
    }

    fn wants_heartbeat(&self) -> bool {
        self.policy.heartbeat && self.named_spelling("Heartbeat").is_some()
    }

    /// The Heartbeat that is due by now, if any.
    pub(super) fn heartbeat(&mut self, now: Timestamp) -> Option<Action> {
        self.heartbeat_due.filter(|due| *due <= now)?;
        self.heartbeat_due = Some(later(now, HEARTBEAT_EVERY));
        let (connection, spelling) = (self.live()?, self.named_spelling("Heartbeat")?);
        let to = Recipient { connection, spelling, text_references: false };
        Some(Action::Heartbeat { to, period: HEARTBEAT_PERIOD })
    }

    /// The confirmation, with what is left of the lease (CONF-01).
    pub(super) fn confirmation(&self, to: ConnectionId, now: Timestamp) -> Action {
        Action::Confirm { to, events: self.events.clone(), lease_seconds: self.lease_left(now) }
    }

    /// What its subscriber is told of it (CLI-37).
    pub(super) fn shown_to_subscriber(&self, now: Timestamp) -> Holding {
        Holding { events: self.events.clone(), lease_seconds: self.lease_left(now), name: self.name.clone() }
    }

    /// Whether it may publish the event `name` over its socket (CLI-39): its subscriber's token said so, and has not
    /// ended.
    pub(super) fn may_publish(&self, name: &EventName, now: Timestamp) -> bool {
        self.scopes.can_write(name) && self.expires > now
    }

    /// Seconds that are left of the lease, rounded up.
    fn lease_left(&self, now: Timestamp) -> u64 {
        let left = now.duration_until(self.expires).max(SignedDuration::ZERO);
        (left.as_secs() + i64::from(left.subsec_nanos() > 0)).unsigned_abs()
    }

    /// The opens of `contexts` that this subscription is for and was not sent yet, its own or derived (CONF-02, CONF-03,
    /// NOT-11). They are notifications like any other: an answer to each is due, and a refusal is told to the others (NOT-05).
    pub(super) fn catch_up(&mut self, contexts: &[&Context], due: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        for context in contexts {
            let implied = &mut None;
            let Some(notice) = self.notice(&context.event, implied) else { continue };
            let event = Arc::clone(notice.event(&context.event, implied));
            let known = anchor(&event).is_some_and(|anchor| self.shown.contains(anchor));
            if let Some(recipient) = self.recipient(&event, notice.spelling, Some(due)).filter(|_| !known) {
                actions.push(Action::Deliver { to: vec![recipient], event, versions: Some(context.version.into()) });
            }
        }
        actions
    }

    fn expect_answer(&mut self, event: &Arc<Event>, due: Timestamp) {
        if self.outstanding.len() >= MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back(Outstanding { event: Arc::clone(event), due });
    }

    /// The live connection, if the subscription is for the event `name`.
    pub(super) fn listener(&self, name: &str) -> Option<Recipient> {
        let (connection, spelling) = (self.live()?, self.spelling(name)?);
        Some(Recipient { connection, spelling, text_references: self.policy.text_references })
    }

    /// What of `event` this subscription is for: the event itself, else the most particular of the opens that it implies, if
    /// that is news to it (NOT-11, NOT-12). `implied` is filled when it is first needed.
    pub(super) fn notice(&self, event: &Arc<Event>, implied: &mut Option<Vec<Arc<Event>>>) -> Option<Notice> {
        if let Some(spelling) = self.spelling(event.name.as_str()) {
            return Some(Notice { spelling, derived: None });
        }
        if !self.policy.derived_opens || !matches!(event.subject, Subject::Open(_)) {
            return None;
        }
        let implied = implied.get_or_insert_with(|| event.implied_opens());
        let spelt = |(index, derived): (usize, &Arc<Event>)| Some((index, self.spelling(derived.name.as_str())?));
        let (index, spelling) = implied.iter().enumerate().find_map(spelt)?;
        let known = anchor(&implied[index]).is_some_and(|anchor| self.shown.contains(anchor));
        (!known).then_some(Notice { spelling, derived: Some(index) })
    }

    /// Notes that `event` is sent, and that an answer is `due`; also of one that was lost just now, and so misses it.
    pub(super) fn recipient(
        &mut self,
        event: &Arc<Event>,
        spelling: Spelling,
        due: Option<Timestamp>,
    ) -> Option<Recipient> {
        if let (Some(due), Connection::Live(_) | Connection::Lost { .. }) = (due, self.connection) {
            self.expect_answer(event, due);
        }
        let connection = self.live()?;
        self.show(event);
        Some(Recipient { connection, spelling, text_references: self.policy.text_references })
    }

    fn show(&mut self, event: &Event) {
        match &event.subject {
            Subject::Open(opening) => {
                self.shown.retain(|shown| shown.resource_type != opening.anchor.resource_type);
                self.shown.push(opening.anchor.clone());
            }
            Subject::Close(closing) => self.shown.retain(|shown| Some(shown) != closing.anchor.as_ref()),
            Subject::Home | Subject::Logout => self.shown.clear(),
            Subject::Nothing | Subject::Select(_) | Subject::Update(_) => {}
        }
    }

    /// The event of this id has been answered: its id and name, or `None` if it awaits none.
    pub(super) fn answer(&mut self, id: &str, now: Timestamp) -> Option<(String, String)> {
        let index = self.outstanding.iter().position(|outstanding| outstanding.event.id == id)?;
        self.answers.0 += 1;
        self.last_answer = Some(now);
        self.misses = 0;
        self.outstanding.remove(index).map(|outstanding| outstanding.id_and_name())
    }

    /// The events whose answer should have come by `now`; they await none any more.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Vec<(String, String)> {
        let count = self.outstanding.iter().take_while(|outstanding| outstanding.due <= now).count();
        self.answers.1 += u64::try_from(count).unwrap_or(u64::MAX);
        self.outstanding.drain(..count).map(|outstanding| outstanding.id_and_name()).collect()
    }

    /// Whether its silence counts (POL-01). One that is away has nothing to answer.
    pub(super) fn owes_answers(&self) -> bool {
        let counts = match self.policy.silence {
            Silence::Everybody => true,
            Silence::Nobody => false,
            Silence::OnceAnswered => self.answers.0 > 0,
        };
        counts && self.live().is_some()
    }

    /// The last event that awaits an answer: id and name.
    pub(super) fn last_outstanding(&self) -> Option<(String, String)> {
        self.outstanding.back().map(Outstanding::id_and_name)
    }

    /// What an operator sees of it (CLI-23); `topic` is the topic's digest.
    pub(super) fn shown_to_operator(&self, topic: &str) -> Subscriber {
        Subscriber {
            topic: topic.to_owned(),
            name: self.display_name(),
            endpoint: self.endpoint.to_string(),
            events: self.events.iter().map(|event| event.to_string()).collect(),
            connection: match self.connection {
                Connection::Awaited { .. } => ConnectionState::Expected,
                Connection::Away => ConnectionState::Disconnected,
                Connection::Live(_) => ConnectionState::Connected,
                Connection::Lost { .. } => ConnectionState::Lost,
            },
            acknowledges: match self.answers {
                (0, 0) => Acknowledges::NothingYet,
                (0, _) => Acknowledges::Never,
                (_, 0) => Acknowledges::Always,
                _ => Acknowledges::Sometimes,
            },
            last_acknowledgement: self.last_answer,
            expires: self.expires,
        }
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
        let heartbeat = self.heartbeat_due.filter(|_| self.live().is_some()).unwrap_or(Timestamp::MAX);
        self.expires.min(connection).min(answer).min(heartbeat)
    }

    /// Every wait lasts as long as before, though the time of day was set by so much. The lease ends by the time of day, as the
    /// token does that it was granted for.
    pub(super) fn clock_set(&mut self, by: SignedDuration) {
        self.outstanding.iter_mut().for_each(|outstanding| outstanding.due = later(outstanding.due, by));
        if let Connection::Awaited { until } | Connection::Lost { until } = &mut self.connection {
            *until = later(*until, by);
        }
        self.heartbeat_due = self.heartbeat_due.map(|due| later(due, by));
        self.takeovers.0 = later(self.takeovers.0, by);
    }

    /// How this subscription spells the event `name`; `None` if it is not for it (NOT-02, CLI-28). Under `*` it is spelt as it
    /// was published, and the hub's own Heartbeat is not sent (CLI-20).
    fn spelling(&self, name: &str) -> Option<Spelling> {
        self.named_spelling(name).or_else(|| {
            let everything = self.events.iter().any(|spelling| &**spelling == WILDCARD);
            let readable = || EventName::parse_any(name).is_ok_and(|name| self.scopes.can_read(&name));
            (everything && !name.eq_ignore_ascii_case("Heartbeat") && readable()).then(|| name.into())
        })
    }

    fn named_spelling(&self, name: &str) -> Option<Spelling> {
        let is_old_name = |spelling: &&Spelling| self.policy.legacy_binding && legacy_names::means(spelling, name);
        let exact = self.events.iter().find(|spelling| spelling.eq_ignore_ascii_case(name));
        exact.or_else(|| self.events.iter().find(is_old_name)).cloned()
    }
}

/// In `hub.events`: every event (POL-09).
pub(crate) const WILDCARD: &str = "*";

/// What a subscription is sent of an event.
#[derive(Debug)]
pub(super) struct Notice {
    /// The name in its own spelling.
    pub(super) spelling: Spelling,
    /// Which of the implied opens it is; `None`: the event itself.
    pub(super) derived: Option<usize>,
}

impl Notice {
    /// The event that it is a notice of.
    pub(super) fn event<'a>(&self, event: &'a Arc<Event>, implied: &'a Option<Vec<Arc<Event>>>) -> &'a Arc<Event> {
        self.derived.and_then(|index| implied.as_ref()?.get(index)).unwrap_or(event)
    }
}

fn anchor(event: &Event) -> Option<&ResourceKey> {
    match &event.subject {
        Subject::Open(opening) => Some(&opening.anchor),
        _ => None,
    }
}

impl Outstanding {
    fn id_and_name(&self) -> (String, String) {
        (self.event.id.clone(), self.event.name.to_string())
    }
}

/// The end of the lease that is granted: what was asked, up to the longest; else the default (SUB-08). A client with an endpoint
/// of its own making never renews, and gets the default at least (CLI-10). Never past the end of the token (SMA-02).
fn expires(wish: &Wish, limits: &Limits, now: Timestamp) -> Timestamp {
    let least = if wish.alias.is_some() { limits.default_lease } else { SignedDuration::ZERO };
    let granted = wish.lease.unwrap_or(limits.default_lease).max(least).min(limits.max_lease);
    later(now, granted).min(wish.token_ends.unwrap_or(Timestamp::MAX))
}
