//! Connecting: the sockets of subscriptions, and what is heard from them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Hub;
use super::committing::Undone;
use super::delivery::{Outgoing, Seat};
use super::endpoint::topic_digest;
use super::socket;
use super::topic::{Closing, Command, ConnectionId, Ended, EndpointId, Refusal};
use crate::fhircast::Acknowledgement;

impl Hub {
    /// Whether a connection to `endpoint` would take over once too often (CLI-27).
    pub(super) async fn is_taken_over_too_often(&self, topic: &str, endpoint: EndpointId) -> bool {
        let now = self.now();
        let turn = self.0.topics.known(topic, now).await;
        turn.is_some_and(|turn| turn.topic.is_taken_over_too_often(endpoint, now))
    }

    /// The topic that `endpoint` belongs to, while it is live.
    pub(super) fn topic_of(&self, endpoint: EndpointId) -> Option<Arc<str>> {
        self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner).get(&endpoint).map(Arc::clone)
    }

    /// A socket has been opened at `endpoint`: the other end of its queue.
    pub(super) async fn connect(&self, topic: Arc<str>, endpoint: EndpointId) -> Result<socket::Connection, Undone> {
        let connection = ConnectionId(self.0.next_connection.fetch_add(1, Ordering::Relaxed));
        let (queue, outgoing) = mpsc::channel::<Outgoing>(self.0.settings.queue.max(MIN_QUEUE));
        let cut = CancellationToken::new();
        let now = self.now();
        let mut turn = self.0.topics.known(&topic, now).await.ok_or(Undone::Refused(Refusal::EndpointUnknown))?;
        turn.seats.insert(connection, Seat { endpoint, queue, cut: cut.clone() });
        if let Err(undone) = self.command(turn, Command::Connect { endpoint, connection }, now).await {
            if let Some(mut turn) = self.0.topics.known(&topic, now).await {
                turn.seats.remove(connection);
            }
            return Err(undone);
        }
        self.0.counters.sockets_opened.add(1);
        debug!(topic = %topic_digest(&topic), %endpoint, "Subscriber connected.");
        if self.is_shutting_down()
            && let Some(mut turn) = self.0.topics.known(&topic, now).await
        {
            turn.seats.close_all(Closing::ShuttingDown);
        }
        Ok(socket::Connection { hub: self.clone(), topic, endpoint, connection, outgoing, cut })
    }

    pub(super) async fn disconnected(&self, topic: &str, endpoint: EndpointId, connection: ConnectionId, ended: Ended) {
        let now = self.now();
        self.0.counters.sockets_ended.add(1);
        debug!(topic = %topic_digest(topic), %endpoint, ?ended, "Subscriber disconnected.");
        let Some(mut turn) = self.0.topics.known(topic, now).await else { return };
        turn.seats.remove(connection);
        // A disconnection is never refused.
        let _ = self.command(turn, Command::Disconnect { endpoint, connection, ended }, now).await;
    }

    /// A subscriber's frame: an answer to a notification, or nothing that matters (CLI-22).
    pub(super) async fn heard(&self, topic: &str, endpoint: EndpointId, text: &str) {
        match Acknowledgement::parse(text) {
            Some(acknowledgement) => self.acknowledged(topic, endpoint, acknowledgement).await,
            None => self.0.counters.frames_ignored.add(1),
        }
    }

    pub(super) async fn acknowledged(&self, topic: &str, endpoint: EndpointId, acknowledgement: Acknowledgement) {
        let (Acknowledgement { id, verdict }, counters, now) = (acknowledgement, &self.0.counters, self.now());
        let command = Command::Acknowledge { endpoint, event: id, verdict };
        let heard = match self.0.topics.known(topic, now).await {
            Some(turn) => self.command(turn, command, now).await.is_ok(),
            None => false,
        };
        if heard { counters.answers_received.add(1) } else { counters.frames_ignored.add(1) }
    }
}

/// Room for a confirmation and the current contexts, whatever is configured.
const MIN_QUEUE: usize = 8;
