//! DISC: what a hub says of itself.

use reqwest::Method;
use serde_json::{Value, json};

use crate::fhircast::Edition;
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::hub::{Answer, Bearer};
use crate::verify::room::Room;
use crate::verify::{judge, wire};

async fn document(room: &Room<'_>) -> Result<Answer, Finding> {
    let request = room.target.request(Method::GET, room.target.discovery_url(), Bearer::Nobody);
    room.target.send(request).await?.expect(200, "to the discovery document, asked for without a token")
}

pub(in crate::verify) async fn disc_01(room: &Room<'_>) -> Verdict {
    let answer = document(room).await?;
    ensure(answer.media_type() == "application/json", "application/json", &answer)?;
    ensure(answer.json().is_some_and(|json| json.is_object()), "an object in JSON", &answer)
}

pub(in crate::verify) async fn disc_02(room: &Room<'_>) -> Verdict {
    judge::discovery(&document(room).await?.json().unwrap_or_default())
}

pub(in crate::verify) async fn disc_03(room: &Room<'_>) -> Verdict {
    let document = document(room).await?.json().unwrap_or_default();
    let claimed = document["fhircastVersion"].as_str().and_then(Edition::of_announced);
    let asked = format!("`fhircastVersion` of edition {}", room.edition());
    ensure(claimed == Some(room.edition()), asked, &document["fhircastVersion"])?;
    ensure(document["fhirVersion"].is_string(), "`fhirVersion`", &document["fhirVersion"])
}

pub(in crate::verify) async fn disc_04(room: &Room<'_>) -> Verdict {
    let document = document(room).await?.json().unwrap_or_default();
    judge::capabilities(&document)?;
    let offered = document["capabilities"]["supportsGetCurrentContext"] == true;
    let answer = room.get_context(Bearer::Full).await?;
    let asked = format!("`supportsGetCurrentContext`: {offered} is what GET {{hub.url}}/{{topic}} shows");
    ensure(answer.is_success() == offered, asked, &answer)
}

pub(in crate::verify) async fn disc_05(room: &Room<'_>) -> Verdict {
    let offered = room.target.discovery["webhookSupport"] == true;
    let answer = room.form(&super::transport::webhook(room)).await?;
    let asked = format!("`webhookSupport`: {offered} is what a webhook subscription meets");
    ensure(answer.is_success() == offered, asked, &answer)
}

pub(in crate::verify) async fn disc_07(room: &Room<'_>) -> Verdict {
    let name = "org.example.verify_unlisted";
    let mut viewer = room.viewer(name).await?;
    let event = wire::event(&room.topic, name, json!([]));
    room.tell(&event).await?;
    viewer.expect_published(&event).await?;
    let listed = room.target.discovery["eventsSupported"].as_array().cloned().unwrap_or_default();
    let dashes = |name: &Value| name.as_str().is_none_or(|name| name.matches('-').count() > 1);
    ensure(!listed.iter().any(dashes), "well-formed names in `eventsSupported`", json!(listed))
}
