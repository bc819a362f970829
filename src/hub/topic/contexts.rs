//! The open contexts of a topic, and which of them is the current one (CTX-01 to CTX-06).

use std::sync::Arc;

use crate::fhircast::{Anchor, Event, Version};

/// An open context: the open that made it, and its version.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// What it is about.
    pub(crate) anchor: Anchor,
    /// The latest open of the anchor.
    pub(crate) event: Arc<Event>,
    /// The anchor's version.
    pub(crate) version: Version,
}

/// The contexts of one topic.
#[derive(Debug)]
pub(super) struct Contexts {
    /// By their latest open, oldest first; each anchor once; `open.len() <= max`.
    open: Vec<Context>,
    /// Whether the last of `open` is the current context. No other can be: each open makes its own the current one.
    last_is_current: bool,
    max: usize,
}

impl Contexts {
    pub(super) fn new(max: usize) -> Self {
        Self { open: Vec::new(), last_is_current: false, max: max.max(1) }
    }

    /// Opens the context of `event`, or makes it the current one again (CTX-05). Where there are too many, the one opened
    /// longest ago goes: its system has forgotten to close it.
    pub(super) fn open(&mut self, event: Arc<Event>, version: Version) {
        let Some(anchor) = event.anchor.clone() else { return };
        self.open.retain(|context| context.anchor != anchor);
        if self.open.len() >= self.max {
            self.open.remove(0);
        }
        self.open.push(Context { anchor, event, version });
        self.last_is_current = true;
    }

    /// Closes the context of `anchor`. If it was the current one, none is, whatever else is open (CTX-03, CTX-04). False when
    /// it was not open (CTX-06).
    pub(super) fn close(&mut self, anchor: &Anchor) -> bool {
        let Some(index) = self.open.iter().position(|context| context.anchor == *anchor) else { return false };
        if index + 1 == self.open.len() {
            self.last_is_current = false;
        }
        self.open.remove(index);
        true
    }

    /// Leaves the current context without closing it (CTX-08).
    pub(super) fn leave(&mut self) {
        self.last_is_current = false;
    }

    pub(super) fn current(&self) -> Option<&Context> {
        self.open.last().filter(|_| self.last_is_current)
    }

    /// For each type of anchor the latest open one, oldest first (CONF-02).
    pub(super) fn latest_of_each_type(&self) -> impl Iterator<Item = &Context> {
        let superseded = |index: usize, context: &Context| {
            self.open[index + 1..].iter().any(|later| later.anchor.resource_type == context.anchor.resource_type)
        };
        self.open
            .iter()
            .enumerate()
            .filter(move |(index, context)| !superseded(*index, context))
            .map(|(_, context)| context)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
