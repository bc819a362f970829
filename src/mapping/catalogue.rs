//! The check of a mapping against FHIRcast's catalogue of events (REQ-05): what an event needs, the mapping must be able to give.

use super::diagnostics::{Problem, did_you_mean};
use super::file::{Entry, Kind};
use super::plan::{Plan, Slot};
use super::source::Place;
use crate::fhircast::EventName;
use crate::fhircast::catalogue::{ContextKey, DEFINITIONS, definition};

/// Every context key of the catalogue.
pub(crate) const KEYS: [&str; 4] = ["patient", "encounter", "study", "report"];

/// The FHIR type of what stands under `key` in the catalogue's events.
pub(crate) fn resource_of(key: &str) -> Option<&'static str> {
    DEFINITIONS.iter().flat_map(|definition| definition.keys).find(|known| known.key == key).map(|known| known.resource)
}

/// The context entries of the event `name`, declared at `place`, of the mapping's resources; in the order of the definition.
/// `listed` is the event's own list of keys, if it has one.
pub(crate) fn slots(
    name: &EventName,
    place: Place,
    listed: Option<&Entry>,
    plan: &Plan,
) -> Result<Vec<Slot>, Vec<Problem>> {
    let listed = listed.map(keys).transpose()?;
    let wanted = match (definition(name), &listed) {
        (Some(definition), listed) => return defined(name, place, definition.keys, listed.as_deref(), plan),
        (None, Some(listed)) => listed,
        (None, None) if name.resource().is_none() => return Ok(Vec::new()),
        (None, None) => {
            let message = format!("{name} is not in FHIRcast's catalogue, so its context must be said");
            return Err(vec![Problem::new(place, message).help("write context = [\"patient\"], say")]);
        }
    };
    let slot = |key: &(String, Place)| match resource(plan, &key.0) {
        Some(resource) => Ok(Slot { resource, required: true, identified: false }),
        None => Err(vec![no_resource(key)]),
    };
    wanted.iter().map(slot).collect()
}

/// The keys that an event lists.
fn keys(entry: &Entry) -> Result<Vec<(String, Place)>, Vec<Problem>> {
    let wrong =
        || vec![Problem::new(entry.item.place, "the context of an event is a list of keys: [\"study\", \"patient\"]")];
    let Kind::Array(items) = &entry.item.kind else { return Err(wrong()) };
    let key = |item: &super::file::Item| match &item.kind {
        Kind::Text(text) => Ok((text.text.clone(), item.place)),
        _ => Err(wrong()),
    };
    items.iter().map(key).collect()
}

/// The slots of an event with a definition: all of its keys that the mapping has, or those listed.
fn defined(
    name: &EventName,
    place: Place,
    keys: &[ContextKey],
    listed: Option<&[(String, Place)]>,
    plan: &Plan,
) -> Result<Vec<Slot>, Vec<Problem>> {
    let mut problems: Vec<Problem> =
        listed.unwrap_or_default().iter().filter_map(|key| stray(name, keys, key, plan)).collect();
    let mut slots = Vec::new();
    for key in keys {
        let chosen = listed.is_none_or(|listed| listed.iter().any(|(name, _)| name == key.key));
        match resource(plan, key.key).filter(|_| chosen) {
            Some(resource) => {
                problems.extend(lacking(name, place, key, plan, resource));
                slots.push(Slot { resource, required: key.required, identified: key.identified });
            }
            None if key.required => problems.push(missing(name, place, key, chosen)),
            None => {}
        }
    }
    if problems.is_empty() { Ok(slots) } else { Err(problems) }
}

fn resource(plan: &Plan, key: &str) -> Option<usize> {
    plan.resources.iter().position(|resource| resource.key == key)
}

fn stray(name: &EventName, keys: &[ContextKey], key: &(String, Place), plan: &Plan) -> Option<Problem> {
    if keys.iter().any(|known| known.key == key.0) {
        return resource(plan, &key.0).is_none().then(|| no_resource(key));
    }
    let help = did_you_mean(&key.0, keys.iter().map(|known| known.key));
    Some(Problem::new(key.1, format!("{name} has no context key `{}`", key.0)).help(help))
}

fn no_resource((key, place): &(String, Place)) -> Problem {
    Problem::new(*place, format!("the mapping has no [context.{key}]"))
}

fn missing(name: &EventName, place: Place, key: &ContextKey, chosen: bool) -> Problem {
    let message = format!("{name} needs the context key `{}` ({})", key.key, key.resource);
    let help =
        if chosen { format!("add [context.{}], or extend a base file", key.key) } else { "list it too".to_owned() };
    Problem::new(place, message).help(help)
}

/// What the resource cannot give although the event needs it.
fn lacking(name: &EventName, place: Place, key: &ContextKey, plan: &Plan, resource: usize) -> Option<Problem> {
    let resource = &plan.resources[resource];
    let member = match (&resource.id, &resource.identifier) {
        (None, _) => "id",
        (_, None) if key.identified => "identifier",
        _ => return None,
    };
    let message =
        format!("{name} needs {}.{member}, and [context.{}] has none ({})", key.key, key.key, resource.origin);
    Some(Problem::new(place, message))
}
