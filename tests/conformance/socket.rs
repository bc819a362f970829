//! A socket without any manners of its own: reads frames, answers what it is told to.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

pub(super) async fn connect(endpoint: &str) -> Socket {
    Socket(connect_async(endpoint).await.unwrap().0)
}

impl Socket {
    /// The next text.
    pub(super) async fn text(&mut self) -> String {
        loop {
            match self.message().await {
                Some(Message::Text(text)) => return text.to_string(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no text, but {other:?}"),
            }
        }
    }

    /// The code of the close that comes next.
    pub(super) async fn close(&mut self) -> Option<u16> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no close, but {other:?}"),
            }
        }
    }

    pub(super) async fn message(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.expect("nothing came").and_then(Result::ok)
    }

    pub(super) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Leaves with this code, and waits for the end.
    pub(super) async fn leave(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.0.close(Some(frame)).await.unwrap();
        while self.message().await.is_some() {}
    }
}
