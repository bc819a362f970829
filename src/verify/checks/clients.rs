//! CLI: what clients in the field rely on beyond the text.

use reqwest::{Method, Url, header};
use serde_json::{Value, json};

use super::editing::Reading;
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::hub::{Answer, Bearer};
use crate::verify::room::Room;
use crate::verify::viewer::{Frame, Viewer};
use crate::verify::{judge, wire};

fn slashed(url: &Url) -> Url {
    let mut url = url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("");
    }
    url
}

/// Publishes at `url`, and sees the event come.
async fn arrives(room: &Room<'_>, viewer: &mut Viewer<'_>, url: Url, content_type: &str) -> Verdict {
    let open = wire::patient_open(&viewer.topic, "p1");
    let path = url.path().to_owned();
    room.post(url, content_type, open.to_string()).await?.accepted(&format!("an event at {path}"))?;
    viewer.expect_published(&open).await.map(drop)
}

pub(in crate::verify) async fn cli_01(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let (hub, topic) = (&room.target.url, room.target.below(&[&room.topic]));
    for url in [hub.clone(), slashed(hub), topic.clone(), slashed(&topic)] {
        arrives(room, &mut viewer, url, "application/json").await?;
    }
    for url in [topic.clone(), slashed(&topic), slashed(&room.target.discovery_url())] {
        let path = url.path().to_owned();
        let answer = room.target.send(room.target.request(Method::GET, url, Bearer::Full)).await?;
        answer.accepted(&format!("GET {path}"))?;
    }
    let request = room.target.request(Method::POST, slashed(hub), Bearer::Full);
    room.target
        .send(request.form(&room.subscription("Patient-open")))
        .await?
        .accepted("a subscription with a slash")
        .map(drop)
}

pub(in crate::verify) async fn cli_03(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    for content_type in ["Application/JSON; charset=utf-8", "application/fhir+json;fhirVersion=4.0"] {
        arrives(room, &mut viewer, room.target.publish_url(&room.topic), content_type).await?;
    }
    let batch = room.post(room.target.publish_url(&room.topic), "multipart/related; boundary=x", "--x--").await?;
    batch.expect(415, "to multipart").map(drop)
}

pub(in crate::verify) async fn cli_04(room: &Room<'_>) -> Verdict {
    let topic = format!("{} ä+&x", room.topic);
    let mut form = room.subscription("Patient-open");
    form.retain(|(name, _)| *name != "hub.topic");
    form.push(("hub.topic", &topic));
    let endpoint = room.endpoint_by(Bearer::Full, &form).await?;
    let mut viewer = Viewer::connect(room.target, &topic, &endpoint).await?;
    judge::confirmation(&viewer.expect_confirmation().await?, &topic)?;
    arrives(room, &mut viewer, room.target.below(&[&topic]), "application/json").await
}

pub(in crate::verify) async fn cli_05(room: &Room<'_>) -> Verdict {
    if room.target.token.is_some() {
        return Err(Finding::not_applicable("the hub asks for a token"));
    }
    for value in ["Bearer ", "Bearer undefined", "junk"] {
        let request = room.target.request(Method::POST, room.target.url.clone(), Bearer::Nobody);
        let request = request.header(header::AUTHORIZATION, value).form(&room.subscription("Patient-open"));
        room.target.send(request).await?.accepted(&format!("a subscription with `Authorization: {value}`"))?;
    }
    Ok(())
}

pub(in crate::verify) async fn cli_06(room: &Room<'_>) -> Verdict {
    super::subscribing::sub_09(room).await?;
    super::unsubscribing::uns_01(room).await
}

pub(in crate::verify) async fn cli_07(room: &Room<'_>) -> Verdict {
    let endpoint = room.endpoint("Patient-open").await?;
    let url = Url::parse(&endpoint).map_err(|_| Finding::failed("an absolute URL", &endpoint))?;
    let hub = &room.target.url;
    let same = (url.host_str(), url.port_or_known_default()) == (hub.host_str(), hub.port_or_known_default());
    ensure(same, format!("an endpoint at the host and port of {hub}"), &endpoint)?;
    Viewer::connect(room.target, &room.topic, &endpoint).await?.expect_confirmation().await.map(drop)
}

pub(in crate::verify) async fn cli_08(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let mut elsewhere = Url::parse(&viewer.endpoint).map_err(|_| Finding::failed("a URL", &viewer.endpoint))?;
    if elsewhere.set_host(Some("rewritten.invalid")).is_err() {
        return Err(Finding::not_testable("the endpoint has no host to rewrite"));
    }
    let elsewhere = elsewhere.to_string();
    room.form(&room.unsubscription(&elsewhere)).await?.expect(202, "to an endpoint with its host rewritten")?;
    viewer.expect_denial().await.map(drop)
}

