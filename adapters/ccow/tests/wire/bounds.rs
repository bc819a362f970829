//! Bounds of size, time and number, each at its edge.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{Gateway, soon};

#[tokio::test]
async fn t8_a_request_that_is_half_sent_is_closed() {
    let gateway = Gateway::with("request_timeout = '200ms'").await;
    for half in ["GET / HTT", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = soon(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    gateway.locate("/", "").await;
}

#[tokio::test]
async fn requests_are_bounded_in_size_and_arguments() {
    let gateway = Gateway::with("max_request = '8KiB'\nmax_context = '1KiB'").await;
    let long =
        |length: usize| format!("interface=ContextManager&method=GetMostRecentContextCoupon&x={}", "y".repeat(length));
    let sent = gateway.request("POST", "/", "", &long(7000)).await;
    assert_eq!((sent.status, sent.body.as_str()), (200, "contextCoupon=0"));
    assert_eq!(gateway.request("POST", "/", "", &long(9000)).await.status, 413);
    assert_eq!(gateway.request("POST", &format!("/?{}", "z".repeat(2000)), "", &long(7000)).await.status, 413);
    assert_eq!(gateway.request("POST", "/", "", &"a=1&".repeat(100)).await.status, 400);
    assert_eq!(gateway.count("request_refused"), 3);
}

#[tokio::test]
async fn section_8_joins_are_bounded_and_harm_nobody() {
    let gateway = Gateway::with("max_participants = 10").await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", "http://127.0.0.1:9/", false).await;
    let mut refused = 0;
    for number in 0..100 {
        let join =
            format!("applicationName=Copy%23&contextParticipant=http://127.0.0.1:9/{number}&survey=false&wait=0");
        let body = desktop.call("ContextManager.JoinCommonContext", &join).await;
        refused += usize::from(body.starts_with("exception=TooManyParticipants&"));
    }
    assert_eq!(refused, 91);
    desktop.change(a, "1").await;
}
