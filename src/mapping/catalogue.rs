//! The check of a mapping against FHIRcast's catalogue of events (REQ-05): what an event needs, the mapping must be able to give.

use super::compile::EventContext;
use super::diagnostics::{Problem, did_you_mean};
use super::plan::{ResourcePlan, Slot};
use super::source::Place;
use crate::fhircast::EventName;
use crate::fhircast::catalogue::{ContextKey, DEFINITIONS, definition};

/// Every context key of the catalogue.
pub(crate) const KEYS: [&str; 4] = ["patient", "encounter", "study", "report"];

/// The FHIR type of what stands under `key` in the catalogue's events.
pub(crate) fn resource_of(key: &str) -> Option<&'static str> {
    DEFINITIONS.iter().flat_map(|definition| definition.keys).find(|known| known.key == key).map(|known| known.resource)
}

/// The context entries of the event `name`, declared at `place`, in the order of the definition.
pub(crate) fn slots(name: &EventName, place: Place, context: &EventContext<'_>) -> Result<Vec<Slot>, Vec<Problem>> {
    if let Some(definition) = definition(name) {
        return defined(name, place, definition.keys, context);
    }
    let wanted: Vec<_> = context.named().filter(|(key, _)| context.chooses(key)).collect();
    if wanted.is_empty() && context.listed.is_none() && name.resource().is_some() {
        let message = format!("{name} is not in FHIRcast's catalogue, so its context must be said");
        return Err(vec![Problem::new(place, message).help("write context = [\"patient\"], say")]);
    }
    let slot = |key: &(String, Place)| match context.slot(&key.0) {
        Some((slot, _)) => Ok(Slot { required: true, ..slot }),
        None => Err(vec![no_resource(key)]),
    };
    wanted.into_iter().map(slot).collect()
}

/// The slots of an event with a definition: all of its keys that the mapping has, or those chosen.
fn defined(
    name: &EventName,
    place: Place,
    keys: &[ContextKey],
    context: &EventContext<'_>,
) -> Result<Vec<Slot>, Vec<Problem>> {
    let mut problems: Vec<Problem> = context.named().filter_map(|key| stray(name, keys, key, context)).collect();
    let mut slots = Vec::new();
    for key in keys {
        let chosen = context.chooses(key.key);
        match context.slot(key.key).filter(|_| chosen) {
            Some((slot, resource)) => {
                problems.extend(lacking(name, place, key, resource));
                problems.extend(repeating(name, place, key, resource));
                slots.push(Slot { required: key.required, identified: key.identified, ..slot });
            }
            None if key.required => problems.push(missing(name, place, key, context)),
            None => {}
        }
    }
    if problems.is_empty() { Ok(slots) } else { Err(problems) }
}

fn stray(name: &EventName, keys: &[ContextKey], key: &(String, Place), context: &EventContext<'_>) -> Option<Problem> {
    if keys.iter().any(|known| known.key == key.0) {
        return context.slot(&key.0).is_none().then(|| no_resource(key));
    }
    let help = did_you_mean(&key.0, keys.iter().map(|known| known.key));
    Some(Problem::new(key.1, format!("{name} has no context key `{}`", key.0)).help(help))
}

fn no_resource((key, place): &(String, Place)) -> Problem {
    Problem::new(*place, format!("the mapping has no [context.{key}]"))
}

fn missing(name: &EventName, place: Place, key: &ContextKey, context: &EventContext<'_>) -> Problem {
    let message = format!("{name} needs the context key `{}` ({})", key.key, key.resource);
    let help = match (context.chooses(key.key), &context.listed) {
        (true, _) => format!("add [context.{}], or extend a base file", key.key),
        (false, Some(_)) => "list it too".to_owned(),
        (false, None) => "it cannot be left out".to_owned(),
    };
    Problem::new(place, message).help(help)
}

/// A resource of which there may be several, where the event has one.
fn repeating(name: &EventName, place: Place, key: &ContextKey, resource: &ResourcePlan) -> Option<Problem> {
    if key.repeats || resource.each.is_none() {
        return None;
    }
    let message = format!("{name} has one {}, and this one has `each` ({})", key.key, resource.origin);
    let help = format!(
        "write `each` where there may be several: in [event.context.{}] of a DiagnosticReport's event",
        key.key
    );
    Some(Problem::new(place, message).help(help))
}

/// What the resource cannot give although the event needs it.
fn lacking(name: &EventName, place: Place, key: &ContextKey, resource: &ResourcePlan) -> Option<Problem> {
    let member = match (&resource.id, &resource.identifier) {
        (None, _) => "id",
        (_, None) if key.identified => "identifier",
        _ => return None,
    };
    let message =
        format!("{name} needs {}.{member}, and [context.{}] has none ({})", key.key, key.key, resource.origin);
    Some(Problem::new(place, message))
}
