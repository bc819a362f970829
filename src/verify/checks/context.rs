//! CTX: what is current.

use serde_json::json;

use crate::verify::finding::{Verdict, ensure};
use crate::verify::hub::Bearer;
use crate::verify::room::Room;
use crate::verify::{judge, wire};

pub(in crate::verify) async fn ctx_01(room: &Room<'_>) -> Verdict {
    let open = wire::report_open(&room.topic, "r1");
    room.tell(&open).await?;
    let document = room.current().await?;
    ensure(document["context.type"] == "DiagnosticReport", "`context.type`: DiagnosticReport", &document)?;
    let entries = serde_json::Value::from(judge::entries(&document));
    ensure(entries == open["event"]["context"], "the context that the open carried", &document)
}

pub(in crate::verify) async fn ctx_02(room: &Room<'_>) -> Verdict {
    let document = room.current().await?;
    let asked = r#"{"context.type":"","context":[]}"#;
    ensure(document["context.type"] == "" && document["context"] == json!([]), asked, &document)
}

pub(in crate::verify) async fn ctx_03(room: &Room<'_>) -> Verdict {
    room.tell(&wire::encounter_open(&room.topic, "e1")).await?;
    room.tell(&wire::patient_open(&room.topic, "p2")).await?;
    room.tell(&wire::patient_close(&room.topic, "p2")).await?;
    room.expect_current("after closing the current context, with another one open", "", "").await
}

pub(in crate::verify) async fn ctx_04(room: &Room<'_>) -> Verdict {
    room.tell(&wire::patient_open(&room.topic, "p1")).await?;
    room.tell(&wire::patient_open(&room.topic, "p2")).await?;
    room.tell(&wire::patient_close(&room.topic, "p1")).await?;
    room.expect_current("after closing a context that is not current", "Patient", "p2").await
}

pub(in crate::verify) async fn ctx_05(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("DiagnosticReport-open").await?;
    let version = room.open_report("r1", &mut viewer).await?;
    let shares = room.needs_content_sharing().is_ok();
    if shares {
        room.tell(&wire::update(room.edition(), &room.topic, "r1", &version, json!([wire::put("o1", "a")]))).await?;
    }
    room.open_report("r2", &mut viewer).await?;
    room.expect_current("after opening a second context", "DiagnosticReport", "r2").await?;
    room.open_report("r1", &mut viewer).await?;
    room.expect_current("after opening the first again", "DiagnosticReport", "r1").await?;
    if !shares {
        return Ok(());
    }
    let document = room.current().await?;
    let kept = judge::content(&document)?.iter().any(|resource| resource["id"] == "o1");
    ensure(kept, "the content that it had", &document)
}

pub(in crate::verify) async fn ctx_06(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-close").await?;
    room.tell(&wire::patient_open(&room.topic, "p1")).await?;
    let stranger = wire::patient_close(&room.topic, "p9");
    room.tell(&stranger).await?;
    viewer.expect_published(&stranger).await?;
    room.expect_current("after closing what is not open", "Patient", "p1").await?;
    let bare = json!([{"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}}]);
    room.tell(&wire::event(&room.topic, "Patient-close", bare)).await?;
    room.expect_current("after a close that names it by its id alone", "", "").await
}

pub(in crate::verify) async fn ctx_07(room: &Room<'_>) -> Verdict {
    room.needs_limited_token()?;
    room.needs_current_context()?;
    room.tell(&wire::encounter_open(&room.topic, "e1")).await?;
    let answer = room.get_context(Bearer::Limited).await?;
    answer.expect(403, "to a context that the token may not read")?;
    room.get_context(Bearer::Nobody).await?.expect(401, "to nobody's token").map(drop)
}

pub(in crate::verify) async fn ctx_08(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("UserLogout").await?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    room.tell(&wire::event(&room.topic, "UserHibernate", json!([]))).await?;
    room.expect_current("after UserHibernate", "Patient", "p1").await?;
    room.tell(&wire::home_open(&room.topic)).await?;
    room.expect_current("after Home-open", "", "").await?;
    room.viewer("Patient-open").await?.expect_published(&open).await?;
    let logout = wire::event(&room.topic, "UserLogout", json!([]));
    room.tell(&logout).await?;
    viewer.expect_published(&logout).await?;
    let mut late = room.viewer("Patient-open").await?;
    late.expect_quiet("no context is open after UserLogout").await
}

pub(in crate::verify) async fn ctx_09(room: &Room<'_>) -> Verdict {
    let _viewer = room.viewer("Patient-open").await?;
    let known = room.get_context(Bearer::Full).await?;
    let elsewhere = Room::new(room.target);
    let unknown = elsewhere.get_context(Bearer::Full).await?;
    let same = known.status == unknown.status && known.json() == unknown.json();
    ensure(same, format!("the answer of an empty topic: {known}"), &unknown)
}
