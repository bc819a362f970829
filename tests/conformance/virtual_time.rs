//! The whole hub, sockets and all, in virtual time: what takes a minute or two hours takes none, and comes to the second.
//!
//! Connections are pipes in memory, as a paused runtime moves its clock on only while nothing waits for the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use fhircast_gateway::clock::Clock;
use fhircast_gateway::hub::{Hub, HubSettings};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use tower::ServiceExt as _;

use super::fixture::{event, subscription};

/// The runtime's virtual time as time of day, until somebody sets the clock.
struct Paused {
    start: Instant,
    set_by: AtomicI64,
}

impl Clock for Paused {
    fn now(&self) -> SystemTime {
        let set_by = self.set_by.load(Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_secs((1_777_882_530 + set_by).unsigned_abs()) + self.start.elapsed()
    }

    fn running(&self) -> Duration {
        self.start.elapsed()
    }
}

struct Simulation {
    start: Instant,
    clock: Arc<Paused>,
    hub: Hub,
    routes: Router,
}

type Socket = WebSocketStream<DuplexStream>;

impl Simulation {
    fn start() -> Self {
        let start = Instant::now();
        let clock = Arc::new(Paused { start, set_by: AtomicI64::new(0) });
        let hub = Hub::new(HubSettings::default(), Arc::clone(&clock) as _);
        Self { start, clock, routes: hub.routes(), hub }
    }

