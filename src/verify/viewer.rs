//! A subscriber's socket, read all the time, as a real application reads its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::finding::{Finding, Verdict, bounded, ensure};
use super::hub::Target;
use super::judge;
use crate::fhircast::Edition;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connected subscriber. Dropped, its connection is lost without a goodbye.
pub(super) struct Viewer<'a> {
    target: &'a Target,
    pub(super) topic: String,
    pub(super) endpoint: String,
    frames: mpsc::Receiver<Frame>,
    orders: mpsc::Sender<Message>,
    status: Arc<AtomicU16>,
    /// Whether the hub may send it heartbeats: to all others they are noise, as some hubs send them unasked.
    pub(super) hears_heartbeats: bool,
    task: JoinHandle<()>,
}

/// What came over the socket.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    Confirmation(Value),
    Denied(Value),
    Event(Value),
    Closed {
        code: Option<u16>,
        reason: String,
    },
    Ping,
    /// A text that is nothing of FHIRcast.
    Other(String),
}

/// Stands for a subscriber that answers nothing.
const SILENT: u16 = 0;

/// The largest notification that is read.
const MAX_MESSAGE: usize = 16 << 20;

/// Frames that wait to be looked at; beyond them the socket is not read.
const MAX_WAITING: usize = 1024;

/// How often a wait of some length looks whether what it waits for has come.
const LOOKS: u32 = 12;

/// How long each look takes.
const LOOK: Duration = Duration::from_millis(150);

/// What an attempt to connect came to, where it failed.
pub(super) enum NoSocket {
    /// The hub answered over HTTP instead.
    Refused(u16),
    /// No connection, or no answer.
    Unreachable(String),
}

/// Opens a WebSocket at `endpoint`, within `patience`.
pub(super) async fn open(endpoint: &str, patience: Duration) -> Result<Socket, NoSocket> {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    match timeout(patience, connect_async_with_config(endpoint, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(response))) => Err(NoSocket::Refused(response.status().as_u16())),
        Ok(Err(error)) => Err(NoSocket::Unreachable(bounded(&error.to_string(), 120))),
        Err(_) => Err(NoSocket::Unreachable(format!("no answer to the handshake within {patience:?}"))),
    }
}

impl<'a> Viewer<'a> {
    /// Connects to an endpoint of `topic`.
    pub(super) async fn connect(target: &'a Target, topic: &str, endpoint: &str) -> Result<Self, Finding> {
        let asked = "the endpoint of an accepted subscription takes a WebSocket";
        let socket = open(endpoint, target.patience).await.map_err(|failed| match failed {
            NoSocket::Refused(status) => Finding::failed(asked, format!("{status} to the handshake")),
            NoSocket::Unreachable(what) => Finding::failed(asked, what),
        })?;
        let (frame_sender, frames) = mpsc::channel(MAX_WAITING);
        let (orders, order_receiver) = mpsc::channel(16);
        let status = Arc::new(AtomicU16::new(200));
        // Editions before 3.0.0 show the status as a text.
        let manners = Manners { status: Arc::clone(&status), as_text: target.edition != Edition::Stu3 };
        let task = tokio::spawn(serve(socket, frame_sender, order_receiver, manners));
        let (topic, endpoint) = (topic.to_owned(), endpoint.to_owned());
        Ok(Self { target, topic, endpoint, frames, orders, status, hears_heartbeats: false, task })
    }

    /// Answers every event with this status from now on.
    pub(super) fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Answers nothing from now on.
    pub(super) fn falls_silent(&self) {
        self.answers(SILENT);
    }

    /// Sends a text down the socket.
    pub(super) async fn say(&self, text: impl Into<String>) -> Verdict {
        self.order(Message::text(text.into())).await
    }

    /// Closes with `code`, and waits for the hub's half.
    pub(super) async fn leave(mut self, code: u16) -> Verdict {
        let frame = CloseFrame { code: code.into(), reason: "verification".into() };
        self.order(Message::Close(Some(frame))).await?;
        while !matches!(self.next().await?, Frame::Closed { .. }) {}
        Ok(())
    }

    async fn order(&self, message: Message) -> Verdict {
        let gone = || Finding::failed("the socket stays open", "it has been closed");
        self.orders.send(message).await.map_err(|_| gone())
    }

    /// What comes next, pings and uninvited heartbeats left out.
    pub(super) async fn next(&mut self) -> Result<Frame, Finding> {
        let patience = self.target.patience;
        self.within(patience)
            .await
            .ok_or_else(|| Finding::failed("something on the socket", format!("nothing for {patience:?}")))
    }

