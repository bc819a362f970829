//! A listener on a port of its own, a gateway that answers as told, and peers that write and read bytes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fhircast_gateway_adapter_api::{BoxFuture, Clock, Grammar, Inbound, Outcome, Sink, Value};
use fhircast_gateway_mllp::tls::ListenerTls;
use fhircast_gateway_mllp::{Counters, Hl7v2, Settings};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// Within the time that any of this may take.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it happens soon")
}

/// A running listener.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) sink: Arc<FakeSink>,
    pub(crate) tls: Option<Arc<ListenerTls>>,
    submitted: mpsc::Receiver<()>,
    serving: JoinHandle<()>,
}

/// Records what is submitted; answers by control id, else that it is accepted.
pub(crate) struct FakeSink {
    seen: Mutex<Vec<Seen>>,
    outcomes: HashMap<&'static str, Outcome>,
    /// One permit an answer; closed when answers need none.
    gate: Semaphore,
    submitted: mpsc::Sender<()>,
}

/// What the gateway was told of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: String,
    pub(crate) control_id: String,
    /// PID-5.1, for what became of its characters.
    pub(crate) name: Option<String>,
    pub(crate) raw: Vec<u8>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default(), []).await
    }

    pub(crate) async fn with<const N: usize>(settings: Settings, outcomes: [(&'static str, Outcome); N]) -> Self {
        Self::serving(settings, outcomes, true).await
    }

    /// A gateway that answers only what `release` lets it.
    pub(crate) async fn gated(settings: Settings) -> Self {
        Self::serving(settings, [], false).await
    }

    async fn serving<const N: usize>(settings: Settings, outcomes: [(&'static str, Outcome); N], open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (submitted, submissions) = mpsc::channel(100);
        let gate = Semaphore::new(0);
        if open {
            gate.close();
        }
        let sink = Arc::new(FakeSink { seen: Mutex::default(), outcomes: HashMap::from(outcomes), gate, submitted });
        let (counters, shutdown) = (Arc::new(Counters::default()), CancellationToken::new());
        let tls = settings.tls.clone().map(|tls| Arc::new(ListenerTls::load(tls).unwrap()));
        let serving = fhircast_gateway_mllp::serve(
            listener,
            tls.clone(),
            Arc::new(settings),
            "ris-east".into(),
            sink.clone(),
            Arc::new(StoppedClock),
            counters.clone(),
            shutdown.clone(),
        );
        let serving = tokio::spawn(serving);
        Self { address, tls, counters, shutdown, sink, submitted: submissions, serving }
    }

    pub(crate) async fn peer(&self) -> Peer<TcpStream> {
        Peer { stream: soon(TcpStream::connect(self.address)).await.unwrap() }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.sink.seen.lock().unwrap().clone()
    }

    pub(crate) fn control_ids(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.control_id).collect()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        let snapshot = self.counters.snapshot();
        snapshot.iter().find(|(counter, _)| *counter == name).expect("there is such a counter").1
    }

    /// Waits until a message has come to the gateway.
    pub(crate) async fn submission(&mut self) {
        soon(self.submitted.recv()).await.expect("the sink is there");
    }

    /// Lets a gated gateway answer `messages` more.
    pub(crate) fn release(&self, messages: usize) {
        self.sink.gate.add_permits(messages);
    }

    /// Waits until the listener has ended.
    pub(crate) async fn ended(self) {
        soon(self.serving).await.expect("it ends by itself");
    }
}

impl Sink for FakeSink {
    fn submit(&self, inbound: Inbound) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let path = Hl7v2.path("PID-5.1").unwrap();
            let name = match inbound.fields.first(&path) {
                Value::Text(name) => Some(name.into_owned()),
                Value::Absent | Value::Deleted => None,
            };
            let Inbound { kind, control_id, raw, .. } = inbound;
            let outcome = self.outcomes.get(control_id.as_str()).cloned().unwrap_or(Outcome::Accepted);
            self.seen.lock().unwrap().push(Seen { kind, control_id, name, raw: raw.to_vec() });
            let _ = self.submitted.try_send(());
            if let Ok(permit) = self.gate.acquire().await {
                permit.forget();
            }
            outcome
        })
    }
}

/// The first of January 2026, noon.
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_268_800)
    }

    fn running(&self) -> Duration {
        Duration::ZERO
    }
}

/// Somebody who sends.
pub(crate) struct Peer<S> {
    pub(crate) stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
        soon(self.stream.flush()).await.unwrap();
    }

    /// The next answer, without its block characters.
    pub(crate) async fn answer(&mut self) -> Vec<u8> {
        let mut block = Vec::new();
        while !block.ends_with(&[0x1C, b'\r']) {
            block.push(soon(self.stream.read_u8()).await.expect("an answer comes"));
        }
        assert_eq!(block[0], 0x0B);
        block[1..block.len() - 2].to_vec()
    }

    /// The next answer's MSA and what follows, segments on lines.
    pub(crate) async fn acknowledgement(&mut self) -> String {
        let answer = String::from_utf8_lossy(&self.answer().await).into_owned();
        answer.split('\r').skip(1).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    pub(crate) async fn expect(&mut self, start: &str) {
        let acknowledgement = self.acknowledgement().await;
        assert!(acknowledgement.starts_with(start), "{acknowledgement:?} does not start with {start:?}");
    }

    pub(crate) async fn expect_closed(&mut self) {
        let mut byte = [0];
        let read = soon(self.stream.read(&mut byte)).await;
        assert!(matches!(read, Ok(0) | Err(_)), "the connection is closed without a further answer");
    }
}

/// An order of a control id, in a block.
pub(crate) fn order(control_id: &str) -> Vec<u8> {
    frame(order_text(control_id).as_bytes())
}

pub(crate) fn order_text(control_id: &str) -> String {
    format!("MSH|^~\\&|RIS|MAIN|GW|HUB|20260101||ORM^O01|{control_id}|P|2.5.1\rPID|1||7||SMITH^JOHN\rORC|SC|A\r")
}

pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    [b"\x0b", payload, b"\x1c\r"].concat()
}
