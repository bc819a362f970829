//! One message in flight, answers in order, and a stop that loses nothing. HL7 v2 reference, sections 1 and 2.3.

use fhircast_gateway_mllp::Settings;
use jiff::SignedDuration;
use tokio::net::TcpStream;

use crate::fixture::{Gateway, order, soon};

#[tokio::test]
async fn a_connection_has_one_message_in_flight() {
    let mut gateway = Gateway::gated(Settings::default()).await;
    let mut peer = gateway.peer().await;
    peer.write(&[order("1"), order("2")].concat()).await;
    gateway.submission().await;
    assert_eq!(gateway.control_ids(), ["1"]);
    gateway.release(1);
    peer.expect("MSA|AA|1").await;
    gateway.submission().await;
    assert_eq!(gateway.control_ids(), ["1", "2"]);
    gateway.release(1);
    peer.expect("MSA|AA|2").await;
}

#[tokio::test]
async fn connections_do_not_wait_for_each_other() {
    let mut gateway = Gateway::gated(Settings::default()).await;
    let [mut first, mut second] = [gateway.peer().await, gateway.peer().await];
    first.write(&order("1")).await;
    second.write(&order("2")).await;
    gateway.submission().await;
    gateway.submission().await;
    gateway.release(2);
    first.expect("MSA|AA|1").await;
    second.expect("MSA|AA|2").await;
}

#[tokio::test]
async fn a_stop_closes_silent_connections_and_refuses_new_ones() {
    let gateway = Gateway::start().await;
    let mut peer = gateway.peer().await;
    peer.write(&order("1")).await;
    peer.expect("MSA|AA|1").await;
    gateway.shutdown.cancel();
    peer.expect_closed().await;
    drop(peer);
    let address = gateway.address;
    gateway.ended().await;
    assert!(soon(TcpStream::connect(address)).await.is_err());
}

#[tokio::test]
async fn a_stop_answers_the_message_in_hand_and_leaves_the_next_to_be_sent_again() {
    let mut gateway = Gateway::gated(Settings::default()).await;
    let mut peer = gateway.peer().await;
    peer.write(&[order("1"), order("2")].concat()).await;
    gateway.submission().await;
    gateway.shutdown.cancel();
    gateway.release(2);
    peer.expect("MSA|AA|1").await;
    peer.expect_closed().await;
    assert_eq!(gateway.control_ids(), ["1"]);
    drop(peer);
    gateway.ended().await;
}

#[tokio::test]
async fn a_stop_waits_for_the_rest_of_a_frame() {
    let gateway = Gateway::start().await;
    let mut peer = gateway.peer().await;
    let whole = order("2");
    let (start, end) = whole.split_at(30);
    peer.write(&[&order("1")[..], start].concat()).await;
    peer.expect("MSA|AA|1").await;
    gateway.shutdown.cancel();
    peer.write(end).await;
    peer.expect("MSA|AA|2").await;
    peer.expect_closed().await;
    drop(peer);
    gateway.ended().await;
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_end_in_time() {
    let settings = Settings { drain_timeout: SignedDuration::from_millis(50), ..Settings::default() };
    let mut gateway = Gateway::gated(settings).await;
    let mut peer = gateway.peer().await;
    peer.write(&order("1")).await;
    gateway.submission().await;
    gateway.shutdown.cancel();
    peer.expect_closed().await;
    gateway.ended().await;
}
