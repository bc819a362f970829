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

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

pub(crate) async fn connect(endpoint: &str) -> Socket {
    Socket(connect_async(endpoint).await.unwrap().0)
}

impl Socket {
    /// The next text. Pings do not count as a sign that it will come.
    pub(crate) async fn text(&mut self) -> String {
        let next = async {
            loop {
                match self.message().await {
                    Some(Message::Text(text)) => return text.to_string(),
                    Some(Message::Ping(_) | Message::Pong(_)) => {}
                    other => panic!("no text, but {other:?}"),
                }
            }
        };
        timeout(PATIENCE, next).await.expect("no text came")
    }

    /// The code of the close that comes next.
    pub(crate) async fn close(&mut self) -> Option<u16> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no close, but {other:?}"),
            }
        }
    }

    pub(crate) async fn message(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.expect("nothing came").and_then(Result::ok)
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(Message::text(text)).await;
    }

    /// Leaves with this code, and waits for the end.
    pub(crate) async fn leave(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.0.close(Some(frame)).await.unwrap();
        while self.message().await.is_some() {}
    }
}
