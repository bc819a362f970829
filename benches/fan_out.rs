//! Fan-out: from the request that publishes an event to the last subscriber's having it, and what an idle socket holds.
//!
//! `cargo bench --bench fan_out` runs the hub in a process of its own and its subscribers in this one, on the same machine. The
//! floor of each row is a process that writes the same bytes to as many sockets when it is told to, and does nothing else.
#![expect(clippy::print_stdout, reason = "a measurement is for reading")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to say")]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fhircast_gateway::clock::System;
use fhircast_gateway::http::{self, HttpSettings};
use fhircast_gateway::hub::{Hub, HubSettings};
use fhircast_gateway::security::{ServerTls, TlsSettings};
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// Publishes of one measurement.
const ROUNDS: usize = 500;

/// Idle sockets beside the five of the aim, and those whose memory is measured.
const IDLE: usize = 10_000;
const MEASURED: usize = 5_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let arguments: Vec<String> = env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("serve-hub") => runtime.block_on(serve_hub(arguments.get(2).cloned())),
        Some("serve-floor") => runtime.block_on(serve_floor(arguments[2].parse().unwrap())),
        // `cargo test --benches` runs this too, only to see that it starts.
        _ if arguments.iter().any(|argument| argument == "--bench") => {
            runtime.block_on(measure(ROUNDS, IDLE, MEASURED))
        }
        _ => runtime.block_on(measure(3, 10, 10)),
    }
}

async fn measure(rounds: usize, idle: usize, measured: usize) {
    println!("{rounds} publishes; microseconds to the last subscriber, p50 / p99; floor: the same bytes, no hub");
    println!("{:<44} {:>16} {:>16} {:>8}", "", "hub", "floor", "p50 x");
    for (name, topics, subscribers, beside) in [
        ("1 subscriber", 1, 1, 0),
        ("5 subscribers", 1, 5, 0),
        ("100 subscribers", 1, 100, 0),
        ("1,000 subscribers", 1, 1_000.min(idle), 0),
        ("1,000 topics of 5 subscribers", 1_000.min(idle), 5, 0),
        ("5 subscribers while 10,000 sockets idle", 1, 5, idle),
    ] {
        let hub = hub_latency(topics, subscribers, beside, rounds).await;
        let floor = floor_latency(subscribers, rounds).await;
        println!("{name:<44} {:>16} {:>16} {:>8.1}", shown(&hub), shown(&floor), ratio(&hub, &floor));
    }
    let (plain, tls) = (memory(measured, false).await, memory(measured, true).await);
    println!(
        "an idle socket with its subscription: {plain:.1} KiB plain, {tls:.1} KiB with TLS ({measured} sockets, VmRSS)"
    );
}

fn percentile(latencies: &[u32], hundredth: usize) -> u32 {
    latencies[(latencies.len() * hundredth / 100).min(latencies.len() - 1)]
}

fn shown(latencies: &[u32]) -> String {
    format!("{} / {}", percentile(latencies, 50), percentile(latencies, 99))
}

fn ratio(hub: &[u32], floor: &[u32]) -> f64 {
    f64::from(percentile(hub, 50)) / f64::from(percentile(floor, 50).max(1))
}

/// A process of this program in another part; ended when dropped.
struct Part {
    child: Child,
    address: SocketAddr,
}

impl Part {
    fn start(arguments: &[&str]) -> Self {
        let mut child =
            Command::new(env::current_exe().unwrap()).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    fn resident_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn announce(address: SocketAddr) {
    println!("{address}");
    std::io::stdout().flush().unwrap();
}

/// The hub, with TLS where a directory with its certificate is given.
async fn serve_hub(certificate: Option<String>) {
    let settings = HubSettings {
        max_subscriptions: 100_000,
        events_per_second: 1_000,
        events_burst: 1_000_000,
        ping_every: SignedDuration::from_hours(1),
        ..HubSettings::default()
    };
    let tls = certificate.map(|directory| {
        let path = |name: &str| std::path::Path::new(&directory).join(name);
        let (certificate, key) = (path("hub.pem"), path("hub-key.pem"));
        let settings = TlsSettings { certificate, key, reload_every: SignedDuration::from_hours(1) };
        Arc::new(ServerTls::load(settings).unwrap())
    });
    let hub = Hub::new(settings, Arc::new(System));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    announce(listener.local_addr().unwrap());
    http::serve(listener, tls, hub.routes(), HttpSettings::default(), CancellationToken::new()).await;
}

/// Writes the bytes of one notification to all sockets but the first, for every byte that comes over the first.
async fn serve_floor(sockets: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    announce(listener.local_addr().unwrap());
    let (mut control, _) = listener.accept().await.unwrap();
    let mut others = Vec::new();
    for _ in 0..sockets {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        others.push(stream);
    }
    let notification = vec![b'x'; NOTIFICATION];
    while control.read_u8().await.is_ok() {
        for other in &mut others {
            other.write_all(&notification).await.unwrap();
        }
    }
}

/// Bytes of a notification of [`event`], its frame included; close enough for the floor.
const NOTIFICATION: usize = 330;

async fn floor_latency(subscribers: usize, rounds: usize) -> Vec<u32> {
    let part = Part::start(&["serve-floor", &subscribers.to_string()]);
    let mut control = TcpStream::connect(part.address).await.unwrap();
    control.set_nodelay(true).unwrap();
    let arrivals = Arc::new(Arrivals::default());
    for _ in 0..subscribers {
        let mut stream = TcpStream::connect(part.address).await.unwrap();
        let arrivals = Arc::clone(&arrivals);
        tokio::spawn(async move {
            let mut notification = [0; NOTIFICATION];
            while stream.read_exact(&mut notification).await.is_ok() {
                arrivals.note();
            }
        });
    }
    let mut latencies = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let started = Instant::now();
        control.write_all(b"x").await.unwrap();
        arrivals.wait(subscribers).await;
        latencies.push(micros(started));
    }
    latencies.sort_unstable();
    latencies
}

async fn hub_latency(topics: usize, subscribers: usize, beside: usize, rounds: usize) -> Vec<u32> {
    let part = Part::start(&["serve-hub"]);
    let arrivals = Arc::new(Arrivals::default());
    for number in 0..beside {
        follow(plain(part.address).await, &endpoint(part.address, &format!("idle-{number}")).await, None).await;
    }
    for number in 0..topics * subscribers {
        let endpoint = endpoint(part.address, &format!("topic-{}", number % topics)).await;
        follow(plain(part.address).await, &endpoint, Some(Arc::clone(&arrivals))).await;
    }
    let mut publisher = plain(part.address).await;
    let mut latencies = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let request = publication(&format!("topic-{}", round % topics), round);
        let started = Instant::now();
        publisher.write_all(request.as_bytes()).await.unwrap();
        arrivals.wait(subscribers).await;
        latencies.push(micros(started));
        answer(&mut publisher).await;
    }
    latencies.sort_unstable();
    latencies
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// How many notifications have come.
#[derive(Default)]
struct Arrivals {
    count: AtomicUsize,
    come: Notify,
}

impl Arrivals {
    fn note(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.come.notify_one();
    }

