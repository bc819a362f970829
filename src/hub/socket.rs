//! A subscriber's WebSocket: writes what is queued, hears answers, pings, and closes properly.
//!
//! Knows nothing of what the texts mean. Reading and writing go on side by side, so that a subscriber that is slow in one
//! cannot stop the other.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};
use tokio_util::sync::CancellationToken;

use super::Hub;
use super::binding;
use super::delivery::Outgoing;
use super::topic::{Closing, ConnectionId, Ended, EndpointId};
use crate::fhircast::socket_text;

/// The hub's view of one open socket; dropped when it has ended.
pub(super) struct Connection {
    pub(super) hub: Hub,
    pub(super) topic: Arc<str>,
    pub(super) endpoint: EndpointId,
    pub(super) connection: ConnectionId,
    /// What it is to send.
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
    /// Ends it at once: it reads too slowly.
    pub(super) cut: CancellationToken,
}

/// How long a closing handshake may take.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// How long a subscriber that reads too slowly is given to read why it is cut off.
const CUT_OFF_TIME: Duration = Duration::from_secs(1);

/// Pings without any sign of life after which a socket counts as lost (NOT-14).
const MISSED_PONGS: u32 = 2;

/// Subscribers only send answers.
const MAX_INBOUND: usize = 64 << 10;

/// A small buffer keeps an idle socket cheap.
const READ_BUFFER: usize = 4 << 10;

/// Beside the largest event: the envelope around it, and frames that the protocol itself sends.
const WRITE_ROOM: usize = 256 << 10;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Notifications, and answers to them.
    Standard,
    /// Events of its subscriber as well, by the rules of this one of the hub's mounts (CLI-39).
    Bound { mount: usize },
}

/// Upgrades to a socket of `endpoint`, and serves it until it ends.
pub(super) fn accept(
    upgrade: WebSocketUpgrade,
    hub: Hub,
    topic: Arc<str>,
    endpoint: EndpointId,
    manner: Manner,
) -> Response {
    // A message larger than the write buffer's bound could never be sent, so the bound follows the largest event.
    let max_write_buffer = hub.0.settings.max_event_bytes().saturating_mul(2).saturating_add(WRITE_ROOM);
    let sockets = hub.0.sockets.clone();
    bounded(upgrade, MAX_INBOUND, max_write_buffer)
        .on_upgrade(move |socket| sockets.track_future(serve(socket, hub, topic, endpoint, manner)))
}

fn bounded(upgrade: WebSocketUpgrade, max_inbound: usize, max_write_buffer: usize) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(max_write_buffer)
        .max_message_size(max_inbound)
        .max_frame_size(max_inbound)
}

async fn serve(socket: WebSocket, hub: Hub, topic: Arc<str>, endpoint: EndpointId, manner: Manner) {
    match hub.connect(Arc::clone(&topic), endpoint).await {
        Ok(connection) => run(socket, connection, manner).await,
        // The subscription has ended between the request and here (CONF-04).
        Err(refusal) => deny(socket, &topic, &refusal.to_string()).await,
    }
}

async fn run(socket: WebSocket, connection: Connection, manner: Manner) {
    let Connection { hub, topic, endpoint, connection, outgoing, cut } = connection;
    if let Manner::Bound { .. } = manner {
        hub.say_bound(&topic, connection).await;
    }
    let listener = Subscriber { hub: &hub, topic: &topic, endpoint, manner };
    let ended = exchange(socket, outgoing, cut, hub.0.settings.ping_interval(), listener).await;
    hub.disconnected(&topic, endpoint, connection, ended).await;
}

/// Who hears what comes through a socket.
trait Listener {
    fn hear(&self, message: Message) -> impl Future<Output = ()> + Send;
}

/// The subscription that a socket is for.
struct Subscriber<'s> {
    hub: &'s Hub,
    topic: &'s str,
    endpoint: EndpointId,
    manner: Manner,
}

impl Listener for Subscriber<'_> {
    async fn hear(&self, message: Message) {
        let (Self { hub, topic, endpoint, manner }, Message::Text(text)) = (self, message) else { return };
        match manner {
            Manner::Bound { mount } if binding::is_event(&text) => {
                hub.publish_from_socket(*mount, topic, *endpoint, &text).await;
            }
            _ => hub.heard(topic, *endpoint, &text).await,
        }
    }
}

/// Writes what is `outgoing`, and gives `listener` what comes, until the socket ends.
async fn exchange(
    socket: WebSocket,
    outgoing: mpsc::Receiver<impl Into<Message>>,
    cut: CancellationToken,
    ping_every: Duration,
    listener: impl Listener,
) -> Ended {
    let peer = Peer::default();
    let (sink, stream) = socket.split();
    let mut reading = pin!(read(stream, &peer, listener));
    let mut writing = pin!(write(sink, outgoing, cut, ping_every, &peer));
    tokio::select! {
        ended = &mut reading => {
            if peer.broke_protocol.is_cancelled() {
                // It is told why, after what was queued for it.
                let _ = timeout(CUT_OFF_TIME, writing).await;
            }
            ended
        }
        stopped = &mut writing => match stopped {
            Stopped::Closed => timeout(CLOSING_TIME, reading).await.unwrap_or(Ended::Lost),
            Stopped::Lost => Ended::Lost,
        },
    }
}

/// What reading tells writing of the other side.
#[derive(Default)]
struct Peer {
    /// Pings since its last sign of life.
    unanswered: AtomicU32,
    /// It has sent what no WebSocket sends; `code` says what is wrong with it.
    broke_protocol: CancellationToken,
    code: AtomicU16,
}

