//! NOT: what subscribers are sent, and what their answers do.

use serde_json::{Value, json};

use crate::verify::finding::{Verdict, ensure};
use crate::verify::hub::Bearer;
use crate::verify::room::Room;
use crate::verify::viewer::Frame;
use crate::verify::{judge, wire};

pub(in crate::verify) async fn not_01(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let mut open = wire::patient_open(&room.topic, "p1");
    for timestamp in ["2026-05-04T08:15:30.120Z", "2026-05-04T10:15:30.120+02:00"] {
        open["timestamp"] = timestamp.into();
        room.tell(&open).await?;
        let told = viewer.expect_published(&open).await?;
        judge::notification(&told, &room.topic)?;
        let same = judge::same_instant(&told["timestamp"], &open["timestamp"]);
        ensure(same, "the instant of the request", &told["timestamp"])?;
    }
    Ok(())
}

pub(in crate::verify) async fn not_02(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Home-open,patient").await?;
    // Here an uninvited heartbeat is what it is: an event that was not asked for.
    viewer.hears_heartbeats = true;
    room.tell(&wire::patient_open(&room.topic, "p1")).await?;
    room.tell(&wire::patient_close(&room.topic, "p1")).await?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    viewer.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn not_03(room: &Room<'_>) -> Verdict {
    room.needs_limited_token()?;
    let form = room.subscription("Patient-open,DiagnosticReport-open");
    let mut viewer = room.viewer_by(Bearer::Limited, &form).await?;
    room.tell(&wire::report_open(&room.topic, "r1")).await?;
    let open = wire::patient_open(&room.topic, "p2");
    room.tell(&open).await?;
    loop {
        let told = viewer.expect_event("Patient-open").await?;
        let foreign = |entry: &Value| entry["resource"]["resourceType"] != "Patient";
        let entries = judge::entries(&told["event"]);
        ensure(!entries.iter().any(foreign), "only the patient, which the scope covers", &told)?;
        if told["id"] == open["id"] {
            return Ok(());
        }
    }
}

pub(in crate::verify) async fn not_04(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let mut viewer = room.named_viewer("Answers", "Patient-open").await?;
    viewer.falls_silent();
    for status in [json!(200), json!("200"), json!(202), json!("202")] {
        let open = wire::patient_open(&room.topic, "p1");
        room.tell(&open).await?;
        viewer.expect_published(&open).await?;
        viewer.say(json!({"id": open["id"], "status": status}).to_string()).await?;
    }
    watcher.expect_quiet("no SyncError after answers of 200 and 202, as numbers and as texts").await
}

pub(in crate::verify) async fn not_11(room: &Room<'_>) -> Verdict {
    let mut patients = room.viewer("Patient-open").await?;
    let mut studies = room.viewer("ImagingStudy-open").await?;
    room.tell(&wire::report_open(&room.topic, "r1")).await?;
    for (viewer, name, kind, id) in
        [(&mut patients, "Patient-open", "Patient", "p1"), (&mut studies, "ImagingStudy-open", "ImagingStudy", "s1")]
    {
        let derived = viewer.expect_event(name).await?;
        judge::notification(&derived, &room.topic)?;
        let entries = judge::entries(&derived["event"]);
        let has = |entry: &Value| entry["resource"]["resourceType"] == kind && entry["resource"]["id"] == id;
        ensure(entries.iter().any(has), format!("{kind}/{id} in the derived open"), &derived)?;
    }
    Ok(())
}

pub(in crate::verify) async fn not_12(room: &Room<'_>) -> Verdict {
    let mut both = room.viewer("DiagnosticReport-open,Patient-open,Home-open").await?;
    let mut patients = room.viewer("Patient-open,Home-open").await?;
    let open = wire::report_open(&room.topic, "r1");
    room.tell(&open).await?;
    both.expect_published(&open).await?;
    patients.expect_event("Patient-open").await?;
    // The same patient once more: who has it needs no telling.
    let next = wire::report_open(&room.topic, "r2");
    room.tell(&next).await?;
    both.expect_published(&next).await?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    both.expect_published(&home).await?;
    patients.expect_published(&home).await.map(drop)
}

/// What may not come to one that is told only of its own events: used by the strict mode as well.
pub(super) fn is_event(frame: &Frame) -> bool {
    matches!(frame, Frame::Event(_))
}
