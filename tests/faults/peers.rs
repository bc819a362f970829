//! Peers that do what no peer should: each costs its own connection, and nothing else.

use std::time::Duration;

use fhircast_gateway::http::HttpSettings;
use fhircast_gateway::hub::HubSettings;
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::conformance::fixture::{Bench, event, subscription};
use crate::conformance::socket::connect;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn cli_22_nonsense_on_a_socket_is_ignored_and_publishes_nothing() {
    let bench = Bench::start().await;
    let mut viewer = connect(&bench.endpoint("t1", "Patient-open,Home-open").await).await;
    viewer.text().await;
    let published = event("t1", "Patient-open", "e1", "p1").to_string();
    for text in ["", "hello", "[[[[", "{\"type\":\"pong\"}", "{\"id\":\"never sent\",\"status\":500}", &published] {
        viewer.say(text).await;
    }
    viewer.send(Message::binary(vec![0, 159, 146, 150])).await;
    viewer.say(&"[".repeat(60_000)).await;
    bench.until(|counts| counts.frames_ignored == 7).await;
    bench.publish(&event("t1", "Home-open", "e2", "")).await;
    assert!(viewer.text().await.contains("\"e2\""));
}

#[tokio::test]
async fn an_oversized_frame_ends_its_own_socket_only() {
    let bench = Bench::start().await;
    let mut other = bench.subscriber("t1", &["Home-open"]).await;
    let mut viewer = connect(&bench.endpoint("t1", "Home-open").await).await;
    viewer.text().await;
    viewer.say(&"x".repeat(65 << 10)).await;
    while !matches!(viewer.message().await, None | Some(Message::Close(_))) {}
    bench.publish(&event("t1", "Home-open", "e1", "")).await;
    other.expect_event("Home-open").await;
}

#[tokio::test]
async fn a_frame_that_lies_about_its_length_ends_its_own_socket_only() {
    let bench = Bench::start().await;
    let mut other = bench.subscriber("t1", &["Home-open"]).await;
    let masked = [0, 0, 0, 0];
    for head in [
        // A text of 2^62 bytes.
        &[0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0][..],
        // A ping in parts, which no control frame has.
        &[0x09, 0x80],
        // Reserved bits, and an opcode that nobody has defined.
        &[0xf3, 0x80],
        // Not masked, as a client's frame must be.
        &[0x81, 0x02, b'h', b'i'],
    ] {
        let (status, mut socket) = bench.upgrade(&bench.endpoint("t1", "Home-open").await, "").await;
        assert_eq!(status, 101);
        socket.write_all(&[head, &masked].concat()).await.unwrap();
        let mut rest = Vec::new();
        assert!(timeout(PATIENCE, socket.read_to_end(&mut rest)).await.is_ok(), "still open after {head:x?}");
    }
    bench.publish(&event("t1", "Home-open", "e1", "")).await;
    other.expect_event("Home-open").await;
}

#[tokio::test]
async fn sub_18_thousands_of_subscriptions_that_never_connect_are_bounded_and_go() {
    let bench = Bench::with(HubSettings { max_subscriptions: 100, ..HubSettings::default() }).await;
    let mut viewer = bench.subscriber("t0", &["Home-open"]).await;
    let mut refused = 0;
    for number in 0..2_000 {
        let answer = bench.form(&subscription(&format!("t{}", number % 10), "Home-open")).await;
        assert!(matches!(answer.status, 202 | 429), "{answer:?}");
        refused += usize::from(answer.status == 429);
    }
    assert_eq!(refused, 1_001, "a hundred to a topic");
    bench.publish(&event("t0", "Home-open", "e1", "")).await.expect(202, "e1");
    viewer.expect_event("Home-open").await;
    bench.after(Duration::from_secs(60)).await;
    assert_eq!((bench.hub.topics(), bench.hub.subscribers(9_999).await.len()), (1, 1));
}

#[tokio::test]
async fn sec_02_t3_a_foreign_page_cannot_open_a_socket() {
    let bench = Bench::start().await;
    for (origin, status) in [("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 101)] {
        let endpoint = bench.endpoint("t1", "Patient-open").await;
        assert_eq!(bench.upgrade(&endpoint, &format!("Origin: {origin}\r\n")).await.0, status, "{origin}");
    }
}

#[tokio::test]
async fn t5_another_name_for_this_machine_is_not_answered() {
    let bench = Bench::start().await;
    let head = "GET /hub/t1 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    bench.exchange(head, b"").await.expect(421, "allowed_hosts");
}

#[tokio::test]
async fn a_full_hub_takes_no_new_topics_and_goes_on_with_the_old() {
    let bench = Bench::with(HubSettings { max_topics: 1, max_subscriptions: 1, ..HubSettings::default() }).await;
    let mut viewer = bench.subscriber("t1", &["Home-open"]).await;
    bench.form(&subscription("t2", "Home-open")).await.expect(503, "topics");
    bench.form(&subscription("t1", "Home-open")).await.expect(429, "subscriptions");
    bench.publish(&event("t2", "Home-open", "e1", "")).await.expect(503, "topics");
    bench.publish(&event("t1", "Home-open", "e2", "")).await.expect(202, "e2");
    viewer.expect_event("Home-open").await;
}

#[tokio::test]
async fn t8_half_a_head_is_not_waited_for_while_others_are_served() {
    let http = HttpSettings { header_timeout: SignedDuration::from_millis(200), ..HttpSettings::default() };
    let bench = Bench::with_http(HubSettings::default(), http).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(bench.address).await.unwrap();
        stream.write_all(b"POST /hub HTTP/1.1\r\nHost: ").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(bench.get("/hub/t1").await.status, 200);
    for stream in &mut slow {
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "still held");
    }
}

#[tokio::test]
async fn t8_half_a_body_is_not_waited_for() {
    let settings = HubSettings { request_timeout: SignedDuration::from_millis(100), ..HubSettings::default() };
    let bench = Bench::with(settings).await;
    let head = "POST /hub HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    bench.exchange(head, b"{\"id\":").await.expect(408, "in time");
}

#[tokio::test]
async fn t8_sockets_keep_their_place_among_the_connections_of_their_address() {
    let http = HttpSettings { max_connections_per_address: 2, ..HttpSettings::default() };
    let bench = Bench::with_http(HubSettings::default(), http).await;
    let endpoint = bench.endpoint("t1", "Patient-open").await;
    let mut one = connect(&endpoint).await;
    one.text().await;
    let _two = TcpStream::connect(bench.address).await.unwrap();
    let mut third = TcpStream::connect(bench.address).await.unwrap();
    let mut nothing = Vec::new();
    let read = timeout(PATIENCE, third.read_to_end(&mut nothing)).await.expect("still held");
    assert!(read.is_err() || nothing.is_empty());
}
