//! Subscribers that are told by requests to an address of their own, at mounts of editions before 3 (WH-01 to WH-06).
//!
//! To the topic such a subscriber is like any other: verified is connected, an answer's status is its acknowledgement.

mod address;
mod callback;
mod sender;
mod settings;
mod signature;

use std::sync::Arc;

use tracing::{debug, info};

pub(super) use self::callback::{Callback, CallbackError};
pub(super) use self::sender::Sender;
pub use self::settings::WebhookSettings;

use self::sender::Answer;
use super::Hub;
use super::delivery::Outgoing;
use super::endpoint::topic_digest;
use super::socket::Connection;
use super::topic::{Ended, EndpointId, Spelling, Target};
use crate::fhircast::{Acknowledgement, acknowledgement};

/// A webhook's subscription, as its mount has accepted it.
pub(super) struct Webhook {
    pub(super) hub: Hub,
    pub(super) topic: Arc<str>,
    pub(super) endpoint: EndpointId,
    pub(super) principal: Arc<str>,
    pub(super) events: Vec<Spelling>,
    pub(super) lease_seconds: u64,
    pub(super) sender: Sender,
}

impl Webhook {
    /// Verifies that the callback wants the subscription (WH-02), then tells it what the topic has for it, until either ends.
    pub(super) async fn run(self) {
        if !self.sender.verify(&self.topic, &self.events.join(","), self.lease_seconds).await {
            info!(topic = %topic_digest(&self.topic), endpoint = %self.endpoint, "Webhook not verified.");
            // It may have ended meanwhile by itself.
            let _ = self.hub.unsubscribe(&self.topic, Target::Endpoint(self.endpoint), self.principal);
            return;
        }
        // One that was cut off as it is too slow starts again with the current contexts.
        while let Ok(connection) = self.hub.connect(Arc::clone(&self.topic), self.endpoint) {
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
                Some(Outgoing::Notification(text, id)) => self.notify(&text, &id).await,
                Some(Outgoing::Denial(_, reason)) => {
                    self.sender.deny(&self.topic, &self.events.join(","), reason).await;
                }
                Some(Outgoing::Close(_)) | None => {
                    let ended = Ended::Closed(Some(1000));
                    self.hub.disconnected(&self.topic, self.endpoint, connection.connection, ended);
                    return Next::Over;
                }
            }
        }
    }

    /// WH-03, WH-04. No answer is silence, which the topic notices by itself (NOT-06).
    async fn notify(&self, text: &str, id: &str) {
        match self.sender.notify(text).await {
            Answer::Status(status) => {
                let verdict = acknowledgement::verdict_of(status);
                self.hub.acknowledged(&self.topic, self.endpoint, Acknowledgement { id: id.to_owned(), verdict });
            }
            Answer::None => debug!(topic = %topic_digest(&self.topic), endpoint = %self.endpoint, "Webhook is silent."),
        }
    }
}

/// What comes after a connection.
#[derive(PartialEq, Eq)]
enum Next {
    Again,
    Over,
}
