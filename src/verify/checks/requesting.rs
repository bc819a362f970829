//! REQ: how events are published.

use futures_util::future::join_all;
use reqwest::header;
use serde_json::{Value, json};

use crate::fhircast::Edition;
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::hub::{Answer, Bearer};
use crate::verify::room::Room;
use crate::verify::viewer::Viewer;
use crate::verify::{judge, wire};

pub(in crate::verify) async fn req_01(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    for content_type in ["application/json", "application/fhir+json"] {
        let open = wire::patient_open(&room.topic, "p1");
        let answer = room.post(room.target.url.clone(), content_type, open.to_string()).await?;
        answer.expect(202, &format!("to an event as {content_type}"))?;
        viewer.expect_published(&open).await?;
    }
    Ok(())
}

pub(in crate::verify) async fn req_02(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let open = wire::patient_open(&room.topic, "p1");
    let url = room.target.below(&[&room.topic]);
    room.post(url, "application/json", open.to_string()).await?.accepted("an event at {hub.url}/{topic}")?;
    viewer.expect_published(&open).await?;
    let url = room.target.below(&[&wire::fresh("verify")]);
    let answer = room.post(url, "application/json", open.to_string()).await?;
    answer.expect(400, "to a topic in the body that is not that of the path").map(drop)
}

/// An event without the member at `pointer`, or with another value there.
fn altered(event: &Value, pointer: &str, value: Option<Value>) -> Value {
    let mut event = event.clone();
    let (parent, member) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(object) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
        match value {
            Some(value) => object.insert(member.to_owned(), value),
            None => object.remove(member),
        };
    }
    event
}

pub(in crate::verify) async fn req_03(room: &Room<'_>) -> Verdict {
    let open = wire::patient_open(&room.topic, "p1");
    let members = ["/timestamp", "/id", "/event", "/event/hub.topic", "/event/hub.event", "/event/context"];
    for pointer in members {
        for value in [None, Some(json!(17))] {
            let how = if value.is_some() { "mistyped" } else { "missing" };
            let answer = publish_here(room, &altered(&open, pointer, value)).await?;
            let member = pointer.rsplit('/').next().unwrap_or_default();
            let answer = answer.expect(400, &format!("to `{member}` {how}"))?;
            ensure(!room.target.ours || answer.body.contains(member), format!("a reason naming `{member}`"), &answer)?;
        }
    }
    Ok(())
}

/// Publishes under this room's topic, whatever topic the event has.
async fn publish_here(room: &Room<'_>, event: &Value) -> Result<Answer, Finding> {
    room.post(room.target.publish_url(&room.topic), "application/json", event.to_string()).await
}

pub(in crate::verify) async fn req_04(room: &Room<'_>) -> Verdict {
    for name in ["Home-open", "home-OPEN", "UserLogout", "UserHibernate", "org.example.verify_done"] {
        room.tell(&wire::event(&room.topic, name, json!([]))).await?;
    }
    let person = json!([{"key": "practitioner", "resource": {"resourceType": "Practitioner", "id": "d1"}}]);
    for name in ["Practitioner-open", "practitioner-CLOSE"] {
        room.tell(&wire::event(&room.topic, name, person.clone())).await?;
    }
    for name in ["", "patient", "Patient-", "-open", "Patient-opened", "Patient-open-now", "Patient open"] {
        let event = wire::event(&room.topic, name, json!([wire::patient("p1")]));
        room.publish(&event).await?.expect(400, &format!("to an event called `{name}`"))?;
    }
    if room.edition() != Edition::Stu3 {
        let heartbeat = wire::event(&room.topic, "Heartbeat", json!([{"key": "period", "decimal": "10"}]));
        room.publish(&heartbeat).await?.expect(400, "to a Heartbeat, which is the hub's alone")?;
    }
    Ok(())
}

pub(in crate::verify) async fn req_05(room: &Room<'_>) -> Verdict {
    let mut mistyped = wire::patient("p1");
    mistyped["resource"]["resourceType"] = "Observation".into();
    let nameless = altered(&wire::patient("p1"), "/resource/id", None);
    for (name, context, key) in [
        ("Patient-open", json!([]), "patient"),
        ("Patient-open", json!([mistyped]), "patient"),
        ("Patient-open", json!([nameless]), "patient"),
        ("Encounter-open", json!([wire::encounter("e1", "p1")]), "patient"),
        ("Encounter-open", json!([wire::patient("p1")]), "encounter"),
        ("ImagingStudy-open", json!([wire::patient("p1")]), "study"),
        ("DiagnosticReport-open", json!([wire::patient("p1"), wire::study("s1", "p1")]), "report"),
    ] {
        let shown = context.to_string();
        let answer = room.publish(&wire::event(&room.topic, name, context)).await?;
        let answer = answer.expect(400, &format!("to {name} with the context {shown}"))?;
        ensure(!room.target.ours || answer.body.contains(key), format!("a reason naming `{key}`"), &answer)?;
    }
    Ok(())
}

