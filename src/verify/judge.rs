//! Judgements of what a hub has sent, without a hub: each says what is asked and what was seen.

use reqwest::Url;
use serde_json::Value;

use super::finding::{Finding, Verdict, ensure};

/// Whether an event is called `name`; names compare without case.
pub(super) fn is_named(event: &Value, name: &str) -> bool {
    event["event"]["hub.event"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(name))
}

/// Whether a discovery document is one of any edition (DISC-02).
pub(super) fn discovery(document: &Value) -> Verdict {
    let events = document["eventsSupported"].as_array();
    let named = events.is_some_and(|events| !events.is_empty() && events.iter().all(Value::is_string));
    ensure(named, "`eventsSupported`: a list of names", format!("{}", document["eventsSupported"]))?;
    ensure(document["websocketSupport"] == true, "`websocketSupport`: true", &document["websocketSupport"])
}

/// Whether it says what 3.0.0 adds (DISC-04).
pub(super) fn capabilities(document: &Value) -> Verdict {
    let capabilities = &document["capabilities"];
    for name in ["supportsGetCurrentContext", "supportsNonCurrentContextUpdates"] {
        ensure(capabilities[name].is_boolean(), format!("`capabilities.{name}`: true or false"), &capabilities[name])?;
    }
    let (old, new) = (&document["getCurrentSupport"], &capabilities["supportsGetCurrentContext"]);
    ensure(old == new, "`getCurrentSupport` says the same as `capabilities.supportsGetCurrentContext`", old)
}

/// Whether a confirmation of `topic` has all its members (CONF-01).
pub(super) fn confirmation(confirmation: &Value, topic: &str) -> Verdict {
    ensure(confirmation["hub.mode"] == "subscribe", "`hub.mode`: subscribe", confirmation)?;
    ensure(confirmation["hub.topic"] == topic, "`hub.topic` as it was asked for", confirmation)?;
    ensure(confirmation["hub.events"].is_string(), "`hub.events`: names separated by commas", confirmation)?;
    let lease = confirmation["hub.lease_seconds"].as_u64();
    ensure(lease.is_some_and(|lease| lease > 0), "`hub.lease_seconds`: a positive number", confirmation)
}

/// The events that a confirmation grants.
pub(super) fn granted(confirmation: &Value) -> Vec<String> {
    let events = confirmation["hub.events"].as_str().unwrap_or_default();
    events.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Whether a confirmation grants these events and no others, in whatever order and case.
pub(super) fn grants(confirmation: &Value, events: &[&str]) -> bool {
    let mut granted: Vec<_> = granted(confirmation).iter().map(|name| name.to_ascii_lowercase()).collect();
    let mut wanted: Vec<_> = events.iter().map(|name| name.to_ascii_lowercase()).collect();
    granted.sort();
    wanted.sort();
    granted == wanted
}

/// Whether a denial says what it denies (CONF-04, UNS-01).
pub(super) fn denial(denial: &Value, topic: &str) -> Verdict {
    ensure(denial["hub.topic"] == topic, "a denial with its `hub.topic`", denial)?;
    ensure(denial["hub.events"].is_string(), "a denial with its `hub.events`", denial)?;
    let reason = denial["hub.reason"].as_str().unwrap_or_default();
    ensure(!reason.is_empty(), "a denial with a `hub.reason`", denial)
}

/// Whether a notification of `topic` has all its members (NOT-01).
pub(super) fn notification(event: &Value, topic: &str) -> Verdict {
    let timestamp = event["timestamp"].as_str().unwrap_or_default();
    let asked = "`timestamp`: ISO 8601 in UTC";
    ensure(is_utc(timestamp), asked, &event["timestamp"])?;
    ensure(event["id"].as_str().is_some_and(|id| !id.is_empty()), "`id`: a text", &event["id"])?;
    let inner = &event["event"];
    ensure(inner["hub.topic"] == topic, "`event.hub.topic`: the topic subscribed to", &inner["hub.topic"])?;
    ensure(inner["hub.event"].is_string(), "`event.hub.event`: the event's name", &inner["hub.event"])?;
    ensure(inner["context"].is_array(), "`event.context`: a list", &inner["context"])
}

fn is_utc(text: &str) -> bool {
    let utc = text.ends_with('Z') || text.ends_with("+00:00");
    utc && text.parse::<jiff::Timestamp>().is_ok()
}

/// Whether two texts name the same instant.
pub(super) fn same_instant(one: &Value, other: &Value) -> bool {
    let read = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    read(one).is_some_and(|instant| read(other) == Some(instant))
}

/// The version that a notification carries (UPD-01).
pub(super) fn version(event: &Value) -> Result<String, Finding> {
    let version = event["event"]["context.versionId"].as_str().filter(|version| !version.is_empty());
    let missing = || Finding::failed("`event[\"context.versionId\"]` in the event", event);
    version.map(str::to_owned).ok_or_else(missing)
}

/// What a SyncError is about: the issue's three codes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) event_id: String,
    pub(super) event_name: String,
    pub(super) subscriber: String,
}

