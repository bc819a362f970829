//! What an operator and a load balancer see: metrics and health.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{Gateway, PATIENCE};
use crate::main_job::READING_BEGINS;

/// The page that documents the metrics.
const PAGE: &str = include_str!("../../config/metrics.md");

/// What a peer has chosen, wherever it may choose something.
const MARK: &str = "chosen";

/// One line of metrics: name, labels, value.
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// The metrics of a gateway, as an operator gets them.
struct Scrape(String);

impl Scrape {
    async fn of(gateway: &Gateway) -> Self {
        let answer = reqwest::get(format!("{}/metrics", gateway.node.admin_url)).await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        let text = answer.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        Self(text)
    }

    /// Name and type of each metric, a counter's name with its suffix.
    fn types(&self) -> BTreeMap<String, String> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let named = |(name, kind): (&str, &str)| match kind {
            "counter" => (format!("{name}_total"), kind.to_owned()),
            _ => (name.to_owned(), kind.to_owned()),
        };
        lines.map(named).collect()
    }

    fn samples(&self) -> Vec<Sample> {
        self.0.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |it: &Sample| {
            it.name == name && labels.iter().all(|(label, value)| it.labels.get(*label).is_some_and(|own| own == value))
        };
        self.samples().into_iter().filter(fits).map(|sample| sample.value).sum()
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
    let labels = labels.map(|(label, value)| (label.to_owned(), value.trim_end_matches('"').to_owned())).collect();
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap() }
}

/// The rows of the page: name, type, labels.
fn documented() -> Vec<(String, String, BTreeSet<String>)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let labels = cells[3].split(',').map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned);
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned(), labels.collect())
    };
    rows.map(row).collect()
}

/// A gateway to which peers have said all that they can, marked where they choose the words.
async fn busy() -> Gateway {
    let gateway = Gateway::start().await;
    let topic = gateway.topic("drjones");
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    for _ in 0..2 {
        ris.send(READING_BEGINS).await.expect_code("AA");
    }
    viewer.expect_event("ImagingStudy-open").await;
    ris.send(&READING_BEGINS.replace("DEU", MARK)).await.expect_code("AA");
    let nameless = READING_BEGINS.replace("drjones^Jones^Maren", "").replace("RAD-READ-07", "");
    ris.send(&nameless.replace("ACME0002", MARK)).await.expect_code("AE");
    ris.send(&READING_BEGINS.replace("ACME_RIS", MARK).replace("ORM^O01^ORM_O01", MARK)).await;
    let origin = gateway.node.hub_url.trim_end_matches("/hub");
    let client = Client::new();
    for path in ["hub", &format!("hub/{MARK}"), MARK, &format!("hub/ws/{MARK}"), &format!("{MARK}?{MARK}={MARK}")] {
        let event =
            serde_json::json!({"id": MARK, "timestamp": MARK, "event": {"hub.topic": topic, "hub.event": MARK}});
        let request = client.post(format!("{origin}/{path}")).header("User-Agent", MARK).bearer_auth(MARK).json(&event);
        assert!(request.send().await.unwrap().status().is_client_error());
    }
    let upgrade = client.get(format!("{origin}/hub/ws/{MARK}")).header("Connection", "Upgrade");
    let upgrade = upgrade.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13");
    let upgrade = upgrade.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert!(upgrade.send().await.unwrap().status().is_client_error());
    gateway
}

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_metric_is_there() {
    let gateway = busy().await;
    let scrape = Scrape::of(&gateway).await;
    let pages: BTreeMap<_, _> = documented().into_iter().map(|(name, kind, _)| (name, kind)).collect();
    assert_eq!(scrape.types(), pages, "config/metrics.md against /metrics");
    for (name, _, labels) in documented() {
        let own = |sample: &&Sample| {
            let rest = sample.name.strip_prefix(&name);
            rest.is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
        };
        let samples = scrape.samples();
        let mut keys: BTreeSet<_> =
            samples.iter().filter(own).flat_map(|sample| sample.labels.keys().cloned()).collect();
        keys.remove("le");
        assert_eq!(keys, labels, "{name}");
    }
}

#[tokio::test]
async fn no_value_of_a_label_comes_from_a_peer() {
    let gateway = busy().await;
    let scrape = Scrape::of(&gateway).await;
    assert!(!scrape.0.contains(MARK), "{}", scrape.0);
    let mounts: Vec<String> = gateway.node.mounts().map(|(path, _)| path.to_owned()).collect();
    for Sample { name, labels, .. } in scrape.samples() {
        for (label, value) in labels {
            let is_ours = match label.as_str() {
                "adapter" | "source" => value == "ris",
                "route" => {
                    ["unmatched", "/healthz", "/readyz"].contains(&value.as_str())
                        || value.starts_with("/.well-known/")
                        || value.starts_with("/bind/")
                        || mounts.iter().any(|mount| value.starts_with(mount.as_str()))
                }
                "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
                "class" => ["1xx", "2xx", "3xx", "4xx", "5xx"].contains(&value.as_str()),
                "outcome" | "fault" | "kind" | "event" => {
                    value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
                }
                _ => false,
            };
            assert!(is_ours, "{name}: {label}={value}");
        }
    }
}

