//! CLI-38: the connector of dictation systems, in a whole gateway.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::Gateway;

const AUTHORIZATION: &str = "https://login.example/authorize";
const TOKEN: &str = "https://login.example/token";

const TAKEN: &str = "MSH|^~\\&|ACME_RIS|MAIN|GATEWAY|HOSP|20261122081530+0100||ORM^O01|4711001|P|2.3.1
PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F
ORC|SC|P77001|F77001||IP||||20261122081528+0100||||||||||MLINDQV^Lindqvist^Maja
OBR|1|P77001|F77001|CTCHWO^CT chest without contrast^ACME||||||||||||||A2026-00815
";

async fn gateway() -> Gateway {
    Gateway::with(&[
        "hub.mount.powercast.enabled=true",
        "hub.connector.listen=127.0.0.1:0",
        &format!("hub.connector.authorization_endpoint={AUTHORIZATION}"),
        &format!("hub.connector.token_endpoint={TOKEN}"),
    ])
    .await
}

/// The status of a GET by this name of the machine, and its body.
async fn get(gateway: &Gateway, path: &str, host: &str) -> (u16, String) {
    let address = gateway.node.connector_url.as_deref().unwrap().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn ask(gateway: &Gateway, path: &str) -> (u16, Value) {
    let (status, body) = get(gateway, path, "localhost:9292").await;
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn cli_38_the_connector_tells_the_hub_the_topic_and_where_tokens_come_from() {
    let gateway = gateway().await;
    let hub = gateway.node.hub_url.replace("/hub", "/fhircast/powercast");
    let told = json!({
        "authorization_endpoint": AUTHORIZATION,
        "token_endpoint": TOKEN,
        "hub_endpoint": hub,
        "topic": gateway.topic("mlindqv"),
    });
    for path in ["/login?username=mlindqv", "/configuration?username=mlindqv"] {
        assert_eq!(ask(&gateway, path).await, (200, told.clone()), "{path}");
    }
    for path in ["/login", "/login?username=", "/login?username=%20"] {
        let (status, body) = ask(&gateway, path).await;
        assert!(status == 400 && body["message"].is_string(), "{path}: {body}");
    }
}

#[tokio::test]
async fn cli_38_without_a_user_the_only_session_is_meant() {
    let gateway = gateway().await;
    let (status, body) = ask(&gateway, "/configuration").await;
    assert!(status == 404 && body["message"].as_str().unwrap().contains("no session yet"), "{body}");
    let mut ris = gateway.ris().await;
    ris.send(TAKEN).await.expect_code("AA");
    let (status, body) = ask(&gateway, "/configuration").await;
    assert_eq!((status, &body["topic"]), (200, &json!(gateway.topic("mlindqv"))));
    ris.send(&TAKEN.replace("MLINDQV", "PNOVAK").replace("4711001", "4711002")).await.expect_code("AA");
    let (status, body) = ask(&gateway, "/configuration").await;
    assert!(status == 404 && body["message"].as_str().unwrap().contains("several sessions"), "{body}");
}

#[tokio::test]
async fn cli_38_the_connector_is_off_by_default_and_answers_to_this_machines_names_only() {
    assert_eq!(Gateway::start().await.node.connector_url, None);
    assert_eq!(get(&gateway().await, "/login?username=a", "evil.example").await.0, 421);
}
