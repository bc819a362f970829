//! Section 6: participants that are asked and told, good and bad ones.

use std::time::Duration;

use fhircast_gateway_adapter_api::Outcome;
use tokio::time::Instant;

use crate::fixture::Gateway;
use crate::participant::{ACCEPTS, Manner, Participant};

/// An application that nobody has to call.
const NOWHERE: &str = "http://127.0.0.1:9/";

#[tokio::test]
async fn section_5_reasons_reach_the_instigator_and_it_decides() {
    let mut gateway = Gateway::start().await;
    let mut other = Participant::start(Manner::Body("decision=accept_conditional&reason=unsaved+note")).await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", NOWHERE, false).await;
    desktop.join_as("AppB", &other).await;
    let context = desktop.start(a, "1").await;
    assert_eq!(desktop.end(context).await, "noContinue=false&responses=unsaved%20note");
    assert_eq!(desktop.publish(context, "cancel").await, "listenerURLs=");
    assert_eq!(other.told().await, format!("ContextChangesPending {context}"));
    assert_eq!(other.told().await, format!("ContextChangesCanceled {context}"));
    assert_eq!(desktop.most_recent().await, 0);
    let context = desktop.start(a, "1").await;
    assert_eq!(desktop.end(context).await, "noContinue=false&responses=unsaved%20note");
    assert_eq!(desktop.publish(context, "accept").await, "listenerURLs=");
    assert_eq!(other.told().await, format!("ContextChangesPending {context}"));
    assert_eq!(other.told().await, format!("ContextChangesAccepted {context}"));
    gateway.submission().await;
}

#[tokio::test]
async fn section_6_1_bad_answers_are_no_answers_and_their_participants_are_there() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
    let unknown = "HTTP/1.1 404 Not Found\r\nContent-Length: 24\r\n\r\nexception=NotImplemented";
    for manner in [
        Manner::Body("<html>"),
        Manner::Body(""),
        Manner::Body("exception=GeneralFailure&decision=accept"),
        Manner::Bytes(redirect.to_owned()),
        Manner::Bytes(unknown.to_owned()),
        Manner::Bytes("no HTTP at all\r\n\r\n".to_owned()),
        Manner::Bytes(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000))),
        Manner::Endless,
        Manner::Closing,
    ] {
        let gateway = Gateway::start().await;
        let mut other = Participant::start(manner.clone()).await;
        let desktop = gateway.desktop().await;
        let a = desktop.join("AppA", NOWHERE, false).await;
        desktop.join_as("AppB", &other).await;
        let context = desktop.start(a, "1").await;
        assert_eq!(desktop.end(context).await, "noContinue=true&responses=", "{manner:?}");
        let refused = desktop.publish(context, "accept").await;
        assert!(refused.starts_with("exception=AcceptNotPossible&"), "{refused}");
        assert_eq!(other.called().await, format!("ContextChangesPending {context}"));
        assert_eq!(other.called().await, "Ping", "{manner:?}");
        desktop.publish(context, "cancel").await;
        other.behave(ACCEPTS);
        // It answered something, so it is still here, and the next change asks it.
        let context = desktop.start(a, "1").await;
        assert_eq!(desktop.end(context).await, "noContinue=false&responses=", "{manner:?}");
        assert_eq!(gateway.count("evicted"), 0, "{manner:?}");
    }
}

#[tokio::test]
async fn section_7_a_dead_participant_is_evicted_and_the_retry_succeeds() {
    let gateway = Gateway::start().await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", "http://127.0.0.1:9/a", false).await;
    let b = desktop.join("AppB", "http://127.0.0.1:9/b", true).await;
    let context = desktop.start(a, "1").await;
    assert_eq!(desktop.end(context).await, "noContinue=true&responses=");
    desktop.publish(context, "cancel").await;
    while gateway.count("evicted") == 0 {
        tokio::task::yield_now().await;
    }
    desktop.change(a, "1").await;
    let gone = desktop.call("ContextManager.LeaveCommonContext", &format!("participantCoupon={b}")).await;
    assert!(gone.starts_with("exception=UnknownParticipant&"), "{gone}");
}

#[tokio::test]
async fn section_5_a_silent_participant_costs_the_surveys_time_and_others_are_asked_beside_it() {
    let gateway = Gateway::with("survey_timeout = '1s'\ncallback_timeout = '500ms'").await;
    let silent = Participant::start(Manner::Silent).await;
    let mut other = Participant::start(ACCEPTS).await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", NOWHERE, false).await;
    desktop.join_as("Silent", &silent).await;
    desktop.join_as("AppB", &other).await;
    let context = desktop.start(a, "1").await;
    let begun = Instant::now();
    let ended = tokio::spawn({
        let (address, manager) = (gateway.address, desktop.manager.clone());
        async move {
            let end = format!(
                "GET {manager}?interface=ContextManager&method=EndContextChanges&contextCoupon={context} HTTP/1.0\r\n\r\n"
            );
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, end.as_bytes()).await.unwrap();
            let mut answer = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
            answer
        }
    });
    assert_eq!(other.told().await, format!("ContextChangesPending {context}"));
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits for the silent one to be asked");
    let answer = ended.await.unwrap();
    assert!(answer.ends_with("noContinue=true&responses="), "{answer}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn section_6_participants_hear_of_changes_in_one_order() {
    let gateway = Gateway::start().await;
    let mut other = Participant::start(ACCEPTS).await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", NOWHERE, false).await;
    desktop.join("AppB", &other.url, false).await;
    let mut contexts = Vec::new();
    for patient in 0..8 {
        contexts.push(desktop.change(a, &patient.to_string()).await);
    }
    for context in contexts {
        assert_eq!(other.told().await, format!("ContextChangesAccepted {context}"));
    }
}

