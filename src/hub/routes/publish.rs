//! Publishing over HTTP (REQ-01, REQ-02).

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::super::Published;
use super::super::access::Access;
use super::super::problem::Problem;
use super::super::topic::Publisher;
use super::Door;
use super::audit::Audited;
use super::refusal::refused;
use crate::audit::{Action, PatientWords};
use crate::fhircast::Event;
use crate::fhircast::context::entries_text;
use crate::security::Grant;

/// Publishes the event that `body` holds; `topic` is the one that the URL names.
pub(super) async fn event(
    door: &Door,
    grant: Grant,
    parts: &Parts,
    topic: Option<&str>,
    body: &[u8],
) -> Result<Response, Problem> {
    let event = Event::parse(body, &door.mount().rules()).map_err(Problem::bad_request)?;
    if topic.is_some_and(|topic| topic != event.topic) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`event.hub.topic` is not the topic of the URL"));
    }
    let audited = door.audits(Action::Publish).then(|| Audited {
        asked: event.name.to_string(),
        patient: PatientWords::among(entries_text(&event.context)),
        ..Audited::new(Action::Publish, &grant, parts, &event.topic)
    });
    let published = publish(door, grant, event).await;
    door.note(audited, &published).await;
    answer(published?)
}

async fn publish(door: &Door, grant: Grant, event: Event) -> Result<Published, Problem> {
    Access::of(grant, &event.topic)?.check_write(&event.name)?;
    let policy = *door.policy();
    let published = door.hub.publish_event(event, policy, Publisher::Application).await;
    published.map_err(|refusal| refused(&refusal, &policy))
}

fn answer(published: Published) -> Result<Response, Problem> {
    let mut accepted = json!({"id": published.id});
    if let Some(version) = published.version {
        accepted["context.versionId"] = version.to_string().into();
    }
    let status = if published.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::ACCEPTED };
    Ok((status, axum::Json(accepted)).into_response())
}
