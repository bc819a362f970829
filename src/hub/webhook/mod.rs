//! Webhooks: subscribers that are called at a URL of theirs instead of holding a socket open (editions before 3, WH-01 to WH-06).
//!
//! To the topic such a subscriber is like any other: verified is connected, an answer's status is its acknowledgement.
//! `callback`, `address` and `signature` decide, and do no I/O; `sender` calls, over connections that `connector` opens.
//! A callback is a stranger's URL: it is called only where the operator allows it, and what it answers is never repeated.

mod address;
mod callback;
mod connector;
mod sender;
mod settings;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use tracing::{debug, info};

pub use self::address::{AllowedReceiver, AllowedReceiverError};
pub(super) use self::callback::{Callback, CallbackError};
pub(super) use self::sender::WebhookSender;
pub use self::settings::WebhookSettings;
pub(super) use self::signature::{Secret, SecretError};

use self::callback::{Denial, Intent};
use self::sender::Answer;
use super::Hub;
use super::delivery::Outgoing;
use super::endpoint::topic_digest;
use super::socket::Connection;
use super::topic::{Ended, EndpointId, Spelling, Target};
use crate::fhircast::{Acknowledgement, Mode, acknowledgement};

/// A webhook's subscription, as its mount has accepted it.
pub(super) struct Webhook {
    pub(super) hub: Hub,
    pub(super) topic: Arc<str>,
    pub(super) endpoint: EndpointId,
    pub(super) principal: Arc<str>,
    pub(super) events: Vec<Spelling>,
    pub(super) lease_seconds: u64,
    pub(super) callback: Callback,
    pub(super) secret: Option<Secret>,
    pub(super) sender: Arc<WebhookSender>,
}

impl Webhook {
    /// Verifies that the callback wants the subscription (WH-02), then tells it what the topic has for it, until either ends.
    pub(super) async fn run(self) {
        let (events, lease_seconds) = (self.events.join(","), self.lease_seconds);
        let lease_seconds = Some(lease_seconds);
        let intent = Intent { mode: Mode::Subscribe, topic: &self.topic, events: &events, lease_seconds };
        if !self.sender.verify(&self.callback, intent).await {
            self.hub.0.counters.webhooks_not_verified.add(1);
            info!(topic = %topic_digest(&self.topic), endpoint = %self.endpoint, "Webhook not verified.");
            // It may have ended meanwhile by itself.
            let _ = self.hub.unsubscribe(&self.topic, Target::Endpoint(self.endpoint), self.principal).await;
            return;
        }
        self.hub.0.counters.webhooks_verified.add(1);
        self.tell_all().await;
    }

    /// Tells the callback what the topic has for it, until either ends.
    pub(super) async fn tell_all(self) {
        // One that was cut off as it is too slow starts again with the current contexts.
        while let Ok(connection) = self.hub.connect(Arc::clone(&self.topic), self.endpoint).await {
            if self.tell(connection).await == Next::Over {
                return;
            }
        }
    }

    async fn tell(&self, mut connection: Connection) -> Next {
        loop {
            let outgoing = tokio::select! {
                biased;
                () = connection.cut.cancelled() => return Next::Again,
                outgoing = connection.outgoing.recv() => outgoing,
            };
            match outgoing {
                // The verification was its confirmation.
                Some(Outgoing::Confirmation(_)) => {}
                Some(Outgoing::Notification(text, id)) => self.notify(text.into(), &id).await,
                Some(Outgoing::Denial(_, reason)) => {
                    let denial = Denial { topic: &self.topic, events: &self.events.join(","), reason };
                    self.sender.deny(&self.callback, denial).await;
                }
                Some(Outgoing::Close(_)) | None => {
                    let ended = Ended::Closed(Some(1000));
                    self.hub.disconnected(&self.topic, self.endpoint, connection.connection, ended).await;
                    return Next::Over;
                }
            }
        }
    }

    /// WH-03, WH-04. No answer is silence, which the topic notices by itself (NOT-06).
    async fn notify(&self, notification: Bytes, id: &str) {
        match self.sender.notify(&self.callback, notification, self.secret.as_ref()).await {
            Answer::Status(status) => {
                self.hub.0.counters.webhook_calls_answered.add(1);
                let verdict = acknowledgement::verdict_of(status);
                self.hub.acknowledged(&self.topic, self.endpoint, Acknowledgement { id: id.to_owned(), verdict }).await;
            }
            Answer::NoAnswer => {
                self.hub.0.counters.webhook_calls_unanswered.add(1);
                debug!(topic = %topic_digest(&self.topic), endpoint = %self.endpoint, "Webhook is silent.")
            }
        }
    }
}

/// What comes after a connection.
#[derive(PartialEq, Eq)]
enum Next {
    Again,
    Over,
}