    /// Waits until `expected` have come, and counts anew.
    async fn wait(&self, expected: usize) {
        while self.count.load(Ordering::Acquire) < expected {
            let waited = tokio::time::timeout(Duration::from_secs(10), self.come.notified()).await;
            assert!(waited.is_ok(), "a notification was lost");
        }
        self.count.fetch_sub(expected, Ordering::AcqRel);
    }
}

async fn plain(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn publication(topic: &str, round: usize) -> String {
    let event = format!(
        "{{\"timestamp\":\"2026-05-04T08:15:30Z\",\"id\":\"e{round}\",\"event\":{{\"hub.topic\":\"{topic}\",\"hub.event\":\"Patient-open\",\
         \"context\":[{{\"key\":\"patient\",\"resource\":{{\"resourceType\":\"Patient\",\"id\":\"p{round}\"}}}}]}}}}"
    );
    post("application/json", &event)
}

fn post(content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /hub HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Reads one response; gives its body.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    assert!(head.starts_with("http/1.1 202"), "{head}");
    String::from_utf8(body).unwrap()
}

/// The path of a new subscription's endpoint.
async fn endpoint(address: SocketAddr, topic: &str) -> String {
    endpoint_over(&mut plain(address).await, topic).await
}

async fn endpoint_over(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), topic: &str) -> String {
    let form = format!("hub.channel.type=websocket&hub.mode=subscribe&hub.topic={topic}&hub.events=Patient-open");
    stream.write_all(post("application/x-www-form-urlencoded", &form).as_bytes()).await.unwrap();
    let body = answer(stream).await;
    let start = body.find("/hub/ws/").unwrap();
    body[start..].split('"').next().unwrap().to_owned()
}

/// Connects at `endpoint`, takes the confirmation, and notes what comes then; or holds the socket until the process ends.
async fn follow(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    endpoint: &str,
    arrivals: Option<Arc<Arrivals>>,
) {
    let head = format!(
        "GET {endpoint} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    frame(&mut stream).await.unwrap();
    tokio::spawn(async move {
        while frame(&mut stream).await.is_ok() {
            if let Some(arrivals) = &arrivals {
                arrivals.note();
            }
        }
    });
}

/// Reads one frame of the hub's.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    stream.read_u8().await?;
    let length = match stream.read_u8().await? {
        126 => usize::from(stream.read_u16().await?),
        127 => usize::try_from(stream.read_u64().await?).unwrap(),
        short => usize::from(short),
    };
    stream.read_exact(&mut vec![0; length]).await.map(drop)
}

/// KiB that one more idle socket adds to the hub's process.
async fn memory(sockets: usize, secure: bool) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let (part, connector) = if secure {
        let certificate = write_certificate(directory.path());
        (Part::start(&["serve-hub", directory.path().to_str().unwrap()]), Some(connector(certificate)))
    } else {
        (Part::start(&["serve-hub"]), None)
    };
    connect(&part, connector.as_ref(), "warm", sockets.min(100)).await;
    let before = part.resident_kib();
    connect(&part, connector.as_ref(), "idle", sockets).await;
    (part.resident_kib() - before) / sockets as f64
}

async fn connect(part: &Part, connector: Option<&TlsConnector>, topics: &str, sockets: usize) {
    for number in 0..sockets {
        let topic = format!("{topics}-{}", number / 5);
        match connector {
            None => {
                let endpoint = endpoint(part.address, &topic).await;
                follow(plain(part.address).await, &endpoint, None).await;
            }
            Some(connector) => {
                let name = ServerName::try_from("localhost").unwrap();
                let mut stream = connector.connect(name, plain(part.address).await).await.unwrap();
                // Over the same connection, which saves a handshake.
                let endpoint = endpoint_over(&mut stream, &topic).await;
                follow(stream, &endpoint, None).await;
            }
        }
    }
}

fn write_certificate(directory: &std::path::Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(directory.join("hub.pem"), certificate.pem()).unwrap();
    fs::write(directory.join("hub-key.pem"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

fn connector(certificate: CertificateDer<'static>) -> TlsConnector {
    let mut authorities = RootCertStore::empty();
    authorities.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(authorities).with_no_client_auth()))
}