/// Hears until the stream ends, which is after the closing handshake where there is one.
async fn read(mut stream: SplitStream<WebSocket>, peer: &Peer, listener: impl Listener) -> Ended {
    let mut ended = Ended::Lost;
    loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                if let Some(code) = close_code_of(error) {
                    peer.code.store(code, Ordering::Relaxed);
                    peer.broke_protocol.cancel();
                }
                return ended;
            }
            None => return ended,
        };
        peer.unanswered.store(0, Ordering::Relaxed);
        match message {
            Message::Text(_) | Message::Binary(_) => listener.hear(message).await,
            Message::Close(frame) => ended = Ended::Closed(frame.map(|frame| frame.code)),
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

/// The code that tells a peer what was wrong with its frames (RFC 6455, 7.4.1); `None` where the connection itself has failed.
fn close_code_of(error: axum::Error) -> Option<u16> {
    match *error.into_inner().downcast::<tungstenite::Error>().ok()? {
        tungstenite::Error::Capacity(_) => Some(close_code::SIZE),
        tungstenite::Error::Utf8(_) => Some(close_code::INVALID),
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some(close_code::PROTOCOL),
        _ => None,
    }
}

/// Why writing has stopped.
enum Stopped {
    /// A close was sent, or the other side's is being answered.
    Closed,
    /// Nobody is there any more.
    Lost,
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut outgoing: mpsc::Receiver<impl Into<Message>>,
    cut: CancellationToken,
    ping_every: Duration,
    peer: &Peer,
) -> Stopped {
    let mut pings = tokio::time::interval_at(Instant::now() + ping_every, ping_every);
    loop {
        let message = tokio::select! {
            biased;
            () = cut.cancelled() => return cut_off(sink).await,
            // Where the hub has let go of the queue, the end.
            next = outgoing.recv() => next.map_or_else(|| close(Closing::Ended), Into::into),
            () = peer.broke_protocol.cancelled() => {
                let code = peer.code.load(Ordering::Relaxed);
                Message::Close(Some(CloseFrame { code, reason: "this is not WebSocket (RFC 6455)".into() }))
            }
            _ = pings.tick() => {
                if peer.unanswered.fetch_add(1, Ordering::Relaxed) >= MISSED_PONGS {
                    return Stopped::Lost;
                }
                Message::Ping(Bytes::new())
            }
        };
        let closes = matches!(message, Message::Close(_));
        let sent = tokio::select! {
            biased;
            () = cut.cancelled() => return cut_off(sink).await,
            sent = timeout(ping_every * MISSED_PONGS, sink.send(message)) => sent,
        };
        match sent {
            Ok(Ok(())) if !closes => {}
            Ok(_) => return Stopped::Closed,
            Err(_) => return Stopped::Lost,
        }
    }
}

impl From<Outgoing> for Message {
    fn from(outgoing: Outgoing) -> Self {
        match outgoing {
            Outgoing::Confirmation(text) | Outgoing::Denial(text, _) | Outgoing::Notification(text, _) => {
                Self::Text(text)
            }
            Outgoing::Close(why) => close(why),
        }
    }
}

async fn cut_off(mut sink: SplitSink<WebSocket, Message>) -> Stopped {
    match timeout(CUT_OFF_TIME, sink.send(close(Closing::Behind))).await {
        Ok(_) => Stopped::Closed,
        Err(_) => Stopped::Lost,
    }
}

async fn deny(mut socket: WebSocket, topic: &str, reason: &str) {
    let denial = socket_text::denial(topic, &[], reason);
    let farewell = async {
        if socket.send(Message::Text(denial.into())).await.is_ok() && socket.send(close(Closing::Ended)).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Whoever does not take part in the closing handshake is left.
    let _ = timeout(CLOSING_TIME, farewell).await;
}

fn close(why: Closing) -> Message {
    let (code, reason) = match why {
        Closing::Behind => (close_code::AGAIN, "the subscriber reads too slowly"),
        Closing::Ended => (close_code::NORMAL, "the subscription has ended"),
        Closing::Replaced => (close_code::NORMAL, "the same client has subscribed again"),
        Closing::ShuttingDown => (close_code::AWAY, "the hub shuts down: come back to the same endpoint"),
        Closing::TakenOver => (close_code::NORMAL, "another connection was opened at this endpoint"),
    };
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

/// Echoes what comes through the very loop and buffers of a subscriber's socket, for a test of the protocol; only messages may
/// be as large as the test's largest.
#[cfg(feature = "autobahn")]
pub async fn echo(upgrade: WebSocketUpgrade) -> Response {
    const LARGEST: usize = 32 << 20;
    /// The test sends a thousand messages before it reads one.
    const QUEUE: usize = 4096;
    bounded(upgrade, LARGEST, LARGEST * 2 + WRITE_ROOM).on_upgrade(async |socket| {
        let (queue, outgoing) = mpsc::channel::<Message>(QUEUE);
        let cut = CancellationToken::new();
        let ping_every = super::HubSettings::default().ping_interval();
        let echo = Echo { queue, cut: cut.clone() };
        exchange(socket, outgoing, cut, ping_every, echo).await;
    })
}

/// Sends back what comes.
#[cfg(feature = "autobahn")]
struct Echo {
    queue: mpsc::Sender<Message>,
    cut: CancellationToken,
}

#[cfg(feature = "autobahn")]
impl Listener for Echo {
    async fn hear(&self, message: Message) {
        if self.queue.try_send(message).is_err() {
            self.cut.cancel();
        }
    }
}
