//! A message to its events: whose screen, which rules hold, and the resources of each event.
//!
//! Pure and without locks. Knows no wire: it reads the message by compiled paths only.

use std::borrow::Cow;
use std::time::Duration;

use fhircast_gateway_adapter_api::{Fault, Fields, Path};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::expression::{Template, View};
use super::plan::{EventRule, Member, Placed, Plan, ResourcePlan, Slot};
use super::source::Origin;
use super::{age, refusal, retire, write};
use crate::fhircast::{Action, ContextEntry, EventName, Identifier};

/// What a message became.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// Whose screen.
    pub session: SessionWords,
    /// Identifiers of patients that were merged into others: what is open under them is wrong from now on.
    pub retired: Vec<Identifier>,
    /// Its events, in order; none where no rule holds.
    pub events: Vec<MappedEvent>,
}

/// Whose screen a message is about, in the source's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SessionWords {
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The workstation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workstation: Option<String>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct MappedEvent {
    /// Its name.
    pub name: EventName,
    /// Whose screen it is for: where a message holds several orders, each may be another user's.
    pub session: SessionWords,
    /// Its context, the anchor first.
    pub context: Vec<ContextEntry>,
    /// When it happened, where the message tells.
    pub occurred: Option<Timestamp>,
    /// How long after that it may still be shown; as long as may be where there is none.
    pub not_after: Option<Duration>,
    /// The rule that made it.
    pub rule: Origin,
}

/// Why a message that means an event cannot become it. Holds no value of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// What kind of mistake it is.
    pub fault: Fault,
    /// What is missing or wrong, in the source's own words, with the rule's line.
    pub reason: String,
    /// The first field it is about.
    pub field: Option<Path>,
}

/// What names a resource.
struct Identity {
    id: Option<String>,
    /// `type|system|value` of its first identifier.
    first: Option<String>,
    /// Its `identifier` member as JSON; empty if it has none.
    identifiers: String,
}

/// A resource of an event, once it is known what names it.
pub(super) struct Found<'p, 'm> {
    pub(super) slot: &'p Slot,
    /// What it stands for, where there is one for each repetition.
    repetition: Option<Box<dyn Fields + 'm>>,
    identity: Identity,
}

impl Found<'_, '_> {
    /// What its expressions read, given what the event's read.
    pub(super) fn view<'v>(&'v self, event: &View<'v>) -> View<'v> {
        let fields = self.repetition.as_deref().unwrap_or(event.fields);
        View { fields, first_identifier: self.identity.first.as_deref(), ..*event }
    }

    /// Whether it has an id, without which it is left out.
    pub(super) fn is_named(&self) -> bool {
        self.identity.id.is_some()
    }

    /// Whether it is what `other` is: they have an identifier in common.
    fn is_what(&self, other: &Identity) -> bool {
        let [mine, others] = [&self.identity, other].map(|identity| identifiers_of(&identity.identifiers));
        self.identity.id == other.id || mine.iter().any(|mine| !mine.value.is_empty() && others.contains(mine))
    }
}

/// What an id is made of, in an element of an `identifier`.
#[derive(Deserialize, PartialEq)]
struct IdentifierWords<'j> {
    #[serde(borrow, default)]
    system: Cow<'j, str>,
    #[serde(borrow, default)]
    value: Cow<'j, str>,
}

/// The events of a message.
pub(super) fn apply(plan: &Plan, fields: &dyn Fields) -> Result<Mapped, Refusal> {
    let view = View::new(fields);
    let session = session(plan, None, &view);
    let mut events = Vec::new();
    for rule in &plan.rules {
        match &rule.each {
            None => events.extend(event_if_it_holds(plan, rule, &view, &session)?),
            Some(path) => {
                for repetition in &fields.each(path) {
                    events.extend(event_if_it_holds(plan, rule, &View::new(&**repetition), &session)?);
                }
            }
        }
    }
    Ok(Mapped { session, retired: retire::retired(plan, fields)?, events })
}

/// Whose screen, as far as the message says it.
pub(super) fn session(plan: &Plan, rule: Option<&EventRule>, view: &View<'_>) -> SessionWords {
    let text = |template: Option<&Placed<Template>>| template?.value.text(view).map(Cow::into_owned);
    let (user, workstation) = plan.session_of(rule);
    SessionWords { user: text(user), workstation: text(workstation) }
}

fn event_if_it_holds(
    plan: &Plan,
    rule: &EventRule,
    view: &View<'_>,
    session: &SessionWords,
) -> Result<Option<MappedEvent>, Refusal> {
    let holds = rule.when.as_ref().is_none_or(|when| when.holds(view));
    holds.then(|| event(plan, rule, view, session)).transpose()
}

