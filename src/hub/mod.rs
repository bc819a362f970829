//! The embedded FHIRcast hub: topics behind mounts, subscribers on sockets.
//!
//! `topic` decides, and knows no socket; this is the shell around it, which finds the topic, commits what it says, and
//! delivers in its order. `routes` speaks HTTP, `socket` WebSocket. Knows no adapter, no mapping, and nothing of FHIR
//! resources but their type and id.
//!
//! Invariants: the events of one topic have one order, and every subscriber sees it, since they are decided and queued under
//! that topic's lock. No lock is held across an await. Every queue is bounded; who falls behind is cut off alone.

mod access;
mod asked_at;
mod binding;
mod counters;
mod current;
mod delivery;
mod endpoint;
mod guard;
mod lookup;
mod merge;
mod metadata;
mod mount;
mod policy;
mod problem;
mod routes;
mod settings;
mod socket;
mod subscriber;
mod topic;
mod topics;
mod webhook;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use axum::http::request::Parts;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

pub use self::counters::Snapshot;
pub(crate) use self::endpoint::topic_digest;
pub use self::merge::Retired;
pub use self::policy::{
    AnchorNotOpen, ContextForm, ErrorForm, ForeignEndpoint, MountSettings, Profile, RefusalsTo, Resend, Silence,
    UnsubscribeBy,
};
pub use self::settings::{ConnectorSettings, HubSettings};
#[cfg(feature = "autobahn")]
pub use self::socket::echo;
pub use self::subscriber::{Acknowledges, ConnectionState, Subscriber};
pub use self::webhook::{AllowedReceiver, AllowedReceiverError, WebhookSettings};
pub use crate::fhircast::{ContextEntry, NewEvent};

use self::asked_at::AskedAt;
use self::binding::Bindings;
use self::counters::Counters;
use self::delivery::{Outgoing, Seat};
use self::endpoint::EndpointSecret;
use self::mount::Mount;
use self::policy::Policy;
use self::topic::{
    Change, Closing, Command, ConnectionId, Context, Effects, Ended, EndpointId, Holding, Outcome, Publisher, Refusal,
    Target, Wish,
};
use self::topics::{Slot, Topics};
use self::webhook::{Callback, CallbackError, Secret, SecretError, Webhook, WebhookSender};
use crate::allowance::Allowance;
use crate::audit::AuditLog;
use crate::clock::{Clock, timestamp};
use crate::fhircast::{Acknowledgement, Edition, Event, EventError, EventName, Version};
use crate::security::Authenticator;

/// The hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    settings: HubSettings,
    mounts: Arc<[Mount]>,
    clock: Arc<dyn Clock>,
    authenticator: Authenticator,
    audit: AuditLog,
    /// How many refused tokens are still audited one by one.
    refused_tokens: Mutex<Allowance>,
    /// Who calls webhooks, where a mount takes them.
    webhook_sender: Option<Arc<WebhookSender>>,
    topics: Topics,
    /// Which topic each live endpoint belongs to.
    endpoints: RwLock<HashMap<EndpointId, Arc<str>>>,
    bindings: Bindings,
    counters: Counters,
    next_connection: AtomicU64,
    sockets: TaskTracker,
    shutdown: CancellationToken,
}

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
pub struct EventRefused(Refusal);

/// What follows from a command for its sender.
struct Done {
    outcome: Outcome,
    delivered: usize,
    /// The subscription that is over.
    ended: Option<EndpointId>,
}

/// Why a subscription is not taken, or not changed.
#[derive(Debug, thiserror::Error)]
enum Unsubscribable {
    #[error(transparent)]
    Callback(#[from] CallbackError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the hub cannot call anybody just now: its operator sees why in its log")]
    NoWebhooks,
    #[error("the hub cannot make an endpoint just now")]
    NoRandomness,
    #[error(transparent)]
    Refused(Refusal),
    #[error("the hub has as many topics as it may have")]
    TooManyTopics,
}

/// How often what is due is looked for.
const TICK: Duration = Duration::from_secs(1);

impl Hub {
    /// A hub that lets everybody in and audits nothing; as [`Self::start`].
    pub fn new(settings: HubSettings, clock: Arc<dyn Clock>) -> Self {
        Self::start(settings, clock, Authenticator::open(), AuditLog::off())
    }