#[tokio::test]
async fn nobody_is_answered_or_told_before_the_gateway_has_kept_the_change() {
    let mut gateway = Gateway::gated().await;
    let mut other = Participant::start(ACCEPTS).await;
    let (context, published) = {
        let desktop = gateway.desktop().await;
        let a = desktop.join("AppA", NOWHERE, false).await;
        desktop.join("AppB", &other.url, false).await;
        let context = desktop.start(a, "1").await;
        desktop.end(context).await;
        let request = format!(
            "GET {}?interface=ContextManager&method=PublishChangesDecision&contextCoupon={context}&decision=accept HTTP/1.0\r\n\r\n",
            desktop.manager
        );
        let address = gateway.address;
        let published = tokio::spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
            answer
        });
        (context, published)
    };
    gateway.submission().await;
    let desktop = gateway.desktop().await;
    assert_eq!(desktop.most_recent().await, 0);
    assert!(other.was_not_called() && !published.is_finished());
    gateway.release();
    assert!(published.await.unwrap().ends_with("listenerURLs="));
    assert_eq!(other.told().await, format!("ContextChangesAccepted {context}"));
    assert_eq!(desktop.most_recent().await, context);
}

#[tokio::test]
async fn a_change_that_could_not_be_kept_is_cancelled_and_said_so() {
    let gateway = Gateway::start().await;
    gateway.answers(Outcome::Unavailable { reason: "the gateway cannot keep anything at present".to_owned() });
    let mut other = Participant::start(ACCEPTS).await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", NOWHERE, false).await;
    desktop.join_as("AppB", &other).await;
    let context = desktop.start(a, "1").await;
    desktop.end(context).await;
    assert_eq!(
        desktop.publish(context, "accept").await,
        "exception=GeneralFailure&exceptionMessage=the%20gateway%20cannot%20keep%20anything%20at%20present"
    );
    assert_eq!(other.told().await, format!("ContextChangesPending {context}"));
    assert_eq!(other.told().await, format!("ContextChangesCanceled {context}"));
    assert_eq!(desktop.most_recent().await, 0);
    gateway.answers(Outcome::Ignored);
    desktop.change(a, "1").await;
}

#[tokio::test]
async fn section_14_addresses_inside_the_network_are_not_called() {
    let gateway = Gateway::start().await;
    let desktop = gateway.desktop().await;
    for url in [
        "http://169.254.169.254/latest",
        "http://10.1.2.3/",
        "http://[fe80::1]/",
        "http://0/",
        "https://127.0.0.1/",
        "http://2852039166/",
    ] {
        let body = desktop
            .call("ContextManager.JoinCommonContext", &format!("applicationName=A&contextParticipant={url}"))
            .await;
        assert!(body.starts_with("exception=GeneralFailure&exceptionMessage=contextParticipant"), "{url}: {body}");
    }
}

#[tokio::test]
async fn section_14_a_page_without_a_socket_is_held_to_the_same_addresses() {
    let gateway = Gateway::start().await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", NOWHERE, false).await;
    desktop.join("Page", "http://169.254.169.254/latest?cpid=1", true).await;
    let context = desktop.start(a, "1").await;
    assert_eq!(desktop.end(context).await, "noContinue=true&responses=");
    assert_eq!(gateway.count("callback_answered"), 0);
}

#[tokio::test]
async fn section_5_a_participant_that_dies_between_survey_and_decision_undoes_nothing() {
    let mut gateway = Gateway::with("ping_interval = '300ms'\ntransaction_lease = '10s'").await;
    let mut mortal = Participant::start(ACCEPTS).await;
    let mut other = Participant::start(ACCEPTS).await;
    let desktop = gateway.desktop().await;
    let a = desktop.join_as("AppA", &other).await;
    desktop.join_as("Mortal", &mortal).await;
    let context = desktop.start(a, "1").await;
    assert_eq!(desktop.end(context).await, "noContinue=false&responses=");
    mortal.die().await;
    assert_eq!(desktop.publish(context, "accept").await, "listenerURLs=");
    assert_eq!(desktop.most_recent().await, context);
    // After two pings it is gone, and the next change asks nobody.
    while gateway.count("evicted") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(other.called().await, "Ping", "who lives is asked as well, and stays");
    desktop.change(a, "2").await;
    gateway.submission().await;
}
