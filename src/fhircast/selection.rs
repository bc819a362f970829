//! The selection of content in the current context (SEL-01, CLI-56).

use serde_json::value::RawValue;

use super::ResourceKey;
use super::context::{ContextError, Entry};
use super::json;
use super::rules::{Contexts, Rules};
use super::subject::{Head, Subject, named_anchor};

/// Content of a context is selected, and nothing else is any more.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The context; `None`: the current one, if it is of this type (CLI-50).
    pub anchor: Option<ResourceKey>,
    /// The FHIR type in the event's name, as spelt.
    pub resource_type: String,
    /// What is selected, as far as it is named by reference.
    pub selected: Vec<ResourceKey>,
}

/// Reads the context of a select.
pub(super) fn read(
    _head: Head<'_>,
    resource_type: &str,
    entries: &[Entry<'_>],
    rules: &Rules,
) -> Result<Subject, ContextError> {
    let anchor = named_anchor(resource_type, entries, rules)?;
    if rules.contexts == Contexts::Strict && !entries.iter().any(|entry| entry.key == KEY) {
        return Err(ContextError::SelectMissing);
    }
    let references = entries.iter().filter(|entry| entry.key == KEY).filter_map(|entry| entry.reference);
    let selected = references.flat_map(references_of).filter_map(ResourceKey::from_reference_value).collect();
    Ok(Subject::Select(Selection { anchor, resource_type: resource_type.to_owned(), selected }))
}

const KEY: &str = "select";

/// One reference, or an array of them: the text of the standard and its examples differ.
fn references_of(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_else(|_| vec![value])
}

/// `entries` without the selected resources that `known` does not know (IRA-15).
pub(super) fn only_known(entries: &[Entry<'_>], known: impl Fn(&ResourceKey) -> bool) -> String {
    let is_known = |value: &RawValue| ResourceKey::from_reference_value(value).is_some_and(|key| known(&key));
    let kept = entries.iter().filter_map(|entry| {
        let Some(reference) = entry.reference.filter(|_| entry.key == KEY) else { return Some(entry.text.to_owned()) };
        let kept: Vec<_> = references_of(reference).into_iter().filter(|value| is_known(value)).collect();
        match (kept.as_slice(), reference.get().starts_with('[')) {
            (_, true) => {
                let mut written = json::ObjectWriter::default();
                written.text("key", KEY).raw("reference", &json::array(kept.iter().map(|value| value.get())));
                Some(written.end())
            }
            ([], false) => None,
            (_, false) => Some(entry.text.to_owned()),
        }
    });
    json::array(kept.collect::<Vec<_>>().iter().map(String::as_str))
}
