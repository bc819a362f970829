//! A change of a context's content: one bundle, applied as a whole or not at all (UPD-02 to UPD-08).

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::ResourceKey;
use super::context::{ContextError, Entry, head};
use super::json::{self, ObjectWriter, with_member};
use super::rules::{Contexts, PostEntries, Rules};
use super::subject::{Head, Reading, Subject, named_anchor};
use crate::telemetry::Phi;

/// Content of a context changes.
#[derive(Clone, Debug)]
pub struct Update {
    /// The context; `None`: the current one, if it is of this type (CLI-50).
    pub anchor: Option<ResourceKey>,
    /// The FHIR type in the event's name, as spelt.
    pub resource_type: String,
    /// The version that is changed; `None`: whatever there is (CLI-51).
    pub version: Option<String>,
    /// The changes, each of another resource.
    pub changes: Vec<ContentChange>,
}

/// One resource of a context's content changes.
#[derive(Clone)]
pub enum ContentChange {
    /// It is removed.
    Delete(ResourceKey),
    /// It is added, or replaces what has its type and id.
    Put(ResourceKey, Arc<RawValue>),
}

/// Never the resource: it names a patient.
impl fmt::Debug for ContentChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete(key) => formatter.debug_tuple("Delete").field(key).finish(),
            Self::Put(key, resource) => formatter.debug_tuple("Put").field(key).field(&Phi(resource)).finish(),
        }
    }
}

impl ContentChange {
    /// Which resource changes.
    pub fn key(&self) -> &ResourceKey {
        match self {
            Self::Delete(key) | Self::Put(key, _) => key,
        }
    }
}

/// Why updates cannot be applied: the sender's fault. Places count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Two bundles, or an entry `updates` that holds something else.
    #[error("the context key `updates` must stand once, with one Bundle of type `transaction` as its `resource`")]
    Bundle,
    /// An entry without what it is to do.
    #[error("updates.entry[{0}] must be an object with a `request` that has a `method`")]
    Entry(usize),
    /// A method that is none of an update's.
    #[error("updates.entry[{0}].request.method must be PUT or DELETE")]
    Method(usize),
    /// A resource without type or id.
    #[error("updates.entry[{0}].resource must be a resource with `resourceType` and `id`")]
    Resource(usize),
    /// `fullUrl`, `request.url` and `resource` name different resources, or none (CLI-53).
    #[error("updates.entry[{0}] does not say which resource it is about, or names several")]
    Target(usize),
    /// UPD-06.
    #[error("updates.entry[{0}] is about a resource that an earlier entry is about: each may stand once")]
    Twice(usize),
}

/// Reads the context of an update.
pub(super) fn read(
    event: Head<'_>,
    resource_type: &str,
    entries: &[Entry<'_>],
    rules: &Rules,
) -> Result<Reading, ContextError> {
    let anchor = named_anchor(resource_type, entries, rules)?;
    let (index, bundle) = bundle(entries, rules)?;
    let (changes, bundle) = changes(event, bundle, rules)?;
    let version = event.version.map(str::to_owned).or_else(|| anchors_version(resource_type, entries, rules));
    if version.is_none() && rules.version_required {
        return Err(ContextError::VersionMissing);
    }
    let rewritten = match (bundle, entries[index].key.as_str()) {
        (None, KEY) => None,
        (bundle, _) => Some(with_updates(entries, index, bundle.as_deref())),
    };
    let resource_type = resource_type.to_owned();
    Ok(Reading { subject: Subject::Update(Update { anchor, resource_type, version, changes }), rewritten })
}

const KEY: &str = "updates";

/// Keys under which clients send the bundle (CLI-49).
const LENIENT_KEYS: [&str; 4] = [KEY, "content", "bundle", "Bundle"];

/// The version in the anchor's own `meta`, which some clients send instead (CLI-51).
fn anchors_version(resource_type: &str, entries: &[Entry<'_>], rules: &Rules) -> Option<String> {
    #[derive(Deserialize)]
    struct Versioned {
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "versionId")]
        version: String,
    }
    let key = super::catalogue::anchor_key(resource_type);
    let anchor = entries.iter().find(|entry| entry.key == key).filter(|_| rules.contexts == Contexts::Lenient)?;
    serde_json::from_str::<Versioned>(anchor.resource?.get()).ok().map(|anchor| anchor.meta.version)
}

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    entry: Option<Vec<&'a RawValue>>,
}