/// Where the codes of a SyncError are at home.
const SYSTEM: &str = "https://fhircast.hl7.org/events/syncerror/";

/// Whether a SyncError has all that it must; what it is about (NOT-09).
pub(super) fn sync_error(event: &Value) -> Result<Blame, Finding> {
    let context = &event["event"]["context"];
    let entries = context.as_array().map_or(0, Vec::len);
    ensure(entries == 1, "a context of one entry", format!("{entries} entries: {context}"))?;
    ensure(context[0]["key"] == "operationoutcome", "the key `operationoutcome`", &context[0]["key"])?;
    let issue = &context[0]["resource"]["issue"][0];
    ensure(issue["severity"] == "warning", "`issue.severity`: warning", &issue["severity"])?;
    ensure(issue["code"] == "processing", "`issue.code`: processing", &issue["code"])?;
    let told = issue["diagnostics"].as_str().unwrap_or_default();
    ensure(!told.is_empty(), "`issue.diagnostics`: a readable sentence", &issue["diagnostics"])?;
    Ok(Blame {
        event_id: code(issue, &["eventid"])?,
        event_name: code(issue, &["eventname"])?,
        subscriber: code(issue, &["subscribername", "subscriber"])?,
    })
}

fn code(issue: &Value, kinds: &[&str]) -> Result<String, Finding> {
    let codings = issue["details"]["coding"].as_array();
    let mut found = codings.into_iter().flatten().filter(|coding| {
        let system = coding["system"].as_str().and_then(|system| system.strip_prefix(SYSTEM));
        system.is_some_and(|kind| kinds.contains(&kind))
    });
    let code = found.find_map(|coding| coding["code"].as_str());
    let asked = format!("a code of {SYSTEM}{}", kinds[0]);
    code.map(str::to_owned).ok_or_else(|| Finding::failed(asked, &issue["details"]))
}

/// Whether an answer to `GET {hub.url}/{topic}` has the form of one (CTX-01, CTX-02).
pub(super) fn current_context(document: &Value) -> Verdict {
    ensure(document["context.type"].is_string(), "`context.type`: a text", document)?;
    ensure(document["context"].is_array(), "`context`: a list", document)?;
    let (kind, version) = (document["context.type"].as_str(), &document["context.versionId"]);
    let versioned = kind == Some("") || version.as_str().is_some_and(|version| !version.is_empty());
    ensure(versioned, "`context.versionId` of a current context", document)
}

/// A current context that some hubs tell as the bare array of its entries, as the object that it should be: its type is that of
/// the first resource.
pub(super) fn as_object(document: Value) -> Value {
    match document {
        Value::Array(entries) => {
            let kind = entries.iter().find_map(|entry| entry["resource"]["resourceType"].as_str()).unwrap_or_default();
            serde_json::json!({"context.type": kind, "context.versionId": "not told", "context": entries})
        }
        document => document,
    }
}

