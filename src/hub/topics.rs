//! Every topic that the hub knows, each behind a short lock of its own, found through shards.
//!
//! Knows nothing of what a topic does. No lock here is held across an await.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::delivery::Seats;
use super::topic::{Limits, Topic};
use crate::allowance::Allowance;

/// A topic, and its sockets.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) topic: Topic,
    pub(super) seats: Seats,
    /// What applications may publish.
    pub(super) allowance: Allowance,
    /// The time of the latest event that the gateway itself has told (CLI-32).
    pub(super) told: Timestamp,
    /// Taken out of the map: whoever waited for its lock looks again.
    forgotten: bool,
}

/// All topics.
#[derive(Debug)]
pub(super) struct Topics {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    count: AtomicUsize,
    max: usize,
    limits: Limits,
}

type Shard = HashMap<Arc<str>, Arc<Mutex<Slot>>>;

/// There are as many topics as there may be.
#[derive(Debug)]
pub(super) struct Full;

/// More than there are cores, so that two rarely want the same.
const SHARDS: usize = 64;

impl Topics {
    pub(super) fn new(max: usize, limits: Limits) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, hasher: RandomState::new(), count: AtomicUsize::new(0), max, limits }
    }

    /// Does `work` on the topic `name`, which is made if need be, and forgotten if nothing is left in it afterwards.
    pub(super) fn with<R>(&self, name: &str, now: Timestamp, work: impl FnOnce(&mut Slot) -> R) -> Result<R, Full> {
        loop {
            let found = self.found_or_made(name, now)?;
            let mut slot = lock(&found);
            if !slot.forgotten {
                let result = work(&mut slot);
                self.forget_if_idle(name, slot, now);
                return Ok(result);
            }
        }
    }

    /// Does `work` on the topic `name` if it is there.
    pub(super) fn with_known<R>(&self, name: &str, now: Timestamp, work: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        let found = lock(self.shard(name)).get(name).map(Arc::clone)?;
        let mut slot = lock(&found);
        if slot.forgotten {
            return None;
        }
        let result = work(&mut slot);
        self.forget_if_idle(name, slot, now);
        Some(result)
    }

    /// Does `work` on every topic, one after another.
    pub(super) fn each(&self, now: Timestamp, mut work: impl FnMut(&str, &mut Slot)) {
        for shard in &self.shards {
            let names: Vec<Arc<str>> = lock(shard).keys().map(Arc::clone).collect();
            for name in names {
                self.with_known(&name, now, |slot| work(&name, slot));
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn found_or_made(&self, name: &str, now: Timestamp) -> Result<Arc<Mutex<Slot>>, Full> {
        let mut shard = lock(self.shard(name));
        if let Some(found) = shard.get(name) {
            return Ok(Arc::clone(found));
        }
        if self.len() >= self.max {
            return Err(Full);
        }
        let slot = Slot {
            topic: Topic::new(self.limits, now),
            seats: Seats::default(),
            allowance: Allowance::default(),
            told: Timestamp::MIN,
            forgotten: false,
        };
        let made = Arc::new(Mutex::new(slot));
        shard.insert(name.into(), Arc::clone(&made));
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(made)
    }

    /// The topic's lock is let go before its shard's is taken: the other order is the one in which they are looked up.
    fn forget_if_idle(&self, name: &str, mut slot: MutexGuard<'_, Slot>, now: Timestamp) {
        if !slot.topic.is_forgettable(now) || !slot.allowance.is_unused(now) {
            return;
        }
        slot.forgotten = true;
        drop(slot);
        if lock(self.shard(name)).remove(name).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn shard(&self, name: &str) -> &Mutex<Shard> {
        let hash = usize::try_from(self.hasher.hash_one(name) % 64).unwrap_or_default();
        &self.shards[hash % SHARDS]
    }
}

/// Whatever panicked while holding the lock, state machines change only after they have decided.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
