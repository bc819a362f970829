//! What has been shared in a context: resources by type and id, changed as a whole or not at all (UPD-04, CLI-54).

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::fhircast::ResourceKey;
use crate::fhircast::update::ContentChange;

/// The content of one context, in the order in which it was added. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Content {
    resources: Arc<IndexMap<ResourceKey, Arc<RawValue>>>,
    bytes: usize,
}

/// Never the resources: they name patients.
impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Content({} resources)", self.resources.len())
    }
}

/// There would be more than there may be (UPD-13).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Content {
    /// What was shared before, in its order.
    pub(in crate::hub) fn restore(resources: impl IntoIterator<Item = (ResourceKey, Arc<RawValue>)>) -> Self {
        let mut content = Self::default();
        for (key, resource) in resources {
            content.put(&key, &resource);
        }
        content
    }

    /// The content after `changes`, of at most `most` resources and `most_bytes` bytes of JSON.
    pub(super) fn changed(&self, changes: &[ContentChange], most: usize, most_bytes: usize) -> Result<Self, TooLarge> {
        let mut changed = self.clone();
        for change in changes {
            match change {
                ContentChange::Delete(key) => changed.remove(key),
                ContentChange::Put(key, resource) => changed.put(key, resource),
            }
        }
        if changed.resources.len() > most || changed.bytes > most_bytes { Err(TooLarge) } else { Ok(changed) }
    }

    /// The resources, in the order in which they were added.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &RawValue> {
        self.resources.values().map(AsRef::as_ref)
    }

    /// The one of this type and id.
    pub(crate) fn get(&self, key: &ResourceKey) -> Option<&RawValue> {
        self.resources.get(key).map(AsRef::as_ref)
    }

    /// Whether there is one of this type and id.
    pub(super) fn holds(&self, key: &ResourceKey) -> bool {
        self.resources.contains_key(key)
    }

    fn put(&mut self, key: &ResourceKey, resource: &Arc<RawValue>) {
        self.bytes += resource.get().len();
        if let Some(replaced) = Arc::make_mut(&mut self.resources).insert(key.clone(), Arc::clone(resource)) {
            self.bytes -= replaced.get().len();
        }
    }

    fn remove(&mut self, key: &ResourceKey) {
        if let Some(removed) = Arc::make_mut(&mut self.resources).shift_remove(key) {
            self.bytes -= removed.get().len();
        }
    }
}
