//! End to end: HL7 v2 bytes in over MLLP, acknowledged, and the notification out of a WebSocket.
//!
//! `cargo bench --bench end_to_end` measures, in one run and one process, at 1, 16 and 64 connections that each wait for their
//! acknowledgement:
//! * the floor: an MLLP server that parses nothing, appends the bytes to a file, syncs it, and answers a fixed acknowledgement;
//!   what waits meanwhile is appended and synced together, as in the gateway's store;
//! * the gateway with no subscriber;
//! * the gateway with one subscriber for each connection's user, which acknowledges each notification.
//!
//! Client and server share the machine's cores. Everything is durable before it is acknowledged, and before it is notified.
#![expect(clippy::print_stdout, reason = "a measurement is for reading")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to say")]

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fhircast_gateway::client::{Frame, Subscriber, SubscriberOptions};
use fhircast_gateway::clock::System;
use fhircast_gateway::config::{DEFAULT, DEFAULT_NAME, Layer, Layers, Problems};
use fhircast_gateway::node::{Node, Plan};
use fhircast_gateway::sessions::Seat;
use fhircast_gateway::store::SiteKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Messages that all connections send in one measurement, after as many again for warming up as a tenth of it.
const MESSAGES: usize = 32_000;

/// What the floor may sync together: as many as the store.
const TOGETHER: usize = 256;

/// What one measurement gave.
struct Figures {
    per_second: f64,
    acknowledged: Latencies,
    notified: Option<Latencies>,
}

/// Latencies in microseconds, sorted.
struct Latencies(Vec<u32>);

fn main() {
    // `cargo test --benches` runs this too, only to see that it starts.
    let messages = if std::env::args().any(|argument| argument == "--bench") { MESSAGES } else { 20 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(messages));
}

async fn measure(messages: usize) {
    println!("ORM^O01 of {} bytes, {messages} messages; latencies in microseconds, p50 / p99", message(0, 0).len());
    println!("{:<44} {:>4} {:>12} {:>16} {:>18}", "", "conn", "messages/s", "to the ACK", "to the WebSocket");
    for connections in [1, 16, 64] {
        let messages = (messages / connections.max(4)).max(10);
        let floor = floor(connections, messages).await;
        let silent = gateway(connections, messages, false).await;
        let followed = gateway(connections, messages, true).await;
        for (name, figures) in [
            ("floor: appended, synced, fixed ACK", &floor),
            ("gateway, no subscriber", &silent),
            ("gateway, a subscriber for each connection", &followed),
        ] {
            print(name, connections, figures, floor.per_second);
        }
    }
}

fn print(name: &str, connections: usize, figures: &Figures, floor: f64) {
    let notified = figures.notified.as_ref().map_or_else(|| "-".to_owned(), Latencies::text);
    println!(
        "{name:<44} {connections:>4} {:>12.0} {:>16} {notified:>18}   {:.2} of the floor",
        figures.per_second,
        figures.acknowledged.text(),
        figures.per_second / floor
    );
}

async fn floor(connections: usize, messages: usize) -> Figures {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (log, waiting) = mpsc::channel(1024);
    let syncing = std::thread::spawn(move || append_and_sync(waiting));
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer_without_parsing(stream, log.clone()));
        }
    });
    let figures = drive(address, connections, messages).await.0;
    server.abort();
    // Its end comes with that of the last connection.
    drop(syncing);
    figures
}

/// Bytes that are to be synced, and who waits for it.
type Waiting = (Vec<u8>, oneshot::Sender<()>);

fn append_and_sync(mut waiting: mpsc::Receiver<Waiting>) {
    let mut file = tempfile::tempfile().unwrap();
    while let Some(first) = waiting.blocking_recv() {
        let mut together = vec![first];
        while together.len() < TOGETHER
            && let Ok(next) = waiting.try_recv()
        {
            together.push(next);
        }
        let bytes: Vec<u8> = together.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        for (_, done) in together {
            // A connection that has ended does not wait.
            let _ = done.send(());
        }
    }
}

async fn answer_without_parsing(mut stream: TcpStream, log: mpsc::Sender<Waiting>) {
    stream.set_nodelay(true).unwrap();
    let acknowledgement = b"\x0bMSH|^~\\&|FLOOR|FLOOR|RIS|MAIN|20260101000000||ACK^O01^ACK|1|P|2.5.1\rMSA|AA|1\r\x1c\r";
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        let (done, synced) = oneshot::channel();
        if log.send((buffer[..read].to_vec(), done)).await.is_err() || synced.await.is_err() {
            return;
        }
        if buffer[..read].ends_with(b"\x1c\r") && stream.write_all(acknowledgement).await.is_err() {
            return;
        }
    }
}

async fn gateway(connections: usize, messages: usize, followed: bool) -> Figures {
    let node = node().await;
    let mut followers = JoinSet::new();
    if followed {
        for connection in 0..connections {
            let subscriber = subscribe(&node, connection).await;
            followers.spawn(follow(subscriber, messages + messages / 10));
        }
    }
    let (mut figures, sent) = drive(node.adapters[0].1, connections, messages).await;
    if followed {
        figures.notified = Some(notified(&mut followers, &sent).await);
    }
    node.drain().await;
    figures
}

async fn node() -> Node {
    let mut problems = Problems::default();
    let mut layers = Layers::new(Layer::file(DEFAULT_NAME, DEFAULT, &mut problems), None);
    for setting in [
        "http.listen=127.0.0.1:0",
        "admin.listen=127.0.0.1:0",
        "adapter.ris.listen=127.0.0.1:0",
        "adapter.ris.max_connections_per_address=64",
    ] {
        layers.push(Layer::flag(setting).unwrap());
    }
    let plan = Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"));
    plan.start_with_key(Arc::new(System), SiteKey::from_bytes(&[7; 32])).await.unwrap()
}

