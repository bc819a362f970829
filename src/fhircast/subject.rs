//! What an event does to its topic, read from its name and context, by a mount's rules.

use serde_json::value::RawValue;

use super::catalogue::{self, ContextKey, definition};
use super::context::{self, ContextError, Entry};
use super::event_name::Action;
use super::rules::{Contexts, Rules};
use super::selection::{self, Selection};
use super::update::{self, Update};
use super::{EventName, ResourceKey, lenient};

/// What an event does to its topic.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A context is over.
    Close(Closing),
    /// The user is at home: no context is the current one (CTX-08).
    Home,
    /// The user has logged out: no context is left (CTX-08).
    Logout,
    /// Nothing: it is distributed.
    Nothing,
    /// A context becomes the current one.
    Open(Opening),
    /// Content of a context is selected.
    Select(Selection),
    /// Content of a context changes.
    Update(Update),
}

/// A context becomes the current one.
#[derive(Clone, Debug)]
pub struct Opening {
    /// What it is about.
    pub anchor: ResourceKey,
    /// Every resource of the context that has an id, the anchor among them.
    pub resources: Vec<ResourceKey>,
}

/// A context is over.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Which; `None`: the current one, if it is of this type (CLI-47).
    pub anchor: Option<ResourceKey>,
    /// The FHIR type in the event's name, as spelt.
    pub resource_type: String,
}

/// A context as it was read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) subject: Subject,
    /// The context to be distributed, where it is not the one that came.
    pub(super) rewritten: Option<String>,
}

impl From<Subject> for Reading {
    fn from(subject: Subject) -> Self {
        Self { subject, rewritten: None }
    }
}

/// What of an event beside its context says what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a EventName,
    /// The version that it says it changes.
    pub(super) version: Option<&'a str>,
}

/// Reads `context`, by `rules`.
///
/// # Errors
/// What is missing or wrong, naming the key.
pub(super) fn read(head: Head<'_>, context: &RawValue, rules: &Rules) -> Result<Reading, ContextError> {
    let name = head.name;
    let (Some(action), Some(resource_type)) = (name.action(), name.resource()) else {
        return about_no_resource(name, context, rules).map(Reading::from);
    };
    let entries = context::entries(context.get())?;
    match action {
        Action::Open => opening(name, resource_type, &entries, rules),
        Action::Close => closing(name, resource_type, &entries, rules).map(Reading::from),
        Action::Update => update::read(head, resource_type, &entries, rules),
        Action::Select => selection::read(head, resource_type, &entries, rules).map(Reading::from),
    }
}

fn about_no_resource(name: &EventName, context: &RawValue, rules: &Rules) -> Result<Subject, ContextError> {
    if rules.contexts != Contexts::Lenient {
        let entries = context::entries(context.get())?;
        if name.is("SyncError") {
            context::check_key("SyncError", &SYNC_ERROR_KEY, &entries)?;
        }
    }
    Ok(match () {
        () if name.is("UserLogout") => Subject::Logout,
        () if name.is("Home-open") => Subject::Home,
        () => Subject::Nothing,
    })
}

/// The one key of a SyncError (NOT-09).
const SYNC_ERROR_KEY: ContextKey = ContextKey {
    key: "operationoutcome",
    resource: "OperationOutcome",
    required: true,
    identified: false,
    repeats: false,
};

fn opening(
    name: &EventName,
    resource_type: &str,
    entries: &[Entry<'_>],
    rules: &Rules,
) -> Result<Reading, ContextError> {
    if rules.contexts == Contexts::Lenient {
        return lenient::opening(name, resource_type, entries);
    }
    let anchor = match definition(name) {
        Some(definition) => Some(context::defined_anchor(definition, entries)?),
        None => context::undefined_anchor(resource_type, entries),
    };
    if rules.contexts == Contexts::Strict && name.is("DiagnosticReport-open") {
        let study = ContextKey { required: true, ..catalogue::STUDIES };
        context::check_key("DiagnosticReport-open", &study, entries)?;
    }
    Ok(anchor.map_or(Subject::Nothing, |anchor| opened(anchor, entries)).into())
}

/// The opening of `anchor` with all that stands beside it.
pub(super) fn opened(anchor: ResourceKey, entries: &[Entry<'_>]) -> Subject {
    let heads = entries.iter().filter_map(Entry::head).filter(|head| !head.id.is_empty());
    let mut resources: Vec<ResourceKey> = heads.collect();
    if !resources.contains(&anchor) {
        resources.push(anchor.clone());
    }
    Subject::Open(Opening { anchor, resources })
}

fn closing(
    name: &EventName,
    resource_type: &str,
    entries: &[Entry<'_>],
    rules: &Rules,
) -> Result<Subject, ContextError> {
    let anchor = match (definition(name), rules.contexts) {
        (_, Contexts::Lenient) => lenient::closing(resource_type, entries)?,
        (Some(definition), Contexts::Strict) if name.is("DiagnosticReport-close") => {
            let mut found = context::check_key(definition.name, &definition.keys[0], entries)?.into_iter();
            let head = found.find_map(Entry::head).filter(|head| !head.id.is_empty());
            Some(head.ok_or(ContextError::IdMissing { key: "report", resource: "DiagnosticReport" })?)
        }
        (Some(definition), _) => Some(context::defined_anchor(definition, entries)?),
        (None, _) => match context::undefined_anchor(resource_type, entries) {
            Some(anchor) => Some(anchor),
            None => return Ok(Subject::Nothing),
        },
    };
    Ok(Subject::Close(Closing { anchor, resource_type: resource_type.to_owned() }))
}

/// The anchor that an update or a select names: under the anchor's key, by reference or by a resource with an id (UPD-11),
/// also in a later edition than the one that says so, as it is unambiguous. `None` where none is named, and none need be.
///
/// # Errors
/// When two that differ are named, one of another type, or none although the rules want one.
pub(super) fn named_anchor(
    resource_type: &str,
    entries: &[Entry<'_>],
    rules: &Rules,
) -> Result<Option<ResourceKey>, ContextError> {
    let key = catalogue::anchor_key(resource_type);
    let (known_type, lenient) = (catalogue::spelt(resource_type), rules.contexts == Contexts::Lenient);
    let missing = || ContextError::AnchorMissing { key: key.clone(), resource: known_type.clone() };
    let mut anchor: Option<ResourceKey> = None;
    for entry in entries.iter().filter(|entry| entry.key == key) {
        let named = match (entry.reference, entry.resource) {
            (Some(reference), _) => ResourceKey::from_reference_value(reference),
            (None, Some(resource)) if lenient => lenient::key(resource, &known_type),
            (None, Some(_)) => entry.head().filter(|head| !head.id.is_empty()),
            (None, None) => None,
        };
        let named = named.filter(|named| named.is_a(resource_type)).ok_or_else(missing)?;
        if anchor.as_ref().is_some_and(|anchor| *anchor != named) {
            return Err(ContextError::AnchorsDiffer { key, resource: known_type });
        }
        anchor = Some(named);
    }
    if anchor.is_none() && !lenient { Err(missing()) } else { Ok(anchor) }
}