    /// A hub without topics, whose time is `clock`'s, which lets in whom `authenticator` lets in, and tells `audit` of it. To
    /// be called within a tokio runtime, on which it keeps time until it is shut down or dropped.
    pub fn start(settings: HubSettings, clock: Arc<dyn Clock>, authenticator: Authenticator, audit: AuditLog) -> Self {
        let mounts = settings.mounts();
        let hub = Self(Arc::new(Inner {
            topics: Topics::new(settings.max_topics, settings.limits()),
            webhook_sender: webhook_sender(&settings, &mounts),
            mounts: mounts.into(),
            settings,
            clock,
            authenticator,
            audit,
            refused_tokens: Mutex::default(),
            endpoints: RwLock::default(),
            bindings: Bindings::default(),
            counters: Counters::default(),
            next_connection: AtomicU64::new(0),
            sockets: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }));
        tokio::spawn(keep_time(Arc::downgrade(&hub.0), hub.0.shutdown.clone()));
        hub
    }

    /// The `hub.url` of the standard's current edition, for a hub that listens at `address`, over TLS or not; of the first mount, where a site
    /// has switched that one off.
    pub fn url(&self, address: SocketAddr, secure: bool) -> String {
        self.url_at(self.mount_path(None), address, secure)
    }

    /// As [`Self::url`], of the mount of the powercast dialect; `None` where that is not served (CLI-38).
    pub fn powercast_url(&self, address: SocketAddr, secure: bool) -> Option<String> {
        let mount = self.0.mounts.iter().find(|mount| mount.is_powercast())?;
        Some(self.url_at(&mount.path, address, secure))
    }

    /// The address of what is at `path` of the hub's listener.
    pub(crate) fn url_at(&self, path: &str, address: SocketAddr, secure: bool) -> String {
        let scheme = if secure { "https" } else { "http" };
        let base = self.0.settings.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        format!("{}{path}", base.trim_end_matches('/'))
    }

    /// Every path under which the hub is served, with its edition.
    pub fn mounts(&self) -> impl Iterator<Item = (&str, Edition)> {
        self.0.mounts.iter().map(|mount| (mount.path.as_str(), mount.edition))
    }

    /// Every mount's routes.
    pub fn routes(&self) -> axum::Router {
        routes::routes(self)
    }

    /// Puts `routes` of others at the hub's listener behind the hub's guard: the same names, the same origins (T3, T5).
    pub(crate) fn guarded(&self, routes: axum::Router) -> axum::Router {
        routes.layer(axum::middleware::from_fn_with_state(self.clone(), guard::guard))
    }

    /// The address under which the sender of a request with this head knows the gateway, mounts left out (CLI-07).
    pub(crate) fn base_url(&self, request: &Parts) -> String {
        let settings = &self.0.settings;
        AskedAt::of(request, settings).base(settings)
    }

    /// The path of the mount called `name`; of the one that is announced, where it is `None` or there is no such mount.
    pub(crate) fn mount_path(&self, name: Option<&str>) -> &str {
        let named = self.0.mounts.iter().find(|mount| Some(mount.name.as_str()) == name);
        named.or(self.0.mounts.first()).map_or("", |mount| &mount.path)
    }

    /// How long the body of a request may take.
    pub(crate) fn request_time(&self) -> Duration {
        self.0.settings.request_time()
    }

    /// Publishes an event of the gateway's own on `topic`, which needs no subscriber.
    ///
    /// # Errors
    /// When the event is not well formed, or the hub is full or ending; then nothing has changed.
    #[expect(clippy::unused_async, reason = "a topic's change will be committed before this returns, and that waits")]
    pub async fn publish(&self, topic: &str, event: NewEvent) -> Result<Published, PublishRefusal> {
        let policy = Policy::of(Profile::Standard, Edition::Stu3);
        self.publish_event(Event::new(topic, event)?, policy, Publisher::Gateway)
    }

    /// Does what is due by now: leases, answers that did not come, lost connections. The hub does this every second.
    pub fn lapse(&self) {
        let now = self.now();
        self.0.topics.each(now, |name, slot| {
            if slot.topic.next_due().is_some_and(|due| due <= now) {
                // A lapse is never refused.
                let _ = self.command(slot, name, Command::Lapse, now);
            }
        });
    }

