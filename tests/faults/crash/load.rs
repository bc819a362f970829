//! Who uses the gateway while it is killed, and what each may rely on.

use std::collections::BTreeSet;

use fhircast_gateway::client::{Frame, Subscriber, SubscriberOptions, current_context};
use fhircast_gateway_mllp::sender::{self, Target};
use serde_json::{Value, json};

use super::gateway::Gateway;
use super::report::Report;

/// A legacy system: opens a study, closes it, opens the next.
pub(crate) struct Sender {
    number: usize,
    /// What it has sent last, and how often: the message that awaits its answer, or the last one that was answered.
    sent: usize,
    in_flight: bool,
    /// Control ids of the messages that were accepted.
    pub(crate) acknowledged: Vec<String>,
}

impl Sender {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, sent: 0, in_flight: false, acknowledged: Vec::new() }
    }

    pub(crate) fn user(&self) -> String {
        format!("user{}", self.number)
    }

    /// Its screen shows what was acknowledged last, or what awaits its answer; then that is sent again, as every sender does.
    pub(crate) async fn catch_up(&mut self, gateway: &Gateway, report: &mut Report) {
        if self.sent == 0 {
            return;
        }
        let seen = shown(gateway, &self.user()).await;
        let mut allowed = vec![self.shown_after(self.sent)];
        if self.in_flight {
            allowed.push(self.shown_after(self.sent - 1));
        }
        if !allowed.contains(&seen) {
            report.lost(format!("{} sees {seen:?}, and should see one of {allowed:?}", self.user()));
        }
        if self.in_flight {
            let mut sender = sender::Sender::connect(Target::plain(&gateway.mllp)).await.unwrap();
            self.send(&mut sender).await.expect("a resend is answered");
            if shown(gateway, &self.user()).await != self.shown_after(self.sent) {
                report.lost(format!("{} does not see what was sent again", self.user()));
            }
        }
    }

    /// The study on its user's screen after so many messages.
    fn shown_after(&self, sent: usize) -> Option<String> {
        (sent % 2 == 1).then(|| self.study(sent))
    }

    fn study(&self, sent: usize) -> String {
        format!("1.2.3.{}.{}", self.number + 1, sent.div_ceil(2))
    }

    pub(crate) async fn send_until_cut_off(&mut self, gateway: &Gateway) {
        let Ok(mut sender) = sender::Sender::connect(Target::plain(&gateway.mllp)).await else { return };
        loop {
            self.sent += 1;
            if self.send(&mut sender).await.is_none() {
                return;
            }
        }
    }

    /// Sends the message numbered `sent`, for the first time or again.
    async fn send(&mut self, sender: &mut sender::Sender) -> Option<()> {
        self.in_flight = true;
        let acknowledgement = sender.send(&self.message()).await.ok()?;
        assert_eq!(acknowledgement.code, "AA", "{:?}", acknowledgement.text);
        self.in_flight = false;
        self.acknowledged.push(self.control_id());
        Some(())
    }

    fn control_id(&self) -> String {
        format!("S{}N{}", self.number, self.sent)
    }

    fn message(&self) -> Vec<u8> {
        let (control_id, user, study) = (self.control_id(), self.user(), self.study(self.sent));
        let status = if self.sent % 2 == 1 { "IP" } else { "CM" };
        let text = format!(
            "MSH|^~\\&|ACME_RIS|MAIN|FHIRCAST|GATEWAY|||ORM^O01^ORM_O01|{control_id}|P|2.5.1\r\
             PID|1||{}^^^MAIN&1.2.276.0.76.3.1.999&ISO^MR||Berger^Annelise\r\
             ORC|SC|P{study}|F{study}||{status}|||||||||||||RAD-07|{user}\r\
             OBR|1|P{study}|F{study}|CT^CT^L||||||||||||||A{study}\r\
             ZDS|{study}^ACME_RIS^Application^DICOM\r",
            4711 + self.number
        );
        text.into_bytes()
    }
}

/// The UID of the study that is current on a topic.
async fn shown(gateway: &Gateway, topic: &str) -> Option<String> {
    let context = current_context(&gateway.hub_url, topic, None).await.unwrap();
    let study = context["context"].as_array()?.iter().find(|entry| entry["key"] == "study")?;
    let identifiers = study["resource"]["identifier"].as_array()?;
    let uid = identifiers.iter().find_map(|it| it["value"].as_str()?.strip_prefix("urn:oid:"));
    uid.map(str::to_owned)
}

/// An application that shares observations in a report, one after another.
#[derive(Default)]
pub(crate) struct Application {
    is_open: bool,
    version: String,
    shared: BTreeSet<String>,
    in_flight: Option<String>,
    number: usize,
}

const TOPIC: &str = "application";

