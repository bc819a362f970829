//! Every topic that the hub knows, found through shards. Who has a topic's [`Turn`] has it alone, until what it changes is
//! durable; the others wait, in the order in which they came.
//!
//! Knows nothing of what a topic does.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use super::delivery::Seats;
use super::topic::{Limits, Topic};
use crate::allowance::Allowance;
use crate::store::{Store, Transaction, Write};

/// A topic, and its sockets.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) topic: Topic,
    pub(super) seats: Seats,
    /// What applications may publish.
    pub(super) allowance: Allowance,
    /// The time of the latest event that the gateway itself has told (CLI-32).
    pub(super) told: Timestamp,
    /// Whether the store has it.
    pub(super) is_stored: bool,
    /// Taken out of the map: whoever waited for its turn looks again.
    forgotten: bool,
}

/// All topics.
pub(super) struct Topics {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    count: AtomicUsize,
    max: usize,
    limits: Limits,
    store: Store,
}

type Shard = HashMap<Arc<str>, Arc<tokio::sync::Mutex<Slot>>>;

/// There are as many topics as there may be.
#[derive(Debug)]
pub(super) struct Full;

/// More than there are cores, so that two rarely want the same.
const SHARDS: usize = 64;

/// The right to a topic. A topic in which nothing is left is forgotten when it is given back.
pub(super) struct Turn {
    pub(super) name: Arc<str>,
    slot: OwnedMutexGuard<Slot>,
    topics: Arc<Topics>,
    now: Timestamp,
}

impl Topics {
    pub(super) fn new(max: usize, limits: Limits, store: Store) -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Self { shards, hasher: RandomState::new(), count: AtomicUsize::new(0), max, limits, store })
    }

    /// The turn of the topic `name`, which is made if need be.
    pub(super) async fn turn(self: &Arc<Self>, name: &str, now: Timestamp) -> Result<Turn, Full> {
        loop {
            let (name, found) = self.found_or_made(name, now)?;
            if let Some(turn) = self.wait(name, found, now).await {
                return Ok(turn);
            }
        }
    }

    /// The turn of the topic `name` if it is there.
    pub(super) async fn known(self: &Arc<Self>, name: &str, now: Timestamp) -> Option<Turn> {
        let (name, found) =
            lock(self.shard(name)).get_key_value(name).map(|(name, slot)| (name.clone(), slot.clone()))?;
        self.wait(name, found, now).await
    }

    async fn wait(
        self: &Arc<Self>,
        name: Arc<str>,
        slot: Arc<tokio::sync::Mutex<Slot>>,
        now: Timestamp,
    ) -> Option<Turn> {
        let slot = slot.lock_owned().await;
        (!slot.forgotten).then(|| Turn { name, slot, topics: Arc::clone(self), now })
    }

    /// The names of all topics.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.shards.iter().flat_map(|shard| lock(shard).keys().map(Arc::clone).collect::<Vec<_>>()).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Puts a topic back that was kept.
    pub(super) fn restore(&self, name: &Arc<str>, topic: Topic, told: Timestamp) {
        let slot = Slot { told, is_stored: true, ..Slot::new(topic) };
        let made = Arc::new(tokio::sync::Mutex::new(slot));
        if lock(self.shard(name)).insert(Arc::clone(name), made).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    fn found_or_made(&self, name: &str, now: Timestamp) -> Result<(Arc<str>, Arc<tokio::sync::Mutex<Slot>>), Full> {
        let mut shard = lock(self.shard(name));
        if let Some((name, found)) = shard.get_key_value(name) {
            return Ok((Arc::clone(name), Arc::clone(found)));
        }
        if self.len() >= self.max {
            return Err(Full);
        }
        let made = Arc::new(tokio::sync::Mutex::new(Slot::new(Topic::new(self.limits, now))));
        let name: Arc<str> = name.into();
        shard.insert(Arc::clone(&name), Arc::clone(&made));
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok((name, made))
    }

    fn shard(&self, name: &str) -> &Mutex<Shard> {
        let hash = usize::try_from(self.hasher.hash_one(name) % 64).unwrap_or_default();
        &self.shards[hash % SHARDS]
    }
}

impl Slot {
    fn new(topic: Topic) -> Self {
        Self {
            topic,
            seats: Seats::default(),
            allowance: Allowance::default(),
            told: Timestamp::MIN,
            is_stored: false,
            forgotten: false,
        }
    }
}

impl std::ops::Deref for Turn {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        &self.slot
    }
}

impl std::ops::DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Slot {
        &mut self.slot
    }
}

impl Drop for Turn {
    /// While it has the topic's turn nobody looks the topic up under its shard's lock and waits: the order of the locks is safe.
    fn drop(&mut self) {
        let slot = &mut *self.slot;
        if !slot.topic.is_forgettable(self.now) || !slot.allowance.is_unused(self.now) {
            return;
        }
        // Where the store has no room for it now, the next tick is soon enough.
        let forget = || Transaction(vec![Write::ForgetTopic(Arc::clone(&self.name))]);
        if slot.is_stored && !self.topics.store.commit_soon(forget()) {
            return;
        }
        slot.forgotten = true;
        if lock(self.topics.shard(&self.name)).remove(&self.name).is_some() {
            self.topics.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whatever panicked while holding the lock, maps change only as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
