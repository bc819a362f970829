//! Whether the gateway can do its work now: named conditions, each set by whoever knows, and whether it is draining.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// What must be so for the gateway to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Every address is bound, and served.
    Listeners,
    /// The mapping files are loaded.
    Mappings,
    /// What is acknowledged can be made durable.
    Store,
}

/// Whether a condition is met, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// Which.
    pub condition: Condition,
    /// What is in the way, as a fragment for the operator: `starting`; `None`: nothing is.
    pub unmet: Option<&'static str>,
}

/// The handle by which conditions are set. Clones are the same; at first none is met.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    states: [State; Condition::ALL.len()],
    draining: bool,
}

impl Condition {
    /// Every condition.
    pub const ALL: [Self; 3] = [Self::Listeners, Self::Mappings, Self::Store];
}

impl Default for Inner {
    fn default() -> Self {
        Self { states: Condition::ALL.map(|condition| State { condition, unmet: Some("starting") }), draining: false }
    }
}

impl Readiness {
    /// `condition` is met from now on.
    pub fn met(&self, condition: Condition) {
        self.set(condition, None);
    }

    /// `condition` is not met from now on; `why` is a fragment for the operator, such as `the disk is full`.
    pub fn unmet(&self, condition: Condition, why: &'static str) {
        self.set(condition, Some(why));
    }

    /// Never ready again: to be said before anything closes, so that nobody is sent here any more.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    /// Whether it drains.
    pub fn is_draining(&self) -> bool {
        self.lock().draining
    }

    /// Whether work may be sent here: every condition is met, and it does not drain.
    pub fn is_ready(&self) -> bool {
        let inner = self.lock();
        !inner.draining && inner.states.iter().all(|state| state.unmet.is_none())
    }

    /// Every condition.
    pub fn states(&self) -> Vec<State> {
        self.lock().states.to_vec()
    }

    fn set(&self, condition: Condition, unmet: Option<&'static str>) {
        self.lock()
            .states
            .iter_mut()
            .filter(|state| state.condition == condition)
            .for_each(|state| state.unmet = unmet);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_only_with_every_condition_met_and_never_again_once_it_drains() {
        let readiness = Readiness::default();
        for condition in Condition::ALL {
            assert!(!readiness.is_ready(), "before {condition:?}");
            readiness.met(condition);
        }
        assert!(readiness.is_ready());
        readiness.unmet(Condition::Store, "the disk is full");
        assert!(!readiness.is_ready());
        let unmet: Vec<_> = readiness.states().into_iter().filter_map(|state| state.unmet).collect();
        assert_eq!(unmet, ["the disk is full"]);
        readiness.met(Condition::Store);
        assert!(readiness.is_ready());
        readiness.drain();
        Condition::ALL.into_iter().for_each(|condition| readiness.met(condition));
        assert!(!readiness.is_ready() && readiness.is_draining());
    }
}
