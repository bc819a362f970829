//! The latest events of a topic: by them a resend is told from a new event (IRA-11, CLI-35).

use std::collections::VecDeque;
use std::sync::Arc;

use super::command::Outcome;
use crate::fhircast::{Event, Versions};

/// The latest events, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History(VecDeque<Past>);

/// An event that was accepted.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Past {
    pub(in crate::hub) id: Arc<str>,
    pub(in crate::hub) fingerprint: u64,
    /// Its place in the topic's order.
    pub(in crate::hub) sequence: u64,
    /// The versions that it was distributed with.
    pub(in crate::hub) versions: Option<Versions>,
    /// What its publisher was answered.
    pub(in crate::hub) outcome: Outcome,
    /// Whether a SyncError was told about it since.
    pub(in crate::hub) failed: bool,
}

/// How many are remembered (IRA-11).
const LENGTH: usize = 64;

impl History {
    /// The latest time that this very event was accepted. Another event under the same id is none (CLI-35).
    pub(super) fn find(&self, event: &Event) -> Option<&Past> {
        self.0.iter().rev().find(|past| *past.id == event.id && past.fingerprint == event.fingerprint)
    }

    /// Whether the id was used by another event.
    pub(super) fn id_is_taken(&self, event: &Event) -> bool {
        self.0.iter().any(|past| *past.id == event.id && past.fingerprint != event.fingerprint)
    }

    /// Notes that `event` was accepted.
    pub(super) fn note(&mut self, event: &Event, sequence: u64, versions: Option<Versions>, outcome: Outcome) {
        if self.0.len() >= LENGTH {
            self.0.pop_front();
        }
        let (id, fingerprint) = (event.id.as_str().into(), event.fingerprint);
        self.0.push_back(Past { id, fingerprint, sequence, versions, outcome, failed: false });
    }

    /// Notes that a SyncError was told about the event `id`; false where that is nothing new.
    pub(super) fn fail(&mut self, id: &str) -> bool {
        let mut noted = false;
        for past in self.0.iter_mut().filter(|past| *past.id == *id && !past.failed) {
            past.failed = true;
            noted = true;
        }
        noted
    }

    /// The event that was accepted last.
    pub(super) fn latest(&self) -> Option<&Past> {
        self.0.back()
    }

    /// The latest events of a topic that was kept, oldest first.
    pub(super) fn restore(events: Vec<Past>) -> Self {
        Self(events.into_iter().rev().take(LENGTH).rev().collect())
    }
}
