//! SUB: how subscriptions begin and go on.

use std::time::Duration;

use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::hub::Bearer;
use crate::verify::room::{Form, Room, endpoint_in};
use crate::verify::viewer::{Frame, NoSocket, Viewer, open};
use crate::verify::{judge, wire};

/// How long an endpoint may wait for its first connection, at most.
const CONNECT_WITHIN: Duration = Duration::from_secs(90);

/// The lease that is asked for to see one end, in seconds.
const SHORT_LEASE: &str = "5";

/// Longer leases than this are not waited for.
const LONGEST_WAIT: u64 = 600;

pub(in crate::verify) async fn sub_01(room: &Room<'_>) -> Verdict {
    room.form(&room.subscription("Patient-open")).await?.expect(202, "to a subscription in a form")?;
    let form = format!("hub.channel.type=websocket&hub.mode=subscribe&hub.topic={}", room.topic);
    let text = room.post(room.target.url.clone(), "text/plain", form.clone() + "&hub.events=Patient-open").await?;
    if room.target.ours {
        text.expect(415, "to a type that is none")?
    } else {
        text.refused("text/plain")?
    };
    room.post(room.target.url.clone(), "application/json", form).await?.refused("a form sent as JSON").map(drop)
}

/// A subscription with `parameter` taken away, or replaced.
fn altered<'f>(room: &'f Room<'_>, parameter: &'f str, value: Option<&'f str>) -> Form<'f> {
    let mut form = room.subscription("Patient-open");
    form.retain(|(name, _)| *name != parameter);
    form.extend(value.map(|value| (parameter, value)));
    form
}

pub(in crate::verify) async fn sub_02(room: &Room<'_>) -> Verdict {
    room.form(&altered(room, "hub.channel.type", None)).await?.expect(400, "without hub.channel.type").map(drop)
}

pub(in crate::verify) async fn sub_03(room: &Room<'_>) -> Verdict {
    for repeated in [("hub.topic", "elsewhere"), ("hub.mode", "subscribe"), ("hub.events", "Patient-close")] {
        let mut form = room.subscription("Patient-open");
        form.push(repeated);
        room.form(&form).await?.expect(400, &format!("to {} given twice", repeated.0))?;
    }
    Ok(())
}

pub(in crate::verify) async fn sub_04(room: &Room<'_>) -> Verdict {
    for (parameter, value) in [
        ("hub.mode", Some("follow")),
        ("hub.mode", Some("")),
        ("hub.mode", None),
        ("hub.topic", Some("")),
        ("hub.topic", None),
    ] {
        let told = format!("to {parameter} {}", value.map_or("missing".into(), |value| format!("`{value}`")));
        room.form(&altered(room, parameter, value)).await?.expect(400, &told)?;
    }
    Ok(())
}

pub(in crate::verify) async fn sub_05(room: &Room<'_>) -> Verdict {
    room.form(&altered(room, "hub.events", Some(""))).await?.expect(400, "to hub.events empty")?;
    room.form(&altered(room, "hub.events", None)).await?.expect(400, "to hub.events missing").map(drop)
}

pub(in crate::verify) async fn sub_06(room: &Room<'_>) -> Verdict {
    let mut viewer = room.unconfirmed(" Patient-open ,patient-OPEN, Patient-close").await?;
    let confirmation = viewer.expect_confirmation().await?;
    let asked = "Patient-open and Patient-close, once each, are granted";
    ensure(judge::grants(&confirmation, &["Patient-open", "Patient-close"]), asked, &confirmation)?;
    let (open, close) = (wire::patient_open(&room.topic, "p1"), wire::patient_close(&room.topic, "p1"));
    for event in [&open, &close] {
        room.tell(event).await?;
    }
    viewer.expect_published(&open).await?;
    viewer.expect_published(&close).await.map(drop)
}

pub(in crate::verify) async fn sub_07(room: &Room<'_>) -> Verdict {
    let mut viewer = room.unconfirmed("patient-OPEN").await?;
    let confirmation = viewer.expect_confirmation().await?;
    ensure(confirmation["hub.events"] == "patient-OPEN", "the spelling that was asked for", &confirmation)?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    let told = viewer.expect_published(&open).await?;
    let name = &told["event"]["hub.event"];
    ensure(name == "patient-OPEN", "the notification in the subscriber's spelling", name)
}

