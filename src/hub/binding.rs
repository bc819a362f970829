//! Sockets at addresses that their clients made up, and events over them: pages of FHIRcast's first year (CLI-39).
//!
//! Whoever knows such an address may connect to it, so that this is for a hub on loopback only, and off by default
//! (SUB-10).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tracing::warn;

use super::Hub;
use super::endpoint::topic_digest;
use super::topic::{ConnectionId, EndpointId, Publisher};
use crate::fhircast::Event;
use crate::fhircast::json::Members;

/// What such a page waits for once it has connected.
const BOUND: &str = "{\"bound\":true}";

/// Longer ids are nobody's.
const MAX_ID: usize = 128;

/// Which subscription each announced id belongs to: no more of them than there are subscriptions.
#[derive(Debug, Default)]
pub(super) struct Bindings(RwLock<HashMap<String, Binding>>);

#[derive(Clone, Debug)]
struct Binding {
    /// The index of the mount at which it was announced.
    mount: usize,
    endpoint: EndpointId,
    principal: Arc<str>,
}

impl Bindings {
    /// The mount and the endpoint of the subscription that announced `id`, at `mount` or, where that is `None`,
    /// anywhere.
    pub(super) fn find(&self, id: &str, mount: Option<usize>) -> Option<(usize, EndpointId)> {
        let bindings = self.read();
        let binding = bindings.get(id).filter(|binding| mount.is_none_or(|mount| mount == binding.mount))?;
        Some((binding.mount, binding.endpoint))
    }

    /// The subscription at `endpoint` is over.
    pub(super) fn forget(&self, endpoint: EndpointId) {
        // Nearly every hub has none at all.
        if !self.read().is_empty() {
            self.write().retain(|_, binding| binding.endpoint != endpoint);
        }
    }

    /// The id of the latest subscription of a client wins; nobody takes another's.
    fn insert(&self, id: &str, new: Binding) {
        let mut bindings = self.write();
        if bindings.get(id).is_none_or(|held| held.principal == new.principal) {
            bindings.insert(id.to_owned(), new);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Binding>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Binding>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id in an address that a client made up: its last segment, or the id alone.
fn announced_id(alias: &str) -> Option<&str> {
    let path = alias.split(['?', '#']).next()?.trim_end_matches('/');
    path.rsplit('/').next().filter(|id| !id.is_empty() && id.len() <= MAX_ID)
}

/// Whether a frame is an event, and no answer to one.
pub(super) fn is_event(text: &str) -> bool {
    let members: Option<Members<'_>> = serde_json::from_str(text).ok();
    members.is_some_and(|members| members.get("event").is_some())
}

impl Hub {
    /// Binds the id in `alias` to the new subscription at `endpoint`.
    pub(super) fn announce(&self, mount: usize, alias: &str, endpoint: EndpointId, principal: &Arc<str>) {
        let Some(id) = announced_id(alias) else { return };
        self.0.bindings.insert(id, Binding { mount, endpoint, principal: Arc::clone(principal) });
        // It may have ended in between.
        if self.topic_of(endpoint).is_none() {
            self.0.bindings.forget(endpoint);
        }
    }

    /// Tells a page that it is bound, after its confirmation.
    pub(super) async fn say_bound(&self, topic: &str, connection: ConnectionId) {
        if let Some(turn) = self.0.topics.known(topic, self.now()).await {
            turn.seats.say(connection, BOUND.into());
        }
    }

    /// Publishes the event in a frame of the subscriber at `endpoint`, by the rules of its mount, as far as that one
    /// may. Nobody is answered, so refusals are logged and counted.
    pub(super) async fn publish_from_socket(&self, mount: usize, topic: &str, endpoint: EndpointId, text: &str) {
        if let Err(reason) = self.try_from_socket(mount, topic, endpoint, text).await {
            self.0.counters.socket_events_refused.add(1);
            warn!(topic = %topic_digest(topic), %endpoint, reason, "Event from a socket refused.");
        }
    }

    async fn try_from_socket(&self, mount: usize, topic: &str, endpoint: EndpointId, text: &str) -> Result<(), String> {
        let mount = &self.0.mounts[mount];
        let event = Event::parse(text.as_bytes(), &mount.rules()).map_err(|error| error.to_string())?;
        if event.topic != topic {
            return Err("it is for another topic than its socket".into());
        }
        let now = self.now();
        let turn = self.0.topics.known(topic, now).await;
        if !turn.is_some_and(|turn| turn.topic.may_publish(endpoint, &event.name, now)) {
            return Err("its subscriber may not publish it".into());
        }
        let published = self.publish_event(event, mount.policy, Publisher::Application).await;
        published.map(drop).map_err(|refusal| refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_39_an_id_is_the_last_segment_of_what_was_announced() {
        for (alias, id) in [
            ("ws://localhost:3000/bind/7", Some("7")),
            ("https://page.example/bind/a-b/", Some("a-b")),
            ("ws://localhost/bind/7?x=/8", Some("7")),
            ("7", Some("7")),
            ("", None),
            ("/", None),
        ] {
            assert_eq!(announced_id(alias), id, "{alias}");
        }
        assert_eq!(announced_id(&"7".repeat(MAX_ID + 1)), None);
    }

    #[test]
    fn cli_39_nobody_takes_an_id_that_another_has_announced() {
        let bindings = Bindings::default();
        let binding = |mount, byte, principal: &str| Binding {
            mount,
            endpoint: EndpointId([byte; 32]),
            principal: principal.into(),
        };
        bindings.insert("7", binding(1, 1, "one"));
        bindings.insert("7", binding(1, 2, "other"));
        assert_eq!(bindings.find("7", None), Some((1, EndpointId([1; 32]))));
        bindings.insert("7", binding(2, 3, "one"));
        assert_eq!(bindings.find("7", Some(2)), Some((2, EndpointId([3; 32]))));
        assert_eq!(bindings.find("7", Some(1)), None);
        bindings.forget(EndpointId([3; 32]));
        assert_eq!(bindings.find("7", None), None);
    }
}
