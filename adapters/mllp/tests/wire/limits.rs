//! Every bound has a setting and does what it says. HL7 v2 reference, sections 2.3 and 3.2; reliability reference, T8 and T9.

use fhircast_gateway_adapter_api::Outcome;
use fhircast_gateway_mllp::Settings;
use fhircast_gateway_mllp::settings::{Answers, Transient};
use jiff::SignedDuration;

use crate::fixture::{Gateway, order};

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_the_live_ones_stay() {
    let settings = Settings { max_connections: 2, max_connections_per_address: 2, ..Settings::default() };
    let gateway = Gateway::with(settings, []).await;
    let [mut first, mut second, mut third] = [gateway.peer().await, gateway.peer().await, gateway.peer().await];
    third.expect_closed().await;
    for peer in [&mut first, &mut second] {
        peer.write(&order("1")).await;
        peer.expect("MSA|AA|1").await;
    }
    assert_eq!(gateway.count("connection_refused"), 1);
    assert_eq!(gateway.count("connection_accepted"), 2);
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_refused() {
    let refused = Settings { allow: vec!["192.0.2.0/24".parse().unwrap()], ..Settings::default() };
    let gateway = Gateway::with(refused, []).await;
    gateway.peer().await.expect_closed().await;
    assert_eq!(gateway.count("connection_refused"), 1);

    let allowed = Settings {
        allow: vec!["192.0.2.0/24".parse().unwrap(), "127.0.0.0/8".parse().unwrap()],
        ..Settings::default()
    };
    let gateway = Gateway::with(allowed, []).await;
    let mut peer = gateway.peer().await;
    peer.write(&order("1")).await;
    peer.expect("MSA|AA|1").await;
}

#[tokio::test]
async fn a_silent_connection_is_closed_only_if_that_is_set() {
    let settings = Settings { idle_timeout: SignedDuration::from_millis(50), ..Settings::default() };
    let gateway = Gateway::with(settings, []).await;
    gateway.peer().await.expect_closed().await;
    assert_eq!(gateway.count("connection_timed_out"), 1);
    assert_eq!(gateway.count("frame_unfinished"), 0);
}

#[tokio::test]
async fn a_drip_of_bytes_does_not_prolong_a_frame() {
    let settings = Settings { mid_frame_timeout: SignedDuration::from_millis(100), ..Settings::default() };
    let gateway = Gateway::with(settings, []).await;
    let mut peer = gateway.peer().await;
    peer.write(b"\x0b").await;
    let (mut reading, mut writing) = tokio::io::split(peer.stream);
    let drip = tokio::spawn(async move {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
        while tokio::io::AsyncWriteExt::write_all(&mut writing, b"x").await.is_ok() {
            tick.tick().await;
        }
    });
    let mut byte = [0];
    let read = crate::fixture::soon(tokio::io::AsyncReadExt::read(&mut reading, &mut byte)).await;
    assert!(matches!(read, Ok(0) | Err(_)));
    drip.abort();
    assert_eq!(gateway.count("connection_timed_out"), 1);
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_in_time_costs_the_connection_and_no_false_answer() {
    let settings = Settings { answer_timeout: SignedDuration::from_millis(50), ..Settings::default() };
    let gateway = Gateway::gated(settings).await;
    let mut peer = gateway.peer().await;
    peer.write(&order("1")).await;
    peer.expect_closed().await;
    assert_eq!(gateway.count("connection_timed_out"), 1);
}

#[tokio::test]
async fn a_peer_that_takes_no_answers_is_closed() {
    let settings = Settings { write_timeout: SignedDuration::from_millis(100), ..Settings::default() };
    let gateway = Gateway::with(settings, []).await;
    let peer = gateway.peer().await;
    let (reading, mut writing) = tokio::io::split(peer.stream);
    let flood = order("1").repeat(1000);
    // It ends because the listener stops reading, and then closes.
    crate::fixture::soon(async { while tokio::io::AsyncWriteExt::write_all(&mut writing, &flood).await.is_ok() {} })
        .await;
    assert_eq!(gateway.count("connection_timed_out"), 1);
    drop(reading);
}

fn unavailable() -> Outcome {
    Outcome::Unavailable { reason: "the store is full".to_owned() }
}

#[tokio::test]
async fn a_message_that_was_not_kept_closes_the_connection() {
    let gateway = Gateway::with(Settings::default(), [("2", unavailable())]).await;
    let mut peer = gateway.peer().await;
    peer.write(&[order("1"), order("2"), order("3")].concat()).await;
    peer.expect("MSA|AA|1").await;
    peer.expect_closed().await;
    assert_eq!(gateway.control_ids(), ["1", "2"], "what comes after must not overtake it");
    assert_eq!(gateway.count("answer_withheld"), 1);
}

#[tokio::test]
async fn a_message_that_was_not_kept_has_a_negative_answer_if_that_is_set() {
    for (transient, code) in [(Transient::AE, "AE"), (Transient::AR, "AR")] {
        let answer = Answers { transient, ..Answers::default() };
        let gateway = Gateway::with(Settings { answer, ..Settings::default() }, [("1", unavailable())]).await;
        let mut peer = gateway.peer().await;
        peer.write(&[order("1"), order("2")].concat()).await;
        peer.expect(&format!("MSA|{code}|1|the store is full\nERR|||207^")).await;
        peer.expect("MSA|AA|2").await;
    }
}
