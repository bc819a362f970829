//! The open contexts of a topic, and which one is current (CTX-01 to CTX-08).

use std::collections::HashSet;
use std::sync::Arc;

use crate::fhircast::Action;
use crate::fhircast::event::{Anchor, Event};

/// Contexts that a topic may hold open; the one opened longest ago goes first.
const MAX_OPEN: usize = 32;

/// The open contexts, the one opened longest ago first.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    open: Vec<Context>,
    current: Option<Anchor>,
}

#[derive(Debug)]
struct Context {
    anchor: Anchor,
    /// The event that opened it, as it is told again to who connects later (CONF-03).
    event: Arc<Event>,
    version: Arc<str>,
}

/// The current context.
#[derive(Debug)]
pub(in crate::hub) struct Current<'t> {
    /// What it is about.
    pub(in crate::hub) anchor: &'t Anchor,
    /// The event that opened it.
    pub(in crate::hub) event: &'t Arc<Event>,
    /// Its version.
    pub(in crate::hub) version: &'t Arc<str>,
}

impl Contexts {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn current(&self) -> Option<Current<'_>> {
        let anchor = self.current.as_ref()?;
        let context = self.open.iter().find(|context| context.anchor == *anchor)?;
        Some(Current { anchor: &context.anchor, event: &context.event, version: &context.version })
    }

    /// Opens what `event` is about, or makes it current again (CTX-05).
    pub(super) fn open(&mut self, event: Arc<Event>, version: Arc<str>) {
        let Some(anchor) = event.anchor.clone() else { return };
        self.open.retain(|context| context.anchor != anchor);
        if self.open.len() == MAX_OPEN {
            self.open.remove(0);
        }
        self.current = Some(anchor.clone());
        self.open.push(Context { anchor, event, version });
    }

    /// What any other event does to the contexts: a close ends the one it names (CTX-03, CTX-04, CTX-06), and `Home-open`
    /// leaves none current (CTX-08).
    pub(super) fn leave(&mut self, event: &Event) {
        if event.name.is("Home-open") {
            self.current = None;
        }
        let Some(anchor) = event.anchor.as_ref().filter(|_| event.name.action() == Some(Action::Close)) else { return };
        self.open.retain(|context| context.anchor != *anchor);
        if self.current.as_ref() == Some(anchor) {
            self.current = None;
        }
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.current = None;
    }

    /// The most recent open of each anchor type, oldest first (CONF-02).
    pub(super) fn latest_of_each_type(&self) -> Vec<(&Arc<Event>, &Arc<str>)> {
        let mut types = HashSet::new();
        let newest_first = self.open.iter().rev().filter(|context| types.insert(context.anchor.resource.as_str()));
        let mut latest: Vec<_> = newest_first.map(|context| (&context.event, &context.version)).collect();
        latest.reverse();
        latest
    }
}
