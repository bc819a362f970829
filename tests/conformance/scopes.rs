//! SCO, SUB-14 to SUB-16, REQ-07, CTX-07, NOT-03: what an access token lets its bearer do.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhircast_gateway::clock::Clock;
use fhircast_gateway::hub::HubSettings;
use fhircast_gateway::security::{AuthSettings, Authenticator, HttpFetch, Secrets};
use fhircast_gateway::store::{Secret, SiteKey};
use serde_json::json;

use super::fixture::{Answer, Bench, event, put, report_event, subscription, update_event};
use super::socket::connect;

/// One token for each; the token of `NAME` is `NAME` and filled up with dashes.
const TOKENS: &str = r#"
mode = "bearer"
[token.all]
file = "unused"
scopes = "fhircast/*.*"
[token.reader]
file = "unused"
scopes = "fhircast/patient-OPEN.read fhircast/Patient-close.write"
[token.report-reader]
file = "unused"
scopes = "fhircast/DiagnosticReport-open.read"
[token.stranger]
file = "unused"
scopes = "fhircast/Home-open.write"
[token.limited]
file = "unused"
scopes = "fhircast/Patient-open.read"
[token.bound]
file = "unused"
scopes = "fhircast/*.*"
topics = ["t1"]
[token.short]
file = "unused"
scopes = "fhircast/*.*"
expires = "2026-05-04T08:16:30Z"
"#;

pub(super) fn token(name: &str) -> String {
    format!("{name:-<40}")
}

pub(super) async fn guarded() -> Bench {
    guarded_with(super::powercast::settings()).await
}

async fn guarded_with(hub: HubSettings) -> Bench {
    Bench::with_authenticator(hub, authenticator).await
}

pub(super) fn authenticator(clock: Arc<dyn Clock>) -> Authenticator {
    let settings: AuthSettings = toml::from_str(TOKENS).unwrap();
    let tokens: BTreeMap<_, _> = settings.token.keys().map(|name| (name.clone(), Secret::new(token(name)))).collect();
    let secrets = Secrets { tokens, ..Secrets::default() };
    let key = SiteKey::from_bytes(&[7; 32]);
    Authenticator::new(&settings, &secrets, &key, clock, Arc::new(HttpFetch::new().unwrap())).unwrap()
}

impl Bench {
    pub(super) async fn form_as(&self, name: &str, parameters: &str) -> Answer {
        let headers =
            format!("Authorization: Bearer {}\r\nContent-Type: application/x-www-form-urlencoded\r\n", token(name));
        self.post_with("/hub", &headers, parameters.as_bytes()).await
    }

    pub(super) async fn publish_as(&self, name: &str, event: &serde_json::Value) -> Answer {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token(name));
        self.post_with("/hub", &headers, event.to_string().as_bytes()).await
    }

    pub(super) async fn get_as(&self, name: &str, path: &str) -> Answer {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            token(name)
        );
        self.exchange(&head, b"").await
    }
}