/// The event of a rule that holds: first what names each resource, then the resources, which can name each other by that.
fn event(plan: &Plan, rule: &EventRule, view: &View<'_>, whole: &SessionWords) -> Result<MappedEvent, Refusal> {
    let found = find_all(plan, rule, view)?;
    let ids = ids(&found);
    let view = View { ids: &ids, ..*view };
    let entry = |it: &Found<'_, '_>| {
        let resource = &plan.resources[it.slot.resource];
        let view = it.view(&view);
        let json = match resource_json(resource, &it.identity, &view)? {
            Ok(json) => json,
            // What is wrong with the resource must not keep what is open from being closed.
            Err(Lacking { json, .. }) if rule.name.action() == Some(Action::Close) => json,
            Err(Lacking { member, .. }) => return Some(Err(refusal::lacking(plan, rule, resource, member, &view))),
        };
        // The writer writes JSON only; were it ever wrong, leaving the resource out is the safe side.
        RawValue::from_string(json).ok().map(|json| Ok(ContextEntry { key: resource.key.clone(), resource: json }))
    };
    let context = found.iter().filter_map(entry).collect::<Result<_, _>>()?;
    let occurred = plan.occurred.as_ref().and_then(|it| age::occurred(&it.value, &view));
    // Of a whole message it is known already.
    let own = rule.each.is_some() || rule.session.is_said();
    let whose = if own { session(plan, Some(rule), &view) } else { whole.clone() };
    let (name, not_after, rule) = (rule.name.clone(), rule.not_after.0, rule.origin.clone());
    Ok(MappedEvent { name, session: whose, context, occurred, not_after, rule })
}

/// The resources of an event, named: for each slot one, or one for each repetition.
///
/// # Errors
/// When one that the event needs has no id, or no identifier.
pub(super) fn find_all<'p, 'm>(
    plan: &'p Plan,
    rule: &'p EventRule,
    view: &View<'m>,
) -> Result<Vec<Found<'p, 'm>>, Refusal> {
    let mut found = Vec::with_capacity(rule.slots.len());
    for slot in &rule.slots {
        let resource = &plan.resources[slot.resource];
        match &resource.each {
            None => found.push(find(rule, slot, resource, view)?),
            Some(path) => {
                let others = found.len();
                find_each(slot, resource, view.fields.each(path), view, &mut found);
                if slot.required && found.len() == others {
                    return Err(refusal::unidentified(rule, resource, true, view));
                }
            }
        }
    }
    Ok(found)
}

fn find<'p, 'm>(
    rule: &EventRule,
    slot: &'p Slot,
    resource: &ResourcePlan,
    view: &View<'m>,
) -> Result<Found<'p, 'm>, Refusal> {
    let identity = identify(resource, view);
    let lacks_id = slot.required && identity.id.is_none();
    let lacks_identifier = slot.identified && identity.identifiers.is_empty();
    if lacks_id || lacks_identifier {
        return Err(refusal::unidentified(rule, resource, identity.identifiers.is_empty(), view));
    }
    Ok(Found { slot, repetition: None, identity })
}

/// One for each repetition that names one, and one only for several that name the same.
fn find_each<'p, 'm>(
    slot: &'p Slot,
    resource: &ResourcePlan,
    repetitions: Vec<Box<dyn Fields + 'm>>,
    view: &View<'m>,
    found: &mut Vec<Found<'p, 'm>>,
) {
    let others = found.len();
    for repetition in repetitions {
        let identity = identify(resource, &View { fields: &*repetition, ..*view });
        let is_known = found[others..].iter().any(|known| known.is_what(&identity));
        if identity.id.is_some() && !is_known {
            found.push(Found { slot, repetition: Some(repetition), identity });
        }
    }
}

/// The ids of an event's resources, each with the number by which others name the resource.
pub(super) fn ids<'f>(found: &'f [Found<'_, '_>]) -> Vec<(usize, &'f str)> {
    found.iter().filter_map(|it| Some((it.slot.reference, it.identity.id.as_deref()?))).collect()
}

fn identify(resource: &ResourcePlan, view: &View<'_>) -> Identity {
    let mut identifiers = String::with_capacity(256);
    if let Some(node) = &resource.identifier {
        write::node(&mut identifiers, node, view);
    }
    let first = first_identifier(&resource.resource, &identifiers);
    let view = View { first_identifier: first.as_deref(), ..*view };
    let id = resource.id.as_ref().and_then(|id| id.value.text(&view)).map(Cow::into_owned);
    Identity { id, first, identifiers }
}

fn identifiers_of(json: &str) -> Vec<IdentifierWords<'_>> {
    serde_json::from_str(json).unwrap_or_default()
}

fn first_identifier(resource: &str, identifiers: &str) -> Option<String> {
    // The array is read no further than to the first that says something.
    let elements = identifiers.strip_prefix('[')?;
    let mut rest = serde_json::Deserializer::from_str(elements).into_iter::<IdentifierWords<'_>>();
    let first = rest.next()?.ok().filter(|first| !first.value.is_empty());
    let first = first.or_else(|| identifiers_of(identifiers).into_iter().find(|it| !it.value.is_empty()))?;
    Some([resource, &first.system, &first.value].join("|"))
}

/// A resource without a member that FHIR has in every resource of its type.
struct Lacking<'p> {
    json: String,
    member: &'p Member,
}

/// The resource; none without an id, by which others could not name it.
fn resource_json<'p>(
    resource: &'p ResourcePlan,
    identity: &Identity,
    view: &View<'_>,
) -> Option<Result<String, Lacking<'p>>> {
    let id = identity.id.as_deref()?;
    let mut json = String::with_capacity(512);
    json.push_str("{\"resourceType\":");
    write::push_string(&mut json, &resource.resource);
    json.push_str(",\"id\":");
    write::push_string(&mut json, id);
    if !identity.identifiers.is_empty() {
        json.push_str(",\"identifier\":");
        json.push_str(&identity.identifiers);
    }
    let lacking = write::resource_members(&mut json, &resource.members, view);
    json.push('}');
    Some(match lacking {
        None => Ok(json),
        Some(member) => Err(Lacking { json, member }),
    })
}
