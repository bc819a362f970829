//! Delivery: each connected subscriber's bounded queue, and what is put into it.
//!
//! A notification is written once for each spelling of its event's name and shared by all who read it so. Nothing here
//! waits: who has no room is reported, and cut off (NOT-15).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::error;
use uuid::Uuid;

use super::topic::{Action, Closing, ConnectionId, EndpointId, Recipient};
use crate::fhircast::{Event, Versions, socket_text};

/// What a subscriber's channel is told to do next.
#[derive(Clone)]
pub(super) enum Outgoing {
    /// Close, and send nothing more.
    Close(Closing),
    /// Send this confirmation.
    Confirmation(Utf8Bytes),
    /// Send this denial.
    Denial(Utf8Bytes, &'static str),
    /// Send the notification of the event of this id.
    Notification(Utf8Bytes, Arc<str>),
}

/// The hub's end of one socket's queue.
#[derive(Debug)]
pub(super) struct Seat {
    /// Whose socket it is.
    pub(super) endpoint: EndpointId,
    /// What it is to send, in order.
    pub(super) queue: mpsc::Sender<Outgoing>,
    /// Ends it at once, whatever is queued.
    pub(super) cut: CancellationToken,
}

/// The sockets of one topic.
#[derive(Debug, Default)]
pub(super) struct Seats(HashMap<ConnectionId, Seat>);

/// What came of performing.
#[derive(Debug, Default)]
pub(super) struct Performed {
    /// Notifications queued.
    pub(super) delivered: usize,
    /// SyncErrors raised.
    pub(super) raised: usize,
    /// Who had no room.
    pub(super) behind: Vec<(EndpointId, ConnectionId)>,
}

impl Seats {
    /// A socket has come.
    pub(super) fn insert(&mut self, connection: ConnectionId, seat: Seat) {
        self.0.insert(connection, seat);
    }

    /// A socket has gone.
    pub(super) fn remove(&mut self, connection: ConnectionId) {
        self.0.remove(&connection);
    }

    /// Sends `text` beside what the topic decides; who has no room for it is cut off.
    pub(super) fn say(&self, to: ConnectionId, text: Utf8Bytes) {
        if let Some(seat) = self.0.get(&to)
            && seat.queue.try_send(Outgoing::Confirmation(text)).is_err()
        {
            seat.cut.cancel();
        }
    }

    /// Closes every socket, after what is queued for it.
    pub(super) fn close_all(&mut self, why: Closing) {
        for connection in self.0.keys().copied().collect::<Vec<_>>() {
            self.close(connection, why);
        }
    }

    /// Performs `actions` on the sockets of `topic`, in order.
    pub(super) fn perform(&mut self, actions: Vec<Action>, topic: &str, now: Timestamp) -> Performed {
        let mut performed = Performed::default();
        for action in actions {
            match action {
                Action::Close { to, why } => self.close(to, why),
                Action::Confirm { to, events, lease_seconds } => {
                    let text = socket_text::confirmation(topic, &events, lease_seconds).into();
                    self.send(to, Outgoing::Confirmation(text), &mut performed);
                }
                Action::Deliver { to, event, versions } => {
                    performed.delivered += self.notify(&to, &event, versions, &mut performed);
                }
                Action::Deny { to, events, reason } => {
                    let text = socket_text::denial(topic, &events, reason).into();
                    self.send(to, Outgoing::Denial(text, reason), &mut performed);
                }
                Action::Heartbeat { to, period } => match Event::heartbeat(Uuid::new_v4(), topic, now, period) {
                    Ok(event) => drop(self.notify(&[to], &event, None, &mut performed)),
                    Err(error) => error!(%error, "Heartbeat not written: this is a mistake in the gateway."),
                },
                Action::Raise { to, error } => match error.event(Uuid::new_v4(), topic, now) {
                    Ok(event) => {
                        performed.raised += 1;
                        self.notify(&to, &event, None, &mut performed);
                    }
                    Err(error) => error!(%error, "SyncError not written: this is a mistake in the gateway."),
                },
            }
        }
        performed
    }

    fn notify(&self, to: &[Recipient], event: &Event, versions: Option<Versions>, performed: &mut Performed) -> usize {
        let mut written: Vec<(&Recipient, Utf8Bytes)> = Vec::with_capacity(1);
        let id: Arc<str> = event.id.as_str().into();
        let mut count = 0;
        for recipient in to {
            let text = match written.iter().find(|(other, _)| other.reads_as(recipient)) {
                Some((_, text)) => text.clone(),
                None => {
                    let text = Utf8Bytes::from(if recipient.text_references {
                        event.with_text_references().notification(&recipient.spelling, versions)
                    } else {
                        event.notification(&recipient.spelling, versions)
                    });
                    written.push((recipient, text.clone()));
                    text
                }
            };
            let outgoing = Outgoing::Notification(text, Arc::clone(&id));
            count += usize::from(self.send(recipient.connection, outgoing, performed));
        }
        count
    }

    fn send(&self, to: ConnectionId, outgoing: Outgoing, performed: &mut Performed) -> bool {
        let Some(seat) = self.0.get(&to) else { return false };
        match seat.queue.try_send(outgoing) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                performed.behind.push((seat.endpoint, to));
                false
            }
            // The socket has just ended, and is about to say so itself.
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    fn close(&mut self, connection: ConnectionId, why: Closing) {
        let Some(seat) = self.0.remove(&connection) else { return };
        if why == Closing::Behind || seat.queue.try_send(Outgoing::Close(why)).is_err() {
            seat.cut.cancel();
        }
    }
}
