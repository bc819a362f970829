//! Subscribing, and what a subscription is asked about.

use std::sync::Arc;

use tracing::error;

use super::Hub;
use super::committing::{Done, Undone};
use super::endpoint::EndpointSecret;
use super::mount::Mount;
use super::policy::{Policy, Silence};
use super::settings::HubSettings;
use super::topic::{Command, EndpointId, Holding, KeptSubscription, Refusal, Target, Wish};
use super::webhook::{Callback, CallbackError, Secret, SecretError, Webhook, WebhookSender};
use crate::store::CommitError;

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
    #[error("the hub cannot keep the subscription: {0}; try again later")]
    NotDurable(CommitError),
    #[error("the hub has as many topics as it may have")]
    TooManyTopics,
}

impl Hub {
    pub(super) async fn subscribe(
        &self,
        topic: &str,
        wish: Wish,
        policy: Policy,
    ) -> Result<EndpointSecret, Unsubscribable> {
        let secret = EndpointSecret::generate().map_err(|_| Unsubscribable::NoRandomness)?;
        let command = Command::Subscribe { endpoint: secret.id(), wish, policy };
        let now = self.now();
        let turn = self.0.topics.turn(topic, now).await.map_err(|_| Unsubscribable::TooManyTopics)?;
        self.command(turn, command, now).await?;
        Ok(secret)
    }

    /// A subscription that is told by requests to `callback`, once that has verified it (WH-02); the callback is its name for the
    /// subscription. Its silence counts, as an HTTP request is always answered (WH-04).
    pub(super) async fn subscribe_webhook(
        &self,
        topic: &str,
        wish: Wish,
        policy: Policy,
        (callback, shared): (Callback, Option<Secret>),
    ) -> Result<EndpointSecret, Unsubscribable> {
        let sender = self.0.webhook_sender.clone().ok_or(Unsubscribable::NoWebhooks)?;
        let (principal, events) = (Arc::clone(&wish.principal), wish.events.clone());
        let limits = self.0.settings.limits();
        let lease = wish.lease.unwrap_or(limits.default_lease).min(limits.max_lease).as_secs().unsigned_abs();
        let secret = self.subscribe(topic, wish, Policy { silence: Silence::Everybody, ..policy }).await?;
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

    /// Calls the webhook again whose subscription was kept; puts an announced id back.
    pub(super) fn resume(&self, topic: &Arc<str>, kept: KeptSubscription) {
        if let Some(called) = &kept.webhook {
            let http = self.0.settings.webhooks.allow_http_on_loopback;
            let callback = Callback::parse(&called.callback, http).ok();
            let shared = called.secret.as_deref().and_then(|secret| Secret::parse(secret).ok());
            let Some((callback, sender)) = callback.zip(self.0.webhook_sender.clone()) else { return };
            let webhook = Webhook {
                hub: self.clone(),
                topic: Arc::clone(topic),
                endpoint: kept.endpoint,
                principal: kept.principal,
                events: kept.events,
                lease_seconds: kept.expires.duration_since(self.now()).as_secs().max(0).unsigned_abs(),
                callback,
                secret: shared,
                sender,
            };
            let is_verified = kept.connects_by.is_none();
            self.0
                .sockets
                .spawn(async move { if is_verified { webhook.tell_all().await } else { webhook.run().await } });
            return;
        }
        let mount = self.0.mounts.iter().position(|mount| *mount.name == *kept.mount);
        if let Some((mount, alias)) = mount.zip(kept.alias).filter(|_| kept.policy.legacy_binding) {
            self.announce(mount, &alias, kept.endpoint, &kept.principal);
        }
    }

    pub(super) async fn resubscribe(
        &self,
        topic: &str,
        endpoint: EndpointId,
        wish: Wish,
    ) -> Result<(), Unsubscribable> {
        self.on_known_topic(topic, Command::Resubscribe { endpoint, wish }).await.map(drop)
    }

    /// Ends one subscription; gives which.
    pub(super) async fn unsubscribe(
        &self,
        topic: &str,
        target: Target,
        principal: Arc<str>,
    ) -> Result<EndpointId, Unsubscribable> {
        match self.on_known_topic(topic, Command::Unsubscribe { target: target.clone(), principal }).await {
            Err(Unsubscribable::Refused(Refusal::EndpointUnknown)) if !matches!(target, Target::Endpoint(_)) => {
                Err(Unsubscribable::Refused(Refusal::NoTarget))
            }
            done => done?.ended.ok_or(Unsubscribable::Refused(Refusal::NoTarget)),
        }
    }

    async fn on_known_topic(&self, topic: &str, command: Command) -> Result<Done, Unsubscribable> {
        let now = self.now();
        let turn = self.0.topics.known(topic, now).await;
        let turn = turn.ok_or(Unsubscribable::Refused(Refusal::EndpointUnknown))?;
        Ok(self.command(turn, command, now).await?)
    }

    /// The subscription at `endpoint`, if that is `principal`'s.
    pub(super) async fn holding(&self, topic: &str, endpoint: EndpointId, principal: &str) -> Option<Holding> {
        let now = self.now();
        self.0.topics.known(topic, now).await?.topic.holding(endpoint, principal, now)
    }
}

impl From<Undone> for Unsubscribable {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Refused(refusal) => Self::Refused(refusal),
            Undone::NotDurable(error) => Self::NotDurable(error),
        }
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
