//! NOT: the SyncErrors that refusing subscribers cause.

use serde_json::Value;

use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::room::Room;
use crate::verify::viewer::Viewer;
use crate::verify::{judge, wire};

/// A subscriber refuses an event; the SyncError that `watcher` gets, and the event.
async fn refused(room: &Room<'_>, watcher: &mut Viewer<'_>, status: u16) -> Result<(Value, Value), Finding> {
    let mut viewer = room.named_viewer("Refuses", "Patient-open").await?;
    viewer.answers(status);
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    viewer.expect_published(&open).await?;
    let error = watcher.expect_event("SyncError").await?;
    Ok((error, open))
}

pub(in crate::verify) async fn not_05(room: &Room<'_>) -> Verdict {
    for status in [409, 400, 500, 503] {
        let topic = Room::new(room.target);
        let verdict = refused_is_told(&topic, status).await;
        topic.tidy().await;
        verdict?;
    }
    Ok(())
}

async fn refused_is_told(room: &Room<'_>, status: u16) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let (error, open) = refused(room, &mut watcher, status).await?;
    let told = error["event"]["context"].to_string();
    let asked = format!("a SyncError about the event that was answered {status}");
    ensure(told.contains(wire::id_of(&open)), asked, &error)
}

pub(in crate::verify) async fn not_08(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError,Home-open").await?;
    let mut stranger = room.viewer("Home-open").await?;
    let mut refuser = room.named_viewer("Refuses", "Patient-open,SyncError,Home-open").await?;
    refuser.answers(409);
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    refuser.expect_published(&open).await?;
    // Refusing the SyncError itself must not make another.
    watcher.answers(409);
    watcher.expect_event("SyncError").await?;
    watcher.expect_quiet("no SyncError about a SyncError").await?;
    for viewer in [&watcher, &refuser] {
        viewer.answers(200);
    }
    let home = wire::home_open(&room.topic);
    room.tell(&home).await?;
    for viewer in [&mut watcher, &mut stranger, &mut refuser] {
        viewer.expect_published(&home).await?;
    }
    Ok(())
}

pub(in crate::verify) async fn not_09(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("SyncError").await?;
    let (error, open) = refused(room, &mut watcher, 409).await?;
    judge::notification(&error, &room.topic)?;
    let blame = judge::sync_error(&error)?;
    ensure(blame.event_id == wire::id_of(&open), "the event's id as `eventid`", &blame.event_id)?;
    let named = blame.event_name.eq_ignore_ascii_case("Patient-open");
    ensure(named, "the event's name as `eventname`", &blame.event_name)?;
    ensure(blame.subscriber == "Refuses", "the subscriber's name as `subscribername`", &blame.subscriber)
}

pub(in crate::verify) async fn not_10(room: &Room<'_>) -> Verdict {
    let mut watcher = room.viewer("syncerror").await?;
    let about = wire::patient_open(&room.topic, "p1");
    let error = wire::sync_error(&room.topic, &about, "Another");
    room.tell(&error).await?;
    let told = watcher.expect_published(&error).await?;
    ensure(told["event"]["context"] == error["event"]["context"], "the context as it was posted", &told)
}
