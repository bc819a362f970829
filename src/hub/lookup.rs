//! What the dialect of an array of contexts asks for below `hub.url`, beside the current context (CLI-37): one
//! resource, or the caller's own subscription. Tells nothing that the caller may not have otherwise.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::json;

use super::access::Access;
use super::endpoint::{EndpointSecret, Named, named};
use super::problem::Problem;
use super::routes::{Door, readable};
use super::topic::EndpointId;
use super::{Hub, current};
use crate::fhircast::ResourceKey;

/// What a path below `hub.url` asks for that is not the current context of a topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lookup<'p> {
    /// Something beside the hub, such as its log: there is no such thing.
    Beside,
    /// `{topic}/resource/{Type}/{id}`.
    Resource { topic: &'p str, key: ResourceKey },
    /// `TopicSubscriptions/{topic}/{endpoint}`: both, as the endpoint alone tells where the topic ends.
    Subscription(&'p str),
}

impl<'p> Lookup<'p> {
    /// What `path`, decoded, asks for; `None`: it is a topic.
    pub(super) fn read(path: &'p str) -> Option<Self> {
        if path.split('/').any(|segment| segment == "..") {
            return Some(Self::Beside);
        }
        if let Some(subscription) = path.strip_prefix("TopicSubscriptions/") {
            return Some(Self::Subscription(subscription));
        }
        let (topic, reference) = path.rsplit_once("/resource/")?;
        let key = ResourceKey::from_reference(reference).filter(|_| reference.matches('/').count() == 1)?;
        Some(Self::Resource { topic, key })
    }

    /// The JSON that answers it.
    pub(super) async fn answer(self, door: &Door, parts: &Parts) -> Result<String, Problem> {
        match self {
            Self::Beside => Err(not_found("there is no such thing at this hub")),
            Self::Resource { topic, key } => resource(door, topic, &key, parts).await,
            Self::Subscription(path) => subscription(door, path, parts).await,
        }
    }
}

/// A resource of the current context, as it was shared last (UPD-04).
async fn resource(door: &Door, topic: &str, key: &ResourceKey, parts: &Parts) -> Result<String, Problem> {
    let readable = readable(door, topic, &format!("{topic}/resource/{}/{}", key.resource_type, key.id), parts).await?;
    let found = readable.context.and_then(|context| current::resource(&context, key, readable.content_may_be_read));
    found.ok_or_else(|| not_found("the topic's current context holds no such resource"))
}

/// What is left of the subscription at an endpoint, for whoever has made it.
async fn subscription(door: &Door, path: &str, parts: &Parts) -> Result<String, Problem> {
    let grant = door.authenticate(parts).await?;
    // Somebody else's looks like none at all.
    let none = || not_found("you have no such subscription: it has ended, or never was");
    let (topic, endpoint) = own_endpoint(&door.hub, path).ok_or_else(none)?;
    let access = Access::of(grant, &topic).map_err(|_| none())?;
    let found = door.hub.holding(&topic, endpoint, &access.principal).await.ok_or_else(none)?;
    let mut told = json!({
        "hub.topic": *topic,
        "hub.events": found.events.join(","),
        "hub.lease_seconds": found.lease_seconds,
    });
    if let Some(name) = found.name {
        told["subscriber.name"] = name.into();
    }
    Ok(told.to_string())
}

/// The live endpoint that `path` ends with, as a URL or as its secret alone, if its topic is what `path` begins with.
fn own_endpoint(hub: &Hub, path: &str) -> Option<(Arc<str>, EndpointId)> {
    let secret = match named(path, &hub.0.mounts) {
        Named::Ours(secret) => secret,
        Named::Foreign => EndpointSecret::from_path(path.rsplit('/').next().unwrap_or_default()),
    };
    let topic = hub.topic_of(secret.id())?;
    path.strip_prefix(&*topic).is_some_and(|rest| rest.starts_with('/')).then(|| (topic, secret.id()))
}

fn not_found(reason: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_37_a_path_is_a_topic_unless_it_asks_for_more() {
        let key = ResourceKey::new("Patient", "p1");
        for (path, lookup) in [
            ("t1", None),
            ("a/b", None),
            ("t1/resource", None),
            ("t1/resource/Patient", None),
            ("t1/resource/Patient/p1", Some(Lookup::Resource { topic: "t1", key: key.clone() })),
            ("a/b/resource/Patient/p1", Some(Lookup::Resource { topic: "a/b", key })),
            ("TopicSubscriptions/t1/x", Some(Lookup::Subscription("t1/x"))),
            ("../log/file", Some(Lookup::Beside)),
        ] {
            assert_eq!(Lookup::read(path), lookup, "{path}");
        }
    }
}
