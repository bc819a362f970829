//! `demo`: the main job on one screen. A whole gateway on free ports, a simulated RIS, and a subscriber.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout};

use super::Failure;
use super::message_times;
use super::notification::describe;
use super::terminal::{Terminal, wrapped};
use crate::adapters::hl7_sender::{Acknowledgement, Sender, Target, with_segment_ends};
use crate::client::{Frame, Subscriber, SubscriberOptions};
use crate::clock::{System, timestamp};
use crate::config::{DEFAULT, DEFAULT_NAME, Layer, Layers, Problems};
use crate::node::{Node, Plan};
use crate::sessions::Seat;
use crate::store::{Record, SiteKey};

/// Whose screen the demonstration follows.
const USER: &str = "drjones";

/// The events its subscriber asks for.
const EVENTS: [&str; 6] = [
    "Patient-open",
    "Patient-close",
    "ImagingStudy-open",
    "ImagingStudy-close",
    "DiagnosticReport-open",
    "DiagnosticReport-close",
];

/// How long an answer or a notification may take before the demonstration says that it failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Columns of a line before what it shows.
const MARGIN: usize = 28;

/// The longest part of a message that is shown in one line.
const WIDTH: usize = 110;

/// One message of the RIS: what it is about, and the file that holds it.
struct Act {
    title: &'static str,
    file: &'static str,
    message: &'static str,
}

macro_rules! act {
    ($title:literal, $file:literal) => {
        Act {
            title: $title,
            file: concat!("config/examples/messages/", $file),
            message: include_str!(concat!("../../config/examples/messages/", $file)),
        }
    };
}

const ACTS: [Act; 8] = [
    act!("A patient's record is opened at the reading desk", "01-patient-at-the-desk.hl7"),
    act!("The radiologist begins to read: the order is in progress", "02-reading-begins.hl7"),
    act!("The RIS was not sure of its acknowledgement, and sends the same again", "02-reading-begins.hl7"),
    act!("The report is dictated", "03-report-dictated.hl7"),
    act!("The report is signed", "04-report-signed.hl7"),
    act!("The reading is over: the order is completed", "05-reading-ends.hl7"),
    act!("A mistake: an order in progress that does not say which study", "06-study-not-named.hl7"),
    act!("A message that is about nobody's screen", "07-appointment-booked.hl7"),
];

/// What one act showed.
struct Exchange {
    acknowledgement: Acknowledgement,
    acknowledged: Duration,
    record: Arc<Record>,
    notifications: Vec<(Duration, Value)>,
}

pub(super) async fn demo() -> Result<(), Failure> {
    let terminal = Terminal::of_stdout();
    let node = start().await?;
    let topic = node.sessions.topic(&Seat { user: Some(USER.into()), workstation: None }).unwrap_or_default();
    println!("{}\n\n{node}", terminal.bold("The gateway starts, on ports of its own"));
    let mut subscriber = subscribe(&node, &topic, terminal).await?;
    let mut ris = connect(&node).await?;
    let mut records = node.journal.watch();
    // One time for all of them: what is sent again is the same to the byte.
    let time = message_times::spelt(timestamp(&System));
    for (number, act) in ACTS.iter().enumerate() {
        let message = message_times::with_times(&with_segment_ends(act.message.as_bytes()), &time);
        show_message(number + 1, act, &message, terminal);
        let exchange = play(&message, &mut ris, &mut records, &mut subscriber).await?;
        show_exchange(&exchange, terminal);
    }
    ris.close().await;
    drop(subscriber);
    node.drain().await;
    print!("{}", what_next(terminal));
    Ok(())
}

async fn start() -> Result<Node, Failure> {
    let mut problems = Problems::default();
    let mut layers = Layers::new(Layer::file(DEFAULT_NAME, DEFAULT, &mut problems), None);
    for setting in [
        "http.listen=127.0.0.1:0",
        "admin.listen=127.0.0.1:0",
        "adapter.ris.listen=127.0.0.1:0",
        "mappings.watch=false",
    ] {
        layers.push(Layer::flag(setting).map_err(|error| Failure::Failed(error.to_string()))?);
    }
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| Failure::Failed("error: the system gives no randomness".into()))?;
    let plan = Plan::check(&layers, problems)?;
    Ok(plan.start_with_key(Arc::new(System), SiteKey::from_bytes(&key)).await?)
}