    /// What the hub has done since it started.
    pub fn counters(&self) -> Snapshot {
        self.0.counters.snapshot()
    }

    /// The subscriptions, as an operator sees them, at most so many; topic by topic.
    pub fn subscribers(&self, most: usize) -> Vec<Subscriber> {
        let mut subscribers = Vec::new();
        self.0.topics.each(self.now(), |name, slot| {
            let room = most.saturating_sub(subscribers.len());
            let digest = topic_digest(name);
            subscribers.extend(slot.topic.subscribers(&digest).take(room));
        });
        subscribers.sort_by(|one, other| (&one.topic, &one.name).cmp(&(&other.topic, &other.name)));
        subscribers
    }

    /// How many topics there are.
    pub fn topics(&self) -> usize {
        self.0.topics.len()
    }

    /// Takes nothing new, and closes every socket with 1001; subscriptions stay (CLI-26). See [`Self::drained`].
    pub fn shutdown(&self) {
        info!("Hub shuts down; closing its sockets.");
        self.0.shutdown.cancel();
        self.0.sockets.close();
        self.0.topics.each(self.now(), |_, slot| slot.seats.close_all(Closing::ShuttingDown));
    }

    /// Waits until every socket has ended, each within its closing time, after [`Self::shutdown`].
    pub async fn drained(&self) {
        self.0.sockets.wait().await;
    }

    fn now(&self) -> Timestamp {
        timestamp(&*self.0.clock)
    }

    fn is_shutting_down(&self) -> bool {
        self.0.shutdown.is_cancelled()
    }

