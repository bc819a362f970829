//! The embedded FHIRcast hub: topics behind mounts, subscribers on sockets.
//!
//! `topic` decides, and knows no socket; this is the shell around it, which finds the topic, commits what it says, and
//! delivers in its order: `publishing`, `subscribing`, `connecting`. `routes` speaks HTTP, `socket` WebSocket. Knows no
//! adapter, no mapping, and nothing of FHIR resources but their type and id, and of a patient its identifiers.
//!
//! Invariants: the events of one topic have one order, and every subscriber sees it, since they are decided and queued under
//! that topic's lock. No lock is held across an await. Every queue is bounded; who falls behind is cut off alone.

mod access;
mod asked_at;
mod binding;
mod connecting;
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
mod publishing;
mod routes;
mod settings;
mod socket;
mod subscriber;
mod subscribing;
mod topic;
mod topics;
mod webhook;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use axum::http::request::Parts;
use jiff::Timestamp;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

pub use self::counters::Snapshot;
pub(crate) use self::endpoint::topic_digest;
pub use self::merge::Retired;
pub use self::policy::{
    AnchorNotOpen, ContextForm, ErrorForm, ForeignEndpoint, MountSettings, Profile, RefusalsTo, Resend, Silence,
    UnsubscribeBy,
};
pub use self::publishing::{EventRefused, PublishRefusal, Published};
pub use self::settings::{ConnectorSettings, HubSettings};
#[cfg(feature = "autobahn")]
pub use self::socket::echo;
pub use self::subscriber::{Acknowledges, ConnectionState, Subscriber};
pub use self::webhook::{AllowedReceiver, AllowedReceiverError, WebhookSettings};
pub use crate::fhircast::{ContextEntry, NewEvent};

use self::asked_at::AskedAt;
use self::binding::Bindings;
use self::counters::Counters;
use self::mount::Mount;
use self::subscribing::{Unsubscribable, webhook_sender};
use self::topic::{Change, Closing, Command, ConnectionId, Context, Effects, Ended, EndpointId, Outcome, Refusal};
use self::topics::{Slot, Topics};
use self::webhook::WebhookSender;
use crate::allowance::Allowance;
use crate::audit::AuditLog;
use crate::clock::{Clock, timestamp};
use crate::fhircast::Edition;
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

/// What follows from a command for its sender.
struct Done {
    outcome: Outcome,
    delivered: usize,
    /// The subscription that is over.
    ended: Option<EndpointId>,
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

    /// The current context of `topic`; an unknown topic has none, and looks the same (CTX-09).
    fn current_context(&self, topic: &str) -> Option<Context> {
        self.0.topics.with_known(topic, self.now(), |slot| slot.topic.current().cloned()).flatten()
    }

    /// Whether anybody follows `topic`, or it is some user's (IRA-10).
    fn is_session(&self, topic: &str) -> bool {
        self.0.topics.with_known(topic, self.now(), |slot| slot.topic.is_session()).unwrap_or(false)
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
