//! The open contexts of a topic, and which of them is the current one (CTX-01 to CTX-06).

use std::sync::Arc;

use jiff::Timestamp;

use super::content::Content;
use crate::fhircast::{Event, ResourceKey, Version};

/// An open context: the open that made it, its version, and what has been shared in it.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// What it is about.
    pub(crate) anchor: ResourceKey,
    /// The latest open of the anchor.
    pub(crate) event: Arc<Event>,
    /// Its version.
    pub(crate) version: Version,
    /// The version that the last change has taken the place of, if that was an update (CLI-37).
    pub(crate) prior: Option<Version>,
    /// What has been shared in it.
    pub(crate) content: Content,
    /// The place of its latest open in the topic's order.
    pub(in crate::hub) opened_at: u64,
    /// When that open happened, as far as is known: what is older cannot have been meant for it.
    pub(in crate::hub) since: Timestamp,
}

/// The contexts of one topic.
#[derive(Clone, Debug)]
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

    /// Opens the context of `anchor`, or makes it the current one again, with its content (CTX-05). Where there are too many,
    /// the one opened longest ago goes, and is given back: its system has forgotten to close it.
    pub(super) fn open(
        &mut self,
        anchor: &ResourceKey,
        event: Arc<Event>,
        version: Version,
        opened_at: u64,
        since: Timestamp,
    ) -> Option<ResourceKey> {
        let before = self.position(anchor).map(|index| self.open.remove(index));
        let gone = (self.open.len() >= self.max).then(|| self.open.remove(0).anchor);
        let content = before.map(|context| context.content).unwrap_or_default();
        self.open.push(Context { anchor: anchor.clone(), event, version, prior: None, content, opened_at, since });
        self.last_is_current = true;
        gone
    }

    /// The contexts of a topic that was kept, oldest open first.
    pub(super) fn restore(max: usize, open: Vec<Context>, last_is_current: bool) -> Self {
        Self { open, last_is_current, ..Self::new(max) }
    }

    /// Closes the context of `anchor`, with its content (UPD-10). If it was the current one, none is, whatever else is open
    /// (CTX-03, CTX-04). False when it was not open (CTX-06).
    pub(super) fn close(&mut self, anchor: &ResourceKey) -> bool {
        let Some(index) = self.position(anchor) else { return false };
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

    pub(super) fn get(&self, anchor: &ResourceKey) -> Option<&Context> {
        self.open.iter().find(|context| context.anchor == *anchor)
    }

    pub(super) fn get_mut(&mut self, anchor: &ResourceKey) -> Option<&mut Context> {
        self.open.iter_mut().find(|context| context.anchor == *anchor)
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

    /// All of them, the one opened longest ago first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Context> {
        self.open.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn position(&self, anchor: &ResourceKey) -> Option<usize> {
        self.open.iter().position(|context| context.anchor == *anchor)
    }
}