pub(in crate::verify) async fn cli_09(room: &Room<'_>) -> Verdict {
    let invented = format!("wss://client.invalid/bind/{}", wire::fresh("x"));
    let mut form = room.subscription("Patient-open");
    form.push(("hub.channel.endpoint", &invented));
    let endpoint = room.endpoint_by(Bearer::Full, &form).await?;
    ensure(endpoint != invented, "an endpoint of the hub's own", &endpoint)?;
    Viewer::connect(room.target, &room.topic, &endpoint).await?.expect_confirmation().await.map(drop)
}

pub(in crate::verify) async fn cli_11(room: &Room<'_>) -> Verdict {
    for superfluous in [
        ("hub.callback", ""),
        ("hub.secret", "s"),
        ("hub.subscriber", "Old"),
        ("hub.lease", "999"),
        ("subscriber.product.name", "Viewer"),
        ("org.example", "x"),
    ] {
        let mut form = room.subscription("Patient-open");
        form.push(superfluous);
        room.form(&form).await?.expect(202, &format!("with {} beside the usual", superfluous.0))?;
    }
    Ok(())
}

pub(in crate::verify) async fn cli_12(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("DMVAMessage,DiagnosticReport-opened,Patient-open").await?;
    arrives(room, &mut viewer, room.target.publish_url(&room.topic), "application/json").await
}