    fn publish_event(
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
    fn admit(
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

    fn subscribe(&self, topic: &str, wish: Wish, policy: Policy) -> Result<EndpointSecret, Unsubscribable> {
        let secret = EndpointSecret::generate().map_err(|_| Unsubscribable::NoRandomness)?;
        let command = Command::Subscribe { endpoint: secret.id(), wish, policy };
        self.on_topic(topic, command).map(|()| secret)
    }

    /// A subscription that is told by requests to `callback`, once that has verified it (WH-02); the callback is its name for the
    /// subscription. Its silence counts, as an HTTP request is always answered (WH-04).
    fn subscribe_webhook(
        &self,
        topic: &str,
        wish: Wish,
        policy: Policy,
        callback: Callback,
        shared: Option<Secret>,
    ) -> Result<EndpointSecret, Unsubscribable> {
        let sender = self.0.webhook_sender.clone().ok_or(Unsubscribable::NoWebhooks)?;
        let (principal, events) = (Arc::clone(&wish.principal), wish.events.clone());
        let limits = self.0.settings.limits();
        let lease = wish.lease.unwrap_or(limits.default_lease).min(limits.max_lease).as_secs().unsigned_abs();
        let secret = self.subscribe(topic, wish, Policy { silence: Silence::Everybody, ..policy })?;
        let webhook = Webhook {
            hub: self.clone(),
            topic: topic.into(),
            endpoint: secret.id(),
            principal,
            events,
            lease_seconds: lease,
            callback,
            secret: shared,
            sender,
        };
        self.0.sockets.spawn(webhook.run());
        Ok(secret)
    }

    fn resubscribe(&self, topic: &str, endpoint: EndpointId, wish: Wish) -> Result<(), Unsubscribable> {
        self.on_known_topic(topic, Command::Resubscribe { endpoint, wish }).map(drop)
    }

    /// Ends one subscription; gives which.
    fn unsubscribe(&self, topic: &str, target: Target, principal: Arc<str>) -> Result<EndpointId, Unsubscribable> {
        match self.on_known_topic(topic, Command::Unsubscribe { target: target.clone(), principal }) {
            Err(Unsubscribable::Refused(Refusal::EndpointUnknown)) if !matches!(target, Target::Endpoint(_)) => {
                Err(Unsubscribable::Refused(Refusal::NoTarget))
            }
            done => done?.ended.ok_or(Unsubscribable::Refused(Refusal::NoTarget)),
        }
    }

    fn on_topic(&self, topic: &str, command: Command) -> Result<(), Unsubscribable> {
        let now = self.now();
        let done = self.0.topics.with(topic, now, |slot| self.command(slot, topic, command, now));
        done.map_err(|_| Unsubscribable::TooManyTopics)?.map_err(Unsubscribable::Refused).map(drop)
    }

    fn on_known_topic(&self, topic: &str, command: Command) -> Result<Done, Unsubscribable> {
        let now = self.now();
        let done = self.0.topics.with_known(topic, now, |slot| self.command(slot, topic, command, now));
        done.unwrap_or(Err(Refusal::EndpointUnknown)).map_err(Unsubscribable::Refused)
    }

    /// The current context of `topic`; an unknown topic has none, and looks the same (CTX-09).
    fn current_context(&self, topic: &str) -> Option<Context> {
        self.0.topics.with_known(topic, self.now(), |slot| slot.topic.current().cloned()).flatten()
    }

    /// The subscription at `endpoint`, if that is `principal`'s.
    fn holding(&self, topic: &str, endpoint: EndpointId, principal: &str) -> Option<Holding> {
        let now = self.now();
        self.0.topics.with_known(topic, now, |slot| slot.topic.holding(endpoint, principal, now)).flatten()
    }

    /// Whether anybody follows `topic`, or it is some user's (IRA-10).
    fn is_session(&self, topic: &str) -> bool {
        self.0.topics.with_known(topic, self.now(), |slot| slot.topic.is_session()).unwrap_or(false)
    }

    /// Whether a connection to `endpoint` would take over once too often (CLI-27).
    fn is_taken_over_too_often(&self, topic: &str, endpoint: EndpointId) -> bool {
        let now = self.now();
        let asked = |slot: &mut Slot| slot.topic.is_taken_over_too_often(endpoint, now);
        self.0.topics.with_known(topic, now, asked).unwrap_or(false)
    }

    /// The topic that `endpoint` belongs to, while it is live.
    fn topic_of(&self, endpoint: EndpointId) -> Option<Arc<str>> {
        self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner).get(&endpoint).map(Arc::clone)
    }

    /// A socket has been opened at `endpoint`: the other end of its queue.
    fn connect(&self, topic: Arc<str>, endpoint: EndpointId) -> Result<socket::Connection, Refusal> {
        let connection = ConnectionId(self.0.next_connection.fetch_add(1, Ordering::Relaxed));
        let (queue, outgoing) = mpsc::channel::<Outgoing>(self.0.settings.queue.max(MIN_QUEUE));
        let cut = CancellationToken::new();
        let now = self.now();
        let seat = Seat { endpoint, queue, cut: cut.clone() };
        let command = Command::Connect { endpoint, connection };
        let done = self.0.topics.with_known(&topic, now, |slot| {
            slot.seats.insert(connection, seat);
            let done = self.command(slot, &topic, command, now);
            if done.is_err() {
                slot.seats.remove(connection);
            } else if self.is_shutting_down() {
                slot.seats.close_all(Closing::ShuttingDown);
            }
            done
        });
        done.unwrap_or(Err(Refusal::EndpointUnknown))?;
        self.0.counters.sockets_opened.add(1);
        debug!(topic = %topic_digest(&topic), %endpoint, "Subscriber connected.");
        Ok(socket::Connection { hub: self.clone(), topic, endpoint, connection, outgoing, cut })
    }

    fn disconnected(&self, topic: &str, endpoint: EndpointId, connection: ConnectionId, ended: Ended) {
        let now = self.now();
        self.0.counters.sockets_ended.add(1);
        debug!(topic = %topic_digest(topic), %endpoint, ?ended, "Subscriber disconnected.");
        self.0.topics.with_known(topic, now, |slot| {
            slot.seats.remove(connection);
            // A disconnection is never refused.
            let _ = self.command(slot, topic, Command::Disconnect { endpoint, connection, ended }, now);
        });
    }

    /// A subscriber's frame: an answer to a notification, or nothing that matters (CLI-22).
    fn heard(&self, topic: &str, endpoint: EndpointId, text: &str) {
        match Acknowledgement::parse(text) {
            Some(acknowledgement) => self.acknowledged(topic, endpoint, acknowledgement),
            None => self.0.counters.frames_ignored.add(1),
        }
    }

    fn acknowledged(&self, topic: &str, endpoint: EndpointId, acknowledgement: Acknowledgement) {
        let (Acknowledgement { id, verdict }, counters, now) = (acknowledgement, &self.0.counters, self.now());
        let command = Command::Acknowledge { endpoint, event: id, verdict };
        match self.0.topics.with_known(topic, now, |slot| self.command(slot, topic, command, now)) {
            Some(Ok(_)) => counters.answers_received.add(1),
            _ => counters.frames_ignored.add(1),
        }
    }

    /// Applies `command`, and all that follows from it: commit, deliver, and cut off whoever could not be delivered to.
    fn command(&self, slot: &mut Slot, name: &str, command: Command, now: Timestamp) -> Result<Done, Refusal> {
        let effects = slot.topic.apply(command, now)?;
        let ended = effects.changes.iter().find_map(|change| match change {
            Change::Ended(endpoint) => Some(*endpoint),
            _ => None,
        });
        let mut done = Done { outcome: effects.outcome, delivered: 0, ended };
        let mut pending = vec![effects];
        while let Some(Effects { changes, actions, .. }) = pending.pop() {
            self.commit(name, &changes);
            let performed = slot.seats.perform(actions, name, now);
            done.delivered += performed.delivered;
            self.0.counters.notifications_queued.add(performed.delivered);
            self.0.counters.sync_errors_raised.add(performed.raised);
            pending.extend(performed.behind.into_iter().filter_map(|who| self.cut_off(slot, name, who, now)));
        }
        Ok(done)
    }

    /// What follows from cutting off a subscriber that reads too slowly; nothing, if that was decided already (NOT-15).
    fn cut_off(
        &self,
        slot: &mut Slot,
        name: &str,
        (endpoint, connection): (EndpointId, ConnectionId),
        now: Timestamp,
    ) -> Option<Effects> {
        let command = Command::Disconnect { endpoint, connection, ended: Ended::Behind };
        let effects = slot.topic.apply(command, now).ok().filter(|effects| !effects.actions.is_empty())?;
        warn!(topic = %topic_digest(name), %endpoint, "Subscriber fell behind; closing its socket.");
        self.0.counters.sockets_cut_off.add(1);
        Some(effects)
    }

    /// Makes changes safe before anything is delivered: here, in memory, by the index of endpoints.
    fn commit(&self, topic: &str, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Subscribed(endpoint) => {
                    info!(topic = %topic_digest(topic), %endpoint, "Subscription accepted.");
                    self.0.counters.subscriptions_accepted.add(1);
                    self.endpoints_mut().insert(*endpoint, topic.into());
                }
                Change::Ended(endpoint) => {
                    info!(topic = %topic_digest(topic), %endpoint, "Subscription ended.");
                    self.0.counters.subscriptions_ended.add(1);
                    self.endpoints_mut().remove(endpoint);
                    self.0.bindings.forget(*endpoint);
                }
                Change::Cleared | Change::Closed | Change::Opened | Change::Resubscribed | Change::Updated => {}
            }
        }
    }

