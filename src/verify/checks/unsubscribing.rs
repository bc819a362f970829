//! UNS: how subscriptions end.

use super::subscribing::{expect_dead, unknown};
use crate::verify::finding::{Verdict, ensure};
use crate::verify::room::{Room, endpoint_in};
use crate::verify::{judge, wire};

pub(in crate::verify) async fn uns_01(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let endpoint = viewer.endpoint.clone();
    let answer = room.form(&room.unsubscription(&endpoint)).await?.expect(202, "to an unsubscribe")?;
    ensure(endpoint_in(&answer).as_ref() == Some(&endpoint), "the endpoint in the answer's body", &answer)?;
    judge::denial(&viewer.expect_denial().await?, &room.topic)?;
    viewer.expect_normal_close().await
}

pub(in crate::verify) async fn uns_02(room: &Room<'_>) -> Verdict {
    let viewer = room.viewer("Patient-open").await?;
    let endpoint = viewer.endpoint.clone();
    room.form(&room.unsubscription(&endpoint)).await?.accepted("an unsubscribe")?;
    expect_dead(room, &endpoint, "404 to an upgrade after the unsubscribe").await?;
    let mut form = room.subscription("Patient-open");
    form.push(("hub.channel.endpoint", endpoint.as_str()));
    room.form(&form).await?.expect(404, "to a subscribe that names the dead endpoint").map(drop)
}

pub(in crate::verify) async fn uns_03(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open,Patient-close").await?;
    let endpoint = viewer.endpoint.clone();
    let mut form = room.unsubscription(&endpoint);
    form.extend([("hub.events", "Patient-close"), ("hub.lease_seconds", "0")]);
    room.form(&form).await?.accepted("an unsubscribe with events and a lease")?;
    viewer.expect_denial().await?;
    viewer.expect_normal_close().await
}

pub(in crate::verify) async fn uns_04(room: &Room<'_>) -> Verdict {
    let mut viewer = room.viewer("Patient-open").await?;
    let mut form = room.unsubscription("");
    form.pop();
    let refused = room.form(&form).await?.refused("an unsubscribe without an endpoint")?;
    ensure(!refused.body.trim().is_empty(), "a reason", &refused)?;
    let dead = unknown(&viewer.endpoint);
    let refused = room.form(&room.unsubscription(&dead)).await?.refused("an unsubscribe from an unknown endpoint")?;
    ensure(!refused.body.trim().is_empty(), "a reason", &refused)?;
    let open = wire::patient_open(&room.topic, "p1");
    room.tell(&open).await?;
    viewer.expect_published(&open).await.map(drop)
}
