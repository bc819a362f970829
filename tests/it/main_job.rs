//! From a RIS's bytes to a modern application's screen.

use std::sync::Arc;

use fhircast_gateway::clock::System;
use fhircast_gateway::config::{DEFAULT, DEFAULT_NAME, Layer, Layers, Problems};
use fhircast_gateway::node::Plan;
use fhircast_gateway::store::SiteKey;

use crate::fixture::{Gateway, Ris, layers};

pub(crate) const PATIENT_AT_THE_DESK: &str = include_str!("../../config/examples/messages/01-patient-at-the-desk.hl7");
pub(crate) const READING_BEGINS: &str = include_str!("../../config/examples/messages/02-reading-begins.hl7");
pub(crate) const REPORT_DICTATED: &str = include_str!("../../config/examples/messages/03-report-dictated.hl7");
pub(crate) const REPORT_SIGNED: &str = include_str!("../../config/examples/messages/04-report-signed.hl7");
pub(crate) const READING_ENDS: &str = include_str!("../../config/examples/messages/05-reading-ends.hl7");
pub(crate) const STUDY_NOT_NAMED: &str = include_str!("../../config/examples/messages/06-study-not-named.hl7");
pub(crate) const APPOINTMENT: &str = include_str!("../../config/examples/messages/07-appointment-booked.hl7");

#[tokio::test]
async fn a_reading_is_seen_by_the_users_applications_from_first_open_to_last_close() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    for (message, event) in [
        (PATIENT_AT_THE_DESK, "Patient-open"),
        (READING_BEGINS, "ImagingStudy-open"),
        (REPORT_DICTATED, "DiagnosticReport-open"),
        (REPORT_SIGNED, "DiagnosticReport-close"),
        (READING_ENDS, "ImagingStudy-close"),
    ] {
        ris.send(message).await.expect_code("AA");
        viewer.expect_event(event).await;
    }
}

#[tokio::test]
async fn a_close_names_what_the_open_named() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    ris.send(READING_BEGINS).await.expect_code("AA");
    let opened = viewer.expect_event("ImagingStudy-open").await;
    ris.send(READING_ENDS).await.expect_code("AA");
    let closed = viewer.expect_event("ImagingStudy-close").await;
    let id = |notification: &serde_json::Value| notification["event"]["context"][0]["resource"]["id"].clone();
    assert!(id(&opened).is_string());
    assert_eq!(id(&opened), id(&closed));
}

const MERGED: &str = "MSH|^~\\&|ACME_RIS|MAIN|||20260504090000||ADT^A40|ACME0900|P|2.5\n\
    PID|1||9900001^^^LAKESIDE^MR||Berger^Ruth\nMRG|4711001^^^MAIN&1.2.276.0.76.3.1.999&ISO^MR\n";

#[tokio::test]
async fn a_merge_closes_what_is_open_under_the_retired_identifier_on_every_topic() {
    let gateway = Gateway::start().await;
    let (mut viewer, mut other) = (gateway.subscriber("drjones").await, gateway.subscriber("drsmith").await);
    let mut ris = gateway.ris().await;
    for (message, event) in [(PATIENT_AT_THE_DESK, "Patient-open"), (REPORT_DICTATED, "DiagnosticReport-open")] {
        ris.send(message).await.expect_code("AA");
        viewer.expect_event(event).await;
    }
    let elsewhere = PATIENT_AT_THE_DESK.replace("drjones", "drsmith").replace("ACME0001", "ACME0801");
    ris.send(&elsewhere).await.expect_code("AA");
    other.expect_event("Patient-open").await;
    ris.send(&MERGED.replace("MRG|4711001", "MRG|4711999")).await.expect_code("AA");
    ris.send(&MERGED.replace("ACME0900", "ACME0901")).await.expect_code("AA");
    viewer.expect_event("DiagnosticReport-close").await;
    viewer.expect_event("Patient-close").await;
    other.expect_event("Patient-close").await;
    ris.send(&MERGED.replace("MRG|4711001^^^MAIN&1.2.276.0.76.3.1.999&ISO^MR", "MRG|")).await.expect_code("AE");
}