/// The one bundle of changes, and the place of its entry. A collection beside it is no change (CLI-49).
fn bundle<'a>(entries: &[Entry<'a>], rules: &Rules) -> Result<(usize, &'a RawValue), UpdateError> {
    let lenient = rules.contexts == Contexts::Lenient;
    let keys = if lenient { &LENIENT_KEYS[..] } else { &LENIENT_KEYS[..1] };
    let candidates = entries.iter().enumerate().filter(|(_, entry)| keys.contains(&entry.key.as_str()));
    let is_transaction = |resource: &RawValue| {
        let bundle = serde_json::from_str::<Bundle<'_>>(resource.get());
        bundle.is_ok_and(|bundle| bundle.resource_type == "Bundle" && bundle.kind == "transaction")
    };
    let mut found = None;
    for (index, entry) in candidates {
        match entry.resource.filter(|resource| is_transaction(resource)) {
            Some(resource) if found.is_none() => found = Some((index, resource)),
            None if lenient => {}
            _ => return Err(UpdateError::Bundle),
        }
    }
    found.ok_or(UpdateError::Bundle)
}

/// The changes of `bundle`, and the bundle anew where a resource was given an id (CLI-52).
fn changes(
    event: Head<'_>,
    bundle: &RawValue,
    rules: &Rules,
) -> Result<(Vec<ContentChange>, Option<String>), UpdateError> {
    let parsed: Bundle<'_> = serde_json::from_str(bundle.get()).map_err(|_| UpdateError::Bundle)?;
    let raw_entries = parsed.entry.unwrap_or_default();
    let mut changes: Vec<ContentChange> = Vec::with_capacity(raw_entries.len());
    let mut known = std::collections::HashSet::with_capacity(raw_entries.len());
    let mut rewritten: Vec<(usize, String)> = Vec::new();
    for (index, raw) in raw_entries.iter().enumerate() {
        let (change, entry) = change(event, index, raw, rules)?;
        if !known.insert(change.key().clone()) {
            return Err(UpdateError::Twice(index));
        }
        changes.push(change);
        rewritten.extend(entry.map(|entry| (index, entry)));
    }
    let anew = (!rewritten.is_empty()).then(|| with_entries(bundle, &raw_entries, &rewritten));
    Ok((changes, anew))
}

#[derive(Deserialize)]
struct BundleEntry<'a> {
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: Option<String>,
}

/// One entry's change, and the entry anew where its resource was given an id.
fn change(
    event: Head<'_>,
    index: usize,
    raw: &RawValue,
    rules: &Rules,
) -> Result<(ContentChange, Option<String>), UpdateError> {
    let entry: BundleEntry<'_> = serde_json::from_str(raw.get()).map_err(|_| UpdateError::Entry(index))?;
    match entry.request.method.as_str() {
        "DELETE" => Ok((ContentChange::Delete(target(index, &entry)?), None)),
        "PUT" => {
            let resource = entry.resource.ok_or(UpdateError::Resource(index))?;
            let key = head(resource).filter(|key| !key.id.is_empty()).ok_or(UpdateError::Resource(index))?;
            let named = entry.request.url.as_deref().and_then(ResourceKey::from_reference);
            if named.is_some_and(|named| named != key) {
                return Err(UpdateError::Target(index));
            }
            Ok((ContentChange::Put(key, resource.to_owned().into()), None))
        }
        "POST" if rules.post_entries == PostEntries::Upsert => posted(event, index, raw, &entry),
        _ => Err(UpdateError::Method(index)),
    }
}