/// The lease that is granted to who asks for `asked`.
async fn lease(room: &Room<'_>, asked: &str) -> Result<u64, Finding> {
    let mut form = room.subscription("Patient-open");
    form.push(("hub.lease_seconds", asked));
    let confirmation = room.unconfirmed_by(Bearer::Full, &form).await?.expect_confirmation().await?;
    let lease = confirmation["hub.lease_seconds"].as_u64();
    lease.ok_or_else(|| Finding::failed("`hub.lease_seconds`: a number", &confirmation))
}

pub(in crate::verify) async fn sub_08(room: &Room<'_>) -> Verdict {
    for bad in ["0", "-5", "soon", "1.5"] {
        let mut form = room.subscription("Patient-open");
        form.push(("hub.lease_seconds", bad));
        room.form(&form).await?.expect(400, &format!("to hub.lease_seconds `{bad}`"))?;
    }
    let granted = lease(room, "120").await?;
    ensure((1..=120).contains(&granted), "no longer a lease than the 120 s asked for", granted)?;
    let granted = lease(room, "999999999").await?;
    ensure(granted > 0, "a lease of the hub's own maximum", granted)
}

pub(in crate::verify) async fn sub_09(room: &Room<'_>) -> Verdict {
    let answer = room.form(&room.subscription("Patient-open")).await?.expect(202, "to a subscription")?;
    ensure(answer.media_type() == "application/json", "application/json", &answer)?;
    let endpoint = endpoint_in(&answer);
    let missing = || Finding::failed("`hub.channel.endpoint`", &answer);
    judge::endpoint(&endpoint.ok_or_else(missing)?, &room.target.url)
}

pub(in crate::verify) async fn sub_10(room: &Room<'_>) -> Verdict {
    let (one, other) = (room.endpoint("Patient-open").await?, room.endpoint("Patient-open").await?);
    judge::endpoint(&one, &room.target.url)?;
    judge::unguessable(&one, &other)?;
    Viewer::connect(room.target, &room.topic, &one).await?.expect_confirmation().await.map(drop)
}

pub(in crate::verify) async fn sub_11(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let endpoint = viewer.endpoint.clone();
    let mut form = room.subscription("Patient-close");
    form.extend([("hub.channel.endpoint", endpoint.as_str()), ("hub.lease_seconds", "60")]);
    let again = room.endpoint_by(Bearer::Full, &form).await?;
    ensure(again == endpoint, "the same endpoint", "another one")?;
    let confirmation = viewer.expect_confirmation().await?;
    ensure(judge::grants(&confirmation, &["Patient-close"]), "the new events alone", &confirmation)?;
    let lease = confirmation["hub.lease_seconds"].as_u64();
    ensure(lease.is_some_and(|lease| lease <= 60), "the new lease of 60 s at most", &confirmation)?;
    room.tell(&wire::patient_open(&room.topic, "p1")).await?;
    let close = wire::patient_close(&room.topic, "p1");
    room.tell(&close).await?;
    viewer.expect_published(&close).await.map(drop)
}

pub(in crate::verify) async fn sub_12(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let (endpoint, elsewhere) = (viewer.endpoint.clone(), wire::fresh("verify"));
    let mut form = room.subscription("Patient-close");
    form.push(("hub.channel.endpoint", endpoint.as_str()));
    for parameter in &mut form {
        if parameter.0 == "hub.topic" {
            parameter.1 = &elsewhere;
        }
    }
    room.form(&form).await?.expect(404, "to an endpoint of another topic")?;
    let dead = unknown(&endpoint);
    let mut form = room.subscription("Patient-close");
    form.push(("hub.channel.endpoint", dead.as_str()));
    room.form(&form).await?.expect(404, "to an endpoint that is unknown")?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    viewer.expect_published(&open).await.map(drop)
}

/// An endpoint like this one that the hub has never given.
pub(super) fn unknown(endpoint: &str) -> String {
    let kept =
        endpoint.trim_end_matches(|character: char| character.is_ascii_alphanumeric() || "-_".contains(character));
    let length = endpoint.len() - kept.len();
    format!("{kept}{}", "x".repeat(length.max(1)))
}

