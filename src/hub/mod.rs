//! The embedded FHIRcast hub: topics behind mounts, subscribers on sockets.
//!
//! `topic` decides, and knows no socket; this is the shell around it, which finds the topic, commits what it says, and
//! delivers in its order: `publishing`, `subscribing`, `connecting`, all by `committing`; `records` is what the store keeps. `routes` speaks HTTP, `socket` WebSocket. Knows no
//! adapter, no mapping, and nothing of FHIR resources but their type and id, and of a patient its identifiers.
//!
//! Invariants: the events of one topic have one order, and every subscriber sees it, since they are decided, committed and
//! queued in that topic's turn. Nothing is answered or told before it is durable. Every queue is bounded; who falls behind is
//! cut off alone.

mod access;
mod asked_at;
mod binding;
mod committing;
mod connecting;
mod counters;
mod current;
mod delivery;
mod endpoint;
mod figures;
mod guard;
mod lookup;
mod merge;
mod metadata;
mod mount;
mod policy;
mod problem;
mod publishing;
mod records;
mod refusal_kind;
#[cfg(test)]
mod restoring_tests;
mod routes;
mod settings;
mod socket;
mod subscriber;
mod subscribing;
mod timekeeping;
mod topic;
mod topics;
mod webhook;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use axum::http::request::Parts;
use futures_util::{StreamExt as _, stream};
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
pub use self::publishing::{EventRefused, Prepared, PublishRefusal, Published};
pub(crate) use self::refusal_kind::RefusalKind;
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
use self::timekeeping::Timekeeper;
use self::topic::{Closing, Command, Context, EndpointId, Topic};
use self::topics::Topics;
use self::webhook::WebhookSender;
use crate::allowance::Allowance;
use crate::audit::AuditLog;
use crate::clock::Clock;
use crate::fhircast::{Edition, EventError};
use crate::security::Authenticator;
use crate::store::{Store, StoreError};

/// The hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    settings: HubSettings,
    mounts: Arc<[Mount]>,
    timekeeper: Timekeeper,
    authenticator: Authenticator,
    audit: AuditLog,
    /// How many refused tokens are still audited one by one.
    refused_tokens: Mutex<Allowance>,
    /// Who calls webhooks, where a mount takes them.
    webhook_sender: Option<Arc<WebhookSender>>,
    topics: Arc<Topics>,
    /// What outlives the process.
    store: Store,
    /// Which topic each live endpoint belongs to.
    endpoints: RwLock<HashMap<EndpointId, Arc<str>>>,
    bindings: Bindings,
    counters: Counters,
    next_connection: AtomicU64,
    sockets: TaskTracker,
    shutdown: CancellationToken,
}

/// Why a hub cannot go on where it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds an event that no hub has written.
    #[error("the store holds a context that cannot be read: {0}; restore a backup")]
    Event(#[from] EventError),
}

/// Topics that do at the same time what is due.
const AT_ONCE: usize = 64;

/// How often what is due is looked for.
const TICK: Duration = Duration::from_secs(1);

impl Hub {
    /// A hub that lets everybody in and audits nothing; as [`Self::start`].
    pub fn new(settings: HubSettings, clock: Arc<dyn Clock>) -> Self {
        Self::start(settings, clock, Authenticator::open(), AuditLog::off())
    }

    /// A hub without topics, whose time is `clock`'s, which lets in whom `authenticator` lets in, and tells `audit` of it; it keeps
    /// nothing beyond the process. To be called within a tokio runtime, on which it keeps time until it is shut down or dropped.
    pub fn start(settings: HubSettings, clock: Arc<dyn Clock>, authenticator: Authenticator, audit: AuditLog) -> Self {
        let hub = Self::unstarted(settings, clock, authenticator, audit, Store::off());
        hub.run();
        hub
    }

