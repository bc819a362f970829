//! NOT: what only time brings out: silence, lost sockets, heartbeats, pings.

use std::time::Duration;

use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::room::Room;
use crate::verify::viewer::Frame;
use crate::verify::{judge, wire};

/// Three times the response time that hubs have unless told otherwise.
const SILENCE: Duration = Duration::from_secs(30);

/// Longer than any grace that a lost subscriber is given to come back.
const LOSS: Duration = Duration::from_secs(90);

/// The longest time between heartbeats, and some for the way.
const HEARTBEAT: Duration = Duration::from_secs(12);

/// Longer than a hub that watches its sockets leaves one alone.
const IDLE: Duration = Duration::from_secs(60);

pub(in crate::verify) async fn not_06(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let mut viewer = room.named_viewer("Silent", "Patient-open").await?;
    // Some hubs leave those alone that never answer, so this one has answered before.
    let first = wire::patient_open(&room.topic, "p1");
    room.tell(&first).await?;
    viewer.expect_published(&first).await?;
    watcher.expect_quiet("no SyncError after an answer").await?;
    viewer.falls_silent();
    let open = wire::patient_open(&room.topic, "p2");
    room.tell(&open).await?;
    viewer.expect_published(&open).await?;
    let error = watcher.await_event("SyncError", SILENCE).await?;
    ensure(error["event"]["context"].to_string().contains("Silent"), "a SyncError that names the silent one", &error)?;
    viewer.expect_denial().await.map(drop)
}

pub(in crate::verify) async fn not_07(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    for (name, code) in [("Done", 1000), ("Away", 1001), ("Broken", 1011)] {
        room.named_viewer(name, "Patient-open").await?.leave(code).await?;
    }
    let error = watcher.await_event("SyncError", LOSS).await?;
    let asked = "a SyncError about the close with 1011, and none about 1000 and 1001";
    ensure(error["event"]["context"].to_string().contains("Broken"), asked, &error)?;
    drop(room.named_viewer("Lost", "Patient-open").await?);
    let error = watcher.await_event("SyncError", LOSS).await?;
    ensure(error["event"]["context"].to_string().contains("Lost"), "a SyncError about a lost connection", &error)
}

pub(in crate::verify) async fn not_13(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Heartbeat").await?;
    viewer.hears_heartbeats = true;
    for _ in 0..2 {
        let asked = "a Heartbeat every 10 s";
        match viewer.await_frame(HEARTBEAT).await {
            Some(Frame::Event(event)) if judge::is_named(&event, "Heartbeat") => period(&event["event"]["context"])?,
            Some(other) => return Err(Finding::failed(asked, other.told())),
            None => return Err(Finding::failed(asked, format!("none within {} s", HEARTBEAT.as_secs()))),
        }
    }
    Ok(())
}

fn period(context: &serde_json::Value) -> Verdict {
    let period = &context[0];
    ensure(period["key"] == "period", "a context of one `period`", context)?;
    let text = period["decimal"].as_str().map(str::to_owned).unwrap_or_else(|| period["decimal"].to_string());
    let seconds = text.parse::<f64>().is_ok_and(|seconds| seconds > 0.0);
    ensure(seconds, "`decimal`: the period in seconds", period)
}

pub(in crate::verify) async fn not_14(room: &Room<'_>) -> Verdict {
    room.viewer("Patient-open").await?.expect_ping(IDLE).await
}
