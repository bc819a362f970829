//! Connecting: the sockets of subscriptions, and what is heard from them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Hub;
use super::delivery::{Outgoing, Seat};
use super::endpoint::topic_digest;
use super::socket;
use super::topic::{Closing, Command, ConnectionId, Ended, EndpointId, Refusal};
use super::topics::Slot;
use crate::fhircast::Acknowledgement;

impl Hub {
    /// Whether a connection to `endpoint` would take over once too often (CLI-27).
    pub(super) fn is_taken_over_too_often(&self, topic: &str, endpoint: EndpointId) -> bool {
        let now = self.now();
        let asked = |slot: &mut Slot| slot.topic.is_taken_over_too_often(endpoint, now);
        self.0.topics.with_known(topic, now, asked).unwrap_or(false)
    }

    /// The topic that `endpoint` belongs to, while it is live.
    pub(super) fn topic_of(&self, endpoint: EndpointId) -> Option<Arc<str>> {
        self.0.endpoints.read().unwrap_or_else(PoisonError::into_inner).get(&endpoint).map(Arc::clone)
    }

    /// A socket has been opened at `endpoint`: the other end of its queue.
    pub(super) fn connect(&self, topic: Arc<str>, endpoint: EndpointId) -> Result<socket::Connection, Refusal> {
        let connection = ConnectionId(self.0.next_connection.fetch_add(1, Ordering::Relaxed));
        let (queue, outgoing) = mpsc::channel::<Outgoing>(self.0.settings.queue.max(MIN_QUEUE));
        let cut = CancellationToken::new();
        let now = self.now();
        let seat = Seat { endpoint, queue, cut: cut.clone() };
        let command = Command::Connect { endpoint, connection };
        let done = self.0.topics.with_known(&topic, now, |slot| {
            slot.seats.insert(connection, seat);
            let done = self.command(slot, &topic, command, now);
            if done.is_err() {
                slot.seats.remove(connection);
            } else if self.is_shutting_down() {
                slot.seats.close_all(Closing::ShuttingDown);
            }
            done
        });
        done.unwrap_or(Err(Refusal::EndpointUnknown))?;
        self.0.counters.sockets_opened.add(1);
        debug!(topic = %topic_digest(&topic), %endpoint, "Subscriber connected.");
        Ok(socket::Connection { hub: self.clone(), topic, endpoint, connection, outgoing, cut })
    }

    pub(super) fn disconnected(&self, topic: &str, endpoint: EndpointId, connection: ConnectionId, ended: Ended) {
        let now = self.now();
        self.0.counters.sockets_ended.add(1);
        debug!(topic = %topic_digest(topic), %endpoint, ?ended, "Subscriber disconnected.");
        self.0.topics.with_known(topic, now, |slot| {
            slot.seats.remove(connection);
            // A disconnection is never refused.
            let _ = self.command(slot, topic, Command::Disconnect { endpoint, connection, ended }, now);
        });
    }

    /// A subscriber's frame: an answer to a notification, or nothing that matters (CLI-22).
    pub(super) fn heard(&self, topic: &str, endpoint: EndpointId, text: &str) {
        match Acknowledgement::parse(text) {
            Some(acknowledgement) => self.acknowledged(topic, endpoint, acknowledgement),
            None => self.0.counters.frames_ignored.add(1),
        }
    }

    pub(super) fn acknowledged(&self, topic: &str, endpoint: EndpointId, acknowledgement: Acknowledgement) {
        let (Acknowledgement { id, verdict }, counters, now) = (acknowledgement, &self.0.counters, self.now());
        let command = Command::Acknowledge { endpoint, event: id, verdict };
        match self.0.topics.with_known(topic, now, |slot| self.command(slot, topic, command, now)) {
            Some(Ok(_)) => counters.answers_received.add(1),
            _ => counters.frames_ignored.add(1),
        }
    }
}

/// Room for a confirmation and the current contexts, whatever is configured.
const MIN_QUEUE: usize = 8;
