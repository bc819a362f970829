//! Subscribing, and what a subscription is asked about.

use std::sync::Arc;

use tracing::error;

use super::endpoint::EndpointSecret;
use super::mount::Mount;
use super::policy::{Policy, Silence};
use super::settings::HubSettings;
use super::topic::{Command, EndpointId, Holding, Refusal, Target, Wish};
use super::webhook::{Callback, CallbackError, Secret, SecretError, Webhook, WebhookSender};
use super::{Done, Hub};

/// Why a subscription is not taken, or not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsubscribable {
    #[error(transparent)]
    Callback(#[from] CallbackError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the hub cannot call anybody just now: its operator sees why in its log")]
    NoWebhooks,
    #[error("the hub cannot make an endpoint just now")]
    NoRandomness,
    #[error(transparent)]
    Refused(Refusal),
    #[error("the hub has as many topics as it may have")]
    TooManyTopics,
}

impl Hub {
    pub(super) fn subscribe(&self, topic: &str, wish: Wish, policy: Policy) -> Result<EndpointSecret, Unsubscribable> {
        let secret = EndpointSecret::generate().map_err(|_| Unsubscribable::NoRandomness)?;
        let command = Command::Subscribe { endpoint: secret.id(), wish, policy };
        self.on_topic(topic, command).map(|()| secret)
    }

    /// A subscription that is told by requests to `callback`, once that has verified it (WH-02); the callback is its name for the
    /// subscription. Its silence counts, as an HTTP request is always answered (WH-04).
    pub(super) fn subscribe_webhook(
        &self,
        topic: &str,
        wish: Wish,
        policy: Policy,
        callback: Callback,
        shared: Option<Secret>,
    ) -> Result<EndpointSecret, Unsubscribable> {
        let sender = self.0.webhook_sender.clone().ok_or(Unsubscribable::NoWebhooks)?;
        let (principal, events) = (Arc::clone(&wish.principal), wish.events.clone());
        let limits = self.0.settings.limits();
        let lease = wish.lease.unwrap_or(limits.default_lease).min(limits.max_lease).as_secs().unsigned_abs();
        let secret = self.subscribe(topic, wish, Policy { silence: Silence::Everybody, ..policy })?;
        let webhook = Webhook {
            hub: self.clone(),
            topic: topic.into(),
            endpoint: secret.id(),
            principal,
            events,
            lease_seconds: lease,
            callback,
            secret: shared,
            sender,
        };
        self.0.sockets.spawn(webhook.run());
        Ok(secret)
    }

    pub(super) fn resubscribe(&self, topic: &str, endpoint: EndpointId, wish: Wish) -> Result<(), Unsubscribable> {
        self.on_known_topic(topic, Command::Resubscribe { endpoint, wish }).map(drop)
    }

    /// Ends one subscription; gives which.
    pub(super) fn unsubscribe(
        &self,
        topic: &str,
        target: Target,
        principal: Arc<str>,
    ) -> Result<EndpointId, Unsubscribable> {
        match self.on_known_topic(topic, Command::Unsubscribe { target: target.clone(), principal }) {
            Err(Unsubscribable::Refused(Refusal::EndpointUnknown)) if !matches!(target, Target::Endpoint(_)) => {
                Err(Unsubscribable::Refused(Refusal::NoTarget))
            }
            done => done?.ended.ok_or(Unsubscribable::Refused(Refusal::NoTarget)),
        }
    }

    pub(super) fn on_topic(&self, topic: &str, command: Command) -> Result<(), Unsubscribable> {
        let now = self.now();
        let done = self.0.topics.with(topic, now, |slot| self.command(slot, topic, command, now));
        done.map_err(|_| Unsubscribable::TooManyTopics)?.map_err(Unsubscribable::Refused).map(drop)
    }

    pub(super) fn on_known_topic(&self, topic: &str, command: Command) -> Result<Done, Unsubscribable> {
        let now = self.now();
        let done = self.0.topics.with_known(topic, now, |slot| self.command(slot, topic, command, now));
        done.unwrap_or(Err(Refusal::EndpointUnknown)).map_err(Unsubscribable::Refused)
    }

    /// The subscription at `endpoint`, if that is `principal`'s.
    pub(super) fn holding(&self, topic: &str, endpoint: EndpointId, principal: &str) -> Option<Holding> {
        let now = self.now();
        self.0.topics.with_known(topic, now, |slot| slot.topic.holding(endpoint, principal, now)).flatten()
    }
}

/// Who calls webhooks, where a mount takes them and this machine can make TLS connections.
pub(super) fn webhook_sender(settings: &HubSettings, mounts: &[Mount]) -> Option<Arc<WebhookSender>> {
    mounts.iter().any(|mount| mount.policy.webhooks).then(|| WebhookSender::new(&settings.webhooks))?.map_or_else(
        |error| {
            error!(%error, "Webhooks cannot be called: check this machine's certificate authorities.");
            None
        },
        |sender| Some(Arc::new(sender)),
    )
}
