//! IRA: what IHE RAD IRA asks of its Hub actor, where it goes beyond FHIRcast.

use std::time::Duration;

use serde_json::{Value, json};

use super::editing::Reading;
use super::notification::is_event;
use super::subscribing::expect_dead;
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::hub::Bearer;
use crate::verify::room::Room;
use crate::verify::{judge, wire};

/// What counts as "at once".
const AT_ONCE: Duration = Duration::from_secs(5);

/// Three times the usual response time.
const SILENCE: Duration = Duration::from_secs(30);

pub(in crate::verify) async fn ira_02(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    room.named_viewer("Broken", "Patient-open").await?.leave(1011).await?;
    let error = watcher.await_event("SyncError", AT_ONCE).await?;
    ensure(error.to_string().contains("Broken"), "a SyncError that names the lost subscriber", &error)
}

pub(in crate::verify) async fn ira_03(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("HeartBeat,ImagingStudy-open,ImagingStudy-close").await?;
    viewer.hears_heartbeats = true;
    let study = json!([wire::study("s1", "p1"), wire::patient("p1")]);
    for (name, context) in [
        ("HeartBeat", json!([{"key": "period", "decimal": "10"}])),
        ("ImagingStudy-open", study.clone()),
        ("ImagingStudy-close", study),
    ] {
        let event = wire::event(&room.topic, name, context);
        room.tell(&event).await?;
        viewer.expect_published(&event).await?;
    }
    Ok(())
}

pub(in crate::verify) async fn ira_04(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    let entries = json!([wire::put("o1", "a")]);
    for (what, event) in [
        ("an update", wire::update(room.edition(), &room.topic, "r9", &reading.version, entries)),
        ("a select", wire::select(room.edition(), &room.topic, "r9", &[])),
        ("a close", wire::report_close(&room.topic, "r9")),
    ] {
        room.publish(&event).await?.expect(409, &format!("to {what} of a report that is not open"))?;
    }
    Ok(())
}

