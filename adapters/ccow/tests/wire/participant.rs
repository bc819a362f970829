//! A participant that serves HTTP, well or badly.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::fixture::soon;

/// How a participant answers.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// With the status 200 and this body.
    Body(&'static str),
    /// With this, byte for byte.
    Bytes(String),
    /// Never.
    Silent,
    /// With a body that does not end.
    Endless,
    /// By closing.
    Closing,
}

pub(crate) const ACCEPTS: Manner = Manner::Body("decision=accept&reason=");

pub(crate) struct Participant {
    pub(crate) url: String,
    manner: Arc<Mutex<Manner>>,
    calls: mpsc::Receiver<String>,
    serving: JoinHandle<()>,
}

impl Participant {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/participant", listener.local_addr().unwrap().port());
        let manner = Arc::new(Mutex::new(manner));
        let (called, calls) = mpsc::channel(1000);
        let serving = tokio::spawn(serve(listener, Arc::clone(&manner), called));
        Self { url, manner, calls, serving }
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Nobody listens at its address any more.
    pub(crate) async fn die(&mut self) {
        self.serving.abort();
        // Its listener is closed once its task has ended.
        assert!((&mut self.serving).await.is_err());
    }

    /// The next call: its method, and its coupon where it has one.
    pub(crate) async fn called(&mut self) -> String {
        soon(self.calls.recv()).await.expect("the participant is there")
    }

    /// The next call that is no ping.
    pub(crate) async fn told(&mut self) -> String {
        loop {
            let call = self.called().await;
            if call != "Ping" {
                return call;
            }
        }
    }

    pub(crate) fn was_not_called(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }
}

async fn serve(listener: TcpListener, manner: Arc<Mutex<Manner>>, called: mpsc::Sender<String>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&manner), called.clone()));
    }
}

async fn answer(mut stream: TcpStream, manner: Arc<Mutex<Manner>>, called: mpsc::Sender<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    called.send(call(&head)).await.unwrap();
    let manner = manner.lock().unwrap().clone();
    let reply = match manner {
        Manner::Body(body) => {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}\r\n",
                body.len() + 2
            )
        }
        Manner::Bytes(bytes) => bytes,
        Manner::Silent => return std::future::pending().await,
        Manner::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
            while stream.write_all(&[b'a'; 4096]).await.is_ok() {}
            return;
        }
        Manner::Closing => return,
    };
    let _ = stream.write_all(reply.as_bytes()).await;
}

/// `ContextChangesPending 7` of `GET /participant?interface=ContextParticipant&method=…&contextCoupon=7`.
fn call(head: &str) -> String {
    let target = head.strip_prefix("GET ").and_then(|head| head.split(' ').next()).unwrap_or_else(|| panic!("{head}"));
    let query = target.strip_prefix("/participant?interface=ContextParticipant&method=");
    query.unwrap_or_else(|| panic!("{target}")).replace("&contextCoupon=", " ")
}
