//! A whole gateway on ports of its own, a RIS that speaks MLLP, and subscribers that speak FHIRcast.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fhircast_gateway::client::{Frame, Subscriber, SubscriberOptions};
use fhircast_gateway::clock::{Clock, Manual, System};
use fhircast_gateway::config::{DEFAULT, DEFAULT_NAME, Layer, Layers, Problems};
use fhircast_gateway::node::{Node, Plan};
use fhircast_gateway::sessions::Seat;
use fhircast_gateway::store::SiteKey;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes; a test that waits for this has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Every event of the catalogue.
pub(crate) const ALL_EVENTS: [&str; 8] = [
    "Patient-open",
    "Patient-close",
    "Encounter-open",
    "Encounter-close",
    "ImagingStudy-open",
    "ImagingStudy-close",
    "DiagnosticReport-open",
    "DiagnosticReport-close",
];

/// When the example messages say that they were sent.
pub(crate) const EXAMPLES_SENT: &str = "2026-11-22T08:15:30+01:00";

/// A clock that showed that time when it was made, and has gone on as clocks do.
pub(crate) struct DayOfTheExamples {
    begun: SystemTime,
}

impl DayOfTheExamples {
    pub(crate) fn new() -> Self {
        Self { begun: System.now() }
    }
}

impl Clock for DayOfTheExamples {
    fn now(&self) -> SystemTime {
        let sent: jiff::Timestamp = EXAMPLES_SENT.parse().unwrap();
        SystemTime::from(sent) + System.now().duration_since(self.begun).unwrap_or_default()
    }

    fn running(&self) -> Duration {
        System.running()
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) node: Node,
}

impl Gateway {
    /// Starts one on free ports with the built-in configuration.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with these settings over the built-in ones.
    pub(crate) async fn with(settings: &[&str]) -> Self {
        let (layers, problems) = layers(None, settings);
        let plan = Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"));
        Self::start_plan(plan).await
    }

    /// Starts one whose clock is behind that of every sender, so that no message is too old for it.
    pub(crate) async fn in_the_past(settings: &[&str]) -> Self {
        let (layers, problems) = layers(None, settings);
        let plan = Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"));
        let clock = Manual::at(SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800));
        Self { node: plan.start_with_key(Arc::new(clock), SiteKey::from_bytes(&[7; 32])).await.unwrap() }
    }

    /// Starts one whose state is kept in the directory that `settings` name, so many seconds after the examples were sent, where
    /// its clock stands still.
    pub(crate) async fn kept(settings: &[&str], seconds: u64) -> Self {
        let (layers, problems) = layers(None, settings);
        let plan = Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"));
        let sent: jiff::Timestamp = EXAMPLES_SENT.parse().unwrap();
        let clock = Manual::at(SystemTime::from(sent) + Duration::from_secs(seconds));
        Self { node: plan.start(Arc::new(clock)).await.unwrap() }
    }

    /// Starts what is planned, on the day of the example messages.
    pub(crate) async fn start_plan(plan: Plan) -> Self {
        let node = plan.start_with_key(Arc::new(DayOfTheExamples::new()), SiteKey::from_bytes(&[7; 32])).await.unwrap();
        Self { node }
    }

    /// The topic of a user.
    pub(crate) fn topic(&self, user: &str) -> String {
        self.node.sessions.topic(&Seat { user: Some(user.to_owned()), workstation: None }).unwrap()
    }

    /// A connected subscriber of every event of a user's session.
    pub(crate) async fn subscriber(&self, user: &str) -> Viewer {
        self.subscriber_at(&Seat { user: Some(user.to_owned()), workstation: None }).await
    }

    /// A connected subscriber of every event of whoever sits there.
    pub(crate) async fn subscriber_at(&self, seat: &Seat) -> Viewer {
        let events = ALL_EVENTS.map(str::to_owned);
        let topic = self.node.sessions.topic(seat).unwrap();
        let subscriber = Subscriber::subscribe(&self.node.hub_url, &topic, &events, SubscriberOptions::default());
        let mut viewer = Viewer { subscriber: subscriber.await.unwrap() };
        assert!(matches!(viewer.frame().await, Frame::Confirmation { .. }));
        viewer
    }

    /// A RIS connected to the adapter.
    pub(crate) async fn ris(&self) -> Ris {
        Ris::connect(self.node.adapters[0].1).await
    }
}

/// The layers of a test's configuration: on free ports, and without anything on disk.
pub(crate) fn layers(site: Option<&str>, settings: &[&str]) -> (Layers, Problems) {
    let mut problems = Problems::default();
    let default = Layer::file(DEFAULT_NAME, DEFAULT, &mut problems);
    let site = site.map(|text| Layer::file("site.toml", text, &mut problems));
    let mut layers = Layers::new(default, site);
    let free = [
        "http.listen=127.0.0.1:0",
        "admin.listen=127.0.0.1:0",
        "adapter.ris.listen=127.0.0.1:0",
        "mappings.watch=false",
    ];
    for setting in free.iter().chain(settings) {
        layers.push(Layer::flag(setting).unwrap());
    }
    (layers, problems)
}

/// A subscriber that a person would look at.
pub(crate) struct Viewer {
    pub(crate) subscriber: Subscriber,
}

impl Viewer {
    /// The next frame, whatever it is.
    pub(crate) async fn frame(&mut self) -> Frame {
        timeout(PATIENCE, self.subscriber.next()).await.expect("nothing came").unwrap()
    }

    /// The next notification, which must be of this event.
    pub(crate) async fn expect_event(&mut self, name: &str) -> Value {
        match self.frame().await {
            Frame::Notification { event, text, .. } if event == name => serde_json::from_str(&text).unwrap(),
            other => panic!("not {name}, but {other:?}"),
        }
    }
}

/// A RIS, byte by byte.
pub(crate) struct Ris {
    stream: TcpStream,
}

impl Ris {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    /// Sends these segments as one message, and gives the acknowledgement's text.
    pub(crate) async fn send(&mut self, message: &str) -> Acknowledgement {
        let framed = format!("\u{b}{}\r\u{1c}\r", message.trim_end().replace('\n', "\r"));
        self.stream.write_all(framed.as_bytes()).await.unwrap();
        self.acknowledgement().await
    }

    /// The next acknowledgement.
    pub(crate) async fn acknowledgement(&mut self) -> Acknowledgement {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\x1c\r") {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut bytes)).await.expect("no answer").unwrap();
            assert!(read > 0, "closed without an answer");
        }
        Acknowledgement(String::from_utf8(bytes).unwrap().replace('\r', "\n"))
    }
}

/// What the RIS got.
#[derive(Debug)]
pub(crate) struct Acknowledgement(pub String);

impl Acknowledgement {
    /// MSA-1.
    pub(crate) fn code(&self) -> &str {
        // The separator is the sender's own.
        let rest = self.0.lines().find_map(|line| line.strip_prefix("MSA")).unwrap_or("");
        rest.chars().next().and_then(|separator| rest.split(separator).nth(1)).unwrap_or("")
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: &str) -> Self {
        assert_eq!(self.code(), code, "{}", self.0);
        self
    }

    #[track_caller]
    pub(crate) fn expect_text(self, text: &str) -> Self {
        assert!(self.0.contains(text), "no `{text}` in {}", self.0);
        self
    }
}