    fn set_clock(&self, seconds: i64) {
        self.clock.set_by.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Seconds since the start.
    fn seconds(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    async fn post(&self, content_type: &str, body: String) -> Value {
        let request =
            axum::http::Request::post("/hub").header("host", "localhost").header("content-type", content_type);
        let response = self.routes.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(response.status(), 202);
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    async fn publish(&self, name: &str, id: &str, patient: &str) {
        self.post("application/json", event("t1", name, id, patient).to_string()).await;
    }

    async fn endpoint(&self, form: &str) -> String {
        let answer = self.post("application/x-www-form-urlencoded", subscription("t1", form)).await;
        answer["hub.channel.endpoint"].as_str().unwrap().to_owned()
    }

    /// A socket that has had its confirmation; `room` bytes may be on their way to it.
    async fn connect(&self, endpoint: &str, room: usize) -> Socket {
        let (ours, theirs) = tokio::io::duplex(room);
        let routes = self.routes.clone();
        let service = hyper::service::service_fn(move |request| routes.clone().oneshot(request));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service);
        tokio::spawn(connection.with_upgrades());
        let (mut socket, _) = client_async(endpoint, ours).await.unwrap();
        let confirmation = text(&mut socket).await.expect("no confirmation");
        assert!(confirmation["hub.mode"] == "subscribe", "{confirmation}");
        socket
    }

    async fn subscriber(&self, form: &str) -> Socket {
        let endpoint = self.endpoint(form).await;
        self.connect(&endpoint, ROOM).await
    }
}

/// Room enough for anything that a subscriber is sent here.
const ROOM: usize = 1 << 20;

/// The next text, as JSON, with pings answered meanwhile; `None` where the socket ends.
async fn text(socket: &mut Socket) -> Option<Value> {
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Close(_) => return None,
            _ => {}
        }
    }
    None
}

async fn answer(socket: &mut Socket, event: &Value) {
    let answer = json!({"id": event["id"], "status": 202}).to_string();
    socket.send(Message::text(answer)).await.unwrap();
}

fn diagnostics(event: &Value) -> &str {
    event["event"]["context"][0]["resource"]["issue"][0]["diagnostics"].as_str().unwrap_or_default()
}

/// Reads, answers each event, and gives the first SyncError with the second at which it came.
async fn sync_error(simulation: &Simulation, socket: &mut Socket) -> (u64, Value) {
    loop {
        let event = text(socket).await.expect("ended without a SyncError");
        if event["event"]["hub.event"] == "SyncError" {
            return (simulation.seconds(), event);
        }
        answer(socket, &event).await;
    }
}

#[tokio::test(start_paused = true)]
async fn not_06_silence_raises_a_sync_error_after_ten_seconds() {
    let simulation = Simulation::start();
    let mut watcher = simulation.subscriber("SyncError&subscriber.name=Watcher").await;
    let mut silent = simulation.subscriber("Patient-open&subscriber.name=Silent").await;
    simulation.publish("Patient-open", "e1", "p1").await;
    // It has answered once, so that its silence counts.
    let first = text(&mut silent).await.unwrap();
    answer(&mut silent, &first).await;
    sleep(Duration::from_secs(5)).await;
    simulation.publish("Patient-open", "e2", "p2").await;
    let (second, error) = sync_error(&simulation, &mut watcher).await;
    assert!((15..=16).contains(&second), "{second}");
    assert!(diagnostics(&error).contains("Silent"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn not_14_a_reader_stays_for_a_day_and_one_that_answers_no_ping_is_lost_within_a_minute_and_a_half() {
    let simulation = Simulation::start();
    let mut watcher = simulation.subscriber("SyncError&hub.lease_seconds=86400").await;
    // Never read from again, so that no ping is answered; its connection stays.
    let _dead = simulation.subscriber("Patient-open&subscriber.name=Dead").await;
    let (second, error) = sync_error(&simulation, &mut watcher).await;
    assert!((45..=90).contains(&second), "three pings and the time to come back: {second}");
    assert!(diagnostics(&error).contains("Dead"), "{error}");
    let opened = simulation.hub.counters().sockets_ended;
    let day = Duration::from_secs(86_000) - simulation.start.elapsed();
    assert!(tokio::time::timeout(day, text(&mut watcher)).await.is_err(), "nothing happens in a day");
    assert_eq!(simulation.hub.counters().sockets_ended, opened);
}

#[tokio::test(start_paused = true)]
async fn sub_07_sub_12_a_lease_ends_to_the_second_with_a_denial_and_a_close() {
    let simulation = Simulation::start();
    let mut viewer = simulation.subscriber("Patient-open&hub.lease_seconds=1800").await;
    let denial = text(&mut viewer).await.unwrap();
    assert_eq!(denial["hub.mode"], "denied", "{denial}");
    assert!((1800..=1801).contains(&simulation.seconds()), "{}", simulation.seconds());
    assert_eq!(text(&mut viewer).await, None, "closed");
}

#[tokio::test(start_paused = true)]
async fn not_15_one_that_stops_reading_is_cut_off_alone_and_in_time() {
    let simulation = Simulation::start();
    let mut watcher = simulation.subscriber("Patient-open,SyncError").await;
    let endpoint = simulation.endpoint("Patient-open&subscriber.name=Stuck").await;
    let _stuck = simulation.connect(&endpoint, 2048).await;
    let mut published = 0;
    let error = loop {
        simulation.publish("Patient-open", &format!("e{published}"), "p1").await;
        published += 1;
        assert!(published < 200, "an endless buffer");
        sleep(Duration::from_millis(100)).await;
        let event = text(&mut watcher).await.unwrap();
        if event["event"]["hub.event"] == "SyncError" {
            break event;
        }
        answer(&mut watcher, &event).await;
    };
    assert!(diagnostics(&error).contains("Stuck"), "{error}");
    assert!(simulation.seconds() < 20, "{}", simulation.seconds());
}

#[tokio::test(start_paused = true)]
async fn not_07_who_comes_back_within_the_grace_is_not_missed_and_who_does_not_is() {
    let simulation = Simulation::start();
    let mut watcher = simulation.subscriber("SyncError").await;
    let endpoint = simulation.endpoint("Patient-open&subscriber.name=Viewer").await;
    drop(simulation.connect(&endpoint, ROOM).await);
    sleep(Duration::from_secs(14)).await;
    let again = simulation.connect(&endpoint, ROOM).await;
    sleep(Duration::from_secs(2)).await;
    assert!(text(&mut watcher).now_or_never().is_none(), "it came back in time");
    drop(again);
    let (second, error) = sync_error(&simulation, &mut watcher).await;
    assert!((31..=32).contains(&second), "{second}");
    assert!(diagnostics(&error).contains("Viewer"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn sub_20_who_never_connects_has_no_subscription_after_a_minute() {
    let simulation = Simulation::start();
    simulation.endpoint("Patient-open").await;
    sleep(Duration::from_secs(59)).await;
    assert_eq!(simulation.hub.subscribers(9).await.len(), 1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(simulation.hub.subscribers(9).await.len(), 0);
}

const HOUR: i64 = 3600;

#[tokio::test(start_paused = true)]
async fn f9_an_answer_may_take_as_long_as_ever_when_the_clock_is_set_meanwhile() {
    for set_by in [HOUR, -HOUR, -24 * HOUR] {
        let simulation = Simulation::start();
        let mut watcher = simulation.subscriber("SyncError&hub.lease_seconds=86400").await;
        let mut silent = simulation.subscriber("Patient-open&hub.lease_seconds=86400&subscriber.name=Silent").await;
        simulation.publish("Patient-open", "e1", "p1").await;
        let first = text(&mut silent).await.unwrap();
        answer(&mut silent, &first).await;
        simulation.publish("Patient-open", "e2", "p2").await;
        sleep(Duration::from_secs(5)).await;
        simulation.set_clock(set_by);
        let (second, error) = sync_error(&simulation, &mut watcher).await;
        assert!((10..=11).contains(&second), "set by {set_by}: {second}");
        assert!(diagnostics(&error).contains("Silent"), "{error}");
        assert_eq!(simulation.hub.counters().clock_settings, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn f9_who_is_lost_may_come_back_for_as_long_as_ever_when_the_clock_is_set_meanwhile() {
    for set_by in [HOUR, -HOUR] {
        let simulation = Simulation::start();
        let mut watcher = simulation.subscriber("SyncError").await;
        drop(simulation.subscriber("Patient-open&subscriber.name=Viewer").await);
        sleep(Duration::from_secs(5)).await;
        simulation.set_clock(set_by);
        let (second, _) = sync_error(&simulation, &mut watcher).await;
        assert!((15..=16).contains(&second), "set by {set_by}: {second}");
    }
}

#[tokio::test(start_paused = true)]
async fn f9_a_lease_ends_by_the_time_of_day_as_its_token_does() {
    let simulation = Simulation::start();
    let mut viewer = simulation.subscriber("Patient-open&hub.lease_seconds=7200").await;
    simulation.set_clock(3 * HOUR);
    assert_eq!(text(&mut viewer).await.unwrap()["hub.mode"], "denied");
    assert!(simulation.seconds() <= 1, "{}", simulation.seconds());
}