#[tokio::test]
async fn a_merge_only_warns_where_the_site_wants_it_so() {
    let gateway = Gateway::with(&["sessions.merged=warn"]).await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    ris.send(PATIENT_AT_THE_DESK).await.expect_code("AA");
    viewer.expect_event("Patient-open").await;
    ris.send(MERGED).await.expect_code("AA");
    ris.send(READING_BEGINS).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
}

#[tokio::test]
async fn the_same_message_twice_gets_the_same_answer_and_is_published_once() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    ris.send(READING_BEGINS).await.expect_code("AA");
    ris.send(READING_BEGINS).await.expect_code("AA");
    ris.send(STUDY_NOT_NAMED).await.expect_code("AE");
    ris.send(STUDY_NOT_NAMED).await.expect_code("AE");
    ris.send(READING_ENDS).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
    viewer.expect_event("ImagingStudy-close").await;
}

#[tokio::test]
async fn a_control_id_used_again_for_other_content_is_a_new_message() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    ris.send(READING_BEGINS).await.expect_code("AA");
    ris.send(&READING_ENDS.replace("ACME0005", "ACME0002")).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
    viewer.expect_event("ImagingStudy-close").await;
}

#[tokio::test]
async fn an_event_that_lacks_what_it_needs_is_refused_in_the_sources_words_without_its_values() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    let mut ris = gateway.ris().await;
    let refused = ris
        .send(STUDY_NOT_NAMED)
        .await
        .expect_code("AE")
        .expect_text("ACME0006")
        .expect_text("ImagingStudy-open needs");
    for value in ["Berger", "4711001", "19580312", "drjones"] {
        assert!(!refused.0.contains(value), "{}", refused.0);
    }
    ris.send(READING_BEGINS).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
}

#[tokio::test]
async fn a_message_that_means_no_event_is_accepted_and_recorded_as_ignored() {
    let gateway = Gateway::start().await;
    gateway.ris().await.send(APPOINTMENT).await.expect_code("AA");
    let record = &gateway.node.journal.newest(1).unwrap()[0];
    assert_eq!((record.control_id.as_str(), &*record.outcome), ("ACME0007", "ignored"));
}

#[tokio::test]
async fn a_message_that_names_nobody_is_refused_unless_configured_to_be_ignored() {
    let nameless = READING_BEGINS.replace("|RAD-READ-07", "|").replace("|drjones^Jones^Maren", "");
    let strict = Gateway::start().await;
    strict.ris().await.send(&nameless).await.expect_code("AE").expect_text("no user and no workstation");
    let lenient = Gateway::with(&["sessions.nobody=ignore"]).await;
    lenient.ris().await.send(&nameless).await.expect_code("AA");
}

#[tokio::test]
async fn one_users_events_never_reach_anothers_screen() {
    let gateway = Gateway::start().await;
    let mut other = gateway.subscriber("drsmith").await;
    let mut ris = gateway.ris().await;
    ris.send(READING_BEGINS).await.expect_code("AA");
    ris.send(&READING_BEGINS.replace("drjones", "drsmith").replace("ACME0002", "ACME0102")).await.expect_code("AA");
    let seen = other.expect_event("ImagingStudy-open").await;
    assert_eq!(seen["event"]["hub.topic"], gateway.topic("drsmith"));
}

#[tokio::test]
async fn a_late_subscriber_gets_the_current_context_at_once() {
    let gateway = Gateway::start().await;
    gateway.ris().await.send(READING_BEGINS).await.expect_code("AA");
    gateway.subscriber("drjones").await.expect_event("ImagingStudy-open").await;
}