/// What a DELETE is about: whatever names it must agree (CLI-53).
fn target(index: usize, entry: &BundleEntry<'_>) -> Result<ResourceKey, UpdateError> {
    let of_resource = entry.resource.and_then(head).filter(|key| !key.id.is_empty());
    let texts = [entry.full_url.as_deref(), entry.request.url.as_deref()];
    let mut named = texts.into_iter().flatten().filter_map(ResourceKey::from_reference).chain(of_resource);
    let first = named.next().ok_or(UpdateError::Target(index))?;
    if named.all(|other| other == first) { Ok(first) } else { Err(UpdateError::Target(index)) }
}

/// A POST adds, or replaces what has its type and id; one without an id is given one, the same for the same event (CLI-52).
fn posted(
    event: Head<'_>,
    index: usize,
    raw: &RawValue,
    entry: &BundleEntry<'_>,
) -> Result<(ContentChange, Option<String>), UpdateError> {
    let resource = entry.resource.ok_or(UpdateError::Resource(index))?;
    let key = head(resource).ok_or(UpdateError::Resource(index))?;
    if !key.id.is_empty() {
        return Ok((ContentChange::Put(key, resource.to_owned().into()), None));
    }
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("entry {index} of event {}", event.id).as_bytes()).to_string();
    let resource = with_member(resource.get(), "id", &json::json_text(&id)).ok_or(UpdateError::Resource(index))?;
    let anew = RawValue::from_string(resource.clone()).map_err(|_| UpdateError::Resource(index))?;
    let written = with_member(raw.get(), "resource", &resource).ok_or(UpdateError::Entry(index))?;
    Ok((ContentChange::Put(ResourceKey::new(key.resource_type, id), anew.into()), Some(written)))
}

fn with_entries(bundle: &RawValue, entries: &[&RawValue], rewritten: &[(usize, String)]) -> String {
    let anew = |index: usize| rewritten.iter().find(|(other, _)| *other == index).map(|(_, text)| text.as_str());
    let texts = entries.iter().enumerate().map(|(index, entry)| anew(index).unwrap_or(entry.get()));
    with_member(bundle.get(), "entry", &json::array(texts)).unwrap_or_else(|| bundle.get().to_owned())
}