pub(in crate::verify) async fn sub_13(room: &Room<'_>) -> Verdict {
    let canary = "DOE-JANE-19700101";
    let mut bad_event = wire::patient_open(&room.topic, canary);
    bad_event["event"]["context"][0]["resource"]["resourceType"] = canary.into();
    bad_event["event"]["context"][0]["resource"]["id"] = Default::default();
    for answer in [
        room.form(&altered(room, "hub.mode", Some(canary))).await?,
        room.form(&altered(room, "hub.channel.type", Some(canary))).await?,
        room.publish(&bad_event).await?,
    ] {
        ensure(answer.status >= 400, "a refusal", &answer)?;
        ensure(!answer.body.trim().is_empty(), "a reason in the refusal's body", &answer)?;
        ensure(!answer.body.contains(canary), "a reason that repeats nothing of the request", &answer)?;
        let repeats_token = room.target.token.as_deref().is_some_and(|token| answer.body.contains(token));
        ensure(!repeats_token, "a reason without the token", &answer)?;
        ensure(answer.media_type() == "text/plain", "a reason in plain text where no Accept asks for more", &answer)?;
    }
    Ok(())
}

pub(in crate::verify) async fn sub_17(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let viewer = room.named_viewer("Verify Left", "Patient-open").await?;
    viewer.answers(409);
    room.tell(&wire::patient_open(&room.topic, "p1")).await?;
    let error = watcher.expect_event("SyncError").await?;
    let named = error["event"]["context"].to_string().contains("Verify Left");
    ensure(named, "the SyncError names the subscriber by its `subscriber.name`", &error["event"]["context"])
}

pub(in crate::verify) async fn sub_18(room: &Room<'_>) -> Verdict {
    let endpoint = room.endpoint("Patient-open").await?;
    room.target.passage.let_pass(CONNECT_WITHIN).await;
    expect_dead(room, &endpoint, "an endpoint that nobody connected to in 90 s is dropped").await
}

/// The endpoint takes no socket any more.
pub(super) async fn expect_dead(room: &Room<'_>, endpoint: &str, asked: &str) -> Verdict {
    match open(endpoint, room.target.patience).await {
        Err(NoSocket::Refused(404)) => Ok(()),
        Err(NoSocket::Refused(status)) if !room.target.ours && status >= 400 => Ok(()),
        Err(NoSocket::Refused(status)) => Err(Finding::failed(asked, format!("{status} to the handshake, not 404"))),
        Err(NoSocket::Unreachable(what)) => Err(Finding::failed(asked, what)),
        Ok(_) => Err(Finding::failed(asked, "the hub takes a WebSocket there")),
    }
}

pub(in crate::verify) async fn sub_19(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError,Home-open").await?;
    let mut form = room.subscription("Patient-open");
    form.push(("hub.lease_seconds", SHORT_LEASE));
    let mut viewer = room.unconfirmed_by(Bearer::Full, &form).await?;
    let lease = viewer.expect_confirmation().await?["hub.lease_seconds"].as_u64().unwrap_or_default();
    if lease > LONGEST_WAIT {
        return Err(Finding::not_testable(format!("asked for {SHORT_LEASE} s, the hub leases {lease} s")));
    }
    let asked = "a denial when the lease ends";
    match viewer.await_frame(Duration::from_secs(lease + 10)).await {
        Some(Frame::Denied(denial)) => judge::denial(&denial, &room.topic)?,
        Some(other) => return Err(Finding::failed(asked, other.told())),
        None => return Err(Finding::failed(asked, format!("nothing {} s after the subscription", lease + 10))),
    }
    viewer.expect_normal_close().await?;
    expect_dead(room, &viewer.endpoint, "the endpoint is dead once the lease has ended").await?;
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    watcher.expect_published(&home).await.map(drop)
}

pub(in crate::verify) async fn sub_20(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    let first = viewer.expect_published(&open).await?;
    let mut back = viewer.reconnect().await?;
    back.expect_confirmation().await?;
    let again = back.expect_published(&open).await?;
    ensure(again == first, "the current context as it was told before", &again)
}

pub(in crate::verify) async fn sub_21(room: &Room<'_>) -> Verdict {
    let mut older = room.viewer("Patient-open").await?;
    let mut newer = Viewer::connect(room.target, &room.topic, &older.endpoint).await?;
    newer.expect_confirmation().await?;
    older.expect_normal_close().await?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    newer.expect_published(&open).await.map(drop)
}