pub(in crate::verify) async fn ira_05(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open,ImagingStudy-open,Home-open").await?;
    room.tell(&wire::report_open(&room.topic, "r1")).await?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    viewer.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn ira_06(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.updated(json!([wire::put("o1", "a")])).await?;
    room.open_report("r2", &mut reading.viewer).await?;
    room.open_report("r1", &mut reading.viewer).await?;
    reading.expect_content(&["o1"]).await?;
    room.tell(&wire::report_close(&room.topic, "r1")).await?;
    room.expect_current("after a close, with a suspended report", "", "").await
}

pub(in crate::verify) async fn ira_07(room: &Room<'_>) -> Verdict {
    let mut viewer = room.unconfirmed("Anything-open,org.example.verify,HeartBeat").await?;
    let confirmation = viewer.expect_confirmation().await?;
    let asked = "any event names are granted";
    let names = ["Anything-open", "org.example.verify", "HeartBeat"];
    ensure(judge::grants(&confirmation, &names), asked, &confirmation)?;
    super::subscribing::sub_11(room).await
}

pub(in crate::verify) async fn ira_08(room: &Room<'_>) -> Verdict {
    for (parameter, value, what) in [
        ("hub.channel.type", "webhook", "a channel that is no websocket"),
        ("hub.topic", "", "an empty topic"),
        ("hub.events", "", "no events"),
        ("subscriber.name", "", "an empty subscriber.name"),
    ] {
        let mut form = room.subscription("diagnosticreport-open");
        form.retain(|(name, _)| *name != parameter);
        form.push((parameter, value));
        room.form(&form).await?.expect(400, &format!("to {what}"))?;
    }
    let mut form = room.subscription("diagnosticreport-open");
    form.retain(|(name, _)| *name != "subscriber.name");
    room.form(&form).await?.expect(400, "without subscriber.name").map(drop)
}

pub(in crate::verify) async fn ira_09(room: &Room<'_>) -> Verdict {
    let mut viewer = room.unconfirmed("DiagnosticReport-open").await?;
    judge::confirmation(&viewer.expect_confirmation().await?, &room.topic)?;
    for report in ["r1", "r2"] {
        room.open_report(report, &mut viewer).await?;
    }
    let dead = super::subscribing::unknown(&viewer.endpoint);
    expect_dead(room, &dead, "an error for an unknown socket").await
}

/// The context without the entry of `key`.
fn without(context: &Value, key: &str) -> Value {
    context.as_array().into_iter().flatten().filter(|entry| entry["key"] != key).cloned().collect()
}

pub(in crate::verify) async fn ira_10(room: &Room<'_>) -> Verdict {
    let open = wire::report_open(&room.topic, "r1");
    for key in ["report", "patient", "study"] {
        let event = wire::event(&room.topic, "DiagnosticReport-open", without(&open["event"]["context"], key));
        room.publish(&event).await?.expect(400, &format!("to an open without `{key}`"))?;
    }
    let stranger = wire::report_open(&wire::fresh("verify"), "r1");
    room.publish(&stranger).await?.expect(400, "to an open in an unknown session")?;
    room.tell(&open).await?;
    room.expect_current("after an open", "DiagnosticReport", "r1").await
}

pub(in crate::verify) async fn ira_11(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("DiagnosticReport-open,Home-open").await?;
    let open = wire::report_open(&room.topic, "r1");
    let first = room.tell(&open).await?;
    viewer.expect_published(&open).await?;
    let again = room.publish(&open).await?;
    ensure(again.status == first.status, format!("{} again to the same event", first.status), &again)?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    viewer.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn ira_12(room: &Room<'_>) -> Verdict {
    room.tell(&wire::report_open(&room.topic, "r1")).await?;
    let nameless = json!([{"key": "report", "resource": {"resourceType": "DiagnosticReport"}}]);
    for (what, context) in [("no `report`", json!([wire::patient("p1")])), ("a `report` without id", nameless)] {
        let close = wire::event(&room.topic, "DiagnosticReport-close", context);
        room.publish(&close).await?.expect(400, &format!("to a close with {what}"))?;
    }
    let stranger = wire::report_close(&wire::fresh("verify"), "r1");
    room.publish(&stranger).await?.expect(400, "to a close in an unknown session")?;
    let close = wire::event(&room.topic, "DiagnosticReport-close", json!([wire::report("r1", "p1")]));
    room.tell(&close).await?;
    room.expect_current("after a close that names the report alone", "", "").await
}

pub(in crate::verify) async fn ira_13(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let first = reading.version.clone();
    reading.updated(json!([wire::put("o1", "a")])).await?;
    for key in ["report", "updates"] {
        let mut update = reading.update(json!([wire::put("o2", "b")]));
        update["event"]["context"] = without(&update["event"]["context"], key);
        room.publish(&update).await?.expect(400, &format!("to an update without `{key}`"))?;
    }
    let entries = || json!([wire::put("o2", "b")]);
    let stale = wire::update(room.edition(), &room.topic, "r1", &first, entries());
    room.publish(&stale).await?.expect(400, "to an update of an older version")?;
    let stranger = wire::update(room.edition(), &wire::fresh("verify"), "r1", &first, entries());
    room.publish(&stranger).await?.expect(400, "to an update in an unknown session")?;
    reading.expect_content(&["o1"]).await
}

pub(in crate::verify) async fn ira_14(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    let put = |reference: &str, resource: Value| json!({"request": {"method": "PUT", "url": reference}, "resource": resource});
    let mut study = wire::study("s1", "p1")["resource"].clone();
    study["identifier"][0]["value"] = "urn:oid:1.2.3.4".into();
    let mut accession = wire::study("s1", "p1")["resource"].clone();
    accession["identifier"][1]["value"] = "another".into();
    for (what, entry) in [
        ("deletes the patient", wire::delete("Patient/p1")),
        ("deletes the study", wire::delete("ImagingStudy/s1")),
        ("changes the study instance UID", put("ImagingStudy/s1", study)),
        ("changes the accession number", put("ImagingStudy/s1", accession)),
        ("changes the patient's id", put("Patient/p1", wire::patient("p2")["resource"].clone())),
    ] {
        room.publish(&reading.update(json!([entry]))).await?.expect(400, &format!("to an update that {what}"))?;
    }
    Ok(())
}

pub(in crate::verify) async fn ira_15(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.updated(json!([wire::put("o1", "a")])).await?;
    let select = |references| wire::select(room.edition(), &room.topic, "r1", references);
    room.publish(&select(&["Observation/o1"])).await?.accepted("a select of what is known")?;
    reading.viewer.expect_event("DiagnosticReport-select").await?;
    room.publish(&select(&["Observation/o1", "Observation/o9"])).await?.expect(206, "to one of what is not known")?;
    reading.viewer.expect_event("DiagnosticReport-select").await?;
    for key in ["report", "select"] {
        let mut bad = select(&["Observation/o1"]);
        bad["event"]["context"] = without(&bad["event"]["context"], key);
        room.publish(&bad).await?.expect(400, &format!("to a select without `{key}`"))?;
    }
    Ok(())
}

pub(in crate::verify) async fn ira_16(room: &Room<'_>) -> Verdict {
    let endpoint = room.endpoint("DiagnosticReport-open").await?;
    for (parameter, value, what) in [
        ("hub.channel.type", "webhook", "a channel that is no websocket"),
        ("hub.topic", "", "an empty topic"),
        ("hub.channel.endpoint", "", "no endpoint"),
    ] {
        let mut form = room.unsubscription(&endpoint);
        form.retain(|(name, _)| *name != parameter);
        form.push((parameter, value));
        room.form(&form).await?.expect(400, &format!("to an unsubscribe with {what}"))?;
    }
    room.form(&room.unsubscription(&endpoint)).await?.expect(202, "to an unsubscribe")?;
    expect_dead(room, &endpoint, "the endpoint is never used again").await
}

pub(in crate::verify) async fn ira_17(room: &Room<'_>) -> Verdict {
    Reading::begin(room).await?.expect_content(&[]).await?;
    room.expect_current("after an open", "DiagnosticReport", "r1").await?;
    let elsewhere = Room::new(room.target);
    elsewhere.get_context(Bearer::Full).await?.expect(404, "to the context of an unknown session").map(drop)
}

pub(in crate::verify) async fn ira_18(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let prior = reading.version.clone();
    let told = reading.updated(json!([wire::put("o1", "a")])).await?;
    let named = &told["event"]["context.priorVersionId"];
    ensure(*named == json!(prior), format!("`context.priorVersionId`: {prior}"), &told)?;
    reading.viewer.expect_quiet("one message for each event").await
}

pub(in crate::verify) async fn ira_19(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let mut refuser = room.named_viewer("Refuses", "DiagnosticReport-open,SyncError").await?;
    refuser.answers(409);
    let open = wire::report_open(&room.topic, "r1");
    room.tell(&open).await?;
    refuser.expect_published(&open).await?;
    for viewer in [&mut watcher, &mut refuser] {
        viewer.expect_event("SyncError").await?;
    }
    room.expect_current("after a subscriber's refusal", "DiagnosticReport", "r1").await
}

pub(in crate::verify) async fn ira_20(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let mut viewer = room.named_viewer("Silent", "DiagnosticReport-open").await?;
    viewer.falls_silent();
    let open = wire::report_open(&room.topic, "r1");
    room.tell(&open).await?;
    viewer.expect_published(&open).await?;
    let asked = "a SyncError about one that never answers";
    match watcher.await_frame(SILENCE).await {
        Some(frame) if is_event(&frame) => Ok(()),
        Some(other) => Err(Finding::failed(asked, other.told())),
        None => Err(Finding::failed(asked, format!("none within {} s", SILENCE.as_secs()))),
    }
}

pub(in crate::verify) async fn ira_21(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let viewer = room.named_viewer("Refuses", "DiagnosticReport-open").await?;
    viewer.answers(500);
    let open = wire::report_open(&room.topic, "r1");
    room.tell(&open).await?;
    let error = watcher.expect_event("SyncError").await?;
    let codings = &error["event"]["context"][0]["resource"]["issue"][0]["details"]["coding"];
    for (place, code) in [wire::id_of(&open), "DiagnosticReport-open", "Refuses"].into_iter().enumerate() {
        let found = codings[place]["code"].as_str().unwrap_or_default();
        ensure(found.eq_ignore_ascii_case(code), format!("`details.coding[{place}].code`: {code}"), codings)?;
    }
    Ok(())
}

pub(in crate::verify) async fn ira_22(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("syncerror").await?;
    let error = wire::sync_error(&room.topic, &wire::report_open(&room.topic, "r1"), "Another");
    room.tell(&error).await?;
    watcher.expect_published(&error).await?;
    let mut empty = error.clone();
    empty["event"]["context"] = json!([]);
    room.publish(&empty).await?.expect(400, "to a syncerror without `operationoutcome`")?;
    let mut stranger = error;
    stranger["event"]["hub.topic"] = wire::fresh("verify").into();
    room.publish(&stranger).await?.expect(400, "to a syncerror in an unknown session").map(drop)
}