    async fn within(&mut self, time: Duration) -> Option<Frame> {
        let next = async {
            loop {
                match self.frames.recv().await {
                    None => return Frame::Closed { code: None, reason: String::new() },
                    Some(Frame::Ping) => {}
                    Some(Frame::Event(event)) if !self.hears_heartbeats && is_heartbeat(&event) => {}
                    Some(frame) => return frame,
                }
            }
        };
        timeout(time, next).await.ok()
    }

    /// A confirmation that says what it must.
    pub(super) async fn expect_confirmation(&mut self) -> Result<Value, Finding> {
        match self.next_for("a confirmation").await? {
            Frame::Confirmation(confirmation) => Ok(confirmation),
            other => Err(Finding::failed("a confirmation", other.told())),
        }
    }

    /// The event of this name, and nothing before it.
    pub(super) async fn expect_event(&mut self, name: &str) -> Result<Value, Finding> {
        match self.next_for(name).await? {
            Frame::Event(event) if judge::is_named(&event, name) => Ok(event),
            other => Err(Finding::failed(format!("{name} comes next"), other.told())),
        }
    }

    /// The event that was published, by its id, and nothing before it.
    pub(super) async fn expect_published(&mut self, published: &Value) -> Result<Value, Finding> {
        let name = published["event"]["hub.event"].as_str().unwrap_or_default();
        let event = self.expect_event(name).await?;
        let asked = format!("{name} with the id that it was published with");
        ensure(event["id"] == published["id"], asked, format!("id {}", event["id"]))?;
        Ok(event)
    }

    pub(super) async fn expect_denial(&mut self) -> Result<Value, Finding> {
        match self.next_for("a denial").await? {
            Frame::Denied(denial) => Ok(denial),
            other => Err(Finding::failed("a denial on the socket", other.told())),
        }
    }

    /// A close in good order.
    pub(super) async fn expect_normal_close(&mut self) -> Verdict {
        match self.next_for("a close").await? {
            Frame::Closed { code: Some(1000), .. } => Ok(()),
            other => Err(Finding::failed("the socket is closed with 1000", other.told())),
        }
    }

    async fn next_for(&mut self, wanted: &str) -> Result<Frame, Finding> {
        let patience = self.target.patience;
        self.within(patience)
            .await
            .ok_or_else(|| Finding::failed(format!("{wanted} on the socket"), format!("nothing for {patience:?}")))
    }

    /// Nothing comes for a short while.
    pub(super) async fn expect_quiet(&mut self, asked: &str) -> Verdict {
        match self.within(LOOK * 3).await {
            None => Ok(()),
            Some(frame) => Err(Finding::failed(asked, frame.told())),
        }
    }

    /// A ping within `limit`.
    pub(super) async fn expect_ping(&mut self, limit: Duration) -> Verdict {
        for _ in 0..LOOKS {
            while let Ok(frame) = self.frames.try_recv() {
                if matches!(frame, Frame::Ping) {
                    return Ok(());
                }
            }
            self.target.passage.let_pass(limit / LOOKS).await;
            tokio::time::sleep(LOOK).await;
        }
        Err(Finding::failed("a ping on an idle socket", format!("none within {limit:?}")))
    }

    /// The next frame, which may take the hub up to `limit` of its own time; `None` where none came.
    pub(super) async fn await_frame(&mut self, limit: Duration) -> Option<Frame> {
        for _ in 0..LOOKS {
            if let Some(frame) = self.within(LOOK).await {
                return Some(frame);
            }
            self.target.passage.let_pass(limit / LOOKS).await;
        }
        self.within(LOOK * 2).await
    }

    /// A SyncError, which may take the hub up to `limit` of its own time.
    pub(super) async fn await_event(&mut self, name: &str, limit: Duration) -> Result<Value, Finding> {
        let asked = format!("{name} within {limit:?}");
        match self.await_frame(limit).await {
            Some(Frame::Event(event)) if judge::is_named(&event, name) => Ok(event),
            Some(other) => Err(Finding::failed(asked, other.told())),
            None => Err(Finding::failed(asked, "nothing came")),
        }
    }

    /// Connects again to the same endpoint; the old connection is lost without a goodbye.
    pub(super) async fn reconnect(self) -> Result<Viewer<'a>, Finding> {
        let (target, topic, endpoint) = (self.target, self.topic.clone(), self.endpoint.clone());
        drop(self);
        Viewer::connect(target, &topic, &endpoint).await
    }
}

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_heartbeat(event: &Value) -> bool {
    judge::is_named(event, "heartbeat")
}