#[tokio::test]
async fn each_stage_counts_what_went_through_it() {
    let gateway = busy().await;
    let scrape = Scrape::of(&gateway).await;
    let named = |name: &str| format!("fhircast_gateway_{name}");
    for (name, labels, expected) in [
        ("messages_received_total", &[("source", "ris")][..], 5.0),
        ("messages_answered_total", &[("outcome", "accepted")], 3.0),
        ("messages_answered_total", &[("outcome", "rejected")], 1.0),
        ("messages_answered_total", &[("outcome", "ignored")], 1.0),
        ("messages_refused_total", &[("fault", "required_field_missing")], 1.0),
        ("resends_total", &[], 1.0),
        ("control_ids_reused_total", &[], 1.0),
        ("message_events_published_total", &[], 2.0),
        ("message_seconds_count", &[], 5.0),
        ("mapping_seconds_count", &[], 3.0),
        ("message_commit_seconds_count", &[], 4.0),
        ("adapter_events_total", &[("event", "frame_received")], 5.0),
        ("adapter_events_total", &[("event", "answer_error")], 1.0),
        ("hub_events_published_total", &[], 2.0),
        ("hub_fan_out_count", &[], 2.0),
        ("hub_fan_out_sum", &[], 2.0),
        ("hub_sockets_open", &[], 0.0),
        ("hub_topics", &[], 1.0),
        ("hub_refusals_total", &[("kind", "malformed")], 2.0),
        ("hub_refusals_total", &[("kind", "unknown")], 1.0),
        ("http_responses_total", &[("route", "unmatched"), ("class", "4xx")], 2.0),
        ("ready", &[], 1.0),
    ] {
        let found = scrape.value(&named(name), labels);
        // A socket takes its time to end.
        assert!(found == expected || name == "hub_sockets_open", "{name} {labels:?}: {found}");
    }
    assert!(scrape.value("process_resident_memory_bytes", &[]) > 1e6);
}

#[tokio::test]
async fn metrics_are_served_by_names_of_this_machine_only_and_not_at_the_hubs_listener() {
    let gateway = Gateway::start().await;
    let request = Client::new().get(format!("{}/metrics", gateway.node.admin_url)).header("Host", "evil.example");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    let origin = gateway.node.hub_url.trim_end_matches("/hub");
    assert_eq!(reqwest::get(format!("{origin}/metrics")).await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_gateway_that_runs_is_alive_and_ready_and_tells_only_its_operator_why() {
    let gateway = Gateway::start().await;
    let origin = gateway.node.hub_url.trim_end_matches("/hub");
    for path in ["healthz", "readyz"] {
        // A load balancer asks by an address, or by any name at all.
        let request = Client::new().get(format!("{origin}/{path}")).header("Host", "10.0.0.7");
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::OK, "ok\n"), "{path}");
    }
    let report = readiness(&gateway.node.admin_url).await.unwrap();
    assert_eq!((report.0, &report.1["ready"]), (StatusCode::OK, &Value::Bool(true)));
    let conditions: Vec<_> =
        report.1["conditions"].as_array().unwrap().iter().map(|it| it["condition"].clone()).collect();
    assert_eq!(conditions, ["listeners", "mappings", "store"]);
}

async fn readiness(admin: &str) -> Option<(StatusCode, Value)> {
    let answer = Client::builder().pool_max_idle_per_host(0).build().unwrap().get(format!("{admin}/readyz")).send();
    let answer = answer.await.ok()?;
    Some((answer.status(), answer.json().await.ok()?))
}

#[tokio::test]
async fn a_gateway_that_drains_says_that_it_is_not_ready_until_everything_has_ended() {
    let Gateway { node } = Gateway::start().await;
    let (admin, hub) = (node.admin_url.clone(), node.hub_url.clone());
    let address = hub.trim_start_matches("http://").trim_end_matches("/hub").to_owned();
    // A request in hand keeps it from its end: the hub has asked for its body, which does not come.
    let mut held = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /hub HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    );
    held.write_all(head.as_bytes()).await.unwrap();
    assert!(timeout(PATIENCE, held.read_u8()).await.is_ok_and(|byte| byte.is_ok()), "it waits for the body");
    let drained = tokio::spawn(node.drain());
    let unready = async {
        loop {
            match readiness(&admin).await.expect("the operator is answered to the end") {
                (StatusCode::SERVICE_UNAVAILABLE, report) => return report,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let report = timeout(PATIENCE, unready).await.expect("it never said so");
    assert_eq!((&report["ready"], &report["draining"]), (&Value::Bool(false), &Value::Bool(true)));
    assert!(!drained.is_finished());
    drop(held);
    assert!(timeout(PATIENCE, drained).await.expect("it did not end").unwrap());
    assert!(readiness(&admin).await.is_none(), "nobody answers any more");
}