/// Whether the current context is of `kind` with the anchor `id`; of none where `kind` is empty.
pub(super) fn is_about(document: &Value, kind: &str, id: &str) -> bool {
    if kind.is_empty() {
        return document["context.type"] == "" && entries(document).is_empty();
    }
    let named = document["context.type"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(kind));
    named
        && entries(document).iter().any(|entry| {
            entry["resource"]["resourceType"].as_str() == Some(kind) && entry["resource"]["id"].as_str() == Some(id)
        })
}

/// The context of a current context, without what content sharing adds.
pub(super) fn entries(document: &Value) -> Vec<Value> {
    let entries = document["context"].as_array().cloned().unwrap_or_default();
    entries.into_iter().filter(|entry| entry["key"] != "content").collect()
}

/// The content of a current context: a collection without requests (UPD-09).
pub(super) fn content(document: &Value) -> Result<Vec<Value>, Finding> {
    let context = document["context"].as_array().cloned().unwrap_or_default();
    let mut contents = context.iter().filter(|entry| entry["key"] == "content");
    let Some(content) = contents.next() else {
        return Err(Finding::failed("an entry with the key `content`", document));
    };
    ensure(contents.next().is_none(), "one entry with the key `content`", document)?;
    let bundle = &content["resource"];
    ensure(bundle["resourceType"] == "Bundle", "a Bundle under `content`", bundle)?;
    ensure(bundle["type"] == "collection", "a Bundle of type collection", bundle)?;
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    ensure(entries.iter().all(|entry| entry["request"].is_null()), "no `request` in the content", bundle)?;
    Ok(entries.into_iter().map(|entry| entry["resource"].clone()).collect())
}

/// Whether an endpoint is a WebSocket's absolute URL, safe where `hub` is.
pub(super) fn endpoint(endpoint: &str, hub: &Url) -> Verdict {
    let asked = if hub.scheme() == "https" { "an absolute wss URL" } else { "an absolute ws or wss URL" };
    let url = Url::parse(endpoint).ok().filter(|url| url.host_str().is_some());
    let fits = url.is_some_and(|url| url.scheme() == "wss" || (url.scheme() == "ws" && hub.scheme() == "http"));
    ensure(fits, asked, endpoint)
}

/// The fewest bits that cannot be guessed; a random UUID's 122 are enough, whatever is nominal.
const ENOUGH_BITS: f64 = 122.0;

/// Whether the part in which two endpoints differ has room for enough chance (SUB-10).
pub(super) fn unguessable(one: &str, other: &str) -> Verdict {
    ensure(one != other, "another endpoint for each subscription", one)?;
    let start = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    // Chance makes a few characters agree; what is before the last separator is no part of it.
    let start = one.get(..start).and_then(|same| same.rfind(['/', '=', '?'])).map_or(0, |separator| separator + 1);
    let secret = one.get(start..).unwrap_or_default();
    let bits = bits(secret);
    ensure(
        bits >= ENOUGH_BITS,
        "128 bits that cannot be guessed in each endpoint",
        format!("`{secret}`: {bits:.0} bits"),
    )
}

/// The most that a text of this length and alphabet can hold.
fn bits(secret: &str) -> f64 {
    let characters: Vec<char> = secret.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters_beyond_hex = characters.iter().any(|character| !character.is_ascii_hexdigit());
    let each = match () {
        () if characters.iter().all(char::is_ascii_digit) => 10_f64.log2(),
        () if !letters_beyond_hex => 4.0,
        () if characters.iter().any(char::is_ascii_uppercase) => 6.0,
        () => 36_f64.log2(),
    };
    let count = u32::try_from(characters.len()).unwrap_or(u32::MAX);
    f64::from(count) * each
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
