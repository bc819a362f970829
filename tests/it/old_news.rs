//! What a RIS tells late: recorded and answered, and not shown.

use crate::fixture::{EXAMPLES_SENT, Gateway};
use crate::main_job::{READING_BEGINS, READING_ENDS};

/// A message of so many seconds before the examples were sent.
fn earlier(message: &str, seconds: i64) -> String {
    let sent: jiff::Timestamp = EXAMPLES_SENT.parse().unwrap();
    let time = (sent - jiff::SignedDuration::from_secs(seconds)).strftime("%Y%m%d%H%M%S+0000").to_string();
    message.replace("20261122081530+0100", &time).replace("20261122081529+0100", &time)
}

#[tokio::test]
async fn an_open_of_an_hour_ago_is_answered_and_recorded_and_not_shown() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    let late = earlier(READING_BEGINS, 3600);
    ris.send(&late).await.expect_code("AA");
    let record = &gateway.node.journal.newest(1).unwrap()[0];
    assert_eq!((&*record.outcome, record.events.len(), record.topic.as_deref()), ("too old", 0, None));
    let reason = record.reason.as_deref().unwrap();
    assert!(
        reason.starts_with("too old: ImagingStudy-open is 36") && reason.ends_with(" s old, its limit is 120 s"),
        "{reason}"
    );
    ris.send(&late).await.expect_code("AA");
    assert_eq!(gateway.node.journal.newest(1).unwrap()[0].outcome, "duplicate");
    ris.send(&READING_BEGINS.replace("ACME0002", "ACME0102")).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
}

#[tokio::test]
async fn a_close_of_an_hour_ago_is_shown_unless_the_study_was_opened_since() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    ris.send(READING_BEGINS).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
    ris.send(&earlier(READING_ENDS, 3600)).await.expect_code("AA");
    let record = &gateway.node.journal.newest(1).unwrap()[0];
    assert_eq!(record.outcome, "too old");
    assert!(record.reason.as_deref().unwrap().contains("older than the open that now stands"), "{record:?}");
    ris.send(&READING_ENDS.replace("ACME0005", "ACME0105")).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-close").await;
    ris.send(&earlier(READING_ENDS, 3600).replace("ACME0005", "ACME0205")).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-close").await;
}

#[tokio::test]
async fn a_time_far_ahead_does_not_count() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    gateway.ris().await.send(&earlier(READING_BEGINS, -3600)).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
}
