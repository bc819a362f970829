//! A topic and its sockets: performs what the topic decides, in that order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::topic::{Command, Current, Departure, Effect, Rules, SubscriptionId, SyncError, Topic, TopicError};
use super::{Hub, digest, messages};
use crate::fhircast::EventName;
use crate::fhircast::event::{Event, Notification};

/// What is put into a subscriber's queue.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    /// A frame.
    Text(Utf8Bytes),
    /// The end, for this reason.
    Close(CloseWith),
}

/// How the hub ends a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CloseWith {
    /// 1000: the subscription has ended (SUB-19, UNS-01).
    Ended,
    /// 1000: another connection has taken over (SUB-21).
    TakenOver,
    /// 1001: the hub ends (CLI-26).
    GoingAway,
    /// 1013: it reads too slowly (NOT-15).
    TooSlow,
}

/// The hub's end of one socket.
#[derive(Debug)]
struct Socket {
    number: u64,
    queue: mpsc::Sender<Outgoing>,
    cut: Cut,
}

/// Ends a socket at once, past whatever waits in its queue.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    token: CancellationToken,
    with: Arc<std::sync::OnceLock<CloseWith>>,
}

/// The socket's end of it.
pub(super) struct Attached {
    /// Tells this socket from a later one at the same endpoint.
    pub(super) number: u64,
    /// What is to be sent.
    pub(super) queue: mpsc::Receiver<Outgoing>,
    /// Fires when the socket is to end at once.
    pub(super) cut: Cut,
}

/// A topic and its sockets.
pub(super) struct Session {
    topic: Topic,
    sockets: HashMap<SubscriptionId, Socket>,
    next_number: u64,
}

impl Session {
    pub(super) fn new(rules: Rules) -> Self {
        Self { topic: Topic::new(rules), sockets: HashMap::new(), next_number: 0 }
    }

    pub(super) fn apply(&mut self, command: Command, now: SystemTime) -> Result<Vec<Effect>, TopicError> {
        self.topic.apply(command, now)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.topic.is_idle()
    }

    pub(super) fn holds(&self, id: SubscriptionId) -> bool {
        self.topic.holds(id)
    }

    pub(super) fn current(&self) -> Option<Current<'_>> {
        self.topic.current()
    }

    /// Puts a new socket in the place of the old one, and tells it where things stand.
    pub(super) fn attach(&mut self, id: SubscriptionId, hub: &Hub, name: &str) -> Result<Attached, TopicError> {
        let effects = self.apply(Command::Connect(id), hub.0.clock.now())?;
        let (sender, queue) = mpsc::channel(hub.0.settings.queue.max(1));
        let cut = Cut { token: CancellationToken::new(), with: Arc::default() };
        self.next_number += 1;
        let socket = Socket { number: self.next_number, queue: sender, cut: cut.clone() };
        if let Some(older) = self.sockets.insert(id, socket) {
            older.cut.now(CloseWith::TakenOver);
        }
        self.perform(effects, hub, name);
        Ok(Attached { number: self.next_number, queue, cut })
    }

    /// Notes that a socket has gone, unless another has already taken its place.
    pub(super) fn detach(&mut self, id: SubscriptionId, number: u64, departure: Departure, hub: &Hub, name: &str) {
        if self.sockets.get(&id).is_none_or(|socket| socket.number != number) {
            return;
        }
        self.sockets.remove(&id);
        if let Ok(effects) = self.apply(Command::Disconnect(id, departure), hub.0.clock.now()) {
            self.perform(effects, hub, name);
        }
    }

    /// Performs these effects in their order, and those that follow from them. How many subscribers were notified.
    pub(super) fn perform(&mut self, effects: Vec<Effect>, hub: &Hub, name: &str) -> usize {
        let mut notified = 0;
        let mut too_slow = Vec::new();
        for effect in effects {
            match effect {
                Effect::Confirm(id, terms) => {
                    let text = messages::confirmation(name, &terms, &*hub.0.clock);
                    self.put(id, Outgoing::Text(text.into()), &mut too_slow);
                }
                Effect::Notify(event, version, to) => {
                    notified += to.len();
                    self.notify(&event, version.as_deref(), &to, name, &mut too_slow);
                }
                Effect::Raise(error, to) => self.raise(&error, &to, hub, name, &mut too_slow),
                Effect::Deny(id, terms, reason) => {
                    info!(topic = %digest(name), subscriber = %id.short(), reason, "Subscription ended.");
                    let text = messages::denial(name, &terms, reason);
                    self.put(id, Outgoing::Text(text.into()), &mut too_slow);
                    self.put(id, Outgoing::Close(CloseWith::Ended), &mut too_slow);
                    self.sockets.remove(&id);
                }
            }
        }
        self.cut_off(too_slow, hub, name);
        notified
    }

    /// Serialises once for each spelling in use, and shares the bytes.
    fn notify(
        &mut self,
        event: &Event,
        version: Option<&str>,
        to: &[(SubscriptionId, EventName)],
        name: &str,
        too_slow: &mut Vec<SubscriptionId>,
    ) {
        let Some((_, first)) = to.first() else { return };
        let notification = event.notification(name, version);
        let mut spelt = vec![(first.clone(), text(&notification, first))];
        for (id, spelling) in to {
            let known = spelt.iter().find(|(known, _)| known.as_str() == spelling.as_str());
            let frame = match known {
                Some((_, frame)) => frame.clone(),
                None => {
                    let frame = text(&notification, spelling);
                    spelt.push((spelling.clone(), frame.clone()));
                    frame
                }
            };
            self.put(*id, Outgoing::Text(frame), too_slow);
        }
    }

    fn raise(
        &mut self,
        error: &SyncError,
        to: &[(SubscriptionId, EventName)],
        hub: &Hub,
        name: &str,
        too_slow: &mut Vec<SubscriptionId>,
    ) {
        warn!(topic = %digest(name), told = to.len(), cause = error.cause_name(), "A subscriber fell out of step.");
        if let Some(event) = messages::sync_error(error, &*hub.0.clock) {
            self.notify(&event, None, to, name, too_slow);
        }
    }

    fn put(&mut self, id: SubscriptionId, outgoing: Outgoing, too_slow: &mut Vec<SubscriptionId>) {
        let Some(socket) = self.sockets.get(&id) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = socket.queue.try_send(outgoing)
            && !too_slow.contains(&id)
        {
            too_slow.push(id);
        }
    }

    /// NOT-15: whoever's queue is full is cut off, and the others are told. Ends, since each round has one socket fewer.
    fn cut_off(&mut self, too_slow: Vec<SubscriptionId>, hub: &Hub, name: &str) {
        for id in too_slow {
            let Some(socket) = self.sockets.remove(&id) else { continue };
            socket.cut.now(CloseWith::TooSlow);
            warn!(topic = %digest(name), subscriber = %id.short(), "Subscriber read too slowly; closing its socket.");
            if let Ok(effects) = self.apply(Command::Disconnect(id, Departure::TooSlow), hub.0.clock.now()) {
                self.perform(effects, hub, name);
            }
        }
    }
}

impl Cut {
    fn now(&self, with: CloseWith) {
        // The first reason stands.
        let _ = self.with.set(with);
        self.token.cancel();
    }

    /// Waits for the end, and tells why.
    pub(super) async fn cancelled(&self) -> CloseWith {
        self.token.cancelled().await;
        self.with.get().copied().unwrap_or(CloseWith::GoingAway)
    }
}

fn text(notification: &Notification, spelling: &EventName) -> Utf8Bytes {
    notification.text(spelling).into()
}
