//! The current context as a mount tells it (CTX-01, CTX-02, UPD-09, POL-16).

use serde_json::json;
use serde_json::value::RawValue;

use super::policy::ContextForm;
use super::topic::Context;
use crate::fhircast::context::{entries_text, resource_key};
use crate::fhircast::json::{Members, ObjectWriter, array, with_member};
use crate::fhircast::{Edition, ResourceKey};

/// The JSON of the current context, or of none. `content_may_be_read` is whether its content may be told as well (NOT-03).
pub(super) fn written(
    current: Option<&Context>,
    form: ContextForm,
    edition: Edition,
    content_may_be_read: bool,
) -> String {
    let Some(context) = current else {
        return match form {
            ContextForm::Object => json!({"context.type": "", "context": []}).to_string(),
            ContextForm::Array | ContextForm::Contexts => "[]".to_owned(),
        };
    };
    let has_content = context.content.resources().next().is_some();
    let tells_content =
        content_may_be_read && (has_content || edition >= Edition::Stu3 || form == ContextForm::Contexts);
    let content = tells_content.then(|| content(context, form));
    let version = context.version.to_string();
    match form {
        ContextForm::Array => array(entries_text(&context.event.context).chain(content.as_deref())),
        ContextForm::Object => {
            let entries = array(entries_text(&context.event.context).chain(content.as_deref()));
            let mut object = ObjectWriter::with_capacity(entries.len() + 128);
            object.text("context.type", &context.anchor.resource_type).text("context.versionId", &version);
            object.raw("context", &entries);
            object.end()
        }
        ContextForm::Contexts => {
            let versioned: Vec<String> = entries_text(&context.event.context)
                .map(|entry| with_version(entry, context, &version).unwrap_or_else(|| entry.to_owned()))
                .collect();
            let entries = array(versioned.iter().map(String::as_str).chain(content.as_deref()));
            let mut object = ObjectWriter::with_capacity(entries.len() + 128);
            object.text("contextType", &context.anchor.resource_type).text("context.versionId", &version);
            if let Some(prior) = &context.prior {
                object.text("context.priorVersionId", &prior.to_string());
            }
            object.raw("context", &entries);
            array([object.end().as_str()])
        }
    }
}

/// The resource `key` of `context`, as an update has last shared it; else as the open has brought it (CLI-37).
pub(super) fn resource(context: &Context, key: &ResourceKey, content_may_be_read: bool) -> Option<String> {
    if let Some(shared) = context.content.get(key).filter(|_| content_may_be_read) {
        return Some(shared.get().to_owned());
    }
    entries_text(&context.event.context).find_map(|entry| {
        let members: Members<'_> = serde_json::from_str(entry).ok()?;
        let resource: &RawValue = serde_json::from_str(members.get("resource")?).ok()?;
        (resource_key(resource)? == *key).then(|| resource.get().to_owned())
    })
}

/// The last entry: everything that has been shared in the context (UPD-09, CLI-36).
fn content(context: &Context, form: ContextForm) -> String {
    let entry = |resource: &RawValue| {
        let mut entry = ObjectWriter::with_capacity(resource.get().len() + 64);
        if form == ContextForm::Contexts
            && let Some(url) = full_url(resource)
        {
            entry.text("fullUrl", &url);
        }
        entry.raw("resource", resource.get());
        entry.end()
    };
    let entries: Vec<String> = context.content.resources().map(entry).collect();
    let mut bundle = ObjectWriter::default();
    bundle.text("resourceType", "Bundle").text("id", &context.version.to_string()).text("type", "collection");
    bundle.raw("entry", &array(entries.iter().map(String::as_str)));
    let mut written = ObjectWriter::default();
    written.text("key", "content").raw("resource", &bundle.end());
    written.end()
}

/// `Type/id` (CLI-37).
fn full_url(resource: &RawValue) -> Option<String> {
    let key = resource_key(resource)?;
    Some(format!("{}/{}", key.resource_type, key.id))
}

/// The entry of the anchor with its version in the resource's own `meta`, where some clients look for it (CLI-37).
fn with_version(entry: &str, context: &Context, version: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(entry).ok()?;
    let mut resource = value.get("resource")?.clone();
    if resource["resourceType"] != context.anchor.resource_type.as_str() || resource["id"] != context.anchor.id.as_str()
    {
        return None;
    }
    resource["meta"]["versionId"] = version.into();
    with_member(entry, "resource", &resource.to_string())
}