/// How a viewer answers.
struct Manners {
    status: Arc<AtomicU16>,
    as_text: bool,
}

impl Manners {
    /// The answer to a text, where it is one that asks for an answer.
    fn answer(&self, frame: &Frame) -> Option<Message> {
        let Frame::Event(event) = frame else { return None };
        let status = match self.status.load(Ordering::Relaxed) {
            SILENT => return None,
            status if self.as_text => json!(status.to_string()),
            status => json!(status),
        };
        Some(Message::text(json!({"id": event["id"], "status": status}).to_string()))
    }
}

/// Reads, answers and does what it is told, until the socket ends.
async fn serve(socket: Socket, frames: mpsc::Sender<Frame>, mut orders: mpsc::Receiver<Message>, manners: Manners) {
    let (mut sink, mut stream) = socket.split();
    loop {
        let outgoing = tokio::select! {
            message = stream.next() => {
                let Some(frame) = read(message) else { continue };
                let (answer, ended) = (manners.answer(&frame), matches!(frame, Frame::Closed { .. }));
                if frames.send(frame).await.is_err() {
                    return;
                }
                if ended {
                    // Our half of the closing handshake.
                    let _ = timeout(LOOK, sink.flush()).await;
                    return;
                }
                answer
            }
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => return,
            },
        };
        if let Some(message) = outgoing {
            // What makes sending impossible is what comes next in reading.
            let _ = sink.send(message).await;
        }
    }
}

/// What a message is; `None` for what means nothing here.
fn read(message: Option<Result<Message, tungstenite::Error>>) -> Option<Frame> {
    match message {
        None => Some(Frame::Closed { code: None, reason: String::new() }),
        Some(Err(error)) => Some(Frame::Closed { code: None, reason: bounded(&error.to_string(), 120) }),
        Some(Ok(Message::Text(text))) => Some(Frame::of_text(&text)),
        Some(Ok(Message::Close(frame))) => {
            let (code, reason) = frame.map(|frame| (u16::from(frame.code), frame.reason.to_string())).unzip();
            Some(Frame::Closed { code, reason: reason.unwrap_or_default() })
        }
        Some(Ok(Message::Ping(_))) => Some(Frame::Ping),
        Some(Ok(Message::Binary(bytes))) => Some(Frame::Other(format!("{} bytes of binary", bytes.len()))),
        Some(Ok(_)) => None,
    }
}

impl Frame {
    fn of_text(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        match json["hub.mode"].as_str() {
            _ if json["event"].is_object() => Self::Event(json),
            Some("denied") => Self::Denied(json),
            Some("subscribe") => Self::Confirmation(json),
            _ => Self::Other(text.to_owned()),
        }
    }

    /// The frame in a few words.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Confirmation(json) => format!("a confirmation: {json}"),
            Self::Denied(json) => format!("a denial: {json}"),
            Self::Event(json) => format!("the event {}: {json}", json["event"]["hub.event"]),
            Self::Closed { code: Some(code), reason } => format!("a close with {code} {reason}"),
            Self::Closed { code: None, reason } if reason.is_empty() => "a close without a code".into(),
            Self::Closed { code: None, reason } => format!("the connection ended: {reason}"),
            Self::Ping => "a ping".into(),
            Self::Other(text) => format!("a frame that is nothing of FHIRcast: {}", bounded(text, 120)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_its_members_make_it() {
        assert!(matches!(Frame::of_text(r#"{"hub.mode":"subscribe"}"#), Frame::Confirmation(_)));
        assert!(matches!(Frame::of_text(r#"{"hub.mode":"denied"}"#), Frame::Denied(_)));
        assert!(matches!(Frame::of_text(r#"{"id":"1","event":{}}"#), Frame::Event(_)));
        for text in ["", "nonsense", "[]", "{}", r#"{"bound":true}"#] {
            assert!(matches!(Frame::of_text(text), Frame::Other(_)), "{text}");
        }
    }

    #[test]
    fn a_frame_is_told_in_words() {
        let lost = Frame::Closed { code: None, reason: String::new() };
        assert_eq!(lost.told(), "a close without a code");
        assert_eq!(Frame::Closed { code: Some(1013), reason: "slow".into() }.told(), "a close with 1013 slow");
    }
}
