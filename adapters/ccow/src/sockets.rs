//! The sockets that pages in browsers open, since they cannot serve HTTP: requests and responses of HTTP as text frames.
//! Section 6.3.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::callback::{Callback, framed_body};

/// The open sockets, by page key.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: Mutex<HashMap<String, Socket>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Socket {
    /// Tells it from an earlier one of the same page.
    number: u64,
    questions: mpsc::Sender<Question>,
}

/// A frame to send, and where its answer is awaited.
#[derive(Debug)]
struct Question {
    frame: String,
    answer: oneshot::Sender<Option<String>>,
}

/// Questions that wait for a page; it answers one after another.
const MOST_QUESTIONS: usize = 16;
/// Pages only send answers.
const MOST_READ: usize = 64 << 10;
const READ_BUFFER: usize = 4 << 10;
const WRITE_BUFFER: usize = 256 << 10;
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Silence after which a page is gone: two pings that were not answered.
const SILENCE: Duration = Duration::from_secs(75);
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// A socket's bounds.
pub(crate) fn bounded(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(MOST_READ)
        .max_frame_size(MOST_READ)
}

impl Sockets {
    /// Whether the page of this key has a socket.
    pub(crate) fn has(&self, page_key: &str) -> bool {
        self.lock().contains_key(page_key)
    }

    /// Asks the page of this key. `None` where it has no socket, is too far behind, or answers nothing that can be read.
    /// The caller bounds the time; an answer that comes later is dropped.
    pub(crate) async fn ask(&self, page_key: &str, callback: Callback) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        let question = Question { frame: callback.frame(page_key), answer };
        let questions = self.lock().get(page_key).map(|socket| socket.questions.clone())?;
        questions.try_send(question).ok()?;
        answered.await.ok().flatten()
    }

    /// Serves a page's socket until it ends; says whether the page is gone, rather than come back by another socket.
    pub(crate) async fn serve(&self, page_key: String, socket: WebSocket, shutdown: CancellationToken) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (questions, asked) = mpsc::channel(MOST_QUESTIONS);
        self.lock().insert(page_key.clone(), Socket { number, questions });
        exchange(socket, asked, shutdown).await;
        let mut open = self.lock();
        let is_own = open.get(&page_key).is_some_and(|socket| socket.number == number);
        if is_own {
            open.remove(&page_key);
        }
        is_own
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Socket>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends what is asked, and gives answers to who awaits them, in order: frames have no numbers.
async fn exchange(mut socket: WebSocket, mut asked: mpsc::Receiver<Question>, shutdown: CancellationToken) {
    let mut awaited: VecDeque<oneshot::Sender<Option<String>>> = VecDeque::new();
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            question = asked.recv(), if awaited.len() < MOST_QUESTIONS => {
                // A newer socket of the page has taken this one's place.
                let Some(Question { frame, answer }) = question else { break };
                awaited.push_back(answer);
                if socket.send(Message::text(frame)).await.is_err() {
                    return;
                }
            }
            received = socket.recv() => {
                heard = Instant::now();
                match received {
                    Some(Ok(Message::Text(text))) => {
                        if let Some(waiting) = awaited.pop_front() {
                            // Who no longer waits is not told.
                            let _ = waiting.send(framed_body(&text).map(str::to_owned));
                        }
                    }
                    Some(Ok(Message::Close(_))) => break,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() > SILENCE || socket.send(Message::Ping(Default::default())).await.is_err() {
                    return;
                }
            }
        }
    }
    close(socket).await;
}

/// Lets the closing handshake come to its end, within bounds.
async fn close(mut socket: WebSocket) {
    let closing = async {
        // A page that is gone needs no farewell.
        let _ = socket.send(Message::Close(None)).await;
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = timeout(CLOSING_TIME, closing).await;
}
