//! A day of traffic, good and bad, in virtual time: nothing that comes and goes is kept, and memory does not grow (F21).
//!
//! Memory is a process's, so the day passes in a process of its own: this same test, started again.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fhircast_gateway::client::{Subscriber, SubscriberOptions, publish};
use fhircast_gateway::clock::Manual;
use fhircast_gateway::node::{Node, Plan};
use fhircast_gateway::store::SiteKey;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{PATIENCE, Ris, layers};

/// Set in the process in which the day passes.
const CHILD: &str = "FHIRCAST_GATEWAY_SOAK";

const NAME: &str = "faults::soak::f21_a_day_of_comings_and_goings_leaves_nothing_behind";

/// What memory may grow by after the first hours, in which pools and caches fill: a kilobyte for each of the messages after them
/// would be more.
const GROWTH: f64 = 2.5e6;

/// How often something comes and goes, each two minutes after the other.
const ROUNDS: u64 = 24 * 30;

#[test]
fn f21_a_day_of_comings_and_goings_leaves_nothing_behind() {
    if std::env::var_os(CHILD).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(a_day());
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    // One pool of memory, so that what is free in one is not hidden by another. The disk is not what is looked at.
    child.args(["--exact", NAME, "--nocapture"]).envs([
        (CHILD, "1"),
        ("MALLOC_ARENA_MAX", "1"),
        ("TMPDIR", "/dev/shm"),
    ]);
    let output = child.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", said(&output.stdout), said(&output.stderr));
}

async fn a_day() {
    let clock = Arc::new(Manual::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_882_530)));
    let settings = ["hub.forget_after=2h", "store.keep_messages=2h", "store.remember=2h", "sessions.max=50"];
    let (layers, problems) = layers(None, &settings);
    let plan = Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"));
    let node = plan.start_with_key(Arc::clone(&clock) as _, SiteKey::from_bytes(&[7; 32])).await.unwrap();
    let mut ris = Ris::connect(node.adapters[0].1).await;
    let mut filled = None;
    for round in 0..ROUNDS {
        come_and_go(&node, &mut ris, round).await;
        clock.advance(Duration::from_secs(120));
        if round == ROUNDS / 4 {
            filled = Some(figure(&node, "process_resident_memory_bytes").await);
        }
    }
    let grown = figure(&node, "process_resident_memory_bytes").await - filled.unwrap();
    assert!(grown < GROWTH, "memory has grown by {grown} bytes");
    drop(ris);
    clock.advance(Duration::from_secs(24 * 3600));
    for gauge in ["hub_sockets_open", "hub_subscriptions", "hub_topics", "adapter_connections"] {
        until_none(&node, gauge).await;
    }
    assert!(node.drain().await);
}

/// What an ordinary minute brings, and what it should not.
async fn come_and_go(node: &Node, ris: &mut Ris, round: u64) {
    let user = format!("user{}", round % 200);
    let begins = order(round, &user, "IP");
    ris.send(&begins).await.expect_code("AA");
    ris.send(&begins).await.expect_code("AA");
    // Nobody's, and nothing at all.
    ris.send(&order(round, "", "IP").replace("|RAD-07|", "||")).await;
    ris.send("MSH|^~\\&|nonsense").await;
    let mut viewer = subscriber(node, &format!("topic-{round}")).await;
    let event = json!({
        "hub.topic": format!("topic-{round}"), "hub.event": "Patient-open",
        "context": [{"key": "patient", "resource": {"resourceType": "Patient", "id": format!("p{round}")}}]
    });
    publish(&node.hub_url, &json!({"timestamp": "2026-05-04T08:15:30Z", "id": "e1", "event": event}), None)
        .await
        .unwrap();
    viewer.next().await.unwrap();
    viewer.next().await.unwrap();
    match round % 3 {
        // Without a word, with one, and by a connection that is cut off within a frame.
        0 => drop(viewer),
        1 => viewer.unsubscribe().await.unwrap(),
        _ => {
            publish(&node.hub_url, &json!({"no": "event"}), None).await.unwrap_err();
            let mut cut_off = TcpStream::connect(node.adapters[0].1).await.unwrap();
            cut_off.write_all(b"\x0bMSH|^~\\&|half a mess").await.unwrap();
        }
    }
    ris.send(&order(round, &user, "CM")).await.expect_code("AA");
}

/// That `user` begins to read, or has read, the study of this round: `IP` or `CM`.
fn order(round: u64, user: &str, status: &str) -> String {
    format!(
        "MSH|^~\\&|ACME_RIS|MAIN|FHIRCAST|GATEWAY|||ORM^O01^ORM_O01|{status}{round}{user}|P|2.5.1\n\
         PID|1||{round}^^^MAIN&1.2.276.0.76.3.1.999&ISO^MR||Berger^Annelise\n\
         ORC|SC|P1|F1||{status}|||||||||||||RAD-07|{user}\nOBR|1|P1|F1|CT^CT^L||||||||||||||A{round}\n\
         ZDS|1.2.3.{round}^ACME_RIS^Application^DICOM\n"
    )
}

async fn subscriber(node: &Node, topic: &str) -> Subscriber {
    let events = ["Patient-open".to_owned(), "SyncError".to_owned()];
    Subscriber::subscribe(&node.hub_url, topic, &events, SubscriberOptions::default()).await.unwrap()
}

/// What the operator is told of `metric`, all labels together.
async fn figure(node: &Node, metric: &str) -> f64 {
    let text = reqwest::get(format!("{}/metrics", node.admin_url)).await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        let name = name.split('{').next()?;
        let name = name.strip_prefix("fhircast_gateway_").unwrap_or(name);
        (name == metric).then(|| value.parse::<f64>().ok()).flatten()
    });
    values.reduce(|sum, value| sum + value).unwrap_or_else(|| panic!("no {metric}"))
}

async fn until_none(node: &Node, gauge: &str) {
    let none = async { while figure(node, gauge).await > 0.0 {} };
    timeout(PATIENCE, none).await.unwrap_or_else(|_| panic!("{gauge} stays"));
}
