//! The sender against our own listener, and against receivers that behave otherwise. HL7 v2 reference, section 2.6.

use std::time::Duration;

use fhircast_gateway_mllp::sender::{SendError, Sender, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{Gateway, frame, order_text, soon};

#[tokio::test]
async fn messages_are_sent_one_after_another_over_one_connection() {
    let gateway = Gateway::start().await;
    let mut sender = Sender::connect(Target::plain(gateway.address.to_string())).await.unwrap();
    for id in ["1", "2", "3"] {
        let acknowledgement = sender.send(order_text(id).as_bytes()).await.unwrap();
        assert!(acknowledgement.is_positive());
        assert_eq!(acknowledgement.text, None);
        assert!(acknowledgement.bytes.ends_with(format!("MSA|AA|{id}\r").as_bytes()));
        assert!(acknowledgement.elapsed > Duration::ZERO);
    }
    assert_eq!(gateway.control_ids(), ["1", "2", "3"]);
    assert_eq!(gateway.count("connection_accepted"), 1);
}

#[tokio::test]
async fn a_negative_acknowledgement_has_a_text() {
    let gateway = Gateway::start().await;
    let mut sender = Sender::connect(Target::plain(gateway.address.to_string())).await.unwrap();
    let acknowledgement = sender.send(b"hello").await.unwrap();
    assert_eq!(acknowledgement.code, "AR");
    assert_eq!(acknowledgement.text.as_deref(), Some("the frame does not start with an MSH segment"));
    assert!(!acknowledgement.is_positive());
}

/// A receiver that writes `answer` once it has read something, and then does nothing until the sender closes.
async fn receiver(answer: Vec<u8>) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 4096];
        let _ = stream.read(&mut bytes).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    });
    Target::plain(address)
}

fn acknowledgement(control_id: &str) -> Vec<u8> {
    frame(format!("MSH|^~\\&|\rMSA|AA|{control_id}").as_bytes())
}

#[tokio::test]
async fn acknowledgements_of_other_messages_are_passed_over() {
    let target =
        receiver([acknowledgement("41"), b"junk".to_vec(), acknowledgement(""), acknowledgement("42")].concat()).await;
    let mut sender = Sender::connect(target).await.unwrap();
    let acknowledgement = soon(sender.send(order_text("42").as_bytes())).await.unwrap();
    assert!(acknowledgement.bytes.ends_with(b"|42"));
}

#[tokio::test]
async fn silence_ends_the_connection_so_that_no_late_answer_is_mistaken() {
    let target =
        Target { acknowledgement_timeout: Duration::from_millis(50), ..receiver(acknowledgement("other")).await };
    let mut sender = Sender::connect(target).await.unwrap();
    let error = soon(sender.send(order_text("1").as_bytes())).await.unwrap_err();
    assert!(matches!(error, SendError::TimedOut { .. }) && error.may_retry(), "{error}");
    let error = soon(sender.send(order_text("2").as_bytes())).await.unwrap_err();
    assert!(matches!(error, SendError::Ended(_)), "{error}");
}

#[tokio::test]
async fn an_empty_msa_2_counts_only_if_that_is_set() {
    let target = Target { lenient_acknowledgement: true, ..receiver(acknowledgement("")).await };
    let mut sender = Sender::connect(target).await.unwrap();
    assert!(soon(sender.send(order_text("1").as_bytes())).await.unwrap().is_positive());
}

#[tokio::test]
async fn a_receiver_that_is_not_there_or_goes_away_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::plain(listener.local_addr().unwrap().to_string());
    let mut sender = Sender::connect(target.clone()).await.unwrap();
    drop(listener.accept().await.unwrap());
    let error = soon(sender.send(order_text("1").as_bytes())).await.unwrap_err();
    assert!(matches!(error, SendError::Closed(_) | SendError::Failed { .. }) && error.may_retry(), "{error}");
    drop(listener);
    let error = soon(Sender::connect(target)).await.err().expect("nobody is there");
    assert!(matches!(error, SendError::Connect { .. }) && error.may_retry(), "{error}");
}
