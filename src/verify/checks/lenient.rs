//! CLI: bodies and updates that clients in the field send, and only lenient hubs take.

use serde_json::{Value, json};

use super::editing::Reading;
use crate::verify::finding::{Verdict, ensure};
use crate::verify::room::Room;
use crate::verify::{judge, wire};

/// Publishes what only lenient hubs take, and sees it come unchanged.
async fn relayed(room: &Room<'_>, name: &str, context: Value) -> Verdict {
    let mut viewer = room.viewer(name).await?;
    let event = wire::event(&room.topic, name, context);
    room.tell(&event).await?;
    let told = viewer.expect_published(&event).await?;
    ensure(told["event"]["context"] == event["event"]["context"], "the context as it was published", &told)
}

pub(in crate::verify) async fn cli_42(room: &Room<'_>) -> Verdict {
    for name in ["DiagnosticReport-opened", "dicom-send", "DMVAMessage"] {
        relayed(room, name, json!([wire::patient("p1")])).await?;
    }
    Ok(())
}

pub(in crate::verify) async fn cli_43(room: &Room<'_>) -> Verdict {
    relayed(room, "dicom-send", json!({"an": "object"})).await?;
    relayed(room, "UserLogout", json!([])).await?;
    let mut viewer = room.viewer("Home-open").await?;
    let mut home = wire::home_open(&room.topic);
    if let Some(event) = home["event"].as_object_mut() {
        event.remove("context");
    }
    room.tell(&home).await?;
    viewer.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn cli_44(room: &Room<'_>) -> Verdict {
    let mut study = wire::study("", "p1");
    study["resource"]["uid"] = "1.2.840.113619.2.55.3.1".into();
    relayed(room, "ImagingStudy-open", json!([study])).await?;
    ensure(room.current().await?["context.type"] == "ImagingStudy", "the study is current", room.current().await?)
}

pub(in crate::verify) async fn cli_45(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("DiagnosticReport-open").await?;
    let context = json!([wire::patient("p1"), wire::study("s1", "p1")]);
    let open = wire::event(&room.topic, "DiagnosticReport-open", context);
    room.tell(&open).await?;
    let told = viewer.expect_published(&open).await?;
    let has_report = judge::entries(&told["event"]).iter().any(|entry| entry["key"] == "report");
    ensure(has_report, "a stub of the report in the open", &told)
}

pub(in crate::verify) async fn cli_46(room: &Room<'_>) -> Verdict {
    relayed(room, "DiagnosticReport-open", json!([wire::report("r1", "p1"), wire::study("s1", "p1")])).await
}

pub(in crate::verify) async fn cli_47(room: &Room<'_>) -> Verdict {
    room.tell(&wire::report_open(&room.topic, "r1")).await?;
    relayed(room, "DiagnosticReport-close", json!([])).await?;
    room.expect_current("after a close with an empty context", "", "").await
}

pub(in crate::verify) async fn cli_48(room: &Room<'_>) -> Verdict {
    let mut error = wire::sync_error(&room.topic, &wire::patient_open(&room.topic, "p1"), "Another");
    let entry = &mut error["event"]["context"][0];
    entry["key"] = "OperationOutcome".into();
    entry["resource"]["issue"][0]["severity"] = "error".into();
    relayed(room, "syncerror", error["event"]["context"].take()).await
}

pub(in crate::verify) async fn cli_49(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    for key in ["content", "bundle", "Bundle"] {
        let mut update = reading.update(json!([wire::put("o1", key)]));
        update["event"]["context"][1]["key"] = key.into();
        let told = reading.told(&update).await?;
        let renamed = judge::entries(&told["event"]).iter().any(|entry| entry["key"] == "updates");
        ensure(renamed, format!("the bundle under `{key}` as `updates`"), &told)?;
    }
    reading.expect_content_where_told(&["o1"]).await
}

pub(in crate::verify) async fn cli_50(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    for anchor in [
        json!({"key": "report", "reference": {"reference": "DiagnosticReport/r1"}}),
        json!({"key": "report", "reference": "DiagnosticReport/r1"}),
        json!({"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}}),
    ] {
        let mut update = reading.update(json!([wire::put("o1", "a")]));
        update["event"]["context"][0] = anchor;
        reading.told(&update).await?;
    }
    let mut nameless = reading.update(json!([wire::put("o2", "b")]));
    if let Some(context) = nameless["event"]["context"].as_array_mut() {
        context.remove(0);
    }
    reading.told(&nameless).await.map(drop)
}

pub(in crate::verify) async fn cli_51(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let mut bare = reading.update(json!([wire::put("o1", "a")]));
    if let Some(event) = bare["event"].as_object_mut() {
        event.remove("context.versionId");
    }
    reading.told(&bare).await?;
    let mut by_anchor = reading.update(json!([wire::put("o2", "b")]));
    let meta = json!({"versionId": reading.version});
    if let Some(event) = by_anchor["event"].as_object_mut() {
        event.remove("context.versionId");
    }
    let report = json!({"resourceType": "DiagnosticReport", "id": "r1", "meta": meta});
    by_anchor["event"]["context"][0] = json!({"key": "report", "resource": report});
    reading.told(&by_anchor).await?;
    let mut wrong = by_anchor;
    wrong["id"] = wire::fresh("event").into();
    room.publish(&wrong).await?.refused("an older version in the anchor's `meta`").map(drop)
}

pub(in crate::verify) async fn cli_52(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let post = |resource: Value| json!([{"request": {"method": "POST", "url": "Observation"}, "resource": resource}]);
    reading.updated(post(wire::observation("o1", "a"))).await?;
    reading.updated(post(wire::observation("o1", "b"))).await?;
    reading.expect_content_where_told(&["o1"]).await?;
    let patch =
        json!([{"request": {"method": "PATCH", "url": "Observation/o1"}, "resource": wire::observation("o1", "c")}]);
    room.publish(&reading.update(patch)).await?.expect(400, "to a PATCH").map(drop)
}

pub(in crate::verify) async fn cli_53(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let bare = json!({"request": {"method": "PUT"}, "resource": wire::observation("o1", "a")});
    reading.updated(json!([bare, wire::put("o2", "b")])).await?;
    let by_url = json!({"request": {"method": "DELETE", "url": "Observation/o1"}});
    reading.updated(json!([by_url])).await?;
    reading.expect_content_where_told(&["o2"]).await
}

pub(in crate::verify) async fn cli_54(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let selection = json!({"resourceType": "ImagingSelection", "id": "o1", "status": "available"});
    let other = json!({"request": {"method": "PUT", "url": "ImagingSelection/o1"}, "resource": selection});
    reading.updated(json!([wire::put("o1", "a"), other])).await?;
    reading.expect_content_where_told(&["o1", "o1"]).await
}

pub(in crate::verify) async fn cli_56(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let anchor = wire::anchor(room.edition(), "r1");
    for context in [
        json!([anchor.clone(), {"key": "select", "resources": [{"resourceType": "Observation", "id": "o1"}]}]),
        json!([anchor]),
    ] {
        let select = wire::event(&room.topic, "DiagnosticReport-select", context);
        room.tell(&select).await?;
        let told = reading.viewer.expect_published(&select).await?;
        ensure(told["event"]["context"] == select["event"]["context"], "the select as it was sent", &told)?;
    }
    Ok(())
}
