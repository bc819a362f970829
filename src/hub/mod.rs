//! The embedded FHIRcast hub.
//!
//! `topic` decides, as a pure state machine; this shell keeps the topics, performs what they decide, and speaks to the
//! sockets. The hub relays resources as they came, and models no FHIR.

mod acknowledgement;
mod endpoint;
mod messages;
mod routes;
mod session;
mod settings;
mod socket;
mod topic;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fhircast_gateway_adapter_api::Clock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::settings::HubSettings;

use self::session::Session;
use self::settings::duration;
use self::topic::{Command, Rules, SubscriptionId, TopicError};
use crate::fhircast::event::Event;
use crate::fhircast::subscription;

/// The hub; clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    settings: HubSettings,
    clock: Arc<dyn Clock>,
    shards: Vec<Shard>,
    hasher: RandomState,
    /// Which topic each endpoint belongs to.
    endpoints: Mutex<HashMap<SubscriptionId, Arc<str>>>,
    sockets: TaskTracker,
    shutdown: CancellationToken,
}

/// Some of the topics, each behind a lock of its own that is held for microseconds and never across an await.
type Shard = Mutex<HashMap<Arc<str>, Arc<Mutex<Session>>>>;

/// What became of a published event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The version that an open got (UPD-01).
    pub version: Option<String>,
    /// How many subscribers it was for.
    pub subscribers: usize,
}

/// Why the hub did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The topic has as many subscriptions as it may.
    #[error("this topic has as many subscriptions as the hub allows; end one, or try again later")]
    TopicFull,
    /// The topic is no topic.
    #[error(transparent)]
    TopicName(#[from] NoTopic),
    /// There are as many topics as there may be.
    #[error("the hub has as many topics as it is configured for; try again later")]
    TooManyTopics,
    /// No such subscription (SUB-12, UNS-04, CONF-05).
    #[error("there is no such subscription: it has ended, or is another topic's")]
    UnknownSubscription,
}

/// A topic that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topic has 1 to 512 characters, none of them a control character")]
pub struct NoTopic;

impl From<TopicError> for HubError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Full => Self::TopicFull,
            TopicError::Unknown => Self::UnknownSubscription,
        }
    }
}

/// Topics are spread over this many maps, so that they do not wait for one another.
const SHARDS: usize = 32;

/// How often it is looked at what has run out.
const TICK: Duration = Duration::from_millis(500);

/// How long sockets may take to close when the hub ends.
const CLOSING: Duration = Duration::from_secs(5);

impl Hub {
    /// A hub without topics.
    pub fn new(settings: HubSettings, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            settings,
            clock,
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
            endpoints: Mutex::default(),
            sockets: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }))
    }

    /// `hub.url`, where the hub is served at `address`.
    pub fn url(&self, address: SocketAddr) -> String {
        let base = self.0.settings.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        format!("{}{}", base.trim_end_matches('/'), self.0.settings.path)
    }

    /// Publishes an event to a topic.
    ///
    /// # Errors
    /// When there can be no such topic, or no more topics.
    pub async fn publish(&self, topic: &str, event: Event) -> Result<Published, HubError> {
        subscription::topic(topic).map_err(|_| NoTopic)?;
        let version = Uuid::new_v4().to_string();
        let opens = event.opens();
        let subscribers = self.with_topic(topic, |session, hub| {
            let effects = session.apply(Command::Publish(event, version.clone()), hub.0.clock.now())?;
            Ok(session.perform(effects, hub, topic))
        })?;
        Ok(Published { version: opens.then_some(version), subscribers })
    }

    /// Looks after what runs out, until `shutdown`; then closes every socket as going away, and waits for that.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => self.tick(),
            }
        }
        self.0.shutdown.cancel();
        self.0.sockets.close();
        let _ = tokio::time::timeout(CLOSING, self.0.sockets.wait()).await;
    }

    fn tick(&self) {
        let now = self.0.clock.now();
        for shard in &self.0.shards {
            let sessions: Vec<_> =
                lock(shard).iter().map(|(name, session)| (Arc::clone(name), Arc::clone(session))).collect();
            for (name, session) in sessions {
                let mut session = lock(&session);
                if let Ok(effects) = session.apply(Command::Tick, now) {
                    session.perform(effects, self, &name);
                }
            }
            lock(shard).retain(|_, session| Arc::strong_count(session) > 1 || !lock(session).is_idle());
        }
        self.forget_dead_endpoints();
    }

    /// An endpoint outlives its subscription only until the next tick.
    fn forget_dead_endpoints(&self) {
        let known: Vec<_> = lock(&self.0.endpoints).iter().map(|(id, topic)| (*id, Arc::clone(topic))).collect();
        for (id, topic) in known {
            let alive = self.existing(&topic).is_some_and(|session| lock(&session).holds(id));
            if !alive {
                lock(&self.0.endpoints).remove(&id);
            }
        }
    }

    /// Does something with the topic `name`, which is made where there is none.
    fn with_topic<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Session, &Self) -> Result<T, TopicError>,
    ) -> Result<T, HubError> {
        let session = self.existing(name).map_or_else(|| self.make(name), Ok)?;
        let mut session = lock(&session);
        Ok(act(&mut session, self)?)
    }

    fn existing(&self, name: &str) -> Option<Arc<Mutex<Session>>> {
        lock(self.shard(name)).get(name).cloned()
    }

    fn make(&self, name: &str) -> Result<Arc<Mutex<Session>>, HubError> {
        let mut shard = lock(self.shard(name));
        // Spread evenly, so that each map may hold its share.
        if shard.len() > self.0.settings.max_topics / SHARDS {
            return Err(HubError::TooManyTopics);
        }
        let session = shard.entry(name.into()).or_insert_with(|| Arc::new(Mutex::new(Session::new(self.rules()))));
        Ok(Arc::clone(session))
    }

    fn shard(&self, name: &str) -> &Shard {
        let hash = usize::try_from(self.0.hasher.hash_one(name) % SHARDS as u64).unwrap_or_default();
        &self.0.shards[hash]
    }

    fn rules(&self) -> Rules {
        let settings = &self.0.settings;
        Rules {
            connect_within: duration(settings.connect_within),
            response_time: duration(settings.response_time),
            reconnect_grace: duration(settings.reconnect_grace),
            max_subscriptions: settings.max_subscriptions_per_topic,
        }
    }

    /// The topic of an endpoint, as it was subscribed.
    fn topic_of(&self, id: SubscriptionId) -> Option<Arc<str>> {
        lock(&self.0.endpoints).get(&id).cloned()
    }
}

/// Nothing is done under these locks that could leave what they guard half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A topic as it may stand in a log: it is nearly a credential.
fn digest(topic: &str) -> String {
    SubscriptionId(endpoint::sha_256(topic.as_bytes())).short()
}