/// The context with the bundle under `updates`, all else as it was (CLI-49).
fn with_updates(entries: &[Entry<'_>], place: usize, bundle: Option<&str>) -> String {
    let mut written = ObjectWriter::default();
    let resource = bundle.or_else(|| entries[place].resource.map(RawValue::get)).unwrap_or("null");
    written.text("key", KEY).raw("resource", resource);
    let written = written.end();
    json::array(
        entries.iter().enumerate().map(|(index, entry)| if index == place { written.as_str() } else { entry.text }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhircast::rules::Names;
    use crate::fhircast::{Edition, EventName, context, subject};
    use serde_json::{Value, json};

    const LENIENT: Rules = Rules {
        edition: Edition::Stu3,
        names: Names::Any,
        legacy_names: false,
        contexts: Contexts::Lenient,
        version_required: false,
        post_entries: PostEntries::Upsert,
    };

    fn read(context: &Value, version: Option<&str>, rules: &Rules) -> Result<(Update, Option<Value>), ContextError> {
        let name = EventName::parse("DiagnosticReport-update").unwrap();
        let raw = RawValue::from_string(context.to_string()).unwrap();
        let reading = subject::read(Head { id: "e1", name: &name, version }, &raw, rules)?;
        let Subject::Update(update) = reading.subject else { panic!("no update") };
        Ok((update, reading.rewritten.map(|text| serde_json::from_str(&text).unwrap())))
    }

    fn report() -> Value {
        json!({"key": "report", "reference": {"reference": "DiagnosticReport/r1"}})
    }

    fn updates(entries: &Value) -> Value {
        json!({"key": "updates", "resource": {"resourceType": "Bundle", "id": "b", "type": "transaction", "entry": entries}})
    }

    fn put(resource_type: &str, id: &str) -> Value {
        json!({"request": {"method": "PUT"}, "resource": {"resourceType": resource_type, "id": id}})
    }

    fn described(update: &Update) -> Vec<String> {
        let one = |change: &ContentChange| match change {
            ContentChange::Delete(key) => format!("DELETE {}/{}", key.resource_type, key.id),
            ContentChange::Put(key, _) => format!("PUT {}/{}", key.resource_type, key.id),
        };
        update.changes.iter().map(one).collect()
    }

    #[test]
    fn upd_05_cli_53_changes_are_put_and_delete_and_a_delete_is_named_in_three_ways() {
        let entries = json!([
            put("Observation", "1"),
            {"request": {"method": "PUT", "url": "Observation/2"}, "resource": {"resourceType": "Observation", "id": "2"}},
            {"request": {"method": "DELETE"}, "fullUrl": "https://fhir.example/Observation/3"},
            {"request": {"method": "DELETE", "url": "Observation/4"}},
            {"request": {"method": "DELETE"}, "resource": {"resourceType": "Observation", "id": "5"}},
            {"request": {"method": "DELETE", "url": "Observation/6"}, "fullUrl": "urn:uuid:6"},
        ]);
        let (update, rewritten) = read(&json!([report(), updates(&entries)]), Some("v1"), &Rules::STANDARD).unwrap();
        assert_eq!(update.anchor, Some(ResourceKey::new("DiagnosticReport", "r1")));
        assert_eq!((update.version.as_deref(), rewritten), (Some("v1"), None));
        let expected = ["PUT Observation/1", "PUT Observation/2", "DELETE Observation/3", "DELETE Observation/4"];
        assert_eq!(described(&update)[..4], expected);
        assert_eq!(described(&update)[4..], ["DELETE Observation/5", "DELETE Observation/6"]);
    }

    #[test]
    fn upd_05_06_cli_52_53_entries_that_cannot_be_applied_are_refused() {
        let refused = |entries: Value, error: UpdateError| {
            for rules in [Rules::STANDARD, LENIENT] {
                let found = read(&json!([report(), updates(&entries)]), Some("v1"), &rules).unwrap_err();
                assert_eq!(found, ContextError::Update(error.clone()), "{entries}");
            }
        };
        refused(json!([7]), UpdateError::Entry(0));
        refused(json!([{"resource": {"resourceType": "Observation", "id": "1"}}]), UpdateError::Entry(0));
        for method in ["PATCH", "GET", "HEAD", "put", ""] {
            let resource = json!({"resourceType": "Observation", "id": "1"});
            refused(json!([{"request": {"method": method}, "resource": resource}]), UpdateError::Method(0));
        }
        refused(json!([{"request": {"method": "PUT"}}]), UpdateError::Resource(0));
        refused(
            json!([{"request": {"method": "PUT"}, "resource": {"resourceType": "Basic"}}]),
            UpdateError::Resource(0),
        );
        refused(json!([put("Observation", "1"), put("Observation", "1")]), UpdateError::Twice(1));
        refused(
            json!([put("Observation", "1"), {"request": {"method": "DELETE", "url": "Observation/1"}}]),
            UpdateError::Twice(1),
        );
        refused(json!([{"request": {"method": "DELETE"}}]), UpdateError::Target(0));
        refused(
            json!([{"request": {"method": "DELETE", "url": "Observation/1"}, "fullUrl": "Observation/2"}]),
            UpdateError::Target(0),
        );
    }

    #[test]
    fn upd_05_exactly_one_transaction_stands_under_updates() {
        let transaction = updates(&json!([]));
        let collection = json!({"key": "updates", "resource": {"resourceType": "Bundle", "type": "collection"}});
        for context in [
            json!([report()]),
            json!([report(), collection]),
            json!([report(), transaction, transaction]),
            json!([report(), {"key": "content", "resource": transaction["resource"]}]),
        ] {
            let found = read(&context, Some("v1"), &Rules::STANDARD).unwrap_err();
            assert_eq!(found, ContextError::Update(UpdateError::Bundle), "{context}");
        }
    }

    #[test]
    fn upd_11_the_anchor_is_named_by_reference_or_resource_and_never_by_two() {
        let transaction = updates(&json!([]));
        let by_resource = json!({"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}});
        for anchor in [report(), by_resource.clone(), json!({"key": "report", "reference": "DiagnosticReport/r1"})] {
            let (update, _) = read(&json!([anchor, transaction]), Some("v1"), &Rules::STANDARD).unwrap();
            assert_eq!(update.anchor, Some(ResourceKey::new("DiagnosticReport", "r1")));
        }
        let other = json!({"key": "report", "reference": {"reference": "DiagnosticReport/r2"}});
        let refused = |context: Value, rules: &Rules| read(&context, Some("v1"), rules).unwrap_err();
        assert!(matches!(refused(json!([report(), other, transaction]), &LENIENT), ContextError::AnchorsDiffer { .. }));
        let patient = json!({"key": "report", "reference": {"reference": "Patient/p1"}});
        assert!(matches!(refused(json!([patient, transaction]), &LENIENT), ContextError::AnchorMissing { .. }));
        assert!(matches!(refused(json!([transaction]), &Rules::STANDARD), ContextError::AnchorMissing { .. }));
        let (update, _) = read(&json!([transaction]), None, &LENIENT).unwrap();
        assert_eq!(update.anchor, None, "CLI-50");
    }

    #[test]
    fn upd_02_cli_51_a_version_is_named_where_it_is_required() {
        let context = json!([report(), updates(&json!([]))]);
        assert_eq!(read(&context, None, &Rules::STANDARD).unwrap_err(), ContextError::VersionMissing);
        assert_eq!(read(&context, None, &LENIENT).unwrap().0.version, None);
        let anchor = json!({"key": "report", "resource": {"id": "r1", "meta": {"versionId": "v7"}}});
        let (update, _) = read(&json!([anchor, updates(&json!([]))]), None, &LENIENT).unwrap();
        assert_eq!(update.version.as_deref(), Some("v7"));
    }

    #[test]
    fn cli_49_the_transaction_is_found_under_other_keys_and_distributed_under_updates() {
        let mut content = updates(&json!([put("Observation", "1")]));
        content["key"] = json!("content");
        let collection = json!({"key": "content", "resource": {"resourceType": "Bundle", "type": "collection"}});
        let (update, rewritten) = read(&json!([collection, report(), content]), None, &LENIENT).unwrap();
        assert_eq!(described(&update), ["PUT Observation/1"]);
        assert_eq!(rewritten, Some(json!([collection, report(), updates(&json!([put("Observation", "1")]))])));
        let two = read(&json!([report(), content, updates(&json!([]))]), None, &LENIENT).unwrap_err();
        assert_eq!(two, ContextError::Update(UpdateError::Bundle));
    }

    #[test]
    fn cli_52_a_post_adds_and_is_given_an_id_where_it_has_none() {
        let posted =
            json!({"request": {"method": "POST"}, "resource": {"resourceType": "Observation", "status": "final"}});
        let context = json!([report(), updates(&json!([posted]))]);
        let (update, rewritten) = read(&context, None, &LENIENT).unwrap();
        let id = &update.changes[0].key().id;
        let distributed = rewritten.unwrap();
        let resource = &distributed[1]["resource"]["entry"][0]["resource"];
        assert_eq!((&resource["id"], &resource["status"]), (&json!(id), &json!("final")));
        assert_eq!(distributed[1]["resource"]["id"], "b", "UPD-08");
        assert_eq!(read(&context, None, &LENIENT).unwrap().0.changes[0].key().id, *id, "a resend adds nothing");
        let refused = read(&context, Some("v"), &Rules::STANDARD).unwrap_err();
        assert_eq!(refused, ContextError::Update(UpdateError::Method(0)));
    }

    #[test]
    fn cli_54_type_and_id_together_name_a_resource() {
        let entries = json!([put("Observation", "1"), put("ImagingSelection", "1"), put("ImagingStudy", "1")]);
        let (update, _) = read(&json!([report(), updates(&entries)]), Some("v1"), &Rules::STANDARD).unwrap();
        assert_eq!(update.changes.len(), 3);
        assert!(context::entries("[]").unwrap().is_empty());
    }
}
