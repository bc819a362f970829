//! Reading over HTTP: the current context of a topic (CTX-01 to CTX-09).

use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::super::access::Access;
use super::super::lookup::Lookup;
use super::super::problem::Problem;
use super::super::topic::{Context, Refusal};
use super::super::{PublishRefusal, current};
use super::audit::Audited;
use super::refusal::refused;
use super::{Door, without_slash};
use crate::audit::{Action, PatientWords};
use crate::fhircast::EventName;
use crate::fhircast::context::entries_text;
use crate::security::Grant;

/// `GET {hub}/{topic}` (CTX-01, CTX-02); in one dialect also what lies below (CLI-37).
pub(super) async fn current_context(State(door): State<Door>, Path(path): Path<String>, parts: Parts) -> Response {
    let path = without_slash(&path);
    let is_powercast = door.mount().is_powercast();
    let lookup = Lookup::read(path).filter(|_| is_powercast);
    let bodiless = is_powercast && lookup.is_none();
    let told = match lookup {
        Some(lookup) => lookup.answer(&door, &parts).await,
        None => tell_current_context(&door, path, &parts).await,
    };
    match told {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(problem) if bodiless => problem.response_without_body(&parts.headers, door.policy().errors),
        Err(problem) => door.refuse(problem, &parts.headers),
    }
}

async fn tell_current_context(door: &Door, topic: &str, parts: &Parts) -> Result<String, Problem> {
    let Readable { context, content_may_be_read } = readable(door, topic, topic, parts).await?;
    let mount = door.mount();
    Ok(current::written(context.as_ref(), mount.policy.context_form, mount.edition, content_may_be_read))
}

/// What of a topic's current context somebody may read.
pub(in super::super) struct Readable {
    pub(in super::super) context: Option<Context>,
    /// Whether its content may be told as well (NOT-03).
    pub(in super::super) content_may_be_read: bool,
}

/// The current context of `topic` for the sender of a request for `path`, once that is audited (CTX-07, IRA-23).
pub(in super::super) async fn readable(
    door: &Door,
    topic: &str,
    path: &str,
    parts: &Parts,
) -> Result<Readable, Problem> {
    let grant = door.authenticate(parts).await?;
    let audited = door.audits(Action::GetContext).then(|| Audited {
        // The topic itself is no audit's to hold: it lets its holder follow the screen.
        asked: path.strip_prefix(topic).unwrap_or_default().to_owned(),
        ..Audited::new(Action::GetContext, &grant, parts, topic)
    });
    let readable = read(door, topic, grant).await;
    let patient = |context: &Context| PatientWords::among(entries_text(&context.event.context));
    let audited = audited.map(|audited| Audited {
        patient: readable.as_ref().ok().and_then(|readable| readable.context.as_ref()).and_then(patient),
        ..audited
    });
    door.record(audited, readable).await
}

async fn read(door: &Door, topic: &str, grant: Grant) -> Result<Readable, Problem> {
    if !crate::fhircast::subscription::is_topic(topic) {
        return Err(refused(&PublishRefusal::Topic, door.policy()));
    }
    let access = Access::of(grant, topic)?;
    if door.policy().session_required && !door.hub.is_session(topic).await {
        return Err(Problem::new(StatusCode::NOT_FOUND, Refusal::SessionUnknown.to_string()));
    }
    let context = door.hub.current_context(topic).await;
    let mut content_may_be_read = true;
    if let Some(context) = &context {
        access.check_read(&context.event.name)?;
        let update = EventName::parse(&format!("{}-update", context.anchor.resource_type));
        content_may_be_read = update.is_ok_and(|update| access.scopes.can_read(&update));
    }
    Ok(Readable { context, content_may_be_read })
}