#[tokio::test]
async fn a_drain_answers_what_is_in_hand_and_closes_sockets_as_going_away() {
    let gateway = Gateway::start().await;
    let mut viewer = gateway.subscriber("drjones").await;
    gateway.ris().await.send(READING_BEGINS).await.expect_code("AA");
    viewer.expect_event("ImagingStudy-open").await;
    assert!(gateway.node.drain().await, "not in time");
    assert!(format!("{:?}", viewer.frame().await).contains("1001"), "not going away");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_what_to_do() {
    let first = Gateway::start().await;
    let taken = first.node.adapters[0].1;
    let (layers, problems) = layers(None, &[&format!("adapter.ris.listen={taken}")]);
    let plan = Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"));
    let key = SiteKey::from_bytes(&[7; 32]);
    let clock = Arc::new(System);
    let error = plan.start_with_key(clock, key).await.err().expect("started all the same").to_string();
    assert!(error.contains(&taken.to_string()) && error.contains("adapter.ris.listen"), "{error}");
}

/// A gateway whose listeners are those of `site`.
async fn with_site(site: &str) -> Gateway {
    let mut problems = Problems::default();
    let default = Layer::file(DEFAULT_NAME, DEFAULT, &mut problems);
    let site = Layer::file("site.toml", site, &mut problems);
    let mut layers = Layers::new(default, Some(site));
    for setting in ["http.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0"] {
        layers.push(Layer::flag(setting).unwrap());
    }
    let plan = Plan::check(&layers, problems).unwrap_or_else(|error| panic!("{error}"));
    Gateway::start_plan(plan).await
}

#[tokio::test]
async fn each_of_many_listeners_has_its_own_name_mapping_and_answers() {
    let gateway = with_site(
        r#"
        [adapter.east]
        kind = "mllp"
        listen = "127.0.0.1:0"
        mapping = "vendors/acme-ris"
        [adapter.west]
        kind = "mllp"
        listen = "127.0.0.1:0"
        answer.ignored = "AR"
        "#,
    )
    .await;
    let foreign = APPOINTMENT.replace("ACME_RIS", "OTHER");
    for (name, code) in [("east", "AA"), ("west", "AR")] {
        let (_, address) = gateway.node.adapters.iter().find(|(adapter, _)| **adapter == *name).unwrap();
        Ris::connect(*address).await.send(&foreign).await.expect_code(code);
        assert_eq!(&*gateway.node.journal.newest(1).unwrap()[0].source, name);
    }
}

#[tokio::test]
async fn two_listeners_on_one_address_are_refused_before_either_is_bound() {
    let site = "[adapter.east]\nkind = \"mllp\"\nlisten = \"127.0.0.1:2600\"\n[adapter.west]\nkind = \"mllp\"\nlisten = \"127.0.0.1:2600\"\n";
    let mut problems = Problems::default();
    let default = Layer::file(DEFAULT_NAME, DEFAULT, &mut problems);
    let site = Layer::file("site.toml", site, &mut problems);
    let error = Plan::check(&Layers::new(default, Some(site)), problems).err().expect("accepted").to_string();
    assert!(error.contains("adapter `west` claims 127.0.0.1:2600, which adapter `east` claims too"), "{error}");
}

#[tokio::test]
async fn what_the_hub_has_no_room_for_is_not_answered_and_is_taken_when_it_comes_again() {
    let gateway = Gateway::with(&["hub.max_topics=1", "adapter_defaults.mllp.answer.transient=AR"]).await;
    let mut ris = gateway.ris().await;
    let mut others = (0..100).map(|number| {
        let message = READING_BEGINS.replace("drjones", &format!("reader{number}"));
        message.replace("ACME0002", &format!("ACME1{number:03}"))
    });
    let refused = loop {
        let message = others.next().expect("a hub of one topic took a hundred");
        if ris.send(&message).await.code() == "AR" {
            break message;
        }
    };
    ris.send(&refused).await.expect_code("AR");
    let outcomes =
        gateway.node.journal.newest(2).unwrap().iter().map(|record| record.outcome.to_string()).collect::<Vec<_>>();
    assert_eq!(outcomes, ["unavailable", "unavailable"], "a resend was answered from memory");
}
