//! CONF: what a subscriber is told when it connects.

use reqwest::{Method, Url};
use serde_json::json;

use super::subscribing::{expect_dead, unknown};
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::hub::Bearer;
use crate::verify::room::Room;
use crate::verify::{judge, wire};

pub(in crate::verify) async fn conf_01(room: &Room<'_>) -> Verdict {
    room.tell(&wire::patient_open(&room.topic, "p1")).await?;
    let mut viewer = room.unconfirmed("Patient-open,Patient-close").await?;
    let confirmation = viewer.expect_confirmation().await?;
    judge::confirmation(&confirmation, &room.topic)?;
    let asked = "the events that were asked for";
    ensure(judge::grants(&confirmation, &["Patient-open", "Patient-close"]), asked, &confirmation)
}

pub(in crate::verify) async fn conf_02(room: &Room<'_>) -> Verdict {
    let first = wire::patient_open(&room.topic, "p1");
    let study = wire::event(&room.topic, "ImagingStudy-open", json!([wire::study("s1", "p1"), wire::patient("p1")]));
    let second = wire::patient_open(&room.topic, "p2");
    for event in [&first, &study, &second] {
        room.tell(event).await?;
    }
    let mut late = room.viewer("Patient-open,ImagingStudy-open").await?;
    late.expect_published(&study).await?;
    late.expect_published(&second).await?;
    room.tell(&wire::patient_close(&room.topic, "p2")).await?;
    let mut later = room.viewer("Patient-open,ImagingStudy-open").await?;
    later.expect_published(&first).await?;
    later.expect_published(&study).await?;
    let mut other = room.viewer("Encounter-open,Home-open").await?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    other.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn conf_03(room: &Room<'_>) -> Verdict {
    let mut early = room.viewer("Patient-open").await?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    let first = early.expect_published(&open).await?;
    let mut late = room.viewer("Patient-open").await?;
    let again = late.expect_published(&open).await?;
    let same = judge::same_instant(&again["timestamp"], &open["timestamp"]);
    ensure(same, "the timestamp that the event was published with", &again["timestamp"])?;
    judge::notification(&again, &room.topic)?;
    let (told, version) = (judge::version(&again)?, judge::version(&first)?);
    ensure(told == version, format!("the current version {version}"), told)
}

pub(in crate::verify) async fn conf_05(room: &Room<'_>) -> Verdict {
    let endpoint = room.endpoint("Patient-open").await?;
    expect_dead(room, &unknown(&endpoint), "404 to an upgrade at an unknown endpoint").await?;
    let over_http = endpoint.replacen("ws", "http", 1);
    let url = Url::parse(&over_http).map_err(|_| Finding::failed("an endpoint that is a URL", &endpoint))?;
    let answer = room.target.send(room.target.request(Method::GET, url, Bearer::Nobody)).await?;
    answer.expect(426, "to a plain GET at an endpoint").map(drop)
}