impl Application {
    /// All that it was told to be shared is shared, and nothing that it has not sent; the version is its own, or that of what awaits its answer.
    pub(crate) async fn catch_up(&mut self, gateway: &Gateway, report: &mut Report) {
        if !self.is_open {
            return;
        }
        let context = current_context(&gateway.hub_url, TOPIC, None).await.unwrap();
        let version = context["context.versionId"].as_str().unwrap_or_default().to_owned();
        let content = context["context"].as_array().into_iter().flatten().find(|entry| entry["key"] == "content");
        let entries = content.and_then(|content| content["resource"]["entry"].as_array()).cloned().unwrap_or_default();
        let found: BTreeSet<String> =
            entries.iter().filter_map(|entry| entry["resource"]["id"].as_str()).map(str::to_owned).collect();
        for id in self.shared.difference(&found) {
            report.lost(format!("observation {id} was acknowledged, and is not shared"));
        }
        let more: Vec<&String> = found.difference(&self.shared).collect();
        match (&more[..], self.in_flight.take()) {
            ([], _) if version == self.version => {}
            ([one], Some(in_flight)) if **one == in_flight => {}
            _ => report.lost(format!("the context has version {version} and {more:?}, not {}", self.version)),
        }
        (self.version, self.shared) = (version, found);
    }

    pub(crate) async fn publish_until_cut_off(&mut self, gateway: &Gateway) {
        let http = reqwest::Client::new();
        if !self.is_open {
            let report = json!({"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}});
            let patient = json!({"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}});
            let Some(version) = publish(&http, gateway, "DiagnosticReport-open", json!([report, patient]), None).await
            else {
                return;
            };
            (self.version, self.is_open) = (version, true);
        }
        loop {
            self.number += 1;
            let id = format!("o{}", self.number);
            let resource = json!({"resourceType": "Observation", "id": id, "status": "final"});
            let entry = json!({"request": {"method": "PUT", "url": format!("Observation/{id}")}, "resource": resource});
            let bundle = json!({"resourceType": "Bundle", "id": "b", "type": "transaction", "entry": [entry]});
            let context = json!([
                {"key": "report", "reference": {"reference": "DiagnosticReport/r1"}},
                {"key": "updates", "resource": bundle}
            ]);
            self.in_flight = Some(id.clone());
            let version = Some(self.version.clone());
            let Some(version) = publish(&http, gateway, "DiagnosticReport-update", context, version).await else {
                return;
            };
            self.in_flight = None;
            self.shared.insert(id);
            self.version = version;
        }
    }
}

/// The version that the hub answers; `None` when it does not answer.
async fn publish(
    http: &reqwest::Client,
    gateway: &Gateway,
    name: &str,
    context: Value,
    version: Option<String>,
) -> Option<String> {
    let mut event = json!({"hub.topic": TOPIC, "hub.event": name, "context": context});
    if let Some(version) = version {
        event["context.versionId"] = version.into();
    }
    let id = uuid::Uuid::new_v4().to_string();
    let body = json!({"timestamp": "2026-11-22T08:15:30Z", "id": id, "event": event});
    let answer = http.post(&gateway.hub_url).json(&body).send().await.ok()?;
    let status = answer.status();
    let answer: Value = answer.json().await.ok()?;
    assert_eq!(status, 202, "{answer}");
    answer["context.versionId"].as_str().map(str::to_owned)
}

/// A subscriber that comes back to its endpoint.
#[derive(Default)]
pub(crate) struct Follower {
    subscriber: Option<Subscriber>,
    /// The ids of the events that it was told of.
    pub(crate) notified: BTreeSet<String>,
}

impl Follower {
    pub(crate) async fn catch_up(&mut self, gateway: &Gateway, topic: String, report: &mut Report) {
        if let Some(subscriber) = &mut self.subscriber {
            if subscriber.reconnect().await.is_ok() {
                return;
            }
            report.lost("a subscriber cannot come back to its endpoint".to_owned());
        }
        let events = ["ImagingStudy-open", "ImagingStudy-close"].map(str::to_owned);
        let subscriber = Subscriber::subscribe(&gateway.hub_url, &topic, &events, SubscriberOptions::default()).await;
        self.subscriber = Some(subscriber.unwrap());
    }

    pub(crate) async fn follow_until_cut_off(&mut self) {
        let Some(subscriber) = &mut self.subscriber else { return };
        loop {
            match subscriber.next().await {
                Ok(Frame::Notification { text, .. }) => {
                    let notification: Value = serde_json::from_str(&text).unwrap();
                    self.notified.extend(notification["id"].as_str().map(str::to_owned));
                }
                Ok(Frame::Closed { .. }) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// Subscribes to a topic of its own, and opens a patient there.
pub(crate) async fn follow_one_of_many(http: &reqwest::Client, gateway: &Gateway, number: usize) {
    let topic = format!("topic{number}");
    let form = [
        ("hub.channel.type", "websocket"),
        ("hub.mode", "subscribe"),
        ("hub.topic", &topic),
        ("hub.events", "Patient-open,Patient-close,SyncError"),
    ];
    assert_eq!(http.post(&gateway.hub_url).form(&form).send().await.unwrap().status(), 202);
    let patient = json!({
        "resourceType": "Patient",
        "id": format!("p{number}"),
        "identifier": [{"system": "urn:oid:1.2.3", "value": number.to_string()}],
        "name": [{"family": "Berger", "given": ["Annelise"]}]
    });
    let context = json!([{"key": "patient", "resource": patient}]);
    let event = json!({"hub.topic": topic, "hub.event": "Patient-open", "context": context});
    let body = json!({"timestamp": "2026-11-22T08:15:30Z", "id": format!("e{number}"), "event": event});
    assert_eq!(http.post(&gateway.hub_url).json(&body).send().await.unwrap().status(), 202);
}