    fn endpoints_mut(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<EndpointId, Arc<str>>> {
        self.0.endpoints.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who calls webhooks, where a mount takes them and this machine can make TLS connections.
fn webhook_sender(settings: &HubSettings, mounts: &[Mount]) -> Option<Arc<WebhookSender>> {
    mounts.iter().any(|mount| mount.policy.webhooks).then(|| WebhookSender::new(&settings.webhooks))?.map_or_else(
        |error| {
            error!(%error, "Webhooks cannot be called: check this machine's certificate authorities.");
            None
        },
        |sender| Some(Arc::new(sender)),
    )
}

/// An event's name as logs show it: one of its publisher's own making can hold anything, a patient too.
fn logged(name: &EventName) -> &str {
    if name.is_catalogued() { name.as_str() } else { "(not catalogued)" }
}

/// Why an event was tolerated, as logs show it: reasons repeat the type in the event's name.
fn loggable(name: &EventName, reason: String) -> String {
    if name.is_catalogued() { reason } else { "its name is none of the catalogue's".to_owned() }
}

/// Room for a confirmation and the current contexts, whatever is configured.
const MIN_QUEUE: usize = 8;

/// Lets every topic do what is due, until the hub shuts down or is gone.
async fn keep_time(hub: Weak<Inner>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        match hub.upgrade() {
            Some(inner) => Hub(inner).lapse(),
            None => return,
        }
    }
}
