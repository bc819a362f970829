//! SMA-01 and CLI-17: a client gets its token from the gateway itself, and follows its user with it. Over real sockets.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhircast_gateway::client::{self, Frame, Subscriber, SubscriberOptions};
use fhircast_gateway::clock::System;
use fhircast_gateway::node::Plan;
use fhircast_gateway::store::{SiteKey, audit_files};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Gateway, Viewer, layers};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const TAKEN: &str = "MSH|^~\\&|ACME_RIS|MAIN|GATEWAY|HOSP|20261122081530+0100||ORM^O01|4711001|P|2.3.1
PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F
ORC|SC|P77001|F77001||IP||||20261122081528+0100||||||||||MLINDQV^Lindqvist^Maja
OBR|1|P77001|F77001|CTCHWO^CT chest without contrast^ACME||||||||||||||A2026-00815
";

/// A gateway with one client, and the directory of its secret.
struct Bench {
    gateway: Gateway,
    _directory: TempDir,
}

fn secret_file(directory: &Path, mode: u32) -> PathBuf {
    let path = directory.join("dictation.secret");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

fn plan(secret: &Path, client: &str) -> Plan {
    let site = format!(
        "[auth]\nmode = \"bearer\"\n[auth.client.dictation]\nsecret_files = [\"{}\"]\n{client}\n",
        secret.display()
    );
    let (layers, problems) = layers(Some(&site), &[]);
    Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"))
}

impl Bench {
    async fn with(client: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let plan = plan(&secret_file(directory.path(), 0o600), client);
        Self { gateway: Gateway::start_plan(plan).await, _directory: directory }
    }

    /// The hub's origin, with `path` behind it.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.node.hub_url.trim_end_matches("/hub"))
    }

    async fn post(&self, form: &str) -> Response {
        let request = Client::new().post(self.at("/token")).basic_auth("dictation", Some(SECRET));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(form.to_owned()).send().await.unwrap()
    }

    async fn token(&self, more: &str) -> Value {
        let response = self.post(&format!("grant_type=client_credentials{more}")).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn subscribe(hub: &str, topic: &str, event: &str, token: &str) -> Result<Viewer, String> {
    let options = SubscriberOptions { token: Some(token.to_owned()), ..SubscriberOptions::default() };
    let subscriber = Subscriber::subscribe(hub, topic, &[event.to_owned()], options).await;
    subscriber.map(|subscriber| Viewer { subscriber }).map_err(|error| error.to_string())
}

fn event(topic: &str, name: &str) -> Value {
    let context = json!([{"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}}]);
    let event = json!({"hub.topic": topic, "hub.event": name, "context": context});
    json!({"timestamp": "2026-05-04T08:15:30Z", "id": uuid::Uuid::new_v4().to_string(), "event": event})
}

const READS_AND_OPENS: &str = "scopes = \"fhircast/*.read fhircast/Patient-open.write\"\n";

#[tokio::test]
async fn sma_01_cli_17_a_client_gets_its_token_its_hub_and_its_topic_and_sees_what_its_ris_sends() {
    let bench = Bench::with(&format!("{READS_AND_OPENS}mount = \"compatible\"")).await;
    let answer = bench.token("&username=mlindqv&audience=anything").await;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 300);
    assert_eq!(answer["scope"], "fhircast/*.read fhircast/Patient-open.write");
    assert_eq!(answer["hub.url"], bench.at("/fhircast/STU3"));
    assert_eq!(answer["hub.topic"], bench.gateway.topic("mlindqv"));
    assert_eq!(answer["topic"], answer["hub.topic"]);
    let (hub, topic, token) = (text(&answer, "hub.url"), text(&answer, "hub.topic"), text(&answer, "access_token"));
    let mut viewer = subscribe(hub, topic, "ImagingStudy-open", token).await.unwrap();
    assert!(matches!(viewer.frame().await, Frame::Confirmation { .. }));
    bench.gateway.ris().await.send(TAKEN).await.expect_code("AA");
    let seen = viewer.expect_event("ImagingStudy-open").await;
    assert_eq!(seen["event"]["hub.topic"], *topic);
}

#[tokio::test]
async fn cli_17_the_token_is_for_its_users_topic_only_and_for_its_scopes_only() {
    let bench = Bench::with(&format!("{READS_AND_OPENS}user = \"mlindqv\"")).await;
    let (topic, other) = (bench.gateway.topic("mlindqv"), bench.gateway.topic("pnovak"));
    let answer = bench.token("").await;
    assert_eq!((text(&answer, "hub.topic"), text(&answer, "hub.url")), (topic.as_str(), bench.at("/hub").as_str()));
    let (hub, token) = (text(&answer, "hub.url"), text(&answer, "access_token"));
    let refused = subscribe(hub, &other, "Patient-open", token).await.err().unwrap();
    assert!(refused.contains("403") && refused.contains("not for this topic"), "{refused}");
    for (topic, name, taken) in
        [(&topic, "Patient-open", true), (&topic, "Patient-close", false), (&other, "Patient-open", false)]
    {
        let published = client::publish(hub, &event(topic, name), Some(token.to_owned())).await;
        assert_eq!(published.is_ok(), taken, "{name}: {published:?}");
    }
    let narrow = bench.token("&scope=fhircast/Patient-close.read").await;
    assert_eq!(text(&narrow, "scope"), "fhircast/Patient-close.read");
    let narrow = text(&narrow, "access_token").to_owned();
    assert!(subscribe(hub, &topic, "Patient-close", &narrow).await.is_ok());
    assert!(subscribe(hub, &topic, "Patient-open", &narrow).await.is_err());
    assert!(client::publish(hub, &event(&topic, "Patient-open"), Some(narrow)).await.is_err());
}

#[tokio::test]
async fn sma_01_a_token_outlives_a_restart_of_the_gateway() {
    let client = format!("{READS_AND_OPENS}user = \"mlindqv\"");
    let before = Bench::with(&client).await;
    let answer = before.token("").await;
    let after = Bench::with(&client).await;
    let (topic, token) = (text(&answer, "hub.topic"), text(&answer, "access_token"));
    let hub = after.at("/hub");
    assert!(subscribe(&hub, topic, "Patient-open", token).await.is_ok());
    assert!(subscribe(&hub, topic, "Patient-open", &format!("{token}x")).await.is_err());
}

#[tokio::test]
async fn ira_23_sma_01_tokens_given_and_refused_are_audited() {
    let directory = TempDir::new().unwrap();
    let store = directory.path().join("data");
    let client =
        format!("scopes = \"fhircast/*.read\"\nuser = \"mlindqv\"\n[store]\ndirectory = \"{}\"", store.display());
    let plan = plan(&secret_file(directory.path(), 0o600), &client);
    let bench = Bench { gateway: Gateway { node: plan.start(Arc::new(System)).await.unwrap() }, _directory: directory };
    let token = bench.token("").await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(bench.post("grant_type=password").await.status(), 400);
    let Bench { gateway, _directory } = bench;
    assert!(gateway.node.drain().await);
    let files = audit_files(&store.join("audit")).unwrap();
    let text = fs::read_to_string(&files[0].0).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<_> = events.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["0", "4"]);
    assert_eq!(events[0]["agent"][0]["who"], json!({"identifier": {"value": "mlindqv"}}));
    assert_eq!(events[0]["agent"][0]["altId"], "dictation");
    assert!(!text.contains(&token) && !text.contains(SECRET));
}

#[tokio::test]
async fn sma_01_errors_are_those_of_rfc_6749_and_nothing_is_cached() {
    let bench = Bench::with(READS_AND_OPENS).await;
    let form = "application/x-www-form-urlencoded";
    let good = format!("grant_type=client_credentials&client_id=dictation&client_secret={SECRET}&username=a");
    for (content_type, body, status, code) in [
        (form, good.clone(), 200, ""),
        ("application/x-www-form-urlencoded; charset=UTF-8", good.clone(), 200, ""),
        (form, good.replace("0123", "3210"), 401, "invalid_client"),
        (form, good.replace("client_credentials", "password"), 400, "unsupported_grant_type"),
        (form, format!("{good}&scope=openid"), 400, "invalid_scope"),
        (form, format!("{good}&username=b"), 400, "invalid_request"),
        (form, format!("{good}&x={}", "y".repeat(16 << 10)), 413, "invalid_request"),
        ("application/json", "{}".to_owned(), 400, "invalid_request"),
        ("", good.clone(), 400, "invalid_request"),
    ] {
        let request = Client::new().post(bench.at("/token")).header("content-type", content_type);
        let response = request.body(body).send().await.unwrap();
        let headers = response.headers().clone();
        assert_eq!(response.status(), status, "{content_type}: {code}");
        assert_eq!(
            (&headers["cache-control"], &headers["pragma"]),
            (&"no-store".parse().unwrap(), &"no-cache".parse().unwrap())
        );
        assert_eq!(headers.contains_key("www-authenticate"), status == 401);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["error"].as_str().unwrap_or_default(), code, "{answer}");
        assert_eq!(answer["access_token"].is_string(), status == 200, "{answer}");
    }
    assert_eq!(Client::new().get(bench.at("/token")).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn t18_sma_01_guessing_secrets_is_answered_ever_less_and_harms_nobody_else() {
    let bench = Bench::with(READS_AND_OPENS).await;
    let mut statuses = Vec::new();
    for _ in 0..80 {
        let wrong = Client::new().post(bench.at("/token")).basic_auth("dictation", Some("guess"));
        let wrong = wrong.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        statuses.push((wrong.status().as_u16(), wrong.headers().contains_key("retry-after")));
    }
    assert!(statuses.contains(&(401, false)) && statuses.contains(&(429, true)), "{statuses:?}");
    bench.token("&username=a").await;
}

#[tokio::test]
async fn sma_01_the_smart_configuration_names_the_endpoint_where_there_is_one_behind_the_guard() {
    let bench = Bench::with(READS_AND_OPENS).await;
    for path in ["/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"] {
        let response = Client::new().get(bench.at(path)).send().await.unwrap();
        let configuration: Value = response.json().await.unwrap();
        assert_eq!(
            configuration,
            json!({
                "token_endpoint": bench.at("/token"),
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "scopes_supported": ["fhircast/*.read", "fhircast/Patient-open.write"],
                "capabilities": [],
            })
        );
    }
    for path in ["/token", "/.well-known/smart-configuration"] {
        let guarded =
            |name: &'static str, value: &'static str| Client::new().get(bench.at(path)).header(name, value).send();
        assert_eq!(guarded("host", "evil.example").await.unwrap().status(), 421, "T5 at {path}");
        assert_eq!(guarded("origin", "https://evil.example").await.unwrap().status(), 403, "T3 at {path}");
        let shared = guarded("origin", "http://localhost:3000").await.unwrap();
        assert_eq!(shared.headers()["access-control-allow-origin"], "http://localhost:3000", "CLI-40 at {path}");
    }
    let without = Gateway::start().await;
    for path in ["/token", "/.well-known/smart-configuration"] {
        let url = format!("{}{path}", without.node.hub_url.trim_end_matches("/hub"));
        assert_eq!(Client::new().get(url).send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn sma_01_cli_07_behind_a_proxy_clients_are_told_the_proxys_address() {
    let proxy = "[hub]\ntrusted_proxies = [\"127.0.0.1\"]\nallowed_hosts = [\"hub.hospital.example\"]\n";
    let bench = Bench::with(&format!("{READS_AND_OPENS}{proxy}")).await;
    let by_proxy = |request: RequestBuilder| {
        let request = request.header("x-forwarded-proto", "https").header("x-forwarded-host", "hub.hospital.example");
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let configuration = by_proxy(Client::new().get(bench.at("/.well-known/smart-configuration"))).await;
    assert_eq!(configuration["token_endpoint"], "https://hub.hospital.example/token");
    let form = [("grant_type", "client_credentials"), ("username", "mlindqv")];
    let request = Client::new().post(bench.at("/token")).basic_auth("dictation", Some(SECRET)).form(&form);
    assert_eq!(by_proxy(request).await["hub.url"], "https://hub.hospital.example/hub");
    assert_eq!(bench.gateway.node.token_url, Some(bench.at("/token")));
    assert!(bench.gateway.node.to_string().contains(&format!("tokens         {}", bench.at("/token"))));
}

#[tokio::test]
async fn sec_04_a_secret_that_others_can_read_keeps_the_gateway_from_starting() {
    let directory = TempDir::new().unwrap();
    let plan = plan(&secret_file(directory.path(), 0o644), READS_AND_OPENS);
    let started = plan.start_with_key(Arc::new(System), SiteKey::from_bytes(&[7; 32])).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("chmod 600") && !error.contains(SECRET), "{error}");
}