pub(in crate::verify) async fn cli_13(room: &Room<'_>) -> Verdict {
    let (mut mine, mut other) = (room.named_viewer("Mine", "Home-open").await?, room.viewer("Home-open").await?);
    let mut form = room.unsubscription("");
    form.pop();
    form.push(("endpoint", &mine.endpoint));
    room.form(&form).await?.expect(202, "to an unsubscribe with the field `endpoint`")?;
    mine.expect_denial().await?;
    let mut named = room.named_viewer("Named", "Home-open").await?;
    let mut form = room.unsubscription("");
    form.pop();
    form.push(("subscriber.name", "Named"));
    room.form(&form).await?.expect(202, "to an unsubscribe by topic and name")?;
    named.expect_denial().await?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    other.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn cli_14(room: &Room<'_>) -> Verdict {
    let viewer = room.viewer("Patient-open").await?;
    let endpoint = viewer.endpoint.clone();
    viewer.leave(1000).await?;
    let mut form = room.unsubscription(&endpoint);
    form.extend([("hub.secret", "s"), ("hub.lease", "999"), ("hub.callback", "")]);
    room.form(&form).await?.expect(202, "to an unsubscribe after the socket has closed").map(drop)
}

pub(in crate::verify) async fn cli_15(room: &Room<'_>) -> Verdict {
    let older = room.named_viewer("Same", "Patient-open").await?;
    let endpoint = older.endpoint.clone();
    older.leave(1011).await?;
    let mut newer = room.named_viewer("Same", "Patient-open").await?;
    super::subscribing::expect_dead(room, &endpoint, "the lost subscription of the same name is over").await?;
    arrives(room, &mut newer, room.target.publish_url(&room.topic), "application/json").await
}

pub(in crate::verify) async fn cli_16(room: &Room<'_>) -> Verdict {
    let request = room.target.request(Method::GET, room.target.discovery_url(), Bearer::Nobody);
    let answer = room.target.send(request.header(header::ORIGIN, super::transport::ORIGIN)).await?;
    let allowed = answer.header("access-control-allow-origin");
    ensure(!allowed.is_empty(), "Access-Control-Allow-Origin on the discovery document", &answer)?;
    let document = answer.json().unwrap_or_default();
    let names = document["eventsSupported"].as_array().cloned().unwrap_or_default();
    let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
    room.viewer(&names.join(",")).await.map(drop)
}

pub(in crate::verify) async fn cli_18(room: &Room<'_>) -> Verdict {
    super::confirmation::conf_01(room).await
}

pub(in crate::verify) async fn cli_19(room: &Room<'_>) -> Verdict {
    let mut viewer = room.unconfirmed("Patient-open").await?;
    viewer.hears_heartbeats = true;
    viewer.expect_confirmation().await?;
    match viewer.await_frame(std::time::Duration::from_secs(12)).await {
        None => Ok(()),
        Some(frame) => Err(Finding::failed("nothing but confirmations, denials and events asked for", frame.told())),
    }
}

pub(in crate::verify) async fn cli_21(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let mut viewer = room.named_viewer("Answers", "Patient-open").await?;
    viewer.falls_silent();
    for status in [json!(200), json!("200"), json!("200 OK"), json!("ok"), Value::Null] {
        let open = wire::patient_open(&room.topic, "p1");
        room.tell(&open).await?;
        viewer.expect_published(&open).await?;
        let mut answer = json!({"id": open["id"], "timestamp": wire::now()});
        if !status.is_null() {
            answer["status"] = status;
        }
        viewer.say(answer.to_string()).await?;
    }
    watcher.expect_quiet("no SyncError after any form of assent").await
}

pub(in crate::verify) async fn cli_22(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError,Home-open").await?;
    let mut viewer = room.viewer("Patient-open,Home-open").await?;
    let smuggled = wire::patient_open(&room.topic, "p1").to_string();
    for junk in ["", "nonsense", "{}", r#"{"type":"pong"}"#, r#"{"id":"unknown","status":500}"#, &smuggled] {
        viewer.say(junk).await?;
    }
    viewer.say(json!({"hub.channel.endpoint": viewer.endpoint}).to_string()).await?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    viewer.expect_published(&home).await?;
    watcher.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn cli_28(room: &Room<'_>) -> Verdict {
    super::subscribing::sub_07(room).await?;
    super::notification::not_02(room).await
}

pub(in crate::verify) async fn cli_29(room: &Room<'_>) -> Verdict {
    let open = wire::patient_open(&room.topic, "p1");
    let answer = room.publish(&open).await?.expect(202, "to an event")?;
    let document = answer.json().unwrap_or_default();
    ensure(document["id"] == open["id"], "an object with the event's `id`", &answer)?;
    ensure(document["context.versionId"].is_string(), "`context.versionId` of the new context", &answer)
}

pub(in crate::verify) async fn cli_30(room: &Room<'_>) -> Verdict {
    let refused = async |accept: &str| -> Result<Answer, Finding> {
        let request = room.target.request(Method::POST, room.target.url.clone(), Bearer::Full);
        let request = request.header(header::ACCEPT, accept).form(&[("hub.mode", "follow")]);
        room.target.send(request).await
    };
    let fhir = refused("application/fhir+json, */*; q=0.1").await?;
    let outcome = fhir.json().is_some_and(|json| json["resourceType"] == "OperationOutcome");
    ensure(outcome, "an OperationOutcome where Accept names application/fhir+json", &fhir)?;
    let json = refused("application/json").await?;
    let message = json.json().is_some_and(|json| json["message"].is_string());
    ensure(message, "an object with `message` where Accept names application/json", &json)
}

pub(in crate::verify) async fn cli_31(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    for id in ["1", "OHIF-x/ä", &"i".repeat(256)] {
        let mut open = wire::patient_open(&room.topic, "p1");
        open["id"] = id.into();
        room.tell(&open).await?;
        viewer.expect_published(&open).await?;
    }
    Ok(())
}

pub(in crate::verify) async fn cli_32(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    for (sent, expected) in [
        ("2026-05-04T08:15:30Z", "2026-05-04T08:15:30Z"),
        ("2026-05-04T10:15:30.1234567+02:00", "2026-05-04T08:15:30.1234567Z"),
        ("2026-05-04T08:15:30", "2026-05-04T08:15:30Z"),
    ] {
        let mut open = wire::patient_open(&room.topic, "p1");
        open["timestamp"] = sent.into();
        room.tell(&open).await?;
        let told = viewer.expect_published(&open).await?;
        let same = judge::same_instant(&told["timestamp"], &expected.into());
        ensure(same, format!("{sent} as the instant {expected}"), &told["timestamp"])?;
        ensure(told["timestamp"].as_str().is_some_and(|text| text.ends_with('Z')), "a time in Z", &told["timestamp"])?;
    }
    Ok(())
}

pub(in crate::verify) async fn cli_33(room: &Room<'_>) -> Verdict {
    super::requesting::req_10(room).await
}

pub(in crate::verify) async fn cli_34(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let mut open = wire::patient_open(&room.topic, "p1");
    open["event"]["context.versionId"] = "".into();
    room.tell(&open).await?;
    judge::version(&viewer.expect_published(&open).await?).map(drop)
}

pub(in crate::verify) async fn cli_35(room: &Room<'_>) -> Verdict {
    let mut reading = Reading::begin(room).await?;
    let update = reading.update(json!([wire::put("o1", "a")]));
    for _ in 0..2 {
        room.publish(&update).await?.expect(202, "to an update and to its resend")?;
    }
    reading.viewer.expect_published(&update).await?;
    while let Some(frame) = reading.viewer.await_frame(std::time::Duration::ZERO).await {
        let Frame::Event(event) = &frame else { return Err(Finding::failed("nothing but events", frame.told())) };
        ensure(event["id"] == update["id"], "no SyncError", event)?;
    }
    reading.expect_content_where_told(&["o1"]).await
}

pub(in crate::verify) async fn cli_40(room: &Room<'_>) -> Verdict {
    super::transport::sec_02(room).await
}