async fn subscribe(node: &Node, connection: usize) -> Subscriber {
    let seat = Seat { user: Some(user(connection)), workstation: None };
    let topic = node.sessions.topic(&seat).unwrap();
    let events = ["ImagingStudy-open".to_owned()];
    let mut subscriber =
        Subscriber::subscribe(&node.hub_url, &topic, &events, SubscriberOptions::default()).await.unwrap();
    assert!(matches!(subscriber.next().await.unwrap(), Frame::Confirmation { .. }));
    subscriber
}

/// The follower's number, and when each of its notifications came.
async fn follow(mut subscriber: Subscriber, expected: usize) -> (String, Vec<Instant>) {
    let mut came = Vec::with_capacity(expected);
    while came.len() < expected {
        if let Frame::Notification { .. } = subscriber.next().await.unwrap() {
            came.push(Instant::now());
        }
    }
    (subscriber.topic().to_owned(), came)
}

async fn notified(followers: &mut JoinSet<(String, Vec<Instant>)>, sent: &[Vec<Instant>]) -> Latencies {
    let mut latencies = Vec::new();
    let mut all = Vec::new();
    while let Some(joined) = followers.join_next().await {
        all.push(joined.unwrap());
    }
    // Followers are matched to connections by the order of their first notification's sender.
    for (topic, came) in all {
        let connection = sent
            .iter()
            .enumerate()
            .find(|(connection, _)| topics(*connection) == topic)
            .map(|(connection, _)| connection)
            .unwrap();
        let skip = came.len() - sent[connection].len();
        latencies.extend(came[skip..].iter().zip(&sent[connection]).map(|(came, sent)| microseconds(*came - *sent)));
    }
    Latencies::of(latencies)
}

fn topics(connection: usize) -> String {
    let directory = fhircast_gateway::sessions::Directory::new(
        SiteKey::from_bytes(&[7; 32]),
        &fhircast_gateway::config::SessionsConfig {
            topic: fhircast_gateway::config::TopicRule::Unguessable,
            nobody: fhircast_gateway::config::Nobody::Reject,
            merged: fhircast_gateway::config::Merged::Close,
            max: 1,
        },
    );
    directory.topic(&Seat { user: Some(user(connection)), workstation: None }).unwrap()
}

/// Sends from all connections at once; when each counted message was sent.
async fn drive(address: SocketAddr, connections: usize, messages: usize) -> (Figures, Vec<Vec<Instant>>) {
    let mut senders = JoinSet::new();
    let start = Arc::new(tokio::sync::Barrier::new(connections + 1));
    for connection in 0..connections {
        senders.spawn(send(address, connection, messages, Arc::clone(&start)));
    }
    start.wait().await;
    let begun = Instant::now();
    let mut sent = vec![Vec::new(); connections];
    let mut latencies = Vec::with_capacity(connections * messages);
    while let Some(joined) = senders.join_next().await {
        let (connection, times, acknowledged) = joined.unwrap();
        sent[connection] = times;
        latencies.extend(acknowledged);
    }
    let elapsed = begun.elapsed();
    let per_second = (connections * messages) as f64 / elapsed.as_secs_f64();
    (Figures { per_second, acknowledged: Latencies::of(latencies), notified: None }, sent)
}

async fn send(
    address: SocketAddr,
    connection: usize,
    messages: usize,
    start: Arc<tokio::sync::Barrier>,
) -> (usize, Vec<Instant>, Vec<u32>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let warm = messages / 10;
    for number in 0..warm {
        exchange(&mut stream, &message(connection, number)).await;
    }
    let frames: Vec<Vec<u8>> = (0..messages).map(|number| message(connection, warm + number)).collect();
    start.wait().await;
    let (mut sent, mut latencies) = (Vec::with_capacity(messages), Vec::with_capacity(messages));
    for frame in &frames {
        let before = Instant::now();
        sent.push(before);
        exchange(&mut stream, frame).await;
        latencies.push(microseconds(before.elapsed()));
    }
    (connection, sent, latencies)
}

async fn exchange(stream: &mut TcpStream, frame: &[u8]) {
    stream.write_all(frame).await.unwrap();
    let mut buffer = [0; 4096];
    let mut length = 0;
    while !buffer[..length].ends_with(b"\x1c\r") {
        let read = stream.read(&mut buffer[length..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        length += read;
    }
    assert!(memchr::memmem::find(&buffer[..length], b"MSA|AA|").is_some(), "not accepted");
}

fn user(connection: usize) -> String {
    format!("reader{connection:02}")
}

/// An order whose reading begins: each message opens the study anew, as a busy reader's RIS does.
fn message(connection: usize, number: usize) -> Vec<u8> {
    let text = include_str!("order.hl7").replace('\n', "\r");
    let text = text.replace("CONTROL-ID", &format!("{connection:02}-{number:08}")).replace("READER", &user(connection));
    // As of now, as what is old is not shown.
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap().strftime("%Y%m%d%H%M%S+0000").to_string();
    let text = text.replace("20261122081530+0100", &now).replace("20261122081529+0100", &now);
    [b"\x0b", text.as_bytes(), b"\x1c\r"].concat()
}

fn microseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

impl Latencies {
    fn of(mut latencies: Vec<u32>) -> Self {
        latencies.sort_unstable();
        Self(latencies)
    }

    fn text(&self) -> String {
        format!("{} / {}", self.at(50), self.at(99))
    }

    fn at(&self, percent: usize) -> u32 {
        self.0.get((self.0.len().saturating_sub(1)) * percent / 100).copied().unwrap_or(0)
    }
}