pub(in crate::verify) async fn req_06(room: &Room<'_>) -> Verdict {
    let (mut one, mut other) = (room.viewer("Patient-open").await?, room.viewer("Patient-open,Home-open").await?);
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    for viewer in [&mut one, &mut other] {
        let told = viewer.expect_published(&open).await?;
        let same = judge::same_instant(&told["timestamp"], &open["timestamp"]);
        ensure(same, "the timestamp of the request", &told["timestamp"])?;
        ensure(told["event"]["context"] == open["event"]["context"], "the context of the request", &told)?;
    }
    Ok(())
}

pub(in crate::verify) async fn req_07(room: &Room<'_>) -> Verdict {
    room.needs_limited_token()?;
    let answer = room.publish_as(Bearer::Limited, &wire::patient_open(&room.topic, "p1")).await?;
    answer.expect(403, "to publishing with a token that may only read").map(drop)
}

pub(in crate::verify) async fn req_08(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let open = wire::patient_open(&room.topic, "p1");
    for _ in 0..2 {
        room.tell(&open).await?;
        viewer.expect_published(&open).await?;
    }
    Ok(())
}

/// Larger than any event needs to be.
const LARGE: usize = 8 << 20;

pub(in crate::verify) async fn req_09(room: &Room<'_>) -> Verdict {
    let url = || room.target.publish_url(&room.topic);
    room.post(url(), "application/json", "{\"id\":").await?.expect(400, "to broken JSON")?;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    room.post(url(), "application/json", deep).await?.expect(400, "to JSON nested 5000 deep")?;
    let coded = room.target.request(reqwest::Method::POST, url(), Bearer::Full);
    let coded = coded.header(header::CONTENT_TYPE, "application/json").header(header::CONTENT_ENCODING, "gzip");
    let body = wire::patient_open(&room.topic, "p1").to_string();
    room.target.send(coded.body(body)).await?.expect(415, "to a Content-Encoding that it does not read")?;
    let mut large = wire::patient_open(&room.topic, "p1");
    large["padding"] = "x".repeat(LARGE).into();
    match room.publish(&large).await {
        Ok(answer) => answer.expect(413, "to an event of 8 MiB").map(drop),
        // A hub that closes without reading on has refused it too; the answer may be lost on the way.
        Err(_) => room.form(&room.subscription("Patient-open")).await?.accepted("what comes after").map(drop),
    }
}

pub(in crate::verify) async fn req_10(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let extension = json!({"key": "extension", "data": {"org.example": [1, null, {"deep": "ä"}]}});
    let mut open = wire::event(&room.topic, "Patient-open", json!([wire::patient("p1"), extension]));
    open["org.example.outer"] = json!({"kept": true});
    open["event"]["org.example.inner"] = json!([1, 2]);
    room.tell(&open).await?;
    let told = viewer.expect_published(&open).await?;
    for pointer in ["/event/context/1", "/org.example.outer", "/event/org.example.inner"] {
        ensure(told.pointer(pointer) == open.pointer(pointer), format!("{pointer} untouched"), &told)?;
    }
    Ok(())
}

/// How many events race for their place in the order.
const RACERS: usize = 12;

pub(in crate::verify) async fn req_11(room: &Room<'_>) -> Verdict {
    let (mut one, mut other) = (room.viewer("Home-open").await?, room.viewer("Home-open").await?);
    let events: Vec<_> = (0..RACERS).map(|_| wire::home_open(&room.topic)).collect();
    for told in join_all(events.iter().map(|event| room.tell(event))).await {
        told?;
    }
    let (first, second) = (ids(&mut one).await?, ids(&mut other).await?);
    ensure(first == second, "one order for every subscriber", format!("{first:?} and {second:?}"))
}

async fn ids(viewer: &mut Viewer<'_>) -> Result<Vec<String>, Finding> {
    let mut ids = Vec::with_capacity(RACERS);
    for _ in 0..RACERS {
        ids.push(wire::id_of(&viewer.expect_event("Home-open").await?).to_owned());
    }
    Ok(ids)
}
