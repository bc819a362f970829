//! One subscriber's WebSocket: writes what is queued, reads acknowledgements, pings, and ends cleanly.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::debug;

use super::acknowledgement::Acknowledgement;
use super::session::{Attached, CloseWith, Outgoing};
use super::settings::duration;
use super::topic::{Command, Departure, SubscriptionId};
use super::{Hub, lock};

/// Pings that may stay unanswered before a socket counts as lost (NOT-14).
const PINGS_MISSED: u32 = 2;

/// How long the closing handshake may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Serves the socket of subscription `id` until it ends.
pub(super) async fn serve(mut socket: WebSocket, hub: Hub, topic: String, id: SubscriptionId) {
    let attached = match hub.existing(&topic).map(|session| lock(&session).attach(id, &hub, &topic)) {
        Some(Ok(attached)) => attached,
        // It ended between the upgrade and now.
        _ => return close(&mut socket, CloseWith::Ended).await,
    };
    let number = attached.number;
    let ending = converse(&mut socket, attached, &hub, &topic, id).await;
    let departure = match ending {
        Ending::Ours(with) => {
            close(&mut socket, with).await;
            Departure::Normal
        }
        Ending::Theirs(departure) => {
            drain(&mut socket).await;
            departure
        }
    };
    if let Some(session) = hub.existing(&topic) {
        lock(&session).detach(id, number, departure, &hub, &topic);
    }
}

enum Ending {
    Ours(CloseWith),
    Theirs(Departure),
}

async fn converse(
    socket: &mut WebSocket,
    mut attached: Attached,
    hub: &Hub,
    topic: &str,
    id: SubscriptionId,
) -> Ending {
    let write_timeout = duration(hub.0.settings.write_timeout);
    let every = duration(hub.0.settings.ping_every).max(Duration::from_secs(1));
    let mut pings = interval_at(Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    loop {
        let message = tokio::select! {
            with = attached.cut.cancelled() => return Ending::Ours(with),
            () = hub.0.shutdown.cancelled() => return Ending::Ours(CloseWith::GoingAway),
            outgoing = attached.queue.recv() => match outgoing {
                Some(Outgoing::Text(text)) => Message::Text(text),
                Some(Outgoing::Close(with)) => return Ending::Ours(with),
                None => return Ending::Ours(CloseWith::Ended),
            },
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    acknowledge(&text, hub, topic, id);
                    continue;
                }
                Some(Ok(Message::Pong(_))) => {
                    unanswered = 0;
                    continue;
                }
                Some(Ok(Message::Close(frame))) => return Ending::Theirs(departure(frame.as_ref())),
                Some(Ok(Message::Binary(_) | Message::Ping(_))) => continue,
                Some(Err(_)) | None => return Ending::Theirs(Departure::Lost),
            },
            _ = pings.tick() => {
                if unanswered == PINGS_MISSED {
                    debug!(subscriber = %id.short(), "Socket lost: it answers no ping.");
                    return Ending::Theirs(Departure::Lost);
                }
                unanswered += 1;
                Message::Ping(Vec::new().into())
            }
        };
        let written = tokio::select! {
            written = timeout(write_timeout, socket.send(message)) => written,
            with = attached.cut.cancelled() => return Ending::Ours(with),
        };
        match written {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ending::Theirs(Departure::Lost),
            Err(_) => return Ending::Theirs(Departure::TooSlow),
        }
    }
}

fn acknowledge(frame: &str, hub: &Hub, topic: &str, id: SubscriptionId) {
    let (Some(answer), Some(session)) = (Acknowledgement::parse(frame), hub.existing(topic)) else { return };
    let command = Command::Acknowledge { from: id, event: answer.id, status: answer.status };
    let mut session = lock(&session);
    if let Ok(effects) = session.apply(command, hub.0.clock.now()) {
        session.perform(effects, hub, topic);
    }
}

/// NOT-07: 1000 and 1001 are meant; so is a close without code, as many clients' plain `close()` sends none (POL-04).
fn departure(frame: Option<&CloseFrame>) -> Departure {
    match frame.map(|frame| frame.code) {
        None | Some(1000 | 1001 | 1005) => Departure::Normal,
        Some(_) => Departure::Lost,
    }
}

async fn close(socket: &mut WebSocket, with: CloseWith) {
    let (code, reason) = match with {
        CloseWith::Ended => (1000, "the subscription has ended"),
        CloseWith::TakenOver => (1000, "another connection to this endpoint has taken over"),
        CloseWith::GoingAway => (1001, "the hub is shutting down"),
        CloseWith::TooSlow => (1013, "notifications were read too slowly; connect again for the current context"),
    };
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let sent = timeout(CLOSING, socket.send(Message::Close(Some(frame)))).await;
    if matches!(sent, Ok(Ok(()))) {
        drain(socket).await;
    }
}

/// Reads on until the stream ends: only then is the closing handshake done, and the close a clean one.
async fn drain(socket: &mut WebSocket) {
    let _ = timeout(CLOSING, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
}