async fn subscribe(node: &Node, topic: &str, terminal: Terminal) -> Result<Subscriber, Failure> {
    let events = EVENTS.map(str::to_owned);
    let options = SubscriberOptions { name: Some("demonstration".into()), ..SubscriberOptions::default() };
    let mut subscriber = Subscriber::subscribe(&node.hub_url, topic, &events, options).await.map_err(failed)?;
    println!("{}\n", terminal.bold(&format!("A FHIRcast application subscribes to the session of {USER}")));
    line("hub.topic", topic);
    line("hub.events", &EVENTS.join(","));
    match next(&mut subscriber).await? {
        Frame::Confirmation { lease_seconds, .. } => {
            let lease = lease_seconds.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
            line("hub → application", &format!("confirmed{lease}"));
        }
        other => return Err(Failure::Failed(format!("error: the hub did not confirm the subscription: {other:?}"))),
    }
    Ok(subscriber)
}

async fn connect(node: &Node) -> Result<Sender, Failure> {
    let (_, address) = node.adapters.first().ok_or_else(|| Failure::Failed("error: no adapter".into()))?;
    Sender::connect(Target::plain(address.to_string())).await.map_err(failed)
}

fn show_message(number: usize, act: &Act, message: &[u8], terminal: Terminal) {
    println!("\n{}", terminal.bold(&format!("{number} of {}  {}", ACTS.len(), act.title)));
    println!("{}\n", terminal.dim(act.file));
    let mut label = "RIS → gateway";
    for segment in String::from_utf8_lossy(message).split_terminator('\r') {
        for (index, part) in wrapped(segment, WIDTH).iter().enumerate() {
            let indent = if index == 0 { "" } else { "    " };
            line(std::mem::take(&mut label), &format!("{indent}{}", terminal.dim(part)));
        }
    }
}

async fn play(
    message: &[u8],
    ris: &mut Sender,
    records: &mut broadcast::Receiver<Arc<Record>>,
    subscriber: &mut Subscriber,
) -> Result<Exchange, Failure> {
    let sent = Instant::now();
    let acknowledgement = ris.send(message).await.map_err(failed)?;
    let acknowledged = sent.elapsed();
    let record = timeout(PATIENCE, records.recv()).await.map_err(failed)?.map_err(failed)?;
    let mut notifications = Vec::new();
    while notifications.len() < record.events.len() {
        if let Frame::Notification { text, received, .. } = next(subscriber).await? {
            notifications.push((received.duration_since(sent), serde_json::from_str(&text).map_err(failed)?));
        }
    }
    Ok(Exchange { acknowledgement, acknowledged, record, notifications })
}

fn show_exchange(exchange: &Exchange, terminal: Terminal) {
    println!();
    let record = &exchange.record;
    let by = record.mapping.as_ref().map(|mapping| format!("  (mapping {mapping})")).unwrap_or_default();
    match record.events.as_slice() {
        [] => line("became", &format!("no event: {}{by}", record.outcome)),
        events => events.iter().for_each(|(name, id)| line("became", &format!("{}  {id}{by}", terminal.bold(name)))),
    }
    show_acknowledgement(exchange, terminal);
    for (after, notification) in &exchange.notifications {
        let name = notification["event"]["hub.event"].as_str().unwrap_or_default();
        line(&format!("hub → application {}", milliseconds(*after)), &terminal.green(name));
        describe(notification).iter().for_each(|entry| line("", entry));
    }
}

fn show_acknowledgement(exchange: &Exchange, terminal: Terminal) {
    let text = String::from_utf8_lossy(&exchange.acknowledgement.bytes).replace('\r', "\n");
    let label = format!("gateway → RIS     {}", milliseconds(exchange.acknowledged));
    let mut label = label.as_str();
    for segment in text.lines().filter(|segment| segment.starts_with("MSA") || segment.starts_with("ERR")) {
        for (index, part) in wrapped(segment, WIDTH).iter().enumerate() {
            let shown = if exchange.acknowledgement.is_positive() { terminal.green(part) } else { terminal.red(part) };
            let indent = if index == 0 { "" } else { "    " };
            line(std::mem::take(&mut label), &format!("{indent}{shown}"));
        }
    }
}

fn what_next(terminal: Terminal) -> String {
    format!(
        "\n{}\n
  Run it                 cargo run --release
  Follow a session       target/release/fhircast-gateway listen --topic \"$(target/release/fhircast-gateway sessions --user {USER})\"
  Be the RIS             target/release/fhircast-gateway send --now config/examples/messages/*.hl7
  See why                target/release/fhircast-gateway map config/examples/messages/02-reading-begins.hl7 --mapping vendors/acme-ris --explain
  Write your own         mappings/README.md: the mapping language, in half an hour
",
        terminal.bold("What to try next")
    )
}

async fn next(subscriber: &mut Subscriber) -> Result<Frame, Failure> {
    timeout(PATIENCE, subscriber.next()).await.map_err(failed)?.map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("error: the demonstration failed: {error}"))
}

fn line(label: &str, text: &str) {
    println!("  {label:MARGIN$}{text}");
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}
