//! `context` of an event: which of the mapping's resources stand in it, and which it has in a form of its own.
//!
//! `context = ["report", "patient"]` takes those; `[event.context.report]` merges over `[context.report]` for this event alone,
//! and `encounter = false` leaves one out.

use super::super::catalogue;
use super::super::diagnostics::Problem;
use super::super::file::{Entry, Item, Kind, Table};
use super::super::merge;
use super::super::plan::{Plan, ResourcePlan, Slot};
use super::super::source::Place;
use super::FileCompiler;
use crate::fhircast::EventName;

/// What an event's context is chosen from, and what is chosen.
pub(crate) struct EventContext<'p> {
    /// The keys that the event lists, where it lists them: no others are taken.
    pub(crate) listed: Option<Vec<(String, Place)>>,
    /// The keys that it names one by one, to change them or to leave them out.
    named: Vec<(String, Place)>,
    left_out: Vec<String>,
    /// All keys that there are; their numbers are those of their resources' ids.
    keys: Vec<String>,
    shared: &'p [ResourcePlan],
    /// Those of the event alone.
    own: &'p [ResourcePlan],
    /// The number that the first of `own` has in the plan.
    first_own: usize,
}

impl EventContext<'_> {
    /// Every key that the event says itself.
    pub(crate) fn named(&self) -> impl Iterator<Item = &(String, Place)> {
        self.listed.iter().flatten().chain(&self.named)
    }

    /// Whether the event is to hold `key` at all.
    pub(crate) fn chooses(&self, key: &str) -> bool {
        let listed = self.listed.as_ref().is_none_or(|listed| listed.iter().any(|(name, _)| name == key));
        listed && !self.left_out.iter().any(|name| name == key)
    }

    /// The place of `key`, not yet required, and the resource that stands there; the event's own before the mapping's.
    pub(crate) fn slot(&self, key: &str) -> Option<(Slot, &ResourcePlan)> {
        let position = |resources: &[ResourcePlan]| resources.iter().position(|resource| resource.key == key);
        let (resource, plan) = match position(self.own) {
            Some(index) => (self.first_own + index, &self.own[index]),
            None => position(self.shared).map(|index| (index, &self.shared[index]))?,
        };
        let reference = self.keys.iter().position(|known| known == key)?;
        Some((Slot { resource, reference, required: false, identified: false }, plan))
    }
}

/// What an event says of its context.
#[derive(Default)]
struct Said<'e> {
    listed: Option<Vec<(String, Place)>>,
    named: Vec<(String, Place)>,
    left_out: Vec<String>,
    changed: Vec<&'e Entry>,
}

impl FileCompiler<'_, '_> {
    /// The slots of the event `name`. Its own resources are kept for the plan.
    pub(super) fn slots(
        &mut self,
        name: &EventName,
        place: Place,
        context: Option<&Entry>,
        root: &Table,
        plan: &Plan,
    ) -> Vec<Slot> {
        let Some(said) = context.map_or_else(|| Some(Said::default()), |entry| self.said(entry)) else {
            return Vec::new();
        };
        let mut keys: Vec<String> = plan.resources.iter().map(|resource| resource.key.clone()).collect();
        let new = said.changed.iter().map(|entry| &entry.key).filter(|key| !keys.contains(key));
        keys.extend(new.cloned().collect::<Vec<_>>());
        let own: Vec<ResourcePlan> =
            said.changed.iter().filter_map(|entry| self.own_resource(entry, root, &keys)).collect();
        let first_own = plan.resources.len() + self.own_resources.len();
        let Said { listed, named, left_out, .. } = said;
        let context = EventContext { listed, named, left_out, keys, shared: &plan.resources, own: &own, first_own };
        let slots = catalogue::slots(name, place, &context).unwrap_or_else(|problems| {
            // What the event needs may stand in what the file extends.
            if !self.names.partial {
                self.compiler.problems.extend(problems);
            }
            Vec::new()
        });
        self.own_resources.extend(own);
        slots
    }

    /// The mapping's resource with the event's own words over it.
    fn own_resource(&mut self, entry: &Entry, root: &Table, keys: &[String]) -> Option<ResourcePlan> {
        let shared = root.get("context").and_then(|context| match &context.item.kind {
            Kind::Table(context) => context.get(&entry.key),
            _ => None,
        });
        let keys_of_all = std::mem::take(&mut self.names.keys);
        let resource = match shared {
            Some(shared) => self.resource("event.context", &merge::over(shared, entry), keys),
            None => self.resource("event.context", entry, keys),
        };
        self.names.keys = keys_of_all;
        resource
    }

    fn said<'e>(&mut self, context: &'e Entry) -> Option<Said<'e>> {
        match &context.item.kind {
            Kind::Array(items) => Some(Said { listed: Some(self.listed(items)?), ..Said::default() }),
            Kind::Table(table) => Some(self.chosen(table)),
            _ => {
                self.report_form(context.item.place);
                None
            }
        }
    }

    fn listed(&mut self, items: &[Item]) -> Option<Vec<(String, Place)>> {
        let key = |item: &Item| match &item.kind {
            Kind::Text(text) => Some((text.text.clone(), item.place)),
            _ => {
                self.report_form(item.place);
                None
            }
        };
        items.iter().map(key).collect()
    }

    fn chosen<'e>(&mut self, table: &'e Table) -> Said<'e> {
        let mut said = Said::default();
        for entry in &table.entries {
            said.named.push((entry.key.clone(), entry.place));
            match &entry.item.kind {
                Kind::Table(_) => said.changed.push(entry),
                Kind::Scalar(value) if value == "false" => said.left_out.push(entry.key.clone()),
                _ => {
                    let message = "what an event changes in a resource is a table; `false` leaves the resource out";
                    self.problem(Problem::new(entry.item.place, message));
                }
            }
        }
        said
    }

    fn report_form(&mut self, place: Place) {
        let message = "the context of an event is a list of keys: [\"study\", \"patient\"]";
        let help = "or a table of what is different in it: [event.context.study]";
        self.problem(Problem::new(place, message).help(help));
    }
}