pub(super) fn endpoint(answer: &Answer) -> String {
    answer.json()["hub.channel.endpoint"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sub_14_without_a_good_token_nothing_but_discovery_is_answered() {
    let bench = guarded().await;
    let form = subscription("t1", "Patient-open");
    let published = event("t1", "Patient-open", "e1", "p1");
    for answer in [bench.form(&form).await, bench.publish(&published).await, bench.get("/hub/t1").await] {
        answer.expect(401, "Authorization: Bearer");
        assert!(answer.head.contains("www-authenticate: bearer\r\n"), "{}", answer.head);
    }
    let unknown = bench.form_as("unknown", &form).await;
    unknown.expect(401, "not accepted");
    assert!(unknown.head.contains("www-authenticate: bearer error=\"invalid_token\""), "{}", unknown.head);
    assert!(!unknown.body.contains(&token("unknown")), "SUB-13");
    let stranger = bench.form_as("stranger", &form).await;
    stranger.expect(403, "scope");
    assert!(stranger.head.contains("insufficient_scope"), "{}", stranger.head);
    bench.get("/hub/.well-known/fhircast-configuration").await.expect(200, "eventsSupported");
}

#[tokio::test]
async fn sub_15_16_sco_01_02_what_the_scopes_cover_is_granted_and_confirmed() {
    let bench = guarded().await;
    let answer = bench.form_as("reader", &subscription("t1", "Patient-open,ImagingStudy-open,SyncError")).await;
    let mut viewer = connect(&endpoint(&answer)).await;
    let confirmation: serde_json::Value = serde_json::from_str(&viewer.text().await).unwrap();
    assert_eq!(confirmation["hub.events"], "Patient-open,SyncError");
    bench.form_as("reader", &subscription("t1", "ImagingStudy-open")).await.expect(403, "scope");
}

#[tokio::test]
async fn req_07_publishing_needs_the_write_scope_of_the_event() {
    let bench = guarded().await;
    bench.publish_as("reader", &event("t1", "Patient-open", "e1", "p1")).await.expect(403, "write");
    bench.publish_as("reader", &event("t1", "Patient-close", "e2", "p1")).await.expect(202, "e2");
    bench.publish_as("all", &event("t1", "Patient-open", "e3", "p1")).await.expect(202, "e3");
}

#[tokio::test]
async fn ctx_07_not_03_the_current_context_is_told_to_whoever_may_read_its_open_and_content_with_its_update() {
    let bench = guarded().await;
    bench.publish_as("all", &event("t1", "Patient-open", "e1", "p1")).await.expect(202, "e1");
    bench.get_as("reader", "/hub/t1").await.expect(200, "p1");
    bench.get_as("report-reader", "/hub/t1").await.expect(403, "scope");
    let opened = bench.publish_as("all", &report_event("t1", "DiagnosticReport-open", "e2", "r1")).await.json();
    let update = update_event("t1", "u1", &opened["context.versionId"], &json!([put("1")]));
    bench.publish_as("all", &update).await.expect(202, "u1");
    bench.get_as("reader", "/hub/t1").await.expect(403, "scope");
    let told = bench.get_as("report-reader", "/hub/t1").await;
    told.expect(200, "r1");
    assert!(!told.body.contains("Observation"), "content is the updates': {}", told.body);
    bench.get_as("all", "/hub/t1").await.expect(200, "Observation");
}

#[tokio::test]
async fn ira_01_who_may_do_what_is_decided_at_the_strict_mount_too_and_content_is_always_shared() {
    let bench = guarded().await;
    let post = async |name: &str, content_type: &str, body: String| {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: {content_type}\r\n", token(name));
        bench.post_with("/hub-ira", &headers, body.as_bytes()).await
    };
    let form = subscription("t1", "DiagnosticReport-open&subscriber.name=V");
    post("reader", "application/x-www-form-urlencoded", form.clone()).await.expect(403, "scope");
    post("all", "application/x-www-form-urlencoded", form).await.expect(202, "hub.channel.endpoint");
    let open = report_event("t1", "DiagnosticReport-open", "e1", "r1").to_string();
    post("reader", "application/json", open.clone()).await.expect(403, "write");
    post("all", "application/json", open).await.expect(202, "e1");
    bench.get_as("reader", "/hub-ira/t1").await.expect(403, "scope");
    bench.get_as("all", "/hub-ira/t1").await.expect(200, "content");
    let configuration = bench.at("/hub-ira").get(".well-known/fhircast-configuration").await.json();
    assert!(configuration["eventsSupported"].as_array().unwrap().contains(&json!("DiagnosticReport-update")));
}

#[tokio::test]
async fn not_03_t20_a_late_subscriber_and_a_derived_open_obey_the_scopes() {
    let bench = guarded().await;
    let opened = bench.publish_as("all", &report_event("t1", "DiagnosticReport-open", "e1", "r1")).await;
    opened.expect(202, "e1");
    let asked = subscription("t1", "Patient-open,ImagingStudy-open,DiagnosticReport-open");
    let mut viewer = connect(&endpoint(&bench.form_as("reader", &asked).await)).await;
    viewer.text().await;
    let told: serde_json::Value = serde_json::from_str(&viewer.text().await).unwrap();
    assert_eq!(told["event"]["hub.event"], "Patient-open");
    assert_eq!(told["event"]["context"].as_array().unwrap().len(), 1);
    bench.publish_as("all", &event("t1", "Patient-open", "e2", "p2")).await;
    assert!(viewer.text().await.contains("p2"), "nothing else came in between");
}

#[tokio::test]
async fn cli_17_sec_03_a_bound_token_is_for_its_topics_alone_known_or_not() {
    let bench = guarded().await;
    bench.publish_as("all", &event("t2", "Patient-open", "e1", "p1")).await.expect(202, "e1");
    let (known, unknown) = (bench.get_as("bound", "/hub/t2").await, bench.get_as("bound", "/hub/t3").await);
    known.expect(403, "topic");
    assert_eq!(known.body, unknown.body);
    bench.form_as("bound", &subscription("t2", "Patient-open")).await.expect(403, "topic");
    bench.publish_as("bound", &event("t2", "Patient-open", "e2", "p1")).await.expect(403, "topic");
    bench.publish_as("bound", &event("t1", "Patient-open", "e3", "p1")).await.expect(202, "e3");
}

#[tokio::test]
async fn sub_08_sma_02_a_lease_ends_with_its_token() {
    let bench = guarded().await;
    let answer = bench.form_as("short", &subscription("t1", "Patient-open&hub.lease_seconds=3600")).await;
    let mut viewer = connect(&endpoint(&answer)).await;
    assert!(viewer.text().await.contains("\"hub.lease_seconds\":60"));
    bench.after(std::time::Duration::from_secs(60)).await;
    assert!(viewer.text().await.contains("denied"), "CLI-25");
    assert_eq!(viewer.close().await, Some(1000));
    bench.form_as("short", &subscription("t1", "Patient-open")).await.expect(401, "not accepted");
}

#[tokio::test]
async fn t2_an_endpoint_is_of_use_to_the_principal_that_it_was_given_to() {
    let bench = guarded().await;
    let form = subscription("t1", "Patient-open");
    let endpoint = endpoint(&bench.form_as("all", &form).await);
    let named = format!("{form}&hub.channel.endpoint={endpoint}");
    bench.form_as("bound", &named).await.expect(404, "hub.channel.endpoint");
    bench.form_as("bound", &named.replace("=subscribe", "=unsubscribe")).await.expect(404, "hub.channel.endpoint");
    bench.form_as("all", &named).await.expect(202, &endpoint);
}

#[tokio::test]
async fn cli_05_a_hub_without_authentication_ignores_what_clients_send_instead_of_a_token() {
    let bench = Bench::start().await;
    for header in ["Bearer ", "Bearer undefined", "Basic x", "\u{7}", "Bearer \u{e9}"] {
        let headers = format!("Authorization: {header}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        let answer = bench.post_with("/hub", &headers, subscription("t1", "Patient-open").as_bytes()).await;
        // A control character is no header at all.
        assert_eq!(answer.status, if header == "\u{7}" { 400 } else { 202 }, "{header:?}");
    }
}

#[tokio::test]
async fn cli_37_lookups_of_the_powercast_dialect_tell_nobody_more_than_the_context_does() {
    let bench = guarded().await;
    let opened = bench.publish_as("all", &report_event("t1", "DiagnosticReport-open", "e1", "r1")).await.json();
    let update = update_event("t1", "u1", &opened["context.versionId"], &json!([put("1")]));
    bench.publish_as("all", &update).await.expect(202, "u1");
    let (patient, observation) = ("t1/resource/Patient/p1", "t1/resource/Observation/1");
    for (name, path, status) in [
        ("all", patient, 200),
        ("all", observation, 200),
        ("report-reader", patient, 200),
        ("report-reader", observation, 404),
        ("reader", patient, 403),
        ("bound", "t2/resource/Patient/p1", 403),
        ("unknown", patient, 401),
    ] {
        let answer = bench.get_as(name, &format!("/fhircast/powercast/{path}")).await;
        assert_eq!(answer.status, status, "{name} {path}: {answer:?}");
        assert_eq!(answer.json()["message"].is_string(), status != 200, "{answer:?}");
    }
    for (name, status) in [("reader", 403), ("unknown", 401)] {
        let answer = bench.get_as(name, "/fhircast/powercast/t1").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{name}");
    }
    let own = endpoint(&bench.form_as("all", &subscription("t1", "Patient-open")).await);
    let path = format!("/fhircast/powercast/TopicSubscriptions/t1/{}", own.rsplit('/').next().unwrap());
    bench.get_as("all", &path).await.expect(200, "Patient-open");
    bench.get_as("reader", &path).await.expect(404, "no such subscription");
    bench.get_as("unknown", &path).await.expect(401, "message");
}

#[tokio::test]
async fn cli_39_sub_15_req_07_old_names_and_events_over_a_socket_need_the_scopes_of_present_ones() {
    let bench = guarded_with(super::legacy::settings()).await;
    let form = format!("{}&hub.channel.endpoint=7", subscription("t1", "open-patient-chart"));
    for (name, status) in [("report-reader", 403), ("reader", 202)] {
        let headers =
            format!("Authorization: Bearer {}\r\nContent-Type: application/x-www-form-urlencoded\r\n", token(name));
        assert_eq!(bench.post_with("/api/hub", &headers, form.as_bytes()).await.status, status, "{name}");
    }
    let mut page = connect(&format!("ws://{}/bind/7", bench.address)).await;
    page.text().await;
    assert_eq!(page.text().await, "{\"bound\":true}");
    page.say(&event("t1", "open-patient-chart", "e1", "p1").to_string()).await;
    bench.until(|counts| counts.socket_events_refused == 1).await;
    page.say(&event("t1", "close-patient-chart", "e2", "p1").to_string()).await;
    bench.until(|counts| counts.events_published == 1).await;
    assert_eq!(bench.hub.counters().socket_events_refused, 1);
}
