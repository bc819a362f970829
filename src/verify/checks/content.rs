//! UPD, SEL: versions, content, and what is selected of it.

use serde_json::{Value, json};

use super::editing::Reading;
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::room::Room;
use crate::verify::{judge, wire};

pub(in crate::verify) async fn upd_01(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open,DiagnosticReport-open").await?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    let mut versions = vec![judge::version(&viewer.expect_published(&open).await?)?];
    for report in ["r1", "r2"] {
        versions.push(room.open_report(report, &mut viewer).await?);
    }
    let count = versions.len();
    versions.sort();
    versions.dedup();
    ensure(versions.len() == count, "a version of its own for each open", format!("{versions:?}"))
}

pub(in crate::verify) async fn upd_02(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let stale = reading.version.clone();
    reading.updated(json!([wire::put("o1", "a")])).await?;
    for version in [stale.as_str(), "no-such-version"] {
        let update = wire::update(room.edition(), &room.topic, "r1", version, json!([wire::put("o2", "b")]));
        room.publish(&update).await?.expect(409, "to an update of another version than the current one")?;
    }
    // The other name of the member; the version is still the current one, so nothing above has changed it.
    let mut update = reading.update(json!([wire::put("o3", "c")]));
    update["event"]["versionId"] = update["event"]["context.versionId"].take();
    if let Some(event) = update["event"].as_object_mut() {
        event.remove("context.versionId");
    }
    room.tell(&update).await?;
    reading.viewer.expect_published(&update).await.map(drop)
}

pub(in crate::verify) async fn upd_03(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    for id in ["o1", "o2"] {
        let prior = reading.version.clone();
        let told = reading.updated(json!([wire::put(id, "a")])).await?;
        let named = &told["event"]["context.priorVersionId"];
        ensure(*named == json!(prior), format!("`context.priorVersionId`: {prior}"), &told)?;
        ensure(reading.version != prior, "a new `context.versionId`", &told)?;
    }
    Ok(())
}

pub(in crate::verify) async fn upd_04(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let bad =
        json!({"request": {"method": "PATCH", "url": "Observation/o2"}, "resource": wire::observation("o2", "b")});
    let half = reading.update(json!([wire::put("o1", "a"), bad]));
    room.publish(&half).await?.refused("a bundle of which one entry cannot be applied")?;
    // The version has not moved, and the half that was good has left nothing behind.
    reading.updated(json!([wire::put("o3", "c")])).await?;
    reading.expect_content_where_told(&["o3"]).await
}

pub(in crate::verify) async fn upd_05(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    let mut collection = reading.update(json!([wire::put("o1", "a")]));
    collection["event"]["context"][1]["resource"]["type"] = "collection".into();
    let mut twice = reading.update(json!([wire::put("o1", "a")]));
    let second = twice["event"]["context"][1].clone();
    if let Some(context) = twice["event"]["context"].as_array_mut() {
        context.push(second);
    }
    let mut none = reading.update(json!([]));
    if let Some(context) = none["event"]["context"].as_array_mut() {
        context.pop();
    }
    for (what, update) in [("a collection", collection), ("two bundles", twice), ("no bundle", none)] {
        room.publish(&update).await?.expect(400, &format!("to an update of {what}"))?;
    }
    for method in ["POST", "PATCH", "GET"] {
        let entry =
            json!({"request": {"method": method, "url": "Observation"}, "resource": wire::observation("o1", "a")});
        let answer = room.publish(&reading.update(json!([entry]))).await?;
        answer.expect(400, &format!("to an entry with the method {method}"))?;
    }
    Ok(())
}

pub(in crate::verify) async fn upd_06(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    let twice = reading.update(json!([wire::put("o1", "a"), wire::put("o1", "b")]));
    room.publish(&twice).await?.expect(400, "to a resource that stands twice in one bundle").map(drop)
}

pub(in crate::verify) async fn upd_07(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    for reference in ["Patient/p1", "ImagingStudy/s1", "DiagnosticReport/r1"] {
        let update = reading.update(json!([wire::delete(reference)]));
        room.publish(&update).await?.refused(&format!("a DELETE of {reference}, which the open held,"))?;
    }
    Ok(())
}

pub(in crate::verify) async fn upd_08(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let update = reading.update(json!([wire::put("o1", "a"), wire::put("o2", "b")]));
    room.tell(&update).await?;
    let told = reading.viewer.expect_published(&update).await?;
    let bundle = |event: &Value| {
        let entries = event["event"]["context"].as_array().cloned().unwrap_or_default();
        entries.into_iter().find(|entry| entry["key"] == "updates").unwrap_or_default()["resource"].take()
    };
    let (sent, got) = (bundle(&update), bundle(&told));
    ensure(got["id"] == sent["id"], "the Bundle's `id`", &told)?;
    ensure(got["entry"] == sent["entry"], "the Bundle's entries", &told)
}