    /// As [`Self::start`], with what `store` has kept; from then on nothing is answered or told before `store` has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        settings: HubSettings,
        clock: Arc<dyn Clock>,
        authenticator: Authenticator,
        audit: AuditLog,
        store: Store,
    ) -> Result<Self, RestoreError> {
        let hub = Self::unstarted(settings, clock, authenticator, audit, store);
        hub.restore()?;
        hub.run();
        Ok(hub)
    }

    fn unstarted(
        settings: HubSettings,
        clock: Arc<dyn Clock>,
        authenticator: Authenticator,
        audit: AuditLog,
        store: Store,
    ) -> Self {
        let mounts = settings.mounts();
        Self(Arc::new(Inner {
            topics: Topics::new(settings.max_topics, settings.limits(), store.clone()),
            store,
            webhook_sender: webhook_sender(&settings, &mounts),
            mounts: mounts.into(),
            settings,
            timekeeper: Timekeeper::new(clock),
            authenticator,
            audit,
            refused_tokens: Mutex::default(),
            endpoints: RwLock::default(),
            bindings: Bindings::default(),
            counters: Counters::default(),
            next_connection: AtomicU64::new(0),
            sockets: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }))
    }

    fn run(&self) {
        tokio::spawn(keep_time(Arc::downgrade(&self.0), self.0.shutdown.clone()));
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
    pub async fn lapse(&self) {
        if let Some(by) = self.0.timekeeper.put_right() {
            warn!(?by, "The machine's clock was set. Leases and tokens end by the new time.");
            self.0.counters.clock_settings.add(1);
            self.command_all(|_, _| Some(Command::ClockSet { by })).await;
        }
        let is_due = |topic: &Topic, now| topic.next_due().is_some_and(|due| due <= now);
        self.command_all(|topic, now| is_due(topic, now).then_some(Command::Lapse)).await;
    }

    /// Does to every topic what `command` says of it: nothing that can be refused, or needs anybody's promise.
    async fn command_all(&self, command: impl Fn(&Topic, Timestamp) -> Option<Command>) {
        let now = self.now();
        let command = async |name: Arc<str>| {
            let Some(turn) = self.0.topics.known(&name, now).await else { return };
            if let Some(command) = command(&turn.topic, now) {
                let _ = self.command(turn, command, now).await;
            }
        };
        stream::iter(self.0.topics.names()).for_each_concurrent(AT_ONCE, command).await;
    }

    /// What the hub has done since it started.
    pub fn counters(&self) -> Snapshot {
        self.0.counters.snapshot()
    }

    /// The subscriptions, as an operator sees them, at most so many; topic by topic.
    pub async fn subscribers(&self, most: usize) -> Vec<Subscriber> {
        let mut subscribers = Vec::new();
        for name in self.0.topics.names() {
            let Some(turn) = self.0.topics.known(&name, self.now()).await else { continue };
            let room = most.saturating_sub(subscribers.len());
            let digest = topic_digest(&name);
            subscribers.extend(turn.topic.subscribers(&digest).take(room));
        }
        subscribers.sort_by(|one, other| (&one.topic, &one.name).cmp(&(&other.topic, &other.name)));
        subscribers
    }

    /// How many topics there are.
    pub fn topics(&self) -> usize {
        self.0.topics.len()
    }

    /// Takes nothing new, and closes every socket with 1001; subscriptions stay (CLI-26). See [`Self::drained`].
    pub async fn shutdown(&self) {
        info!("Hub shuts down; closing its sockets.");
        self.0.shutdown.cancel();
        self.0.sockets.close();
        for name in self.0.topics.names() {
            if let Some(mut turn) = self.0.topics.known(&name, self.now()).await {
                turn.seats.close_all(Closing::ShuttingDown);
            }
        }
    }

    /// Waits until every socket has ended, each within its closing time, after [`Self::shutdown`].
    pub async fn drained(&self) {
        self.0.sockets.wait().await;
    }

    fn now(&self) -> Timestamp {
        self.0.timekeeper.now()
    }

    fn is_shutting_down(&self) -> bool {
        self.0.shutdown.is_cancelled()
    }

    /// The current context of `topic`; an unknown topic has none, and looks the same (CTX-09).
    async fn current_context(&self, topic: &str) -> Option<Context> {
        self.0.topics.known(topic, self.now()).await?.topic.current().cloned()
    }

    /// Whether anybody follows `topic`, or it is some user's (IRA-10).
    async fn is_session(&self, topic: &str) -> bool {
        self.0.topics.known(topic, self.now()).await.is_some_and(|turn| turn.topic.is_session())
    }

    /// Puts back what the store has kept, and calls webhooks again.
    fn restore(&self) -> Result<(), RestoreError> {
        let (now, limits) = (self.now(), self.0.topics.limits());
        for stored in self.0.store.topics()? {
            let (name, told) = (Arc::clone(&stored.topic.name), stored.topic.told.unwrap_or(Timestamp::MIN));
            let kept = records::kept(stored, &self.0.mounts)?;
            let mut endpoints = self.endpoints_mut();
            endpoints.extend(kept.subscriptions.iter().map(|kept| (kept.endpoint, Arc::clone(&name))));
            drop(endpoints);
            let subscriptions = kept.subscriptions.clone();
            self.0.topics.restore(&name, Topic::restore(limits, kept, now), told);
            subscriptions.into_iter().for_each(|kept| self.resume(&name, kept));
        }
        Ok(())
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
            Some(inner) => Hub(inner).lapse().await,
            None => return,
        }
    }
}
