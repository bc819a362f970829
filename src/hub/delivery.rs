//! Delivery: each connected subscriber's bounded queue, and what is put into it.
//!
//! A notification is written once for each spelling of its event's name and shared by all who spell it so. Nothing here
//! waits: who has no room is reported, and cut off (NOT-15).

use std::collections::HashMap;

use axum::extract::ws::Utf8Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::error;
use uuid::Uuid;

use super::topic::{Action, Closing, ConnectionId, EndpointId, Recipient, Spelling};
use crate::fhircast::{Event, Version, socket_text};

/// What a socket is told to do next.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    /// Close, and send nothing more.
    Close(Closing),
    /// Send this text.
    Text(Utf8Bytes),
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
                    self.send(to, socket_text::confirmation(topic, &events, lease_seconds).into(), &mut performed);
                }
                Action::Deliver { to, event, version } => {
                    performed.delivered += self.notify(&to, &event, version, &mut performed);
                }
                Action::Deny { to, events, reason } => {
                    self.send(to, socket_text::denial(topic, &events, reason).into(), &mut performed);
                }
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

    fn notify(&self, to: &[Recipient], event: &Event, version: Option<Version>, performed: &mut Performed) -> usize {
        let mut written: Vec<(&Spelling, Utf8Bytes)> = Vec::with_capacity(1);
        let mut count = 0;
        for recipient in to {
            let text = match written.iter().find(|(spelling, _)| **spelling == recipient.spelling) {
                Some((_, text)) => text.clone(),
                None => {
                    let text = Utf8Bytes::from(event.notification(&recipient.spelling, version));
                    written.push((&recipient.spelling, text.clone()));
                    text
                }
            };
            count += usize::from(self.send(recipient.connection, text, performed));
        }
        count
    }

    fn send(&self, to: ConnectionId, text: Utf8Bytes, performed: &mut Performed) -> bool {
        let Some(seat) = self.0.get(&to) else { return false };
        match seat.queue.try_send(Outgoing::Text(text)) {
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