pub(in crate::verify) async fn upd_09(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.expect_content(&[]).await?;
    reading.updated(json!([wire::put("o1", "a"), wire::put("o2", "b")])).await?;
    reading.expect_content(&["o1", "o2"]).await?;
    reading.updated(json!([wire::put("o2", "changed"), wire::delete("Observation/o1")])).await?;
    reading.expect_content(&["o2"]).await?;
    let document = room.current().await?;
    let text = &judge::content(&document)?[0]["code"]["text"];
    ensure(text == "changed", "the resource as it was last put", &document)?;
    let version = &document["context.versionId"];
    ensure(*version == json!(reading.version), format!("`context.versionId`: {}", reading.version), version)?;
    let entries = Value::from(judge::entries(&document));
    ensure(entries == reading.opened, "the context as it was opened, beside the content", &document)
}

pub(in crate::verify) async fn upd_10(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.updated(json!([wire::put("o1", "a")])).await?;
    room.tell(&wire::report_close(&room.topic, "r1")).await?;
    reading.viewer.expect_event("DiagnosticReport-close").await?;
    let stale = reading.update(json!([wire::put("o2", "b")]));
    room.publish(&stale).await?.refused("an update of what has been closed")?;
    reading.version = room.open_report("r1", &mut reading.viewer).await?;
    reading.expect_content_where_told(&[]).await
}

pub(in crate::verify) async fn upd_11(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    let update = wire::update(room.edition(), &room.topic, "r9", &reading.version, json!([wire::put("o1", "a")]));
    let answer = room.publish(&update).await?;
    let what = "an update of a report that is not open";
    if room.target.ours { answer.expect(404, &format!("to {what}")).map(drop) } else { answer.refused(what).map(drop) }
}

pub(in crate::verify) async fn upd_12(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    room.open_report("r2", &mut reading.viewer).await?;
    let update = reading.update(json!([wire::put("o1", "a")]));
    let answer = room.publish(&update).await?;
    if room.target.discovery["capabilities"]["supportsNonCurrentContextUpdates"] == true {
        answer.accepted("an update of a context that is not current, as discovery offers,").map(drop)
    } else {
        answer.expect(409, "to an update of a context that is not current").map(drop)
    }
}

/// More than any report has.
const MANY: usize = 20_000;

pub(in crate::verify) async fn upd_13(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.takes_updates().await?;
    let entries: Vec<_> = (0..MANY).map(|number| wire::put(&format!("o{number}"), "a")).collect();
    let answer = room.publish(&reading.update(json!(entries))).await?;
    if answer.is_success() && !room.target.ours {
        let why = format!("the hub takes an update of {MANY} entries; its bound is not known from outside");
        return Err(Finding::not_testable(why));
    }
    answer.expect(413, &format!("to an update of {MANY} entries")).map(drop)
}

pub(in crate::verify) async fn upd_14(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let updates = ["o1", "o2", "o3", "o4"].map(|id| reading.update(json!([wire::put(id, "a")])));
    let answers = futures_util::future::join_all(updates.iter().map(|update| room.publish(update))).await;
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(answer?.status);
    }
    let won = statuses.iter().filter(|status| (200..300).contains(*status)).count();
    ensure(won == 1, "exactly one of four updates of the same version wins", format!("{statuses:?}"))?;
    reading.viewer.expect_event("DiagnosticReport-update").await?;
    reading.viewer.expect_quiet("only the winner is distributed").await
}

pub(in crate::verify) async fn sel_01(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    reading.updated(json!([wire::put("o1", "a")])).await?;
    for references in [&["Observation/o1"][..], &[]] {
        let select = wire::select(room.edition(), &room.topic, "r1", references);
        room.tell(&select).await?;
        let told = reading.viewer.expect_published(&select).await?;
        let (sent, got) = (&select["event"]["context"][1], &told["event"]["context"][1]);
        ensure(sent == got, "the references as they were selected", &told)?;
    }
    // The version has not moved.
    reading.updated(json!([wire::put("o2", "b")])).await?;
    let stranger = wire::select(room.edition(), &room.topic, "r9", &["Observation/o1"]);
    room.publish(&stranger).await?.refused("a select in a report that is not current").map(drop)
}
